// An alarm that nobody has taken on is counted and listed the same way everywhere, also once its condition is past.

import assert from "node:assert/strict";
import { test } from "node:test";

import { alarm, type Alarm } from "./api/alarm.ts";
import { liveCounts, liveSection, station } from "./api/station.ts";
import { isBack, isToBeTaken, needing, open, unheard, untaken } from "./attention.ts";
import { parse } from "./json.ts";
import { rows } from "./order.ts";

const AT = "2026-11-22T00:00:00Z";

function raised(id: string, of: string, state: string, more = ""): Alarm {
  const text = `{"id":"${id}","station":"${of}","rule":"r","severity":"yellow","drill":false,"chattering":false,"flat":true,
    "state":"${state}","active":true,"acknowledged":false,"reached_nobody":false,"version":1,"began_at":"${AT}"${more}}`;
  return alarm(parse(text), "");
}

function counted(alarms: string) {
  const rate = `{"part":0,"whole":0,"rate":null}`;
  return liveCounts(parse(`{"stations":{},"sections":{},"today":{},"alarms":${alarms},"reached_nobody":2,"met_today":${rate},"running":${rate}}`), "");
}

const ALL = ["pending", "unacknowledged", "acknowledged", "cleared_unacknowledged", "shelved", "normal"].map((state, place) => raised(String(place), "S", state));

test("an alarm that is past and that nobody has taken on is counted like one that stands", () => {
  assert.equal(untaken(counted(`{"cleared_unacknowledged":3}`), []), 3);
  assert.equal(untaken(counted(`{"unacknowledged":1,"cleared_unacknowledged":3,"acknowledged":9}`), null), 4);
  assert.equal(untaken(null, ALL), 2);
  assert.equal(untaken(null, ALL), ALL.filter(isToBeTaken).length, "what is counted can be taken on");
  assert.equal(untaken(null, null), null, "nobody knows, which is not none");
});

test("a console shows what is neither pending nor closed, and what it does not know", () => {
  const list = open([...ALL, raised("9", "S", "frozen")]);
  assert.deepEqual(list.map(({ state }) => state), ["unacknowledged", "cleared_unacknowledged", "acknowledged", "shelved", null]);
});

test("alarms that reached nobody are counted by the server, else among those that are known", () => {
  const nobody = { ...raised("1", "S", "unacknowledged"), reached_nobody: true };
  assert.equal(unheard(counted("{}"), null), 2);
  assert.equal(unheard(null, [nobody, raised("2", "S", "unacknowledged")]), 1);
  assert.equal(unheard(null, null), null);
});

test("an alarm whose section releases enough again says so while it stands", () => {
  const of = (state: string, at: string) => {
    const text = `{"station":"S","section":"dam","state":"${state}","since":"${AT}","released":{"value":0.9,"at":"${at}","quality":"good"}}`;
    const [row] = rows([station(parse(`{"id":"S","name":"S","kind":"hydropower","status":"retained","zone":"Asia/Shanghai","sections":[{"id":"dam"}]}`), "")], new Map([["S/dam", liveSection(parse(text), "")]]));
    return row ?? null;
  };
  const low = raised("1", "S", "unacknowledged", `,"section":"dam","raised_flow":{"at":"2026-11-22T00:10:00Z","released":0.4,"required":0.8}`);
  const later = "2026-11-22T00:20:00Z";
  assert.deepEqual(["ok", "near", "breach", "stale"].map((state) => isBack(low, of(state, later))), [true, true, false, false]);
  assert.equal(isBack(low, of("ok", "2026-11-22T00:10:00Z")), false, "from before it was raised");
  assert.equal(isBack(low, null), false);
  assert.equal(isBack({ ...low, active: false }, of("ok", later)), false, "it is over");
  assert.equal(isBack({ ...low, section: null, gauge: "meter" }, of("ok", later)), false, "a gauge releases nothing");
});

test("a station of which only an alarm tells needs somebody, too", () => {
  const known = (id: string) => station(parse(`{"id":"${id}","name":"站${id}","kind":"hydropower","status":"retained","zone":"Asia/Shanghai","sections":[{"id":"dam"}]}`), "");
  const stands = (id: string, state: string) =>
    [`${id}/dam`, liveSection(parse(`{"station":"${id}","section":"dam","state":"${state}","since":"${AT}"}`), "")] as const;
  const list = rows([..."ABCDEF"].map(known), new Map([stands("A", "ok"), stands("B", "stale"), stands("C", "breach"), stands("D", "near"), stands("E", "ok"), stands("F", "ok")]));
  const alarms = [
    raised("1", "A", "cleared_unacknowledged"),
    raised("2", "B", "unacknowledged"),
    raised("3", "D", "unacknowledged"),
    raised("4", "D", "cleared_unacknowledged"),
    raised("5", "E", "pending"),
    raised("6", "F", "acknowledged"),
    raised("7", "gone", "unacknowledged"),
  ];
  const found = needing(list, alarms).map(({ row, alarm }) => `${row.station.id}:${alarm?.id ?? "-"}`);
  assert.deepEqual(found, ["C:-", "B:-", "D:3", "A:1", "F:6"]);
  assert.deepEqual(needing(list, []).map(({ row }) => row.station.id), ["C", "B"]);
});
