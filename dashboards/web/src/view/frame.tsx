// What is around every page: its name, the ways to others, and whether the picture is current.

import type { ComponentChildren, JSX } from "preact";

import { noStreamText, type Failure } from "../failure.ts";
import type { Currency } from "../picture.ts";
import { href, type Route } from "../route.ts";
import { secondText } from "../time.ts";
import { useTexts } from "./language.tsx";
import { useSite } from "./site.tsx";
import { Dated } from "./states.tsx";

export interface FrameProps {
  readonly route: Route;
  readonly link: Currency;
  /** Up to when everything is told, by the server's clock. */
  readonly at: number | null;
  /** Why there is no stream, where the server said so. */
  readonly why: Failure | null;
  /** Alarms that nobody has taken on. */
  readonly untaken: number;
  /** Whether messages to people are shown to whoever looks. */
  readonly hasMessages: boolean;
  readonly user: string | null;
  readonly theme: "auto" | "light" | "dark";
  readonly onLanguage: () => void;
  readonly onTheme: (theme: "auto" | "light" | "dark") => void;
  readonly onLogOut: () => void;
  readonly children: ComponentChildren;
}

const THEMES = ["auto", "light", "dark"] as const;

export function Frame(props: FrameProps): JSX.Element {
  const t = useTexts();
  const { route, link, at, why, untaken, hasMessages, user, children } = props;
  return (
    <div class={`frame is-${link}`}>
      <a class="skip" href="#main">{t.nav.skip}</a>
      <header class="bar">
        <a class="brand" href="/">{t.name}</a>
        <nav class="nav" aria-label={t.nav.label}>
          <Tab to={{ page: "overview" }} isHere={route.page === "overview" || route.page === "station"}>{t.nav.overview}</Tab>
          <Tab to={{ page: "alarms", tab: "open" }} isHere={route.page === "alarms"}>
            {t.nav.alarms}
            {untaken > 0 ? <span class="badge">{untaken}</span> : null}
          </Tab>
          {hasMessages ? <Tab to={{ page: "outbox", alarm: null }} isHere={route.page === "outbox"}>{t.nav.outbox}</Tab> : null}
          <Tab to={{ page: "wall" }} isHere={false}>{t.nav.wall}</Tab>
        </nav>
        <LinkChip link={link} at={at} />
        <div class="choices">
          <ThemeChoice {...props} />
          <button type="button" class="quiet" lang={t.code === "en" ? "zh-CN" : "en"} onClick={props.onLanguage}>{t.other}</button>
          {user === null ? null : (
            <>
              <a class="user" href={href({ page: "password" })} title={t.password.heading} aria-current={route.page === "password" ? "page" : undefined}>{user}</a>
              <button type="button" class="quiet" onClick={props.onLogOut}>{t.nav.logOut}</button>
            </>
          )}
        </div>
      </header>
      <StaleBand link={link} at={at} why={why} />
      <main id="main" tabIndex={-1}>{children}</main>
    </div>
  );
}

function Tab(props: { readonly to: Route; readonly isHere: boolean; readonly children: ComponentChildren }): JSX.Element {
  return (
    <a href={href(props.to)} aria-current={props.isHere ? "page" : undefined}>{props.children}</a>
  );
}

function ThemeChoice({ theme, onTheme }: FrameProps): JSX.Element {
  const t = useTexts();
  return (
    <select
      class="quiet"
      aria-label={t.theme.label}
      value={theme}
      onChange={(event) => {
        onTheme(THEMES.find((known) => known === event.currentTarget.value) ?? "auto");
      }}
    >
      {THEMES.map((known) => <option key={known} value={known}>{t.theme[known]}</option>)}
    </select>
  );
}

/** Whether what is seen is current, and up to when it is. */
export function LinkChip({ link, at }: { readonly link: Currency; readonly at: number | null }): JSX.Element {
  const t = useTexts();
  const { zone } = useSite();
  const glyph = link === "live" ? "●" : link === "stale" ? "✕" : "◐";
  return (
    <span class={`chip is-${link}`}>
      <span aria-hidden="true">{glyph}</span> {t.link[link]}
      {at === null ? null : <span class="chip-at"> · {t.link.asOf(secondText(at, zone).slice(11))}</span>}
    </span>
  );
}

interface BandProps {
  readonly link: Currency;
  readonly at: number | null;
  readonly why: Failure | null;
}

/**
 * A page that is not told live says so across its whole width; whoever reads with a screen reader is told at once. What
 * is asked for has its moment in the chip, and here only where the chip has no room: it would be read aloud each round.
 */
export function StaleBand({ link, at, why }: BandProps): JSX.Element {
  const t = useTexts();
  const { zone } = useSite();
  return (
    <div role="alert">
      {link === "polled" ? <p class="stale-band is-polled">◐ {t.link.polledBand(why === null ? null : noStreamText(t, why))} {at === null ? null : <span class="band-at" aria-hidden="true">{t.link.asOf(secondText(at, zone))}</span>}</p> : null}
      {link === "stale" ? <p class="stale-band">✕ {at === null ? t.link.neverBand : <Dated text={t.link.staleBand} at={secondText(at, zone)} />}</p> : null}
    </div>
  );
}
