//! `GET /stations/{id}/verdicts`.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | large pages at work | 2 | more wait, within their seconds, in turn ([`crate::shell::turns`]), and keep no turn of small reads |
//! | months of a page | 120 | there is another page |

use std::sync::{Arc, LazyLock};

use axum::{
    Extension,
    extract::{Path, Query, State},
};
use model::{
    ids::SectionId,
    registry::Registry,
    station::Station,
    time::{Span, Timestamp},
    verdict::Length,
};
use store::VerdictsQuery;

use crate::{
    access::{Caller, Name},
    month::{self, Month},
    problem::Problem,
    query::verdicts::{Asked, MonthsQuery, VerdictCursor, VerdictsParameters},
    shell::{
        answer::{Json, store_problem},
        calls::stations::unknown,
        limits::Reading,
        parts::Parts,
        places::Room,
        turns::{Turn, Turns},
    },
    tally,
    view::verdict::{Unreadable, VerdictView, VerdictsView},
};

/// Pages of many verdicts that are made at the same time: each keeps a reader of the store busy.
pub(in crate::shell) static LARGE: LazyLock<Turns<Name>> =
    LazyLock::new(|| Turns::within(Room { all: 2, kept: 0 }));
/// Verdicts, beyond which a page is large.
const FEW: usize = 1_000;
/// Months of a page, whatever is asked for: of each its days are read.
const MONTHS: usize = 120;
/// Rows of days that such a page reads: a day may have several, where rules change within it or
/// periods were withdrawn, and no month has as many.
const DAYS: usize = 40 * MONTHS;

/// Hours, days or months of one section of a station: of each period the newest version, or all.
/// Hours and days are judged; months are counted from the days that begin in them.
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
    Extension(caller): Extension<Caller>,
    Extension(reading): Extension<Reading>,
    Path(id): Path<String>,
    Query(parameters): Query<VerdictsParameters>,
) -> Result<Json<VerdictsView>, Problem> {
    let registry = parts.registry();
    let station = registry.station(&id).ok_or_else(|| unknown(&id))?;
    let judged = sections_ever(&parts, station).await?;
    match parameters.of(station, &judged)? {
        Asked::Stored(query) => {
            let turn = if query.limit > FEW { large(&caller, &reading).await } else { None };
            stored(&parts, turn, query).await
        }
        Asked::Months(query) => {
            let turn = large(&caller, &reading).await;
            months(&parts, (&registry, station), turn, query).await
        }
    }
    .map(Json)
}

/// A turn for a large page; small ones do not wait for it.
async fn large(caller: &Caller, reading: &Reading) -> Option<Turn<Name>> {
    reading.end();
    LARGE.of(caller).await
}

/// The sections of a station of which anything was ever judged: also those that the registry calls
/// otherwise by now, or has no more.
async fn sections_ever(parts: &Parts, station: &Station) -> Result<Vec<SectionId>, Problem> {
    let id = station.id.clone();
    let read = parts.journal.read(move |reader| reader.sections_of(&id)).await;
    read.map_err(|failure| store_problem(&failure))
}

async fn stored(
    parts: &Parts,
    turn: Option<Turn<Name>>,
    query: VerdictsQuery,
) -> Result<VerdictsView, Problem> {
    let (limit, section, by) = (query.limit, query.section.clone(), query.by);
    // One more shows whether there is another page.
    let asked = VerdictsQuery { limit: limit.saturating_add(1), ..query };
    let station = section.station.clone();
    // what is read is read where it keeps nobody from being answered
    let page = parts.journal.read(move |reader| {
        let rows = reader.verdicts(&asked)?;
        let has_more = rows.len() > limit;
        let shown = rows.get(..limit.min(rows.len())).unwrap_or_default();
        let next = shown
            .last()
            .filter(|_| has_more)
            .map(|row| VerdictCursor { from: row.span.from, version: row.version }.to_string());
        let verdicts = shown.iter().map(|row| VerdictView::of(&section, row));
        let verdicts = verdicts.collect::<Result<_, Unreadable>>();
        drop(turn); // also of whoever has left meanwhile
        Ok(verdicts.map(|verdicts| (verdicts, next)))
    });
    let page = page.await.map_err(|failure| store_problem(&failure))?;
    let (verdicts, next) = page.map_err(|failure| unreadable(&failure))?;
    Ok(VerdictsView { station, by: by.word(), verdicts, next })
}

async fn months(
    parts: &Parts,
    (registry, station): (&Registry, &Station),
    turn: Option<Turn<Name>>,
    MonthsQuery { section, span, limit }: MonthsQuery,
) -> Result<VerdictsView, Problem> {
    let Span { from, to } = month::days_of(span, &station.zone);
    let query = VerdictsQuery {
        section: section.clone(),
        by: Length::Day,
        span: Span { from, to },
        all_versions: false,
        after: None,
        limit: DAYS,
    };
    let zone = station.zone.clone();
    // what is read is read where it keeps nobody from being answered
    let read = parts.journal.read(move |reader| {
        let closed = reader.closed_until(&query.section)?.unwrap_or(Timestamp::MIN);
        let rows = reader.verdicts(&query)?;
        // where the rows come to their bound, there may be more of the last month
        let cut = rows.last().filter(|_| rows.len() == DAYS).map(|row| row.span.from);
        let months = month::months(&rows, &zone);
        drop(turn);
        Ok(months.map(|months| (months, cut, closed)))
    });
    let read = read.await.map_err(|failure| store_problem(&failure))?;
    let (months, cut, closed) = read.map_err(|failure| unreadable(&failure))?;
    let whole = months.len().saturating_sub(usize::from(cut.is_some()));
    let shown = months.get(..limit.min(MONTHS).min(whole)).unwrap_or_default();
    let before_cut = || cut.map(|at| month::month_of(at, &station.zone).from.plus_ms(-1));
    let last = shown.last().map(|month| month.span.from).or_else(before_cut);
    let next = last.filter(|_| cut.is_some() || months.len() > shown.len());
    let next = next.map(|from| VerdictCursor { from, version: 0 }.to_string());
    let view = |month: &Month| {
        let end = station.zone.date_of(month.span.to);
        let rule = tally::rule_of(registry, station, &section.section, end);
        VerdictView::of_month(&section.section, month, rule, closed)
    };
    let verdicts = shown.iter().map(view).collect();
    Ok(VerdictsView { station: section.station.clone(), by: "month", verdicts, next })
}

/// Of a row that says nothing that can be shown.
pub(super) fn unreadable(failure: &Unreadable) -> Problem {
    tracing::warn!(error = %failure, "cannot read a verdict");
    Problem::of_status(500, "a stored verdict cannot be read; run baseflow verify")
}
