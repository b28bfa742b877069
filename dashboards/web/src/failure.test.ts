// A failure is told in the reader's language, and nobody is sent back to what will never be answered.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { againAfter, failureText, isWorthAgain, kindOfStatus, noStreamText, type Failure } from "./failure.ts";
import { en } from "./texts/en.ts";
import { zh } from "./texts/zh.ts";

const refused = (status: number, sort?: string): Failure => ({ kind: kindOfStatus(status), detail: "English", ...(sort === undefined ? {} : { sort }) });
const again = (failure: Failure) => againAfter({ ok: false, failure }, 15_000, 5_000);

test("what a role may not see is neither offered again nor asked for again", () => {
  const forbidden = refused(403, "forbidden");
  assert.equal(isWorthAgain(forbidden), false);
  assert.equal(again(forbidden), null);
  assert.equal(again(refused(401)), null);
});

test("what may be answered later is asked for again", () => {
  for (const status of [429, 500, 503]) assert.equal(again(refused(status)), 5_000, String(status));
  assert.equal(again(refused(404)), 15_000);
  assert.equal(againAfter({ ok: true, value: 1 }, 15_000, 5_000), 15_000);
  assert.equal(againAfter({ ok: true, value: 1 }, null, 5_000), null);
});

test("every word of the server that a page may meet has a text, and no text is for a word that it lacks", () => {
  const source = readFileSync("../src/problem.rs", "utf8");
  const words = new Set([...source.matchAll(/(?:Self::new\(\s*\d+, |\d+(?:\.\.)? => \(|=> \()"([a-z-]+)"/g)].map(([, word]) => word ?? ""));
  assert.ok(words.size > 10, [...words].join(" "));
  assert.deepEqual(Object.keys(zh.load.sorts).filter((word) => !words.has(word)), []);
  for (const word of ["unavailable", "too-often", "forbidden", "internal", "not-found"]) {
    assert.ok(words.has(word), word);
    assert.match(failureText(zh, refused(400, word)), /^[^a-z]+$/, word);
    assert.match(failureText(en, refused(400, word)), /^[A-Z]/, word);
  }
});

test("where one's own streams are as many as may be, nobody speaks of a crowd", () => {
  for (const t of [zh, en]) {
    const own = noStreamText(t, refused(429, "too-often"));
    const all = noStreamText(t, refused(503, "unavailable"));
    assert.deepEqual([own, all], [t.link.refusedOwn, t.link.refused]);
    assert.notEqual(own, all);
    assert.equal(noStreamText(t, refused(500, "internal")), t.load.sorts["internal"]);
  }
});

test("a server that answers is not called unreachable", () => {
  for (const t of [zh, en]) {
    for (const failure of [refused(503, "unavailable"), refused(429, "too-often"), refused(502), refused(403)]) {
      assert.notEqual(failureText(t, failure), t.load.unreachable);
    }
  }
});
