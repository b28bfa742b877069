// The river schematic: each river a line from source to mouth, with its stations in their order on it.

import { downstream, worstFirst, type Row } from "./order.ts";

/** A river; `name` is null for stations of which the registry names none. */
export interface River {
  readonly name: string | null;
  readonly stations: readonly Row[];
}

/** Rivers with the most stations first, so that the picture keeps its shape whatever happens on it. */
export function rivers(list: readonly Row[]): readonly River[] {
  const byName = new Map<string | null, Row[]>();
  for (const row of [...list].sort(downstream)) {
    const name = row.station.river;
    const stations = byName.get(name);
    if (stations === undefined) byName.set(name, [row]);
    else stations.push(row);
  }
  const found = [...byName].map(([name, stations]) => ({ name, stations }));
  return found.sort((a, b) => Number(a.name === null) - Number(b.name === null) || b.stations.length - a.stations.length);
}

/** The neighbours of a station along its river. */
export function neighbours(list: readonly Row[], id: string): { readonly up: Row | null; readonly down: Row | null } {
  const river = rivers(list).find(({ name, stations }) => name !== null && stations.some((row) => row.station.id === id));
  const place = river?.stations.findIndex((row) => row.station.id === id) ?? -1;
  const at = (index: number) => (index < 0 ? null : (river?.stations[index] ?? null));
  return place < 0 ? { up: null, down: null } : { up: at(place - 1), down: at(place + 1) };
}

/** The worst of a river, for its heading. */
export function worstOf(river: River): Row | null {
  return [...river.stations].sort(worstFirst)[0] ?? null;
}
