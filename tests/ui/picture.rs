//! The picture of the README: fictional stations of fictional rivers, as a real server shows them.

use std::{fmt::Write as _, fs, time::Duration};

use model::time::Timestamp;
use world::{World, repository, wait};

use super::{MINUTE_MS, Programs, STEP_MS, add_user, import};

const PATIENCE: Duration = Duration::from_secs(120);
const DAYS: i64 = 40;
const PLACES: &str = r#"
[[county]]
id = "620702"
name = "甘州区"

[[county]]
id = "620721"
name = "肃南裕固族自治县"

[[county]]
id = "620722"
name = "民乐县"

[[river]]
name = "梨园河"
into = "黑河干流"
into_order = 35

[[river]]
name = "大堵麻河"
into = "黑河干流"
into_order = 60

[[rule]]
id = "hourly"
statistic = "hourly_mean"
"#;

/// A station, and how it has been lately.
struct Shown {
    id: &'static str,
    name: &'static str,
    river: &'static str,
    order: u32,
    county: &'static str,
    required: &'static str,
    /// Thousandths of m³/s.
    lets_out: fn(i64) -> Option<i64>,
}

const SHOWN: [Shown; 10] = [
    Shown {
        id: "01",
        name: "云杉峡一级(示例)",
        river: "黑河干流",
        order: 10,
        county: "620721",
        required: "0.8",
        lets_out: |at| Some(if at < 30 { 612 } else { 860 + at * 7 % 90 }),
    },
    Shown {
        id: "02",
        name: "云杉峡二级(示例)",
        river: "黑河干流",
        order: 20,
        county: "620721",
        required: "0.8",
        lets_out: |at| Some(950 + at * 5 % 120),
    },
    Shown {
        id: "03",
        name: "红石湾(示例)",
        river: "黑河干流",
        order: 30,
        county: "620721",
        required: "1.2",
        lets_out: |at| Some(1_420 + at * 11 % 160),
    },
    Shown {
        id: "04",
        name: "石峡口(示例)",
        river: "黑河干流",
        order: 40,
        county: "620702",
        required: "1.2",
        lets_out: |at| Some(1_210 + at * 3 % 8),
    },
    Shown {
        id: "05",
        name: "龙首渠(示例)",
        river: "黑河干流",
        order: 70,
        county: "620702",
        required: "1.5",
        lets_out: |at| Some(1_800 + at * 13 % 220),
    },
    Shown {
        id: "06",
        name: "雪线沟(示例)",
        river: "梨园河",
        order: 10,
        county: "620721",
        required: "0.35",
        lets_out: |at| Some(430 + at * 3 % 60),
    },
    Shown {
        id: "07",
        name: "鹿鸣滩(示例)",
        river: "梨园河",
        order: 20,
        county: "620721",
        required: "0.75",
        lets_out: |at| (at > 26).then_some(905 + at * 7 % 80),
    },
    Shown {
        id: "08",
        name: "隆畅沟(示例)",
        river: "梨园河",
        order: 30,
        county: "620721",
        required: "0.5",
        lets_out: |at| Some(640 + at * 5 % 70),
    },
    Shown {
        id: "09",
        name: "双树坪(示例)",
        river: "大堵麻河",
        order: 10,
        county: "620722",
        required: "0.4",
        lets_out: |at| Some(520 + at * 3 % 50),
    },
    Shown {
        id: "10",
        name: "松涛口(示例)",
        river: "大堵麻河",
        order: 20,
        county: "620722",
        required: "0.4",
        lets_out: |at| Some(470 + at * 9 % 60),
    },
];

fn registry() -> String {
    let mut text = PLACES.to_owned();
    for Shown { id, name, river, order, county, required, .. } in &SHOWN {
        write!(
            text,
            "\n[[station]]\nid = \"BF-{county}-{id}\"\nname = \"{name}\"\nriver = \"{river}\"\nriver_order = {order}\ncounty = \"{county}\"\n\
             gauge = [ {{ id = \"release\", quantity = \"flow\", unit = \"m3/s\", interval = \"5m\" }} ]\n\
             outlet = [ {{ id = \"pipe\", flow = {{ gauge = \"release\" }} }} ]\n\
             mandate = [ {{ document = \"示例文号 1\", from = \"2020-01-01\", seasons = [ {{ from = \"01-01\", flow = {required} }} ], rule = \"hourly\" }} ]\n"
        )
        .expect("a text");
    }
    text
}

fn history(now_ms: i64) -> String {
    let mut text = "station,gauge,at,value\n".to_owned();
    let last = now_ms - now_ms.rem_euclid(STEP_MS);
    for Shown { id, county, lets_out, .. } in &SHOWN {
        for number in 0..DAYS * 24 * 60 * MINUTE_MS / STEP_MS {
            let at = Timestamp::clamped(last - number * STEP_MS);
            // a day that was short, and one with a gap
            let value = match (*id, number / 288) {
                ("01", 9) => Some(700),
                ("01", 17) if number % 288 < 60 => None,
                _ => lets_out(number),
            };
            if let Some(millis) = value {
                let (whole, part) = (millis / 1_000, millis % 1_000);
                writeln!(text, "BF-{county}-{id},release,{at},{whole}.{part:03}").expect("a text");
            }
        }
    }
    text
}

pub(super) fn run(programs: &Programs) -> bool {
    let mut world = World::new("picture");
    world.server.judge();
    world.open_with(&[], &["gw-picture"], &registry());
    let file = world.folder().join("history.csv");
    fs::write(&file, history(wait::now_ms())).expect("a file");
    import(&world, &file);
    add_user(&world, "duty", "duty");
    wait::until("the history is judged", PATIENCE, || {
        let page = world.server.api().get("/stations/BF-620721-01/verdicts?by=day");
        let days = page["verdicts"].as_array().map_or(0, Vec::len);
        if days > 38 { Ok(()) } else { Err(format!("{days} days")) }
    });
    let mut script = programs.script(&mut world, &["timed/picture.mjs"]);
    script.env("BASEFLOW_PICTURES", repository().join("docs/pictures"));
    let is_good = script.status().expect("node").success();
    drop(world);
    is_good
}
