// Events of the live stream (`docs/formats.md` §17).

import { alarm } from "./alarm.ts";
import { liveCounts, liveSection } from "./station.ts";
import { count, list, members, moment, optional, words, type Of } from "./shape.ts";

/** What every event says; what a delta does not name is as it was. */
export const told = members({
  position: count,
  at: moment,
  registry: optional(members({ entry: count })),
  counts: optional(liveCounts),
  sections: optional(list(liveSection)),
  sections_gone: optional(list(words)),
  alarms: optional(list(alarm)),
  alarms_gone: optional(list(words)),
});
export type Told = Of<typeof told>;
