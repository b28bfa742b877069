//! Formats on the wire, one file a format and version (`docs/formats.md`).
//!
//! Decoding takes any bytes and gives a value or an error: it never panics, and never allocates
//! beyond a small multiple of what the bytes hold.

pub mod batch_v1;
pub mod commit_v1;
pub mod json_v1;
mod object;
pub mod refused_v1;
pub mod runs;
pub mod server_v1;
pub mod status_v1;
pub mod topic;

/// The largest payload on any topic.
pub const MAX_PAYLOAD: usize = 2 * 1024 * 1024;
