// The mark of a state: a shape of its own beside its colour, since colour alone tells too few people.

import type { JSX } from "preact";

import type { State, VerdictWord } from "../api/station.ts";
import { useTexts } from "./language.tsx";

/** What has a mark; `none` is what nothing is said of. */
export type Marked = State | "none";

/**
 * Shapes in a square of 16: disc, diamond, triangle, hollow square, cross, barred ring, dash. Each is made where it is
 * drawn: an element that is kept for good remembers where it was drawn first, and with that every picture since.
 */
const SHAPES: Record<Marked, () => JSX.Element> = {
  ok: () => <circle cx="8" cy="8" r="5.5" />,
  near: () => <path d="M8 1.5 14.5 8 8 14.5 1.5 8z" />,
  breach: () => <path d="M.8 2h14.4L8 15.2z" />,
  exempt: () => <rect x="3" y="3" width="10" height="10" class="hollow" />,
  stale: () => <path d="M3 3l10 10M13 3 3 13" class="stroke" />,
  out_of_service: () => <path d="M4 12 12 4M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11z" class="hollow" />,
  none: () => <path d="M3 8h10" class="stroke" />,
};

export function Mark({ state, size = 16 }: { readonly state: Marked; readonly size?: number }): JSX.Element {
  return (
    <svg class={`mark is-${state}`} viewBox="0 0 16 16" width={size} height={size} aria-hidden="true">
      {SHAPES[state]()}
    </svg>
  );
}

/** The mark with its word. */
export function StateWord({ state }: { readonly state: State | null }): JSX.Element {
  const t = useTexts();
  return (
    <span class={`state is-${state ?? "none"}`}>
      <Mark state={state ?? "none"} />
      {state === null ? t.overview.unjudged : t.states[state]}
    </span>
  );
}

/** A verdict has the mark of the state that is like it. */
export function markOfVerdict(verdict: VerdictWord | null): Marked {
  switch (verdict) {
    case "met": return "ok";
    case "short": return "breach";
    case "exempt": return "exempt";
    case "indeterminate": return "stale";
    case null: return "none";
  }
}
