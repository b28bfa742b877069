//! What a message says, and the flows that it says it of.

use model::{alarm::AlarmEnd, flow::Flow, quantity::Decimal, time::Timestamp};

use crate::below_mandate::Bound;

/// More than any river carries: a million m³/s. A larger value shows as this much.
const MOST_ML_PER_S: i64 = 1_000_000_000_000;
/// How many decimals of m³/s are known.
const FINEST: u8 = 6;

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saying {
    /// Too little is released.
    BelowMandate {
        /// What is, and what must be.
        flows: Flows,
        /// The share of the mandate that the rule asks for.
        share: Decimal,
        /// Since when.
        since: Timestamp,
    },
    /// Enough is released again.
    BackAtMandate {
        /// What is, and what must be.
        flows: Flows,
        /// When it began to be too little.
        since: Timestamp,
        /// When that ended.
        until: Timestamp,
    },
    /// The share of the mandate that the rule asks for is released again, and the mandate is not
    /// known to be.
    AboveShare {
        /// What is, and what must be.
        flows: Flows,
        /// The share.
        share: Decimal,
        /// When it was reached.
        until: Timestamp,
    },
    /// Nothing is mandated any longer.
    NothingMandated {
        /// What is released.
        flows: Flows,
        /// When it began to be too little.
        since: Timestamp,
        /// When that ended.
        until: Timestamp,
    },
    /// A gauge is silent.
    NoData {
        /// Since when.
        since: Timestamp,
    },
    /// A gauge speaks again.
    DataAgain {
        /// Since when it was silent.
        since: Timestamp,
        /// Until when.
        until: Timestamp,
    },
    /// A gauge says the same again and again.
    Flat {
        /// Since when.
        since: Timestamp,
    },
    /// A gauge moves again.
    Moves {
        /// Since when it did not.
        since: Timestamp,
        /// Until when.
        until: Timestamp,
    },
    /// The rule is gone.
    RuleWithdrawn {
        /// When the alarm began.
        since: Timestamp,
    },
    /// It is over, and no more is known.
    Over {
        /// When the alarm began.
        since: Timestamp,
    },
    /// The rule is there, and watches no longer.
    NotWatched {
        /// When the alarm began.
        since: Timestamp,
        /// Why.
        because: AlarmEnd,
    },
}

/// What is released and what must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flows {
    /// What is released.
    pub released: Flow,
    /// Whether all outlets are known.
    pub bound: Bound,
    /// What is mandated.
    pub required: Flow,
    /// How many decimals the gauge shows.
    pub decimals: u8,
}

impl Flows {
    /// Both as they are shown: with the same decimals, the one cut off, the other exact.
    pub fn shown(&self) -> (Decimal, Decimal) {
        let released = self.released.as_ml_per_s().clamp(0, MOST_ML_PER_S);
        let required = self.required.as_ml_per_s().clamp(0, MOST_ML_PER_S);
        let exact = Decimal { units: required, decimals: FINEST }.trimmed();
        let decimals = self.decimals.max(exact.decimals).min(FINEST);
        let unit = 10_i64.pow(u32::from(FINEST - decimals));
        let cut = |units: i64| Decimal { units: units.div_euclid(unit), decimals };
        (cut(released), cut(required))
    }
}
