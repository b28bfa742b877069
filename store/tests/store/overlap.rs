//! Payloads that cover the same stretch of time again and again, and what they may cost.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use proptest::prelude::*;
use store::{Admission, Admit, Admitted};
use tracing::{Dispatch, Event, Subscriber, subscriber::with_default};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

use model::time::Span;

use super::making::{
    Points, all, at, batch, booted, conflicts, gauge, json, open, pages, put, put_new, shown,
};

/// Equal values over almost 24 hours, as many as a batch may hold, from `shift` on.
fn day(sequence: u64, shift: i64) -> Admit {
    batch(sequence, &[("level", (0..262_144).map(|n| (n * 320 + shift, 0)).collect())])
}

#[test]
fn a_day_that_is_told_again_is_compared_whole_within_what_a_write_may_look_at() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put_new(&store, day(1, 0));
    // Were each of its many spans to have the day decoded, two would use up what a write may do.
    for sequence in 2..=4 {
        assert_eq!(put(&store, day(sequence, 0)), Admission::Repetition(262_144));
    }
}

#[test]
fn what_one_write_may_look_at_is_bounded_and_the_rest_is_counted_as_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for shift in 0..3 {
        assert_eq!(put_new(&store, day(2 + shift, i64::try_from(shift).unwrap())).uncompared, 0);
    }
    assert!(put_new(&store, day(5, 3)).uncompared > 200_000);
    // Two days are looked at; of the third nobody knows whether it has the second moment.
    let last = put_new(&store, batch(6, &[("level", vec![(0, 7), (2, 7), (83_900_000, 7)])]));
    assert_eq!((last.conflicts, last.uncompared), (1, 1));
    assert_eq!(conflicts(&store, "level"), 1);
}

#[test]
fn what_had_come_before_is_not_brought_by_a_row_whose_span_it_stands_in() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put_new(&store, batch(1, &[("level", vec![(0, 1), (20, 2)]), ("other", vec![(10, 9)])]));
    put_new(&store, batch(2, &[("level", vec![(10, 3), (20, 7), (30, 4)])]));
    let read = |name: &str, position: i64| {
        let span = Span { from: at(0), to: at(40) };
        let samples = store.samples().read_blocking(|reader| {
            let brought = reader.samples_brought(&gauge(name), span, position)?;
            Ok((brought, reader.samples_as_of(&gauge(name), span, position)?))
        });
        let (brought, known) = samples.unwrap();
        [brought, known].map(|all| all.iter().map(|s| s.at.ms_since(at(0))).collect::<Vec<_>>())
    };
    // the moment 20 was told before, and is told otherwise
    assert_eq!(read("level", 2), [vec![10, 30], vec![0, 10, 20, 30]]);
    assert_eq!(read("other", 2), [vec![], vec![10]]);
    assert_eq!(read("level", 1), [vec![0, 20], vec![0, 20]]);
}

#[test]
fn the_first_of_many_documents_stands_and_each_is_compared_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let names = ["a", "b", "c"];
    // Each tells an hour more than the one before it, of all gauges, and contradicts one moment.
    for n in 1..=10 {
        let points = |shift| {
            (0..=n).map(|hour| (hour * 3_600_000, shift + i64::from(hour == n - 1))).collect()
        };
        let columns: Vec<_> = names.iter().map(|name| (*name, points(0))).collect();
        let admitted = put_new(&store, json(&columns));
        // That the first hour is 0 is told by all but the first, and is one contradiction.
        let wanted = match n {
            1 => 0,
            2 => 6,
            _ => 3,
        };
        assert_eq!((admitted.conflicts, admitted.uncompared), (wanted, 0), "document {n}");
    }
    let standing: Vec<_> = (0..=10).map(|hour| (hour * 3_600_000, i64::from(hour == 0))).collect();
    for name in names {
        assert_eq!(all(&store, name), shown(&standing));
        assert_eq!(conflicts(&store, name), 10);
    }
}

#[test]
fn a_page_over_many_overlapping_days_decodes_each_a_few_times_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    // A point each two minutes over a day, three hundred times, each time another value.
    let points = |value: i64| (0..700).map(|n| (n * 120_000, value)).collect();
    for n in 0..300 {
        let value = i64::try_from(n).unwrap();
        put_new(&store, batch(n + 1, &[("level", points(value)), ("other", many(n))]));
    }
    let decoded = Arc::new(AtomicUsize::new(0));
    // Where there is one listener alone, whoever comes first decides for all threads whether anybody
    // listens, and that may be another test's, where nobody does.
    let _second = Dispatch::new(tracing_subscriber::registry());
    let listening = tracing_subscriber::registry().with(Decodings(Arc::clone(&decoded)));
    let read = with_default(listening, || pages(&store, "level", 10_000));
    assert_eq!(read, shown(&points(0)));
    let decoded = decoded.load(Ordering::Relaxed);
    assert!((300..=1_200).contains(&decoded), "300 payloads were decoded {decoded} times");
}

/// Counts how often a stored payload is decoded.
struct Decodings(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Decodings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target().ends_with("::payload") {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Points that cost as much to decode as they are many.
fn many(batch: u64) -> Vec<(i64, i64)> {
    let begin = i64::try_from(batch).unwrap() * 200_000;
    (0..200_000).map(|n| (begin + n, 0)).collect()
}

#[test]
fn who_tells_its_last_day_each_minute_is_compared_and_keeps_what_is_new() {
    const MINUTE: i64 = 60_000;
    const DAY: i64 = 1_440;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let names = ["a", "b", "c"];
    let value = |minute: i64| (minute * 7_919) % 1_000;
    let told = |last: i64| -> Vec<(&str, Points)> {
        let points = |last| (last - DAY + 1..=last).map(|n| (n * MINUTE, value(n))).collect();
        names.iter().map(|name| (*name, points(last))).collect()
    };
    put_new(&store, json(&told(0)));
    for last in 1..=DAY {
        // A document as most posts are, now and then, and otherwise what is as many points.
        let admit = if last % 90 == 0 {
            json(&told(last))
        } else {
            batch(u64::try_from(last).unwrap(), &told(last))
        };
        let Admitted { points, repeated, conflicts, uncompared, .. } = put_new(&store, admit);
        assert_eq!((points, repeated), (3, 3 * 1_439), "minute {last}");
        assert_eq!((conflicts, uncompared), (0, 0), "minute {last}");
    }
    let report = store::verify(&store).unwrap();
    assert_eq!(report.findings, []);
    // The first day has a span an hour, and each minute one.
    assert_eq!(report.spans, 3 * (24 + 1_440));
    let standing: Vec<_> = (1 - DAY..=DAY).map(|n| (n * MINUTE, value(n))).collect();
    for name in names {
        assert_eq!(pages(&store, name, 1_000), shown(&standing));
    }
}

#[test]
fn a_stubborn_contradiction_is_one_and_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put_new(&store, batch(1, &[("level", (0..100).map(|ms| (ms, 1)).collect())]));
    for n in 1..=50 {
        let points = (0..100 + n).map(|ms| (ms, if ms == 7 { 9 } else { 1 })).collect();
        let sequence = u64::try_from(n).unwrap() + 1;
        let admitted = put_new(&store, batch(sequence, &[("level", points)]));
        assert_eq!(admitted.conflicts, u64::from(n == 1), "{admitted:?}");
    }
    let mut points: Points = (0..150).map(|ms| (ms, 1)).collect();
    points[7].1 = 8;
    points[140].1 = 8;
    assert_eq!(put_new(&store, batch(99, &[("level", points)])).conflicts, 2);
    assert_eq!(conflicts(&store, "level"), 3);
    assert_eq!(store::verify(&store).unwrap().findings, []);
}

#[test]
fn what_says_nothing_new_is_not_kept_and_stays_known() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let first = put_new(&store, batch(1, &[("level", vec![(0, 1), (5, 2)])]));
    let again = json(&[("level", vec![(5, 2), (0, 1)])]);
    assert_eq!(put(&store, again.clone()), Admission::Repetition(2));
    assert_eq!(put(&store, again.clone()), Admission::Duplicate);
    let repeated = batch(2, &[("level", vec![(5, 2)])]);
    assert_eq!(put(&store, repeated.clone()), Admission::Repetition(1));
    store.close();
    let store = open(folder.path());
    assert_eq!(put(&store, again), Admission::Duplicate);
    assert_eq!(put(&store, repeated), Admission::Duplicate);
    let fork = batch(2, &[("level", vec![(5, 3)])]);
    assert!(matches!(put(&store, fork), Admission::Fork { .. }));
    assert_eq!(store::verify(&store).unwrap().batches, 1);
    let counters = store.samples().read_blocking(store::SamplesReader::counters).unwrap();
    assert_eq!((counters.batches, counters.feed), (first.batch.unsigned_abs(), 1));
}

/// How a payload of the property comes.
#[derive(Debug, Clone, Copy)]
enum Way {
    Json,
    Batch,
    Booted,
}

/// Payloads of few moments and fewer values, so that they repeat and contradict one another.
fn payloads() -> impl Strategy<Value = Vec<(Way, Points)>> {
    let way = prop_oneof![Just(Way::Json), Just(Way::Batch), Just(Way::Booted)];
    // Stretches, as of who tells its last hours again, and moments anywhere.
    let stretch = (0_i64..60, 1_i64..60).prop_map(|(from, length)| {
        (from..from + length).map(|n| (n * 600_000, n % 2)).collect::<Points>()
    });
    let spots = proptest::collection::vec((0_i64..60, 0_i64..4), 1..40)
        .prop_map(|points| points.iter().map(|(n, value)| (n * 600_000, *value)).collect());
    let mixed = (stretch.clone(), (0_i64..60, 0_i64..4)).prop_map(|(mut points, (n, value))| {
        points.push((n * 600_000, value));
        points
    });
    proptest::collection::vec((way, prop_oneof![stretch, spots, mixed]), 1..24)
}

/// The plain model: what stands at each moment, and what was ever said of it.
#[derive(Default)]
struct Model {
    standing: BTreeMap<i64, i64>,
    said: BTreeSet<(i64, i64)>,
}

impl Model {
    /// Points that are new, that repeat, and that contradict.
    fn tell(&mut self, points: &[(i64, i64)]) -> (u64, u64, u64) {
        let (mut new, mut repeated, mut conflicts) = (0, 0, 0);
        for (at, value) in points {
            if !self.said.insert((*at, *value)) {
                repeated += 1;
                continue;
            }
            new += 1;
            conflicts += u64::from(*self.standing.entry(*at).or_insert(*value) != *value);
        }
        (new, repeated, conflicts)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_is_repeated_the_first_stands_and_numbers_are_those_of_the_plain_model(
        payloads in payloads(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let (mut model, mut new_points) = (Model::default(), 0);
        for (n, (way, points)) in payloads.iter().enumerate() {
            let mut first = BTreeMap::new();
            for (at, value) in points {
                first.entry(*at).or_insert(*value);
            }
            let first: Points = first.into_iter().collect();
            let sequence = u64::try_from(n).unwrap() + 1;
            let admit = match way {
                Way::Json => json(&[("level", points.clone())]),
                Way::Batch => batch(sequence, &[("level", first.clone())]),
                Way::Booted => booted(sequence, &[("level", first.clone())], model::ids::BootId(7)),
            };
            let (new, repeated, conflicts) = model.tell(&first);
            new_points += new;
            match put(&store, admit) {
                Admission::Admitted(admitted) => {
                    prop_assert_eq!((admitted.points, admitted.repeated), (new, repeated));
                    prop_assert_eq!(admitted.uncompared, 0);
                    // A document may contradict itself besides.
                    prop_assert!(admitted.conflicts >= conflicts);
                    if !matches!(way, Way::Json) {
                        prop_assert_eq!(admitted.conflicts, conflicts);
                    }
                }
                Admission::Repetition(points) => prop_assert_eq!((points, new), (repeated, 0)),
                // The same document once more.
                Admission::Duplicate => prop_assert_eq!(new, 0),
                other @ (Admission::Fork { .. } | Admission::ParkFull(_)) => {
                    prop_assert!(false, "{:?}", other);
                }
            }
        }
        let standing: Points = model.standing.into_iter().collect();
        prop_assert_eq!(all(&store, "level"), shown(&standing));
        let report = store::verify(&store).unwrap();
        prop_assert_eq!(report.findings, vec![]);
        prop_assert!(report.spans <= new_points);
    }
}
