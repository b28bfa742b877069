//! From what is known of a river to whom is told, as pure rules.
//!
//! `below_mandate` and `no_data` watch one condition each and say when it holds; `alarm` is the
//! life of one alarm, `escalation` whom to tell of it next, `notification` the life of one message
//! and `sms` its text. All machines have the same four verbs: `step`, `deadline`, `snapshot`,
//! `restore`. They are told `now`, and never ask.

pub mod alarm;
pub mod below_mandate;
pub mod escalation;
pub mod no_data;
pub mod notification;
pub mod sms;
pub mod snapshot;
