//! How many batches the store admits in a second: 6 columns of 12 points each, synced.
//!
//! `cargo run --release -p store --example admit_rate -- [batches] [agents] [in flight]`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]

use std::sync::Arc;

use model::{
    batch::{Batch, BatchClock, Column},
    ids::{BatchId, Epoch, GaugeId},
    quantity::Unit,
    reading::Point,
    time::Timestamp,
    wire::batch_v1,
};
use store::{Admission, Admit, AdmittedColumn, Key, Kind, Options, Role, Store};
use tokio::{task::JoinSet, time::Instant};

const COLUMNS: usize = 6;
const POINTS: i64 = 12;
const STEP_MS: i64 = 5_000;
const BEGIN_MS: i64 = 1_795_305_600_000;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>().unwrap());
    let batches = numbers.next().unwrap_or(100_000);
    let agents = numbers.next().unwrap_or(20);
    let in_flight = numbers.next().unwrap_or(1_024);
    let admits: Vec<Admit> = (0..batches).map(|n| admit(n % agents, n / agents)).collect();
    let bytes = admits.iter().map(|admit| admit.bytes.len()).sum::<usize>() / batches;
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        now: Timestamp::from_ms(BEGIN_MS).unwrap(),
        version: "bench".to_owned(),
        role: Role::Server,
    };
    let metrics = prometheus::Registry::new();
    let store = Store::open(folder.path(), &options, &metrics).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let began = Instant::now();
    runtime.block_on(run(&store, admits, in_flight));
    let seconds = began.elapsed().as_secs_f64();
    store.close();
    let rate = f64::from(u32::try_from(batches).unwrap()) / seconds;
    let samples = rate * f64::from(u32::try_from(COLUMNS).unwrap()) * 12.0;
    println!("{batches} batches of {bytes} bytes from {agents} agents, {in_flight} in flight");
    println!("{seconds:.2} s: {rate:.0} batches/s, {samples:.0} samples/s");
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        println!("{} {} bytes", file.path().display(), file.metadata().unwrap().len());
    }
    for family in metrics.gather() {
        if ["baseflow_store_group_writes", "baseflow_store_commit_seconds"].contains(&family.name())
        {
            let histogram = family.get_metric().first().unwrap().get_histogram();
            let count = histogram.get_sample_count();
            println!("{}: {count} groups, sum {:.2}", family.name(), histogram.get_sample_sum());
        }
    }
}

async fn run(store: &Store, admits: Vec<Admit>, in_flight: usize) {
    let queue = Arc::new(tokio::sync::Mutex::new(admits.into_iter()));
    let mut workers = JoinSet::new();
    for _ in 0..in_flight {
        let (samples, queue) = (store.samples().clone(), Arc::clone(&queue));
        workers.spawn(async move {
            loop {
                let Some(admit) = queue.lock().await.next() else { return };
                assert!(matches!(samples.write(admit).await, Ok(Admission::Admitted(_))));
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
}

fn admit(agent: usize, number: usize) -> Admit {
    let id = BatchId {
        agent: format!("gw-{agent:04}").parse().unwrap(),
        epoch: Epoch(u64::try_from(agent).unwrap() + 7),
        sequence: u64::try_from(number).unwrap() + 1,
    };
    let from = BEGIN_MS + i64::try_from(number).unwrap() * POINTS * STEP_MS;
    let columns: Vec<Column> = (0..COLUMNS)
        .map(|column| Column {
            gauge: gauge(agent, column),
            unit: "m3/h".into(),
            decimals: 3,
            period_ms: 5_000,
            points: (0..POINTS)
                .map(|n| Point::good(from + n * STEP_MS, 1_800_000 + (n * 37) % 11))
                .collect(),
        })
        .collect();
    let admitted = (0..COLUMNS)
        .map(|column| AdmittedColumn {
            gauge: gauge(agent, column),
            unit: Unit::named("m3/s").unwrap(),
            decimals: 6,
            from: Timestamp::from_ms(from).unwrap(),
            to: Timestamp::from_ms(from + (POINTS - 1) * STEP_MS).unwrap(),
            points: 12,
            offset_ms: 0,
            qc: None,
        })
        .collect();
    let batch = Batch {
        id,
        clock: BatchClock::Utc { uncertainty_ms: 0 },
        previous: None,
        columns,
        gaps: Vec::new(),
        anchors: Vec::new(),
    };
    let bytes = batch_v1::encode(&batch);
    Admit {
        kind: Kind::Batch,
        key: Key::Batch {
            epoch: batch.id.epoch,
            sequence: batch.id.sequence,
            digest: batch_v1::digest(&bytes),
        },
        topic: format!("baseflow/v1/{}/batch", batch.id.agent),
        agent: batch.id.agent,
        received_at: Timestamp::from_ms(from + 61_000).unwrap(),
        bytes,
        columns: admitted,
        set_aside: Vec::new(),
        boot: None,
        anchors: Vec::new(),
        gaps: Vec::new(),
        previous: None,
    }
}

fn gauge(agent: usize, column: usize) -> GaugeId {
    format!("BF-{agent:04}/gauge-{column}").parse().unwrap()
}
