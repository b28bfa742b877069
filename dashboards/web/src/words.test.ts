// Lengths, gaps and verdicts in words: what is rounded is rounded once, and a reason that is known is said.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { verdict } from "./api/verdict.ts";
import { parse } from "./json.ts";
import { en } from "./texts/en.ts";
import { zh } from "./texts/zh.ts";
import { coverageText, gapText, lasting, sinceText, unknownText } from "./words.ts";

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

const judged = (word: string, because: string, coverage: string, hours = 1) =>
  verdict(parse(`{"section":"dam","from":"2026-11-22T00:00:00Z","to":"${new Date(Date.UTC(2026, 10, 22, hours)).toISOString()}","verdict":"${word}",
    "because":"${because}","provisional":false,"version":1,"late":false,"judged_at":"2026-11-22T02:00:00Z","observed":0.9,"enough":0.8,"required":0.8,"coverage":${coverage}}`), "");

test("an hour that is short for want of data says so, and how much of it is known", () => {
  assert.equal(unknownText(zh, judged("short", "too_little_known", "0.5166")), "数据不足，按规则计为未达标（31/60 分钟）");
  assert.equal(unknownText(en, judged("short", "too_little_known", "0.5166")), "too little data; counts as not met by the rule (31/60 min)");
  assert.equal(unknownText(zh, judged("short", "too_little_known", "0.125", 24)), "数据不足，按规则计为未达标（12.50%）");
  assert.equal(unknownText(zh, judged("short", "below", "1")), null);
  assert.equal(unknownText(zh, judged("indeterminate", "too_little_known", "0.5")), null);
});

test("minutes that are known are whole, and never more than they are", () => {
  const shown = ["0", "0.0166", "0.5", "0.7499", "0.75", "0.9999", "1"].map((share) => coverageText(en, judged("short", "too_little_known", share)));
  assert.deepEqual(shown.map((text) => text.split("/")[0]), ["0", "1", "30", "44", "45", "59", "60"]);
});

test("a gap says why there are no data as far as that is known", () => {
  const said = (because: string, reason: string | null = null) => [zh, en].map((t) => gapText(t, { because, reason }));
  assert.deepEqual(said("offline"), ["网关离线", "gateway offline"]);
  assert.deepEqual(said("unread"), ["网关停机或未采集", "gateway off, or not reading"]);
  assert.deepEqual(said("lost", "overwritten"), ["数据丢失，网关缓存已满，旧数据被覆盖", "data lost, overwritten, spool full"]);
  assert.deepEqual(said("defect", "timeout"), ["设备无应答", "no answer from the device"]);
  assert.deepEqual(said("defect", "exception_2"), ["设备返回 Modbus 异常 2", "Modbus exception 2 from the device"]);
  assert.deepEqual(said("defect", "range"), ["有数据但不可用，超出量程", "data came but cannot be used, out of range"]);
  assert.deepEqual(said("unknown"), ["原因不明", "cause not known"]);
  assert.deepEqual(said("flood", "ice"), ["flood，ice", "flood, ice"], "a later server's words");
});

test("every cause of a gap that the server names has a text", () => {
  const source = readFileSync("../src/series/cause.rs", "utf8");
  const words = [...source.matchAll(/=> \("([a-z]+)", /g)].map(([, word]) => word ?? "");
  assert.ok(words.length >= 6, words.join(" "));
  assert.deepEqual(words.filter((word) => !(word in zh.gapCauses)), []);
});
