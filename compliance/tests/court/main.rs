//! The consumer over a real store: whatever comes late, in whatever order, however often it starts
//! again and whatever becomes law meanwhile, what it says in the end is what the samples say under
//! the registry in force.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests; the lints spare only functions marked as such"
)]

mod begin;
mod carried;
mod clock;
mod doubt;
mod late;
mod law;
mod stand;
mod world;
