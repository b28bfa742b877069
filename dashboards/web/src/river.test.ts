// The schematic has every station once, where the server says that it is.

import assert from "node:assert/strict";
import { test } from "node:test";

import { registry } from "./api/registry.ts";
import { station } from "./api/station.ts";
import { parse } from "./json.ts";
import { rows } from "./order.ts";
import { neighbours, rivers } from "./river.ts";

function list(...known: readonly [id: string, upstream: string, downstream: string | null][]) {
  const stations = known.map(([id, upstream, downstream]) =>
    station(
      parse(`{"id":"${id}","name":"${id}","kind":"hydropower","status":"retained","zone":"UTC","sections":${id === "air" ? "[]" : '[{"id":"dam"}]'},
        "upstream":${JSON.stringify([...upstream])},"downstream":${JSON.stringify(downstream)}}`),
      "",
    ),
  );
  return rows(stations, null);
}

const ALL = list(["C", "BT", null], ["A", "", "B"], ["X", "", null], ["B", "A", "C"], ["T", "", "C"], ["U", "", null], ["air", "", null]);
const KNOWN = registry(
  parse(`{"entry":7,"zone":"UTC","counties":[],"rivers":[
    {"name":"b","into":null,"into_below":null,"depth":0,"stations":["A","B","C","U","gone"],"unplaced":2},
    {"name":"t","into":"b","into_below":"B","depth":1,"stations":["T"],"unplaced":0},
    {"name":"dry","into":"t","into_below":null,"depth":2,"stations":[],"unplaced":0}]}`),
  "",
);

test("rivers and their stations stand in the server's order, and what is on none of them last, if it lets out water", () => {
  const ids = (of: readonly { station: { id: string } }[]) => of.map((row) => row.station.id).join("");
  const shown = rivers(ALL, KNOWN.rivers).map(({ facts, stations, unplaced }) => `${facts?.name ?? "-"}:${ids(stations)}+${ids(unplaced)}`);
  assert.deepEqual(shown, ["b:ABC+U", "t:T+", "dry:+", "-:+X"]);
});

test("a station has the neighbours that the server names, be they on another river", () => {
  const names = (id: string) => {
    const { up, down } = neighbours(ALL, id);
    return `${up.map((row) => row.station.id).join("")}<${id}<${down?.station.id ?? "-"}`;
  };
  assert.deepEqual(["A", "B", "C", "T", "X", "?"].map(names), ["<A<B", "A<B<C", "BT<C<-", "<T<C", "<X<-", "<?<-"]);
});
