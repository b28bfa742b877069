//! The park: what is set aside for the same reasons is one item, decided in slices, within bounds.

use model::{
    ids::BootId,
    time::Timestamp,
    wire::refused_v1::{Kept, Reason},
};
use store::{
    Admission, Admit, Discarded, Limits, ParkBound, QuarantineQuery, QuarantineRow,
    QuarantineState, Rejudged, Replay, ReplayVerdict, Replayed, SHOWN_GAUGES, SamplesReader,
    SetAside, Store, Sweep,
};

use crate::{
    making::{
        LIMITS, agent, agent_named, all, aside, at, batch, batch_of, discard, gauge, open,
        open_within, put, put_new, shown,
    },
    quarantine::{counters, rows},
};

/// A batch of three gauges, of which one is admitted and one, `gate`, has an impossible unit.
fn partly(sequence: u64) -> (Admit, Admit) {
    let ms = i64::try_from(sequence).unwrap() * 100;
    let columns = ["level", "head", "gate"].map(|name| (name, vec![(ms, 1), (ms + 50, 2)]));
    let whole = batch(sequence, &columns);
    let partly = aside(whole.clone(), "head", Reason::UnknownGauge);
    (whole, aside(partly, "gate", Reason::Unit))
}

/// A batch of one gauge that is not known.
fn unknown(sequence: u64) -> (Admit, Admit) {
    let ms = i64::try_from(sequence).unwrap() * 100;
    let whole = batch(sequence, &[("level", vec![(ms, 1)])]);
    (whole.clone(), aside(whole, "level", Reason::UnknownGauge))
}

/// What judging says of `batch` once only `refused` is still refused.
fn rejudged(position: i64, (whole, parked): &(Admit, Admit), refused: &[&str]) -> Rejudged {
    let is_refused = |name: &str| refused.iter().any(|gauge| name.ends_with(gauge));
    let aside = parked.set_aside.iter();
    let columns = whole.columns.iter().filter(|column| {
        let name = column.gauge.to_string();
        parked.set_aside.iter().any(|part| part.gauge == name) && !is_refused(&name)
    });
    Rejudged {
        batch: position,
        columns: columns.cloned().collect(),
        gaps: Vec::new(),
        anchors: Vec::new(),
        still: aside.filter(|part| is_refused(&part.gauge)).cloned().collect(),
        boot: None,
    }
}

fn replay(store: &Store, id: i64, batches: Vec<Rejudged>) -> Replayed {
    let verdict = ReplayVerdict::Parked(batches);
    store.samples().write_blocking(Replay { id, entry: None, at: at(2_000_000), verdict }).unwrap()
}

fn held(store: &Store) -> Vec<QuarantineRow> {
    rows(store).into_iter().filter(|row| row.state == QuarantineState::Held).collect()
}

fn is_sound(store: &Store) {
    assert_eq!(store::verify(store).unwrap().findings, []);
}

#[test]
fn a_mistyped_gauge_is_one_item_however_many_batches_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let batches: Vec<_> = (1..=200).map(partly).collect();
    for (_, parked) in &batches {
        put_new(&store, parked.clone());
    }
    put_new(&store, unknown(300).1);
    let rows = held(&store);
    assert_eq!(rows.len(), 2);
    let row = &rows[1];
    assert_eq!((row.kind, row.batches, row.waiting), (Kept::Parked, 200, 200));
    assert_eq!(row.gauges, ["A/gate", "A/head"]);
    assert_eq!(row.reason, "unknown_gauge");
    let bytes: usize = batches.iter().map(|(_, parked)| parked.bytes.len()).sum();
    assert_eq!(row.bytes, u64::try_from(bytes).unwrap());
    // They are stored for what is admitted of them: the park counts only what is there for
    // nothing else.
    let counted = counters(&store);
    assert!(counted.parked_bytes < 2_000, "{counted:?}");
    assert!((6_400..9_000).contains(&counted.parked_beside_bytes), "{counted:?}");
    assert_eq!(all(&store, "level").len(), 400);
    is_sound(&store);
    store.close();
    let store = open(folder.path());
    put_new(&store, partly(201).1);
    assert_eq!(held(&store)[1].batches, 201);
}

#[test]
fn batches_of_an_item_are_replayed_in_slices_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let batches: Vec<_> = (1..=150).map(partly).collect();
    let stored: Vec<i64> =
        batches.iter().map(|(_, parked)| put_new(&store, parked.clone()).batch).collect();
    let id = held(&store)[0].id;
    let (mut after, mut slices) = (0, Vec::new());
    loop {
        let slice = store.samples().read_blocking(|reader| reader.parked_slice(id, after)).unwrap();
        let judged: Vec<_> = slice
            .batches
            .iter()
            .map(|batch| {
                let index = stored.iter().position(|at| *at == batch.stored.position).unwrap();
                rejudged(batch.stored.position, &batches[index], &["gate"])
            })
            .collect();
        slices.push(judged.clone());
        let first = replay(&store, id, judged.clone());
        assert!(matches!(first, Replayed::Done(done) if done.batches > 0), "{first:?}");
        // A crash after the write: the same slice is asked for again.
        let again = replay(&store, id, judged);
        assert!(matches!(again, Replayed::Unchanged | Replayed::NotHeld { .. }), "{again:?}");
        match slice.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert!(slices.len() > 1 && slices.iter().all(|slice| slice.len() <= 64));
    assert_eq!(all(&store, "head").len(), 300);
    assert_eq!(all(&store, "gate"), []);
    // What is still refused waits in an item of its own kind, whose batches cost no more.
    let rows = rows(&store);
    let states: Vec<_> = rows.iter().map(|row| (row.state, row.waiting, row.gauge_count)).collect();
    assert_eq!(states, [(QuarantineState::Held, 150, 1), (QuarantineState::Replayed, 0, 2)]);
    let feed = store.samples().read_blocking(|reader| reader.feed(0, 1_000)).unwrap();
    assert_eq!(feed.iter().filter(|row| row.received_at == at(2_000_000)).count(), 150);
    is_sound(&store);
}

#[test]
fn a_gauge_that_was_not_set_aside_cannot_be_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (whole, partly) = partly(1);
    let position = put_new(&store, partly).batch;
    let id = rows(&store)[0].id;
    let judged = Rejudged {
        batch: position,
        columns: whole.columns,
        gaps: Vec::new(),
        anchors: Vec::new(),
        still: Vec::new(),
        boot: None,
    };
    let write = Replay { id, entry: None, at: at(0), verdict: ReplayVerdict::Parked(vec![judged]) };
    assert!(store.samples().write_blocking(write).is_err());
    assert_eq!(rows(&store)[0].waiting, 1);
}

#[test]
fn what_is_refused_as_before_stays_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let made = unknown(1);
    let position = put_new(&store, made.1.clone()).batch;
    let before = rows(&store);
    let answer = replay(&store, before[0].id, vec![rejudged(position, &made, &["level"])]);
    assert_eq!(answer, Replayed::Unchanged);
    assert_eq!(rows(&store), before);
}

#[test]
fn a_full_park_keeps_out_what_is_only_parked_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let names: Vec<_> = (0..10).map(|n| agent_named(&format!("gw-{n}"))).collect();
    let mut bounds = Vec::new();
    for name in &names {
        let mut sequence = 1;
        let bound = loop {
            let mut admit = batch_of(name, sequence, &[("level", vec![(0, 1); 1])]);
            // A batch is small; what fills the park is what it counts beside its bytes.
            admit.bytes = model::wire::batch_v1::compress(admit.bytes);
            match put(&store, aside(admit, "level", Reason::UnknownGauge)) {
                Admission::Admitted(_) => sequence += 1,
                Admission::ParkFull(bound) => break bound,
                other @ (Admission::Repetition(_)
                | Admission::Duplicate
                | Admission::Fork { .. }) => panic!("{other:?}"),
            }
            assert!(sequence < 5_000, "an eighth of a megabyte is full by then");
        };
        bounds.push(bound);
    }
    // Each has an eighth; who comes last finds the rest of the park.
    assert_eq!(bounds[0], ParkBound::Agent);
    assert_eq!(bounds[9], ParkBound::Park);
    let facts = store.samples().read_blocking(SamplesReader::park).unwrap();
    assert!(facts.bytes > LIMITS.parked - 2_048 && facts.bytes <= LIMITS.parked, "{facts:?}");
    assert!(facts.fullest.unwrap().1 <= LIMITS.parked_of_agent());
    // Resent ones are known, good columns are admitted, and what is set aside of them is held.
    assert_eq!(
        put(
            &store,
            aside(batch_of(&names[0], 1, &[("level", vec![(0, 1)])]), "level", Reason::Unit)
        ),
        Admission::Duplicate
    );
    let (_, parked) = partly(9_000);
    put_new(&store, parked);
    assert_eq!(all(&store, "level").len(), 2);
    assert_eq!(held(&store)[0].gauges, ["A/gate", "A/head"]);
    is_sound(&store);
    // What is given up makes room.
    let id = held(&store).iter().find(|row| row.agent == names[0]).unwrap().id;
    let Discarded::Done { mut left } = store.samples().write_blocking(discard(&store, id)).unwrap()
    else {
        panic!("it is held")
    };
    while left > 0 {
        left = store.samples().write_blocking(Sweep { id }).unwrap();
    }
    let again = batch_of(&names[0], 6_000, &[("level", vec![(0, 1)])]);
    put_new(&store, aside(again, "level", Reason::UnknownGauge));
    is_sound(&store);
}

#[test]
fn what_is_stored_anyway_keeps_out_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { parked: 64 << 10, ..LIMITS };
    let store = open_within(folder.path(), limits);
    // One good column, and each time another unknown one: far more likenesses than items.
    for n in 0..700 {
        let name = format!("unknown-{n}-{}", "x".repeat(40));
        let whole =
            batch(n + 1, &[("level", vec![(i64::try_from(n).unwrap(), 1)]), (&name, vec![(0, 1)])]);
        put_new(&store, aside(whole, &name, Reason::UnknownGauge));
    }
    let counted = counters(&store);
    assert_eq!(counted.parked_bytes, 0);
    assert!(counted.parked_beside_bytes > limits.parked, "{counted:?}");
    let other = agent_named("other");
    let whole = batch_of(&other, 1, &[("head", vec![(0, 1)])]);
    put_new(&store, aside(whole, "head", Reason::UnknownGauge));
    is_sound(&store);
    for id in held(&store).iter().map(|row| row.id) {
        let Discarded::Done { mut left } =
            store.samples().write_blocking(discard(&store, id)).unwrap()
        else {
            panic!("not held")
        };
        while left > 0 {
            left = store.samples().write_blocking(Sweep { id }).unwrap();
        }
    }
    is_sound(&store);
}

#[test]
fn an_item_given_up_is_decided_at_once_and_swept_in_slices() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let alone: Vec<_> = (1..=100).map(|n| put_new(&store, unknown(n).1).batch).collect();
    let (_, mixed) = partly(101);
    let kept = put_new(&store, mixed).batch;
    let items: Vec<i64> = held(&store).iter().map(|row| row.id).collect();
    let mut left = Vec::new();
    for id in items {
        let discard = discard(&store, id);
        let done = store.samples().write_blocking(discard).unwrap();
        let Discarded::Done { left: more } = done else { panic!("{done:?}") };
        left.push((id, more));
        assert_eq!(
            store.samples().write_blocking(discard).unwrap(),
            Discarded::NotHeld { stands: Some(discard.entry) }
        );
    }
    // What comes before the rest is swept is another item.
    put_new(&store, unknown(102).1);
    assert_eq!(held(&store).len(), 1);
    let unswept = store.samples().read_blocking(|reader| reader.unswept(9)).unwrap();
    assert_eq!(unswept.len(), 1);
    for (id, mut left) in left {
        while left > 0 {
            left = store.samples().write_blocking(Sweep { id }).unwrap();
        }
    }
    let is_there = |position: i64| {
        store.samples().read_blocking(|reader| reader.batch(position)).unwrap().is_some()
    };
    assert!(alone.iter().all(|position| !is_there(*position)) && is_there(kept));
    assert_eq!(put(&store, unknown(1).1), Admission::Duplicate);
    let id = held(&store)[0].id;
    store.samples().write_blocking(discard(&store, id)).unwrap();
    assert_eq!(counters(&store).parked_bytes, 0);
    is_sound(&store);
    // Positions are never given out twice.
    assert!(put_new(&store, batch(900, &[("level", vec![(90_000, 1)])])).batch > kept);
}

#[test]
fn a_listing_is_small_however_many_gauges_and_likenesses_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_within(folder.path(), Limits { parked: 64 << 20, ..LIMITS });
    let names: Vec<String> = (0..4_000).map(|n| format!("g{n}")).collect();
    let columns: Vec<_> = names.iter().map(|name| (name.as_str(), vec![(0, 1)])).collect();
    let mut admit = batch(1, &columns);
    for name in &names {
        admit = aside(admit, name, Reason::UnknownGauge);
    }
    put_new(&store, admit);
    let row = rows(&store).remove(0);
    assert_eq!((row.gauges.len(), row.gauge_count), (SHOWN_GAUGES, 4_000));
    assert!(row.detail.len() < 2_048);
    // Each batch with a gauge of its own: beyond a bound they share an item, and each keeps its
    // gauges.
    let made: Vec<(i64, (Admit, Admit))> = (2..=400)
        .map(|sequence| {
            let name = format!("g{sequence}");
            let whole = batch(sequence, &[(name.as_str(), vec![(0, 1)])]);
            let parked = aside(whole.clone(), &name, Reason::UnknownGauge);
            (put_new(&store, parked.clone()).batch, (whole, parked))
        })
        .collect();
    let query = QuarantineQuery { kind: None, state: None, before: None, limit: 1_000 };
    let page = store.samples().read_blocking(|reader| reader.quarantine(&query)).unwrap();
    assert_eq!(page.rows.len(), 257);
    let others = page.rows.iter().find(|row| row.batches > 1).unwrap();
    assert_eq!((others.batches, others.gauge_count), (144, 0));
    let slice = store.samples().read_blocking(|reader| reader.parked_slice(others.id, 0)).unwrap();
    let judged: Vec<_> = slice
        .batches
        .iter()
        .map(|batch| {
            let (position, made) =
                made.iter().find(|(at, _)| *at == batch.stored.position).unwrap();
            assert_eq!(batch.gauges.len(), 1);
            rejudged(*position, made, &[])
        })
        .collect();
    assert!(
        matches!(replay(&store, others.id, judged), Replayed::Done(done) if done.batches == 64)
    );
    is_sound(&store);
}

#[test]
fn what_waits_for_an_anchor_is_found_once_it_has_come_and_the_first_one_stands() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let boots = [BootId(7), BootId(8)];
    for (sequence, boot) in (1..).zip(boots) {
        let (_, parked) = unknown(sequence);
        let mut parked = Admit { boot: Some(boot), ..parked };
        parked.set_aside[0].reason = Reason::Clock;
        put_new(&store, parked);
    }
    let placeable = || store.samples().read_blocking(|reader| reader.placeable(0, 9)).unwrap();
    let shown: Vec<_> = rows(&store).iter().map(|row| row.boot).collect();
    assert_eq!((shown, placeable()), (vec![Some(boots[1]), Some(boots[0])], vec![]));
    let anchor = |utc| model::batch::ClockAnchor {
        boot_id: boots[0],
        utc_at_boot_ms: at(utc).as_ms(),
        uncertainty_ms: 2,
        source: 1,
    };
    let with = |sequence, utc| Admit {
        anchors: vec![anchor(utc)],
        ..batch(sequence, &[("other", vec![(i64::try_from(sequence).unwrap(), 1)])])
    };
    assert_eq!(put_new(&store, with(3, 0)).other_anchors, 0);
    assert_eq!(put_new(&store, with(4, 4)).other_anchors, 0, "to within 4 ms they agree");
    assert_eq!(put_new(&store, with(5, 5)).other_anchors, 1);
    let stands = store.samples().read_blocking(|reader| reader.anchor(&agent(), boots[0]));
    assert_eq!(stands.unwrap(), Some(anchor(0)));
    assert_eq!(placeable(), [rows(&store)[1].id]);
    let rows = store.samples().read_blocking(|reader| reader.anchors_after(0, 9)).unwrap();
    assert_eq!((rows.len(), rows[0].id, rows[0].anchor), (1, 1, anchor(0)));
}

#[test]
fn an_anchor_is_taken_even_where_its_batch_finds_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_within(folder.path(), Limits { parked: 100, ..LIMITS });
    let anchor = model::batch::ClockAnchor {
        boot_id: BootId(7),
        utc_at_boot_ms: at(0).as_ms(),
        uncertainty_ms: 2,
        source: 1,
    };
    let parked = Admit { anchors: vec![anchor], boot: Some(BootId(7)), ..unknown(1).1 };
    assert_eq!(put(&store, parked), Admission::ParkFull(ParkBound::Park));
    let stands = store.samples().read_blocking(|reader| reader.anchor(&agent(), BootId(7)));
    assert_eq!(stands.unwrap(), Some(anchor));
}

#[test]
fn a_column_placed_by_an_offset_reads_as_if_it_had_come_in_utc() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let whole = crate::making::booted(1, &[("level", vec![(10, 1), (20, 2)])], BootId(7));
    put_new(&store, whole);
    put_new(&store, batch(2, &[("level", vec![(20, 9), (30, 3)])]));
    assert_eq!(all(&store, "level"), shown(&[(10, 1), (20, 2), (30, 3)]));
    assert_eq!(crate::making::conflicts(&store, "level"), 1);
    is_sound(&store);
    // A span without its offset is found.
    let mut lying = crate::making::booted(3, &[("head", vec![(10, 1)])], BootId(7));
    lying.columns[0].offset_ms = 0;
    put_new(&store, lying);
    assert_eq!(store::verify(&store).unwrap().findings.len(), 1);
    assert_eq!(gauge("head").to_string(), "A/head");
}

#[test]
fn the_park_is_measured_from_the_start_and_what_it_keeps_out_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let open = |parked| {
        let registry = prometheus::Registry::new();
        let options = crate::making::options(store::Role::Server);
        let limits = Limits { parked, ..LIMITS };
        (Store::open_with(folder.path(), &options, limits, &registry).unwrap(), registry)
    };
    let metric = |registry: &prometheus::Registry, line: &str| {
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        text.lines().any(|found| found == format!("baseflow_store_{line}"))
    };
    let (store, registry) = open(64 << 10);
    assert!(metric(&registry, "parked_bytes 0") && metric(&registry, "parked_limit_bytes 65536"));
    put_new(&store, unknown(1).1);
    let parked = counters(&store).parked_bytes;
    assert!(metric(&registry, &format!("parked_bytes {parked}")));
    store.close();
    let (store, registry) = open(parked);
    assert!(metric(&registry, &format!("parked_bytes {parked}")));
    assert_eq!(put(&store, unknown(2).1), Admission::ParkFull(ParkBound::Park));
    let line = r#"park_full_total{bound="park",reason="unknown_gauge"} 1"#;
    assert!(metric(&registry, line));
    let line = r#"park_full_total{bound="agent",reason="foreign_station"} 0"#;
    assert!(metric(&registry, line));
}

/// Starts of the gateway, each named by a batch of its own with a reading.
fn started(sequence: u64, boots: std::ops::Range<u64>, received: i64) -> Admit {
    let anchors = boots.map(|boot| model::batch::ClockAnchor {
        boot_id: BootId(u128::from(boot)),
        utc_at_boot_ms: at(0).as_ms(),
        uncertainty_ms: 2,
        source: 1,
    });
    let ms = i64::try_from(sequence).unwrap();
    Admit {
        anchors: anchors.collect(),
        received_at: at(received),
        ..batch(sequence, &[("level", vec![(ms, 1)])])
    }
}

#[test]
fn who_names_a_new_start_with_each_batch_is_held_back_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let registry = prometheus::Registry::new();
    let options = crate::making::options(store::Role::Server);
    let store = Store::open_with(folder.path(), &options, LIMITS, &registry).unwrap();
    let minute = 60_000;
    for n in 1..=16 {
        put_new(&store, started(n, 2 * n..2 * n + 2, minute));
    }
    let full = Admission::ParkFull(ParkBound::Anchors);
    assert_eq!(put(&store, started(17, 90..91, 2 * minute)), full);
    assert_eq!(put(&store, started(17, 90..91, 3 * minute)), full);
    // What was taken is known, a start that is known counts nothing, and others have their own.
    assert_eq!(put(&store, started(16, 32..34, minute)), Admission::Duplicate);
    put_new(&store, started(18, 32..34, 3 * minute));
    let of_another = batch_of(&agent_named("other"), 1, &[("head", vec![(0, 1)])]);
    put_new(&store, Admit { anchors: started(1, 90..91, 0).anchors, ..of_another });
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let line = r#"baseflow_store_park_full_total{bound="anchors",reason="anchor"} 2"#;
    assert!(text.contains(line), "{text}");
    // What is parked until the anchor comes is there when it comes at last.
    let (_, parked) = unknown(20);
    let mut parked = Admit { boot: Some(BootId(90)), ..parked };
    parked.set_aside[0].reason = Reason::Clock;
    put_new(&store, parked);
    let window = store::ANCHOR_WINDOW_MS;
    assert_eq!(put(&store, started(17, 90..91, minute + window - 1)), full);
    put_new(&store, started(17, 90..91, minute + window));
    assert_eq!(held(&store).len(), 1);
    let placeable = store.samples().read_blocking(|reader| reader.placeable(0, 9)).unwrap();
    assert_eq!(placeable, [held(&store)[0].id]);
    is_sound(&store);
}

#[test]
fn a_gateway_that_restarts_every_ten_minutes_is_never_held_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_within(folder.path(), Limits { anchors: 4_096, ..LIMITS });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let restarts = 60 * 24 * 6;
    let ten_minutes = |n: u64| i64::try_from(n).unwrap() * 600_000;
    runtime.block_on(async {
        let mut writes = tokio::task::JoinSet::new();
        for n in 0..restarts {
            let samples = store.samples().clone();
            let admit = started(n + 1, n..n + 1, ten_minutes(n));
            writes.spawn(async move { samples.write(admit).await });
        }
        while let Some(admission) = writes.join_next().await {
            assert!(matches!(admission, Ok(Ok(Admission::Admitted(_)))), "{admission:?}");
        }
    });
    // And one that was away for four weeks of that comes through at once.
    for n in 0..252 {
        let boots = restarts + n * 16..restarts + n * 16 + 16;
        let received = ten_minutes(restarts) + store::ANCHOR_WINDOW_MS;
        put_new(&store, started(restarts + n + 1, boots, received));
    }
}

#[test]
fn of_a_decided_item_its_facts_stay_and_of_decided_items_the_latest() {
    let folder = tempfile::tempdir().unwrap();
    let registry = prometheus::Registry::new();
    let options = crate::making::options(store::Role::Server);
    let limits = Limits { decided: 3, ..LIMITS };
    let store = Store::open_with(folder.path(), &options, limits, &registry).unwrap();
    let made = |sequence: u64| {
        let names: Vec<_> = (0..40).map(|n| format!("g{sequence}-{n}")).collect();
        let ms = i64::try_from(sequence).unwrap();
        let columns: Vec<_> = names.iter().map(|name| (name.as_str(), vec![(ms, 1)])).collect();
        let whole = batch(sequence, &columns);
        let aside = names
            .iter()
            .fold(whole.clone(), |admit, name| aside(admit, name, Reason::UnknownGauge));
        (whole, aside)
    };
    let all: Vec<_> = (1..=6).map(made).collect();
    for (sequence, (whole, parked)) in (1_u64..).zip(&all) {
        let position = put_new(&store, parked.clone()).batch;
        let row = held(&store).remove(0);
        assert_eq!((row.gauges.len(), row.gauge_count), (SHOWN_GAUGES, 40));
        if sequence % 2 == 0 {
            store.samples().write_blocking(discard(&store, row.id)).unwrap();
        } else {
            let judged = rejudged(position, &(whole.clone(), parked.clone()), &[]);
            assert!(matches!(replay(&store, row.id, vec![judged]), Replayed::Done(_)));
        }
        is_sound(&store);
    }
    let decided = rows(&store);
    assert_eq!(decided.len(), 3);
    assert!(decided.iter().all(|row| row.gauges.is_empty() && row.gauge_count == 40));
    assert!(decided.iter().all(|row| row.reason == "unknown_gauge" && row.batches == 1));
    let counted = counters(&store);
    assert_eq!((counted.parked_bytes, counted.decided_dropped), (0, 3));
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    assert!(text.contains("baseflow_store_decided_dropped_total 3"), "{text}");
    for (_, parked) in all {
        assert_eq!(put(&store, parked), Admission::Duplicate, "who is forgotten stays known");
    }
}

#[test]
fn what_a_batch_names_itself_costs_a_flag_a_gauge_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_within(folder.path(), Limits { parked: 64 << 20, ..LIMITS });
    // More likenesses than items; then batches of a thousand long names, one of them admitted.
    for sequence in 1..=256 {
        let name = format!("g{sequence}");
        let whole = batch(sequence, &[(name.as_str(), vec![(0, 1)])]);
        put_new(&store, aside(whole, &name, Reason::UnknownGauge));
    }
    let before = counters(&store);
    let mut whole_batches = Vec::new();
    for sequence in 300..=320_u64 {
        let names: Vec<_> = (0..1_000).map(|n| format!("{sequence}-{n:040}")).collect();
        let ms = i64::try_from(sequence).unwrap();
        let mut columns: Vec<_> = names.iter().map(|name| (name.as_str(), vec![(ms, 1)])).collect();
        columns.insert(500, ("level", vec![(ms, 1)]));
        let whole = batch(sequence, &columns);
        let mut parked = whole.clone();
        parked.columns.retain(|column| column.gauge == gauge("level"));
        parked.set_aside = names
            .iter()
            .map(|name| {
                let detail = "unknown".to_owned();
                SetAside::new(gauge(name).to_string(), Reason::UnknownGauge, detail)
            })
            .collect();
        let position = put_new(&store, parked.clone()).batch;
        whole_batches.push((position, (whole, parked)));
    }
    let after = counters(&store);
    let more = after.parked_beside_bytes - before.parked_beside_bytes;
    assert!(more < 21 * 64 + 2_048, "{more}");
    let others = held(&store).into_iter().find(|row| row.batches == 21).unwrap();
    let mut next = Some(0);
    while let Some(last) = next {
        let slice = store.samples().read_blocking(|reader| reader.parked_slice(others.id, last));
        let slice = slice.unwrap();
        next = slice.next;
        assert!(slice.batches.len() <= 4, "a thousand names weigh a mebibyte");
        let judged: Vec<_> = slice
            .batches
            .iter()
            .map(|batch| {
                let found = whole_batches.iter().find(|(at, _)| *at == batch.stored.position);
                let (position, made) = found.unwrap();
                assert_eq!(batch.gauges.len(), 1_000);
                rejudged(*position, made, &[])
            })
            .collect();
        assert!(matches!(replay(&store, others.id, judged), Replayed::Done(_)));
    }
    // A gauge that was admitted is none of those that were set aside.
    let row = store.samples().read_blocking(|reader| reader.quarantine_row(others.id)).unwrap();
    assert_eq!(row.unwrap().state, QuarantineState::Replayed);
    is_sound(&store);
}

#[test]
fn a_slice_takes_as_many_batches_as_weigh_four_mebibytes_unfolded() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_within(folder.path(), Limits { parked: 64 << 20, ..LIMITS });
    for sequence in 1..=40 {
        // Some hundred bytes that unfold to a quarter of a mebibyte.
        let points = (0..262_144).map(|n| (n * 320, 0)).collect();
        let mut admit = batch(sequence, &[("level", points)]);
        admit.bytes = model::wire::batch_v1::compress(admit.bytes);
        assert!(admit.bytes.len() < 4_096, "{}", admit.bytes.len());
        put_new(&store, aside(admit, "level", Reason::UnknownGauge));
    }
    let id = held(&store)[0].id;
    let slice = store.samples().read_blocking(|reader| reader.parked_slice(id, 0)).unwrap();
    assert_eq!((slice.batches.len(), slice.next.is_some()), (16, true));
}

#[test]
fn what_lies_ahead_is_due_when_the_clock_has_come_so_far_and_then_waits_for_a_sixteenth_of_its_age()
{
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let ahead = |name: &str, due: i64| SetAside {
        due: Some(at(due)),
        ..SetAside::new(gauge(name).to_string(), Reason::Time, "ahead".to_owned())
    };
    let whole = batch(1, &[("level", vec![(0, 1)]), ("head", vec![(9, 1)])]);
    let columns = whole.columns.clone();
    let (first, second) = (1_100_000, 1_160_001);
    let set_aside = vec![ahead("level", second), ahead("head", first)];
    let alone = Admit { columns: Vec::new(), set_aside, ..whole };
    let position = put_new(&store, alone).batch;
    let row = held(&store).remove(0);
    assert_eq!(row.due, Some(at(first)));
    let due =
        |ms: i64| store.samples().read_blocking(|reader| reader.due_items(at(ms), 0, 9)).unwrap();
    let slice = |item, ms: i64| {
        store.samples().read_blocking(|reader| reader.due_slice(item, at(ms))).unwrap().batches
    };
    assert_eq!((due(first - 1), due(first)), (vec![], vec![row.id]));
    assert!(slice(row.id, first - 1).is_empty());
    let found = slice(row.id, first).remove(0);
    assert_eq!((found.judged_at, found.due), (at(1_000_000), Some(at(first))));
    // At 1,160,000 the first is admitted; the other one lies a millisecond further.
    let rejudged = Rejudged {
        batch: position,
        columns: columns.into_iter().filter(|column| column.gauge == gauge("head")).collect(),
        gaps: Vec::new(),
        anchors: Vec::new(),
        still: vec![ahead("level", second)],
        boot: None,
    };
    let verdict = ReplayVerdict::Parked(vec![rejudged]);
    let replay = Replay { id: row.id, entry: None, at: at(1_160_000), verdict };
    store.samples().write_blocking(replay).unwrap();
    is_sound(&store);
    let row = held(&store).remove(0);
    assert_eq!((row.due, row.gauges), (Some(at(1_170_000)), vec!["A/level".to_owned()]));
    assert_eq!(slice(row.id, 1_170_000)[0].judged_at, at(1_160_000));
    // What was given up is due no more.
    store.samples().write_blocking(discard(&store, row.id)).unwrap();
    assert_eq!((due(2_000_000), all(&store, "head").len()), (vec![], 1));
    is_sound(&store);
}

#[test]
fn an_anchor_that_comes_due_beyond_the_bound_of_starts_waits_on_and_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let registry = prometheus::Registry::new();
    let options = crate::making::options(store::Role::Server);
    let limits = Limits { anchors: 2, ..LIMITS };
    let store = Store::open_with(folder.path(), &options, limits, &registry).unwrap();
    put_new(&store, started(1, 1..3, 1_000_000));
    // A further start and a column, both ahead of the clock.
    let (due, received) = (1_160_000, 1_000_000);
    let whole = batch(2, &[("head", vec![(9, 1)])]);
    let ahead = |gauge: String| SetAside {
        due: Some(at(due)),
        ..SetAside::new(gauge, Reason::Time, "ahead".to_owned())
    };
    let set_aside = vec![ahead(gauge("head").to_string()), ahead(String::new())];
    let parked = Admit { columns: Vec::new(), set_aside, ..whole.clone() };
    let position = put_new(&store, parked).batch;
    let before = (held(&store)[0].clone(), counters(&store));
    let judge = |ms: i64, boots: std::ops::Range<u64>| {
        let rejudged = Rejudged {
            batch: position,
            columns: whole.columns.clone(),
            gaps: Vec::new(),
            anchors: started(9, boots, 0).anchors,
            still: Vec::new(),
            boot: None,
        };
        let verdict = ReplayVerdict::Parked(vec![rejudged]);
        let replay = Replay { id: before.0.id, entry: None, at: at(ms), verdict };
        store.samples().write_blocking(replay).unwrap()
    };
    let held_back = Replayed::Done(store::Readmitted { held_back: 1, ..Default::default() });
    assert_eq!(judge(due, 90..91), held_back);
    // Nothing of it has changed but when it is tried again: in a minute, or a sixteenth of its age.
    let after = held(&store)[0].clone();
    assert_eq!(after.due, Some(at(due + 60_000)));
    assert_eq!((QuarantineRow { due: before.0.due, ..after }, counters(&store)), before);
    let asked = |ms: i64| {
        let find = |reader: &SamplesReader| reader.due_slice(before.0.id, at(ms));
        store.samples().read_blocking(find).unwrap().batches
    };
    assert!(asked(due + 59_999).is_empty() && all(&store, "head").is_empty());
    assert_eq!(asked(due + 60_000)[0].judged_at, at(received), "what lay ahead then still waits");
    let hours = 16 * 60 * 60_000;
    assert_eq!(judge(received + hours, 90..91), held_back);
    assert_eq!(held(&store)[0].due, Some(at(received + hours + hours / 16)));
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let line = r#"baseflow_store_park_full_total{bound="anchors",reason="anchor"} 2"#;
    assert!(text.contains(line), "{text}");
    is_sound(&store);
    let admitted = judge(received + store::ANCHOR_WINDOW_MS, 90..91);
    assert!(matches!(admitted, Replayed::Done(done) if (done.points, done.held_back) == (1, 0)));
    let stands = |boot| {
        let find = |reader: &SamplesReader| reader.anchor(&agent(), BootId(boot));
        store.samples().read_blocking(find).unwrap().is_some()
    };
    assert!(stands(90) && held(&store).is_empty());
    is_sound(&store);
}

#[test]
fn what_only_its_gaps_keep_counts_against_the_park_and_stays_when_the_rest_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let gap = |number| model::batch::Gap {
        epoch: model::ids::Epoch(9),
        first_sequence: number,
        last_sequence: number,
        gauges: vec![gauge("level")],
        boot: None,
        from_ms: at(-100).as_ms(),
        to_ms: at(0).as_ms(),
        reason: model::batch::GapReason::Overwritten,
        count: 1,
    };
    let gaps = |number| vec![store::AdmittedGap { number: 0, gap: gap(number) }];
    let is_there = |position: i64| {
        store.samples().read_blocking(|reader| reader.batch(position)).unwrap().is_some()
    };
    // One has its gap at once, the other one when the clock has come so far.
    let at_once = put_new(&store, Admit { gaps: gaps(1), ..unknown(1).1 }).batch;
    let later = unknown(2);
    let position = put_new(&store, later.1.clone()).batch;
    let before = counters(&store);
    let id = held(&store)[0].id;
    let judged = Rejudged { gaps: gaps(2), ..rejudged(position, &later, &["level"]) };
    replay(&store, id, vec![Rejudged { columns: Vec::new(), still: later.1.set_aside, ..judged }]);
    let after = counters(&store);
    assert_eq!(after.parked_bytes, before.parked_bytes, "no gap carries a payload past the bound");
    is_sound(&store);
    store.samples().write_blocking(discard(&store, id)).unwrap();
    assert!(is_there(at_once) && is_there(position), "a gap's word stays with it");
    assert_eq!(counters(&store).parked_bytes, 0);
    is_sound(&store);
}

#[test]
fn what_is_parked_and_admitted_by_itself_may_still_come() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let from = || store.samples().read_blocking(|reader| reader.queued_from(&agent())).unwrap();
    // What the registry refuses waits for a person.
    put_new(&store, unknown(1).1);
    assert_eq!(from(), Timestamp::MAX);
    // What lay ahead as the clock said 1,000 s comes when its time does.
    let whole = batch(2, &[("level", vec![(1_200_000, 1)])]);
    let mut ahead = aside(whole.clone(), "level", Reason::Time);
    ahead.set_aside[0].due = Some(at(1_080_000));
    put_new(&store, ahead.clone());
    assert_eq!(from(), at(1_120_000));
    let item = held(&store).into_iter().find(|row| row.reason == "time").unwrap();
    let judged = rejudged(item_batches(&store, item.id)[0], &(whole, ahead), &[]);
    assert!(matches!(replay(&store, item.id, vec![judged]), Replayed::Done(_)));
    assert_eq!(from(), Timestamp::MAX);
    // Moments since boot are told by nobody, before their anchor has come and until they stand.
    let whole = crate::making::booted(3, &[("level", vec![(10, 1)])], BootId(7));
    let parked = aside(whole.clone(), "level", Reason::Clock);
    let parked = Admit { boot: Some(BootId(7)), ..parked };
    put_new(&store, parked.clone());
    assert_eq!(from(), Timestamp::MIN);
    // A start that never says when it was is waited for a day.
    let day = 24 * 3_600_000;
    put_new(
        &store,
        Admit { received_at: at(1_000_000 + day), ..batch(4, &[("level", vec![(30, 1)])]) },
    );
    assert_eq!(from(), Timestamp::MAX);
    put_new(&store, started(5, 7..8, 1_000_000 + day));
    assert_eq!(from(), Timestamp::MIN);
    let item = held(&store).into_iter().find(|row| row.reason == "clock").unwrap();
    let judged = rejudged(item_batches(&store, item.id)[0], &(whole, parked), &[]);
    assert!(matches!(replay(&store, item.id, vec![judged]), Replayed::Done(_)));
    assert_eq!(from(), Timestamp::MAX);
    is_sound(&store);
}

fn item_batches(store: &Store, item: i64) -> Vec<i64> {
    let slice = store.samples().read_blocking(|reader| reader.parked_slice(item, 0)).unwrap();
    slice.batches.iter().map(|batch| batch.stored.position).collect()
}
