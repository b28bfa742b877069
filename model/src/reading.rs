//! What a device said at one moment, unjudged: an integer at the register's own scale, or a defect.

use crate::quality::Quality;

/// One point of a column: a moment, a value and what its source says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Milliseconds, of UTC or since boot as the batch's clock says.
    pub at_ms: i64,
    /// In units of 10^−decimals of the column's unit; 0 where `quality` carries no value.
    pub value: i64,
    /// What the source says of it.
    pub quality: Quality,
}

impl Point {
    /// A value with nothing against it.
    pub const fn good(at_ms: i64, value: i64) -> Self {
        Self { at_ms, value, quality: Quality::GOOD }
    }

    /// A moment at which there was no value, and why.
    pub const fn defect(at_ms: i64, quality: Quality) -> Self {
        Self { at_ms, value: 0, quality }
    }

    /// The value, where one stands.
    pub const fn value(self) -> Option<i64> {
        if self.quality.has_value() { Some(self.value) } else { None }
    }
}
