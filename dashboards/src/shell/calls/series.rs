//! `GET /stations/{id}/series`.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | series at work | 2 | more wait, within their seconds, in turn ([`crate::shell::turns`]) |
//! | stored columns that are looked for in one | 1,000,000 | 400 |
//! | samples in them | 20,000,000 | 400 |
//! | samples of one source in memory | 32,768 | they are made into buckets, and forgotten |

use std::sync::{Arc, LazyLock};

use axum::{
    Extension,
    extract::{Path, Query, State},
};
use model::{
    ids::{AgentId, GaugeId, SectionKey},
    registry::Registry,
    sample::Sample,
    section::Section,
    station::{Station, StationStatus, ValueRange},
    time::{Span, Timestamp},
};
use store::{Absence, Cursor, GapRow, Page, SamplesQuery, SamplesReader, StoreError, StoredSample};

use crate::{
    access::{Caller, Name},
    problem::{Fault, Problem},
    query::series::{RELEASED, SeriesParameters, What},
    series::{
        Series, Source, Subject,
        cause::{Causes, OfAgent},
        demand::{Demanded, demands},
        grid::Grid,
    },
    shell::{
        answer::{Json, store_problem},
        calls::stations::unknown,
        parts::Parts,
        places::Room,
        turns::{Turn, Turns},
    },
    view::series::{Head, SeriesView},
};

/// Where it stands.
pub(crate) const PATH: &str = "/api/v1/stations/{id}/series";
/// Series that are made at the same time: each keeps a reader of the store busy.
static TURNS: LazyLock<Turns<Name>> = LazyLock::new(|| Turns::within(Room { all: 2, kept: 0 }));
/// Samples of a source that are read together.
const PAGE: usize = 32_768;
/// How long before an agent's last batch came its last reading may be, at least.
const OPEN_MS: i64 = 60_000;
const MAX_SPANS: u64 = 1_000_000;
const MAX_POINTS: u64 = 20_000_000;
/// Decimals of a flow in m³/s, as what is released is counted.
const FLOW_DECIMALS: u8 = 6;

/// What stood over time, for a chart: buckets of a fixed step, what is missing and why, and of
/// `released` what is mandated and where it was not reached.
#[utoipa::path(
    get,
    path = "/api/v1/stations/{id}/series",
    operation_id = "get_series",
    tag = "samples",
    params(
        ("id" = String, Path, description = "The station's id.", example = "BF-620721-04"),
        SeriesParameters,
    ),
    responses(
        (status = 200, description = "The series.", body = SeriesView),
        (status = 404, description = "The registry has no such station."),
    ),
)]
pub(crate) async fn one(
    State(parts): State<Arc<Parts>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(parameters): Query<SeriesParameters>,
) -> Result<Json<SeriesView>, Problem> {
    let registry = parts.registry();
    let station = registry.station(&id).ok_or_else(|| unknown(&id))?;
    let now = parts.clock.now();
    let query = parameters.of(station, now)?;
    let grid = Grid::of(query.span, query.points, &station.zone, now);
    let drawing = match query.what {
        What::Gauge(name) => {
            Drawing::of_gauge(station, &GaugeId { station: station.id.clone(), name })?
        }
        What::Released(section) => {
            let key = SectionKey { station: station.id.clone(), section };
            Drawing::of_section(&registry, station, &key, grid.span())?
        }
    };
    // whoever leaves gives it back when what was being read for him has been read
    let turn = Arc::new(TURNS.of(&caller).await);
    let known = known(&parts, station, (&drawing, grid.span()), &turn).await?;
    let interval_ms = drawing.sources.iter().map(|source| source.interval_ms).max().unwrap_or(1);
    let causes = Causes::new(interval_ms, known.begun, known.of_agent);
    let subject = match drawing.head.section {
        None => Subject::Gauge,
        Some(_) => Subject::Released(drawing.demands.clone()),
    };
    let mut series = Series::new(subject, drawing.sources.clone(), causes, grid);
    fill(&parts, &drawing, (&mut series, known.position), &turn).await?;
    Ok(Json(SeriesView::of(drawing.head, &drawing.demands, &series.finish())))
}

type HeldTurn = Arc<Option<Turn<Name>>>;

/// What is to be drawn, and of which gauges.
struct Drawing {
    head: Head,
    gauges: Vec<GaugeId>,
    sources: Vec<Source>,
    /// What each of them can reach, in the resolution of the series.
    ranges: Vec<Option<ValueRange>>,
    demands: Vec<Demanded>,
}

impl Drawing {
    fn of_gauge(station: &Station, id: &GaugeId) -> Result<Self, Problem> {
        let gauge = station.gauges.get(&id.name).ok_or_else(Problem::internal)?;
        let in_force = Span { from: Timestamp::MIN, to: Timestamp::MAX };
        let head = Head {
            station: station.id.clone(),
            gauge: id.name.to_string(),
            section: None,
            unit: gauge.unit.name(),
            decimals: gauge.decimals,
            stored: gauge.resolution.decimals,
        };
        let sources = vec![Source { interval_ms: gauge.interval_ms, in_force }];
        let (gauges, ranges) = (vec![id.clone()], vec![gauge.range]);
        Ok(Self { head, gauges, sources, ranges, demands: Vec::new() })
    }

    fn of_section(
        registry: &Registry,
        station: &Station,
        key: &SectionKey,
        span: Span,
    ) -> Result<Self, Problem> {
        let section = Section::of(registry, key).ok_or_else(|| {
            let problem = match station.status {
                StationStatus::Exited => "the station is out of service; ask for one of its gauges",
                StationStatus::Retained | StationStatus::Rectifying => {
                    "what a formula makes of gauges is not derived yet; ask for one of the gauges"
                }
            };
            refused("gauge", problem.to_owned())
        })?;
        let of_source = |source: &model::section::Source<'_>| GaugeId {
            station: station.id.clone(),
            name: source.gauge.clone(),
        };
        let sources = section.sources();
        let gauges: Vec<GaugeId> = sources.iter().map(of_source).collect();
        let decimals = sources.iter().filter_map(|source| station.gauges.get(source.gauge));
        let head = Head {
            station: station.id.clone(),
            gauge: RELEASED.to_owned(),
            section: Some(key.section.clone()),
            unit: "m3/s",
            decimals: decimals.map(|gauge| gauge.decimals).max().unwrap_or(3),
            stored: FLOW_DECIMALS,
        };
        let ranges = sources.iter().map(|source| source.range).collect();
        let sources = sources
            .iter()
            .map(|source| Source { interval_ms: source.interval_ms, in_force: source.in_force });
        let sources = sources.collect();
        Ok(Self { head, gauges, sources, ranges, demands: demands(&section, span) })
    }

    /// A sample of a source in the resolution of the series, with what its range says of it. A flow
    /// is stored in ml/s whatever its unit; of another gauge the decimals only grow.
    fn sample(&self, source: usize, stored: &StoredSample) -> Sample {
        let range = self.ranges.get(source).copied().flatten();
        if self.head.section.is_some() {
            return stored.sample.within(range);
        }
        let value = stored.decimal().and_then(|value| value.rescaled(self.head.stored));
        Sample { value, ..stored.sample }.within(range)
    }
}

/// What is known beside the samples.
struct Known {
    position: i64,
    /// When the first sample of these gauges was.
    begun: Timestamp,
    of_agent: OfAgent,
}

async fn known(
    parts: &Parts,
    station: &Station,
    (drawing, span): (&Drawing, Span),
    turn: &HeldTurn,
) -> Result<Known, Problem> {
    let turn = Arc::clone(turn);
    let (gauges, agent, id) = (drawing.gauges.clone(), station.agent.clone(), station.id.clone());
    let read = parts.samples.read(move |reader| {
        let (mut spans, mut points) = (0_u64, 0_u64);
        for gauge in &gauges {
            let weight = reader.weight(gauge, span, MAX_SPANS + 1)?;
            spans = spans.saturating_add(weight.spans);
            points = points.saturating_add(weight.points);
        }
        let is_of_these = |row: &GapRow| row.gap.gauges.iter().any(|gauge| gauges.contains(gauge));
        let lost = reader.gaps(&id, span)?.into_iter().filter(is_of_these).map(|row| {
            let [from, to] = [row.gap.from_ms, row.gap.to_ms].map(Timestamp::clamped);
            (Span { from, to }, row.gap.reason)
        });
        let lost = lost.collect();
        let of_agent = OfAgent { lost, ..of_agent(reader, agent.as_ref(), &gauges)? };
        let position = reader.feed_head()?;
        let begun = reader.first_of(&gauges, Timestamp::MIN)?;
        drop(turn);
        Ok((spans, points, Known { position, begun, of_agent }))
    });
    let (spans, points, known) = read.await.map_err(|failure| store_problem(&failure))?;
    if spans > MAX_SPANS || points > MAX_POINTS {
        let much = "there are more samples in this time than a series is made of at once";
        return Err(refused("from", format!("{much}; ask for less time")));
    }
    Ok(known)
}

/// What is known of what the agent of these gauges did not send.
fn of_agent(
    reader: &SamplesReader,
    agent: Option<&AgentId>,
    gauges: &[GaugeId],
) -> Result<OfAgent, StoreError> {
    let absence = agent.map(|agent| reader.absence(agent)).transpose()?.flatten();
    let Some(Absence { queued_from, whole, offline_from }) = absence else {
        return Ok(OfAgent::default());
    };
    let mut newest: Option<(Timestamp, Timestamp)> = None;
    for gauge in gauges {
        let at = reader.gauge(gauge)?.and_then(|facts| facts.newest).unwrap_or(Timestamp::MIN);
        newest = Some(newest.map_or((at, at), |(least, most)| (least.min(at), most.max(at))));
    }
    let (least, most) = newest.unwrap_or((Timestamp::MIN, Timestamp::MIN));
    // batches are made in order: of what is later than the newest one nothing is known
    let until = |span: Span| Span { to: span.to.min(least), ..span };
    let whole = whole.into_iter().map(until).filter(|span| span.from < span.to).collect();
    // what was read after the last batch was closed is in the next one
    let offline_from =
        offline_from.map_or(Timestamp::MAX, |last| last.min(most.max(last.plus_ms(-OPEN_MS))));
    Ok(OfAgent { queued_from, whole, offline_from, ..OfAgent::default() })
}

/// Reads page by page, each in a snapshot of its own, as the store was at `position`.
async fn fill(
    parts: &Parts,
    drawing: &Drawing,
    (series, position): (&mut Series, i64),
    turn: &HeldTurn,
) -> Result<(), Problem> {
    let mut cursors: Vec<Option<Cursor>> = vec![None; drawing.gauges.len()];
    while let Some(number) = series.wants() {
        let gauge = drawing.gauges.get(number).cloned();
        let (Some(gauge), Some(span)) = (gauge, series.needed(number)) else { break };
        let known = cursors.get(number).copied().flatten();
        let cursor = known.unwrap_or_else(|| Cursor::as_of(position, span.from));
        let Span { from, to } = span;
        let query = SamplesQuery { gauge, from, to, cursor: Some(cursor), limit: PAGE };
        let turn = Arc::clone(turn);
        let read = move |reader: &SamplesReader| -> Result<Page, StoreError> {
            let page = reader.samples(&query);
            drop(turn);
            page
        };
        let page = parts.samples.read(read).await.map_err(|failure| store_problem(&failure))?;
        let samples: Vec<Sample> =
            page.samples.iter().map(|stored| drawing.sample(number, stored)).collect();
        series.take(number, &samples, page.next.map_or(span.to, |next| next.at()));
        if let Some(cursor) = cursors.get_mut(number) {
            *cursor = page.next;
        }
    }
    Ok(())
}

fn refused(key: &str, problem: String) -> Problem {
    Problem::bad_parameters(vec![Fault { key: key.to_owned(), problem }])
}
