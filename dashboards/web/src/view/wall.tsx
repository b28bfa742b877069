// The wall: the same picture to be read from four metres, without a hand.

import type { JSX } from "preact";

import type { Alarm } from "../api/alarm.ts";
import type { LiveCounts, Station } from "../api/station.ts";
import { beganAt, isBack, needing, unheard, untaken, type Needing } from "../attention.ts";
import type { Failure, Loaded } from "../failure.ts";
import { tally, type Row } from "../order.ts";
import type { Currency } from "../picture.ts";
import { secondText, shortText } from "../time.ts";
import { NOTHING, matterText, percentText, releasedText, requiredOf, sinceText, stoodText } from "../words.ts";
import { Back } from "./alarms.tsx";
import { LinkChip, StaleBand } from "./frame.tsx";
import { useTexts } from "./language.tsx";
import { useSite } from "./site.tsx";
import { Mark, StateWord } from "./mark.tsx";
import { Rates } from "./overview.tsx";
import { Rivers } from "./river.tsx";
import { Empty, Known } from "./states.tsx";

export interface WallProps {
  readonly stations: Loaded<readonly Station[]>;
  readonly rows: readonly Row[];
  readonly counts: LiveCounts | null;
  /** Null where this screen is told of none. */
  readonly alarms: readonly Alarm[] | null;
  readonly link: Currency;
  readonly at: number | null;
  readonly why: Failure | null;
  readonly asOf: number;
  readonly again: () => void;
}

/** What fits beside the rivers. */
const WORST = 8;

export function Wall(props: WallProps): JSX.Element {
  const t = useTexts();
  const { zone } = useSite();
  const { stations, rows, counts, alarms, link, at, why, asOf, again } = props;
  const states = tally(rows);
  const waiting = untaken(counts, alarms);
  const nobody = unheard(counts, alarms) ?? 0;
  return (
    <main class={`wall is-${link}`} id="main">
      <header class="wall-head">
        <h1>{t.wall.heading}</h1>
        {at === null ? null : <time class="wall-time">{t.link.asOf(secondText(at, zone))}</time>}
        <LinkChip link={link} at={null} />
        <a class="quiet" href="/">{t.wall.leave}</a>
      </header>
      <StaleBand link={link} at={at} why={why} />
      <Known of={stations} again={again} lines={12}>
        {(known) => known.length === 0 ? <Empty title={t.overview.empty} /> : (
          <>
            <div class="wall-figures">
              {(["breach", "stale"] as const).map((state) => (
                <p key={state} class={`wall-figure is-state ${(states.get(state) ?? 0) > 0 ? `is-${state}` : "is-none"}`}>
                  <Mark state={state} size={40} /> <span class="wall-count">{states.get(state) ?? 0}</span> {t.states[state]}
                </p>
              ))}
              <p class="wall-figure"><span class="wall-count">{waiting ?? NOTHING}</span> {t.wall.unacknowledged}</p>
              <Rates counts={counts} rows={rows} />
            </div>
            {nobody === 0 ? null : <p class="wall-nobody"><span aria-hidden="true">✕</span> {t.wall.nobody(nobody)}</p>}
            <div class="wall-columns">
              <section aria-labelledby="rivers"><h2 id="rivers">{t.overview.rivers}</h2><Rivers rows={rows} asOf={asOf} isWall /></section>
              <Worst rows={rows} alarms={alarms} asOf={asOf} isStale={link === "stale"} isCounted={alarms === null && waiting !== null && waiting > 0} />
            </div>
          </>
        )}
      </Known>
    </main>
  );
}

interface WorstProps {
  readonly rows: readonly Row[];
  readonly alarms: readonly Alarm[] | null;
  readonly asOf: number;
  /** Whether nothing is known of what has happened since then. */
  readonly isStale: boolean;
  /** Whether there are alarms of which this screen is told the number alone. */
  readonly isCounted: boolean;
}

function Worst({ rows, alarms, asOf, isStale, isCounted }: WorstProps): JSX.Element {
  const t = useTexts();
  const worst = needing(rows, alarms ?? []);
  return (
    <section aria-labelledby="worst">
      <h2 id="worst">{t.wall.worst}</h2>
      {worst.length === 0 ? (isStale ? <p>{t.link.unknown}</p> : <p class="wall-fine">{t.wall.nothing}</p>) : (
        <ol class="worst">
          {worst.slice(0, WORST).map((item) => <WorstItem key={item.row.station.id} item={item} asOf={asOf} />)}
        </ol>
      )}
      {worst.length > WORST ? <p class="muted">{t.wall.more(worst.length - WORST)}</p> : null}
      {isCounted ? <p class="muted">{t.wall.atConsole}</p> : null}
    </section>
  );
}

/** A station with what is the matter and who has it: severity is a word, since colour alone tells too few people. */
function WorstItem({ item: { row, alarm, isByAlarm }, asOf }: { readonly item: Needing; readonly asOf: number }): JSX.Element {
  const t = useTexts();
  const { station, state, gravest, share } = row;
  const released = gravest?.released ?? null;
  const back = alarm !== null && isBack(alarm, row) ? <> <Back alarm={alarm} /></> : null;
  return (
    <li class={isByAlarm ? `is-${alarm?.severity ?? "none"}` : `is-${state ?? "none"}`}>
      <span class="worst-name"><StateWord state={state} /> {station.name}</span>
      <span class="worst-since">{isByAlarm && alarm !== null ? null : sinceText(t, gravest, asOf)}</span>
      {isByAlarm && alarm !== null ? <span class="worst-matter">{matterText(t, alarm)}{back}</span> : (
        <span class="worst-matter">
          {t.overview.columns.released} {releasedText(released, gravest?.required ?? null)} / {t.overview.columns.required} {requiredOf(gravest?.required ?? null)} {t.overview.unit}
          {" "}<span class="muted">{state === "stale" && released !== null ? `${t.overview.columns.at} ${shortText(released.at, asOf, station.zone)}` : percentText(t, share, 0)}</span>
          {back}
        </span>
      )}
      {alarm === null ? null : (
        <AlarmStands
          alarm={alarm} at={alarm.acknowledged_at ?? alarm.cleared_at ?? beganAt(alarm, row)} asOf={asOf} zone={station.zone}
          stood={isByAlarm ? stoodText(t, alarm, beganAt(alarm, row), asOf) : null}
        />
      )}
    </li>
  );
}

/** How grave an alarm is, whether somebody has it and since when, and for how long it stood where nothing else says so. */
function AlarmStands({ alarm, at, stood, asOf, zone }: { readonly alarm: Alarm; readonly at: number; readonly stood: string | null; readonly asOf: number; readonly zone: string }): JSX.Element {
  const t = useTexts();
  return (
    <span class={`worst-alarm is-${alarm.severity ?? "none"}`}>
      <span class="severity">{alarm.severity === null ? NOTHING : t.severities[alarm.severity]}</span>{" "}
      <span>{alarm.state === null ? NOTHING : t.alarmStates[alarm.state]}</span>
      <span class="muted"> {t.wall.from(shortText(at, asOf, zone))}{stood === null ? null : `${t.separator}${t.alarms.columns.lasting} ${stood}`}</span>
    </span>
  );
}
