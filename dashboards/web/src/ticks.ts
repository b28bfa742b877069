// The moments that an axis of time names: on the clocks and calendars of the station's zone, each by a text of its own.

import { civil, clockText, DAY_MS, dayBegin, dayText, HOUR_MS, MINUTE_MS } from "./time.ts";

export interface Tick {
  /** In milliseconds. */
  readonly at: number;
  readonly text: string;
}

/** Steps of a clock: all go into a day. */
const CLOCK_STEPS: readonly number[] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map((minutes) => minutes * MINUTE_MS);
const DAY_STEPS: readonly number[] = [1, 2, 3, 5, 7, 14];
const MONTH_STEPS: readonly number[] = [1, 2, 3, 6, 12];
/** A chart is a little longer than it is called, for it begins and ends with whole buckets. */
const SLACK = 0.1;
/** A month has so many days at most. */
const MONTH_DAYS = 31;

/**
 * At most `most` of them: times of day; local midnights, where days are named; first days of months. Where clocks go
 * back an hour comes twice, and is named once.
 */
export function ticks(from: number, to: number, zone: string, most: number): readonly Tick[] {
  const whole = to - from;
  const room = Math.max(1, most);
  // a time that comes on two days needs its day beside it, and twice the room
  const clock = CLOCK_STEPS.find((step) => whole / step <= (isLong(whole) ? room / 2 : room) + SLACK);
  if (clock !== undefined) return once(clockTicks(from, to, zone, clock));
  const days = DAY_STEPS.find((step) => whole / (step * DAY_MS) <= room + SLACK);
  if (days !== undefined) return once(dayTicks(from, to, zone, days));
  const months = MONTH_STEPS.find((step) => whole / (step * MONTH_DAYS * DAY_MS) <= room) ?? 12;
  return once(monthTicks(from, to, zone, months));
}

/** Whether a time of day comes twice. */
function isLong(whole: number): boolean {
  return whole > DAY_MS + HOUR_MS / 2;
}

/** A midnight is named by its day. */
function clockTicks(from: number, to: number, zone: string, step: number): readonly Tick[] {
  return midnights(from, to, zone).flatMap((midnight, place, all) => {
    const end = Math.min(to + 1, all[place + 1] ?? midnight + DAY_MS + HOUR_MS);
    const found: Tick[] = [];
    for (let at = midnight; at < end; at += step) {
      const { hour, minute } = civil(at, zone);
      // where clocks change within the day, its later steps are an hour off the clock
      const isOnStep = ((hour * 60 + minute) * MINUTE_MS) % step === 0;
      const day = dayText(at, zone).slice(5);
      const time = isLong(to - from) ? `${day} ${clockText(at, zone)}` : clockText(at, zone);
      const text = hour === 0 && minute === 0 ? day : time;
      if (at >= from && isOnStep) found.push({ at, text });
    }
    return found;
  });
}

function dayTicks(from: number, to: number, zone: string, step: number): readonly Tick[] {
  const all = midnights(from, to, zone).filter((at) => at >= from && at <= to);
  // counted from the latest one, which is what people look for
  return all.filter((_, place) => (all.length - 1 - place) % step === 0).map((at) => ({ at, text: dayText(at, zone).slice(5) }));
}

function monthTicks(from: number, to: number, zone: string, step: number): readonly Tick[] {
  const begin = civil(from, zone);
  const found: Tick[] = [];
  for (let place = begin.year * 12 + begin.month - 1; ; place += 1) {
    const name = `${String(Math.floor(place / 12)).padStart(4, "0")}-${String((place % 12) + 1).padStart(2, "0")}`;
    const at = dayBegin(`${name}-01`, zone);
    if (at === null || at > to) return found;
    if (at >= from && place % step === 0) found.push({ at, text: name });
  }
}

/** Every local midnight from the one before `from` up to `to`. */
function midnights(from: number, to: number, zone: string): readonly number[] {
  const found: number[] = [];
  // no day is longer than a day and an hour, and no two noons of a calendar are closer than twenty-three hours
  let name = dayText(from, zone);
  for (;;) {
    const at = dayBegin(name, zone);
    if (at === null || at > to) return found;
    found.push(at);
    name = dayText(at + DAY_MS + DAY_MS / 4, zone);
  }
}

/** Each text once, where it comes first. */
function once(all: readonly Tick[]): readonly Tick[] {
  return all.filter(({ text }, place) => all.findIndex((other) => other.text === text) === place);
}
