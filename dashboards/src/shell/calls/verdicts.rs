//! `GET /stations/{id}/verdicts`.

use std::sync::Arc;

use axum::extract::{Path, Query, State};

use crate::{
    problem::Problem,
    query::{VerdictCursor, VerdictsParameters},
    shell::{
        answer::{Json, store_problem},
        calls::stations::unknown,
        parts::Parts,
    },
    view::verdict::{VerdictView, VerdictsView},
};

/// Hours or days of one section of a station, judged: of each period the newest version, or all.
#[utoipa::path(
    get,
    path = "/api/v1/stations/{id}/verdicts",
    operation_id = "list_verdicts",
    tag = "verdicts",
    params(
        ("id" = String, Path, description = "The station's id.", example = "BF-620721-04"),
        VerdictsParameters,
    ),
    responses(
        (status = 200, description = "A page of verdicts.", body = VerdictsView),
        (status = 404, description = "The registry has no such station."),
    ),
)]
pub(crate) async fn list(
    State(parts): State<Arc<Parts>>,
    Path(id): Path<String>,
    Query(parameters): Query<VerdictsParameters>,
) -> Result<Json<VerdictsView>, Problem> {
    let registry = parts.registry();
    let station = registry.station(&id).ok_or_else(|| unknown(&id))?;
    let query = parameters.of(station)?;
    let (limit, section, by) = (query.limit, query.section.clone(), query.by);
    // One more shows whether there is another page.
    let asked = store::VerdictsQuery { limit: limit.saturating_add(1), ..query };
    let rows = parts.journal.read(move |reader| reader.verdicts(&asked)).await;
    let rows = rows.map_err(|failure| store_problem(&failure))?;
    let has_more = rows.len() > limit;
    let shown = rows.get(..limit.min(rows.len())).unwrap_or_default();
    let next = shown
        .last()
        .filter(|_| has_more)
        .map(|row| VerdictCursor { from: row.span.from, version: row.version }.to_string());
    let verdicts = shown.iter().map(|row| VerdictView::of(&section, row));
    let verdicts = verdicts.collect::<Result<_, _>>().map_err(|failure| {
        tracing::warn!(error = %failure, "cannot read a verdict");
        Problem::of_status(500, "a stored verdict cannot be read; run baseflow verify")
    })?;
    Ok(Json(VerdictsView { station: station.id.clone(), by: by.word(), verdicts, next }))
}
