//! What its hours make of a day.

use model::{
    rule::{Missing, RuleProfile},
    verdict::Verdict,
};

use crate::judgement::Hours;

/// The verdict for a day of these hours.
///
/// It is exempt if exemptions leave fewer than the rule's valid hours; where fewer than that are
/// judged, `missing` decides; else it is met if the rule's share of the judged hours is.
pub fn day(hours: Hours, rule: &RuleProfile) -> Verdict {
    let Hours { met, short, exempt, indeterminate } = hours;
    let all = met + short + exempt + indeterminate;
    // a day that a zone's clock change shortens needs no more hours than it has
    let valid = u32::from(rule.day_valid_hours).min(all).max(1);
    if exempt > 0 && all - exempt < valid {
        return Verdict::Exempt;
    }
    if met + short < valid {
        return match rule.missing {
            Missing::Short => Verdict::Short,
            Missing::Indeterminate => Verdict::Indeterminate,
        };
    }
    if rule.day_hours_met.is_reached_by(met, met + short) { Verdict::Met } else { Verdict::Short }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::tests::rule;
    use model::rule::Statistic;

    /// Hours as letters: m met, s short, e exempt, i indeterminate.
    fn check(hours: &str, missing: Missing, expected: Verdict) {
        let hours: Vec<Verdict> = hours
            .chars()
            .map(|letter| match letter {
                'm' => Verdict::Met,
                's' => Verdict::Short,
                'e' => Verdict::Exempt,
                _ => Verdict::Indeterminate,
            })
            .collect();
        assert_eq!(
            day(Hours::of(&hours), &rule(Statistic::HourlyMean, missing)),
            expected,
            "{hours:?}"
        );
    }

    #[test]
    fn twenty_two_of_twenty_four_hours_are_a_day() {
        let of = |met: usize, short: usize, exempt: usize, unknown: usize| {
            ["m".repeat(met), "s".repeat(short), "e".repeat(exempt), "i".repeat(unknown)].concat()
        };
        for missing in [Missing::Short, Missing::Indeterminate] {
            check(&of(24, 0, 0, 0), missing, Verdict::Met);
            check(&of(22, 2, 0, 0), missing, Verdict::Met);
            check(&of(21, 3, 0, 0), missing, Verdict::Short);
            check(&of(20, 0, 4, 0), missing, Verdict::Met);
            check(&of(19, 0, 5, 0), missing, Verdict::Exempt);
            check(&of(20, 0, 0, 4), missing, Verdict::Met);
            check(&of(18, 2, 4, 0), missing, Verdict::Short);
        }
        check(&of(19, 0, 0, 5), Missing::Short, Verdict::Short);
        check(&of(19, 0, 0, 5), Missing::Indeterminate, Verdict::Indeterminate);
        check(&of(0, 0, 0, 24), Missing::Indeterminate, Verdict::Indeterminate);
        check("", Missing::Indeterminate, Verdict::Indeterminate);
        check(&of(1, 0, 23, 0), Missing::Short, Verdict::Exempt);
    }
}
