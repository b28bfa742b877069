// Which language a page speaks where nobody has chosen one here.

export type Language = "zh" | "en";

/** What was chosen; else Chinese, unless the reader's browser knows of English and of no Chinese. */
export function languageOf(chosen: string | null, preferred: readonly string[]): Language {
  if (chosen === "zh" || chosen === "en") return chosen;
  const knows = (language: Language) => preferred.some((tag) => tag.toLowerCase().split("-")[0] === language);
  return !knows("zh") && knows("en") ? "en" : "zh";
}
