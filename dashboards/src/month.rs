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
    /// Sums of those that are closed.
    pub sums: Sums,
    /// When a day of it was last judged.
    pub judged_at: Timestamp,
    /// Whether what counts of one of its days came after the month was closed.
    pub is_late: bool,
}

/// Exact sums over closed days: times in ms, water in ml/s · ms (`docs/formats.md` §10).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// How long they are together, without what is exempt.
    pub length: i128,
    /// For how much of it every outlet's value stands.
    pub whole: i128,
    /// For how much of it some outlet's does.
    pub held: i128,
    /// What was released meanwhile; at least, on days on which an outlet was missing for a time.
    pub water: i128,
    /// For how much of it every outlet's value is fresh.
    pub covered: i128,
    /// What had to be released.
    pub required: i128,
    /// What was missing.
    pub deficit: i128,
}

#[derive(Deserialize)]
struct Judgement {
    sums: Written,
}

#[derive(Deserialize)]
struct Written {
    length: String,
    whole: String,
    whole_water: String,
    held: String,
    held_water: String,
    covered: String,
    required: String,
    deficit: String,
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
            sums: Sums::default(),
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
            self.sums = self.sums.plus(Sums::read(row)?);
        }
        Ok(())
    }

    /// Whether more may come of it, as its section is closed until then.
    pub fn is_open(&self, closed_until: Timestamp) -> bool {
        closed_until < self.span.to || self.days.open > 0
    }
}

impl Sums {
    fn read(row: &VerdictRow) -> Result<Self, Unreadable> {
        let unreadable = |problem| Unreadable::of(row, problem);
        let read: Judgement =
            serde_json::from_slice(&row.bytes).map_err(|error| unreadable(error.to_string()))?;
        let sum = |text: &str| {
            text.parse::<i128>().map_err(|_none| unreadable(format!("`{text}` is no whole number")))
        };
        let (whole, held) = (sum(&read.sums.whole)?, sum(&read.sums.held)?);
        let is_whole = whole == held;
        let water = if is_whole { &read.sums.whole_water } else { &read.sums.held_water };
        Ok(Self {
            length: sum(&read.sums.length)?,
            whole,
            held,
            water: sum(water)?,
            covered: sum(&read.sums.covered)?,
            required: sum(&read.sums.required)?,
            deficit: sum(&read.sums.deficit)?,
        })
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            length: self.length.saturating_add(other.length),
            whole: self.whole.saturating_add(other.whole),
            held: self.held.saturating_add(other.held),
            water: self.water.saturating_add(other.water),
            covered: self.covered.saturating_add(other.covered),
            required: self.required.saturating_add(other.required),
            deficit: self.deficit.saturating_add(other.deficit),
        }
    }

    /// The mean that had to be released, m³/s, rounded up.
    pub fn required(&self) -> Option<Decimal> {
        mean_flow(self.required, self.length, Rounding::Up)
    }

    /// The mean that is known to have been released, m³/s, rounded down.
    pub fn observed(&self) -> Option<Decimal> {
        mean_flow(self.water, self.held, Rounding::Down)
    }

    /// Whether an outlet was missing for a time, so that at least that much was released.
    pub const fn is_bound(&self) -> bool {
        self.held > self.whole
    }

    /// The share of the time for which every outlet's value stood fresh, rounded down.
    pub fn coverage(&self) -> Option<Decimal> {
        share_of_time(self.covered, self.length)
    }

    /// What was missing, m³.
    pub fn deficit_m3(&self) -> Option<Decimal> {
        volume_m3(self.deficit)
    }
}

#[cfg(test)]
#[path = "month/tests.rs"]
mod tests;
