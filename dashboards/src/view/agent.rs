//! An agent as the API shows it: what it last said, and what of its batches has come.

use std::collections::BTreeMap;

use model::{
    ids::{AgentId, Epoch, Sequence, StationId},
    registry::Registry,
    time::Timestamp,
    wire::status_v1::Status,
};
use serde::Serialize;
use serde_json::value::RawValue;
use store::{AgentPage, AgentRow, EpochRow, shown_epochs};
use utoipa::ToSchema;

/// An agent that the registry names or that has been heard of.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Agent)]
pub struct AgentView {
    /// Its name at the broker.
    #[schema(value_type = String, example = "gw-luming")]
    pub id: AgentId,
    /// The stations that it speaks for.
    #[schema(value_type = Vec<String>)]
    pub stations: Vec<StationId>,
    /// Whether its last word was that it is online; null where it never said anything.
    pub online: Option<bool>,
    /// Its last status document as it wrote it (docs/formats.md §4); null where there is none.
    #[schema(value_type = Option<Object>)]
    pub status: Option<Box<RawValue>>,
    /// When that came.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub status_at: Option<Timestamp>,
    /// When anything of it last came.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<Timestamp>,
    /// The lives of its spool, in the order in which they were first heard of: the 32 of which
    /// something came last, and those of which nothing came that these or its status tell of.
    pub epochs: Vec<EpochView>,
    /// How many lives its spool ever had.
    pub epoch_count: u64,
}

/// What has come of one life of an agent's spool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Epoch)]
pub struct EpochView {
    /// Which.
    #[schema(value_type = String, example = "0123456789abcdef")]
    pub epoch: Epoch,
    /// When its first batch came; of one of which nothing did, when something first told of it.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// When its latest batch came.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// The lowest sequence that came; null where none did.
    #[schema(value_type = Option<u64>)]
    pub first_sequence: Option<Sequence>,
    /// The highest sequence that came; null where none did.
    #[schema(value_type = Option<u64>)]
    pub last_sequence: Option<Sequence>,
    /// The highest sequence that is known to have been made: by what came, by the epoch that
    /// followed, or by the agent's last status.
    #[schema(value_type = u64)]
    pub made_to: Sequence,
    /// How many batches came.
    pub batches: u64,
    /// How many up to `made_to` did not; the first is 1.
    pub holes: u64,
    /// Whether what did not come is `queued` at the agent or `lost`: `none` without holes,
    /// `partly_lost` where both, `unknown` where the agent's last status does not tell.
    #[schema(value_type = String)]
    pub holes_are: &'static str,
}

/// A page of agents by id.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Agents)]
pub struct AgentsView {
    /// The agents.
    pub agents: Vec<AgentView>,
    /// `cursor` of the next page; null at the end.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// The agents after this one that the registry or the store knows, at most `limit`: `stored` are
/// those of the store.
pub fn agents(
    stored: AgentPage,
    registry: &Registry,
    after: Option<&AgentId>,
    limit: usize,
) -> AgentsView {
    // What the registry knows beyond the page's end belongs to the next one.
    let is_within = |agent: &AgentId| {
        after.is_none_or(|after| agent > after)
            && stored.next.as_ref().is_none_or(|last| agent <= last)
    };
    let registered = registry.agents().filter(|agent| is_within(agent));
    let mut views: BTreeMap<AgentId, AgentView> =
        registered.map(|agent| (agent.clone(), unheard(agent, registry))).collect();
    for row in stored.rows {
        views.insert(row.agent.clone(), heard(row, registry));
    }
    let has_more = stored.next.is_some() || views.len() > limit;
    let agents: Vec<AgentView> = views.into_values().take(limit).collect();
    let next = agents.last().map(|agent| agent.id.to_string()).filter(|_| has_more);
    AgentsView { agents, next }
}

fn unheard(agent: &AgentId, registry: &Registry) -> AgentView {
    AgentView {
        id: agent.clone(),
        stations: registry.stations_of(agent.as_str()).map(|station| station.id.clone()).collect(),
        online: None,
        status: None,
        status_at: None,
        seen_at: None,
        epochs: Vec::new(),
        epoch_count: 0,
    }
}

fn heard(row: AgentRow, registry: &Registry) -> AgentView {
    let status = row.status.as_ref().and_then(|json| Status::decode(json.as_bytes()).ok());
    let heard = status.as_ref().zip(row.status_at);
    let epochs = shown_epochs(&row.epochs, row.epoch_count, heard);
    let epochs = epochs.iter().map(|epoch| EpochView::of(epoch, heard)).collect();
    AgentView {
        online: status.as_ref().map(|status| status.online),
        status: row.status.and_then(|json| RawValue::from_string(json).ok()),
        status_at: row.status_at,
        seen_at: row.seen_at,
        epochs,
        epoch_count: row.epoch_count,
        ..unheard(&row.agent, registry)
    }
}

impl EpochView {
    fn of(row: &EpochRow, heard: Option<(&Status, Timestamp)>) -> Self {
        Self {
            epoch: row.epoch,
            first_at: row.first_at,
            last_at: row.last_at,
            first_sequence: (row.batches > 0).then_some(row.first_sequence),
            last_sequence: (row.batches > 0).then_some(row.last_sequence),
            made_to: row.made_to,
            batches: row.batches,
            holes: row.holes(),
            holes_are: row.holes_are(heard).word(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_never_spoke_is_neither_online_nor_offline() {
        let row = AgentRow {
            agent: "gw-1".parse().unwrap(),
            status: None,
            status_at: None,
            seen_at: None,
            epochs: Vec::new(),
            epoch_count: 0,
        };
        let stored = AgentPage { rows: vec![row], next: None };
        let shown = agents(stored, &Registry::default(), None, 1);
        assert_eq!(shown.agents.first().map(|view| view.online), Some(None));
        assert_eq!(shown.next, None);
    }
}
