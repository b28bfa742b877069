//! Meters on pymodbus and libmodbus, which log or fix every value that they give out.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
};

use serde_json::{Value, json};

use crate::{
    decode::Exact,
    process::{Process, open_log},
    proxy::{Proxy, Watch},
    site::Site,
    tool::{repository, tool},
};

/// A simulated station: `tests/peers/meter.py`, or the one on libmodbus.
#[derive(Debug)]
pub struct Meter {
    process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    log: PathBuf,
    port: Option<u16>,
    proxy: Option<Proxy>,
    url: String,
}

/// A value that a meter gave out in a sound reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Full name.
    pub gauge: String,
    /// When the reply was logged, ms.
    pub at_ms: i64,
    /// In the gauge's unit at the stored resolution.
    pub value: Exact,
}

impl Meter {
    pub(crate) fn tcp(folder: &Path, name: &str, watch: &Arc<Watch>) -> Self {
        let mut meter = Self::python(folder, name, &["tcp"]);
        let proxy = Proxy::start(meter.port.expect("a port"), watch);
        meter.url = format!("tcp://127.0.0.1:{}", proxy.port());
        meter.proxy = Some(proxy);
        meter
    }

    pub(crate) fn rtu_over_tcp(folder: &Path, name: &str) -> Self {
        let mut meter = Self::python(folder, name, &["rtu-over-tcp"]);
        meter.url = format!("rtu+tcp://127.0.0.1:{}", meter.port.expect("a port"));
        meter
    }

    /// A station on a serial line: it has `own` end, the agent the other one.
    pub fn rtu(folder: &Path, name: &str, own: &Path, other: &Path) -> Self {
        let own = own.to_str().expect("a plain path");
        let mut meter = Self::python(folder, name, &["rtu", "--device", own]);
        meter.url = format!("rtu://{}?baud=9600&parity=none", other.display());
        meter
    }

    /// The meter on libmodbus, whose registers are fixed; its source has the table.
    pub fn libmodbus(folder: &Path, watch: &Arc<Watch>) -> Self {
        let command = Command::new(tool("BASEFLOW_METER_C"));
        let log = folder.join("libmodbus.meter.jsonl");
        fs::write(&log, "").expect("an empty log");
        let mut meter = Self::spawn(folder, "libmodbus", command, log);
        let proxy = Proxy::start(meter.port.expect("a port"), watch);
        meter.url = format!("tcp://127.0.0.1:{}", proxy.port());
        meter.proxy = Some(proxy);
        meter
    }

    fn python(folder: &Path, name: &str, mode: &[&str]) -> Self {
        let log = folder.join(format!("{name}.meter.jsonl"));
        let mut command = Command::new(tool("BASEFLOW_PYTHON"));
        command.arg(repository().join("tests/peers/meter.py")).args(mode).arg("--log").arg(&log);
        Self::spawn(folder, name, command, log)
    }

    fn spawn(folder: &Path, name: &str, mut command: Command, log: PathBuf) -> Self {
        let err = folder.join(format!("{name}.meter.err"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(open_log(&err));
        let mut process = Process::start_with(&format!("the meter {name}"), &mut command, &err);
        let input = process.child().stdin.take().expect("a pipe");
        let output = BufReader::new(process.child().stdout.take().expect("a pipe"));
        let mut meter =
            Self { process, input, output, log, port: None, proxy: None, url: String::new() };
        let ready = meter.answer();
        meter.port = ready["port"].as_u64().map(|port| u16::try_from(port).expect("a port"));
        meter
    }

    /// Where an agent reaches it.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The port of the meter itself, behind the proxy.
    pub fn port(&self) -> u16 {
        self.port.expect("a meter on TCP")
    }

    /// What stands between agents and the meter.
    pub fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("a meter on TCP")
    }

    /// What it writes of every reply.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Carries out a command; it is in force afterwards.
    pub fn command(&mut self, command: &Value) -> Value {
        writeln!(self.input, "{command}").expect("the meter reads");
        let answer = self.answer();
        assert_eq!(answer["ok"], true, "{command} got {answer}");
        answer
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        let count = self.output.read_line(&mut line).expect("the meter writes");
        assert_ne!(count, 0, "the meter ended: {}", self.process.log_tail());
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Lets a unit answer wrongly; see `tests/peers/README.md` for the kinds.
    pub fn fault(&mut self, unit: u8, fault: &Value) {
        let mut body = fault.clone();
        body["unit"] = unit.into();
        self.command(&json!({"fault": body}));
    }

    /// From here on a unit says nothing, so that what it has given out stands.
    pub fn silence(&mut self, units: impl IntoIterator<Item = u8>) {
        for unit in units {
            self.fault(unit, &json!({"kind": "silent"}));
        }
    }

    /// Takes the meter away with its connections, as a power cut does.
    pub fn kill9(self) {
        let Self { process, .. } = self;
        process.kill9();
    }
}

/// What the meters of a site gave out in sound replies, in the order of their logs.
pub(crate) fn given(site: &Site) -> Vec<Given> {
    let mut given = Vec::new();
    for bus in &site.buses {
        for entry in entries(&bus.log) {
            let words = entry["words"].as_array().filter(|_| entry["fault"].is_null());
            let Some(words) = words else { continue };
            let small =
                |value: &Value| u16::try_from(value.as_u64().expect("a word")).expect("a word");
            let words: Vec<u16> = words.iter().map(small).collect();
            let (unit, first) = (entry["unit"].as_u64(), small(&entry["address"]));
            let at_ms = entry["ms"].as_i64().expect("a moment");
            for register in &bus.registers {
                if unit == Some(register.unit_id.into())
                    && entry["table"] == register.table
                    && let Some(Some(value)) = register.value(first, &words)
                {
                    given.push(Given { gauge: site.full(&register.gauge), at_ms, value });
                }
            }
        }
    }
    given
}

/// Whether every connection on which one of these units was asked is gone, so that they give out
/// nothing more.
pub fn is_left_alone(log: &Path, units: &BTreeSet<u8>) -> Result<(), String> {
    let mut connections = BTreeSet::new();
    for entry in entries(log) {
        let number = entry["conn"].as_u64().expect("each line has its connection");
        let unit = entry["unit"].as_u64().and_then(|unit| u8::try_from(unit).ok());
        if entry["event"] == "disconnect" {
            connections.remove(&number);
        } else if unit.is_some_and(|unit| units.contains(&unit)) {
            connections.insert(number);
        }
    }
    if connections.is_empty() { Ok(()) } else { Err(format!("{connections:?} are open")) }
}

/// The whole lines of a meter's log.
pub fn entries(log: &Path) -> Vec<Value> {
    let text = fs::read_to_string(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let parse = |line: &str| {
        serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("{}: {line}: {error}", log.display()))
    };
    text[..whole].lines().map(parse).collect()
}
