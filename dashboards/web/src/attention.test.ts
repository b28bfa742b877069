// An alarm that nobody has taken on is counted and listed the same way everywhere, also once its condition is past.

import assert from "node:assert/strict";
import { test } from "node:test";

import { alarm, type Alarm } from "./api/alarm.ts";
import { liveCounts, liveSection, station } from "./api/station.ts";
import { alarmOfGauge, beganAt, momentsOf, isBack, isSilent, isToBeTaken, needing, open, unheard, untaken } from "./attention.ts";
import { parse } from "./json.ts";
import { rows, sinceOf, type Row } from "./order.ts";

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
});

/** A station with two meters at its dam and a gauge of its level, as its section stands. */
function measured(state: string, readAt: string, since: string, bound: string | null = null): Row {
  const facts = `{"id":"S","name":"S","kind":"hydropower","status":"retained","zone":"Asia/Shanghai",
    "sections":[{"id":"tail","outlets":[]},{"id":"dam","outlets":[{"id":"a","gauges":["meter"]},{"id":"b","gauges":["other"]}]}]}`;
  const stands = `{"station":"S","section":"dam","state":"${state}","since":"2026-11-22T${since}Z",
    "released":{"value":0.9,"at":"2026-11-22T${readAt}Z","quality":"good","bound":${bound === null ? "null" : `"${bound}"`}}}`;
  const [row] = rows([station(parse(facts), "")], new Map([["S/dam", liveSection(parse(stands), "")]]));
  assert.ok(row);
  return row;
}

const silent = (more = "") => ({ ...raised("1", "S", "unacknowledged", `,"gauge":"S/meter"${more}`), flat: false });

test("a silent gauge that speaks again says so while its alarm stands", () => {
  const at = "00:10:00";
  assert.equal(isBack(silent(), measured("stale", "00:00:00", "00:02:00")), false, "it is silent still");
  assert.deepEqual(["ok", "near", "breach"].map((state) => isBack(silent(), measured(state, at, at))), [true, true, true]);
  assert.equal(isBack(silent(), measured("ok", at, at, "lower")), false, "one of its section's gauges is silent, which one nobody says");
  assert.equal(isBack(silent(), measured("ok", "00:00:00", at)), false, "from before it was silent");
  assert.equal(isBack({ ...silent(), flat: true }, measured("ok", at, at)), false, "one that is stuck has spoken all the time");
  assert.equal(isBack({ ...silent(), active: false }, measured("ok", at, at)), false, "it is over");
  assert.equal(isBack({ ...silent(), gauge: "S/level" }, measured("ok", at, at)), false, "its section says nothing of it");
});

test("a gauge whose newest sample is known is judged by that", () => {
  const sample = (value: string, at: string) =>
    [{ id: "level", latest: { at: Date.parse(`2026-11-22T${at}Z`), value: value === "" ? null : { units: BigInt(value), decimals: 0 }, quality: "good", reason: null } }];
  const level = { ...silent(), gauge: "S/level" };
  const row = measured("stale", "00:00:00", "00:02:00");
  assert.equal(isBack(level, row, sample("3", "00:10:00")), true);
  assert.equal(isBack(level, row, sample("", "00:10:00")), false, "a time-out is no reading");
  assert.equal(isBack(level, row, sample("3", "00:00:00")), false);
});

test("a gauge of which nothing has come for three intervals is silent, of frequent ones for two minutes", () => {
  const silent = (interval_ms: number, ms: number) => isSilent({ interval_ms, latest: { at: 0, value: null, quality: "good", reason: null } }, ms);
  assert.deepEqual([silent(60_000, 179_999), silent(60_000, 180_000), silent(1_000, 119_999), silent(1_000, 120_000)], [false, true, false, true]);
  assert.equal(isSilent({ interval_ms: 60_000, latest: null }, 1e12), false, "nothing is known of it");
});

test("one loss has begun at one moment, whoever tells of it: with the last reading", () => {
  const row = measured("stale", "00:00:00", "00:02:00");
  const received = { ...silent(), began_at: Date.parse("2026-11-22T00:00:07Z") };
  const dam = row.standings.find(({ section }) => section === "dam");
  assert.ok(dam);
  assert.equal(sinceOf(dam), Date.parse(AT));
  assert.equal(beganAt(received, row), Date.parse(AT));
  // of something else it says nothing
  assert.equal(beganAt({ ...received, flat: true }, row), received.began_at);
  assert.equal(beganAt({ ...received, active: false }, row), received.began_at);
  assert.equal(beganAt({ ...received, gauge: "S/level" }, row), received.began_at);
  assert.equal(beganAt(received, measured("ok", "00:10:00", "00:10:00")), received.began_at);
  const earlier = { ...received, began_at: received.began_at - 3_600_000 };
  assert.equal(beganAt(earlier, row), earlier.began_at, "another loss");
});

test("where one outlet of a section speaks and another is silent, it stands so since it was judged so", () => {
  const dam = measured("stale", "00:30:00", "00:02:00", "lower").standings.find(({ section }) => section === "dam");
  assert.ok(dam);
  assert.equal(sinceOf(dam), Date.parse("2026-11-22T00:02:00Z"));
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
  const found = needing(list, alarms).map(({ row, alarm, isByAlarm }) => `${row.station.id}:${alarm?.id ?? "-"}${isByAlarm ? "!" : ""}`);
  assert.deepEqual(found, ["C:-", "B:2", "D:3!", "A:1!", "F:6!"]);
  assert.deepEqual(needing(list, []).map(({ row }) => row.station.id), ["C", "B"]);
});

test("what an alarm says of a gauge is found by the gauge, while it is so", () => {
  const stuck = raised("1", "S", "unacknowledged", `,"gauge":"S/meter"`);
  assert.equal(alarmOfGauge([raised("0", "S", "unacknowledged", `,"section":"dam"`), stuck], "meter", []), stuck);
  assert.equal(alarmOfGauge([stuck], "other", []), null);
  assert.equal(alarmOfGauge([{ ...stuck, active: false }], "meter", []), null);
  const newest = (at: number) => [{ id: "meter", latest: { at, value: { units: 1n, decimals: 0 }, quality: "good", reason: null } }];
  assert.equal(alarmOfGauge([silent()], "meter", newest(Date.parse(AT)))?.id, "1");
  assert.equal(alarmOfGauge([silent()], "meter", newest(Date.parse(AT) + 1)), null, "it speaks again");
});

test("a timeline says when the server acted, and of a silence when the last reading came", () => {
  const minute = (number: number) => Date.parse(AT) + number * 60_000;
  const step = (what: string, event: number, detected: number) => ({ what, event_at: minute(event), detected_at: minute(detected), by: null, as: null, version: 1 });
  const line = (alarm: Alarm, what: string, event: number, detected: number) => {
    const { at, foundAt, isLastReading } = momentsOf(step(what, event, detected), alarm, minute(0));
    return `${String((at - minute(0)) / 60_000)}${foundAt === null ? "" : ` found ${String((foundAt - minute(0)) / 60_000)}`}${isLastReading ? " last" : ""}`;
  };
  const flow = { ...raised("1", "S", "unacknowledged", `,"section":"dam"`), flat: false };
  assert.equal(line(silent(), "pending", 0.1, 3), "0 last");
  assert.equal(line(silent(), "raised", 0.1, 4), "4", "as long as the condition had held it was no alarm");
  assert.equal(line(silent(), "cleared", 9, 10.5), "9 found 10.5");
  assert.equal(line(flow, "pending", 2, 5), "2 found 5");
  assert.equal(line(flow, "acknowledged", 6, 6), "6");
});
