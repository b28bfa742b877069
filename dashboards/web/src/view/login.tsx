// The way in: a name and a password, and nothing that tells which of the two was wrong.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { useTexts } from "./language.tsx";

/** A screen whose link has no answer yet: it is told apart from one that nothing comes of. */
export function ScreenWaits({ link }: { readonly link: "waits" | "intercepted" }): JSX.Element {
  const t = useTexts();
  return (
    <main class="login wall is-waiting" id="main">
      <div class="card" role="status">
        <p class="brand">{t.name}</p>
        <h1>{t.login.screen}</h1>
        <p>{link === "waits" ? t.login.linkWaits : t.login.linkIntercepted}</p>
        <p class="muted">{t.login.linkStays}</p>
      </div>
    </main>
  );
}

export interface LogInProps {
  readonly isBusy: boolean;
  readonly said: string | null;
  readonly onLogIn: (name: string, password: string) => void;
  readonly onLanguage: () => void;
  /** On a screen that has its wall, and that somebody wants to log in at. */
  readonly isScreen: boolean;
}

export function LogIn({ isBusy, said, onLogIn, onLanguage, isScreen }: LogInProps): JSX.Element {
  const t = useTexts();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [isIncomplete, setIncomplete] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => { first.current?.focus(); }, []);
  const submit = (event: Event) => {
    event.preventDefault();
    const isWhole = name !== "" && password !== "";
    setIncomplete(!isWhole);
    if (isWhole && !isBusy) onLogIn(name, password);
  };
  return (
    <main class="login" id="main">
      <form class="card" onSubmit={submit} noValidate>
        <p class="brand">{t.name}</p>
        <h1>{t.login.heading}</h1>
        <p class="muted">{t.title}</p>
        <label for="name">{t.login.user}</label>
        <input id="name" ref={first} name="username" autoComplete="username" autoCapitalize="none" spellcheck={false} value={name}
          onInput={(event) => { setName(event.currentTarget.value); }} />
        <label for="password">{t.login.password}</label>
        <input id="password" name="password" type="password" autoComplete="current-password" value={password}
          onInput={(event) => { setPassword(event.currentTarget.value); }} />
        <p class="wrong" role="alert">{isIncomplete ? t.login.needed : said}</p>
        <button type="submit" class="button is-first" aria-disabled={isBusy}>{isBusy ? t.login.busy : t.login.submit}</button>
        <p class="muted">{t.login.help}</p>
        {isScreen ? <a href="/wall">{t.login.backToWall}</a> : null}
        <button type="button" class="quiet" lang={t.code === "en" ? "zh-CN" : "en"} onClick={onLanguage}>{t.other}</button>
      </form>
    </main>
  );
}
