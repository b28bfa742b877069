//! How a column's points are compared with what stands at their moments, and what that may cost.

use std::collections::BTreeMap;

use model::{sample::Sample, time::Timestamp};

use crate::page::StoredSample;

/// What one write may spend on looking for contradictions, so that no payload holds the writer:
/// their number is a statistic, and which sample stands does not hang on it.
///
/// What it does not reach is counted as not compared.
#[derive(Debug)]
pub(crate) struct Budget {
    /// What may still be decoded, in points ([`Decoded::weight`](crate::points::Decoded::weight)).
    points: u64,
    /// How many rows of `span` may still be looked at.
    spans: usize,
}

impl Budget {
    /// Two of the largest batches, and the spans of a week that is told every hour.
    pub(crate) const fn of_a_write() -> Self {
        Self { points: 524_288, spans: 16_384 }
    }

    /// Whether another payload may be decoded; the last one may overdraw.
    pub(crate) const fn has_points(&self) -> bool {
        self.points > 0
    }

    /// A payload of this weight was decoded.
    pub(crate) const fn decoded(&mut self, weight: u64) {
        self.points = self.points.saturating_sub(weight);
    }

    /// One more span is looked at; `false` where that is too many.
    pub(crate) fn take_span(&mut self) -> bool {
        let left = self.spans.checked_sub(1);
        self.spans = left.unwrap_or(0);
        left.is_some()
    }
}

/// The points of a column whose moments have not been found yet among what is stored.
///
/// Stored spans are shown to it in ascending feed positions, so that the first point of a moment
/// is the one that stands.
#[derive(Debug)]
pub(crate) struct Asked {
    open: BTreeMap<Timestamp, StoredSample>,
    /// Points that differ from what stands at their moment.
    pub(crate) conflicts: u64,
    /// Points of which that is not known.
    pub(crate) uncompared: u64,
}

impl Asked {
    /// Of the points of a column of these decimals.
    pub(crate) fn new(samples: &[Sample], decimals: u8) -> Self {
        let open = samples.iter().map(|sample| {
            let sample = *sample;
            (sample.at, StoredSample { sample, decimals })
        });
        Self { open: open.collect(), conflicts: 0, uncompared: 0 }
    }

    /// Whether a span that reaches from `from` to `to` may have something to say.
    pub(crate) fn is_open(&self, from: Timestamp, to: Timestamp) -> bool {
        from <= to && self.open.range(from..=to).next().is_some()
    }

    /// Compares with the samples of a span.
    pub(crate) fn compare(&mut self, standing: impl Iterator<Item = StoredSample>) {
        for known in standing {
            let asked = self.open.remove(&known.sample.at);
            self.conflicts += u64::from(asked.is_some_and(|asked| !known.agrees_with(&asked)));
        }
    }

    /// Gives up on what a span from `from` to `to` may have to say.
    pub(crate) fn give_up(&mut self, from: Timestamp, to: Timestamp) {
        if from > to {
            return;
        }
        let moments: Vec<_> = self.open.range(from..=to).map(|(at, _)| *at).collect();
        for at in moments {
            self.uncompared += u64::from(self.open.remove(&at).is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{quality::Quality, sample::QcFlags};

    use super::*;

    fn sample(at: i64, value: i64) -> Sample {
        let at = Timestamp::from_ms(at).unwrap();
        Sample { at, value: Some(value), quality: Quality::GOOD, qc: QcFlags::NONE }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms).unwrap()
    }

    fn standing(points: &[(i64, i64)]) -> impl Iterator<Item = StoredSample> {
        points.iter().map(|(at, value)| StoredSample { sample: sample(*at, *value), decimals: 1 })
    }

    #[test]
    fn a_point_is_compared_once_with_the_first_that_is_shown() {
        let mut asked = Asked::new(&[sample(1, 100), sample(2, 201), sample(3, 300)], 2);
        asked.compare(standing(&[(0, 7), (1, 10), (2, 20)]));
        assert_eq!((asked.conflicts, asked.uncompared), (1, 0));
        asked.compare(standing(&[(1, 99), (2, 99)]));
        assert_eq!((asked.conflicts, asked.uncompared), (1, 0));
        assert!(!asked.is_open(at(0), at(2)));
        assert!(asked.is_open(at(3), at(9)));
    }

    #[test]
    fn what_is_given_up_is_counted_once_and_no_conflict() {
        let mut asked = Asked::new(&[sample(1, 1), sample(2, 2), sample(3, 3)], 1);
        asked.give_up(at(2), at(9));
        asked.give_up(at(1), at(0));
        asked.give_up(at(3), at(3));
        asked.compare(standing(&[(1, 1), (2, 9), (3, 9)]));
        assert_eq!((asked.conflicts, asked.uncompared), (0, 2));
    }

    #[test]
    fn a_budget_ends() {
        let mut budget = Budget { points: 10, spans: 1 };
        assert!(budget.take_span());
        assert!(!budget.take_span());
        budget.decoded(9);
        assert!(budget.has_points());
        budget.decoded(5);
        assert!(!budget.has_points());
    }
}
