//! Alarm rules: what raises an alarm, at which stations, how soon and whom it tells.

use std::{fmt, str::FromStr};

use crate::{
    ids::{AlarmRuleId, GaugeName, LadderId, SectionId, StationId},
    quantity::Decimal,
    station::{County, Station, StationKind},
    words::words,
};

/// What raises an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmRule {
    /// Its id.
    pub id: AlarmRuleId,
    /// What must hold.
    pub condition: Condition,
    /// Where; a station belongs to it if any pattern matches.
    pub stations: Vec<StationPattern>,
    /// How soon a person must act.
    pub severity: Severity,
    /// How long the condition must hold before the alarm is raised.
    pub on_delay_ms: i64,
    /// How long it must not hold before the alarm clears.
    pub off_delay_ms: i64,
    /// How far beyond its limit a value must recover: a share of the requirement for rules of a
    /// mandate, else in the gauge's unit.
    pub deadband: Decimal,
    /// Whom it tells; none: it only stands on the pages.
    pub ladder: Option<LadderId>,
}

impl AlarmRule {
    /// Whether it speaks of `station`.
    pub fn covers(&self, station: &Station) -> bool {
        self.stations.iter().any(|pattern| pattern.matches(station))
    }
}

words! {
    /// How soon a person must act, in the usual four colours.
    Severity {
        /// 蓝色
        Blue = "blue",
        /// 黄色
        Yellow = "yellow",
        /// 橙色
        Orange = "orange",
        /// 红色
        Red = "red",
    }
}

/// What must hold: `kind` in the registry file, with the keys of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Released flow is below `share` of the requirement.
    BelowMandate {
        /// Of this section; none: of each.
        section: Option<SectionId>,
        /// The share, above 0.
        share: Decimal,
    },
    /// Nothing has come for longer than three intervals of the gauge, two minutes at least.
    NoData {
        /// Of this gauge; none: of each that an outlet uses, or of each where there is no outlet.
        gauge: Option<GaugeName>,
    },
    /// The station's agent is offline.
    AgentOffline,
    /// Today's verdict is forecast to be short.
    ForecastShort {
        /// Of this section; none: of each.
        section: Option<SectionId>,
    },
    /// A gauge is above or below a limit in its own unit.
    Threshold {
        /// The gauge.
        gauge: GaugeName,
        /// Fires above this.
        above: Option<Decimal>,
        /// Fires below this.
        below: Option<Decimal>,
    },
    /// A gauge is outside its own range.
    Range {
        /// This gauge; none: each that has a range.
        gauge: Option<GaugeName>,
    },
    /// A gauge changes by more than `change` within `per_ms`, either way.
    Rate {
        /// The gauge.
        gauge: GaugeName,
        /// In its unit, above 0.
        change: Decimal,
        /// Within this time.
        per_ms: i64,
    },
    /// A gauge has not moved by more than the deadband for the on-delay.
    FlatLine {
        /// This gauge; none: each that an outlet uses, or each where there is no outlet.
        gauge: Option<GaugeName>,
    },
    /// The agent's spool will be full in fewer hours than these.
    SpoolLow {
        /// Hours, above 0.
        hours: u32,
    },
    /// The agent's clock is off by more than this, or is not trusted.
    Clock {
        /// The largest offset that is fine.
        offset_ms: i64,
    },
    /// Two agents share a name, or a spool was copied.
    Fork,
}

impl Condition {
    /// The word for its kind in the registry file.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::BelowMandate { .. } => "below_mandate",
            Self::NoData { .. } => "no_data",
            Self::AgentOffline => "agent_offline",
            Self::ForecastShort { .. } => "forecast_short",
            Self::Threshold { .. } => "threshold",
            Self::Range { .. } => "range",
            Self::Rate { .. } => "rate",
            Self::FlatLine { .. } => "flat_line",
            Self::SpoolLow { .. } => "spool_low",
            Self::Clock { .. } => "clock",
            Self::Fork => "fork",
        }
    }

    /// The gauge that it names, if it names one.
    pub const fn gauge(&self) -> Option<&GaugeName> {
        match self {
            Self::NoData { gauge } | Self::Range { gauge } | Self::FlatLine { gauge } => {
                gauge.as_ref()
            }
            Self::Threshold { gauge, .. } | Self::Rate { gauge, .. } => Some(gauge),
            Self::BelowMandate { .. }
            | Self::AgentOffline
            | Self::ForecastShort { .. }
            | Self::SpoolLow { .. }
            | Self::Clock { .. }
            | Self::Fork => None,
        }
    }
}

/// Which stations a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum StationPattern {
    /// `*`: all, also those to come.
    Any,
    /// One by its id.
    Station(StationId),
    /// `county:620721`.
    County(County),
    /// `kind:air`.
    Kind(StationKind),
}

/// Why a pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no stations; write *, a station's id, county:620721 or kind:air")]
pub struct PatternError(String);

impl StationPattern {
    /// Whether `station` is one of them.
    pub fn matches(&self, station: &Station) -> bool {
        match self {
            Self::Any => true,
            Self::Station(id) => *id == station.id,
            Self::County(county) => station.county.as_ref() == Some(county),
            Self::Kind(kind) => *kind == station.kind,
        }
    }
}

impl FromStr for StationPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let parsed = match text.split_once(':') {
            None if text == "*" => Some(Self::Any),
            None => text.parse().ok().map(Self::Station),
            Some(("county", code)) => code.parse().ok().map(Self::County),
            Some(("kind", word)) => {
                let kind = StationKind::WORDS.iter().find(|(known, _)| *known == word);
                kind.map(|(_, kind)| Self::Kind(*kind))
            }
            Some(_) => None,
        };
        parsed.ok_or_else(|| PatternError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for StationPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Station(id) => write!(f, "{id}"),
            Self::County(county) => write!(f, "county:{county}"),
            Self::Kind(kind) => write!(f, "kind:{kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_prints_as_it_was_written() {
        for text in ["*", "BF-620721-04", "county:620721", "kind:air"] {
            assert_eq!(text.parse::<StationPattern>().unwrap().to_string(), text);
        }
        for bad in ["", "**", "county:62", "kind:sky", "river:x", "BF*", "county:"] {
            assert!(bad.parse::<StationPattern>().is_err(), "{bad:?}");
        }
    }
}
