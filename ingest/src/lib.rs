//! MQTT messages authorised, decoded, judged and committed; only then acknowledged and answered.
//!
//! | module | has |
//! |---|---|
//! | [`intake`] | what becomes of a message: authorised, decoded, judged column by column |
//! | [`contradictions`] | whose values contradicted what is stored, lately |
//! | [`placing`] | where moments since boot lie in UTC |
//! | [`mod@derive`] | a column into the gauge's unit at its stored resolution |
//! | [`qc`] | the server's doubt about a point |
//! | [`gaps`] | which words about lost readings are believed |
//! | [`remainder`] | what of a payload that was judged before is still to be judged |
//! | [`replay`] | a quarantined payload judged again |
//! | [`answer`] | what the sender of a message is told |
//! | [`notices`] | commit notices that are owed, united |
//! | [`rights`] | what an account may publish and subscribe to |
//! | [`shares`] | each sender's share of what refusing costs |
//! | [`metrics`] | what is counted |
//! | [`shell`] | everything that waits, reads or writes |

pub mod answer;
pub mod contradictions;
pub mod derive;
pub mod gaps;
pub mod intake;
pub mod metrics;
pub mod notices;
pub mod placing;
pub mod qc;
pub mod remainder;
pub mod replay;
pub mod rights;
pub mod shares;
pub mod shell;
