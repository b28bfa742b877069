// The rules of `CONVENTIONS.md` that a machine can see, for the pages.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

// the runner starts this from the folder of the package
const root = process.cwd();
const folders = ["src", "tests"];
const files = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name}`)
    .filter((name) => /\.(ts|tsx|mjs|css|svg)$/.test(name)),
);
const read = (name: string) => readFileSync(join(root, name), "utf8");

/** What waits, reads, asks the time or touches the page. */
const IMPURE =
  /\b(async|await|Promise|fetch|setTimeout|setInterval|requestAnimationFrame|localStorage|sessionStorage|navigator|globalThis|console|Date\.now|performance|new Date\(\)|Math\.random)\b|\b(?:document|window)\.\w/;

function shipped(text: string): string[] {
  return text.split("\n").filter((line) => !/^\s*(\/\/|\/?\*)/.test(line));
}

test("every file says in its first line what it is about", () => {
  const opening = /^(\/\/ \S|\/\* \S|<!-- \S)/;
  assert.deepEqual(files.filter((name) => !opening.test(read(name))), []);
});

test("nothing outside shell/ waits, reads, writes or knows the time", () => {
  const pure = files.filter((name) => /^src\/.*\.tsx?$/.test(name) && !name.includes("/shell/") && !/\.test\.ts$|^src\/main\.tsx$/.test(name));
  assert.ok(pure.length > 15);
  const faults = pure.flatMap((name) => shipped(read(name)).filter((line) => IMPURE.test(line.replace(/"[^"]*"|`[^`]*`/g, ""))).map((line) => `${name}: ${line.trim()}`));
  assert.deepEqual(faults, []);
});

test("no file is longer than 400 lines, and nothing is left to do, silenced or printed", () => {
  const code = files.filter((name) => !/\.test\.ts$/.test(name));
  assert.deepEqual(code.filter((name) => read(name).split("\n").length > 401), []);
  const left = /\bTODO\b|\bFIXME\b|@ts-|\bas any\b|\bconsole\./;
  assert.deepEqual(code.filter((name) => name.startsWith("src/") && left.test(read(name))), []);
});

test("no moment is rounded before something is taken from it: a length of time would be a minute short", () => {
  const rounded = /%\s*MINUTE_MS|MINUTE_MS\s*\)?\s*\*\s*MINUTE_MS|\bminute\(/;
  const lengths = ["src/words.ts"]; // a length is split there, once
  const faults = files.filter((name) => /^src\/.*\.tsx?$/.test(name) && !name.endsWith(".test.ts") && !lengths.includes(name));
  assert.deepEqual(faults.filter((name) => rounded.test(read(name).replace(/\/\/.*/g, ""))), []);
});

test("styles ask nothing of a browser that the oldest one lacks, and markup makes nothing of text", () => {
  const styles = files.filter((name) => name.endsWith(".css"));
  const late = /color-mix\(|:has\(|@container|anchor-name|oklch\(|@scope|text-wrap|^\s+&/m;
  assert.deepEqual(styles.filter((name) => late.test(read(name).replace(/@supports[^{]*\{/g, ""))), []);
  assert.deepEqual(files.filter((name) => /^src\//.test(name) && /dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacentHTML|\beval\(/.test(read(name))), []);
});

test("no element is made once for all: it would keep every picture that it was ever part of", () => {
  const views = files.filter((name) => /^src\/.*\.tsx$/.test(name));
  const kept = /^(export )?const \w+[^=]*= *\(?<[A-Za-z]|^ {2}\w+: *\(?<[A-Za-z]/m;
  assert.deepEqual(views.filter((name) => kept.test(read(name))), []);
});
