//! The docket driven by hand and at random.

use std::collections::{BTreeMap, BTreeSet};

use model::{registry::Registry, tree::Origin};
use proptest::prelude::*;

use super::*;

/// One station with a meter every minute, under a mandate from 2026-01-02 on.
pub(crate) fn registry() -> Registry {
    let text = r#"
        [[station]]
        id = "S"
        kind = "hydropower"
        status = "retained"
        gauge = [ { id = "pipe", quantity = "flow", unit = "m3/s", interval = "1m" } ]
        outlet = [ { id = "pipe", flow = { gauge = "pipe" } } ]
        mandate = [ { document = "D", from = "2026-01-02", seasons = [ { from = "01-01", flow = 1 } ], rule = "r" } ]
        [[rule]]
        id = "r"
        statistic = "hourly_mean"
    "#;
    store::registry::parse(text, &Origin::File("registry.toml".into())).expect("a sound registry")
}

/// The hour of this number, counted from the mandate's first.
fn hour(number: i64) -> Timestamp {
    let first: Timestamp = "2026-01-02T00:00:00+08:00".parse().unwrap();
    first.plus_ms(number * HOUR_MS)
}

fn number(at: Timestamp) -> i64 {
    at.ms_since(hour(0)) / HOUR_MS
}

const NOTHING: Come =
    Come { newest: Timestamp::MIN, queued_from: Timestamp::MAX, next: Timestamp::MAX };

/// Hearings as text: «close 0..2».
fn shown(hearings: &[Hearing]) -> String {
    let one = |hearing: &Hearing| {
        let word = match hearing.why {
            Why::Open => "open",
            Why::Close => "close",
            Why::Again => "again",
            Why::Begin => "begin",
        };
        format!("{word} {}..{}", number(hearing.span.from), number(hearing.span.to))
    };
    hearings.iter().map(one).collect::<Vec<_>>().join(", ")
}

struct Court {
    registry: Registry,
    docket: Docket,
    /// Hours that are known well enough to begin with.
    known: BTreeSet<i64>,
}

impl Court {
    fn new() -> Self {
        Self { registry: registry(), docket: Docket::default(), known: BTreeSet::new() }
    }

    fn section(&self) -> Section<'_> {
        Section::judged(&self.registry).next().expect("a section")
    }

    fn fed(&mut self, from: Timestamp, minutes: i64, now: Timestamp) {
        let span = Span { from, to: from.plus_ms(minutes * 60_000) };
        let registry = self.registry.clone();
        let section = Section::judged(&registry).next().expect("a section");
        self.docket.fed(&section, span, now);
        // whatever came stands for the hour in which it begins
        self.known.insert(number(section.hour_of(from).from));
    }

    fn hear(&mut self, come: Come, now: Timestamp) -> Vec<Hearing> {
        let key = self.section().key();
        let Some((_, load)) = self.docket.due(now, 8, 8).pop() else { return Vec::new() };
        let next = self.docket.looks_from(&key, load).map_or(Timestamp::MAX, |from| {
            let later = self.known.range(number(from)..).next();
            later.map_or(Timestamp::MAX, |number| hour(*number))
        });
        let hearings = self.docket.hearings(&self.section(), Come { next, ..come }, load, now);
        self.docket.turned(&key, load, now);
        let mut shown = Vec::new();
        for hearing in hearings {
            let heard = self.heard(&hearing, now);
            self.docket.heard(&key, heard, now);
            shown.push(Hearing { span: heard.span, ..hearing });
        }
        shown
    }

    /// What the judge would find who knows which hours are known well enough.
    fn heard(&self, hearing: &Hearing, now: Timestamp) -> Heard {
        let Hearing { why, mut span, .. } = *hearing;
        let Kept { mut begun, closed, .. } =
            self.docket.kept(&self.section().key()).unwrap().clone();
        let is_known = |hour: &&Span| self.known.contains(&number(hour.from));
        let known = hearing.hours.iter().find(is_known);
        let mut is_full = hearing.is_full();
        let mut seen = None;
        match (why, known) {
            (Why::Begin, Some(hour)) => (begun, span.to, is_full) = (hour.from, hour.to, false),
            (Why::Close, _) if begun == closed => begun = known.map_or(span.to, |hour| hour.from),
            (Why::Open, _) => {
                let may = |hour: &&Span| is_known(hour) || hour.to > now;
                seen = hearing.hours.iter().find(may).map(|hour| hour.from);
            }
            (Why::Begin | Why::Close | Why::Again, _) => {}
        }
        Heard { why, span, is_full, begun, seen }
    }
}

#[test]
fn an_hour_is_open_then_closed_when_its_data_have_passed_its_end() {
    let mut court = Court::new();
    court.fed(hour(0).plus_ms(60_000), 1, hour(0).plus_ms(65_000));
    assert_eq!(shown(&court.hear(NOTHING, hour(0).plus_ms(65_000))), "open 0..1");
    court.fed(hour(0).plus_ms(120_000), 1, hour(0).plus_ms(125_000));
    assert_eq!(shown(&court.hear(NOTHING, hour(0).plus_ms(125_000))), "open 0..1");
    // a minute's sample reaches into the next hour, but nothing has passed the end yet
    court.fed(hour(0).plus_ms(59 * 60_000), 1, hour(1).plus_ms(1_000));
    let come = Come { newest: hour(0).plus_ms(59 * 60_000), ..NOTHING };
    assert_eq!(shown(&court.hear(come, hour(1).plus_ms(1_000))), "open 0..2");
    court.fed(hour(1), 1, hour(1).plus_ms(5_000));
    let come = Come { newest: hour(1), ..NOTHING };
    assert_eq!(shown(&court.hear(come, hour(1).plus_ms(5_000))), "close 0..1");
    assert_eq!(shown(&court.hear(come, hour(1).plus_ms(20_000))), "open 1..2");
}

#[test]
fn what_is_queued_holds_an_hour_open_a_day_at_most() {
    let mut court = Court::new();
    court.fed(hour(0), 1, hour(0));
    court.fed(hour(3), 1, hour(3));
    let queued = Come { newest: hour(3), queued_from: hour(1).plus_ms(1), ..NOTHING };
    assert_eq!(shown(&court.hear(queued, hour(3))), "close 0..1, open 1..4");
    let unknown = Come { queued_from: Timestamp::MIN, ..queued };
    assert_eq!(shown(&court.hear(unknown, hour(24))), "");
    assert_eq!(shown(&court.hear(unknown, hour(26))), "close 1..2");
    let all_there = Come { newest: hour(26), ..NOTHING };
    assert_eq!(shown(&court.hear(all_there, hour(26).plus_ms(60_000))), "close 2..26");
}

#[test]
fn late_data_reopen_what_they_touch_once_it_is_quiet() {
    let mut court = Court::new();
    court.fed(hour(0), 1, hour(0));
    court.fed(hour(10), 1, hour(10));
    let come = Come { newest: hour(10), ..NOTHING };
    assert_eq!(shown(&court.hear(come, hour(10))), "close 0..10, open 10..11");
    // its value holds for two and a half minutes, so into the next hour
    court.fed(hour(4).plus_ms(-60_000), 1, hour(10).plus_ms(10_000));
    assert_eq!(shown(&court.hear(come, hour(10).plus_ms(69_000))), "");
    assert_eq!(shown(&court.hear(come, hour(10).plus_ms(70_000))), "again 3..5");
    assert_eq!(shown(&court.hear(come, hour(10).plus_ms(900_000))), "");
}

#[test]
fn a_history_in_pieces_is_closed_for_its_age_only_once_it_has_come() {
    let mut court = Court::new();
    court.fed(hour(0), 60, hour(100));
    let come = |number| Come { newest: hour(number).plus_ms(-60_000), ..NOTHING };
    assert_eq!(shown(&court.hear(come(1), hour(100))), "open 0..2");
    for number in 1..5 {
        let now = hour(100).plus_ms(number * 10_000);
        court.fed(hour(number), 60, now);
        let closed = format!("close {}..{number}, open {number}..{}", number - 1, number + 2);
        assert_eq!(shown(&court.hear(come(number + 1), now)), closed);
    }
    let quiet = hour(100).plus_ms(100_000);
    assert_eq!(shown(&court.hear(come(5), quiet.plus_ms(-1))), "");
    assert_eq!(shown(&court.hear(come(5), quiet)), "close 4..28");
}

#[test]
fn history_that_comes_later_is_judged_from_its_first_hour_to_what_was_known() {
    let mut court = Court::new();
    court.fed(hour(100), 1, hour(100));
    let come = Come { newest: hour(100), ..NOTHING };
    assert_eq!(shown(&court.hear(come, hour(100))), "open 100..101");
    court.fed(hour(2), 1, hour(100).plus_ms(1_000));
    let later = hour(100).plus_ms(2_000);
    assert_eq!(shown(&court.hear(come, later)), "begin 2..3", "where it begins is known at once");
    assert_eq!(shown(&court.hear(come, later.plus_ms(59_000))), "");
    // what is recent is looked at first
    let quiet = hour(100).plus_ms(200_000);
    for slice in ["again 76..100", "again 52..76", "again 28..52", "again 4..28", "again 3..4"] {
        assert_eq!(shown(&court.hear(come, quiet)), slice);
    }
    assert_eq!(shown(&court.hear(come, quiet)), "");
}

#[test]
fn a_start_judges_every_open_hour_once() {
    let mut court = Court::new();
    court.fed(hour(0), 1, hour(0));
    court.fed(hour(3), 1, hour(3));
    let held = Come { newest: hour(0), ..NOTHING };
    assert_eq!(shown(&court.hear(held, hour(3))), "open 0..4");
    let key = court.section().key();
    let kept = BTreeMap::from([(key.clone(), court.docket.kept(&key).unwrap().clone())]);
    court.docket = Docket::restored(kept, hour(3).plus_ms(500));
    assert_eq!(shown(&court.hear(held, hour(3).plus_ms(500))), "open 0..4");
}

#[test]
fn what_a_clock_that_was_ahead_has_closed_is_open_again_after_a_start() {
    let mut court = Court::new();
    court.fed(hour(0), 1, hour(0));
    assert_eq!(shown(&court.hear(NOTHING, hour(48))), "close 0..24");
    let key = court.section().key();
    let kept = BTreeMap::from([(key.clone(), court.docket.kept(&key).unwrap().clone())]);
    court.docket = Docket::restored(kept, hour(5).plus_ms(1));
    assert_eq!(court.docket.kept(&key).unwrap().closed, hour(5));
}

#[test]
fn a_station_that_was_closed_down_is_judged_no_more() {
    let mut registry = registry();
    assert_eq!(Section::judged(&registry).count(), 1);
    for station in registry.stations.values_mut() {
        station.status = model::station::StationStatus::Exited;
    }
    assert_eq!(Section::judged(&registry).count(), 0);
}

#[derive(Debug, Clone)]
enum Happens {
    /// Samples of so many minutes from so many minutes ago on come.
    Fed(i64, i64),
    /// So many seconds pass.
    Passes(i64),
    /// What is known to be queued begins so many minutes ago, or nobody knows.
    Queued(Option<i64>),
    /// The server starts again.
    Starts,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0_i64..4_000, 1_i64..90).prop_map(|(ago, minutes)| Happens::Fed(ago, minutes)),
        3 => (0_i64..5, 1_i64..3).prop_map(|(ago, minutes)| Happens::Fed(ago, minutes)),
        4 => (1_i64..8_000).prop_map(Happens::Passes),
        1 => proptest::option::of(0_i64..600).prop_map(Happens::Queued),
        1 => Just(Happens::Starts),
    ]
}

proptest! {
    #[test]
    fn every_hour_is_closed_once_in_order_and_judged_after_its_last_touch(
        steps in proptest::collection::vec(happens(), 1..80),
    ) {
        let mut court = Court::new();
        let (mut now, mut newest, mut queued) = (hour(200), Timestamp::MIN, Some(0));
        let mut touched: BTreeMap<i64, Timestamp> = BTreeMap::new();
        let mut judged: BTreeMap<i64, Timestamp> = BTreeMap::new();
        let mut closed: BTreeSet<i64> = BTreeSet::new();
        let end = [Happens::Queued(Some(0)), Happens::Passes(100_000)];
        let settle = (0..40).map(|_| Happens::Passes(1_000));
        for step in steps.into_iter().chain(end).chain(settle) {
            match step {
                Happens::Passes(seconds) => now = now.plus_ms(seconds * 1_000),
                Happens::Queued(minutes) => queued = minutes,
                Happens::Starts => {
                    let key = court.section().key();
                    let kept = court.docket.kept(&key).cloned();
                    court.docket = Docket::restored(kept.map(|kept| (key, kept)).into_iter().collect(), now);
                }
                Happens::Fed(ago, minutes) => {
                    let from = now.plus_ms(-ago * 60_000);
                    let minutes = minutes.min(ago + 1);
                    court.fed(from, minutes, now);
                    newest = newest.max(from.plus_ms((minutes - 1) * 60_000));
                    let last = from.plus_ms(minutes * 60_000 + 150_000 - 1);
                    for touch in number(from)..=number(last) {
                        touched.insert(touch, now);
                    }
                }
            }
            let queued_from = queued.map_or(Timestamp::MIN, |minutes| {
                if minutes == 0 { Timestamp::MAX } else { now.plus_ms(-minutes * 60_000) }
            });
            for hearing in court.hear(Come { newest, queued_from, ..NOTHING }, now) {
                for hour in &hearing.hours {
                    judged.insert(number(hour.from), now);
                    let limit = now.plus_ms(-CLOSE_LIMIT_MS).max(newest.min(queued_from)).min(now);
                    if hearing.why == Why::Close {
                        prop_assert!(hour.to <= limit, "closed before its time");
                        prop_assert!(closed.last().is_none_or(|last| *last + 1 == number(hour.from)));
                        prop_assert!(closed.insert(number(hour.from)), "closed twice");
                    }
                }
            }
        }
        let current = number(now);
        for (hour, at) in touched {
            if hour <= current {
                prop_assert!(judged.get(&hour).is_some_and(|judged| judged >= &at), "hour {hour}");
            }
        }
        if let (Some(first), Some(last)) = (judged.keys().next(), closed.last()) {
            for hour in *first..*last {
                prop_assert!(judged.contains_key(&hour), "hour {hour} was never judged");
            }
            prop_assert!(*last >= current - 25, "{last} of {current}");
        }
    }
}
