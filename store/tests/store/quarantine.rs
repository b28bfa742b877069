//! The quarantine: parked payloads, the ring of garbage, and what is decided about both.

use model::wire::refused_v1::{Kept, Reason};
use store::{
    Admission, Admit, Discard, Discarded, Key, Original, Quarantine, QuarantineQuery,
    QuarantineRow, QuarantineState, Quarantined, Replay, ReplayVerdict, Replayed, SamplesReader,
    Store,
};

use crate::making::{all, aside, at, batch, gauge, json, open, put, put_new, shown};

fn rows(store: &Store) -> Vec<QuarantineRow> {
    let query = QuarantineQuery { kind: None, state: None, before: None, limit: 1_000 };
    store.samples().read_blocking(|reader| reader.quarantine(&query)).unwrap().rows
}

fn counters(store: &Store) -> store::Counters {
    store.samples().read_blocking(SamplesReader::counters).unwrap()
}

fn garbage(payload: Vec<u8>, key: Option<Key>) -> Quarantine {
    Quarantine {
        agent: crate::making::agent(),
        topic: "baseflow/v1/gw/batch".to_owned(),
        received_at: at(0),
        payload,
        reason: Reason::ForeignStation,
        detail: "another agent speaks for station `A`".to_owned(),
        key,
    }
}

fn quarantine(store: &Store, write: Quarantine) -> Quarantined {
    store.samples().write_blocking(write).unwrap()
}

fn held(quarantined: &Quarantined) -> i64 {
    let Quarantined::Held { id, .. } = quarantined else { panic!("{quarantined:?}") };
    *id
}

fn replay(store: &Store, id: i64, verdict: ReplayVerdict) -> Replayed {
    store.samples().write_blocking(Replay { id, at: at(2_000_000), verdict }).unwrap()
}

/// A batch of three gauges, one of them admitted.
fn partly(sequence: u64) -> (Admit, Admit) {
    let ms = i64::try_from(sequence).unwrap() * 100;
    let columns = ["level", "head", "gate"].map(|name| (name, vec![(ms, 1), (ms + 50, 2)]));
    let whole = batch(sequence, &columns);
    let partly = aside(whole.clone(), "head", Reason::UnknownGauge);
    (whole, aside(partly, "gate", Reason::Unit))
}

#[test]
fn what_is_set_aside_is_listed_with_its_batch() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (whole, partly) = partly(1);
    put_new(&store, partly);
    assert_eq!(all(&store, "level").len(), 2);
    assert_eq!(all(&store, "head"), []);
    let row = rows(&store).remove(0);
    assert_eq!((row.kind, row.state), (Kept::Parked, QuarantineState::Held));
    assert_eq!(row.gauges, ["A/gate", "A/head"]);
    assert_eq!(row.known_reason(), Some(Reason::UnknownGauge));
    let item = store.samples().read_blocking(|reader| reader.quarantine_item(row.id)).unwrap();
    let Original::Batch(stored) = item.unwrap().original else { panic!("it is stored") };
    assert_eq!(stored.bytes, whole.bytes);
}

#[test]
fn each_gauge_is_replayed_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (whole, partly) = partly(1);
    put_new(&store, partly.clone());
    let row = rows(&store).remove(0);
    let of = |name: &str| whole.columns.iter().find(|c| c.gauge == gauge(name)).unwrap().clone();
    let still = partly.set_aside.iter().filter(|aside| aside.gauge == "A/gate").cloned().collect();
    let first = replay(&store, row.id, ReplayVerdict::Parked { columns: vec![of("head")], still });
    assert!(matches!(first, Replayed::Done(_)), "{first:?}");
    assert_eq!(all(&store, "head"), shown(&[(100, 1), (150, 2)]));
    assert_eq!(rows(&store)[0].gauges, ["A/gate"]);
    assert!(counters(&store).parked_bytes > 0);
    let none = ReplayVerdict::Parked { columns: vec![], still: partly.set_aside[1..].to_vec() };
    assert_eq!(replay(&store, row.id, none), Replayed::Unchanged);
    let rest = ReplayVerdict::Parked { columns: vec![of("gate")], still: vec![] };
    assert!(matches!(replay(&store, row.id, rest.clone()), Replayed::Done(_)));
    assert_eq!(replay(&store, row.id, rest), Replayed::NotHeld);
    assert_eq!(rows(&store)[0].state, QuarantineState::Replayed);
    assert_eq!(counters(&store).parked_bytes, 0);
    let feed = store.samples().read_blocking(|reader| reader.feed(0, 10)).unwrap();
    let received: Vec<_> = feed.iter().map(|row| row.received_at).collect();
    assert_eq!(received, [at(1_000_000), at(2_000_000), at(2_000_000)]);
    assert_eq!(store::verify(&store).unwrap().findings, []);
}

#[test]
fn a_gauge_that_was_not_set_aside_cannot_be_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (whole, partly) = partly(1);
    put_new(&store, partly);
    let id = rows(&store)[0].id;
    let verdict = ReplayVerdict::Parked { columns: whole.columns, still: vec![] };
    let write = Replay { id, at: at(0), verdict };
    assert!(store.samples().write_blocking(write).is_err());
    assert_eq!(rows(&store)[0].state, QuarantineState::Held);
}

#[test]
fn a_full_park_takes_nothing_more_and_knows_duplicates_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut sequence = 1;
    while matches!(put(&store, partly(sequence).1), Admission::Admitted(_)) {
        sequence += 1;
        assert!(sequence < 2_000, "a megabyte is full by then");
    }
    assert_eq!(put(&store, partly(sequence).1), Admission::ParkFull);
    assert_eq!(put(&store, partly(1).1), Admission::Duplicate);
    let before = all(&store, "level").len();
    put_new(&store, partly(sequence).0);
    assert_eq!(all(&store, "level").len(), before + 2);
    let id = rows(&store).last().unwrap().id;
    assert_eq!(store.samples().write_blocking(Discard { id }).unwrap(), Discarded::Done);
    put_new(&store, partly(sequence + 1).1);
}

#[test]
fn a_batch_given_up_whole_is_gone_and_its_identity_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let whole = batch(1, &[("level", vec![(0, 1)])]);
    let admit = aside(whole, "level", Reason::UnknownStation);
    let position = put_new(&store, admit.clone()).batch;
    let (_, partly) = partly(2);
    let partly_at = put_new(&store, partly).batch;
    for row in rows(&store) {
        let discard = Discard { id: row.id };
        assert_eq!(store.samples().write_blocking(discard).unwrap(), Discarded::Done);
        assert_eq!(store.samples().write_blocking(discard).unwrap(), Discarded::NotHeld);
    }
    let stored = |position| {
        store.samples().read_blocking(|reader| reader.batch(position)).unwrap().is_some()
    };
    assert!(!stored(position) && stored(partly_at));
    assert_eq!(put(&store, admit), Admission::Duplicate);
    assert_eq!(counters(&store).parked_bytes, 0);
    assert_eq!(store::verify(&store).unwrap().findings, []);
    // Positions are never given out twice.
    assert!(put_new(&store, batch(9, &[("level", vec![(9, 1)])])).batch > partly_at);
}

#[test]
fn garbage_with_an_identity_is_answered_as_a_duplicate_and_may_be_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let admit = batch(1, &[("level", vec![(0, 1)])]);
    let write = garbage(admit.bytes.clone(), Some(admit.key.clone()));
    let id = held(&quarantine(&store, write.clone()));
    assert_eq!(quarantine(&store, write.clone()), Quarantined::Duplicate);
    assert_eq!(put(&store, admit.clone()), Admission::Duplicate);
    let other = batch(1, &[("level", vec![(0, 2)])]);
    let fork = garbage(other.bytes, Some(other.key));
    assert_eq!(quarantine(&store, fork), Quarantined::Fork { stored: *admit.key.digest() });
    let verdict = ReplayVerdict::Garbage(Box::new(admit.clone()));
    assert!(matches!(replay(&store, id, verdict.clone()), Replayed::Done(_)));
    assert_eq!(replay(&store, id, verdict), Replayed::NotHeld);
    assert_eq!(all(&store, "level"), shown(&[(0, 1)]));
    assert_eq!(put(&store, admit), Admission::Duplicate);
    let agents = store.samples().read_blocking(SamplesReader::agents).unwrap();
    assert_eq!(agents[0].epochs[0].batches, 1);
    assert_eq!(store::verify(&store).unwrap().findings, []);
}

#[test]
fn garbage_that_decodes_to_nothing_has_no_identity() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let ids = [1, 2].map(|_| held(&quarantine(&store, garbage(b"rubbish".to_vec(), None))));
    assert_ne!(ids[0], ids[1]);
    assert!(store.samples().read_blocking(SamplesReader::agents).unwrap().is_empty());
}

#[test]
fn the_oldest_garbage_makes_room_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut dropped = 0;
    for n in 0..20_u8 {
        let quarantined = quarantine(&store, garbage(vec![n; 100_000], None));
        let Quarantined::Held { dropped: more, .. } = quarantined else { panic!("it is held") };
        dropped += more;
    }
    let rows = rows(&store);
    let left = u64::try_from(rows.len()).unwrap();
    assert_eq!((left + dropped, rows[0].id), (20, 20));
    let counters = counters(&store);
    assert_eq!(counters.garbage_dropped, dropped);
    assert!(counters.garbage_bytes <= 1 << 20 && counters.garbage_bytes > 900_000);
    let item = store.samples().read_blocking(|reader| reader.quarantine_item(20)).unwrap().unwrap();
    assert_eq!(item.original, Original::Payload(vec![19; 100_000]));
    assert_eq!(store.samples().write_blocking(Discard { id: 20 }).unwrap(), Discarded::Done);
    let item = store.samples().read_blocking(|reader| reader.quarantine_item(20)).unwrap().unwrap();
    assert_eq!(item.original, Original::Gone);
}

#[test]
fn readings_refused_by_themselves_leave_a_row_that_names_their_document() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let admit = json(&[("level", vec![(0, 1)]), ("head", vec![(0, 1)])]);
    let admit = aside(admit, "head", Reason::Reading);
    put_new(&store, admit.clone());
    let row = rows(&store).remove(0);
    assert_eq!(
        (row.kind, row.gauges.as_slice()),
        (Kept::Garbage, ["A/head".to_owned()].as_slice())
    );
    let item = store.samples().read_blocking(|reader| reader.quarantine_item(row.id)).unwrap();
    assert!(matches!(item.unwrap().original, Original::Batch(_)));
    let again = ReplayVerdict::Garbage(Box::new(admit));
    assert_eq!(replay(&store, row.id, again), Replayed::Unchanged);
}

#[test]
fn the_quarantine_is_listed_newest_first_by_pages() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..7_u8 {
        quarantine(&store, garbage(vec![n], None));
    }
    put_new(&store, partly(1).1);
    let mut query = QuarantineQuery {
        kind: Some(Kept::Garbage),
        state: Some(QuarantineState::Held),
        before: None,
        limit: 3,
    };
    let mut ids = Vec::new();
    loop {
        let page = store.samples().read_blocking(|reader| reader.quarantine(&query)).unwrap();
        ids.extend(page.rows.iter().map(|row| row.id));
        let Some(next) = page.next else { break };
        query.before = Some(next);
    }
    assert_eq!(ids, [7, 6, 5, 4, 3, 2, 1]);
}
