//! What waits and performs: the consumer of the feed that has sections judged.

mod amend;
mod carry;
pub mod court;
mod evidence;
mod hear;
mod stand;
mod take_back;
