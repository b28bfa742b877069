// Verdicts with the arithmetic that shows them.

import { hours, verdictWord } from "./station.ts";
import { count, decimal, flag, list, members, moment, optional, words, type Of } from "./shape.ts";

/** What a period would be with readings that nobody can vouch for as they were read. */
const asRead = members({ observed: optional(decimal), bound: optional(words), coverage: optional(decimal) });
export type AsRead = Of<typeof asRead>;

export const verdict = members({
  section: words,
  from: moment,
  to: moment,
  verdict: optional(verdictWord),
  because: words,
  provisional: flag,
  version: count,
  late: flag,
  judged_at: moment,
  required: optional(decimal),
  enough: optional(decimal),
  observed: optional(decimal),
  bound: optional(words),
  coverage: optional(decimal),
  deficit_m3: optional(decimal),
  factor: optional(decimal),
  statistic: optional(words),
  rule: optional(words),
  document: optional(words),
  entry: optional(count),
  day_hours_met: optional(words),
  hours: optional(hours),
  as_read: optional(asRead),
});
export type Verdict = Of<typeof verdict>;

export const verdicts = members({ station: words, by: words, verdicts: list(verdict), next: optional(words) });
