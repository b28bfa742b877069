// The reader of JSON agrees with the browser's on everything but numbers, whose text it keeps.

import assert from "node:assert/strict";
import { test } from "node:test";

import { JsonFault, Numeral, parse, type Json } from "./json.ts";

function plain(value: Json): unknown {
  if (value instanceof Numeral) return Number(value.text);
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, item]) => [name, plain(item)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

test("what the browser reads is read alike", () => {
  for (const text of [
    "null", " true ", "[]", "{}", '""', "[1,-2.5,3e2]", '{"a":[{"b":"c\\n\\u57fa\\ud83d\\ude00\\/"}],"d":null}', '[ 1 , 2 ]',
  ]) {
    assert.deepEqual(plain(parse(text)), JSON.parse(text), text);
  }
});

test("a number keeps its text", () => {
  const value = parse('{"value":0.49986000000000000001}');
  assert.ok(value instanceof Map);
  assert.deepEqual(value.get("value"), new Numeral("0.49986000000000000001"));
});

test("what the browser refuses is refused", () => {
  for (const text of ["", "01", "1.", "[1,]", "{,}", '{"a"}', '"\n"', '"\\x"', "nul", "1 2", '["a"', '"\\u12"', "[".repeat(100)]) {
    assert.throws(() => parse(text), JsonFault, text);
  }
});
