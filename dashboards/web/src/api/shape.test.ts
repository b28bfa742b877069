// Answers are read as the API promises them, and a later server's words are understood.

import assert from "node:assert/strict";
import { test } from "node:test";

import { parse } from "../json.ts";
import { alarm } from "./alarm.ts";
import { ShapeFault } from "./shape.ts";
import { liveSection, station } from "./station.ts";
import { told } from "./event.ts";

const SECTION = `{"station":"S","section":"dam","state":"breach","since":"2026-03-31T16:00:00Z",
  "released":{"value":0.7996,"at":"2026-03-31T16:05:00Z","quality":"good","bound":null},
  "required":{"value":0.8,"document":"D"},"today":null}`;

test("a section keeps its numbers exactly and its moments in milliseconds", () => {
  const section = liveSection(parse(SECTION), "");
  assert.deepEqual(section.released?.value, { units: 7996n, decimals: 4 });
  assert.equal(section.since, Date.UTC(2026, 2, 31, 16));
});

test("a fault says where it is", () => {
  assert.throws(() => told(parse(`{"position":1,"at":"2026-01-01T00:00:00Z","sections":[{"station":"S"}]}`), ""), {
    name: "ShapeFault",
    message: "sections[0].section: not a text",
  });
  assert.throws(() => station(parse("[]"), ""), ShapeFault);
});

test("words and members that are not known are no fault", () => {
  const section = liveSection(parse(SECTION.replace("breach", "frozen").replace("{", '{"new":[1],')), "");
  assert.equal(section.state, null);
});

test("what is null, and what is missing, is not known", () => {
  const read = alarm(
    parse(`{"id":"1","station":"S","rule":"r","severity":"red","drill":false,"chattering":false,"flat":false,"state":"pending","active":false,
      "acknowledged":false,"reached_nobody":false,"version":0,"began_at":"2026-01-01T00:00:00Z","section":null}`),
    "",
  );
  assert.equal(read.raised_flow, null);
  assert.equal(read.section, null);
});
