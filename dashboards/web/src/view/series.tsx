// A chart with its words: what it shows, what is read out, and the same as a table.

import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";

import type { Series } from "../api/series.ts";
import { barOf, bucketRow, missing, recordsBegin, told, type BucketRow } from "../chart.ts";
import { observedText, requiredText, text } from "../decimal.ts";
import { SPANS, type SpanWord } from "../route.ts";
import type { Texts } from "../texts/zh.ts";
import { clockText, MINUTE_MS, minuteText, secondText, shortText, spanText } from "../time.ts";
import { gapText, lasting, NOTHING } from "../words.ts";
import { useTexts } from "./language.tsx";

export interface SeriesProps {
  readonly series: Series;
  readonly zone: string;
  readonly place: number | null;
  readonly onPlace: (place: number | null) => void;
  /** The canvas. */
  readonly children: ComponentChildren;
}

/** More rows would make the table slower than anybody reads it. */
const TABLE_ROWS = 300;
/** The latest times below the mandate, and without data, that are listed; the rest is counted. */
const STRETCHES = 8;

export function SpanChoice(props: {
  readonly span: SpanWord;
  readonly isZoomed: boolean;
  readonly onSpan: (span: SpanWord) => void;
}): JSX.Element {
  const t = useTexts();
  return (
    <div class="segments" role="group" aria-label={t.station.span}>
      {SPANS.map((span) => (
        <button key={span} type="button" aria-pressed={!props.isZoomed && props.span === span} onClick={() => { props.onSpan(span); }}>
          {t.spans[span]}
        </button>
      ))}
    </div>
  );
}

export function SeriesChart({ series, zone, place, onPlace, children }: SeriesProps): JSX.Element {
  const t = useTexts();
  const last = series.buckets.mean.length - 1;
  const row = place === null ? null : bucketRow(series, place);
  const read = row === null ? t.station.chartHelp : readout(t, row, zone);
  const move = (event: KeyboardEvent) => {
    const to = moved(event.key, place ?? last, last);
    if (to === null) return;
    event.preventDefault();
    onPlace(to);
  };
  return (
    <figure class="chart">
      <div
        class="chart-canvas"
        role="slider"
        tabIndex={0}
        aria-label={t.station.chartOf(minuteText(series.from, zone), minuteText(series.to, zone))}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, last)}
        aria-valuenow={place ?? Math.max(0, last)}
        aria-valuetext={read}
        onKeyDown={move}
      >
        {children}
      </div>
      <figcaption>
        <output class="readout">{row === null ? <><span class="by-pointer">{t.station.chartHelp}</span><span class="by-touch">{t.station.touchHelp}</span></> : read}</output>
        <Legend series={series} />
      </figcaption>
    </figure>
  );
}

function moved(key: string, place: number, last: number): number | null {
  switch (key) {
    case "ArrowLeft": return Math.max(0, place - 1);
    case "ArrowRight": return Math.min(last, place + 1);
    case "PageUp": return Math.min(last, place + 24);
    case "PageDown": return Math.max(0, place - 24);
    case "Home": return 0;
    case "End": return last;
    default: return null;
  }
}

function readout(t: Texts, row: BucketRow, zone: string): string {
  const { mean, min, max, required, enough, gap, isLower } = row;
  const when = row.to - row.from < MINUTE_MS ? secondText(row.from, zone) : `${minuteText(row.from, zone)}–${clockText(row.to, zone)}`;
  const remark = remarkText(t, row);
  if (mean === null) return [when, gap === null ? t.station.noData : gapText(t, gap), remark].filter((part) => part !== "").join(t.separator);
  const range = min !== null && max !== null ? `${t.separator}${t.station.readout.range} ${observedText(min)}–${observedText(max)}` : "";
  const needed = required === null ? "" : `${t.separator}${t.station.readout.required} ${requiredText(required)}`;
  return `${when}${t.separator}${t.station.readout.mean} ${isLower ? "≥ " : ""}${observedText(mean, enough)}${range}${needed} m³/s${remark === "" ? "" : t.separator + remark}`;
}

/** What of the values does not count as it stands there. */
function remarkText(t: Texts, { credited, doubted, required, enough }: BucketRow): string {
  const bar = barOf({ required: required === null || enough === null ? [] : [{ value: required, enough }] });
  const counted = credited === null ? [] : [t.station.credited(observedText(credited, enough), t.station.bars[bar])];
  return [...counted, ...(doubted > 0 ? [t.station.doubted(doubted)] : [])].join(t.separator);
}

function Legend({ series }: { readonly series: Series }): JSX.Element {
  const { legend, bars } = useTexts().station;
  const hasExemptions = series.exemptions.length > 0;
  const bar = barOf(series);
  const hasDoubts = series.buckets.doubted.some((count) => count > 0);
  return (
    <ul class="legend">
      <li><span class="key is-mean" />{legend.mean}</li>
      <li><span class="key is-band" />{legend.band}</li>
      <li><span class="key is-required" />{legend.required}</li>
      {bar === "enough" ? <li><span class="key is-enough" />{legend.enough}</li> : null}
      <li><span class="key is-below" />{legend.breach(bars[bar])}</li>
      <li><span class="key is-gap" />{legend.gap}</li>
      {hasExemptions ? <li><span class="key is-exempt" />{legend.exempt}</li> : null}
      {hasDoubts ? <li><span class="key is-doubted" aria-hidden="true">✕</span>{legend.doubted}</li> : null}
    </ul>
  );
}

/** Times below the mandate and times without data, with how much and why. */
export function Stretches(props: {
  readonly series: Series;
  /** When the last reading was, where nothing comes any more. */
  readonly readAt: number | null;
  readonly zone: string;
  readonly asOf: number;
}): JSX.Element {
  const t = useTexts();
  const { series, readAt, zone, asOf } = props;
  const bar = t.station.bars[barOf(series)];
  const gaps = told(missing(series.gaps), series.to, readAt);
  const begun = recordsBegin(series.gaps);
  const when = (span: { from: number; to: number }) => spanText(span.from, span.to, asOf, zone);
  return (
    <div class="stretches">
      <section aria-labelledby="breaches">
        <h3 id="breaches">{t.station.breaches(bar)}</h3>
        {series.breaches.length === 0 ? <p class="muted">{t.station.noBreaches(bar)}</p> : (
          <ol class="spans">
            {[...series.breaches].reverse().slice(0, STRETCHES).map((breach) => (
              <li key={breach.from}>
                <span>{breach.to >= series.to && asOf - series.to < MINUTE_MS ? t.station.goesOn(shortText(breach.from, asOf, zone)) : when(breach)}</span>
                <span class="muted">
                  {lasting(t, breach.to - breach.from)}{t.separator}{t.station.lowest(observedText(breach.lowest))}
                  {breach.deficit_m3 === null ? null : <>{t.separator}{t.station.notReleased(text(breach.deficit_m3))}</>}
                </span>
              </li>
            ))}
          </ol>
        )}
        <LeftOff count={series.breaches_left_off + Math.max(0, series.breaches.length - STRETCHES)} />
      </section>
      <section aria-labelledby="gaps">
        <h3 id="gaps">{t.station.gaps}</h3>
        {begun === null ? null : <p class="muted">{t.station.recordsBegin(shortText(begun, asOf, zone))}</p>}
        {gaps.length === 0 ? <p class="muted">{t.station.noGaps}</p> : (
          <ol class="spans">
            {[...gaps].reverse().slice(0, STRETCHES).map((gap) => (
              <li key={gap.from}>
                <span>{gap.goesOn ? t.station.goesOn(shortText(gap.from, asOf, zone)) : when(gap)}</span>
                <span class="muted">{lasting(t, (gap.goesOn ? asOf : gap.to) - gap.from)}{t.separator}{gapText(t, gap)}</span>
              </li>
            ))}
          </ol>
        )}
        <LeftOff count={series.gaps_left_off + Math.max(0, gaps.length - STRETCHES)} />
      </section>
    </div>
  );
}

function LeftOff({ count }: { readonly count: number }): JSX.Element | null {
  const t = useTexts();
  return count === 0 ? null : <p class="muted">{t.station.leftOff(count)}</p>;
}

/** The chart as a table, for whoever does not see it, and for copying; made only once it is opened. */
export function SeriesTable({ series, zone }: { readonly series: Series; readonly zone: string }): JSX.Element {
  const t = useTexts();
  const [isOpen, setOpen] = useState(false);
  const all = series.buckets.mean.length;
  const places = Array.from({ length: Math.min(TABLE_ROWS, all) }, (_, back) => all - 1 - back);
  return (
    <details class="table-of" onToggle={(event) => { setOpen(event.currentTarget.open); }}>
      <summary>{t.station.table}</summary>
      {isOpen ? (
        <div class="scroll" tabIndex={0} role="region" aria-label={t.station.table}>
          {all > TABLE_ROWS ? <p class="muted">{t.station.tableCut(TABLE_ROWS, all)}</p> : null}
          <table>
            <thead>
              <tr>
                <th scope="col">{t.station.tableFrom}</th>
                <th scope="col" class="number">{t.station.tableMean}</th>
                <th scope="col" class="number">{t.station.tableLow}</th>
                <th scope="col" class="number">{t.station.tableHigh}</th>
                <th scope="col" class="number">{t.station.tableRequired}</th>
                <th scope="col">{t.station.tableRemark}</th>
              </tr>
            </thead>
            <tbody>
              {places.map((place) => <TableRow key={place} row={bucketRow(series, place)} zone={zone} />)}
            </tbody>
          </table>
        </div>
      ) : null}
    </details>
  );
}

function TableRow({ row, zone }: { readonly row: BucketRow | null; readonly zone: string }): JSX.Element | null {
  const t = useTexts();
  if (row === null) return null;
  const { mean, min, max, required, enough, gap, isLower } = row;
  const remarks = [gap !== null ? gapText(t, gap) : isLower ? t.overview.lower : "", remarkText(t, row)];
  return (
    <tr>
      <th scope="row">{minuteText(row.from, zone)}</th>
      <td class="number">{mean === null ? NOTHING : observedText(mean, enough)}</td>
      <td class="number">{min === null ? NOTHING : observedText(min, enough)}</td>
      <td class="number">{max === null ? NOTHING : observedText(max, enough)}</td>
      <td class="number">{required === null ? NOTHING : requiredText(required)}</td>
      <td>{remarks.filter((remark) => remark !== "").join(t.separator)}</td>
    </tr>
  );
}
