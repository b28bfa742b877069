//! A small world for end-to-end tests: real broker, real meters, the real binaries.
//!
//! A test builds a [`World`], gives it meters and sites, lets something go wrong, and at the end
//! compares every value that the meters gave out with what the API and the CSV file say
//! ([`reconcile`]). Whatever it started ends with it, also where it panics; the folder of a failed
//! test is kept and its path printed.

mod agent;
mod api;
mod broker;
mod decode;
mod fence;
mod folder;
mod kannel;
mod live;
mod meter;
mod mqtt;
mod ports;
mod process;
mod proxy;
mod reconcile;
mod register;
mod serial;
mod server;
mod site;
mod spool;
mod strace;
mod tool;
pub mod wait;

pub use agent::{Agent, Lost};
pub use api::{Answer, Api, Sample, exported};
pub use broker::Broker;
pub use decode::Exact;
pub use folder::World;
pub use kannel::{Kannel, Received};
pub use live::{Known, Viewer};
pub use meter::{Given, Meter, entries, is_left_alone};
pub use mqtt::{Message, Mqtt};
pub use process::{Finished, Process};
pub use proxy::{Proxy, Watch};
pub use reconcile::{Differences, Oracle, SKEW_MS, compare};
pub use register::Register;
pub use serial::SerialPair;
pub use server::Server;
pub use site::{Bus, Site};
pub use spool::Held;
pub use strace::Strace;
pub use tool::{binary, not_proven, program, repository, tool};

/// Held by tests that need both cores for themselves.
pub static HEAVY: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Waits for its turn among the heavy tests; one that failed does not stop the others.
pub fn heavy() -> std::sync::MutexGuard<'static, ()> {
    HEAVY.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
