//! From what is known of a river to whom is told: pure rules, and in `shell` what moves them.
//!
//! `below_mandate`, `no_data` and `flat_line` watch one condition each and say when it holds, `chatter`
//! when it comes and goes too often; `alarm` is the life of one alarm, `escalation` whom to tell of it next, `notification` the life of one message
//! and `sms` its text. All machines have the same four verbs: `step`, `deadline`, `snapshot`,
//! `restore`. They are told `now`, and never ask.
//!
//! What they rely on, and whoever performs their effects owes them:
//!
//! - a step's snapshot, its effects and the position of what was told stand in one transaction,
//!   before anything is sent;
//! - each machine is told what concerns it in the order of the feed, which says what was live; what
//!   was recomputed of the past comes as late, cut where the requirement or the flow changes;
//! - deadlines are looked at again after every step and every restore, and a step of the clock by
//!   more than patience allows is told as a time without listening;
//! - an acknowledgement is one step of the alarm, in the order of the journal.

pub mod alarm;
pub mod below_mandate;
pub mod chatter;
pub mod desk;
pub mod escalation;
pub mod facts;
pub mod flat_line;
pub mod kannel;
pub mod link;
pub mod metrics;
pub mod no_data;
pub mod notification;
pub mod plan;
pub mod released;
pub mod shell;
pub mod sms;
pub mod snapshot;
