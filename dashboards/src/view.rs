//! Stored facts in the shape of an answer; nothing here is computed but shares of
//! what stands beside them.

pub mod agent;
pub mod alarm;
pub mod compliance;
pub mod live;
pub mod quarantine;
pub mod registry;
pub mod sample;
pub mod series;
pub mod session;
pub mod standing;
pub mod station;
pub mod verdict;
