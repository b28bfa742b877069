// A chart shows gaps as gaps, and the mandate as the steps it has.

import assert from "node:assert/strict";
import { test } from "node:test";

import { series } from "./api/series.ts";
import { asRead, axisTexts, barOf, bucketRow, chart, missing, recordsBegin, told } from "./chart.ts";
import { text } from "./decimal.ts";
import { parse } from "./json.ts";

const SERIES = series(
  parse(`{"station":"S","gauge":"released","section":"dam","unit":"m3/s","decimals":3,
    "from":"2026-03-31T15:00:00Z","to":"2026-03-31T17:30:00Z","step_ms":3600000,
    "buckets":{"min":[0.7,null,1.1],"mean":[0.7996,null,1.2],"max":[0.9,null,1.3],
      "credited":[0.75,null,null],
      "held_ms":[3600000,0,1800000],"whole_ms":[1800000,0,1800000],"covered_ms":[1,0,1],"doubted":[0,2,0]},
    "gaps":[{"from":"2026-03-31T16:00:00Z","to":"2026-03-31T17:00:00Z","because":"defect","reason":"timeout"}],
    "gaps_left_off":0,
    "required":[{"from":"2026-03-31T15:00:00Z","to":"2026-03-31T16:00:00Z","value":0.8,"enough":0.8,"document":"D1","rule":"r"},
      {"from":"2026-03-31T16:00:00Z","to":"2026-03-31T17:30:00Z","value":1.25,"enough":1.125,"document":"D2","rule":"r"}],
    "exemptions":[],
    "breaches":[{"from":"2026-03-31T15:10:00Z","to":"2026-03-31T15:20:00Z","lowest":0.7,"deficit_m3":60.5}],
    "breaches_left_off":0}`),
  "",
);

test("lines have a hole where nothing stands, and the last bucket is as long as it is", () => {
  const { columns, required, top, from, to } = chart(SERIES);
  assert.deepEqual(columns.mean, [0.7996, null, 1.2]);
  assert.deepEqual(required.map((step) => [step.from - from, step.to - from, step.of]), [[0, 3600, 0.8], [3600, 9000, 1.25]]);
  assert.deepEqual(columns.times.map((time) => (time - from) / 60), [30, 90, 135]);
  assert.equal(top, 1.3);
  assert.equal(to - from, 9_000);
});

test("breaches and gaps are the server's, to the second", () => {
  const { breaches, gaps, from } = chart(SERIES);
  assert.deepEqual(breaches.map((mark) => [mark.from - from, mark.to - from]), [[600, 1200]]);
  assert.equal(gaps[0]?.of.reason, "timeout");
});

test("what is enough is a line of its own where it is less than what is mandated", () => {
  const { enough, doubted, from } = chart(SERIES);
  assert.deepEqual(enough.map((step) => [step.from - from, step.to - from, step.of]), [[3600, 9000, 1.125]]);
  assert.deepEqual(doubted.map((at) => at - from), [5400]);
});

test("the numbers of an axis have as many decimals as one of them needs", () => {
  assert.deepEqual(axisTexts([0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175]), ["0.000", "0.025", "0.050", "0.075", "0.100", "0.125", "0.150", "0.175"]);
  assert.deepEqual(axisTexts([0, 0.1, 0.1 + 0.2]), ["0.0", "0.1", "0.3"]);
  assert.deepEqual(axisTexts([0, 5, 10]), ["0", "5", "10"]);
  assert.deepEqual(axisTexts([]), []);
});

test("a bucket is read out exactly, with why nothing stands and whether it is a bound", () => {
  const first = bucketRow(SERIES, 0);
  assert.ok(first?.mean && first.required);
  assert.equal(`${text(first.mean)} of ${text(first.required)}`, "0.7996 of 0.8");
  assert.equal(first.isLower, true);
  assert.deepEqual([first.credited && text(first.credited), first.enough && text(first.enough), first.doubted], ["0.75", "0.8", 0]);
  assert.deepEqual([bucketRow(SERIES, 1)?.doubted, bucketRow(SERIES, 2)?.credited], [2, null]);
  assert.equal(bucketRow(SERIES, 1)?.gap?.reason, "timeout");
  assert.equal(bucketRow(SERIES, 2)?.to, SERIES.to);
  assert.equal(bucketRow(SERIES, 3), null);
});

test("a loss that goes on has begun with the last reading; one that is over is as long as nothing stood", () => {
  const gap = (from: number, to: number) => ({ from, to, because: "offline", reason: null });
  const begins = (gaps: readonly { from: number; to: number }[], readAt: number | null) =>
    told(gaps.map(({ from, to }) => gap(from, to)), 100, readAt).map(({ from, to, goesOn }) => `${String(from)}-${goesOn ? "" : String(to)}`).join(" ");
  assert.equal(begins([gap(10, 20), gap(60, 80), gap(80, 100)], 55), "10-20 55-80 80-");
  assert.equal(begins([gap(10, 20), gap(60, 100)], null), "10-20 60-100", "data come");
  assert.equal(begins([gap(10, 20), gap(60, 90)], 55), "10-20 60-90");
  assert.equal(begins([], 55), "");
});

test("what stands after the last reading of a loss that goes on was held, and is not drawn as measured", () => {
  const { from, step_ms: step, buckets } = SERIES;
  const to = from + buckets.mean.length * step;
  const gap = (begin: number, end: number) => ({ from: begin, to: end, because: "defect", reason: null });
  const series = { ...SERIES, to, gaps: [gap(to - 2, to - 1), gap(to - 1, to)] };
  const measured = (readAt: number | null) => asRead(series, readAt).buckets.mean.filter((mean) => mean !== null).length;
  const all = buckets.mean.filter((mean) => mean !== null).length;
  assert.deepEqual([measured(null), measured(from + step), measured(from)], [all, 1, 1]);
  assert.deepEqual(asRead(series, from + step).gaps.map((gap) => gap.from), [from + step, to - 1]);
});

test("before records begin nothing is missing", () => {
  const gap = (from: number, to: number, because: string) => ({ from, to, because, reason: null });
  const gaps = [gap(0, 40, "before"), gap(60, 80, "offline")];
  assert.deepEqual(missing(gaps), [gaps[1]]);
  assert.equal(recordsBegin(gaps), 40);
  assert.equal(recordsBegin([gap(60, 80, "offline")]), null);
  const drawn = chart({ ...SERIES, gaps: [gap(SERIES.from, SERIES.from + 1, "before")] });
  assert.deepEqual(drawn.gaps, []);
});

test("less than the mandate is short, unless a rule has less of it for enough", () => {
  assert.equal(barOf(SERIES), "enough");
  assert.equal(barOf({ required: SERIES.required.slice(0, 1) }), "mandate");
  assert.equal(barOf({ required: [] }), "mandate");
});
