// Both languages are whole: the compiler sees to what there is, this to what is open to more words.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { en } from "./en.ts";
import { zh } from "./zh.ts";

/** Every text with its path; a function is called with numbers, so that what it leaves out is seen. */
function leaves(value: unknown, path: string): [string, string][] {
  if (typeof value === "string") return [[path, value]];
  if (typeof value === "function") {
    const marks = Array.from({ length: value.length }, (_, place) => 101 + place);
    return [[path, (value as (...marks: number[]) => string)(...marks)]];
  }
  return Object.entries(value as object).flatMap(([name, item]) => leaves(item, `${path}.${name}`));
}

const chinese = new Map(leaves(zh, ""));
const english = new Map(leaves(en, ""));

test("both languages have the same texts, words that may grow too", () => {
  assert.deepEqual([...english.keys()].sort(), [...chinese.keys()].sort());
  for (const [path, text] of [...chinese, ...english]) assert.notEqual(text.trim(), "", path);
});

test("what is filled in is in both languages", () => {
  for (const [path, text] of chinese) {
    const marks = (of: string) => (of.match(/10[1-9]/g) ?? []).sort();
    assert.deepEqual(marks(english.get(path) ?? ""), marks(text), path);
  }
});

test("English is English, and Chinese punctuation is full width", () => {
  for (const [path, text] of english) if (path !== ".other") assert.doesNotMatch(text, /[\u3000-\u9fff\uff00-\uffef]/, path);
  for (const [path, text] of chinese) if (path !== ".code") assert.doesNotMatch(text, /[\u4e00-\u9fff][,;:?!]/, path);
});

test("a thing has one word in Chinese", () => {
  // 密码 (接口令牌 is another thing), 电站档案, 泄放设施, 告警, 页面; a wall's picture is one that stops (`staleBand`)
  for (const [path, text] of chinese) if (path !== ".link.staleBand") assert.doesNotMatch(text, /(?<!接)口令|台账|泄放口|泄水|报警|画面|网页/, path);
});

/**
 * What is missing has a word for each thing: a station or gauge of which nothing comes, a time without readings, an hour
 * or day of which too little is known, a figure that there are no readings for, a gateway without a connection. What is
 * less than the mandate is short, now or for an hour or day.
 */
const WORDS: readonly (readonly [ReadonlyMap<string, string>, RegExp, RegExp])[] = [
  [chinese, /中断/, /^\.(states\.stale|link\.stale|alarms\.silent|wall\.nothing|overview\.running\w+)$/],
  [chinese, /无数据/, /^\.station\.noData$/],
  [chinese, /缺测/, /^\.station\.(legend\.gap|gaps|noGaps|recordsBegin)$/],
  [chinese, /离线/, /^\.gapCauses\.offline$/],
  [chinese, /达标线/, /^\.station\.(bars|legend)\.enough$/],
  [english, /silent/i, /^$/],
  [english, /below mandate|^below$/i, /^$/],
  [english, /\bSMS\b|\bsms\b/, /^\.channels\.sms$/],
];

test("what is missing and what is short have one word each", () => {
  for (const [texts, word, places] of WORDS) {
    const found = [...texts].filter(([, text]) => word.test(text)).map(([path]) => path);
    assert.deepEqual(found.filter((path) => !places.test(path)), [], String(word));
  }
  assert.equal(en.states.breach, en.verdicts.short);
  assert.equal(zh.states.breach, zh.verdicts.short);
});

test("every quantity that the registry knows has a name", () => {
  const source = readFileSync("../../model/src/quantity.rs", "utf8");
  const named = [...source.matchAll(/^ {4}"([a-z0-9_]+)" "[^"]+" [A-Z]\w+,/gm)].map(([, name]) => name ?? "");
  assert.ok(named.length > 30, `${String(named.length)} quantities`);
  assert.deepEqual(["flow", "level", "volume", ...named].filter((name) => !(name in zh.quantities)), []);
});
