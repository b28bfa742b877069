// Where the keys are in the list of alarms: they go along it, and do not get lost when an alarm moves or goes.

import type { Alarm } from "./api/alarm.ts";
import { isToBeTaken } from "./attention.ts";

/** The alarm to which an arrow leads from `from`; from nowhere, the first or the last one. Null for whatever is no step. */
export function stepped(list: readonly Alarm[], from: string | null, key: string): string | null {
  const by = key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0;
  if (by === 0) return null;
  const place = list.findIndex(({ id }) => id === from);
  const to = place >= 0 ? place + by : by > 0 ? 0 : list.length - 1;
  return list[to]?.id ?? null;
}

/**
 * Where the keys go that were at `held`: they stay at it while it is listed, else they go to the next alarm that
 * somebody has to take on, in the order of `before`; else to the next one; null where there is none.
 */
export function heir(before: readonly string[], list: readonly Alarm[], held: string): string | null {
  if (list.some(({ id }) => id === held)) return held;
  const place = before.indexOf(held);
  const later = before.slice(place + 1).flatMap((id) => list.find((alarm) => alarm.id === id) ?? []);
  const next = later.find(isToBeTaken) ?? list.find(isToBeTaken) ?? later[0] ?? list.at(-1);
  return next?.id ?? null;
}
