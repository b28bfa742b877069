// The browser's two clocks: one says what time it is, the other how long something took.

import { signal } from "@preact/signals";

/** What time it is by the browser; shown only where the server has not said better. */
export function now(): number {
  return Date.now();
}

/** Milliseconds from anywhere, never back: for patience. */
export function patience(): number {
  return performance.now();
}

/** The browser's time, once a second while the page is seen. */
export const second = signal(now());

setInterval(() => {
  if (!document.hidden) second.value = now();
}, 1_000);
