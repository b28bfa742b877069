//! What becomes of a message: authorised against the registry, decoded, judged column by column.
//!
//! A payload that is malformed is garbage as a whole. A column that only the registry refuses, or
//! whose moments wait for an anchor, is set aside, and the rest of its batch goes on.

use model::{
    batch::{Batch, Gap},
    ids::{AgentId, GaugeId},
    registry::Registry,
    station::Gauge,
    time::{EARLIEST_MS, Timestamp, due, is_ahead},
    wire::{
        batch_v1,
        json_v1::{self, JsonReading, ReadingFault},
        refused_v1::Reason,
    },
};
use sha2::{Digest as _, Sha256};
use store::{Admit, AdmittedColumn, AdmittedGap, Key, Kind, SetAside};

use crate::{
    derive::{self, Derived, Obstacle},
    gaps,
    placing::{self, Anchors, Placing},
    remainder::Remainder,
};

/// A message as it came in.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Who sent it: the broker has verified that.
    pub agent: &'a AgentId,
    /// On which topic.
    pub topic: &'a str,
    /// The payload as received.
    pub payload: &'a [u8],
    /// When, or when it is judged again.
    pub received_at: Timestamp,
    /// What of it waits, where it was judged before.
    pub remainder: Option<Remainder<'a>>,
}

/// What a message is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The registry in force.
    pub registry: &'a Registry,
    /// The anchors that stand for the sender's gateway, as far as they matter.
    pub anchors: &'a Anchors,
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
                let gaps = admit.gaps.iter().map(|AdmittedGap { gap, .. }| {
                    size_of::<Gap>() + gap.gauges.len() * (size_of::<GaugeId>() + NAME)
                });
                admit.bytes.len() + columns.chain(aside).chain(gaps).sum::<usize>()
            }
        }
    }
}

/// What the two texts of a gauge's name take beside their places, at most.
const NAME: usize = 128;

/// At most so many single readings are named in an answer; the count tells the rest.
const MAX_FAULTS: usize = 8;
/// The most characters that say what is wrong with one of them: it quotes what was sent.
const MAX_PROBLEM: usize = 200;

/// Judges a batch.
pub fn batch(arrival: Arrival<'_>, known: Known<'_>) -> Judgement {
    match batch_v1::decode(arrival.payload) {
        Err(error) => Judgement::Garbage(Garbage {
            reason: error.reason(),
            detail: error.to_string(),
            key: None,
        }),
        Ok((batch, digest)) => decoded(&batch, digest, Kind::Batch, arrival, known),
    }
}

/// Judges a batch that has been decoded, whichever way it came.
pub fn decoded(
    batch: &Batch,
    digest: batch_v1::Digest,
    kind: Kind,
    arrival: Arrival<'_>,
    known: Known<'_>,
) -> Judgement {
    if batch.id.agent != *arrival.agent {
        return Judgement::Garbage(Garbage {
            reason: Reason::AgentMismatch,
            detail: format!("the batch says `{}`, its topic `{}`", batch.id.agent, arrival.agent),
            key: None,
        });
    }
    let key = Key::Batch { epoch: batch.id.epoch, sequence: batch.id.sequence, digest };
    let now = arrival.received_at;
    let placing = Placing::of(batch.clock, known.anchors);
    // An import is the operator's own: whoever speaks for a station today does not matter.
    let speaker = (kind != Kind::Import).then_some(arrival.agent);
    let mut admit = empty(kind, key, arrival);
    let waits =
        |gauge: &GaugeId| arrival.remainder.is_none_or(|remainder| remainder.has_gauge(gauge));
    for column in batch.columns.iter().filter(|column| waits(&column.gauge)) {
        let derived = known.gauge(&column.gauge, speaker).and_then(|gauge| {
            let placing =
                placing.map_err(|boot| Obstacle::new(Reason::Clock, placing::waiting(boot)))?;
            Ok((gauge, derive::column(column, gauge, placing, now)?))
        });
        let ends = column.points.first().zip(column.points.last());
        let moments = ends.zip(placing.ok()).map(|((first, last), placing)| {
            let utc = |at_ms| Timestamp::clamped(placing.utc_ms(at_ms));
            (utc(first.at_ms), utc(last.at_ms))
        });
        enter(&mut admit, &column.gauge, derived, moments);
    }
    let waits_for_anchor = admit.set_aside.iter().any(|part| part.reason == Reason::Clock);
    let of_columns = placing.err().filter(|_| waits_for_anchor);
    let gaps = gaps::judge(&batch.gaps, arrival, known);
    let anchors = batch.anchors.iter().copied();
    let waiting = anchors
        .filter(|anchor| arrival.remainder.is_none_or(|remainder| remainder.has_anchor(anchor)));
    let (anchors, refused) = placing::sound(waiting, now);
    admit.gaps = gaps.admitted;
    admit.anchors = anchors;
    admit.set_aside.extend(gaps.set_aside);
    admit.set_aside.extend(refused);
    admit.boot = of_columns.or(gaps.boot);
    admit.previous = batch.previous;
    Judgement::Admit(Box::new(admit))
}

/// Judges readings of a third party.
pub fn json(arrival: Arrival<'_>, known: Known<'_>) -> Judgement {
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
    let (mut sound, faults) = soundly(readings, arrival, known);
    if sound.is_empty() {
        let detail = if faults.is_empty() { "no readings".to_owned() } else { in_words(&faults) };
        return Judgement::Garbage(Garbage { reason: Reason::Reading, detail, key: Some(key) });
    }
    // Stable, since of equal moments the first stands; those ahead of the clock come last.
    let is_ahead = |reading: &JsonReading<'_>| is_ahead(reading.at.as_ms(), arrival.received_at);
    sound.sort_by(|a, b| a.gauge.cmp(&b.gauge).then_with(|| is_ahead(a).cmp(&is_ahead(b))));
    let mut admit = empty(Kind::Json, key, arrival);
    for of_gauge in sound.chunk_by(|a, b| a.gauge == b.gauge) {
        document_gauge(&mut admit, of_gauge, arrival, known);
    }
    if !faults.is_empty() {
        let refused = SetAside::new(String::new(), Reason::Reading, in_words(&faults));
        admit.set_aside.push(refused);
    }
    Judgement::Admit(Box::new(admit))
}

/// The readings of a document that can be, now or later, and what is wrong with the others. Of a
/// document that was judged before only those count that wait.
fn soundly<'a>(
    readings: Vec<Result<JsonReading<'a>, ReadingFault>>,
    arrival: Arrival<'_>,
    known: Known<'_>,
) -> (Vec<JsonReading<'a>>, Vec<ReadingFault>) {
    let mut faults = Vec::new();
    let mut sound = Vec::with_capacity(readings.len());
    for (index, reading) in readings.into_iter().enumerate() {
        if let Some(remainder) = arrival.remainder {
            let waits = |reading: &JsonReading<'_>| remainder.has_point(&reading.gauge, reading.at);
            if !reading.as_ref().is_ok_and(waits) {
                continue;
            }
        }
        let judged = reading
            .and_then(|reading| late_enough(reading, index))
            .and_then(|reading| in_range(reading, index, known));
        match judged {
            Ok(reading) => sound.push(reading),
            Err(fault) => faults.push(fault),
        }
    }
    (sound, faults)
}

/// Judges a document's readings of one gauge, those ahead of the clock last: where they are
/// admitted, those wait without the others.
fn document_gauge(
    admit: &mut Admit,
    readings: &[JsonReading<'_>],
    arrival: Arrival<'_>,
    known: Known<'_>,
) {
    let Some(gauge) = readings.first().map(|reading| &reading.gauge) else { return };
    let now = arrival.received_at;
    let mut after = arrival.remainder.and_then(|remainder| remainder.after(gauge));
    let ends = |readings: &[JsonReading<'_>]| {
        let moments = readings.iter().map(|reading| reading.at);
        moments.clone().min().zip(moments.max())
    };
    let of_registry = match known.gauge(gauge, Some(arrival.agent)) {
        Ok(of_registry) => of_registry,
        Err(obstacle) => return set_aside(admit, gauge, obstacle, (ends(readings), after)),
    };
    let first_ahead = readings.partition_point(|reading| !is_ahead(reading.at.as_ms(), now));
    let (in_time, ahead) = readings.split_at_checked(first_ahead).unwrap_or((readings, &[]));
    if let Some((_, last)) = ends(in_time) {
        match derive::readings(in_time, of_registry) {
            Ok(derived) => admit.columns.push(admitted(gauge, of_registry, derived)),
            Err(obstacle) => return set_aside(admit, gauge, obstacle, (ends(readings), after)),
        }
        after = Some(last);
    }
    let Some((first, last)) = ends(ahead) else { return };
    let obstacle = Obstacle {
        reason: Reason::Time,
        detail: derive::ahead(&gauge.name, first, now),
        due: Some(due(first.as_ms())),
    };
    set_aside(admit, gauge, obstacle, (Some((first, last)), after));
}

/// Single readings that were refused, in words: the first few, and how many in all.
fn in_words(faults: &[ReadingFault]) -> String {
    let first: Vec<String> = faults
        .iter()
        .take(MAX_FAULTS)
        .map(|fault| {
            let problem: String = fault.problem.chars().take(MAX_PROBLEM).collect();
            format!("reading {}: {problem}", fault.index)
        })
        .collect();
    match faults.len().saturating_sub(MAX_FAULTS) {
        0 => first.join("; "),
        more => format!("{}; and {more} more", first.join("; ")),
    }
}

impl<'a> Known<'a> {
    /// Whether the registry lets another agent than this one, or none, speak for the station.
    pub fn is_foreign(self, gauge: &GaugeId, agent: &AgentId) -> bool {
        self.registry
            .station(gauge.station.as_str())
            .is_some_and(|station| station.agent.as_ref() != Some(agent))
    }

    /// The gauge, which `speaker` must speak for where there is one.
    fn gauge(self, gauge: &GaugeId, speaker: Option<&AgentId>) -> Result<&'a Gauge, Obstacle> {
        let station = self.registry.station(gauge.station.as_str()).ok_or_else(|| {
            let detail = format!("station `{}` is not in the registry", gauge.station);
            Obstacle::new(Reason::UnknownStation, detail)
        })?;
        if let Some(agent) = speaker.filter(|agent| self.is_foreign(gauge, agent)) {
            let detail = format!(
                "`{gauge}`: the registry lets another agent than `{agent}` speak for this station, or none"
            );
            return Err(Obstacle::new(Reason::ForeignStation, detail));
        }
        station.gauges.get(&gauge.name).ok_or_else(|| {
            let detail = format!("gauge `{gauge}` is not in the registry");
            Obstacle::new(Reason::UnknownGauge, detail)
        })
    }
}

fn late_enough(reading: JsonReading<'_>, index: usize) -> Result<JsonReading<'_>, ReadingFault> {
    if reading.at.as_ms() >= EARLIEST_MS {
        return Ok(reading);
    }
    let problem = format!("`{}` at {}, before the year 2000", reading.gauge, reading.at);
    Err(ReadingFault { index, problem })
}

/// A gauge that the registry does not know yet has no range to leave.
fn in_range<'a>(
    reading: JsonReading<'a>,
    index: usize,
    known: Known<'_>,
) -> Result<JsonReading<'a>, ReadingFault> {
    let GaugeId { station, name } = &reading.gauge;
    let found = known.registry.gauge(station.as_str(), name.as_str());
    let Some(gauge) = found else { return Ok(reading) };
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
        boot: None,
        gaps: Vec::new(),
        anchors: Vec::new(),
        previous: None,
    }
}

fn enter(
    admit: &mut Admit,
    gauge: &GaugeId,
    derived: Result<(&Gauge, Derived), Obstacle>,
    moments: Option<(Timestamp, Timestamp)>,
) {
    match derived {
        Ok((known, derived)) => admit.columns.push(admitted(gauge, known, derived)),
        Err(obstacle) => set_aside(admit, gauge, obstacle, (moments, None)),
    }
}

fn admitted(gauge: &GaugeId, known: &Gauge, derived: Derived) -> AdmittedColumn {
    AdmittedColumn {
        gauge: gauge.clone(),
        unit: known.resolution.unit,
        decimals: known.resolution.decimals,
        from: derived.from,
        to: derived.to,
        points: derived.points,
        offset_ms: derived.offset_ms,
        qc: derived.qc,
    }
}

/// Sets points of a gauge aside that lie within `moments`, those up to `after` being admitted.
fn set_aside(
    admit: &mut Admit,
    gauge: &GaugeId,
    obstacle: Obstacle,
    (moments, after): (Option<(Timestamp, Timestamp)>, Option<Timestamp>),
) {
    let Obstacle { reason, detail, due } = obstacle;
    admit.set_aside.push(SetAside {
        gauge: gauge.to_string(),
        reason,
        detail,
        moments,
        after,
        due,
    });
}

#[cfg(test)]
#[path = "intake/tests.rs"]
mod tests;
