//! Exact values as JSON numbers: their decimal text, never through a binary fraction.

use model::quantity::Decimal;
use serde::{Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;

/// A value that is written as it is stored, with as few decimals as it needs.
///
/// It can be written as JSON only, where it is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact(Decimal);

impl Exact {
    /// The number itself, without zeros at its end.
    pub const fn new(value: Decimal) -> Self {
        Self(value.trimmed())
    }

    /// The number.
    pub const fn decimal(self) -> Decimal {
        self.0
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.decimals == 0 {
            return serializer.serialize_i64(self.0.units);
        }
        RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(units: i64, decimals: u8, expected: &str) {
        let shown = serde_json::to_string(&Exact::new(Decimal { units, decimals })).unwrap();
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_value_is_printed_as_stored_without_zeros_at_its_end() {
        check(612_000, 6, "0.612");
        check(499_860, 6, "0.49986");
        check(-75, 2, "-0.75");
        check(5_000_000, 6, "5");
        check(0, 9, "0");
    }

    #[test]
    fn what_a_binary_fraction_would_change_stays_as_it_is() {
        check(i64::MAX, 0, "9223372036854775807");
        check(i64::MIN, 18, "-9.223372036854775808");
        check(9_007_199_254_740_993, 3, "9007199254740.993");
    }
}
