//! Payloads that cover the same stretch of time again and again, and what they may cost.

use std::time::Duration;

use store::Admit;
use tokio::time::Instant;

use super::making::{all, batch, conflicts, json, open, pages, put_new, shown};

/// Far more than it takes where each stored batch is decoded once, far less than where it is
/// decoded for each of its spans.
const PATIENCE: Duration = Duration::from_secs(20);

/// Equal values over almost 24 hours, as many as a batch may hold, from `shift` on.
fn day(sequence: u64, shift: i64) -> Admit {
    batch(sequence, &[("level", (0..262_144).map(|n| (n * 320 + shift, 0)).collect())])
}

#[test]
fn a_day_that_is_told_forty_times_does_not_hold_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut took = Duration::ZERO;
    for sequence in 1..=40 {
        let admit = day(sequence, 0);
        let began = Instant::now();
        let admitted = put_new(&store, admit);
        took += began.elapsed();
        assert_eq!((admitted.conflicts, admitted.uncompared), (0, 0));
    }
    assert!(took < PATIENCE, "{took:?}");
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
        let wanted = if n == 1 { 0 } else { 6 };
        assert_eq!((admitted.conflicts, admitted.uncompared), (wanted, 0), "document {n}");
    }
    let standing: Vec<_> = (0..=10).map(|hour| (hour * 3_600_000, i64::from(hour == 0))).collect();
    for name in names {
        assert_eq!(all(&store, name), shown(&standing));
        assert_eq!(conflicts(&store, name), 18);
    }
}

#[test]
fn a_page_over_many_overlapping_days_decodes_each_a_few_times_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    // A point each two minutes over a day, three hundred times.
    let points = |shift: i64| (0..700).map(|n| (n * 120_000 + shift, shift)).collect();
    for n in 0..300 {
        let batch = batch(n + 1, &[("level", points(0)), ("other", many(n))]);
        put_new(&store, batch);
    }
    let began = Instant::now();
    assert_eq!(pages(&store, "level", 10_000), shown(&points(0)));
    let took = began.elapsed();
    assert!(took < PATIENCE, "{took:?}");
}

/// Points that cost as much to decode as they are many.
fn many(batch: u64) -> Vec<(i64, i64)> {
    let begin = i64::try_from(batch).unwrap() * 200_000;
    (0..200_000).map(|n| (begin + n, 0)).collect()
}
