// Which page an address shows, and the address of a page.

export type Route =
  | { readonly page: "overview" }
  | { readonly page: "wall" }
  | { readonly page: "station"; readonly id: string; readonly section: string | null; readonly day: string | null; readonly span: SpanWord }
  | { readonly page: "alarms"; readonly tab: AlarmTab }
  | { readonly page: "outbox"; readonly alarm: string | null }
  | { readonly page: "password" }
  | { readonly page: "unknown" };

/** How much time a chart shows. */
export const SPANS = ["24h", "7d", "30d", "1y"] as const;
export type SpanWord = (typeof SPANS)[number];

export const ALARM_TABS = ["open", "history"] as const;
export type AlarmTab = (typeof ALARM_TABS)[number];

export function route(path: string, search: string): Route {
  const asked = new URLSearchParams(search);
  const [first = "", second = "", ...more] = path.split("/").slice(1);
  const isAlone = second === "" && more.length === 0;
  switch (first) {
    case "":
      return isAlone ? { page: "overview" } : { page: "unknown" };
    case "wall":
      return isAlone ? { page: "wall" } : { page: "unknown" };
    case "alarms":
      return isAlone ? { page: "alarms", tab: one(ALARM_TABS, asked.get("tab")) } : { page: "unknown" };
    case "outbox":
      return isAlone ? { page: "outbox", alarm: asked.get("alarm") } : { page: "unknown" };
    case "password":
      return isAlone ? { page: "password" } : { page: "unknown" };
    case "s": {
      const id = decoded(second);
      if (id === "" || more.length > 0) return { page: "unknown" };
      return { page: "station", id, section: asked.get("section"), day: asked.get("day"), span: one(SPANS, asked.get("span")) };
    }
    default:
      return { page: "unknown" };
  }
}

export function href(to: Route): string {
  switch (to.page) {
    case "overview":
    case "unknown":
      return "/";
    case "wall":
      return "/wall";
    case "password":
      return "/password";
    case "alarms":
      return `/alarms${query({ tab: to.tab === "open" ? null : to.tab })}`;
    case "outbox":
      return `/outbox${query({ alarm: to.alarm })}`;
    case "station": {
      const { section, day, span } = to;
      return `/s/${encodeURIComponent(to.id)}${query({ section, day, span: span === "24h" ? null : span })}`;
    }
  }
}

/** The page of a station as it opens. */
export function stationRoute(id: string): Route {
  return { page: "station", id, section: null, day: null, span: "24h" };
}

function query(parts: Readonly<Record<string, string | null>>): string {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(parts)) if (value !== null) asked.set(name, value);
  const text = asked.toString();
  return text === "" ? "" : `?${text}`;
}

/** The word that was asked for, or the first one. */
function one<const W extends string>(known: readonly [W, ...W[]], word: string | null): W {
  return known.find((candidate) => candidate === word) ?? known[0];
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // an address that somebody broke leads to no station
    return "";
  }
}
