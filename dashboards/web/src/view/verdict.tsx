// The verdict of a day with the arithmetic that shows it, and its hours.

import type { ComponentChildren, JSX } from "preact";

import type { Verdict } from "../api/verdict.ts";
import { compare, observedText, requiredText, text, times } from "../decimal.ts";
import type { Texts } from "../texts/zh.ts";
import { clockText, minuteText } from "../time.ts";
import { NOTHING, percentText } from "../words.ts";
import { useTexts } from "./language.tsx";
import { Mark, markOfVerdict } from "./mark.tsx";

export function DayVerdict({ verdict, hours, zone }: { readonly verdict: Verdict; readonly hours: readonly Verdict[]; readonly zone: string }): JSX.Element {
  const t = useTexts();
  const mark = markOfVerdict(verdict.verdict);
  return (
    <div class="verdict">
      <p class="verdict-head">
        <span class={`state is-${mark}`}>
          <Mark state={mark} size={20} />
          {verdict.verdict === null ? t.station.stripNone : t.verdicts[verdict.verdict]}
        </span>
        <span class="muted">{notes(t, verdict)}</span>
      </p>
      <p class="sum">{sum(t, verdict)}</p>
      <dl class="facts">
        <Fact label={t.station.coverage}>{percentText(t, verdict.coverage, 2)}</Fact>
        <Fact label={t.station.deficit}>{verdict.deficit_m3 === null ? NOTHING : `${text(verdict.deficit_m3)} m³`}</Fact>
        <Fact label={t.station.statistic}>{verdict.statistic === null ? NOTHING : (t.statistics[verdict.statistic] ?? verdict.statistic)}</Fact>
        <Fact label={t.station.rule}>{verdict.rule ?? NOTHING}</Fact>
        <Fact label={t.station.document}>{verdict.document ?? NOTHING}</Fact>
        <Fact label={t.station.judgedAt}>{minuteText(verdict.judged_at, zone)}</Fact>
        <Fact label={t.station.entry}>{verdict.entry === null ? NOTHING : String(verdict.entry)}</Fact>
        {verdict.hours === null ? null : (
          <Fact label={t.station.hoursOf}>
            {t.station.hourCounts(verdict.hours.met, verdict.hours.short, verdict.hours.exempt, verdict.hours.indeterminate)}
          </Fact>
        )}
      </dl>
      {hours.length === 0 ? null : <Hours hours={hours} zone={zone} />}
    </div>
  );
}

function Fact({ label, children }: { readonly label: string; readonly children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** What is to be known of a verdict beside what it says. */
function notes(t: Texts, verdict: Verdict): string {
  return [
    t.because[verdict.because] ?? verdict.because,
    verdict.provisional ? t.station.provisional : t.station.version(verdict.version),
    ...(verdict.late ? [t.station.late] : []),
  ].join(t.separator);
}

/** The comparison that decided, in the numbers that were compared. */
function sum(t: Texts, verdict: Verdict): string {
  const { observed, required, factor, bound } = verdict;
  if (observed === null || required === null) return NOTHING;
  const enough = factor === null ? required : times(required, factor);
  const released = (bound === "lower" ? t.station.observedIsAtLeast : t.station.observedIs)(observedText(observed, enough));
  const sign = compare(observed, enough) < 0 ? "<" : "≥";
  const compared = `${released} ${sign} ${t.station.neededIs(requiredText(enough))}`;
  return factor === null ? compared : compared + t.station.enoughIs(requiredText(required), text(factor));
}

function Hours({ hours, zone }: { readonly hours: readonly Verdict[]; readonly zone: string }): JSX.Element {
  const t = useTexts();
  return (
    <ol class="hours" aria-label={t.station.hoursOf}>
      {hours.map((hour) => {
        const mark = markOfVerdict(hour.verdict);
        return (
          <li key={hour.from} class={`hour is-${mark}`}>
            <span class="hour-name">{clockText(hour.from, zone)}</span>
            <Mark state={mark} size={12} />
            <span class="unseen">{hour.verdict === null ? t.station.stripNone : t.verdicts[hour.verdict]}</span>
            <span class="hour-flow">{hour.observed === null ? NOTHING : observedText(hour.observed, hour.required)}</span>
          </li>
        );
      })}
    </ol>
  );
}
