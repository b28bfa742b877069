//! Tries to log in that are remembered over a restart, so that whoever guesses goes on waiting.

use model::time::Timestamp;

/// The latest rows of tries that stay, those of familiar places and of names that somebody has apart.
pub const ATTEMPTS: i64 = 8_192;
/// Places that a user came from which stay, the latest.
pub const FAMILIAR_PLACES: i64 = 8;

/// Tries for a name from a place (`docs/formats.md` §10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// What stands for the name; empty: whatever names were tried from the place.
    pub name: String,
    /// The place; empty: wherever the user never came from.
    pub place: String,
    /// Tries of late that were not right.
    pub tries: u32,
    /// Whether the user came from there before.
    pub is_familiar: bool,
    /// When the last one was, or when the user came last.
    pub tried_at: Timestamp,
}
