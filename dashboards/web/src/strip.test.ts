// The strip has every date of thirteen months once, by the station's calendar.

import assert from "node:assert/strict";
import { test } from "node:test";

import { verdict, type Verdict } from "./api/verdict.ts";
import { parse } from "./json.ts";
import { strip, stripBegin } from "./strip.ts";

const zone = "Asia/Shanghai";
const now = Date.parse("2026-03-01T04:00:00Z");

function of(from: string, word: string | null, because = "enough", provisional = false): Verdict {
  return verdict(
    parse(`{"section":"dam","from":"${from}","to":"${from}","verdict":${JSON.stringify(word)},"because":"${because}",
      "provisional":${String(provisional)},"version":1,"late":false,"judged_at":"${from}"}`),
    "",
  );
}

test("thirteen months, each with all of its dates, the one that runs up to today", () => {
  const months = strip([of("2025-03-03T16:00:00Z", "met")], now, zone);
  assert.equal(months.length, 13);
  assert.deepEqual(months.map(({ name, days }) => `${name}:${String(days.length)}`).slice(0, 3), ["2026-03:1", "2026-02:28", "2026-01:31"]);
  assert.equal(months[12]?.name, "2025-03");
  assert.equal(stripBegin(now, zone), Date.parse("2025-02-28T16:00:00Z"));
});

test("months before anything was judged are left out", () => {
  assert.deepEqual(strip([of("2026-01-03T16:00:00Z", "met")], now, zone).map(({ name }) => name), ["2026-03", "2026-02", "2026-01"]);
  assert.deepEqual(strip([], now, zone).map(({ name }) => name), ["2026-03"]);
});

test("a date is what its day was judged to be; where a rule took over within it, the graver of both", () => {
  const months = strip(
    [of("2026-02-27T16:00:00Z", "met"), of("2026-02-26T16:00:00Z", "met"), of("2026-02-27T04:00:00Z", "short"), of("2026-02-28T16:00:00Z", null, "enough", true)],
    now,
    zone,
  );
  const day = (name: string) => months.flatMap(({ days }) => days).find((candidate) => candidate.name === name);
  assert.equal(day("2026-02-28")?.verdict, "met");
  assert.equal(day("2026-02-27")?.verdict, "short");
  assert.equal(day("2026-02-27")?.verdicts.length, 2);
  assert.equal(day("2026-02-26")?.verdict, null);
  assert.deepEqual([day("2026-03-01")?.verdict, day("2026-03-01")?.isOpen], [null, true]);
});

test("what is withdrawn is said of no day", () => {
  const months = strip([of("2026-02-26T16:00:00Z", "met"), of("2026-02-27T16:00:00Z", null, "withdrawn")], now, zone);
  assert.equal(months[1]?.days[27]?.verdicts.length, 0);
});
