//! Facts of the batcher: when it saves, when it closes, and that nothing falls between.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use model::{
    ids::{AgentId, BatchId, Epoch},
    wire::batch_v1,
};
use proptest::prelude::*;

use super::*;
use crate::clock_trust::BUILT_AT;

const BOOT: BootId = BootId(7);

/// Two devices of a second each, `a` and `b` on the first; `a` alerts below 100.
fn sources() -> Sources {
    let source = |gauge: &str, alert_below| Source {
        gauge: format!("S/{gauge}").parse().unwrap(),
        unit: "m".into(),
        decimals: 2,
        period_ms: 1_000,
        alert_below,
    };
    vec![source("a", Some(100)), source("b", None), source("c", None)].into()
}

fn batcher(max_age_ms: i64) -> Batcher {
    Batcher::new(sources(), BOOT, max_age_ms)
}

fn show(effect: &Effect) -> String {
    let (verb, draft) = match effect {
        Effect::Append(draft) => ("append", draft),
        Effect::Close(draft) => ("close", draft),
    };
    let clock = match draft.clock {
        BatchClock::Utc { .. } => "",
        BatchClock::Boot { .. } => " boot",
    };
    let columns = draft.columns.iter().map(|column| {
        let points = column.points.iter().map(|point| match point.value() {
            Some(value) => value.to_string(),
            None => point.quality.word().into_owned(),
        });
        format!(" {}={}", column.gauge.name, points.collect::<Vec<_>>().join(","))
    });
    format!("{verb}{clock}{}", columns.collect::<String>())
}

/// Each line is `now: source=value …` (ms; the moment is `now` unless `@` names another), and
/// shows what follows. A value that is no number is a defect.
fn check(max_age_ms: i64, lines: &str, expected: &Expect) {
    let mut batcher = batcher(max_age_ms);
    let mut shown = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (now, readings) = line.split_once(':').unwrap();
        let now_ms: i64 = now.parse().unwrap();
        let readings: Vec<Reading> =
            readings.split_whitespace().map(|word| reading(word, now_ms)).collect();
        let effects = if readings.is_empty() {
            batcher.tick(now_ms).into_iter().collect()
        } else {
            batcher.push(&Cycle { readings }, now_ms)
        };
        let effects: Vec<String> = effects.iter().map(show).collect();
        let next = batcher.deadline().map_or("-".to_owned(), |at| at.to_string());
        shown.push(format!("{line} → {} until {next}", effects.join("; ")));
    }
    expected.assert_eq(&shown.join("\n"));
}

fn reading(word: &str, now_ms: i64) -> Reading {
    let (word, moment) = word.split_once('@').unwrap_or((word, ""));
    let (source, value) = word.split_once('=').unwrap();
    let source = ["a", "b", "c"].iter().position(|name| *name == source).unwrap();
    let at_ms = match moment.strip_prefix("boot") {
        Some(boot_ms) => boot_ms.parse().unwrap(),
        None => BUILT_AT.as_ms() + moment.parse().unwrap_or(now_ms),
    };
    let point = match value {
        "x" => Point::defect(at_ms, Quality::TIMEOUT),
        "-" => Point::defect(at_ms, Quality::BACK_OFF),
        value => Point::good(at_ms, value.parse().unwrap()),
    };
    Reading { source, point }
}

#[test]
fn cycles_are_saved_before_the_next_of_their_device_and_closed_with_their_age() {
    check(
        3_000,
        "0: a=500 b=1
         200: c=7
         500:
         1000: a=501 b=2
         1500:
         2000: a=502 b=2
         2100: a=503 b=2
         2600:
         3000:",
        &expect![[r#"
            0: a=500 b=1 →  until 500
            200: c=7 →  until 500
            500: → append a=500 b=1 c=7 until 3000
            1000: a=501 b=2 →  until 1500
            1500: → append a=501 b=2 until 3000
            2000: a=502 b=2 →  until 2500
            2100: a=503 b=2 → append a=502 b=2 until 2600
            2600: → append a=503 b=2 until 3000
            3000: → close a=500,501,502,503 b=1,2,2,2 c=7 until -"#]],
    );
}

#[test]
fn crossing_the_alert_line_closes_at_once_either_way() {
    check(
        60_000,
        "0: a=500
         1000: a=99
         2000: a=98
         7000:
         8000: a=100
         9000: a=101",
        &expect![[r#"
            0: a=500 →  until 500
            1000: a=99 → close a=500,99 until -
            2000: a=98 →  until 2500
            7000: → close a=98 until -
            8000: a=100 → close a=100 until -
            9000: a=101 →  until 9500"#]],
    );
}

#[test]
fn a_change_of_quality_closes_at_once_and_a_known_silence_is_no_change() {
    check(
        60_000,
        "0: a=500 b=1
         1000: a=x b=1
         2000: a=- b=1
         3000: a=x b=1
         4000: a=501 b=1
         5000: a=- b=1
         6000: a=x b=1",
        &expect![[r#"
            0: a=500 b=1 →  until 500
            1000: a=x b=1 → close a=500,timeout b=1,1 until -
            2000: a=- b=1 →  until 2500
            3000: a=x b=1 → append a=back_off b=1 until 3500
            4000: a=501 b=1 → close a=back_off,timeout,501 b=1,1,1 until -
            5000: a=- b=1 → close a=back_off b=1 until -
            6000: a=x b=1 → close a=timeout b=1 until -"#]],
    );
}

#[test]
fn the_first_low_or_missing_reading_is_news() {
    check(60_000, "0: a=1", &expect!["0: a=1 → close a=1 until -"]);
    check(60_000, "0: b=x", &expect!["0: b=x → close b=timeout until -"]);
}

#[test]
fn with_no_age_every_cycle_is_a_batch() {
    check(
        0,
        "0: a=500 b=1
         1000: a=500 b=1",
        &expect![[r#"
            0: a=500 b=1 → close a=500 b=1 until -
            1000: a=500 b=1 → close a=500 b=1 until -"#]],
    );
}

#[test]
fn a_moment_that_does_not_ascend_opens_another_batch() {
    check(
        60_000,
        "0: a=500 c=1
         1000: a=501 c=2
         2000: a=502@1000
         3000: a=503@500
         4000: a=504@90000000",
        &expect![[r#"
            0: a=500 c=1 →  until 500
            1000: a=501 c=2 → append a=500 c=1 until 1500
            2000: a=502@1000 → close a=500,501 c=1,2 until 2500
            3000: a=503@500 → close a=502 until 3500
            4000: a=504@90000000 → close a=503 until 4500"#]],
    );
}

#[test]
fn a_batch_has_one_clock() {
    check(
        60_000,
        "0: a=500@boot5000
         1000: a=501@boot6000
         2000: a=502",
        &expect![[r#"
            0: a=500@boot5000 →  until 500
            1000: a=501@boot6000 → append boot a=500 until 1500
            2000: a=502 → close boot a=500,501 until 2500"#]],
    );
}

/// A batch as its bytes give it back.
fn through_the_wire(draft: &Draft) -> Batch {
    let agent: AgentId = "gw".parse().unwrap();
    let batch = Batch {
        id: BatchId { agent, epoch: Epoch(1), sequence: 1 },
        clock: draft.clock,
        previous: None,
        columns: draft.columns.clone(),
        gaps: Vec::new(),
        anchors: Vec::new(),
    };
    let plain = batch_v1::encode(&batch);
    assert!(plain.len() < batch_v1::MAX_PLAIN / 4, "{} bytes", plain.len());
    let (read, _) = batch_v1::decode(&plain).unwrap();
    assert_eq!(read, batch);
    read
}

/// What all columns of `drafts` hold, by gauge.
fn concatenation<'d, D: IntoIterator<Item = &'d Draft>>(
    drafts: D,
) -> BTreeMap<GaugeId, Vec<Point>> {
    let mut all: BTreeMap<GaugeId, Vec<Point>> = BTreeMap::new();
    for column in drafts.into_iter().flat_map(|draft| &draft.columns) {
        all.entry(column.gauge.clone()).or_default().extend(&column.points);
    }
    all
}

fn a_cycle() -> impl Strategy<Value = Vec<Reading>> {
    let step = prop_oneof![4 => Just(1_000_i64), 1 => -5_000_i64..5_000, 1 => Just(i64::MIN)];
    let value = prop_oneof![8 => (90_i64..110).prop_map(Some), 1 => Just(None)];
    proptest::collection::vec((0_usize..3, step, value), 1..4).prop_map(|readings| {
        let readings = readings.into_iter().map(|(source, step, value)| {
            // the step stands in for the moment until the cycles are put in order
            let point = match value {
                Some(value) => Point::good(step, value),
                None => Point::defect(step, Quality::TIMEOUT),
            };
            Reading { source, point }
        });
        readings.collect()
    })
}

proptest! {
    #[test]
    fn batches_put_together_are_the_readings(
        cycles in proptest::collection::vec((a_cycle(), 0_i64..3_000), 0..60),
        max_age_ms in prop_oneof![Just(0_i64), Just(3_000), Just(60_000)],
    ) {
        let sources = sources();
        let mut batcher = batcher(max_age_ms);
        let mut taken: BTreeMap<GaugeId, Vec<Point>> = BTreeMap::new();
        let (mut batches, mut rows) = (Vec::new(), Vec::new());
        let (mut now_ms, mut wall_ms) = (0, BUILT_AT.as_ms());
        for (mut readings, pause_ms) in cycles {
            now_ms += pause_ms;
            for reading in &mut readings {
                let step = reading.point.at_ms;
                wall_ms += if step == i64::MIN { 0 } else { step };
                reading.point.at_ms = if step == i64::MIN { now_ms } else { wall_ms };
            }
            let polled_again: Vec<usize> = readings.iter().map(|reading| reading.source).collect();
            let before = taken.clone();
            for reading in &readings {
                taken.entry(sources[reading.source].gauge.clone()).or_default().push(reading.point);
            }
            for effect in batcher.push(&Cycle { readings }, now_ms) {
                match effect {
                    Effect::Append(draft) => rows.push(draft),
                    Effect::Close(draft) => {
                        rows.clear();
                        batches.push(draft);
                    }
                }
            }
            // a device that was polled again has all of its earlier cycles on disk
            let on_disk = concatenation(batches.iter().chain(&rows));
            for gauge in polled_again.iter().map(|source| &sources[*source].gauge) {
                let earlier = before.get(gauge).map_or(0, Vec::len);
                prop_assert!(on_disk.get(gauge).map_or(0, Vec::len) >= earlier);
            }
            // and so has everybody after a second
            prop_assert!(batcher.deadline().is_none_or(|at| at <= now_ms + SAVE_MS.max(max_age_ms)));
        }
        let restored = restore((1..).zip(rows.iter().map(through_the_wire)));
        let open = batcher.save();
        let all = batches.iter().chain(&rows).chain(match &open {
            Some(Effect::Append(draft) | Effect::Close(draft)) => Some(draft),
            None => None,
        });
        prop_assert_eq!(concatenation(all), taken.clone());
        prop_assert_eq!(
            concatenation(restored.iter().map(|(_, draft)| draft)),
            concatenation(&rows)
        );
        prop_assert!(restored.len() <= 1, "rows of one batch go together");
        if let Some(Effect::Close(last) | Effect::Append(last)) = batcher.close() {
            batches.push(last);
        }
        for draft in &batches {
            through_the_wire(draft);
        }
        prop_assert_eq!(concatenation(&batches), taken);
    }

    #[test]
    fn a_flood_closes_batches_that_the_format_can_hold(registers in 1_usize..3_000, cycles in 1_i64..40) {
        let source = |index: usize| Source {
            gauge: format!("{:064}/{index:064}", 1).parse().unwrap(),
            unit: "sixteen bytes ok".into(),
            decimals: 9,
            period_ms: 100,
            alert_below: None,
        };
        let sources: Sources = (0..registers).map(source).collect::<Vec<_>>().into();
        let mut batcher = Batcher::new(sources, BOOT, 3_600_000);
        for cycle in 0..cycles {
            let at_ms = BUILT_AT.as_ms() + cycle * 3_600_000;
            let value = if cycle % 2 == 0 { i64::MIN } else { i64::MAX };
            let readings = (0..registers).map(|source| Reading { source, point: Point::good(at_ms, value) });
            for effect in batcher.push(&Cycle { readings: readings.collect() }, cycle * 100) {
                if let Effect::Close(draft) = effect {
                    through_the_wire(&draft);
                }
            }
        }
    }
}
