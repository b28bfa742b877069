// Lengths, gaps and verdicts in words: what is rounded is rounded once, and a reason that is known is said.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { verdict } from "./api/verdict.ts";
import { parse } from "./json.ts";
import { en } from "./texts/en.ts";
import { zh } from "./texts/zh.ts";
import { coverageText, decidedText, gapText, hoursText, lasting, sinceText, unknownText } from "./words.ts";

const at = (text: string) => Date.parse(`2026-11-22T${text}Z`);
const standing = (since: number) => ({ section: "dam", state: "breach" as const, since, released: null, required: null, share: null, today: null });

test("what began at 10:00:50 has lasted three minutes at 10:03:55", () => {
  assert.equal(sinceText(zh, standing(at("10:00:50")), at("10:03:55")), "3 分钟");
  assert.equal(sinceText(zh, standing(at("10:00:50")), at("10:03:49")), "2 分钟");
  assert.equal(sinceText(en, standing(at("10:00:50")), at("10:01:49.900")), "59 s");
  assert.equal(sinceText(zh, standing(at("10:00:50")), at("10:00:50")), "0 秒");
  assert.equal(lasting(zh, at("12:00:00") - at("10:00:00.001")), "1 小时 59 分");
});

test("English has no capital in the middle of a line", () => {
  const { station, separator } = en;
  const line = [en.lasting(0, 0, 0, 35), station.lowest("4.985"), station.notReleased("0.074")].join(separator);
  assert.equal(line, "35 s, lowest 4.985, 0.074 m³ not released");
  assert.equal(hoursText(en, { met: 3, short: 0, exempt: 0, indeterminate: 1, doubted: null }), "of 4 h: 3 met, 1 too little data");
});

test("of how many hours so many are what is said, and of what none is nothing", () => {
  const of = (met: number, short: number) => hoursText(zh, { met, short, exempt: 0, indeterminate: 0, doubted: null });
  assert.deepEqual([of(1, 0), of(2, 1), of(0, 0)], ["共 1 小时：达标 1", "共 3 小时：达标 2，未达标 1", "共 0 小时：—"]);
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

/** A day of hours, one letter each: m met, s short, i not known. */
function day(letters: string, word: string, because: string, asked: string | null = "22/24") {
  const words: Readonly<Record<string, string>> = { m: "met", s: "short", i: "indeterminate" };
  const hours = [...letters].map((letter, place) => {
    const [from, to] = [place, place + 1].map((hour) => new Date(Date.UTC(2026, 10, 21, 16 + hour)).toISOString());
    return { ...judged(words[letter] ?? "", "below", "1"), from: Date.parse(from ?? ""), to: Date.parse(to ?? "") };
  });
  const count = (letter: string) => [...letters].filter((one) => one === letter).length;
  const all = { ...judged(word, because, "1", 24), day_hours_met: asked, hours: { met: count("m"), short: count("s"), exempt: 0, indeterminate: count("i"), doubted: null } };
  return [zh, en].map((t) => decidedText(t, all, hours, "Asia/Shanghai").join("; "));
}

test("a day that is short says which hours made it so", () => {
  assert.deepEqual(day("mmssms", "short", "below"), [
    "未达标的小时：02:00–04:00 05:00–06:00；有结论的 6 小时中达标 3 小时，规则要求 22/24",
    "Short hours: 02:00–04:00 05:00–06:00; 3 of 6 hours with an outcome met, the rule asks for 22/24",
  ]);
  const ends = (asked: string | null) => day("sm", "short", "below", asked).map((text) => text.split(/[，,]/).at(-1)?.trim());
  assert.deepEqual(ends("24/24"), ["规则要求全部达标", "the rule asks for all of them"]);
  assert.deepEqual(ends(null), ["是否达标按规则要求的比例判定", "and the rule asks for a share of them"], "judged before that was kept");
  assert.deepEqual(day("mmms", "met", "enough")[0], "未达标的小时：03:00–04:00；有结论的 4 小时中达标 3 小时，规则要求 22/24", "nor is an hour that was short passed over where the day is met");
  assert.deepEqual(day("msmsmsmsmsmsms", "short", "below")[0]?.split("；")[0], "未达标的小时：01:00–02:00 03:00–04:00 05:00–06:00 07:00–08:00 09:00–10:00 11:00–12:00 …");
  assert.deepEqual(day("mi", "indeterminate", "too_little_known"), ["数据不足的小时：01:00–02:00", "Hours with too little data: 01:00–02:00"]);
});

test("of a day that is met, or whose hours are not known yet, no hours are named", () => {
  assert.deepEqual(day("mmmm", "met", "enough"), ["", ""]);
  assert.deepEqual(day("", "short", "below"), ["", ""]);
});

test("a gap says why there are no data as far as that is known", () => {
  const said = (because: string, reason: string | null = null) => [zh, en].map((t) => gapText(t, { because, reason }));
  assert.deepEqual(said("offline"), ["网关离线", "gateway offline"]);
  assert.deepEqual(said("before"), ["尚无记录", "before records begin"]);
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
