//! Stretches of closed time that are to be judged again, since something came that touched them
//! or the law is another one.
//!
//! Each waits until the station has been quiet for a while, so that a backlog that arrives in a
//! thousand batches is judged once.

use std::collections::BTreeMap;

use model::time::{Span, Timestamp};
use store::AgainRow;

/// How long nothing more may have come.
pub const QUIET_MS: i64 = 60_000;
/// How long it waits at most.
pub const PATIENCE_MS: i64 = 15 * 60_000;
/// Stretches of one section; beyond it the two nearest become one, which judges more and misses
/// nothing.
pub const MAX_STRETCHES: usize = 64;

/// Stretches that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Again {
    /// By their first moment.
    stretches: BTreeMap<Timestamp, Rest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rest {
    to: Timestamp,
    first_at: Timestamp,
    last_at: Timestamp,
}

/// When a stretch is to be judged.
fn due_at(stretch: &AgainRow) -> Timestamp {
    let quiet = stretch.last_at.plus_ms(QUIET_MS);
    quiet.min(stretch.first_at.plus_ms(PATIENCE_MS))
}

impl Again {
    /// Notes that something touched this time at `now`.
    pub fn touch(&mut self, span: Span, now: Timestamp) {
        self.add(AgainRow { span, first_at: now, last_at: now });
    }

    /// Adds a stretch, united with those that it reaches.
    pub fn add(&mut self, stretch: AgainRow) {
        let AgainRow { mut span, mut first_at, mut last_at } = stretch;
        if span.from >= span.to {
            return;
        }
        let reached: Vec<Timestamp> = self
            .stretches
            .range(..=span.to)
            .filter(|(_, rest)| rest.to >= span.from)
            .map(|(from, _)| *from)
            .collect();
        for from in reached {
            let Some(rest) = self.stretches.remove(&from) else { continue };
            span = Span { from: span.from.min(from), to: span.to.max(rest.to) };
            first_at = first_at.min(rest.first_at);
            last_at = last_at.max(rest.last_at);
        }
        self.stretches.insert(span.from, Rest { to: span.to, first_at, last_at });
        if self.stretches.len() > MAX_STRETCHES {
            self.unite_nearest();
        }
    }

    fn unite_nearest(&mut self) {
        let pairs = self.stretches.iter().zip(self.stretches.iter().skip(1));
        let nearest = pairs.min_by_key(|((_, a), (from, _))| from.ms_since(a.to));
        let Some(((from, rest), (next, _))) = nearest else { return };
        let (from, rest, next) = (*from, *rest, *next);
        self.stretches.remove(&from);
        let span = Span { from, to: next };
        self.add(AgainRow { span, first_at: rest.first_at, last_at: rest.last_at });
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = AgainRow> + '_ {
        self.stretches.iter().map(|(from, rest)| AgainRow {
            span: Span { from: *from, to: rest.to },
            first_at: rest.first_at,
            last_at: rest.last_at,
        })
    }

    /// The latest one that is due.
    pub fn due(&self, now: Timestamp) -> Option<Span> {
        let due = self.iter().filter(|stretch| due_at(stretch) <= now);
        due.last().map(|stretch| stretch.span)
    }

    /// What of it lies before `to`; whatever touched it did so at `now` or before.
    #[must_use]
    pub fn until(&self, to: Timestamp, now: Timestamp) -> Self {
        let mut before = Self::default();
        for AgainRow { span, first_at, last_at } in self.iter() {
            let span = Span { to: span.to.min(to), ..span };
            before.add(AgainRow { span, first_at: first_at.min(now), last_at: last_at.min(now) });
        }
        before
    }

    /// When the next one is due.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.iter().map(|stretch| due_at(&stretch)).min()
    }

    /// Takes out what has been judged.
    pub fn remove(&mut self, span: Span) {
        let reached: Vec<AgainRow> = self
            .iter()
            .filter(|stretch| stretch.span.from < span.to && span.from < stretch.span.to)
            .collect();
        for stretch in reached {
            self.stretches.remove(&stretch.span.from);
            let before = Span { from: stretch.span.from, to: span.from };
            let after = Span { from: span.to, to: stretch.span.to };
            for span in [before, after] {
                self.add(AgainRow { span, ..stretch });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::clamped(ms)
    }

    fn span(from: i64, to: i64) -> Span {
        Span { from: at(from), to: at(to) }
    }

    #[test]
    fn it_waits_for_quiet_but_not_for_ever() {
        let mut again = Again::default();
        again.touch(span(0, 10), at(0));
        assert_eq!(again.due(at(QUIET_MS - 1)), None);
        assert_eq!(again.due(at(QUIET_MS)), Some(span(0, 10)));
        for second in 0..=900 {
            again.touch(span(5, 12), at(second * 1_000));
        }
        assert_eq!(again.due(at(PATIENCE_MS - 1)), None);
        assert_eq!(again.due(at(PATIENCE_MS)), Some(span(0, 12)));
        assert_eq!(again.deadline(), Some(at(PATIENCE_MS)));
    }

    proptest! {
        #[test]
        fn what_was_touched_is_judged_again_and_nothing_else_is_while_there_is_room(
            steps in proptest::collection::vec((0_i64..200, 1_i64..20, any::<bool>()), 0..60),
        ) {
            let (mut again, mut model) = (Again::default(), BTreeSet::new());
            for (now, (from, length, is_touched)) in (0..).zip(steps) {
                if is_touched {
                    again.touch(span(from, from + length), at(now));
                    model.extend(from..from + length);
                } else {
                    again.remove(span(from, from + length));
                    model.retain(|moment| !(from..from + length).contains(moment));
                }
            }
            let held: BTreeSet<i64> = again.iter()
                .flat_map(|stretch| stretch.span.from.as_ms()..stretch.span.to.as_ms())
                .collect();
            prop_assert_eq!(held, model);
            let spans: Vec<Span> = again.iter().map(|stretch| stretch.span).collect();
            prop_assert!(spans.iter().zip(spans.iter().skip(1)).all(|(a, b)| a.to < b.from));
        }

        #[test]
        fn a_full_set_judges_more_and_misses_nothing(
            starts in proptest::collection::btree_set(0_i64..10_000, 65..200),
        ) {
            let mut again = Again::default();
            for start in &starts {
                again.touch(span(start * 10, start * 10 + 1), at(0));
            }
            prop_assert!(again.iter().count() <= MAX_STRETCHES);
            for start in starts {
                let is_held = again.iter().any(|stretch| {
                    stretch.span.from <= at(start * 10) && at(start * 10) < stretch.span.to
                });
                prop_assert!(is_held);
            }
        }
    }
}
