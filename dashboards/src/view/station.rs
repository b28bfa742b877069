//! A station as the API shows it: what the registry says, and the newest sample of each gauge.

use std::collections::BTreeMap;

use model::{
    contact::Personal,
    ids::{AgentId, GaugeName, OutletId, SectionId, SectionKey, StationId},
    outlet::{Outlet, OutletFlow},
    river::Course,
    standing::Standing,
    station::{Gauge, Station, StationStatus},
    time::Timestamp,
};
use serde::Serialize;
use store::StoredSample;
use utoipa::ToSchema;

use super::{
    sample::SampleView,
    standing::{StandingView, TodayView},
};
use crate::{access::Role, number::Exact, tally};

/// Facts of a station. Its first section's `released` and `required` stand at the top as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Station)]
pub struct StationView {
    /// Its id.
    #[schema(value_type = String, example = "BF-620721-04")]
    pub id: StationId,
    /// What people call it.
    pub name: String,
    /// `hydropower`, `air`, `dust`, `surface_water`, `groundwater`, `drinking_water` or `soil`.
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// `retained`, `rectifying` or `exited`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// The county's six-digit code.
    pub county: Option<String>,
    /// The river.
    pub river: Option<String>,
    /// Its place along the river, growing from source to mouth.
    pub river_order: Option<u32>,
    /// The next stations upstream, by id: more than one below where rivers come together.
    #[schema(value_type = Vec<String>)]
    pub upstream: Vec<StationId>,
    /// The next station downstream, be it on a river further on; null where there is none, and where
    /// nobody knows the place of this one.
    #[schema(value_type = Option<String>)]
    pub downstream: Option<StationId>,
    /// Degrees east and north, WGS 84 or CGCS2000.
    #[schema(value_type = Option<[f64; 2]>)]
    pub location: Option<[Exact; 2]>,
    /// The only agent that may speak for it.
    #[schema(value_type = Option<String>)]
    pub agent: Option<AgentId>,
    /// Who runs it; null for a token of the role `viewer`.
    pub owner: Option<String>,
    /// The owner's telephone; null for a token of the role `viewer`.
    pub phone: Option<String>,
    /// What the registers of `mwr`, `nea` and `mee` call it.
    #[schema(value_type = BTreeMap<String, String>)]
    pub codes: BTreeMap<&'static str, String>,
    /// The zone in which its days begin and end.
    #[schema(example = "Asia/Shanghai")]
    pub zone: String,
    /// `ok`, `near`, `breach`, `exempt`, `stale` or `out_of_service`: the gravest of its sections';
    /// null where none of them is judged.
    #[schema(value_type = Option<String>)]
    pub state: Option<&'static str>,
    /// Of the first section; null without sections, and where it is not derived.
    pub released: Option<ReleasedView>,
    /// Of the first section; null without a mandate in force today.
    pub required: Option<RequiredView>,
    /// Of the first section, as it says it.
    #[schema(value_type = Option<f64>, example = 0.765)]
    pub share: Option<Exact>,
    /// Its river reaches: `dam` first, the others by id.
    pub sections: Vec<SectionView>,
    /// Its gauges by id; missing in a list of stations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gauges: Option<Vec<GaugeView>>,
}

/// What a section releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Released)]
pub struct ReleasedView {
    /// In m³/s.
    #[schema(value_type = f64)]
    pub value: Exact,
    /// The newest moment that it comes of.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `good`; `estimated` where an outlet's value is older than its interval.
    pub quality: String,
    /// `lower` where an outlet is missing, so that at least this much was released; else null.
    pub bound: Option<String>,
}

/// What a section owes today, by the station's zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Required)]
pub struct RequiredView {
    /// In m³/s.
    #[schema(value_type = f64, example = 0.75)]
    pub value: Exact,
    /// The document that demands it.
    pub document: String,
}

/// A river reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Section)]
pub struct SectionView {
    /// `dam`, `tail` or another.
    #[schema(value_type = String, example = "dam")]
    pub id: SectionId,
    /// How it stands, by what came last: `ok` (enough is released), `near` (enough, and little
    /// more), `breach` (less), `stale` (too little is known), `exempt`, `out_of_service`; null
    /// where it is not judged.
    #[schema(value_type = Option<String>)]
    pub state: Option<&'static str>,
    /// Since when it stands so.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// What it lets out, as of the newest data; null where it is not derived.
    pub released: Option<ReleasedView>,
    /// Null without a mandate in force today.
    pub required: Option<RequiredView>,
    /// What is released of what is required, truncated to four decimals; null where either is.
    #[schema(value_type = Option<f64>, example = 0.765)]
    pub share: Option<Exact>,
    /// The day of its rule that runs, so far; null where nothing is said of it yet.
    pub today: Option<TodayView>,
    /// The ways by which water reaches it today, by id.
    pub outlets: Vec<OutletView>,
}

/// A way water leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Outlet)]
pub struct OutletView {
    /// Its id.
    #[schema(value_type = String, example = "pipe")]
    pub id: OutletId,
    /// The formula that computes its flow; null where a gauge measures it.
    #[schema(value_type = Option<String>)]
    pub formula: Option<&'static str>,
    /// The gauges from which its flow is known.
    #[schema(value_type = Vec<String>)]
    pub gauges: Vec<GaugeName>,
}

/// A gauge with its newest sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Gauge)]
pub struct GaugeView {
    /// Its name within the station.
    #[schema(value_type = String, example = "release-meter")]
    pub id: GaugeName,
    /// What it measures.
    #[schema(value_type = String, example = "flow")]
    pub quantity: &'static str,
    /// The unit of its values.
    #[schema(value_type = String, example = "m3/s")]
    pub unit: &'static str,
    /// How many decimals pages show; values here have as many as are stored.
    pub decimals: u8,
    /// How often a value is expected, in milliseconds.
    pub interval_ms: i64,
    /// The lowest and the highest value that it can reach.
    #[schema(value_type = Option<[f64; 2]>)]
    pub range: Option<[Exact; 2]>,
    /// Its newest sample, defects too; null where nothing is stored.
    pub latest: Option<SampleView>,
}

/// How sections stand, those of which anything is known.
pub type Standings = BTreeMap<SectionKey, (Standing, StandingView)>;

/// The newest sample of each gauge that has any.
pub type Latest = BTreeMap<GaugeName, StoredSample>;

impl StationView {
    /// A station as `role` may see it at `now`, without its gauges.
    pub fn of(
        station: &Station,
        role: Role,
        (standings, course): (&Standings, &Course),
        now: Timestamp,
    ) -> Self {
        let personal = |text: &Option<Personal>| {
            text.as_ref().filter(|_| role.sees_personal_data()).map(|text| text.as_str().to_owned())
        };
        let sections = sections(station, standings, now);
        let state = |id: &SectionId| standings.get(&key(station, id)).map(|(state, _)| *state);
        let gravest = station.sections().into_iter().filter_map(state).min();
        let is_exited = station.status == StationStatus::Exited;
        let state = if is_exited { Some(Standing::OutOfService) } else { gravest };
        let codes = station.codes.iter().map(|(scheme, code)| (scheme.word(), code.clone()));
        Self {
            id: station.id.clone(),
            name: station.name.clone(),
            kind: station.kind.word(),
            status: station.status.word(),
            county: station.county.as_ref().map(ToString::to_string),
            river: station.river.clone(),
            river_order: station.river_order,
            upstream: course.above(&station.id).to_vec(),
            downstream: course.below(&station.id).cloned(),
            location: station
                .location
                .map(|place| [Exact::new(place.longitude), Exact::new(place.latitude)]),
            agent: station.agent.clone(),
            owner: personal(&station.owner),
            phone: personal(&station.phone),
            codes: codes.collect(),
            zone: station.zone.name().to_owned(),
            state: state.map(Standing::word),
            released: sections.first().and_then(|section| section.released.clone()),
            required: sections.first().and_then(|section| section.required.clone()),
            share: sections.first().and_then(|section| section.share),
            sections,
            gauges: None,
        }
    }

    /// The same with the gauges of `station` and their newest samples.
    #[must_use]
    pub fn with_gauges(self, station: &Station, latest: &Latest) -> Self {
        let gauges = station.gauges.values();
        let gauges = gauges.map(|gauge| GaugeView::of(gauge, latest.get(&gauge.name)));
        Self { gauges: Some(gauges.collect()), ..self }
    }
}

/// The section that stands first wherever a station has it.
const FIRST_SECTION: &str = "dam";

/// A station's sections in the order in which they are shown.
pub fn sections_of(station: &Station) -> Vec<&SectionId> {
    let mut ids: Vec<_> = station.sections().into_iter().collect();
    ids.sort_by_key(|id| id.as_str() != FIRST_SECTION); // stable: the others stay by id
    ids
}

fn key(station: &Station, section: &SectionId) -> SectionKey {
    SectionKey { station: station.id.clone(), section: section.clone() }
}

fn sections(station: &Station, standings: &Standings, now: Timestamp) -> Vec<SectionView> {
    let today = station.zone.date_of(now);
    let ids = sections_of(station);
    let section = |id: &SectionId| {
        let stands = standings.get(&key(station, id)).map(|(_, stands)| stands);
        let released = stands.and_then(|stands| stands.released.clone());
        let required = RequiredView::of(station, id, now);
        SectionView {
            id: id.clone(),
            state: stands.map(|stands| stands.state),
            since: stands.map(|stands| stands.since),
            share: share(released.as_ref(), required.as_ref()),
            released,
            required,
            today: stands.and_then(|stands| stands.today.clone()),
            outlets: station.outlets_at(id, today).map(OutletView::of).collect(),
        }
    };
    ids.into_iter().map(section).collect()
}

/// What is released of what is required, as numbers that are shown beside each other.
pub fn share(released: Option<&ReleasedView>, required: Option<&RequiredView>) -> Option<Exact> {
    let (part, whole) = (released?.value.decimal(), required?.value.decimal());
    tally::share(part, whole)
}

impl RequiredView {
    /// What `section` owes on the day of `now`; `None` without a mandate in force.
    pub fn of(station: &Station, section: &SectionId, now: Timestamp) -> Option<Self> {
        let today = station.zone.date_of(now);
        let mandate = station.mandate_at(section, today)?;
        let value = Exact::new(mandate.seasons.flow_on(today).decimal());
        Some(Self { value, document: mandate.document.clone() })
    }
}

impl OutletView {
    fn of(outlet: &Outlet) -> Self {
        let formula = match &outlet.flow {
            OutletFlow::Gauge(_) => None,
            OutletFlow::Formula(formula) => Some(formula.kind.word()),
        };
        Self {
            id: outlet.id.clone(),
            formula,
            gauges: outlet.gauges().into_iter().cloned().collect(),
        }
    }
}

impl GaugeView {
    fn of(gauge: &Gauge, latest: Option<&StoredSample>) -> Self {
        let exact = |units| Exact::new(gauge.resolution.decimal(units));
        Self {
            id: gauge.name.clone(),
            quantity: gauge.quantity.name(),
            unit: gauge.unit.name(),
            decimals: gauge.decimals,
            interval_ms: gauge.interval_ms,
            range: gauge.range.map(|range| [exact(range.low), exact(range.high)]),
            latest: latest.map(|stored| SampleView::of(&stored.of_gauge(Some(gauge)))),
        }
    }
}

/// A page of stations by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Stations)]
pub struct StationsView {
    /// The stations.
    pub stations: Vec<StationView>,
    /// `cursor` of the next page; null at the end.
    #[schema(required = true)]
    pub next: Option<String>,
}
