// What the registry says beside its stations: whose clocks count, what counties are called, how rivers flow.

import { count, list, members, optional, words, type Of } from "./shape.ts";

const county = members({ id: words, name: words });

const river = members({
  name: words,
  into: optional(words),
  into_below: optional(words),
  depth: count,
  stations: list(words),
  unplaced: count,
});
export type RiverFacts = Of<typeof river>;

export const registry = members({ entry: count, zone: words, counties: list(county), rivers: list(river) });
export type RegistryFacts = Of<typeof registry>;
