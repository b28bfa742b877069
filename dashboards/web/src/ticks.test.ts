// An axis names each day once, at its midnight by the station's clocks, wherever clocks change.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ticks } from "./ticks.ts";
import { clockText, DAY_MS, dayText, HOUR_MS, MINUTE_MS } from "./time.ts";

const zone = "Asia/Shanghai";
const at = (text: string) => Date.parse(text);
const texts = (from: string, ms: number, most: number, of = zone) => ticks(at(from) - ms, at(from), of, most).map(({ text }) => text).join(" ");

test("seven days have a label each, at midnight by the station's clocks, and none twice", () => {
  const found = ticks(at("2026-11-20T06:35:00Z"), at("2026-11-27T06:35:00Z"), zone, 9);
  assert.deepEqual(found.map(({ text }) => text), ["11-21", "11-22", "11-23", "11-24", "11-25", "11-26", "11-27"]);
  assert.ok(found.every(({ at: moment }) => clockText(moment, zone) === "00:00"));
});

test("where there is less room fewer days are named, the latest always", () => {
  assert.equal(texts("2026-11-27T06:35:00Z", 7 * DAY_MS, 4), "11-21 11-23 11-25 11-27");
  assert.equal(texts("2026-11-27T06:35:00Z", 30 * DAY_MS, 6), "11-02 11-07 11-12 11-17 11-22 11-27");
});

test("a day has times, and its midnight the day; a year has months", () => {
  assert.equal(texts("2026-11-27T06:35:00Z", DAY_MS, 9), "15:00 18:00 21:00 11-27 03:00 06:00 09:00 12:00");
  assert.equal(texts("2026-11-27T06:35:00Z", DAY_MS + 3 * MINUTE_MS, 4), "18:00 11-27 06:00 12:00", "a chart is as long as its buckets");
  assert.equal(texts("2026-11-27T06:35:00Z", 2 * DAY_MS, 9), "11-26 11-26 12:00 11-27 11-27 12:00");
  assert.equal(texts("2026-11-27T06:35:00Z", 20 * MINUTE_MS, 9), "14:15 14:20 14:25 14:30 14:35");
  assert.equal(texts("2026-11-27T06:35:00Z", 366 * DAY_MS, 8), "2026-01 2026-03 2026-05 2026-07 2026-09 2026-11");
});

test("no two labels read alike and there are no more than there is room for, at any length, place and day", () => {
  for (const place of [zone, "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]) {
    for (const length of [10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS, 2 * DAY_MS, 3.5 * DAY_MS, 7 * DAY_MS, 30 * DAY_MS, 90 * DAY_MS, 366 * DAY_MS]) {
      for (const end of ["2026-03-29T03:35:00Z", "2026-10-25T02:05:00Z", "2026-11-01T09:00:00Z", "2026-11-27T16:00:00Z", "2028-03-01T00:00:00Z"]) {
        for (const most of [4, 9, 14]) {
          const found = ticks(at(end) - length, at(end), place, most);
          const names = found.map(({ text }) => text);
          const what = `${place} ${String(length / HOUR_MS)} h to ${end}, ${String(most)}: ${names.join(" ")}`;
          assert.equal(new Set(names).size, names.length, what);
          assert.ok(found.length >= 1 && found.length <= most + 1, what);
          assert.ok(found.every((tick, index) => index === 0 || tick.at > (found[index - 1]?.at ?? 0)), what);
          assert.ok(found.every((tick) => tick.at >= at(end) - length && tick.at <= at(end)), what);
          const days = found.filter(({ text }) => /^\d\d-\d\d$/.test(text));
          assert.ok(days.every((tick) => clockText(tick.at, place) === "00:00" && dayText(tick.at, place).endsWith(tick.text)), what);
        }
      }
    }
  }
});
