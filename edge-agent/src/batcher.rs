//! When readings become a batch: cycles go in, rows for the spool and closed batches come out.
//!
//! A batch closes when it has its age, when it is large, when a reading crosses its register's
//! `alert_below` either way or changes its quality, at least every 5 s while one stays below, and
//! when a reading does not fit: another clock, or a moment that does not ascend, which a step of
//! the wall clock makes. What is open is saved as rows in the meantime: each cycle before its
//! device is polled again and within a second, so that cycles of several devices share a sync.
//!
//! Patience counts on the time since boot, which no one sets.

use std::collections::BTreeMap;

use model::{
    batch::{Batch, BatchClock, Column},
    ids::{BatchId, BootId, GaugeId},
    quality::Quality,
    reading::Point,
};

use crate::{
    clock_trust::clock_of,
    cycle::{Cycle, Reading, Source, Sources},
};

/// The age of a batch while a reading is below its `alert_below`.
const LOW_AGE_MS: i64 = 5_000;
/// The longest time until a cycle is saved.
const SAVE_MS: i64 = 1_000;
/// A batch closes once it has about so many bytes: below what the strictest brokers take (128 KiB),
/// above what a thousand registers make in five seconds.
const PLAIN_BYTES: usize = 112 * 1024;
/// A batch closes once it has so many points.
const POINTS: usize = 16_384;
/// The most columns of the format.
const COLUMNS: usize = 4_096;
/// The longest column, half of what the format allows.
const COLUMN_MS: i64 = 12 * 60 * 60 * 1000;
/// A column's bytes beside its names and points, and those of a point; about.
const COLUMN_BYTES: usize = 24;
const POINT_BYTES: usize = 4;

/// Readings to be kept together, without an identity yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What their moments count from.
    pub clock: BatchClock,
    /// No gauge twice, moments ascend.
    pub columns: Vec<Column>,
}

impl Draft {
    /// How many readings.
    pub fn points(&self) -> usize {
        self.columns.iter().map(|column| column.points.len()).sum()
    }

    /// From the first moment to after the last; both 0 where there is none.
    pub fn span_ms(&self) -> (i64, i64) {
        let firsts = self.columns.iter().filter_map(|column| column.points.first());
        let lasts = self.columns.iter().filter_map(|column| column.points.last());
        let from_ms = firsts.map(|point| point.at_ms).min().unwrap_or(0);
        let to_ms = lasts.map(|point| point.at_ms.saturating_add(1)).max().unwrap_or(0);
        (from_ms, to_ms)
    }

    /// The batch of these readings under an identity, with nothing else in it.
    pub fn batch(&self, id: BatchId) -> Batch {
        Batch {
            id,
            clock: self.clock,
            previous: None,
            columns: self.columns.clone(),
            gaps: Vec::new(),
            anchors: Vec::new(),
        }
    }
}

/// What the spool is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Sync these readings of the open batch to disk.
    Append(Draft),
    /// Sync the whole open batch, in place of the rows that it had, and queue it.
    Close(Draft),
}

/// The open batch, and what each register said last.
#[derive(Debug)]
pub struct Batcher {
    sources: Sources,
    boot_id: BootId,
    max_age_ms: i64,
    /// As many as sources.
    lanes: Vec<Lane>,
    /// Sources that are below their `alert_below`.
    low: usize,
    /// How far UTC may be off.
    uncertainty_ms: u32,
    open: Option<Open>,
}

/// What one register said last, and its points in the open batch.
#[derive(Debug, Clone)]
struct Lane {
    quality: Quality,
    is_low: bool,
    points: Vec<Point>,
    /// How many of the points are rows.
    saved: usize,
}

#[derive(Debug)]
struct Open {
    clock: BatchClock,
    opened_at_ms: i64,
    points: usize,
    bytes: usize,
    /// Sources that have points, in the order of their first.
    used: Vec<usize>,
    /// When what is not saved yet must be.
    save_at_ms: Option<i64>,
}

impl Batcher {
    /// No batch is open; every register is taken to have been well before.
    pub fn new(sources: Sources, boot_id: BootId, max_age_ms: i64) -> Self {
        let lane = Lane { quality: Quality::GOOD, is_low: false, points: Vec::new(), saved: 0 };
        let lanes = vec![lane; sources.len()];
        Self { sources, boot_id, max_age_ms, lanes, low: 0, uncertainty_ms: 0, open: None }
    }

    /// From here on UTC may be off by so much; the open batch says it when it closes.
    pub fn doubt(&mut self, uncertainty_ms: u32) {
        self.uncertainty_ms = uncertainty_ms;
    }

    /// Takes one poll of one device.
    pub fn push(&mut self, cycle: &Cycle, now_ms: i64) -> Vec<Effect> {
        let mut effects = Vec::new();
        if cycle.readings.iter().any(|reading| self.is_unsaved(reading.source)) {
            effects.extend(self.save());
        }
        let mut is_news = false;
        for reading in &cycle.readings {
            if !self.fits(reading) {
                self.close_after(&mut effects);
            }
            self.add(reading, now_ms);
            is_news |= self.is_news(reading);
        }
        let has_its_age = self.close_at_ms().is_some_and(|deadline| deadline <= now_ms);
        if is_news || has_its_age || self.is_large() {
            self.close_after(&mut effects);
        }
        effects.extend(self.tick(now_ms));
        effects
    }

    /// Closes, and spares the row that would be folded at once: closing syncs as well.
    fn close_after(&mut self, effects: &mut Vec<Effect>) {
        let Some(close) = self.close() else { return };
        if matches!(effects.last(), Some(Effect::Append(_))) {
            effects.pop();
        }
        effects.push(close);
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ms: i64) -> Option<Effect> {
        if self.close_at_ms().is_some_and(|deadline| deadline <= now_ms) {
            return self.close();
        }
        let save_at_ms = self.open.as_ref().and_then(|open| open.save_at_ms);
        if save_at_ms.is_some_and(|deadline| deadline <= now_ms) { self.save() } else { None }
    }

    /// Closes what is open, if anything is.
    pub fn close(&mut self) -> Option<Effect> {
        let open = self.open.take()?;
        let mut columns = Vec::with_capacity(open.used.len());
        for index in open.used {
            if let (Some(source), Some(lane)) = (self.sources.get(index), self.lanes.get_mut(index))
            {
                lane.saved = 0;
                columns.push(column(source, std::mem::take(&mut lane.points)));
            }
        }
        Some(Effect::Close(Draft { clock: self.doubted(open.clock), columns }))
    }

    /// Whether it holds readings that no effect has brought to the disk.
    pub fn has_unsaved(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.save_at_ms.is_some())
    }

    /// When [`Batcher::tick`] has something to do, on the clock of `now_ms`.
    pub fn deadline(&self) -> Option<i64> {
        let save_at_ms = self.open.as_ref().and_then(|open| open.save_at_ms);
        self.close_at_ms().into_iter().chain(save_at_ms).min()
    }

    fn close_at_ms(&self) -> Option<i64> {
        let low_age_ms = if self.low > 0 { LOW_AGE_MS } else { i64::MAX };
        let open = self.open.as_ref()?;
        Some(open.opened_at_ms.saturating_add(self.max_age_ms.min(low_age_ms)))
    }

    fn doubted(&self, clock: BatchClock) -> BatchClock {
        match clock {
            BatchClock::Utc { .. } => BatchClock::Utc { uncertainty_ms: self.uncertainty_ms },
            BatchClock::Boot { .. } => clock,
        }
    }

    fn is_unsaved(&self, source: usize) -> bool {
        self.lanes.get(source).is_some_and(|lane| lane.saved < lane.points.len())
    }

    fn fits(&self, reading: &Reading) -> bool {
        let Some(open) = &self.open else { return true };
        let at_ms = reading.point.at_ms;
        let points = self.lanes.get(reading.source).map_or(&[][..], |lane| &lane.points);
        let ascends = points.last().is_none_or(|last| last.at_ms < at_ms);
        let is_short =
            points.first().is_none_or(|first| at_ms.saturating_sub(first.at_ms) <= COLUMN_MS);
        let has_room = !points.is_empty() || open.used.len() < COLUMNS;
        ascends && is_short && has_room && open.clock == clock_of(at_ms, self.boot_id)
    }

    fn is_large(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.bytes >= PLAIN_BYTES || open.points >= POINTS)
    }

    fn add(&mut self, reading: &Reading, now_ms: i64) {
        let index = reading.source;
        let (Some(source), Some(lane)) = (self.sources.get(index), self.lanes.get_mut(index))
        else {
            return; // no register of these settings: the contract forbids it
        };
        let open = self.open.get_or_insert_with(|| Open {
            clock: clock_of(reading.point.at_ms, self.boot_id),
            opened_at_ms: now_ms,
            points: 0,
            bytes: 0,
            used: Vec::new(),
            save_at_ms: None,
        });
        if lane.points.is_empty() {
            open.used.push(index);
            let names = source.gauge.station.as_str().len() + source.gauge.name.as_str().len();
            open.bytes += COLUMN_BYTES + names + source.unit.len();
        }
        lane.points.push(reading.point);
        open.points += 1;
        open.bytes += POINT_BYTES;
        let patience_ms = (i64::from(source.period_ms) / 2).min(SAVE_MS);
        let save_at_ms = now_ms.saturating_add(patience_ms);
        open.save_at_ms = Some(open.save_at_ms.map_or(save_at_ms, |at_ms| at_ms.min(save_at_ms)));
    }

    /// Whether the server should hear of this at once.
    fn is_news(&mut self, reading: &Reading) -> bool {
        let (Some(source), Some(lane)) =
            (self.sources.get(reading.source), self.lanes.get_mut(reading.source))
        else {
            return false;
        };
        let quality = reading.point.quality;
        // not asking a device that is known not to answer is no news
        let is_same_silence = quality == Quality::BACK_OFF && !lane.quality.has_value();
        let is_changed = quality != lane.quality && !is_same_silence;
        if is_changed {
            lane.quality = quality;
        }
        let limit = source.alert_below.zip(reading.point.value());
        let is_low = limit.map_or(lane.is_low, |(limit, value)| value < limit);
        let is_crossed = is_low != lane.is_low;
        if is_crossed {
            lane.is_low = is_low;
            self.low = if is_low { self.low + 1 } else { self.low.saturating_sub(1) };
        }
        is_changed || is_crossed
    }

    /// What is not saved yet, as a row.
    fn save(&mut self) -> Option<Effect> {
        let open = self.open.as_mut()?;
        open.save_at_ms = None;
        let mut columns = Vec::new();
        for index in &open.used {
            let (Some(source), Some(lane)) = (self.sources.get(*index), self.lanes.get_mut(*index))
            else {
                continue;
            };
            let unsaved = lane.points.get(lane.saved..).unwrap_or_default();
            if !unsaved.is_empty() {
                columns.push(column(source, unsaved.to_vec()));
                lane.saved = lane.points.len();
            }
        }
        let clock = open.clock;
        let clock = self.doubted(clock);
        (!columns.is_empty()).then_some(Effect::Append(Draft { clock, columns }))
    }
}

/// One clock for what counts from both, if they are the same but for what is known of it.
fn widest(one: BatchClock, other: BatchClock) -> Option<BatchClock> {
    match (one, other) {
        (BatchClock::Utc { uncertainty_ms }, BatchClock::Utc { uncertainty_ms: other_ms }) => {
            Some(BatchClock::Utc { uncertainty_ms: uncertainty_ms.max(other_ms) })
        }
        (BatchClock::Boot { .. }, BatchClock::Boot { .. }) => (one == other).then_some(one),
        (BatchClock::Utc { .. }, BatchClock::Boot { .. })
        | (BatchClock::Boot { .. }, BatchClock::Utc { .. }) => None,
    }
}

fn column(source: &Source, points: Vec<Point>) -> Column {
    let Source { gauge, unit, decimals, period_ms, alert_below: _ } = source;
    Column {
        gauge: gauge.clone(),
        unit: unit.clone(),
        decimals: *decimals,
        period_ms: *period_ms,
        points,
    }
}

/// The open batch that a crash left behind, from its rows in their order: one draft, or several
/// where rows do not go together. Each comes with the number of its last row.
pub fn restore(rows: impl IntoIterator<Item = (i64, Batch)>) -> Vec<(i64, Draft)> {
    let mut drafts = Vec::new();
    let mut open = Rows::default();
    for (id, row) in rows {
        if !open.takes(&row) {
            drafts.extend(std::mem::take(&mut open).draft());
        }
        open.add(id, row);
    }
    drafts.extend(open.draft());
    drafts
}

/// Rows that go together.
#[derive(Debug, Default)]
struct Rows {
    last_id: i64,
    clock: Option<BatchClock>,
    columns: BTreeMap<GaugeId, Column>,
    points: usize,
}

impl Rows {
    fn takes(&self, row: &Batch) -> bool {
        let has_room = self.columns.len() + row.columns.len() <= COLUMNS && self.points < POINTS;
        self.clock.is_none_or(|clock| widest(clock, row.clock).is_some())
            && (has_room
                || row.columns.iter().all(|column| self.columns.contains_key(&column.gauge)))
            && row.columns.iter().all(|column| self.continues(column))
    }

    fn continues(&self, column: &Column) -> bool {
        let Some(before) = self.columns.get(&column.gauge) else { return true };
        let seam = before.points.last().zip(column.points.first());
        let ends = before.points.first().zip(column.points.last());
        (&before.unit, before.decimals, before.period_ms)
            == (&column.unit, column.decimals, column.period_ms)
            && seam.is_some_and(|(last, first)| last.at_ms < first.at_ms)
            && ends.is_some_and(|(first, last)| last.at_ms.saturating_sub(first.at_ms) <= COLUMN_MS)
    }

    fn add(&mut self, id: i64, row: Batch) {
        self.last_id = id;
        self.clock = self.clock.map_or(Some(row.clock), |clock| widest(clock, row.clock));
        for column in row.columns {
            self.points += column.points.len();
            match self.columns.get_mut(&column.gauge) {
                Some(before) => before.points.extend(column.points),
                None => drop(self.columns.insert(column.gauge.clone(), column)),
            }
        }
    }

    fn draft(self) -> Option<(i64, Draft)> {
        let columns = self.columns.into_values().collect();
        Some((self.last_id, Draft { clock: self.clock?, columns }))
    }
}

#[cfg(test)]
#[path = "batcher/tests.rs"]
mod tests;
