//! A section of a station over time, as the registry has it: what is demanded of it, by which
//! rule, and through which outlets water leaves.

use std::collections::BTreeMap;

use crate::{
    calendar::Date,
    flow::Flow,
    ids::{GaugeName, RuleId, SectionId, SectionKey, StationId},
    mandate::Mandate,
    outlet::OutletFlow,
    period,
    registry::Registry,
    release::{Outlet, Step, hold_ms},
    rule::RuleProfile,
    station::{Station, StationStatus, ValueRange},
    time::{Span, Timestamp},
};

/// A section under a mandate, whose released flow can be derived.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    station: &'a Station,
    id: &'a SectionId,
    rules: &'a BTreeMap<RuleId, RuleProfile>,
}

/// What is demanded of a section at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// By which document.
    pub mandate: &'a Mandate,
    /// By which rule.
    pub rule: &'a RuleProfile,
}

/// An outlet without its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// The gauge that measures it.
    pub gauge: &'a GaugeName,
    /// How often.
    pub interval_ms: i64,
    /// When it counts.
    pub in_force: Span,
    /// What the gauge can reach, ml/s: a reading outside is doubted.
    pub range: Option<ValueRange>,
}

impl<'a> Section<'a> {
    /// Every section that is judged: one of a station that goes on, that has mandates, and whose
    /// outlets all have a flow gauge. What a formula makes of other gauges is not derived yet.
    pub fn judged(registry: &'a Registry) -> impl Iterator<Item = Self> {
        registry.stations.keys().flat_map(move |station| Self::judged_at(registry, station))
    }

    /// Those of one station.
    pub fn judged_at(registry: &'a Registry, station: &StationId) -> impl Iterator<Item = Self> {
        let rules = &registry.rules;
        registry.stations.get(station).into_iter().flat_map(move |station| {
            let sections = station.sections().into_iter();
            sections.map(move |id| Self { station, id, rules }).filter(Self::is_judged)
        })
    }

    /// The section with this key, if it is judged.
    pub fn find(registry: &'a Registry, key: &SectionKey) -> Option<Self> {
        Self::judged_at(registry, &key.station).find(|section| *section.id == key.section)
    }

    /// The section with this key as far as anything can be said of it, be it that nothing is
    /// demanded any more; `None` where its station is unknown or out of service, or where an
    /// outlet's flow is not derived yet: what was said of it then stands.
    pub fn of(registry: &'a Registry, key: &'a SectionKey) -> Option<Self> {
        let station = registry.stations.get(&key.station)?;
        let section = Self { station, id: &key.section, rules: &registry.rules };
        section.is_derived().then_some(section)
    }

    fn is_judged(&self) -> bool {
        self.is_derived() && self.has_mandates()
    }

    fn is_derived(&self) -> bool {
        let mut outlets = self.station.outlets.values().filter(|outlet| outlet.section == *self.id);
        self.station.status != StationStatus::Exited
            && outlets.all(|outlet| matches!(outlet.flow, OutletFlow::Gauge(_)))
    }

    /// Whether anything was, is or will be demanded of it.
    pub fn has_mandates(&self) -> bool {
        self.mandates().next().is_some()
    }

    /// Its mandates, by their first day.
    pub fn mandates(&self) -> impl Iterator<Item = &'a Mandate> {
        let id = self.id;
        self.station.mandates.iter().filter(move |mandate| mandate.section == *id)
    }

    /// Its key.
    pub fn key(&self) -> SectionKey {
        SectionKey { station: self.station.id.clone(), section: self.id.clone() }
    }

    /// The station.
    pub const fn station(&self) -> &'a Station {
        self.station
    }

    /// What is demanded at `at`; `None` while no mandate is in force.
    pub fn demand_at(&self, at: Timestamp) -> Option<Demand<'a>> {
        let mandate = self.station.mandate_at(self.id, self.station.zone.date_of(at))?;
        let rule = self.rules.get(&mandate.rule)?;
        Some(Demand { mandate, rule })
    }

    /// What is demanded in this hour; `None` while no mandate is in force, or no outlet counts
    /// through which it could be released.
    pub fn demand_in(&self, hour: Span) -> Option<Demand<'a>> {
        let demand = self.demand_at(hour.from)?;
        let counts =
            |source: &Source<'_>| source.in_force.from < hour.to && hour.from < source.in_force.to;
        self.sources().iter().any(counts).then_some(demand)
    }

    /// The rule that says whether an hour is known well enough for the section to begin with it:
    /// the one in force, else that of the next mandate, else that of the last.
    pub fn rule_to_begin(&self, at: Timestamp) -> Option<&'a RuleProfile> {
        if let Some(demand) = self.demand_at(at) {
            return Some(demand.rule);
        }
        let date = self.station.zone.date_of(at);
        let next = self.mandates().filter(|mandate| mandate.from > date).min_by_key(|m| m.from);
        let mandate = next.or_else(|| self.mandates().max_by_key(|mandate| mandate.from))?;
        self.rules.get(&mandate.rule)
    }

    /// The clock hour in which `at` falls.
    pub fn hour_of(&self, at: Timestamp) -> Span {
        period::hour_of(at, &self.station.zone)
    }

    /// The hours of the day to which this hour belongs: those of the rule's day that the same rule
    /// judges. Where another rule takes over within a day, each has its part of it.
    pub fn day_of(&self, hour: Span) -> Option<Vec<Span>> {
        let rule = self.demand_at(hour.from)?.rule;
        let day = period::day_of(hour.from, rule.day_start, &self.station.zone);
        let is_same = |other: &Span| {
            self.demand_at(other.from).is_some_and(|demand| demand.rule.id == rule.id)
        };
        Some(period::hours(day, &self.station.zone).filter(is_same).collect())
    }

    /// What is demanded through `span`: of a stretch before a pause nothing.
    pub fn steps(&self, span: Span) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let zone = &self.station.zone;
        let mut date = Some(zone.date_of(span.from));
        let last = zone.date_of(span.to.plus_ms(-1));
        while let Some(civil) = date.filter(|date| *date <= last) {
            let from = zone.start_of_day(civil).max(span.from);
            match self.required_on(civil) {
                None => steps.clear(),
                Some(required) if steps.last().is_none_or(|step| step.required != required) => {
                    steps.push(Step { from, required });
                }
                Some(_) => {}
            }
            date = civil.tomorrow().ok();
        }
        steps
    }

    /// What is mandated through `span`, in stretches that adjoin; `None`: nothing is.
    pub fn required_through(&self, span: Span) -> Vec<(Span, Option<Flow>)> {
        let mut stretches: Vec<(Span, Option<Flow>)> = Vec::new();
        let zone = &self.station.zone;
        let mut date = Some(zone.date_of(span.from));
        while let Some(civil) = date.filter(|date| zone.start_of_day(*date) < span.to) {
            let next = civil.tomorrow().ok();
            let from = zone.start_of_day(civil).max(span.from);
            let to = next.map_or(span.to, |next| zone.start_of_day(next).min(span.to));
            let required = self.required_on(civil);
            match stretches.last_mut().filter(|(_, known)| *known == required) {
                Some((stretch, _)) => stretch.to = to,
                None => stretches.push((Span { from, to }, required)),
            }
            date = next;
        }
        stretches.retain(|(stretch, _)| stretch.from < stretch.to);
        stretches
    }

    fn required_on(&self, date: Date) -> Option<Flow> {
        self.station.required_at(self.id, date)
    }

    /// Its outlets, each with the gauge that measures it.
    pub fn sources(&self) -> Vec<Source<'a>> {
        let zone = &self.station.zone;
        let outlets = self.station.outlets.values().filter(|outlet| outlet.section == *self.id);
        let sources = outlets.filter_map(|outlet| {
            let OutletFlow::Gauge(gauge) = &outlet.flow else { return None };
            let known = self.station.gauges.get(gauge)?;
            let begin =
                |date: Option<Date>, else_at| date.map_or(else_at, |d| zone.start_of_day(d));
            let in_force = Span {
                from: begin(outlet.from, Timestamp::MIN),
                to: begin(outlet.to, Timestamp::MAX),
            };
            let (interval_ms, range) = (known.interval_ms, known.range);
            Some(Source { gauge, interval_ms, in_force, range })
        });
        sources.collect()
    }

    /// How long after a sample what it says may still count.
    pub fn reach_ms(&self) -> i64 {
        let holds = self.sources().into_iter().map(|source| hold_ms(source.interval_ms));
        holds.max().unwrap_or(0).saturating_add(self.lookback_ms())
    }

    /// How far back any of its rules looks.
    pub fn lookback_ms(&self) -> i64 {
        let mandates = self.station.mandates.iter().filter(|mandate| mandate.section == *self.id);
        let rules = mandates.filter_map(|mandate| self.rules.get(&mandate.rule));
        rules.map(|rule| rule.statistic.lookback_ms()).max().unwrap_or(0)
    }
}

impl Source<'_> {
    /// Whether a reading lies outside of what its gauge can reach: either the reading is wrong, or
    /// the registry.
    pub fn doubts(&self, flow: Flow) -> bool {
        self.range.is_some_and(|range| !range.contains(flow.as_ml_per_s()))
    }

    /// Those of some readings that nothing is wrong with.
    pub fn credible(&self, readings: &[(Timestamp, Flow)]) -> Vec<(Timestamp, Flow)> {
        readings.iter().copied().filter(|(_, flow)| !self.doubts(*flow)).collect()
    }

    /// The outlet with these samples.
    pub const fn with(&self, samples: Vec<(Timestamp, Flow)>) -> Outlet {
        Outlet { interval_ms: self.interval_ms, in_force: self.in_force, samples }
    }
}
