// A picture of every page in every size and language, for people to look at. Not asked for, there are none.

import { mkdirSync } from "node:fs";
import { after, before, test } from "node:test";

import { launch, link, open, url, visit } from "./pages.mjs";

const folder = process.env["BASEFLOW_PICTURES"];
const SIZES = [[1440, 900], [768, 1024], [360, 740]];
const PAGES = { overview: "/", station: "/s/BF-history", below: "/s/BF-alarmed", alarms: "/alarms", history: "/alarms?tab=history", outbox: "/outbox", wall: "/wall", missing: "/nothing" };

let browser;
before(async () => {
  if (folder !== undefined) browser = await launch();
});
after(async () => browser?.close());

for (const [width, height] of SIZES) {
  for (const language of ["zh", "en"]) {
    test(`pictures ${width} ${language}`, { skip: folder === undefined }, async () => {
      mkdirSync(folder, { recursive: true });
      const picture = async (page, name) => page.screenshot({ path: `${folder}/${name}-${width}-${language}.png`, fullPage: true });
      const context = await visit(browser, { width, height, language });
      for (const [name, path] of Object.entries(PAGES)) {
        const { page } = await open(context, path);
        if (name === "station") await page.locator(".plot canvas").waitFor();
        await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
        await picture(page, name);
        await page.close();
      }
      await context.close();
      const out = await visit(browser, { width, height, language, cookie: null });
      const page = await out.newPage();
      await page.goto(url);
      await page.locator(".login h1").waitFor();
      await picture(page, "login");
      await page.goto(`${url}${link}?lang=${language}`);
      await picture(page, "link");
      await out.close();
    });
  }
}
