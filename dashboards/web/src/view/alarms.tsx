// The alarm console: what needs a hand first, and taking it on with a key.

import type { JSX } from "preact";
import { useRef } from "preact/hooks";

import type { Alarm, AlarmStep } from "../api/alarm.ts";
import { isToBeTaken, momentsOf } from "../attention.ts";
import type { Loaded } from "../failure.ts";
import { stepped } from "../focus.ts";
import { ALARM_TABS, href, stationRoute, type AlarmTab } from "../route.ts";
import { minuteText, shortText } from "../time.ts";
import { endText, matterText, stoodText, whereText, whoText } from "../words.ts";
import { useTexts } from "./language.tsx";
import { useSite } from "./site.tsx";
import { Empty, Known } from "./states.tsx";

/** As much of an alarm's id as the page behind its link shows, and people say to one another. */
const ID_DIGITS = 8;

/** What became of somebody's taking an alarm on. */
export type Taking = "asking" | "asked" | "conflict" | "forbidden" | "failed";

export interface AlarmsProps {
  readonly tab: AlarmTab;
  readonly alarms: Loaded<readonly Alarm[]>;
  readonly asOf: number;
  /** Whether nothing is known of what has happened since then. */
  readonly isStale: boolean;
  readonly nameOf: (station: string) => string;
  /** Whether what an alarm is about is well again while it stands, and since when it is so. */
  readonly isBack: (alarm: Alarm) => boolean;
  readonly beganAt: (alarm: Alarm) => number;
  /** Whether the role of whoever looks takes alarms on, and sees messages about them. */
  readonly mayTake: boolean;
  readonly hasMessages: boolean;
  readonly taking: ReadonlyMap<string, Taking>;
  /** What was said last of a taking, for everybody to see and hear. */
  readonly said: string | null;
  readonly open: string | null;
  readonly timeline: Loaded<readonly AlarmStep[]>;
  readonly hasMore: boolean;
  readonly onTake: (alarm: Alarm) => void;
  readonly onOpen: (id: string | null) => void;
  readonly onMore: () => void;
  readonly again: () => void;
  readonly againTimeline: () => void;
}

export function Alarms(props: AlarmsProps): JSX.Element {
  const t = useTexts();
  const { tab, alarms, said, hasMore } = props;
  return (
    <div class="alarms">
      <div class="page-head">
        <h1>{t.alarms.heading}</h1>
        <nav class="segments" aria-label={t.alarms.heading}>
          {ALARM_TABS.map((known) => (
            <a key={known} href={href({ page: "alarms", tab: known })} aria-current={known === tab ? "page" : undefined}>{t.alarms.tabs[known]}</a>
          ))}
        </nav>
        {alarms.value === null || alarms.value.length === 0 || hasMore ? null : <span class="muted">{t.alarms.countOf(alarms.value.length)}</span>}
        <p class="said" role="status">{said}</p>
      </div>
      <Known of={alarms} again={props.again}>
        {(known) =>
          known.length === 0 ? (
            <Empty title={tab === "history" ? t.alarms.noneHistory : props.isStale ? t.link.unknown : t.alarms.none}>{tab === "open" ? <p>{t.alarms.noneHelp} <a href="/">{t.overview.heading}</a></p> : null}</Empty>
          ) : (
            <>
              {tab === "open" ? <p class="muted keys">{props.mayTake ? t.alarms.keys : t.alarms.keysToSee}</p> : null}
              <AlarmList {...props} list={known} />
              {hasMore ? <button type="button" class="button" onClick={props.onMore}>{t.alarms.more}</button> : null}
            </>
          )
        }
      </Known>
    </div>
  );
}

function AlarmList(props: AlarmsProps & { readonly list: readonly Alarm[] }): JSX.Element {
  const { list, mayTake, onTake, onOpen, open } = props;
  const box = useRef<HTMLOListElement>(null);
  const key = (event: KeyboardEvent) => {
    const item = event.target instanceof HTMLElement ? event.target.closest<HTMLElement>("[data-alarm]") : null;
    const alarm = list.find(({ id }) => id === item?.dataset["alarm"]);
    if (alarm === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = stepped(list, alarm.id, event.key);
    if (to !== null) box.current?.querySelector<HTMLElement>(`[data-alarm="${to}"]`)?.focus();
    // a link or a button within it has keys of its own
    else if (event.target !== item || event.repeat) return;
    else if (event.key === "Enter") onOpen(open === alarm.id ? null : alarm.id);
    else if (event.key.toLowerCase() === "a") { if (mayTake && isToBeTaken(alarm)) onTake(alarm); }
    else return;
    event.preventDefault();
  };
  return (
    <ol class="alarm-list" ref={box} onKeyDown={key}>
      {list.map((alarm) => <AlarmItem key={alarm.id} alarm={alarm} {...props} />)}
    </ol>
  );
}

function AlarmItem(props: AlarmsProps & { readonly alarm: Alarm }): JSX.Element {
  const t = useTexts();
  const { zone } = useSite();
  const { alarm, asOf, nameOf, isBack, open, onOpen } = props;
  const began = props.beganAt(alarm);
  const where = whereText(t, alarm, nameOf(alarm.station));
  const matter = matterText(t, alarm);
  const end = endText(t, alarm);
  const isOpen = open === alarm.id;
  return (
    <li
      class={`alarm is-${alarm.severity ?? "none"} stands-${alarm.state ?? "none"}`}
      data-alarm={alarm.id}
      tabIndex={0}
      aria-label={`${alarm.drill ? t.alarms.drillTag : ""}${where}${t.separator}${matter}`}
    >
      <span class="severity">{alarm.severity === null ? "—" : t.severities[alarm.severity]}</span>
      <span class="alarm-what">
        <span class="alarm-where">
          <AlarmTags alarm={alarm} />
          <a href={href(stationRoute(alarm.station))}>{where}</a>
        </span>
        <span>{matter}</span>
        <AlarmNotes alarm={alarm} isBack={isBack(alarm)} />
        {end === null ? null : <span class="muted">{end}</span>}
      </span>
      <span class="alarm-when">
        <span class="alarm-state">{alarm.state === null ? "—" : t.alarmStates[alarm.state]}</span>
        <span class="muted">
          {shortText(began, asOf, zone)}{t.separator}{t.alarms.columns.lasting} {stoodText(t, alarm, began, asOf)}
        </span>
      </span>
      <span class="alarm-act">
        <Act {...props} what={`${where}${t.separator}${matter}`} />
        <button type="button" class="quiet" aria-expanded={isOpen} onClick={() => { onOpen(isOpen ? null : alarm.id); }}>{t.alarms.details}</button>
      </span>
      {isOpen ? <Timeline {...props} /> : null}
    </li>
  );
}

/** That an alarm is none in earnest, or comes again and again. */
export function AlarmTags({ alarm }: { readonly alarm: Alarm }): JSX.Element {
  const { alarms } = useTexts();
  return (
    <>
      {alarm.drill ? <span class="drill">{alarms.drill}</span> : null}
      {alarm.chattering ? <span class="drill" title={alarms.chatteringHelp}>{alarms.chattering}</span> : null}
    </>
  );
}

/** What is to be known of an alarm beside what it is about, each on a line of its own. */
export function AlarmNotes({ alarm, isBack }: { readonly alarm: Alarm; readonly isBack: boolean }): JSX.Element {
  const { alarms } = useTexts();
  return (
    <>
      {alarm.reached_nobody ? <span class="alarm-nobody" title={alarms.nobodyHelp}><span aria-hidden="true">✕</span> {alarms.nobody}</span> : null}
      {isBack ? <Back alarm={alarm} /> : null}
    </>
  );
}

/** That what an alarm is about is well again, and not for long enough yet to end it. */
export function Back({ alarm }: { readonly alarm: Alarm }): JSX.Element {
  const { alarms } = useTexts();
  const [text, help] = alarm.gauge === null ? [alarms.back, alarms.backHelp] : [alarms.backData, alarms.backDataHelp];
  return <span class="alarm-back" title={help}><span aria-hidden="true">▲</span> {text}</span>;
}

function Act({ alarm, asOf, mayTake, taking, onTake, what }: AlarmsProps & { readonly alarm: Alarm; readonly what: string }): JSX.Element | null {
  const t = useTexts();
  const { zone } = useSite();
  const stands = taking.get(alarm.id);
  if (alarm.acknowledged) {
    const at = alarm.acknowledged_at === null ? "" : shortText(alarm.acknowledged_at, asOf, zone);
    return <span class="muted">{t.alarms.taken(whoText(t, alarm.acknowledged_by, alarm.acknowledged_as), at)}</span>;
  }
  if (!isToBeTaken(alarm)) return null;
  if (!mayTake) return <span class="muted">{t.alarms.notYours}</span>;
  if (stands === "asked") return <span class="muted">{t.alarms.asked}</span>;
  const isBusy = stands === "asking";
  return (
    <button
      type="button"
      class="button is-first"
      aria-disabled={isBusy}
      aria-label={t.alarms.takeLabel(what)}
      onClick={() => { if (!isBusy) onTake(alarm); }}
    >
      {isBusy ? t.alarms.taking : t.alarms.take}
    </button>
  );
}

function Timeline({ alarm, beganAt, timeline, hasMessages, againTimeline }: AlarmsProps & { readonly alarm: Alarm }): JSX.Element {
  const t = useTexts();
  const { zone } = useSite();
  const began = beganAt(alarm);
  return (
    <div class="timeline">
      <Known of={timeline} again={againTimeline} lines={2}>
        {(steps) =>
          steps.length === 0 ? <p class="muted">{t.alarms.noTimeline}</p> : (
            <ol>
              {steps.map((step) => {
                const { at, foundAt, isLastReading } = momentsOf(step, alarm, began);
                return (
                  <li key={`${String(step.version)} ${step.what}`}>
                    <span class="number">{minuteText(at, zone)}</span> <strong>{isLastReading ? t.alarms.lastRead : (t.steps[step.what] ?? step.what)}</strong>
                    {step.by === null ? null : <> {whoText(t, step.by, step.as)}</>}
                    {foundAt === null ? null : <span class="muted">{t.separator}{t.alarms.detected(minuteText(foundAt, zone))}</span>}
                  </li>
                );
              })}
            </ol>
          )
        }
      </Known>
      <p class="muted">{t.alarms.id} {alarm.id.slice(0, ID_DIGITS)}</p>
      {hasMessages ? <a href={href({ page: "outbox", alarm: alarm.id })}>{t.alarms.messages}</a> : null}
    </div>
  );
}
