//! `GET /gauges/{station}/{gauge}/samples`.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use model::ids::GaugeId;

use crate::{
    problem::Problem,
    query::samples::SamplesParameters,
    shell::{
        answer::{Json, store_problem},
        parts::Parts,
    },
    view::sample::SamplesView,
};

/// Raw samples of one gauge in ascending moments, each moment once.
#[utoipa::path(
    get,
    path = "/api/v1/gauges/{station}/{gauge}/samples",
    operation_id = "list_samples",
    tag = "samples",
    params(
        ("station" = String, Path, description = "The station's id.", example = "BF-620721-04"),
        ("gauge" = String, Path, description = "The gauge's id.", example = "release-meter"),
        SamplesParameters,
    ),
    responses(
        (status = 200, description = "A page of samples.", body = SamplesView),
        (status = 404, description = "Neither registry nor store has such a gauge."),
    ),
)]
pub(crate) async fn list(
    State(parts): State<Arc<Parts>>,
    Path((station, gauge)): Path<(String, String)>,
    Query(parameters): Query<SamplesParameters>,
) -> Result<Json<SamplesView>, Problem> {
    let full = format!("{station}/{gauge}");
    let gauge: GaugeId = full.parse().map_err(|_not_an_id| unknown(&full))?;
    let query = parameters.of(gauge.clone())?;
    let page = parts.samples.read(move |reader| reader.samples(&query)).await;
    let page = page.map_err(|failure| store_problem(&failure))?;
    let registry = parts.registry();
    let known = registry.gauge(gauge.station.as_str(), gauge.name.as_str());
    if page.unit.is_none() && known.is_none() {
        return Err(unknown(&full));
    }
    Ok(Json(SamplesView::of((&gauge, known), &page)))
}

fn unknown(gauge: &str) -> Problem {
    let gauge: String = gauge.chars().take(160).collect();
    Problem::not_found(format!("neither registry nor store has a gauge `{gauge}`"))
}
