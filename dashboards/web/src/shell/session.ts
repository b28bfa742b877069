// Who looks: a cookie that scripts cannot read says so, and the server refuses whoever has none.

import { signal } from "@preact/signals";

import { flag, members, optional, words, type Of } from "../api/shape.ts";
import { isForNow, type Result } from "../failure.ts";
import { isAskedAgain, screenLinkAfter, type ScreenLink } from "../screen_link.ts";
import { asking } from "./asking.ts";
import { get, post, provesItself, remove, whenRefused } from "./call.ts";
import { forgetScreenKey, screenKey } from "./screen_key.ts";

const session = members({ name: words, role: words, csrf: optional(words), must_change_password: flag });
export type Session = Of<typeof session>;

/** `unknown` until the first answer; `out` asks for a login, and what is on the page stays. */
export type Standing = "unknown" | "in" | "out";

export const standing = signal<Standing>("unknown");
export const who = signal<Session | null>(null);
/** Whether somebody was logged in until the server knew them no longer. */
export const hasLapsed = signal(false);
/** Why a link for a screen on a wall has opened nothing. */
export const screenLink = signal<ScreenLink | null>(null);
/** What could not be asked for is asked for again so soon. */
const AGAIN_MS = 5_000;
/** Whose role this page was last drawn for; what it knows is theirs. */
let drawnFor: string | null = null;

/** One more with each login, so that whatever was refused is asked again. */
export const logins = signal(0);

/** Tabs tell one another that somebody came or left: only one of them has the stream that would say so. */
const tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel("baseflow-session-1") : null;
if (tabs !== null) tabs.onmessage = () => void find();

whenRefused(() => {
  if (standing.peek() === "in") hasLapsed.value = true;
  left();
}, () => void find());

/** Asks who looks, until somebody answers: a screen is one again as soon as the server is there. */
export const find = asking(async () => {
  const result = await get(session, "/session");
  took(result);
  return result.ok || !isForNow(result.failure);
}, soon);

function soon(call: () => void): () => void {
  const timer = setTimeout(call, AGAIN_MS);
  return () => {
    clearTimeout(timer);
  };
}

export async function logIn(name: string, password: string): Promise<Result<Session>> {
  const result = await post(session, "/session", { name, password });
  took(result);
  if (result.ok) tabs?.postMessage("in");
  return result;
}

/** Sets another password; the session goes on under another cookie. */
export async function changePassword(password: string, next: string): Promise<Result<Session>> {
  const result = await post(session, "/session/password", { password, new: next });
  if (result.ok) {
    took(result);
    // whatever was refused until now is asked again, and the stream begins anew with what opens it
    logins.value += 1;
    tabs?.postMessage("in");
  }
  return result;
}

/**
 * Opens a screen on a wall by the link that leads to this page. Its secret stands behind `#`, which no browser sends
 * to a server and no server logs. It leaves the address once the server has answered to it: until then it is tried
 * again, also by a page that was loaded anew meanwhile, for it opens a screen once and is made by hand. A link that
 * the server cannot read stays there, for whoever is to look at it.
 */
export const openScreen = asking(async () => {
  const token = location.hash.slice(1);
  if (location.pathname !== "/wall" || !token.startsWith("bf_")) return true;
  const result = await post(session, "/session/wall", { token, key: screenKey() });
  const link = screenLinkAfter(result);
  screenLink.value = link;
  if (isAskedAgain(link)) return false;
  if (link !== "refused") {
    history.replaceState(null, "", location.pathname);
    forgetScreenKey();
  }
  took(result);
  return true;
}, soon);

/** Whoever cannot be logged out, since the server does not answer, is not shown as if they were. */
export async function logOut(): Promise<void> {
  const result = await remove("/session");
  if (result.ok) left();
}

function left(): void {
  const was = standing.value;
  who.value = null;
  provesItself(null);
  standing.value = "out";
  if (was !== "in") return;
  tabs?.postMessage("out");
  // where somebody was logged in on a screen, it is a screen again
  void find();
}

function took(result: Result<Session>): void {
  if (!result.ok) return;
  const isScreen = result.value.role === "wall";
  if (drawnFor !== null && (drawnFor === "wall") !== isScreen) {
    // a screen sees less than a person: what this page knows is for the one or the other, so it begins anew
    if (isScreen) location.replace("/wall");
    else location.reload();
    return;
  }
  drawnFor = result.value.role;
  hasLapsed.value = false;
  who.value = result.value;
  provesItself(result.value.csrf);
  const wasOut = standing.value === "out";
  standing.value = "in";
  if (wasOut) logins.value += 1;
}
