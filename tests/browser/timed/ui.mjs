// The pages by the clock, with a thousand stations that speak every ten seconds: `./run check --ui` starts this.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { launch, open, visit } from "../pages.mjs";

const STATIONS = 1_000;
/** Those that speak in one batch. */
const TOGETHER = 10;
/** How often each does, in a minute. */
const ROUNDS = 6;
/** Milliseconds from the store to the page, of a hundred values ninety-five. */
const LIVE_MS = 500;
/** From the last piece of a series to its chart. */
const CHART_MS = 300;
/** What a page may grow by, however long it is open: what is kept of an hour is not kept of a day. */
const GROWTH_BYTES = 4 * 1024 * 1024;
const minutes = Number(process.env["BASEFLOW_UI_MINUTES"]);
const committed = process.env["BASEFLOW_COMMITTED"];

let browser;
before(async () => {
  browser = await launch();
});
after(async () => browser.close());

test("a year is drawn within 300 ms after its data", async () => {
  const context = await visit(browser);
  await context.addInitScript(() => {
    // the last piece of the answer is there, and the canvas is done
    new PerformanceObserver((list) => {
      for (const { name, responseEnd } of list.getEntries()) if (name.includes("/series?")) window.arrived = responseEnd;
    }).observe({ type: "resource", buffered: true });
  });
  const { page } = await open(context, "/s/BF-year");
  await page.locator(".plot canvas").waitFor();
  const took = [];
  for (let round = 0; round < 5; round += 1) {
    await page.locator('[role="group"] button').filter({ hasText: "7 天" }).click();
    await page.locator('.segments button[aria-pressed="true"]').filter({ hasText: "7 天" }).waitFor();
    await page.evaluate(() => { performance.clearMarks(); window.arrived = undefined; });
    await page.locator('[role="group"] button').filter({ hasText: "1 年" }).click();
    await page.waitForFunction(() => window.arrived !== undefined && performance.getEntriesByName("baseflow-chart-drawn").some(({ startTime }) => startTime > window.arrived));
    took.push(await page.evaluate(() => performance.getEntriesByName("baseflow-chart-drawn").at(-1).startTime - window.arrived));
  }
  await context.close();
  const median = [...took].sort((a, b) => a - b)[2];
  console.log(`a year was drawn ${took.map((ms) => ms.toFixed(0)).join(", ")} ms after its data`);
  assert.ok(median <= CHART_MS, `${median} ms`);
});

test(`for ${minutes} minutes values are on the page within half a second of the store, and nothing grows`, async () => {
  const context = await visit(browser);
  const { page } = await open(context, "/");
  await page.waitForFunction((count) => document.querySelectorAll(".stop-flow").length === count, STATIONS);
  await page.locator(".chip.is-live").waitFor();
  await page.evaluate(watch);
  const debug = await context.newCDPSession(page);
  await debug.send("Performance.enable");
  const ends = performance.now() + minutes * 60_000;
  const sizes = [];
  const delays = [];
  do {
    // a tenth of the time between two looks, the first after what a page makes once
    await passes(page, Math.min(60_000, (minutes * 60_000) / 10));
    sizes.push(await size(debug));
    const seen = new Map(await page.evaluate(taken));
    for (const { first, value, at } of told()) {
      for (let number = first; number < first + TOGETHER; number += 1) {
        const moment = seen.get(`/s/BF-${String(number).padStart(4, "0")} ${value}`);
        if (moment !== undefined) delays.push(moment - at);
      }
    }
  } while (performance.now() < ends);
  await context.close();
  judgeDelays(delays);
  judgeSizes(sizes);
});

/** Waits for the page's own clock: a page that hangs lets nothing pass. */
async function passes(page, ms) {
  const until = (await page.evaluate(() => performance.now())) + ms;
  await page.waitForFunction((end) => performance.now() >= end, until, { polling: 250, timeout: ms + 30_000 });
}

/** In the page: notes when each station's value is first seen. */
function watch() {
  window.seen = new Map();
  const note = (stop) => {
    const [value] = stop.textContent.split(" / ");
    const name = `${stop.closest("a").getAttribute("href")} ${value}`;
    if (!window.seen.has(name)) window.seen.set(name, Date.now());
  };
  new MutationObserver((changes) => {
    const stops = new Set();
    for (const { target } of changes) {
      const stop = (target.nodeType === Node.TEXT_NODE ? target.parentElement : target)?.closest?.(".stop-flow");
      if (stop) stops.add(stop);
    }
    for (const stop of stops) note(stop);
  }).observe(document.querySelector(".rivers"), { subtree: true, childList: true, characterData: true });
}

/** In the page: what was seen since, which is forgotten. */
function taken() {
  const seen = [...window.seen];
  window.seen = new Map();
  return seen;
}

function told() {
  return readFileSync(committed, "utf8").split("\n").filter((line) => line.endsWith("}")).map((line) => JSON.parse(line));
}

async function size(debug) {
  await debug.send("HeapProfiler.collectGarbage");
  const { metrics } = await debug.send("Performance.getMetrics");
  const of = (wanted) => metrics.find(({ name }) => name === wanted)?.value ?? Number.NaN;
  return { heap: of("JSHeapUsedSize"), nodes: of("Nodes"), listeners: of("JSEventListeners") };
}

function judgeDelays(delays) {
  const sorted = [...delays].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  console.log(`${sorted.length} values were on the page ${at(0.5)} ms (median), ${at(0.95)} ms (95 of 100) and ${at(1)} ms (the latest) after the store had them`);
  assert.ok(sorted.length >= STATIONS * minutes * ROUNDS * 0.9, `only ${sorted.length} values were seen`);
  assert.ok(at(0.95) <= LIVE_MS, `${at(0.95)} ms`);
}

function judgeSizes(sizes) {
  const [first] = sizes;
  const last = sizes.at(-1);
  const mib = (bytes) => (bytes / 1024 / 1024).toFixed(1);
  console.log(`the heap was ${sizes.map(({ heap }) => mib(heap)).join(", ")} MiB, ${first.nodes} nodes became ${last.nodes}, ${first.listeners} listeners ${last.listeners}`);
  assert.ok(last.heap - first.heap <= GROWTH_BYTES, `it grew by ${mib(last.heap - first.heap)} MiB`);
  assert.ok(last.nodes <= first.nodes * 1.1 + 100, `${first.nodes} nodes became ${last.nodes}`);
  assert.ok(last.listeners <= first.listeners * 1.1 + 10, `${first.listeners} listeners became ${last.listeners}`);
}
