//! What the alarm rules of a registry ask for: conditions, and what must be read of a station.

use std::collections::BTreeMap;

use model::{
    alarm::{AlarmEnd, Subject},
    alarm_rule::{AlarmRule, Condition as Asked},
    ids::{AlarmRuleId, GaugeId, GaugeName, SectionKey, StationId},
    registry::Registry,
    section::Section,
    station::{Station, StationStatus},
};

use crate::{below_mandate, flat_line, no_data};

/// A rule at one subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// The rule.
    pub rule: AlarmRuleId,
    /// What it speaks of.
    pub subject: Subject,
}

/// What a condition asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Whether a section releases too little.
    Below(below_mandate::Rule),
    /// Whether a gauge has fallen silent.
    Silent(no_data::Rule),
    /// Whether a gauge says the same again and again.
    Flat(flat_line::Rule),
}

/// A gauge and how often it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listened {
    /// Which.
    pub gauge: GaugeId,
    /// How often.
    pub interval_ms: i64,
    /// The conditions that ask whether it speaks.
    pub rules: Vec<AlarmRuleId>,
    /// Those that ask what it says.
    pub value_rules: Vec<AlarmRuleId>,
}

/// A section whose released flow is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Which.
    pub section: SectionKey,
    /// The conditions that ask for it.
    pub rules: Vec<AlarmRuleId>,
}

/// What is read of a station.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    /// Sections.
    pub sections: Vec<Measured>,
    /// Gauges.
    pub gauges: Vec<Listened>,
}

/// All conditions, and the stations that they look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Every condition that is evaluated.
    pub conditions: BTreeMap<Condition, Ask>,
    /// What is read of each station that any of them looks at.
    pub stations: BTreeMap<StationId, Watched>,
    /// Sections under a mandate that a rule names and that cannot be evaluated, since a formula
    /// makes the flow of an outlet.
    pub underived: Vec<(AlarmRuleId, SectionKey)>,
    /// Rules of kinds that are not evaluated yet.
    pub unbuilt: Vec<AlarmRuleId>,
}

impl Plan {
    /// What a registry asks for. A station that was closed down is not watched.
    pub fn of(registry: &Registry) -> Self {
        let mut plan = Self::default();
        for rule in registry.alarm_rules.values() {
            if !is_built(rule) {
                plan.unbuilt.push(rule.id.clone());
                continue;
            }
            let goes_on = |station: &&Station| station.status != StationStatus::Exited;
            for station in registry.stations.values().filter(goes_on) {
                if rule.covers(station) {
                    plan.add(registry, rule, station);
                }
            }
        }
        plan
    }

    /// Why a condition that this plan has no more is watched no longer; `registry` is that of the
    /// plan.
    pub fn why_gone(registry: &Registry, condition: &Condition) -> AlarmEnd {
        let Condition { rule, subject } = condition;
        let Some(rule) = registry.alarm_rules.get(rule) else { return AlarmEnd::RuleWithdrawn };
        let station = registry.stations.get(subject.station());
        let goes_on = |station: &&Station| station.status != StationStatus::Exited;
        let Some(station) = station.filter(goes_on) else { return AlarmEnd::StationLeft };
        match (&rule.condition, subject) {
            (Asked::BelowMandate { section: named, .. }, Subject::Section { section, .. }) => {
                let is_meant = named.as_ref().is_none_or(|named| named == section);
                if !station.sections().contains(section) {
                    AlarmEnd::Removed
                } else if !is_meant || !rule.covers(station) {
                    AlarmEnd::NotCovered
                } else if station.mandates.iter().any(|mandate| mandate.section == *section) {
                    AlarmEnd::Underived
                } else {
                    AlarmEnd::MandateRemoved
                }
            }
            (Asked::NoData { .. } | Asked::FlatLine { .. }, Subject::Gauge(gauge)) => {
                let is_there = station.gauges.contains_key(&gauge.name);
                if is_there { AlarmEnd::NotCovered } else { AlarmEnd::Removed }
            }
            // of another kind by now
            (
                Asked::BelowMandate { .. }
                | Asked::NoData { .. }
                | Asked::FlatLine { .. }
                | Asked::AgentOffline
                | Asked::ForecastShort { .. }
                | Asked::Threshold { .. }
                | Asked::Range { .. }
                | Asked::Rate { .. }
                | Asked::SpoolLow { .. }
                | Asked::Clock { .. }
                | Asked::Fork,
                Subject::Section { .. } | Subject::Gauge(_),
            ) => AlarmEnd::RuleWithdrawn,
        }
    }

    fn add(&mut self, registry: &Registry, rule: &AlarmRule, station: &Station) {
        if let Some(ask) = below_mandate::Rule::of(rule) {
            let Asked::BelowMandate { section: named, .. } = &rule.condition else { return };
            let of_station = station.sections().into_iter();
            for name in of_station.filter(|name| named.as_ref().is_none_or(|named| named == *name))
            {
                let key = SectionKey { station: station.id.clone(), section: name.clone() };
                let has_mandate = station.mandates.iter().any(|mandate| mandate.section == *name);
                if Section::find(registry, &key).is_some() {
                    self.measure(rule, key, ask);
                } else if has_mandate {
                    self.underived.push((rule.id.clone(), key));
                }
            }
        }
        if let Asked::NoData { gauge: named } | Asked::FlatLine { gauge: named } = &rule.condition {
            let gauges = station.gauges.values().filter(|gauge| match named {
                Some(named) => gauge.name == *named,
                None => is_used(station, &gauge.name),
            });
            for gauge in gauges {
                let silent = no_data::Rule::of(rule, gauge.interval_ms).map(Ask::Silent);
                let Some(ask) = silent.or(flat_line::Rule::of(rule, gauge).map(Ask::Flat)) else {
                    continue;
                };
                let id = GaugeId { station: station.id.clone(), name: gauge.name.clone() };
                self.listen(rule, (id, gauge.interval_ms), ask);
            }
        }
    }

    fn measure(&mut self, rule: &AlarmRule, section: SectionKey, ask: below_mandate::Rule) {
        let SectionKey { station, section: name } = section.clone();
        let subject = Subject::Section { station: station.clone(), section: name };
        self.conditions.insert(Condition { rule: rule.id.clone(), subject }, Ask::Below(ask));
        let sections = &mut self.stations.entry(station).or_default().sections;
        match sections.iter_mut().find(|known| known.section == section) {
            Some(known) => known.rules.push(rule.id.clone()),
            None => sections.push(Measured { section, rules: vec![rule.id.clone()] }),
        }
    }

    fn listen(&mut self, rule: &AlarmRule, (gauge, interval_ms): (GaugeId, i64), ask: Ask) {
        let subject = Subject::Gauge(gauge.clone());
        self.conditions.insert(Condition { rule: rule.id.clone(), subject }, ask);
        let gauges = &mut self.stations.entry(gauge.station.clone()).or_default().gauges;
        let place = gauges.iter().position(|known| known.gauge == gauge).unwrap_or(gauges.len());
        if place == gauges.len() {
            let (rules, value_rules) = (Vec::new(), Vec::new());
            gauges.push(Listened { gauge, interval_ms, rules, value_rules });
        }
        let Some(known) = gauges.get_mut(place) else { return };
        match ask {
            Ask::Flat(_) => known.value_rules.push(rule.id.clone()),
            Ask::Silent(_) | Ask::Below(_) => known.rules.push(rule.id.clone()),
        }
    }
}

/// Whether rules of this kind are evaluated.
const fn is_built(rule: &AlarmRule) -> bool {
    match rule.condition {
        Asked::BelowMandate { .. } | Asked::NoData { .. } | Asked::FlatLine { .. } => true,
        Asked::AgentOffline
        | Asked::ForecastShort { .. }
        | Asked::Threshold { .. }
        | Asked::Range { .. }
        | Asked::Rate { .. }
        | Asked::SpoolLow { .. }
        | Asked::Clock { .. }
        | Asked::Fork => false,
    }
}

/// Whether an outlet uses a gauge; where there is no outlet, every gauge counts.
fn is_used(station: &Station, gauge: &GaugeName) -> bool {
    let mut outlets = station.outlets.values();
    station.outlets.is_empty() || outlets.any(|outlet| outlet.gauges().contains(&gauge))
}

#[cfg(test)]
mod tests {
    use model::tree::Origin;

    use super::*;

    fn shown(text: &str) -> String {
        let origin = Origin::File("registry.toml".into());
        let plan = Plan::of(&store::registry::parse(text, &origin).unwrap());
        let mut lines: Vec<String> = plan
            .conditions
            .keys()
            .map(|known| format!("{} {}", known.rule, known.subject))
            .collect();
        lines.extend(plan.underived.iter().map(|(rule, key)| format!("{rule} not {key}")));
        lines.extend(plan.unbuilt.iter().map(|rule| format!("{rule} not built")));
        lines.join("\n")
    }

    #[test]
    fn why_a_condition_is_gone_is_told_apart() {
        let text = r#"
            [[station]]
            id = "A"
            gauge = [
              { id = "pipe", quantity = "flow", unit = "m3/s", interval = "5s" },
              { id = "head", quantity = "level", unit = "m", interval = "5m" },
            ]
            outlet = [
              { id = "pipe", flow = { gauge = "pipe" } },
              { id = "weir", section = "side", flow = { formula = "thomson_weir", head = "head" } },
            ]
            mandate = [
              { document = "E", section = "side", from = "2026-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "r" },
            ]
            [[station]]
            id = "C"
            status = "exited"
            gauge = [ { id = "pm", quantity = "pm10", unit = "ug/m3", interval = "5m" } ]
            [[rule]]
            id = "r"
            statistic = "hourly_mean"
            [[alarm_rule]]
            id = "low"
            kind = "below_mandate"
            severity = "orange"
            [[alarm_rule]]
            id = "side"
            kind = "below_mandate"
            section = "side"
            severity = "orange"
            [[alarm_rule]]
            id = "silent"
            kind = "no_data"
            gauge = "head"
            severity = "blue"
        "#;
        let origin = Origin::File("registry.toml".into());
        let registry = store::registry::parse(text, &origin).unwrap();
        for (rule, subject, why) in [
            ("gone", "section A/dam", AlarmEnd::RuleWithdrawn),
            ("silent", "section A/dam", AlarmEnd::RuleWithdrawn),
            ("low", "section B/dam", AlarmEnd::StationLeft),
            ("silent", "gauge C/pm", AlarmEnd::StationLeft),
            ("low", "section A/tail", AlarmEnd::Removed),
            ("silent", "gauge A/old", AlarmEnd::Removed),
            ("side", "section A/dam", AlarmEnd::NotCovered),
            ("silent", "gauge A/pipe", AlarmEnd::NotCovered),
            ("low", "section A/dam", AlarmEnd::MandateRemoved),
            ("low", "section A/side", AlarmEnd::Underived),
        ] {
            let (rule, subject) = (rule.parse().unwrap(), subject.parse().unwrap());
            let condition = Condition { rule, subject };
            assert_eq!(Plan::why_gone(&registry, &condition), why, "{condition:?}");
        }
    }

    #[test]
    fn a_rule_is_a_condition_at_each_section_or_gauge_that_it_speaks_of() {
        let registry = r#"
            [[station]]
            id = "A"
            gauge = [
              { id = "pipe", quantity = "flow", unit = "m3/s", interval = "5s" },
              { id = "gate", quantity = "flow", unit = "m3/s", interval = "5s" },
              { id = "rain", quantity = "rain", unit = "mm", interval = "5m" },
              { id = "head", quantity = "level", unit = "m", interval = "5m" },
            ]
            outlet = [
              { id = "pipe", flow = { gauge = "pipe" } },
              { id = "gate", section = "tail", flow = { gauge = "gate" } },
              { id = "weir", section = "side", flow = { formula = "thomson_weir", head = "head" } },
            ]
            mandate = [
              { document = "D", from = "2026-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "r" },
              { document = "E", section = "side", from = "2026-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "r" },
            ]
            [[station]]
            id = "B"
            gauge = [ { id = "pm", quantity = "pm10", unit = "ug/m3", interval = "5m" } ]
            [[station]]
            id = "C"
            status = "exited"
            gauge = [ { id = "pm", quantity = "pm10", unit = "ug/m3", interval = "5m" } ]
            [[rule]]
            id = "r"
            statistic = "hourly_mean"
            [[alarm_rule]]
            id = "low"
            kind = "below_mandate"
            severity = "orange"
            [[alarm_rule]]
            id = "silent"
            kind = "no_data"
            severity = "blue"
            [[alarm_rule]]
            id = "stuck"
            kind = "flat_line"
            gauge = "head"
            on_delay = "10m"
            severity = "blue"
            stations = ["A"]
            [[alarm_rule]]
            id = "dusty"
            kind = "threshold"
            gauge = "pm"
            above = 150
            severity = "blue"
            stations = ["B"]
        "#;
        expect_test::expect![[r#"
            low section A/dam
            silent gauge A/gate
            silent gauge A/head
            silent gauge A/pipe
            silent gauge B/pm
            stuck gauge A/head
            low not A/side
            dusty not built"#]]
        .assert_eq(&shown(registry));
    }
}
