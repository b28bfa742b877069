// The pages offer what the table of routes lets somebody do (`dashboards/src/shell/routes.rs`), and nothing else.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { maySeeAlarms, maySeeMessages, mayTakeOn } from "./role.ts";

const ROLES = ["wall", "viewer", "duty", "admin"];

test("who may see alarms, take them on and see messages is who the server lets", () => {
  const routes = readFileSync("../src/shell/routes.rs", "utf8");
  const least = (call: string) => {
    const rule = new RegExp(`\\.add\\((\\w+), routes!\\(calls::alarms::${call}\\)\\)`).exec(routes)?.[1];
    assert.ok(rule !== undefined && ROLES.includes(rule), call);
    return rule;
  };
  for (const [call, may] of [["list", maySeeAlarms], ["acknowledge", mayTakeOn], ["notifications", maySeeMessages]] as const) {
    assert.deepEqual(ROLES.filter(may), ROLES.slice(ROLES.indexOf(least(call))), call);
  }
});

test("a role that is not known yet is offered everything, one that this page does not know nothing", () => {
  for (const may of [maySeeAlarms, maySeeMessages, mayTakeOn]) assert.deepEqual([may(null), may("inspector")], [true, false]);
});
