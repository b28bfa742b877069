// Who is let in: by name and password, until they leave, and not after too many wrong ones.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, logIn, madePassword, open, password, shown, url, violations, visit, wallToken } from "./pages.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(async () => browser.close());

/** A browser that nobody is logged in at, with a page of this address. */
async function stranger(path, options = {}) {
  const context = await visit(browser, { cookie: null, ...options });
  const page = await context.newPage();
  await page.goto(url + path);
  await page.locator(".login h1").waitFor();
  return { context, page };
}

async function fill(page, name, word) {
  await page.locator("#name").fill(name);
  await page.locator("#password").fill(word);
  await page.keyboard.press("Enter");
}

test("who has a password is let in at the page that was asked for, and out again", async () => {
  const { context, page } = await stranger("/alarms");
  await shown("login", context, async () => {
    assert.equal((await page.request.get(`${url}/api/v1/stations`)).status(), 401);
    assert.deepEqual(await violations(page), []);
    await fill(page, "duty", `${password}x`);
    await page.getByText("用户名或密码不正确").waitFor();
    await fill(page, "DUTY", password);
    await page.locator(".alarms h1").waitFor();
    await page.locator(".chip.is-live").waitFor();
    const [cookie] = await context.cookies();
    assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, "Lax", "/"]);
    assert.equal(await page.evaluate(() => document.cookie), "", "no script can read it");
    await page.reload();
    await page.locator(".alarms h1").waitFor();
    const { page: other } = await open(context, "/");
    await page.getByRole("button", { name: "退出登录" }).click();
    // the other tab is told as well, since its stream ends with the session
    for (const tab of [page, other]) await tab.locator(".login h1").waitFor({ timeout: 10_000 });
    assert.equal((await page.request.get(`${url}/api/v1/stations`)).status(), 401);
    const kept = { ...cookie, url, path: undefined, domain: undefined };
    await context.addCookies([kept]);
    assert.equal((await page.request.get(`${url}/api/v1/stations`)).status(), 401, "what was kept opens nothing");
  });
});

test("after five wrong passwords even the right one is not looked at", async () => {
  const { context, page } = await stranger("/", { width: 360 });
  await shown("locked", context, async () => {
    for (let round = 0; round < 5; round += 1) {
      const answered = page.waitForResponse((response) => response.url().endsWith("/session") && response.request().method() === "POST");
      await fill(page, "careless", `Wrong-${round}`);
      assert.equal((await answered).status(), 401);
      await page.locator('.login button[aria-disabled="false"]').first().waitFor();
    }
    await fill(page, "careless", password);
    await page.getByText("尝试次数过多").waitFor();
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${over} px too wide`);
    assert.deepEqual(await violations(page), []);
    // somebody else is let in from here all the same
    await logIn("viewer");
  });
});

test("a viewer sees alarms, is told that another role takes them on, and is offered nothing that is refused", async () => {
  const context = await visit(browser, { cookie: await logIn("viewer") });
  await shown("viewer", context, async () => {
    let asked = 0;
    context.on("request", (request) => {
      if (new URL(request.url()).pathname === "/api/v1/notifications") asked += 1;
    });
    const { page } = await open(context, "/alarms");
    const alarm = page.locator(".alarm.stands-unacknowledged").first();
    await alarm.getByText("确认需要值班权限").waitFor();
    assert.equal(await page.locator(".alarm .button.is-first").count(), 0);
    await alarm.focus();
    await page.keyboard.press("a");
    await page.keyboard.press("Enter");
    await alarm.locator(".timeline li").first().waitFor();
    assert.equal(await page.locator('a[href^="/outbox"]').count(), 0);
    assert.ok((await page.locator(".alarm.stands-unacknowledged").count()) > 0);
    const { page: outbox, complaints } = await open(context, "/outbox");
    await outbox.getByText("查看通知需要值班权限").waitFor();
    assert.deepEqual([asked, complaints], [0, []]);
  });
});

test("who has a made password sets another one before anything else, and can change it later", async () => {
  const { context, page } = await stranger("/alarms", { width: 360 });
  await shown("made", context, async () => {
    await fill(page, "newcomer", madePassword);
    await page.locator("#next").waitFor();
    assert.deepEqual(await violations(page), []);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${over} px too wide`);
    assert.equal((await page.request.get(`${url}/api/v1/stations`)).status(), 403);
    await change(page, madePassword, "short");
    await page.getByText("新密码须为 8 至 128 个字符").waitFor();
    await change(page, `${madePassword}x`, "Zz9-other");
    await page.getByText("当前密码不正确").waitFor();
    await change(page, madePassword, "Zz9-other");
    await page.locator(".alarms h1").waitFor();
    await page.locator(".chip.is-live").waitFor();
    await page.goto(`${url}/password`);
    await page.locator("#next").waitFor();
    await change(page, "Zz9-other", password);
    await page.getByText("密码已修改").waitFor();
    assert.equal((await page.request.get(`${url}/api/v1/stations`)).status(), 200);
    await logIn("newcomer");
  });
});

/** Ends a session from elsewhere, as a new password of its user does. */
async function endSession({ name, value }) {
  const headers = { cookie: `${name}=${value}` };
  const { csrf } = await (await fetch(`${url}/api/v1/session`, { headers })).json();
  const ended = await fetch(`${url}/api/v1/session`, { method: "DELETE", headers: { ...headers, "x-csrf-token": csrf } });
  assert.equal(ended.status, 204);
}

async function change(page, current, next) {
  await page.locator("#password").fill(current);
  await page.locator("#next").fill(next);
  await page.locator("#again").fill(next);
  await page.keyboard.press("Enter");
}

test("a screen shows the wall by its link, which opens nothing any more, and nothing else", async () => {
  const context = await visit(browser, { cookie: null, width: 1920, height: 1080 });
  await shown("wall", context, async () => {
    const asked = [];
    context.on("request", (request) => asked.push(request.url()));
    const links = [];
    // first a network that wants a log-in answers, then the server does and its answer is lost: the link is not lost
    const onTheWay = [
      (route) => route.fulfill({ status: 200, contentType: "text/html", body: "<title>Log in</title>" }),
      async (route) => {
        assert.equal((await route.fetch()).status(), 200);
        await route.abort();
      },
    ];
    await context.route("**/session/wall", async (route) => {
      links.push(route.request().postDataJSON());
      await (onTheWay[links.length - 1] ?? ((last) => last.continue()))(route);
    });
    const page = await context.newPage();
    await page.goto(`${url}/wall#${wallToken}`);
    await page.getByText("应答不是来自本系统").waitFor();
    await page.getByText("服务器没有应答").waitFor();
    // whoever loads the page anew asks by the same key
    await page.reload();
    await page.locator(".wall .chip.is-live").waitFor();
    const complaints = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    assert.equal(links.length, 3);
    assert.deepEqual(links.map(({ key }) => key === links[0].key), [true, true, true]);
    assert.equal(await page.evaluate(() => localStorage.getItem("baseflow.screen")), null, "the key is forgotten");
    assert.equal(new URL(page.url()).hash, "", "the secret is not in the address any more");
    assert.deepEqual(asked.filter((address) => address.includes(wallToken)), []);
    await page.reload();
    await page.locator(".wall .chip.is-live").waitFor();
    assert.deepEqual(complaints, []);
    assert.equal(await page.evaluate(() => document.cookie), "", "no script can read it");
    await page.goto(url);
    await page.locator(".login h1").waitFor();
    assert.equal((await page.request.get(`${url}/api/v1/alarms`)).status(), 403);
    // somebody logs in at it for a while, and it is a screen again afterwards, however they leave
    await fill(page, "viewer", password);
    await page.locator(".overview, .figures, .rivers").first().waitFor();
    await page.getByRole("button", { name: "退出登录" }).click();
    await page.locator(".wall .chip.is-live").waitFor();
    await page.getByRole("link", { name: "返回" }).click();
    await fill(page, "viewer", password);
    await page.getByRole("button", { name: "退出登录" }).waitFor();
    await page.locator(".chip.is-live").waitFor();
    const cookies = await context.cookies();
    const session = cookies.find(({ name }) => !name.endsWith("-wall"));
    await endSession(session);
    await page.locator(".wall .chip.is-live").waitFor();
    assert.equal(new URL(page.url()).pathname, "/wall");
  });
  const late = await visit(browser, { cookie: null });
  await shown("late", late, async () => {
    const page = await late.newPage();
    await page.goto(`${url}/wall#${wallToken}`);
    await page.getByText("此大屏链接无效或已被其他屏幕使用").waitFor();
  });
});

test("a link that the server does not take is told and not sent again and again", async () => {
  const context = await visit(browser, { cookie: null, width: 360 });
  await shown("refused", context, async () => {
    let asked = 0;
    context.on("request", (request) => { asked += Number(request.url().endsWith("/session/wall")); });
    const page = await context.newPage();
    await page.clock.install();
    await page.goto(`${url}/wall#bf_${"0".repeat(5_000)}`);
    await page.getByText("服务器没有接受此大屏链接").waitFor();
    await page.clock.runFor(60_000);
    assert.equal(asked, 1);
    assert.deepEqual(await violations(page), []);
  });
});

test("a screen that waits for the server says so and keeps the rules", async () => {
  for (const [width, language] of [[360, "en"], [1920, "zh"]]) {
    const context = await visit(browser, { cookie: null, width, language });
    await shown("waits", context, async () => {
      await context.route("**/session/wall", (route) => route.abort());
      const page = await context.newPage();
      await page.goto(`${url}/wall#bf_${"0".repeat(64)}`);
      await page.locator(".is-waiting h1").waitFor();
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${over} px too wide`);
      assert.deepEqual(await violations(page), []);
    });
  }
});
