//! Everything of alerting that waits, reads, writes or asks the time.

pub mod answers;
pub mod channel;
mod evidence;
pub mod file;
pub mod outbox;
pub mod watch;
