// Exact decimal numbers: an integer and how many decimals it has, as the server stores them.
//
// A binary fraction would make 0.49986 of what is 0.49986 only by luck, and three decimals of it 0.500. Here
// nothing is rounded unless it is said in which direction.

/** `units` · 10^−`decimals`. */
export interface Decimal {
  readonly units: bigint;
  readonly decimals: number;
}

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;

/** The number that JSON writes so; `null` where it is none. */
export function decimalOf(text: string): Decimal | null {
  const match = NUMBER.exec(text);
  if (match === null || text.length > 400) return null;
  const [, sign, whole = "0", fraction = "", exponent = "0"] = match;
  const units = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  const decimals = fraction.length - Number(exponent);
  if (decimals >= 0) return { units, decimals };
  return { units: units * 10n ** BigInt(-decimals), decimals: 0 };
}

/** Less than 0 where `a` is less than `b`, 0 where they are equal. */
export function compare(a: Decimal, b: Decimal): number {
  const decimals = Math.max(a.decimals, b.decimals);
  const difference = scaled(a, decimals) - scaled(b, decimals);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** `value` in units of 10^−`decimals`, rounded down where it has more of them. */
export function floored(value: Decimal, decimals: number): Decimal {
  if (decimals >= value.decimals) return { units: scaled(value, decimals), decimals };
  const divisor = 10n ** BigInt(value.decimals - decimals);
  const quotient = value.units / divisor;
  const isBelow = value.units < 0n && quotient * divisor !== value.units;
  return { units: isBelow ? quotient - 1n : quotient, decimals };
}

/** A hundred times as much: a share in percent. */
export function percent(value: Decimal): Decimal {
  return value.decimals >= 2
    ? { units: value.units, decimals: value.decimals - 2 }
    : { units: value.units * 10n ** BigInt(2 - value.decimals), decimals: 0 };
}

/** All of its digits, with as many decimals as it has. */
export function text(value: Decimal): string {
  const digits = (value.units < 0n ? -value.units : value.units).toString().padStart(value.decimals + 1, "0");
  const sign = value.units < 0n ? "-" : "";
  if (value.decimals === 0) return sign + digits;
  const point = digits.length - value.decimals;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** A required value: never with fewer decimals than it has, and with `least` at least. */
export function requiredText(value: Decimal, least = 3): string {
  const trimmed = withoutZeros(value);
  return text({ units: scaled(trimmed, Math.max(least, trimmed.decimals)), decimals: Math.max(least, trimmed.decimals) });
}

/**
 * An observed value, rounded down to `least` decimals: it never shows more than was measured. Where it is below
 * `required` by less than that, it has as many decimals as show the difference, so that 0.7996 of 0.800 reads
 * 0.7996 rather than 0.799.
 */
export function observedText(value: Decimal, required: Decimal | null = null, least = 3): string {
  let decimals = least;
  if (required !== null && compare(value, required) < 0) {
    const step: Decimal = { units: 1n, decimals: least };
    const missing = minus(required, value);
    if (compare(missing, step) < 0) {
      const full = withoutZeros(value).decimals;
      while (decimals < full && isWithinStep(missing, decimals)) decimals += 1;
    }
  }
  return text(floored(value, decimals));
}

/** For drawing alone: the nearest binary fraction. */
export function forDrawing(value: Decimal): number {
  return Number(text(value));
}

function isWithinStep(missing: Decimal, decimals: number): boolean {
  return compare(missing, { units: 1n, decimals }) < 0;
}

/** The difference, exactly. */
export function minus(a: Decimal, b: Decimal): Decimal {
  const decimals = Math.max(a.decimals, b.decimals);
  return { units: scaled(a, decimals) - scaled(b, decimals), decimals };
}

function scaled(value: Decimal, decimals: number): bigint {
  return value.units * 10n ** BigInt(decimals - value.decimals);
}

function withoutZeros(value: Decimal): Decimal {
  let { units, decimals } = value;
  while (decimals > 0 && units % 10n === 0n) {
    units /= 10n;
    decimals -= 1;
  }
  return { units, decimals };
}
