// The head of a station's page: how it stands now, and what the registry says of it.

import type { ComponentChildren, JSX } from "preact";

import type { Alarm } from "../api/alarm.ts";
import type { Gauge, Station } from "../api/station.ts";
import { alarmOfGauge, beganAt, isBack, isSilent } from "../attention.ts";
import { observedText } from "../decimal.ts";
import { isOld, type Row, type Standing } from "../order.ts";
import { href, stationRoute } from "../route.ts";
import { shortText } from "../time.ts";
import { NOTHING, hoursText, matterText, percentText, reasonText, releasedText, requiredOf, sectionText, sinceText, stoodText } from "../words.ts";
import { AlarmNotes } from "./alarms.tsx";
import { useTexts } from "./language.tsx";
import { StateWord } from "./mark.tsx";
import { useSite } from "./site.tsx";

export interface HeadProps {
  readonly row: Row;
  readonly standing: Standing | null;
  readonly up: readonly Row[];
  readonly down: Row | null;
  readonly asOf: number;
  readonly onSection: (section: string) => void;
  /** What stands above the figures. */
  readonly children: ComponentChildren;
}

export function StationHead({ row, standing, up, down, asOf, onSection, children }: HeadProps): JSX.Element {
  const t = useTexts();
  const { station, standings } = row;
  const since = sinceText(t, standing, asOf);
  return (
    <header class="station-head">
      <div class="station-title">
        <h1>{station.name}</h1>
        <StateWord state={row.state === "out_of_service" ? row.state : (standing?.state ?? null)} />
        {since === null ? null : <span class="muted">{since}</span>}
      </div>
      <p class="muted">
        <bdi>{station.id}</bdi>
        {station.river === null ? null : <>{t.separator}{station.river}</>}
      </p>
      <nav class="beside" aria-label={station.river ?? t.overview.rivers}>
        {up.map((row) => <Beside key={row.station.id} label={`‹ ${t.station.up}`} row={row} />)}
        <Beside label={`${t.station.down} ›`} row={down} />
      </nav>
      {standings.length > 1 ? (
        <div class="segments" role="group" aria-label={t.station.section}>
          {standings.map(({ section }) => (
            <button key={section} type="button" aria-pressed={section === standing?.section} onClick={() => { onSection(section); }}>
              {sectionText(t, section)}
            </button>
          ))}
        </div>
      ) : null}
      {children}
      {standing === null ? null : <Figures standing={standing} station={station} asOf={asOf} />}
    </header>
  );
}

/** Every alarm of a station that is not over, the soonest first, with the way to where it is taken on. */
export function StationAlarms(props: {
  readonly alarms: readonly Alarm[];
  readonly row: Row;
  /** With their newest samples; null before they are known. */
  readonly gauges: readonly Gauge[] | null;
  readonly asOf: number;
}): JSX.Element | null {
  const t = useTexts();
  const { alarms, row, gauges, asOf } = props;
  const { station } = row;
  if (alarms.length === 0) return null;
  return (
    <section class="card station-alarms" aria-labelledby="station-alarms">
      <div class="card-head">
        <h2 id="station-alarms">{t.station.openAlarms}</h2>
        <a href={href({ page: "alarms", tab: "open" })}>{t.station.toConsole}</a>
      </div>
      <ul>
        {alarms.map((alarm) => (
          <li key={alarm.id} class={`station-alarm is-${alarm.severity ?? "none"} stands-${alarm.state ?? "none"}`}>
            <span class="severity">{alarm.severity === null ? NOTHING : t.severities[alarm.severity]}</span>
            <span class="alarm-what">
              <span>
                {alarm.drill ? <span class="drill">{t.alarms.drill}</span> : null}
                {alarm.section === null || row.standings.length < 2 ? null : `${sectionText(t, alarm.section)}${t.separator}`}{matterText(t, alarm)}
              </span>
              <AlarmNotes alarm={alarm} isBack={isBack(alarm, row, gauges)} />
            </span>
            <span class="alarm-when">
              <span class="alarm-state">{alarm.state === null ? NOTHING : t.alarmStates[alarm.state]}</span>
              <span class="muted">{shortText(beganAt(alarm, row), asOf, station.zone)}{t.separator}{t.alarms.columns.lasting} {stoodText(t, alarm, beganAt(alarm, row), asOf)}</span>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Beside({ label, row }: { readonly label: string; readonly row: Row | null }): JSX.Element | null {
  if (row === null) return null;
  return (
    <a href={href(stationRoute(row.station.id))}>
      <span class="muted">{label}</span> {row.station.name} <StateWord state={row.state} />
    </a>
  );
}

function Figures({ standing, station, asOf }: { readonly standing: Standing; readonly station: Station; readonly asOf: number }): JSX.Element {
  const t = useTexts();
  const { released, required, share, today } = standing;
  const old = isOld(standing);
  const unknown = released === null && standing.state !== null ? t.station.noData : NOTHING;
  return (
    <dl class={`figures is-${standing.state ?? "none"}`}>
      <Figure label={t.station.released} unit="m³/s" value={released === null ? null : releasedText(released, required)} unknown={t.station.noData} isOld={old}>
        {released === null ? null : `${t.station.measured} ${shortText(released.at, asOf, station.zone)}${released.quality === "good" ? "" : `${t.separator}${t.qualities[released.quality] ?? released.quality}`}`}
      </Figure>
      <Figure label={t.station.required} unit="m³/s" value={required === null ? null : requiredOf(required)}>
        {required === null ? t.station.noMandate : required.document}
      </Figure>
      <Figure label={t.station.share} value={share === null ? null : percentText(t, share, 1)} unknown={required === null ? NOTHING : unknown} isOld={old}>{null}</Figure>
      <Figure label={old && released !== null ? t.station.todayUntil(shortText(released.at, asOf, station.zone)) : t.station.todaySoFar} value={today?.verdict ? t.verdicts[today.verdict] : null} unknown={unknown} isOld={old}>
        {today?.hours ? hoursText(t, today.hours) : null}
      </Figure>
      <Figure label={t.station.completeness} value={today?.completeness ? percentText(t, today.completeness, 1) : null} unknown={today === null ? unknown : t.station.noData} isOld={old}>
        {today === null ? null : `${t.station.online} ${today.online === null ? t.station.noData : percentText(t, today.online, 1)}`}
      </Figure>
    </dl>
  );
}

interface FigureProps {
  readonly label: string;
  /** Null where it is not known, which `unknown` says. */
  readonly value: string | null;
  readonly unknown?: string;
  readonly unit?: string;
  /** Whether it is of a time that is over. */
  readonly isOld?: boolean;
  readonly children: ComponentChildren;
}

function Figure(props: FigureProps): JSX.Element {
  const { value, unit, unknown = NOTHING, isOld: old = false } = props;
  return (
    <div {...(old ? { class: "is-old" } : {})}>
      <dt>{props.label}</dt>
      <dd class="figure">
        {value ?? unknown}
        {unit === undefined || value === null ? null : <span class="unit"> {unit}</span>}
      </dd>
      {props.children === null ? null : <dd class="muted">{props.children}</dd>}
    </div>
  );
}

export function StationFacts({ station }: { readonly station: Station }): JSX.Element {
  const t = useTexts();
  const { counties } = useSite();
  const { fact, statuses } = t.station;
  const county = counties.get(station.county ?? "");
  const facts: readonly (readonly [string, string | null])[] = [
    [fact.id, station.id],
    [fact.river, station.river],
    [fact.county, county === undefined ? station.county : `${county} ${station.county ?? ""}`],
    // what is kept, put right or closed are hydropower stations
    [fact.status, station.kind === "hydropower" || station.status === "exited" ? (statuses[station.status] ?? station.status) : null],
    [fact.owner, station.owner],
    [fact.phone, station.phone],
    [fact.agent, station.agent],
    [fact.zone, station.zone],
  ];
  return (
    <dl class="facts">
      {facts.filter(([, value]) => value !== null).map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd><bdi>{value}</bdi></dd>
        </div>
      ))}
    </dl>
  );
}

/** The roles are those of a table, which it stays for screen readers where a telephone stacks its cells. */
export function Gauges(props: {
  readonly gauges: readonly Gauge[];
  /** Of its station, those that are not over. */
  readonly alarms: readonly Alarm[];
  readonly zone: string;
  readonly asOf: number;
}): JSX.Element {
  const t = useTexts();
  const { gauges, alarms, zone, asOf } = props;
  const { gauge: columns } = t.station;
  if (gauges.length === 0) return <p class="muted">{t.station.noGauges}</p>;
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={t.station.gauges}>
      <table class="gauges" role="table">
        <thead role="rowgroup">
          <tr role="row">
            <th scope="col" role="columnheader">{columns.id}</th>
            <th scope="col" role="columnheader">{columns.quantity}</th>
            <th scope="col" role="columnheader" class="number">{columns.value}</th>
            <th scope="col" role="columnheader">{columns.quality}</th>
            <th scope="col" role="columnheader">{columns.at}</th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          {gauges.map((gauge) => (
            <tr key={gauge.id} role="row">
              <th scope="row" role="rowheader"><bdi>{gauge.id}</bdi></th>
              <td role="cell">{t.quantities[gauge.quantity] ?? gauge.quantity}</td>
              <td role="cell" class="number">
                {gauge.latest === null || gauge.latest.value === null ? NOTHING : `${observedText(gauge.latest.value, null, gauge.decimals)}${unitText(gauge.unit)}`}
              </td>
              <td role="cell">
                <GaugeStands gauge={gauge} alarm={alarmOfGauge(alarms, gauge.id, gauges)} asOf={asOf} />
              </td>
              <td role="cell">{gauge.latest === null ? NOTHING : shortText(gauge.latest.at, asOf, zone)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What an alarm says of a gauge in the place of a good sample, which a meter that is stuck has as well; else the sample's quality, while it is not old. */
function GaugeStands({ gauge, alarm, asOf }: { readonly gauge: Gauge; readonly alarm: Alarm | null; readonly asOf: number }): JSX.Element {
  const t = useTexts();
  const { latest } = gauge;
  if (alarm === null && isSilent(gauge, asOf)) return <strong class="state is-stale">{t.states.stale}</strong>;
  if (alarm === null) return <>{latest === null ? NOTHING : quality(t, latest)}</>;
  const isGood = latest === null || latest.quality === "good";
  return <strong class={`gauge-alarm is-${alarm.severity ?? "none"}`}>{alarm.flat ? t.alarms.stuck : t.states.stale}{isGood ? "" : `${t.separator}${quality(t, latest)}`}</strong>;
}

function quality(t: ReturnType<typeof useTexts>, sample: { readonly quality: string; readonly reason: string | null }): string {
  const word = t.qualities[sample.quality] ?? sample.quality;
  return sample.reason === null ? word : `${word}${t.separator}${reasonText(t, sample.reason)}`;
}

/** Units as people write them, with the space before them where there is one. */
function unitText(unit: string): string {
  if (unit === "%") return "%";
  if (unit === "degC") return " °C";
  if (unit === "deg") return "°";
  if (unit === "pH" || unit === "1") return "";
  return " " + unit.replace("m3", "m³").replace("10^4", "10⁴").replace(/^u(?=[gS])/, "µ");
}
