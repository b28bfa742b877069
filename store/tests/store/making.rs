//! Makes stores and payloads for the tests.

use std::{collections::BTreeMap, path::Path};

use model::{
    batch::{Batch, BatchClock, Column},
    ids::{AgentId, BatchId, BootId, Epoch, GaugeId},
    quantity::Unit,
    reading::Point,
    time::Timestamp,
    wire::{batch_v1, refused_v1::Reason},
};
use sha2::{Digest as _, Sha256};
use store::{
    Admission, Admit, Admitted, AdmittedColumn, AgentRow, Append, Body, By, ByKind, Decision,
    Discard, Key, Kind, Limits, Options, Role, SamplesQuery, SetAside, Store,
};

/// 2026-11-22T00:00:00Z.
pub(crate) const BEGIN: i64 = 1_795_305_600_000;

/// `ms` after [`BEGIN`].
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(BEGIN + ms).unwrap()
}

pub(crate) fn options(role: Role) -> Options {
    Options { now: at(0), version: "0.1.0".to_owned(), role }
}

pub(crate) const LIMITS: Limits =
    Limits { parked: 1 << 20, garbage: 1 << 20, ballast: 0, decided: 64, anchors: 32 };

pub(crate) fn open(folder: &Path) -> Store {
    open_as(folder, Role::Server)
}

pub(crate) fn open_within(folder: &Path, limits: Limits) -> Store {
    let options = options(Role::Server);
    Store::open_with(folder, &options, limits, &prometheus::Registry::new()).unwrap()
}

pub(crate) fn open_as(folder: &Path, role: Role) -> Store {
    Store::open_with(folder, &options(role), LIMITS, &prometheus::Registry::new()).unwrap()
}

pub(crate) fn gauge(name: &str) -> GaugeId {
    format!("A/{name}").parse().unwrap()
}

pub(crate) fn agent() -> AgentId {
    agent_named("gw")
}

pub(crate) fn agent_named(name: &str) -> AgentId {
    name.parse().unwrap()
}

/// Points of a gauge: milliseconds after [`BEGIN`] and thousandths of its unit.
pub(crate) type Points = Vec<(i64, i64)>;

/// A batch of gauges in `m`, stored in tenths of a millimetre.
pub(crate) fn batch(sequence: u64, columns: &[(&str, Points)]) -> Admit {
    batch_of(&agent(), sequence, columns)
}

/// The same of another agent.
pub(crate) fn batch_of(agent: &AgentId, sequence: u64, columns: &[(&str, Points)]) -> Admit {
    made(agent, sequence, columns, None)
}

/// The same counted from a start at [`BEGIN`], and placed by its anchor.
pub(crate) fn booted(sequence: u64, columns: &[(&str, Points)], boot_id: BootId) -> Admit {
    made(&agent(), sequence, columns, Some(boot_id))
}

fn made(agent: &AgentId, sequence: u64, columns: &[(&str, Points)], boot: Option<BootId>) -> Admit {
    let offset_ms = boot.map_or(0, |_| BEGIN);
    let columns: Vec<Column> = columns
        .iter()
        .map(|(name, points)| Column {
            gauge: gauge(name),
            unit: "m".into(),
            decimals: 3,
            period_ms: 0,
            points: points
                .iter()
                .map(|(ms, value)| Point::good(BEGIN - offset_ms + ms, *value))
                .collect(),
        })
        .collect();
    let batch = Batch {
        id: BatchId { agent: agent.clone(), epoch: Epoch(7), sequence },
        clock: boot
            .map_or(BatchClock::Utc { uncertainty_ms: 0 }, |boot_id| BatchClock::Boot { boot_id }),
        previous: None,
        columns,
        gaps: Vec::new(),
        anchors: Vec::new(),
    };
    let bytes = batch_v1::encode(&batch);
    Admit {
        kind: Kind::Batch,
        key: Key::Batch { epoch: Epoch(7), sequence, digest: batch_v1::digest(&bytes) },
        agent: agent.clone(),
        topic: "baseflow/v1/gw/batch".to_owned(),
        received_at: at(1_000_000),
        columns: batch.columns.iter().map(|column| admitted(column, offset_ms)).collect(),
        bytes,
        set_aside: Vec::new(),
        boot: None,
        gaps: Vec::new(),
        anchors: Vec::new(),
        previous: None,
    }
}

fn admitted(column: &Column, offset_ms: i64) -> AdmittedColumn {
    let utc = |point: &Point| Timestamp::from_ms(point.at_ms + offset_ms).unwrap();
    AdmittedColumn {
        gauge: column.gauge.clone(),
        unit: Unit::named("m").unwrap(),
        decimals: 4,
        from: utc(&column.points[0]),
        to: utc(column.points.last().unwrap()),
        points: u32::try_from(column.points.len()).unwrap(),
        offset_ms,
        qc: None,
    }
}

/// A document of readings of gauges in `m`; later ones of a moment do not stand.
pub(crate) fn json(columns: &[(&str, Points)]) -> Admit {
    let mut readings = Vec::new();
    let mut admitted = Vec::new();
    for (name, points) in columns {
        let mut standing = BTreeMap::new();
        for (ms, value) in points {
            standing.entry(*ms).or_insert(*value);
            readings
                .push(format!(r#"{{"gauge":"A/{name}","at":"{}","value":{value}e-3}}"#, at(*ms)));
        }
        admitted.push(AdmittedColumn {
            gauge: gauge(name),
            unit: Unit::named("m").unwrap(),
            decimals: 4,
            from: at(*standing.keys().next().unwrap()),
            to: at(*standing.keys().last().unwrap()),
            points: u32::try_from(standing.len()).unwrap(),
            offset_ms: 0,
            qc: None,
        });
    }
    let bytes = format!(r#"{{"readings":[{}]}}"#, readings.join(",")).into_bytes();
    Admit {
        kind: Kind::Json,
        key: Key::Payload { digest: Sha256::digest(&bytes).into() },
        columns: admitted,
        bytes,
        topic: "baseflow/v1/gw/json".to_owned(),
        ..batch(1, &[])
    }
}

/// The same payload with this gauge set aside.
pub(crate) fn aside(mut admit: Admit, name: &str, reason: Reason) -> Admit {
    admit.columns.retain(|column| column.gauge != gauge(name));
    let detail = format!("gauge `{}` is not in the registry", gauge(name));
    admit.set_aside.push(SetAside::new(gauge(name).to_string(), reason, detail));
    admit
}

pub(crate) fn put(store: &Store, admit: Admit) -> Admission {
    store.samples().write_blocking(admit).unwrap()
}

pub(crate) fn put_new(store: &Store, admit: Admit) -> Admitted {
    let admission = put(store, admit);
    let Admission::Admitted(admitted) = admission else { panic!("{admission:?}") };
    admitted
}

/// Every sample of a gauge: milliseconds after [`BEGIN`] and text.
pub(crate) fn all(store: &Store, name: &str) -> Vec<(i64, String)> {
    pages(store, name, 3)
}

/// The same, by pages of so many.
pub(crate) fn pages(store: &Store, name: &str, limit: usize) -> Vec<(i64, String)> {
    let mut query = SamplesQuery {
        gauge: gauge(name),
        from: Timestamp::MIN,
        to: Timestamp::MAX,
        cursor: None,
        limit,
    };
    let mut samples = Vec::new();
    loop {
        let page = store.samples().read_blocking(|reader| reader.samples(&query)).unwrap();
        assert!(page.samples.len() <= limit);
        samples.extend(page.samples.iter().map(|stored| {
            (stored.sample.at.as_ms() - BEGIN, stored.decimal().unwrap().to_string())
        }));
        match page.next {
            // A cursor goes out as text and comes back.
            Some(next) => query.cursor = Some(next.to_string().parse().unwrap()),
            None => return samples,
        }
    }
}

/// What [`all`] shows for these points.
pub(crate) fn shown(points: &[(i64, i64)]) -> Vec<(i64, String)> {
    points
        .iter()
        .map(|(ms, value)| {
            let decimal = model::quantity::Decimal { units: value * 10, decimals: 4 };
            (*ms, decimal.to_string())
        })
        .collect()
}

pub(crate) fn conflicts(store: &Store, name: &str) -> u64 {
    let facts = store.samples().read_blocking(|reader| reader.gauge(&gauge(name))).unwrap();
    facts.map_or(0, |facts| facts.conflicts)
}

/// Every agent.
pub(crate) fn agents_of(store: &Store) -> Vec<AgentRow> {
    store.samples().read_blocking(|reader| reader.agents(None, 1_000)).unwrap().rows
}

/// Somebody's decision to give an item up, which the journal has.
pub(crate) fn discard(store: &Store, id: i64) -> Discard {
    let body = Body::QuarantineDecided { id, decision: Decision::Discarded, gauges: Vec::new() };
    let by = By { kind: ByKind::Command, name: "tests".to_owned() };
    Discard { id, entry: store.journal().write_blocking(Append { at: at(0), by, body }).unwrap() }
}
