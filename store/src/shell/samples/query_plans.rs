//! How SQLite finds the rows of every statement that comes up while the server runs: none of them
//! walks through a table that grows.

use model::{
    batch::{Batch, BatchClock, ClockAnchor, Column, Gap, GapReason},
    ids::{BatchId, BootId, Epoch, GaugeId},
    quantity::Unit,
    reading::Point,
    time::{Span, Timestamp},
    wire::{
        batch_v1,
        refused_v1::{Kept, Reason},
    },
};
use rusqlite::Connection;

use super::{CopyHead, SamplesBook, SamplesReader};
use crate::{
    admission::{
        Admission, Admit, AdmittedColumn, AdmittedGap, Discard, Key, Kind, Quarantine, Rejudged,
        Replay, ReplayVerdict, SetAside, SetStatus, Sweep,
    },
    facts::{QuarantineQuery, QuarantineState},
    metrics::Metrics,
    page::SamplesQuery,
    shell::{
        error::StoreError,
        file,
        open::Limits,
        schema,
        walks::Seen,
        writer::{Book as _, Write},
    },
};

/// Walks that are allowed: what they walk through is bounded, or they stop at the first row.
const ALLOWED: [&str; 10] = [
    // The greatest position, which is the first row from the end.
    "SEARCH batch",
    "SEARCH feed",
    // One row for each table that counts upwards.
    "SCAN sqlite_sequence",
    // Held items: 257 of an agent at most for each reason.
    "SCAN p USING INDEX parking_waiting",
    "SCAN parking USING INDEX parking_waiting",
    // Decided items: `Limits::decided`, and the first of them.
    "SCAN parking USING COVERING INDEX parking_decided",
    "SCAN parking USING INDEX parking_decided",
    // All gauges are asked for, and the registry bounds them.
    "SCAN t USING COVERING INDEX sqlite_autoindex_station_1",
    // At most `SHOWN_EPOCHS` rows.
    "SCAN (subquery-1)",
    // As many spans as whoever weighs them has room for.
    "SCAN (subquery-2)",
];

struct World {
    connection: Option<Connection>,
    book: SamplesBook,
    seen: Seen,
}

fn at(ms: i64) -> Timestamp {
    Timestamp::clamped(1_795_305_600_000 + ms)
}

fn gauge(name: &str) -> GaugeId {
    format!("A/{name}").parse().unwrap()
}

impl World {
    fn new() -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        file::keep_plans(&connection).unwrap();
        connection.execute_batch(schema::SAMPLES.schema).unwrap();
        let seen = Seen::of(&mut connection);
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let limits = Limits { garbage: 4_096, decided: 1, ..Limits::default() };
        Self { connection: Some(connection), book: SamplesBook::new(limits, metrics), seen }
    }

    fn put<W: Write<SamplesBook>>(&mut self, write: &W) -> W::Answer {
        let connection = self.connection.as_ref().unwrap();
        self.book.begin(connection).unwrap();
        let answer = write.apply(&mut self.book, connection).unwrap();
        self.book.flush(connection).unwrap();
        answer
    }

    fn read<T>(&mut self, query: impl FnOnce(&SamplesReader) -> Result<T, StoreError>) -> T {
        let connection = self.connection.take().unwrap();
        let (connection, read) = SamplesReader::run(connection, query);
        self.connection = Some(connection);
        read.unwrap()
    }
}

/// A batch of one column, counted from a start of the gateway where one is named.
fn batch(sequence: u64, name: &str, values: &[i64], boot: Option<BootId>) -> Admit {
    let offset_ms = boot.map_or(0, |_| at(0).as_ms());
    let points: Vec<Point> = (0..)
        .zip(values)
        .map(|(n, value)| Point::good(at(n * 1_000).as_ms() - offset_ms, *value))
        .collect();
    let last = i64::try_from(values.len()).unwrap() - 1;
    let batch = Batch {
        id: BatchId { agent: "gw".parse().unwrap(), epoch: Epoch(7), sequence },
        clock: boot
            .map_or(BatchClock::Utc { uncertainty_ms: 0 }, |boot_id| BatchClock::Boot { boot_id }),
        previous: None,
        columns: vec![Column {
            gauge: gauge(name),
            unit: "m".into(),
            decimals: 4,
            period_ms: 0,
            points,
        }],
        gaps: Vec::new(),
        anchors: Vec::new(),
    };
    let bytes = batch_v1::encode(&batch);
    Admit {
        kind: Kind::Batch,
        key: Key::Batch { epoch: Epoch(7), sequence, digest: batch_v1::digest(&bytes) },
        agent: batch.id.agent,
        topic: "baseflow/v1/gw/batch".to_owned(),
        received_at: at(0),
        bytes,
        columns: vec![AdmittedColumn {
            gauge: gauge(name),
            unit: Unit::named("m").unwrap(),
            decimals: 4,
            from: at(0),
            to: at(last * 1_000),
            points: u32::try_from(values.len()).unwrap(),
            offset_ms,
            qc: None,
        }],
        set_aside: Vec::new(),
        boot: None,
        gaps: Vec::new(),
        anchors: Vec::new(),
        previous: None,
    }
}

/// The same with its column set aside; and the column.
fn aside(admit: Admit, reason: Reason, boot: Option<BootId>) -> (Admit, AdmittedColumn) {
    let mut admit = admit;
    let column = admit.columns.remove(0);
    admit.set_aside.push(SetAside::new(column.gauge.to_string(), reason, "not now".to_owned()));
    admit.boot = boot;
    (admit, column)
}

fn admitted(admission: &Admission) -> i64 {
    let Admission::Admitted(admitted) = admission else { panic!("{admission:?}") };
    admitted.batch
}

/// Everything that arrives: new, again, late, contradicting, with gaps and anchors, as a document.
fn arrivals(world: &mut World) {
    world.put(&batch(1, "level", &[1, 2, 3], None));
    world.put(&batch(1, "level", &[1, 2, 3], None));
    world.put(&batch(1, "level", &[9], None));
    world.put(&batch(2, "level", &[1, 2, 4, 5], None));
    world.put(&batch(3, "level", &[1, 2, 4, 5, 6], None));
    world.put(&batch(4, "level", &[1, 2], None));
    let gap = Gap {
        epoch: Epoch(6),
        first_sequence: 1,
        last_sequence: 2,
        gauges: vec![gauge("level")],
        boot: None,
        from_ms: at(-100).as_ms(),
        to_ms: at(0).as_ms(),
        reason: GapReason::Overwritten,
        count: 1,
    };
    let anchor = |boot, utc| ClockAnchor {
        boot_id: BootId(boot),
        utc_at_boot_ms: at(utc).as_ms(),
        uncertainty_ms: 2,
        source: 1,
    };
    world.put(&Admit {
        gaps: vec![AdmittedGap { number: 0, gap }],
        anchors: vec![anchor(7, 0), anchor(7, 90)],
        ..batch(5, "other", &[1], None)
    });
    let json = br#"{"readings":{"gauge":"A/level","at":"2026-11-22T00:00:09Z","value":1}}"#;
    let document = |columns| Admit {
        kind: Kind::Json,
        key: Key::Payload { digest: [1; 32] },
        bytes: json.to_vec(),
        columns,
        ..batch(6, "level", &[1], None)
    };
    let column = batch(6, "level", &[1], None).columns.remove(0);
    world.put(&document(vec![AdmittedColumn { from: at(9_000), to: at(9_000), ..column }]));
    world.put(&document(Vec::new()));
    let agent = "gw".parse().unwrap();
    world.put(&SetStatus { agent, received_at: at(0), json: None });
    world.put(&CopyHead { position: 1, hash: [0; 32] });
}

/// Everything that is set aside, replayed, placed, given up and let go.
fn quarantine(world: &mut World) {
    let refuse = |n: u8, key| Quarantine {
        agent: "gw".parse().unwrap(),
        topic: "baseflow/v1/gw/batch".to_owned(),
        received_at: at(0),
        payload: vec![n; 1_000],
        reason: Reason::Undecodable,
        detail: "what".to_owned(),
        key,
    };
    for n in 0..4 {
        world.put(&refuse(n, None));
    }
    let fresh = batch(20, "level", &[1, 7], None);
    world.put(&refuse(9, Some(fresh.key.clone())));
    let query =
        QuarantineQuery { kind: None, state: Some(QuarantineState::Held), before: None, limit: 9 };
    let newest = world.read(|reader| reader.quarantine(&query)).rows.remove(0);
    let verdict = ReplayVerdict::Garbage(Box::new(fresh));
    world.put(&Replay { id: newest.id, entry: None, at: at(1), verdict });
    let parked = |world: &mut World, sequence, name: &str, boot: Option<BootId>| {
        let reason = boot.map_or(Reason::UnknownGauge, |_| Reason::Clock);
        let (parked, column) = aside(batch(sequence, name, &[1], boot), reason, boot);
        (admitted(&world.put(&parked)), column)
    };
    let (position, column) = parked(world, 30, "x", Some(BootId(7)));
    for sequence in 31..34 {
        parked(world, sequence, &format!("y{sequence}"), None);
    }
    assert_eq!(world.read(|reader| reader.placeable(0, 9)).len(), 1);
    let query = QuarantineQuery { kind: Some(Kept::Parked), ..query };
    let mut rows = world.read(|reader| reader.quarantine(&query)).rows;
    let placed = rows.pop().unwrap();
    world.read(|reader| reader.parked_slice(placed.id, 0));
    let (columns, gaps, anchors, still) = (vec![column], Vec::new(), Vec::new(), Vec::new());
    let judged = Rejudged { batch: position, columns, gaps, anchors, still, boot: None };
    world.put(&Replay {
        id: placed.id,
        entry: None,
        at: at(1),
        verdict: ReplayVerdict::Parked(vec![judged]),
    });
    ahead(world);
    for row in rows {
        world.put(&Discard { id: row.id, entry: 1 });
        world.put(&Sweep { id: row.id });
    }
}

/// What lies ahead of the clock: it is found when it is due, and one part of it waits on.
fn ahead(world: &mut World) {
    let (mut parked, column) = aside(batch(40, "late", &[1], None), Reason::Time, None);
    parked.set_aside[0].due = Some(at(5));
    parked.set_aside[0].after = Some(at(-1));
    let position = admitted(&world.put(&parked));
    let items = world.read(|reader| reader.due_items(at(5), 0, 9));
    let item = items[0];
    let slice = world.read(|reader| reader.due_slice(item, at(5)));
    assert_eq!((items.len(), slice.batches.len()), (1, 1));
    let anchor =
        ClockAnchor { boot_id: BootId(8), utc_at_boot_ms: 0, uncertainty_ms: 2, source: 1 };
    let judged = Rejudged {
        batch: position,
        columns: vec![column],
        gaps: Vec::new(),
        anchors: vec![anchor],
        still: parked.set_aside,
        boot: None,
    };
    let verdict = ReplayVerdict::Parked(vec![judged]);
    world.put(&Replay { id: item, entry: None, at: at(6), verdict });
    assert_eq!(world.read(|reader| reader.due_items(at(6), 0, 9)).len(), 1);
}

/// Everything that is asked for.
fn questions(world: &mut World) {
    let query = SamplesQuery {
        gauge: gauge("level"),
        from: Timestamp::MIN,
        to: Timestamp::MAX,
        cursor: None,
        limit: 9,
    };
    assert!(!world.read(|reader| reader.samples(&query)).samples.is_empty());
    world.read(|reader| reader.latest(&gauge("level")));
    world.read(SamplesReader::gauges);
    world.read(|reader| reader.agents(None, 9));
    world.read(|reader| reader.feed(0, 9));
    let (station, span) = ("A".parse().unwrap(), Span { from: at(-9), to: at(9) });
    world.read(|reader| reader.gaps(&station, span));
    assert!(world.read(|reader| reader.weight(&gauge("level"), span, 9)).spans > 0);
    world.read(SamplesReader::counters);
    world.read(SamplesReader::park);
    world.read(|reader| reader.unswept(9));
    world.read(|reader| reader.quarantine_item(1));
    let agent = "gw".parse().unwrap();
    world.read(|reader| reader.anchor(&agent, BootId(7)));
    world.read(|reader| reader.anchors_of(&agent));
    world.read(|reader| reader.queued_from(&agent));
    assert!(world.read(|reader| reader.absence(&agent)).is_some());
    world.read(|reader| reader.anchors_after(0, 9));
}

#[test]
fn no_statement_walks_through_a_table_that_grows() {
    let mut world = World::new();
    arrivals(&mut world);
    quarantine(&mut world);
    questions(&mut world);
    assert!(world.seen.count() > 60, "{} statements", world.seen.count());
    let walks = world.seen.walks(world.connection.as_ref().unwrap(), &ALLOWED);
    assert!(walks.is_empty(), "{walks:#?}");
}
