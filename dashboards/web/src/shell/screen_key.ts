// What only this screen knows, kept until a link has opened it: whoever asks again with it is the one who asked first.

import { keyOf } from "../screen_link.ts";

const NAME = "baseflow.screen";
/** For a browser that forbids a page to keep anything: it is there until the page is loaded anew. */
let unkept: string | null = null;

export function screenKey(): string {
  const key = kept() ?? unkept ?? keyOf(crypto.getRandomValues(new Uint8Array(32)));
  unkept = key;
  try {
    localStorage.setItem(NAME, key);
  } catch {
    return key;
  }
  return key;
}

function kept(): string | null {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return null;
  }
}

export function forgetScreenKey(): void {
  unkept = null;
  try {
    localStorage.removeItem(NAME);
  } catch {
    return;
  }
}
