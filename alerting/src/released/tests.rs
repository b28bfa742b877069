//! What the rules of a section are told, however its outlets' readings arrive.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use model::{registry::Registry, tree::Origin};
use proptest::prelude::*;

use super::*;

/// Outlets `a` and `b`, each measured every ten seconds, under 5 ml/s, and 7 ml/s from the second
/// of January on.
fn registry() -> Registry {
    let text = r#"
        [[station]]
        id = "S"
        agent = "gw"
        gauge = [
          { id = "a", quantity = "flow", unit = "ml/s", interval = "10s" },
          { id = "b", quantity = "flow", unit = "ml/s", interval = "10s" },
        ]
        outlet = [ { id = "a", flow = { gauge = "a" } }, { id = "b", flow = { gauge = "b" } } ]
        mandate = [
          { document = "D", from = "2026-01-01", seasons = [ { from = "01-01", flow = 0.000005 } ], rule = "r" },
          { document = "E", from = "2026-01-02", to = "2026-01-03", seasons = [ { from = "01-01", flow = 0.000007 } ], rule = "r" },
        ]
        [[rule]]
        id = "r"
        statistic = "hourly_mean"
    "#;
    store::registry::parse(text, &Origin::File("registry.toml".into())).expect("a sound registry")
}

fn section(registry: &Registry) -> Section<'_> {
    Section::judged(registry).next().expect("a section")
}

/// So many seconds after midnight of the second of January, less an hour.
fn at(second: i64) -> Timestamp {
    let midnight: Timestamp = "2026-01-02T00:00:00+08:00".parse().unwrap();
    midnight.plus_ms((second - 3_600) * 1_000)
}

fn second(at_: Timestamp) -> i64 {
    at_.ms_since(at(0)) / 1_000
}

/// `10:4` words.
fn samples(words: &str) -> Samples {
    let sample = |word: &str| {
        let (moment, flow) = word.split_once(':').unwrap();
        (at(moment.parse().unwrap()), Flow::from_ml_per_s(flow.parse().unwrap()))
    };
    words.split_whitespace().map(sample).collect()
}

fn row_of(received: i64, came: &[Samples]) -> Row {
    let moments = || came.iter().flatten().map(|(at, _)| *at);
    let span = Span { from: moments().min().unwrap(), to: moments().max().unwrap().plus_ms(1) };
    Row { span, received_at: at(received), is_import: false }
}

fn shown(event: &Event) -> String {
    match event {
        Event::Live(point) => format!("live {}", of(point)),
        Event::Lost(at) => format!("lost {}", second(*at)),
        Event::Late(pieces) => {
            let pieces = pieces.iter();
            let shown: Vec<_> =
                pieces.map(|(point, to)| format!("{} to {}", of(point), second(*to))).collect();
            format!("late {}", shown.join(", "))
        }
        Event::Rule(_) | Event::Withdrawn | Event::Tick => "nothing of the river".to_owned(),
    }
}

fn of(point: &Point) -> String {
    let bound = if point.bound == Bound::Whole { "" } else { "at least " };
    let required =
        point.required.map_or("nothing".to_owned(), |flow| flow.as_ml_per_s().to_string());
    format!("{} {bound}{} of {required}", second(point.at), point.released.as_ml_per_s())
}

/// Lines of `RECEIVED a SAMPLES… b SAMPLES…`.
fn check(lines: &[&str], expected: &Expect) {
    let registry = registry();
    let section = section(&registry);
    let mut released = Released::default();
    let mut known = vec![Samples::new(), Samples::new()];
    let mut out = String::new();
    for line in lines {
        let (received, rest) = line.split_once(' ').unwrap();
        let (a, b) = rest.trim_start_matches('a').split_once('b').unwrap();
        let came = [samples(a), samples(b)];
        for (known, came) in known.iter_mut().zip(&came) {
            known.extend(came);
            known.sort_by_key(|(at, _)| *at);
        }
        released = Released::restore(&released.snapshot()).unwrap();
        let told = released.step(&section, row_of(received.parse().unwrap(), &came), &came);
        let mut events = told.events;
        events.extend(told.late.map(|span| late(&section, span, known.clone())));
        let events: Vec<_> = events.iter().map(shown).collect();
        writeln!(out, "{received}: {}", events.join("; ")).unwrap();
    }
    expected.assert_eq(&out);
}

#[test]
fn the_sum_is_not_taken_with_a_value_that_is_about_to_be_replaced() {
    check(
        &["1 a 0:4 b 0:4", "11 a 10:1 b", "12 a b 10:9", "22 a b 20:9", "23 a 20:2 b"],
        &expect![[r#"
            1: live 0 8 of 5
            11: 
            12: live 10 10 of 5
            22: 
            23: live 20 11 of 5
        "#]],
    );
}

#[test]
fn an_outlet_that_has_fallen_silent_is_waited_for_as_long_as_its_value_holds() {
    check(
        &[
            "1 a 0:4 b 0:4",
            "11 a 10:4 b",
            "21 a 20:4 b",
            "31 a 30:4 b",
            "41 a 40:4 b",
            "51 a 50:4 b 50:1",
        ],
        &expect![[r#"
            1: live 0 8 of 5
            11: 
            21: 
            31: live 10 8 of 5; live 20 8 of 5; live 25 at least 4 of 5; live 30 at least 4 of 5
            41: live 40 at least 4 of 5
            51: live 50 5 of 5
        "#]],
    );
}

#[test]
fn nothing_stands_between_readings_that_stopped_and_came_again() {
    check(
        &["1 a 0:4 b 0:4", "301 a 300:3 b 300:3"],
        &expect![[r#"
        1: live 0 8 of 5
        301: lost 25; live 300 6 of 5
    "#]],
    );
}

#[test]
fn what_comes_late_is_told_as_the_past_and_makes_no_point() {
    check(
        &[
            "1 a 0:4 b 0:4",
            "301 a 300:3 b 300:3",
            "302 a 10:1 20:1 b 10:1 20:1",
            "303 a 30:1 40:2 b 30:2 40:2",
            "304 a 295:9 b",
        ],
        &expect![[r#"
            1: live 0 8 of 5
            301: lost 25; live 300 6 of 5
            302: late 0 8 of 5 to 10, 10 2 of 5 to 20
            303: late 5 8 of 5 to 10, 10 2 of 5 to 30, 30 3 of 5 to 40
            304: late 295 at least 9 of 5 to 300
        "#]],
    );
}

#[test]
fn a_requirement_that_steps_makes_points_of_its_own() {
    check(
        &["3591 a 3590:5 b 3590:1", "3601 a 3602:5 b 3602:1", "90001 a 90000:5 b 90000:1"],
        &expect![[r#"
            3591: live 3590 6 of 5
            3601: live 3600 6 of 7; live 3602 6 of 7
            90001: lost 3627; live 90000 6 of nothing
        "#]],
    );
}

#[test]
fn nothing_that_was_imported_is_live() {
    let registry = registry();
    let section = section(&registry);
    let came = [samples("0:4"), samples("0:4")];
    let row = Row { is_import: true, ..row_of(1, &came) };
    let told = Released::default().step(&section, row, &came);
    assert_eq!((told.events, told.late), (Vec::new(), Some(Span { from: at(0), to: at(0) })));
}

#[test]
fn nobody_is_waited_for_when_too_much_waits() {
    let registry = registry();
    let section = section(&registry);
    let mut released = Released::default();
    released.step(
        &section,
        row_of(1, &[samples("0:4"), samples("0:4")]),
        &[samples("0:4"), samples("0:4")],
    );
    let flow = Flow::from_ml_per_s(4);
    let count = i64::try_from(WAITING).unwrap() + 2;
    let fast: Samples = (1..=count).map(|ms| (at(6).plus_ms(ms), flow)).collect();
    let came = [fast, Samples::new()];
    let told = released.step(&section, row_of(11, &came), &came);
    assert!(told.is_cut_short);
    assert_eq!(told.events.len(), came[0].len());
}

#[test]
fn every_kept_state_stays_readable() {
    let registry = registry();
    let mut released = Released::default();
    for (received, came) in
        [(1, [samples("0:4"), samples("0:4")]), (11, [samples("10:1"), samples("")])]
    {
        released.step(&section(&registry), row_of(received, &came), &came);
    }
    let golden = include_str!("../../../tests/fixtures/alarm/released_v1.json");
    assert_eq!(released.snapshot(), golden.trim_end());
    assert_eq!(Released::restore(golden).unwrap(), released);
}

/// Deliveries of one outlet: which of the slots are missing, and in how many pieces the others
/// come.
fn outlet() -> impl Strategy<Value = Vec<(bool, i64, u8)>> {
    prop::collection::vec((prop::bool::weighted(0.85), 0_i64..9, 0_u8..3), 20)
}

proptest! {
    /// The oracle: of every moment that became a point, the sum over what each outlet said last,
    /// as long as that holds.
    #[test]
    fn every_point_is_the_sum_of_what_stands_and_none_goes_back(a in outlet(), b in outlet()) {
        let registry = registry();
        let section = section(&registry);
        let all: Vec<Samples> = [&a, &b].map(|slots| {
            (0..).zip(slots).filter(|(_, (is_there, ..))| *is_there)
                .map(|(slot, (_, flow, _))| (at(slot * 10), Flow::from_ml_per_s(*flow))).collect()
        }).into_iter().collect();
        // each reading is received up to two slots after it was made, in the order of its outlet
        let mut arrivals: Vec<(i64, usize, (Timestamp, Flow))> = Vec::new();
        for (place, slots) in [&a, &b].into_iter().enumerate() {
            let mut last = 0;
            for (slot, (is_there, flow, lag)) in (0..).zip(slots) {
                if *is_there {
                    last = last.max(slot * 10 + i64::from(*lag) * 10);
                    arrivals.push((last, place, (at(slot * 10), Flow::from_ml_per_s(*flow))));
                }
            }
        }
        arrivals.sort_by_key(|(received, ..)| *received);
        let mut released = Released::default();
        let mut heard = [Samples::new(), Samples::new()];
        let mut told_until = None;
        for (received, place, sample) in arrivals {
            heard[place].push(sample);
            let mut came = vec![Samples::new(), Samples::new()];
            came[place].push(sample);
            released = Released::restore(&released.snapshot()).unwrap();
            let told = released.step(&section, row_of(received, &came), &came);
            let front = heard.iter().flatten().map(|(at, _)| *at).max().unwrap();
            for event in told.events {
                let Event::Live(point) = event else { continue };
                prop_assert!(told_until < Some(point.at));
                told_until = Some(point.at);
                let held: Vec<i64> = all.iter().zip(&heard).filter_map(|(all, heard)| {
                    // of who is not overdue nothing that is still to come may change the sum
                    let is_overdue = heard.last().is_none_or(|(at, _)| front.ms_since(*at) >= 25_000);
                    let said = if is_overdue { heard } else { all };
                    let (at, flow) = said.iter().rfind(|(at, _)| *at <= point.at)?;
                    (point.at.ms_since(*at) < 25_000).then_some(flow.as_ml_per_s())
                }).collect();
                prop_assert_eq!(point.released.as_ml_per_s(), held.iter().sum::<i64>());
                prop_assert_eq!(point.bound == Bound::Whole, held.len() == 2);
            }
        }
    }
}
