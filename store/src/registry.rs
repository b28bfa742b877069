//! The registry as text: read from TOML, kept as a canonical document, compared, written out again.
//!
//! Every function takes text or values and gives a value; the journal keeps what they make.

pub mod canonical;
mod diff;
mod document;
mod export;
mod load;
mod parse;
mod transition;

pub use diff::diff;
pub use export::export;
pub use parse::parse;
pub use transition::{left_behind, stored_units, transition, unknown_channels};
