//! Batch, version 1: Protocol Buffers, optionally in one zstd frame (`docs/formats.md` §2).

use prost::{
    Message,
    encoding::{DecodeContext, WireType, decode_key, encode_varint, skip_field},
};
use sha2::{Digest as _, Sha256};

use crate::{
    batch::{Batch, BatchClock, ClockAnchor, Column, Gap, GapReason, Previous},
    ids::{BatchId, BootId, Epoch, GaugeId},
    quality::Quality,
    reading::Point,
    wire::{
        MAX_PAYLOAD,
        refused_v1::Reason,
        runs::{self, Runs},
    },
};

/// The version that this file reads and writes.
pub const VERSION: u32 = 1;
/// The largest batch, uncompressed.
pub const MAX_PLAIN: usize = 4 * 1024 * 1024;
/// The most columns in a batch.
pub const MAX_COLUMNS: usize = 4_096;
/// The most points in a batch, over all columns.
pub const MAX_POINTS: usize = 262_144;
/// The longest time from the first to the last point of a column.
pub const MAX_COLUMN_MS: i64 = 24 * 60 * 60 * 1000;
/// The most gaps in a batch.
pub const MAX_GAPS: usize = 1_024;
/// The most gauges that all gaps of a batch name together.
pub const MAX_GAP_GAUGES: usize = 16_384;
/// The highest sequence: ledgers keep it as a signed number.
pub const MAX_SEQUENCE: u64 = i64::MAX.cast_unsigned();
/// The most anchors in a batch.
pub const MAX_ANCHORS: usize = 16;
const MAX_UNIT: usize = 16;
const MAX_DECIMALS: u32 = 9;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// SHA-256 of a batch, uncompressed, as the agent wrote it.
pub type Digest = [u8; 32];

/// Why bytes are no batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Over a limit of the format.
    #[error("over the limit of {limit} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: usize,
    },
    /// Of a later version.
    #[error("version {0} is not known; the server reads version 1")]
    Version(u32),
    /// Anything else.
    #[error("not a batch: {0}")]
    Malformed(String),
}

impl DecodeError {
    /// The word that its sender is told.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::TooLarge { .. } => Reason::TooLarge,
            Self::Version(_) => Reason::Version,
            Self::Malformed(_) => Reason::Undecodable,
        }
    }
}

fn malformed(what: impl Into<String>) -> DecodeError {
    DecodeError::Malformed(what.into())
}

/// The digest of an uncompressed batch.
pub fn digest(plain: &[u8]) -> Digest {
    Sha256::digest(plain).into()
}

/// The batch as Protocol Buffers, uncompressed; the same batch gives the same bytes.
pub fn encode(batch: &Batch) -> Vec<u8> {
    Raw::from(batch).encode_to_vec()
}

/// `plain` in a zstd frame where that is shorter, else as it is.
pub fn compress(plain: Vec<u8>) -> Vec<u8> {
    // Below a few hundred bytes a frame's own overhead and tables eat what it saves.
    if plain.len() < 512 {
        return plain;
    }
    match zstd::bulk::compress(&plain, 3) {
        Ok(frame) if frame.len() < plain.len() => frame,
        Ok(_) | Err(_) => plain,
    }
}

/// The batch in a payload, and the digest of its uncompressed bytes.
pub fn decode(payload: &[u8]) -> Result<(Batch, Digest), DecodeError> {
    if payload.len() > MAX_PAYLOAD {
        return Err(DecodeError::TooLarge { what: "bytes", limit: MAX_PAYLOAD });
    }
    if payload.starts_with(&ZSTD_MAGIC) {
        let plain = decompress(payload)?;
        return Ok((decode_plain(&plain)?, digest(&plain)));
    }
    Ok((decode_plain(payload)?, digest(payload)))
}

fn decompress(frame: &[u8]) -> Result<Vec<u8>, DecodeError> {
    // libzstd unfolds every frame that follows, and passes over those it is told to skip.
    if let Ok(length) = zstd::zstd_safe::find_frame_compressed_size(frame)
        && length != frame.len()
    {
        return Err(malformed("more than one zstd frame"));
    }
    let too_large = DecodeError::TooLarge { what: "bytes uncompressed", limit: MAX_PLAIN };
    let declared = declared(frame).ok_or_else(|| malformed("a zstd frame without a header"))?;
    if declared > MAX_PLAIN {
        return Err(too_large);
    }
    zstd::bulk::decompress(frame, declared).map_err(|error| {
        // libzstd's word for a frame that goes on where the buffer ends
        let goes_on = error.to_string() == "Destination buffer is too small";
        if declared == MAX_PLAIN && goes_on {
            too_large
        } else {
            malformed(format!("zstd: {error}"))
        }
    })
}

/// What a frame says that it unfolds to; the most that is allowed where it says nothing.
fn declared(frame: &[u8]) -> Option<usize> {
    match zstd::zstd_safe::get_frame_content_size(frame) {
        Ok(Some(size)) => Some(usize::try_from(size).unwrap_or(usize::MAX)),
        Ok(None) => Some(MAX_PLAIN),
        Err(_) => None,
    }
}

/// How many bytes a payload unfolds to at most, without unfolding it.
pub fn plain_length(payload: &[u8]) -> usize {
    if !payload.starts_with(&ZSTD_MAGIC) {
        return payload.len();
    }
    declared(payload).map_or(MAX_PLAIN, |declared| declared.min(MAX_PLAIN))
}

fn decode_plain(plain: &[u8]) -> Result<Batch, DecodeError> {
    check_counts(plain)?;
    let raw = Raw::decode(plain).map_err(|error| malformed(error.to_string()))?;
    if raw.version != VERSION {
        return Err(if raw.version > VERSION {
            DecodeError::Version(raw.version)
        } else {
            malformed("it has no version")
        });
    }
    raw.into_batch()
}

/// Counts what would be allocated before anything is: an empty column takes two bytes on the wire
/// and a hundred in memory.
fn check_counts(plain: &[u8]) -> Result<(), DecodeError> {
    let (mut columns, mut gaps, mut gauges, mut anchors) = (0_usize, 0_usize, 0_usize, 0_usize);
    for_each_field(plain, |tag, content| {
        match tag {
            7 => columns += 1,
            8 => {
                gaps += 1;
                for_each_field(content, |tag, _| {
                    gauges += usize::from(tag == 4);
                    Ok(())
                })?;
            }
            9 => anchors += 1,
            _ => {}
        }
        for (count, limit, what) in [
            (columns, MAX_COLUMNS, "columns"),
            (gaps, MAX_GAPS, "gaps"),
            (gauges, MAX_GAP_GAUGES, "gauges in gaps"),
            (anchors, MAX_ANCHORS, "anchors"),
        ] {
            if count > limit {
                return Err(DecodeError::TooLarge { what, limit });
            }
        }
        Ok(())
    })
}

/// Calls `visit` with each field's tag and, where it has a length, its content.
fn for_each_field(
    bytes: &[u8],
    mut visit: impl FnMut(u32, &[u8]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, wire_type) =
            decode_key(&mut rest).map_err(|error| malformed(error.to_string()))?;
        if wire_type == WireType::LengthDelimited {
            let length = runs::varint(&mut rest)
                .map_err(|_malformed: runs::Malformed| malformed("a length"))?;
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let (content, after) =
                rest.split_at_checked(length).ok_or_else(|| malformed("a length past the end"))?;
            rest = after;
            visit(tag, content)?;
        } else {
            skip_field(wire_type, tag, &mut rest, DecodeContext::default())
                .map_err(|error| malformed(error.to_string()))?;
            visit(tag, &[])?;
        }
    }
    Ok(())
}

#[derive(Clone, PartialEq, Message)]
struct Raw {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(string, tag = "2")]
    agent: String,
    #[prost(fixed64, tag = "3")]
    epoch: u64,
    #[prost(uint64, tag = "4")]
    sequence: u64,
    #[prost(message, optional, tag = "5")]
    clock: Option<RawClock>,
    #[prost(message, optional, tag = "6")]
    previous: Option<RawPrevious>,
    #[prost(message, repeated, tag = "7")]
    columns: Vec<RawColumn>,
    #[prost(message, repeated, tag = "8")]
    gaps: Vec<RawGap>,
    #[prost(message, repeated, tag = "9")]
    anchors: Vec<RawAnchor>,
}

#[derive(Clone, PartialEq, Message)]
struct RawClock {
    #[prost(uint32, tag = "1")]
    state: u32,
    #[prost(bytes = "vec", tag = "2")]
    boot_id: Vec<u8>,
    #[prost(uint32, tag = "3")]
    uncertainty_ms: u32,
}

#[derive(Clone, PartialEq, Message)]
struct RawPrevious {
    #[prost(fixed64, tag = "1")]
    epoch: u64,
    #[prost(uint64, tag = "2")]
    last_sequence: u64,
}

#[derive(Clone, PartialEq, Message)]
struct RawColumn {
    #[prost(string, tag = "1")]
    gauge: String,
    #[prost(string, optional, tag = "2")]
    unit: Option<String>,
    #[prost(uint32, optional, tag = "3")]
    decimals: Option<u32>,
    #[prost(uint32, optional, tag = "4")]
    period_ms: Option<u32>,
    #[prost(sint64, optional, tag = "5")]
    start: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "6")]
    times: Option<Vec<u8>>,
    #[prost(bytes = "vec", tag = "7")]
    values: Vec<u8>,
    #[prost(bytes = "vec", tag = "8")]
    quality: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RawGap {
    #[prost(fixed64, tag = "1")]
    epoch: u64,
    #[prost(uint64, tag = "2")]
    first_sequence: u64,
    #[prost(uint64, tag = "3")]
    last_sequence: u64,
    #[prost(string, repeated, tag = "4")]
    gauges: Vec<String>,
    #[prost(sint64, tag = "5")]
    from: i64,
    #[prost(sint64, tag = "6")]
    to: i64,
    #[prost(uint32, tag = "7")]
    reason: u32,
    #[prost(uint64, tag = "8")]
    count: u64,
    #[prost(bytes = "vec", tag = "9")]
    boot_id: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RawAnchor {
    #[prost(bytes = "vec", tag = "1")]
    boot_id: Vec<u8>,
    #[prost(sint64, tag = "2")]
    utc_at_boot: i64,
    #[prost(uint32, tag = "3")]
    uncertainty_ms: u32,
    #[prost(uint32, tag = "4")]
    source: u32,
}

const CLOCK_UTC: u32 = 1;
const CLOCK_BOOT: u32 = 2;

impl From<&Batch> for Raw {
    fn from(batch: &Batch) -> Self {
        Self {
            version: VERSION,
            agent: batch.id.agent.to_string(),
            epoch: batch.id.epoch.0,
            sequence: batch.id.sequence,
            clock: Some(RawClock::from(batch.clock)),
            previous: batch.previous.map(|previous| RawPrevious {
                epoch: previous.epoch.0,
                last_sequence: previous.last_sequence,
            }),
            columns: raw_columns(&batch.columns),
            gaps: batch.gaps.iter().map(RawGap::from).collect(),
            anchors: batch.anchors.iter().map(RawAnchor::from).collect(),
        }
    }
}

impl From<BatchClock> for RawClock {
    fn from(clock: BatchClock) -> Self {
        match clock {
            BatchClock::Utc { uncertainty_ms } => {
                Self { state: CLOCK_UTC, boot_id: Vec::new(), uncertainty_ms }
            }
            BatchClock::Boot { boot_id } => Self {
                state: CLOCK_BOOT,
                boot_id: boot_id.0.to_be_bytes().to_vec(),
                uncertainty_ms: 0,
            },
        }
    }
}

/// What stands in a column's head; from the second column on only what differs is written.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Head<'a> {
    station: &'a str,
    unit: &'a str,
    decimals: u32,
    period_ms: u32,
    start: i64,
    times: &'a [u8],
}

impl Head<'_> {
    /// Before the first column.
    const NONE: Self =
        Self { station: "", unit: "", decimals: 0, period_ms: 0, start: 0, times: &[] };
}

fn raw_columns(columns: &[Column]) -> Vec<RawColumn> {
    let times: Vec<Vec<u8>> = columns.iter().map(times).collect();
    let mut before = Head::NONE;
    let raw = columns.iter().zip(&times).map(|(column, times)| {
        let head = Head {
            station: column.gauge.station.as_str(),
            unit: &column.unit,
            decimals: u32::from(column.decimals),
            period_ms: column.period_ms,
            start: column.points.first().map_or(0, |first| first.at_ms),
            times,
        };
        raw_column(column, head, std::mem::replace(&mut before, head))
    });
    raw.collect()
}

fn raw_column(column: &Column, head: Head<'_>, before: Head<'_>) -> RawColumn {
    let points = &column.points;
    let mut values = Vec::with_capacity(points.len() * 2);
    let mut last = 0_i64;
    for point in points {
        let value = point.value().unwrap_or(last);
        encode_varint(zigzag(value.wrapping_sub(last)), &mut values);
        last = value;
    }
    let is_good = points.iter().all(|point| point.quality == Quality::GOOD);
    let codes = points.iter().map(|point| u64::from(point.quality.code()));
    let name = &column.gauge.name;
    RawColumn {
        gauge: if head.station == before.station {
            format!("/{name}")
        } else {
            column.gauge.to_string()
        },
        unit: (head.unit != before.unit).then(|| head.unit.to_owned()),
        decimals: (head.decimals != before.decimals).then_some(head.decimals),
        period_ms: (head.period_ms != before.period_ms).then_some(head.period_ms),
        start: (head.start != before.start).then_some(head.start),
        times: (head.times != before.times).then(|| head.times.to_vec()),
        values,
        quality: if is_good { Vec::new() } else { runs::encode(codes) },
    }
}

fn times(column: &Column) -> Vec<u8> {
    runs::encode(column.points.windows(2).filter_map(|pair| match pair {
        [before, after] => u64::try_from(after.at_ms.wrapping_sub(before.at_ms)).ok(),
        _ => None,
    }))
}

impl From<&Gap> for RawGap {
    fn from(gap: &Gap) -> Self {
        Self {
            epoch: gap.epoch.0,
            first_sequence: gap.first_sequence,
            last_sequence: gap.last_sequence,
            gauges: gap.gauges.iter().map(GaugeId::to_string).collect(),
            from: gap.from_ms,
            to: gap.to_ms,
            reason: gap.reason.code(),
            count: gap.count,
            boot_id: gap.boot.map_or(Vec::new(), |boot| boot.0.to_be_bytes().to_vec()),
        }
    }
}

impl From<&ClockAnchor> for RawAnchor {
    fn from(anchor: &ClockAnchor) -> Self {
        Self {
            boot_id: anchor.boot_id.0.to_be_bytes().to_vec(),
            utc_at_boot: anchor.utc_at_boot_ms,
            uncertainty_ms: anchor.uncertainty_ms,
            source: anchor.source,
        }
    }
}

impl Raw {
    fn into_batch(self) -> Result<Batch, DecodeError> {
        let agent = self.agent.parse().map_err(|error| malformed(format!("{error}")))?;
        if self.sequence == 0 || self.sequence > MAX_SEQUENCE {
            return Err(malformed("sequences count from 1 to 2^63 - 1"));
        }
        if self.previous.as_ref().is_some_and(|before| before.last_sequence > MAX_SEQUENCE) {
            return Err(malformed("the epoch before ended above 2^63 - 1"));
        }
        let mut budget = MAX_POINTS;
        let mut columns = Vec::with_capacity(self.columns.len());
        let mut before = Head::NONE;
        for raw in &self.columns {
            let head = raw.head(before)?;
            columns.push(raw.column(head, &mut budget)?);
            before = head;
        }
        let mut gauges: Vec<&GaugeId> = columns.iter().map(|column| &column.gauge).collect();
        gauges.sort_unstable();
        if let Some([gauge, _]) = gauges
            .windows(2)
            .find(|pair| matches!(pair, [a, b] if a == b))
            .and_then(|p| p.first_chunk())
        {
            return Err(malformed(format!("gauge `{gauge}` twice")));
        }
        Ok(Batch {
            id: BatchId { agent, epoch: Epoch(self.epoch), sequence: self.sequence },
            clock: self.clock.unwrap_or_default().into_clock()?,
            previous: self.previous.map(|previous| Previous {
                epoch: Epoch(previous.epoch),
                last_sequence: previous.last_sequence,
            }),
            columns,
            gaps: self.gaps.into_iter().map(RawGap::into_gap).collect::<Result<_, _>>()?,
            anchors: self
                .anchors
                .into_iter()
                .map(RawAnchor::into_anchor)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl RawClock {
    fn into_clock(self) -> Result<BatchClock, DecodeError> {
        match self.state {
            CLOCK_UTC => Ok(BatchClock::Utc { uncertainty_ms: self.uncertainty_ms }),
            CLOCK_BOOT => Ok(BatchClock::Boot { boot_id: boot_id(&self.boot_id)? }),
            other => Err(malformed(format!("clock state {other} is not known"))),
        }
    }
}

fn boot_id(bytes: &[u8]) -> Result<BootId, DecodeError> {
    let bytes = bytes.first_chunk::<16>().filter(|_| bytes.len() == 16);
    let bytes = bytes.ok_or_else(|| malformed("a boot id has 16 bytes"))?;
    Ok(BootId(u128::from_be_bytes(*bytes)))
}

impl RawColumn {
    /// What it writes itself, and the rest as in the column before.
    fn head<'a>(&'a self, before: Head<'a>) -> Result<Head<'a>, DecodeError> {
        let (station, _name) =
            self.gauge.split_once('/').ok_or_else(|| malformed("a column without a gauge"))?;
        Ok(Head {
            station: if station.is_empty() { before.station } else { station },
            unit: self.unit.as_deref().unwrap_or(before.unit),
            decimals: self.decimals.unwrap_or(before.decimals),
            period_ms: self.period_ms.unwrap_or(before.period_ms),
            start: self.start.unwrap_or(before.start),
            times: self.times.as_deref().unwrap_or(before.times),
        })
    }

    fn column(&self, head: Head<'_>, budget: &mut usize) -> Result<Column, DecodeError> {
        let name = self.gauge.split_once('/').map_or("", |(_station, name)| name);
        let gauge: GaugeId = format!("{}/{name}", head.station)
            .parse()
            .map_err(|error| malformed(format!("{error}")))?;
        if head.unit.len() > MAX_UNIT {
            return Err(DecodeError::TooLarge { what: "bytes of a unit", limit: MAX_UNIT });
        }
        let decimals =
            u8::try_from(head.decimals).ok().filter(|_| head.decimals <= MAX_DECIMALS).ok_or_else(
                || malformed(format!("`{gauge}`: more than {MAX_DECIMALS} decimals")),
            )?;
        let points = self.points(head, budget).map_err(|error| match error {
            DecodeError::Malformed(what) => malformed(format!("`{gauge}`: {what}")),
            DecodeError::TooLarge { .. } | DecodeError::Version(_) => error,
        })?;
        Ok(Column { gauge, unit: head.unit.into(), decimals, period_ms: head.period_ms, points })
    }

    fn points(&self, head: Head<'_>, budget: &mut usize) -> Result<Vec<Point>, DecodeError> {
        if self.values.is_empty() {
            return Err(malformed("no points"));
        }
        // A varint ends with the only byte of it that is below 128.
        let count = self.values.iter().filter(|byte| **byte < 128).count();
        *budget = budget
            .checked_sub(count)
            .ok_or(DecodeError::TooLarge { what: "points", limit: MAX_POINTS })?;
        let mut points = Vec::with_capacity(count);
        let (mut values, mut times) = (self.values.as_slice(), Runs::new(head.times));
        let mut codes = Runs::new(&self.quality);
        let (mut at_ms, mut value) = (head.start, 0_i64);
        while !values.is_empty() {
            if !points.is_empty() {
                at_ms = next_moment(&mut times, at_ms, head.start)?;
            }
            let difference = runs::varint(&mut values)
                .map_err(|_malformed: runs::Malformed| malformed("a value"))?;
            let quality = self.next_quality(&mut codes)?;
            if !quality.has_value() && difference != 0 {
                return Err(malformed("a value where none stands"));
            }
            value = value.wrapping_add(unzigzag(difference));
            points.push(if quality.has_value() {
                Point { at_ms, value, quality }
            } else {
                Point::defect(at_ms, quality)
            });
        }
        match (times.next_item(), codes.next_item()) {
            (Ok(None), Ok(None)) => Ok(points),
            _ => Err(malformed("more moments or codes than values")),
        }
    }

    fn next_quality(&self, codes: &mut Runs<'_>) -> Result<Quality, DecodeError> {
        if self.quality.is_empty() {
            return Ok(Quality::GOOD);
        }
        let code =
            codes.next_item().ok().flatten().ok_or_else(|| malformed("fewer codes than values"))?;
        u8::try_from(code)
            .map(Quality::from_code)
            .map_err(|_large: std::num::TryFromIntError| malformed(format!("quality code {code}")))
    }
}

fn next_moment(times: &mut Runs<'_>, at_ms: i64, start: i64) -> Result<i64, DecodeError> {
    let step =
        times.next_item().ok().flatten().ok_or_else(|| malformed("fewer moments than values"))?;
    let next =
        i64::try_from(step).ok().filter(|step| *step > 0).and_then(|step| at_ms.checked_add(step));
    match next {
        Some(next) if next.checked_sub(start).is_some_and(|length| length <= MAX_COLUMN_MS) => {
            Ok(next)
        }
        Some(_) => Err(malformed("longer than 24 hours")),
        None => Err(malformed("moments that do not ascend")),
    }
}

impl RawGap {
    fn into_gap(self) -> Result<Gap, DecodeError> {
        let gauges = self
            .gauges
            .iter()
            .map(|gauge| gauge.parse().map_err(|error| malformed(format!("{error}"))))
            .collect::<Result<_, _>>()?;
        let boot = if self.boot_id.is_empty() { None } else { Some(boot_id(&self.boot_id)?) };
        Ok(Gap {
            epoch: Epoch(self.epoch),
            first_sequence: self.first_sequence,
            last_sequence: self.last_sequence,
            gauges,
            boot,
            from_ms: self.from,
            to_ms: self.to,
            reason: GapReason::from_code(self.reason),
            count: self.count,
        })
    }
}

impl RawAnchor {
    fn into_anchor(self) -> Result<ClockAnchor, DecodeError> {
        Ok(ClockAnchor {
            boot_id: boot_id(&self.boot_id)?,
            utc_at_boot_ms: self.utc_at_boot,
            uncertainty_ms: self.uncertainty_ms,
            source: self.source,
        })
    }
}

const fn zigzag(difference: i64) -> u64 {
    ((difference << 1) ^ (difference >> 63)).cast_unsigned()
}

const fn unzigzag(varint: u64) -> i64 {
    (varint >> 1).cast_signed() ^ -(varint & 1).cast_signed()
}

#[cfg(test)]
#[path = "batch_v1/tests.rs"]
mod tests;
