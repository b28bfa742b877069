//! What waits and performs: the consumer of the feed that has sections judged.

pub mod court;
mod evidence;
