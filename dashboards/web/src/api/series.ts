// A series for a chart: columns of buckets, what is missing and why, what is mandated and where it was not reached.

import { count, decimal, list, members, moment, optional, words, type Of } from "./shape.ts";

const buckets = members({
  min: list(optional(decimal)),
  mean: list(optional(decimal)),
  max: list(optional(decimal)),
  credited: list(optional(decimal)),
  held_ms: list(count),
  whole_ms: list(count),
  doubted: list(count),
});

const gap = members({ from: moment, to: moment, because: words, reason: optional(words) });
export type Gap = Of<typeof gap>;

const step = members({ from: moment, to: moment, value: decimal, enough: decimal, document: words, rule: words });
export type RequiredStep = Of<typeof step>;

const breach = members({ from: moment, to: moment, lowest: decimal, deficit_m3: optional(decimal) });
export type BreachSpan = Of<typeof breach>;

/** There are none yet, and nothing says what they will be: what has no span is not drawn. */
const exemption = members({ from: optional(moment), to: optional(moment) });

export const series = members({
  station: words,
  gauge: words,
  section: optional(words),
  unit: words,
  decimals: count,
  from: moment,
  to: moment,
  step_ms: count,
  buckets,
  gaps: list(gap),
  gaps_left_off: count,
  required: list(step),
  exemptions: list(exemption),
  breaches: list(breach),
  breaches_left_off: count,
});
export type Series = Of<typeof series>;
