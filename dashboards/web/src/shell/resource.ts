// A thing of the API for as long as it is shown: fetched, fetched again, and kept while that fails.

import { useEffect, useRef, useState } from "preact/hooks";

import { againAfter, loaded, NOT_LOADED, type Loaded, type Result } from "../failure.ts";
import { now } from "./clock.ts";
import { logins } from "./session.ts";

/** After a failure it is asked for again so soon. */
const AGAIN_MS = 5_000;

export interface Resource<T> extends Loaded<T> {
  readonly again: () => void;
}

/**
 * What `fetcher` brings. Another `key` is another thing, of which nothing is known yet; `refresh` asks again for the
 * same one, as does `everyMs` while the page is seen. Without a fetcher there is nothing to ask for.
 */
export function useResource<T>(
  key: string,
  fetcher: ((signal: AbortSignal) => Promise<Result<T>>) | null,
  refresh: unknown = null,
  everyMs: number | null = null,
): Resource<T> {
  const [state, setState] = useState<{ key: string; known: Loaded<T> }>({ key, known: NOT_LOADED });
  const [asked, setAsked] = useState(0);
  const latest = useRef(fetcher);
  latest.current = fetcher;
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      if (document.hidden && everyMs !== null) {
        timer = setTimeout(() => void ask(), everyMs);
        return;
      }
      const result = await latest.current?.(stop.signal);
      if (result === undefined || stop.signal.aborted) return;
      setState((before) => ({ key, known: loaded(before.key === key ? before.known : NOT_LOADED, result, now()) }));
      const next = againAfter(result, everyMs, AGAIN_MS);
      if (next !== null) timer = setTimeout(() => void ask(), next);
    };
    void ask();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key, refresh, everyMs, asked, logins.value]);
  const known = state.key === key ? state.known : NOT_LOADED;
  return {
    ...known,
    again: () => {
      setAsked((before) => before + 1);
    },
  };
}
