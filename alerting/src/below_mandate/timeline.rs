//! What is known of a section's past: when it was below its limit, when not, and when nobody knows.
//!
//! A run is a stretch of time below that no known moment at the limit or above breaks; what is not
//! known in between counts nothing and breaks nothing.
//!
//! | bound | at the bound |
//! |---|---|
//! | [`STRETCHES`] are kept | the oldest two become one where no known moment parts them, and what comes late between them is not looked at; else the oldest goes, and the past up to its end is closed |

use model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How many stretches are kept; a section that dips below its limit twice a day fills them in two
/// months.
pub const STRETCHES: usize = 256;

/// A stretch of time of which one thing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stretch {
    from: Timestamp,
    to: Timestamp,
    /// How much of it is known.
    known_ms: i64,
    is_below: bool,
    /// Whether it belongs to an alarm that was raised, or to a run that was told.
    is_told: bool,
}

/// The known past, in order; two stretches never overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Timeline {
    stretches: Vec<Stretch>,
    /// Up to here the past is closed: what comes late is not looked at.
    closed_until: Option<Timestamp>,
}

/// Time below that nothing known breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Its first known moment below.
    pub began_at: Timestamp,
    /// The end of its last known time below.
    pub until: Timestamp,
    /// How much of it is known to be below.
    pub known_ms: i64,
}

impl Timeline {
    /// Nothing is known.
    pub(super) const fn new() -> Self {
        Self { stretches: Vec::new(), closed_until: None }
    }

    /// Adds what is known of a stretch, as far as nothing is known yet: the first word stands.
    /// Answers the end of the last part that was new.
    pub(super) fn learn(
        &mut self,
        from: Timestamp,
        to: Timestamp,
        is_below: bool,
    ) -> Option<Timestamp> {
        let from = self.closed_until.map_or(from, |closed| closed.max(from));
        let mut rest = from;
        let mut learnt = Vec::new();
        for known in self.stretches.iter().filter(|known| known.to > from && known.from < to) {
            learnt.push((rest, known.from));
            rest = known.to;
        }
        learnt.push((rest, to));
        learnt.retain(|(from, to)| from < to);
        let newest = learnt.last().map(|(_, to)| *to);
        for (from, to) in learnt {
            let known_ms = to.ms_since(from);
            let place = self.stretches.partition_point(|known| known.from < from);
            self.stretches.insert(place, Stretch { from, to, known_ms, is_below, is_told: false });
        }
        if newest.is_some() {
            self.join(|earlier, later| earlier.to == later.from);
            self.bound();
        }
        newest
    }

    /// The run that ends at `end`, if the last that is known before it is below, as far as it is
    /// later than `since`.
    pub(super) fn run_until(&self, end: Timestamp, since: Option<Timestamp>) -> Option<Run> {
        let since = since.unwrap_or(Timestamp::MIN);
        if since >= end {
            return None;
        }
        let before = self.stretches.iter().rev().filter(|stretch| stretch.from < end);
        let mut run: Option<Run> = None;
        for stretch in before.take_while(|stretch| stretch.is_below && stretch.to > since) {
            let outside_ms = stretch.to.ms_since(end).max(0) + since.ms_since(stretch.from).max(0);
            let known_ms = (stretch.known_ms - outside_ms).max(0);
            let (until, later_ms) =
                run.map_or((stretch.to.min(end), 0), |later| (later.until, later.known_ms));
            let began_at = stretch.from.max(since);
            run = Some(Run { began_at, until, known_ms: later_ms + known_ms });
        }
        run
    }

    /// The first known moment at or after `at`.
    pub(super) fn next_known(&self, at: Timestamp) -> Option<Timestamp> {
        let place = self.stretches.partition_point(|known| known.from < at);
        self.stretches.get(place).map(|known| known.from)
    }

    /// Marks everything below from `from` on as told.
    pub(super) fn tell_from(&mut self, from: Timestamp) {
        for stretch in self.stretches.iter_mut().rev().take_while(|known| known.to > from) {
            stretch.is_told |= stretch.is_below;
        }
    }

    /// Marks what is below within a run as told.
    pub(super) fn tell(&mut self, run: Run) {
        for stretch in &mut self.stretches {
            let is_within = stretch.from >= run.began_at && stretch.to <= run.until;
            stretch.is_told |= stretch.is_below && is_within;
        }
    }

    /// Runs of at least `least_ms` that nobody was told of and that have ended: something at the
    /// limit or above is known after them, in the timeline or at the moment `fine_at`.
    pub(super) fn ended(&self, least_ms: i64, fine_at: Option<Timestamp>) -> Vec<Run> {
        let runs = self.stretches.chunk_by(|earlier, later| {
            let is_parted = fine_at.is_some_and(|at| earlier.to <= at && at <= later.from);
            earlier.is_below == later.is_below && !is_parted
        });
        let newest = self.stretches.last().map(|newest| newest.to);
        runs.filter_map(|run| {
            let (first, last) = (run.first()?, run.last()?);
            let known_ms = run.iter().map(|stretch| stretch.known_ms).sum();
            let is_untold = first.is_below && !run.iter().any(|stretch| stretch.is_told);
            let is_ended = newest != Some(last.to) || fine_at.is_some_and(|at| last.to <= at);
            let run = Run { began_at: first.from, until: last.to, known_ms };
            (is_untold && is_ended && known_ms >= least_ms).then_some(run)
        })
        .collect()
    }

    /// Makes one of neighbours of one kind that `are_one`.
    fn join(&mut self, are_one: impl Fn(&Stretch, &Stretch) -> bool) {
        self.stretches.dedup_by(|later, earlier| {
            let joins = earlier.is_below == later.is_below && are_one(earlier, later);
            if joins {
                earlier.to = later.to;
                earlier.known_ms += later.known_ms;
                earlier.is_told |= later.is_told;
            }
            joins
        });
    }

    fn bound(&mut self) {
        while self.stretches.len() > STRETCHES {
            let ends = self.stretches.get(1).map(|second| second.to);
            self.join(|_, later| Some(later.to) == ends);
            if self.stretches.len() > STRETCHES {
                let oldest = self.stretches.remove(0);
                self.closed_until = Some(oldest.to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::clamped(second * 1_000)
    }

    /// Words such as `0-10:below 20-30:fine`, learnt in this order.
    fn timeline(words: &str) -> Timeline {
        let mut timeline = Timeline::default();
        for word in words.split_whitespace() {
            let (span, kind) = word.split_once(':').unwrap();
            let (from, to) = span.split_once('-').unwrap();
            let [from, to] = [from, to].map(|second| at(second.parse().unwrap()));
            timeline.learn(from, to, kind == "below");
        }
        timeline
    }

    fn check(words: &str, expected: &Expect) {
        let timeline = timeline(words);
        let mut shown = String::new();
        for stretch in &timeline.stretches {
            let (from, to) = (stretch.from.as_ms() / 1_000, stretch.to.as_ms() / 1_000);
            let kind = if stretch.is_below { "below" } else { "fine" };
            writeln!(shown, "{from}-{to}:{kind} {}", stretch.known_ms / 1_000).unwrap();
        }
        expected.assert_eq(&shown);
    }

    #[test]
    fn what_was_known_first_stands() {
        check(
            "10-20:fine 0-40:below 15-50:fine",
            &expect![[r#"
                0-10:below 10
                10-20:fine 10
                20-40:below 20
                40-50:fine 10
            "#]],
        );
    }

    #[test]
    fn neighbours_of_one_kind_are_one_and_a_gap_stays() {
        check(
            "0-10:below 10-20:below 30-40:below 40-41:fine",
            &expect![[r#"
                0-20:below 20
                30-40:below 10
                40-41:fine 1
            "#]],
        );
    }

    #[test]
    fn a_run_goes_on_over_what_is_unknown_and_ends_at_what_is_not_below() {
        let timeline = timeline("0-10:below 10-12:fine 20-30:below 40-60:below 70-80:fine");
        let run =
            |end| timeline.run_until(at(end), None).map(|run| (run.began_at, run.known_ms / 1_000));
        assert_eq!(run(5), Some((at(0), 5)));
        assert_eq!(run(11), None);
        assert_eq!(run(50), Some((at(20), 20)));
        assert_eq!(run(65), Some((at(20), 30)));
        assert_eq!(run(71), None);
        assert_eq!(timeline.next_known(at(41)), Some(at(70)));
        let since = timeline.run_until(at(65), Some(at(22))).unwrap();
        assert_eq!((since.began_at, since.known_ms), (at(22), 28_000));
        assert_eq!(timeline.run_until(at(35), Some(at(30))), None);
    }

    #[test]
    fn a_run_is_told_once_and_only_when_it_has_ended() {
        let mut timeline = timeline("0-10:below 10-12:fine 20-30:below");
        let ended = |timeline: &Timeline, is_over: bool| {
            let runs = timeline.ended(10_000, is_over.then_some(at(30)));
            runs.iter().map(|run| run.began_at.as_ms() / 1_000).collect::<Vec<_>>()
        };
        assert_eq!((ended(&timeline, false), ended(&timeline, true)), (vec![0], vec![0, 20]));
        let first = timeline.ended(10_000, None)[0];
        timeline.tell(first);
        assert_eq!(ended(&timeline, true), [20]);
        timeline.learn(at(-5), at(0), true);
        assert_eq!(ended(&timeline, true), [20]);
        timeline.tell_from(at(20));
        assert!(ended(&timeline, true).is_empty());
    }

    #[test]
    fn the_oldest_past_is_folded_or_closed() {
        let mut lossy = Timeline::default();
        for second in 0..1_000 {
            lossy.learn(at(second * 2), at(second * 2 + 1), true);
        }
        assert_eq!(lossy.stretches.len(), STRETCHES);
        let run = lossy.run_until(at(2_000), None).unwrap();
        assert_eq!((run.began_at, run.known_ms), (at(0), 1_000_000));

        let mut flapping = Timeline::default();
        for second in 0..1_000 {
            flapping.learn(at(second), at(second + 1), second % 2 == 0);
        }
        assert_eq!(flapping.stretches.len(), STRETCHES);
        assert_eq!(flapping.learn(at(-100), at(500), true), None);
    }
}
