//! Everything of alerting that waits, reads, writes or asks the time.

pub mod channel;
