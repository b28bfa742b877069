//! What a period is: met, short, exempt, or not to be told.
//!
//! Of whatever statistic, three things hold. Samples at or above the requirement that are left out
//! never turn short into met. What is known of some outlets alone can show that enough was
//! released, never that it was not. Where too little is known, the rule's `missing` decides; so
//! what may be left out below the requirement is bounded by the rule's coverage, and by nothing
//! else.
//!
//! A reading outside of its gauge's range is doubted: either the meter is wrong, or the registry.
//! A period is met or short only where it is that both ways, with those readings left out and with
//! them as they were read: so a doubted reading never makes met, and no water that was measured
//! becomes short.

use model::{
    quantity::Decimal,
    release::Piece,
    rule::{Missing, RuleProfile, Statistic},
    time::{HOUR_MS, Span, Timestamp},
    verdict::Verdict,
    weight::Weight,
};

use crate::window::{Cumulated, Share, is_covered, is_known_below, is_met};

const SECOND_MS: i64 = 1000;

/// What a period is, and what of it was weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The outcome.
    pub verdict: Verdict,
    /// Why.
    pub because: Because,
    /// The whole period's sums, without readings that are doubted.
    pub weight: Weight,
    /// The same with those as they were read, where that is another matter.
    pub as_read: Option<Weight>,
}

impl Judged {
    /// What holds of a period both without readings that are doubted and with them as they were
    /// read.
    #[must_use]
    pub fn and_as_read(self, as_read: Self) -> Self {
        if self == as_read {
            return self;
        }
        let (verdict, because) = if self.verdict == as_read.verdict {
            (self.verdict, self.because)
        } else {
            (Verdict::Indeterminate, Because::Doubted)
        };
        Self { verdict, because, as_read: Some(as_read.weight), ..self }
    }
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
    /// It is one thing without readings outside of their gauge's range, and another with them.
    Doubted,
}

/// Judges a period by the pieces of its time, which are in order and reach
/// [`Statistic::lookback_ms`] before it.
pub fn evaluate(pieces: &[Piece], period: Span, rule: &RuleProfile) -> Judged {
    let mut tally = Tally::new(period.from, rule);
    for piece in &clipped(pieces, i64::MIN, period.to.as_ms()) {
        tally.add(piece);
    }
    tally.judged(period, rule)
}

/// What has been weighed of a period up to some moment. Pieces that follow are added; what was
/// added is not needed again, so that an open hour is carried on and not judged anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    from_ms: i64,
    factor: Decimal,
    coverage: Share,
    weight: Weight,
    looked_at: LookedAt,
}

/// What a rule looks at beside the sums.
#[derive(Debug, Clone, PartialEq, Eq)]
enum LookedAt {
    Mean,
    /// Whether a covered instant is below, and for how long it is known whether any is.
    Instants {
        is_short: bool,
        accounted: i128,
    },
    /// Runs that go on are known by their begin.
    Runs {
        for_ms: i64,
        run: Option<(i64, i64)>,
        is_short: bool,
        accounted: i128,
    },
    Windows(Windows),
}

/// Every window of an hour that ends within a period.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Windows {
    /// Those that end up to here have been looked at, and this came of them.
    until_ms: i64,
    finding: Finding,
    /// From an hour before on.
    pieces: Vec<Piece>,
}

impl Tally {
    /// Of a period that begins at `from`; the first piece that is added begins as far before it as
    /// the rule looks back.
    pub fn new(from: Timestamp, rule: &RuleProfile) -> Self {
        let looked_at = match rule.statistic {
            Statistic::HourlyMean | Statistic::DailyMean => LookedAt::Mean,
            Statistic::Instantaneous => LookedAt::Instants { is_short: false, accounted: 0 },
            Statistic::BelowFor { for_ms } => {
                LookedAt::Runs { for_ms, run: None, is_short: false, accounted: 0 }
            }
            Statistic::RunningHour => LookedAt::Windows(Windows {
                until_ms: from.as_ms(),
                finding: Some(true),
                pieces: Vec::new(),
            }),
        };
        Self {
            from_ms: from.as_ms(),
            factor: rule.factor,
            coverage: coverage(rule),
            weight: Weight::default(),
            looked_at,
        }
    }

    /// Adds the piece that follows.
    pub fn add(&mut self, piece: &Piece) {
        let inside = Piece { from_ms: piece.from_ms.max(self.from_ms), ..*piece };
        let is_inside = inside.from_ms < inside.to_ms;
        if is_inside {
            self.weight = self.weight + Weight::of(&inside);
        }
        match &mut self.looked_at {
            LookedAt::Mean => {}
            LookedAt::Instants { is_short, accounted } => {
                if is_inside {
                    *is_short |= is_below(&inside);
                    *accounted += accounted_ms(&inside);
                }
            }
            LookedAt::Runs { for_ms, run, is_short, accounted } => {
                if is_inside {
                    *accounted += accounted_ms(&inside);
                }
                *run = run_below(*run, piece);
                // a run goes on while a value stands, and is as long as values are fresh
                *is_short |= piece.is_covered()
                    && run.is_some_and(|(begun, ended)| {
                        ended - begun >= *for_ms && ended > self.from_ms
                    });
            }
            LookedAt::Windows(windows) => windows.pieces.push(*piece),
        }
    }

    /// Looks at all that can be looked at for good, and keeps no more than is needed for what
    /// follows.
    pub fn settle(&mut self) {
        let (factor, coverage) = (self.factor, self.coverage);
        if let LookedAt::Windows(windows) = &mut self.looked_at
            && let Some(until_ms) = windows.pieces.last().map(|piece| piece.to_ms)
        {
            windows.finding = windows.found(until_ms, false, (factor, coverage));
            windows.until_ms = until_ms.max(windows.until_ms);
            windows.pieces.retain(|piece| piece.to_ms > until_ms - HOUR_MS);
        }
    }

    /// The share of what is required that is enough.
    pub const fn factor(&self) -> Decimal {
        self.factor
    }

    /// How far before the period its rule looks.
    pub const fn lookback_ms(&self) -> i64 {
        match &self.looked_at {
            LookedAt::Mean | LookedAt::Instants { .. } => 0,
            LookedAt::Runs { for_ms, .. } => *for_ms,
            LookedAt::Windows(_) => HOUR_MS,
        }
    }

    /// How many pieces it holds.
    pub fn held(&self) -> usize {
        match &self.looked_at {
            LookedAt::Mean | LookedAt::Instants { .. } | LookedAt::Runs { .. } => 0,
            LookedAt::Windows(windows) => windows.pieces.len(),
        }
    }

    /// What the period is, of which all was added.
    pub fn judged(&self, period: Span, rule: &RuleProfile) -> Judged {
        let weight = self.weight;
        if is_excused(&weight, period, self.coverage) {
            return excused(weight);
        }
        let finding = match &self.looked_at {
            LookedAt::Mean => mean(&weight, self.factor, self.coverage),
            LookedAt::Instants { is_short, accounted }
            | LookedAt::Runs { is_short, accounted, .. } => {
                known_below(*is_short, *accounted, &weight, self.coverage)
            }
            LookedAt::Windows(windows) => {
                let finding = windows.found(period.to.as_ms(), true, (self.factor, self.coverage));
                let own = mean(&weight, self.factor, self.coverage);
                match finding {
                    Some(false) => finding,
                    // the hour's own coverage decides whether anything is missing
                    Some(true) => own.map(|_| true),
                    None if own.is_some() => {
                        let (verdict, because) = (Verdict::Indeterminate, Because::TooLittleKnown);
                        return Judged { verdict, because, weight, as_read: None };
                    }
                    None => None,
                }
            }
        };
        judged(finding, rule, weight)
    }
}

impl Windows {
    /// Of every window that ends up to a moment: at each whole second, and wherever something
    /// changes; at the moment itself where it is the period's end.
    fn found(&self, to: i64, is_end: bool, (factor, coverage): (Decimal, Share)) -> Finding {
        let from = self.until_ms;
        let cumulated = Cumulated::new(&self.pieces);
        let edges = self.pieces.iter().flat_map(|piece| [piece.from_ms, piece.to_ms]);
        let changes = edges.flat_map(|edge| [edge, edge + HOUR_MS]);
        let seconds =
            (from.div_euclid(SECOND_MS) + 1..=to.div_euclid(SECOND_MS)).map(|s| s * SECOND_MS);
        let last = is_end.then_some(to);
        let ends = seconds.chain(changes).chain(last).filter(|end| (from + 1..=to).contains(end));
        let mut finding = self.finding;
        for end in ends {
            if finding == Some(false) {
                break;
            }
            let window = cumulated.between(end - HOUR_MS, end);
            if !coverage.is_reached_by(window.length, i128::from(HOUR_MS)) {
                continue; // exempt
            }
            match mean(&window, factor, coverage) {
                Some(true) => {}
                Some(false) => finding = Some(false),
                // Of a window that reaches into time of which nothing is known nothing is said;
                // unless what is known of it is below.
                None if is_known_below(&window, factor) => finding = None,
                None => {}
            }
        }
        finding
    }
}

/// Judges a period by its mean alone, from sums that its parts add up to.
pub fn evaluate_mean(weight: Weight, period: Span, rule: &RuleProfile) -> Judged {
    let coverage = coverage(rule);
    if is_excused(&weight, period, coverage) {
        return excused(weight);
    }
    judged(mean(&weight, rule.factor, coverage), rule, weight)
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

const fn excused(weight: Weight) -> Judged {
    Judged { verdict: Verdict::Exempt, because: Because::Excused, weight, as_read: None }
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
    Judged { verdict, because, weight, as_read: None }
}

/// `Some(true)`: enough; `Some(false)`: less; `None`: too little is known.
type Finding = Option<bool>;

fn mean(weight: &Weight, factor: Decimal, coverage: Share) -> Finding {
    if is_met(weight, factor, coverage) {
        Some(true)
    } else {
        is_covered(weight, coverage).then_some(false)
    }
}

/// One covered instant below is enough, whatever else is unknown.
const fn is_below(piece: &Piece) -> bool {
    !piece.is_exempt && piece.is_covered() && piece.released < piece.enough
}

/// For how long it is known whether enough is released.
fn accounted_ms(piece: &Piece) -> i128 {
    let is_bound_enough = piece.fresh > 0 && piece.measured >= piece.enough;
    let is_accounted = !piece.is_exempt && (piece.is_covered() || is_bound_enough);
    if is_accounted { i128::from(piece.length_ms()) } else { 0 }
}

/// Short where that is shown; else met where enough of the time is accounted for.
fn known_below(is_short: bool, accounted: i128, weight: &Weight, coverage: Share) -> Finding {
    if is_short {
        return Some(false);
    }
    coverage.is_reached_by(accounted, weight.length).then_some(true)
}

/// The stretch up to the end of a piece during which every outlet's value stands and less than
/// enough is released, where there is one.
fn run_below(run: Option<(i64, i64)>, piece: &Piece) -> Option<(i64, i64)> {
    let is_below = !piece.is_exempt && piece.is_whole() && piece.released < piece.enough;
    let begun = run.filter(|(_, ended)| *ended == piece.from_ms).map(|(begun, _)| begun);
    is_below.then_some((begun.unwrap_or(piece.from_ms), piece.to_ms))
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
