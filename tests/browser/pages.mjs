// One Chromium for all tests: opens pages as somebody who is logged in, and keeps what they complain of.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

function needed(name) {
  const value = process.env[name];
  if (value === undefined || value === "") throw new Error(`${name} is not set; README.md says what it is`);
  return value;
}

export const url = needed("BASEFLOW_URL");
export const serverPid = Number(needed("BASEFLOW_PID"));
/** Where the page behind the link in a message stands. */
export const link = needed("BASEFLOW_LINK");
export const password = needed("BASEFLOW_PASSWORD");
/** Of somebody who was just added, and of a screen's link: each is good once. */
export const madePassword = process.env["BASEFLOW_MADE_PASSWORD"] ?? "";
export const wallToken = process.env["BASEFLOW_WALL_TOKEN"] ?? "";
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Rules that every page keeps. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export async function launch() {
  return chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });
}

/** Logs somebody in, and gives the cookie. */
export async function logIn(name) {
  const response = await fetch(`${url}/api/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name, password }),
  });
  if (!response.ok) throw new Error(`${name} is not let in: ${await response.text()}`);
  const [pair] = response.headers.get("set-cookie").split(";");
  const [cookie, value] = pair.split("=");
  return { name: cookie, value, url, httpOnly: true, sameSite: "Lax" };
}

/** Somebody on duty is logged in once for all tests of a file. */
let onDuty;

/**
 * A browser of its own: nothing is kept in it but who is logged in, and its clock is in another zone than any
 * station's.
 */
export async function visit(browser, { width = 1440, height = 900, language = "zh", theme = "light", cookie = undefined, ...more } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    timezoneId: "America/New_York",
    locale: "en-US",
    ...more,
  });
  if (cookie !== null) {
    onDuty ??= await logIn("duty");
    await context.addCookies([cookie ?? onDuty]);
  }
  // as a choice that was made before; without one the browser's languages count
  if (language !== null) await context.addInitScript((chosen) => localStorage.setItem("baseflow.language", chosen), language);
  return context;
}

/** Opens an address; `complaints` fills with whatever the page writes to its console, or throws. */
export async function open(context, path, { isLive = true } = {}) {
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (fault) => complaints.push(String(fault)));
  await page.goto(url + path);
  await page.locator("h1").first().waitFor();
  if (isLive) await page.locator(".loading").first().waitFor({ state: "detached" });
  return { page, complaints };
}

/** What axe finds, one line each. The page's policy lets no script in, so it goes past it through the debugger. */
export async function violations(page) {
  const debug = await page.context().newCDPSession(page);
  await debug.send("Page.setBypassCSP", { enabled: true });
  const found = await page.evaluate(
    async ({ source, rules }) => {
      new Function(source).call(window);
      const { violations } = await window.axe.run(document, { runOnly: rules });
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).slice(0, 3).join("; ")}`);
    },
    { source: axe, rules: RULES },
  );
  await debug.detach();
  return found;
}

/** Runs a test's body, and keeps a picture of every page where it fails. */
export async function shown(name, context, body) {
  try {
    await body();
  } catch (fault) {
    mkdirSync("failed", { recursive: true });
    for (const [place, page] of context.pages().entries()) {
      await page.screenshot({ path: `failed/${name.replace(/\W+/g, "-")}-${place}.png` });
    }
    throw fault;
  } finally {
    await context.close();
  }
}
