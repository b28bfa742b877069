//! What a row of the feed brought, and what was known around it when the row was the newest.

use std::collections::{BTreeMap, btree_map::Entry};

use model::{
    flow::Flow,
    ids::{GaugeId, SectionKey},
    quality::Quality,
    registry::Registry,
    sample::Sample,
    section::{Section, Source},
    time::{Span, Timestamp},
};
use store::{FeedRow, Kind, SamplesReader, StoreError};

use crate::{
    plan::{Plan, Watched},
    released::{Row, Samples, late_margin_ms},
};

/// A row and what it brought.
#[derive(Debug)]
pub(super) struct Evidence {
    /// Its position.
    pub(super) position: i64,
    /// As the rules are told of it.
    pub(super) row: Row,
    /// Of each section, its sources' samples.
    pub(super) sections: Vec<(SectionKey, Vec<Samples>)>,
    /// Gauges that spoke live.
    pub(super) heard: Vec<GaugeId>,
    /// What those said of which a rule asks that.
    pub(super) values: Vec<(GaugeId, Vec<(Timestamp, i64)>)>,
}

/// The evidence of each row whose station anybody watches.
pub(super) fn of_rows(
    reader: &SamplesReader,
    (registry, plan): (&Registry, &Plan),
    rows: Vec<FeedRow>,
) -> Result<Vec<Evidence>, StoreError> {
    let mut evidence = Vec::new();
    for row in rows {
        if let Some(watched) = plan.stations.get(&row.station) {
            evidence.push(of_row(reader, registry, watched, &row)?);
        }
    }
    Ok(evidence)
}

fn of_row(
    reader: &SamplesReader,
    registry: &Registry,
    watched: &Watched,
    fed: &FeedRow,
) -> Result<Evidence, StoreError> {
    let (span, position) = (fed.span, fed.position);
    let is_import = fed.kind == Kind::Import;
    let row = Row { span, received_at: fed.received_at, is_import };
    let mut sections = Vec::new();
    // most gauges are asked for twice: what they released, and whether they spoke
    let mut read = Read { reader, span, position, samples: BTreeMap::new() };
    for measured in &watched.sections {
        if let Some(section) = Section::find(registry, &measured.section) {
            let mut came = Vec::new();
            for source in section.sources() {
                let samples = read.samples(gauge_of(&section, &source))?.iter();
                came.push(samples.filter_map(|sample| good_flow(&source, sample)).collect());
            }
            if came.iter().any(|samples: &Samples| !samples.is_empty()) {
                sections.push((measured.section.clone(), came));
            }
        }
    }
    let (mut heard, mut values) = (Vec::new(), Vec::new());
    for listened in &watched.gauges {
        let from = span.from.max(row.live_from(listened.interval_ms));
        if from < span.to {
            let samples = read.samples(listened.gauge.clone())?;
            // that a device did not answer is no word of its gauge
            let live = samples.iter().filter(|sample| from <= sample.at);
            if live.clone().any(|sample| sample.value.is_some()) {
                heard.push(listened.gauge.clone());
            }
            if !listened.value_rules.is_empty() {
                let said = live.filter(|sample| sample.quality == Quality::GOOD);
                let said = said.filter_map(|sample| Some((sample.at, sample.value?)));
                values.push((listened.gauge.clone(), said.collect()));
            }
        }
    }
    Ok(Evidence { position, row, sections, heard, values })
}

/// What a row brought, each gauge read once.
struct Read<'a> {
    reader: &'a SamplesReader,
    span: Span,
    position: i64,
    samples: BTreeMap<GaugeId, Vec<Sample>>,
}

impl Read<'_> {
    fn samples(&mut self, gauge: GaugeId) -> Result<&[Sample], StoreError> {
        match self.samples.entry(gauge) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unread) => {
                let samples =
                    self.reader.samples_brought(unread.key(), self.span, self.position)?;
                Ok(unread.insert(samples))
            }
        }
    }
}

/// What is known of a section around a stretch that came late.
pub(super) fn around(
    reader: &SamplesReader,
    section: &Section<'_>,
    late: Span,
    position: i64,
) -> Result<Vec<Samples>, StoreError> {
    let margin_ms = late_margin_ms(section);
    // before the first of them a value may hold for as long again
    let from = late.from.plus_ms(-margin_ms).plus_ms(-margin_ms);
    flows(reader, section, Span { from, to: late.to.plus_ms(margin_ms + 1) }, position)
}

fn flows(
    reader: &SamplesReader,
    section: &Section<'_>,
    span: Span,
    position: i64,
) -> Result<Vec<Samples>, StoreError> {
    let mut all = Vec::new();
    for source in section.sources() {
        let samples = reader.samples_as_of(&gauge_of(section, &source), span, position)?;
        all.push(samples.iter().filter_map(|sample| good_flow(&source, sample)).collect());
    }
    Ok(all)
}

/// The gauge of one of a section's outlets.
fn gauge_of(section: &Section<'_>, source: &Source<'_>) -> GaugeId {
    GaugeId { station: section.station().id.clone(), name: source.gauge.clone() }
}

/// A flow is stored in ml/s whatever its unit (`docs/formats.md` §8). One outside of what its gauge
/// can reach, by the registry in force, is doubted and tells nothing.
fn good_flow(source: &Source<'_>, sample: &Sample) -> Option<(Timestamp, Flow)> {
    let Sample { at, value, .. } =
        Some(sample.within(source.range)).filter(|known| known.is_good())?;
    Some((at, Flow::from_ml_per_s(value?)))
}
