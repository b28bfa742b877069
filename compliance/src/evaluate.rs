//! What a period is: met, short, exempt, or not to be told.
//!
//! Of whatever statistic, three things hold. Less data never makes a short period met. What is
//! known of some outlets alone can show that enough was released, never that it was not. Where
//! too little is known, the rule's `missing` decides.

use model::{
    rule::{Missing, RuleProfile, Statistic},
    time::Span,
    verdict::Verdict,
};

use crate::{
    release::Piece,
    window::{Cumulated, Share, Weight},
};

/// An hour, in ms.
pub const HOUR_MS: i64 = 60 * 60 * 1000;

/// What a period is, and what of it was weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The outcome.
    pub verdict: Verdict,
    /// Why.
    pub because: Because,
    /// The whole period's sums.
    pub weight: Weight,
}

/// Why a period is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// Enough was released.
    Enough,
    /// Less than enough was.
    Below,
    /// A decision excuses so much of it that too little is left to judge.
    Excused,
    /// Too little is known; the rule says what that is.
    TooLittleKnown,
}

/// How far before a period pieces must reach for this rule.
pub const fn lookback_ms(statistic: Statistic) -> i64 {
    match statistic {
        Statistic::Instantaneous | Statistic::HourlyMean | Statistic::DailyMean => 0,
        Statistic::RunningHour => HOUR_MS,
        Statistic::BelowFor { for_ms } => for_ms,
    }
}

/// Judges a period by the pieces of its time, which are in order and reach
/// [`lookback_ms`] before it.
pub fn evaluate(pieces: &[Piece], period: Span, rule: &RuleProfile) -> Judged {
    let (from, to) = (period.from.as_ms(), period.to.as_ms());
    let coverage = match rule.statistic {
        Statistic::DailyMean => Share::of_day(rule.day_valid_hours),
        Statistic::Instantaneous
        | Statistic::HourlyMean
        | Statistic::RunningHour
        | Statistic::BelowFor { .. } => Share::of_hour(rule.hour_coverage),
    };
    let inside = clipped(pieces, from, to);
    let weight: Weight = inside.iter().sum();
    if !coverage.is_reached_by(weight.length, i128::from(to - from)) {
        return Judged { verdict: Verdict::Exempt, because: Because::Excused, weight };
    }
    let finding = match rule.statistic {
        Statistic::HourlyMean | Statistic::DailyMean => mean(&weight, rule, coverage),
        Statistic::RunningHour => running(pieces, (from, to), rule, coverage),
        Statistic::Instantaneous => instants(&inside, &weight, coverage),
        Statistic::BelowFor { for_ms } => {
            let runs = runs_below(&clipped(pieces, i64::MIN, to));
            let is_short = runs.into_iter().any(|(begun, ended)| {
                ended - begun >= for_ms && ended > from && begun + for_ms <= to
            });
            known_below(is_short, &inside, &weight, coverage)
        }
    };
    let (verdict, because) = match finding {
        Some(true) => (Verdict::Met, Because::Enough),
        Some(false) => (Verdict::Short, Because::Below),
        None => match rule.missing {
            Missing::Short => (Verdict::Short, Because::TooLittleKnown),
            Missing::Indeterminate => (Verdict::Indeterminate, Because::TooLittleKnown),
        },
    };
    Judged { verdict, because, weight }
}

/// `Some(true)`: enough; `Some(false)`: less; `None`: too little is known.
type Finding = Option<bool>;

fn mean(weight: &Weight, rule: &RuleProfile, coverage: Share) -> Finding {
    if weight.is_met(rule.factor, coverage) {
        Some(true)
    } else {
        weight.is_covered(coverage).then_some(false)
    }
}

/// Any hour that ends within the period. Between the edges of pieces a mean only rises or only
/// falls, so that its least stands at an edge, or where a window is just covered.
fn running(
    pieces: &[Piece],
    (from, to): (i64, i64),
    rule: &RuleProfile,
    coverage: Share,
) -> Finding {
    let cumulated = Cumulated::new(pieces);
    let window = |end: i64| cumulated.between(end - HOUR_MS, end);
    let is_judged = |weight: &Weight| coverage.is_reached_by(weight.length, i128::from(HOUR_MS));
    let mut ends: Vec<i64> = pieces
        .iter()
        .flat_map(|piece| {
            [piece.from_ms, piece.to_ms, piece.from_ms + HOUR_MS, piece.to_ms + HOUR_MS]
        })
        .chain([from + 1, to])
        .filter(|end| (from + 1..=to).contains(end))
        .collect();
    ends.sort_unstable();
    ends.dedup();
    let just_covered: Vec<i64> = ends
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] => just_covered((*a, *b), |end| window(end).is_covered(coverage)),
            _ => None,
        })
        .collect();
    let mut finding = Some(true);
    for end in ends.into_iter().chain(just_covered) {
        let weight = window(end);
        if !is_judged(&weight) {
            continue;
        }
        match mean(&weight, rule, coverage) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => finding = None,
        }
    }
    finding
}

/// Where coverage begins or ends between two moments, the covered moment next to that.
fn just_covered((a, b): (i64, i64), is_covered: impl Fn(i64) -> bool) -> Option<i64> {
    let (mut inside, mut outside) = match (is_covered(a), is_covered(b)) {
        (true, false) => (a, b),
        (false, true) => (b, a),
        (true, true) | (false, false) => return None,
    };
    while (inside - outside).abs() > 1 {
        let middle = i64::midpoint(inside, outside);
        if is_covered(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    Some(inside)
}

/// One covered instant below is enough, whatever else is unknown.
fn instants(inside: &[Piece], weight: &Weight, coverage: Share) -> Finding {
    let is_below = |piece: &Piece| {
        piece.outlets > 0
            && piece.fresh == piece.outlets
            && piece.released < piece.step.enough.as_ml_per_s()
    };
    let is_short = inside.iter().any(|piece| !piece.is_exempt && is_below(piece));
    known_below(is_short, inside, weight, coverage)
}

/// Short where that is shown; else met where enough of the time is accounted for.
fn known_below(is_short: bool, inside: &[Piece], weight: &Weight, coverage: Share) -> Finding {
    if is_short {
        return Some(false);
    }
    let is_accounted = |piece: &&Piece| {
        let is_bound_enough = piece.fresh > 0 && piece.credited >= piece.step.enough.as_ml_per_s();
        !piece.is_exempt && piece.outlets > 0 && (piece.fresh == piece.outlets || is_bound_enough)
    };
    let accounted =
        inside.iter().filter(is_accounted).map(|piece| i128::from(piece.length_ms())).sum();
    coverage.is_reached_by(accounted, weight.length).then_some(true)
}

/// Stretches during which every outlet's value stands and less than enough is released.
fn runs_below(pieces: &[Piece]) -> Vec<(i64, i64)> {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for piece in pieces {
        let is_below = !piece.is_exempt
            && piece.is_whole()
            && piece.released < piece.step.enough.as_ml_per_s();
        match runs.last_mut() {
            Some((_, ended)) if is_below && *ended == piece.from_ms => *ended = piece.to_ms,
            Some(_) | None if is_below => runs.push((piece.from_ms, piece.to_ms)),
            Some(_) | None => {}
        }
    }
    runs
}

/// What of `pieces` lies within two moments.
fn clipped(pieces: &[Piece], from: i64, to: i64) -> Vec<Piece> {
    let first = pieces.partition_point(|piece| piece.to_ms <= from);
    let rest = pieces.get(first..).unwrap_or_default();
    rest.iter()
        .take_while(|piece| piece.from_ms < to)
        .map(|piece| Piece {
            from_ms: piece.from_ms.max(from),
            to_ms: piece.to_ms.min(to),
            ..*piece
        })
        .collect()
}

#[cfg(test)]
#[path = "evaluate/tests.rs"]
pub(crate) mod tests;
