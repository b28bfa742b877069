//! What one poll of one device yields: the contract between acquisition and batching.

use std::sync::Arc;

use model::{ids::GaugeId, reading::Point};

/// A register as batching sees it: whose reading it gives, in what unit and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Whose reading.
    pub gauge: GaugeId,
    /// The register's unit, which travels with the batch.
    pub unit: Box<str>,
    /// The register's decimals, 0 to 9.
    pub decimals: u8,
    /// The device's poll period.
    pub period_ms: u32,
    /// Crossing it either way closes the batch at once; at the register's decimals.
    pub alert_below: Option<i64>,
}

/// Every register of the settings, in their order; an index into it names a register.
pub type Sources = Arc<[Source]>;

/// One reading: which register, when, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Index into [`Sources`].
    pub source: usize,
    /// Moment, value and quality; moments are UTC or boot-relative as the agent's clock stands.
    pub point: Point,
}

/// All readings of one poll of one device, each register once, all of one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// At least one.
    pub readings: Vec<Reading>,
}
