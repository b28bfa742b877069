//! What becomes of messages, told as one line each.

use expect_test::{Expect, expect};
use model::{
    batch::Column,
    ids::{BatchId, BootId, Epoch},
    quality::Quality,
    reading::Point,
};
use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_795_305_600_000;

fn registry() -> Registry {
    let text = r#"
        [[station]]
        id = "S1"
        name = "一号(示例)"
        kind = "hydropower"
        agent = "gw-1"
          [[station.gauge]]
          id = "flow"
          quantity = "flow"
          unit = "m3/s"
          decimals = 3
          interval = "5s"
          range = [0.0, 5.0]
          [[station.gauge]]
          id = "level"
          quantity = "level"
          unit = "m"
          decimals = 2
          interval = "5s"
        [[station]]
        id = "S2"
        name = "二号(示例)"
        kind = "hydropower"
        agent = "gw-2"
          [[station.gauge]]
          id = "flow"
          quantity = "flow"
          unit = "m3/s"
          decimals = 3
          interval = "5s"
    "#;
    store::registry::parse(text, &model::tree::Origin::Default).unwrap()
}

fn told(judgement: &Judgement) -> String {
    match judgement {
        Judgement::Garbage(garbage) => format!(
            "garbage {}{}: {}",
            garbage.reason.word(),
            if garbage.key.is_some() { ", known" } else { "" },
            garbage.detail
        ),
        Judgement::Admit(admit) => {
            let columns = admit.columns.iter().map(|column| {
                let qc = column.qc.as_ref().map_or(String::new(), |qc| format!(" qc {qc:?}"));
                format!(
                    "{} in {:?}@{}: {} from +{} to +{}{qc}",
                    column.gauge,
                    column.unit,
                    column.decimals,
                    column.points,
                    column.from.as_ms() - NOW,
                    column.to.as_ms() - NOW,
                )
            });
            let aside = admit.set_aside.iter().map(|part| {
                format!("aside {} {}: {}", part.gauge, part.reason.word(), part.detail)
            });
            columns.chain(aside).collect::<Vec<_>>().join("\n")
        }
    }
}

fn arrival<'a>(agent: &'a AgentId, payload: &'a [u8]) -> Arrival<'a> {
    Arrival { agent, topic: "t", payload, received_at: Timestamp::from_ms(NOW).unwrap() }
}

fn column(gauge: &str, unit: &str, decimals: u8, points: Vec<Point>) -> Column {
    Column { gauge: gauge.parse().unwrap(), unit: unit.into(), decimals, period_ms: 5000, points }
}

fn a_batch(agent: &str, columns: Vec<Column>) -> Batch {
    Batch {
        id: BatchId { agent: agent.parse().unwrap(), epoch: Epoch(7), sequence: 1 },
        clock: BatchClock::Utc { uncertainty_ms: 0 },
        previous: None,
        columns,
        gaps: vec![],
        anchors: vec![],
    }
}

fn check_batch(sender: &str, of: &Batch, expect: &Expect) {
    let payload = batch_v1::encode(of);
    let agent = sender.parse().unwrap();
    expect.assert_eq(&told(&batch(arrival(&agent, &payload), &registry())));
}

fn check_json(readings: &str, expect: &Expect) {
    let payload = format!(r#"{{"readings":{readings}}}"#);
    let agent = "gw-1".parse().unwrap();
    expect.assert_eq(&told(&json(arrival(&agent, payload.as_bytes()), &registry())));
}

#[test]
fn a_batch_is_admitted_column_by_column() {
    let flow = vec![Point::good(NOW - 10_000, 1_800), Point::good(NOW - 5_000, 36_000)];
    let columns = vec![
        column("S1/flow", "m3/h", 0, flow.clone()),
        column("S1/level", "m3/h", 0, flow.clone()),
        column("S1/other", "m", 0, flow.clone()),
        column("S9/flow", "m3/s", 0, flow),
    ];
    check_batch(
        "gw-1",
        &a_batch("gw-1", columns),
        &expect![[r#"
            S1/flow in m3/s@6: 2 from +-10000 to +-5000 qc [0, 1, 1, 1]
            aside S1/level unit: `S1/level`: the agent sends `m3/h`, which cannot become `m`; correct the register's unit or the registry
            aside S1/other unknown_gauge: gauge `S1/other` is not in the registry
            aside S9/flow unknown_station: station `S9` is not in the registry"#]],
    );
}

#[test]
fn whoever_speaks_for_another_is_refused_whole() {
    let point = vec![Point::good(NOW, 1)];
    let both = vec![
        column("S1/flow", "m3/s", 0, point.clone()),
        column("S2/flow", "m3/s", 0, point.clone()),
    ];
    check_batch(
        "gw-1",
        &a_batch("gw-1", both),
        &expect![
            "garbage foreign_station, known: `S2/flow`: the registry lets another agent than `gw-1` speak for this station, or none"
        ],
    );
    check_batch(
        "gw-1",
        &a_batch("gw-2", vec![column("S2/flow", "m3/s", 0, point)]),
        &expect!["garbage agent_mismatch: the batch says `gw-2`, its topic `gw-1`"],
    );
}

#[test]
fn a_moment_too_far_ahead_waits_until_it_has_come() {
    let at =
        |ms| a_batch("gw-1", vec![column("S1/flow", "m3/s", 0, vec![Point::good(NOW + ms, 1)])]);
    check_batch("gw-1", &at(120_000), &expect!["S1/flow in m3/s@6: 1 from +120000 to +120000"]);
    check_batch(
        "gw-1",
        &at(120_001),
        &expect![
            "aside S1/flow time: `flow`: a moment of 2026-11-22T00:02:00.001Z, while the server's clock says 2026-11-22T00:00:00Z; correct the agent's clock"
        ],
    );
    check_batch(
        "gw-1",
        &at(-900_000_000_000),
        &expect![
            "aside S1/flow time: `flow`: a moment of 1998-05-16T08:00:00Z, while the server's clock says 2026-11-22T00:00:00Z; correct the agent's clock"
        ],
    );
}

#[test]
fn a_value_beyond_64_bits_and_a_boot_relative_moment_are_set_aside() {
    let huge = column("S1/flow", "m3/s", 0, vec![Point::good(NOW, i64::MAX)]);
    check_batch(
        "gw-1",
        &a_batch("gw-1", vec![huge]),
        &expect![
            "aside S1/flow range: `flow`: a value that 64 bits do not hold with 6 decimals of `m3/s`"
        ],
    );
    let early = column("S1/flow", "m3/s", 0, vec![Point::good(17, 1)]);
    let booted =
        Batch { clock: BatchClock::Boot { boot_id: BootId(1) }, ..a_batch("gw-1", vec![early]) };
    check_batch(
        "gw-1",
        &booted,
        &expect![
            "aside S1/flow clock: moments since boot 00000000000000000000000000000001, for which no anchor has come"
        ],
    );
}

#[test]
fn a_defect_has_no_value_to_doubt() {
    let silent = column("S1/flow", "m3/s", 0, vec![Point::defect(NOW, Quality::TIMEOUT)]);
    check_batch(
        "gw-1",
        &a_batch("gw-1", vec![silent]),
        &expect!["S1/flow in m3/s@6: 1 from +0 to +0"],
    );
}

#[test]
fn readings_are_admitted_one_by_one() {
    let reading =
        |gauge, at, value| format!(r#"{{"gauge":"{gauge}","at":"{at}","value":{value}}}"#);
    let readings = [
        reading("S1/level", "2026-11-22T08:00:00+08:00", "1.5"),
        reading("S1/flow", "2026-11-22T00:00:05Z", "0.612"),
        reading("S1/flow", "2026-11-22T00:00:00Z", "7"),
        reading("S1/flow", "2026-11-22T00:00:00Z", "8"),
        reading("S1/flow", "2026-11-22T00:03:00Z", "0.6"),
        reading("S1/flow", "1999-12-31T23:59:59Z", "0.6"),
        reading("S1/flow", "2026-11-22T00:00:01Z", "\"0.6\""),
        reading("S1/new", "2026-11-22T00:00:00Z", "1"),
        reading("S1/flow", "2026-11-22T00:00:02Z", "1e300"),
    ];
    check_json(
        &format!("[{}]", readings.join(",")),
        &expect![[r#"
            S1/flow in m3/s@6: 2 from +0 to +5000 qc [1, 1, 0, 1]
            S1/level in m@4: 1 from +0 to +0
            aside S1/new unknown_gauge: gauge `S1/new` is not in the registry
            aside  reading: reading 4: `S1/flow` at 2026-11-22T00:03:00Z, while the server's clock says 2026-11-22T00:00:00Z; reading 5: `S1/flow` at 1999-12-31T23:59:59Z, while the server's clock says 2026-11-22T00:00:00Z; reading 6: `"0.6"` is not a number; reading 8: `S1/flow`: `1e300` is too large"#]],
    );
    check_json("[]", &expect!["garbage reading, known: no readings"]);
    check_json(
        "17",
        &expect![[
            r#"garbage undecodable, known: not readings: invalid type: integer `17`, expected a sequence at line 1 column 2"#
        ]],
    );
    check_json(
        &reading("S2/flow", "2026-11-22T00:00:00Z", "1"),
        &expect![
            "garbage foreign_station, known: `S2/flow`: the registry lets another agent than `gw-1` speak for this station, or none"
        ],
    );
}

proptest! {
    #[test]
    fn any_bytes_are_admitted_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (agent, registry) = ("gw-1".parse().unwrap(), Registry::default());
        batch(arrival(&agent, &bytes), &registry);
        json(arrival(&agent, &bytes), &registry);
    }
}
