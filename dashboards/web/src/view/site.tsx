// What holds for all stations, for whatever is drawn.

import { createContext } from "preact";
import { useContext } from "preact/hooks";

import type { RiverFacts } from "../api/registry.ts";
import { ZONE } from "../time.ts";

export interface SiteFacts {
  /** By whose clocks is told what is of no station. */
  readonly zone: string;
  /** What counties are called, by their codes. */
  readonly counties: ReadonlyMap<string, string>;
  /** In the server's order; null before they are known. */
  readonly rivers: readonly RiverFacts[] | null;
}

export const UNKNOWN_SITE: SiteFacts = { zone: ZONE, counties: new Map(), rivers: null };

export const Site = createContext<SiteFacts>(UNKNOWN_SITE);

export function useSite(): SiteFacts {
  return useContext(Site);
}
