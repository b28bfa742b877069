//! The topic grammar: which topics exist, and whose word stands on each.

use std::fmt;

use crate::ids::AgentId;

/// A topic of the grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// Batches of an agent.
    Batch(AgentId),
    /// Readings of a third party as JSON.
    Json(AgentId),
    /// What an agent says of itself, retained.
    Status(AgentId),
    /// Commit notices to an agent.
    Commit(AgentId),
    /// What was refused, told to its sender.
    Refused(AgentId),
    /// What the server says of itself, retained.
    Server,
}

/// What the server subscribes to.
pub const SERVER_FILTERS: [&str; 3] =
    ["baseflow/v1/+/batch", "baseflow/v1/+/json", "baseflow/v1/+/status"];

impl Topic {
    /// The topic with this name; `None` for any other.
    pub fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("baseflow/v1/")?;
        let Some((agent, kind)) = rest.split_once('/') else {
            return (rest == "server").then_some(Self::Server);
        };
        let agent = agent.parse().ok()?;
        match kind {
            "batch" => Some(Self::Batch(agent)),
            "json" => Some(Self::Json(agent)),
            "status" => Some(Self::Status(agent)),
            "commit" => Some(Self::Commit(agent)),
            "refused" => Some(Self::Refused(agent)),
            _ => None,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (agent, kind) = match self {
            Self::Batch(agent) => (agent, "batch"),
            Self::Json(agent) => (agent, "json"),
            Self::Status(agent) => (agent, "status"),
            Self::Commit(agent) => (agent, "commit"),
            Self::Refused(agent) => (agent, "refused"),
            Self::Server => return f.write_str("baseflow/v1/server"),
        };
        write!(f, "baseflow/v1/{agent}/{kind}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_prints_as_it_was_read() {
        for name in ["batch", "json", "status", "commit", "refused"] {
            let name = format!("baseflow/v1/gw-1/{name}");
            assert_eq!(Topic::parse(&name).unwrap().to_string(), name);
        }
        assert_eq!(Topic::parse("baseflow/v1/server"), Some(Topic::Server));
    }

    #[test]
    fn anything_else_is_no_topic() {
        for name in [
            "",
            "baseflow/v1",
            "baseflow/v2/gw/batch",
            "baseflow/v1/gw/batch/",
            "baseflow/v1//batch",
            "baseflow/v1/gw/other",
            "baseflow/v1/+/batch",
            "/baseflow/v1/gw/batch",
        ] {
            assert_eq!(Topic::parse(name), None, "{name}");
        }
    }
}
