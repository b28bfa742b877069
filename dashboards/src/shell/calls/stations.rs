//! `GET /stations` and `GET /stations/{id}`.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Query, State},
};
use model::ids::{GaugeId, StationId};

use crate::{
    access::Caller,
    problem::Problem,
    query::PageParameters,
    shell::{
        answer::{Json, store_problem},
        parts::Parts,
    },
    view::{
        standing::StandingView,
        station::{Latest, Standings, StationView, StationsView},
    },
};

/// Every station of the registry, by id, without its gauges.
#[utoipa::path(
    get,
    path = "/api/v1/stations",
    operation_id = "list_stations",
    tag = "stations",
    params(PageParameters),
    responses((status = 200, description = "A page of stations.", body = StationsView)),
)]
pub(crate) async fn list(
    State(parts): State<Arc<Parts>>,
    Extension(caller): Extension<Caller>,
    Query(parameters): Query<PageParameters>,
) -> Result<Json<StationsView>, Problem> {
    let page = parameters.stations()?;
    let water = parts.water();
    let (registry, course) = (&water.registry, &water.course);
    let now = parts.clock.now();
    let standings = standings(&parts, None).await?;
    let is_after = |id: &StationId| page.after.as_ref().is_none_or(|after| id > after);
    let mut stations = registry.stations.values().filter(|station| is_after(&station.id));
    let shown: Vec<_> = stations
        .by_ref()
        .take(page.limit)
        .map(|station| StationView::of(station, caller.role, (&standings, course), now))
        .collect();
    let next =
        shown.last().map(|station| station.id.to_string()).filter(|_| stations.next().is_some());
    Ok(Json(StationsView { stations: shown, next }))
}

/// One station with its gauges and their newest samples.
#[utoipa::path(
    get,
    path = "/api/v1/stations/{id}",
    operation_id = "get_station",
    tag = "stations",
    params(("id" = String, Path, description = "The station's id.", example = "BF-620721-04")),
    responses(
        (status = 200, description = "The station.", body = StationView),
        (status = 404, description = "The registry has no such station."),
    ),
)]
pub(crate) async fn one(
    State(parts): State<Arc<Parts>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<StationView>, Problem> {
    let water = parts.water();
    let station = water.registry.station(&id).ok_or_else(|| unknown(&id))?;
    let gauges: Vec<GaugeId> = station
        .gauges
        .keys()
        .map(|name| GaugeId { station: station.id.clone(), name: name.clone() })
        .collect();
    let latest = parts.samples.read(move |reader| {
        let mut latest = Latest::new();
        for gauge in gauges {
            if let Some(sample) = reader.latest(&gauge)? {
                latest.insert(gauge.name, sample);
            }
        }
        Ok(latest)
    });
    let latest = latest.await.map_err(|failure| store_problem(&failure))?;
    let standings = standings(&parts, Some(id)).await?;
    let known = (&standings, &water.course);
    let view = StationView::of(station, caller.role, known, parts.clock.now());
    Ok(Json(view.with_gauges(station, &latest)))
}

async fn standings(parts: &Parts, station: Option<String>) -> Result<Standings, Problem> {
    let rows = parts.journal.read(move |reader| reader.standings(station.as_deref())).await;
    let rows = rows.map_err(|failure| store_problem(&failure))?;
    let shown = rows.into_iter().map(|row| {
        let view = StandingView::of(&row).map_err(|failure| {
            tracing::warn!(error = %failure, "cannot read how a section stands");
            Problem::of_status(500, "how a section stands cannot be read")
        })?;
        Ok((row.key, (row.state, view)))
    });
    shown.collect()
}

pub(super) fn unknown(id: &str) -> Problem {
    let id: String = id.chars().take(80).collect();
    Problem::not_found(format!("the registry has no station `{id}`"))
}
