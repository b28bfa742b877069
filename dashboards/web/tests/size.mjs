// What the built pages weigh, gzipped, against their limits; fails beyond one.

import { readFileSync, readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";

const KIB = 1024;
const LIMITS = { initial: 60 * KIB, lazy: 40 * KIB, all: 200 * KIB };
const dist = new URL("../dist/", import.meta.url);
const weigh = (name) => gzipSync(readFileSync(new URL(name, dist)), { level: 9 }).length;

const html = readFileSync(new URL("index.html", dist), "utf8");
const assets = readdirSync(new URL("assets/", dist)).filter((name) => /\.(js|css)$/.test(name));
const isInitial = (name) => html.includes(name);
const sizes = assets.map((name) => ({ name, bytes: weigh(`assets/${name}`), isInitial: isInitial(name) }));
const sum = (list) => list.reduce((total, { bytes }) => total + bytes, 0);

const initial = sum(sizes.filter((asset) => asset.isInitial)) + weigh("index.html");
const lazy = Math.max(0, ...sizes.filter((asset) => !asset.isInitial).map(({ bytes }) => bytes));
const all = sum(sizes);
for (const { name, bytes, isInitial: first } of sizes) {
  console.log(`${String(bytes).padStart(7)} ${first ? "initial" : "lazy   "} ${name}`);
}
console.log(`initial ${initial} of ${LIMITS.initial}, largest lazy ${lazy} of ${LIMITS.lazy}, all ${all} of ${LIMITS.all}`);
if (initial > LIMITS.initial || lazy > LIMITS.lazy || all > LIMITS.all) process.exit(1);
