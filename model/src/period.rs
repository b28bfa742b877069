//! Periods that are judged: clock hours and days of a rule, in the station's zone.
//!
//! Half-open and named by their start. A day is made of whole clock hours; one on which clocks
//! change has 23 or 25 of them.

use crate::{
    calendar::TimeOfDay,
    time::{HOUR_MS, Span, Timestamp, Zone},
};

/// The clock hour in which `at` falls.
pub fn hour_of(at: Timestamp, zone: &Zone) -> Span {
    let from = zone.start_of_hour(at);
    Span { from, to: from.plus_ms(HOUR_MS) }
}

/// The day in which `at` falls, of a rule whose days begin at `start`.
pub fn day_of(at: Timestamp, start: TimeOfDay, zone: &Zone) -> Span {
    let civil = zone.date_of(at);
    let begin = |date| zone.at_minute(date, start.minute());
    let date = if at < begin(civil) { civil.yesterday().unwrap_or(civil) } else { civil };
    Span { from: begin(date), to: date.tomorrow().map_or(Timestamp::MAX, begin) }
}

/// The clock hours of a span that begins with one.
pub fn hours(span: Span) -> impl Iterator<Item = Span> {
    let next = |from: &Timestamp| Some(from.plus_ms(HOUR_MS));
    std::iter::successors(Some(span.from), next)
        .take_while(move |from| *from < span.to)
        .map(move |from| Span { from, to: from.plus_ms(HOUR_MS).min(span.to) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::named(name).unwrap()
    }

    fn day(at: &str, start: &str, zone_name: &str) -> (String, usize) {
        let zone = zone(zone_name);
        let span = day_of(at.parse().unwrap(), start.parse().unwrap(), &zone);
        (span.from.in_zone(&zone), hours(span).count())
    }

    #[test]
    fn a_day_begins_where_its_rule_says() {
        let of = |at: &str, start: &str| day(at, start, "Asia/Shanghai");
        let midnight = |date: &str| (format!("{date} 00:00:00"), 24);
        let eight = |date: &str| (format!("{date} 08:00:00"), 24);
        assert_eq!(of("2026-12-31T23:59:59.999+08:00", "00:00"), midnight("2026-12-31"));
        assert_eq!(of("2027-01-01T00:00:00+08:00", "00:00"), midnight("2027-01-01"));
        assert_eq!(of("2027-01-01T07:59:59+08:00", "08:00"), eight("2026-12-31"));
        assert_eq!(of("2027-01-01T08:00:00+08:00", "08:00"), eight("2027-01-01"));
        assert_eq!(of("2028-02-29T12:00:00+08:00", "08:00"), eight("2028-02-29"));
    }

    #[test]
    fn a_day_on_which_clocks_change_has_the_hours_that_it_has() {
        let of = |at: &str| day(at, "00:00", "Europe/Berlin").1;
        assert_eq!((of("2026-03-29T12:00:00Z"), of("2026-10-25T12:00:00Z")), (23, 25));
    }

    #[test]
    fn hours_are_the_zones_and_adjoin() {
        let zone = zone("Asia/Kathmandu");
        let span = day_of("2026-11-22T12:00:00Z".parse().unwrap(), TimeOfDay::MIDNIGHT, &zone);
        let hours: Vec<Span> = hours(span).collect();
        assert_eq!(hours.len(), 24);
        assert!(hours.iter().zip(hours.iter().skip(1)).all(|(a, b)| a.to == b.from));
        assert!(hours.iter().all(|hour| hour_of(hour.from, &zone) == *hour));
        assert_eq!(hours.last().map(|hour| hour.to), Some(span.to));
    }
}
