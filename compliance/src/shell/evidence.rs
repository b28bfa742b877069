//! What the store knows of a section: how far its data have come, and its good samples.

use model::{
    flow::Flow,
    ids::{AgentId, GaugeId},
    time::{Span, Timestamp},
};
use store::{SamplesQuery, SamplesReader, StoreError};

use crate::docket::Come;

/// Samples in one page.
const PAGE: usize = 65_536;

/// How far the data of these outlets have come, and what of their agent may be on its way.
pub(super) fn come(
    reader: &SamplesReader,
    gauges: &[GaugeId],
    agent: Option<&AgentId>,
) -> Result<Come, StoreError> {
    let mut newest = Timestamp::MAX;
    for gauge in gauges {
        let facts = reader.gauge(gauge)?;
        newest = newest.min(facts.and_then(|facts| facts.newest).unwrap_or(Timestamp::MIN));
    }
    if gauges.is_empty() {
        newest = Timestamp::MIN;
    }
    let queued_from = match agent {
        Some(agent) => reader.queued_from(agent)?,
        None => Timestamp::MAX,
    };
    Ok(Come { newest, queued_from })
}

/// The good samples of a flow gauge within `span`, ascending.
pub(super) fn samples(
    reader: &SamplesReader,
    gauge: &GaugeId,
    span: Span,
) -> Result<Vec<(Timestamp, Flow)>, StoreError> {
    let mut good = Vec::new();
    let mut cursor = None;
    loop {
        let Span { from, to } = span;
        let query = SamplesQuery { gauge: gauge.clone(), from, to, cursor, limit: PAGE };
        let page = reader.samples(&query)?;
        let water = page.samples.into_iter().map(|stored| stored.sample);
        let water = water.filter(|sample| sample.is_good());
        // a flow is stored in ml/s whatever its unit (docs/formats.md §8)
        good.extend(water.filter_map(|sample| {
            sample.value.map(|value| (sample.at, Flow::from_ml_per_s(value)))
        }));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(good);
        }
    }
}
