//! The consumer of the feed of samples that has sections judged, pass by pass.
//!
//! A pass takes up what has come, has what is due judged, and writes the outcome together with
//! its position. Whatever fails is undone by going back to what the journal has.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use model::{
    fault::Chain,
    ids::{GaugeId, SectionKey, StationId},
    registry::Registry,
    section::{Section, Source},
    time::{Span, Timestamp},
    verdict::Length,
};
use runtime::{clock::Clock, tasks::Stage};
use store::{
    By, ByKind, Journal, JournalReader, NewVerdict, RegistryInForce, Samples, SectionRow,
    SetVerdicts, StoreError, VerdictsQuery,
};
use tracing::{info, warn};

use super::evidence;
use crate::{
    again::Again,
    docket::{Docket, Hearing, Kept, Why},
    hearing::{self, Evidence, JudgedHour},
    judgement::{self, Judgement},
    metrics::Metrics,
};

/// Between two looks at the feed.
const PERIOD: Duration = Duration::from_millis(200);
/// After one that failed.
const PAUSE: Duration = Duration::from_secs(10);
/// Feed rows that are taken up at once.
const ROWS: usize = 4_096;
/// Sections that are heard in one pass.
const SECTIONS: usize = 16;
/// A position alone is written so often, while nothing is judged.
const POSITION_PERIOD_MS: i64 = 10_000;
/// Whose position it is.
const CONSUMER: &str = "compliance";

/// What the consumer is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where the samples are.
    pub samples: Samples,
    /// Where the registry is and verdicts go.
    pub journal: Journal,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What it counts.
    pub metrics: Metrics,
}

/// The consumer and what it knows.
#[derive(Debug)]
pub struct Consumer {
    parts: Parts,
    /// `None` at first and after a failure.
    court: Option<Court>,
}

/// Runs until `stage` stops.
pub async fn run(parts: Parts, stage: Stage) {
    let stop = stage.stopping();
    let mut consumer = Consumer::new(parts);
    loop {
        let wait = match consumer.pass().await {
            Ok(true) => Duration::ZERO,
            Ok(false) => PERIOD,
            Err(failure) => {
                consumer.parts.metrics.failures.inc();
                warn!(error = %Chain(&failure), "cannot judge; going back to what the journal has");
                PAUSE
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

impl Consumer {
    /// Goes on where the journal left off.
    pub const fn new(parts: Parts) -> Self {
        Self { parts, court: None }
    }

    /// Takes up what has come and judges what is due; says whether there is more to do at once.
    pub async fn pass(&mut self) -> Result<bool, StoreError> {
        let Self { parts, court } = self;
        let known = parts.journal.watch().borrow().registry.clone();
        let entry = known.as_ref().map(|known| known.entry);
        // Another registry may judge other sections, by other rules.
        let mut open = match court.take().filter(|court| court.entry == entry) {
            Some(open) => open,
            None => Court::open(parts, known).await?,
        };
        let has_more = open.pass(parts).await?;
        *court = Some(open);
        Ok(has_more)
    }
}

/// What is known between two passes; all of it can be made anew from the journal.
#[derive(Debug)]
struct Court {
    registry: Arc<Registry>,
    /// The entry of that registry.
    entry: Option<i64>,
    docket: Docket,
    /// Sections of which something is to be written.
    changed: BTreeSet<SectionKey>,
    /// The last feed row that was taken up, and the one that is written.
    position: i64,
    written: i64,
    written_at: Timestamp,
}

/// What a section's hearings came to.
struct Outcome {
    hearings: Vec<Hearing>,
    verdicts: Vec<NewVerdict>,
}

impl Court {
    async fn open(parts: &Parts, known: Option<RegistryInForce>) -> Result<Self, StoreError> {
        let kept = parts.journal.read(|reader| {
            Ok((reader.sections()?, reader.consumer(CONSUMER)?.map_or(0, |(samples, _)| samples)))
        });
        let (sections, position) = kept.await?;
        let now = parts.clock.now();
        let kept = sections.into_iter().map(kept_of).collect();
        let docket = Docket::restored(kept, now);
        let (registry, entry) =
            known.map_or_else(Default::default, |known| (known.registry, Some(known.entry)));
        let changed = BTreeSet::new();
        Ok(Self { registry, entry, docket, changed, position, written: position, written_at: now })
    }

    /// Says whether there is more to do at once.
    async fn pass(&mut self, parts: &Parts) -> Result<bool, StoreError> {
        let now = parts.clock.now();
        let fed = self.take_up(parts, now).await?;
        let due = self.docket.due(now, SECTIONS);
        let mut outcomes = Vec::new();
        for key in &due {
            match self.hear(parts, key, now).await? {
                Some(outcome) => outcomes.push(outcome),
                None => self.docket.withdraw(key),
            }
        }
        let is_more = |outcome: &Outcome| outcome.hearings.iter().any(Hearing::is_full);
        let has_more = fed == ROWS || due.len() == SECTIONS || outcomes.iter().any(is_more);
        self.write(parts, outcomes, now).await?;
        Ok(has_more)
    }

    /// Notes what feed rows touch, and says how many there were.
    async fn take_up(&mut self, parts: &Parts, now: Timestamp) -> Result<usize, StoreError> {
        let after = self.position;
        let rows = parts.samples.read(move |reader| reader.feed(after, ROWS)).await?;
        let mut touched: BTreeMap<&StationId, Vec<Span>> = BTreeMap::new();
        for row in &rows {
            self.position = row.position;
            // Batches of one station mostly adjoin: what adjoins is touched once.
            let spans = touched.entry(&row.station).or_default();
            match spans.last_mut().filter(|last| reaches(last, row.span)) {
                Some(last) => {
                    last.from = last.from.min(row.span.from);
                    last.to = last.to.max(row.span.to);
                }
                None => spans.push(row.span),
            }
        }
        let registry = Arc::clone(&self.registry);
        for (station, spans) in touched {
            for section in Section::judged_at(&registry, station) {
                for span in &spans {
                    self.docket.fed(&section, *span, now);
                }
                self.changed.insert(section.key());
            }
        }
        parts.metrics.position.set(self.position);
        Ok(rows.len())
    }

    /// Judges what is due of a section; `None` where it is not judged any more.
    async fn hear(
        &mut self,
        parts: &Parts,
        key: &SectionKey,
        now: Timestamp,
    ) -> Result<Option<Outcome>, StoreError> {
        let registry = Arc::clone(&self.registry);
        let Some(section) = Section::find(&registry, key) else { return Ok(None) };
        let gauges = gauges_of(&section);
        let closed = self.docket.kept(key).map_or(now, |kept| kept.closed);
        let counts =
            |source: &Source<'_>| source.in_force.to > closed && source.in_force.from <= now;
        let sources = section.sources().into_iter().zip(&gauges);
        let outlets: Vec<GaugeId> =
            sources.filter(|(source, _)| counts(source)).map(|(_, gauge)| gauge.clone()).collect();
        let agent = section.station().agent.clone();
        let come = parts
            .samples
            .read(move |reader| evidence::come(reader, &outlets, agent.as_ref()))
            .await?;
        let hearings = self.docket.hearings(&section, come, now);
        let mut judged: Vec<(Judgement, Why)> = Vec::new();
        for hearing in &hearings {
            let evidence = evidence_of(parts, &section, &gauges, hearing).await?;
            let judge = if hearing.why == Why::Open { hearing::hour_so_far } else { hearing::hour };
            let of_hours = hearing.hours.iter();
            let of_hours = of_hours.filter_map(|hour| judge(&section, &evidence, *hour));
            judged.extend(of_hours.map(|judgement| (judgement, hearing.why)));
        }
        self.docket.heard(key, &hearings, now);
        let mut verdicts: Vec<NewVerdict> = judged
            .iter()
            .map(|(judgement, why)| new_verdict(&section, judgement, *why == Why::Open, now))
            .collect();
        verdicts.extend(self.days(parts, &section, &judged, now).await?);
        self.changed.insert(key.clone());
        Ok(Some(Outcome { hearings, verdicts }))
    }

    /// The days of hours that were judged just now.
    async fn days(
        &self,
        parts: &Parts,
        section: &Section<'_>,
        judged: &[(Judgement, Why)],
        now: Timestamp,
    ) -> Result<Vec<NewVerdict>, StoreError> {
        let mut days: BTreeMap<Timestamp, Vec<Span>> = BTreeMap::new();
        for (judgement, _) in judged {
            if let Some(hours) = section.day_of(judgement.span)
                && let Some(first) = hours.first()
            {
                days.insert(first.from, hours);
            }
        }
        let mut verdicts = Vec::new();
        for hours in days.into_values() {
            let (Some(first), Some(last)) = (hours.first(), hours.last()) else { continue };
            let day = Span { from: first.from, to: last.to };
            let Some(kept) = self.docket.kept(&section.key()) else { continue };
            // Of a day that began before the section did, too little is known to judge it.
            if day.from < kept.begun {
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
            let of_day: Vec<JudgedHour> =
                hours.iter().filter_map(|hour| known.get(&hour.from).copied()).collect();
            let is_open = day.to > kept.closed;
            if let Some(judgement) = hearing::day_of(section, day, &of_day, is_open) {
                verdicts.push(new_verdict(section, &judgement, is_open, now));
            }
        }
        Ok(verdicts)
    }

    /// Writes what was judged and how far that has come, all together.
    async fn write(
        &mut self,
        parts: &Parts,
        outcomes: Vec<Outcome>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let is_news = outcomes.iter().any(|outcome| !outcome.hearings.is_empty());
        let is_time =
            now.ms_since(self.written_at).unsigned_abs() >= POSITION_PERIOD_MS.unsigned_abs();
        if !is_news && (self.position == self.written || !is_time) {
            return Ok(());
        }
        let row = |key| self.docket.kept(key).map(|kept| section_row(key, kept));
        let sections = self.changed.iter().filter_map(row).collect();
        let write = SetVerdicts {
            at: now,
            by: By { kind: ByKind::Server, name: CONSUMER.to_owned() },
            consumer: CONSUMER,
            samples: self.position,
            sections,
            verdicts: outcomes.into_iter().flat_map(|outcome| outcome.verdicts).collect(),
        };
        let set = parts.journal.write(write).await?;
        (self.written, self.written_at) = (self.position, now);
        self.changed.clear();
        parts.metrics.closed.inc_by(set.closed);
        parts.metrics.revised.inc_by(set.revised);
        if set.closed + set.revised > 0 {
            info!(closed = set.closed, revised = set.revised, "periods judged");
        }
        Ok(())
    }
}

fn reaches(last: &Span, next: Span) -> bool {
    last.from <= next.to && next.from <= last.to
}

/// The gauges of a section's outlets, in the order of its sources.
fn gauges_of(section: &Section<'_>) -> Vec<GaugeId> {
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
    let Some(span) = hearing.span() else { return Ok(Vec::new()) };
    let mut evidence = Vec::new();
    for (source, gauge) in section.sources().into_iter().zip(gauges) {
        let from = hearing::needed_from(section, &source, span.from);
        let (gauge, needed) = (gauge.clone(), Span { from, ..span });
        let samples = parts.samples.read(move |reader| reader.good_flow(&gauge, needed)).await?;
        evidence.push(Evidence { source, samples });
    }
    Ok(evidence)
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
        limit: 32,
    };
    let rows = parts.journal.read(move |reader: &JournalReader| reader.verdicts(&query)).await?;
    let hours = rows.into_iter().map(|row| {
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
        is_open,
        is_late: !is_open && hearing::is_late(section, judgement.span, now),
        bytes: judgement.bytes(),
    }
}

fn kept_of(row: SectionRow) -> (SectionKey, Kept) {
    let mut again = Again::default();
    for stretch in row.again {
        again.add(stretch);
    }
    (row.key, Kept { begun: row.begun, closed: row.closed, again })
}

fn section_row(key: &SectionKey, kept: &Kept) -> SectionRow {
    SectionRow {
        key: key.clone(),
        begun: kept.begun,
        closed: kept.closed,
        again: kept.again.iter().collect(),
    }
}
