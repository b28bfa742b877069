//! The agent on the gateway: register → reading → batch → MQTT, and the spool on disk.
//!
//! | module | has |
//! |---|---|
//! | [`config`] | the settings |
//! | [`register`] | what one register of a device is |
//! | [`plan`] | which requests read a device's registers, and that as `check` prints it |
//! | [`cadence`] | when each device of a line is asked what |
//! | [`owed`] | answers that may still come on a serial line, and what may be believed meanwhile |
//! | [`frame`] | whole answers among the bytes of a serial line |
//! | [`decode`] | words to values |
//! | [`cycle`] | what one poll of one device yields |
//! | [`health`] | how each line and device stands |
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
pub mod frame;
pub mod health;
pub mod ledger;
pub mod metrics;
pub mod owed;
pub mod plan;
pub mod register;
pub mod shell;
pub mod status;
pub mod uplink;
