//! What its hours make of a day.

use model::{
    rule::{Missing, RuleProfile},
    verdict::Verdict,
};

use crate::judgement::Hours;

/// The verdict for a day of these hours: what it is whatever those are that are doubted, be they
/// met, short or not known; `None` where it is not the same in each case.
pub fn day(hours: Hours, rule: &RuleProfile) -> Option<Verdict> {
    let Hours { met, short, indeterminate, doubted, .. } = hours;
    let unknown = indeterminate.saturating_sub(doubted);
    let as_met = Hours { met: met + doubted, indeterminate: unknown, ..hours };
    let as_short = Hours { short: short + doubted, indeterminate: unknown, ..hours };
    let verdict = of(hours, rule);
    let is_the_same = |hours| of(hours, rule) == verdict;
    (is_the_same(as_met) && is_the_same(as_short)).then_some(verdict)
}

/// It is exempt if exemptions leave fewer than the rule's valid hours; where fewer than that are
/// judged, `missing` decides; else it is met if the rule's share of the judged hours is.
fn of(hours: Hours, rule: &RuleProfile) -> Verdict {
    let Hours { met, short, exempt, indeterminate, doubted: _, unknown: _ } = hours;
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
            Some(expected),
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

    #[test]
    fn a_day_with_doubted_hours_is_what_it_is_whatever_they_are() {
        let of = |met, short, doubted, missing| {
            let hours = Hours { indeterminate: doubted, doubted, met, short, ..Hours::default() };
            day(hours, &rule(Statistic::HourlyMean, missing))
        };
        for missing in [Missing::Short, Missing::Indeterminate] {
            // of 24 hours 22 must be met, of 20 at least
            assert_eq!(of(22, 0, 2, missing), Some(Verdict::Met));
            assert_eq!(of(21, 0, 3, missing), None);
            assert_eq!(of(0, 0, 24, missing), None);
            assert_eq!(of(17, 3, 4, missing), Some(Verdict::Short));
        }
        // with them left out there are too few
        assert_eq!(of(0, 19, 5, Missing::Short), Some(Verdict::Short));
        assert_eq!(of(0, 19, 5, Missing::Indeterminate), None);
    }
}
