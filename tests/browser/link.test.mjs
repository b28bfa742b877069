// The page behind the link in a message, on a telephone without scripts: it shows the alarm and takes it on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, link, shown, url, visit } from "./pages.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(async () => browser.close());

test("an alarm is taken on from a message without a script and without a log-in", async () => {
  const context = await visit(browser, { width: 360, height: 640, cookie: null, javaScriptEnabled: false });
  await shown("link", context, async () => {
    const page = await context.newPage();
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(url + link);
    assert.deepEqual(asked, [url + link], "it loads nothing else");
    await page.getByRole("button", { name: "确认" }).focus();
    await page.keyboard.press("Enter");
    await page.getByText("已由您确认").waitFor();
    assert.equal(await page.getByRole("button").count(), 0);
    assert.deepEqual(await context.cookies(), []);
  });
});

test("the page behind a link comes in one flight", async () => {
  for (const language of ["zh", "en"]) {
    const bytes = (await (await fetch(`${url}${link}?lang=${language}`)).arrayBuffer()).byteLength;
    assert.ok(bytes > 500 && bytes <= 14 * 1024, `${bytes} bytes, not compressed`);
  }
});

test("a page of ours says in both languages that it needs a script", async () => {
  const response = await fetch(url, { headers: { accept: "text/html" } });
  const [, without] = /<noscript>([^]*)<\/noscript>/.exec(await response.text()) ?? [];
  assert.match(without ?? "", /此页面需要 JavaScript[^]*This page needs JavaScript/);
});
