//! The agent on the gateway: register → reading → batch → MQTT, and the spool on disk.
//!
//! | module | has |
//! |---|---|
//! | [`cycle`] | what one poll of one device yields |
//! | [`batcher`] | when readings become a batch |
//! | [`ledger`] | which batches are queued, sent and committed |
//! | [`uplink`] | what to send when, and again |
//! | [`clock_trust`] | whether moments are UTC or count from boot |
//! | [`status`] | what the agent says of itself |
//! | [`metrics`] | what it counts |
//! | [`shell`] | everything that waits, reads or writes |

pub mod batcher;
pub mod cadence;
pub mod clock_trust;
pub mod config;
pub mod cycle;
pub mod decode;
pub mod health;
pub mod ledger;
pub mod metrics;
pub mod plan;
pub mod read_plan;
pub mod register;
pub mod shell;
pub mod status;
pub mod uplink;
