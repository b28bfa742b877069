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

whenRefused(() => {
  standing.value = "out";
});

/** Asks who looks. A server without sessions says 404, and its answers themselves say who is refused. */
export async function find(): Promise<void> {
  took(await get(session, "/session"));
}

export async function logIn(name: string, password: string): Promise<Result<Session>> {
  const result = await post(session, "/session", { name, password });
  took(result);
  if (result.ok) logins.value += 1;
  return result;
}

export async function logOut(): Promise<void> {
  await remove("/session");
  who.value = null;
  standing.value = "out";
}

function took(result: Result<Session>): void {
  if (!result.ok) return;
  who.value = result.value;
  provesItself(result.value.csrf);
  standing.value = "in";
}
