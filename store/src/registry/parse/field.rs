//! The kinds of value that registry keys share: names, exact numbers, spans, zones and dates.

use std::{fmt, ops::RangeInclusive};

use model::{
    calendar::{Date, parse_date},
    flow::Flow,
    quantity::Decimal,
    time::{Timestamp, Zone},
    tree::{Field, Table},
};

use crate::registry::document::span_text;

/// The longest name or title, in characters.
const MAX_CHARACTERS: usize = 200;

/// One line of text with something in it.
pub(super) fn line<'f>(table: &'f Table<'f>, key: &str) -> Field<'f, String> {
    table.text(key).and_then(|text| {
        if text.trim().is_empty() {
            Err("is empty".to_owned())
        } else if text.trim() != text {
            Err("begins or ends with a space".to_owned())
        } else if text.chars().count() > MAX_CHARACTERS {
            Err(format!("is longer than {MAX_CHARACTERS} characters"))
        } else if text.chars().any(char::is_control) {
            Err("holds a line break or another control character".to_owned())
        } else {
            Ok(text)
        }
    })
}

/// An exact number from `low` to `high`.
pub(super) fn number<'f>(
    table: &'f Table<'f>,
    key: &str,
    low: &str,
    high: &str,
) -> Field<'f, Decimal> {
    table.decimal(key).and_then(|text| between(&text, low, high))
}

/// The number that `text` writes, if it lies between two others.
pub(super) fn between(text: &str, low: &str, high: &str) -> Result<Decimal, String> {
    let number: Decimal = text.parse().map_err(|error| format!("{error}"))?;
    let is_at_least = |low: Decimal| number.compare(low).is_ge();
    let is_at_most = |high: Decimal| number.compare(high).is_le();
    if low.parse().is_ok_and(is_at_least) && high.parse().is_ok_and(is_at_most) {
        Ok(number.trimmed())
    } else {
        Err(format!("{text} is not between {low} and {high}"))
    }
}

/// A share, above 0 and at most 1.
pub(super) fn share<'f>(table: &'f Table<'f>, key: &str) -> Field<'f, Decimal> {
    rate(table, key, "1").and_then(above_zero)
}

/// A part or a multiple of something, from 0 to `most`.
pub(super) fn rate<'f>(table: &'f Table<'f>, key: &str, most: &str) -> Field<'f, Decimal> {
    number(table, key, "0", most).and_then(few_decimals)
}

/// Refuses what is finer than any decree writes a share: judging multiplies it with a day's water
/// and the day's length, which is exact in 128 bits up to here.
fn few_decimals(number: Decimal) -> Result<Decimal, &'static str> {
    if number.decimals <= SHARE_DECIMALS { Ok(number) } else { Err("has more than 6 decimals") }
}

const SHARE_DECIMALS: u8 = 6;

/// Refuses 0.
pub(super) fn above_zero(number: Decimal) -> Result<Decimal, &'static str> {
    if number.units > 0 { Ok(number) } else { Err("must be above 0") }
}

/// A whole number in `range`.
pub(super) fn whole<'f, N>(
    table: &'f Table<'f>,
    key: &str,
    range: RangeInclusive<N>,
) -> Field<'f, N>
where
    N: TryFrom<i64> + PartialOrd + fmt::Display,
{
    table.decimal(key).and_then(|text| {
        let written: Option<i64> = text.parse().ok();
        let fits = written.and_then(|number| N::try_from(number).ok());
        fits.filter(|number| range.contains(number)).ok_or_else(|| {
            format!("{text} is not a whole number from {} to {}", range.start(), range.end())
        })
    })
}

/// A flow in m³/s, not negative.
pub(super) fn flow<'f>(table: &'f Table<'f>, key: &str) -> Field<'f, Flow> {
    table.decimal(key).and_then(|text| flow_from(&text))
}

/// The flow that `text` writes in m³/s, from 0 to 100,000.
pub(super) fn flow_from(text: &str) -> Result<Flow, String> {
    let flow = Flow::from_m3_per_s(text).map_err(|error| format!("{error}"))?;
    let largest = Flow::from_ml_per_s(100_000_000_000);
    if (Flow::ZERO..=largest).contains(&flow) {
        Ok(flow)
    } else {
        Err(format!("{text} m3/s is not between 0 and 100000"))
    }
}

/// A span in milliseconds, in `range`.
pub(super) fn span<'f>(
    table: &'f Table<'f>,
    key: &str,
    range: RangeInclusive<i64>,
) -> Field<'f, i64> {
    table.duration(key).and_then(|span| {
        let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        if range.contains(&ms) {
            return Ok(ms);
        }
        let (low, high) = (span_text(*range.start()), span_text(*range.end()));
        Err(format!("{} is not between {low} and {high}", span_text(ms)))
    })
}

/// The zone under `zone`, else the other one, else that of China; `None` says that a fault was noted.
pub(super) fn zone(table: &Table<'_>, otherwise: Option<&Zone>) -> Option<Zone> {
    let named = table.text("zone").and_then(|name| Zone::named(&name)).optional();
    named.or_else(|| otherwise.cloned()).or_else(|| Zone::named(Zone::USUAL).ok())
}

/// A civil date.
pub(super) fn date<'f>(table: &'f Table<'f>, key: &str) -> Field<'f, Date> {
    table.text(key).and_then(|text| parse_date(&text))
}

/// A moment with its offset.
pub(super) fn moment<'f>(table: &'f Table<'f>, key: &str) -> Field<'f, Timestamp> {
    table.parse(key)
}

/// The dates `from` and `to`, of which the second must be later.
pub(super) fn from_to(table: &Table<'_>) -> (Option<Date>, Option<Date>) {
    let (from, to) = (date(table, "from").optional(), date(table, "to").optional());
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        table.fault("to", format!("{to} is not after `from`, {from}; it is the first day without"));
    }
    (from, to)
}
