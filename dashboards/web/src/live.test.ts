// Live state: a snapshot and deltas, resumed without holes or repetitions, and stale when beats are missing.

import assert from "node:assert/strict";
import { test } from "node:test";

import { told } from "./api/event.ts";
import { parse } from "./json.ts";
import { BEAT_MS, deadline, opening, STALE_MS, step, type Live } from "./live.ts";

const AT = "2026-11-22T00:00:00Z";

function section(station: string, state: string): string {
  return `{"station":"${station}","section":"dam","state":"${state}","since":"${AT}","released":null,"required":null,"today":null}`;
}

function hear(live: Live, name: string, id: string, members: string, nowMs: number): Live {
  const what = told(parse(`{"position":1,"at":"${AT}"${members}}`), "");
  return step(live, { kind: "told", name, id, told: what }, nowMs);
}

function look(live: Live, nowMs: number): Live {
  return step(live, { kind: "looked" }, nowMs);
}

/** What is known, in one line. */
function shown(live: Live): string {
  const sections = [...live.sections].map(([name, { state }]) => `${name}=${String(state)}`).join(" ");
  return `${live.link} ${live.lastEventId ?? "-"} ${sections}`.trim();
}

const snapshot = `,"registry":{"entry":3},"sections":[${section("A", "ok")},${section("B", "ok")}],"alarms":[]`;

test("a snapshot is all that is, and a delta replaces what it names", () => {
  let live = hear(opening(0), "snapshot", "r-5-0", snapshot, 10);
  assert.equal(shown(live), "live r-5-0 A/dam=ok B/dam=ok");
  live = hear(live, "delta", "r-6-0", `,"sections":[${section("B", "breach")}]`, 20);
  assert.equal(shown(live), "live r-6-0 A/dam=ok B/dam=breach");
  live = hear(live, "delta", "r-9-0", `,"sections_gone":["A/dam"]`, 30);
  assert.equal(shown(live), "live r-9-0 B/dam=breach");
  live = hear(live, "snapshot", "s-1-0", `,"sections":[${section("C", "near")}]`, 40);
  assert.equal(shown(live), "live s-1-0 C/dam=near");
  assert.equal(live.registry, null);
});

test("what is not changed is the same object, so that nothing is drawn again for it", () => {
  const before = hear(opening(0), "snapshot", "r-5-0", snapshot, 10);
  const after = hear(before, "delta", "r-6-0", `,"counts":{"stations":{},"sections":{},"today":{},"alarms":{},"reached_nobody":0,"met_today":{"part":0,"whole":0,"rate":null},"running":{"part":0,"whole":0,"rate":null}}`, 20);
  assert.equal(after.sections, before.sections);
  assert.equal(after.alarms, before.alarms);
  const changed = hear(after, "delta", "r-7-0", `,"sections":[${section("B", "near")}]`, 30);
  assert.equal(changed.sections.get("A/dam"), before.sections.get("A/dam"));
});

test("what is told twice counts once", () => {
  let live = hear(opening(0), "snapshot", "r-5-0", snapshot, 10);
  live = hear(live, "delta", "r-7-0", `,"sections":[${section("B", "breach")}]`, 20);
  const again = hear(live, "delta", "r-6-0", `,"sections":[${section("B", "near")}]`, 30);
  assert.equal(again, live);
});

test("a delta of which the beginning is not known is not taken, and a snapshot is wanted", () => {
  const nothing = hear(opening(0), "delta", "r-6-0", `,"sections":[${section("B", "near")}]`, 10);
  assert.equal(shown(nothing), "opening -");
  let live = hear(opening(0), "snapshot", "r-5-0", snapshot, 10);
  live = hear(live, "delta", "other-6-0", `,"sections":[${section("B", "near")}]`, 20);
  assert.equal(shown(live), "live - A/dam=ok B/dam=ok", "what is shown stays until the snapshot comes");
  live = hear(live, "beat", "other-6-0", "", 30);
  assert.equal(live.heardMs, 10, "such a beat does not keep it current");
});

test("two missed beats make it stale within ten seconds, and the next event current again", () => {
  let live = hear(opening(0), "snapshot", "r-5-0", snapshot, 1_000);
  assert.equal(deadline(live), 1_000 + STALE_MS);
  assert.ok(STALE_MS > 2 * BEAT_MS && STALE_MS + 1_000 < 10_000);
  live = hear(live, "beat", "r-5-0", "", 4_000);
  assert.equal(look(live, 4_000 + STALE_MS - 1).link, "live");
  live = look(live, 4_000 + STALE_MS);
  assert.equal(shown(live), "stale r-5-0 A/dam=ok B/dam=ok", "what is known is kept, and where to go on");
  assert.equal(deadline(live), null);
  live = hear(live, "delta", "r-6-0", `,"sections":[${section("A", "breach")}]`, 60_000);
  assert.equal(shown(live), "live r-6-0 A/dam=breach B/dam=ok");
});

test("a connection that never comes is not current either", () => {
  assert.equal(look(opening(0), STALE_MS).link, "stale");
});

test("events that a later server adds are not understood, and do no harm", () => {
  const live = hear(opening(0), "snapshot", "r-5-0", snapshot, 10);
  assert.equal(hear(live, "music", "r-6-0", "", 20), live);
});
