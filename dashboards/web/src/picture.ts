// What the pages show: what the stream tells, or what is asked for call by call where the stream is not to be had.

import type { Alarm } from "./api/alarm.ts";
import type { LiveCounts, LiveSection } from "./api/station.ts";
import { open } from "./attention.ts";
import { NOT_LOADED, type Failure, type Loaded } from "./failure.ts";
import type { Link, Live } from "./live.ts";

/** Between two rounds of questions: slow, since where as many look live as may, there are many. */
export const POLL_MS = 15_000;

/** What was asked for call by call. */
export interface Polled {
  /** Up to which moment of the server it tells; null before the first round that was answered. */
  readonly at: number | null;
  /** Whether the last round was answered. */
  readonly isAnswered: boolean;
  readonly alarms: Loaded<readonly Alarm[]>;
}

export const NOT_POLLED: Polled = { at: null, isAnswered: false, alarms: NOT_LOADED };

/** As `Link` says it; `polled`: it is asked for every `POLL_MS`. */
export type Currency = Link | "polled";

export interface Picture {
  readonly link: Currency;
  readonly at: number | null;
  /** How sections stand; null where the list of stations says it. */
  readonly sections: ReadonlyMap<string, LiveSection> | null;
  /** Null where only the stream says it. */
  readonly counts: LiveCounts | null;
  readonly alarms: Loaded<readonly Alarm[]>;
  /** Why there is no stream, where the server said so. */
  readonly why: Failure | null;
}

/** The newer of both; `why` is what the server said when the stream was asked for last. */
export function picture(live: Live, polled: Polled, why: Failure | null): Picture {
  const { link, at, sections, counts } = live;
  if (link !== "live" && polled.at !== null && (at === null || polled.at >= at)) {
    const shown = polled.isAnswered ? "polled" : "stale";
    return { link: shown, at: polled.at, sections: null, counts: null, alarms: saidOnce(polled.alarms, shown), why };
  }
  if (at === null) return { link, at, sections: null, counts: null, alarms: polled.alarms, why };
  const known: Loaded<readonly Alarm[]> = { value: open(live.alarms.values()), failure: null, failingSince: null };
  return { link, at, sections, counts, alarms: known, why: link === "live" ? null : why };
}

/** Whether it is time for a round of questions: not while the stream tells, nor before `waitMs` after the last one. */
export function isPollDue(live: Live, why: Failure | null, endedMs: number | null, waitMs: number, nowMs: number): boolean {
  if (live.link === "live" || (live.link === "opening" && why === null)) return false;
  return endedMs === null || nowMs - endedMs >= waitMs;
}

/** What time it is at the server, by its own clock as it was heard last; null where it was never heard. */
export function serverTime(live: Live, nowMs: number): number | null {
  return live.at === null ? null : live.at + Math.floor(Math.max(0, nowMs - live.heardMs));
}

/** What is known without saying again that nobody answers, which the band of a stale page says. */
export function saidOnce<T>(of: Loaded<T>, link: Currency): Loaded<T> {
  const isSaid = link === "stale" && of.value !== null && of.failure?.kind === "unreachable";
  return isSaid ? { ...of, failure: null, failingSince: null } : of;
}

/** What is known after a round that ended at `at`: what failed leaves what was known. */
export function polledAfter(before: Polled, alarms: Loaded<readonly Alarm[]>, isAnswered: boolean, at: number): Polled {
  return { at: isAnswered ? at : before.at, isAnswered, alarms };
}
