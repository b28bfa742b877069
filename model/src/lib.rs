//! The vocabulary of Baseflow: what is measured, what is owed, and how both travel.
//!
//! Everything here is a value or a function of its arguments. Nothing waits, reads or asks the
//! time; both binaries and every test speak in these words.

pub mod fault;
pub mod ids;
pub mod quality;
pub mod quantity;
pub mod time;
pub mod tree;
pub mod batch;
pub mod reading;
pub mod sample;
pub mod wire;
