//! What a stretch of released flow weighs: held, covered, released and required, in exact sums.
//!
//! The weight of a stretch is the sum of the weights of its parts, so that windows can slide and
//! deficits of adjoining periods add up. As JSON its sums are decimal text, since JSON's readers
//! round what has more than 53 bits (`docs/formats.md` §10).

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

use crate::release::Piece;

/// Sums over a stretch; times in ms, water in ml/s · ms, which is a millionth of a litre.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// Its length.
    #[serde(with = "decimal")]
    pub length: i128,
    /// Time for which every outlet's value stands.
    #[serde(with = "decimal")]
    pub whole: i128,
    /// Water credited during that time.
    #[serde(with = "decimal")]
    pub whole_water: i128,
    /// Time for which some outlet's value stands.
    #[serde(with = "decimal")]
    pub held: i128,
    /// Water that was released during that time at least: where a value is fresh, a stale one of
    /// another outlet is missing.
    #[serde(with = "decimal")]
    pub held_water: i128,
    /// Time for which every outlet's value is fresh.
    #[serde(with = "decimal")]
    pub covered: i128,
    /// Time for which some outlet's value is fresh.
    #[serde(with = "decimal")]
    pub partly_covered: i128,
    /// Water required over the whole length, without the rule's factor.
    #[serde(with = "decimal")]
    pub required: i128,
    /// Water that is missing where less than enough was released while every value stands.
    #[serde(with = "decimal")]
    pub deficit: i128,
}

impl Weight {
    /// Of one piece; exempt time weighs nothing.
    pub fn of(piece: &Piece) -> Self {
        if piece.is_exempt {
            return Self::default();
        }
        let length = i128::from(piece.length_ms());
        let when = |is: bool, weight: i128| if is { weight } else { 0 };
        let credited = i128::from(piece.credited) * length;
        let (is_whole, is_held) = (piece.is_whole(), piece.held > 0);
        let missing = i128::from(piece.enough - piece.released).max(0) * length;
        Self {
            length,
            whole: when(is_whole, length),
            whole_water: when(is_whole, credited),
            held: when(is_held, length),
            held_water: when(is_held, i128::from(piece.bound()) * length),
            covered: when(piece.is_covered(), length),
            partly_covered: when(piece.fresh > 0, length),
            required: i128::from(piece.required) * length,
            deficit: when(is_whole, missing),
        }
    }
}

impl Add for Weight {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, |a, b| a + b)
    }
}

impl Sub for Weight {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.with(other, |a, b| a - b)
    }
}

impl Weight {
    fn with(self, other: Self, of: impl Fn(i128, i128) -> i128) -> Self {
        Self {
            length: of(self.length, other.length),
            whole: of(self.whole, other.whole),
            whole_water: of(self.whole_water, other.whole_water),
            held: of(self.held, other.held),
            held_water: of(self.held_water, other.held_water),
            covered: of(self.covered, other.covered),
            partly_covered: of(self.partly_covered, other.partly_covered),
            required: of(self.required, other.required),
            deficit: of(self.deficit, other.deficit),
        }
    }
}

impl<'a> std::iter::Sum<&'a Piece> for Weight {
    fn sum<I: Iterator<Item = &'a Piece>>(pieces: I) -> Self {
        pieces.map(Self::of).fold(Self::default(), Add::add)
    }
}

mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// A thousand outlets that each let out the largest flow for ten days are less, and a century of
    /// such days can still be added up.
    const MOST: u128 = 10_u128.pow(32);

    pub(super) fn serialize<S: Serializer>(sum: &i128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(sum)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i128, D::Error> {
        let text = String::deserialize(from)?;
        let refused = |why: &str| D::Error::custom(format_args!("`{text}` is {why}"));
        let sum: i128 = text.parse().map_err(|_none| refused("no whole number"))?;
        if sum.unsigned_abs() > MOST { Err(refused("no sum of a period")) } else { Ok(sum) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_text_and_none_that_could_overflow_is_read() {
        let weight =
            Weight { length: 3_600_000, deficit: 10_i128.pow(31) + 1, ..Weight::default() };
        let text = serde_json::to_string(&weight).unwrap();
        assert_eq!(
            text,
            r#"{"length":"3600000","whole":"0","whole_water":"0","held":"0","held_water":"0","covered":"0","partly_covered":"0","required":"0","deficit":"10000000000000000000000000000001"}"#
        );
        assert_eq!(serde_json::from_str::<Weight>(&text).unwrap(), weight);
        for bad in ["1e6", "", "0.5", &i128::MAX.to_string(), &i128::MIN.to_string()] {
            let text = text.replace("3600000", bad);
            let refused = serde_json::from_str::<Weight>(&text).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("`{bad}` is no ")), "{refused}");
        }
    }
}
