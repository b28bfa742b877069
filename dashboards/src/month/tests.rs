//! Months are what their days are, wherever they are cut.

use model::verdict::Verdict;
use proptest::prelude::*;

use super::*;

const DAY_MS: i64 = 86_400_000;

fn zone() -> Zone {
    Zone::named("Asia/Shanghai").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A day that begins then; `deficit` is a whole number of ml/s · ms.
fn day(from: Timestamp, version: u32, verdict: Option<Verdict>, deficit: i128) -> VerdictRow {
    let sums = format!(
        r#"{{"sums":{{"length":"86400000","whole":"86400000","whole_water":"{}","held":"86400000","held_water":"0","covered":"43200000","partly_covered":"0","required":"{}","deficit":"{deficit}"}}}}"#,
        86_400_000_i128 * 1_199_999 + 86_399_999,
        86_400_000_i128 * 1_200_000,
    );
    VerdictRow {
        by: Length::Day,
        span: Span { from, to: from.plus_ms(DAY_MS) },
        version,
        verdict,
        is_withdrawn: verdict.is_none(),
        judged_at: from.plus_ms(DAY_MS),
        is_late: false,
        entry: None,
        bytes: sums.into_bytes(),
    }
}

#[test]
fn a_month_begins_and_ends_at_midnight_of_the_stations_zone() {
    let span = month_of(at("2026-02-28T16:30:00Z"), &zone());
    assert_eq!((span.from, span.to), (at("2026-02-28T16:00:00Z"), at("2026-03-31T16:00:00Z")));
    let span = month_of(at("2028-02-28T16:00:00Z"), &zone());
    assert_eq!(span.to, at("2028-02-29T16:00:00Z")); // a leap year's February, in its last day
}

#[test]
fn months_are_asked_for_by_their_own_begin() {
    let days = |from: &str, to: &str| {
        let span = days_of(Span { from: at(from), to: at(to) }, &zone());
        (span.from.to_string(), span.to.to_string())
    };
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert_eq!(
        days("2026-01-01T00:00:00+08:00", "2026-03-01T00:00:00+08:00"),
        pair("2025-12-31T16:00:00Z", "2026-02-28T16:00:00Z")
    );
    // a month that has begun already is no part of it, and one that begins within is a whole one
    assert_eq!(
        days("2026-01-01T00:00:01+08:00", "2026-03-01T00:00:01+08:00"),
        pair("2026-01-31T16:00:00Z", "2026-03-31T16:00:00Z")
    );
    let nothing =
        days_of(Span { from: at("2026-01-02T00:00:00Z"), to: at("2026-01-03T00:00:00Z") }, &zone());
    assert_eq!(nothing.from, nothing.to);
    let all = days_of(Span { from: Timestamp::MIN, to: Timestamp::MAX }, &zone());
    assert!(all.from < at("1900-02-02T00:00:00Z") && all.to > at("9999-12-30T00:00:00Z"));
}

#[test]
fn a_month_adds_up_its_closed_days_and_never_rounds_up_to_the_requirement() {
    let begin = at("2026-09-30T16:00:00Z");
    let rows = [
        day(begin, 2, Some(Verdict::Short), 1_000_000_499),
        day(begin.plus_ms(DAY_MS), 1, Some(Verdict::Met), 1),
        day(begin.plus_ms(2 * DAY_MS), 2, None, 7), // withdrawn
        day(begin.plus_ms(3 * DAY_MS), 0, Some(Verdict::Short), 7), // not over
    ];
    let months = months(&rows, &zone()).unwrap();
    let [month] = months.as_slice() else { panic!("{months:?}") };
    let VerdictCounts { met, short, exempt, indeterminate, open } = month.days;
    assert_eq!((met, short, exempt, indeterminate, open), (1, 1, 0, 0, 1));
    assert_eq!(month.observed().unwrap().to_string(), "1.199999");
    assert_eq!(month.required().unwrap().to_string(), "1.2");
    assert_eq!(month.coverage().unwrap().to_string(), "0.5");
    assert_eq!(month.deficit_m3().unwrap().to_string(), "1"); // 1.0000005 m³, to the litre
    assert!(month.is_open(month.span.to), "a day of it is open");
    assert_eq!(month.judged_at, begin.plus_ms(4 * DAY_MS));
}

fn verdicts() -> impl Strategy<Value = Vec<(u32, Option<Verdict>, i64)>> {
    let words: Vec<Option<Verdict>> =
        Verdict::WORDS.iter().map(|(_, verdict)| Some(*verdict)).chain([None]).collect();
    proptest::collection::vec((0_u32..4, proptest::sample::select(words), 0_i64..5_000), 1..150)
}

proptest! {
    #[test]
    fn months_have_every_day_once_and_agree_with_a_count_over_all(days in verdicts(), first in 0_i64..400) {
        let begin = month_of(at("2026-01-15T00:00:00Z"), &zone()).from.plus_ms(first * DAY_MS);
        let rows: Vec<VerdictRow> = days
            .iter()
            .zip(0_i64..)
            .map(|((version, verdict, deficit), number)| {
                day(begin.plus_ms(number * DAY_MS), *version, *verdict, i128::from(*deficit))
            })
            .collect();
        let months = months(&rows, &zone()).unwrap();
        let (mut counted, mut of_months) = (VerdictCounts::default(), VerdictCounts::default());
        for row in &rows {
            counted.note(row.version, row.verdict);
        }
        let mut deficit = 0;
        for month in &months {
            of_months.met += month.days.met;
            of_months.short += month.days.short;
            of_months.exempt += month.days.exempt;
            of_months.indeterminate += month.days.indeterminate;
            of_months.open += month.days.open;
            deficit += month.weight.deficit;
        }
        prop_assert_eq!(of_months, counted);
        let closed = |(version, verdict, deficit): &(u32, Option<Verdict>, i64)| {
            i128::from(if *version > 0 && verdict.is_some() { *deficit } else { 0 })
        };
        let of_days: i128 = days.iter().map(closed).sum();
        prop_assert_eq!(deficit, of_days);
        prop_assert!(months.windows(2).all(|pair| pair[0].span.to <= pair[1].span.from));
    }
}
