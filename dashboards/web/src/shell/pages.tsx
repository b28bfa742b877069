// Each page with what it shows: the live state, what it fetches, and what happens when somebody acts.

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { alarms as alarmsShape, alarmWithTimeline, notifications, type Alarm } from "../api/alarm.ts";
import { beganAt, isBack } from "../attention.ts";
import type { Loaded } from "../failure.ts";
import { heir, stepped } from "../focus.ts";
import { isItsOwn } from "../gesture.ts";
import type { Row } from "../order.ts";
import { maySeeAlarms, maySeeMessages, mayTakeOn } from "../role.ts";
import type { AlarmTab } from "../route.ts";
import { matterText, whereText } from "../words.ts";
import { Alarms, type Taking } from "../view/alarms.tsx";
import { useTexts } from "../view/language.tsx";
import { NotYours, Outbox } from "../view/outbox.tsx";
import { Overview } from "../view/overview.tsx";
import { Loading } from "../view/states.tsx";
import { Wall } from "../view/wall.tsx";
import { get, post } from "./call.ts";
import { asOf, listed, load, rows, shown, stations } from "./known.ts";
import { pollSoon } from "./poll.ts";
import { useResource } from "./resource.ts";
import { who } from "./session.ts";

/** What a list that has no end shows at first, and how much more each time. */
const PAGE = 50;
/** A new breach is said aloud so often at most. */
const NEWS_MS = 30_000;

export function OverviewPage(): JSX.Element {
  const t = useTexts();
  const news = useNews();
  return (
    <>
      <Overview stations={listed.value} rows={rows.value} counts={shown.value.counts} alarms={shown.value.alarms.value} asOf={asOf.value} again={() => void load()} />
      <p class="unseen" aria-live="polite">{news === null ? "" : t.overview.announce(news)}</p>
    </>
  );
}

export function WallPage(): JSX.Element {
  useAwake();
  const { counts, alarms, link, at, why } = shown.value;
  return (
    <Wall
      stations={listed.value}
      rows={rows.value}
      counts={counts}
      alarms={maySeeAlarms(who.value?.role ?? null) ? alarms.value : null}
      link={link}
      at={at}
      why={why}
      asOf={asOf.value}
      again={() => void load()}
    />
  );
}

/** The screen of a wall stays on. A browser takes that back whenever the page is hidden, and may refuse it. */
function useAwake(): void {
  useEffect(() => {
    const ask = () => {
      // pages over plain http have none, whatever the type says
      if (!document.hidden && (("wakeLock" in navigator) as boolean)) navigator.wakeLock.request("screen").catch(() => undefined);
    };
    ask();
    document.addEventListener("visibilitychange", ask);
    return () => { document.removeEventListener("visibilitychange", ask); };
  }, []);
}

/** The name of a station that has come below its mandate, for whoever does not see it turn red. */
function useNews(): string | null {
  const [news, setNews] = useState<string | null>(null);
  const known = useRef<{ readonly ids: ReadonlySet<string>; readonly saidAt: number } | null>(null);
  const list = rows.value;
  const isKnown = shown.value.at !== null && stations.value.value !== null;
  useEffect(() => {
    if (!isKnown) return;
    const breaches = list.filter((row) => row.state === "breach");
    const ids = new Set(breaches.map((row) => row.station.id));
    const before = known.current;
    const fresh = before === null ? undefined : breaches.find((row) => !before.ids.has(row.station.id));
    const at = performance.now();
    const isTime = before === null || at - before.saidAt >= NEWS_MS;
    if (fresh !== undefined && isTime) setNews(fresh.station.name);
    known.current = { ids, saidAt: fresh !== undefined && isTime ? at : (before?.saidAt ?? -NEWS_MS) };
  }, [list, isKnown]);
  return news;
}

export function AlarmsPage({ tab }: { readonly tab: AlarmTab }): JSX.Element {
  const [limit, setLimit] = useState(PAGE);
  const [open, setOpen] = useState<string | null>(null);
  const { taking, said, take } = useTaking();
  const isHistory = tab === "history";
  const history = useResource(
    `alarms ${String(isHistory)} ${String(limit)}`,
    isHistory ? async (signal) => get(alarmsShape, `/alarms?state=normal&limit=${String(limit)}`, signal) : null,
    null,
    isHistory ? 15_000 : null,
  );
  const known: Loaded<readonly Alarm[]> = isHistory ? { ...history, value: history.value?.alarms ?? null } : shown.value.alarms;
  const version = shown.value.alarms.value?.find(({ id }) => id === open)?.version ?? 0;
  const role = who.value?.role ?? null;
  const timeline = useResource(
    `timeline ${open ?? ""}`,
    open === null ? null : async (signal) => get(alarmWithTimeline, `/alarms/${encodeURIComponent(open)}`, signal),
    version,
  );
  useFocusKept(known.value ?? []);
  return (
    <Alarms
      tab={tab}
      alarms={known}
      asOf={asOf.value}
      isStale={shown.value.link === "stale"}
      nameOf={nameOf}
      isBack={(alarm) => isBack(alarm, rowOf(alarm.station))}
      beganAt={(alarm) => beganAt(alarm, rowOf(alarm.station))}
      mayTake={mayTakeOn(role)}
      hasMessages={maySeeMessages(role)}
      taking={taking}
      said={said}
      open={open}
      timeline={{ ...timeline, value: timeline.value?.timeline ?? null }}
      hasMore={isHistory && (history.value?.next ?? null) !== null}
      onTake={take}
      onOpen={setOpen}
      onMore={() => { setLimit((before) => before + PAGE); }}
      again={isHistory ? history.again : pollSoon}
      againTimeline={timeline.again}
    />
  );
}

/** Taking alarms on: the server decides who was first, and the stream tells everybody. */
function useTaking(): { readonly taking: ReadonlyMap<string, Taking>; readonly said: string | null; readonly take: (alarm: Alarm) => void } {
  const t = useTexts();
  const [taking, setTaking] = useState<ReadonlyMap<string, Taking>>(new Map());
  const [said, setSaid] = useState<string | null>(null);
  const busy = useRef(new Set<string>());
  const lastAt = useRef<number | null>(null);
  const note = (id: string, what: Taking) => { setTaking((before) => new Map(before).set(id, what)); };
  const ask = async (alarm: Alarm): Promise<void> => {
    const at = performance.now();
    // an alarm that is over leaves the list once it is taken on, and the next one comes into its place
    if (busy.current.has(alarm.id) || !isItsOwn(lastAt.current, at)) return;
    lastAt.current = at;
    busy.current.add(alarm.id);
    note(alarm.id, "asking");
    const result = await post(alarmWithTimeline, `/alarms/${encodeURIComponent(alarm.id)}/acknowledge`, { version: alarm.version });
    pollSoon();
    if (result.ok) {
      note(alarm.id, "asked");
      setSaid(t.alarms.done(`${whereText(t, alarm, nameOf(alarm.station))}${t.separator}${matterText(t, alarm)}`));
      return;
    }
    busy.current.delete(alarm.id);
    const { kind } = result.failure;
    const what = kind === "conflict" ? "conflict" : kind === "forbidden" ? "forbidden" : "failed";
    note(alarm.id, what);
    setSaid(t.alarms[what]);
  };
  return { taking, said, take: (alarm) => void ask(alarm) };
}

/**
 * A list that is sorted anew, or a button that has gone, must not take the place of whoever works with keys; and arrows
 * find the list from wherever nothing else has them.
 */
function useFocusKept(list: readonly Alarm[]): void {
  const held = useRef<string | null>(null);
  const shownBefore = useRef<readonly string[]>([]);
  const latest = useRef(list);
  latest.current = list;
  useEffect(() => {
    const note = ({ target }: Event) => {
      const item = target instanceof Element ? target.closest<HTMLElement>("[data-alarm]") : null;
      held.current = item?.dataset["alarm"] ?? null;
    };
    const key = (event: KeyboardEvent) => {
      const isElsewhere = event.target instanceof Element && !event.target.matches("body, #main");
      if (isElsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
      const to = stepped(latest.current, held.current, event.key);
      if (to !== null && focusOn(to)) event.preventDefault();
    };
    document.addEventListener("focusin", note);
    // whoever points at something else is not brought back
    document.addEventListener("pointerdown", note);
    document.addEventListener("keydown", key);
    return () => {
      document.removeEventListener("focusin", note);
      document.removeEventListener("pointerdown", note);
      document.removeEventListener("keydown", key);
    };
  }, []);
  useLayoutEffect(() => {
    if (held.current !== null && document.activeElement === document.body) {
      const to = heir(shownBefore.current, list, held.current);
      if (to === null) document.getElementById("main")?.focus({ preventScroll: true });
      // one that moved does not move the page along
      else focusOn(to, to === held.current);
    }
    shownBefore.current = list.map(({ id }) => id);
  });
}

/** Whether the alarm is there to be focused on. */
function focusOn(id: string, isStill = false): boolean {
  const item = document.querySelector<HTMLElement>(`[data-alarm="${CSS.escape(id)}"]`);
  item?.focus({ preventScroll: isStill });
  return item !== null;
}

export function OutboxPage({ alarm }: { readonly alarm: string | null }): JSX.Element {
  if (who.value === null) return <Loading />;
  return maySeeMessages(who.value.role) ? <Messages alarm={alarm} /> : <NotYours />;
}

function Messages({ alarm }: { readonly alarm: string | null }): JSX.Element {
  const [limit, setLimit] = useState(PAGE);
  const about = alarm === null ? "" : `&alarm=${encodeURIComponent(alarm)}`;
  const messages = useResource(
    `outbox ${about} ${String(limit)}`,
    async (signal) => get(notifications, `/notifications?limit=${String(limit)}${about}`, signal),
    null,
    5_000,
  );
  return (
    <Outbox
      messages={{ ...messages, value: messages.value?.notifications ?? null }}
      alarm={alarm}
      asOf={asOf.value}
      hasMore={(messages.value?.next ?? null) !== null}
      onMore={() => { setLimit((before) => before + PAGE); }}
      again={messages.again}
    />
  );
}

export function nameOf(id: string): string {
  return rowOf(id)?.station.name ?? id;
}

function rowOf(id: string): Row | null {
  return rows.value.find((row) => row.station.id === id) ?? null;
}
