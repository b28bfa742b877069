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

test("every quantity that the registry knows has a name", () => {
  const source = readFileSync("../../model/src/quantity.rs", "utf8");
  const named = [...source.matchAll(/^ {4}"([a-z0-9_]+)" "[^"]+" [A-Z]\w+,/gm)].map(([, name]) => name ?? "");
  assert.ok(named.length > 30, `${String(named.length)} quantities`);
  assert.deepEqual(["flow", "level", "volume", ...named].filter((name) => !(name in zh.quantities)), []);
});
