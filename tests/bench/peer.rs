//! Prometheus and Alertmanager of Debian, as peers: on loopback, each with a folder of its own.

use std::{
    env,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use serde_json::Value;
use world::{Process, wait};

use crate::machine;

const PATIENCE: Duration = Duration::from_secs(120);

/// How often it scrapes and evaluates, and how long Alertmanager waits for more of a group.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two scrapes, and between two evaluations.
    pub interval: Duration,
    /// `group_wait`.
    pub group_wait: Duration,
}

/// A Prometheus; dropped, it ends.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    port: u16,
    _stations: Option<Listener>,
    _folder: tempfile::TempDir,
}

/// An Alertmanager; dropped, it ends.
#[derive(Debug)]
pub struct Alertmanager {
    process: Process,
    /// Where it listens.
    pub port: u16,
    _folder: tempfile::TempDir,
}

fn program(name: &str) -> Option<PathBuf> {
    Some(PathBuf::from(env::var_os("BASEFLOW_PROMETHEUS")?).join(name))
}

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("baseflow-peer-").tempdir().expect("a temporary folder")
}

fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

impl Prometheus {
    /// Why there is none.
    pub fn why() -> String {
        let why = env::var_os("BASEFLOW_PROMETHEUS_WHY");
        why.map_or_else(
            || "start it with ./run bench".to_owned(),
            |why| why.to_string_lossy().into(),
        )
    }

    /// One that scrapes `target` and evaluates these rules; `None` where this machine has none.
    pub fn start(target: u16, rules: &str, pace: Pace, alerts: Option<u16>) -> Option<Self> {
        let program = program("prometheus")?;
        let (folder, port) = (folder(), free());
        let path = |name: &str| folder.path().join(name);
        let interval = seconds(pace.interval);
        let mut settings = format!(
            "global:\n  scrape_interval: {interval}\n  scrape_timeout: {interval}\n  evaluation_interval: {interval}\n\
             rule_files: [\"rules.yml\"]\n\
             scrape_configs:\n- job_name: stations\n  static_configs:\n  - targets: [\"127.0.0.1:{target}\"]\n"
        );
        if let Some(alerts) = alerts {
            write!(
                settings,
                "alerting:\n  alertmanagers:\n  - static_configs:\n    - targets: [\"127.0.0.1:{alerts}\"]\n"
            )
            .expect("a string takes all");
        }
        fs::write(path("prometheus.yml"), settings).expect("a settings file");
        let rules = format!("groups:\n- name: stations\n  rules:\n{rules}");
        fs::write(path("rules.yml"), rules).expect("a file of rules");
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(folder.path());
        let process = Process::start("Prometheus", &mut command, &path("prometheus.log"));
        let mut peer = Self { process, port, _stations: None, _folder: folder };
        peer.expect_ready();
        Some(peer)
    }

    /// One with a rule for each of so many stations, every fourth of which runs short.
    pub fn with_rules(stations: usize, interval: Duration) -> Option<Self> {
        let mut text = String::from("# TYPE flow gauge\n");
        let mut rules = String::new();
        for station in 0..stations {
            let flow = if station.is_multiple_of(4) { "0.25" } else { "1.00" };
            writeln!(text, "flow{{station=\"BF-{station:06}\"}} {flow}").expect("a string");
            writeln!(
                rules,
                "  - alert: Low\n    expr: flow{{station=\"BF-{station:06}\"}} < 0.5\n    for: 1s"
            )
            .expect("a string takes all");
        }
        let listener = Listener::start(move |_body| text.clone());
        let pace = Pace { interval, group_wait: Duration::ZERO };
        let mut peer = Self::start(listener.port, &rules, pace, None)?;
        peer._stations = Some(listener);
        Some(peer)
    }

    fn expect_ready(&mut self) {
        let port = self.port;
        wait::until("Prometheus is ready", PATIENCE, || {
            self.process.expect_running();
            get(port, "/-/ready").map(|_ready| ())
        });
    }

    /// Waits until so many alerts fire.
    pub fn expect_alerts(&self, count: usize) {
        wait::until("the rules of Prometheus fire", PATIENCE, || {
            let query = "/api/v1/query?query=count(ALERTS%7Balertstate%3D%22firing%22%7D)";
            let answer: Value =
                serde_json::from_str(&get(self.port, query)?).map_err(|error| error.to_string())?;
            let found = answer["data"]["result"][0]["value"][1].as_str().unwrap_or("0").to_owned();
            if found == count.to_string() { Ok(()) } else { Err(found) }
        });
    }

    /// User and system time until now.
    pub fn cpu_seconds(&self) -> f64 {
        machine::cpu_seconds(self.process.id())
    }

    /// Resident memory, MiB.
    pub fn resident(&self) -> f64 {
        machine::memory(self.process.id()).resident
    }

    /// What its rules have taken until now, by its own account.
    pub fn rule_seconds(&self) -> f64 {
        self.sum_of("prometheus_rule_evaluation_duration_seconds_sum")
    }

    /// How many rules it has evaluated until now.
    pub fn evaluations(&self) -> f64 {
        self.sum_of("prometheus_rule_evaluations_total")
    }

    fn sum_of(&self, name: &str) -> f64 {
        let text = get(self.port, "/metrics").expect("its metrics");
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

impl Alertmanager {
    /// One that tells `webhook` of each alert by itself.
    pub fn start(webhook: u16, pace: Pace) -> Option<Self> {
        let program = program("prometheus-alertmanager")?;
        let (folder, port) = (folder(), free());
        let path = |name: &str| folder.path().join(name);
        let wait = seconds(pace.group_wait);
        let settings = format!(
            "route:\n  receiver: bench\n  group_by: [station]\n  group_wait: {wait}\n  group_interval: 5m\n\
             receivers:\n- name: bench\n  webhook_configs:\n  - url: http://127.0.0.1:{webhook}/\n    send_resolved: false\n"
        );
        fs::write(path("alertmanager.yml"), settings).expect("a settings file");
        let mut command = Command::new(program);
        // without gossip, which would listen on every address
        command
            .arg(format!("--config.file={}", path("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", path("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .current_dir(folder.path());
        let mut process = Process::start("Alertmanager", &mut command, &path("alertmanager.log"));
        wait::until("Alertmanager is ready", PATIENCE, || {
            process.expect_running();
            get(port, "/-/ready").map(|_ready| ())
        });
        Some(Self { process, port, _folder: folder })
    }

    /// User and system time until now.
    pub fn cpu_seconds(&self) -> f64 {
        machine::cpu_seconds(self.process.id())
    }
}

/// The body of an answer of loopback.
fn get(port: u16, path: &str) -> Result<String, String> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let answer = agent.get(format!("http://127.0.0.1:{port}{path}")).call();
    let mut answer = answer.map_err(|error| error.to_string())?;
    let body = answer.body_mut().with_config().limit(64 << 20).read_to_string();
    body.map_err(|error| error.to_string())
}

/// Answers every request of loopback with a text that is made of its body; dropped, it ends.
#[derive(Debug)]
pub struct Listener {
    /// Where it listens.
    pub port: u16,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Listens from here on.
    pub fn start(mut answer: impl FnMut(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let is_over = Arc::<AtomicBool>::default();
        let ends = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                // whoever went away has nothing to be told
                drop(serve(&stream, &mut answer));
            }
        });
        Self { port, is_over, thread: Some(thread) }
    }
}

fn serve(stream: &TcpStream, answer: &mut impl FnMut(&str) -> String) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let text = line.trim().to_ascii_lowercase();
        if let Some(said) = text.strip_prefix("content-length:") {
            length = said.trim().parse().unwrap_or(0);
        }
        if text.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let text = answer(&String::from_utf8_lossy(&body));
    let mut stream = stream;
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{text}", text.len())
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// When a webhook heard of which station first.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<(String, i64)>>>);

impl Heard {
    /// The webhook, and what it hears.
    pub fn listen() -> (Listener, Self) {
        let heard = Self::default();
        let told = heard.clone();
        let listener = Listener::start(move |body| {
            let now = wait::now_ms();
            let document: Value = serde_json::from_str(body).unwrap_or_default();
            for alert in document["alerts"].as_array().into_iter().flatten() {
                let station = alert["labels"]["station"].as_str().unwrap_or_default().to_owned();
                told.0.lock().unwrap_or_else(PoisonError::into_inner).push((station, now));
            }
            String::new()
        });
        (listener, heard)
    }

    /// When it heard of a station first, ms.
    pub fn of(&self, station: &str) -> Option<i64> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().find(|(name, _)| name == station).map(|(_, at)| *at)
    }
}

/// The exporter on pymodbus, which reads these input registers of a meter at each scrape.
#[derive(Debug)]
pub struct Exporter {
    _process: Process,
    /// Where it listens.
    pub port: u16,
}

impl Exporter {
    /// Starts it for registers 0, 2, 4 … of two words each.
    pub fn start(folder: &Path, meter: u16, stations: usize) -> Self {
        let port = free();
        let script = world::repository().join("tests/peers/exporter.py");
        let mut command = Command::new(world::tool("BASEFLOW_PYTHON"));
        command.arg(script).args([port.to_string(), meter.to_string(), stations.to_string()]);
        let mut process =
            Process::start("the exporter", &mut command, &folder.join("exporter.log"));
        wait::until("the exporter answers", PATIENCE, || {
            process.expect_running();
            get(port, "/metrics").map(|_text| ())
        });
        Self { _process: process, port }
    }
}
