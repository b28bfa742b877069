//! Rule profiles: how a mandate is judged, in exact numbers.

use std::{fmt, str::FromStr};

use crate::{calendar::TimeOfDay, ids::RuleId, quantity::Decimal, time::HOUR_MS, words::words};

/// How a mandate is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleProfile {
    /// Its id.
    pub id: RuleId,
    /// What of a period is compared with the requirement.
    pub statistic: Statistic,
    /// The share of the mandated flow that must be released, above 0.
    pub factor: Decimal,
    /// The share of an hour for which good samples must stand, above 0 and at most 1.
    pub hour_coverage: Decimal,
    /// How many hours of a day must be judged, 1 to 24.
    pub day_valid_hours: u8,
    /// The share of a day's judged hours that must be met.
    pub day_hours_met: Ratio,
    /// The day of the next month, 1 to 28, from which later changes are marked late.
    pub late_close_day: u8,
    /// What a period with too few data is.
    pub missing: Missing,
    /// The share of assessed periods that a station must meet to pass, 0 to 1.
    pub pass_rate: Decimal,
    /// The share that reports head their tables with, 0 to 1.
    pub headline_rate: Decimal,
    /// The share of its stations that must pass for a district to pass, 0 to 1.
    pub district_pass: Decimal,
    /// When its day begins, in the station's zone.
    pub day_start: TimeOfDay,
}

/// What of a period is compared with the requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// Short if any covered instant is below.
    Instantaneous,
    /// The mean of each clock hour.
    HourlyMean,
    /// The mean over any hour, ending at any moment.
    RunningHour,
    /// The mean of the rule's day, without verdicts for its hours.
    DailyMean,
    /// Short if a run below lasts this long.
    BelowFor {
        /// How long, above 0.
        for_ms: i64,
    },
}

impl Statistic {
    /// How far before a period it looks.
    pub const fn lookback_ms(self) -> i64 {
        match self {
            Self::Instantaneous | Self::HourlyMean | Self::DailyMean => 0,
            Self::RunningHour => HOUR_MS,
            Self::BelowFor { for_ms } => for_ms,
        }
    }

    /// The word for it in the registry file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Instantaneous => "instantaneous",
            Self::HourlyMean => "hourly_mean",
            Self::RunningHour => "running_hour",
            Self::DailyMean => "daily_mean",
            Self::BelowFor { .. } => "below_for",
        }
    }
}

words! {
    /// What a period with too few data is; never met.
    Missing {
        /// As if too little had been released.
        Short = "short",
        /// Nothing is said of it.
        Indeterminate = "indeterminate",
    }
}

/// A share of counted things, kept as it was written: 22 of 24.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    part: u32,
    whole: u32,
}

/// Why a ratio was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a share of counted things; write it as 22/24")]
pub struct RatioError(String);

impl Ratio {
    /// Whether `count` of `of` is at least this share, compared without rounding.
    pub fn is_reached_by(self, count: u32, of: u32) -> bool {
        u64::from(count) * u64::from(self.whole) >= u64::from(of) * u64::from(self.part)
    }
}

impl FromStr for Ratio {
    type Err = RatioError;

    fn from_str(text: &str) -> Result<Self, RatioError> {
        let count = |part: &str| {
            let is_plain = !part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u32>().ok().filter(|_| is_plain || part == "0")
        };
        let parsed = text.split_once('/').and_then(|(part, whole)| {
            let ratio = Self { part: count(part)?, whole: count(whole)? };
            (ratio.whole > 0 && ratio.part <= ratio.whole).then_some(ratio)
        });
        parsed.ok_or_else(|| RatioError(text.chars().take(48).collect()))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.whole)
    }
}

impl fmt::Debug for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_compared_without_rounding() {
        let ratio: Ratio = "22/24".parse().unwrap();
        assert!(ratio.is_reached_by(22, 24) && ratio.is_reached_by(11, 12));
        assert!(!ratio.is_reached_by(21, 23));
        assert_eq!(ratio.to_string(), "22/24");
        for bad in ["25/24", "0/0", "1/0", "+1/2", "01/2", "1", "1/2/3", "", "0.5/1"] {
            assert!(bad.parse::<Ratio>().is_err(), "{bad:?}");
        }
    }
}
