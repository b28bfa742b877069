//! What becomes of a message: authorised against the registry, decoded, judged column by column.
//!
//! A payload that is malformed, or speaks for another agent's station, is garbage as a whole. A
//! column that only the registry refuses is set aside, and the rest of its batch goes on.

use model::{
    batch::{Batch, BatchClock, Gap},
    ids::{AgentId, GaugeId},
    registry::Registry,
    station::Gauge,
    time::Timestamp,
    wire::{
        batch_v1,
        json_v1::{self, JsonReading, ReadingFault},
        refused_v1::Reason,
    },
};
use sha2::{Digest as _, Sha256};
use store::{Admit, AdmittedColumn, Key, Kind, SetAside};

use crate::derive::{self, Derived, Obstacle};

/// A message as it came in.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Who sent it: the broker has verified that.
    pub agent: &'a AgentId,
    /// On which topic.
    pub topic: &'a str,
    /// The payload as received.
    pub payload: &'a [u8],
    /// When.
    pub received_at: Timestamp,
}

/// What is to be done with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// To be admitted, with what is refused set aside: gauges that the registry refuses, and
    /// under the reason `reading` single readings of a JSON document.
    Admit(Box<Admit>),
    /// To be quarantined whole.
    Garbage(Garbage),
}

/// Why a whole message is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbage {
    /// The word for it.
    pub reason: Reason,
    /// In words.
    pub detail: String,
    /// Its identity, where it decodes and is the sender's own.
    pub key: Option<Key>,
}

impl Judgement {
    /// Bytes of memory that it holds, roughly: a payload of a few kilobytes can name thousands of
    /// gauges, each to be set aside in words.
    pub fn weight(&self) -> usize {
        match self {
            Self::Garbage(garbage) => garbage.detail.len(),
            Self::Admit(admit) => {
                let columns = admit.columns.iter().map(|column| {
                    size_of::<AdmittedColumn>() + NAME + column.qc.as_ref().map_or(0, Vec::len)
                });
                let aside = admit
                    .set_aside
                    .iter()
                    .map(|aside| size_of::<SetAside>() + aside.gauge.len() + aside.detail.len());
                let gaps = admit
                    .gaps
                    .iter()
                    .map(|gap| size_of::<Gap>() + gap.gauges.len() * (size_of::<GaugeId>() + NAME));
                admit.bytes.len() + columns.chain(aside).chain(gaps).sum::<usize>()
            }
        }
    }
}

/// What the two texts of a gauge's name take beside their places, at most.
const NAME: usize = 128;

/// At most so many single readings are named in an answer; the count tells the rest.
const MAX_FAULTS: usize = 8;

/// Judges a batch.
pub fn batch(arrival: Arrival<'_>, registry: &Registry) -> Judgement {
    match batch_v1::decode(arrival.payload) {
        Err(error) => Judgement::Garbage(Garbage {
            reason: reason_of(&error),
            detail: error.to_string(),
            key: None,
        }),
        Ok((batch, digest)) => decoded(&batch, digest, Kind::Batch, arrival, registry),
    }
}

/// Judges a batch that has been decoded, whichever way it came.
pub fn decoded(
    batch: &Batch,
    digest: batch_v1::Digest,
    kind: Kind,
    arrival: Arrival<'_>,
    registry: &Registry,
) -> Judgement {
    if batch.id.agent != *arrival.agent {
        return Judgement::Garbage(Garbage {
            reason: Reason::AgentMismatch,
            detail: format!("the batch says `{}`, its topic `{}`", batch.id.agent, arrival.agent),
            key: None,
        });
    }
    let key = Key::Batch { epoch: batch.id.epoch, sequence: batch.id.sequence, digest };
    let gauges = batch.columns.iter().map(|column| &column.gauge);
    if kind != Kind::Import
        && let Some(detail) = foreign(gauges, arrival.agent, registry)
    {
        return Judgement::Garbage(Garbage {
            reason: Reason::ForeignStation,
            detail,
            key: Some(key),
        });
    }
    let mut admit = empty(kind, key, arrival);
    for column in &batch.columns {
        let derived = match batch.clock {
            BatchClock::Utc { .. } => known(&column.gauge, registry)
                .and_then(|gauge| Ok((gauge, derive::column(column, gauge, arrival.received_at)?))),
            BatchClock::Boot { boot_id } => Err(Obstacle {
                reason: Reason::Clock,
                detail: format!("moments since boot {boot_id}, for which no anchor has come"),
            }),
        };
        enter(&mut admit, &column.gauge, derived);
    }
    admit.gaps.clone_from(&batch.gaps);
    admit.previous = batch.previous;
    Judgement::Admit(Box::new(admit))
}

/// Judges readings of a third party.
pub fn json(arrival: Arrival<'_>, registry: &Registry) -> Judgement {
    let key = Key::Payload { digest: Sha256::digest(arrival.payload).into() };
    let readings = match json_v1::decode(arrival.payload) {
        Ok(readings) => readings,
        Err(error) => {
            let reason = match error {
                json_v1::DocumentError::TooLarge { .. } => Reason::TooLarge,
                json_v1::DocumentError::Malformed(_) => Reason::Undecodable,
            };
            return Judgement::Garbage(Garbage {
                reason,
                detail: error.to_string(),
                key: Some(key),
            });
        }
    };
    let named = readings.iter().filter_map(|reading| reading.as_ref().ok().map(|r| &r.gauge));
    if let Some(detail) = foreign(named, arrival.agent, registry) {
        return Judgement::Garbage(Garbage {
            reason: Reason::ForeignStation,
            detail,
            key: Some(key),
        });
    }
    let mut faults = Vec::new();
    let mut sound: Vec<JsonReading<'_>> = Vec::with_capacity(readings.len());
    for (index, reading) in readings.into_iter().enumerate() {
        let judged = reading
            .and_then(|reading| in_time(reading, index, arrival.received_at))
            .and_then(|reading| in_range(reading, index, registry));
        match judged {
            Ok(reading) => sound.push(reading),
            Err(fault) => faults.push(fault),
        }
    }
    if sound.is_empty() {
        let detail = if faults.is_empty() { "no readings".to_owned() } else { in_words(&faults) };
        return Judgement::Garbage(Garbage { reason: Reason::Reading, detail, key: Some(key) });
    }
    sound.sort_by(|a, b| a.gauge.cmp(&b.gauge));
    let mut admit = empty(Kind::Json, key, arrival);
    for of_gauge in sound.chunk_by(|a, b| a.gauge == b.gauge) {
        let Some(first) = of_gauge.first() else { continue };
        let derived = known(&first.gauge, registry)
            .and_then(|gauge| Ok((gauge, derive::readings(of_gauge, gauge)?)));
        enter(&mut admit, &first.gauge, derived);
    }
    if !faults.is_empty() {
        admit.set_aside.push(SetAside {
            gauge: String::new(),
            reason: Reason::Reading,
            detail: in_words(&faults),
        });
    }
    Judgement::Admit(Box::new(admit))
}

/// Single readings that were refused, in words: the first few, and how many in all.
fn in_words(faults: &[ReadingFault]) -> String {
    let first: Vec<String> = faults
        .iter()
        .take(MAX_FAULTS)
        .map(|fault| format!("reading {}: {}", fault.index, fault.problem))
        .collect();
    match faults.len().saturating_sub(MAX_FAULTS) {
        0 => first.join("; "),
        more => format!("{}; and {more} more", first.join("; ")),
    }
}

const fn reason_of(error: &batch_v1::DecodeError) -> Reason {
    match error {
        batch_v1::DecodeError::TooLarge { .. } => Reason::TooLarge,
        batch_v1::DecodeError::Version(_) => Reason::Version,
        batch_v1::DecodeError::Malformed(_) => Reason::Undecodable,
    }
}

/// The first gauge that stands at a station for which another agent, or none, speaks.
#[expect(single_use_lifetimes, reason = "an impl Trait argument cannot leave it out")]
fn foreign<'a>(
    mut gauges: impl Iterator<Item = &'a GaugeId>,
    agent: &AgentId,
    registry: &Registry,
) -> Option<String> {
    let gauge = gauges.find(|gauge| {
        registry
            .station(gauge.station.as_str())
            .is_some_and(|station| station.agent.as_ref() != Some(agent))
    })?;
    Some(format!(
        "`{gauge}`: the registry lets another agent than `{agent}` speak for this station, or none"
    ))
}

fn known<'a>(gauge: &GaugeId, registry: &'a Registry) -> Result<&'a Gauge, Obstacle> {
    let station = registry.station(gauge.station.as_str()).ok_or_else(|| Obstacle {
        reason: Reason::UnknownStation,
        detail: format!("station `{}` is not in the registry", gauge.station),
    })?;
    station.gauges.get(&gauge.name).ok_or_else(|| Obstacle {
        reason: Reason::UnknownGauge,
        detail: format!("gauge `{gauge}` is not in the registry"),
    })
}

fn in_time(
    reading: JsonReading<'_>,
    index: usize,
    now: Timestamp,
) -> Result<JsonReading<'_>, ReadingFault> {
    let at_ms = reading.at.as_ms();
    if at_ms >= derive::EARLIEST_MS && at_ms <= now.as_ms() + derive::AHEAD_MS {
        return Ok(reading);
    }
    let problem =
        format!("`{}` at {}, while the server's clock says {now}", reading.gauge, reading.at);
    Err(ReadingFault { index, problem })
}

/// A gauge that the registry does not know yet has no range to leave.
fn in_range<'a>(
    reading: JsonReading<'a>,
    index: usize,
    registry: &Registry,
) -> Result<JsonReading<'a>, ReadingFault> {
    let Ok(gauge) = known(&reading.gauge, registry) else { return Ok(reading) };
    match reading.value(gauge.resolution.decimals) {
        Ok(_) => Ok(reading),
        Err(error) => Err(ReadingFault { index, problem: format!("`{}`: {error}", reading.gauge) }),
    }
}

fn empty(kind: Kind, key: Key, arrival: Arrival<'_>) -> Admit {
    Admit {
        kind,
        key,
        agent: arrival.agent.clone(),
        topic: arrival.topic.to_owned(),
        received_at: arrival.received_at,
        bytes: arrival.payload.to_vec(),
        columns: Vec::new(),
        set_aside: Vec::new(),
        gaps: Vec::new(),
        previous: None,
    }
}

fn enter(admit: &mut Admit, gauge: &GaugeId, derived: Result<(&Gauge, Derived), Obstacle>) {
    match derived {
        Ok((known, derived)) => admit.columns.push(AdmittedColumn {
            gauge: gauge.clone(),
            unit: known.resolution.unit,
            decimals: known.resolution.decimals,
            from: derived.from,
            to: derived.to,
            points: derived.points,
            qc: derived.qc,
        }),
        Err(obstacle) => admit.set_aside.push(SetAside {
            gauge: gauge.to_string(),
            reason: obstacle.reason,
            detail: obstacle.detail,
        }),
    }
}

#[cfg(test)]
#[path = "intake/tests.rs"]
mod tests;
