// The river schematic: the rivers in the server's order, with the stations that they have.

import type { RiverFacts } from "./api/registry.ts";
import type { Row } from "./order.ts";

/** A river; without facts: stations of which the registry names none. */
export interface River {
  readonly facts: RiverFacts | null;
  /** From source to mouth. */
  readonly stations: readonly Row[];
  /** Stations of which nobody knows where on it they are. */
  readonly unplaced: readonly Row[];
}

/**
 * The server says which rivers there are and which station is where; what is on none of them comes last, unless it lets
 * no water into any: a station that watches the air has no place here.
 */
export function rivers(list: readonly Row[], known: readonly RiverFacts[]): readonly River[] {
  const rows = new Map(list.map((row) => [row.station.id, row]));
  const take = (ids: readonly string[]) => ids.flatMap((id) => {
    const row = rows.get(id);
    rows.delete(id);
    return row === undefined ? [] : [row];
  });
  const found: River[] = known.map((facts) => {
    const placed = facts.stations.length - facts.unplaced;
    return { facts, stations: take(facts.stations.slice(0, placed)), unplaced: take(facts.stations.slice(placed)) };
  });
  const elsewhere = [...rows.values()].filter(({ station }) => station.sections.length > 0);
  return elsewhere.length === 0 ? found : [...found, { facts: null, stations: [], unplaced: elsewhere }];
}

/** The neighbours of a station along the water, as the server says. */
export function neighbours(list: readonly Row[], id: string): { readonly up: readonly Row[]; readonly down: Row | null } {
  const rows = new Map(list.map((row) => [row.station.id, row]));
  const station = rows.get(id)?.station;
  const up = (station?.upstream ?? []).flatMap((above) => rows.get(above) ?? []);
  return { up, down: rows.get(station?.downstream ?? "") ?? null };
}
