//! A month of a river in seconds: the agent's rules, a link that loses and delays, ingest and
//! compliance on one clock that is moved by hand, against a judge that only adds up water.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails ends by a panic"
)]

mod gateway;
mod judge;
mod river;
mod server;

use std::collections::{BTreeMap, BTreeSet};

use edge_agent::cycle::Source;
use gateway::Gateway;
use judge::Law;
use model::{time::Timestamp, verdict::Length};
use river::{Chance, DAY, Meter};
use server::Server;

/// Seeds of a run.
const SEEDS: u64 = 50;
/// Minutes of a month.
const MONTH: i64 = 31 * DAY;

/// The station, two outlets of unequal periods, and the law that this seed draws.
fn registry(chance: &mut Chance) -> String {
    let statistic = *chance.of(&[
        "hourly_mean\"",
        "hourly_mean\"",
        "daily_mean\"",
        "running_hour\"",
        "instantaneous\"",
        "below_for\"\n        below_for = \"30m\"",
        "below_for\"\n        below_for = \"90m\"",
    ]);
    let missing = *chance.of(&["short", "indeterminate"]);
    let day_start = *chance.of(&["00:00", "08:00"]);
    let factor = *chance.of(&["1", "0.95"]);
    let valid = *chance.of(&["20", "18"]);
    let met = *chance.of(&["22/24", "1/2"]);
    format!(
        r#"
        [[station]]
        id = "S"
        kind = "hydropower"
        status = "retained"
        agent = "gw"
        zone = "Asia/Shanghai"
        [[station.gauge]]
        id = "pipe"
        quantity = "flow"
        unit = "m3/s"
        interval = "5m"
        [[station.gauge]]
        id = "gate"
        quantity = "flow"
        unit = "m3/s"
        interval = "10m"
        [[station.outlet]]
        id = "pipe"
        flow = {{ gauge = "pipe" }}
        [[station.outlet]]
        id = "gate"
        flow = {{ gauge = "gate" }}
        [[station.mandate]]
        document = "示例文号 1"
        from = "2020-01-01"
        seasons = [ {{ from = "04-01", flow = 1.20 }}, {{ from = "10-01", flow = 0.75 }} ]
        rule = "r"
        [[rule]]
        id = "r"
        statistic = "{statistic}
        missing = "{missing}"
        day_start = "{day_start}"
        factor = {factor}
        hour_coverage = 0.75
        day_valid_hours = {valid}
        day_hours_met = "{met}"
        "#
    )
}

/// Over a leap day, the begin of a season, of the other one, and the new year.
const BEGINS: [&str; 4] = ["2028-02-15", "2027-03-20", "2027-09-20", "2027-12-15"];

/// Gauges and minutes between two readings; the slower one speaks first.
const OUTLETS: [(&str, i64); 2] = [("gate", 10), ("pipe", 5)];

/// What came of one seed.
#[derive(Debug, Default)]
struct Month {
    kinds: BTreeSet<&'static str>,
    versions: u32,
}

fn month(seed: u64) -> Month {
    let mut chance = Chance::new(seed);
    let text = registry(&mut chance);
    let law = Law::read(&text);
    let hour = if text.contains("08:00") { "08:00:00" } else { "00:00:00" };
    let begin: Timestamp = format!("{}T{hour}+08:00", chance.of(&BEGINS)).parse().unwrap();
    let mut server = Server::new(&text, begin);
    let sources = OUTLETS.map(|(name, minutes)| Source {
        gauge: format!("S/{name}").parse().unwrap(),
        unit: "m3/s".into(),
        decimals: 6,
        period_ms: u32::try_from(minutes * 60_000).unwrap(),
        alert_below: None,
    });
    let meters = [0, 1].map(|_| river::meter(&mut chance, MONTH, 600_000));
    // beyond a day, what is missing is closed before it comes
    let longest = *chance.of(&[20 * 60, 20 * 60, 2 * DAY]);
    let link = river::link(&mut chance, MONTH, longest);
    let agent = "gw".parse().unwrap();
    let mut gateway = Gateway::new(&agent, sources.to_vec(), server.store_id(), chance.clone());
    let mut readings: BTreeMap<String, Vec<(i64, Option<i64>)>> = BTreeMap::new();
    let mut said = [0, 0];
    let mut minute = 0;
    loop {
        let at = begin.plus_ms(minute * 60_000);
        server.set(at);
        if minute < MONTH {
            for (source, (name, every)) in OUTLETS.into_iter().enumerate() {
                if minute % every != 0 {
                    continue;
                }
                let value = match meters[source].at(minute) {
                    Meter::Dead => continue,
                    Meter::Stutters(_) if minute / every % 2 == 1 => continue,
                    Meter::Broken => None,
                    Meter::Exactly(enough) => Some(enough - said[1 - source]),
                    Meter::Says(flow) | Meter::Stutters(flow) => {
                        Some(flow + chance.between(-2_000, 2_000))
                    }
                };
                said[source] = value.unwrap_or(said[source]);
                readings.entry(name.to_owned()).or_default().push((at.as_ms() / 1_000, value));
                gateway.poll(minute, at, &[(source, value)]);
            }
        } else {
            gateway.close(minute);
        }
        let is_up = minute >= MONTH || link.at(minute);
        let messages = gateway.tick(minute, at, is_up);
        let is_news = !messages.is_empty();
        for message in messages {
            if let Some(batch) = server.take(message) {
                gateway.answered(minute, batch);
            }
        }
        if is_news || minute % 10 == 0 {
            assert!(server.judge(), "seed {seed}: judging never comes to an end");
        }
        if minute > MONTH && gateway.is_done() {
            break;
        }
        assert!(minute < MONTH + 2 * DAY, "the gateway never gets rid of what it has");
        minute += 1;
    }
    // what is missing for good is waited for a day
    for _ in 0..30 {
        minute += 60;
        server.set(begin.plus_ms(minute * 60_000));
        assert!(server.judge(), "seed {seed}: judging never comes to an end");
    }
    let month = compare(seed, &text, &law, &readings, (begin, &server));
    assert!(
        longest > DAY || month.versions == 1,
        "seed {seed}: something was closed while it was known that more would come"
    );
    month
}

/// The newest version of each period is what the judge says.
fn compare(
    seed: u64,
    text: &str,
    law: &Law,
    readings: &BTreeMap<String, Vec<(i64, Option<i64>)>>,
    (begin, server): (Timestamp, &Server),
) -> Month {
    let from = begin.as_ms() / 1_000;
    let to = from + MONTH * 60;
    let mut found = BTreeMap::new();
    let mut month = Month::default();
    for by in [Length::Hour, Length::Day] {
        for row in server.verdicts(by) {
            let Some(verdict) = row.verdict else { continue };
            month.versions = month.versions.max(row.version);
            found.insert(
                (by == Length::Day, row.span.from.as_ms() / 1_000),
                (row.version, verdict.word()),
            );
        }
    }
    let judged = law.judge(readings, from, to);
    let first = judged.first().map_or(to, |(_, at, _)| *at);
    assert!(
        found.keys().all(|(_, at)| *at >= first.min(to)),
        "seed {seed}: something was judged before enough was known\n{text}"
    );
    for (is_day, at, verdict) in judged {
        let row = found.get(&(is_day, at)).copied();
        let when = Timestamp::clamped(at * 1_000);
        let is_so = row.is_some_and(|(version, word)| version > 0 && word == verdict);
        assert!(
            is_so,
            "seed {seed}: {} from {when}: the engine says {row:?}, the judge {verdict}\n{text}",
            if is_day { "the day" } else { "the hour" }
        );
        month.kinds.insert(verdict);
    }
    month
}

/// `BASEFLOW_SEED` runs that one alone.
#[test]
fn engine_and_judge_agree_on_every_hour_and_day_of_every_month() {
    #[expect(clippy::disallowed_methods, reason = "a test has no settings")]
    let alone = std::env::var("BASEFLOW_SEED");
    if let Some(seed) = alone.ok().and_then(|seed| seed.parse().ok()) {
        println!("{:?}", month(seed));
        return;
    }
    let seeds: Vec<u64> = (1..=SEEDS).collect();
    let (even, odd): (Vec<u64>, Vec<u64>) = seeds.into_iter().partition(|seed| seed % 2 == 0);
    let months: Vec<Month> = std::thread::scope(|scope| {
        let halves = [even, odd]
            .map(|half| scope.spawn(move || half.into_iter().map(month).collect::<Vec<Month>>()));
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    let kinds: BTreeSet<&str> = months.iter().flat_map(|month| month.kinds.clone()).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["indeterminate", "met", "short"]);
    assert!(months.iter().any(|month| month.versions > 1), "something came late");
}
