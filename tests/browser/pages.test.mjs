// What holds for every page: it draws, complains of nothing, fits, keeps the rules of access, and runs no stored script.

import assert from "node:assert/strict";
import { get } from "node:http";
import { after, before, test } from "node:test";

import { launch, open, shown, url, violations, visit } from "./pages.mjs";

let browser;
let station;
before(async () => {
  browser = await launch();
  const context = await visit(browser);
  const { page } = await open(context, "/");
  // as the page asks: with whatever session it has
  const { stations } = await page.evaluate(async () => (await fetch("/api/v1/stations")).json());
  station = stations.find(({ state }) => state !== null && state !== "out_of_service");
  assert.ok(station, "the registry has a station that is judged");
  await context.close();
});
after(async () => browser.close());

const routes = () => ["/", `/s/${encodeURIComponent(station.id)}`, `/s/${encodeURIComponent(station.id)}?span=1y`, "/alarms", "/alarms?tab=history", "/outbox", "/wall", "/nothing"];

for (const [width, language, theme] of [[1440, "zh", "light"], [1440, "en", "dark"], [768, "zh", "dark"], [360, "zh", "light"], [360, "en", "light"]]) {
  test(`every page draws without a complaint and keeps the rules: ${width} ${language} ${theme}`, async () => {
    const context = await visit(browser, { width, language, theme });
    await shown(`rules ${width} ${language} ${theme}`, context, async () => {
      for (const route of routes()) {
        const { page, complaints } = await open(context, route);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${route} is ${over} px too wide`);
        assert.deepEqual(await violations(page), [], route);
        // what is not there is said to be not there, and a browser complains of that
        const others = complaints.filter((text) => route !== "/nothing" || !text.includes("404"));
        assert.deepEqual(others, [], route);
        await page.close();
      }
    });
  });
}

test("on a telephone the gauges of a station stand below one another, with all of their values", async () => {
  const context = await visit(browser, { width: 360, height: 740 });
  await shown("gauges", context, async () => {
    const { page } = await open(context, `/s/${encodeURIComponent(station.id)}`);
    const rows = page.locator(".gauges tbody tr");
    await rows.first().waitFor();
    const over = await page.locator(".gauges").evaluate((table) => table.scrollWidth - table.parentElement.clientWidth);
    assert.ok(over <= 0, `${over} px too wide`);
    for (const row of await rows.all()) {
      for (const cell of await row.getByRole("cell").all()) {
        const { x, width } = await cell.boundingBox();
        assert.ok(width > 0 && x >= 0 && x + width <= 360, `a cell at ${x}, ${width} px wide`);
        assert.match(await cell.textContent(), /\S/);
      }
    }
  });
});

test("a script in a station's name is shown and never run", async () => {
  const context = await visit(browser);
  await shown("script", context, async () => {
    for (const route of ["/", "/wall", "/alarms"]) {
      const { page, complaints } = await open(context, route);
      if (route !== "/alarms") await page.getByText('<img src=x onerror="window.pwned=1">').first().waitFor();
      assert.equal(await page.evaluate(() => window.pwned), undefined, route);
      assert.deepEqual(complaints, [], route);
      await page.close();
    }
  });
});

test("the overview lists every station, the worst first, and opens one by keyboard", async () => {
  const context = await visit(browser);
  await shown("overview", context, async () => {
    const { page } = await open(context, "/");
    const { stations } = await page.evaluate(async () => (await fetch("/api/v1/stations")).json());
    const rows = page.locator(".stations tbody tr");
    await rows.nth(stations.length - 1).waitFor();
    assert.equal(await rows.count(), stations.length);
    const order = ["is-breach", "is-stale", "is-near", "is-ok", "is-exempt", "is-out_of_service", "is-none"];
    const classes = await rows.evaluateAll((all) => all.map((row) => row.className));
    assert.deepEqual(classes, [...classes].sort((a, b) => order.indexOf(a) - order.indexOf(b)));
    await page.locator(".stations a").first().focus();
    await page.keyboard.press("Enter");
    await page.locator(".station h1").waitFor();
    await page.goBack();
    await page.locator(".stations").waitFor();
  });
});

test("a year is drawn and read out with the keyboard", async () => {
  const context = await visit(browser);
  await shown("year", context, async () => {
    const { page } = await open(context, `/s/${encodeURIComponent(station.id)}?span=1y`);
    await page.locator(".plot canvas").waitFor();
    await page.locator(".chart-canvas").focus();
    const before = await page.locator(".readout").textContent();
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction((text) => document.querySelector(".readout")?.textContent !== text, before);
    assert.match(await page.locator(".readout").textContent(), /\d{4}-\d\d-\d\d \d\d:\d\d–/);
  });
});

test("the first page comes in 60 KB, whatever a browser's coding is", async () => {
  const html = await (await fetch(url, { headers: { accept: "text/html" } })).text();
  const files = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.(?:js|css))"/g)].map(([, path]) => path);
  assert.ok(files.length >= 2, html);
  for (const coding of ["gzip", "br"]) {
    let bytes = 0;
    for (const path of ["/", ...files]) bytes += await weight(path, coding);
    assert.ok(bytes <= 60 * 1024, `${bytes} bytes as ${coding}`);
  }
});

/** What an answer weighs on its way; `fetch` would unpack it. */
function weight(path, coding) {
  return new Promise((resolve, reject) => {
    get(url + path, { headers: { "accept-encoding": coding, accept: "*/*" } }, (response) => {
      let bytes = 0;
      response.on("data", (piece) => { bytes += piece.length; });
      response.on("end", () => { resolve(bytes); });
    }).on("error", reject);
  });
}

test("a day of the strip is chosen with arrows and shows its arithmetic", async () => {
  const context = await visit(browser);
  await shown("strip", context, async () => {
    const { page } = await open(context, `/s/${encodeURIComponent(station.id)}`);
    await page.locator('.strip .day[tabindex="0"]').focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    await page.waitForURL(/day=\d{4}-\d\d-\d\d/);
    const day = new URL(page.url()).searchParams.get("day");
    await page.locator(".one-day h3").filter({ hasText: day }).waitFor();
    assert.equal(await page.locator(`[data-day="${day}"]`).getAttribute("aria-pressed"), "true");
  });
});

test("an open alarm stands at the top of its station's page, with the way to where it is taken on", async () => {
  const context = await visit(browser);
  await shown("station-alarm", context, async () => {
    const { page } = await open(context, "/s/BF-alarmed");
    await page.locator(".station-alarm").first().waitFor();
    const [alarm, figures] = await Promise.all([".station-alarm", ".figures"].map((what) => page.locator(what).first().boundingBox()));
    assert.ok(alarm.y < figures.y);
    await page.locator(".station-alarms a").click();
    await page.locator(".alarm-list").waitFor();
  });
});

test("of a station from which nothing comes every figure that is not current is dimmed, and says of when it is", async () => {
  const context = await visit(browser);
  await shown("old", context, async () => {
    const { page } = await open(context, "/s/BF-silent");
    await page.locator(".figures").waitFor();
    const figures = await page.locator(".figures > div").evaluateAll((all) => all.map((one) => [one.querySelector("dt").textContent, one.className]));
    assert.deepEqual(figures.filter(([, name]) => name !== "is-old").map(([label]) => label), ["核定流量"]);
    assert.match(figures.map(([label]) => label).join(" "), /今日至 (\d\d-\d\d )?\d\d:\d\d/);
    const { page: other } = await open(context, "/s/BF-alarmed");
    await other.locator(".figures").waitFor();
    assert.equal(await other.locator(".figures > .is-old").count(), 0);
  });
});

test("on a telephone what needs somebody comes first, and an old value says when it was read", async () => {
  const context = await visit(browser, { width: 360, height: 740 });
  await shown("first", context, async () => {
    const { page } = await open(context, "/");
    await page.locator(".area-alarms li").first().waitFor();
    const tops = [];
    for (const area of [".area-alarms", ".tiles", ".list", ".rates", ".area-rivers"]) tops.push((await page.locator(area).boundingBox()).y);
    assert.deepEqual(tops, [...tops].sort((a, b) => a - b));
    const old = page.locator('.stations tr.is-stale:has([href$="BF-silent"])');
    assert.match(await old.locator(".number").first().innerText(), /0\.620\s+测于 (\d\d-\d\d )?\d\d:\d\d/);
  });
});

for (const [width, height, language] of [[1920, 1080, "zh"], [1920, 1080, "en"], [3840, 2160, "zh"], [3840, 2160, "en"]]) {
  test(`the figures of the wall stand in one line, and none covers another: ${width} ${language}`, async () => {
    const context = await visit(browser, { width, height, language });
    await shown(`wall ${width} ${language}`, context, async () => {
      const { page } = await open(context, "/wall");
      await page.locator(".worst-alarm").first().waitFor();
      const boxes = await page.locator(".wall-figure, .wall .rates > div").evaluateAll((all) => all.map((one) => {
        const { left, right, top } = one.getBoundingClientRect();
        // what is in it may be wider than it is
        return { left, right: Math.max(right, left + one.scrollWidth), top };
      }));
      assert.equal(boxes.length, 5);
      for (const [place, { left, right, top }] of boxes.entries()) {
        assert.ok(top === boxes[0].top && right <= width && left >= (boxes[place - 1]?.right ?? 0), JSON.stringify(boxes));
      }
      const severities = { zh: /^(红|橙|黄|蓝)色/, en: /^(Red|Orange|Yellow|Blue)/ };
      assert.match(await page.locator(".worst-alarm").first().innerText(), severities[language], "severity is a word");
    });
  });
}

test("a browser that knows of no Chinese is spoken to in English until somebody chooses", async () => {
  for (const [locale, heading, other] of [["en-US", "Log in", "中文"], ["zh-CN", "登录", "English"]]) {
    const context = await visit(browser, { cookie: null, locale, language: null });
    await shown(`language-${locale}`, context, async () => {
      const page = await context.newPage();
      await page.goto(url);
      await page.locator(".login h1").filter({ hasText: heading }).waitFor();
      await page.getByRole("button", { name: other }).click();
      await page.locator(".login h1").filter({ hasText: heading }).waitFor({ state: "detached" });
      await page.reload();
      await page.locator(".login h1").waitFor();
      assert.notEqual(await page.locator(".login h1").innerText(), heading, "the choice stands");
    });
  }
});

test("the policy of every page allows nothing inline and nothing from elsewhere", async () => {
  const response = await fetch(`${url}/`, { headers: { accept: "text/html" } });
  const policy = response.headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src '(none|self)'/);
  assert.match(policy, /script-src 'self'/);
  assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval|https?:/);
  const html = await response.text();
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=/);
});
