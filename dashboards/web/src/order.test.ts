// The worst comes first, and what has not changed is the same row.

import assert from "node:assert/strict";
import { test } from "node:test";

import { liveSection, station, type LiveSection, type Station } from "./api/station.ts";
import { parse } from "./json.ts";
import { filtered, isOld, rows, shortNow, tally, worstFirst, type Row } from "./order.ts";

const AT = "2026-11-22T00:00:00Z";

function known(id: string, status = "retained"): Station {
  const text = `{"id":"${id}","name":"站${id}","kind":"hydropower","status":"${status}","river":"示例河","county":"620721","zone":"Asia/Shanghai",
    "sections":[{"id":"dam"},{"id":"tail"}]}`;
  return station(parse(text), "");
}

function stands(id: string, section: string, state: string, share: string, since = AT, today: string | null = null): [string, LiveSection] {
  const text = `{"station":"${id}","section":"${section}","state":"${state}","since":"${since}",
    "released":{"value":0.5,"at":"${AT}","quality":"good"},"required":{"value":0.8,"document":"D"},"share":${share},
    "today":${today === null ? "null" : `{"from":"${AT}","to":"${AT}","verdict":"${today}"}`}}`;
  return [`${id}/${section}`, liveSection(parse(text), "")];
}

/** The stations in their order. */
function order(list: readonly Row[]): string {
  return [...list].sort(worstFirst).map(({ station: { id }, state }) => `${id}:${state ?? "-"}`).join(" ");
}

test("the worst is first: by state, then by how much is missing, then by how long", () => {
  const live = new Map([
    stands("A", "dam", "ok", "0.9"),
    stands("B", "dam", "breach", "0.7996"),
    stands("C", "dam", "breach", "0.2"),
    stands("D", "dam", "stale", "0.9", "2026-11-21T00:00:00Z"),
    stands("E", "dam", "stale", "0.1", "2026-11-20T00:00:00Z"),
    stands("F", "dam", "ok", "0.9"),
    stands("F", "tail", "near", "0.81"),
  ]);
  const list = rows([..."ABCDEFG"].map((id) => known(id)), live);
  assert.equal(order(list), "C:breach B:breach E:stale D:stale F:near A:ok G:-");
  assert.equal(list[5]?.gravest?.section, "tail", "a station stands as its gravest section");
});

test("a station that has left is out of service, whatever its sections were", () => {
  const list = rows([known("X", "exited")], new Map([stands("X", "dam", "breach", "0.1")]));
  assert.equal(order(list), "X:out_of_service");
});

test("a share is the server's, whatever the numbers beside it are", () => {
  const [row] = rows([known("A")], new Map([stands("A", "dam", "breach", "0.9999")]));
  assert.deepEqual(row?.share, { units: 9999n, decimals: 4 });
  const [none] = rows([known("A")], new Map([stands("A", "dam", "ok", "null")]));
  assert.equal(none?.share, null);
});

test("a row of which nothing is other than before is the same one", () => {
  const stations = [known("A"), known("B")];
  const live = new Map([stands("A", "dam", "ok", "0.9"), stands("A", "tail", "ok", "0.9"), stands("B", "dam", "ok", "0.9"), stands("B", "tail", "ok", "0.9")]);
  const before = rows(stations, live);
  const index = new Map(before.map((row) => [row.station.id, row]));
  const after = rows(stations, new Map([...live, stands("B", "dam", "near", "0.81")]), index);
  assert.equal(after[0], before[0]);
  assert.notEqual(after[1], before[1]);
});

test("what is looked for is in a name, a river, a county or an id", () => {
  const list = rows([known("A"), known("B")], new Map([stands("A", "dam", "breach", "0.1")]));
  const counties = new Map([["620721", "肃南县"]]);
  const found = (state: Row["state"], search: string) => filtered(list, state, search, counties).map((row) => row.station.id).join("");
  assert.equal(found(null, "示例"), "AB");
  assert.equal(found(null, " 站b "), "B");
  assert.equal(found(null, "肃南"), "AB");
  assert.equal(found("breach", ""), "A");
  assert.equal(tally(list).get("breach"), 1);
});

test("a section that is short right now and whose day is met so far is counted, for a rate of days does not say it", () => {
  const live = new Map([
    stands("A", "dam", "breach", "0.5", AT, "met"),
    stands("A", "tail", "breach", "0.5", AT, "short"),
    stands("B", "dam", "breach", "0.5", AT, "indeterminate"),
    stands("B", "tail", "ok", "0.9", AT, "met"),
    stands("C", "dam", "breach", "0.5"),
    stands("C", "tail", "breach", "0.5", AT, "met"),
  ]);
  assert.equal(shortNow(rows([..."ABC"].map((id) => known(id)), live)), 2);
});

test("only what nothing has come of since is of a time that is over", () => {
  const [row] = rows([known("A")], new Map([stands("A", "dam", "stale", "0.9"), stands("A", "tail", "breach", "0.9")]));
  assert.deepEqual(row?.standings.map(isOld), [true, false]);
});
