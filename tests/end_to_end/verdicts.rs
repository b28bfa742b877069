//! Verdicts: hours and days judged from what a third party sent as JSON, read through the API.

use std::{fmt::Write as _, time::Duration};

use model::time::{Timestamp, Zone};
use serde_json::{Value, json};
use world::{World, wait};

const PATIENCE: Duration = Duration::from_secs(60);
const MINUTE: i64 = 60_000;

/// A station that owes 1.2 m³/s, hour by hour.
const REGISTRY: &str = r#"
[[station]]
id = "BF-judged"
kind = "hydropower"
status = "retained"
agent = "gw-third"

  [[station.gauge]]
  id = "release"
  quantity = "flow"
  unit = "m3/s"
  interval = "1m"

  [[station.outlet]]
  id = "pipe"
  flow = { gauge = "release" }

  [[station.mandate]]
  document = "示例文号 1"
  from = "2024-01-01"
  seasons = [ { from = "01-01", flow = 1.2 } ]
  rule = "hourly"

[[rule]]
id = "hourly"
statistic = "hourly_mean"
missing = "indeterminate"
day_hours_met = "20/24"
"#;

/// Minutes of `hour` at one flow, as a document.
fn minutes(begin: Timestamp, hour: i64, minutes: std::ops::Range<i64>, flow: &str) -> String {
    let mut readings = String::new();
    for minute in minutes {
        let at = begin.plus_ms((hour * 60 + minute) * MINUTE);
        let comma = if readings.is_empty() { "" } else { "," };
        write!(readings, r#"{comma}{{"gauge":"BF-judged/release","at":"{at}","value":{flow}}}"#)
            .expect("a text");
    }
    format!(r#"{{"readings":[{readings}]}}"#)
}

fn verdicts(world: &World, query: &str) -> Vec<Value> {
    let path = format!("/stations/BF-judged/verdicts?{query}&limit=500");
    let answer = world.server.api().get(&path);
    answer["verdicts"].as_array().expect("a list").clone()
}

#[test]
fn hours_of_a_past_day_are_judged_closed_and_named_in_the_journal() {
    let mut world = World::new("verdicts");
    world.server.judge();
    world.open_with(&[], &["gw-third"], REGISTRY);
    let now = Timestamp::clamped(wait::now_ms());
    let zone = Zone::named("Asia/Shanghai").expect("a zone");
    let begin = zone.start_of_day(zone.date_of(now.plus_ms(-3 * 24 * 60 * MINUTE)));
    let third = world.broker.client("gw-third");
    let send = |document: &str| {
        third.publish("baseflow/v1/gw-third/json", document);
    };
    send(&minutes(begin, 0, 0..60, "1.2"));
    send(&minutes(begin, 1, 0..45, "1.2"));
    send(&minutes(begin, 2, 0..44, "1.2"));
    send(&minutes(begin, 3, 0..60, "1.199999"));
    for hour in 4..24 {
        send(&minutes(begin, hour, 0..60, "1.3"));
    }
    send(&minutes(begin, 24, 0..1, "1.3")); // its day has passed
    let closed = wait::until("the day is closed", PATIENCE, || {
        let days = verdicts(&world, "by=day");
        let is_closed = days.first().is_some_and(|day| day["version"] == json!(1));
        if is_closed { Ok(days) } else { Err(format!("{days:?}")) }
    });
    let day = &closed[0];
    assert_eq!(day["from"], json!(begin), "{day}");
    assert_eq!(
        day["hours"],
        json!({"met": 22, "short": 1, "exempt": 0, "indeterminate": 1, "doubted": 0})
    );
    assert_eq!((&day["verdict"], &day["required"]), (&json!("met"), &json!(1.2)), "{day}");
    let hours = verdicts(&world, "by=hour");
    let first: Vec<String> = hours
        .iter()
        .take(5)
        .map(|hour| {
            let (verdict, because) = (&hour["verdict"], &hour["because"]);
            format!("{verdict} {because} {} {}", hour["observed"], hour["coverage"])
        })
        .collect();
    assert_eq!(
        first,
        [
            r#""met" "enough" 1.2 1"#,
            r#""met" "enough" 1.2 0.75"#,
            r#""indeterminate" "too_little_known" 1.2 0.7333"#,
            r#""short" "below" 1.199999 1"#,
            r#""met" "enough" 1.3 1"#,
        ],
    );
    // a chart of that day is made of the same, and never shows more than a verdict counts
    let path = format!(
        "/stations/BF-judged/series?from={begin}&to={}&points=24",
        begin.plus_ms(24 * 60 * MINUTE)
    );
    let series = world.server.api().get(&path);
    assert_eq!(series["step_ms"], json!(60 * MINUTE), "{series}");
    let observed: Vec<Value> = hours.iter().take(24).map(|hour| hour["observed"].clone()).collect();
    assert_eq!(series["buckets"]["mean"], json!(observed));
    assert_eq!(
        series["buckets"]["covered_ms"][1],
        json!(45 * MINUTE),
        "three quarters, as its coverage"
    );
    assert_eq!(series["gaps"].as_array().map(Vec::len), Some(2), "{series}");
    assert_eq!(
        series["gaps"][0]["from"],
        json!(begin.plus_ms((60 + 44) * MINUTE + 150_000)),
        "{series}"
    );
    assert_eq!(series["required"][0]["value"], json!(1.2));
    assert_eq!(series["breaches"].as_array().map(Vec::len), Some(1), "{series}");
    let month = verdicts(&world, "by=month");
    assert_eq!(month[0]["days"]["met"], json!(1), "{month:?}");
    let said = world.server.command(&["verify"]).success();
    assert!(said.contains("0 findings") && !said.contains(" 0 verdicts"), "{said}");
    // what came is days old: nothing is known of how it stands now but what it let out last
    // how it stands is written once a second at most
    let station = wait::until("the station shows what came last", PATIENCE, || {
        let station = world.server.api().get("/stations/BF-judged");
        if station["released"]["value"] == json!(1.3) { Ok(station) } else { Err(station) }
    });
    assert_eq!(station["state"], json!("stale"), "{station}");
    assert_eq!(station["sections"][0]["state"], json!("stale"), "{station}");
    // the bureau finds that the document says another number
    let right = REGISTRY.replace("flow = 1.2 }", "flow = 1.199999 }");
    std::fs::write(world.server.registry_file(), right).expect("a registry file");
    let file = world.server.registry_file().display().to_string();
    let tried = world.server.command(&["registry", "import", &file, "--dry-run"]).success();
    assert!(tried.contains("closed hours of 1 section are judged again"), "{tried}");
    world.server.import_registry();
    let second = wait::until("what is closed is judged again", 3 * PATIENCE, || {
        let hours = verdicts(&world, "by=hour&versions=all");
        let of_fourth = |hour: &&Value| hour["from"] == json!(begin.plus_ms(3 * 60 * MINUTE));
        let versions: Vec<Value> = hours.iter().filter(of_fourth).cloned().collect();
        if versions.len() == 2 { Ok(versions) } else { Err(format!("{versions:?}")) }
    });
    let words: Vec<&Value> = second.iter().map(|version| &version["verdict"]).collect();
    assert_eq!(words, [&json!("short"), &json!("met")]);
    let said = world.server.command(&["verify"]).success();
    assert!(said.contains("0 findings"), "{said}");
}
