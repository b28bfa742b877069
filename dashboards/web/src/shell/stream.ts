// The live stream: one connection for all tabs of a browser, which comes back by itself where it left off.
//
// A lock of the browser says which tab holds the connection; it tells the others on a channel. When it is closed the
// lock passes to another, which goes on after the last event that it has. Browsers without locks (pages over plain
// http) have a connection for each tab.
//
// | bound | value | at the bound |
// |---|---|---|
// | silence | two beats and a half | the connection is given up and made anew |
// | between attempts | 1 s, doubled up to 4 s | it is tried for ever |
// | an event | 16 MiB | the connection is made anew |

import { told as toldShape, type Told } from "../api/event.ts";
import type { Failure } from "../failure.ts";
import { parse } from "../json.ts";
import { STALE_MS, type Live } from "../live.ts";
import { NOTHING, take } from "../sse.ts";
import { BASE, refusal } from "./call.ts";
import { patience } from "./clock.ts";

const NAME = "baseflow-live-1";
const RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 4_000;
/** Whoever holds the connection answers within this, or is taken for asleep. */
const ANSWER_MS = 2_000;

/** What the stream tells a page, and asks of it. */
export interface Listener {
  readonly known: () => Live;
  /** Whether asking is worth it: not while nobody is logged in. */
  readonly mayAsk: () => boolean;
  readonly told: (name: string, id: string, told: Told) => void;
  /** What another tab knows, and how long ago it heard of it. */
  readonly adopted: (live: Live, ageMs: number) => void;
  /** What the server said instead of a stream; null where it said nothing. */
  readonly refused: (why: Failure | null) => void;
}

type Message =
  | { readonly kind: "told"; readonly name: string; readonly id: string; readonly told: Told }
  | { readonly kind: "refused"; readonly why: Failure | null }
  | { readonly kind: "ask" }
  | { readonly kind: "state"; readonly live: Live; readonly ageMs: number };

/** Follows the stream until `stop`. */
export function follow(listener: Listener, stop: AbortSignal): void {
  const tab = new Tab(listener, stop);
  tab.begin();
}

class Tab {
  private readonly channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(NAME) : null;
  private leads = false;
  private answeredMs = patience();

  constructor(
    private readonly listener: Listener,
    private readonly stop: AbortSignal,
  ) {}

  begin(): void {
    if (this.channel !== null) {
      this.channel.onmessage = (event: MessageEvent<Message>) => {
        this.hear(event.data);
      };
    }
    this.stop.addEventListener("abort", () => {
      this.channel?.close();
    });
    // a tab that slept may have missed what was told meanwhile
    document.addEventListener("visibilitychange", this.ask, { signal: this.stop });
    addEventListener("pageshow", this.ask, { signal: this.stop });
    this.ask();
    // without the secure context that locks need, the type says that they are there all the same
    if (("locks" in navigator) as boolean && this.channel !== null) void this.queue(false);
    else void this.lead();
    const watch = setInterval(() => {
      if (this.stop.aborted) clearInterval(watch);
      else this.watch();
    }, 1_000);
  }

  /** Waits for the lock, or takes it from a tab that sleeps with it. */
  private async queue(steals: boolean): Promise<void> {
    try {
      await navigator.locks.request(NAME, steals ? { steal: true } : { signal: this.stop }, async () => this.lead());
    } catch {
      // stopped, or another tab took it: then this one waits again
      this.leads = false;
      if (!this.stop.aborted) void this.queue(false);
    }
  }

  private readonly ask = (): void => {
    if (this.leads || document.hidden) return;
    this.channel?.postMessage({ kind: "ask" } satisfies Message);
  };

  private hear(message: Message): void {
    switch (message.kind) {
      case "told":
        this.answeredMs = patience();
        this.listener.told(message.name, message.id, message.told);
        // what was told before this tab came, or while it slept, the other one knows
        if (this.listener.known().lastEventId === null) this.ask();
        return;
      case "state":
        this.answeredMs = patience();
        this.listener.adopted(message.live, message.ageMs);
        return;
      case "refused":
        this.listener.refused(message.why);
        return;
      case "ask": {
        if (!this.leads) return;
        const live = this.listener.known();
        this.channel?.postMessage({ kind: "state", live, ageMs: patience() - live.heardMs } satisfies Message);
      }
    }
  }

  /** A tab that is seen asks a silent leader whether it is awake, and takes its place where it is not. */
  private watch(): void {
    if (this.leads || document.hidden || this.channel === null || !(("locks" in navigator) as boolean)) return;
    const silentMs = patience() - this.answeredMs;
    if (silentMs > STALE_MS) this.ask();
    if (silentMs > STALE_MS + ANSWER_MS) {
      this.answeredMs = patience();
      void this.queue(true);
    }
  }

  private async lead(): Promise<void> {
    this.leads = true;
    let wait = RETRY_MS;
    while (!this.stop.aborted && this.leads) {
      const beganMs = patience();
      if (this.listener.mayAsk()) await this.connect();
      else wait = RETRY_MS / 2;
      // a connection that held for a while is no reason to wait longer for the next one
      wait = patience() - beganMs > LONGEST_RETRY_MS ? RETRY_MS : Math.min(wait * 2, LONGEST_RETRY_MS);
      await pause(wait / 2 + (Math.random() * wait) / 2, this.stop);
    }
  }

  /** One connection, to its end. */
  private async connect(): Promise<void> {
    const given = new AbortController();
    let heardMs = patience();
    const watch = setInterval(() => {
      if (this.stop.aborted || !this.leads || patience() - heardMs > STALE_MS) given.abort();
    }, 500);
    try {
      const last = this.listener.known().lastEventId;
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (last !== null) headers["last-event-id"] = last;
      const response = await fetch(`${BASE}/live`, { headers, signal: given.signal, credentials: "same-origin", cache: "no-store" });
      if (!response.ok || response.body === null) {
        this.refused(refusal(response.status, await response.text()));
        return;
      }
      await this.read(response.body, () => {
        heardMs = patience();
      });
    } catch {
      // the network, or given up: the next attempt follows
      this.refused(null);
    } finally {
      clearInterval(watch);
      given.abort();
    }
  }

  private refused(why: Failure | null): void {
    this.listener.refused(why);
    this.channel?.postMessage({ kind: "refused", why } satisfies Message);
  }

  private async read(body: ReadableStream<Uint8Array>, heard: () => void): Promise<void> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let partial = NOTHING;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const taken = take(partial, decoder.decode(value, { stream: true }));
      if (taken === null) return;
      partial = taken.partial;
      for (const { name, id, data } of taken.events) {
        heard();
        const told = toldShape(parse(data), "");
        this.listener.told(name, id, told);
        this.channel?.postMessage({ kind: "told", name, id, told } satisfies Message);
        // what it does not know the beginning of it asks for anew
        if (this.listener.known().lastEventId === null) return;
      }
    }
  }
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
