// Why something could not be shown or done, as a page says it.

import type { Texts } from "./texts/zh.ts";

export type FailureKind =
  | "unreachable"
  | "unreadable"
  | "unauthorized"
  | "forbidden"
  | "missing"
  | "conflict"
  | "broken"
  | "crowded"
  | "refused";

export interface Failure {
  readonly kind: FailureKind;
  /** What the server says of it, for whoever helps; it is English. */
  readonly detail: string | null;
  /** The server's word for it, which stays the same; none where the server said nothing. */
  readonly sort?: string;
}

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

/** A thing that is fetched: what is known of it stays while it is fetched again, or cannot be. */
export interface Loaded<T> {
  readonly value: T | null;
  readonly failure: Failure | null;
  /** Since when it fails, by the browser's clock. */
  readonly failingSince: number | null;
}

export const NOT_LOADED = { value: null, failure: null, failingSince: null } as const;

/** What is known after an answer. */
export function loaded<T>(before: Loaded<T>, result: Result<T>, now: number): Loaded<T> {
  if (result.ok) return { value: result.value, failure: null, failingSince: null };
  return { value: before.value, failure: result.failure, failingSince: before.failingSince ?? now };
}

export function kindOfStatus(status: number): FailureKind {
  switch (status) {
    case 401: return "unauthorized";
    case 403: return "forbidden";
    case 404: return "missing";
    case 409: return "conflict";
    case 408:
    case 425:
    case 429: return "crowded";
    default: return status >= 500 ? "broken" : "refused";
  }
}

/** What is refused for want of a network or of room, or by something between, is not refused for good. */
export function isForNow({ kind }: Failure): boolean {
  return kind === "unreachable" || kind === "unreadable" || kind === "broken" || kind === "crowded";
}

/** Whether the same question may be answered another time; what a role may not see it may not see then either. */
export function isWorthAgain({ kind }: Failure): boolean {
  return kind !== "forbidden" && kind !== "unauthorized";
}

/** After how long what was answered so is asked for again; null: not by itself. */
export function againAfter(result: Result<unknown>, everyMs: number | null, retryMs: number): number | null {
  if (result.ok) return everyMs;
  const { failure } = result;
  if (failure.kind === "unreachable" || failure.kind === "broken" || failure.kind === "crowded") return retryMs;
  return isWorthAgain(failure) ? everyMs : null;
}

/** Why there is no live stream: one's own share is used up, or the server has no room for another one. */
export function noStreamText(t: Texts, why: Failure): string {
  if (why.kind === "crowded") return t.link.refusedOwn;
  return why.sort === "unavailable" ? t.link.refused : failureText(t, why);
}

/** By the server's word where there is a text for it, else by what kind of failure it is. */
export function failureText(t: Texts, { kind, sort }: Failure): string {
  const said = sort === undefined ? undefined : t.load.sorts[sort];
  if (said !== undefined) return said;
  switch (kind) {
    case "unreachable": return t.load.unreachable;
    case "unreadable": return t.load.unreadable;
    case "unauthorized":
    case "forbidden": return t.load.forbidden;
    case "missing": return t.load.missing;
    case "broken":
    case "crowded": return t.load.broken;
    case "conflict":
    case "refused": return t.load.failed;
  }
}
