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
    ids::{SectionKey, StationId},
    quantity::Decimal,
    registry::Registry,
    section::Section,
    time::{Span, Timestamp},
};
use runtime::{clock::Clock, tasks::Stage};
use store::{
    By, ByKind, Journal, NewVerdict, Samples, SamplesReader, SectionRow, SetVerdicts, StoreError,
};
use tracing::{info, warn};

use super::{
    amend::lawful,
    carry::Carried,
    stand::{Stand, Standings},
};
use crate::{
    again::Again,
    docket::{Docket, Heard, Kept},
    metrics::Metrics,
};

/// Between two looks at the feed.
const PERIOD: Duration = Duration::from_millis(200);
/// After one that failed.
const PAUSE: Duration = Duration::from_secs(10);
/// Feed rows that are taken up at once.
const ROWS: usize = 4_096;
/// Sections of which open hours, or those to be closed, are heard in one pass.
const SECTIONS: usize = 512;
/// Sections of them for which readings are fetched, or looked through for a hole: those whose hours
/// are carried on cost little.
const FETCHED: usize = 64;
/// Sections of which closed hours are: a registry may have years of them judged again, and what
/// is live does not wait for that.
const LATE_SECTIONS: usize = 2;
/// By how much the clock must go back to be believed.
const STEP_MS: i64 = 1_000;
/// A position alone is written so often, while nothing is judged.
const POSITION_PERIOD_MS: i64 = 10_000;
/// Whose positions they are: in the feed of samples, and the entry of the registry by which all
/// that is closed was judged.
pub const CONSUMER: &str = "compliance";

/// What the consumer is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where the samples are.
    pub samples: Samples,
    /// Where the registry is and verdicts go.
    pub journal: Journal,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The share of the requirement below which enough is little.
    pub near: Decimal,
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
        let entry = known.as_ref().map_or(0, |known| known.entry);
        let open = match court.take() {
            Some(open) => open,
            None => Court::open(parts).await?,
        };
        let mut open = if open.entry == entry { open } else { open.amended(parts, known).await? };
        let has_more = open.pass(parts).await?;
        *court = Some(open);
        Ok(has_more)
    }
}

/// What is known between two passes; all of it can be made anew from the journal.
#[derive(Debug)]
pub(super) struct Court {
    pub(super) registry: Arc<Registry>,
    /// The entry of that registry, by which everything that is closed was judged; 0: none.
    pub(super) entry: i64,
    pub(super) docket: Docket,
    pub(super) standings: Standings,
    pub(super) carried: Carried,
    /// Sections of which something is to be written.
    pub(super) changed: BTreeSet<SectionKey>,
    /// The last feed row that was taken up, and the one that is written.
    pub(super) position: i64,
    written: i64,
    written_at: Timestamp,
    /// When it last looked at the clock.
    seen_at: Timestamp,
    /// The newest moment of any sample when hours were last put in doubt.
    pub(super) witnessed: Timestamp,
}

/// What a section's hearings came to.
pub(super) struct Outcome {
    /// Whether readings were fetched for it, or many of them looked at.
    pub(super) is_fetched: bool,
    /// Whether more is to be taken back of what a clock that was ahead has closed.
    pub(super) is_behind: bool,
    /// What was heard.
    pub(super) heard: Vec<Heard>,
    /// What is to be written of it.
    pub(super) verdicts: Vec<NewVerdict>,
}

impl Court {
    async fn open(parts: &Parts) -> Result<Self, StoreError> {
        let kept = parts.journal.read(|reader| {
            let (position, entry) = reader.consumer(CONSUMER)?.unwrap_or((0, 0));
            let law = lawful(reader, entry)?;
            Ok((reader.sections()?, position, law, reader.standings(None)?))
        });
        let (sections, position, law, standings) = kept.await?;
        let now = parts.clock.now();
        let witnessed = witnessed(parts).await?;
        let kept: BTreeMap<SectionKey, Kept> = sections.into_iter().map(kept_of).collect();
        let docket = Docket::restored(kept.clone(), now);
        // hours that a clock which was ahead has closed are open again
        let is_other = |key: &SectionKey, kept: &Kept| docket.kept(key) != Some(kept);
        let changed = kept.into_iter().filter(|(key, kept)| is_other(key, kept));
        let changed = changed.map(|(key, _)| key).collect();
        let (registry, entry) =
            law.map_or_else(Default::default, |known| (known.registry, known.entry));
        let mut standings = Standings::of(standings);
        standings.touch_all(Section::judged(&registry).map(|section| section.key()));
        Ok(Self {
            registry,
            entry,
            docket,
            standings,
            carried: Carried::default(),
            changed,
            position,
            written: position,
            written_at: now,
            seen_at: now,
            witnessed,
        })
    }

    /// Says whether there is more to do at once.
    async fn pass(&mut self, parts: &Parts) -> Result<bool, StoreError> {
        let now = parts.clock.now();
        if now < self.seen_at.plus_ms(-STEP_MS) {
            warn!("clock has gone back; hours that are not over are open again");
            self.witnessed = witnessed(parts).await?;
            self.changed.extend(self.docket.set_back(now));
            self.standings.touch_all(std::iter::empty());
            self.carried.clear();
        }
        self.seen_at = now;
        let fed = self.take_up(parts, now).await?;
        let due = self.docket.due(now, SECTIONS, LATE_SECTIONS);
        let mut outcomes = Vec::new();
        let mut fetched = 0;
        for (key, load) in &due {
            // the others stay due
            if fetched >= FETCHED {
                break;
            }
            self.standings.touch(key);
            if let Some(outcome) = self.hear(parts, (key, *load), now).await? {
                fetched += usize::from(outcome.is_fetched);
                outcomes.push(outcome);
            } else {
                self.docket.withdraw(key);
                self.carried.leave(key);
            }
        }
        let is_more = |outcome: &Outcome| {
            outcome.is_behind || outcome.heard.iter().any(|heard| heard.is_full)
        };
        let is_behind = due.len() >= SECTIONS || fetched >= FETCHED || self.docket.is_behind(now);
        let has_more = fed == ROWS || is_behind || outcomes.iter().any(is_more);
        let stand = self.stand(parts, now).await?;
        self.write(parts, outcomes, stand, now).await?;
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
        let mut taken = Vec::new();
        for (station, spans) in touched {
            for section in Section::judged_at(&registry, station) {
                let mut is_changed = false;
                for span in &spans {
                    is_changed |= self.docket.fed(&section, *span, now);
                }
                self.standings.touch(&section.key());
                if is_changed {
                    self.changed.insert(section.key());
                }
                taken.push((section, spans.clone()));
            }
        }
        self.carried.take(parts, taken, self.position).await?;
        parts.metrics.position.set(self.position);
        Ok(rows.len())
    }

    /// How far it has come and what is kept of the sections that changed, with nothing judged.
    pub(super) fn kept(&self, now: Timestamp) -> SetVerdicts {
        let row = |key| self.docket.kept(key).map(|kept| section_row(key, kept));
        SetVerdicts {
            at: now,
            by: By { kind: ByKind::Server, name: CONSUMER.to_owned() },
            consumer: CONSUMER,
            samples: self.position,
            registry: self.entry,
            unsaid: Vec::new(),
            sections: self.changed.iter().filter_map(row).collect(),
            verdicts: Vec::new(),
            standings: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// Writes what was judged and how far that has come, all together.
    async fn write(
        &mut self,
        parts: &Parts,
        outcomes: Vec<Outcome>,
        stand: Stand,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let is_said = |outcome: &Outcome| !outcome.heard.is_empty() || !outcome.verdicts.is_empty();
        let is_news =
            outcomes.iter().any(is_said) || !stand.rows.is_empty() || !stand.gone.is_empty();
        let is_time =
            now.ms_since(self.written_at).unsigned_abs() >= POSITION_PERIOD_MS.unsigned_abs();
        if !is_news && (self.position == self.written || !is_time) {
            return Ok(());
        }
        let write = SetVerdicts {
            verdicts: outcomes.into_iter().flat_map(|outcome| outcome.verdicts).collect(),
            standings: stand.rows,
            gone: stand.gone,
            ..self.kept(now)
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

/// How much time has passed by what meters have said.
async fn witnessed(parts: &Parts) -> Result<Timestamp, StoreError> {
    let newest = parts.samples.read(SamplesReader::newest).await?;
    Ok(newest.unwrap_or(Timestamp::MIN))
}

fn reaches(last: &Span, next: Span) -> bool {
    last.from <= next.to && next.from <= last.to
}

pub(super) fn kept_of(row: SectionRow) -> (SectionKey, Kept) {
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
