// Which language and which colours: what was chosen here, else what the browser is set to.

import { signal } from "@preact/signals";

import { languageOf, type Language } from "../language.ts";
import { zh, type Texts } from "../texts/zh.ts";

export type Theme = "auto" | "light" | "dark";

export const texts = signal<Texts>(zh);
export const theme = signal<Theme>("auto");

const LANGUAGE = "baseflow.language";
const THEME = "baseflow.theme";

/** Before the first drawing, so that nothing is drawn twice. */
export async function settle(): Promise<void> {
  const known = kept(THEME);
  chooseTheme(known === "light" || known === "dark" ? known : "auto");
  await speak(languageOf(kept(LANGUAGE), navigator.languages));
}

export async function chooseLanguage(language: Language): Promise<void> {
  keep(LANGUAGE, language);
  await speak(language);
}

async function speak(language: Language): Promise<void> {
  try {
    texts.value = language === "en" ? (await import("../texts/en.ts")).en : zh;
  } catch {
    // the network is gone or the file is: Chinese is always there
    texts.value = zh;
  }
  document.documentElement.lang = texts.value.code;
  document.title = texts.value.name;
}

export function chooseTheme(chosen: Theme): void {
  theme.value = chosen;
  if (chosen === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = chosen;
  keep(THEME, chosen);
}

/** A browser may forbid a page to keep anything; then it is asked again next time. */
function kept(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    return;
  }
}
