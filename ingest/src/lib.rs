//! MQTT messages authorised, decoded, judged and committed; only then acknowledged and answered.
//!
//! `intake` judges a message, with `derive` and `qc` for its columns; `answer` and `notices` are
//! what its sender is told; `shell` moves all of it.

pub mod answer;
pub mod derive;
pub mod gaps;
pub mod intake;
pub mod metrics;
pub mod notices;
pub mod placing;
pub mod qc;
pub mod replay;
pub mod rest;
pub mod rights;
pub mod shell;
