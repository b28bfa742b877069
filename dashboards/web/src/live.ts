// What is known live: a snapshot and the deltas after it, and whether it is known to be current.
//
// The page is a function of this state. Nothing here knows a connection: events come in, and a look at the clock
// tells when what is known is stale.

import type { Alarm } from "./api/alarm.ts";
import type { Told } from "./api/event.ts";
import type { LiveCounts, LiveSection } from "./api/station.ts";

/** Between two beats of the server. */
export const BEAT_MS = 3_000;
/** After so long without an event two beats are missing, and half of one for the way. */
export const STALE_MS = 2.5 * BEAT_MS;

/** `opening`: nothing is known yet; `live`: it is current; `stale`: it was, until `at`. */
export type Link = "opening" | "live" | "stale";

export interface Live {
  readonly link: Link;
  /** Where whoever comes next goes on; null: with a snapshot. */
  readonly lastEventId: string | null;
  /** Up to which moment of the server everything is told. */
  readonly at: number | null;
  /** When the last event came, or this began; by a clock that counts from anywhere and never back. */
  readonly heardMs: number;
  /** Which registry is in force. */
  readonly registry: number | null;
  readonly counts: LiveCounts | null;
  /** By `STATION/SECTION`. */
  readonly sections: ReadonlyMap<string, LiveSection>;
  /** Alarms that are not over, by id. */
  readonly alarms: ReadonlyMap<string, Alarm>;
}

export type LiveEvent =
  | { readonly kind: "told"; readonly name: string; readonly id: string; readonly told: Told }
  | { readonly kind: "looked" };

/** Nothing is known at `nowMs`. */
export function opening(nowMs: number): Live {
  return {
    link: "opening",
    lastEventId: null,
    at: null,
    heardMs: nowMs,
    registry: null,
    counts: null,
    sections: new Map(),
    alarms: new Map(),
  };
}

/** What is known after an event, or after a look at the clock. */
export function step(live: Live, event: LiveEvent, nowMs: number): Live {
  switch (event.kind) {
    case "looked":
      return live.link !== "stale" && nowMs - live.heardMs >= STALE_MS ? { ...live, link: "stale" } : live;
    case "told":
      return told(live, event.name, event.id, event.told, nowMs);
  }
}

/** When a look at the clock may change something. */
export function deadline(live: Live): number | null {
  return live.link === "stale" ? null : live.heardMs + STALE_MS;
}

function told(live: Live, name: string, id: string, what: Told, nowMs: number): Live {
  const heard = { link: "live", at: what.at, heardMs: nowMs, lastEventId: id } as const;
  switch (name) {
    case "snapshot":
      return {
        ...heard,
        registry: what.registry?.entry ?? null,
        counts: what.counts,
        sections: byName(what.sections ?? [], sectionName),
        alarms: byName(what.alarms ?? [], (alarm) => alarm.id),
      };
    case "delta":
      return delta(live, id, what, heard);
    case "beat":
      // a beat of what is not known says only that somebody speaks
      return comesAfter(live.lastEventId, id) === "unknown" ? forgotten(live) : { ...live, ...heard };
    default:
      return live;
  }
}

type Heard = Pick<Live, "link" | "at" | "heardMs" | "lastEventId">;

function delta(live: Live, id: string, what: Told, heard: Heard): Live {
  switch (comesAfter(live.lastEventId, id)) {
    case "unknown":
      return forgotten(live);
    case "known":
      return live;
    case "next":
      return {
        ...live,
        ...heard,
        registry: what.registry?.entry ?? live.registry,
        counts: what.counts ?? live.counts,
        sections: replaced(live.sections, what.sections, sectionName, what.sections_gone),
        alarms: replaced(live.alarms, what.alarms, (alarm) => alarm.id, what.alarms_gone),
      };
  }
}

/** What is on the page stays, and the next connection begins with a snapshot. */
function forgotten(live: Live): Live {
  return live.lastEventId === null ? live : { ...live, lastEventId: null };
}

/**
 * Whether an event of this id adds to what is known: ids are `LIFE-NUMBER-WHAT` (`docs/formats.md` §17), and what is
 * told twice, by a tab that takes over from another, counts once.
 */
function comesAfter(known: string | null, id: string): "next" | "known" | "unknown" {
  const [life, number] = (known ?? "").split("-");
  const [ofLife, ofNumber] = id.split("-");
  if (life === "" || life === undefined || life !== ofLife) return "unknown";
  return Number(ofNumber) > Number(number) ? "next" : "known";
}

export function sectionName(section: { readonly station: string; readonly section: string }): string {
  return `${section.station}/${section.section}`;
}

function byName<T>(items: readonly T[], name: (item: T) => string): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [name(item), item]));
}

/** The same map where nothing of it is other than before. */
function replaced<T>(
  known: ReadonlyMap<string, T>,
  items: readonly T[] | null,
  name: (item: T) => string,
  gone: readonly string[] | null,
): ReadonlyMap<string, T> {
  if ((items?.length ?? 0) === 0 && (gone?.length ?? 0) === 0) return known;
  const next = new Map(known);
  for (const item of items ?? []) next.set(name(item), item);
  for (const item of gone ?? []) next.delete(item);
  return next;
}
