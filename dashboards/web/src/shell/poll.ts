// What is asked for call by call where the stream is not to be had: stations and open alarms, at a slow rhythm.
//
// | bound | value | at the bound |
// |---|---|---|
// | between rounds | `POLL_MS`, a quarter more or less | nothing is asked; a page that is not seen asks nothing |
// | a round | two calls for stations, one after another for each state of an open alarm | the first of these that fails is the last |
// | alarms of one state | 1,000 | older ones are not shown, as the stream has them |

import { computed, effect } from "@preact/signals";

import { alarms as alarmsShape, type Alarm } from "../api/alarm.ts";
import { open, OPEN } from "../attention.ts";
import { loaded, type Result } from "../failure.ts";
import { isPollDue, NOT_POLLED, polledAfter, POLL_MS, serverTime } from "../picture.ts";
import { get } from "./call.ts";
import { now, patience } from "./clock.ts";
import { live, load, mayAsk, polled, refusal, stations } from "./known.ts";
import { who } from "./session.ts";

const LIMIT = 1_000;

let isUnderWay = false;
/** Whether somebody asked for a round that shows what was done before it began. */
let isOwed = false;
let endedMs: number | null = null;
let waitMs = POLL_MS;

/** Begins to look, once a second, whether it is time for a round. */
export function poll(stop: AbortSignal): void {
  const watch = setInterval(() => {
    if (stop.aborted) clearInterval(watch);
    else if (isDue()) void round();
  }, 1_000);
  const isLive = computed(() => live.value.link === "live");
  effect(() => {
    if (isLive.value) resume();
  });
}

/** Asks soon, since something was done of which no stream will tell. */
export function pollSoon(): void {
  isOwed = true;
  endedMs = null;
}

/** The stream tells again: what was asked for is older, and nobody asks anew for a list that failed meanwhile. */
function resume(): void {
  polled.value = NOT_POLLED;
  if (stations.peek().failure !== null) void load();
}

function isDue(): boolean {
  if (isUnderWay || document.hidden || !mayAsk()) return false;
  return isPollDue(live.peek(), refusal.peek(), endedMs, waitMs, patience());
}

async function round(): Promise<void> {
  isUnderWay = true;
  isOwed = false;
  const [isListed, alarms] = await Promise.all([load(false), openAlarms()]);
  isUnderWay = false;
  endedMs = isOwed ? null : patience();
  // those who lost their stream in one moment do not ask in one moment for ever
  waitMs = POLL_MS * (0.75 + Math.random() / 2);
  if (live.peek().link === "live") {
    resume();
    return;
  }
  const before = polled.peek();
  const isAnswered = isListed && alarms?.ok !== false;
  const known = alarms === null ? before.alarms : loaded(before.alarms, alarms, now());
  polled.value = polledAfter(before, known, isAnswered, serverTime(live.peek(), patience()) ?? now());
}

/** Null for a screen on a wall, which is told of no alarm. */
async function openAlarms(): Promise<Result<readonly Alarm[]> | null> {
  if (who.peek()?.role === "wall") return null;
  const found = new Map<string, Alarm>();
  // in the order in which an alarm goes through them: one that moves on meanwhile is found twice, and none is missed
  for (const state of OPEN) {
    const page = await get(alarmsShape, `/alarms?state=${state}&limit=${String(LIMIT)}`);
    if (!page.ok) return page;
    for (const alarm of page.value.alarms) found.set(alarm.id, alarm);
  }
  return { ok: true, value: open(found.values()) };
}
