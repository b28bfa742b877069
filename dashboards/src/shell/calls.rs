//! The calls themselves: each reads what it needs, and hands it to a view.

pub(crate) mod agents;
pub(crate) mod alarms;
pub(crate) mod compliance;
pub(crate) mod live;
pub(crate) mod quarantine;
pub(crate) mod registry;
pub(crate) mod samples;
pub(crate) mod series;
pub(crate) mod session;
pub(crate) mod stations;
pub(crate) mod verdicts;
