//! The released flow of a section over time: the sum of what its outlets are known to let out.
//!
//! A value holds until the next one of its outlet, at most [`Outlet::hold_ms`]. For one interval
//! it is *fresh*; from then on, until the hold ends, it is *stale*: most likely a reading is
//! missing, and the last one stands in for it. What stale values add is credited up to the
//! requirement, all outlets together, so that a reading left out at or above the requirement can
//! never make a mean larger: else whoever lost the reading after a surge would stretch the surge.

use crate::{
    flow::Flow,
    quantity::Decimal,
    time::{Span, Timestamp},
};

/// One way water leaves, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlet {
    /// How often it is measured, above 0.
    pub interval_ms: i64,
    /// When it counts; outside, the section does without it.
    pub in_force: Span,
    /// Good samples in ascending moments, from one hold before the time that is asked about.
    pub samples: Vec<(Timestamp, Flow)>,
}

impl Outlet {
    /// How long a value stands where no later one comes: two and a half intervals.
    pub const fn hold_ms(&self) -> i64 {
        hold_ms(self.interval_ms)
    }
}

/// How long a value stands that is measured this often.
pub const fn hold_ms(interval_ms: i64) -> i64 {
    interval_ms.saturating_mul(5) / 2
}

/// What is mandated from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// From when.
    pub from: Timestamp,
    /// What.
    pub required: Flow,
}

/// A stretch during which nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Its first moment, ms.
    pub from_ms: i64,
    /// The moment after it, ms.
    pub to_ms: i64,
    /// What is mandated, ml/s.
    pub required: i64,
    /// The least whole flow that is enough, the rule's factor counted in, ml/s.
    pub enough: i64,
    /// What the outlets that are known let out together, ml/s.
    pub released: i64,
    /// The same with stale values filling up what is fresh to what is enough at most, ml/s.
    pub credited: i64,
    /// What the outlets whose value is fresh let out together, ml/s.
    pub measured: i64,
    /// Whether a decision excuses this time: it weighs nothing.
    pub is_exempt: bool,
    /// Outlets that count.
    pub outlets: u32,
    /// Those of them whose value stands.
    pub held: u32,
    /// Those of them whose value is fresh.
    pub fresh: u32,
}

impl Piece {
    /// How long it is.
    pub const fn length_ms(&self) -> i64 {
        self.to_ms - self.from_ms
    }

    /// Whether every outlet's value stands, so that `released` is not just a lower bound.
    pub const fn is_whole(&self) -> bool {
        self.outlets > 0 && self.held == self.outlets
    }

    /// Whether every outlet's value is fresh.
    pub const fn is_covered(&self) -> bool {
        self.outlets > 0 && self.fresh == self.outlets
    }

    /// What was released at least, ml/s: beside a fresh value a stale one is missing, else an
    /// outlet that lets out nothing would answer for another of which nothing is known.
    pub fn bound(&self) -> i64 {
        if self.fresh > 0 { self.measured } else { self.credited }
    }

    /// With what stale values add credited.
    fn settled(self) -> Self {
        Self { credited: self.released.min(self.measured.max(self.enough)), ..self }
    }
}

/// What must be released over time, and when a decision excuses from it.
#[derive(Debug, Clone, Copy)]
pub struct Duty<'a> {
    /// In order, the first from the start of what is asked about or before.
    pub steps: &'a [Step],
    /// The share of it that is enough, as the rule has it.
    pub factor: Decimal,
    /// In any order; they may overlap.
    pub exempt: &'a [Span],
}

impl Duty<'_> {
    /// The least whole flow that is at least `required` times the factor, ml/s.
    pub fn enough(&self, required: i64) -> i64 {
        let scale = 10_i128.pow(u32::from(self.factor.decimals));
        let scaled = i128::from(required) * i128::from(self.factor.units);
        i64::try_from(-(-scaled).div_euclid(scale)).unwrap_or(i64::MAX)
    }
}

/// More than any river carries: a million m³/s. A value above it counts as this much, so that
/// sums over a day cannot leave 128 bits.
const MOST: i64 = 1_000_000_000_000;

/// The pieces of `span`, in order and without gaps.
pub fn release(outlets: &[Outlet], duty: Duty<'_>, span: Span) -> Vec<Piece> {
    let mut edges = vec![span.from.as_ms(), span.to.as_ms()];
    edges.extend(duty.steps.iter().map(|step| step.from.as_ms()));
    for exempt in duty.exempt {
        edges.extend([exempt.from.as_ms(), exempt.to.as_ms()]);
    }
    for outlet in outlets {
        edges.extend([outlet.in_force.from.as_ms(), outlet.in_force.to.as_ms()]);
        for (at, _) in &outlet.samples {
            let at = at.as_ms();
            edges.extend([at, at + outlet.interval_ms, at + outlet.hold_ms()]);
        }
    }
    edges.retain(|edge| (span.from.as_ms()..=span.to.as_ms()).contains(edge));
    edges.sort_unstable();
    edges.dedup();
    let mut states: Vec<State<'_>> = outlets.iter().map(State::new).collect();
    let mut steps = duty.steps.iter().peekable();
    let mut required = None;
    let mut pieces = Vec::with_capacity(edges.len());
    for (from_ms, to_ms) in edges.iter().copied().zip(edges.iter().copied().skip(1)) {
        while let Some(next) = steps.next_if(|next| next.from.as_ms() <= from_ms) {
            required = Some(next.required.as_ml_per_s().clamp(0, MOST));
        }
        let Some(required) = required else { continue };
        let is_inside =
            |exempt: &Span| exempt.from.as_ms() <= from_ms && to_ms <= exempt.to.as_ms();
        let nothing = Piece {
            from_ms,
            to_ms,
            required,
            enough: duty.enough(required),
            is_exempt: duty.exempt.iter().any(is_inside),
            released: 0,
            credited: 0,
            measured: 0,
            outlets: 0,
            held: 0,
            fresh: 0,
        };
        let piece = states.iter_mut().fold(nothing, |piece, state| state.add_to(piece));
        pieces.push(piece.settled());
    }
    pieces
}

/// An outlet on its way through time.
struct State<'a> {
    outlet: &'a Outlet,
    rest: &'a [(Timestamp, Flow)],
    last: Option<(i64, i64)>,
}

impl<'a> State<'a> {
    fn new(outlet: &'a Outlet) -> Self {
        Self { outlet, rest: &outlet.samples, last: None }
    }

    fn add_to(&mut self, piece: Piece) -> Piece {
        while let Some(((at, flow), rest)) = self.rest.split_first()
            && at.as_ms() <= piece.from_ms
        {
            // a meter's zero may drift below nothing; water does not
            self.last = Some((at.as_ms(), flow.as_ml_per_s().clamp(0, MOST)));
            self.rest = rest;
        }
        let Span { from, to } = self.outlet.in_force;
        if !(from.as_ms()..to.as_ms()).contains(&piece.from_ms) {
            return piece;
        }
        let piece = Piece { outlets: piece.outlets + 1, ..piece };
        let age = self.last.map(|(at, value)| (piece.from_ms - at, value));
        match age {
            Some((age, value)) if age < self.outlet.interval_ms => Piece {
                released: piece.released.saturating_add(value),
                measured: piece.measured.saturating_add(value),
                held: piece.held + 1,
                fresh: piece.fresh + 1,
                ..piece
            },
            Some((age, value)) if age < self.outlet.hold_ms() => Piece {
                released: piece.released.saturating_add(value),
                held: piece.held + 1,
                ..piece
            },
            Some(_) | None => piece,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};

    use super::*;

    /// A river of seconds: `at:flow` in ml/s, one line an outlet behind its interval in seconds.
    fn outlet(line: &str) -> Outlet {
        let (interval, samples) = line.split_once(' ').unwrap_or((line, ""));
        let sample = |word: &str| {
            let (at, flow) = word.split_once(':').unwrap();
            let at = Timestamp::clamped(at.parse::<i64>().unwrap() * 1_000);
            (at, Flow::from_ml_per_s(flow.parse().unwrap()))
        };
        Outlet {
            interval_ms: interval.parse::<i64>().unwrap() * 1_000,
            in_force: Span { from: Timestamp::MIN, to: Timestamp::MAX },
            samples: samples.split_whitespace().map(sample).collect(),
        }
    }

    fn step(from_s: i64, required: i64) -> Step {
        let from = Timestamp::clamped(from_s * 1_000);
        Step { from, required: Flow::from_ml_per_s(required) }
    }

    /// All of it is enough.
    const WHOLE: Decimal = Decimal { units: 1, decimals: 0 };

    fn seconds(from: i64, to: i64) -> Span {
        Span { from: Timestamp::clamped(from * 1_000), to: Timestamp::clamped(to * 1_000) }
    }

    fn check(lines: &[&str], steps: &[Step], span: Span, expected: &Expect) {
        let outlets: Vec<Outlet> = lines.iter().map(|line| outlet(line)).collect();
        let mut shown = String::new();
        for piece in release(&outlets, Duty { steps, factor: WHOLE, exempt: &[] }, span) {
            let Piece { released, credited, outlets, held, fresh, .. } = piece;
            let (from, to) = (piece.from_ms, piece.to_ms);
            writeln!(
                shown,
                "{from}–{to} {released} credited {credited}, {held} of {outlets} held, {fresh} fresh"
            )
            .unwrap();
        }
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_value_holds_until_the_next_one_and_two_and_a_half_intervals_at_most() {
        check(
            &["10 0:7 10:9"],
            &[step(0, 5)],
            seconds(0, 50),
            &expect![[r#"
                0–10000 7 credited 7, 1 of 1 held, 1 fresh
                10000–20000 9 credited 9, 1 of 1 held, 1 fresh
                20000–25000 9 credited 5, 1 of 1 held, 0 fresh
                25000–35000 9 credited 5, 1 of 1 held, 0 fresh
                35000–50000 0 credited 0, 0 of 1 held, 0 fresh
            "#]],
        );
    }

    #[test]
    fn outlets_add_up_and_a_silent_one_leaves_a_lower_bound() {
        check(
            &["10 0:7 10:9 20:9", "20 0:1"],
            &[step(0, 5), step(15, 3)],
            seconds(5, 60),
            &expect![[r#"
                5000–10000 8 credited 8, 2 of 2 held, 2 fresh
                10000–15000 10 credited 10, 2 of 2 held, 2 fresh
                15000–20000 10 credited 10, 2 of 2 held, 2 fresh
                20000–25000 10 credited 9, 2 of 2 held, 1 fresh
                25000–30000 10 credited 9, 2 of 2 held, 1 fresh
                30000–35000 10 credited 3, 2 of 2 held, 0 fresh
                35000–45000 10 credited 3, 2 of 2 held, 0 fresh
                45000–50000 1 credited 1, 1 of 2 held, 0 fresh
                50000–60000 0 credited 0, 0 of 2 held, 0 fresh
            "#]],
        );
    }

    #[test]
    fn what_is_enough_is_rounded_up_to_a_whole_flow() {
        let enough = |required, units, decimals| {
            let factor = Decimal { units, decimals };
            Duty { steps: &[], factor, exempt: &[] }.enough(required)
        };
        assert_eq!(enough(1_200_000, 95, 2), 1_140_000);
        assert_eq!((enough(10, 95, 2), enough(0, 95, 2), enough(7, 1, 0)), (10, 0, 7));
    }

    #[test]
    fn an_outlet_counts_only_while_it_is_in_force_and_never_below_nothing() {
        let late = Outlet { in_force: seconds(10, 20), ..outlet("60 0:4") };
        let drifting = outlet("60 0:-2");
        let duty = Duty { steps: &[step(0, 1)], factor: WHOLE, exempt: &[] };
        let shown: Vec<_> = release(&[late, drifting], duty, seconds(0, 30))
            .into_iter()
            .map(|piece| (piece.from_ms, piece.released, piece.outlets))
            .collect();
        assert_eq!(shown, [(0, 0, 1), (10_000, 4, 2), (20_000, 0, 1)]);
    }
}
