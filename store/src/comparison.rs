//! How a column's points are compared with what stands at their moments, and what that may cost.

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

/// What is known of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing yet.
    Open,
    /// It differs from what stands; whether another point of its moment said the same is open.
    Differs,
    /// It only says again what was said before.
    Repeated,
    /// It differs from what stands.
    Conflict,
    /// Nobody looked.
    Uncompared,
}

#[derive(Debug)]
struct Point {
    sample: StoredSample,
    state: State,
    /// No point from here up to this one is open; shortened whenever it is followed.
    next: usize,
}

/// The points of a column, each compared with what was said of its moment before.
///
/// Stored spans are shown to it in ascending feed positions, so that the first point of a moment
/// is the one that stands.
#[derive(Debug)]
pub(crate) struct Asked(Vec<Point>);

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Of each point whether it only says again what was said before; of none where nothing was
    /// asked.
    repeated: Vec<bool>,
    /// Points that differ from what stands at their moment, and say what nobody said before.
    pub(crate) conflicts: u64,
    /// Points of which nobody looked.
    pub(crate) uncompared: u64,
}

impl Compared {
    /// Whether the point of this number only says again what was said before.
    pub(crate) fn is_repeated(&self, number: usize) -> bool {
        self.repeated.get(number).copied().unwrap_or(false)
    }

    /// How many points do.
    pub(crate) fn repeated(&self) -> u64 {
        let repeated = self.repeated.iter().filter(|is_repeated| **is_repeated);
        u64::try_from(repeated.count()).unwrap_or(u64::MAX)
    }
}

impl Asked {
    /// Of the points of a column of these decimals, in ascending moments.
    pub(crate) fn new(samples: &[Sample], decimals: u8) -> Self {
        let points = samples.iter().enumerate().map(|(next, sample)| {
            let sample = StoredSample { sample: *sample, decimals };
            Point { sample, state: State::Open, next }
        });
        Self(points.collect())
    }

    /// Whether a span that reaches from `from` to `to` may have something to say.
    pub(crate) fn is_open(&mut self, from: Timestamp, to: Timestamp) -> bool {
        let next = self.next_open(self.first(from));
        self.0.get(next).is_some_and(|point| point.sample.sample.at <= to)
    }

    /// The stretches in which something is open and that are more than `apart` from one another,
    /// up to `last`.
    pub(crate) fn stretches(&mut self, last: Timestamp, apart: i64) -> Vec<(Timestamp, Timestamp)> {
        let mut stretches: Vec<(Timestamp, Timestamp)> = Vec::new();
        let mut index = self.next_open(0);
        while let Some(at) = self.0.get(index).map(|point| point.sample.sample.at)
            && at <= last
        {
            match stretches.last_mut() {
                Some((_, to)) if at.ms_since(*to) <= apart => *to = at,
                Some(_) | None => stretches.push((at, at)),
            }
            index = self.next_open(index + 1);
        }
        stretches
    }

    /// Compares with points each of which was said before, though not all of them stand.
    pub(crate) fn recall(&mut self, told: impl Iterator<Item = StoredSample>) {
        self.meet(told, |state| state);
    }

    /// Compares with the samples of a span.
    pub(crate) fn compare(&mut self, standing: impl Iterator<Item = StoredSample>) {
        self.meet(standing, |_| State::Differs);
    }

    /// Compares with samples in ascending moments; `differing` is what becomes of an open point
    /// that differs.
    fn meet(
        &mut self,
        known: impl Iterator<Item = StoredSample>,
        differing: impl Fn(State) -> State,
    ) {
        let mut index = 0;
        for known in known {
            let at = known.sample.at;
            if self.0.get(index).is_some_and(|point| point.sample.sample.at < at) {
                index += self
                    .0
                    .get(index..)
                    .map_or(0, |rest| rest.partition_point(|point| point.sample.sample.at < at));
            }
            let Some(point) = self.0.get_mut(index) else { return };
            if point.sample.sample.at != at || !point.state.is_open() {
                continue;
            }
            if known.agrees_with(&point.sample) {
                point.state = State::Repeated;
                point.next = index + 1;
            } else {
                point.state = differing(point.state);
            }
        }
    }

    /// Gives up on what a span from `from` to `to` may have to say.
    pub(crate) fn give_up(&mut self, from: Timestamp, to: Timestamp) {
        let mut index = self.next_open(self.first(from));
        while let Some(point) = self.0.get_mut(index)
            && point.sample.sample.at <= to
        {
            point.state = match point.state {
                State::Differs => State::Conflict,
                State::Open | State::Repeated | State::Conflict | State::Uncompared => {
                    State::Uncompared
                }
            };
            point.next = index + 1;
            index = self.next_open(index + 1);
        }
    }

    /// When everything was shown to it.
    pub(crate) fn finish(self) -> Compared {
        let mut compared = Compared::default();
        compared.repeated.reserve_exact(self.0.len());
        for point in self.0 {
            compared.repeated.push(point.state == State::Repeated);
            match point.state {
                State::Differs | State::Conflict => compared.conflicts += 1,
                State::Uncompared => compared.uncompared += 1,
                State::Open | State::Repeated => {}
            }
        }
        compared
    }

    /// The first point at this moment or later.
    fn first(&self, at: Timestamp) -> usize {
        self.0.partition_point(|point| point.sample.sample.at < at)
    }

    /// The first open point from this one on.
    fn next_open(&mut self, from: usize) -> usize {
        let mut open = from;
        while let Some(point) = self.0.get(open).filter(|point| point.next > open) {
            open = point.next;
        }
        let mut index = from;
        while let Some(point) = self.0.get_mut(index).filter(|point| point.next > index) {
            index = std::mem::replace(&mut point.next, open);
        }
        open
    }
}

impl State {
    const fn is_open(self) -> bool {
        match self {
            Self::Open | Self::Differs => true,
            Self::Repeated | Self::Conflict | Self::Uncompared => false,
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

    /// Moments of what was said before, conflicts, and what was not compared.
    fn came(asked: Asked) -> (Vec<i64>, u64, u64) {
        let moments: Vec<i64> =
            asked.0.iter().map(|point| point.sample.sample.at.as_ms()).collect();
        let compared = asked.finish();
        let numbered = moments.iter().enumerate();
        let repeated: Vec<i64> = numbered
            .filter(|(number, _)| compared.is_repeated(*number))
            .map(|(_, at)| *at)
            .collect();
        assert_eq!(compared.repeated(), u64::try_from(repeated.len()).unwrap());
        (repeated, compared.conflicts, compared.uncompared)
    }

    #[test]
    fn a_point_is_compared_with_the_first_that_is_shown() {
        let mut asked = Asked::new(&[sample(1, 100), sample(2, 201), sample(3, 300)], 2);
        asked.compare(standing(&[(0, 7), (1, 10), (2, 20)]));
        asked.compare(standing(&[(1, 99), (2, 99)]));
        assert!(!asked.is_open(at(0), at(1)));
        assert!(asked.is_open(at(2), at(2)), "another may have said the same");
        assert!(asked.is_open(at(3), at(9)));
        assert_eq!(came(asked), (vec![1], 1, 0));
    }

    #[test]
    fn a_contradiction_that_was_told_before_is_no_other_one() {
        let mut asked = Asked::new(&[sample(1, 10), sample(2, 10)], 1);
        asked.compare(standing(&[(1, 9), (2, 9)]));
        asked.compare(standing(&[(1, 10), (2, 8)]));
        assert_eq!(came(asked), (vec![1], 1, 0));
    }

    #[test]
    fn what_was_told_before_proves_what_it_repeats_and_contradicts_nothing() {
        let mut asked = Asked::new(&[sample(1, 10), sample(2, 10), sample(3, 10)], 1);
        asked.recall(standing(&[(1, 10), (2, 9)]));
        asked.compare(standing(&[(1, 9), (2, 10)]));
        assert_eq!(came(asked), (vec![1, 2], 0, 0));
    }

    #[test]
    fn what_is_given_up_is_counted_once_and_is_a_conflict_where_that_is_known() {
        let mut asked = Asked::new(&[sample(1, 1), sample(2, 2), sample(3, 3)], 1);
        asked.compare(standing(&[(1, 9)]));
        asked.give_up(at(1), at(9));
        asked.give_up(at(1), at(0));
        asked.give_up(at(3), at(3));
        asked.compare(standing(&[(1, 1), (2, 9), (3, 9)]));
        assert_eq!(came(asked), (vec![], 1, 2));
    }

    #[test]
    fn what_is_open_is_looked_for_where_it_is() {
        let mut asked = Asked::new(&[1, 2, 9, 10, 40, 50].map(|at| sample(at, 1)), 1);
        asked.recall(standing(&[(9, 1)]));
        let mut stretches = |last| {
            let found = asked.stretches(at(last), 5);
            found.iter().map(|(from, to)| (from.as_ms(), to.as_ms())).collect::<Vec<_>>()
        };
        assert_eq!(stretches(40), [(1, 2), (10, 10), (40, 40)]);
        assert_eq!(stretches(0), []);
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
