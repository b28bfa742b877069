// Facts in words: lengths of time, flows, sections, and what an alarm is about.

import type { Alarm, AlarmFlow } from "./api/alarm.ts";
import type { Released, Required } from "./api/station.ts";
import { floored, observedText, percent, requiredText, text, type Decimal } from "./decimal.ts";
import type { Standing } from "./order.ts";
import type { Texts } from "./texts/zh.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "./time.ts";

/** Nothing is known, which is not zero. */
export const NOTHING = "—";

export function lasting(t: Texts, ms: number): string {
  const past = Math.max(0, ms);
  return t.lasting(Math.floor(past / DAY_MS), Math.floor((past % DAY_MS) / HOUR_MS), Math.floor((past % HOUR_MS) / MINUTE_MS));
}

/** What is released, with `≥` where an outlet is missing. */
export function releasedText(released: Released | null, required: Required | null): string {
  if (released === null) return NOTHING;
  return `${released.bound === "lower" ? "≥ " : ""}${observedText(released.value, required?.value ?? null)}`;
}

export function requiredOf(required: Required | null): string {
  return required === null ? NOTHING : requiredText(required.value);
}

/** A share in percent with so many decimals, truncated. */
export function percentText(t: Texts, value: Decimal | null, decimals: number): string {
  return value === null ? NOTHING : t.percent(text(floored(percent(value), decimals)));
}

export function sectionText(t: Texts, section: string): string {
  return t.sections[section] ?? section;
}

/** A rule by its id; one that is called an example is shown as one (`docs/registry.md`). */
export function ruleText(t: Texts, rule: string): string {
  return rule.startsWith("example-") ? t.station.exampleRule(rule) : rule;
}

/** How long a section has stood as it does; null where nobody knows. */
export function sinceText(t: Texts, standing: Standing | null, asOf: number): string | null {
  return standing === null || standing.since === null ? null : lasting(t, asOf - standing.since);
}

/** The reason of a gap, or of a sample that is not good. */
export function reasonText(t: Texts, reason: string): string {
  const exception = /^exception_(\d+)$/.exec(reason);
  return t.reasons[reason] ?? (exception === null ? reason : `Modbus ${exception[1] ?? ""}`);
}

/** What an alarm is about, in a sentence. */
export function matterText(t: Texts, alarm: Alarm): string {
  if (alarm.gauge !== null) {
    const gauge = alarm.gauge.split("/").at(-1) ?? alarm.gauge;
    return alarm.flat ? t.alarms.flat(gauge) : t.alarms.silent(gauge);
  }
  const { raised_flow: flow } = alarm;
  if (flow === null || flow.required === null) return t.alarms.belowUnknown;
  // what is known at least says nothing of a comparison
  if (flow.bound === "lower") return t.alarms.belowAtLeast(observedText(flow.released, flow.required), requiredText(flow.required));
  return t.alarms.below(flowText(flow), requiredText(flow.required));
}

/** How an alarm ended, once it has. */
export function endText(t: Texts, alarm: Alarm): string | null {
  const { cleared_because: because, cleared_flow: flow } = alarm;
  if (because === null) return null;
  // its state says so already
  if (because === "recovered" && flow === null && alarm.state === "cleared_unacknowledged") return null;
  if (because !== "recovered" || flow === null) return t.alarms.ends[because] ?? because;
  return t.alarms.recoveredTo(flowText(flow), flow.required === null ? NOTHING : requiredText(flow.required));
}

function flowText(flow: AlarmFlow): string {
  return `${flow.bound === "lower" ? "≥ " : ""}${observedText(flow.released, flow.required)}`;
}

/** Who took an alarm on: a token and a contact may be called alike. */
export function whoText(t: Texts, name: string | null, kind: string | null): string {
  const word = kind === null ? undefined : t.actors[kind];
  return name === null ? NOTHING : word === undefined ? name : `${word} ${name}`;
}

/** Where an alarm is: the station by its name, and the section where there is one. */
export function whereText(t: Texts, alarm: Alarm, name: string): string {
  return alarm.section === null ? name : `${name} · ${sectionText(t, alarm.section)}`;
}
