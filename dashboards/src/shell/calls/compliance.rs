//! `GET /compliance`.

use std::sync::Arc;

use axum::extract::{Query, State};
use model::{registry::Registry, verdict::Length};
use store::Journal;

use crate::{
    problem::Problem,
    query::compliance::{CompliancePage, ComplianceParameters, ComplianceQuery, CountyKey, Period},
    shell::{
        answer::{Json, store_problem},
        parts::Parts,
    },
    view::compliance::{ComplianceView, Counted, Judged, counties, judged, sections},
};

/// Sections that are counted in one snapshot, so that none stays open for long.
const AT_ONCE: usize = 256;

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
    let ComplianceQuery { period, page, limit } = parameters.checked()?;
    let registry = parts.registry();
    let judged = judged(&registry, &period);
    let view = match page {
        CompliancePage::Sections(after) => {
            let first = judged.partition_point(|row| after.as_ref().is_some_and(|a| row.key <= *a));
            let rest = judged.get(first..).unwrap_or_default();
            let shown = rest.get(..limit.min(rest.len())).unwrap_or_default();
            let has_more = rest.len() > shown.len();
            let counted = counted(&parts.journal, shown, &period).await?;
            let next = shown.last().filter(|_| has_more).map(|last| last.key.to_string());
            let sections = Some(sections(shown, &counted));
            ComplianceView { period: period.to_string(), sections, counties: None, next }
        }
        CompliancePage::Counties(after) => {
            let counted = counted(&parts.journal, &judged, &period).await?;
            by_county(&registry, (&judged, &counted), &period, (after, limit))
        }
    };
    Ok(Json(view))
}

fn by_county(
    registry: &Registry,
    (judged, counted): (&[Judged<'_>], &Counted),
    period: &Period,
    (after, limit): (Option<CountyKey>, usize),
) -> ComplianceView {
    let mut rest = counties(registry, judged, counted);
    rest.retain(|row| after.as_ref().is_none_or(|after| row.county > after.0));
    let has_more = rest.len() > limit;
    rest.truncate(limit);
    let last = rest.last().filter(|_| has_more);
    let next = last.map(|last| CountyKey(last.county.clone()).to_string());
    ComplianceView { period: period.to_string(), sections: None, counties: Some(rest), next }
}

async fn counted(
    journal: &Journal,
    judged: &[Judged<'_>],
    period: &Period,
) -> Result<Counted, Problem> {
    let mut counted = Counted::new();
    for judged in judged.chunks(AT_ONCE) {
        let asked: Vec<_> = judged.iter().map(|row| (row.key.clone(), row.span(period))).collect();
        let of_chunk = journal.read(move |reader| {
            let counts = asked.into_iter().map(|(key, span)| {
                let counts = reader.verdict_counts(&key, Length::Day, span)?;
                Ok((key, counts))
            });
            counts.collect::<Result<Counted, _>>()
        });
        counted.extend(of_chunk.await.map_err(|failure| store_problem(&failure))?);
    }
    Ok(counted)
}
