// The page of a station: how it stands, its flow, its days with their arithmetic, its gauges.

import type { ComponentType, JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

import { series as seriesShape } from "../api/series.ts";
import { station as stationShape, type Station } from "../api/station.ts";
import { verdicts as verdictsShape } from "../api/verdict.ts";
import { asRead, chart } from "../chart.ts";
import { neighbours } from "../river.ts";
import { isOld, sinceOf, type Row, type Standing } from "../order.ts";
import type { Route, SpanWord } from "../route.ts";
import { strip, stripBegin, type StripDay } from "../strip.ts";
import type { Texts } from "../texts/zh.ts";
import { DAY_MS, HOUR_MS } from "../time.ts";
import { useTexts } from "../view/language.tsx";
import { SeriesChart, SeriesTable, SpanChoice, Stretches } from "../view/series.tsx";
import { Empty, Known } from "../view/states.tsx";
import { Gauges, StationAlarms, StationFacts, StationHead } from "../view/station.tsx";
import { Strip } from "../view/strip.tsx";
import { DayVerdict } from "../view/verdict.tsx";
import { get } from "./call.ts";
import { now } from "./clock.ts";
import { asOf, listed, load, rows, shown } from "./known.ts";
import { theme } from "./language.ts";
import { refine } from "./place.ts";
import type { PlotProps } from "./plot.tsx";
import { useResource } from "./resource.ts";

type StationRoute = Extract<Route, { readonly page: "station" }>;

/** How long each span is, and in how many buckets at most: a year in days, a day in readings. */
const LENGTHS: Record<SpanWord, { readonly ms: number; readonly points: number }> = {
  "24h": { ms: DAY_MS, points: 480 },
  "7d": { ms: 7 * DAY_MS, points: 720 },
  "30d": { ms: 30 * DAY_MS, points: 750 },
  "1y": { ms: 366 * DAY_MS, points: 400 },
};
/** A closer look than this has nothing to show. */
const CLOSEST_MS = HOUR_MS / 6;
const ZOOMED_POINTS = 720;

export function StationPage({ route }: { readonly route: StationRoute }): JSX.Element {
  const t = useTexts();
  const list = rows.value;
  const row = list.find(({ station }) => station.id === route.id) ?? null;
  return (
    <Known of={listed.value} again={() => void load()} lines={10}>
      {() => (row === null ? <><h1 class="unseen">{t.station.unknown}</h1><Empty title={t.station.unknown}><a href="/">{t.missingPage.back}</a></Empty></> : <Body key={route.id} route={route} row={row} list={list} />)}
    </Known>
  );
}

function Body({ route, row, list }: { readonly route: StationRoute; readonly row: Row; readonly list: readonly Row[] }): JSX.Element {
  const t = useTexts();
  const { station, standings } = row;
  const standing = standings.find(({ section }) => section === route.section) ?? standings[0] ?? null;
  const { up, down } = neighbours(list, route.id);
  const alarms = (shown.value.alarms.value ?? []).filter((alarm) => alarm.station === route.id);
  const detail = useResource(`station ${route.id}`, async (signal) => get(stationShape, `/stations/${encodeURIComponent(route.id)}`, signal), null, 30_000);
  return (
    <div class="station">
      <StationHead
        row={row} standing={standing} up={up} down={down} asOf={asOf.value}
        onSection={(section) => { refine({ ...route, section }); }}
      >
        <StationAlarms alarms={alarms} row={row} gauges={detail.value?.gauges ?? null} asOf={asOf.value} />
      </StationHead>
      {standing === null ? null : (
        <>
          {whyNoSeries(t, station, standing.section) ?? <Flow key={standing.section} route={route} zone={station.zone} standing={standing} />}
          <Days key={`days ${standing.section}`} route={route} zone={station.zone} standing={standing} />
        </>
      )}
      <div class="columns is-even">
        <section class="card" aria-labelledby="gauges">
          <h2 id="gauges">{t.station.gauges}</h2>
          <Known of={detail} again={detail.again} lines={3}>{(known) => <Gauges gauges={known.gauges ?? []} alarms={alarms} zone={station.zone} asOf={asOf.value} />}</Known>
        </section>
        <section class="card" aria-labelledby="facts">
          <h2 id="facts">{t.station.facts}</h2>
          <StationFacts station={detail.value ?? station} />
        </section>
      </div>
    </div>
  );
}

/** What stands in the place of a chart that the server does not make; asking for it would be refused. */
function whyNoSeries(t: Texts, station: Station, section: string): JSX.Element | null {
  const outlets = station.sections.find(({ id }) => id === section)?.outlets ?? [];
  const isByFormula = outlets.some(({ formula }) => formula !== null);
  if (station.status !== "exited" && !isByFormula) return null;
  return <section class="card"><Empty title={isByFormula ? t.station.noSeriesFormula : t.station.noSeriesExited} /></section>;
}

interface PartProps {
  readonly route: StationRoute;
  readonly zone: string;
}

function Flow({ route, zone, standing }: PartProps & { readonly standing: Standing }): JSX.Element {
  const t = useTexts();
  const { section } = standing;
  const readAt = isOld(standing) ? sinceOf(standing) : null;
  const [zoom, setZoom] = useState<{ readonly from: number; readonly to: number } | null>(null);
  const [place, setPlace] = useState<number | null>(null);
  const Plot = usePlot();
  const { ms, points } = LENGTHS[route.span];
  const series = useResource(
    `series ${route.id} ${section} ${zoom === null ? route.span : `${String(zoom.from)} ${String(zoom.to)}`}`,
    async (signal) => {
      const to = zoom?.to ?? now();
      const asked = new URLSearchParams({
        section,
        from: new Date(zoom?.from ?? to - ms).toISOString(),
        to: new Date(to).toISOString(),
        points: String(zoom === null ? points : ZOOMED_POINTS),
      });
      return get(seriesShape, `/stations/${encodeURIComponent(route.id)}/series?${asked.toString()}`, signal);
    },
    null,
    zoom === null && route.span === "24h" ? 30_000 : null,
  );
  const [read, drawn] = useMemo(() => {
    const read = series.value === null ? null : asRead(series.value, readAt);
    return [read, read === null ? null : chart(read)];
  }, [series.value, readAt]);
  const look = (span: { readonly from: number; readonly to: number } | null) => {
    setPlace(null);
    setZoom(span === null || span.to - span.from < CLOSEST_MS ? null : span);
  };
  return (
    <section class="card" aria-labelledby="flow">
      <div class="card-head">
        <h2 id="flow">{t.station.flow} <span class="unit">m³/s</span></h2>
        <SpanChoice span={route.span} isZoomed={zoom !== null} onSpan={(span) => { look(null); refine({ ...route, span }); }} />
      </div>
      <Known of={series} again={series.again} lines={8}>
        {() => read === null || read.buckets.mean.length === 0 || drawn === null ? <Empty title={t.station.noSeries} /> : (
          <>
            <SeriesChart series={read} zone={zone} place={place} onPlace={setPlace}>
              {Plot === null ? <div class="plot" /> : <Plot chart={drawn} zone={zone} place={place} onPlace={setPlace} onZoom={look} theme={theme.value} />}
            </SeriesChart>
            <Stretches series={read} readAt={readAt} zone={zone} asOf={asOf.value} />
            <SeriesTable series={read} zone={zone} />
          </>
        )}
      </Known>
    </section>
  );
}

/** The canvas comes with the first chart: whoever looks at the overview alone never loads it. */
function usePlot(): ComponentType<PlotProps> | null {
  const [known, setKnown] = useState<{ readonly Plot: ComponentType<PlotProps> } | null>(null);
  useEffect(() => {
    let isThere = true;
    import("./plot.tsx").then(
      ({ default: Plot }) => { if (isThere) setKnown({ Plot }); },
      // the table under the chart has the same numbers
      () => undefined,
    );
    return () => { isThere = false; };
  }, []);
  return known?.Plot ?? null;
}

function Days({ route, zone, standing }: PartProps & { readonly standing: Standing }): JSX.Element {
  const t = useTexts();
  const { section, today } = standing;
  const path = `/stations/${encodeURIComponent(route.id)}/verdicts?section=${encodeURIComponent(section)}`;
  const begin = new Date(stripBegin(now(), zone)).toISOString();
  const days = useResource(
    `days ${route.id} ${section}`,
    async (signal) => get(verdictsShape, `${path}&by=day&limit=1000&from=${encodeURIComponent(begin)}`, signal),
    today?.verdict ?? null,
    5 * 60_000,
  );
  const months = useMemo(() => strip(days.value?.verdicts ?? [], asOf.peek(), zone), [days.value, zone]);
  const all = months.flatMap((month) => month.days);
  const chosen = all.find((day) => day.name === route.day) ?? null;
  const told = chosen ?? [...(months[0]?.days ?? [])].reverse().find((day) => day.verdicts.length > 0) ?? null;
  return (
    <section class="card" aria-labelledby="strip">
      <h2 id="strip">{t.station.strip} <span class="muted">{t.station.stripHint}</span></h2>
      <Known of={days} again={days.again} lines={13}>
        {() => (
          <div class="strip-and-day">
            <Strip months={months} chosen={told?.name ?? null} onChoose={(day) => { refine({ ...route, day }); }} />
            {told === null ? <p class="muted">{t.station.dayNone}</p> : <OneDay day={told} path={path} zone={zone} />}
          </div>
        )}
      </Known>
    </section>
  );
}

function OneDay({ day, path, zone }: { readonly day: StripDay; readonly path: string; readonly zone: string }): JSX.Element {
  const t = useTexts();
  const first = day.verdicts[0];
  const last = day.verdicts.at(-1);
  const hours = useResource(
    `hours ${path} ${day.name} ${String(first?.from)}`,
    first === undefined || last === undefined
      ? null
      : async (signal) => {
          const [from, to] = [first.from, last.to].map((ms) => encodeURIComponent(new Date(ms).toISOString()));
          return get(verdictsShape, `${path}&by=hour&from=${from ?? ""}&to=${to ?? ""}`, signal);
        },
    last?.judged_at ?? null,
  );
  return (
    <section class="one-day" aria-labelledby="day" aria-live="polite">
      <h3 id="day">{t.station.day(day.name)}</h3>
      {day.verdicts.length === 0 ? <p class="muted">{t.station.dayNone}</p> : null}
      {day.verdicts.map((verdict) => (
        <DayVerdict
          key={verdict.from} verdict={verdict} zone={zone}
          hours={(hours.value?.verdicts ?? []).filter((hour) => hour.from >= verdict.from && hour.from < verdict.to && hour.because !== "withdrawn")}
        />
      ))}
    </section>
  );
}
