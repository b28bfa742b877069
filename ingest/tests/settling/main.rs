//! What comes, settled among the real store: parked, ahead of the clock, and decided about.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::future_not_send,
    reason = "a test that fails ends by a panic"
)]

mod ahead;
mod making;
mod park;
mod quarrel;
mod share;
