//! The buckets of a series: of one length, and where they begin.

use model::time::{Span, Timestamp, Zone};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Lengths that people read from a chart; longer ones are whole days.
const STEPS_MS: [i64; 18] = [
    SECOND_MS,
    2 * SECOND_MS,
    5 * SECOND_MS,
    10 * SECOND_MS,
    15 * SECOND_MS,
    30 * SECOND_MS,
    MINUTE_MS,
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    15 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY_MS,
];

/// Buckets that adjoin; the last one is cut off where the server's clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Where the first one begins.
    pub from: Timestamp,
    /// Where the last one ends.
    pub to: Timestamp,
    /// How long each is.
    pub step_ms: i64,
}

impl Grid {
    /// At most `points` buckets, at least 1, that hold all of `span` up to `now`. They begin at
    /// multiples of their length from midnight in the station's zone, so that they stay what they
    /// are where a chart is moved.
    pub fn of(span: Span, points: usize, zone: &Zone, now: Timestamp) -> Self {
        let to = span.to.min(now);
        if to <= span.from {
            return Self { from: span.from, to: span.from, step_ms: SECOND_MS };
        }
        let midnight = zone.start_of_day(zone.date_of(span.from));
        let points = i64::try_from(points).unwrap_or(i64::MAX).max(1);
        let length_ms = to.ms_since(span.from);
        let enough = length_ms.div_euclid(points);
        let days = (enough.div_euclid(DAY_MS).max(1)..).map(|days| days.saturating_mul(DAY_MS));
        let steps = STEPS_MS.into_iter().filter(|step| *step >= enough).chain(days);
        let grid = |step_ms: i64| {
            let begin = span.from.ms_since(midnight).div_euclid(step_ms).saturating_mul(step_ms);
            let from = midnight.plus_ms(begin);
            let count = to.ms_since(from).saturating_add(step_ms - 1).div_euclid(step_ms);
            let end = from.plus_ms(count.saturating_mul(step_ms));
            (count, Self { from, to: end.min(now), step_ms })
        };
        // one that reaches from midnight to the end is enough for one point
        let mut found = steps.map(grid).skip_while(|(count, _)| *count > points);
        found.next().map_or(Self { from: span.from, to, step_ms: length_ms }, |(_, grid)| grid)
    }

    /// All of it.
    pub const fn span(&self) -> Span {
        Span { from: self.from, to: self.to }
    }

    /// How many buckets there are.
    pub fn count(&self) -> usize {
        let count = self.to.ms_since(self.from).saturating_add(self.step_ms - 1) / self.step_ms;
        usize::try_from(count).unwrap_or(0)
    }

    /// The number of the bucket in which a moment lies, ms; `None` outside.
    pub fn place(&self, at_ms: i64) -> Option<usize> {
        let is_inside = (self.from.as_ms()..self.to.as_ms()).contains(&at_ms);
        let place = (at_ms - self.from.as_ms()).div_euclid(self.step_ms);
        usize::try_from(place).ok().filter(|_| is_inside)
    }

    /// Where the bucket ends in which a moment lies, ms.
    pub fn end_of(&self, at_ms: i64) -> i64 {
        let into = (at_ms - self.from.as_ms()).rem_euclid(self.step_ms);
        (at_ms - into).saturating_add(self.step_ms).min(self.to.as_ms())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn shown(from: &str, to: &str, points: usize) -> String {
        let zone = Zone::named("Asia/Shanghai").unwrap();
        let now = at("2026-11-22T08:00:30+08:00");
        let grid = Grid::of(Span { from: at(from), to: at(to) }, points, &zone, now);
        let ends = [grid.from, grid.to].map(|end| end.in_zone(&zone));
        format!("{} × {} s from {} to {}", grid.count(), grid.step_ms / 1_000, ends[0], ends[1])
    }

    #[test]
    fn buckets_are_of_a_length_that_people_read_and_begin_on_it() {
        assert_eq!(
            shown("2026-11-21T00:03:00+08:00", "2026-11-22T00:00:00+08:00", 300),
            "288 × 300 s from 2026-11-21 00:00:00 to 2026-11-22 00:00:00"
        );
        assert_eq!(
            shown("2026-10-01T00:00:00+08:00", "2026-11-01T00:00:00+08:00", 500),
            "372 × 7200 s from 2026-10-01 00:00:00 to 2026-11-01 00:00:00"
        );
        assert_eq!(
            shown("2020-01-01T10:00:00+08:00", "2026-01-01T00:00:00+08:00", 100),
            "100 × 1900800 s from 2020-01-01 00:00:00 to 2026-01-09 00:00:00"
        );
    }

    #[test]
    fn nothing_is_told_of_what_is_still_to_come() {
        assert_eq!(
            shown("2026-11-22T00:00:00+08:00", "2026-11-23T00:00:00+08:00", 24),
            "17 × 1800 s from 2026-11-22 00:00:00 to 2026-11-22 08:00:30"
        );
        let later = shown("2027-11-22T00:00:00+08:00", "2027-11-23T00:00:00+08:00", 24);
        assert!(later.starts_with("0 × "), "{later}");
    }

    proptest! {
        #[test]
        fn as_many_buckets_as_are_asked_for_hold_all_of_the_time(
            from in 0_i64..1_800_000_000_000, length in 1_i64..400_000_000_000, points in 1_usize..2_000,
        ) {
            let zone = Zone::named("Asia/Shanghai").unwrap();
            let span = Span { from: Timestamp::clamped(from), to: Timestamp::clamped(from + length) };
            let grid = Grid::of(span, points, &zone, Timestamp::MAX);
            prop_assert!(grid.count() <= points && grid.count() >= 1);
            prop_assert!(grid.from <= span.from && span.to <= grid.to);
            let step = grid.step_ms;
            prop_assert!(span.from.ms_since(grid.from) < step && grid.to.ms_since(span.to) < step);
            prop_assert_eq!(grid.place(from), Some(0));
            prop_assert_eq!(grid.place(from + length - 1), Some(grid.count() - 1));
            prop_assert_eq!(grid.end_of(from), grid.from.as_ms() + step);
        }
    }
}
