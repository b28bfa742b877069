//! The vocabulary of Baseflow: what is measured, what is owed, and how both travel.
//!
//! Everything here is a value or a function of its arguments. Nothing waits, reads or asks the
//! time; both binaries and every test speak in these words.

pub mod fault;
pub mod time;
pub mod tree;
