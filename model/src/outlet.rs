//! Outlets: the ways water leaves a station, measured by a gauge or computed by a formula.

use crate::{
    calendar::Date,
    formula::Formula,
    ids::{GaugeName, OutletId, SectionId},
};

/// A way water leaves; the released flow of a section is the sum over its outlets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlet {
    /// Its id, unique within the station.
    pub id: OutletId,
    /// The section that its water reaches.
    pub section: SectionId,
    /// How its flow is known.
    pub flow: OutletFlow,
    /// The first day on which it counts; none: always.
    pub from: Option<Date>,
    /// The first day on which it no longer counts; none: never.
    pub to: Option<Date>,
}

impl Outlet {
    /// Whether it counts on `date`.
    pub fn is_in_force(&self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.to.is_none_or(|to| date < to)
    }

    /// The gauges from which its flow is known.
    pub fn gauges(&self) -> Vec<&GaugeName> {
        match &self.flow {
            OutletFlow::Gauge(gauge) => vec![gauge],
            OutletFlow::Formula(formula) => formula.gauges().collect(),
        }
    }
}

/// How the flow of an outlet is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutletFlow {
    /// A gauge measures it.
    Gauge(GaugeName),
    /// A formula computes it from other gauges.
    Formula(Formula),
}
