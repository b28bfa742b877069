// What the API describes is what the pages read: answers made of `dashboards/openapi.json` have their shapes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { alarms, alarmWithTimeline, notifications } from "../src/api/alarm.ts";
import { told } from "../src/api/event.ts";
import { problem } from "../src/api/problem.ts";
import { series } from "../src/api/series.ts";
import { registry } from "../src/api/registry.ts";
import type { Shape } from "../src/api/shape.ts";
import { station, stations } from "../src/api/station.ts";
import { verdicts } from "../src/api/verdict.ts";
import { parse, type Json } from "../src/json.ts";

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

const file = process.env["BASEFLOW_OPENAPI"] ?? "../openapi.json";
const schemas = (JSON.parse(readFileSync(file, "utf8")) as { components: { schemas: Record<string, Schema> } }).components.schemas;

/** Which shape reads which answer. */
const READ: readonly (readonly [string, Shape<unknown>])[] = [
  ["Registry", registry],
  ["Stations", stations],
  ["Station", station],
  ["Verdicts", verdicts],
  ["Alarms", alarms],
  ["AlarmWithTimeline", alarmWithTimeline],
  ["Notifications", notifications],
  ["Problem", problem],
  ["LiveEvent", told],
  ["Series", series],
];

/** An answer as a schema describes it: `isFull` with everything, else with what must be there alone, and null where it may be. */
function answer(schema: Schema, isFull: boolean): unknown {
  if (schema.$ref !== undefined) return answer(schemas[schema.$ref.split("/").at(-1) ?? ""] ?? {}, isFull);
  if (schema.allOf !== undefined) return Object.assign({}, ...schema.allOf.map((part) => answer(part, isFull))) as unknown;
  if (schema.oneOf !== undefined) return isFull ? answer(schema.oneOf.find(({ type }) => type !== "null") ?? {}, true) : null;
  const types = typeof schema.type === "string" ? [schema.type] : (schema.type ?? ["object"]);
  if (!isFull && types.includes("null")) return null;
  switch (types.find((type) => type !== "null")) {
    case "string": return schema.format === "date-time" ? "2026-11-22T00:00:00Z" : "text";
    case "integer": return 7;
    case "number": return 0.75;
    case "boolean": return true;
    case "array": return isFull ? [answer(schema.items ?? {}, true)] : [];
    default: return object(schema, isFull);
  }
}

function object(schema: Schema, isFull: boolean): Record<string, unknown> {
  const all = Object.entries(schema.properties ?? {});
  const there = all.filter(([name]) => isFull || (schema.required ?? []).includes(name));
  const extra = typeof schema.additionalProperties === "object" ? { word: answer(schema.additionalProperties, isFull) } : {};
  return { ...extra, ...Object.fromEntries(there.map(([name, part]) => [name, answer(part, isFull)])) };
}

for (const [name, shape] of READ) {
  test(`the pages read ${name} as it is described`, () => {
    const schema = schemas[name];
    assert.ok(schema, `${name} is not described`);
    for (const isFull of [true, false]) {
      const made: Json = parse(JSON.stringify(answer(schema, isFull)));
      assert.doesNotThrow(() => shape(made, ""), `${name}, ${isFull ? "everything" : "the least"}`);
    }
  });
}
