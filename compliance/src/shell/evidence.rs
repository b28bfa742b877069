//! What the store knows of a section: how far its data have come, and where they begin.

use model::{
    ids::{AgentId, GaugeId, StationId},
    time::Timestamp,
};
use store::{SamplesQuery, SamplesReader, StoreError};

use crate::docket::Come;

/// Rows of the feed that are looked at for what has not been taken up; with more it is taken for
/// certain that there is.
const LOOKED_AT: usize = 256;

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
    Ok(Come { newest, queued_from, next: Timestamp::MAX })
}

/// Whether the feed has nothing of a station behind this row.
pub(super) fn is_whole(
    reader: &SamplesReader,
    station: &StationId,
    position: i64,
) -> Result<bool, StoreError> {
    let rows = reader.feed(position, LOOKED_AT)?;
    Ok(rows.len() < LOOKED_AT && rows.iter().all(|row| row.station != *station))
}

/// The first moment of any of these gauges from a moment on; the end of time where there is none.
pub(super) fn first(
    reader: &SamplesReader,
    gauges: &[GaugeId],
    from: Timestamp,
) -> Result<Timestamp, StoreError> {
    let mut first = Timestamp::MAX;
    for gauge in gauges {
        let (gauge, to) = (gauge.clone(), Timestamp::MAX);
        let page = reader.samples(&SamplesQuery { gauge, from, to, cursor: None, limit: 1 })?;
        first = page.samples.first().map_or(first, |stored| stored.sample.at.min(first));
    }
    Ok(first)
}

/// The first and the last moment of these gauges; the first is later where there is none.
pub(super) fn extent(
    reader: &SamplesReader,
    gauges: &[GaugeId],
) -> Result<(Timestamp, Timestamp), StoreError> {
    let mut newest = Timestamp::MIN;
    for gauge in gauges {
        let facts = reader.gauge(gauge)?;
        newest = newest.max(facts.and_then(|facts| facts.newest).unwrap_or(Timestamp::MIN));
    }
    Ok((first(reader, gauges, Timestamp::MIN)?, newest))
}
