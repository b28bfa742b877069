//! The pages in a real Chromium, against a real server: `browser/` has the tests, this their world.

use std::{
    env,
    fmt::Write as _,
    fs,
    io::Write as _,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use model::time::Timestamp;
use world::{Finished, World, heavy, not_proven, program, repository, wait};

const PATIENCE: Duration = Duration::from_secs(90);
const PASSWORD: &str = "Kj7-mqzwp";
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Days of history.
const DAYS: i64 = 40;

/// Stations as a bureau has them: four that fall short just now, one with a history, one that is
/// near its mandate, one that is silent, one that has gone, and one whose name is a script.
const REGISTRY: &str = r#"
[[station]]
id = "BF-alarmed"
name = "鹿鸣滩(示例)"
river = "梨园河"
river_order = 10
county = "620721"
agent = "gw-third"
LIVE

[[station]]
id = "BF-second"
name = "红石湾(示例)"
river = "黑河干流"
river_order = 20
county = "620722"
agent = "gw-third"
LIVE

[[station]]
id = "BF-third"
name = "石峡口(示例)"
river = "黑河干流"
river_order = 25
county = "620722"
agent = "gw-third"
LIVE

[[station]]
id = "BF-fourth"
name = "白杨渡(示例)"
river = "梨园河"
river_order = 20
county = "620721"
agent = "gw-third"
LIVE

[[station]]
id = "BF-history"
name = "双树坪(示例)"
river = "黑河干流"
river_order = 30
county = "620722"
SLOW

[[station]]
id = "BF-near"
name = "云杉峡(示例)"
river = "黑河干流"
river_order = 10
county = "620721"
SLOW

[[station]]
id = "BF-silent"
name = "隆畅沟(示例)"
river = "梨园河"
river_order = 30
county = "620721"
SLOW

[[station]]
id = "BF-exited"
name = "旧电站(示例)"
status = "exited"
county = "620721"

[[station]]
id = "BF-script"
name = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
river = "梨园河"
county = "620721"

[[rule]]
id = "hourly"
statistic = "hourly_mean"

[[alarm_rule]]
id = "low"
kind = "below_mandate"
stations = ["BF-alarmed", "BF-second", "BF-third", "BF-fourth"]
severity = "orange"
on_delay = "2s"
off_delay = "2s"
ladder = "duty"

[[contact]]
id = "zhang"
name = "张工"
reach = [ { channel = "sms", to = "13800000001" } ]

[[ladder]]
id = "duty"
steps = [ { contact = "zhang" } ]
"#;

const GAUGE: &str = r#"
  [[station.gauge]]
  id = "release"
  quantity = "flow"
  unit = "m3/s"
  interval = "INTERVAL"

  [[station.outlet]]
  id = "pipe"
  flow = { gauge = "release" }

  [[station.mandate]]
  document = "示例文号 1"
  from = "2024-01-01"
  seasons = [ { from = "01-01", flow = 0.5 } ]
  rule = "hourly"
"#;

fn registry() -> String {
    REGISTRY
        .replace("LIVE", &GAUGE.replace("INTERVAL", "1s"))
        .replace("SLOW", &GAUGE.replace("INTERVAL", "5m"))
}

/// What stands in the files before the tests begin: one value each five minutes.
fn history(now_ms: i64) -> String {
    let mut text = "station,gauge,at,value\n".to_owned();
    let step = 5 * MINUTE_MS;
    let last = now_ms - now_ms.rem_euclid(step);
    let mut line = |station: &str, at: i64, millis: i64| {
        let at = Timestamp::clamped(at);
        writeln!(text, "{station},release,{at},0.{millis:03}").expect("a text");
    };
    for number in 0..DAYS * DAY_MS / step {
        let at = last - number * step;
        let day = number * step / DAY_MS;
        // a day short, a day of which half is missing, and the others well
        let is_missing = day == 9 && number % 2 == 0 || day == 10 && number % 288 < 150;
        let millis = if day == 5 || day == 17 { 430 } else { 560 + number * 7 % 90 };
        if !is_missing {
            line("BF-history", at, millis);
        }
    }
    for number in 0..2 * DAY_MS / step {
        let at = last - number * step;
        line("BF-near", at, 510);
        line("BF-silent", at - 3 * 60 * MINUTE_MS, 620);
    }
    text
}

/// Tells four times a second that four stations let too little out, until it is dropped.
struct TooLittle {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl TooLittle {
    fn flows(world: &World) -> Self {
        let third = world.broker.client("gw-third");
        let is_over = Arc::<AtomicBool>::default();
        let ends = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let at = Timestamp::clamped(wait::now_ms());
                let stations = ["BF-alarmed", "BF-second", "BF-third", "BF-fourth"];
                let readings = stations.map(|station| {
                    format!(r#"{{"gauge":"{station}/release","at":"{at}","value":0.4}}"#)
                });
                let text = format!(r#"{{"readings":[{}]}}"#, readings.join(","));
                third.publish("baseflow/v1/gw-third/json", text.as_str());
                std::thread::park_timeout(Duration::from_millis(250));
            }
        });
        Self { is_over, thread: Some(thread) }
    }
}

impl Drop for TooLittle {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            drop(thread.join()); // what it found wrong, it has said
        }
    }
}

fn add_user(world: &World, name: &str, role: &str) {
    let arguments = ["user", "add", name, "--role", role, "--password-stdin"];
    let mut command = world.server.command_line(&arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a command");
    let mut input = child.stdin.take().expect("a pipe");
    writeln!(input, "{PASSWORD}").expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The address of the page behind the link in the message about a station.
fn link(world: &World, name: &str) -> String {
    wait::until("somebody is told of it", PATIENCE, || {
        let texts = world.server.messages().into_iter();
        let texts = texts.filter_map(|message| message["text"].as_str().map(str::to_owned));
        let texts: Vec<String> = texts.collect();
        let text = texts.iter().find(|text| text.contains(name));
        let link = text.and_then(|text| text.split_once("/i/")).and_then(|(_, at)| at.get(..13));
        link.map(|token| format!("/i/{token}")).ok_or_else(|| texts.join("\n"))
    })
}

#[test]
fn the_pages_hold_in_a_real_browser() {
    let chromium = env::var_os("CHROMIUM").filter(|path| !path.is_empty());
    let (Some(chromium), Some(node)) = (chromium, program("node")) else {
        return not_proven("the pages in a real browser (no Chromium, or no Node)");
    };
    let _turn = heavy();
    let mut world = World::new("browser");
    world.server.keep_watch();
    world.server.judge();
    world.open_with(&[], &["gw-third"], &registry());
    let file = world.folder().join("history.csv");
    fs::write(&file, history(wait::now_ms())).expect("a file");
    world.server.command(&["import", "samples", file.to_str().expect("a plain path")]).success();
    for (name, role) in [("duty", "duty"), ("viewer", "viewer"), ("careless", "viewer")] {
        add_user(&world, name, role);
    }
    let made = world.server.command(&["user", "add", "newcomer", "--role", "duty"]).success();
    let wall =
        world.server.command(&["token", "add", "--name", "hall", "--role", "wall"]).success();
    let _water = TooLittle::flows(&world);
    let link = link(&world, "红石湾");
    wait::until("the history is judged", PATIENCE, || {
        let page = world.server.api().get("/stations/BF-history/verdicts?by=day");
        let days = page["verdicts"].as_array().map_or(0, Vec::len);
        if days > 30 { Ok(()) } else { Err(format!("{days} days")) }
    });
    let mut command = Command::new(node);
    command
        .args(["--test", "--test-concurrency=1", "."])
        .current_dir(repository().join("tests/browser"))
        .env("BASEFLOW_URL", format!("http://127.0.0.1:{}", world.server.http()))
        .env("BASEFLOW_PID", world.server.process().id().to_string())
        .env("BASEFLOW_PASSWORD", PASSWORD)
        .env("BASEFLOW_LINK", link)
        .env("BASEFLOW_MADE_PASSWORD", made.trim())
        .env("BASEFLOW_WALL_TOKEN", wall.trim().rsplit('#').next().expect("a link"))
        .env("CHROMIUM", chromium);
    let Finished { code, out, err } = Finished::of(&mut command);
    println!("{out}");
    assert_eq!(code, 0, "{err}");
}
