//! `GET /registry`.

use std::sync::Arc;

use axum::extract::State;

use crate::{
    shell::{answer::Json, parts::Parts},
    view::registry::RegistryView,
};

/// What holds for all stations: whose clocks count, what counties are called, how rivers flow. To be
/// asked for again when the live stream tells another `registry`.
#[utoipa::path(
    get,
    path = "/api/v1/registry",
    operation_id = "get_registry",
    tag = "stations",
    responses((status = 200, description = "What the registry in force says.", body = RegistryView)),
)]
pub(crate) async fn one(State(parts): State<Arc<Parts>>) -> Json<RegistryView> {
    Json(parts.water().view.clone())
}
