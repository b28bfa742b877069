// The overview: how many are below their mandate, which ones, since when, and whether the picture is current.

import { Component, type JSX } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";

import type { Alarm } from "../api/alarm.ts";
import { STATES, type LiveCounts, type State, type Station } from "../api/station.ts";
import { beganAt, isBack } from "../attention.ts";
import type { Loaded } from "../failure.ts";
import { filtered, shortNow, tally, worstFirst, type Row } from "../order.ts";
import { href, stationRoute } from "../route.ts";
import type { Texts } from "../texts/zh.ts";
import { dayText, shortText } from "../time.ts";
import { NOTHING, matterText, percentText, releasedText, requiredOf, sectionText, sinceText, stoodText, whereText } from "../words.ts";
import { AlarmNotes, AlarmTags } from "./alarms.tsx";
import { useTexts } from "./language.tsx";
import { useSite } from "./site.tsx";
import { Mark, StateWord } from "./mark.tsx";
import { ReadAt, Rivers } from "./river.tsx";
import { Empty, Known } from "./states.tsx";

export interface OverviewProps {
  readonly stations: Loaded<readonly Station[]>;
  readonly rows: readonly Row[];
  readonly counts: LiveCounts | null;
  /** Those that are not over, the soonest first; null before they are known. */
  readonly alarms: readonly Alarm[] | null;
  readonly asOf: number;
  readonly again: () => void;
}

export function Overview({ stations, rows, counts, alarms, asOf, again }: OverviewProps): JSX.Element {
  const t = useTexts();
  const [state, setState] = useState<State | null>(null);
  return (
    <div class="overview">
      <h1 class="unseen">{t.overview.heading}</h1>
      <Known of={stations} again={again} lines={12}>
        {(known) =>
          known.length === 0 ? (
            <Empty title={t.overview.empty}><p>{t.overview.emptyHelp}</p></Empty>
          ) : (
            // what needs somebody comes first, also for whoever goes by key; where there is room, rates and rivers stand left of it
            <div class="overview-areas">
              <OpenAlarms alarms={alarms ?? []} rows={rows} asOf={asOf} />
              <Tiles rows={rows} chosen={state} onChoose={setState} />
              <StationList rows={rows} alarms={alarms ?? []} state={state} asOf={asOf} onClear={() => { setState(null); }} />
              <Rates counts={counts} rows={rows} />
              <section class="card area-rivers" aria-labelledby="rivers">
                <h2 id="rivers">{t.overview.rivers} <span class="muted">{t.overview.riversHint}</span></h2>
                <Rivers rows={rows} asOf={asOf} />
              </section>
            </div>
          )
        }
      </Known>
    </div>
  );
}

/** Alarms that are listed above the stations; the console has the others. */
const ALARMS = 3;

/** Open alarms where a page is narrow; a wide one has them in the stations' rows, beside the number of alarms, at once. */
function OpenAlarms({ alarms, rows, asOf }: { readonly alarms: readonly Alarm[]; readonly rows: readonly Row[]; readonly asOf: number }): JSX.Element | null {
  const t = useTexts();
  if (alarms.length === 0) return null;
  return (
    <section class="card area-alarms" aria-labelledby="open-alarms">
      <h2 id="open-alarms"><a href={href({ page: "alarms", tab: "open" })}>{t.station.openAlarms}</a> <span class="muted">{t.alarms.countOf(alarms.length)}</span></h2>
      <ul>
        {alarms.slice(0, ALARMS).map((alarm) => {
          const row = rows.find(({ station }) => station.id === alarm.station) ?? null;
          return (
            <li key={alarm.id} class={`is-${alarm.severity ?? "none"} stands-${alarm.state ?? "none"}`}>
              <p>
                <span class="severity">{alarm.severity === null ? NOTHING : t.severities[alarm.severity]}</span>{" "}
                <a href={href(stationRoute(alarm.station))}>{whereText(t, alarm, row?.station.name ?? alarm.station)}</a>
              </p>
              <p>
                <AlarmTags alarm={alarm} />
                {matterText(t, alarm)}
              </p>
              <AlarmNotes alarm={alarm} isBack={isBack(alarm, row)} />
              <p>
                <span class="alarm-state">{alarm.state === null ? NOTHING : t.alarmStates[alarm.state]}</span>{" "}
                <span class="muted">{t.alarms.columns.lasting} {stoodText(t, alarm, beganAt(alarm, row), asOf)}</span>
              </p>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** How many sections would meet their day, beside how many speak at all: the one is worth nothing without the other. */
export function Rates({ counts, rows }: { readonly counts: LiveCounts | null; readonly rows: readonly Row[] }): JSX.Element {
  const t = useTexts();
  const of = (map: ReadonlyMap<string, number> | undefined, word: string) => map?.get(word) ?? 0;
  const short = shortNow(rows);
  const undetermined = of(counts?.today, "indeterminate") + of(counts?.today, "exempt");
  return (
    <dl class="rates">
      <div title={t.overview.metRateMeans}>
        <dt>{t.overview.metRate}</dt>
        <dd class="rate">{percentText(t, counts?.met_today.rate ?? null, 1)}</dd>
        <dd class="muted">
          {counts === null ? NOTHING : t.overview.metRateOf(counts.met_today.part, counts.met_today.whole)}
          {short > 0 && counts !== null ? <><br />{t.overview.metRateShortNow(short)}</> : null}
          {undetermined > 0 ? <><br />{t.overview.undetermined(undetermined)}</> : null}
        </dd>
      </div>
      <div title={t.overview.runningRateMeans}>
        <dt>{t.overview.runningRate}</dt>
        <dd class="rate">{percentText(t, counts?.running.rate ?? null, 1)}</dd>
        <dd class="muted">{counts === null ? NOTHING : t.overview.runningRateOf(counts.running.part, counts.running.whole)}</dd>
      </div>
    </dl>
  );
}

interface TilesProps {
  readonly rows: readonly Row[];
  readonly chosen: State | null;
  readonly onChoose: (state: State | null) => void;
}

/** How many stations are what; each tile shows only those. */
function Tiles({ rows, chosen, onChoose }: TilesProps): JSX.Element {
  const t = useTexts();
  const counts = tally(rows);
  return (
    <div class="tiles" role="group" aria-label={t.overview.filterBy}>
      {STATES.map((state) => {
        const count = counts.get(state) ?? 0;
        return (
          <button
            key={state}
            type="button"
            class={`tile is-${state}${count === 0 ? " is-zero" : ""}`}
            aria-pressed={chosen === state}
            onClick={() => { onChoose(chosen === state ? null : state); }}
          >
            <Mark state={state} size={18} />
            <span class="tile-count">{count}</span>
            <span class="tile-word">{t.states[state]}</span>
          </button>
        );
      })}
    </div>
  );
}

interface ListProps {
  readonly rows: readonly Row[];
  readonly alarms: readonly Alarm[];
  readonly state: State | null;
  readonly asOf: number;
  readonly onClear: () => void;
}

/** Rows that are drawn at first, and more each time: the worst are among them, and a thousand would cost seconds. */
const ROWS = 100;

/** The worst first. While somebody points at the list or is in it, nothing changes its place. */
function StationList({ rows, alarms, state, asOf, onClear }: ListProps): JSX.Element {
  const t = useTexts();
  const [search, setSearch] = useState("");
  const [limit, setLimit] = useState(ROWS);
  const [held, setHeld] = useState<readonly string[] | null>(null);
  const sorted = useMemo(() => [...rows].sort(worstFirst), [rows]);
  const order = useRef<readonly string[]>([]);
  const inOrder = held === null ? sorted : byOrder(rows, held);
  order.current = inOrder.map((row) => row.station.id);
  const isMoved = held !== null && sorted.some((row, place) => row.station.id !== order.current[place]);
  const { counties } = useSite();
  const shown = filtered(inOrder, state, search, counties);
  const inside = useRef({ pointer: false, focus: false });
  const letGo = () => { setHeld(null); };
  const note = (what: Partial<{ pointer: boolean; focus: boolean }>) => {
    inside.current = { ...inside.current, ...what };
    const isHeld = inside.current.pointer || inside.current.focus;
    setHeld((before) => (isHeld ? (before ?? order.current) : null));
  };
  return (
    <section class="card list" aria-labelledby="list">
      <div class="list-head">
        <h2 id="list">{t.overview.list}</h2>
        {isMoved ? <button type="button" class="button" onClick={letGo}>{t.overview.resort}</button> : null}
        <input type="search" placeholder={t.overview.search} aria-label={t.overview.search} value={search}
          onInput={(event) => { setSearch(event.currentTarget.value); }} />
      </div>
      {shown.length === 0 ? (
        <Empty title={t.overview.nothingFound}>
          <button type="button" class="button" onClick={() => { setSearch(""); onClear(); }}>{t.overview.clear}</button>
        </Empty>
      ) : (
        <div
          class="scroll"
          onPointerEnter={() => { note({ pointer: true }); }}
          onPointerLeave={() => { note({ pointer: false }); }}
          onFocusCapture={() => { note({ focus: true }); }}
          onBlurCapture={() => { note({ focus: false }); }}
        >
          <Table rows={shown.slice(0, limit)} alarms={alarms} asOf={asOf} />
        </div>
      )}
      {shown.length > limit ? (
        <button type="button" class="button" onClick={() => { setLimit(limit + ROWS); }}>{t.overview.more(shown.length - limit)}</button>
      ) : null}
    </section>
  );
}

function Table({ rows, alarms, asOf }: Pick<ListProps, "rows" | "alarms" | "asOf">): JSX.Element {
  const t = useTexts();
  const { zone } = useSite();
  const { columns, unit } = t.overview;
  return (
    <table class="stations">
      <thead>
        <tr>
          <th scope="col">{columns.state}</th>
          <th scope="col">{columns.station}</th>
          <th scope="col" class="wide">{columns.river}</th>
          <th scope="col" class="number">{columns.released} <span class="unit">{unit}</span></th>
          <th scope="col" class="number">{columns.required} <span class="unit">{unit}</span></th>
          <th scope="col" class="number wide">{columns.share}</th>
          <th scope="col" class="number wide">{columns.at}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <StationRow key={row.station.id} row={row} alarm={beside(row, alarms)} t={t} since={sinceText(t, row.gravest, asOf)} asOf={asOf} today={dayText(asOf, zone)} />
        ))}
      </tbody>
    </table>
  );
}

/** The first alarm that stands of a station whose state tells of none: a meter that is stuck reads like a good one. */
function beside(row: Row, alarms: readonly Alarm[]): Alarm | null {
  if (row.state === "breach" || row.state === "stale") return null;
  return alarms.find((alarm) => alarm.station === row.station.id && alarm.active && !isBack(alarm, row)) ?? null;
}

interface RowProps {
  readonly row: Row;
  readonly alarm: Alarm | null;
  readonly t: Texts;
  readonly since: string | null;
  readonly asOf: number;
  readonly today: string;
}

/** A line of the list; it is drawn again only when something of it reads otherwise. */
class StationRow extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const { row, alarm, t, since, today } = this.props;
    return next.row !== row || next.alarm !== alarm || next.t !== t || next.since !== since || next.today !== today;
  }

  override render({ row, alarm, t, since, asOf }: RowProps): JSX.Element {
    const { station, gravest, state, standings } = row;
    return (
      <tr class={`is-${state ?? "none"}`}>
        <td>
          <StateWord state={state} />
          {since !== null && state !== "ok" ? <span class="since">{since}</span> : null}
        </td>
        <th scope="row">
          <a href={href(stationRoute(station.id))}>{station.name}</a>
          {standings.length > 1 && gravest !== null ? <span class="muted"> {sectionText(t, gravest.section)}</span> : null}
          {alarm === null ? null : <span class={`row-alarm gauge-alarm is-${alarm.severity ?? "none"}`}>{alarm.drill ? t.alarms.drillTag : ""}{matterText(t, alarm)}</span>}
        </th>
        <td class="wide">{station.river ?? "—"}</td>
        <td class="number">
          {releasedText(gravest?.released ?? null, gravest?.required ?? null)}
          <ReadAt standing={gravest} zone={station.zone} asOf={asOf} />
        </td>
        <td class="number">{requiredOf(gravest?.required ?? null)}</td>
        <td class="number wide">{percentText(t, row.share, 0)}</td>
        <td class="number wide">{gravest?.released ? shortText(gravest.released.at, asOf, station.zone) : "—"}</td>
      </tr>
    );
  }
}

/** The rows in an order that was; what has come since is at the end. */
function byOrder(rows: readonly Row[], order: readonly string[]): readonly Row[] {
  const place = new Map(order.map((id, index) => [id, index]));
  const of = (row: Row) => place.get(row.station.id) ?? order.length;
  return [...rows].sort((a, b) => of(a) - of(b));
}
