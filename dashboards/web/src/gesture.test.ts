// One gesture, one alarm.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isItsOwn } from "./gesture.ts";

test("one gesture asks for one thing", () => {
  assert.equal(isItsOwn(null, 0), true);
  for (const [at, own] of [[1_000, false], [1_300, false], [1_799, false], [1_800, true], [9_000, true]] as const) {
    assert.equal(isItsOwn(1_000, at), own, String(at));
  }
});
