//! What is due of a section: its evidence fetched, judged, and put together with its days.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    ids::{GaugeId, SectionKey},
    section::{Section, Source},
    time::{Span, Timestamp},
    verdict::Length,
};
use store::{
    AgainRow, GivenPeriod, JournalReader, NewVerdict, StoreError, VerdictKind, VerdictsQuery,
};

use super::{
    carry::Rest,
    court::{Court, Outcome, Parts},
    evidence::{self, Awaited},
};
use crate::{
    docket::{CLOSE_LIMIT_MS, Come, Hearing, Load, Why},
    hearing::{self, Evidence, JudgedHour, Together},
    judgement::{self, Judgement, Withdrawal},
    sitting::{Before, By, sit},
    standing::Today,
};

/// Closed periods of each length that reach into one hearing: hours of two zones at most.
const GIVEN: usize = 128;

/// What is known of a section before it is heard.
struct Known {
    come: Come,
    /// Whether all that the store has of it has been taken up.
    is_whole: bool,
    /// Whether so many readings were looked at for that as if they had been fetched.
    is_fetched: bool,
}

impl Court {
    /// Judges what is due of a section; `None` where it is not judged any more.
    pub(super) async fn hear(
        &mut self,
        parts: &Parts,
        (key, load): (&SectionKey, Load),
        now: Timestamp,
    ) -> Result<Option<Outcome>, StoreError> {
        let registry = Arc::clone(&self.registry);
        let Some(section) = Section::of(&registry, key) else { return Ok(None) };
        let gauges = gauges_of(&section);
        let Known { come, is_whole, mut is_fetched } =
            self.known(parts, (&section, &gauges), load, now).await?;
        let (taken_back, is_behind) = self.take_back(parts, (&section, come), now).await?;
        let hearings = self.docket.hearings(&section, come, load, now);
        self.docket.turned(key, load, now);
        if is_behind {
            self.docket.hurry(key, now);
        }
        let (mut heard, mut judged, mut withdrawn) = (Vec::new(), Vec::new(), taken_back);
        let mut hours_heard: Vec<Span> = Vec::new();
        for hearing in &hearings {
            let answers = self.answers(&section, hearing, is_whole);
            is_fetched |= answers.is_none();
            let metrics = &parts.metrics;
            let counted = if answers.is_some() { &metrics.carried } else { &metrics.afresh };
            counted.inc_by(u64::try_from(hearing.hours.len()).unwrap_or(0));
            let (evidence, seen) = match &answers {
                Some(_) => (Vec::new(), 0),
                None => evidence_of(parts, &section, &gauges, (hearing, now)).await?,
            };
            let given = given(parts, key, hearing).await?;
            let Some(kept) = self.docket.kept(key) else { continue };
            let has_begun = kept.begun < kept.closed;
            let first = self.docket.first(key).filter(|_| !has_begun);
            let before =
                Before { begun: kept.begun, closed: kept.closed, seen: first, given: &given };
            if answers.is_none() && has_begun && is_newest(hearing, now) {
                self.carried.begin(&section, (hearing, &evidence), seen);
            }
            let by = answers.map_or(By::Readings(&evidence), By::Carried);
            let sitting = sit(&section, by, hearing, before, now);
            // each sitting begins where the one before has left off
            self.docket.heard(key, sitting.heard, now);
            let to = sitting.heard.span.to;
            hours_heard.extend(hearing.hours.iter().filter(|hour| hour.to <= to));
            heard.push(sitting.heard);
            judged.extend(sitting.judged.into_iter().map(|judgement| (judgement, hearing.why)));
            withdrawn.extend(sitting.withdrawn);
        }
        if !withdrawn.is_empty() {
            self.carried.forget_day(key);
        }
        let gone = withdrawn.iter().map(|gone| withdrawal(&section, gone, now));
        let hours = judged
            .iter()
            .map(|(judgement, why)| new_verdict(&section, judgement, *why == Why::Open, now));
        let days = self.days(parts, &section, (&hours_heard, &judged), now).await?;
        // several hearings may speak of one day: what is said last counts
        let said: BTreeMap<_, NewVerdict> = gone
            .chain(hours)
            .chain(days)
            .map(|said| {
                let is_open = said.kind == VerdictKind::Provisional;
                ((said.span.from, said.by.word(), is_open), said)
            })
            .collect();
        if heard.iter().any(|heard| heard.why != Why::Open) {
            self.changed.insert(key.clone());
        }
        let verdicts = said.into_values().collect();
        Ok(Some(Outcome { is_fetched, is_behind, heard, verdicts }))
    }

    /// What hours are by what is carried on, where that holds all there is.
    fn answers(
        &self,
        section: &Section<'_>,
        hearing: &Hearing,
        is_whole: bool,
    ) -> Option<Vec<Judgement>> {
        let kept = self.docket.kept(&section.key())?;
        let is_told = hearing.why == Why::Open || is_whole;
        let answers = || self.carried.answers(section, hearing);
        (kept.begun < kept.closed && is_told).then(answers).flatten()
    }

    /// How far the data of a section have come, and where there is something next.
    async fn known(
        &self,
        parts: &Parts,
        (section, gauges): (&Section<'_>, &[GaugeId]),
        load: Load,
        now: Timestamp,
    ) -> Result<Known, StoreError> {
        let key = section.key();
        let closed = self.docket.kept(&key).map_or(now, |kept| kept.closed);
        let looks_from = self.docket.looks_from(&key, load);
        let is_in_doubt = self.docket.is_in_doubt(&key);
        if looks_from.is_none() && section.hour_of(closed).to > now && !is_in_doubt {
            // nothing can be closed, however far they have come
            let come =
                Come { newest: Timestamp::MIN, queued_from: Timestamp::MAX, next: Timestamp::MAX };
            return Ok(Known { come, is_whole: false, is_fetched: false });
        }
        // where hours may be open again, those that counted in them count
        let since = if is_in_doubt { closed.min(now.plus_ms(-CLOSE_LIMIT_MS)) } else { closed };
        let counts =
            |source: &Source<'_>| source.in_force.to > since && source.in_force.from <= now;
        let sources = section.sources().into_iter().zip(gauges);
        let awaited = sources.filter(|(source, _)| counts(source)).map(|(source, gauge)| Awaited {
            gauge: gauge.clone(),
            interval_ms: source.interval_ms,
            in_force: source.in_force,
        });
        let outlets: Vec<Awaited> = awaited.collect();
        // before a section begins nothing is missing
        let begun = self.docket.kept(&key).filter(|kept| kept.begun < kept.closed);
        let waits_from = begun.map(|kept| kept.closed);
        let (agent, station) = (section.station().agent.clone(), key.station.clone());
        let all = looks_from.map(|from| (gauges.to_vec(), from.plus_ms(-section.reach_ms())));
        let position = self.position;
        let known = parts.samples.read(move |reader| {
            let next = match &all {
                Some((gauges, from)) => reader.first_of(gauges, *from)?,
                None => Timestamp::MAX,
            };
            let is_whole = evidence::is_whole(reader, &station, position)?;
            let (come, is_fetched) = evidence::come(reader, &outlets, agent.as_ref(), waits_from)?;
            Ok(Known { come: Come { next, ..come }, is_whole, is_fetched })
        });
        let known = known.await?;
        let Some(from) = looks_from else { return Ok(known) };
        let span = Span { from, to: Timestamp::MAX };
        let given = parts.journal.read(move |reader| reader.given_periods(&key, span, 1)).await?;
        let come = known.come;
        let next = given.first().map_or(come.next, |given| given.span.from.min(come.next));
        Ok(Known { come: Come { next, ..come }, ..known })
    }

    /// The days of hours that were heard just now, whether they were judged or not: with an hour in
    /// which nothing is demanded any more a day is over, too.
    async fn days(
        &mut self,
        parts: &Parts,
        section: &Section<'_>,
        (hours_heard, judged): (&[Span], &[(Judgement, Why)]),
        now: Timestamp,
    ) -> Result<Vec<NewVerdict>, StoreError> {
        let mut days: BTreeMap<Timestamp, Vec<Span>> = BTreeMap::new();
        let mut until = Timestamp::MIN;
        for hour in hours_heard {
            if hour.from < until {
                continue;
            }
            let Some(hours) = section.day_of(*hour) else { continue };
            until = hours.last().map_or(until, |last| last.to);
            days.extend(hours.first().map(|first| first.from).map(|from| (from, hours)));
        }
        let mut verdicts = Vec::new();
        let key = section.key();
        let open = judged_alone(judged);
        if !hours_heard.is_empty() {
            self.carried.forget_rest_but_of(&key, open.map(|hour| hour.span));
        }
        let Some(begun) = self.docket.first(&key) else { return Ok(verdicts) };
        for hours in days.into_values() {
            let (Some(first), Some(last)) = (hours.first(), hours.last()) else { continue };
            let day = Span { from: first.from, to: last.to };
            let Some(kept) = self.docket.kept(&key) else { continue };
            // Of a day that began before the section did, too little is known to judge it. Where
            // the rest of it is about to be judged again, the day is, too.
            let is_again = |again: AgainRow| again.span.from < day.to && day.from < again.span.to;
            if day.from < begun || kept.again.iter().any(is_again) {
                continue;
            }
            let is_open = day.to > kept.closed;
            let together = match open {
                Some(hour) if self.carried.rest(&key, (day, hour.span)).is_some() => {
                    let rest = self.carried.rest(&key, (day, hour.span));
                    let before = rest.and_then(|rest| rest.before);
                    Some(before.map_or_else(|| Together::of(&hour), |before| before.and(&hour)))
                }
                Some(_) | None => {
                    let of_day = hours_of_day(parts, section, (day, &hours), judged).await?;
                    if let Some(((last, before), hour)) = of_day.split_last().zip(open)
                        && last.span == hour.span
                    {
                        let rest = Rest { day, hour: hour.span, before: Together::all(before) };
                        self.carried.keep_rest(key.clone(), &rest);
                    }
                    Together::all(&of_day)
                }
            };
            let judgement =
                together.and_then(|together| hearing::day_of(section, day, &together, is_open));
            if let Some(Judgement { span, verdict, weight, hours, .. }) = judgement {
                let hours = hours.map(|(hours, _)| hours);
                let today = Today { span, verdict, hours, weight };
                self.carried.keep_day(key.clone(), span, Some(today));
            }
            let verdict = judgement.map(|judgement| new_verdict(section, &judgement, is_open, now));
            verdicts.extend(verdict);
        }
        Ok(verdicts)
    }
}

/// The open hour, where nothing else was judged.
fn judged_alone(judged: &[(Judgement, Why)]) -> Option<JudgedHour> {
    match judged {
        [(judgement, Why::Open)] => Some(JudgedHour::of(judgement)),
        _ => None,
    }
}

/// The hours of a day that are periods of its section, as they were judged last.
async fn hours_of_day(
    parts: &Parts,
    section: &Section<'_>,
    (day, hours): (Span, &[Span]),
    judged: &[(Judgement, Why)],
) -> Result<Vec<JudgedHour>, StoreError> {
    let mut known = stored_hours(parts, section, day).await?;
    for (judgement, _) in judged {
        known.insert(judgement.span.from, JudgedHour::of(judgement));
    }
    // what stands of an hour in which nothing is demanded any more is about to be withdrawn
    let own = hours.iter().filter(|hour| section.demand_in(**hour).is_some());
    Ok(own.filter_map(|hour| known.get(&hour.from).copied()).collect())
}

/// Whether a hearing is of the hour that runs.
fn is_newest(hearing: &Hearing, now: Timestamp) -> bool {
    hearing.why == Why::Open && hearing.hours.last().is_some_and(|hour| now < hour.to)
}

/// The gauges of a section's outlets, in the order of its sources.
pub(super) fn gauges_of(section: &Section<'_>) -> Vec<GaugeId> {
    let station = &section.station().id;
    let sources = section.sources().into_iter();
    sources.map(|source| GaugeId { station: station.clone(), name: source.gauge.clone() }).collect()
}

/// The readings that hours are judged by, and the row of the feed as of which they are all there
/// are; of the hour that runs with those that are ahead of the clock.
async fn evidence_of<'a>(
    parts: &Parts,
    section: &Section<'a>,
    gauges: &[GaugeId],
    (hearing, now): (&Hearing, Timestamp),
) -> Result<(Vec<Evidence<'a>>, i64), StoreError> {
    let (Some(first), Some(last)) = (hearing.hours.first(), hearing.hours.last()) else {
        return Ok((Vec::new(), 0));
    };
    let to = if is_newest(hearing, now) { Timestamp::MAX } else { last.to };
    let sources = section.sources();
    let needed = sources.iter().zip(gauges).map(|(source, gauge)| {
        let from = hearing::needed_from(section, source, first.from);
        (gauge.clone(), Span { from, to })
    });
    let needed: Vec<(GaugeId, Span)> = needed.collect();
    let read = parts.samples.read(move |reader| {
        let all = needed.iter().map(|(gauge, span)| reader.good_flow(gauge, *span));
        Ok((all.collect::<Result<Vec<_>, _>>()?, reader.feed_head()?))
    });
    let (all, seen) = read.await?;
    let evidence = sources.into_iter().zip(all);
    Ok((evidence.map(|(source, samples)| Evidence { source, samples }).collect(), seen))
}

/// What stands of the time of a hearing, where any of it may be none of ours any more.
async fn given(
    parts: &Parts,
    key: &SectionKey,
    hearing: &Hearing,
) -> Result<Vec<GivenPeriod>, StoreError> {
    if hearing.why == Why::Open {
        return Ok(Vec::new());
    }
    let (key, span) = (key.clone(), hearing.span);
    parts.journal.read(move |reader| reader.given_periods(&key, span, GIVEN)).await
}

/// The hours of a day as they were judged last.
async fn stored_hours(
    parts: &Parts,
    section: &Section<'_>,
    day: Span,
) -> Result<BTreeMap<Timestamp, JudgedHour>, StoreError> {
    let query = VerdictsQuery {
        section: section.key(),
        by: Length::Hour,
        span: day,
        all_versions: false,
        after: None,
        limit: 64,
    };
    let rows = parts.journal.read(move |reader: &JournalReader| reader.verdicts(&query)).await?;
    let hours = rows.into_iter().filter(|row| !row.is_withdrawn).map(|row| {
        let judged = judgement::read(row.span, &row.bytes)
            .map_err(|error| StoreError::Damaged(format!("journal.db: {error}")))?;
        Ok((row.span.from, judged))
    });
    hours.collect()
}

fn new_verdict(
    section: &Section<'_>,
    judgement: &Judgement,
    is_open: bool,
    now: Timestamp,
) -> NewVerdict {
    NewVerdict {
        section: judgement.section.clone(),
        by: judgement.by,
        span: judgement.span,
        verdict: judgement.verdict,
        kind: if is_open { VerdictKind::Provisional } else { VerdictKind::Closed },
        is_late: !is_open && hearing::is_late(section, judgement.span, now),
        bytes: judgement.bytes(),
    }
}

fn withdrawal(section: &Section<'_>, gone: &Withdrawal, now: Timestamp) -> NewVerdict {
    NewVerdict {
        section: gone.section.clone(),
        by: gone.by,
        span: gone.span,
        verdict: None,
        kind: VerdictKind::Withdrawn,
        is_late: hearing::is_late(section, gone.span, now),
        bytes: gone.bytes(),
    }
}
