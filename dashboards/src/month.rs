//! Months of a section, counted and added up from its days: what the journal says of those is all
//! that a month is made of.
//!
//! A month is no verdict of its own: it has no version and no entry, and is counted anew whenever
//! it is asked for. So it can never differ from its days, nor from what compliance counts. A day
//! belongs to the month in which it begins, in the station's zone.

use model::{
    quantity::{Decimal, Rounding, mean_flow, share_of_time, volume_m3},
    time::{Span, Timestamp, Zone},
    verdict::Length,
    weight::Weight,
};
use serde::Deserialize;
use store::{VerdictCounts, VerdictRow};

use crate::view::verdict::Unreadable;

/// A month of which there is a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Month {
    /// From its first midnight to that of the next month.
    pub span: Span,
    /// What its days are.
    pub days: VerdictCounts,
    /// What those of them that are closed weigh together.
    pub weight: Weight,
    /// What was released on those while some outlet's value stood, ml/s · ms: as much as each says,
    /// so at least that on days on which an outlet was missing for a time.
    pub water: i128,
    /// When a day of it was last judged.
    pub judged_at: Timestamp,
    /// Whether what counts of one of its days came after the month was closed.
    pub is_late: bool,
}

#[derive(Deserialize)]
struct Judgement {
    sums: Weight,
}

/// The month in which `at` falls.
pub fn month_of(at: Timestamp, zone: &Zone) -> Span {
    let date = zone.date_of(at);
    let from = zone.start_of_day(date.first_of_month());
    let next = date.last_of_month().tomorrow();
    Span { from, to: next.map_or(Timestamp::MAX, |next| zone.start_of_day(next)) }
}

/// The days of those months that begin within `span`; the months' own begins decide.
pub fn days_of(span: Span, zone: &Zone) -> Span {
    let first = month_of(span.from, zone);
    let from = if first.from >= span.from { first.from } else { first.to };
    if span.to <= from {
        return Span { from, to: from };
    }
    // the last month that begins before the end
    Span { from, to: month_of(span.to.plus_ms(-1), zone).to }
}

/// The months of days that come in order, the newest version of each.
pub fn months(rows: &[VerdictRow], zone: &Zone) -> Result<Vec<Month>, Unreadable> {
    let mut months: Vec<Month> = Vec::new();
    for row in rows.iter().filter(|row| row.by == Length::Day && row.verdict.is_some()) {
        let known = months.last_mut().filter(|month| row.span.from < month.span.to);
        if let Some(month) = known {
            month.add(row)?;
            continue;
        }
        let mut month = Month {
            span: month_of(row.span.from, zone),
            days: VerdictCounts::default(),
            weight: Weight::default(),
            water: 0,
            judged_at: row.judged_at,
            is_late: false,
        };
        month.add(row)?;
        months.push(month);
    }
    Ok(months)
}

impl Month {
    fn add(&mut self, row: &VerdictRow) -> Result<(), Unreadable> {
        self.days.note(row.version, row.verdict);
        self.judged_at = self.judged_at.max(row.judged_at);
        self.is_late |= row.is_late;
        if row.version > 0 {
            let read: Result<Judgement, _> = serde_json::from_slice(&row.bytes);
            let day = read.map_err(|error| Unreadable::of(row, error.to_string()))?.sums;
            let is_bound = day.held > day.whole;
            self.water += if is_bound { day.held_water } else { day.whole_water };
            self.weight = self.weight + day;
        }
        Ok(())
    }

    /// Whether more may come of it, as its section is closed until then.
    pub fn is_open(&self, closed_until: Timestamp) -> bool {
        closed_until < self.span.to || self.days.open > 0
    }

    /// The mean that had to be released, m³/s, rounded up.
    pub fn required(&self) -> Option<Decimal> {
        mean_flow(self.weight.required, self.weight.length, Rounding::Up)
    }

    /// The mean that is known to have been released, m³/s, rounded down.
    pub fn observed(&self) -> Option<Decimal> {
        mean_flow(self.water, self.weight.held, Rounding::Down)
    }

    /// Whether an outlet was missing for a time, so that at least that much was released.
    pub const fn is_bound(&self) -> bool {
        self.weight.held > self.weight.whole
    }

    /// The share of the time for which every outlet's value stood fresh, rounded down.
    pub fn coverage(&self) -> Option<Decimal> {
        share_of_time(self.weight.covered, self.weight.length)
    }

    /// What was missing, m³.
    pub fn deficit_m3(&self) -> Option<Decimal> {
        volume_m3(self.weight.deficit)
    }
}

#[cfg(test)]
#[path = "month/tests.rs"]
mod tests;
