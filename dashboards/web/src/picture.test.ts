// Where the stream is refused, pages show what calls answer; where it comes, it counts.

import assert from "node:assert/strict";
import { test } from "node:test";

import { alarm, type Alarm } from "./api/alarm.ts";
import { told } from "./api/event.ts";
import { loaded, type Failure } from "./failure.ts";
import { parse } from "./json.ts";
import { opening, STALE_MS, step, type Live } from "./live.ts";
import { isPollDue, NOT_POLLED, picture, POLL_MS, polledAfter, saidOnce, serverTime, type Polled } from "./picture.ts";

const AT = "2026-11-22T00:00:00Z";
const FULL: Failure = { kind: "broken", sort: "unavailable", detail: "as many look live as may; try again later" };
const AWAY: Failure = { kind: "unreachable", detail: null };

function text(id: string, state = "unacknowledged"): string {
  return `{"id":"${id}","station":"S","rule":"r","severity":"red","drill":false,"chattering":false,"flat":false,
    "state":"${state}","active":true,"acknowledged":false,"reached_nobody":false,"version":1,"began_at":"${AT}"}`;
}

const asked = (...ids: string[]): readonly Alarm[] => ids.map((id) => alarm(parse(text(id)), ""));

function answered(before: Polled, alarms: readonly Alarm[], at: number): Polled {
  return polledAfter(before, loaded(before.alarms, { ok: true, value: alarms }, 0), true, at);
}

function failed(before: Polled, failure: Failure, at: number): Polled {
  return polledAfter(before, loaded(before.alarms, { ok: false, failure }, at), false, at);
}

function snapshot(id: string, nowMs: number): Live {
  const what = told(parse(`{"position":1,"at":"${AT}","registry":{"entry":1},"sections":[],"alarms":[${text(id)},${text("p", "pending")}]}`), "");
  return step(opening(0), { kind: "told", name: "snapshot", id: "r-1-0", told: what }, nowMs);
}

const looked = (live: Live, nowMs: number) => step(live, { kind: "looked" }, nowMs);
const ids = (list: readonly Alarm[] | null) => list?.map(({ id }) => id).join(" ") ?? null;

test("a stream that is refused before its first event leaves a page that asks, and says why there is none", () => {
  const live = opening(0);
  assert.equal(isPollDue(live, null, null, POLL_MS, 100), false, "it may come yet");
  assert.equal(isPollDue(live, FULL, null, POLL_MS, 100), true);
  const shown = picture(live, answered(NOT_POLLED, asked("a", "b"), 1_000), FULL);
  assert.deepEqual([shown.link, shown.at, ids(shown.alarms.value), shown.alarms.failure], ["polled", 1_000, "a b", null]);
  assert.deepEqual([shown.sections, shown.counts, shown.why], [null, null, FULL]);
});

test("before the first answer nothing is called unreachable that is not", () => {
  const live = looked(opening(0), STALE_MS);
  assert.equal(picture(live, NOT_POLLED, FULL).alarms.failure, null);
  assert.equal(picture(live, NOT_POLLED, FULL).link, "stale");
  const crowded = failed(NOT_POLLED, { kind: "crowded", detail: "later" }, 5);
  assert.equal(picture(live, crowded, FULL).alarms.failure?.kind, "crowded", "what the server said");
  assert.equal(picture(live, failed(NOT_POLLED, AWAY, 5), null).alarms.failure?.kind, "unreachable");
});

test("what is asked for after a stream broke is newer, and a stream that comes back is newer still", () => {
  const live = snapshot("a", 100);
  const stale = looked(live, 100 + STALE_MS);
  assert.equal(ids(picture(stale, NOT_POLLED, null).alarms.value), "a", "what was told stays, without what is pending");
  const at = serverTime(stale, 100 + STALE_MS) ?? 0;
  assert.equal(at, Date.parse(AT) + STALE_MS);
  const polled = answered(NOT_POLLED, asked("b"), at);
  const shown = picture(stale, polled, FULL);
  assert.deepEqual([shown.link, shown.at, ids(shown.alarms.value), shown.sections], ["polled", at, "b", null]);
  const back = picture(live, polled, null);
  assert.deepEqual([back.link, ids(back.alarms.value), back.why], ["live", "a", null]);
  assert.notEqual(back.sections, null);
});

test("a round that fails leaves what was known, and says that it is no longer current", () => {
  const known = answered(NOT_POLLED, asked("a"), 1_000);
  const shown = picture(opening(0), failed(known, FULL, 20_000), FULL);
  assert.deepEqual([shown.link, shown.at, ids(shown.alarms.value), shown.alarms.failure], ["stale", 1_000, "a", FULL]);
  const away = picture(opening(0), failed(known, AWAY, 20_000), null);
  assert.deepEqual([away.link, ids(away.alarms.value), away.alarms.failure], ["stale", "a", null], "the band says that nobody answers");
});

test("a list that is there does not say again what the band of a stale page says, and says all else", () => {
  const list = { value: 1, failure: AWAY, failingSince: 5 };
  assert.deepEqual(saidOnce(list, "stale"), { value: 1, failure: null, failingSince: null });
  for (const [of, link] of [[list, "polled"], [{ ...list, value: null }, "stale"], [{ ...list, failure: FULL }, "stale"]] as const) {
    assert.equal(saidOnce(of, link), of);
  }
});

test("rounds are as far apart as they are to be, also over streams that come and break", () => {
  const stale = looked(snapshot("a", 0), STALE_MS);
  assert.equal(isPollDue(stale, null, null, POLL_MS, STALE_MS), true);
  assert.equal(isPollDue(stale, FULL, 1_000, POLL_MS, 1_000 + POLL_MS - 1), false);
  assert.equal(isPollDue(stale, FULL, 1_000, POLL_MS, 1_000 + POLL_MS), true);
  assert.equal(isPollDue(snapshot("a", 0), FULL, null, POLL_MS, POLL_MS), false, "not while the stream tells");
});
