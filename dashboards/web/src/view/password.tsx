// Another password: the one that is known, and the new one twice.

import type { JSX } from "preact";
import { useState } from "preact/hooks";

import { useTexts } from "./language.tsx";

export interface PasswordFormProps {
  readonly name: string;
  /** Whether nothing else can be done before. */
  readonly isForced: boolean;
  readonly isBusy: boolean;
  readonly isDone: boolean;
  readonly said: string | null;
  readonly onChange: (password: string, next: string) => void;
  readonly onLeave: () => void;
}

export function PasswordForm(props: PasswordFormProps): JSX.Element {
  const t = useTexts();
  const { name, isForced, isBusy, isDone, said, onChange, onLeave } = props;
  const [fault, setFault] = useState<string | null>(null);
  const [typed, setTyped] = useState({ password: "", next: "", again: "" });
  const submit = (event: Event) => {
    event.preventDefault();
    const { password, next, again } = typed;
    const isWhole = password !== "" && next !== "" && again !== "";
    const found = !isWhole ? t.password.needed : next !== again ? t.password.different : null;
    setFault(found);
    if (found === null && !isBusy) onChange(password, next);
  };
  const field = (key: keyof typeof typed, label: string, complete: string): JSX.Element => (
    <>
      <label for={key}>{label}</label>
      <input id={key} name={key} type="password" autoComplete={complete} value={typed[key]} aria-describedby={key === "next" ? "rules" : undefined}
        onInput={(event) => { setTyped({ ...typed, [key]: event.currentTarget.value }); }} />
    </>
  );
  const form = (
    <form class="card" onSubmit={submit} noValidate>
      <h1>{t.password.heading}</h1>
      <p>{isForced ? t.password.forced(name) : t.password.own(name)}</p>
      {isDone ? <p class="done" role="status">{t.password.done}</p> : (
        <>
          <input class="unseen" type="text" name="username" autoComplete="username" value={name} readOnly tabIndex={-1} aria-hidden="true" />
          {field("password", t.password.current, "current-password")}
          {field("next", t.password.next, "new-password")}
          {field("again", t.password.again, "new-password")}
          <p class="muted" id="rules">{t.password.rules}</p>
          <p class="wrong" role="alert">{fault ?? said}</p>
          <button type="submit" class="button is-first" aria-disabled={isBusy}>{isBusy ? t.password.busy : t.password.submit}</button>
        </>
      )}
      <button type="button" class="quiet" onClick={onLeave}>{isForced ? t.nav.logOut : t.missingPage.back}</button>
    </form>
  );
  return isForced ? <main class="login" id="main">{form}</main> : <div class="login is-within">{form}</div>;
}
