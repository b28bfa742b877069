// Calls of the API: asked, read by their shape, and answered with a value or a failure, never with an exception.

import { parse } from "../json.ts";
import { kindOfStatus, type Failure, type Result } from "../failure.ts";
import { problem } from "../api/problem.ts";
import type { Shape } from "../api/shape.ts";

export const BASE = "/api/v1";
/** A call that has no answer by then has none. */
const PATIENCE_MS = 30_000;

/** What must know that a call was refused for want of a session. */
let refused: () => void = () => undefined;
/** What must know that a call was refused until somebody has set another password. */
let mustChange: () => void = () => undefined;
/** What an unsafe call shows beside the cookie. */
let proof: string | null = null;

export function whenRefused(tell: () => void, tellToChange: () => void): void {
  refused = tell;
  mustChange = tellToChange;
}

export function provesItself(token: string | null): void {
  proof = token;
}

export async function get<T>(shape: Shape<T>, path: string, signal?: AbortSignal): Promise<Result<T>> {
  return call(shape, path, { method: "GET" }, signal);
}

export async function post<T>(shape: Shape<T>, path: string, body: object | null): Promise<Result<T>> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (proof !== null) headers["x-csrf-token"] = proof;
  return call(shape, path, { method: "POST", headers, body: body === null ? null : JSON.stringify(body) });
}

export async function remove(path: string): Promise<Result<null>> {
  return call(() => null, path, { method: "DELETE", headers: proof === null ? {} : { "x-csrf-token": proof } });
}

async function call<T>(shape: Shape<T>, path: string, init: RequestInit, signal?: AbortSignal): Promise<Result<T>> {
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort();
  }, PATIENCE_MS);
  const stop = () => {
    limit.abort();
  };
  signal?.addEventListener("abort", stop);
  try {
    const response = await fetch(BASE + path, { ...init, signal: limit.signal, credentials: "same-origin", cache: "no-store" });
    const text = await response.text();
    return response.ok ? read(shape, text) : { ok: false, failure: refusal(response.status, text) };
  } catch {
    // the network, or a stop: fetch throws for nothing else
    return failed("unreachable", null);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

function read<T>(shape: Shape<T>, text: string): Result<T> {
  try {
    return { ok: true, value: shape(text === "" ? null : parse(text), "") };
  } catch (fault) {
    return failed("unreadable", String(fault));
  }
}

/** Why a call was refused; whatever sits between may answer with something that is no problem document. */
export function refusal(status: number, text: string): Failure {
  if (status === 401) refused();
  const detail = read(problem, text);
  if (!detail.ok) return { kind: kindOfStatus(status), detail: `HTTP ${String(status)}` };
  const sort = detail.value.type.split(":").at(-1) ?? "";
  if (sort === "password-to-change") mustChange();
  return { kind: kindOfStatus(status), detail: detail.value.detail, sort };
}

function failed(kind: Failure["kind"], detail: string | null): { ok: false; failure: Failure } {
  return { ok: false, failure: { kind, detail } };
}
