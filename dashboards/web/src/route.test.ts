// An address leads to the page of which it is the address.

import assert from "node:assert/strict";
import { test } from "node:test";

import { href, route, stationRoute, type Route } from "./route.ts";

test("every page has an address that leads to it", () => {
  const pages: Route[] = [
    { page: "overview" },
    { page: "wall" },
    { page: "alarms", tab: "open" },
    { page: "alarms", tab: "history" },
    { page: "outbox", alarm: null },
    { page: "outbox", alarm: "1fdd" },
    { page: "password" },
    stationRoute("BF-620721-04"),
    { page: "station", id: "A b/ü?", section: "tail", day: "2026-11-22", span: "1y" },
  ];
  for (const page of pages) {
    const [path = "", search = ""] = href(page).split(/(?=\?)/);
    assert.deepEqual(route(path, search), page);
  }
});

test("what is no address leads nowhere, and what is not known is left out", () => {
  for (const path of ["/nothing", "/s", "/s/", "/s/a/b", "/s/%", "/wall/x"]) assert.equal(route(path, "").page, "unknown", path);
  assert.deepEqual(route("/s/A", "?span=eternity&x=1"), stationRoute("A"));
});
