//! What a stretch of released flow weighs: held, covered, released and required, in exact sums.
//!
//! A [`Weight`] of a stretch is the sum of the weights of its parts, so that windows can slide and
//! deficits of adjoining periods add up.

use std::ops::{Add, Sub};

use model::{quantity::Decimal, release::Piece};

/// Sums over a stretch; times in ms, water in ml/s · ms, which is a millionth of a litre.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weight {
    /// Its length.
    pub length: i128,
    /// Time for which every outlet's value stands.
    pub whole: i128,
    /// Water credited during that time.
    pub whole_water: i128,
    /// Time for which some outlet's value stands.
    pub held: i128,
    /// Water that was released during that time at least: where a value is fresh, a stale one of
    /// another outlet is missing.
    pub held_water: i128,
    /// Time for which every outlet's value is fresh.
    pub covered: i128,
    /// Time for which some outlet's value is fresh.
    pub partly_covered: i128,
    /// Water required over the whole length, without the rule's factor.
    pub required: i128,
    /// Water that is missing where less than enough was released while every value stands.
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

    /// Whether values of every outlet stand fresh for this share of it.
    pub const fn is_covered(&self, share: Share) -> bool {
        share.is_reached_by(self.covered, self.length)
    }

    /// Whether enough is known to have been released: by the mean while every outlet's value
    /// stands, or by a lower bound, each over enough of the time.
    pub fn is_met(&self, factor: Decimal, coverage: Share) -> bool {
        // over missing time nothing is met: a bound is for outlets, some known at each moment
        let is_bound_covered = coverage.is_reached_by(self.partly_covered, self.length);
        (self.is_covered(coverage) && self.is_mean_enough(self.whole_water, self.whole, factor))
            || (is_bound_covered && self.is_mean_enough(self.held_water, self.held, factor))
    }

    /// Whether less than enough is known to have been released while anything is known, be it for
    /// however short a time.
    pub fn is_known_below(&self, factor: Decimal) -> bool {
        self.held > 0 && !self.is_mean_enough(self.held_water, self.held, factor)
    }

    /// water / time ≥ factor · required / length, without a division.
    fn is_mean_enough(&self, water: i128, time: i128, factor: Decimal) -> bool {
        let scale = 10_i128.pow(u32::from(factor.decimals));
        time > 0 && water * self.length * scale >= i128::from(factor.units) * self.required * time
    }
}

/// A share of a time, compared without a division.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    part: i128,
    whole: i128,
}

impl Share {
    /// Of an hour, as a rule writes it.
    pub fn of_hour(share: Decimal) -> Self {
        Self { part: i128::from(share.units), whole: 10_i128.pow(u32::from(share.decimals)) }
    }

    /// So many hours of a day of 24.
    pub fn of_day(hours: u8) -> Self {
        Self { part: i128::from(hours), whole: 24 }
    }

    /// Whether `part` of `whole` is as much; of nothing nothing is.
    pub const fn is_reached_by(self, part: i128, whole: i128) -> bool {
        whole > 0 && part * self.whole >= self.part * whole
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

/// Weights of any window over the same pieces, each by two look-ups.
#[derive(Debug)]
pub struct Cumulated<'a> {
    pieces: &'a [Piece],
    /// Of everything before the piece at the same place.
    before: Vec<Weight>,
}

impl<'a> Cumulated<'a> {
    /// Over pieces in order.
    pub fn new(pieces: &'a [Piece]) -> Self {
        let sums = pieces.iter().scan(Weight::default(), |sum, piece| {
            let before = *sum;
            *sum = before + Weight::of(piece);
            Some(before)
        });
        Self { pieces, before: sums.collect() }
    }

    /// From one moment, ms, to another.
    pub fn between(&self, from_ms: i64, to_ms: i64) -> Weight {
        self.until(to_ms) - self.until(from_ms)
    }

    fn until(&self, at_ms: i64) -> Weight {
        let begun = self.pieces.partition_point(|piece| piece.from_ms < at_ms);
        let last = begun.checked_sub(1);
        match last.and_then(|last| Some((self.pieces.get(last)?, self.before.get(last)?))) {
            None => Weight::default(),
            Some((piece, before)) => {
                let part = Piece { to_ms: piece.to_ms.min(at_ms), ..*piece };
                *before + Weight::of(&part)
            }
        }
    }
}

impl<'a> std::iter::Sum<&'a Piece> for Weight {
    fn sum<I: Iterator<Item = &'a Piece>>(pieces: I) -> Self {
        pieces.map(Self::of).fold(Self::default(), Add::add)
    }
}
