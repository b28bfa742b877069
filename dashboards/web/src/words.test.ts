// A length of time is rounded once, down, from moments that are not rounded before.

import assert from "node:assert/strict";
import { test } from "node:test";

import { en } from "./texts/en.ts";
import { zh } from "./texts/zh.ts";
import { lasting, sinceText } from "./words.ts";

const at = (text: string) => Date.parse(`2026-11-22T${text}Z`);
const standing = (since: number) => ({ section: "dam", state: "breach" as const, since, released: null, required: null, share: null, today: null });

test("what began at 10:00:50 has lasted three minutes at 10:03:55", () => {
  assert.equal(sinceText(zh, standing(at("10:00:50")), at("10:03:55")), "3 分钟");
  assert.equal(sinceText(zh, standing(at("10:00:50")), at("10:03:49")), "2 分钟");
  assert.equal(sinceText(en, standing(at("10:00:50")), at("10:01:49")), "under 1 min");
  assert.equal(lasting(zh, at("12:00:00") - at("10:00:00.001")), "1 小时 59 分");
});

test("English has no capital in the middle of a line", () => {
  const { station, separator } = en;
  const line = [en.lasting(0, 0, 0), station.lowest("4.985"), station.notReleased("0.074")].join(separator);
  assert.equal(line, "under 1 min, lowest 4.985, 0.074 m³ not released");
  const hours = [station.hoursAre(3, en.verdicts.met), station.hoursAre(1, en.verdicts.indeterminate)].join(separator);
  assert.equal(hours, "met 3 h, too little data 1 h");
});
