// Moments as people read them: in the zone of the station that they are about, whatever the browser's is.

/** A moment on a wall calendar and a wall clock. */
export interface Civil {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** Where nothing says another one. */
export const ZONE = "Asia/Shanghai";
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** Making one costs more than using it a thousand times; there are as many as there are zones. */
const formats = new Map<string, Intl.DateTimeFormat>();

export function civil(ms: number, zone: string): Civil {
  const parts = new Map(format(zone).formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0;
  return {
    year: part("year"),
    month: part("month"),
    day: part("day"),
    hour: part("hour"),
    minute: part("minute"),
    second: part("second"),
  };
}

/** `2026-11-22 14:35` */
export function minuteText(ms: number, zone: string): string {
  return `${dayText(ms, zone)} ${clockText(ms, zone)}`;
}

/** `2026-11-22 14:35:20` */
export function secondText(ms: number, zone: string): string {
  const { second } = civil(ms, zone);
  return `${minuteText(ms, zone)}:${two(second)}`;
}

/** `2026-11-22` */
export function dayText(ms: number, zone: string): string {
  const { year, month, day } = civil(ms, zone);
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`;
}

/** `14:35` */
export function clockText(ms: number, zone: string): string {
  const { hour, minute } = civil(ms, zone);
  return `${two(hour)}:${two(minute)}`;
}

/** `14:35` where it is of the same day as `now`, else `11-22 14:35`; with the year where that is another one. */
export function shortText(ms: number, now: number, zone: string): string {
  const day = dayText(ms, zone);
  const today = dayText(now, zone);
  if (day === today) return clockText(ms, zone);
  return `${day.slice(0, 4) === today.slice(0, 4) ? day.slice(5) : day} ${clockText(ms, zone)}`;
}

/** From when to when; with seconds where it is shorter than a minute. */
export function spanText(from: number, to: number, now: number, zone: string): string {
  const end = (ms: number) => shortText(ms, now, zone) + (to - from < MINUTE_MS ? `:${two(civil(ms, zone).second)}` : "");
  return `${end(from)} – ${end(to)}`;
}

/** When the day of this name begins there. */
export function dayBegin(day: string, zone: string): number | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day);
  if (match === null) return null;
  const guess = Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3]));
  if (!Number.isFinite(guess) || new Date(guess).toISOString().slice(0, 10) !== day) return null;
  // the offset at the guess may be the one before clocks change; the one at its result is that of midnight
  return guess - offset(guess - offset(guess, zone), zone);
}

/** How far the clocks there are ahead of UTC. */
function offset(ms: number, zone: string): number {
  const { year, month, day, hour, minute, second } = civil(ms, zone);
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
}

function format(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  formats.set(zone, made);
  return made;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}
