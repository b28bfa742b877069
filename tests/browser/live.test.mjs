// What moves: a page says when it stops being current, comes back by itself, and one connection serves all tabs.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, open, serverPid, shown, url, visit } from "./pages.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(async () => browser.close());

/** Two missed beats, and what a look at the clock and the way take. */
const STALE_LIMIT = 10_000;
const BACK_LIMIT = 10_000;

test("a stopped server makes the page say so within ten seconds, and it comes back by itself", async () => {
  const context = await visit(browser);
  await shown("stale", context, async () => {
    const { page } = await open(context, "/");
    await page.locator(".chip.is-live").waitFor();
    const rows = await page.locator(".stations tbody tr").count();
    process.kill(serverPid, "SIGSTOP");
    try {
      await page.locator(".stale-band").waitFor({ timeout: STALE_LIMIT });
      assert.equal(await page.locator(".stations tbody tr").count(), rows, "what was known stays");
      assert.match(await page.locator(".stale-band").textContent(), /数据截至 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d/);
    } finally {
      process.kill(serverPid, "SIGCONT");
    }
    await page.locator(".stale-band").waitFor({ state: "detached", timeout: BACK_LIMIT });
    await page.locator(".chip.is-live").waitFor();
  });
});

test("where as many look live as may, alarms and stations are asked for, and the page says so", async () => {
  const context = await visit(browser);
  await shown("refused", context, async () => {
    await context.route("**/api/v1/live", (route) => route.fulfill({
      status: 503,
      contentType: "application/problem+json",
      body: JSON.stringify({ type: "urn:baseflow:problem:unavailable", title: "-", status: 503, detail: "as many look live as may" }),
    }));
    const { page } = await open(context, "/alarms", { isLive: false });
    await page.locator(".alarm.stands-unacknowledged").first().waitFor({ timeout: STALE_LIMIT });
    await page.locator(".stale-band").filter({ hasText: "服务器暂不接受更多实时连接" }).waitFor();
    assert.equal(await page.getByText("服务器没有应答").count(), 0);
    const { page: overview } = await open(context, "/", { isLive: false });
    await overview.locator(".stations tbody tr").first().waitFor();
    await overview.locator(".chip.is-polled").waitFor({ timeout: STALE_LIMIT });
    await context.unroute("**/api/v1/live");
    for (const tab of [page, overview]) await tab.locator(".chip.is-live").waitFor({ timeout: BACK_LIMIT });
    assert.equal(await page.locator(".stale-band").count(), 0);
  });
});

test("eight tabs have one connection, and when its tab goes another one takes it", async () => {
  const context = await visit(browser);
  await shown("tabs", context, async () => {
    let streams = 0;
    context.on("request", (request) => {
      if (new URL(request.url()).pathname === "/api/v1/live") streams += 1;
    });
    const pages = [];
    for (let tab = 0; tab < 8; tab += 1) {
      const { page } = await open(context, "/");
      await page.locator(".chip.is-live").waitFor();
      pages.push(page);
    }
    assert.equal(streams, 1);
    await pages[0].close();
    await context.waitForEvent("request", { predicate: (request) => request.url().endsWith("/api/v1/live"), timeout: BACK_LIMIT });
    await pages[7].waitForFunction(() => document.querySelector(".chip.is-live") !== null);
    assert.equal(await pages[7].locator(".stale-band").count(), 0);
  });
});

test("a tab that holds the connection and sleeps loses it to one that is seen", async () => {
  const context = await visit(browser);
  await shown("asleep", context, async () => {
    // a page of the same origin that is none of ours takes the lock and never says anything
    const asleep = await context.newPage();
    await asleep.goto(`${url}/api/v1/openapi.json`);
    await asleep.evaluate(() => new Promise((held) => {
      void navigator.locks.request("baseflow-live-1", () => {
        held(undefined);
        return new Promise(() => undefined);
      }).catch(() => undefined);
    }));
    const { page } = await open(context, "/alarms", { isLive: false });
    await page.locator(".chip.is-live").waitFor({ timeout: STALE_LIMIT + BACK_LIMIT });
    await page.locator(".stale-band").waitFor({ state: "detached" });
  });
});

test("one gesture asks for one alarm, whatever comes into its place, and the next gesture for another", async () => {
  const context = await visit(browser);
  await shown("gesture", context, async () => {
    const asked = [];
    // nothing is taken on by this
    await context.route("**/api/v1/alarms/*/acknowledge", (route) => {
      asked.push(new URL(route.request().url()).pathname.split("/").at(-2));
      return route.fulfill({
        status: 503,
        contentType: "application/problem+json",
        body: JSON.stringify({ type: "urn:baseflow:problem:unavailable", title: "-", status: 503, detail: "-" }),
      });
    });
    const { page } = await open(context, "/alarms");
    await page.locator(".alarm .button.is-first").nth(1).waitFor();
    await page.evaluate(() => {
      for (const button of document.querySelectorAll(".alarm .button.is-first")) button.click();
    });
    await page.locator(".said").filter({ hasText: /./ }).waitFor();
    assert.equal(asked.length, 1);
    const second = page.locator(".alarm").filter({ has: page.locator(".button.is-first") }).nth(1);
    const id = await second.getAttribute("data-alarm");
    await second.focus();
    const limit = Date.now() + BACK_LIMIT;
    while (asked.length < 2 && Date.now() < limit) await page.keyboard.press("a");
    assert.equal(asked[1], id);
    // a key that is held down says so of what it repeats
    await page.keyboard.down("a");
    for (let again = 0; again < 40; again += 1) await page.keyboard.down("a");
    await page.keyboard.up("a");
    assert.ok(asked.length <= 3, `${String(asked.length)} are asked for`);
  });
});

test("an alarm is taken on with the keyboard alone, and every tab hears of it", async () => {
  const context = await visit(browser);
  await shown("alarm", context, async () => {
    const { page: other } = await open(context, "/alarms");
    const { page, complaints } = await open(context, "/");
    // from the top of the page: the way to the console, then to the first alarm, then its button
    await reach(page, 'a[href="/alarms"]');
    await page.keyboard.press("Enter");
    await page.locator(".alarm").first().waitFor();
    const item = page.locator(".alarm.stands-unacknowledged").first();
    const id = await item.getAttribute("data-alarm");
    await reach(page, `[data-alarm="${id}"] .button.is-first`);
    await page.keyboard.press("Enter");
    for (const tab of [page, other]) {
      await tab.locator(`[data-alarm="${id}"].stands-acknowledged`).waitFor();
    }
    assert.match(await page.locator(".said").textContent(), /已确认/);
    const focused = await page.evaluate(() => document.activeElement?.closest("[data-alarm]")?.getAttribute("data-alarm"));
    assert.equal(focused, id, "who works with keys stays where they were");
    assert.deepEqual(complaints, []);
  });
});

test("arrows find the alarms without a tab key, and a click on a button keeps the keys at its alarm", async () => {
  const context = await visit(browser);
  await shown("arrows", context, async () => {
    const { page } = await open(context, "/alarms");
    await page.locator(".alarm").nth(1).waitFor();
    const at = () => page.evaluate(() => document.activeElement?.closest("[data-alarm]")?.getAttribute("data-alarm"));
    const ids = await page.locator(".alarm").evaluateAll((all) => all.map((one) => one.dataset.alarm));
    await page.keyboard.press("ArrowDown");
    assert.equal(await at(), ids[0]);
    await page.keyboard.press("ArrowDown");
    assert.equal(await at(), ids[1]);
    const id = await page.locator(".alarm.stands-unacknowledged").first().getAttribute("data-alarm");
    await page.locator(`[data-alarm="${id}"] .button.is-first`).click();
    await page.locator(`[data-alarm="${id}"].stands-acknowledged`).waitFor();
    assert.equal(await at(), id);
    // from a button that has gone to the alarm beside it, with no other key before
    const isFirst = (await page.locator(".alarm").first().getAttribute("data-alarm")) === id;
    await page.keyboard.press(isFirst ? "ArrowDown" : "ArrowUp");
    assert.ok((await at()) !== id && ids.includes(await at()), "it goes on from there");
  });
});

/** Presses Tab until something has the focus. */
async function reach(page, selector) {
  for (let step = 0; step < 80; step += 1) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`the tab key does not come to ${selector}`);
}
