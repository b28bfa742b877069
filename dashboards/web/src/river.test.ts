// The schematic has every station once, from source to mouth.

import assert from "node:assert/strict";
import { test } from "node:test";

import { station } from "./api/station.ts";
import { parse } from "./json.ts";
import { rows } from "./order.ts";
import { neighbours, rivers, worstOf } from "./river.ts";

function list(...known: readonly [id: string, river: string | null, order: number | null][]) {
  const stations = known.map(([id, river, order]) =>
    station(
      parse(`{"id":"${id}","name":"${id}","kind":"hydropower","status":"retained","zone":"UTC","sections":[],
        "river":${JSON.stringify(river)},"river_order":${String(order)}}`),
      "",
    ),
  );
  return rows(stations, null);
}

const ALL = list(["C", "b", 3], ["A", "b", 1], ["X", null, null], ["B", "b", 2], ["D", "a", null], ["Y", null, null], ["Z", null, null], ["W", null, null]);

test("stations stand from source to mouth, rivers by how many they have, and what has no river last", () => {
  const shown = rivers(ALL).map(({ name, stations }) => `${name ?? "-"}:${stations.map((row) => row.station.id).join("")}`);
  assert.deepEqual(shown, ["b:ABC", "a:D", "-:WXYZ"]);
});

test("a station has neighbours along its river alone", () => {
  const names = (id: string) => {
    const { up, down } = neighbours(ALL, id);
    return `${up?.station.id ?? "-"}<${id}<${down?.station.id ?? "-"}`;
  };
  assert.deepEqual(["A", "B", "C", "D", "X", "?"].map(names), ["-<A<B", "A<B<C", "B<C<-", "-<D<-", "-<X<-", "-<?<-"]);
  assert.equal(worstOf({ name: null, stations: [] }), null);
});
