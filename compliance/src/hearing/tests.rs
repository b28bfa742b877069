//! Hours and days judged from samples, at the edges that a court would ask about.

use expect_test::{Expect, expect};
use model::{registry::Registry, time::HOUR_MS};

use super::*;
use crate::{docket::tests::registry, judgement::read};

fn hour_span(number: i64) -> Span {
    let first: Timestamp = "2026-01-02T00:00:00+08:00".parse().unwrap();
    let from = first.plus_ms(number * HOUR_MS);
    Span { from, to: from.plus_ms(HOUR_MS) }
}

fn evidence<'a>(
    section: &Section<'a>,
    from: Timestamp,
    flows: &[Option<&str>],
) -> Vec<Evidence<'a>> {
    let source = section.sources().remove(0);
    let samples = (0..).zip(flows).filter_map(|(minute, flow)| {
        Some((from.plus_ms(minute * 60_000), Flow::from_m3_per_s((*flow)?).unwrap()))
    });
    vec![Evidence { source, samples: samples.collect() }]
}

fn shown(judgement: Option<Judgement>) -> String {
    judgement.map_or("nothing".to_owned(), |judgement| {
        let verdict = judgement.verdict.map_or("none", Verdict::word);
        let Weight { length, covered, .. } = judgement.weight;
        let because = judgement.because.word();
        format!("{verdict} ({because}), {} of {} s covered", covered / 1_000, length / 1_000)
    })
}

/// The first hour of the mandate, from minutes of one flow and then minutes of another.
fn check(so_far: bool, runs: &[(usize, Option<&str>)], expected: &Expect) {
    let registry: Registry = registry();
    let section = Section::judged(&registry).next().unwrap();
    let flows: Vec<Option<&str>> =
        runs.iter().flat_map(|(count, flow)| std::iter::repeat_n(*flow, *count)).collect();
    let span = hour_span(0);
    let evidence = evidence(&section, span.from, &flows);
    let judge = if so_far { hour_so_far } else { hour };
    expected.assert_eq(&shown(judge(&section, &evidence, span)));
}

#[test]
fn an_open_hour_is_judged_as_far_as_it_is_known() {
    check(true, &[(10, Some("1"))], &expect!["met (enough), 600 of 600 s covered"]);
    check(true, &[(10, Some("0.9"))], &expect!["short (below), 600 of 600 s covered"]);
    check(
        true,
        &[(10, None), (10, Some("1"))],
        &expect!["indeterminate (too_little_known), 600 of 1200 s covered"],
    );
    check(true, &[(10, None)], &expect!["nothing"]);
    check(false, &[(10, Some("1"))], &expect!["short (too_little_known), 600 of 3600 s covered"]);
}

#[test]
fn a_reading_of_an_open_hour_speaks_until_the_next_one_is_expected() {
    let mut registry = registry();
    for gauge in registry.stations.values_mut().flat_map(|station| station.gauges.values_mut()) {
        gauge.interval_ms = 300_000;
    }
    let section = Section::judged(&registry).next().unwrap();
    let span = hour_span(0);
    let so_far = |flows: &[Option<&str>]| {
        let evidence = evidence(&section, span.from, flows);
        hour_so_far(&section, &evidence, span).unwrap().weight
    };
    // nobody knows yet how often it speaks; then every minute, and more seldom than it should
    assert_eq!(so_far(&[Some("0")]).length, 300_000);
    let (short, back) =
        (so_far(&[Some("0"); 9]), so_far(&[[Some("0"); 9], [Some("1"); 9]].concat()));
    assert_eq!((short.length, back.length), (9 * 60_000, 18 * 60_000));
    assert_eq!(short.deficit, back.deficit, "what follows takes nothing back");
    let seldom = [Some("0"), None, None, None, None, None, None, None, Some("0")];
    assert_eq!(so_far(&seldom).length, (8 + 5) * 60_000);
}

#[test]
fn before_its_mandate_nothing_is_judged() {
    let registry = registry();
    let section = Section::judged(&registry).next().unwrap();
    let span = hour_span(-1);
    let evidence = evidence(&section, span.from, &[Some("1"); 60]);
    assert_eq!(hour(&section, &evidence, span), None);
    assert_eq!(section.day_of(span), None);
}

#[test]
fn a_day_is_what_its_hours_are_and_sums_them() {
    let registry = registry();
    let section = Section::judged(&registry).next().unwrap();
    let hours = section.day_of(hour_span(5)).unwrap();
    assert_eq!((hours.len(), hours[0]), (24, hour_span(0)));
    let judged = |flow: &str, span: Span| {
        let evidence = evidence(&section, span.from, &[Some(flow); 60]);
        let judgement = hour(&section, &evidence, span).unwrap();
        read(span, &judgement.bytes()).unwrap()
    };
    let of = |short: usize| -> Vec<JudgedHour> {
        let flow = |index| if index < short { "0.5" } else { "1" };
        hours.iter().enumerate().map(|(index, hour)| judged(flow(index), *hour)).collect()
    };
    let all = of(1);
    let span = Span { from: hours[0].from, to: hours[23].to };
    let day = day_of(&section, span, &Together::all(&all).unwrap(), false).unwrap();
    let counted = Hours { met: 23, short: 1, ..Hours::default() };
    let asked = section.demand_in(span).unwrap().rule.day_hours_met;
    assert_eq!(day.hours, Some((counted, asked)));
    // without `day_hours_met` in the rule every judged hour must be met
    assert_eq!((day.verdict, day.because), (Some(Verdict::Short), Because::Below));
    assert_eq!(day.weight.deficit, 500_000 * 3_600_000);
    assert_eq!(
        day_of(&section, span, &Together::all(&of(0)).unwrap(), false).unwrap().verdict,
        Some(Verdict::Met)
    );
    // six hours of a day that is not over say too little, which is not short
    let open = day_of(&section, span, &Together::all(&of(0)[..6]).unwrap(), true).unwrap();
    assert_eq!(open.verdict, Some(Verdict::Met));
    // a day is named by its begin, also where nothing is known of its first hours
    let late = day_of(&section, span, &Together::all(&of(0)[6..]).unwrap(), false).unwrap();
    assert_eq!((open.span, late.span), (span, span));
    assert_eq!(Together::all(&[]), None);
}

#[test]
fn a_day_is_short_for_want_of_data_where_its_known_hours_would_do() {
    let registry = registry();
    let section = Section::judged(&registry).next().unwrap();
    let hours = section.day_of(hour_span(5)).unwrap();
    let day = |flows: [&[Option<&str>]; 2]| {
        let judged = hours.iter().enumerate().map(|(index, span)| {
            let flows = flows.get(index).copied().unwrap_or(&[Some("1"); 60]);
            let judgement = hour(&section, &evidence(&section, span.from, flows), *span).unwrap();
            read(*span, &judgement.bytes()).unwrap()
        });
        let together = Together::all(&judged.collect::<Vec<_>>()).unwrap();
        let span = Span { from: hours[0].from, to: hours[23].to };
        let day = day_of(&section, span, &together, false).unwrap();
        (day.verdict.unwrap(), day.because, day.hours.unwrap().0.unknown)
    };
    let [enough, below, known] = [&[Some("1"); 60], &[Some("0.5"); 60], &[Some("1"); 10][..]];
    assert_eq!(day([enough, enough]), (Verdict::Met, Because::Enough, 0));
    assert_eq!(day([known, known]), (Verdict::Short, Because::TooLittleKnown, 2));
    assert_eq!(day([known, below]), (Verdict::Short, Because::Below, 1));
}

#[test]
fn an_open_day_by_its_mean_is_judged_as_far_as_it_is_known() {
    let mut registry = registry();
    for rule in registry.rules.values_mut() {
        rule.statistic = Statistic::DailyMean;
    }
    let section = Section::judged(&registry).next().unwrap();
    let hours = section.day_of(hour_span(0)).unwrap();
    let day = Span { from: hours[0].from, to: hours[23].to };
    let open = |flow: &str, minutes: usize| {
        let evidence = evidence(&section, day.from, &vec![Some(flow); minutes]);
        let judged = hour_so_far(&section, &evidence, hours[0]).unwrap();
        let together = Together::of(&JudgedHour::of(&judged));
        day_of(&section, day, &together, true).unwrap()
    };
    assert_eq!(shown(Some(open("1", 2))), "met (enough), 120 of 120 s covered");
    assert_eq!(shown(Some(open("0.9", 2))), "short (below), 120 of 120 s covered");
    assert_eq!(shown(Some(open("1", 60))), "met (enough), 3600 of 3600 s covered");
}

#[test]
fn what_comes_after_the_months_close_is_late() {
    let registry = registry();
    let section = Section::judged(&registry).next().unwrap();
    let is = |now: &str| is_late(&section, hour_span(0), now.parse().unwrap());
    assert!(!is("2026-02-04T23:59:59+08:00"));
    assert!(is("2026-02-05T00:00:00+08:00"));
    let december = Span {
        from: "2026-12-31T23:00:00+08:00".parse().unwrap(),
        to: "2027-01-01T00:00:00+08:00".parse().unwrap(),
    };
    assert!(!is_late(&section, december, "2027-01-04T00:00:00+08:00".parse().unwrap()));
    assert!(is_late(&section, december, "2027-01-05T00:00:00+08:00".parse().unwrap()));
    // what lies before the mandate can only be taken back
    let before = hour_span(-24 * 3);
    assert!(!is_late(&section, before, "2026-01-04T23:59:59+08:00".parse().unwrap()));
    assert!(is_late(&section, before, "2026-01-05T00:00:00+08:00".parse().unwrap()));
}
