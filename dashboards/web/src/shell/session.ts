// Who looks: a cookie that scripts cannot read says so, and the server refuses whoever has none.

import { signal } from "@preact/signals";

import { members, optional, words, type Of } from "../api/shape.ts";
import type { Result } from "../failure.ts";
import { get, post, provesItself, remove, whenRefused } from "./call.ts";

const session = members({ name: words, role: words, csrf: optional(words) });
export type Session = Of<typeof session>;

/** `unknown` until the first answer; `out` asks for a login, and what is on the page stays. */
export type Standing = "unknown" | "in" | "out";

export const standing = signal<Standing>("unknown");
export const who = signal<Session | null>(null);
/** One more with each login, so that whatever was refused is asked again. */
export const logins = signal(0);

/** Tabs tell one another that somebody came or left: only one of them has the stream that would say so. */
const tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel("baseflow-session-1") : null;
if (tabs !== null) tabs.onmessage = () => void find();

whenRefused(left);

/** Asks who looks. */
export async function find(): Promise<void> {
  took(await get(session, "/session"));
}

export async function logIn(name: string, password: string): Promise<Result<Session>> {
  const result = await post(session, "/session", { name, password });
  took(result);
  if (result.ok) tabs?.postMessage("in");
  return result;
}

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
  if (was === "in") tabs?.postMessage("out");
}

function took(result: Result<Session>): void {
  if (!result.ok) return;
  who.value = result.value;
  provesItself(result.value.csrf);
  if (standing.value === "out") logins.value += 1;
  standing.value = "in";
}
