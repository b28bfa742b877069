//! The registry: every station with its gauges, outlets and mandates, and all rules and people.

use std::collections::BTreeMap;

use crate::{
    alarm_rule::AlarmRule,
    contact::Contact,
    ids::{AgentId, AlarmRuleId, ContactId, GaugeId, LadderId, RotaId, RuleId, StationId},
    ladder::Ladder,
    river::River,
    rota::Rota,
    rule::RuleProfile,
    rule_test::RuleTest,
    station::{County, Gauge, Station},
    time::Zone,
};

/// Everything that the registry file says; whatever one part names, another part defines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registry {
    /// Where those sit who watch: the zone of whatever names none of its own. None before anything
    /// was imported.
    pub zone: Option<Zone>,
    /// What counties are called.
    pub counties: BTreeMap<County, String>,
    /// Rivers by name, those of which something is said beside their stations.
    pub rivers: BTreeMap<String, River>,
    /// Stations by id.
    pub stations: BTreeMap<StationId, Station>,
    /// Rule profiles by id.
    pub rules: BTreeMap<RuleId, RuleProfile>,
    /// Alarm rules by id.
    pub alarm_rules: BTreeMap<AlarmRuleId, AlarmRule>,
    /// Contacts by id.
    pub contacts: BTreeMap<ContactId, Contact>,
    /// Rotas by id.
    pub rotas: BTreeMap<RotaId, Rota>,
    /// Ladders by id.
    pub ladders: BTreeMap<LadderId, Ladder>,
    /// Rule tests by what they show.
    pub rule_tests: BTreeMap<String, RuleTest>,
}

impl Registry {
    /// The station with this id.
    pub fn station(&self, station: &str) -> Option<&Station> {
        self.stations.get(station)
    }

    /// The gauge of this name at this station; allocates nothing.
    pub fn gauge(&self, station: &str, name: &str) -> Option<&Gauge> {
        self.stations.get(station)?.gauges.get(name)
    }

    /// The only agent that may speak for this station.
    pub fn agent_of(&self, station: &str) -> Option<&AgentId> {
        self.stations.get(station)?.agent.as_ref()
    }

    /// The stations that this agent speaks for, by id.
    pub fn stations_of(&self, agent: &str) -> impl Iterator<Item = &Station> {
        let speaks_for = move |station: &&Station| {
            station.agent.as_ref().is_some_and(|known| known.as_str() == agent)
        };
        self.stations.values().filter(speaks_for)
    }

    /// Every gauge with its full name, by station and name.
    pub fn gauges(&self) -> impl Iterator<Item = (GaugeId, &Gauge)> {
        self.stations.values().flat_map(|station| {
            station.gauges.values().map(|gauge| {
                (GaugeId { station: station.id.clone(), name: gauge.name.clone() }, gauge)
            })
        })
    }

    /// Every agent that speaks for a station, by id, nobody twice.
    pub fn agents(&self) -> impl Iterator<Item = &AgentId> {
        let agents: std::collections::BTreeSet<_> =
            self.stations.values().filter_map(|station| station.agent.as_ref()).collect();
        agents.into_iter()
    }
}
