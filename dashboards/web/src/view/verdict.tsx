// The verdict of a day with the arithmetic that shows it, and its hours.

import type { ComponentChildren, JSX } from "preact";

import type { Verdict } from "../api/verdict.ts";
import { compare, observedText, requiredText, text, type Decimal } from "../decimal.ts";
import type { Texts } from "../texts/zh.ts";
import { clockText, minuteText } from "../time.ts";
import { coverageText, decidedText, hoursText, NOTHING, percentText, ruleText, unknownText } from "../words.ts";
import { useTexts } from "./language.tsx";
import { Mark, markOfVerdict } from "./mark.tsx";

export function DayVerdict({ verdict, hours, zone }: { readonly verdict: Verdict; readonly hours: readonly Verdict[]; readonly zone: string }): JSX.Element {
  const t = useTexts();
  const mark = markOfVerdict(verdict.verdict);
  const unknown = hours.filter((hour) => unknownText(t, hour) !== null).length;
  return (
    <div class="verdict">
      <p class="verdict-head">
        <span class={`state is-${mark}`}>
          <Mark state={mark} size={20} />
          {verdict.verdict === null ? t.station.stripNone : t.verdicts[verdict.verdict]}
        </span>
        <span class="muted">{notes(t, verdict)}</span>
      </p>
      <div class="sum">
        {sums(t, verdict).map((line) => <p key={line}>{line}</p>)}
        {decidedText(t, verdict, hours, zone).map((line) => <p key={line}>{line}</p>)}
        {unknown === 0 ? null : <p>{t.station.tooLittleHours(unknown)}</p>}
      </div>
      <dl class="facts">
        <Fact label={t.station.coverage}>{percentText(t, verdict.coverage, 2)}</Fact>
        <Fact label={t.station.deficit}>{verdict.deficit_m3 === null ? NOTHING : `${text(verdict.deficit_m3)} m³`}</Fact>
        <Fact label={t.station.statistic}>{verdict.statistic === null ? NOTHING : (t.statistics[verdict.statistic] ?? verdict.statistic)}</Fact>
        <Fact label={t.station.rule}>{verdict.rule === null ? NOTHING : ruleText(t, verdict.rule)}</Fact>
        <Fact label={t.station.document}>{verdict.document ?? NOTHING}</Fact>
        <Fact label={t.station.judgedAt}>{minuteText(verdict.judged_at, zone)}</Fact>
        <Fact label={t.station.entry}>{verdict.entry === null ? NOTHING : String(verdict.entry)}</Fact>
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
    unknownText(t, verdict) ?? t.because[verdict.because] ?? verdict.because,
    verdict.provisional ? t.station.provisional : t.station.version(verdict.version),
    ...(verdict.late ? [t.station.late] : []),
  ].join(t.separator);
}

/**
 * What decided, and the numbers beside it. The sign is what the server judged by the exact sums; the numbers here are
 * rounded and are not compared again. A day that is judged by its hours has no sign: its mean decided nothing.
 */
function sums(t: Texts, verdict: Verdict): readonly string[] {
  const { observed, required, enough, factor, hours, because, as_read: asRead } = verdict;
  const decided = hours === null ? [] : [t.station.byHours(hoursText(t, hours))];
  if (required === null || enough === null) return decided.length === 0 ? [NOTHING] : decided;
  const sign = hours !== null ? null : because === "enough" ? "≥" : because === "below" ? "<" : null;
  const needed = t.station.neededIs(requiredText(enough)) + (factor === null || compare(enough, required) === 0 ? "" : t.station.enoughIs(requiredText(required), text(factor)));
  const first = released(t, observed, verdict.bound, enough);
  const compared = sign === null ? `${first}${t.separator}${needed}` : `${first} ${sign} ${needed}`;
  const read = asRead === null ? [] : [t.station.asRead(released(t, asRead.observed, asRead.bound, enough), percentText(t, asRead.coverage, 2))];
  return [...decided, compared, ...read];
}

function released(t: Texts, observed: Decimal | null, bound: string | null, enough: Decimal): string {
  if (observed === null) return t.station.observedNothing;
  return (bound === "lower" ? t.station.observedIsAtLeast : t.station.observedIs)(observedText(observed, enough));
}

function Hours({ hours, zone }: { readonly hours: readonly Verdict[]; readonly zone: string }): JSX.Element {
  const t = useTexts();
  return (
    <ol class="hours" aria-label={t.station.hoursOf}>
      {hours.map((hour) => {
        const mark = markOfVerdict(hour.verdict);
        const unknown = unknownText(t, hour);
        // where nothing was measured, what the hour was credited with is no value of its own
        const observed = hour.coverage?.units === 0n ? null : hour.observed;
        return (
          <li key={hour.from} class={`hour is-${mark}`} {...(unknown === null ? {} : { title: unknown })}>
            <span class="hour-name">{clockText(hour.from, zone)}</span>
            <Mark state={mark} size={12} />
            <span class="unseen">{unknown ?? (hour.verdict === null ? t.station.stripNone : t.verdicts[hour.verdict])}</span>
            <span class="hour-flow">{observed === null ? NOTHING : observedText(observed, hour.enough)}</span>
            {unknown === null ? null : <span class="hour-known" aria-hidden="true">{t.station.dataOf(coverageText(t, hour))}</span>}
          </li>
        );
      })}
    </ol>
  );
}
