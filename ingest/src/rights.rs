//! Who may say and hear what at a broker: the rules of `deploy/mosquitto/baseflow.acl` as functions.
//!
//! A filter is allowed where nothing that it matches is anybody else's. So nobody may subscribe to
//! a wildcard but the server to its own: a broker that refuses it says so, where Mosquitto accepts
//! it and delivers nothing.

use model::{
    ids::AgentId,
    wire::topic::{SERVER_FILTERS, Topic},
};

/// Who has proved by a password to be whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// The server that stores what agents send.
    Server,
    /// An agent, or a third party that publishes JSON under its own name.
    Agent(AgentId),
}

impl Account {
    /// Whether it may publish on a topic, a last will included.
    pub fn may_publish(&self, topic: &str) -> bool {
        match (self, Topic::parse(topic)) {
            (Self::Server, Some(Topic::Commit(_) | Topic::Refused(_) | Topic::Server)) => true,
            (Self::Agent(own), Some(Topic::Batch(of) | Topic::Json(of) | Topic::Status(of))) => {
                of == *own
            }
            (Self::Server, Some(Topic::Batch(_) | Topic::Json(_) | Topic::Status(_)) | None) => {
                false
            }
            (Self::Agent(_), Some(Topic::Commit(_) | Topic::Refused(_) | Topic::Server) | None) => {
                false
            }
        }
    }

    /// Whether it may subscribe to a filter.
    pub fn may_hear(&self, filter: &str) -> bool {
        match (self, Topic::parse(filter)) {
            (Self::Server, _) => SERVER_FILTERS.contains(&filter),
            (Self::Agent(_), Some(Topic::Server)) => true,
            (Self::Agent(own), Some(Topic::Commit(of) | Topic::Refused(of))) => of == *own,
            (Self::Agent(_), Some(Topic::Batch(_) | Topic::Json(_) | Topic::Status(_)) | None) => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPICS: [&str; 12] = [
        "baseflow/v1/gw-1/batch",
        "baseflow/v1/gw-1/json",
        "baseflow/v1/gw-1/status",
        "baseflow/v1/gw-1/commit",
        "baseflow/v1/gw-1/refused",
        "baseflow/v1/gw-2/batch",
        "baseflow/v1/gw-2/status",
        "baseflow/v1/gw-2/commit",
        "baseflow/v1/server",
        "baseflow/v1/gw-1/batch/more",
        "baseflow/v2/gw-1/batch",
        "$SYS/broker/clients",
    ];

    const WILDCARDS: [&str; 8] = [
        "#",
        "+/v1/gw-1/commit",
        "baseflow/v1/#",
        "baseflow/v1/+/commit",
        "baseflow/v1/+/batch",
        "baseflow/v1/gw-1/+",
        "$share/all/baseflow/v1/gw-1/commit",
        "$share/all/baseflow/v1/+/batch",
    ];

    fn check(account: &Account, says: &[&str], hears: &[&str]) {
        let said: Vec<&str> =
            TOPICS.into_iter().filter(|topic| account.may_publish(topic)).collect();
        assert_eq!(said, says);
        let all = TOPICS.into_iter().chain(WILDCARDS);
        let heard: Vec<&str> = all.filter(|filter| account.may_hear(filter)).collect();
        assert_eq!(heard, hears);
        assert!(WILDCARDS.iter().all(|filter| !account.may_publish(filter)));
    }

    #[test]
    fn an_agent_speaks_for_itself_and_hears_what_is_said_to_it() {
        check(
            &Account::Agent("gw-1".parse().unwrap()),
            &["baseflow/v1/gw-1/batch", "baseflow/v1/gw-1/json", "baseflow/v1/gw-1/status"],
            &["baseflow/v1/gw-1/commit", "baseflow/v1/gw-1/refused", "baseflow/v1/server"],
        );
    }

    #[test]
    fn the_server_hears_every_agent_and_cannot_speak_as_one() {
        check(
            &Account::Server,
            &[
                "baseflow/v1/gw-1/commit",
                "baseflow/v1/gw-1/refused",
                "baseflow/v1/gw-2/commit",
                "baseflow/v1/server",
            ],
            &["baseflow/v1/+/batch"],
        );
        assert!(SERVER_FILTERS.iter().all(|filter| Account::Server.may_hear(filter)));
    }
}
