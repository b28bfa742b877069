//! Admission: once, in any order, and the first stands.

use std::collections::BTreeSet;

use model::{
    batch::{Gap, GapReason, Previous},
    ids::Epoch,
    quantity::Unit,
    time::Span,
};
use proptest::prelude::*;
use store::{Admission, Admit, AdmittedGap, Key, SetStatus, Store, StoreError};

use crate::making::{
    agent, agents_of, all, aside, at, batch, conflicts, gauge, json, open, put, put_new, shown,
};

#[test]
fn the_same_batch_changes_the_store_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let admit = batch(1, &[("level", vec![(0, 612), (5_000, 613)])]);
    assert_eq!(put_new(&store, admit.clone()).feeds, [1]);
    assert_eq!(put(&store, admit.clone()), Admission::Duplicate);
    store.close();
    let store = open(folder.path());
    assert_eq!(put(&store, admit), Admission::Duplicate);
    assert_eq!(all(&store, "level"), shown(&[(0, 612), (5_000, 613)]));
    let feed = store.samples().read_blocking(|reader| reader.feed(0, 10)).unwrap();
    assert_eq!(feed.len(), 1);
    assert_eq!(feed[0].span, Span { from: at(0), to: at(5_001) });
    assert_eq!(feed[0].received_at, at(1_000_000));
}

#[test]
fn the_same_identity_with_other_bytes_is_a_fork() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let first = batch(1, &[("level", vec![(0, 612)])]);
    put_new(&store, first.clone());
    let stored = *first.key.digest();
    let fork = batch(1, &[("level", vec![(0, 613)])]);
    assert_eq!(put(&store, fork), Admission::Fork { stored });
    assert_eq!(all(&store, "level"), shown(&[(0, 612)]));
}

#[test]
fn a_document_is_known_by_its_digest_and_its_first_reading_of_a_moment_stands() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let hour = 3_600_000;
    let points = vec![(9 * hour, 3), (0, 1), (9 * hour, 4), (0, 1), (2 * hour, 2)];
    let admit = json(&[("level", points)]);
    assert_eq!(put_new(&store, admit.clone()).conflicts, 1);
    assert_eq!(put(&store, admit), Admission::Duplicate);
    assert_eq!(all(&store, "level"), shown(&[(0, 1), (2 * hour, 2), (9 * hour, 3)]));
    assert_eq!(conflicts(&store, "level"), 1);
}

#[test]
fn the_first_point_of_a_moment_stands_and_others_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put_new(&store, batch(1, &[("level", vec![(10, 1), (20, 2), (30, 3)])]));
    let second = batch(2, &[("level", vec![(10, 1), (20, 9), (25, 5), (30, 8)])]);
    assert_eq!(put_new(&store, second).conflicts, 2);
    let third = batch(3, &[("level", vec![(0, 0), (20, 9), (25, 5), (40, 4)])]);
    let third = put_new(&store, third);
    assert_eq!((third.points, third.repeated), (2, 2), "the second said 9 and 5 before");
    assert_eq!(third.conflicts, 0);
    let standing = [(0, 0), (10, 1), (20, 2), (25, 5), (30, 3), (40, 4)];
    assert_eq!(all(&store, "level"), shown(&standing));
    assert_eq!(conflicts(&store, "level"), 2);
}

#[test]
fn a_unit_never_changes_and_the_refusal_hurts_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put_new(&store, batch(1, &[("level", vec![(0, 1)])]));
    let mut other = batch(2, &[("level", vec![(10, 1)])]);
    other.columns[0].unit = Unit::named("mm").unwrap();
    other.columns[0].decimals = 1;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let samples = store.samples();
    let (before, refused, after) = runtime.block_on(async {
        tokio::join!(
            samples.write(batch(3, &[("level", vec![(20, 2)]), ("other", vec![(20, 2)])])),
            samples.write(other),
            samples.write(batch(4, &[("level", vec![(30, 3)]), ("third", vec![(30, 3)])])),
        )
    });
    assert!(matches!(before, Ok(Admission::Admitted(_))), "{before:?}");
    assert!(matches!(refused, Err(StoreError::Unit { .. })));
    assert!(matches!(after, Ok(Admission::Admitted(_))), "{after:?}");
    assert_eq!(all(&store, "level"), shown(&[(0, 1), (20, 2), (30, 3)]));
    let agents = agents_of(&store);
    assert_eq!((agents[0].epochs[0].batches, agents[0].epochs[0].holes()), (3, 1));
}

#[test]
fn agents_epochs_gaps_and_status_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut first = batch(3, &[("level", vec![(0, 1)])]);
    first.previous = Some(Previous { epoch: Epoch(u64::MAX), last_sequence: 41 });
    let gap = Gap {
        epoch: Epoch(6),
        first_sequence: 1,
        last_sequence: 2,
        gauges: vec![gauge("level")],
        boot: None,
        from_ms: at(-100).as_ms(),
        to_ms: at(0).as_ms(),
        reason: GapReason::Overwritten,
        count: 24,
    };
    first.gaps = vec![AdmittedGap { number: 0, gap: gap.clone() }];
    put_new(&store, first.clone());
    put_new(&store, batch(9, &[("level", vec![(5, 1)])]));
    let json = r#"{"format":1,"online":true,"version":"0.1.0"}"#.to_owned();
    let status = SetStatus { agent: agent(), received_at: at(7), json: Some(json.clone()) };
    store.samples().write_blocking(status).unwrap();
    let agents = agents_of(&store);
    assert_eq!(agents.len(), 1);
    assert_eq!((agents[0].status.clone(), agents[0].status_at), (Some(json), Some(at(7))));
    let taken_back = SetStatus { agent: agent(), received_at: at(8), json: None };
    store.samples().write_blocking(taken_back).unwrap();
    let after = agents_of(&store);
    assert_eq!((after[0].status.clone(), after[0].status_at), (None, Some(at(8))));
    assert_eq!(agents[0].seen_at, Some(at(1_000_000)));
    let epoch = &agents[0].epochs[0];
    assert_eq!((epoch.epoch, epoch.first_sequence, epoch.last_sequence), (Epoch(7), 3, 9));
    assert_eq!((epoch.holes(), epoch.previous), (7, first.previous));
    let gaps = |from: i64, to: i64, station: &str| {
        let span = Span { from: at(from), to: at(to) };
        let station = station.parse().unwrap();
        store.samples().read_blocking(|reader| reader.gaps(&station, span)).unwrap()
    };
    assert_eq!(gaps(-50, 0, "A").iter().map(|row| row.gap.clone()).collect::<Vec<_>>(), [gap]);
    assert!(gaps(0, 50, "A").is_empty() && gaps(-50, 0, "B").is_empty());
}

#[test]
fn the_latest_sample_is_the_one_of_the_newest_moment() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let latest = |name: &str| {
        let gauge = gauge(name);
        let latest = store.samples().read_blocking(|reader| reader.latest(&gauge)).unwrap();
        latest.map(|stored| (stored.sample.at, stored.decimal().unwrap().to_string()))
    };
    assert_eq!(latest("level"), None);
    put_new(&store, batch(1, &[("level", vec![(0, 1), (100, 2)])]));
    put_new(&store, batch(2, &[("level", vec![(50, 3), (100, 9)])]));
    put_new(&store, batch(3, &[("level", vec![(20, 4)])]));
    assert_eq!(latest("level"), Some((at(100), "0.0020".to_owned())));
}

/// The value that a gauge has at a moment, whoever sends it.
fn truth(ms: i64) -> i64 {
    (ms * 7919) % 1_000
}

fn truthful(moments: &[i64]) -> Vec<(i64, i64)> {
    let mut points: Vec<_> = moments.iter().map(|ms| (*ms, truth(*ms))).collect();
    points.sort_unstable();
    points.dedup();
    points
}

fn arrivals() -> impl Strategy<Value = Vec<Admit>> {
    let moments = proptest::collection::vec(0_i64..200, 1..12);
    proptest::collection::vec((moments, any::<bool>()), 1..12).prop_flat_map(|payloads| {
        let admits: Vec<Admit> = payloads
            .iter()
            .enumerate()
            .map(|(n, (moments, is_json))| {
                let columns = [("level", truthful(moments))];
                if *is_json {
                    json(&columns)
                } else {
                    batch(u64::try_from(n).unwrap() + 1, &columns)
                }
            })
            .collect();
        let again = proptest::sample::subsequence(admits.clone(), 0..=admits.len());
        again.prop_flat_map(move |again| Just([admits.clone(), again].concat()).prop_shuffle())
    })
}

fn standing(store: &Store) -> Vec<(i64, String)> {
    all(store, "level")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_order_and_repetition_gives_the_same_samples(arrivals in arrivals()) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let mut known = BTreeSet::new();
        for admit in arrivals {
            let is_new = known.insert(format!("{:?}", admit.key));
            for column in &admit.columns {
                prop_assert!(column.points > 0);
            }
            let admission = put(&store, admit);
            let is_taken =
                matches!(admission, Admission::Admitted(_) | Admission::Repetition(_));
            prop_assert_eq!(is_taken, is_new);
        }
        prop_assert_eq!(conflicts(&store, "level"), 0);
        let samples = standing(&store);
        for (ms, text) in &samples {
            prop_assert_eq!(text, &shown(&[(*ms, truth(*ms))])[0].1);
        }
        prop_assert!(samples.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let report = store::verify(&store).unwrap();
        prop_assert_eq!(report.findings, vec![]);
    }
}

#[test]
fn a_batch_that_is_wholly_set_aside_takes_its_identity() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let reason = model::wire::refused_v1::Reason::UnknownStation;
    let admit = aside(batch(1, &[("level", vec![(0, 1)])]), "level", reason);
    assert!(matches!(admit.key, Key::Batch { .. }));
    assert!(put_new(&store, admit.clone()).feeds.is_empty());
    assert_eq!(put(&store, admit), Admission::Duplicate);
}

#[test]
fn an_agent_of_countless_epochs_shows_the_latest_and_how_many_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..40_u8 {
        let mut admit = batch(1, &[("level", vec![(i64::from(n), 1)])]);
        let Key::Batch { sequence, digest, .. } = admit.key else { panic!("a batch") };
        admit.key = Key::Batch { epoch: Epoch(u64::from(n)), sequence, digest };
        admit.received_at = at(i64::from(n));
        put_new(&store, admit);
    }
    let agents = agents_of(&store);
    assert_eq!(agents[0].epoch_count, 40);
    let shown: Vec<u64> = agents[0].epochs.iter().map(|row| row.epoch.0).collect();
    assert!(shown.iter().copied().eq(8..40), "{shown:?}");
}

#[test]
fn agents_are_read_a_page_at_a_time_and_long_statuses_end_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..10 {
        let agent = format!("gw-{n}").parse().unwrap();
        let json = Some(format!("\"{}\"", "x".repeat(255 << 10)));
        store.samples().write_blocking(SetStatus { agent, received_at: at(0), json }).unwrap();
    }
    let page = |after: Option<&str>, limit| {
        let after = after.map(|after| after.parse().unwrap());
        let read = store.samples().read_blocking(|reader| reader.agents(after.as_ref(), limit));
        let page = read.unwrap();
        let names: Vec<_> = page.rows.iter().map(|row| row.agent.to_string()).collect();
        (names.join(" "), page.next.map(|next| next.to_string()))
    };
    let next = |name: &str| Some(name.to_owned());
    assert_eq!(page(None, 2), ("gw-0 gw-1".to_owned(), next("gw-1")));
    assert_eq!(page(Some("gw-1"), 100).1, next("gw-6"), "a page of a mebibyte");
    assert_eq!(page(Some("gw-6"), 100), ("gw-7 gw-8 gw-9".to_owned(), None));
    assert_eq!(page(Some("gw-6"), 3), ("gw-7 gw-8 gw-9".to_owned(), None));
}
