//! `baseflow demo`: what its visitors are promised.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;
use world::{Api, Finished, Process, binary, wait};

const PATIENCE: Duration = Duration::from_secs(60);
/// From the start to the first message.
const MESSAGE: Duration = Duration::from_secs(150);
const FALLS: &str = "BF-990121-07";
const DAYS: &str = "3";

struct Demo {
    process: Process,
    log: PathBuf,
    began: wait::Since,
}

impl Demo {
    fn start(folder: &Path, name: &str, more: &[&str]) -> Self {
        let log = folder.join(format!("{name}.log"));
        let mut command = Command::new(binary("baseflow"));
        let data = folder.join("demo");
        command.args(["demo", "--listen", "127.0.0.1:0", "--days", DAYS, "--data"]).arg(data);
        let process = Process::start("the demonstration", command.args(more), &log);
        Self { process, log, began: wait::Since::now() }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The port of the pages, once everything is announced.
    fn port(&mut self) -> u16 {
        let port = wait::until("the address of the pages", PATIENCE, || {
            self.process.expect_running();
            let said = self.said();
            let address = said.split("pages    http://127.0.0.1:").nth(1);
            let port = address.and_then(|rest| rest.split('/').next()?.parse().ok());
            port.filter(|_| said.contains("Ctrl-C")).ok_or(said)
        });
        println!("the pages were announced after {:.1} s", self.began.elapsed().as_secs_f64());
        port
    }

    /// Ends it as Ctrl-C does.
    fn interrupt(mut self) {
        let began = wait::Since::now();
        self.process.signal(Signal::INT);
        let status = self.process.wait(PATIENCE);
        assert!(status.success(), "{status}: {}", self.said());
        let took = began.elapsed();
        assert!(took < Duration::from_secs(10), "stopping took {took:?}");
        assert!(!self.said().contains("ERROR"), "{}", self.said());
    }
}

fn log_in(port: u16, name: &str, said: &str) -> u16 {
    let line = said.lines().find(|line| line.contains(&format!(" {name} "))).expect("a log-in");
    let password = line.split_whitespace().last().expect("a password");
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent: ureq::Agent = config.into();
    let address = format!("http://127.0.0.1:{port}/api/v1/session");
    let asked = serde_json::json!({"name": name, "password": password});
    agent.post(address).send_json(asked).expect("an answer").status().as_u16()
}

fn api(folder: &Path, port: u16, name: &str) -> Api {
    let settings = folder.join("demo/baseflow.toml");
    let mut command = Command::new(binary("baseflow"));
    command.args(["token", "add", "--role", "duty", "--name", name, "--config"]).arg(settings);
    Api::new(port, Finished::of(&mut command).success().trim())
}

fn first(list: &[Value], matches: impl Fn(&Value) -> bool) -> Result<Value, String> {
    list.iter().find(|one| matches(one)).cloned().ok_or_else(|| format!("{list:?}"))
}

#[test]
fn all_stations_live_one_falls_and_is_told_of_within_150_s_and_a_second_run_goes_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut demo = Demo::start(folder.path(), "first", &[]);
    let port = demo.port();
    let said = demo.said();
    for name in ["duty", "viewer", "admin"] {
        assert_eq!(log_in(port, name, &said), 200, "{name}: {said}");
    }
    let api = api(folder.path(), port, "first");
    let gauges: Vec<String> = api.get("/stations?limit=100")["stations"]
        .as_array()
        .expect("stations")
        .iter()
        .map(|station| station["id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(gauges.len(), 29);

    // every agent speaks over the broker
    wait::until("29 agents are there", PATIENCE, || {
        let agents = api.list("agents", "");
        let online = agents.iter().filter(|agent| agent["online"] == true).count();
        if online == 29 { Ok(()) } else { Err(format!("{online}: {agents:?}")) }
    });
    assert!(api.list("quarantine", "&state=all").is_empty());

    // the history was judged by the engine
    let days = format!("/stations/{FALLS}/verdicts?by=day");
    wait::until("the days before are judged", PATIENCE, || {
        let verdicts = api.get(&days)["verdicts"].clone();
        let met = verdicts.as_array().into_iter().flatten();
        let met = met.filter(|day| day["verdict"] == "met" && day["provisional"] == false).count();
        if met >= 3 { Ok(()) } else { Err(verdicts) }
    });

    let fell =
        |alarm: &Value| alarm["station"] == FALLS && alarm["rule"] == "example-below-mandate";
    let message = wait::until("a message of the station that falls", MESSAGE, || {
        let alarm = first(&api.list("alarms", ""), fell)?;
        let about = |message: &Value| message["alarm"] == alarm["id"] && message["state"] != "owed";
        first(&api.list("notifications", ""), about)
    });
    println!("the first message after {:.1} s", demo.began.elapsed().as_secs_f64());
    assert!(message["text"].as_str().expect("a text").contains("雪线沟"), "{message}");
    demo.interrupt();

    let mut again = Demo::start(folder.path(), "second", &[]);
    let port = again.port();
    assert!(!again.said().contains("preparing"), "{}", again.said());
    assert_eq!(log_in(port, "duty", &again.said()), 200);
    assert_ne!(log_in(port, "duty", &said), 200, "an old password lets in");
    again.interrupt();
    let mut fresh = Demo::start(folder.path(), "third", &["--fresh"]);
    fresh.port();
    assert!(fresh.said().contains("preparing"), "{}", fresh.said());
    fresh.interrupt();
    let settings = folder.path().join("demo/baseflow.toml");
    let mut verify = Command::new(binary("baseflow"));
    Finished::of(verify.args(["verify", "--config"]).arg(settings)).success();
}
