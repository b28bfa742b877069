//! Everything of the agent that waits, reads, writes or asks the time.

pub mod agent;
pub mod bus;
pub mod check;
pub mod mqtt;
pub mod probe;
pub mod spool;
pub mod wall_clock;
