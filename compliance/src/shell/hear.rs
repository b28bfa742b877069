//! What is due of a section: its evidence fetched, judged, and put together with its days.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    ids::{GaugeId, SectionKey},
    section::{Section, Source},
    time::{Span, Timestamp},
    verdict::Length,
};
use store::{GivenPeriod, JournalReader, NewVerdict, StoreError, VerdictKind, VerdictsQuery};

use super::{
    court::{Court, Outcome, Parts},
    evidence,
};
use crate::{
    docket::{Come, Hearing, Load, Why},
    hearing::{self, Evidence, JudgedHour},
    judgement::{self, Judgement, Withdrawal},
    sitting::{Before, sit},
};

/// Closed periods of each length that reach into one hearing: hours of two zones at most.
const GIVEN: usize = 128;

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
        let come = self.come(parts, (&section, &gauges), load, now).await?;
        let hearings = self.docket.hearings(&section, come, load, now);
        self.docket.turned(key, now);
        let (mut heard, mut judged, mut withdrawn) = (Vec::new(), Vec::new(), Vec::new());
        let mut hours_heard: Vec<Span> = Vec::new();
        for hearing in &hearings {
            let evidence = evidence_of(parts, &section, &gauges, hearing).await?;
            let given = given(parts, key, hearing).await?;
            let Some(kept) = self.docket.kept(key) else { continue };
            let seen = self.docket.first(key).filter(|_| kept.begun == kept.closed);
            let before = Before { begun: kept.begun, closed: kept.closed, seen, given: &given };
            let sitting = sit(&section, &evidence, hearing, before, now);
            // each sitting begins where the one before has left off
            self.docket.heard(key, sitting.heard, now);
            let to = sitting.heard.span.to;
            hours_heard.extend(hearing.hours.iter().filter(|hour| hour.to <= to));
            heard.push(sitting.heard);
            judged.extend(sitting.judged.into_iter().map(|judgement| (judgement, hearing.why)));
            withdrawn.extend(sitting.withdrawn);
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
        self.changed.insert(key.clone());
        Ok(Some(Outcome { heard, verdicts: said.into_values().collect() }))
    }

    /// How far the data of a section have come, and where there is something next.
    async fn come(
        &self,
        parts: &Parts,
        (section, gauges): (&Section<'_>, &[GaugeId]),
        load: Load,
        now: Timestamp,
    ) -> Result<Come, StoreError> {
        let key = section.key();
        let closed = self.docket.kept(&key).map_or(now, |kept| kept.closed);
        let counts =
            |source: &Source<'_>| source.in_force.to > closed && source.in_force.from <= now;
        let sources = section.sources().into_iter().zip(gauges);
        let outlets: Vec<GaugeId> =
            sources.filter(|(source, _)| counts(source)).map(|(_, gauge)| gauge.clone()).collect();
        let agent = section.station().agent.clone();
        let looks_from = self.docket.looks_from(&key, load);
        let all = looks_from.map(|from| (gauges.to_vec(), from.plus_ms(-section.reach_ms())));
        let come = parts.samples.read(move |reader| {
            let next = match &all {
                Some((gauges, from)) => evidence::first(reader, gauges, *from)?,
                None => Timestamp::MAX,
            };
            evidence::come(reader, &outlets, agent.as_ref()).map(|come| Come { next, ..come })
        });
        let come = come.await?;
        let Some(from) = looks_from else { return Ok(come) };
        let span = Span { from, to: Timestamp::MAX };
        let given = parts.journal.read(move |reader| reader.given_periods(&key, span, 1)).await?;
        let next = given.first().map_or(come.next, |given| given.span.from.min(come.next));
        Ok(Come { next, ..come })
    }

    /// The days of hours that were heard just now, whether they were judged or not: with an hour in
    /// which nothing is demanded any more a day is over, too.
    async fn days(
        &self,
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
        let (Some(kept), Some(begun)) = (self.docket.kept(&key), self.docket.first(&key)) else {
            return Ok(verdicts);
        };
        for hours in days.into_values() {
            let (Some(first), Some(last)) = (hours.first(), hours.last()) else { continue };
            let day = Span { from: first.from, to: last.to };
            // Of a day that began before the section did, too little is known to judge it.
            if day.from < begun {
                continue;
            }
            // The rest of it is about to be judged again: then the day is, too.
            if kept
                .again
                .iter()
                .any(|stretch| stretch.span.from < day.to && day.from < stretch.span.to)
            {
                continue;
            }
            let mut known = stored_hours(parts, section, day).await?;
            for (judgement, _) in judged {
                let hour = JudgedHour {
                    span: judgement.span,
                    verdict: judgement.verdict,
                    weight: judgement.weight,
                };
                known.insert(judgement.span.from, hour);
            }
            // what stands of an hour in which nothing is demanded any more is about to be withdrawn
            let own = hours.iter().filter(|hour| section.demand_in(**hour).is_some());
            let of_day: Vec<JudgedHour> =
                own.filter_map(|hour| known.get(&hour.from).copied()).collect();
            let is_open = day.to > kept.closed;
            if let Some(judgement) = hearing::day_of(section, day, &of_day, is_open) {
                verdicts.push(new_verdict(section, &judgement, is_open, now));
            }
        }
        Ok(verdicts)
    }
}

/// The gauges of a section's outlets, in the order of its sources.
pub(super) fn gauges_of(section: &Section<'_>) -> Vec<GaugeId> {
    let station = &section.station().id;
    let sources = section.sources().into_iter();
    sources.map(|source| GaugeId { station: station.clone(), name: source.gauge.clone() }).collect()
}

async fn evidence_of<'a>(
    parts: &Parts,
    section: &Section<'a>,
    gauges: &[GaugeId],
    hearing: &Hearing,
) -> Result<Vec<Evidence<'a>>, StoreError> {
    let (Some(first), Some(last)) = (hearing.hours.first(), hearing.hours.last()) else {
        return Ok(Vec::new());
    };
    let mut evidence = Vec::new();
    for (source, gauge) in section.sources().into_iter().zip(gauges) {
        let from = hearing::needed_from(section, &source, first.from);
        let (gauge, needed) = (gauge.clone(), Span { from, to: last.to });
        let samples = parts.samples.read(move |reader| reader.good_flow(&gauge, needed)).await?;
        evidence.push(Evidence { source, samples });
    }
    Ok(evidence)
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
        let (verdict, weight) = judgement::read(&row.bytes)
            .map_err(|error| StoreError::Damaged(format!("journal.db: {error}")))?;
        Ok((row.span.from, JudgedHour { span: row.span, verdict, weight }))
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
