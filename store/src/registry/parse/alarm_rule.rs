//! Alarm rules: each with the keys of its kind, and none that could never fire.

use std::{collections::BTreeSet, str::FromStr};

use model::{
    alarm_rule::{AlarmRule, Condition, Severity, StationPattern},
    ids::{AlarmRuleId, LadderId, SectionId, StationId},
    ladder::Ladder,
    quantity::Decimal,
    station::{Gauge, Station},
    tree::Table,
};

use super::{Section, field, known, unknown};

const MINUTE_MS: i64 = 60_000;
const MONTH_MS: i64 = 31 * 86_400_000;
const LIMIT: &str = "1000000000";

pub(super) fn alarm_rule(
    table: &Table<'_>,
    id: Option<AlarmRuleId>,
    stations: &Section<StationId, Station>,
    ladders: &Section<LadderId, Ladder>,
) -> Option<AlarmRule> {
    let patterns = patterns(table, stations);
    let severity = table.one_of("severity", Severity::WORDS).required();
    let on_delay_ms = field::span(table, "on_delay", 0..=MONTH_MS).or(0);
    let off_delay_ms = field::span(table, "off_delay", 0..=MONTH_MS).or(0);
    let deadband = field::rate(table, "deadband", LIMIT).or(Decimal::ZERO);
    let ladder = known(table, "ladder", &ladders.ids, table.parse("ladder").optional());
    let condition = condition(table);
    if matches!(condition, Some(Condition::FlatLine { .. })) && on_delay_ms < MINUTE_MS {
        table.fault("on_delay", "says for how long the value may stand still; 1m at least");
    }
    let rule = AlarmRule {
        id: id?,
        condition: condition?,
        stations: patterns?,
        severity: severity?,
        on_delay_ms,
        off_delay_ms,
        deadband,
        ladder,
    };
    if stations.is_sound() {
        refuse_what_never_fires(table, &rule, stations);
    }
    Some(rule)
}

/// The stations it speaks of: at least one pattern, each matching something.
fn patterns(
    table: &Table<'_>,
    stations: &Section<StationId, Station>,
) -> Option<Vec<StationPattern>> {
    let texts = table.texts("stations").or(vec!["*".to_owned()]);
    if texts.is_empty() {
        table.fault("stations", "names no station, so the rule can never fire; write [\"*\"]");
        return None;
    }
    let mut patterns = BTreeSet::new();
    let mut is_sound = true;
    for text in texts {
        let problem = match StationPattern::from_str(&text) {
            Err(error) => Some(error.to_string()),
            Ok(StationPattern::Station(id)) if !stations.ids.contains(&id) => {
                Some(unknown(&id, &stations.ids))
            }
            Ok(pattern) => {
                let matches = |station| pattern.matches(station);
                let is_void = pattern != StationPattern::Any
                    && stations.is_sound()
                    && !stations.entries.values().any(matches);
                let problem = is_void.then(|| format!("`{text}` matches no station of this file"));
                patterns.insert(pattern);
                problem
            }
        };
        if let Some(problem) = problem {
            table.fault("stations", problem);
            is_sound = false;
        }
    }
    is_sound.then(|| patterns.into_iter().collect())
}

fn condition(table: &Table<'_>) -> Option<Condition> {
    const KINDS: &[&str] = &[
        "below_mandate",
        "no_data",
        "agent_offline",
        "forecast_short",
        "threshold",
        "range",
        "rate",
        "flat_line",
        "spool_low",
        "clock",
        "fork",
    ];
    let words: Vec<_> = KINDS.iter().map(|kind| (*kind, *kind)).collect();
    let Some(kind) = table.one_of("kind", &words).required() else {
        table.ignore_rest();
        return None;
    };
    match kind {
        "below_mandate" => {
            let share = field::rate(table, "share", "10").and_then(field::above_zero);
            let section = table.parse("section").optional();
            let whole = Decimal { units: 1, decimals: 0 };
            Some(Condition::BelowMandate { section, share: share.or(whole) })
        }
        "no_data" => Some(Condition::NoData { gauge: table.parse("gauge").optional() }),
        "agent_offline" => Some(Condition::AgentOffline),
        "forecast_short" => {
            Some(Condition::ForecastShort { section: table.parse("section").optional() })
        }
        "threshold" => threshold(table),
        "range" => Some(Condition::Range { gauge: table.parse("gauge").optional() }),
        "rate" => rate(table),
        "flat_line" => Some(Condition::FlatLine { gauge: table.parse("gauge").optional() }),
        "spool_low" => {
            Some(Condition::SpoolLow { hours: field::whole(table, "hours", 1..=8784).or(24) })
        }
        "clock" => {
            let offset = field::span(table, "offset", 1..=86_400_000);
            Some(Condition::Clock { offset_ms: offset.or(2_000) })
        }
        "fork" => Some(Condition::Fork),
        _ => None,
    }
}

fn threshold(table: &Table<'_>) -> Option<Condition> {
    let gauge = table.parse("gauge").required();
    let limit = |key| field::number(table, key, "-1000000000", LIMIT).optional();
    let (above, below) = (limit("above"), limit("below"));
    if !table.has("above") && !table.has("below") {
        table.fault("", "can never fire without `above` or `below`");
        return None;
    }
    if above.zip(below).is_some_and(|(above, below)| above.compare(below).is_le()) {
        table.fault("above", "must be higher than `below`, else the rule always fires");
    }
    Some(Condition::Threshold { gauge: gauge?, above, below })
}

fn rate(table: &Table<'_>) -> Option<Condition> {
    let gauge = table.parse("gauge").required();
    let change = field::number(table, "change", "0", LIMIT).and_then(field::above_zero).required();
    let per_ms = field::span(table, "per", 1_000..=MONTH_MS).required();
    Some(Condition::Rate { gauge: gauge?, change: change?, per_ms: per_ms? })
}

/// Refuses a rule for which no station has what it looks at. `*` speaks also of stations to come:
/// there only a gauge or a section that no station has is a fault.
fn refuse_what_never_fires(
    table: &Table<'_>,
    rule: &AlarmRule,
    stations: &Section<StationId, Station>,
) {
    let covered: Vec<_> =
        stations.entries.values().filter(|station| rule.covers(station)).collect();
    if let Some(name) = rule.condition.gauge() {
        let gauges: Vec<_> =
            covered.iter().filter_map(|station| station.gauges.get(name)).collect();
        return refuse_gauges(table, rule, &gauges);
    }
    let section = match &rule.condition {
        Condition::BelowMandate { section, .. } | Condition::ForecastShort { section } => {
            section.as_ref()
        }
        Condition::NoData { .. }
        | Condition::AgentOffline
        | Condition::Threshold { .. }
        | Condition::Range { .. }
        | Condition::Rate { .. }
        | Condition::FlatLine { .. }
        | Condition::SpoolLow { .. }
        | Condition::Clock { .. }
        | Condition::Fork => None,
    };
    let fires = covered.iter().any(|station| has_what_it_takes(&rule.condition, station, section));
    let is_open = rule.stations.contains(&StationPattern::Any) && section.is_none();
    if !fires && !is_open {
        let key = if section.is_some() { "section" } else { "stations" };
        let lacking = match &rule.condition {
            Condition::BelowMandate { .. } | Condition::ForecastShort { .. } => "a mandate there",
            Condition::NoData { .. } | Condition::FlatLine { .. } => "a gauge",
            Condition::Range { .. } => "a gauge with a range",
            Condition::AgentOffline
            | Condition::SpoolLow { .. }
            | Condition::Clock { .. }
            | Condition::Fork => "an agent",
            Condition::Threshold { .. } | Condition::Rate { .. } => "the gauge",
        };
        table.fault(key, format!("the rule can never fire: none of these stations has {lacking}"));
    }
}

fn has_what_it_takes(
    condition: &Condition,
    station: &Station,
    section: Option<&SectionId>,
) -> bool {
    match condition {
        Condition::BelowMandate { .. } | Condition::ForecastShort { .. } => {
            let of_section = |other: &SectionId| section.is_none_or(|section| section == other);
            station.mandates.iter().any(|mandate| of_section(&mandate.section))
        }
        Condition::NoData { .. } | Condition::FlatLine { .. } => !station.gauges.is_empty(),
        Condition::Range { .. } => station.gauges.values().any(|gauge| gauge.range.is_some()),
        Condition::AgentOffline
        | Condition::SpoolLow { .. }
        | Condition::Clock { .. }
        | Condition::Fork => station.agent.is_some(),
        // These name a gauge, which is looked for by its name.
        Condition::Threshold { .. } | Condition::Rate { .. } => true,
    }
}

/// Refuses a gauge that no covered station has, or that has another unit at another station.
fn refuse_gauges(table: &Table<'_>, rule: &AlarmRule, gauges: &[&Gauge]) {
    let Some(first) = gauges.first() else {
        table.fault("gauge", "the rule can never fire: none of its stations has this gauge");
        return;
    };
    let is_limited = match rule.condition {
        Condition::Threshold { .. } | Condition::Rate { .. } => true,
        Condition::FlatLine { .. } => rule.deadband.units > 0,
        Condition::Range { .. } => {
            if gauges.iter().all(|gauge| gauge.range.is_none()) {
                table.fault("gauge", "the rule can never fire: the gauge has no range");
            }
            rule.deadband.units > 0
        }
        Condition::BelowMandate { .. }
        | Condition::NoData { .. }
        | Condition::AgentOffline
        | Condition::ForecastShort { .. }
        | Condition::SpoolLow { .. }
        | Condition::Clock { .. }
        | Condition::Fork => false,
    };
    if let Some(other) = gauges.iter().find(|gauge| gauge.unit != first.unit)
        && is_limited
    {
        let (a, b) = (first.unit.name(), other.unit.name());
        let problem = format!("has the unit {a} at one station and {b} at another; make two rules");
        table.fault("gauge", problem);
    }
}
