// Facts in words: lengths of time, flows, sections, and what an alarm is about.

import type { Alarm, AlarmFlow } from "./api/alarm.ts";
import type { Gap } from "./api/series.ts";
import type { Hours, Released, Required, VerdictWord } from "./api/station.ts";
import type { Verdict } from "./api/verdict.ts";
import { gaugeName } from "./attention.ts";
import { floored, observedText, percent, requiredText, text, type Decimal } from "./decimal.ts";
import { sinceOf, type Standing } from "./order.ts";
import type { Texts } from "./texts/zh.ts";
import { clockText, DAY_MS, HOUR_MS, MINUTE_MS } from "./time.ts";

/** Nothing is known, which is not zero. */
export const NOTHING = "—";

export function lasting(t: Texts, ms: number): string {
  const past = Math.max(0, ms);
  const [days, hours, minutes] = [past / DAY_MS, (past % DAY_MS) / HOUR_MS, (past % HOUR_MS) / MINUTE_MS].map(Math.floor);
  return t.lasting(days ?? 0, hours ?? 0, minutes ?? 0, Math.floor((past % MINUTE_MS) / 1000));
}

/** How long an alarm has stood that began then, or did stand. */
export function stoodText(t: Texts, alarm: Alarm, began: number, asOf: number): string {
  return lasting(t, (alarm.cleared_at ?? asOf) - began);
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
  const since = standing === null ? null : sinceOf(standing);
  return since === null ? null : lasting(t, asOf - since);
}

/** The reason of a gap, or of a sample that is not good. */
export function reasonText(t: Texts, reason: string): string {
  const exception = /^exception_(\d+)$/.exec(reason);
  return t.reasons[reason] ?? (exception === null ? reason : t.station.exception(exception[1] ?? ""));
}

/** Samples that came with a value: that it cannot be used is not said by its reason. */
const WITH_VALUE: readonly string[] = ["suspect", "bad", "estimated", "clock", "range"];

/** Why there are no data: that a device does not answer says it all, that a value is doubted does not. */
export function gapText(t: Texts, { because, reason }: Pick<Gap, "because" | "reason">): string {
  const cause = t.gapCauses[because] ?? because;
  if (reason === null) return cause;
  if (because === "defect" && !WITH_VALUE.includes(reason)) return reasonText(t, reason);
  return `${cause}${t.separator}${reasonText(t, reason)}`;
}

/** How much of a period is known: of an hour in minutes, of a day as a share. */
export function coverageText(t: Texts, { from, to, coverage }: Pick<Verdict, "from" | "to" | "coverage">): string {
  if (coverage === null || to - from > HOUR_MS) return percentText(t, coverage, 2);
  const minutes = Math.floor((to - from) / MINUTE_MS);
  // the share is cut off after four decimals: the most whole minutes that it may be of
  const known = ((floored(coverage, 4).units + 1n) * BigInt(minutes) - 1n) / 10_000n;
  return t.station.minutesOf(Math.min(Number(known), minutes), minutes);
}

/** That a period is short only since its rule counts what is not known so; null where that is not why. */
export function unknownText(t: Texts, verdict: Verdict): string | null {
  const isWhy = verdict.verdict === "short" && verdict.because === "too_little_known";
  return isWhy ? t.station.tooLittle(coverageText(t, verdict)) : null;
}

/** How many hours are what, of all of them, by those words that some hour is. */
export function hoursText(t: Texts, hours: Hours): string {
  const counts = (["met", "short", "exempt", "indeterminate"] as const).filter((word) => hours[word] > 0);
  const all = counts.reduce((sum, word) => sum + hours[word], 0);
  return t.station.hoursAll(all, counts.length === 0 ? NOTHING : counts.map((word) => t.station.hoursAre(hours[word], t.verdicts[word])).join(t.separator));
}

/** Runs of hours that are named; the others are counted by the sentence. */
const RUNS = 6;

/** Which hours were short, or left a day unknown, and how many the rule asks for; nothing where that is no matter. */
export function decidedText(t: Texts, day: Verdict, hours: readonly Verdict[], zone: string): readonly string[] {
  if (day.hours === null || hours.length === 0) return [];
  const named = (word: VerdictWord) => runsText(hours.filter(({ verdict }) => verdict === word), zone);
  const { met, short } = day.hours;
  const isTold = (day.verdict === "short" && day.because === "below") || day.verdict === "met";
  if (isTold && short > 0) return [t.station.shortHours(named("short"), met, met + short, askedText(t, day.day_hours_met))];
  const isUnknown = day.because === "too_little_known" && day.hours.indeterminate > 0;
  return isUnknown ? [t.station.unknownHours(named("indeterminate"))] : [];
}

/** The share of hours that a rule asks for, all of them where it is as many. */
function askedText(t: Texts, ratio: string | null): string {
  const [part, whole] = (ratio ?? "").split("/");
  if (whole === undefined) return t.station.askedShare;
  return part === whole ? t.station.askedAll : t.station.asked(ratio ?? "");
}

/** Hours by their clocks, those that adjoin as one. */
function runsText(hours: readonly Verdict[], zone: string): string {
  const runs: { from: number; to: number }[] = [];
  for (const { from, to } of hours) {
    const last = runs.at(-1);
    if (last !== undefined && last.to === from) last.to = to;
    else runs.push({ from, to });
  }
  const texts = runs.slice(0, RUNS).map(({ from, to }) => `${clockText(from, zone)}–${clockText(to, zone)}`);
  return [...texts, ...(runs.length > RUNS ? ["…"] : [])].join(" ");
}

/** What an alarm is about, in a sentence. */
export function matterText(t: Texts, alarm: Alarm): string {
  if (alarm.gauge !== null) {
    const gauge = gaugeName(alarm);
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
