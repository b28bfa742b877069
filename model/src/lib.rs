//! The vocabulary of Baseflow: what is measured, what is owed, and how both travel.
//!
//! Everything here is a value or a function of its arguments. Nothing waits, reads or asks the
//! time; both binaries and every test speak in these words.

pub mod alarm;
pub mod alarm_rule;
pub mod batch;
pub mod calendar;
pub mod contact;
pub mod deadlines;
pub mod fault;
pub mod flow;
pub mod formula;
pub mod hook;
pub mod ids;
pub mod ladder;
pub mod mandate;
pub mod outlet;
pub mod period;
pub mod phrase;
pub mod port;
pub mod quality;
pub mod quantity;
pub mod reading;
pub mod registry;
pub mod release;
pub mod river;
pub mod rota;
pub mod rule;
pub mod rule_test;
pub mod sample;
pub mod section;
pub mod standing;
pub mod station;
pub mod time;
pub mod tree;
pub mod verdict;
pub mod weight;
pub mod wire;
mod words;
