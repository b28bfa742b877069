//! What the source of the live streams sees: what in the store is other than it was at the look
//! before.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{
    fault::Chain,
    ids::{AlarmId, GaugeId, SectionKey, StationId},
    registry::Registry,
    time::Timestamp,
};
use serde::Serialize;
use store::{JournalReader, OpenAlarms, SamplesReader, StandingRow, StoreError, StoredSample};
use tracing::warn;

use super::parts::Parts;
use crate::{
    live::{Change, Fact, Key, Look},
    view::{
        alarm::AlarmView,
        live::{LiveCountsView, LiveGaugeView, LiveRegistryView, LiveSectionView},
        standing::StandingView,
    },
};

/// Rows of the feed in one look.
const ROWS: usize = 4_096;
/// Stations whose gauges are read in one look.
const STATIONS: usize = 256;
/// Alarms that are told.
const ALARMS: usize = 1_024;
/// What is required may be another flow at midnight of a station's zone, which is looked at so
/// often.
const DATE_MS: i64 = 60_000;

/// What was seen last. A look that fails leaves it as it was.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// The registry that is told; `None` before the first look.
    law: Option<(i64, Arc<Registry>)>,
    /// Everything of the feed up to here is told, or its station waits in `touched`; `None` where
    /// all stations wait.
    position: Option<i64>,
    /// Everything of the feed up to here is told.
    told: i64,
    /// Stations whose gauges may have newer samples.
    touched: BTreeSet<StationId>,
    gauges: BTreeSet<GaugeId>,
    sections: BTreeMap<SectionKey, Stood>,
    alarms: BTreeMap<AlarmId, (u32, Option<i64>, bool)>,
    /// Which minute it was.
    minute: i64,
}

/// A section as it stood; without a view where its row cannot be read.
#[derive(Debug)]
struct Stood {
    row: StandingRow,
    view: Option<StandingView>,
}

/// What a look reads of samples.
struct Newest {
    position: i64,
    latest: Vec<(GaugeId, Option<StoredSample>)>,
    touched: BTreeSet<StationId>,
}

impl Source {
    /// What is, or may be, other than at the last look.
    pub(super) async fn look(&mut self, parts: &Parts) -> Result<Look, StoreError> {
        let known = parts.journal.watch().borrow().registry.clone();
        let (entry, registry) =
            known.map_or_else(Default::default, |known| (known.entry, known.registry));
        let is_other_law = self.law.as_ref().is_none_or(|(told, _)| *told != entry);
        let mut touched = self.touched.clone();
        if is_other_law {
            touched.extend(registry.stations.keys().cloned());
        }
        let (law, position) = (Arc::clone(&registry), self.position);
        let newest = parts.samples.read(move |reader| newest(reader, &law, position, touched));
        let newest = newest.await?;
        let read =
            |reader: &JournalReader| Ok((reader.standings(None)?, reader.open_alarms(ALARMS)?));
        let (standings, alarms) = parts.journal.read(read).await?;
        let at = parts.clock.now();

        let mut changes = Vec::new();
        let minute = at.as_ms().div_euclid(DATE_MS);
        let is_all = is_other_law || minute != self.minute;
        self.see_sections(standings, &registry, (at, is_all), &mut changes);
        self.see_alarms(&alarms, at, &mut changes);
        let view = LiveRegistryView { entry };
        changes.extend(fact(Key::Registry, &view));
        changes.extend(fact(Key::Counts, &self.counts(&registry, &alarms, at)));
        if is_other_law {
            self.forget_gauges(&registry, &mut changes);
        }
        for (gauge, latest) in newest.latest {
            let Some(latest) = latest else { continue };
            changes.extend(fact(Key::Gauge(gauge.clone()), &LiveGaugeView::of(&gauge, &latest)));
            self.gauges.insert(gauge);
        }
        self.law = Some((entry, registry));
        self.minute = minute;
        self.touched = newest.touched;
        self.position = Some(newest.position);
        if self.touched.is_empty() {
            self.told = newest.position;
        }
        Ok(Look { position: self.told, at, changes })
    }

    fn see_sections(
        &mut self,
        rows: Vec<StandingRow>,
        registry: &Registry,
        (now, is_all): (Timestamp, bool),
        changes: &mut Vec<Change>,
    ) {
        let there: BTreeSet<SectionKey> = rows.iter().map(|row| row.key.clone()).collect();
        self.sections.retain(|key, _| {
            let is_there = there.contains(key);
            if !is_there {
                changes.push((Key::Section(key.clone()), None));
            }
            is_there
        });
        for row in rows {
            let known = self.sections.get(&row.key).filter(|stood| stood.row == row);
            if known.is_some() && !is_all {
                continue;
            }
            let view = StandingView::of(&row);
            if let Err(failure) = &view {
                warn!(error = %Chain(failure), "cannot read how a section stands");
            }
            let view = view.ok();
            let key = Key::Section(row.key.clone());
            match &view {
                Some(view) => {
                    let section = LiveSectionView::of(&row.key, view, registry, now);
                    changes.extend(fact(key, &section));
                }
                None => changes.push((key, None)),
            }
            self.sections.insert(row.key.clone(), Stood { row, view });
        }
    }

    fn see_alarms(&mut self, alarms: &OpenAlarms, now: Timestamp, changes: &mut Vec<Change>) {
        let there: BTreeSet<AlarmId> = alarms.newest.iter().map(|facts| facts.row.id).collect();
        self.alarms.retain(|id, _| {
            let is_there = there.contains(id);
            if !is_there {
                changes.push((Key::Alarm(*id), None));
            }
            is_there
        });
        for facts in &alarms.newest {
            let id = facts.row.id;
            let seen = (facts.row.version, facts.asked, facts.has_reached_nobody(now));
            if self.alarms.insert(id, seen) == Some(seen) {
                continue;
            }
            match AlarmView::of(facts, now) {
                Ok(view) => changes.extend(fact(Key::Alarm(id), &view)),
                Err(failure) => warn!(error = %Chain(&failure), "cannot read an alarm"),
            }
        }
    }

    fn counts(&self, registry: &Registry, alarms: &OpenAlarms, now: Timestamp) -> LiveCountsView {
        let stood = self.sections.iter().map(|(key, stood)| {
            let today = stood.view.as_ref().and_then(|view| view.today.as_ref());
            (key, stood.row.state, today.and_then(|today| today.verdict.as_deref()))
        });
        let counts = LiveCountsView::of(registry, stood, &alarms.counts);
        counts.with_unheard(
            alarms.newest.iter().filter(|facts| facts.has_reached_nobody(now)).count(),
        )
    }

    fn forget_gauges(&mut self, registry: &Registry, changes: &mut Vec<Change>) {
        self.gauges.retain(|gauge| {
            let is_there = registry.gauge(gauge.station.as_str(), gauge.name.as_str()).is_some();
            if !is_there {
                changes.push((Key::Gauge(gauge.clone()), None));
            }
            is_there
        });
    }
}

/// The newest samples of the gauges of stations of which something came.
fn newest(
    reader: &SamplesReader,
    registry: &Registry,
    position: Option<i64>,
    mut touched: BTreeSet<StationId>,
) -> Result<Newest, StoreError> {
    let rows = match position {
        Some(after) => reader.feed(after, ROWS)?,
        None => Vec::new(),
    };
    let position = match (position, rows.last()) {
        (Some(after), None) => after,
        (Some(_), Some(last)) if rows.len() < ROWS => last.position,
        // after a time without a viewer there may be hours of it: all stations are looked at
        (Some(_), Some(_)) | (None, _) => {
            touched.extend(registry.stations.keys().cloned());
            reader.feed_head()?
        }
    };
    touched.extend(rows.into_iter().map(|row| row.station));
    let mut latest = Vec::new();
    for _ in 0..STATIONS {
        let Some(station) = touched.pop_first() else { break };
        let Some(known) = registry.stations.get(&station) else { continue };
        for (name, known) in &known.gauges {
            let gauge = GaugeId { station: station.clone(), name: name.clone() };
            let sample = reader.latest(&gauge)?.map(|stored| stored.of_gauge(Some(known)));
            latest.push((gauge, sample));
        }
    }
    Ok(Newest { position, latest, touched })
}

/// A fact as it is told.
fn fact(key: Key, view: &impl Serialize) -> Option<Change> {
    match serde_json::to_string(view) {
        Ok(text) => Some((key, Some(Fact::from(text)))),
        Err(failure) => {
            warn!(error = %Chain(&failure), "cannot write what is told live");
            None
        }
    }
}
