// What stands where something is not there yet, is not there at all, or could not be had.

import type { ComponentChildren, JSX } from "preact";

import { failureText, isWorthAgain, type Loaded } from "../failure.ts";
import { secondText } from "../time.ts";
import { useTexts } from "./language.tsx";
import { useSite } from "./site.tsx";

/** Grey lines where something will be; they appear after a while only, so that a quick answer does not flicker. */
export function Loading({ lines = 6 }: { readonly lines?: number }): JSX.Element {
  const t = useTexts();
  return (
    <div class="loading" role="status">
      <span class="unseen">{t.load.loading}</span>
      {Array.from({ length: lines }, (_, place) => (
        <span key={place} class="bone" />
      ))}
    </div>
  );
}

/** A sentence with a moment in it, which no line break tears apart. */
export function Dated({ text, at }: { readonly text: (at: string) => string; readonly at: string }): JSX.Element {
  const [before, after] = text(at).split(at);
  return <>{before}<span class="moment">{at}</span>{after}</>;
}

/** One sentence, and what to do next. */
export function Empty({ title, children }: { readonly title: string; readonly children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** What failed, since when, and the way to try again. */
export function Failed({ of, again }: { readonly of: Loaded<unknown>; readonly again: () => void }): JSX.Element | null {
  const t = useTexts();
  const { zone } = useSite();
  const { failure, failingSince } = of;
  if (failure === null) return null;
  return (
    <div class="failed" role="alert">
      <p>
        <strong>{t.load.failed}</strong>
        {failingSince === null ? null : <span class="muted"> <Dated text={t.load.since} at={secondText(failingSince, zone)} /></span>}
      </p>
      <p>{failureText(t, failure)}</p>
      {failure.detail === null ? null : <p class="detail">{t.load.serverSays}<span lang="en">{failure.detail}</span></p>}
      {isWorthAgain(failure) ? <button type="button" class="button" onClick={again}>{t.load.again}</button> : null}
    </div>
  );
}

/** A thing once it is there; what failed stands above what is known from before. */
export function Known<T>(props: {
  readonly of: Loaded<T>;
  readonly again: () => void;
  readonly lines?: number;
  readonly children: (value: T) => ComponentChildren;
}): JSX.Element {
  const { of, again, lines, children } = props;
  return (
    <>
      <Failed of={of} again={again} />
      {of.value === null ? of.failure === null ? <Loading {...(lines === undefined ? {} : { lines })} /> : null : children(of.value)}
    </>
  );
}
