//! What always holds of batches on the wire, and the bytes that stay readable for ever.

use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::ids::AgentId;

const GOLDEN: &[u8] = include_bytes!("../../../../tests/fixtures/wire/batch_v1.bin");
const GOLDEN_ZSTD: &[u8] = include_bytes!("../../../../tests/fixtures/wire/batch_v1.zst");

const GOLDEN_BOOT: &[u8] = include_bytes!("../../../../tests/fixtures/wire/batch_v1_boot.bin");

fn agent() -> AgentId {
    "gw-luming".parse().unwrap()
}

fn golden() -> Batch {
    let minute = 1_795_305_600_000;
    let flow = (0..12).map(|i| Point::good(minute + i * 5_000, 612_000 + i * i * 37 - 400));
    let mut level: Vec<Point> = vec![
        Point::good(minute + 13, 12_345),
        Point { at_ms: minute + 5_013, value: -7, quality: Quality::SUSPECT },
        Point::defect(minute + 10_013, Quality::TIMEOUT),
        Point::defect(minute + 15_013, Quality::TIMEOUT),
        Point::defect(minute + 25_013, Quality::exception(2)),
    ];
    level.push(Point::good(minute + 30_013, i64::MIN));
    level.push(Point::good(minute + 35_013, i64::MAX));
    let alike = |gauge: &str, unit: &str, offset: i64| Column {
        gauge: gauge.parse().unwrap(),
        unit: unit.into(),
        decimals: 0,
        period_ms: 5_000,
        points: (0..7).map(|i| Point::good(minute + offset + i * 5_000, 40 + i % 2)).collect(),
    };
    Batch {
        id: BatchId { agent: agent(), epoch: Epoch(0x0123_4567_89ab_cdef), sequence: 812 },
        clock: BatchClock::Utc { uncertainty_ms: 0 },
        previous: Some(Previous { epoch: Epoch(0xfedc_ba98_7654_3210), last_sequence: 44 }),
        columns: vec![
            Column {
                gauge: "BF-620721-04/release-meter".parse().unwrap(),
                unit: "m3/h".into(),
                decimals: 6,
                period_ms: 5_000,
                points: flow.collect(),
            },
            Column {
                gauge: "BF-620721-04/level".parse().unwrap(),
                unit: "mm".into(),
                decimals: 0,
                period_ms: 5_000,
                points: level,
            },
            // all as before but the times; all as before; another station, unit and start
            alike("BF-620721-04/gate", "mm", 13),
            alike("BF-620721-04/gate-2", "mm", 13),
            alike("BF-620721-05/battery", "V", 0),
        ],
        gaps: vec![Gap {
            epoch: Epoch(0xfedc_ba98_7654_3210),
            first_sequence: 40,
            last_sequence: 42,
            gauges: vec!["BF-620721-04/level".parse().unwrap()],
            boot: None,
            from_ms: minute - 100_000,
            to_ms: minute - 40_000,
            reason: GapReason::Overwritten,
            count: 12,
        }],
        anchors: vec![ClockAnchor {
            boot_id: BootId(1),
            utc_at_boot_ms: minute - 3_600_000,
            uncertainty_ms: 20,
            source: 1,
        }],
    }
}

#[test]
fn the_golden_batch_is_read_and_written_as_ever() {
    assert_eq!(decode(GOLDEN), Ok((golden(), digest(GOLDEN))));
    assert_eq!(encode(&golden()), GOLDEN);
    assert_eq!(decode(GOLDEN_ZSTD), Ok((golden(), digest(GOLDEN))));
}

#[test]
fn a_minute_of_five_seconds_costs_about_a_byte_a_sample() {
    let mut batch = golden();
    batch.columns.truncate(1);
    (batch.gaps, batch.anchors, batch.previous) = (vec![], vec![], None);
    let overhead = 90;
    assert!(encode(&batch).len() <= overhead + 12 * 2, "{}", encode(&batch).len());
    // each further gauge of the same poll: its name, unit and values, and little more
    let one = encode(&batch).len();
    for name in ["level", "gate", "power", "volume", "battery"] {
        let gauge = format!("BF-620721-04/{name}").parse().unwrap();
        batch.columns.push(Column { gauge, unit: "mm".into(), ..batch.columns[0].clone() });
    }
    let more = encode(&batch).len() - one;
    let values: usize = raw_columns(&batch.columns).iter().map(|raw| raw.values.len()).sum();
    assert!(more <= values * 5 / 6 + 5 * 16 + 4, "{more} with {values} of values");
}

fn point() -> impl Strategy<Value = (i64, i64, u8)> {
    let step = prop_oneof![4 => Just(5_000_i64), 1 => 1_i64..20_000];
    let value = prop_oneof![4 => -1000_i64..1000, 1 => any::<i64>()];
    (step, value, prop_oneof![8 => Just(0_u8), 1 => any::<u8>()])
}

fn column(index: usize) -> impl Strategy<Value = Column> {
    (vec(point(), 1..40), -4_000_000_000_000_i64..4_000_000_000_000, 0_u8..=9, any::<u32>())
        .prop_map(move |(points, start, decimals, period_ms)| {
            let mut at_ms = start;
            let points = points.into_iter().map(|(step, value, code)| {
                at_ms += step;
                let quality = Quality::from_code(code);
                if quality.has_value() {
                    Point { at_ms, value, quality }
                } else {
                    Point::defect(at_ms, quality)
                }
            });
            Column {
                gauge: format!("S{}/g{index}", index / 2).parse().unwrap(),
                unit: if index == 1 { "m3/s" } else { "mm" }.into(),
                decimals,
                period_ms,
                points: points.collect(),
            }
        })
}

type Columns = (Column, Option<Column>, Option<Column>, bool);

/// With a twin of the first column behind it, for what is shared.
fn columns_of((first, second, third, has_twin): Columns) -> Vec<Column> {
    let twin = Column { gauge: "S0/twin".parse().unwrap(), ..first.clone() };
    [Some(first), Some(twin).filter(|_| has_twin), second, third].into_iter().flatten().collect()
}

prop_compose! {
    fn batch()(
        epoch: u64,
        sequence in 1..=MAX_SEQUENCE,
        columns in (column(0), option::of(column(1)), option::of(column(2)), any::<bool>()),
        previous in option::of((any::<u64>(), 0..=MAX_SEQUENCE)),
        boot in option::of(any::<u128>()),
        gap in option::of((0_u64..9, 0_u64..9, 1_u32..9, any::<u64>())),
    ) -> Batch {
        Batch {
            id: BatchId { agent: agent(), epoch: Epoch(epoch), sequence },
            clock: boot.map_or(BatchClock::Utc { uncertainty_ms: 3 }, |id| BatchClock::Boot {
                boot_id: BootId(id),
            }),
            previous: previous.map(|(epoch, last_sequence)| Previous { epoch: Epoch(epoch), last_sequence }),
            columns: columns_of(columns),
            gaps: gap
                .map(|(first, more, reason, count)| Gap {
                    epoch: Epoch(epoch),
                    first_sequence: first,
                    last_sequence: first + more,
                    gauges: vec!["S0/g0".parse().unwrap()],
                    boot: boot.map(BootId),
                    from_ms: -5,
                    to_ms: 5,
                    reason: GapReason::from_code(reason),
                    count,
                })
                .into_iter()
                .collect(),
            anchors: vec![],
        }
    }
}

proptest! {
    #[test]
    fn a_batch_comes_back(batch in batch()) {
        let plain = encode(&batch);
        let digest = digest(&plain);
        prop_assert_eq!(decode(&compress(plain.clone())), Ok((batch.clone(), digest)));
        prop_assert_eq!(decode(&plain), Ok((batch, digest)));
    }

    #[test]
    fn any_bytes_are_a_batch_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
        if let Ok((batch, _)) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&batch)).map(|(batch, _)| batch), Ok(batch));
        }
    }

    #[test]
    fn a_damaged_batch_is_a_batch_or_an_error(
        at in 0..GOLDEN.len(), bit in 0_u8..8, cut in 0..=GOLDEN.len(), zstd: bool,
    ) {
        let mut bytes = if zstd { GOLDEN_ZSTD.to_vec() } else { GOLDEN.to_vec() };
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        bytes.truncate(cut);
        if let Ok((batch, _)) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&batch)).map(|(batch, _)| batch), Ok(batch));
        }
    }
}

#[test]
fn a_frame_that_is_broken_and_tells_no_size_is_not_called_too_large() {
    let broken = [0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3];
    assert_eq!(decode(&broken).unwrap_err().reason().word(), "undecodable");
}

#[test]
fn a_frame_that_would_unfold_without_end_is_refused() {
    let bomb = zstd::bulk::compress(&vec![0_u8; 64 * 1024 * 1024], 3).unwrap();
    assert!(bomb.len() < 10_000);
    assert_eq!(decode(&bomb).unwrap_err().reason().word(), "too_large");
    let mut undeclared = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), 64 << 20), &mut undeclared).unwrap();
    assert_eq!(decode(&undeclared.finish().unwrap()).unwrap_err().reason().word(), "too_large");
}

/// Moments since boot, a gap since an earlier one, and the anchor of both.
fn golden_boot() -> Batch {
    let anchor = |boot, utc_at_boot_ms| ClockAnchor {
        boot_id: BootId(boot),
        utc_at_boot_ms,
        uncertainty_ms: 2,
        source: 1,
    };
    let golden = golden();
    Batch {
        clock: BatchClock::Boot { boot_id: BootId(0x0b00_0000_0000_0000_0000_0000_0000_0007) },
        previous: None,
        columns: vec![Column {
            points: vec![Point::good(5_000, 612), Point::good(10_000, 613)],
            ..golden.columns[0].clone()
        }],
        gaps: vec![Gap { boot: Some(BootId(6)), from_ms: 1_000, ..golden.gaps[0].clone() }],
        anchors: vec![anchor(6, 1_795_305_600_000), anchor(7, 1_795_309_200_000)],
        id: golden.id,
    }
}

#[test]
fn the_golden_batch_since_boot_is_read_and_written_as_ever() {
    assert_eq!(decode(GOLDEN_BOOT), Ok((golden_boot(), digest(GOLDEN_BOOT))));
    assert_eq!(encode(&golden_boot()), GOLDEN_BOOT);
}

#[test]
fn what_follows_the_one_frame_is_refused() {
    let frame = |plain: &[u8]| zstd::bulk::compress(plain, 3).unwrap();
    let (head, tail) = GOLDEN.split_at(100);
    let two = [frame(head), frame(tail)].concat();
    assert_eq!(decode(&two), Err(malformed("more than one zstd frame")));
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7];
    assert!(decode(&[GOLDEN_ZSTD, &skippable].concat()).is_err());
    assert!(decode(&[GOLDEN_ZSTD, b"x"].concat()).is_err());
}

#[test]
fn a_count_without_bytes_behind_it_allocates_nothing() {
    let mut lie = vec![0x08, 0x01];
    lie.extend([0x3a, 0x00].repeat(MAX_COLUMNS + 1));
    assert_eq!(decode(&lie).unwrap_err().reason().word(), "too_large");
    let run = Column {
        points: vec![Point::good(0, 1), Point::good(1, 1)],
        ..golden().columns[0].clone()
    };
    let mut raw = Raw::from(&Batch { columns: vec![run], ..golden() });
    raw.columns[0].times = Some(vec![1, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(decode(&raw.encode_to_vec()).unwrap_err().reason().word(), "undecodable");
}

#[test]
#[expect(clippy::cognitive_complexity, reason = "one line a limit")]
fn limits_hold() {
    let with = |change: &dyn Fn(&mut Raw)| {
        let mut raw = Raw::from(&golden());
        change(&mut raw);
        decode(&raw.encode_to_vec()).unwrap_err().reason().word()
    };
    assert_eq!(with(&|raw| raw.version = 2), "version");
    assert_eq!(with(&|raw| raw.version = 0), "undecodable");
    assert_eq!(with(&|raw| raw.sequence = 0), "undecodable");
    assert_eq!(with(&|raw| raw.columns[1].gauge = raw.columns[0].gauge.clone()), "undecodable");
    assert_eq!(with(&|raw| raw.columns[0].gauge = "/level-2".to_owned()), "undecodable");
    assert_eq!(with(&|raw| raw.columns[3].gauge = "gate-2".to_owned()), "undecodable");
    assert_eq!(with(&|raw| raw.columns[3].values = vec![0; 8]), "undecodable");
    assert_eq!(with(&|raw| raw.columns[0].unit = Some("x".repeat(17))), "too_large");
    assert_eq!(with(&|raw| raw.columns[0].decimals = Some(10)), "undecodable");
    assert_eq!(with(&|raw| raw.columns[0].values = vec![0; MAX_POINTS + 1]), "too_large");
    assert_eq!(
        with(&|raw| raw.columns[0].times = Some(runs::encode([86_400_001; 11]))),
        "undecodable"
    );
    assert_eq!(with(&|raw| raw.columns[0].times = Some(runs::encode([0; 11]))), "undecodable");
    assert_eq!(with(&|raw| raw.columns[0].start = Some(i64::MAX)), "undecodable");
    assert_eq!(with(&|raw| raw.columns[1].quality = runs::encode([128; 7])), "undecodable");
    assert_eq!(with(&|raw| raw.columns[1].quality = runs::encode([0; 8])), "undecodable");
    assert_eq!(with(&|raw| raw.sequence = MAX_SEQUENCE + 1), "undecodable");
    let previous = RawPrevious { epoch: 1, last_sequence: MAX_SEQUENCE + 1 };
    assert_eq!(with(&|raw| raw.previous = Some(previous.clone())), "undecodable");
    assert_eq!(with(&|raw| raw.gaps[0].boot_id = vec![1; 15]), "undecodable");
    assert_eq!(with(&|raw| raw.anchors[0].boot_id.truncate(15)), "undecodable");
    assert_eq!(with(&|raw| raw.clock.as_mut().unwrap().state = 3), "undecodable");
}
