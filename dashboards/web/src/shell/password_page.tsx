// Somebody sets a password of their own: because it was made for them, or because they want to.

import type { JSX } from "preact";
import { useState } from "preact/hooks";

import type { Failure } from "../failure.ts";
import type { Texts } from "../texts/zh.ts";
import { useTexts } from "../view/language.tsx";
import { PasswordForm } from "../view/password.tsx";
import { go } from "./place.ts";
import { changePassword, logOut, type Session } from "./session.ts";

export function PasswordPage({ caller, isForced = false }: { readonly caller: Session; readonly isForced?: boolean }): JSX.Element {
  const t = useTexts();
  const [isBusy, setBusy] = useState(false);
  const [said, setSaid] = useState<string | null>(null);
  const [isDone, setDone] = useState(false);
  const ask = async (password: string, next: string): Promise<void> => {
    setBusy(true);
    setSaid(null);
    const result = await changePassword(password, next);
    setBusy(false);
    if (!result.ok) setSaid(reason(t, result.failure));
    else if (!isForced) setDone(true);
  };
  return (
    <PasswordForm
      name={caller.name} isForced={isForced} isBusy={isBusy} isDone={isDone} said={said}
      onChange={(password, next) => void ask(password, next)}
      onLeave={() => { if (isForced) void logOut(); else go({ page: "overview" }); }}
    />
  );
}

function reason(t: Texts, { kind, sort }: Failure): string {
  const known = t.password.refused[sort ?? ""];
  if (known !== undefined) return known;
  return kind === "unreachable" ? t.load.unreachable : t.password.failed;
}
