// An event stream gives the same events in whatever pieces it comes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_EVENT, NOTHING, take, type StreamEvent } from "./sse.ts";

function events(pieces: readonly string[]): StreamEvent[] {
  let partial = NOTHING;
  const all: StreamEvent[] = [];
  for (const piece of pieces) {
    const taken = take(partial, piece);
    assert.ok(taken !== null);
    all.push(...taken.events);
    partial = taken.partial;
  }
  return all;
}

const STREAM = 'retry: 1000\nevent: snapshot\ndata: {"a":\ndata: 1}\nid: x-1-0\n\n: beat\n\nevent: beat\ndata: {}\nid: x-1-0\n\ndata:tail\n\n';

test("events are the same however they are cut, and whatever ends their lines", () => {
  const wanted = [
    { name: "snapshot", data: '{"a":\n1}', id: "x-1-0" },
    { name: "beat", data: "{}", id: "x-1-0" },
    { name: "message", data: "tail", id: "x-1-0" },
  ];
  for (const stream of [STREAM, STREAM.replaceAll("\n", "\r\n")]) {
    for (let at = 0; at <= stream.length; at += 1) {
      assert.deepEqual(events([stream.slice(0, at), stream.slice(at)]), wanted, `cut at ${String(at)}`);
    }
    assert.deepEqual(events([...stream]), wanted);
  }
});

test("an event that does not end is not kept without end", () => {
  assert.equal(take(NOTHING, "x".repeat(MAX_EVENT + 1)), null);
});
