// Thirteen months of days, each with what it was judged to be.

import type { VerdictWord } from "./api/station.ts";
import type { Verdict } from "./api/verdict.ts";
import { civil, dayBegin, dayText } from "./time.ts";

/** How many months a strip has: a year, and the same month of the year before. */
export const MONTHS = 13;

export interface StripDay {
  /** `2026-11-22`: the date on which the day of its rule begins. */
  readonly name: string;
  readonly day: number;
  /** Null where nothing is said of it. */
  readonly verdict: VerdictWord | null;
  /** Whether it is not over. */
  readonly isOpen: boolean;
  /** Its verdicts: more than one where a rule took over within it. */
  readonly verdicts: readonly Verdict[];
}

export interface StripMonth {
  /** `2026-11` */
  readonly name: string;
  readonly year: number;
  readonly month: number;
  /** Up to today in the month that runs. */
  readonly days: readonly StripDay[];
}

/** The gravest first: a date of which a part was short is a short one. */
const GRAVEST: readonly VerdictWord[] = ["short", "indeterminate", "exempt", "met"];

/** The months up to `now`, the latest first, without those before anything was judged. */
export function strip(verdicts: readonly Verdict[], now: number, zone: string): readonly StripMonth[] {
  const byDay = new Map<string, Verdict[]>();
  for (const verdict of verdicts) {
    if (verdict.because === "withdrawn") continue;
    const name = dayText(verdict.from, zone);
    const known = byDay.get(name);
    if (known === undefined) byDay.set(name, [verdict]);
    else known.push(verdict);
  }
  const today = civil(now, zone);
  const months = Array.from({ length: MONTHS }, (_, back) => {
    const place = today.year * 12 + today.month - 1 - back;
    const [year, month] = [Math.floor(place / 12), (place % 12) + 1];
    const length = back === 0 ? today.day : new Date(Date.UTC(year, month, 0)).getUTCDate();
    const name = `${String(year)}-${String(month).padStart(2, "0")}`;
    const days = Array.from({ length }, (_unused, index) => day(name, index + 1, byDay));
    return { name, year, month, days };
  });
  const begun = months.reduce((last, { days }, place) => (days.some(({ verdicts }) => verdicts.length > 0) ? place : last), 0);
  return months.slice(0, begun + 1);
}

/** From when on verdicts are needed for the strip. */
export function stripBegin(now: number, zone: string): number {
  const today = civil(now, zone);
  const place = today.year * 12 + today.month - 1 - (MONTHS - 1);
  const name = `${String(Math.floor(place / 12))}-${String((place % 12) + 1).padStart(2, "0")}-01`;
  return dayBegin(name, zone) ?? now;
}

function day(month: string, number: number, byDay: ReadonlyMap<string, readonly Verdict[]>): StripDay {
  const name = `${month}-${String(number).padStart(2, "0")}`;
  const verdicts = byDay.get(name) ?? [];
  const words = verdicts.map(({ verdict }) => verdict);
  return {
    name,
    day: number,
    verdict: GRAVEST.find((word) => words.includes(word)) ?? null,
    isOpen: verdicts.some(({ provisional }) => provisional),
    verdicts,
  };
}
