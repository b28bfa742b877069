//! Where a flow stands against the requirement: compared exactly, never rounded.

use std::cmp::Ordering;

use model::{alarm_rule::AlarmRule, flow::Flow, quantity::Decimal};
use serde::{Deserialize, Serialize};

/// From where a value is low, and from where it is well again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The share of the requirement below which a value is low, above 0.
    pub share: Decimal,
    /// How far beyond the limit it is well again, as a share of the limit, 0 or more.
    pub deadband: Decimal,
}

/// Whether the outlets of a section are all known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// All: the flow is what it says.
    Whole,
    /// Some are missing: the flow is at least what it says.
    AtLeast,
}

/// Where a flow stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Below the limit, for certain.
    Below,
    /// At the limit or above, and perhaps not beyond the deadband.
    Enough,
    /// At the limit and the deadband or above, or nothing is mandated.
    Recovered,
    /// Perhaps below and perhaps not, since an outlet is missing.
    Unknown,
}

impl Limit {
    /// What a rule asks for.
    pub const fn of(rule: &AlarmRule, share: Decimal) -> Self {
        Self { share, deadband: rule.deadband }
    }

    /// Where `released` stands against `required`; none: nothing is mandated, so nothing is owed.
    pub fn standing(&self, released: Flow, bound: Bound, required: Option<Flow>) -> Standing {
        let Some(required) = required else { return Standing::Recovered };
        // a meter's zero may drift below nothing; water does not
        let released = units(released.as_ml_per_s());
        let required = units(required.as_ml_per_s());
        let (share, share_scale) = (units(self.share.units), scale(self.share.decimals));
        let deadband_scale = scale(self.deadband.decimals);
        let recovers = deadband_scale + units(self.deadband.units);
        let is_enough = product(released, share_scale) >= product(required, share);
        let is_recovered = product(released, share_scale * deadband_scale)
            .cmp(&product(required, share * recovers))
            != Ordering::Less;
        match (is_recovered, is_enough, bound) {
            (true, _, _) => Standing::Recovered,
            (false, true, _) => Standing::Enough,
            (false, false, Bound::Whole) => Standing::Below,
            (false, false, Bound::AtLeast) => Standing::Unknown,
        }
    }
}

/// A number that is not below 0.
fn units(number: i64) -> u128 {
    u128::try_from(number).unwrap_or(0)
}

fn scale(decimals: u8) -> u128 {
    10_u128.pow(u32::from(decimals.min(18)))
}

/// The product of two numbers in 256 bits, high half first: 64 bits of flow times 36 decimals do
/// not fit in 128.
const fn product(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = (1 << 64) - 1;
    let (a_high, a_low, b_high, b_low) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let low = a_low * b_low;
    let middle = a_high * b_low + (low >> 64);
    let (middle, carry) = middle.overflowing_add(a_low * b_high);
    let carry = if carry { 1 << 64 } else { 0 };
    (a_high * b_high + (middle >> 64) + carry, (middle << 64) | (low & LOW))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limit(share: &str, deadband: &str) -> Limit {
        Limit { share: share.parse().unwrap(), deadband: deadband.parse().unwrap() }
    }

    fn stands(limit: Limit, released: i64, bound: Bound, required: i64) -> Standing {
        let [released, required] = [released, required].map(Flow::from_ml_per_s);
        limit.standing(released, bound, Some(required))
    }

    #[test]
    fn equal_is_enough_and_a_millilitre_less_is_below() {
        let all = limit("1", "0.02");
        assert_eq!(stands(all, 500_000, Bound::Whole, 500_000), Standing::Enough);
        assert_eq!(stands(all, 499_999, Bound::Whole, 500_000), Standing::Below);
        assert_eq!(stands(all, 509_999, Bound::Whole, 500_000), Standing::Enough);
        assert_eq!(stands(all, 510_000, Bound::Whole, 500_000), Standing::Recovered);
        // 0.95 · 10 ml/s is 9.5: 9 is below, 10 enough, and 9.69 recovers
        let share = limit("0.95", "0.02");
        assert_eq!(stands(share, 9, Bound::Whole, 10), Standing::Below);
        assert_eq!(stands(share, 10, Bound::Whole, 10), Standing::Recovered);
    }

    #[test]
    fn a_lower_bound_is_never_below() {
        let all = limit("1", "0.02");
        assert_eq!(stands(all, 0, Bound::AtLeast, 1), Standing::Unknown);
        assert_eq!(stands(all, 500_000, Bound::AtLeast, 500_000), Standing::Enough);
        assert_eq!(stands(all, 510_000, Bound::AtLeast, 500_000), Standing::Recovered);
    }

    #[test]
    fn where_nothing_is_owed_nothing_is_below() {
        let all = limit("1", "0");
        assert_eq!(stands(all, 0, Bound::Whole, 0), Standing::Recovered);
        assert_eq!(stands(all, -5, Bound::Whole, 0), Standing::Recovered);
        assert_eq!(all.standing(Flow::ZERO, Bound::Whole, None), Standing::Recovered);
    }

    #[test]
    fn the_largest_numbers_are_compared_exactly() {
        let most = Limit {
            share: Decimal { units: i64::MAX, decimals: 18 },
            deadband: Decimal { units: i64::MAX, decimals: 18 },
        };
        assert_eq!(stands(most, i64::MAX, Bound::Whole, i64::MAX), Standing::Below);
        let finest = limit("0.999999999999999999", "0");
        assert_eq!(stands(finest, i64::MAX - 9, Bound::Whole, i64::MAX), Standing::Recovered);
        assert_eq!(stands(finest, i64::MAX - 10, Bound::Whole, i64::MAX), Standing::Below);
        assert_eq!(product(u128::MAX, u128::MAX), (u128::MAX - 1, 1));
    }

    proptest! {
        #[test]
        fn small_numbers_stand_as_plain_arithmetic_says(
            released in 0_i64..3_000, required in 0_i64..2_000,
            percent in 1_i64..200, deadband in 0_i64..50,
        ) {
            let limit = Limit {
                share: Decimal { units: percent, decimals: 2 },
                deadband: Decimal { units: deadband, decimals: 2 },
            };
            let expected = if released * 10_000 >= required * percent * (100 + deadband) {
                Standing::Recovered
            } else if released * 100 >= required * percent {
                Standing::Enough
            } else {
                Standing::Below
            };
            prop_assert_eq!(stands(limit, released, Bound::Whole, required), expected);
        }

        #[test]
        fn a_product_is_the_product(a: u64, b: u64, c in 0_u128..1 << 63) {
            // (a·2^64 + b)·c, added up by halves
            let (low, high) = (u128::from(b) * c, u128::from(a) * c);
            let sum = high + (low >> 64);
            let expected = (sum >> 64, (sum << 64) | (low & u128::from(u64::MAX)));
            prop_assert_eq!(product((u128::from(a) << 64) | u128::from(b), c), expected);
        }
    }
}
