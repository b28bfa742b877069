// Thirteen months of days as marks: one stop of the tab key, arrows within, a day opens its arithmetic.

import type { JSX } from "preact";
import { useRef } from "preact/hooks";

import type { StripDay, StripMonth } from "../strip.ts";
import { useTexts } from "./language.tsx";
import { Mark, markOfVerdict } from "./mark.tsx";

export interface StripProps {
  readonly months: readonly StripMonth[];
  /** The day that is open. */
  readonly chosen: string | null;
  readonly onChoose: (day: string) => void;
}

const WORDS = ["met", "short", "exempt", "indeterminate"] as const;

export function Strip({ months, chosen, onChoose }: StripProps): JSX.Element {
  const t = useTexts();
  const box = useRef<HTMLDivElement>(null);
  // in the order of time, whatever stands where
  const days = [...months].reverse().flatMap((month) => month.days);
  const entry = days.some((day) => day.name === chosen) ? chosen : (days.at(-1)?.name ?? null);
  const step = (event: KeyboardEvent) => {
    const from = event.target instanceof HTMLElement ? event.target.dataset["day"] : undefined;
    const to = days[moved(event.key, days.findIndex((day) => day.name === from), days.length)];
    if (to === undefined) return;
    event.preventDefault();
    box.current?.querySelector<HTMLElement>(`[data-day="${to.name}"]`)?.focus();
  };
  return (
    <div class="strip" ref={box} onKeyDown={step}>
      <ol class="months">
        {months.map((month) => (
          <li key={month.name} class="month">
            <span class="month-name">{t.station.monthOf(month.year, month.month)}</span>
            <ol class="days">
              {month.days.map((day) => (
                <li key={day.name}>
                  <Day day={day} isChosen={day.name === chosen} isEntry={day.name === entry} onChoose={onChoose} />
                </li>
              ))}
            </ol>
          </li>
        ))}
      </ol>
      <ul class="legend">
        {WORDS.map((word) => (
          <li key={word}><Mark state={markOfVerdict(word)} size={12} />{t.verdicts[word]}</li>
        ))}
        <li><Mark state="none" size={12} />{t.station.stripNone}</li>
      </ul>
    </div>
  );
}

interface DayProps {
  readonly day: StripDay;
  readonly isChosen: boolean;
  readonly isEntry: boolean;
  readonly onChoose: (day: string) => void;
}

function Day({ day, isChosen, isEntry, onChoose }: DayProps): JSX.Element {
  const t = useTexts();
  const word = day.verdict === null ? t.station.stripNone : t.verdicts[day.verdict];
  const label = t.station.stripDay(day.name, day.isOpen ? `${word}${t.separator}${t.station.stripOpen}` : word);
  const mark = markOfVerdict(day.verdict);
  return (
    <button
      type="button"
      class={`day is-${mark}${day.isOpen ? " is-open" : ""}`}
      data-day={day.name}
      aria-label={label}
      title={label}
      aria-pressed={isChosen}
      tabIndex={isEntry ? 0 : -1}
      onClick={() => { onChoose(day.name); }}
    >
      <Mark state={mark} size={12} />
    </button>
  );
}

/** Arrows go along days, up and down about a month; -1 for whatever is no step. */
function moved(key: string, place: number, length: number): number {
  if (place < 0) return -1;
  const within = (to: number) => Math.max(0, Math.min(length - 1, to));
  switch (key) {
    case "ArrowLeft": return within(place - 1);
    case "ArrowRight": return within(place + 1);
    case "ArrowUp": return within(place + 31);
    case "ArrowDown": return within(place - 31);
    case "Home": return 0;
    case "End": return length - 1;
    default: return -1;
  }
}
