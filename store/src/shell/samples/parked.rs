//! What parked batches count.

/// Bytes, by whether the park's bounds are about them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Parked {
    /// Of batches that are stored for nothing else: what the park's bounds are about.
    pub(super) alone: u64,
    /// Of batches that are stored anyway.
    pub(super) beside: u64,
}

impl Parked {
    /// So many bytes of a batch that is stored for nothing else, or of another.
    pub(super) const fn of(is_alone: bool, bytes: u64) -> Self {
        if is_alone { Self { alone: bytes, beside: 0 } } else { Self { alone: 0, beside: bytes } }
    }

    /// As a row of `parking` has them in `cost` and `beside`.
    pub(super) fn from_row(alone: i64, beside: i64) -> Self {
        let unsigned = |bytes| u64::try_from(bytes).unwrap_or(0);
        Self { alone: unsigned(alone), beside: unsigned(beside) }
    }

    /// The same the other way round.
    pub(super) fn to_row(self) -> (i64, i64) {
        let signed = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        (signed(self.alone), signed(self.beside))
    }
}
