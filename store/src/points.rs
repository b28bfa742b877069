//! The points of a stored payload as samples, and the spans that index them.

use model::{
    batch::{Batch, BatchClock},
    ids::GaugeId,
    quantity::{Resolution, Unit},
    reading::Point,
    sample::{QcFlags, Sample, derive},
    time::Timestamp,
    wire::{
        batch_v1::{self, DecodeError},
        json_v1::{self, DocumentError},
        runs::{self, Runs},
    },
};

use crate::admission::{AdmittedColumn, Kind};

/// The longest span. It bounds how far before a moment one must look for spans that reach it.
pub const MAX_SPAN_MS: i64 = 60 * 60 * 1000;
/// What a name costs to decode, in points of a batch.
const NAME_WEIGHT: usize = 32;
/// What a reading of a document does.
const READING_WEIGHT: usize = 8;
/// Points that were told before and that a span takes along rather than ending at them: a row of
/// `span` costs more than to look at them.
const BRIDGED: usize = 16;

/// Why a stored payload does not hold what its span says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointsError {
    /// Not a batch.
    #[error("the stored batch does not decode")]
    Batch(#[source] DecodeError),
    /// Not a document.
    #[error("the stored document does not decode")]
    Document(#[source] DocumentError),
    /// No such column.
    #[error("the stored payload has no points of `{0}`")]
    NoColumn(GaugeId),
    /// The column's unit cannot become the gauge's.
    #[error("`{gauge}`: `{unit}` cannot become `{wanted}`")]
    Unit {
        /// Whose.
        gauge: GaugeId,
        /// The column's unit.
        unit: Box<str>,
        /// The gauge's unit.
        wanted: &'static str,
    },
    /// A value or a moment beyond what a sample can hold.
    #[error("`{0}`: a point that no sample can hold")]
    Range(GaugeId),
    /// Moments since boot that nothing places, or moments in UTC that something would move.
    #[error("`{0}`: the span's offset is not that of the batch's clock")]
    Clock(GaugeId),
    /// Other than was said at admission.
    #[error("`{gauge}`: {found} points from {from} to {to}, where {said} were said")]
    Count {
        /// Whose.
        gauge: GaugeId,
        /// First moment that was said.
        from: Timestamp,
        /// Last moment that was said.
        to: Timestamp,
        /// How many were said.
        said: u32,
        /// How many there are.
        found: usize,
    },
    /// Flags that are not one for each point.
    #[error("`{0}`: QC flags that do not fit the points")]
    Flags(GaugeId),
}

/// A payload decoded once, for as many gauges as are asked for.
#[derive(Debug)]
pub struct Decoded<'a>(Content<'a>);

/// In either, gauges ascend: each is looked for by bisection.
#[derive(Debug)]
enum Content<'a> {
    Batch(Batch),
    Document(Vec<json_v1::JsonReading<'a>>),
}

impl<'a> Decoded<'a> {
    /// Decodes a payload of this kind.
    pub fn new(kind: Kind, bytes: &'a [u8]) -> Result<Self, PointsError> {
        match kind {
            Kind::Batch | Kind::Import => {
                let (mut batch, _digest) = batch_v1::decode(bytes).map_err(PointsError::Batch)?;
                batch.columns.sort_unstable_by(|one, other| one.gauge.cmp(&other.gauge));
                Ok(Self(Content::Batch(batch)))
            }
            Kind::Json => {
                let readings = json_v1::decode(bytes).map_err(PointsError::Document)?;
                let mut readings: Vec<_> = readings.into_iter().filter_map(Result::ok).collect();
                // Stable, since the first reading of a moment stands.
                readings.sort_by(|one, other| one.gauge.cmp(&other.gauge));
                Ok(Self(Content::Document(readings)))
            }
        }
    }

    /// Every gauge of the payload, each once.
    pub fn gauges(&self) -> Vec<GaugeId> {
        match &self.0 {
            Content::Batch(batch) => {
                batch.columns.iter().map(|column| column.gauge.clone()).collect()
            }
            Content::Document(readings) => {
                let mut gauges: Vec<_> =
                    readings.iter().map(|reading| reading.gauge.clone()).collect();
                gauges.dedup();
                gauges
            }
        }
    }

    /// What decoding it cost, in points; names and decimal text cost more than one of them.
    pub fn weight(&self) -> u64 {
        let weight = match &self.0 {
            Content::Batch(batch) => {
                let points: usize = batch.columns.iter().map(|column| column.points.len()).sum();
                let gaps: usize = batch.gaps.iter().map(|gap| gap.gauges.len()).sum();
                points + NAME_WEIGHT * (1 + batch.columns.len() + gaps)
            }
            Content::Document(readings) => READING_WEIGHT * (1 + readings.len()),
        };
        u64::try_from(weight).unwrap_or(u64::MAX)
    }

    /// The samples of a span, in ascending moments of UTC, none flagged; and the moments of which
    /// a later reading of the same payload says something else.
    pub fn samples(
        &self,
        span: &AdmittedColumn,
    ) -> Result<(Vec<Sample>, Vec<Timestamp>), PointsError> {
        let (from, to) = (span.from.as_ms(), span.to.as_ms());
        let inside = |at: i64| at >= from && at <= to;
        match &self.0 {
            Content::Batch(batch) => Ok((column_samples(batch, span)?, Vec::new())),
            Content::Document(readings) => {
                document_samples(readings, &span.gauge, span.resolution(), inside)
            }
        }
    }

    /// The samples of a span with their flags, exactly as many as it says.
    pub fn span(&self, column: &AdmittedColumn) -> Result<Vec<Sample>, PointsError> {
        Ok(self.checked(column)?.0)
    }

    /// The same, and the moments of which a later reading of the same payload says something else,
    /// each as often as one does.
    pub(crate) fn checked(
        &self,
        column: &AdmittedColumn,
    ) -> Result<(Vec<Sample>, Vec<Timestamp>), PointsError> {
        let (mut samples, contradicted) = self.samples(column)?;
        let ends = (samples.first().map(|s| s.at), samples.last().map(|s| s.at));
        let said = usize::try_from(column.points).unwrap_or(usize::MAX);
        if samples.len() != said || ends != (Some(column.from), Some(column.to)) {
            return Err(PointsError::Count {
                gauge: column.gauge.clone(),
                from: column.from,
                to: column.to,
                said: column.points,
                found: samples.len(),
            });
        }
        if let Some(qc) = &column.qc {
            flag(&mut samples, qc).map_err(|Unfit| PointsError::Flags(column.gauge.clone()))?;
        }
        Ok((samples, contradicted))
    }
}

fn column_samples(batch: &Batch, span: &AdmittedColumn) -> Result<Vec<Sample>, PointsError> {
    let (gauge, resolution) = (&span.gauge, span.resolution());
    let is_placed = span.offset_ms != 0;
    let counts_from_boot = match batch.clock {
        BatchClock::Utc { .. } => false,
        BatchClock::Boot { .. } => true,
    };
    if is_placed != counts_from_boot {
        return Err(PointsError::Clock(gauge.clone()));
    }
    let column = batch
        .columns
        .binary_search_by(|column| column.gauge.cmp(gauge))
        .ok()
        .and_then(|index| batch.columns.get(index))
        .ok_or_else(|| PointsError::NoColumn(gauge.clone()))?;
    let conversion = Unit::named(&column.unit)
        .and_then(|unit| resolution.conversion_from(unit, column.decimals))
        .ok_or_else(|| PointsError::Unit {
            gauge: gauge.clone(),
            unit: column.unit.clone(),
            wanted: resolution.unit.name(),
        })?;
    let placed = |point: &Point| point.at_ms.saturating_add(span.offset_ms);
    let (from, to) = (span.from.as_ms(), span.to.as_ms());
    let first = column.points.partition_point(|point| placed(point) < from);
    let points = column.points.get(first..).unwrap_or_default();
    points
        .iter()
        .map(|point| Point { at_ms: placed(point), ..*point })
        .take_while(|point| point.at_ms <= to)
        .map(|point| derive(point, conversion).ok_or_else(|| PointsError::Range(gauge.clone())))
        .collect()
}

fn document_samples(
    readings: &[json_v1::JsonReading<'_>],
    gauge: &GaugeId,
    resolution: Resolution,
    inside: impl Fn(i64) -> bool,
) -> Result<(Vec<Sample>, Vec<Timestamp>), PointsError> {
    let mut samples = Vec::new();
    let first = readings.partition_point(|reading| reading.gauge < *gauge);
    let readings = readings.get(first..).unwrap_or_default();
    let of_gauge = readings.iter().take_while(|reading| reading.gauge == *gauge);
    for reading in of_gauge.filter(|reading| inside(reading.at.as_ms())) {
        // Ingest refused by themselves what does not fit the gauge; they are no readings.
        let Ok(value) = reading.value(resolution.decimals) else { continue };
        samples.push(Sample {
            at: reading.at,
            value: Some(value),
            quality: reading.quality,
            qc: QcFlags::NONE,
        });
    }
    if samples.is_empty() {
        return Err(PointsError::NoColumn(gauge.clone()));
    }
    samples.sort_by_key(|sample| sample.at);
    let mut contradicted = Vec::new();
    samples.dedup_by(|later, first| {
        let is_same_moment = later.at == first.at;
        if is_same_moment && !says_the_same(later, first) {
            contradicted.push(first.at);
        }
        is_same_moment
    });
    Ok((samples, contradicted))
}

/// Whether two samples of one moment at one resolution say the same; QC is the server's word and
/// no part of it.
pub fn says_the_same(one: &Sample, other: &Sample) -> bool {
    one.value == other.value && one.quality == other.quality
}

struct Unfit;

fn flag(samples: &mut [Sample], qc: &[u8]) -> Result<(), Unfit> {
    let mut flags = Runs::new(qc);
    for sample in samples {
        let flag = flags.next_item().ok().flatten().ok_or(Unfit)?;
        let kept = QcFlags(u8::try_from(flag).map_err(|_too_large| Unfit)?);
        // what a range said when the point came says nothing of it: the one in force does
        sample.qc = kept.without(QcFlags::RANGE);
    }
    match flags.next_item() {
        Ok(None) => Ok(()),
        Ok(Some(_)) | Err(runs::Malformed) => Err(Unfit),
    }
}

/// The column as spans of at most [`MAX_SPAN_MS`], without the points that `is_told` says were
/// told before, though a span bridges a few such; `samples` are its own, flagged.
pub fn split(
    column: &AdmittedColumn,
    samples: &[Sample],
    is_told: impl Fn(usize) -> bool,
) -> Vec<AdmittedColumn> {
    let mut spans = Vec::new();
    let mut begin = 0;
    while let Some(first) = (begin..samples.len()).find(|number| !is_told(*number)) {
        begin = end(samples, first, &is_told);
        let here = samples.get(first..begin).unwrap_or_default();
        let Some((from, to)) = here.first().zip(here.last()) else { break };
        let is_flagged = here.iter().any(|sample| sample.qc != QcFlags::NONE);
        spans.push(AdmittedColumn {
            from: from.at,
            to: to.at,
            points: u32::try_from(here.len()).unwrap_or(u32::MAX),
            qc: is_flagged.then(|| runs::encode(here.iter().map(|s| u64::from(s.qc.0)))),
            ..column.clone()
        });
    }
    spans
}

/// After which sample the span ends that begins with the one of this number: its last one was not
/// told before.
fn end(samples: &[Sample], first: usize, is_told: impl Fn(usize) -> bool) -> usize {
    let (mut end, mut told) = (first, 0);
    let mut rest = samples.iter().enumerate().skip(first);
    let begin = samples.get(first).map(|sample| sample.at);
    while let Some((number, sample)) = rest.next()
        && told <= BRIDGED
        && begin.is_some_and(|begin| sample.at.ms_since(begin) <= MAX_SPAN_MS)
    {
        if is_told(number) {
            told += 1;
        } else {
            told = 0;
            end = number + 1;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use model::{
        batch::Column,
        ids::{BatchId, Epoch},
    };

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms).unwrap()
    }

    fn resolution() -> Resolution {
        Resolution { unit: Unit::named("m3/s").unwrap(), decimals: 6 }
    }

    fn gauge() -> GaugeId {
        "A/flow".parse().unwrap()
    }

    fn column(from: i64, to: i64, points: u32, qc: Option<Vec<u8>>) -> AdmittedColumn {
        let Resolution { unit, decimals } = resolution();
        AdmittedColumn {
            gauge: gauge(),
            unit,
            decimals,
            from: at(from),
            to: at(to),
            points,
            offset_ms: 0,
            qc,
        }
    }

    fn batch(points: Vec<Point>) -> Vec<u8> {
        batch_v1::encode(&Batch {
            id: BatchId { agent: "gw".parse().unwrap(), epoch: Epoch(1), sequence: 1 },
            clock: BatchClock::Utc { uncertainty_ms: 0 },
            previous: None,
            columns: vec![Column {
                gauge: gauge(),
                unit: "m3/h".into(),
                decimals: 0,
                period_ms: 0,
                points,
            }],
            gaps: Vec::new(),
            anchors: Vec::new(),
        })
    }

    #[test]
    fn a_column_is_converted_and_flagged_as_its_span_says() {
        let bytes = batch(vec![Point::good(10, 1000), Point::good(20, 3600)]);
        let decoded = Decoded::new(Kind::Batch, &bytes).unwrap();
        let flags = runs::encode([1, 3]);
        let samples = decoded.span(&column(10, 20, 2, Some(flags))).unwrap();
        let shown: Vec<_> = samples.iter().map(|s| (s.at.as_ms(), s.value, s.qc.0)).collect();
        assert_eq!(shown, [(10, Some(277_778), 0), (20, Some(1_000_000), 2)]);
        assert!(decoded.span(&column(10, 20, 3, None)).is_err());
        assert!(decoded.span(&column(10, 19, 1, None)).is_err());
        assert!(decoded.span(&column(10, 20, 2, Some(vec![1, 1]))).is_err());
    }

    #[test]
    fn the_first_reading_of_a_moment_stands_and_others_are_counted() {
        let reading = |at: &str, value: &str| {
            format!(r#"{{"gauge":"A/flow","at":"1970-01-01T00:00:{at}Z","value":{value}}}"#)
        };
        let readings =
            [reading("02", "1"), reading("01", "2"), reading("02", "3"), reading("02", "1.0")];
        let bytes = format!(r#"{{"readings":[{}]}}"#, readings.join(","));
        let decoded = Decoded::new(Kind::Json, bytes.as_bytes()).unwrap();
        let (samples, conflicts) = decoded.samples(&column(0, 5_000, 2, None)).unwrap();
        let shown: Vec<_> = samples.iter().map(|s| (s.at.as_ms(), s.value)).collect();
        assert_eq!(shown, [(1_000, Some(2_000_000)), (2_000, Some(1_000_000))]);
        assert_eq!(conflicts, [at(2_000)]);
    }

    #[test]
    fn a_column_of_hours_is_split_and_loses_nothing() {
        let hour = MAX_SPAN_MS;
        let moments = [0, hour, hour + 1, 3 * hour, 4 * hour + 1];
        let bytes = batch(moments.iter().map(|ms| Point::good(*ms, 1)).collect());
        let decoded = Decoded::new(Kind::Import, &bytes).unwrap();
        let whole = column(0, 4 * hour + 1, 5, Some(runs::encode([0, 0, 0, 2, 0])));
        let samples = decoded.span(&whole).unwrap();
        let spans = split(&whole, &samples, |_| false);
        let again: Vec<_> = spans.iter().flat_map(|span| decoded.span(span).unwrap()).collect();
        assert_eq!(again, samples);
        assert_eq!(spans.iter().map(|span| span.points).collect::<Vec<_>>(), [2, 1, 1, 1]);
        assert!(spans.iter().all(|span| span.to.ms_since(span.from) <= hour));
    }

    #[test]
    fn what_was_told_before_is_left_out_and_a_little_of_it_bridged() {
        let bytes = batch((0..60).map(|ms| Point::good(ms, ms)).collect());
        let decoded = Decoded::new(Kind::Batch, &bytes).unwrap();
        let whole = column(0, 59, 60, None);
        let samples = decoded.span(&whole).unwrap();
        let spans = |is_told: fn(i64) -> bool| {
            let spans = split(&whole, &samples, |n| is_told(samples[n].at.as_ms()));
            assert!(spans.iter().all(|span| decoded.span(span).is_ok()));
            spans.iter().map(|s| (s.from.as_ms(), s.to.as_ms())).collect::<Vec<_>>()
        };
        assert_eq!(spans(|ms| ms < 58), [(58, 59)]);
        assert_eq!(spans(|ms| ms != 7), [(7, 7)]);
        assert_eq!(spans(|ms| (20..36).contains(&ms)), [(0, 59)]);
        assert_eq!(spans(|ms| (20..37).contains(&ms)), [(0, 19), (37, 59)]);
        assert_eq!(spans(|_| true), []);
    }
}
