// Which page is shown within which frame, and whether somebody has to log in first.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { untaken } from "../attention.ts";
import type { Failure } from "../failure.ts";
import { maySeeMessages } from "../role.ts";
import type { ScreenLink } from "../screen_link.ts";
import type { Route } from "../route.ts";
import type { Texts } from "../texts/zh.ts";
import { Frame } from "../view/frame.tsx";
import { Language, useTexts } from "../view/language.tsx";
import { LogIn, ScreenWaits } from "../view/login.tsx";
import { Site } from "../view/site.tsx";
import { Empty, Loading } from "../view/states.tsx";
import { Guard } from "./guard.tsx";
import { shown, site } from "./known.ts";
import { chooseLanguage, chooseTheme, texts, theme } from "./language.ts";
import { AlarmsPage, nameOf, OutboxPage, OverviewPage, WallPage } from "./pages.tsx";
import { place } from "./place.ts";
import { PasswordPage } from "./password_page.tsx";
import { hasLapsed, logIn, logins, logOut, screenLink, standing, who } from "./session.ts";
import { StationPage } from "./station_page.tsx";

export function App(): JSX.Element {
  return (
    <Language.Provider value={texts.value}>
      <Site.Provider value={site.value}><Entrance /></Site.Provider>
    </Language.Provider>
  );
}

/** Whoever may see nothing yet logs in, or sets a password of their own; a screen on a wall sees its wall. */
function Entrance(): JSX.Element {
  const caller = who.value;
  const link = screenLink.value;
  if (link === "waits" || link === "intercepted") return <ScreenWaits link={link} />;
  if (standing.value === "out") return <LogInPage />;
  if (caller?.must_change_password === true) return <PasswordPage caller={caller} isForced />;
  if (caller?.role === "wall" && place.value.page !== "wall") return <LogInPage />;
  return <Pages route={place.value} />;
}

function Pages({ route }: { readonly route: Route }): JSX.Element {
  useTitle(route);
  useEffect(() => {
    // whoever has just logged in by key goes on from there
    if (logins.peek() > 0) document.getElementById("main")?.focus({ preventScroll: true });
  }, []);
  if (route.page === "wall") return <Guard page="wall"><WallPage /></Guard>;
  const { link, at, why, counts, alarms } = shown.value;
  const role = who.value?.role ?? null;
  return (
    <Frame
      route={route}
      link={link}
      at={at}
      why={why}
      untaken={untaken(counts, alarms.value) ?? 0}
      hasMessages={maySeeMessages(role)}
      user={who.value?.name ?? null}
      theme={theme.value}
      onLanguage={otherLanguage}
      onTheme={chooseTheme}
      onLogOut={() => void logOut()}
    >
      <Guard page={route.page === "station" ? `station ${route.id}` : route.page}>
        <Page route={route} />
      </Guard>
    </Frame>
  );
}

/** What a tab, a bookmark and a screen reader call the page. */
function useTitle(route: Route): void {
  const t = useTexts();
  const name = titleOf(t, route);
  useEffect(() => {
    document.title = `${name} · ${t.name}`;
  }, [name, t]);
}

function titleOf(t: Texts, route: Route): string {
  switch (route.page) {
    case "overview": return t.overview.heading;
    case "station": return nameOf(route.id);
    case "alarms": return t.alarms.heading;
    case "outbox": return t.outbox.heading;
    case "wall": return t.wall.heading;
    case "password": return t.password.heading;
    case "unknown": return t.missingPage.heading;
  }
}

function Page({ route }: { readonly route: Exclude<Route, { readonly page: "wall" }> }): JSX.Element {
  const t = useTexts();
  switch (route.page) {
    case "overview": return <OverviewPage />;
    case "station": return <StationPage route={route} />;
    case "alarms": return <AlarmsPage tab={route.tab} />;
    case "outbox": return <OutboxPage alarm={route.alarm} />;
    case "password": return who.value === null ? <Loading /> : <PasswordPage caller={who.value} />;
    case "unknown": return <><h1 class="unseen">{t.missingPage.heading}</h1><Empty title={t.missingPage.heading}><a href="/">{t.missingPage.back}</a></Empty></>;
  }
}

function LogInPage(): JSX.Element {
  const t = useTexts();
  const [isBusy, setBusy] = useState(false);
  const [said, setSaid] = useState<string | null>(linkText(t, screenLink.value) ?? (hasLapsed.value ? t.login.lapsed : null));
  const ask = async (name: string, password: string): Promise<void> => {
    setBusy(true);
    setSaid(null);
    const result = await logIn(name, password);
    setBusy(false);
    if (result.ok) return;
    setSaid(notLetIn(t, result.failure));
  };
  return <LogIn isBusy={isBusy} said={said} onLogIn={(name, password) => void ask(name, password)} onLanguage={otherLanguage} isScreen={who.value?.role === "wall"} />;
}

function linkText(t: Texts, link: ScreenLink | null): string | null {
  if (link === "used") return t.login.linkUsed;
  return link === "refused" ? t.login.linkRefused : null;
}

function notLetIn(t: Texts, { kind, sort }: Failure): string {
  if (sort === "locked") return t.login.tooMany;
  switch (kind) {
    case "unauthorized":
    case "refused": return t.login.wrong; // what is too long to be read is nobody's
    case "crowded":
    case "broken": return t.login.crowded;
    case "unreadable": return t.load.unreadable;
    case "forbidden":
    case "missing":
    case "conflict":
    case "unreachable": return t.load.unreachable;
  }
}

function otherLanguage(): void {
  void chooseLanguage(texts.value.code === "en" ? "zh" : "en");
}
