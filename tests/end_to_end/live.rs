//! Live: what a register says is seen by a page that looks, and whoever comes back misses nothing.

use std::time::Duration;

use serde_json::{Value, json};
use world::{Bus, Known, Register, Site, Viewer, World, wait};

const PATIENCE: Duration = Duration::from_secs(60);

const RULES: &str = r#"
  [[station.outlet]]
  id = "pipe"
  flow = { gauge = "release" }

  [[station.mandate]]
  document = "示例文号 1"
  from = "2024-01-01"
  seasons = [ { from = "01-01", flow = 0.5 } ]
  rule = "hourly"

[[rule]]
id = "hourly"
statistic = "hourly_mean"
"#;

const GAUGE: &str = "gauges BF-live/release";
const SECTION: &str = "sections BF-live/dam";

fn until(page: &Viewer, what: &str, is_so: impl Fn(&Known) -> bool) -> Known {
    wait::until(what, PATIENCE, || {
        let known = page.known();
        if is_so(&known) { Ok(known) } else { Err(format!("{known:?}")) }
    })
}

fn stands(known: &Known, value: f64, state: &str) -> bool {
    let (gauge, section) = (known.fact(GAUGE), known.fact(SECTION));
    gauge["value"] == json!(value)
        && section["released"]["value"] == json!(value)
        && section["state"] == json!(state)
}

#[test]
fn what_a_register_says_is_seen_live_and_whoever_comes_back_misses_nothing() {
    let mut world = World::new("live");
    world.server.judge();
    let mut meter = world.meter("em");
    let flow = Register::flow("release", 1, 100, "abcd");
    meter.command(&flow.set(2_160.0));
    let bus = Bus::new(&meter, "500ms", vec![flow.clone()]);
    let site = Site { max_age: "0s", ..Site::new("live", vec![bus]) };
    world.open_with(&[&site], &[], RULES);
    let api = world.server.api();
    let page = api.live("?stations=BF-live", None);
    let overview = api.live("", None);
    let mut agent = world.agent(&site);
    agent.start();
    let known = until(&page, "0.6 m³/s is seen", |known| stands(known, 0.6, "ok"));
    assert_eq!(known.events[0], "snapshot");
    assert_eq!(known.fact(SECTION)["required"]["value"], json!(0.5));
    let known =
        until(&page, "a beat comes", |known| known.events.iter().any(|name| name == "beat"));
    assert_eq!(known.events.iter().filter(|name| *name == "snapshot").count(), 1);
    meter.command(&flow.set(1_440.0));
    until(&page, "0.4 m³/s is seen", |known| stands(known, 0.4, "breach"));
    // an overview asked for no gauges, and counts stations
    let known = until(&overview, "the overview sees it", |known| {
        known.fact("counts")["stations"] == json!({"breach": 1})
    });
    assert_eq!(known.fact(GAUGE), Value::Null);
    // a page is away for a while
    let known = page.known();
    drop(page);
    meter.command(&flow.set(1_800.0));
    wait::until("the station shows 0.5 m³/s", PATIENCE, || {
        let station = api.get("/stations/BF-live");
        if station["released"]["value"] == json!(0.5) { Ok(()) } else { Err(station) }
    });
    let page = api.live("?stations=BF-live", Some(known));
    let known = until(&page, "0.5 m³/s is seen", |known| stands(known, 0.5, "near"));
    assert_eq!(known.events[0], "delta", "it is told what it missed, and nothing else");
    assert!(!known.events.iter().any(|name| name == "snapshot"));
    agent.stop();
    // whatever it was told piece by piece is what somebody who comes now is told at once
    wait::until("both know the same", PATIENCE, || {
        let fresh = api.live("?stations=BF-live", None);
        let there = until(&fresh, "a snapshot", |known| !known.events.is_empty()).facts;
        let here = page.known().facts;
        if here == there { Ok(()) } else { Err(format!("{here:?}, {there:?}")) }
    });
    // a page that looks does not keep the server from stopping, and is told the end
    world.server.stop();
    until(&page, "the stream has ended", |known| known.is_over);
    until(&overview, "the stream has ended", |known| known.is_over);
}
