// The wall: the same picture to be read from four metres, without a hand.

import type { JSX } from "preact";

import type { LiveCounts, Station } from "../api/station.ts";
import type { Loaded } from "../failure.ts";
import type { Link } from "../live.ts";
import { tally, worstFirst, type Row } from "../order.ts";
import { secondText } from "../time.ts";
import { percentText, releasedText, requiredOf, sinceText } from "../words.ts";
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
  readonly link: Link;
  readonly at: number | null;
  readonly asOf: number;
  readonly again: () => void;
}

/** What fits beside the rivers. */
const WORST = 8;

export function Wall(props: WallProps): JSX.Element {
  const t = useTexts();
  const { zone } = useSite();
  const { stations, rows, counts, link, at, asOf, again } = props;
  const states = tally(rows);
  return (
    <main class={`wall is-${link}`} id="main">
      <header class="wall-head">
        <h1>{t.wall.heading}</h1>
        <time class="wall-time">{secondText(asOf, zone)}</time>
        <LinkChip link={link} at={at} />
        <a class="quiet" href="/">{t.wall.leave}</a>
      </header>
      <StaleBand link={link} at={at} />
      <Known of={stations} again={again} lines={12}>
        {(known) => known.length === 0 ? <Empty title={t.overview.empty} /> : (
          <>
            <div class="wall-figures">
              {(["breach", "stale"] as const).map((state) => (
                <p key={state} class={`wall-figure ${(states.get(state) ?? 0) > 0 ? `is-${state}` : "is-none"}`}>
                  <Mark state={state} size={40} /> <span class="wall-count">{states.get(state) ?? 0}</span> {t.states[state]}
                </p>
              ))}
              <p class="wall-figure"><span class="wall-count">{counts === null ? t.overview.none : (counts.alarms.get("unacknowledged") ?? 0)}</span> {t.wall.unacknowledged}</p>
              <Rates counts={counts} />
            </div>
            <div class="wall-columns">
              <section aria-labelledby="rivers"><h2 id="rivers">{t.overview.rivers}</h2><Rivers rows={rows} isWall /></section>
              <Worst rows={rows} asOf={asOf} />
            </div>
          </>
        )}
      </Known>
    </main>
  );
}

function Worst({ rows, asOf }: { readonly rows: readonly Row[]; readonly asOf: number }): JSX.Element {
  const t = useTexts();
  const worst = rows.filter((row) => row.state === "breach" || row.state === "stale").sort(worstFirst);
  return (
    <section aria-labelledby="worst">
      <h2 id="worst">{t.wall.worst}</h2>
      {worst.length === 0 ? <p class="wall-fine">{t.wall.nothing}</p> : (
        <ol class="worst">
          {worst.slice(0, WORST).map((row) => (
            <li key={row.station.id} class={`is-${row.state ?? "none"}`}>
              <span class="worst-name"><StateWord state={row.state} /> {row.station.name}</span>
              <span class="number">
                {releasedText(row.gravest?.released ?? null, row.gravest?.required ?? null)} / {requiredOf(row.gravest?.required ?? null)}
                {" "}<span class="muted">{percentText(t, row.share, 0)}</span>
              </span>
              <span class="muted">{sinceText(t, row.gravest, asOf)}</span>
            </li>
          ))}
        </ol>
      )}
      {worst.length > WORST ? <p class="muted">{t.wall.more(worst.length - WORST)}</p> : null}
    </section>
  );
}
