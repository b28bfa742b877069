//! What lies ahead of the server's clock: it waits, and once the clock has reached it the samples
//! are those of a server whose clock was right from the start.

use std::{sync::Arc, time::Duration};

use ingest::{
    answer::Answer,
    shell::{place, settle::TopicKind},
};
use model::{
    batch::{Batch, BatchClock, ClockAnchor, Column, Gap, GapReason},
    ids::{BatchId, BootId, Epoch},
    reading::Point,
    time::{AHEAD_MS, Span, Timestamp},
    wire::refused_v1::{Kept, Reason},
};
use proptest::prelude::*;
use runtime::tasks::Tasks;
use store::Limits;
use tokio_util::sync::CancellationToken;

use crate::making::{NOW, World, agent, at, by, gauge, gauges, in_this_world, limits};

const BOOT: BootId = BootId(7);

const REGISTRY: &str = r#"
[[station]]
id = "S"
name = "s"
kind = "hydropower"
agent = "gw"

  [[station.gauge]]
  id = "a"
  quantity = "flow"
  unit = "m3/s"
  interval = "5s"
  range = [0.0, 5.0]

  [[station.gauge]]
  id = "b"
  quantity = "flow"
  unit = "m3/s"
  interval = "5s"
"#;

impl World {
    async fn send_json(&self, readings: &[(&str, i64, i64)]) -> Answer {
        let readings = readings.iter().map(|(gauge, ms, value)| {
            format!(r#"{{"gauge":"S/{gauge}","at":"{}","value":{value}}}"#, at(*ms))
        });
        let readings: Vec<String> = readings.collect();
        let document = format!(r#"{{"readings":[{}]}}"#, readings.join(","));
        self.settle(TopicKind::Json, document.into_bytes()).await
    }

    /// Sets the clock, and does what the server does each second.
    async fn pass_at(&self, ms: i64) {
        self.clock.set(at(ms));
        let now = at(ms);
        let due = self.store.samples().read(move |reader| reader.due_items(now, 0, 1_000));
        let stop = CancellationToken::new();
        for item in due.await.unwrap() {
            self.rejudge.due(item, now, &stop).await.unwrap();
        }
        let due = self.store.samples().read(move |reader| reader.due_items(now, 0, 1_000));
        assert_eq!(due.await.unwrap(), Vec::<i64>::new(), "what was judged is due no more");
    }

    async fn waiting(&self) -> u64 {
        let rows = self.rows().await;
        rows.iter().filter(|row| row.kind == Kept::Parked).map(|row| row.waiting).sum()
    }

    /// Every sample of a gauge: milliseconds after `NOW`, units and flags.
    async fn told(&self, name: &str) -> Vec<(i64, Option<i64>, u8)> {
        let samples = self.samples(name).await;
        let samples = samples.iter().map(|stored| &stored.sample);
        samples.map(|sample| (sample.at.ms_since(at(0)), sample.value, sample.qc.0)).collect()
    }

    async fn conflicts(&self, name: &str) -> u64 {
        let gauge = gauge(name);
        let facts = self.store.samples().read(move |reader| reader.gauge(&gauge)).await.unwrap();
        facts.map_or(0, |facts| facts.conflicts)
    }

    /// How many points all spans of all gauges hold, those of another span counted again.
    fn points(&self) -> i64 {
        let path = self.folder.path().join("samples.db");
        let samples = rusqlite::Connection::open(path).unwrap();
        let sql = "SELECT coalesce(sum(points), 0) FROM span";
        samples.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Up to which moments the readings of the one payload that waits are admitted.
    async fn admitted_until(&self) -> Vec<(String, Option<i64>)> {
        let item = self.rows().await.remove(0).id;
        let slice = self.store.samples().read(move |reader| reader.parked_slice(item, 0)).await;
        let gauges = Arc::clone(&slice.unwrap().batches.first().unwrap().gauges);
        let since = |after: &Timestamp| after.ms_since(at(0));
        gauges
            .iter()
            .map(|(gauge, waits)| (gauge.clone(), waits.after.as_ref().map(since)))
            .collect()
    }

    /// How many payloads are stored.
    fn batches(&self) -> i64 {
        let path = self.folder.path().join("samples.db");
        let samples = rusqlite::Connection::open(path).unwrap();
        samples.query_row("SELECT count(*) FROM batch", [], |row| row.get(0)).unwrap()
    }

    async fn gaps(&self) -> usize {
        let span = Span { from: Timestamp::MIN, to: Timestamp::MAX };
        let station = "S".parse().unwrap();
        self.store.samples().read(move |reader| reader.gaps(&station, span)).await.unwrap().len()
    }
}

fn batch(sequence: u64, columns: &[(&str, &[i64])]) -> Batch {
    let columns = columns.iter().map(|(name, moments)| Column {
        gauge: format!("S/{name}").parse().unwrap(),
        unit: "m3/s".into(),
        decimals: 0,
        period_ms: 0,
        points: moments.iter().map(|ms| Point::good(NOW + ms, ms.rem_euclid(7))).collect(),
    });
    Batch {
        id: BatchId { agent: agent(), epoch: Epoch(1), sequence },
        clock: BatchClock::Utc { uncertainty_ms: 0 },
        previous: None,
        columns: columns.collect(),
        gaps: Vec::new(),
        anchors: Vec::new(),
    }
}

fn gap(from_ms: i64, to_ms: i64) -> Gap {
    Gap {
        epoch: Epoch(9),
        first_sequence: 1,
        last_sequence: 1,
        gauges: vec!["S/a".parse().unwrap()],
        boot: None,
        from_ms: NOW + from_ms,
        to_ms: NOW + to_ms,
        reason: GapReason::Overwritten,
        count: 1,
    }
}

fn anchor(utc_at_boot: i64) -> ClockAnchor {
    ClockAnchor { boot_id: BOOT, utc_at_boot_ms: NOW + utc_at_boot, uncertainty_ms: 2, source: 1 }
}

fn in_world<F: Future<Output = ()>>(test: impl FnOnce(Arc<World>) -> F) {
    in_this_world((World::new(limits(), REGISTRY), 2), test);
}

#[test]
fn a_batch_of_a_server_that_is_behind_loses_neither_readings_nor_gap_nor_anchor() {
    in_world(|world| async move {
        // The server is ten minutes behind; the gateway started a minute ago.
        let minute = 60_000;
        let mut early = batch(1, &[("a", &[5_000])]);
        early.clock = BatchClock::Boot { boot_id: BOOT };
        early.columns[0].points[0].at_ms = 5_000;
        world.send(&early).await;
        let later = Batch {
            gaps: vec![gap(9 * minute, 9 * minute + 10)],
            anchors: vec![anchor(9 * minute)],
            ..batch(2, &[("b", &[10 * minute])])
        };
        let told = world.send(&later).await;
        assert_eq!(told.notice.unwrap().sequence, 2);
        let reasons: Vec<_> = told.refused.iter().map(|told| (told.reason, told.kept)).collect();
        assert_eq!(reasons, [(Reason::Time, Kept::Parked)]);
        let row = world.rows().await.remove(0);
        assert_eq!((row.reason.as_str(), row.due), ("time", Some(at(9 * minute - AHEAD_MS))));
        assert_eq!((world.told("b").await, world.gaps().await), (vec![], 0));

        // NTP corrects the clock.
        world.clock.set(at(10 * minute));
        let mut tasks = Tasks::new();
        let stage = tasks.stage("tests", Duration::from_secs(5));
        stage.spawn("placing", place::run(world.rejudge.clone(), stage.clone()));
        let looking = async {
            while world.told("a").await.is_empty() || world.waiting().await > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), looking).await.unwrap();
        assert_eq!(tasks.stop().await, Vec::<String>::new());
        assert_eq!(world.told("a").await[0].0, 9 * minute + 5_000, "placed by the anchor");
        assert_eq!(world.told("b").await[0].0, 10 * minute);
        assert_eq!(world.gaps().await, 1);
        let entries = world.entries().await;
        assert_eq!(entries.iter().filter(|kind| *kind == "clock_anchored").count(), 1);
        // That of the start whose anchor came; what was due has none.
        assert_eq!(entries.iter().filter(|kind| *kind == "quarantine_decided").count(), 1);
    });
}

#[test]
fn a_batch_of_nothing_but_an_anchor_waits_like_any_other() {
    in_world(|world| async move {
        let told = world.send(&Batch { anchors: vec![anchor(200_000)], ..batch(1, &[]) }).await;
        assert_eq!((told.notice.unwrap().sequence, told.refused[0].kept), (1, Kept::Parked));
        let row = world.rows().await.remove(0);
        assert_eq!((row.waiting, row.gauge_count, row.due), (1, 0, Some(at(80_000))));
        world.pass_at(79_999).await;
        assert_eq!(world.waiting().await, 1);
        world.pass_at(80_000).await;
        let stands = world.store.samples().read(|reader| reader.anchor(&agent(), BOOT)).await;
        assert_eq!((stands.unwrap(), world.waiting().await), (Some(anchor(200_000)), 0));
    });
}

#[test]
fn an_anchor_beyond_the_bound_of_starts_waits_on_with_its_batch() {
    let world = World::new(Limits { anchors: 1, ..limits() }, REGISTRY);
    in_this_world((world, 2), |world| async move {
        let first = ClockAnchor { boot_id: BootId(6), ..anchor(0) };
        world.send(&Batch { anchors: vec![first], ..batch(1, &[]) }).await;
        let ahead = Batch {
            gaps: vec![gap(200_000, 200_010)],
            anchors: vec![anchor(200_000)],
            ..batch(2, &[("b", &[200_000])])
        };
        world.send(&ahead).await;
        world.pass_at(200_000).await;
        let id = world.rows().await[0].id;
        let by = by("somebody");
        let said = world.rejudge.item(id, &by, &CancellationToken::new()).await.unwrap();
        let model::port::Replayed::StillRefused(why) = said else { panic!("{said:?}") };
        assert!(why[0].contains("too often"), "{why:?}");
        assert_eq!((world.points(), world.gaps().await, world.waiting().await), (0, 0, 1));
        world.pass_at(store::ANCHOR_WINDOW_MS - 1).await;
        assert_eq!(world.waiting().await, 1, "it is tried again by and by");
        world.pass_at(2 * store::ANCHOR_WINDOW_MS).await;
        assert_eq!((world.points(), world.gaps().await, world.waiting().await), (1, 1, 0));
        let stands = world.store.samples().read(|reader| reader.anchor(&agent(), BOOT)).await;
        assert_eq!(stands.unwrap(), Some(anchor(200_000)));
    });
}

#[test]
fn a_person_who_replays_has_the_anchor_noted_as_well() {
    in_world(|world| async move {
        world.send(&Batch { anchors: vec![anchor(200_000)], ..batch(1, &[]) }).await;
        world.clock.set(at(200_000));
        let id = world.rows().await[0].id;
        let by = by("somebody");
        let stop = CancellationToken::new();
        let done = world.rejudge.item(id, &by, &stop).await.unwrap();
        assert!(matches!(done, model::port::Replayed::Admitted { batches: 1, .. }), "{done:?}");
        let stands = world.store.samples().read(|reader| reader.anchor(&agent(), BOOT)).await;
        assert_eq!(stands.unwrap(), Some(anchor(200_000)));
        assert!(world.entries().await.contains(&"quarantine_decided".to_owned()));
    });
}

#[test]
fn what_is_judged_again_for_another_reason_brings_no_anchor_or_gap_twice() {
    in_world(|world| async move {
        // Admitted at once: an anchor that contradicts the one that stands, and a gap.
        world.send(&Batch { anchors: vec![anchor(-9_000)], ..batch(1, &[]) }).await;
        let mixed = Batch {
            gaps: vec![gap(-100, 0)],
            anchors: vec![anchor(-5_000)],
            ..batch(2, &[("b", &[AHEAD_MS + 5_000])])
        };
        world.send(&mixed).await;
        world.pass_at(5_000).await;
        assert_eq!((world.told("b").await.len(), world.gaps().await), (1, 1));
        let path = world.folder.path().join("samples.db");
        let samples = rusqlite::Connection::open(path).unwrap();
        let others: i64 =
            samples.query_row("SELECT others FROM anchor", [], |row| row.get(0)).unwrap();
        assert_eq!(others, 1, "it is counted once");
    });
}

#[test]
fn readings_in_time_do_not_wait_for_those_ahead_of_the_same_gauge() {
    in_world(|world| async move {
        let minute = 60_000;
        let readings = [
            ("a", 0, 1),
            ("a", 10 * minute, 2),
            ("b", 5 * minute, 3),
            ("a", 10 * minute, 4),
            ("a", 4 * minute, 9),
            ("a", 0, 7),
        ];
        let told = world.send_json(&readings).await;
        assert_eq!((told.refused[0].reason, told.refused[0].kept), (Reason::Time, Kept::Parked));
        let flow = 1_000_000;
        assert_eq!(world.told("a").await, [(0, Some(flow), 0)]);
        assert_eq!(world.conflicts("a").await, 1, "the second reading of that moment");
        let until = |a, b| vec![("S/a".to_owned(), a), ("S/b".to_owned(), b)];
        assert_eq!(world.admitted_until().await, until(Some(0), None));
        world.pass_at(2 * minute).await;
        assert_eq!(world.told("a").await.len(), 2);
        assert_eq!(world.admitted_until().await, until(Some(4 * minute), None));
        assert_eq!(world.told("b").await.len(), 0, "it is not its turn yet");
        world.pass_at(3 * minute).await;
        world.pass_at(20 * minute).await;
        let expected =
            [(0, Some(flow), 0), (4 * minute, Some(9 * flow), 0), (10 * minute, Some(2 * flow), 0)];
        assert_eq!(world.told("a").await, expected);
        assert_eq!((world.told("b").await.len(), world.conflicts("a").await), (1, 2));
        assert_eq!((world.points(), world.waiting().await), (4, 0));
        // It comes again, and is known.
        assert_eq!(world.send_json(&readings).await, Answer::default());
    });
}

#[test]
fn a_payload_is_kept_for_what_lies_ahead_alone_and_not_for_what_turns_out_to_be_a_repetition() {
    in_world(|world| async move {
        let ahead = AHEAD_MS + 1_000;
        world.send_json(&[("a", 0, 1)]).await;
        // All that is in time of the second was said before; the third says what the second says.
        world.send_json(&[("a", 0, 1), ("a", ahead, 2)]).await;
        world.send_json(&[("a", ahead, 2)]).await;
        assert_eq!((world.batches(), world.waiting().await), (3, 2));
        world.pass_at(1_000).await;
        assert_eq!((world.points(), world.conflicts("a").await), (2, 0));
        assert_eq!((world.batches(), world.waiting().await), (2, 0));
        assert_eq!(world.send_json(&[("a", ahead, 2)]).await, Answer::default(), "it is known");
    });
}

#[test]
fn what_the_registry_refuses_meanwhile_is_refused_only_as_far_as_it_waits() {
    in_world(|world| async move {
        world.send_json(&[("a", 0, 1), ("a", AHEAD_MS + 1_000, 2)]).await;
        let moving = Arc::clone(&world);
        let other = format!("{}{}", REGISTRY.replace("\"gw\"", "\"other\""), "\n");
        tokio::task::spawn_blocking(move || moving.import(&other)).await.unwrap();
        let speaks = |name: &'static str| {
            let world = Arc::clone(&world);
            async move {
                let mut state = world.store.journal().watch();
                let is_it = |state: &store::JournalState| {
                    let found = state.registry.as_ref();
                    let station = found.and_then(|found| found.registry.station("S"));
                    station
                        .and_then(|station| station.agent.as_ref())
                        .map(model::ids::AgentId::as_str)
                        == Some(name)
                };
                state.wait_for(is_it).await.unwrap();
            }
        };
        speaks("other").await;
        world.pass_at(1_000).await;
        let row = world.rows().await.remove(0);
        assert_eq!((row.reason.as_str(), row.due, row.waiting), ("foreign_station", None, 1));
        let moving = Arc::clone(&world);
        let back = format!("{REGISTRY}\n\n");
        tokio::task::spawn_blocking(move || moving.import(&back)).await.unwrap();
        speaks("gw").await;
        let by = by("somebody");
        world.rejudge.item(row.id, &by, &CancellationToken::new()).await.unwrap();
        assert_eq!((world.told("a").await.len(), world.points()), (2, 2));
        assert_eq!(world.waiting().await, 0);
    });
}

#[test]
fn a_payload_of_many_moments_is_judged_seldom_and_a_clock_that_goes_back_takes_nothing_twice() {
    in_world(|world| async move {
        let readings: Vec<_> =
            (0..2_000).map(|n| ("a", AHEAD_MS + 1 + n * 1_000, n.rem_euclid(5))).collect();
        world.send_json(&readings).await;
        let mut judged = 0;
        let mut before = 0;
        for second in 1..=2_200 {
            world.pass_at(second * 1_000).await;
            let points = world.points();
            judged += u32::from(points != before);
            before = points;
            if second % 500 == 0 {
                world.pass_at(second * 500).await;
                assert_eq!(world.points(), points, "a clock that goes back admits nothing");
            }
        }
        assert_eq!((world.points(), world.told("a").await.len()), (2_000, 2_000));
        assert!(judged < 150, "judged {judged} times");
        assert_eq!(world.waiting().await, 0);
    });
}

#[test]
fn a_moment_that_never_comes_is_shown_and_can_be_discarded() {
    in_world(|world| async move {
        let far = 80 * 365 * 86_400_000;
        world.send_json(&[("a", 0, 1), ("a", far, 2), ("b", far, 2)]).await;
        let row = world.rows().await.remove(0);
        assert_eq!(row.gauges, ["S/a", "S/b"]);
        assert_eq!((row.due, row.moments), (Some(at(far - AHEAD_MS)), Some((at(far), at(far)))));
        world.pass_at(86_400_000).await;
        assert_eq!(world.waiting().await, 1);
        let (samples, journal) = (world.store.samples(), world.store.journal());
        let parts = (samples, journal);
        let discarded =
            store::give_up(parts, &world.decided, row.id, by("somebody"), at(0)).await.unwrap();
        assert_eq!(discarded, store::GivenUp::Done);
        world.pass_at(far).await;
        assert_eq!((world.told("a").await.len(), world.told("b").await.len()), (1, 0));
    });
}

#[test]
fn the_clock_admits_what_waited_for_it_and_what_the_registry_had_refused_waits_for_a_person() {
    in_world(|world| async move {
        let far = 600_000;
        // Of one payload: a gauge ahead of the clock, one that is not known, and one that is both.
        world.send(&batch(1, &[("a", &[far]), ("y", &[-1_000]), ("z", &[far])])).await;
        world.send_json(&[("a", far + 1, 3), ("y", -2_000, 4), ("z", far + 1, 5)]).await;
        world.import_meanwhile(format!("{REGISTRY}{}", gauges(&["y", "z"])), 4).await;
        world.pass_at(far).await;
        assert_eq!(world.told("a").await.len(), 2);
        assert_eq!((world.told("y").await.len(), world.told("z").await.len()), (0, 0));
        assert_eq!((world.waiting().await, world.count("quarantine_decided").await), (2, 0));
        // Nor does it come by itself later.
        world.pass_at(2 * far).await;
        assert_eq!((world.told("y").await.len(), world.told("z").await.len()), (0, 0));
        let held: Vec<_> = world.rows().await.into_iter().filter(|row| row.waiting > 0).collect();
        for row in &held {
            assert_eq!(row.reason, Reason::UnknownGauge.word(), "{row:?}");
            assert_eq!((row.gauge_count, row.due), (2, None), "{row:?}");
            assert_eq!(row.gauges, ["S/y", "S/z"]);
            let stop = CancellationToken::new();
            world.rejudge.item(row.id, &by("somebody"), &stop).await.unwrap();
        }
        assert_eq!(held.len(), 2);
        assert_eq!((world.told("y").await.len(), world.told("z").await.len()), (2, 2));
        assert_eq!((world.waiting().await, world.count("quarantine_decided").await), (0, 2));
    });
}

/// What a payload holds: gauges, and moments around now.
#[derive(Debug, Clone)]
enum Sent {
    Batch(Vec<(&'static str, Vec<i64>)>, Option<i64>),
    Json(Vec<(&'static str, i64, i64)>),
}

fn sent() -> impl Strategy<Value = Sent> {
    let moment = -2 * AHEAD_MS..5 * AHEAD_MS;
    let gauge = proptest::sample::select(vec!["a", "b"]);
    let moments = proptest::collection::btree_set(moment.clone(), 1..6)
        .prop_map(|moments| moments.into_iter().collect::<Vec<_>>());
    let columns = proptest::collection::btree_map(gauge.clone(), moments, 0..3)
        .prop_map(|columns| columns.into_iter().collect());
    let gap = proptest::option::of(moment.clone());
    let readings = proptest::collection::vec((gauge, moment, 0_i64..9), 1..12);
    prop_oneof![
        (columns, gap).prop_map(|(columns, gap)| Sent::Batch(columns, gap)),
        readings.prop_map(Sent::Json),
    ]
}

async fn send_all(world: &World, all: &[Sent]) {
    for (sequence, sent) in (1..).zip(all) {
        // Each has moments of its own: of two payloads the one that is admitted first stands.
        let own = |ms: &i64| ms * 16 + i64::try_from(sequence).unwrap();
        match sent {
            Sent::Batch(columns, from) => {
                let columns: Vec<(&str, Vec<i64>)> = columns
                    .iter()
                    .map(|(name, moments)| (*name, moments.iter().map(own).collect()))
                    .collect();
                let columns: Vec<(&str, &[i64])> =
                    columns.iter().map(|(name, moments)| (*name, moments.as_slice())).collect();
                let gaps = from.iter().map(|ms| gap(own(ms), own(ms) + 10)).collect();
                world.send(&Batch { gaps, ..batch(sequence, &columns) }).await;
            }
            Sent::Json(readings) => {
                let readings: Vec<_> =
                    readings.iter().map(|(name, ms, value)| (*name, own(ms), *value)).collect();
                world.send_json(&readings).await;
            }
        }
    }
}

/// Everything that there is of samples.
async fn told(world: &World) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        world.told("a").await,
        world.told("b").await,
        (world.conflicts("a").await, world.conflicts("b").await),
        (world.points(), world.gaps().await),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn judged_as_it_comes_due_or_once_at_the_end_the_samples_are_the_same(
        all in proptest::collection::vec(sent(), 1..6),
        looks in proptest::collection::vec(0_i64..90 * AHEAD_MS, 0..6),
    ) {
        let end = 200 * AHEAD_MS;
        let (step_by_step, at_once) = (World::new(limits(), REGISTRY), World::new(limits(), REGISTRY));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let both = runtime.block_on(async {
            for world in [&step_by_step, &at_once] {
                world.until_gauges(2).await;
            }
            send_all(&step_by_step, &all).await;
            for look in &looks {
                step_by_step.pass_at(*look).await;
            }
            step_by_step.pass_at(end).await;
            step_by_step.pass_at(end + AHEAD_MS * 100).await;
            assert_eq!(step_by_step.waiting().await, 0);
            at_once.clock.set(at(end));
            send_all(&at_once, &all).await;
            (told(&step_by_step).await, told(&at_once).await)
        });
        prop_assert_eq!(both.0, both.1);
        step_by_step.is_sound();
    }
}
