//! Buses against meters that nobody of this project wrote: pymodbus by TCP, by RTU over TCP, and on
//! a serial line that `socat` makes. `./run test` names their Python as `BASEFLOW_PYTHON`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use edge_agent::{
    config::{Config, DEFAULTS},
    cycle::{Reading, Sources},
    shell::{
        bus::{Metrics, queue, spawn},
        probe::probe,
    },
};
use model::{quantity::Decimal, wire::status_v1::BusStatus};
use runtime::{
    clock::{Clock, SystemClock},
    settings,
    tasks::Tasks,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, timeout_at},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// How a meter is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Tcp,
    RtuOverTcp,
    Serial,
}

/// A process that ends with its test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // it may have ended by itself
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A running meter, its commands and its log.
struct Meter {
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    url: String,
    log: PathBuf,
    _folder: tempfile::TempDir,
    _processes: Vec<Ended>,
}

impl Meter {
    fn start(mode: Mode) -> Self {
        let python = std::env::var_os("BASEFLOW_PYTHON").expect(
            "BASEFLOW_PYTHON names no Python with pymodbus; run `./run test`, which makes one",
        );
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut processes = Vec::new();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/peers/meter.py");
        let mut command = Command::new(python);
        command.arg(script);
        let ours = folder.path().join("ours");
        match mode {
            Mode::Tcp => command.arg("tcp"),
            Mode::RtuOverTcp => command.arg("rtu-over-tcp"),
            Mode::Serial => {
                let theirs = folder.path().join("theirs");
                processes.push(pair_of_ports(&ours, &theirs));
                command.arg("rtu").arg("--device").arg(theirs).args(["--baud", "115200"])
            }
        };
        let command = command.arg("--log").arg(&log).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut meter = command.spawn().expect("the meter starts");
        let commands = meter.stdin.take().unwrap();
        let mut answers = BufReader::new(meter.stdout.take().unwrap());
        processes.push(Ended(meter));
        let ready = line_of(&mut answers);
        let port =
            ready.split(|letter: char| !letter.is_ascii_digit()).find(|text| !text.is_empty());
        let url = match (mode, port) {
            (Mode::Tcp, Some(port)) => format!("tcp://127.0.0.1:{port}"),
            (Mode::RtuOverTcp, Some(port)) => format!("rtu+tcp://127.0.0.1:{port}"),
            (Mode::Serial, _) => format!("rtu://{}?baud=115200", ours.display()),
            (Mode::Tcp | Mode::RtuOverTcp, None) => panic!("the meter says {ready}"),
        };
        Self { commands, answers, url, log, _folder: folder, _processes: processes }
    }

    /// Carries out one command; it is in force when this returns.
    fn tell(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").unwrap();
        let answer = line_of(&mut self.answers);
        assert!(answer.contains("\"ok\": true"), "{command}: {answer}");
        answer
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

fn line_of(answers: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    line
}

/// Two serial ports joined back to back.
fn pair_of_ports(ours: &Path, theirs: &Path) -> Ended {
    let socat = std::env::var_os("BASEFLOW_SOCAT").unwrap_or_else(|| "socat".into());
    let port = |path: &Path| format!("pty,raw,echo=0,link={}", path.display());
    let mut command = Command::new(socat);
    // it says on which ports once both are there
    command.args(["-d", "-d"]).arg(port(ours)).arg(port(theirs)).stderr(Stdio::piped());
    let mut socat = command.spawn().expect("socat makes the serial line; install it");
    let said = BufReader::new(socat.stderr.take().unwrap());
    let mut socat = Some(Ended(socat));
    let mut lines = said.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("starting data transfer")), "socat gave up");
    // its later words are read so that it never waits for a reader
    std::thread::spawn(move || lines.for_each(drop));
    socat.take().unwrap()
}

/// An agent's buses at work.
struct Polled {
    tasks: Tasks,
    sources: Sources,
    readings: mpsc::Receiver<edge_agent::shell::bus::Polled>,
    health: Vec<tokio::sync::watch::Receiver<edge_agent::health::BusHealth>>,
}

impl Polled {
    fn start(config: &Config) -> Self {
        let mut tasks = Tasks::new();
        let stage = tasks.stage("poll", Duration::from_secs(5));
        let (sender, readings) = queue(config);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let health = spawn(config, &stage, &clock, &metrics, &sender);
        Self { tasks, sources: config.sources(), readings, health }
    }

    /// Takes readings until `is_enough` of them; what was last seen is told when that takes long.
    async fn until(&mut self, what: &str, mut is_enough: impl FnMut(&str, &Reading) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = BTreeMap::new();
        loop {
            let Ok(polled) = timeout_at(deadline, self.readings.recv()).await else {
                panic!("no {what} within {PATIENCE:?}; last seen: {seen:?}");
            };
            let polled = polled.expect("buses poll until they are stopped");
            for reading in polled.cycle.readings {
                let name = self.sources[reading.source].gauge.name.to_string();
                seen.insert(name.clone(), reading.point);
                if is_enough(&name, &reading) {
                    return;
                }
            }
        }
    }

    fn status(&self) -> BusStatus {
        self.health[0].borrow().status()
    }

    async fn stop(self) {
        drop(self.readings);
        assert_eq!(self.tasks.stop().await, Vec::<String>::new());
    }
}

fn config(text: &str) -> Config {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let root = settings::load(DEFAULTS, Some(file.path()), []).unwrap();
    Config::read(&root).unwrap_or_else(|faults| panic!("{faults}"))
}

fn shown(reading: &Reading, sources: &Sources) -> String {
    let decimals = sources[reading.source].decimals;
    reading.point.value().map_or_else(
        || reading.point.quality.word().into_owned(),
        |units| Decimal { units, decimals }.to_string(),
    )
}

/// type, order, value as the meter is told it, scale and decimals as the agent is, what comes out
const VALUES: [(&str, &str, &str, &str, &str); 21] = [
    ("u16", "ab", "65535", "scale = 0.1", "6553.5"),
    ("i16", "ba", "-2", "", "-2"),
    ("u32", "abcd", "4000000000", "", "4000000000"),
    ("u32", "cdab", "16909060", "", "16909060"),
    ("i32", "badc", "-16909060", "scale = 0.01", "-169090.60"),
    ("i32", "dcba", "-16909060", "", "-16909060"),
    ("u64", "abcdefgh", "72623859790382856", "", "72623859790382856"),
    ("u64", "ghefcdab", "72623859790382856", "", "72623859790382856"),
    ("i64", "badcfehg", "-72623859790382856", "", "-72623859790382856"),
    ("i64", "hgfedcba", "-72623859790382856", "", "-72623859790382856"),
    ("f32", "abcd", "0.612", "decimals = 3", "0.612"),
    ("f32", "cdab", "-1234.5", "decimals = 1", "-1234.5"),
    ("f32", "badc", "0.612", "decimals = 9", "0.611999989"),
    ("f32", "dcba", "1e20", "", "overflow"),
    ("f64", "abcdefgh", "0.1", "decimals = 9", "0.100000000"),
    ("f64", "ghefcdab", "-0.5", "decimals = 0", "0"),
    ("f64", "badcfehg", "NaN", "", "not_a_number"),
    ("f64", "hgfedcba", "98765.4321", "", "98765.432100"),
    ("bcd16", "ab", "9876", "", "9876"),
    ("bcd32", "cdab", "12345678", "scale = 0.001", "12345.678"),
    ("u16", "ab", "2748", "type = 'bits', mask = 0x0ff0", "171"),
];

async fn every_type_and_order_reads_as_it_was_written(mode: Mode) {
    let mut meter = Meter::start(mode);
    let mut registers = String::new();
    let mut expected = BTreeMap::new();
    for (index, (kind, order, value, rest, reading)) in VALUES.iter().enumerate() {
        let (address, table) = (10 + 5 * index, ["input", "holding"][index % 2]);
        meter.tell(&format!(
            r#"{{"set": {{"unit": 1, "table": "{table}", "address": {address}, "type": "{kind}", "order": "{order}", "value": {value}}}}}"#
        ));
        let kind =
            if rest.starts_with("type") { String::new() } else { format!("type = '{kind}', ") };
        let rest = if rest.is_empty() { String::new() } else { format!(", {rest}") };
        writeln!(
            registers,
            "{{ gauge = 'BF-1/r{index}', table = '{table}', address = {address}, {kind}order = '{order}', unit = '1'{rest} }},"
        )
        .unwrap();
        expected.insert(format!("r{index}"), *reading);
    }
    meter.tell(r#"{"set": {"unit": 1, "table": "coil", "address": 3, "words": [1, 0, 1]}}"#);
    meter.tell(r#"{"set": {"unit": 1, "table": "discrete", "address": 9, "words": [0, 1]}}"#);
    for (name, table, address, value) in [
        ("c3", "coil", 3, "1"),
        ("c4", "coil", 4, "0"),
        ("c5", "coil", 5, "1"),
        ("d10", "discrete", 10, "1"),
    ] {
        writeln!(registers, "{{ gauge = 'BF-1/{name}', table = '{table}', address = {address} }},")
            .unwrap();
        expected.insert(name.to_owned(), value);
    }
    let config = config(&format!(
        "agent = 'gw'\n[[bus]]\nname = 'b'\nurl = '{}'\n[[bus.device]]\nname = 'm'\nunit = 1\n\
         period = '500ms'\nmax_gap = 0\nregister = [\n{registers}]",
        meter.url
    ));
    let mut polled = Polled::start(&config);
    let sources = Arc::clone(&polled.sources);
    let mut seen = BTreeMap::new();
    polled
        .until("reading of each register", |name, reading| {
            seen.insert(name.to_owned(), shown(reading, &sources));
            seen.len() == expected.len()
        })
        .await;
    for (name, value) in &expected {
        assert_eq!(seen[name], *value, "{name}");
    }
    let device = polled.status().devices.remove(0);
    assert_eq!(device.state, "ok");
    polled.stop().await;
}

#[tokio::test]
async fn every_type_and_order_reads_as_it_was_written_by_tcp() {
    every_type_and_order_reads_as_it_was_written(Mode::Tcp).await;
}

#[tokio::test]
async fn every_type_and_order_reads_as_it_was_written_by_rtu_over_tcp() {
    every_type_and_order_reads_as_it_was_written(Mode::RtuOverTcp).await;
}

#[tokio::test]
async fn every_type_and_order_reads_as_it_was_written_on_a_serial_line() {
    every_type_and_order_reads_as_it_was_written(Mode::Serial).await;
}

/// Two registers of one unit that count from 1,000 and from `high`, listed as two devices.
fn two_counters(meter: &mut Meter, high: u32) -> String {
    let mut devices = String::new();
    for (name, address, start) in [("low", 0, 1_000), ("high", 300, high)] {
        meter.tell(&format!(
            r#"{{"counter": {{"unit": 1, "table": "input", "address": {address}, "type": "u32", "start": {start}}}}}"#
        ));
        writeln!(
            devices,
            "[[bus.device]]\nname = '{name}'\nunit = 1\nperiod = '100ms'\nregister = [\
             {{ gauge = 'BF-1/{name}', table = 'input', address = {address}, type = 'u32', unit = '1' }}]"
        )
        .unwrap();
    }
    devices
}

/// Two registers of one unit, listed as two devices, so that one is asked as soon as the other has
/// failed: nothing but the order of requests tells their answers apart by RTU. Each counts in a
/// range of its own. Replies in a row come late: the first while the second is waited for, or long
/// after anybody waits for it.
async fn a_late_reply_never_becomes_another_value(mode: Mode, retries: u8) {
    let mut meter = Meter::start(mode);
    let devices = two_counters(&mut meter, 5_000);
    let config = config(&format!(
        "agent = 'gw'\n[[bus]]\nname = 'b'\nurl = '{}'\ntimeout = '120ms'\nretries = {retries}\n{devices}",
        meter.url
    ));
    let mut polled = Polled::start(&config);
    let delays = [140, 180, 225, 400, 700];
    for delay in delays {
        let count = 2 * (1 + retries);
        meter.tell(&format!(
            r#"{{"fault": {{"unit": 1, "kind": "delay", "ms": {delay}, "count": {count}}}}}"#
        ));
        let (mut good, mut has_failed) = (BTreeMap::new(), retries > 0);
        polled
            .until("readings of both after a late reply", |name, reading| {
                let Some(value) = reading.point.value() else {
                    has_failed = true;
                    return false;
                };
                let own = if name == "low" { 1_000..5_000 } else { 5_000..9_000 };
                assert!(own.contains(&value), "{name} became {value} (delay {delay} ms, {mode:?})");
                *good.entry(name.to_owned()).or_insert(0) += u32::from(has_failed);
                good.len() == 2 && good.values().all(|count| *count >= 4)
            })
            .await;
    }
    let logged = meter.log().lines().filter(|line| line.contains("\"delay\"")).count();
    assert!(
        logged >= 2 * delays.len(),
        "replies that came late or were too late to be sent: {logged}"
    );
    polled.stop().await;
}

#[tokio::test]
async fn a_late_reply_never_becomes_another_value_by_tcp() {
    a_late_reply_never_becomes_another_value(Mode::Tcp, 0).await;
    a_late_reply_never_becomes_another_value(Mode::Tcp, 2).await;
}

#[tokio::test]
async fn a_late_reply_never_becomes_another_value_by_rtu_over_tcp() {
    a_late_reply_never_becomes_another_value(Mode::RtuOverTcp, 0).await;
    a_late_reply_never_becomes_another_value(Mode::RtuOverTcp, 2).await;
}

#[tokio::test]
async fn a_late_reply_never_becomes_another_value_on_a_serial_line() {
    a_late_reply_never_becomes_another_value(Mode::Serial, 0).await;
    a_late_reply_never_becomes_another_value(Mode::Serial, 2).await;
}

/// An agent that is stopped while an answer is out leaves it to the next one, which waits as long as
/// it would itself: one that comes later still is not the answer to its first question.
#[tokio::test]
async fn an_answer_to_whoever_was_here_before_never_becomes_another_value() {
    let mut meter = Meter::start(Mode::Serial);
    let devices = two_counters(&mut meter, 5_000);
    let config = config(&format!(
        "agent = 'gw'\n[[bus]]\nname = 'b'\nurl = '{}'\ntimeout = '120ms'\nretries = 0\n{devices}",
        meter.url
    ));
    for delay in [260, 280, 300, 320, 340, 360] {
        meter.tell(&format!(
            r#"{{"fault": {{"unit": 1, "kind": "delay", "ms": {delay}, "count": 1}}}}"#
        ));
        let mut before = Polled::start(&config);
        before.until("a question in vain", |_, reading| reading.point.value().is_none()).await;
        before.stop().await;
        let (mut polled, mut good) = (Polled::start(&config), BTreeMap::new());
        polled
            .until("readings of both", |name, reading| {
                let Some(value) = reading.point.value() else { return false };
                let own = if name == "low" { 1_000..5_000 } else { 5_000..9_000 };
                assert!(own.contains(&value), "{name} became {value} (delay {delay} ms)");
                *good.entry(name.to_owned()).or_insert(0) += 1;
                good.len() == 2 && good.values().all(|count| *count >= 2)
            })
            .await;
        polled.stop().await;
    }
}

/// Two registers of one unit, each counting in a range of its own, on a line on which every answer
/// is said twice: the copy comes at once, in the next question's place, or after several more.
/// Behind the registers there are others, or none, so that no longer read is given and copies are
/// waited for. A neighbour who says things once loses nothing by it, and is read meanwhile.
async fn an_answer_that_is_said_twice_never_becomes_another_value(
    mode: Mode,
    has_more: bool,
    round_trips_ms: &[u64],
    delays_ms: &[u64],
) {
    let mut meter = Meter::start(mode);
    let mut devices = two_counters(&mut meter, 500_000);
    meter.tell(r#"{"counter": {"unit": 2, "table": "input", "address": 0, "type": "u32"}}"#);
    devices += "[[bus.device]]\nname = 'other'\nunit = 2\nperiod = '100ms'\nregister = [\
         { gauge = 'BF-1/other', table = 'input', address = 0, type = 'u32', unit = '1' }]";
    for address in [2, 302].into_iter().filter(|_| has_more) {
        meter.tell(&format!(
            r#"{{"fill": {{"unit": 1, "table": "input", "address": {address}, "count": 20}}}}"#
        ));
    }
    // that it repeats is known by one copy that comes in nobody's place
    meter.tell(r#"{"fault": {"unit": 1, "kind": "extra_late", "ms": 0}}"#);
    let config = config(&format!(
        "agent = 'gw'\n[[bus]]\nname = 'b'\nurl = '{}'\ntimeout = '500ms'\nretries = 0\n{devices}",
        meter.url
    ));
    let mut polled = Polled::start(&config);
    let (mut values, mut others) = (0, 0);
    let both = |rtt: &u64| delays_ms.iter().map(|delay| (*rtt, *delay)).collect::<Vec<_>>();
    for (rtt, delay) in round_trips_ms.iter().flat_map(both) {
        meter.tell(&format!(
            r#"{{"fault": {{"unit": 1, "kind": "extra_late", "ms": {delay}, "rtt": {rtt}}}}}"#
        ));
        let mut good = BTreeMap::new();
        polled
            .until("values of both", |name, reading| {
                let value = reading.point.value();
                if name == "other" {
                    assert!(value.is_some(), "{reading:?} ({delay} ms, {rtt} ms, {mode:?})");
                    others += 1;
                    return false;
                }
                let Some(value) = value else { return false };
                let own = if name == "low" { 1_000..500_000 } else { 500_000..900_000 };
                assert!(
                    own.contains(&value),
                    "{name} became {value} (said again {delay} ms after {rtt} ms, {mode:?})"
                );
                *good.entry(name.to_owned()).or_insert(0) += 1;
                values += 1;
                good.len() == 2 && good.values().all(|count| *count >= 4)
            })
            .await;
    }
    assert!(has_more || others > 2 * values, "{others} beside {values}: it held the line");
    polled.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_said_twice_never_becomes_another_value_by_rtu_over_tcp() {
    let (round_trips, delays) = ([0, 40, 100], [0, 30, 60, 120, 200, 400]);
    let mode = Mode::RtuOverTcp;
    an_answer_that_is_said_twice_never_becomes_another_value(mode, true, &round_trips, &delays)
        .await;
}

#[tokio::test]
async fn an_answer_that_is_said_twice_never_becomes_another_value_where_no_longer_read_is_given() {
    let (round_trips, delays) = ([0, 60], [30, 120, 400]);
    let mode = Mode::RtuOverTcp;
    an_answer_that_is_said_twice_never_becomes_another_value(mode, false, &round_trips, &delays)
        .await;
}

#[tokio::test]
async fn an_answer_that_is_said_twice_never_becomes_another_value_on_a_serial_line() {
    let (round_trips, delays) = ([0, 40, 100], [0, 30, 60, 120, 200, 400]);
    let mode = Mode::Serial;
    an_answer_that_is_said_twice_never_becomes_another_value(mode, true, &round_trips, &delays)
        .await;
}

/// Two registers of one unit, each counting in a range of its own. An answer comes when nobody waits
/// for it any more, and once more in place of the next one of its length. It was heard while the
/// line was quiet, so that already the first copy is told.
async fn a_late_answer_that_is_said_twice_never_becomes_another_value(mode: Mode) {
    for delay in [220, 250, 280, 310, 340, 370] {
        let mut meter = Meter::start(mode);
        let devices = two_counters(&mut meter, 5_000);
        let config = config(&format!(
            "agent = 'gw'\n[[bus]]\nname = 'b'\nurl = '{}'\ntimeout = '200ms'\nretries = 0\n{devices}",
            meter.url
        ));
        let is_value = |name: &str, reading: &Reading| {
            let Some(value) = reading.point.value() else { return false };
            let own = if name == "low" { 1_000..5_000 } else { 5_000..9_000 };
            assert!(own.contains(&value), "{name} became {value} (delay {delay} ms, {mode:?})");
            true
        };
        let mut polled = Polled::start(&config);
        polled.until("a reading", is_value).await;
        meter.tell(&format!(
            r#"{{"fault": {{"unit": 1, "kind": "late_twice", "ms": {delay}, "count": 1}}}}"#
        ));
        let mut good = BTreeSet::new();
        polled
            .until("readings of both after a copy", |name, reading| {
                let said = meter.log().matches("\"late_twice\"").count();
                if is_value(name, reading) && said >= 2 {
                    good.insert(name.to_owned());
                }
                good.len() == 2
            })
            .await;
        polled.stop().await;
    }
}

#[tokio::test]
async fn a_late_answer_that_is_said_twice_never_becomes_another_value_by_rtu_over_tcp() {
    a_late_answer_that_is_said_twice_never_becomes_another_value(Mode::RtuOverTcp).await;
}

#[tokio::test]
async fn a_late_answer_that_is_said_twice_never_becomes_another_value_on_a_serial_line() {
    a_late_answer_that_is_said_twice_never_becomes_another_value(Mode::Serial).await;
}

/// One that speaks unasked, here in a length that fits no question, is doubted: from then on it is
/// asked so that no two answers are of one length. An honest unit on a line full of noise is not.
async fn who_speaks_unasked_is_doubted_and_who_is_merely_noisy_is_not(mode: Mode) {
    let mut meter = Meter::start(mode);
    meter.tell(r#"{"set": {"unit": 1, "table": "input", "address": 0, "words": [7, 8, 9, 9, 9]}}"#);
    let config = config(&format!(
        "agent = 'gw'\n[[bus]]\nname = 'b'\nurl = '{}'\ntimeout = '120ms'\nretries = 2\n\
         [[bus.device]]\nname = 'm'\nunit = 1\nperiod = '100ms'\nregister = [\
         {{ gauge = 'BF-1/x', table = 'input', address = 0, type = 'u32', unit = '1' }}]",
        meter.url
    ));
    let mut polled = Polled::start(&config);
    let longer = |meter: &Meter| {
        meter.log().lines().filter(|line| line.contains("\"words\":[7,8,9")).count()
    };
    // since all of its answers are alike, it is suspected once, for two patiences
    let (mut seen, mut suspected) = (0, 0);
    let noise = r#"{"say": {"bytes": "00ff00fe80a1b2c3d4e5f60718"}}"#;
    polled
        .until("values in noise", |_, reading| {
            assert!(reading.point.value().is_none_or(|value| value == 7 * 65_536 + 8));
            seen += u32::from(reading.point.value().is_some());
            if seen < 20 {
                meter.tell(noise);
                suspected = longer(&meter);
            }
            seen == 30
        })
        .await;
    assert!(suspected < 10, "{}", meter.log());
    assert_eq!(longer(&meter), suspected, "{}", meter.log());
    let mut after = 0;
    polled
        .until("values of one that is doubted", |_, reading| {
            assert!(reading.point.value().is_none_or(|value| value == 7 * 65_536 + 8));
            after += u32::from(reading.point.value().is_some());
            if after == 3 {
                meter.tell(r#"{"say": {"unit": 1, "table": "input", "words": [1, 2, 3]}}"#);
            }
            after >= 10 && longer(&meter) >= suspected + 3
        })
        .await;
    polled.stop().await;
}

#[tokio::test]
async fn who_speaks_unasked_is_doubted_and_who_is_merely_noisy_is_not_by_rtu_over_tcp() {
    who_speaks_unasked_is_doubted_and_who_is_merely_noisy_is_not(Mode::RtuOverTcp).await;
}

#[tokio::test]
async fn who_speaks_unasked_is_doubted_and_who_is_merely_noisy_is_not_on_a_serial_line() {
    who_speaks_unasked_is_doubted_and_who_is_merely_noisy_is_not(Mode::Serial).await;
}

async fn a_fault_is_named_on_its_device_alone(mode: Mode, faults: &[(&str, &str)]) {
    let mut meter = Meter::start(mode);
    for unit in [1, 2] {
        meter.tell(&format!(
            r#"{{"set": {{"unit": {unit}, "table": "holding", "address": 7, "words": [{unit}, {unit}]}}}}"#
        ));
    }
    let device = |name: &str, unit: u8| {
        format!(
            "[[bus.device]]\nname = '{name}'\nunit = {unit}\nperiod = '250ms'\nregister = [\
             {{ gauge = 'BF-1/{name}', table = 'holding', address = 7, type = 'u32', unit = '1' }}]\n"
        )
    };
    let config = config(&format!(
        "agent = 'gw'\n[[bus]]\nname = 'b'\nurl = '{}'\ntimeout = '600ms'\nretries = 0\n{}{}",
        meter.url,
        device("ill", 1),
        device("well", 2),
    ));
    let mut polled = Polled::start(&config);
    for (fault, defect) in faults {
        let (kind, bytes) = fault.split_once(' ').unwrap_or((fault, ""));
        meter.tell(&format!(
            r#"{{"fault": {{"unit": 1, "kind": "{kind}", "ms": 800, "count": 1, "bytes": "{bytes}"}}}}"#
        ));
        let mut phase = 0;
        polled
            .until(&format!("{defect} after {fault}, then a value"), |name, reading| {
                let quality = reading.point.quality.word();
                match (name, phase) {
                    ("well", _) => assert_eq!(quality, "good", "{fault} of the other device"),
                    ("ill", 0) if quality == *defect => phase = 1,
                    ("ill", 0) => assert_eq!(quality, "good", "{fault}"),
                    ("ill", _) if quality == "good" => phase = 2,
                    _ => assert_eq!(quality, "back_off", "{fault}"),
                }
                phase == 2
            })
            .await;
        let status = polled.status();
        assert_eq!(
            (status.state.as_str(), status.devices[0].reason.as_deref()),
            ("ok", Some(*defect))
        );
    }
    polled.stop().await;
}

#[tokio::test]
async fn a_fault_is_named_on_its_device_alone_by_tcp() {
    let faults = [
        ("silent", "timeout"),
        ("delay", "timeout"),
        ("exception", "exception_4"),
        ("short", "short"),
        ("truncated", "malformed"),
        ("wrong_unit", "mismatched"),
        ("wrong_transaction", "mismatched"),
        ("wrong_function", "mismatched"),
        ("garbage", "malformed"),
        ("close", "unreachable"),
    ];
    a_fault_is_named_on_its_device_alone(Mode::Tcp, &faults).await;
}

const RTU_FAULTS: [(&str, &str); 9] = [
    ("silent", "timeout"),
    ("delay", "timeout"),
    ("exception", "exception_4"),
    ("short", "short"),
    ("truncated", "malformed"),
    ("wrong_unit", "mismatched"),
    ("wrong_function", "mismatched"),
    ("garbage", "malformed"),
    ("bad_crc", "malformed"),
];

#[tokio::test]
async fn a_fault_is_named_on_its_device_alone_by_rtu_over_tcp() {
    let mut faults = RTU_FAULTS.to_vec();
    faults.push(("close", "unreachable"));
    a_fault_is_named_on_its_device_alone(Mode::RtuOverTcp, &faults).await;
}

#[tokio::test]
async fn a_fault_is_named_on_its_device_alone_on_a_serial_line() {
    a_fault_is_named_on_its_device_alone(Mode::Serial, &RTU_FAULTS).await;
}

/// So much noise is an error of the library's codec, which hears nothing on that stream from then on.
#[tokio::test]
async fn noise_in_place_of_an_answer_costs_no_neighbour_a_reading() {
    let noise = format!("garbage {}", "ff".repeat(28));
    for mode in [Mode::RtuOverTcp, Mode::Serial] {
        a_fault_is_named_on_its_device_alone(mode, &[(&noise, "malformed")]).await;
    }
}

/// Passes bytes on and keeps those that the agent sent, one list for each connection.
async fn recording_proxy(meter: String) -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sent: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let record = Arc::clone(&sent);
    let meter = meter.trim_start_matches("tcp://").to_owned();
    let accepting = async move {
        while let Ok((agent, _)) = listener.accept().await {
            let index = {
                let mut all = record.lock().unwrap();
                all.push(Vec::new());
                all.len() - 1
            };
            let meter = TcpStream::connect(&meter).await.unwrap();
            let (mut from_agent, mut to_agent) = agent.into_split();
            let (mut from_meter, mut to_meter) = meter.into_split();
            let record = Arc::clone(&record);
            tokio::task::spawn_local(async move {
                let mut bytes = [0; 1_024];
                while let Ok(count @ 1..) = from_agent.read(&mut bytes).await {
                    record.lock().unwrap()[index].extend(&bytes[..count]);
                    if to_meter.write_all(&bytes[..count]).await.is_err() {
                        break;
                    }
                }
            });
            tokio::task::spawn_local(async move {
                drop(tokio::io::copy(&mut from_meter, &mut to_agent).await);
            });
        }
    };
    tokio::task::spawn_local(accepting);
    (format!("tcp://127.0.0.1:{port}"), sent)
}

#[tokio::test]
async fn no_function_but_the_four_that_read_ever_leaves() {
    let local = tokio::task::LocalSet::new();
    local.run_until(all_functions_read()).await;
}

async fn all_functions_read() {
    let mut meter = Meter::start(Mode::Tcp);
    let (url, sent) = recording_proxy(meter.url.clone()).await;
    let tables = ["coil", "discrete", "holding", "input"];
    let mut registers = String::new();
    for table in tables {
        meter.tell(&format!(
            r#"{{"set": {{"unit": 1, "table": "{table}", "address": 0, "words": [1]}}}}"#
        ));
        let kind =
            if table.len() > 5 && table != "holding" || table == "coil" { "bool" } else { "u16" };
        writeln!(
            registers,
            "{{ gauge = 'BF-1/{table}', table = '{table}', address = 0, type = '{kind}', unit = '1' }},"
        )
        .unwrap();
    }
    let config = config(&format!(
        "agent = 'gw'\n[[bus]]\nname = 'b'\nurl = '{url}'\ntimeout = '150ms'\n[[bus.device]]\n\
         name = 'm'\nunit = 1\nperiod = '100ms'\nregister = [\n{registers}]"
    ));
    let mut polled = Polled::start(&config);
    for fault in ["exception", "short", "garbage", "wrong_function", "silent", "close"] {
        meter.tell(&format!(r#"{{"fault": {{"unit": 1, "kind": "{fault}", "count": 2}}}}"#));
        let mut good = BTreeSet::new();
        polled
            .until("a good reading of each table", |name, reading| {
                if reading.point.quality.has_value() {
                    good.insert(name.to_owned());
                } else {
                    good.clear();
                }
                good.len() == tables.len()
            })
            .await;
    }
    polled.stop().await;
    let mut functions = BTreeMap::new();
    for connection in sent.lock().unwrap().iter() {
        assert_eq!(connection.len() % 12, 0, "a request to read is 12 bytes: {connection:02x?}");
        for frame in connection.chunks(12) {
            assert_eq!(frame[2..6], [0, 0, 0, 6], "{frame:02x?}");
            *functions.entry(frame[7]).or_insert(0) += 1;
        }
    }
    assert_eq!(functions.into_keys().collect::<Vec<_>>(), [1, 2, 3, 4]);
    let log = meter.log();
    assert!(!log.contains("not_a_read"), "{log}");
}

#[tokio::test]
async fn a_device_that_comes_back_is_read_again() {
    let mut meter = Meter::start(Mode::Tcp);
    let set = r#"{"set": {"unit": 1, "table": "input", "address": 0, "words": [7]}}"#;
    meter.tell(set);
    let config = config(&format!(
        "agent = 'gw'\n[[bus]]\nname = 'b'\nurl = '{}'\ntimeout = '100ms'\n[[bus.device]]\n\
         name = 'm'\nunit = 1\nperiod = '100ms'\n\
         register = [{{ gauge = 'BF-1/x', table = 'input', address = 0, type = 'u16', unit = '1' }}]",
        meter.url
    ));
    let mut polled = Polled::start(&config);
    polled.until("a value", |_, reading| reading.point.value() == Some(7)).await;
    meter.tell(r#"{"drop": {"unit": 1}}"#);
    polled.until("a timeout", |_, reading| reading.point.quality.word() == "timeout").await;
    assert_eq!(polled.status().devices[0].state, "silent");
    polled
        .until("a slot not polled", |_, reading| reading.point.quality.word() == "back_off")
        .await;
    meter.tell(set);
    polled.until("a value again", |_, reading| reading.point.value() == Some(7)).await;
    drop(meter);
    polled.until("no line", |_, reading| reading.point.quality.word() == "unreachable").await;
    assert_eq!(polled.status().state, "unreachable");
    polled.stop().await;
}

#[tokio::test]
async fn a_probe_shows_every_order_and_judges_none() {
    let mut meter = Meter::start(Mode::Tcp);
    meter.tell(
        r#"{"set": {"unit": 1, "table": "input", "address": 100, "type": "f32", "order": "cdab", "value": 0.612}}"#,
    );
    let config = config(&format!(
        "agent = 'gw'\n[[bus]]\nname = 'b'\nurl = '{}'\ntimeout = '200ms'\nretries = 0\n\
         [[bus.device]]\nname = 'flow'\nunit = 1\nperiod = '1s'\nregister = [\
         {{ gauge = 'BF-1/flow', table = 'input', address = 100, type = 'f32', unit = 'm3/s' }},\
         {{ gauge = 'BF-1/none', table = 'input', address = 500, type = 'u16', unit = '1' }}]\n\
         [[bus.device]]\nname = 'gone'\nunit = 9\nperiod = '1s'\nregister = [\
         {{ gauge = 'BF-1/gone', table = 'input', address = 0, type = 'u16', unit = '1' }}]",
        meter.url
    ));
    let probed = probe(&config, None).await.unwrap();
    for part in [
        "BF-1/flow at 100 f32: ac08 3f1c = 0.000000 m3/s",
        "abcd -1.936e-12 (set)",
        "cdab 0.612000\n",
        "exception_2 (illegal data address: no such address",
        "timeout (no answer",
    ] {
        assert!(probed.text.contains(part), "no `{part}` in\n{}", probed.text);
    }
    assert_eq!(probed.failures, 2);
    let unknown = probe(&config, Some("nobody")).await.unwrap_err();
    assert_eq!(unknown.to_string(), "no device is called `nobody`; there are flow, gone");
}

/// A meter that has addresses 100 to 103 and 110, and nothing between and after them.
async fn a_read_that_is_refused_as_a_whole_silences_no_register_that_exists(mode: Mode) {
    let mut meter = Meter::start(mode);
    for (address, words) in [(100, "[1, 2, 3, 4]"), (110, "[5]")] {
        meter.tell(&format!(
            r#"{{"set": {{"unit": 1, "table": "input", "address": {address}, "words": {words}}}}}"#
        ));
    }
    let register = |address: u16| {
        format!(
            "{{ gauge = 'BF-1/r{address}', table = 'input', address = {address}, type = 'u16', unit = '1' }}"
        )
    };
    let registers = [100, 101, 102, 103, 104, 110].map(register).join(", ");
    let config = config(&format!(
        "agent = 'gw'\n[[bus]]\nname = 'b'\nurl = '{}'\ntimeout = '500ms'\nretries = 0\n\
         [[bus.device]]\nname = 'm'\nunit = 1\nperiod = '250ms'\nregister = [{registers}]",
        meter.url
    ));
    let probed = probe(&config, None).await.unwrap();
    assert_eq!(probed.failures, 1, "{}", probed.text);
    assert!(
        probed.text.contains("input from 100 on the wire, 11: refused as a whole"),
        "{}",
        probed.text
    );

    let mut polled = Polled::start(&config);
    // From the first poll on, whose answers to the whole and to its pieces are of one slot.
    let mut first = BTreeMap::new();
    polled
        .until("a first reading of each", |name, reading| {
            let value = reading.point.value().map(|value| value.to_string());
            let shown = value.unwrap_or_else(|| reading.point.quality.word().into_owned());
            first.insert(name.to_owned(), shown);
            first.len() == 6
        })
        .await;
    let shown: Vec<_> = first.iter().map(|(name, shown)| format!("{name} {shown}")).collect();
    let expected = ["r100 1", "r101 2", "r102 3", "r103 4", "r104 exception_2", "r110 5"];
    assert_eq!(shown, expected);
    assert_eq!(polled.status().devices[0].state, "ok");
    let mut seen = 0;
    polled
        .until("more polls", |name, reading| {
            let is_there = name != "r104";
            assert_eq!(reading.point.value().is_some(), is_there, "{name}");
            seen += 1;
            seen >= 18
        })
        .await;
    polled.stop().await;
    let whole = meter.log().lines().filter(|line| line.contains("\"count\":11,")).count();
    assert_eq!(whole, 2, "once by the probe and once by the agent: {}", meter.log());
}

#[tokio::test]
async fn a_read_that_is_refused_as_a_whole_silences_no_register_that_exists_by_tcp() {
    a_read_that_is_refused_as_a_whole_silences_no_register_that_exists(Mode::Tcp).await;
}

#[tokio::test]
async fn a_read_that_is_refused_as_a_whole_silences_no_register_that_exists_on_a_serial_line() {
    a_read_that_is_refused_as_a_whole_silences_no_register_that_exists(Mode::Serial).await;
}
