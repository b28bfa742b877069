//! A flow of water, exact: whole millilitres per second.

use std::fmt;

use crate::quantity::{Decimal, NumberError};

/// What leaves a station, or must: whole millilitres per second, so that «equal» means it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow(i64);

impl Flow {
    /// No water.
    pub const ZERO: Self = Self(0);
    /// How many decimals of m³/s are kept.
    const DECIMALS: u8 = 6;

    /// From millilitres per second, as samples of flow are stored.
    pub const fn from_ml_per_s(ml_per_s: i64) -> Self {
        Self(ml_per_s)
    }

    /// From decimal text in m³/s; more than 6 decimals are refused.
    pub fn from_m3_per_s(text: &str) -> Result<Self, NumberError> {
        Decimal::parse_exact(text, Self::DECIMALS).map(Self)
    }

    /// Millilitres per second.
    pub const fn as_ml_per_s(self) -> i64 {
        self.0
    }

    /// In m³/s, with as few decimals as it needs.
    pub const fn decimal(self) -> Decimal {
        Decimal { units: self.0, decimals: Self::DECIMALS }.trimmed()
    }
}

impl fmt::Display for Flow {
    /// In m³/s without the unit, exact, with two decimals or as many more as it needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.decimal();
        let shown = exact
            .rescaled(2)
            .filter(|_| exact.decimals < 2)
            .map_or(exact, |units| Decimal { units, decimals: 2 });
        write!(f, "{shown}")
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} m3/s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_prints_exactly_with_two_decimals_at_least() {
        for (written, shown) in
            [("1.2", "1.20"), ("5", "5.00"), ("0.135", "0.135"), ("0.000001", "0.000001")]
        {
            assert_eq!(Flow::from_m3_per_s(written).unwrap().to_string(), shown);
        }
        assert!(Flow::from_m3_per_s("0.0000001").is_err());
    }
}
