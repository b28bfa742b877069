// What the pages know: the live state, the registry's stations, and both together in rows.

import { computed, effect, signal, untracked } from "@preact/signals";

import { registry as registryShape } from "../api/registry.ts";
import { stations as stationsShape, type Station } from "../api/station.ts";
import { loaded, NOT_LOADED, type Failure, type Loaded, type Result } from "../failure.ts";
import { opening, step, type Live } from "../live.ts";
import { rows as rowsOf, type Row } from "../order.ts";
import { NOT_POLLED, picture, saidOnce, type Polled } from "../picture.ts";
import { UNKNOWN_SITE, type SiteFacts } from "../view/site.tsx";
import { get } from "./call.ts";
import { now, patience, second } from "./clock.ts";
import { logins, standing, who } from "./session.ts";
import { follow } from "./stream.ts";

/** Stations in a page of the API. */
const PAGE = 1_000;
/** So long the first list waits for the snapshot that says which registry it is of. */
const FIRST_MS = 1_000;
/** A list that failed is asked for again so often. */
const AGAIN_MS = 5_000;

export const live = signal<Live>(opening(patience()));
/** What is asked for where the stream is not to be had (`poll.ts`). */
export const polled = signal<Polled>(NOT_POLLED);
/** What the server said instead of a stream. */
export const refusal = signal<Failure | null>(null);
export const stations = signal<Loaded<readonly Station[]>>(NOT_LOADED);
/** What holds for all of them; what was known stays where it cannot be asked for again. */
export const site = signal<SiteFacts>(UNKNOWN_SITE);

/** What the pages show of both. */
export const shown = computed(() => picture(live.value, polled.value, refusal.value));

/** The list as pages show it. */
export const listed = computed(() => saidOnce(stations.value, shown.value.link));

let before: ReadonlyMap<string, Row> = new Map();

/** Every station as it stands; a row of which nothing has changed is the same object. */
export const rows = computed<readonly Row[]>(() => {
  const known = stations.value.value ?? [];
  const made = rowsOf(known, shown.value.sections, before);
  before = new Map(made.map((row) => [row.station.id, row]));
  return made;
});

/** As of when the page speaks: the server's clock, and the browser's until that has spoken. */
export const asOf = computed(() => shown.value.at ?? second.value);

/** Begins to follow the stream, and to ask for the stations of each registry. */
export function begin(stop: AbortSignal): void {
  follow(
    {
      known: () => live.value,
      mayAsk,
      told: (name, id, told) => {
        live.value = step(live.value, { kind: "told", name, id, told }, patience());
      },
      adopted: (known, ageMs) => {
        if (known.at !== null) live.value = { ...known, heardMs: patience() - ageMs };
      },
      refused: (why) => {
        refusal.value = why;
      },
    },
    stop,
  );
  const look = setInterval(() => {
    if (stop.aborted) clearInterval(look);
    else live.value = step(live.value, { kind: "looked" }, patience());
  }, 500);
  const registry = computed(() => live.value.registry);
  const isTold = computed(() => live.value.at !== null);
  const hasWaited = signal(false);
  setTimeout(() => {
    hasWaited.value = true;
  }, FIRST_MS);
  effect(() => {
    // each registry, and each login, has its own; a list from before the snapshot would be asked for twice
    void registry.value;
    void logins.value;
    if (isTold.value || hasWaited.value) untracked(() => void load());
  });
}

/** Whether asking is worth it: not while nobody is logged in. */
export function mayAsk(): boolean {
  return standing.value !== "out" && !mustChange();
}

/** Whoever has to set a password first is answered nothing before. */
function mustChange(): boolean {
  return who.peek()?.must_change_password === true;
}

let asked = 0;

/** Asks for all stations, `isPatient` until they are told, and says whether they were; the answer to an earlier question never replaces that to a later one. */
export async function load(isPatient = true): Promise<boolean> {
  asked += 1;
  const mine = asked;
  if (!mayAsk()) return false;
  const [facts, result] = await Promise.all([get(registryShape, "/registry"), all()]);
  if (mine !== asked) return result.ok;
  if (facts.ok) {
    const { zone, counties, rivers } = facts.value;
    site.value = { zone, counties: new Map(counties.map(({ id, name }) => [id, name])), rivers };
  }
  stations.value = loaded(stations.peek(), result, now());
  const isRefused = !result.ok && result.failure.kind === "unauthorized";
  if (isPatient && (!result.ok || !facts.ok) && !isRefused) {
    setTimeout(() => {
      if (mine === asked) void load();
    }, AGAIN_MS);
  }
  return result.ok;
}

async function all(): Promise<Result<readonly Station[]>> {
  const found: Station[] = [];
  let cursor: string | null = null;
  do {
    const more: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await get(stationsShape, `/stations?limit=${String(PAGE)}${more}`);
    if (!page.ok) return page;
    found.push(...page.value.stations);
    cursor = page.value.next;
  } while (cursor !== null);
  return { ok: true, value: found };
}
