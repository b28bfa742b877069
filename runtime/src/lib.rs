//! What both binaries need once, and nothing of water: the machinery around the services.
//!
//! | module | has |
//! |---|---|
//! | [`clock`] | the only reader of the machine's clocks, and one that tests move by hand |
//! | [`tasks`] | every task and thread, named, joined, stopped in the order of the stream |
//! | [`signals`] | stop and reload, as an operator asks for them |
//! | [`settings`] | defaults, file and environment merged into one tree |
//! | [`telemetry`] | log lines, and repeats held back |
//! | [`metrics`] | build and process metrics |
//! | [`admin`] | `/metrics`, `/livez`, `/readyz` and small read-only pages |
//! | [`shell_word`] | what makes a printed command fit to be pasted |
//! | [`mqtt`] | one connection to a broker, which may forget everything |

pub mod admin;
pub mod clock;
pub mod metrics;
pub mod mqtt;
pub mod settings;
pub mod shell_word;
pub mod signals;
pub mod tasks;
pub mod telemetry;
