//! What the store knows of a section: how far its data have come.

use model::{
    ids::{AgentId, GaugeId},
    time::Timestamp,
};
use store::{SamplesReader, StoreError};

use crate::docket::Come;

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
