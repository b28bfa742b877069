//! What days come to: how many of a time are what, the rate of those that were met, and what that
//! makes of the time. Months and counts of compliance are made of nothing else, so that they agree.

use model::{
    calendar::Date,
    ids::SectionId,
    quantity::{Decimal, Rounding, quotient},
    registry::Registry,
    rule::RuleProfile,
    station::Station,
    verdict::Verdict,
};
use store::VerdictCounts;

use crate::number::Exact;

/// The rule by which days before `to` are counted: that of the mandate in force at the end of the
/// time, or of the last one before.
pub fn rule_of<'a>(
    registry: &'a Registry,
    station: &Station,
    section: &SectionId,
    to: Date,
) -> Option<&'a RuleProfile> {
    let of_section = station.mandates.iter().filter(|mandate| mandate.section == *section);
    let mandate = of_section.filter(|mandate| mandate.from < to).max_by_key(|m| m.from)?;
    registry.rules.get(&mandate.rule)
}

/// Days that count: met and short ones.
pub const fn assessed(days: &VerdictCounts) -> u32 {
    days.met.saturating_add(days.short)
}

/// Truncated to four decimals, so that it is never shown as more than it is; `None` of nothing.
pub fn rate(part: u32, whole: u32) -> Option<Exact> {
    let units = (u64::from(part) * 10_000).checked_div(u64::from(whole))?;
    Some(Exact::new(Decimal { units: i64::try_from(units).ok()?, decimals: 4 }))
}

/// What a flow is of another one, truncated like [`rate`]: a share that is shown as 100 % has been
/// reached. `None` of nothing.
pub fn share(part: Decimal, whole: Decimal) -> Option<Exact> {
    let places = part.decimals.max(whole.decimals);
    let scaled = |value: Decimal| {
        let power = 10_i128.checked_pow(u32::from(places - value.decimals))?;
        i128::from(value.units).checked_mul(power)
    };
    quotient(scaled(part)?, scaled(whole)?, 4, Rounding::Down).map(Exact::new)
}

/// Whether a count is at least a share of another one, without a division; `None` of nothing.
pub fn reaches(part: u32, whole: u32, share: Decimal) -> Option<bool> {
    let scale = 10_i128.pow(u32::from(share.decimals));
    let is_reached = i128::from(part) * scale >= i128::from(share.units) * i128::from(whole);
    (whole > 0).then_some(is_reached)
}

/// What a time is by its days, and why; `None` where it has none.
///
/// It is met or short only where that is so whatever the days were of which too little is known:
/// for want of data nothing is met. What is open counts for nothing.
pub fn outcome(days: &VerdictCounts, pass_rate: Decimal) -> Option<(Verdict, &'static str)> {
    let VerdictCounts { met, short: _, exempt, indeterminate, open } = *days;
    let (assessed, unknown) = (assessed(days), indeterminate);
    let too_little = (Verdict::Indeterminate, "too_little_known");
    if assessed == 0 {
        return match (unknown, exempt, open) {
            (0, 0, 0) => None,
            (0, 1.., _) => Some((Verdict::Exempt, "excused")),
            (..) => Some(too_little),
        };
    }
    let all = assessed.saturating_add(unknown);
    let at_worst = reaches(met, all, pass_rate)?;
    let at_best = reaches(met.saturating_add(unknown), all, pass_rate)?;
    Some(match (at_worst, at_best) {
        (true, _) => (Verdict::Met, "enough"),
        (false, false) => (Verdict::Short, "below"),
        (false, true) => too_little,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(met: u32, short: u32, exempt: u32, indeterminate: u32, open: u32) -> VerdictCounts {
        VerdictCounts { met, short, exempt, indeterminate, open }
    }

    const EIGHTY: Decimal = Decimal { units: 80, decimals: 2 };

    fn word(days: VerdictCounts) -> &'static str {
        outcome(&days, EIGHTY).map_or("nothing", |(verdict, _)| verdict.word())
    }

    #[test]
    fn a_share_never_seems_to_be_more_than_it_is() {
        let of = |part: (i64, u8), whole: (i64, u8)| {
            let decimal = |(units, decimals)| Decimal { units, decimals };
            let share = share(decimal(part), decimal(whole));
            share.map(|share| share.decimal().to_string())
        };
        assert_eq!(of((612, 3), (8, 1)).as_deref(), Some("0.765"));
        assert_eq!(of((799_999, 6), (800, 3)).as_deref(), Some("0.9999"));
        assert_eq!(of((8, 1), (800_000, 6)).as_deref(), Some("1"));
        assert_eq!(of((1, 0), (3, 0)).as_deref(), Some("0.3333"));
        assert_eq!(of((0, 6), (75, 2)).as_deref(), Some("0"));
        assert_eq!(of((612, 3), (0, 0)), None);
    }

    #[test]
    fn a_time_is_what_its_days_make_it_whatever_is_unknown() {
        assert_eq!(word(counts(24, 6, 1, 0, 0)), "met");
        assert_eq!(word(counts(23, 7, 1, 0, 0)), "short");
        assert_eq!(word(counts(24, 0, 0, 6, 0)), "met"); // even if all six were short
        assert_eq!(word(counts(24, 0, 0, 7, 0)), "indeterminate");
        assert_eq!(word(counts(10, 7, 0, 18, 0)), "indeterminate");
        assert_eq!(word(counts(10, 7, 0, 17, 0)), "short"); // even if all were met
        assert_eq!(word(counts(1, 0, 0, 30, 0)), "indeterminate");
    }

    #[test]
    fn nothing_is_met_for_want_of_data() {
        assert_eq!(word(counts(0, 0, 0, 0, 0)), "nothing");
        assert_eq!(word(counts(0, 0, 31, 0, 0)), "exempt");
        assert_eq!(word(counts(0, 0, 30, 1, 0)), "indeterminate");
        assert_eq!(word(counts(0, 0, 0, 0, 1)), "indeterminate");
        let all_pass = Decimal { units: 0, decimals: 0 };
        let unknown = outcome(&counts(0, 0, 0, 31, 0), all_pass);
        assert_eq!(unknown.map(|(verdict, _)| verdict), Some(Verdict::Indeterminate));
    }

    proptest! {
        #[test]
        fn what_is_met_passes_and_what_is_short_does_not(
            met in 0_u32..40, short in 0_u32..40, unknown in 0_u32..40, share in 0_i64..=100,
        ) {
            let days = counts(met, short, 0, unknown, 0);
            let share = Decimal { units: share, decimals: 2 };
            let passes = reaches(met, assessed(&days), share);
            match outcome(&days, share).map(|(verdict, _)| verdict) {
                Some(Verdict::Met) => prop_assert_eq!(passes, Some(true)),
                Some(Verdict::Short) => prop_assert_eq!(passes, Some(false)),
                Some(Verdict::Indeterminate) => prop_assert!(unknown > 0),
                Some(Verdict::Exempt) => prop_assert!(false, "nothing is exempt here"),
                None => prop_assert_eq!(met + short + unknown, 0),
            }
        }

        #[test]
        fn nothing_that_comes_to_be_known_of_a_day_turns_met_into_short(
            met in 0_u32..40, short in 0_u32..40, unknown in 1_u32..40, more in 0_u32..40,
        ) {
            let more = more.min(unknown);
            let before = outcome(&counts(met, short, 0, unknown, 0), EIGHTY);
            let after = outcome(&counts(met + more, short + unknown - more, 0, 0, 0), EIGHTY);
            if let Some((verdict @ (Verdict::Met | Verdict::Short), _)) = before {
                prop_assert_eq!(after.map(|(verdict, _)| verdict), Some(verdict));
            }
        }
    }
}
