// The river schematic: every river a line that flows to the right, every station a mark on it.
//
// Each station draws its own stretch of the river, so a long river breaks into lines as words do, at any width.

import { Component, type JSX } from "preact";

import { rivers, type River } from "../river.ts";
import { isOld, type Row, type Standing } from "../order.ts";
import { href, stationRoute } from "../route.ts";
import type { Texts } from "../texts/zh.ts";
import { dayText, shortText } from "../time.ts";
import { releasedText, requiredOf } from "../words.ts";
import { useTexts } from "./language.tsx";
import { Mark } from "./mark.tsx";
import { useSite } from "./site.tsx";
import { Loading } from "./states.tsx";

export function Rivers({ rows, asOf, isWall = false }: { readonly rows: readonly Row[]; readonly asOf: number; readonly isWall?: boolean }): JSX.Element {
  const { rivers: known } = useSite();
  if (known === null) return <Loading lines={3} />;
  return (
    <div class={isWall ? "rivers is-wall" : "rivers"}>
      {rivers(rows, known).map((river) => <OneRiver key={river.facts?.name ?? ""} river={river} rows={rows} asOf={asOf} />)}
    </div>
  );
}

/** When a value was read of which nothing newer has come; null for what is current. */
export function ReadAt({ standing, zone, asOf }: { readonly standing: Standing | null; readonly zone: string; readonly asOf: number }): JSX.Element | null {
  const t = useTexts();
  if (standing === null || !isOld(standing) || standing.released === null) return null;
  return <span class="read-at">{t.overview.columns.at} {shortText(standing.released.at, asOf, zone)}</span>;
}

interface OneRiverProps {
  readonly river: River;
  readonly rows: readonly Row[];
  readonly asOf: number;
}

/** A river under its name, and where it flows; stations whose place on it nobody knows stand beside its water. */
function OneRiver({ river: { facts, stations, unplaced }, rows, asOf }: OneRiverProps): JSX.Element {
  const t = useTexts();
  const today = dayText(asOf, useSite().zone);
  const name = facts?.name ?? t.overview.noRiver;
  const below = rows.find(({ station }) => station.id === facts?.into_below)?.station.name ?? null;
  const into = facts === null || facts.into === null ? null : t.overview.into(facts.into, below);
  return (
    <section class={(facts?.depth ?? 0) > 0 ? "river is-tributary" : "river"} aria-label={name}>
      <h3>
        {name} <span class="muted">{into === null ? "" : `${into}${t.separator}`}{t.overview.stationsOf(stations.length + unplaced.length)}</span>
      </h3>
      {stations.length === 0 ? null : (
        <ol class="reaches">
          {stations.map((row, place) => (
            <Reach key={row.station.id} row={row} t={t} asOf={asOf} today={today} isMouth={place === stations.length - 1} isSource={place === 0} />
          ))}
        </ol>
      )}
      {unplaced.length === 0 ? null : (
        <ol class="reaches is-loose">
          {unplaced.map((row) => <Reach key={row.station.id} row={row} t={t} asOf={asOf} today={today} isMouth isSource />)}
        </ol>
      )}
    </section>
  );
}

interface ReachProps {
  readonly row: Row;
  readonly t: Texts;
  readonly asOf: number;
  /** A moment of today is written without its day. */
  readonly today: string;
  readonly isSource: boolean;
  readonly isMouth: boolean;
}

/** A station and its stretch of water. It is drawn again only when it stands otherwise. */
class Reach extends Component<ReachProps> {
  override shouldComponentUpdate(next: ReachProps): boolean {
    const { row, t, today, isSource, isMouth } = this.props;
    return next.row !== row || next.t !== t || next.today !== today || next.isSource !== isSource || next.isMouth !== isMouth;
  }

  override render({ row, t, asOf, isSource, isMouth }: ReachProps): JSX.Element {
    const { station, state, gravest } = row;
    const word = state === null ? t.overview.unjudged : t.states[state];
    return (
      <li class="reach">
        <a href={href(stationRoute(station.id))} class={`stop is-${state ?? "none"}`}>
          <svg class="water" viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true">
            <path d={stretch(isSource, isMouth)} />
            {isMouth ? <path d="M90 9l8 6-8 6" /> : null}
          </svg>
          <Mark state={state ?? "none"} size={state === "breach" ? 22 : 18} />
          <span class="stop-name">{station.name}</span>
          <span class="unseen">{word}{t.separator}</span>
          <span class="stop-flow">
            {gravest === null ? word : <><span class="stop-read">{releasedText(gravest.released, gravest.required)}</span> / {requiredOf(gravest.required)}</>}
          </span>
          <ReadAt standing={gravest} zone={station.zone} asOf={asOf} />
        </a>
      </li>
    );
  }
}

/** A line that swings once and leaves at the height at which it came, so that stretches join; an arrow at the mouth. */
function stretch(isSource: boolean, isMouth: boolean): string {
  const before = isSource ? "M50 14" : "M0 14C8 14 16 8 26 9S42 13 50 14";
  const after = isMouth ? "C58 16 70 18 96 15" : "C58 15 64 20 76 19S92 14 100 14";
  return before + after;
}
