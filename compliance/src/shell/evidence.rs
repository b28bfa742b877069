//! What the store knows of a section: how far its data have come, and where they begin.

use model::{
    ids::{AgentId, GaugeId, StationId},
    release::hold_ms,
    time::{HOUR_MS, Span, Timestamp},
};
use store::{SamplesQuery, SamplesReader, StoreError};

use crate::docket::{CLOSE_LIMIT_MS, Come, MAX_HOURS};

/// Rows of the feed that are looked at for what has not been taken up; with more it is taken for
/// certain that there is.
const LOOKED_AT: usize = 256;
/// Samples that are looked at together for a hole between them; a look at more than that costs as
/// much as fetching the readings of an hour.
const PAGE: usize = 1_024;

/// An outlet whose readings an hour waits for.
pub(super) struct Awaited {
    pub(super) gauge: GaugeId,
    pub(super) interval_ms: i64,
    pub(super) in_force: Span,
}

/// How far the data of these outlets have come, and what of their agent may be on its way: what its
/// ledger, its status and the park tell of. Of a sender that keeps no ledger nothing tells, so there
/// it is whatever is missing from the hour on that is the next to be closed. Says, too, whether many
/// readings were looked at for that.
pub(super) fn come(
    reader: &SamplesReader,
    outlets: &[Awaited],
    agent: Option<&AgentId>,
    next_hour: Option<Timestamp>,
) -> Result<(Come, bool), StoreError> {
    let mut newest = Timestamp::MAX;
    for outlet in outlets {
        let facts = reader.gauge(&outlet.gauge)?;
        newest = newest.min(facts.and_then(|facts| facts.newest).unwrap_or(Timestamp::MIN));
    }
    if outlets.is_empty() {
        newest = Timestamp::MIN;
    }
    let mut queued_from = match agent {
        Some(agent) => reader.queued_from(agent)?,
        None => Timestamp::MAX,
    };
    let mut looked_at: usize = 0;
    // what is older than a day is waited for by nobody
    if let (Some(agent), Some(from)) = (agent, next_hour)
        && !reader.keeps_ledger(agent, from.plus_ms(-CLOSE_LIMIT_MS))?
    {
        for outlet in outlets {
            // no hour is closed past the newest moment, or past another hole: so far it is looked
            let span = Span { from, to: newest.min(queued_from) };
            let (hole, samples) = first_hole(reader, outlet, span)?;
            queued_from = queued_from.min(hole);
            looked_at = looked_at.saturating_add(samples);
        }
    }
    Ok((Come { newest, queued_from, next: Timestamp::MAX }, looked_at > PAGE))
}

/// From where on no value of an outlet stands although later ones came, within `span`; the end of
/// time where that is nowhere in the hours of it that are closed together. And how many samples were
/// looked at.
fn first_hole(
    reader: &SamplesReader,
    outlet: &Awaited,
    span: Span,
) -> Result<(Timestamp, usize), StoreError> {
    let hold_ms = hold_ms(outlet.interval_ms);
    let mut stands_to = span.from.max(outlet.in_force.from);
    let hours_ms = i64::try_from(MAX_HOURS).unwrap_or(i64::MAX) * HOUR_MS;
    let until = span.to.min(span.from.plus_ms(hours_ms));
    let mut looked_at = 0;
    let (from, to) = (stands_to.plus_ms(-hold_ms), outlet.in_force.to);
    // as many as are there if none is missing, and the one that shows that one is
    let expected = until.ms_since(from) / outlet.interval_ms.max(1) + 2;
    let limit = usize::try_from(expected).unwrap_or(1).min(PAGE);
    let gauge = outlet.gauge.clone();
    let mut query = SamplesQuery { gauge, from, to, cursor: None, limit };
    while stands_to < until {
        let page = reader.samples(&query)?;
        looked_at += page.samples.len();
        for stored in &page.samples {
            if stored.sample.at > stands_to {
                return Ok((stands_to, looked_at));
            }
            stands_to = stands_to.max(stored.sample.at.plus_ms(hold_ms));
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    Ok((Timestamp::MAX, looked_at))
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
    Ok((reader.first_of(gauges, Timestamp::MIN)?, newest))
}
