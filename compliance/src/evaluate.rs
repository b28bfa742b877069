//! What a period is: met, short, exempt, or not to be told.
//!
//! Of whatever statistic, three things hold. Samples at or above the requirement that are left out
//! never turn short into met. What is known of some outlets alone can show that enough was
//! released, never that it was not. Where too little is known, the rule's `missing` decides; so
//! what may be left out below the requirement is bounded by the rule's coverage, and by nothing
//! else.

use model::{
    release::Piece,
    rule::{Missing, RuleProfile, Statistic},
    time::{HOUR_MS, Span},
    verdict::Verdict,
};

use crate::window::{Cumulated, Share, Weight};

const SECOND_MS: i64 = 1000;

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

/// Judges a period by the pieces of its time, which are in order and reach
/// [`Statistic::lookback_ms`] before it.
pub fn evaluate(pieces: &[Piece], period: Span, rule: &RuleProfile) -> Judged {
    let (from, to) = (period.from.as_ms(), period.to.as_ms());
    let coverage = coverage(rule);
    let inside = clipped(pieces, from, to);
    let weight: Weight = inside.iter().sum();
    if is_excused(&weight, period, coverage) {
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
    judged(finding, rule, weight)
}

/// Judges a period by its mean alone, from sums that its parts add up to.
pub fn evaluate_mean(weight: Weight, period: Span, rule: &RuleProfile) -> Judged {
    let coverage = coverage(rule);
    if is_excused(&weight, period, coverage) {
        return Judged { verdict: Verdict::Exempt, because: Because::Excused, weight };
    }
    judged(mean(&weight, rule, coverage), rule, weight)
}

fn coverage(rule: &RuleProfile) -> Share {
    match rule.statistic {
        Statistic::DailyMean => Share::of_day(rule.day_valid_hours),
        Statistic::Instantaneous
        | Statistic::HourlyMean
        | Statistic::RunningHour
        | Statistic::BelowFor { .. } => Share::of_hour(rule.hour_coverage),
    }
}

fn is_excused(weight: &Weight, period: Span, coverage: Share) -> bool {
    !coverage.is_reached_by(weight.length, i128::from(period.to.ms_since(period.from)))
}

fn judged(finding: Finding, rule: &RuleProfile, weight: Weight) -> Judged {
    let (verdict, because) = match finding {
        Some(true) => (Verdict::Met, Because::Enough),
        Some(false) => (Verdict::Short, Because::Below),
        None => {
            let verdict = match rule.missing {
                Missing::Short => Verdict::Short,
                Missing::Indeterminate => Verdict::Indeterminate,
            };
            (verdict, Because::TooLittleKnown)
        }
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

/// Any hour that ends within the period: at each whole second, and wherever something changes.
fn running(
    pieces: &[Piece],
    (from, to): (i64, i64),
    rule: &RuleProfile,
    coverage: Share,
) -> Finding {
    let cumulated = Cumulated::new(pieces);
    let edges = pieces.iter().flat_map(|piece| [piece.from_ms, piece.to_ms]);
    let changes = edges.flat_map(|edge| [edge, edge + HOUR_MS]);
    let seconds =
        (from.div_euclid(SECOND_MS) + 1..=to.div_euclid(SECOND_MS)).map(|s| s * SECOND_MS);
    let ends = seconds.chain(changes).chain([to]).filter(|end| (from + 1..=to).contains(end));
    let mut finding = Some(true);
    for end in ends {
        let window = cumulated.between(end - HOUR_MS, end);
        if !coverage.is_reached_by(window.length, i128::from(HOUR_MS)) {
            continue; // exempt
        }
        match mean(&window, rule, coverage) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => finding = None,
        }
    }
    finding
}

/// One covered instant below is enough, whatever else is unknown.
fn instants(inside: &[Piece], weight: &Weight, coverage: Share) -> Finding {
    let is_below = |piece: &Piece| {
        piece.outlets > 0 && piece.fresh == piece.outlets && piece.released < piece.enough
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
        let is_bound_enough = piece.fresh > 0 && piece.credited >= piece.enough;
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
        let is_below = !piece.is_exempt && piece.is_whole() && piece.released < piece.enough;
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
