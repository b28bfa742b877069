//! The store on a real disk: what must hold whatever arrives, in whatever order, and is killed
//! whenever.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; the lints spare only functions marked as such"
)]

mod admission;
mod alarms;
mod backup;
mod journal;
mod kill;
mod making;
mod opening;
mod overlap;
mod paging;
mod park;
mod people;
mod quarantine;
mod verdicts;
mod verify;
