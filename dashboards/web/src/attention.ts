// What needs somebody: which alarms nobody has taken on, and which stations a wall calls people to.

import { ALARM_STATES, SEVERITIES, type Alarm, type AlarmState } from "./api/alarm.ts";
import type { LiveCounts } from "./api/station.ts";
import { worstFirst, type Row } from "./order.ts";

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

/**
 * Whether what is released is enough again while the alarm of its section stands still: it ends once that has held for
 * as long as its rule asks.
 */
export function isBack(alarm: Alarm, row: Row | null): boolean {
  if (!alarm.active || alarm.section === null) return false;
  const standing = row?.standings.find(({ section }) => section === alarm.section);
  const isEnough = standing?.state === "ok" || standing?.state === "near";
  // how it stands may be told before the alarm is, or after
  return isEnough && (standing?.released?.at ?? 0) > (alarm.raised_flow?.at ?? alarm.began_at);
}

/** Alarms that a console shows: a state that a later server adds is shown rather than left out. */
export function open(alarms: Iterable<Alarm>): readonly Alarm[] {
  return [...alarms].filter(({ state }) => state === null || OPEN.includes(state)).sort(bySoonest);
}

/** A station that needs somebody, and the alarm that says so where how it stands does not. */
export interface Needing {
  readonly row: Row;
  readonly alarm: Alarm | null;
}

/** Stations below their mandate and silent ones, the worst first; then those of which only an alarm tells. */
export function needing(rows: readonly Row[], alarms: readonly Alarm[]): readonly Needing[] {
  const isSeen = ({ state }: Row) => state === "breach" || state === "stale";
  const worst = rows.filter(isSeen).sort(worstFirst).map((row) => ({ row, alarm: null }));
  const soonest = new Map<string, Alarm>();
  for (const alarm of open(alarms)) {
    const asks = isToBeTaken(alarm) || alarm.state === "acknowledged";
    if (asks && !soonest.has(alarm.station)) soonest.set(alarm.station, alarm);
  }
  const told = rows.flatMap((row) => {
    const alarm = isSeen(row) ? undefined : soonest.get(row.station.id);
    return alarm === undefined ? [] : [{ row, alarm }];
  });
  return [...worst, ...told.sort((a, b) => bySoonest(a.alarm, b.alarm))];
}
