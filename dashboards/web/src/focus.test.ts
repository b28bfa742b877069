// Whoever works with keys stays where they were, or comes to what needs somebody next.

import assert from "node:assert/strict";
import { test } from "node:test";

import { alarm, type Alarm } from "./api/alarm.ts";
import { heir, stepped } from "./focus.ts";
import { parse } from "./json.ts";

/** `a!` waits for somebody, `b` does not. */
function listed(text: string): readonly Alarm[] {
  return text.split(" ").filter((word) => word !== "").map((word) => alarm(parse(`{"id":"${word[0] ?? ""}","station":"S","rule":"r","severity":"red",
    "drill":false,"chattering":false,"flat":false,"state":"${word.endsWith("!") ? "unacknowledged" : "acknowledged"}","active":true,"acknowledged":false,
    "reached_nobody":false,"version":1,"began_at":"2026-11-22T00:00:00Z"}`), ""));
}

test("an alarm that is taken on keeps the keys, wherever it goes in the list", () => {
  assert.equal(heir(["a", "b", "c"], listed("b! c! a"), "a"), "a");
});

test("of one that has gone they go to the next that needs somebody, else to the next, else nowhere", () => {
  assert.equal(heir(["a", "b", "c", "d"], listed("a! c d!"), "b"), "d");
  assert.equal(heir(["a", "b", "c"], listed("a! c"), "b"), "a", "none after it needs somebody");
  assert.equal(heir(["a", "b", "c"], listed("a c"), "b"), "c");
  assert.equal(heir(["a", "b"], listed("a"), "b"), "a", "it was the last one");
  assert.equal(heir(["a"], listed(""), "a"), null);
});

test("arrows go along the list, and from nowhere to its ends", () => {
  const list = listed("a! b c");
  const to = (from: string | null, key: string) => stepped(list, from, key);
  assert.deepEqual([to("a", "ArrowDown"), to("b", "ArrowUp"), to("c", "ArrowDown"), to("a", "ArrowUp")], ["b", "a", null, null]);
  assert.deepEqual([to(null, "ArrowDown"), to(null, "ArrowUp"), to("gone", "ArrowDown")], ["a", "c", "a"]);
  assert.deepEqual([to("a", "Enter"), to("a", "ArrowLeft"), stepped([], null, "ArrowDown")], [null, null, null]);
});
