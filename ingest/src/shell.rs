//! What waits and performs: the service on MQTT, and the second judgement of what is quarantined.

pub mod full_park;
pub mod place;
pub mod rejudge;
pub mod replay;
pub mod service;
pub mod settle;
