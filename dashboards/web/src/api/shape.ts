// What an answer must look like: small readers that are put together, and say where an answer is otherwise.

import { decimalOf, type Decimal } from "../decimal.ts";
import { Numeral, type Json } from "../json.ts";

/** Why an answer is not of the shape that the API promises. */
export class ShapeFault extends Error {
  constructor(path: string, wanted: string) {
    super(`${path}: not ${wanted}`);
    this.name = "ShapeFault";
  }
}

/** Reads a value, or says where it is not what it should be. */
export type Shape<T> = (value: Json | undefined, path: string) => T;

/** What a shape reads. */
export type Of<S> = S extends Shape<infer T> ? T : never;

export const words: Shape<string> = (value, path) => {
  if (typeof value !== "string") throw new ShapeFault(path, "a text");
  return value;
};

export const flag: Shape<boolean> = (value, path) => {
  if (typeof value !== "boolean") throw new ShapeFault(path, "true or false");
  return value;
};

/** A whole number that is no measurement: a count, a version, a length in milliseconds. */
export const count: Shape<number> = (value, path) => {
  const number = value instanceof Numeral ? Number(value.text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new ShapeFault(path, "a whole number");
  return number;
};

/** A measured or mandated number, exactly. */
export const decimal: Shape<Decimal> = (value, path) => {
  const known = value instanceof Numeral ? decimalOf(value.text) : null;
  if (known === null) throw new ShapeFault(path, "a number");
  return known;
};

/** A moment as milliseconds since 1970. */
export const moment: Shape<number> = (value, path) => {
  const ms = typeof value === "string" ? Date.parse(value) : Number.NaN;
  if (!Number.isFinite(ms)) throw new ShapeFault(path, "a moment");
  return ms;
};

/** One of the words that are known; any other one reads as `other`, so that a later server is understood. */
export function oneOf<const W extends string, O>(known: readonly W[], other: O): Shape<W | O> {
  return (value, path) => {
    const word = words(value, path);
    return known.find((candidate) => candidate === word) ?? other;
  };
}

/** Null, or not there at all. */
export function optional<T>(shape: Shape<T>): Shape<T | null> {
  return (value, path) => (value === null || value === undefined ? null : shape(value, path));
}

export function list<T>(shape: Shape<T>): Shape<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new ShapeFault(path, "a list");
    return value.map((item: Json, place) => shape(item, `${path}[${String(place)}]`));
  };
}

/** Names with a count each. */
export const counts: Shape<ReadonlyMap<string, number>> = (value, path) => {
  if (!(value instanceof Map)) throw new ShapeFault(path, "an object");
  return new Map([...value].map(([name, item]) => [name, count(item, `${path}.${name}`)]));
};

/** An object of these members; what it has beside them is skipped. */
export function members<M extends Readonly<Record<string, Shape<unknown>>>>(
  shapes: M,
): Shape<{ readonly [K in keyof M]: Of<M[K]> }> {
  const known = Object.entries(shapes);
  return (value, path) => {
    if (!(value instanceof Map)) throw new ShapeFault(path, "an object");
    const read = known.map(([name, shape]) => [name, shape(value.get(name), path === "" ? name : `${path}.${name}`)]);
    return Object.fromEntries(read) as { readonly [K in keyof M]: Of<M[K]> };
  };
}
