//! `GET /agents`.

use std::sync::Arc;

use axum::extract::{Query, State};

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
    let (after, limit) = (page.after.clone(), page.limit);
    let stored = parts.samples.read(move |reader| reader.agents(after.as_ref(), limit)).await;
    let stored = stored.map_err(|failure| store_problem(&failure))?;
    Ok(Json(agent::agents(stored, &parts.registry(), page.after.as_ref(), page.limit)))
}
