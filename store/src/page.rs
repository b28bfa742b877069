//! Pages of samples: where the next one begins, and which point of several stands.

use std::{fmt, str::FromStr};

use model::{
    ids::GaugeId,
    quantity::{Decimal, Unit},
    sample::Sample,
    station::{Gauge, ValueRange},
    time::Timestamp,
};

use crate::points::says_the_same;

/// Where the next page begins, and which state of the store all pages show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The feed position of the first page: what came later belongs to the next listing.
    pub(crate) feed: i64,
    /// The first moment of the next page.
    pub(crate) at: Timestamp,
}

impl Cursor {
    /// From this moment on, as the store was when the row of the feed at `position` was its newest.
    pub const fn as_of(position: i64, at: Timestamp) -> Self {
        Self { feed: position, at }
    }

    /// The first moment of the next page: everything before has been listed.
    pub const fn at(&self) -> Timestamp {
        self.at
    }
}

/// Not a cursor that a page gave out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cursor; use `next` of the page before")]
pub struct CursorError(String);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.feed, self.at.as_ms())
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let parts = || {
            let (feed, at) = text.split_once('_')?;
            let at = Timestamp::from_ms(at.parse().ok()?).ok()?;
            Some(Self { feed: feed.parse().ok()?, at })
        };
        parts()
            .filter(|cursor| cursor.feed >= 0)
            .ok_or_else(|| CursorError(text.chars().take(60).collect()))
    }
}

/// Which samples to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamplesQuery {
    /// Whose.
    pub gauge: GaugeId,
    /// From this moment on.
    pub from: Timestamp,
    /// Up to this moment, which does not belong to it.
    pub to: Timestamp,
    /// `next` of the page before; `None` for the first page.
    pub cursor: Option<Cursor>,
    /// At most so many samples a page, at least 1.
    pub limit: usize,
}

/// A sample with the decimals that were in force when it was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredSample {
    /// Its value is in units of 10^−`decimals`.
    pub sample: Sample,
    /// Of the gauge's unit.
    pub decimals: u8,
}

impl StoredSample {
    /// The value as an exact number of the gauge's unit, where one stands.
    pub fn decimal(&self) -> Option<Decimal> {
        self.sample.value.map(|units| Decimal { units, decimals: self.decimals })
    }

    /// With what the gauge's range says of it, by the registry in force; a gauge that it does not
    /// know has none.
    #[must_use]
    pub fn of_gauge(self, gauge: Option<&Gauge>) -> Self {
        let range = gauge.and_then(|gauge| {
            // decimals only grow, and the range is written in those of today
            let more = gauge.resolution.decimals.checked_sub(self.decimals)?;
            let scale = 10_i64.checked_pow(u32::from(more))?;
            let ValueRange { low, high } = gauge.range?;
            // -(-low / scale) rounded down is low / scale rounded up
            let low = low.saturating_neg().div_euclid(scale).saturating_neg();
            Some(ValueRange { low, high: high.div_euclid(scale) })
        });
        Self { sample: self.sample.within(range), ..self }
    }

    /// Whether it says the same as `other` of the same moment, whatever the decimals.
    pub fn agrees_with(&self, other: &Self) -> bool {
        if self.decimals == other.decimals {
            return says_the_same(&self.sample, &other.sample);
        }
        let is_equal = match (self.decimal(), other.decimal()) {
            (Some(one), Some(other)) => one.compare(other).is_eq(),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        is_equal && self.sample.quality == other.sample.quality
    }
}

/// Samples in ascending moments, each moment once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The gauge's unit; `None` where the store has nothing of it.
    pub unit: Option<Unit>,
    /// At most `limit`.
    pub samples: Vec<StoredSample>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Cursor>,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    feed: i64,
    sample: StoredSample,
}

impl Candidate {
    fn at(&self) -> Timestamp {
        self.sample.sample.at
    }
}

/// The first moments of overlapping spans, however many there are; of several points at one
/// moment that of the lowest feed position stands.
///
/// Holds one more than `limit`, so that its size does not depend on what is stored.
#[derive(Debug)]
pub(crate) struct Merge {
    capacity: usize,
    standing: Vec<Candidate>,
}

impl Merge {
    /// For a page of `limit` samples.
    pub(crate) fn new(limit: usize) -> Self {
        Self { capacity: limit.max(1).saturating_add(1), standing: Vec::new() }
    }

    /// Whether a span that begins at `from` can change nothing, nor any span that begins later.
    pub(crate) fn is_settled_before(&self, from: Timestamp) -> bool {
        self.standing.len() >= self.capacity
            && self.standing.last().is_some_and(|last| last.sample.sample.at < from)
    }

    /// Takes samples in ascending moments; spans may come in any order, since a moment that has
    /// no place among the first can never have one again.
    pub(crate) fn add(&mut self, feed: i64, samples: impl Iterator<Item = StoredSample>) {
        let is_full = self.standing.len() >= self.capacity;
        let last = self.standing.last().map(Candidate::at).filter(|_| is_full);
        let fresh: Vec<_> = samples
            .map(|sample| Candidate { feed, sample })
            .take_while(|candidate| last.is_none_or(|last| candidate.at() <= last))
            .take(self.capacity)
            .collect();
        let (Some(from), Some(to)) =
            (fresh.first().map(Candidate::at), fresh.last().map(Candidate::at))
        else {
            return;
        };
        // Only what lies between is merged: a page of many spans is not copied for each of them.
        let begin = self.standing.partition_point(|candidate| candidate.at() < from);
        let end = self.standing.partition_point(|candidate| candidate.at() <= to);
        let between = self.standing.get(begin..end).unwrap_or_default().to_vec();
        let merged: Vec<_> = merged(between, fresh.into_iter()).collect();
        self.standing.splice(begin..end, merged);
        self.standing.truncate(self.capacity);
    }

    /// The page, and the moment at which the next one begins; of it, where a position of the feed
    /// is named, only what that row brought.
    pub(crate) fn finish(
        mut self,
        brought_by: Option<i64>,
    ) -> (Vec<StoredSample>, Option<Timestamp>) {
        let next = (self.standing.len() >= self.capacity)
            .then(|| self.standing.pop().map(|candidate| candidate.sample.sample.at))
            .flatten();
        let standing = self.standing.into_iter();
        let wanted = standing.filter(|known| brought_by.is_none_or(|feed| known.feed == feed));
        (wanted.map(|candidate| candidate.sample).collect(), next)
    }
}

/// Both in ascending moments, each moment once.
fn merged(
    before: Vec<Candidate>,
    after: impl Iterator<Item = Candidate>,
) -> impl Iterator<Item = Candidate> {
    let mut before = before.into_iter().peekable();
    let mut after = after.peekable();
    std::iter::from_fn(move || {
        let (Some(left), Some(right)) = (before.peek(), after.peek()) else {
            return before.next().or_else(|| after.next());
        };
        match left.sample.sample.at.cmp(&right.sample.sample.at) {
            std::cmp::Ordering::Less => before.next(),
            std::cmp::Ordering::Greater => after.next(),
            std::cmp::Ordering::Equal => {
                let (left, right) = (before.next()?, after.next()?);
                Some(if left.feed <= right.feed { left } else { right })
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use model::{
        quality::Quality,
        quantity::{Quantity, Resolution},
        sample::QcFlags,
    };
    use proptest::prelude::*;

    use super::*;

    fn stored(at: i64, value: i64, decimals: u8) -> StoredSample {
        let at = Timestamp::from_ms(at).unwrap();
        let sample = Sample { at, value: Some(value), quality: Quality::GOOD, qc: QcFlags::NONE };
        StoredSample { sample, decimals }
    }

    #[test]
    fn a_cursor_comes_back_and_nothing_else_is_one() {
        let cursor = Cursor { feed: 7, at: Timestamp::from_ms(-5).unwrap() };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in ["", "7", "_", "a_b", "-1_0", "1_99999999999999999", "1_0_0"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_range_is_compared_in_the_decimals_of_the_sample() {
        let unit = Unit::named("kW").unwrap();
        let gauge = |low, high| Gauge {
            name: "power".parse().unwrap(),
            quantity: Quantity::named("power").unwrap(),
            unit,
            decimals: 2,
            resolution: Resolution { unit, decimals: 2 },
            interval_ms: 1_000,
            range: Some(ValueRange { low, high }),
        };
        let is_outside = |value, decimals, gauge: &Gauge| {
            stored(0, value, decimals).of_gauge(Some(gauge)).sample.qc == QcFlags::RANGE
        };
        // from -1.25 to 9.99, of samples with two decimals, with one, and with none
        let known = gauge(-125, 999);
        let outside = |decimals, values: [i64; 4]| values.map(|v| is_outside(v, decimals, &known));
        assert_eq!(outside(2, [-126, -125, 999, 1_000]), [true, false, false, true]);
        assert_eq!(outside(1, [-13, -12, 99, 100]), [true, false, false, true]);
        assert_eq!(outside(0, [-2, -1, 9, 10]), [true, false, false, true]);
        // what is stored finer than the registry says is of another time
        assert!(!is_outside(99_999, 3, &known));
        assert_eq!(stored(0, 99, 0).of_gauge(None).sample.qc, QcFlags::NONE);
    }

    #[test]
    fn equal_numbers_agree_whatever_their_decimals() {
        assert!(stored(0, 12, 1).agrees_with(&stored(0, 1200, 3)));
        assert!(!stored(0, 12, 1).agrees_with(&stored(0, 1201, 3)));
    }

    proptest! {
        #[test]
        fn the_lowest_feed_position_stands(
            spans in proptest::collection::vec(proptest::collection::btree_map(0_i64..30, 0_i64..3, 1..8), 1..8),
            limit in 1_usize..40,
        ) {
            let mut all = std::collections::BTreeMap::new();
            let mut order: Vec<_> = spans.iter().enumerate().collect();
            for (_, points) in &order {
                for (at, value) in *points {
                    all.entry(*at).or_insert(*value);
                }
            }
            order.sort_by_key(|(_, points)| *points.keys().next().unwrap());
            let mut merge = Merge::new(limit);
            for (feed, points) in order {
                let from = Timestamp::from_ms(*points.keys().next().unwrap()).unwrap();
                if merge.is_settled_before(from) {
                    break;
                }
                let samples = points.iter().map(|(at, value)| stored(*at, *value, 0));
                merge.add(i64::try_from(feed).unwrap(), samples);
            }
            let (page, next) = merge.finish(None);
            let shown: Vec<_> = page.iter().map(|s| (s.sample.at.as_ms(), s.sample.value.unwrap())).collect();
            let wanted: Vec<_> = all.iter().map(|(at, value)| (*at, *value)).take(limit).collect();
            prop_assert_eq!(shown, wanted);
            prop_assert_eq!(next.map(Timestamp::as_ms), all.keys().nth(limit).copied());
        }
    }
}
