// What an answer to the link of a screen on a wall means: whether it is over with it, and what a person is told.

import type { Result } from "./failure.ts";

/**
 * `waits`: there is no answer yet. `intercepted`: something between answered in the server's place, as a wireless
 * network does that wants a log-in. `used`: nobody has such a link, or another screen opened it. `refused`: the server
 * does not take it as it came, and would not a second time. The first two are asked again.
 */
export type ScreenLink = "waits" | "intercepted" | "used" | "refused";

/** Null where the link has opened the screen. */
export function screenLinkAfter(result: Result<unknown>): ScreenLink | null {
  if (result.ok) return null;
  const { kind, sort } = result.failure;
  switch (kind) {
    case "unreachable":
    case "broken":
    case "crowded": return "waits";
    case "unreadable": return "intercepted";
    case "missing": return isOurs(sort) ? "used" : "intercepted";
    case "unauthorized":
    case "forbidden":
    case "conflict":
    case "refused": return isOurs(sort) ? "refused" : "intercepted";
  }
}

/** Our server says of every refusal which sort it is, and nobody else does. */
function isOurs(sort: string | undefined): boolean {
  return sort !== undefined;
}

export function isAskedAgain(link: ScreenLink | null): boolean {
  return link === "waits" || link === "intercepted";
}

/** A key that only this screen has, of random bytes: by it the server knows whose link it was whose answer got lost. */
export function keyOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
