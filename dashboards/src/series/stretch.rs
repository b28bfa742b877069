//! Stretches during which what stands does not change.

use model::{
    flow::Flow,
    quantity::Decimal,
    release::{Duty, Outlet, Piece, Step, hold_ms, release},
    time::{Span, Timestamp},
};

use super::demand::Demanded;

/// A stretch during which nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its first moment, ms.
    pub from_ms: i64,
    /// The moment after it, ms.
    pub to_ms: i64,
    /// What stands, as it was measured; `None`: nothing does.
    pub value: Option<i64>,
    /// What a verdict counts of it where every source's value stands.
    pub credited: i64,
    /// What it counts at least, over time in which some source's does not.
    pub bound: i64,
    /// Whether that comes of every source, so that it is not just a lower bound.
    pub is_whole: bool,
    /// Whether every source's value is fresh.
    pub is_covered: bool,
    /// What of what is required is missing, where every source's value stands and it is less.
    pub missing: Option<i64>,
}

/// More than anything can be: whatever stands is credited as it is, where nothing is required.
const ANYTHING: Flow = Flow::from_ml_per_s(i64::MAX);
const WHOLE: Decimal = Decimal { units: 1, decimals: 0 };

/// What a section releases during `window`, as it was measured; and what its verdicts count of it,
/// since they credit a value older than its interval with no more than is enough.
pub fn of_section(outlets: &[Outlet], demands: &[Demanded], window: Span) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    for demanded in demands {
        let from = demanded.span.from.max(window.from);
        let to = demanded.span.to.min(window.to);
        if from >= to {
            continue;
        }
        let (required, factor) =
            demanded.demand.as_ref().map_or((ANYTHING, WHOLE), |d| (d.required, d.factor));
        let steps = [Step { from, required }];
        // exemptions are filed and reviewed in a later version; until then nothing is exempt
        let duty = Duty { steps: &steps, factor, exempt: &[] };
        let is_demanded = demanded.demand.is_some();
        let pieces = release(outlets, duty, Span { from, to });
        stretches.extend(pieces.iter().map(|piece| Stretch::of(piece, is_demanded)));
    }
    stretches
}

/// What stands of a gauge during `window`. The rule of [`release`] is asked for places among the
/// samples in the stead of their values, which may be of any quantity, and below nothing.
pub fn of_gauge(good: &[(Timestamp, i64)], interval_ms: i64, window: Span) -> Vec<Stretch> {
    let needed = window.from.plus_ms(-hold_ms(interval_ms));
    let first = good.partition_point(|(at, _)| *at < needed);
    let after = good.partition_point(|(at, _)| *at < window.to);
    let good = good.get(first..after).unwrap_or_default();
    let places = (0_i64..).map(Flow::from_ml_per_s);
    let outlet = Outlet {
        interval_ms,
        in_force: Span { from: Timestamp::MIN, to: Timestamp::MAX },
        samples: good.iter().map(|(at, _)| *at).zip(places).collect(),
    };
    let steps = [Step { from: window.from, required: ANYTHING }];
    let duty = Duty { steps: &steps, factor: WHOLE, exempt: &[] };
    let value_at = |place: i64| {
        let place = usize::try_from(place).ok()?;
        good.get(place).map(|(_, value)| *value)
    };
    let pieces = release(&[outlet], duty, window).into_iter();
    pieces
        .map(|piece| {
            let stretch = Stretch::of(&piece, false);
            let value = stretch.value.and_then(value_at);
            let (credited, bound) = (value.unwrap_or_default(), value.unwrap_or_default());
            Stretch { value, credited, bound, ..stretch }
        })
        .collect()
}

impl Stretch {
    fn of(piece: &Piece, is_demanded: bool) -> Self {
        let is_short = is_demanded && piece.is_whole() && piece.released < piece.enough;
        Self {
            from_ms: piece.from_ms,
            to_ms: piece.to_ms,
            value: (piece.held > 0).then_some(piece.released),
            credited: piece.credited,
            bound: piece.bound(),
            is_whole: piece.is_whole(),
            is_covered: piece.outlets > 0 && piece.fresh == piece.outlets,
            missing: is_short.then_some(piece.enough - piece.released),
        }
    }
}
