//! `GET /agents`.

use std::sync::Arc;

use axum::extract::{Query, State};
use store::SamplesReader;

use crate::{
    problem::Problem,
    query::PageParameters,
    shell::{
        answer::{Json, store_problem},
        parts::Parts,
    },
    view::agent::{self, AgentsView},
};

/// Every agent that the registry names or that has been heard of, by id.
#[utoipa::path(
    get,
    path = "/api/v1/agents",
    operation_id = "list_agents",
    tag = "agents",
    params(PageParameters),
    responses((status = 200, description = "A page of agents.", body = AgentsView)),
)]
pub(crate) async fn list(
    State(parts): State<Arc<Parts>>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<AgentsView>, Problem> {
    let page = parameters.agents()?;
    let rows = parts.samples.read(SamplesReader::agents).await;
    let rows = rows.map_err(|failure| store_problem(&failure))?;
    let mut agents = agent::agents(rows, &parts.registry());
    agents.retain(|agent| page.after.as_ref().is_none_or(|after| agent.id > *after));
    let has_more = agents.len() > page.limit;
    agents.truncate(page.limit);
    let next = agents.last().map(|agent| agent.id.to_string()).filter(|_| has_more);
    Ok(Json(AgentsView { agents, next }))
}
