// Stations and how their sections stand, as `GET /stations` and the live stream tell them.

import { count, counts, decimal, list, members, moment, oneOf, optional, words, type Of } from "./shape.ts";

/** How a section, or a station by the gravest of its sections, stands; the gravest first. */
export const STATES = ["breach", "stale", "near", "ok", "exempt", "out_of_service"] as const;
export type State = (typeof STATES)[number];
export const state = oneOf(STATES, null);

/** What a period is judged to be. */
export const VERDICTS = ["met", "short", "exempt", "indeterminate"] as const;
export type VerdictWord = (typeof VERDICTS)[number];
export const verdictWord = oneOf(VERDICTS, null);

export const released = members({
  value: decimal,
  at: moment,
  quality: words,
  bound: optional(words),
});
export type Released = Of<typeof released>;

export const required = members({ value: decimal, document: words });
export type Required = Of<typeof required>;

export const hours = members({ met: count, short: count, exempt: count, indeterminate: count, doubted: optional(count) });
export type Hours = Of<typeof hours>;

export const today = members({
  from: moment,
  to: moment,
  verdict: optional(verdictWord),
  hours: optional(hours),
  completeness: optional(decimal),
  online: optional(decimal),
});
export type Today = Of<typeof today>;

const standing = {
  state: optional(state),
  since: optional(moment),
  released: optional(released),
  required: optional(required),
  /** What is released of what is required: the server's, truncated. */
  share: optional(decimal),
  today: optional(today),
};

export const sample = members({ at: moment, value: optional(decimal), quality: words, reason: optional(words) });
export type Sample = Of<typeof sample>;

export const gauge = members({
  id: words,
  quantity: words,
  unit: words,
  decimals: count,
  interval_ms: count,
  latest: optional(sample),
});
export type Gauge = Of<typeof gauge>;

const outlet = members({ id: words, formula: optional(words), gauges: list(words) });

export const section = members({ id: words, ...standing, outlets: optional(list(outlet)) });
export type Section = Of<typeof section>;

export const station = members({
  id: words,
  name: words,
  kind: words,
  status: words,
  county: optional(words),
  river: optional(words),
  river_order: optional(count),
  upstream: optional(list(words)),
  downstream: optional(words),
  agent: optional(words),
  owner: optional(words),
  phone: optional(words),
  zone: words,
  state: optional(state),
  sections: list(section),
  gauges: optional(list(gauge)),
});
export type Station = Of<typeof station>;

export const stations = members({ stations: list(station), next: optional(words) });

/** A section as the live stream tells it. */
export const liveSection = members({ station: words, section: words, ...standing });
export type LiveSection = Of<typeof liveSection>;

/** A part of a whole; the rate is the server's, truncated, and null of nothing. */
const rate = members({ part: count, whole: count, rate: optional(decimal) });
export const liveCounts = members({ stations: counts, sections: counts, today: counts, alarms: counts, reached_nobody: count, met_today: rate, running: rate });
export type LiveCounts = Of<typeof liveCounts>;
