//! What pages must keep by the clock: a year is drawn, live values come, and nothing grows.
//!
//! A thousand stations on twenty rivers speak every ten seconds, ten of them each tenth of a second,
//! and with another value each time. A value is in the store once the commit notice of its batch is
//! there, which comes after the sync and a way through the broker: what is measured from then on is
//! the server's and the page's part of the way, less a millisecond or two.

use std::{
    env,
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    process::Child,
    time::Duration,
};

use model::{
    batch::{Batch, BatchClock, Column},
    ids::{BatchId, Epoch},
    reading::Point,
    time::Timestamp,
    wire::batch_v1,
};
use world::{World, wait};

use super::{MINUTE_MS, PASSWORD, Programs, STEP_MS, add_user, import};

const STATIONS: usize = 1_000;
const RIVERS: usize = 20;
/// Stations that speak together, and how often some do.
const TOGETHER: usize = 10;
const PERIOD_MS: i64 = 100;
const PATIENCE: Duration = Duration::from_secs(120);
const AGENT: &str = "gw-ui";
/// A year of the first station.
const YEAR_MS: i64 = 365 * 24 * 60 * MINUTE_MS;

const RULES: &str = "\n[[rule]]\nid = \"hourly\"\nstatistic = \"hourly_mean\"\n";

fn name(number: usize) -> String {
    format!("BF-{number:04}")
}

fn registry() -> String {
    let mut text = RULES.to_owned();
    let mut station = |id: &str, number: usize, interval: &str| {
        let (river, order) = (number % RIVERS, number / RIVERS);
        write!(
            text,
            "\n[[station]]\nid = \"{id}\"\nname = \"示例电站{number:04}\"\nagent = \"{AGENT}\"\nriver = \"示例河{river:02}\"\n\
             river_order = {order}\ncounty = \"620721\"\n\
             gauge = [ {{ id = \"q\", quantity = \"flow\", unit = \"m3/s\", interval = \"{interval}\" }} ]\n\
             outlet = [ {{ id = \"pipe\", flow = {{ gauge = \"q\" }} }} ]\n\
             mandate = [ {{ document = \"示例文号 1\", from = \"2020-01-01\", seasons = [ {{ from = \"01-01\", flow = 0.5 }} ], rule = \"hourly\" }} ]\n"
        )
        .expect("a text");
    };
    for number in 0..STATIONS - 1 {
        station(&name(number), number, "10s");
    }
    station("BF-year", STATIONS - 1, "5m");
    text
}

/// A year of one station, as a file.
fn year(now_ms: i64) -> String {
    let mut text = "station,gauge,at,value\n".to_owned();
    let last = now_ms - now_ms.rem_euclid(STEP_MS);
    for number in 0..YEAR_MS / STEP_MS {
        let at = Timestamp::clamped(last - number * STEP_MS);
        // a day of each month is short
        let millis = if number / 288 % 30 == 7 { 430 } else { 560 + number * 7 % 90 };
        writeln!(text, "BF-year,q,{at},0.{millis:03}").expect("a text");
    }
    text
}

pub(super) fn run(programs: &Programs) -> bool {
    let mut world = World::new("ui");
    world.server.judge();
    world.open_with(&[], &[AGENT], &registry());
    let file = world.folder().join("year.csv");
    fs::write(&file, year(wait::now_ms())).expect("a file");
    import(&world, &file);
    add_user(&world, "duty", "duty");
    let mut stations = Stations::new(&world);
    for _ in 0..STATIONS / TOGETHER {
        stations.speak();
    }
    wait::until("every station stands", PATIENCE, || {
        let page = world.server.api().get("/stations?limit=1000");
        let list = page["stations"].as_array().cloned().unwrap_or_default();
        let stand = list.iter().filter(|station| !station["state"].is_null()).count();
        if stand == STATIONS { Ok(()) } else { Err(format!("{stand} stand")) }
    });
    let minutes = env::var_os("BASEFLOW_UI_MINUTES").unwrap_or_else(|| "60".into());
    let committed = world.folder().join("committed.jsonl");
    let url = format!("http://127.0.0.1:{}", world.server.http());
    let server = (url.as_str(), world.server.process().id());
    let mut script = programs.script(server, PASSWORD, &["--test", "timed/ui.mjs"]);
    script.env("BASEFLOW_COMMITTED", &committed).env("BASEFLOW_UI_MINUTES", minutes);
    let mut script = script.spawn().expect("node");
    let mut told = File::create(&committed).expect("a file");
    let is_good = loop {
        let began_ms = wait::now_ms();
        let told_last = stations.speak();
        writeln!(told, "{told_last}").expect("a line more");
        if let Some(is_good) = ended(&mut script, began_ms + PERIOD_MS) {
            break is_good;
        }
    };
    drop(world);
    is_good
}

/// Whether the script was content, once it has ended; until then the time passes.
fn ended(script: &mut Child, until_ms: i64) -> Option<bool> {
    let status = script.try_wait().expect("a child");
    if status.is_none() {
        let rest_ms = u64::try_from(until_ms - wait::now_ms()).unwrap_or(0);
        std::thread::park_timeout(Duration::from_millis(rest_ms));
    }
    status.map(|status| status.success())
}

/// All stations, as the agent that speaks for them.
struct Stations {
    mqtt: world::Mqtt,
    notices: Box<dyn Fn() -> usize>,
    sequence: u64,
}

impl Stations {
    fn new(world: &World) -> Self {
        let mqtt = world.broker.client(AGENT);
        let notices = Box::new(mqtt.counter());
        Self { mqtt, notices, sequence: 0 }
    }

    /// Has the next ten tell a value that they had not before, and waits until the store has it:
    /// which of them, the value as pages show it, and when that was.
    fn speak(&mut self) -> String {
        let slots = u64::try_from(STATIONS / TOGETHER).expect("small");
        let (round, slot) = (self.sequence / slots, self.sequence % slots);
        let first = usize::try_from(slot).expect("small") * TOGETHER;
        self.sequence += 1;
        let millis = 600 + i64::try_from(round % 400).expect("small");
        let at_ms = wait::now_ms();
        let column = |number: usize| Column {
            gauge: format!("{}/q", name(number)).parse().expect("an id"),
            unit: "m3/s".into(),
            decimals: 3,
            period_ms: 10_000,
            points: vec![Point::good(at_ms, millis)],
        };
        let batch = Batch {
            id: BatchId {
                agent: AGENT.parse().expect("an id"),
                epoch: Epoch(7),
                sequence: self.sequence,
            },
            clock: BatchClock::Utc { uncertainty_ms: 0 },
            previous: None,
            columns: (first..(first + TOGETHER).min(STATIONS - 1)).map(column).collect(),
            gaps: Vec::new(),
            anchors: Vec::new(),
        };
        let before = (self.notices)();
        self.mqtt.publish(&format!("baseflow/v1/{AGENT}/batch"), batch_v1::encode(&batch));
        wait::until("the store has them", PATIENCE, || {
            let heard = (self.notices)();
            if heard > before { Ok(()) } else { Err(format!("{heard} notices")) }
        });
        let (whole, part, at) = (millis / 1_000, millis % 1_000, wait::now_ms());
        format!("{{\"first\":{first},\"value\":\"{whole}.{part:03}\",\"at\":{at}}}")
    }
}
