// A series as lines, bands and marks: what a chart draws, without drawing it.

import { compare, forDrawing, type Decimal } from "./decimal.ts";
import type { BreachSpan, Gap, Series } from "./api/series.ts";

/** Columns of one length; times in seconds. A null is a gap, which no line crosses. */
export interface Columns {
  readonly times: readonly number[];
  readonly low: readonly (number | null)[];
  readonly high: readonly (number | null)[];
  readonly mean: readonly (number | null)[];
}

export interface Chart {
  readonly columns: Columns;
  /** In seconds. */
  readonly from: number;
  readonly to: number;
  /** The highest value that must be seen. */
  readonly top: number;
  /** What is mandated, step by step. */
  readonly required: readonly Mark<number>[];
  /** What of it is enough, where that is less. */
  readonly enough: readonly Mark<number>[];
  readonly breaches: readonly Mark<BreachSpan>[];
  readonly gaps: readonly Mark<Gap>[];
  readonly exemptions: readonly Mark<{ readonly from: number; readonly to: number }>[];
  /** Where samples came of which nobody knows whether they are true. */
  readonly doubted: readonly number[];
}

/** A stretch of time, in seconds. */
export interface Mark<T> {
  readonly from: number;
  readonly to: number;
  readonly of: T;
}

export function chart(series: Series): Chart {
  const { buckets, step_ms: step, from, to } = series;
  const mean = buckets.mean.map(drawn);
  const begins = mean.map((_, place) => from + place * step);
  const columns: Columns = {
    // a mean speaks for its bucket, so it stands in the middle of it
    times: begins.map((begin) => seconds(begin + Math.min(step, to - begin) / 2)),
    low: buckets.min.map(drawn),
    high: buckets.max.map(drawn),
    mean,
  };
  const required = series.required.map((span) => ({ from: seconds(span.from), to: seconds(span.to), of: forDrawing(span.value) }));
  const enough = series.required
    .filter((span) => compare(span.enough, span.value) < 0)
    .map((span) => ({ from: seconds(span.from), to: seconds(span.to), of: forDrawing(span.enough) }));
  const values = [...columns.high.filter((value) => value !== null), ...required.map((step) => step.of)];
  return {
    columns,
    from: seconds(from),
    to: seconds(to),
    top: values.reduce((most, value) => Math.max(most, value), 0),
    required,
    enough,
    breaches: marks(series.breaches),
    gaps: marks(missing(series.gaps)),
    exemptions: marks(series.exemptions.flatMap(({ from: begin, to: end }) => (begin === null || end === null ? [] : [{ from: begin, to: end }]))),
    doubted: columns.times.filter((_, place) => (buckets.doubted[place] ?? 0) > 0),
  };
}

/** A bucket in exact numbers, for the readout and the table. */
export interface BucketRow {
  readonly from: number;
  readonly to: number;
  readonly min: Decimal | null;
  readonly mean: Decimal | null;
  readonly max: Decimal | null;
  /** What a verdict counts of the mean, where that is less. */
  readonly credited: Decimal | null;
  readonly required: Decimal | null;
  /** What of it is enough. */
  readonly enough: Decimal | null;
  /** Why nothing stands, where nothing does. */
  readonly gap: Gap | null;
  /** Whether an outlet was missing, so that the values are lower bounds. */
  readonly isLower: boolean;
  /** Samples that count for nothing. */
  readonly doubted: number;
}

export function bucketRow(series: Series, place: number): BucketRow | null {
  const { buckets, step_ms: step } = series;
  if (place < 0 || place >= buckets.mean.length) return null;
  const from = series.from + place * step;
  const to = Math.min(from + step, series.to);
  const mean = buckets.mean[place] ?? null;
  const demanded = series.required.find((stretch) => stretch.from <= from && from < stretch.to);
  return {
    from,
    to,
    min: buckets.min[place] ?? null,
    mean,
    max: buckets.max[place] ?? null,
    credited: buckets.credited[place] ?? null,
    required: demanded?.value ?? null,
    enough: demanded?.enough ?? null,
    gap: mean === null ? (series.gaps.find((gap) => gap.from < to && from < gap.to) ?? null) : null,
    isLower: (buckets.whole_ms[place] ?? 0) < (buckets.held_ms[place] ?? 0),
    doubted: buckets.doubted[place] ?? 0,
  };
}

/** What less than is short, wherever the series tells of it: what is mandated, unless a rule has less for enough. */
export function barOf({ required }: { readonly required: readonly Pick<Series["required"][number], "value" | "enough">[] }): "mandate" | "enough" {
  return required.some((step) => compare(step.enough, step.value) < 0) ? "enough" : "mandate";
}

/** The gaps in which something is missing: before records begin nothing is. */
export function missing(gaps: readonly Gap[]): readonly Gap[] {
  return gaps.filter(({ because }) => because !== BEFORE);
}

/** When records begin, where that is within the series. */
export function recordsBegin(gaps: readonly Gap[]): number | null {
  return gaps.filter(({ because }) => because === BEFORE).at(-1)?.to ?? null;
}

const BEFORE = "before";

/**
 * The series as people tell of it: of a loss that goes on, what stands after the last reading was held, and not measured.
 */
export function asRead(series: Series, readAt: number | null): Series {
  const gaps = told(missing(series.gaps), series.to, readAt);
  if (readAt === null || gaps.at(-1)?.goesOn !== true) return series;
  const { buckets, step_ms: step } = series;
  const until = <T,>(values: readonly (T | null)[]) => values.map((value, place) => (series.from + place * step > readAt ? null : value));
  return {
    ...series,
    gaps: [...series.gaps.filter(({ because }) => because === BEFORE), ...gaps],
    buckets: { ...buckets, min: until(buckets.min), mean: until(buckets.mean), max: until(buckets.max), credited: until(buckets.credited) },
  };
}

/** A gap that may go on: then it is as long as until now. */
export interface ToldGap extends Gap {
  readonly goesOn: boolean;
}

/**
 * The gaps as people tell of them: a loss that goes on has begun with the last reading, as everywhere else, and not when
 * that reading had held for as long as one may. Of those that adjoin it each has its own reason.
 */
export function told(gaps: readonly Gap[], to: number, readAt: number | null): readonly ToldGap[] {
  let first = gaps.length;
  let begin = to;
  while (first > 0 && gaps[first - 1]?.to === begin) {
    first -= 1;
    begin = gaps[first]?.from ?? begin;
  }
  // a look at a time before says nothing of now
  const isLoss = readAt !== null && readAt < to;
  return gaps.map((gap, place) => ({
    ...gap,
    from: isLoss && place === first && readAt < gap.from ? readAt : gap.from,
    goesOn: isLoss && gap.to === to,
  }));
}

/** More decimals than this no axis has. */
const AXIS_DECIMALS = 6;

/** The numbers beside an axis, all with as many decimals as the one that needs most. */
export function axisTexts(splits: readonly number[]): string[] {
  const needed = splits.map((split) => Number(split.toFixed(AXIS_DECIMALS)).toString().split(".")[1]?.length ?? 0);
  const decimals = Math.max(0, ...needed);
  return splits.map((split) => split.toFixed(decimals));
}

function marks<T extends { readonly from: number; readonly to: number }>(spans: readonly T[]): Mark<T>[] {
  return spans.map((span) => ({ from: seconds(span.from), to: seconds(span.to), of: span }));
}

function drawn(value: Decimal | null): number | null {
  return value === null ? null : forDrawing(value);
}

function seconds(ms: number): number {
  return ms / 1000;
}
