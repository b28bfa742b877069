// Moments read as clocks in the station's zone show them, wherever the browser is.

import assert from "node:assert/strict";
import { test } from "node:test";

import { civil, dayBegin, dayText, minuteText, secondText, shortText, spanText } from "./time.ts";

const zone = "Asia/Shanghai";
const at = (text: string) => Date.parse(text);

test("midnight in the station's zone is the next day there", () => {
  assert.equal(minuteText(at("2026-03-31T16:00:00Z"), zone), "2026-04-01 00:00");
  assert.equal(secondText(at("2026-03-31T15:59:59.999Z"), zone), "2026-03-31 23:59:59");
  assert.equal(minuteText(at("2026-03-31T16:00:00Z"), "America/New_York"), "2026-03-31 12:00");
  assert.deepEqual(civil(at("2028-02-29T04:05:06Z"), zone), { year: 2028, month: 2, day: 29, hour: 12, minute: 5, second: 6 });
});

test("a moment is as short as its day allows", () => {
  const now = at("2026-11-22T04:00:00Z");
  assert.equal(shortText(at("2026-11-21T16:00:00Z"), now, zone), "00:00");
  assert.equal(shortText(at("2026-11-21T15:59:00Z"), now, zone), "11-21 23:59");
  assert.equal(shortText(at("2025-11-21T15:59:00Z"), now, zone), "2025-11-21 23:59");
});

test("what is shorter than a minute has its seconds, since both ends would read alike", () => {
  const now = at("2026-11-22T12:00:00Z");
  const span = (from: string, to: string) => spanText(at(`2026-11-22T${from}Z`), at(`2026-11-22T${to}Z`), now, zone);
  assert.equal(span("10:13:05", "10:13:40"), "18:13:05 – 18:13:40");
  assert.equal(span("10:13:50", "10:14:10"), "18:13:50 – 18:14:10");
  assert.equal(span("10:13:05", "10:14:05"), "18:13 – 18:14");
  assert.equal(spanText(at("2026-11-20T15:59:50Z"), at("2026-11-20T16:00:10Z"), now, zone), "11-20 23:59:50 – 11-21 00:00:10");
});

test("a day begins at its midnight, also where clocks change", () => {
  for (const place of [zone, "UTC", "America/New_York", "Asia/Kathmandu", "Europe/Berlin"]) {
    for (let day = Date.UTC(2026, 0, 1); day < Date.UTC(2027, 0, 1); day += 86_400_000) {
      const name = new Date(day).toISOString().slice(0, 10);
      const begin = dayBegin(name, place);
      assert.ok(begin !== null);
      assert.equal(minuteText(begin, place), `${name} 00:00`);
    }
  }
  assert.equal(dayBegin("2026-02-30", zone), null);
  assert.equal(dayBegin("today", zone), null);
  assert.equal(dayText(dayBegin("2028-02-29", zone) ?? 0, zone), "2028-02-29");
});
