//! Facts that are told live, and the shape of an event.

use std::{borrow::Cow, collections::BTreeMap};

use model::{
    alarm::AlarmState,
    ids::{GaugeId, SectionId, SectionKey, StationId},
    registry::Registry,
    standing::Standing,
    station::StationStatus,
    time::Timestamp,
    verdict::Verdict,
};
use serde::Serialize;
use store::StoredSample;
use utoipa::ToSchema;

use super::{
    alarm::AlarmView,
    sample::SampleView,
    standing::{StandingView, TodayView},
    station::{self, ReleasedView, RequiredView},
};
use crate::{number::Exact, tally};

/// How a section stands, as a station shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LiveSection)]
pub struct LiveSectionView {
    /// The station.
    #[schema(value_type = String, example = "BF-620721-04")]
    pub station: StationId,
    /// The river reach.
    #[schema(value_type = String, example = "dam")]
    pub section: SectionId,
    /// `ok`, `near`, `breach`, `exempt`, `stale` or `out_of_service`.
    #[schema(value_type = String)]
    pub state: &'static str,
    /// Since when it stands so.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// What it lets out, as of the newest data; null where it is not derived.
    pub released: Option<ReleasedView>,
    /// Null without a mandate in force today.
    pub required: Option<RequiredView>,
    /// What is released of what is required, truncated to four decimals; null where either is.
    #[schema(value_type = Option<f64>, example = 0.765)]
    pub share: Option<Exact>,
    /// The day of its rule that runs, so far; null where nothing is said of it yet.
    pub today: Option<TodayView>,
}

/// The newest sample of a gauge, a defect too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LiveGauge)]
pub struct LiveGaugeView {
    /// Its full name.
    #[schema(value_type = String, example = "BF-620721-04/release-meter")]
    pub gauge: GaugeId,
    /// The meter's moment, in UTC.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The exact value in the gauge's unit; null where there is none, which is not zero.
    #[schema(value_type = Option<f64>, required = true)]
    pub value: Option<Exact>,
    /// `good`, `suspect`, `bad` or `estimated`.
    #[schema(value_type = String)]
    pub quality: &'static str,
    /// Why it is not good, where there is a word for it; otherwise missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reason: Option<Cow<'static, str>>,
}

/// How many are what. A word that none is of is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LiveCounts)]
pub struct LiveCountsView {
    /// Stations, each as the gravest of its sections stands.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub stations: BTreeMap<&'static str, u32>,
    /// Sections by how they stand.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub sections: BTreeMap<&'static str, u32>,
    /// Sections by what their day would be, were it over now.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub today: BTreeMap<String, u32>,
    /// Alarms that are not over, by their state.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub alarms: BTreeMap<&'static str, u32>,
    /// How many of the latest 1,024 of them have reached nobody, as `reached_nobody` of an alarm says.
    pub reached_nobody: u32,
    /// Of the sections whose day would be met or short, were it over now, those whose would be met.
    pub met_today: LiveRateView,
    /// Of the sections that are in service, those that are not silent.
    pub running: LiveRateView,
}

/// A part of a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LiveRate)]
pub struct LiveRateView {
    /// How many.
    pub part: u32,
    /// Of how many.
    pub whole: u32,
    /// Truncated to four decimals; null of nothing.
    #[schema(value_type = Option<f64>, required = true, example = 0.8571)]
    pub rate: Option<Exact>,
}

impl LiveRateView {
    fn of(part: u32, whole: u32) -> Self {
        Self { part, whole, rate: tally::rate(part, whole) }
    }
}

/// Which registry is in force: when it is another one, stations are to be asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LiveRegistry)]
pub struct LiveRegistryView {
    /// The journal's entry that holds it; 0: none.
    pub entry: i64,
}

/// The data of every event. A `snapshot` has all that is; a `delta` what is other than before,
/// whatever else is missing; a `beat` says that nothing is, as of `at`.
#[derive(Debug, ToSchema)]
#[schema(as = LiveEvent)]
#[expect(dead_code, reason = "it describes what events are written as")]
pub struct LiveEventView {
    /// Everything up to this position of the feed of samples is in it.
    position: i64,
    /// When the server looked.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Which registry is in force.
    #[schema(value_type = Option<LiveRegistryView>)]
    registry: Option<LiveRegistryView>,
    /// How many are what.
    counts: Option<LiveCountsView>,
    /// Sections that stand otherwise; each replaces what was told of it.
    sections: Option<Vec<LiveSectionView>>,
    /// Sections of which nothing is said any more, as `STATION/SECTION`.
    sections_gone: Option<Vec<String>>,
    /// Alarms that are not over, the latest 1,024; each replaces what was told of it.
    alarms: Option<Vec<AlarmView>>,
    /// Ids of alarms that are over, or have had to make room for later ones.
    alarms_gone: Option<Vec<String>>,
    /// Newest samples of gauges of the stations that were asked for.
    gauges: Option<Vec<LiveGaugeView>>,
    /// Gauges that the registry has no more, by their full names.
    gauges_gone: Option<Vec<String>>,
}

impl LiveSectionView {
    /// A section that stands so, by the registry in force at `now`.
    pub fn of(
        key: &SectionKey,
        stands: &StandingView,
        registry: &Registry,
        now: Timestamp,
    ) -> Self {
        let station = registry.stations.get(&key.station);
        let required = station.and_then(|station| RequiredView::of(station, &key.section, now));
        Self {
            station: key.station.clone(),
            section: key.section.clone(),
            state: stands.state,
            since: stands.since,
            share: station::share(stands.released.as_ref(), required.as_ref()),
            released: stands.released.clone(),
            required,
            today: stands.today.clone(),
        }
    }
}

impl LiveGaugeView {
    /// The newest sample of a gauge.
    pub fn of(gauge: &GaugeId, latest: &StoredSample) -> Self {
        let SampleView { at, value, quality, reason } = SampleView::of(latest);
        Self { gauge: gauge.clone(), at, value, quality, reason }
    }
}

impl LiveCountsView {
    /// The same with so many alarms that have reached nobody.
    #[must_use]
    pub fn with_unheard(self, count: usize) -> Self {
        Self { reached_nobody: u32::try_from(count).unwrap_or(u32::MAX), ..self }
    }

    /// Counts stations and sections that stand so, with what each section's day would be, and
    /// alarms of each state.
    pub fn of<'a>(
        registry: &Registry,
        standings: impl Iterator<Item = (&'a SectionKey, Standing, Option<&'a str>)>,
        alarms: &[(AlarmState, u32)],
    ) -> Self {
        let mut counts = Self::default();
        let mut gravest: BTreeMap<&StationId, Standing> = BTreeMap::new();
        for (key, state, today) in standings {
            *counts.sections.entry(state.word()).or_default() += 1;
            if let Some(today) = today {
                *counts.today.entry(today.to_owned()).or_default() += 1;
            }
            let known = gravest.entry(&key.station).or_insert(state);
            *known = state.min(*known);
        }
        let is_exited = |station: &StationId| {
            let known = registry.stations.get(station);
            known.is_some_and(|station| station.status == StationStatus::Exited)
        };
        for (station, state) in gravest {
            let state = if is_exited(station) { Standing::OutOfService } else { state };
            *counts.stations.entry(state.word()).or_default() += 1;
        }
        let of =
            |counts: &BTreeMap<String, u32>, word: &str| counts.get(word).copied().unwrap_or(0);
        let met = of(&counts.today, Verdict::Met.word());
        counts.met_today =
            LiveRateView::of(met, met.saturating_add(of(&counts.today, Verdict::Short.word())));
        let among = |out: &[Standing]| {
            let words = counts.sections.iter();
            let words = words.filter(|(word, _)| !out.iter().any(|state| state.word() == **word));
            words.map(|(_, count)| *count).sum()
        };
        let in_service = among(&[Standing::OutOfService]);
        counts.running =
            LiveRateView::of(among(&[Standing::OutOfService, Standing::Stale]), in_service);
        counts.alarms = alarms.iter().map(|(state, count)| (state.word(), *count)).collect();
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_station_counts_once_as_the_gravest_of_its_sections_stands() {
        let key = |text: &str| {
            let (station, section) = text.split_once('/').unwrap();
            SectionKey { station: station.parse().unwrap(), section: section.parse().unwrap() }
        };
        let standings = [
            (key("A/dam"), Standing::Ok, Some("met")),
            (key("A/tail"), Standing::Breach, Some("short")),
            (key("B/dam"), Standing::Ok, Some("met")),
            (key("C/dam"), Standing::OutOfService, None),
            (key("D/dam"), Standing::Stale, Some("indeterminate")),
        ];
        let standings = standings.iter().map(|(key, state, today)| (key, *state, *today));
        let alarms = [(AlarmState::Unacknowledged, 3)];
        let counts = LiveCountsView::of(&Registry::default(), standings, &alarms);
        assert_eq!(
            serde_json::to_string(&counts).unwrap(),
            r#"{"stations":{"breach":1,"ok":1,"out_of_service":1,"stale":1},"sections":{"breach":1,"ok":2,"out_of_service":1,"stale":1},"today":{"indeterminate":1,"met":2,"short":1},"alarms":{"unacknowledged":3},"reached_nobody":0,"met_today":{"part":2,"whole":3,"rate":0.6666},"running":{"part":3,"whole":4,"rate":0.75}}"#
        );
    }
}
