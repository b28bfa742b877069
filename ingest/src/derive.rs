//! A column of points into the gauge's unit at its stored resolution, with QC's doubt about it.
//!
//! The store keeps the points as they were received and derives them again at every reading, by
//! the same conversion; what is kept beside them is where they lie and what QC says.

use model::{
    batch::Column,
    ids::GaugeName,
    quantity::{Resolution, Unit},
    reading::Point,
    sample::{QcFlags, derive},
    station::Gauge,
    time::{Timestamp, due, is_ahead, may_be_measured},
    wire::{json_v1::JsonReading, refused_v1::Reason},
};

use crate::{placing::Placing, qc};

/// What a column becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// Moment of the first point.
    pub from: Timestamp,
    /// Moment of the last point.
    pub to: Timestamp,
    /// How many points.
    pub points: u32,
    /// What makes UTC of the payload's moments; 0 where they are UTC.
    pub offset_ms: i64,
    /// QC's flags in the store's form; `None` where nothing is flagged.
    pub qc: Option<Vec<u8>>,
}

/// Why a column is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The word for it.
    pub reason: Reason,
    /// What stood against what, and what to do.
    pub detail: String,
    /// What the clock will say when it does so no more, where only that stands in the way.
    pub due: Option<Timestamp>,
}

impl Obstacle {
    /// One that no clock removes.
    pub const fn new(reason: Reason, detail: String) -> Self {
        Self { reason, detail, due: None }
    }
}

/// The column as samples of `gauge`, or what stands in the way.
pub fn column(
    column: &Column,
    gauge: &Gauge,
    placing: Placing,
    now: Timestamp,
) -> Result<Derived, Obstacle> {
    let conversion = Unit::named(&column.unit)
        .and_then(|unit| gauge.resolution.conversion_from(unit, column.decimals))
        .ok_or_else(|| {
            let (sent, own) = (&column.unit, gauge.resolution.unit.name());
            let detail = format!(
                "`{}` comes in `{sent}`, and the registry has it in `{own}`, which `{sent}` cannot become: correct `unit` where it is sent (of an agent: at the register in edge.toml), or the gauge in the registry while it has no samples",
                column.gauge
            );
            Obstacle::new(Reason::Unit, detail)
        })?;
    let points =
        column.points.iter().map(|point| Point { at_ms: placing.utc_ms(point.at_ms), ..*point });
    let doubt = if placing.is_uncertain(column.period_ms) { QcFlags::CLOCK } else { QcFlags::NONE };
    in_time(points.clone(), &gauge.name, now)?;
    for point in points.clone() {
        derive(point, conversion).ok_or_else(|| too_large(&gauge.name, gauge.resolution))?;
    }
    span(points, placing.offset_ms, qc::encode(doubt, column.points.len()))
        .ok_or_else(|| Obstacle::new(Reason::Time, format!("`{}`: no points", gauge.name)))
}

/// Readings of one gauge out of a JSON document, in ascending moments, as the store will read them
/// back: what does not fit the gauge is no reading, and of equal moments the first stands.
pub fn readings(readings: &[JsonReading<'_>], gauge: &Gauge) -> Result<Derived, Obstacle> {
    let mut points: Vec<Point> = readings
        .iter()
        .filter_map(|reading| {
            let value = reading.value(gauge.resolution.decimals).ok()?;
            Some(Point { at_ms: reading.at.as_ms(), value, quality: reading.quality })
        })
        .collect();
    points.sort_by_key(|point| point.at_ms);
    points.dedup_by_key(|point| point.at_ms);
    span(points.iter().copied(), 0, None).ok_or_else(|| {
        Obstacle::new(Reason::Range, format!("`{}`: no reading that fits it", gauge.name))
    })
}

/// Of a moment ahead of the clock, in words.
pub fn ahead(gauge: &GaugeName, at: Timestamp, now: Timestamp) -> String {
    format!(
        "`{gauge}`: a moment of {at}, while the server's clock says {now}; it waits until that has come, and one of the two clocks is wrong"
    )
}

fn too_large(gauge: &GaugeName, resolution: Resolution) -> Obstacle {
    let detail = format!(
        "`{gauge}`: a value that 64 bits do not hold with {} decimals of `{}`",
        resolution.decimals,
        resolution.unit.name()
    );
    Obstacle::new(Reason::Range, detail)
}

/// Whether all of a column can have been measured; its moments ascend.
fn in_time(
    points: impl Iterator<Item = Point> + Clone,
    gauge: &GaugeName,
    now: Timestamp,
) -> Result<(), Obstacle> {
    let Some(point) = points.clone().find(|point| !may_be_measured(point.at_ms, now)) else {
        return Ok(());
    };
    let at = Timestamp::clamped(point.at_ms);
    if is_ahead(point.at_ms, now) {
        let due = points.map(|point| point.at_ms).max().map(due);
        return Err(Obstacle { reason: Reason::Time, detail: ahead(gauge, at, now), due });
    }
    let detail = format!("`{gauge}`: a moment of {at}; correct the agent's clock");
    Err(Obstacle::new(Reason::Time, detail))
}

fn span(
    points: impl Iterator<Item = Point>,
    offset_ms: i64,
    qc: Option<Vec<u8>>,
) -> Option<Derived> {
    let (mut from, mut to, mut count) = (None, None, 0_u32);
    for point in points {
        from = from.or(Some(point.at_ms));
        to = Some(point.at_ms);
        count += 1;
    }
    Some(Derived {
        from: Timestamp::clamped(from?),
        to: Timestamp::clamped(to?),
        points: count,
        offset_ms,
        qc,
    })
}
