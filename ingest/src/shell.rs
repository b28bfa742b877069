//! What waits and performs: the service on MQTT, a broker for one machine, and the second judgement of what is quarantined.

pub mod broker;
pub mod full_park;
pub mod place;
pub mod rejudge;
pub mod replay;
pub mod service;
pub mod settle;
