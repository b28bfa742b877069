// The picture of the README in both languages: `./run picture` starts this.

import { mkdirSync, statSync } from "node:fs";

import { launch, open, visit } from "../pages.mjs";

/** A picture that is larger slows whoever reads. */
const LIMIT = 200 * 1024;
const folder = process.env["BASEFLOW_PICTURES"];
mkdirSync(folder, { recursive: true });
const browser = await launch();
for (const language of ["zh", "en"]) {
  const context = await visit(browser, { width: 1280, height: 740, language, reducedMotion: "reduce" });
  const { page } = await open(context, "/");
  await page.locator(".chip.is-live").waitFor();
  // one of the stations falls below its mandate in the first minute
  await page.locator(".stop.is-breach").first().waitFor({ timeout: 120_000 });
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  const file = `${folder}/overview.${language}.png`;
  await page.screenshot({ path: file });
  await context.close();
  const { size } = statSync(file);
  console.log(`${file}: ${size} bytes`);
  if (size > LIMIT) throw new Error(`${file} is larger than ${LIMIT} bytes`);
}
await browser.close();
