//! What becomes of messages, told as one line each.

use expect_test::{Expect, expect};
use model::{
    batch::{BatchClock, ClockAnchor, Column, Gap, GapReason},
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
                let since = |at: Timestamp| at.as_ms() - NOW;
                let after = part.after.map_or(String::new(), |at| format!(" after +{}", since(at)));
                let due = part.due.map_or(String::new(), |at| format!(" due +{}", since(at)));
                format!("aside {} {}{after}{due}: {}", part.gauge, part.reason.word(), part.detail)
            });
            let gaps = admit.gaps.iter().map(|admitted| {
                let (number, gap) = (admitted.number, &admitted.gap);
                let (from, to) = (gap.from_ms - NOW, gap.to_ms - NOW);
                format!("gap {number} of {:?} from +{from} to +{to}", gap.gauges)
            });
            let anchors =
                admit.anchors.iter().map(|anchor| format!("anchor of {}", anchor.boot_id));
            let boot = admit.boot.iter().map(|boot| format!("waits for boot {boot}"));
            let lines = columns.chain(aside).chain(gaps).chain(anchors).chain(boot);
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

fn arrival<'a>(agent: &'a AgentId, payload: &'a [u8]) -> Arrival<'a> {
    let received_at = Timestamp::from_ms(NOW).unwrap();
    Arrival { agent, topic: "t", payload, received_at, remainder: None }
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
    expect.assert_eq(&told(&judged(&agent, &payload, &Anchors::new())));
}

fn judged(agent: &AgentId, payload: &[u8], anchors: &Anchors) -> Judgement {
    batch(arrival(agent, payload), Known { registry: &registry(), anchors })
}

fn check_json(readings: &str, expect: &Expect) {
    let payload = format!(r#"{{"readings":{readings}}}"#);
    let agent = "gw-1".parse().unwrap();
    let known = Known { registry: &registry(), anchors: &Anchors::new() };
    expect.assert_eq(&told(&json(arrival(&agent, payload.as_bytes()), known)));
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
            S1/flow in m3/s@6: 2 from +-10000 to +-5000
            aside S1/level unit: `S1/level` comes in `m3/h`, and the registry has it in `m`, which `m3/h` cannot become: correct `unit` where it is sent (of an agent: at the register in edge.toml), or the gauge in the registry while it has no samples
            aside S1/other unknown_gauge: gauge `S1/other` is not in the registry
            aside S9/flow unknown_station: station `S9` is not in the registry"#]],
    );
}

#[test]
fn a_column_of_anothers_station_is_set_aside_and_the_rest_goes_on() {
    let point = vec![Point::good(NOW, 1)];
    let both = vec![
        column("S1/flow", "m3/s", 0, point.clone()),
        column("S2/flow", "m3/s", 0, point.clone()),
    ];
    check_batch(
        "gw-1",
        &a_batch("gw-1", both),
        &expect![[r#"
        S1/flow in m3/s@6: 1 from +0 to +0
        aside S2/flow foreign_station: `S2/flow`: the registry lets another agent than `gw-1` speak for this station, or none"#]],
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
        &expect![[r#"
            aside S1/flow time due +1: `flow`: a moment of 2026-11-22T00:02:00.001Z, while the server's clock says 2026-11-22T00:00:00Z; it waits until that has come, and one of the two clocks is wrong"#]],
    );
    check_batch(
        "gw-1",
        &at(-900_000_000_000),
        &expect![[r#"
            aside S1/flow time: `flow`: a moment of 1998-05-16T08:00:00Z; correct the agent's clock"#]],
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
        &expect![[r#"
            aside S1/flow clock: moments since boot 00000000000000000000000000000001, for which no anchor has come
            waits for boot 00000000000000000000000000000001"#]],
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
            S1/flow in m3/s@6: 2 from +0 to +5000
            S1/level in m@4: 1 from +0 to +0
            aside S1/flow time after +5000 due +60000: `flow`: a moment of 2026-11-22T00:03:00Z, while the server's clock says 2026-11-22T00:00:00Z; it waits until that has come, and one of the two clocks is wrong
            aside S1/new unknown_gauge: gauge `S1/new` is not in the registry
            aside  reading: reading 5: `S1/flow` at 1999-12-31T23:59:59Z, before the year 2000; reading 6: `"0.6"` is not a number; reading 8: `S1/flow`: `1e300` is too large"#]],
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
            "aside S2/flow foreign_station: `S2/flow`: the registry lets another agent than `gw-1` speak for this station, or none"
        ],
    );
}

#[test]
fn what_lies_ahead_of_the_clock_is_set_aside_and_only_that() {
    let columns = vec![
        column("S1/flow", "m3/s", 0, vec![Point::good(NOW, 1), Point::good(NOW + 120_000, 2)]),
        column("S1/level", "m", 0, vec![Point::good(NOW, 1), Point::good(NOW + 130_000, 2)]),
    ];
    let anchor = |boot, utc_at_boot_ms| ClockAnchor {
        boot_id: BootId(boot),
        utc_at_boot_ms,
        uncertainty_ms: 2,
        source: 1,
    };
    let batch = Batch {
        gaps: vec![a_gap(&["S1/flow"], NOW, NOW + 121_000), a_gap(&["S1/flow"], NOW - 9, NOW)],
        anchors: vec![anchor(1, NOW + 125_000), anchor(2, NOW), anchor(3, 0)],
        ..a_batch("gw-1", columns)
    };
    check_batch(
        "gw-1",
        &batch,
        &expect![[r#"
        S1/flow in m3/s@6: 2 from +0 to +120000
        aside S1/level time due +10000: `level`: a moment of 2026-11-22T00:02:10Z, while the server's clock says 2026-11-22T00:00:00Z; it waits until that has come, and one of the two clocks is wrong
        aside  time due +999: gap 0: from 2026-11-22T00:00:00Z to 2026-11-22T00:02:01Z, while the server's clock says 2026-11-22T00:00:00Z
        aside  time due +5000: the anchor of boot 00000000000000000000000000000001 says that it began at 2026-11-22T00:02:05Z, while the server's clock says 2026-11-22T00:00:00Z
        aside  anchor: the anchor of boot 00000000000000000000000000000003 says that it began at 1970-01-01T00:00:00Z, while the server's clock says 2026-11-22T00:00:00Z
        gap 1 of [S1/flow] from +-9 to +0
        anchor of 00000000000000000000000000000002"#]],
    );
}

#[test]
fn an_absurd_moment_waits_or_is_refused_and_nothing_overflows() {
    let batch = Batch {
        gaps: vec![a_gap(&["S1/flow"], NOW, i64::MAX), a_gap(&["S1/flow"], i64::MIN, NOW)],
        anchors: [i64::MIN, i64::MAX]
            .map(|utc_at_boot_ms| ClockAnchor {
                boot_id: BootId(1),
                utc_at_boot_ms,
                uncertainty_ms: 2,
                source: 1,
            })
            .to_vec(),
        ..a_batch("gw-1", vec![column("S1/flow", "m3/s", 0, vec![Point::good(i64::MAX, 1)])])
    };
    check_batch(
        "gw-1",
        &batch,
        &expect![[r#"
        aside S1/flow time due +251606901600000: `flow`: a moment of 9999-12-30T22:00:00Z, while the server's clock says 2026-11-22T00:00:00Z; it waits until that has come, and one of the two clocks is wrong
        aside  time due +251606901600000: gap 0: from 2026-11-22T00:00:00Z to 9999-12-30T22:00:00Z, while the server's clock says 2026-11-22T00:00:00Z
        aside  gap: gap 1: from 1900-01-01T00:00:00Z to 2026-11-22T00:00:00Z, before the year 2000
        aside  anchor: the anchor of boot 00000000000000000000000000000001 says that it began at 1900-01-01T00:00:00Z, while the server's clock says 2026-11-22T00:00:00Z
        aside  time due +251606901600000: the anchor of boot 00000000000000000000000000000001 says that it began at 9999-12-30T22:00:00Z, while the server's clock says 2026-11-22T00:00:00Z"#]],
    );
    let reading = |at| format!(r#"{{"gauge":"S1/flow","at":"{at}","value":1}}"#);
    let readings = ["2100-01-01T00:00:00Z", "9999-12-30T22:00:00Z", "9999-12-31T22:00:00Z"];
    check_json(
        &format!("[{}]", readings.map(reading).join(",")),
        &expect![[r#"
        aside S1/flow time due +2307139080000: `flow`: a moment of 2100-01-01T00:00:00Z, while the server's clock says 2026-11-22T00:00:00Z; it waits until that has come, and one of the two clocks is wrong
        aside  reading: reading 2: `9999-12-31T22:00:00Z` is not a moment; write it as 2026-11-22T08:00:00+08:00"#]],
    );
}

const BOOT: BootId = BootId(1);

fn anchored(uncertainty_ms: u32) -> Anchors {
    let anchor =
        ClockAnchor { boot_id: BOOT, utc_at_boot_ms: NOW - 3_600_000, uncertainty_ms, source: 1 };
    Anchors::from([(BOOT, anchor)])
}

fn a_gap(gauges: &[&str], from_ms: i64, to_ms: i64) -> Gap {
    Gap {
        epoch: Epoch(6),
        first_sequence: 1,
        last_sequence: 2,
        gauges: gauges.iter().map(|gauge| gauge.parse().unwrap()).collect(),
        boot: None,
        from_ms,
        to_ms,
        reason: GapReason::Overwritten,
        count: 2,
    }
}

#[test]
fn a_gap_speaks_for_the_agents_own_gauges_at_moments_that_can_be() {
    let sound = a_gap(&["S1/flow", "S9/flow"], NOW - 100, NOW);
    let gaps = vec![
        sound.clone(),
        a_gap(&["S1/flow", "S2/flow"], NOW - 100, NOW),
        a_gap(&["S2/flow"], NOW - 100, NOW),
        a_gap(&["S1/flow"], NOW, NOW - 100),
        a_gap(&["S1/flow"], NOW - 100, NOW + 120_002),
        a_gap(&["S1/flow"], 0, 100),
        Gap { first_sequence: 3, ..sound.clone() },
        Gap { last_sequence: u64::MAX, ..sound.clone() },
        Gap { count: 201, ..sound.clone() },
        Gap { count: 0, from_ms: NOW, to_ms: NOW, ..sound.clone() },
        Gap { boot: Some(BOOT), from_ms: 0, to_ms: 100, ..sound },
    ];
    let point = vec![Point::good(NOW, 1)];
    let columns = vec![column("S1/flow", "m3/s", 0, point)];
    let batch = Batch { gaps, ..a_batch("gw-1", columns) };
    check_batch(
        "gw-1",
        &batch,
        &expect![[r#"
            S1/flow in m3/s@6: 1 from +0 to +0
            aside  gap: gap 1: this agent does not speak for the station of `S2/flow`
            aside  gap: gap 2: this agent does not speak for the station of `S2/flow`
            aside  gap: gap 3: it ends before it begins
            aside  time due +1: gap 4: from 2026-11-21T23:59:59.9Z to 2026-11-22T00:02:00.002Z, while the server's clock says 2026-11-22T00:00:00Z
            aside  gap: gap 5: from 1970-01-01T00:00:00Z to 1970-01-01T00:00:00.1Z, before the year 2000
            aside  gap: gap 6: it ends before it begins
            aside  gap: gap 7: a sequence above 2^63 - 1
            aside  gap: gap 8: 201 readings of 2 gauges within 100 ms
            aside  clock: a gap: moments since boot 00000000000000000000000000000001, for which no anchor has come
            gap 0 of [S1/flow, S9/flow] from +-100 to +0
            gap 1 of [S1/flow] from +-100 to +0
            gap 9 of [S1/flow, S9/flow] from +0 to +0
            waits for boot 00000000000000000000000000000001"#]],
    );
    let agent = "gw-1".parse().unwrap();
    let judged = judged(&agent, &batch_v1::encode(&batch), &anchored(0));
    let Judgement::Admit(admit) = judged else { panic!("it is admitted") };
    let last = admit.gaps.last().unwrap();
    assert_eq!((last.number, last.gap.from_ms, admit.boot), (10, NOW - 3_600_000, None));
}

#[test]
fn a_boot_relative_batch_waits_and_says_first_what_no_anchor_mends() {
    let point = vec![Point::good(17, 1)];
    let columns = ["S1/flow", "S1/new", "S2/flow", "S9/flow"]
        .map(|gauge| column(gauge, "m3/s", 0, point.clone()));
    let clock = BatchClock::Boot { boot_id: BOOT };
    let booted = Batch { clock, ..a_batch("gw-1", columns.to_vec()) };
    check_batch(
        "gw-1",
        &booted,
        &expect![[r#"
        aside S1/flow clock: moments since boot 00000000000000000000000000000001, for which no anchor has come
        aside S1/new unknown_gauge: gauge `S1/new` is not in the registry
        aside S2/flow foreign_station: `S2/flow`: the registry lets another agent than `gw-1` speak for this station, or none
        aside S9/flow unknown_station: station `S9` is not in the registry
        waits for boot 00000000000000000000000000000001"#]],
    );
}

#[test]
fn of_several_starts_a_batch_waits_for_the_one_that_something_of_it_counts_from() {
    let unknown = vec![column("S1/new", "m3/s", 0, vec![Point::good(17, 1)])];
    let other = BootId(9);
    let booted = Batch {
        clock: BatchClock::Boot { boot_id: BOOT },
        gaps: vec![Gap { boot: Some(other), from_ms: 0, ..a_gap(&["S1/flow"], 0, 100) }],
        ..a_batch("gw-1", unknown)
    };
    check_batch(
        "gw-1",
        &booted,
        &expect![[r#"
            aside S1/new unknown_gauge: gauge `S1/new` is not in the registry
            aside  clock: a gap: moments since boot 00000000000000000000000000000009, for which no anchor has come
            waits for boot 00000000000000000000000000000009"#]],
    );
}

#[test]
fn a_moment_within_more_than_half_a_period_is_doubted() {
    let agent: AgentId = "gw-1".parse().unwrap();
    let columns = |at| vec![column("S1/flow", "m3/s", 0, vec![Point::good(at, 9)])];
    let clock = BatchClock::Boot { boot_id: BOOT };
    let booted = Batch { clock, ..a_batch("gw-1", columns(60_000)) };
    let told_within =
        |uncertainty| told(&judged(&agent, &batch_v1::encode(&booted), &anchored(uncertainty)));
    expect!["S1/flow in m3/s@6: 1 from +-3540000 to +-3540000"].assert_eq(&told_within(2_500));
    expect!["S1/flow in m3/s@6: 1 from +-3540000 to +-3540000 qc [2, 1]"]
        .assert_eq(&told_within(2_501));
    let clock = BatchClock::Utc { uncertainty_ms: 2_501 };
    check_batch(
        "gw-1",
        &Batch { clock, ..a_batch("gw-1", columns(NOW)) },
        &expect!["S1/flow in m3/s@6: 1 from +0 to +0 qc [2, 1]"],
    );
}

/// Columns of a batch: moments ascending within the hour before now, any values and codes.
fn columns() -> impl Strategy<Value = Vec<Column>> {
    let point = (1_i64..60_000, -9_000_000_i64..9_000_000, 0_u8..140);
    let gauge =
        proptest::sample::subsequence(vec!["S1/flow", "S1/level", "S1/new", "S2/flow"], 1..4);
    (gauge, proptest::collection::vec(point, 1..12), 0_u32..6_000).prop_map(
        |(gauges, steps, period_ms)| {
            let mut at = NOW - 3_000_000;
            let points: Vec<Point> = steps
                .into_iter()
                .map(|(step, value, code)| {
                    at += step;
                    let quality = Quality::from_code(code);
                    if quality.has_value() {
                        Point { at_ms: at, value, quality }
                    } else {
                        Point::defect(at, quality)
                    }
                })
                .collect();
            let units =
                gauges.iter().map(|gauge| if gauge.ends_with("level") { "cm" } else { "m3/h" });
            gauges
                .iter()
                .zip(units)
                .map(|(gauge, unit)| Column { period_ms, ..column(gauge, unit, 1, points.clone()) })
                .collect()
        },
    )
}

proptest! {
    #[test]
    fn an_anchored_batch_reads_exactly_as_the_same_batch_sent_in_utc(
        columns in columns(), uncertainty_ms in 0_u32..6_000,
    ) {
        let agent: AgentId = "gw-1".parse().unwrap();
        let utc = Batch {
            clock: BatchClock::Utc { uncertainty_ms },
            gaps: vec![a_gap(&["S1/flow", "S2/flow"], NOW - 1_000, NOW)],
            ..a_batch("gw-1", columns)
        };
        let anchors = anchored(uncertainty_ms);
        let offset = anchors[&BOOT].utc_at_boot_ms;
        let mut booted = Batch { clock: BatchClock::Boot { boot_id: BOOT }, ..utc.clone() };
        for point in booted.columns.iter_mut().flat_map(|column| &mut column.points) {
            point.at_ms -= offset;
        }
        for gap in &mut booted.gaps {
            (gap.boot, gap.from_ms, gap.to_ms) = (Some(BOOT), gap.from_ms - offset, gap.to_ms - offset);
        }
        let both = [&utc, &booted].map(|batch| {
            let payload = batch_v1::encode(batch);
            let Judgement::Admit(admit) = judged(&agent, &payload, &anchors) else {
                panic!("it is admitted");
            };
            let samples: Vec<_> = admit
                .columns
                .iter()
                .map(|column| {
                    store::points::Decoded::new(Kind::Batch, &payload).unwrap().span(column).unwrap()
                })
                .collect();
            (told(&Judgement::Admit(admit.clone())), samples, admit.gaps)
        });
        prop_assert_eq!(&both[0], &both[1]);
    }

    #[test]
    fn any_bytes_are_admitted_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (agent, registry) = ("gw-1".parse().unwrap(), Registry::default());
        let known = Known { registry: &registry, anchors: &Anchors::new() };
        batch(arrival(&agent, &bytes), known);
        json(arrival(&agent, &bytes), known);
    }
}
