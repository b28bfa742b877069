// Stations in the order in which they need somebody: the worst first.

import { compare, type Decimal } from "./decimal.ts";
import { STATES, type LiveSection, type Section, type State, type Station, type VerdictWord } from "./api/station.ts";

/** How one section stands, wherever that was told. */
export type Standing = Omit<Section, "id" | "outlets"> & { readonly section: string };

/** A station as a list shows it. */
export interface Row {
  readonly station: Station;
  /** Its sections, `dam` first. */
  readonly standings: readonly Standing[];
  /** The gravest of them; null where none is judged. */
  readonly gravest: Standing | null;
  readonly state: State | null;
  /** What the gravest one releases of what is required, as the server says it. */
  readonly share: Decimal | null;
}

/** What the registry says of stations, with how they stand. Without live sections, as the list of stations has it. */
export function rows(
  stations: readonly Station[],
  live: ReadonlyMap<string, LiveSection> | null,
  known: ReadonlyMap<string, Row> = new Map(),
): readonly Row[] {
  return stations.map((station) => {
    const standings = station.sections.map((section) => standing(station, section, live));
    const before = known.get(station.id);
    return before?.station === station && isSame(before.standings, standings) ? before : row(station, standings);
  });
}

/** Less than 0 where `a` needs somebody sooner. */
export function worstFirst(a: Row, b: Row): number {
  return rank(a.state) - rank(b.state) || byShare(a, b) || bySince(a, b) || byId(a, b);
}

/** Which rows are of that state and have what is looked for in a name, a river, a county or an id. */
export function filtered(list: readonly Row[], state: State | null, search: string, counties: ReadonlyMap<string, string>): readonly Row[] {
  const wanted = search.trim().toLowerCase();
  return list.filter((row) => {
    const { id, name, river, county } = row.station;
    const isWanted = [id, name, river ?? "", county ?? "", counties.get(county ?? "") ?? ""].some((text) => text.toLowerCase().includes(wanted));
    return isWanted && (state === null || row.state === state);
  });
}

/** How many stations are what, the gravest first. */
export function tally(list: readonly Row[]): ReadonlyMap<State, number> {
  const counts = new Map<State, number>(STATES.map((state) => [state, 0]));
  for (const { state } of list) if (state !== null) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

/** Whether what a section says of itself is of a time that is over: nothing has come since. */
export function isOld({ state }: Standing): boolean {
  return state === "stale";
}

/**
 * Since when a section stands as it does: where nothing comes of it any more since its last reading, from which
 * everybody counts one loss. How long its outlets may be silent before that is said is no part of it.
 */
export function sinceOf({ state, since, released }: Standing): number | null {
  return state === "stale" && since !== null && released !== null ? Math.min(released.at, since) : since;
}

/** How many sections are short right now whose day is met so far, as their rules count it. */
export function shortNow(list: readonly Row[]): number {
  const all = list.flatMap(({ standings }) => standings);
  return all.filter(({ state, today }) => state === "breach" && today?.verdict === "met").length;
}

/** What a day would be, were it over now: of the gravest section that has one. */
export function todayWord(row: Row): VerdictWord | null {
  return row.gravest?.today?.verdict ?? null;
}

function row(station: Station, standings: readonly Standing[]): Row {
  const judged = standings.filter(({ state }) => state !== null);
  const gravest = [...judged].sort((a, b) => rank(a.state) - rank(b.state))[0] ?? null;
  return {
    station,
    standings,
    gravest,
    state: station.status === "exited" ? "out_of_service" : (gravest?.state ?? null),
    share: gravest?.share ?? null,
  };
}

function standing(station: Station, section: Section, live: ReadonlyMap<string, LiveSection> | null): Standing {
  const { id, outlets: _outlets, ...known } = section;
  if (live === null) return { section: id, ...known };
  const told = live.get(`${station.id}/${id}`);
  // of a section that the stream does not name nothing is said any more
  if (told === undefined) return { ...known, section: id, state: null, since: null, today: null };
  return told;
}

/** The same objects: what the stream has not replaced is as it was. */
function isSame(before: readonly Standing[], after: readonly Standing[]): boolean {
  return before.length === after.length && before.every((standing, place) => standing === after[place]);
}

function rank(state: State | null): number {
  return state === null ? STATES.length : STATES.indexOf(state);
}

/** Where water is known to be missing, the smaller share first; of the others nothing is compared. */
function byShare(a: Row, b: Row): number {
  if (a.state !== "breach" && a.state !== "near") return 0;
  if (a.share === null || b.share === null) return Number(a.share === null) - Number(b.share === null);
  return compare(a.share, b.share);
}

/** What has lasted longer first. */
function bySince(a: Row, b: Row): number {
  return (a.gravest?.since ?? Number.MAX_SAFE_INTEGER) - (b.gravest?.since ?? Number.MAX_SAFE_INTEGER);
}

function byId(a: Row, b: Row): number {
  return a.station.id < b.station.id ? -1 : a.station.id > b.station.id ? 1 : 0;
}
