// A link for a screen is over with once our server has answered it, and with nothing else.

import assert from "node:assert/strict";
import { test } from "node:test";

import { kindOfStatus, type Failure } from "./failure.ts";
import { isAskedAgain, keyOf, screenLinkAfter } from "./screen_link.ts";

const after = (failure: Failure) => screenLinkAfter({ ok: false, failure });
const status = (code: number, sort?: string) => after({ kind: kindOfStatus(code), detail: null, ...(sort === undefined ? {} : { sort }) });

test("what opened it is over, and what nobody answered is asked again", () => {
  assert.equal(screenLinkAfter({ ok: true, value: {} }), null);
  assert.equal(after({ kind: "unreachable", detail: null }), "waits");
  for (const code of [408, 425, 429, 500, 502, 503, 504]) assert.equal(status(code, "some"), "waits", String(code));
  for (const code of [408, 429, 502]) assert.equal(status(code), "waits", `${String(code)} of a proxy`);
});

test("what answers in the server's place, with a page of its own, uses no link up", () => {
  assert.equal(after({ kind: "unreadable", detail: "a page" }), "intercepted");
  for (const code of [400, 401, 403, 404, 413]) assert.equal(status(code), "intercepted", String(code));
});

test("what the server refuses is told and not asked again", () => {
  assert.equal(status(404, "not-found"), "used");
  const refused = [[400, "bad-body"], [403, "foreign-page"], [413, "too-large"], [415, "media-type"]] as const;
  for (const [code, sort] of refused) assert.equal(status(code, sort), "refused", sort);
  assert.deepEqual((["waits", "intercepted", "used", "refused", null] as const).map(isAskedAgain), [true, true, false, false, false]);
});

test("a key is 64 hexadecimal digits", () => {
  assert.equal(keyOf(new Uint8Array([0, 1, 0xab])), "0001ab");
});
