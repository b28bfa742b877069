//! Rule profiles: every share exact, and none that could never find anything short.

use model::{
    calendar::TimeOfDay,
    ids::RuleId,
    quantity::Decimal,
    rule::{Missing, Ratio, RuleProfile, Statistic},
    tree::Table,
};

use super::field;

const DAY_MS: i64 = 86_400_000;

/// A number of so many hundredths.
const fn hundredths(units: i64) -> Decimal {
    Decimal { units, decimals: 2 }.trimmed()
}

pub(super) fn rule(table: &Table<'_>, id: Option<RuleId>) -> Option<RuleProfile> {
    let statistic = statistic(table);
    let factor = field::rate(table, "factor", "10").and_then(field::above_zero);
    let day_hours_met = table.parse("day_hours_met").and_then(|ratio: Ratio| {
        if ratio.is_reached_by(0, 1) {
            Err("can never find a day short, since no hour need be met; write 22/24")
        } else {
            Ok(ratio)
        }
    });
    let day_start = table.parse("day_start").and_then(|time: TimeOfDay| {
        if time == TimeOfDay::END {
            Err("24:00 begins no day; write 00:00")
        } else if time.minute().is_multiple_of(60) {
            Ok(time)
        } else {
            Err("a day is made of clock hours and begins with one; write it as 08:00")
        }
    });
    let factor = factor.or(hundredths(100));
    let hour_coverage = field::share(table, "hour_coverage").or(hundredths(75));
    let day_valid_hours = field::whole(table, "day_valid_hours", 1..=24).or(20);
    let day_hours_met = day_hours_met.optional().or_else(|| "24/24".parse().ok());
    let late_close_day = field::whole(table, "late_close_day", 1..=28).or(5);
    let missing = table.one_of("missing", Missing::WORDS).or(Missing::Short);
    let pass_rate = field::rate(table, "pass_rate", "1").or(hundredths(80));
    let headline_rate = field::rate(table, "headline_rate", "1").or(hundredths(90));
    let district_pass = field::rate(table, "district_pass", "1").or(hundredths(90));
    Some(RuleProfile {
        id: id?,
        statistic: statistic?,
        factor,
        hour_coverage,
        day_valid_hours,
        day_hours_met: day_hours_met?,
        late_close_day,
        missing,
        pass_rate,
        headline_rate,
        district_pass,
        day_start: day_start.or(TimeOfDay::MIDNIGHT),
    })
}

fn statistic(table: &Table<'_>) -> Option<Statistic> {
    let for_ms = field::span(table, "below_for", 1_000..=31 * DAY_MS).optional();
    let below_for = Statistic::BelowFor { for_ms: for_ms.unwrap_or_default() };
    let plain = [
        Statistic::Instantaneous,
        Statistic::HourlyMean,
        Statistic::RunningHour,
        Statistic::DailyMean,
        below_for,
    ];
    let words: Vec<_> = plain.iter().map(|statistic| (statistic.word(), *statistic)).collect();
    let statistic = table.one_of("statistic", &words).required()?;
    match (statistic, table.has("below_for")) {
        (Statistic::BelowFor { .. }, false) => {
            table.fault("below_for", "missing: how long below makes it short? write it as 30m");
            None
        }
        (Statistic::BelowFor { .. }, true) => for_ms.map(|_| statistic),
        (
            Statistic::Instantaneous
            | Statistic::HourlyMean
            | Statistic::RunningHour
            | Statistic::DailyMean,
            true,
        ) => {
            table.fault("below_for", "belongs to statistic = \"below_for\" alone");
            None
        }
        (
            Statistic::Instantaneous
            | Statistic::HourlyMean
            | Statistic::RunningHour
            | Statistic::DailyMean,
            false,
        ) => Some(statistic),
    }
}
