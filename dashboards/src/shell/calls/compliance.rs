//! `GET /compliance`.

use std::{collections::BTreeSet, sync::Arc};

use axum::extract::{Query, State};
use model::{ids::SectionKey, registry::Registry, station::Station, time::Span, verdict::Length};
use store::{Journal, JournalReader};

use crate::{
    problem::Problem,
    query::compliance::{CompliancePage, ComplianceParameters, ComplianceQuery, CountyKey, Period},
    shell::{
        answer::{Json, store_problem},
        calls::verdicts::unreadable,
        parts::Parts,
    },
    view::{
        compliance::{ComplianceView, Counted, Judged, counties, days_of, judged, sections},
        verdict::rule_of,
    },
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
    let judged = all(&parts.journal, &registry, &period).await?;
    let view = match page {
        CompliancePage::Sections(after) => {
            let first = judged.partition_point(|row| after.as_ref().is_some_and(|a| row.key <= *a));
            let rest = judged.get(first..).unwrap_or_default();
            let shown = rest.get(..limit.min(rest.len())).unwrap_or_default();
            let has_more = rest.len() > shown.len();
            let counted = counted(&parts.journal, shown, &period).await?;
            let next = shown.last().filter(|_| has_more).map(|last| last.key.to_string());
            let sections = Some(sections(shown, &counted, &registry));
            ComplianceView { period: period.to_string(), sections, counties: None, next }
        }
        CompliancePage::Counties(after) => {
            let counted = counted(&parts.journal, &judged, &period).await?;
            by_county((&judged, &counted, &registry), &period, (after, limit))
        }
    };
    Ok(Json(view))
}

/// Every section that is judged, and every other of which a closed day of the time stands: whoever
/// goes out of service, or is called otherwise, takes no day along. By station and section.
async fn all<'a>(
    journal: &Journal,
    registry: &'a Registry,
    period: &Period,
) -> Result<Vec<Judged<'a>>, Problem> {
    let mut all = judged(registry, period);
    let known: BTreeSet<&SectionKey> = all.iter().map(|row| &row.key).collect();
    let keys = journal.read(JournalReader::section_keys).await;
    let keys = keys.map_err(|failure| store_problem(&failure))?;
    // a station that has data never leaves the registry
    let others = keys.into_iter().filter(|key| !known.contains(key)).filter_map(|key| {
        let station = registry.stations.get(&key.station)?;
        let days = days_of(station, period);
        Some((station, key, days))
    });
    let others: Vec<(&Station, SectionKey, Span)> = others.collect();
    for chunk in others.chunks(AT_ONCE) {
        let asked: Vec<_> = chunk.iter().map(|(_, key, days)| (key.clone(), *days)).collect();
        let last = journal.read(move |reader| {
            let last =
                asked.into_iter().map(|(key, days)| reader.last_closed(&key, Length::Day, days));
            last.collect::<Result<Vec<_>, _>>()
        });
        let last = last.await.map_err(|failure| store_problem(&failure))?;
        for ((station, key, _), last) in chunk.iter().zip(last) {
            let Some(row) = last else { continue };
            let rule = rule_of(&row).map_err(|failure| unreadable(&failure))?.unwrap_or_default();
            all.push(Judged::before(registry, (*station, key.clone()), &rule, period));
        }
    }
    all.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    Ok(all)
}

fn by_county(
    (judged, counted, registry): (&[Judged<'_>], &Counted, &Registry),
    period: &Period,
    (after, limit): (Option<CountyKey>, usize),
) -> ComplianceView {
    let mut rest = counties(judged, counted, registry);
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
