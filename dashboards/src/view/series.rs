//! A series as the API shows it: columns, as programs that draw charts take them.

use std::borrow::Cow;

use model::{
    ids::{SectionId, StationId},
    quantity::Decimal,
    time::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    number::Exact,
    series::{
        chart::{Breach, Bucket, Finished, Gap},
        demand::Demanded,
    },
};

/// What stood over time. Bucket `n` begins at `from` + `n` · `step_ms` and is as long as that; the
/// last one ends at `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Series)]
pub struct SeriesView {
    /// The station.
    #[schema(value_type = String, example = "BF-620721-04")]
    pub station: StationId,
    /// The gauge, or `released`.
    #[schema(example = "released")]
    pub gauge: String,
    /// The section of `released`; null for a gauge.
    #[schema(value_type = Option<String>, example = "dam")]
    pub section: Option<SectionId>,
    /// The unit of every value.
    #[schema(value_type = String, example = "m3/s")]
    pub unit: &'static str,
    /// How many decimals pages show; values here have as many as are stored.
    pub decimals: u8,
    /// Where the first bucket begins: at the first moment that was asked for, or less than a bucket
    /// before.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Where the last bucket ends: at the last moment that was asked for, or less than a bucket
    /// after; the server's clock at the latest.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// How long a bucket is.
    pub step_ms: i64,
    /// What stood through each bucket.
    pub buckets: BucketsView,
    /// Stretches through which nothing stands, in order: the 1,000 longest of them.
    pub gaps: Vec<GapView>,
    /// How many shorter ones are not among them; `held_ms` counts them all the same.
    pub gaps_left_off: u64,
    /// What has to be released, step by step; empty for a gauge, and where nothing is mandated.
    pub required: Vec<StepView>,
    /// Decisions that excuse a time; there are none yet.
    #[schema(value_type = Vec<Object>)]
    pub exemptions: [(); 0],
    /// Stretches through which less is released than is enough while every outlet's value stands,
    /// in order: the 1,000 longest of them. What a period is its verdict says.
    pub breaches: Vec<BreachView>,
    /// How many shorter ones are not among them.
    pub breaches_left_off: u64,
}

/// Columns with one item for each bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SeriesBuckets)]
pub struct BucketsView {
    /// The least that stood; null where nothing did.
    #[schema(value_type = Vec<Option<f64>>)]
    pub min: Vec<Option<Exact>>,
    /// The mean over the time in which something stood, as it was measured, rounded down.
    #[schema(value_type = Vec<Option<f64>>)]
    pub mean: Vec<Option<Exact>>,
    /// The mean of what a verdict counts of that, rounded down: of `released`, a value older than
    /// its interval fills up to what is enough and no further, and beside a fresh one shows nothing in a
    /// bucket in which an outlet is missing for a time. Null where it is all of it.
    #[schema(value_type = Vec<Option<f64>>)]
    pub credited: Vec<Option<Exact>>,
    /// The most that stood.
    #[schema(value_type = Vec<Option<f64>>)]
    pub max: Vec<Option<Exact>>,
    /// For how long something stood, in milliseconds; the rest of the bucket is gaps.
    pub held_ms: Vec<i64>,
    /// For how long every outlet's value did; where that is less than `held_ms`, the values are
    /// lower bounds.
    pub whole_ms: Vec<i64>,
    /// For how long every value was fresh, which is what the coverage of a verdict counts.
    pub covered_ms: Vec<i64>,
    /// Samples whose value counts for nothing, such as one out of the gauge's range.
    pub doubted: Vec<u32>,
}

/// A stretch through which nothing stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SeriesGap)]
pub struct GapView {
    /// Its first moment.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The moment after it.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// `defect`: samples came and are not good; `lost`: the agent says so; `queued`: it has
    /// readings that have not come yet; `unread`: all that it made has come, and it made none here,
    /// since it was off or did not ask; `offline`: it is, and nothing has come since; `before`:
    /// nothing had ever come, so nothing is missing; `unknown`: nothing is known.
    #[schema(value_type = String)]
    pub because: &'static str,
    /// The word of the defect (`timeout`, `range` …) or of the loss (`overwritten`, `disk_full` …).
    #[schema(value_type = Option<String>, required = true)]
    pub reason: Option<Cow<'static, str>>,
}

/// What has to be released through a stretch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SeriesStep)]
pub struct StepView {
    /// Its first moment.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The moment after it.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// In m³/s.
    #[schema(value_type = f64, example = 0.75)]
    pub value: Exact,
    /// What of it is enough by the rule's factor, m³/s, rounded up to a whole ml/s: what is less is
    /// a breach.
    #[schema(value_type = f64, example = 0.75)]
    pub enough: Exact,
    /// The document that demands it.
    pub document: String,
    /// The rule that judges it.
    pub rule: String,
}

/// A stretch through which less is released than is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SeriesBreach)]
pub struct BreachView {
    /// Its first moment.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The moment after it.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// The least that was released, m³/s.
    #[schema(value_type = f64)]
    pub lowest: Exact,
    /// What was missing, m³.
    #[schema(value_type = Option<f64>)]
    pub deficit_m3: Option<Exact>,
}

/// What a series is of, and how its values are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The station.
    pub station: StationId,
    /// The gauge, or `released`.
    pub gauge: String,
    /// The section of `released`.
    pub section: Option<SectionId>,
    /// The unit.
    pub unit: &'static str,
    /// How many decimals pages show.
    pub decimals: u8,
    /// In how many its values are counted.
    pub stored: u8,
}

impl SeriesView {
    /// A finished series.
    pub fn of(head: Head, demands: &[Demanded], finished: &Finished) -> Self {
        let Head { station, gauge, section, unit, decimals, stored } = head;
        let exact = |units| Exact::new(Decimal { units, decimals: stored });
        let Finished { grid, buckets, gaps, gaps_left_off, breaches, breaches_left_off } = finished;
        Self {
            station,
            gauge,
            section,
            unit,
            decimals,
            from: grid.from,
            to: grid.to,
            step_ms: grid.step_ms,
            buckets: BucketsView::of(buckets, exact),
            gaps: gaps.iter().map(GapView::of).collect(),
            gaps_left_off: *gaps_left_off,
            required: demands.iter().filter_map(StepView::of).collect(),
            exemptions: [],
            breaches: breaches.iter().map(|breach| BreachView::of(breach, exact)).collect(),
            breaches_left_off: *breaches_left_off,
        }
    }
}

impl BucketsView {
    fn of(buckets: &[Bucket], exact: impl Fn(i64) -> Exact) -> Self {
        let mut columns = Self::default();
        for bucket in buckets {
            columns.min.push(bucket.range.map(|(least, _)| exact(least)));
            columns.mean.push(bucket.mean().map(&exact));
            columns.credited.push(bucket.credited().map(&exact));
            columns.max.push(bucket.range.map(|(_, most)| exact(most)));
            columns.held_ms.push(bucket.held_ms);
            columns.whole_ms.push(bucket.whole_ms);
            columns.covered_ms.push(bucket.covered_ms);
            columns.doubted.push(bucket.doubted);
        }
        columns
    }
}

impl GapView {
    fn of(gap: &Gap) -> Self {
        let (because, reason) = gap.cause.words();
        let [from, to] = [gap.from_ms, gap.to_ms].map(Timestamp::clamped);
        Self { from, to, because, reason }
    }
}

impl StepView {
    fn of(demanded: &Demanded) -> Option<Self> {
        let demand = demanded.demand.as_ref()?;
        Some(Self {
            from: demanded.span.from,
            to: demanded.span.to,
            value: Exact::new(demand.required.decimal()),
            enough: Exact::new(demand.enough().decimal()),
            document: demand.document.clone(),
            rule: demand.rule.clone(),
        })
    }
}

impl BreachView {
    fn of(breach: &Breach, exact: impl Fn(i64) -> Exact) -> Self {
        let [from, to] = [breach.from_ms, breach.to_ms].map(Timestamp::clamped);
        let deficit_m3 = breach.deficit_m3().map(Exact::new);
        Self { from, to, lowest: exact(breach.lowest), deficit_m3 }
    }
}
