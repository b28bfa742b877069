//! `GET /compliance`.

use std::sync::Arc;

use axum::extract::{Query, State};
use model::{time::Span, verdict::Length};

use crate::{
    problem::Problem,
    query::{ComplianceParameters, Gather},
    shell::{
        answer::{Json, store_problem},
        parts::Parts,
    },
    view::compliance::{ComplianceView, Counted, counties, judged, sections},
};

/// How many days of a month, a quarter or a year were met: of each section, or county by county.
#[utoipa::path(
    get,
    path = "/api/v1/compliance",
    operation_id = "count_compliance",
    tag = "verdicts",
    params(ComplianceParameters),
    responses((status = 200, description = "What the days were.", body = ComplianceView)),
)]
pub(crate) async fn count(
    State(parts): State<Arc<Parts>>,
    Query(parameters): Query<ComplianceParameters>,
) -> Result<Json<ComplianceView>, Problem> {
    let (period, by) = parameters.checked()?;
    let registry = parts.registry();
    let asked: Vec<_> = judged(&registry, &period)
        .into_iter()
        .map(|(station, key, _)| {
            let [from, to] = [period.from, period.to].map(|date| station.zone.start_of_day(date));
            (key, Span { from, to })
        })
        .collect();
    let counted = parts.journal.read(move |reader| {
        let counts = asked.into_iter().map(|(key, span)| {
            let counts = reader.verdict_counts(&key, Length::Day, span)?;
            Ok((key, counts))
        });
        counts.collect::<Result<Counted, _>>()
    });
    let counted = counted.await.map_err(|failure| store_problem(&failure))?;
    let by_section = || sections(&registry, &period, &counted);
    let by_county = || counties(&registry, &period, &counted);
    Ok(Json(ComplianceView {
        period: period.to_string(),
        sections: (by == Gather::Station).then(by_section),
        counties: (by == Gather::County).then(by_county),
    }))
}
