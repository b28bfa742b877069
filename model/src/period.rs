//! Periods that are judged: clock hours and days of a rule, in the station's zone.
//!
//! Half-open and named by their start. A day is made of clock hours; one on which clocks change has
//! 23 or 25 of them. Where they change by a part of an hour, the hour in which they do is cut
//! there, so that hours always adjoin.

use crate::{
    calendar::{Date, TimeOfDay},
    time::{Span, Timestamp, Zone},
};

/// The clock hour in which `at` falls.
pub fn hour_of(at: Timestamp, zone: &Zone) -> Span {
    zone.hour_at(at)
}

/// The day in which `at` falls, of a rule whose days begin at `start`.
pub fn day_of(at: Timestamp, start: TimeOfDay, zone: &Zone) -> Span {
    let civil = zone.date_of(at);
    let begin = |date| zone.at_minute(date, start.minute());
    let date = if at < begin(civil) { civil.yesterday().unwrap_or(civil) } else { civil };
    let end = |date: Date| date.tomorrow().map_or(Timestamp::MAX, begin);
    // where clocks go back over midnight, some of the date before comes after it
    let date = if at < end(date) { date } else { date.tomorrow().unwrap_or(date) };
    Span { from: begin(date), to: end(date) }
}

/// The clock hours of a span that begins with one.
pub fn hours(span: Span, zone: &Zone) -> impl Iterator<Item = Span> + '_ {
    std::iter::successors(Some(hour_of(span.from, zone)), move |hour| Some(hour_of(hour.to, zone)))
        .take_while(move |hour| hour.from < span.to)
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
        (span.from.in_zone(&zone), hours(span, &zone).count())
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
        let hours: Vec<Span> = hours(span, &zone).collect();
        assert_eq!(hours.len(), 24);
        assert!(hours.iter().zip(hours.iter().skip(1)).all(|(a, b)| a.to == b.from));
        assert!(hours.iter().all(|hour| hour_of(hour.from, &zone) == *hour));
        assert_eq!(hours.last().map(|hour| hour.to), Some(span.to));
    }

    /// Every hour of some days, each asked for by several of its moments.
    fn adjoin(zone_name: &str, from: &str, days: i64) -> Vec<i64> {
        let zone = zone(zone_name);
        let from = hour_of(from.parse().unwrap(), &zone).from;
        let to = from.plus_ms(days * 24 * 3_600_000);
        let all: Vec<Span> = hours(Span { from, to }, &zone).collect();
        for (hour, next) in all.iter().zip(all.iter().skip(1)) {
            assert_eq!(hour.to, next.from);
            let middle = hour.from.plus_ms(hour.to.ms_since(hour.from) / 2);
            for at in [hour.from, middle, hour.to.plus_ms(-1)] {
                assert_eq!(hour_of(at, &zone), *hour, "{at}");
                let day = day_of(at, TimeOfDay::MIDNIGHT, &zone);
                assert!(day.from <= at && at < day.to, "{at} in {day:?}");
                assert!(day.from <= hour.from && hour.to <= day.to, "{hour:?} in {day:?}");
            }
        }
        all.iter().map(|hour| hour.to.ms_since(hour.from) / 60_000).filter(|m| *m != 60).collect()
    }

    #[test]
    fn where_clocks_change_by_half_an_hour_an_hour_is_cut_and_none_overlaps() {
        assert_eq!(adjoin("Australia/Lord_Howe", "2026-04-03T00:00:00Z", 4), [30]);
        assert_eq!(adjoin("Australia/Lord_Howe", "2026-10-02T00:00:00Z", 4), [30]);
    }

    #[test]
    fn no_hour_is_cut_where_clocks_change_by_a_whole_one_be_it_at_midnight() {
        for (zone, from) in [
            ("Europe/Berlin", "2026-03-27T00:00:00Z"),
            ("Europe/Berlin", "2026-10-23T00:00:00Z"),
            ("America/Sao_Paulo", "2018-11-02T00:00:00Z"), // a day without 00:00
            ("America/Sao_Paulo", "2019-02-15T00:00:00Z"),
            ("America/St_Johns", "2010-11-05T00:00:00Z"), // back from 00:01 to 23:01
            ("Asia/Kathmandu", "2026-03-27T00:00:00Z"),
            ("Asia/Shanghai", "2028-02-27T00:00:00Z"),
        ] {
            assert_eq!(adjoin(zone, from, 5), Vec::<i64>::new(), "{zone}");
        }
    }

    #[test]
    fn a_day_without_midnight_begins_at_one() {
        let (from, hours) = day("2018-11-04T12:00:00Z", "00:00", "America/Sao_Paulo");
        assert_eq!((from.as_str(), hours), ("2018-11-04 01:00:00", 23));
    }
}
