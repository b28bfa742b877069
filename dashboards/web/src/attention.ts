// What needs somebody: which alarms nobody has taken on, and which stations a wall calls people to.

import { ALARM_STATES, SEVERITIES, type Alarm, type AlarmState, type AlarmStep } from "./api/alarm.ts";
import type { Gauge, LiveCounts } from "./api/station.ts";
import { isOld, sinceOf, worstFirst, type Row, type Standing } from "./order.ts";

/** Where an alarm waits for somebody to take it on, whether its condition holds or is past. */
const TO_BE_TAKEN: readonly AlarmState[] = ["unacknowledged", "cleared_unacknowledged"];
/** Where an alarm is of use to somebody: one that is pending may never be raised, one that is normal is closed. */
export const OPEN: readonly AlarmState[] = ALARM_STATES.filter((state) => state !== "pending" && state !== "normal");

/** The one that needs somebody soonest first. */
export function bySoonest(a: Alarm, b: Alarm): number {
  const state = (alarm: Alarm) => (alarm.state === null ? ALARM_STATES.length : ALARM_STATES.indexOf(alarm.state));
  const severity = (alarm: Alarm) => (alarm.severity === null ? SEVERITIES.length : SEVERITIES.indexOf(alarm.severity));
  return state(a) - state(b) || severity(a) - severity(b) || a.began_at - b.began_at || (a.id < b.id ? -1 : 1);
}

/** Whether somebody can take it on. */
export function isToBeTaken({ state }: Alarm): boolean {
  return state !== null && TO_BE_TAKEN.includes(state);
}

/**
 * How many alarms nobody has taken on: by the server's count, which knows of more than a page is told, else of those
 * that are known; null where neither is.
 */
export function untaken(counts: LiveCounts | null, alarms: readonly Alarm[] | null): number | null {
  if (counts !== null) return TO_BE_TAKEN.reduce((sum, state) => sum + (counts.alarms.get(state) ?? 0), 0);
  return alarms === null ? null : alarms.filter(isToBeTaken).length;
}

/** How many alarms have reached nobody, known as `untaken` is. */
export function unheard(counts: LiveCounts | null, alarms: readonly Alarm[] | null): number | null {
  return counts?.reached_nobody ?? alarms?.filter(({ reached_nobody: isUnheard }) => isUnheard).length ?? null;
}

/** What somebody sees of an alarm's gauge where its newest sample is known. */
type Samples = readonly Pick<Gauge, "id" | "latest">[] | null;

/**
 * Whether what an alarm is about is well again while the alarm stands: enough is released by its section, or its gauge
 * speaks. It ends once that has held for as long as its rule asks. Of a gauge that is stuck nobody can say it.
 */
export function isBack(alarm: Alarm, row: Row | null, samples: Samples = null): boolean {
  if (!alarm.active) return false;
  if (alarm.gauge !== null) return !alarm.flat && speaksAgain(alarm, row, samples);
  const standing = row?.standings.find(({ section }) => section === alarm.section);
  const isEnough = standing?.state === "ok" || standing?.state === "near";
  // how it stands may be told before the alarm is, or after
  return isEnough && (standing.released?.at ?? 0) > (alarm.raised_flow?.at ?? alarm.began_at);
}

/** By its newest sample; else by its section, of which no outlet is silent. */
function speaksAgain(alarm: Alarm, row: Row | null, samples: Samples): boolean {
  const latest = samples?.find(({ id }) => id === gaugeName(alarm))?.latest ?? null;
  if (latest !== null) return latest.value !== null && latest.at > alarm.began_at;
  const standing = row === null ? null : outletOf(alarm, row);
  if (standing === null || standing.state === null || isOld(standing)) return false;
  return standing.released !== null && standing.released.bound === null && standing.released.at > alarm.began_at;
}

/**
 * Since when what an alarm is about is so. Of a silent gauge of whose section nothing comes it is the section's last
 * reading, as the section itself counts: the server's receipt of it, by which the alarm counts, is seconds later.
 */
export function beganAt(alarm: Alarm, row: Row | null): number {
  const isSilent = alarm.gauge !== null && !alarm.flat && alarm.active;
  const standing = isSilent && row !== null ? outletOf(alarm, row) : null;
  if (standing === null || !isOld(standing) || standing.released === null) return alarm.began_at;
  const since = sinceOf(standing) ?? alarm.began_at;
  return Math.abs(since - alarm.began_at) <= ONE_LOSS_MS ? since : alarm.began_at;
}

/** What a line of an alarm's timeline says of when. */
export interface Moments {
  readonly at: number;
  /** When the server found it, where that is another minute. */
  readonly foundAt: number | null;
  /** Whether the line tells of the last reading before a silence. */
  readonly isLastReading: boolean;
}

/**
 * A condition began, and recovered, by the meters, and may be found later; an alarm is raised when the server does so,
 * however long the condition had held. A silence has begun with the last reading, wherever it is told of.
 */
export function momentsOf({ what, event_at: event, detected_at: detected }: AlarmStep, alarm: Alarm, began: number): Moments {
  const isLastReading = what === "pending" && alarm.gauge !== null && !alarm.flat;
  if (isLastReading) return { at: began, foundAt: null, isLastReading };
  if (what === "raised") return { at: detected, foundAt: null, isLastReading };
  return { at: event, foundAt: detected - event > FOUND_LATE_MS ? detected : null, isLastReading };
}

const FOUND_LATE_MS = 60_000;

/** A reading is under way for so long at most; what is further apart is not the same loss. */
const ONE_LOSS_MS = 120_000;

/** The section that a gauge's outlet lets water into. */
function outletOf(alarm: Alarm, { station, standings }: Row): Standing | null {
  const name = gaugeName(alarm);
  const section = station.sections.find(({ outlets }) => outlets?.some(({ gauges }) => gauges.includes(name)) === true);
  return standings.find((standing) => standing.section === section?.id) ?? null;
}

/** The alarm that says what a gauge of its station is like right now: not one that waits for data that are back to last. */
export function alarmOfGauge(alarms: readonly Alarm[], gauge: string, samples: Samples): Alarm | null {
  return alarms.find((alarm) => alarm.active && alarm.gauge !== null && gaugeName(alarm) === gauge && !isBack(alarm, null, samples)) ?? null;
}

/** Whether nothing has come of a gauge for so long that it counts as silent: three of its intervals, two minutes at least. */
export function isSilent({ latest, interval_ms }: Pick<Gauge, "latest" | "interval_ms">, asOf: number): boolean {
  return latest !== null && asOf - latest.at >= Math.max(SILENT_MS, 3 * interval_ms);
}

/** As of a section's outlets. */
const SILENT_MS = 120_000;

/** What its gauge is called within its station. */
export function gaugeName({ gauge }: Alarm): string {
  return gauge?.split("/").at(-1) ?? "";
}

/** Alarms that a console shows: a state that a later server adds is shown rather than left out. */
export function open(alarms: Iterable<Alarm>): readonly Alarm[] {
  return [...alarms].filter(({ state }) => state === null || OPEN.includes(state)).sort(bySoonest);
}

/** A station that needs somebody, with the alarm of it that does soonest. */
export interface Needing {
  readonly row: Row;
  readonly alarm: Alarm | null;
  /** Whether only the alarm says so, and not how the station stands. */
  readonly isByAlarm: boolean;
}

/** Stations that are short and silent ones, the worst first; then those of which only an alarm tells. */
export function needing(rows: readonly Row[], alarms: readonly Alarm[]): readonly Needing[] {
  const soonest = new Map<string, Alarm>();
  for (const alarm of open(alarms)) {
    const asks = isToBeTaken(alarm) || alarm.state === "acknowledged";
    if (asks && !soonest.has(alarm.station)) soonest.set(alarm.station, alarm);
  }
  const isSeen = ({ state }: Row) => state === "breach" || state === "stale";
  const of = (row: Row): Needing => ({ row, alarm: soonest.get(row.station.id) ?? null, isByAlarm: !isSeen(row) });
  const worst = rows.filter(isSeen).sort(worstFirst).map(of);
  const told = rows.filter((row) => !isSeen(row)).flatMap((row) => {
    const { alarm } = of(row);
    return alarm === null ? [] : [{ ...of(row), alarm }];
  });
  return [...worst, ...told.sort((a, b) => bySoonest(a.alarm, b.alarm))];
}
