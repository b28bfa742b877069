// What is around every page: its name, the ways to others, and whether the picture is current.

import type { ComponentChildren, JSX } from "preact";

import type { Link } from "../live.ts";
import { href, type Route } from "../route.ts";
import { secondText } from "../time.ts";
import { useTexts } from "./language.tsx";
import { useSite } from "./site.tsx";
import { Dated } from "./states.tsx";

export interface FrameProps {
  readonly route: Route;
  readonly link: Link;
  /** Up to when everything is told, by the server's clock. */
  readonly at: number | null;
  /** Alarms that nobody has taken on. */
  readonly openAlarms: number;
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
  const { route, link, at, openAlarms, user, children } = props;
  return (
    <div class={`frame is-${link}`}>
      <a class="skip" href="#main">{t.nav.skip}</a>
      <header class="bar">
        <a class="brand" href="/">{t.name}</a>
        <nav class="nav" aria-label={t.nav.label}>
          <Tab to={{ page: "overview" }} isHere={route.page === "overview" || route.page === "station"}>{t.nav.overview}</Tab>
          <Tab to={{ page: "alarms", tab: "open" }} isHere={route.page === "alarms"}>
            {t.nav.alarms}
            {openAlarms > 0 ? <span class="badge">{openAlarms}</span> : null}
          </Tab>
          <Tab to={{ page: "outbox", alarm: null }} isHere={route.page === "outbox"}>{t.nav.outbox}</Tab>
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
      <StaleBand link={link} at={at} />
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
export function LinkChip({ link, at }: { readonly link: Link; readonly at: number | null }): JSX.Element {
  const t = useTexts();
  const { zone } = useSite();
  const glyph = link === "live" ? "●" : link === "opening" ? "◐" : "✕";
  return (
    <span class={`chip is-${link}`}>
      <span aria-hidden="true">{glyph}</span> {t.link[link]}
      {at === null ? null : <span class="chip-at"> · {t.link.asOf(secondText(at, zone).slice(11))}</span>}
    </span>
  );
}

/** A stale page says so across its whole width; whoever reads with a screen reader is told at once. */
export function StaleBand({ link, at }: { readonly link: Link; readonly at: number | null }): JSX.Element {
  const t = useTexts();
  const { zone } = useSite();
  return (
    <div role="alert">
      {link === "stale" ? <p class="stale-band">✕ {at === null ? t.link.neverBand : <Dated text={t.link.staleBand} at={secondText(at, zone)} />}</p> : null}
    </div>
  );
}
