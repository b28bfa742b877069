//! Whether the flow of a stretch is covered and enough, compared without a division, and the weight
//! of any window over it.

use model::{quantity::Decimal, release::Piece, weight::Weight};

/// Whether values of every outlet stand fresh for this share of it.
pub const fn is_covered(weight: &Weight, share: Share) -> bool {
    share.is_reached_by(weight.covered, weight.length)
}

/// Whether enough is known to have been released: by the mean while every outlet's value
/// stands, or by a lower bound, each over enough of the time.
pub fn is_met(weight: &Weight, factor: Decimal, coverage: Share) -> bool {
    // over missing time nothing is met: a bound is for outlets, some known at each moment
    let is_bound_covered = coverage.is_reached_by(weight.partly_covered, weight.length);
    (is_covered(weight, coverage)
        && is_mean_enough(weight, weight.whole_water, weight.whole, factor))
        || (is_bound_covered && is_mean_enough(weight, weight.held_water, weight.held, factor))
}

/// Whether less than enough is known to have been released while anything is known, be it for
/// however short a time.
pub fn is_known_below(weight: &Weight, factor: Decimal) -> bool {
    weight.held > 0 && !is_mean_enough(weight, weight.held_water, weight.held, factor)
}

/// water / time ≥ factor · required / length, without a division. A thousand outlets of the largest
/// flow (10¹² ml/s), a day long twice over (10⁸ ms each) and a factor of six decimals, more than
/// which the registry does not take, stay below 10³⁸, where 128 bits end.
fn is_mean_enough(weight: &Weight, water: i128, time: i128, factor: Decimal) -> bool {
    let scale = 10_i128.pow(u32::from(factor.decimals));
    time > 0 && water * weight.length * scale >= i128::from(factor.units) * weight.required * time
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
