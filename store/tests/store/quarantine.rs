//! The quarantine: the ring of garbage, what is decided about it, and its listing.

use model::wire::refused_v1::{Kept, Reason};
use store::{
    Admission, Discarded, Key, Limits, Original, Quarantine, QuarantineQuery, QuarantineRow,
    QuarantineState, Quarantined, Replay, ReplayVerdict, Replayed, SamplesReader, Store,
};

use crate::making::{
    LIMITS, agents_of, all, aside, at, batch, discard, json, open, open_within, put, put_new, shown,
};

pub(crate) fn rows(store: &Store) -> Vec<QuarantineRow> {
    let query = QuarantineQuery { kind: None, state: None, before: None, limit: 1_000 };
    store.samples().read_blocking(|reader| reader.quarantine(&query)).unwrap().rows
}

pub(crate) fn counters(store: &Store) -> store::Counters {
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
    store.samples().write_blocking(Replay { id, entry: None, at: at(2_000_000), verdict }).unwrap()
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
    assert_eq!(replay(&store, id, verdict), Replayed::NotHeld { stands: None });
    assert_eq!(all(&store, "level"), shown(&[(0, 1)]));
    assert_eq!(put(&store, admit), Admission::Duplicate);
    let agents = agents_of(&store);
    assert_eq!(agents[0].epochs[0].batches, 1);
    assert_eq!(store::verify(&store).unwrap().findings, []);
}

#[test]
fn garbage_that_decodes_to_nothing_has_no_identity() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let ids = [1, 2].map(|_| held(&quarantine(&store, garbage(b"rubbish".to_vec(), None))));
    assert_ne!(ids[0], ids[1]);
    assert!(agents_of(&store).is_empty());
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
    assert_eq!(
        store.samples().write_blocking(discard(&store, 20)).unwrap(),
        Discarded::Done { left: 0 }
    );
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
    put_new(&store, aside(batch(1, &[("level", vec![(0, 1)])]), "level", Reason::Unit));
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

#[test]
fn a_page_of_the_quarantine_ends_where_its_texts_fill_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_within(folder.path(), Limits { garbage: 16 << 20, ..LIMITS });
    for number in 0_u32..1_500 {
        let mut row = garbage(number.to_be_bytes().to_vec(), None);
        row.detail = "x".repeat(500);
        quarantine(&store, row);
    }
    let (mut before, mut shown) = (None, Vec::new());
    for _page in 0..2 {
        let query = QuarantineQuery { kind: None, state: None, before, limit: 10_000 };
        let page = store.samples().read_blocking(|reader| reader.quarantine(&query)).unwrap();
        assert!(page.rows.len() < 1_100, "{}", page.rows.len());
        shown.extend(page.rows.iter().map(|row| row.id));
        before = page.next;
    }
    assert_eq!(before, None);
    assert!(shown.iter().copied().eq((1..=1_500).rev()), "each once, the newest first");
}
