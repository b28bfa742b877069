//! Released flow against its mandate: what a period is, with the arithmetic that shows it.
//!
//! `model::release` adds the outlets of a section up over time, `window` weighs a stretch of that,
//! `evaluate` says what a period is, and `day` what its hours make of a day. `docket` knows what
//! waits to be judged, `sitting` and `hearing` judge it, `fold` carries an open hour on, and
//! `judgement` writes it down; `law` says what another registry has judged again; `shell` moves all
//! of it. Whatever counts is in whole millilitres and milliseconds.

pub mod again;
pub mod day;
pub mod docket;
pub mod evaluate;
pub mod fold;
pub mod hearing;
pub mod judgement;
pub mod law;
pub mod metrics;
pub mod rule_test;
pub mod shell;
pub mod sitting;
pub mod standing;
pub mod window;
