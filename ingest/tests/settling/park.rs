//! A full park, and who is told of it; decisions that outlive whoever asked for them.

use std::{sync::Arc, task::Poll, time::Duration};

use ingest::{
    answer::Answer,
    shell::{place, replay::Replayer, settle::TopicKind},
};
use model::{
    batch::{Batch, BatchClock, ClockAnchor, Column},
    ids::{BatchId, BootId, Epoch},
    port::{Asker, Replay as _, Replayed},
    reading::Point,
    wire::refused_v1::{Kept, Reason},
};
use runtime::tasks::Tasks;
use store::Limits;

use crate::making::{NOW, World, agent, at, by, gauge, in_this_world, limits, registry, until};

/// With one gauge, and room for so many parked bytes.
fn world(parked: u64) -> World {
    World::new(Limits { parked, ..limits() }, &registry(&["known"]))
}

fn in_world<F: Future<Output = ()>>(parked: u64, test: impl FnOnce(Arc<World>) -> F) {
    in_this_world((world(parked), 1), test);
}

pub(crate) fn batch(sequence: u64, names: &[&str]) -> Batch {
    let at_ms = NOW - 1_000_000 + i64::try_from(sequence).unwrap();
    Batch {
        id: BatchId { agent: agent(), epoch: Epoch(1), sequence },
        clock: BatchClock::Utc { uncertainty_ms: 0 },
        previous: None,
        columns: names
            .iter()
            .map(|name| Column {
                gauge: gauge(name),
                unit: "m3/s".into(),
                decimals: 0,
                period_ms: 0,
                points: vec![Point::good(at_ms, 1)],
            })
            .collect(),
        gaps: Vec::new(),
        anchors: Vec::new(),
    }
}

#[test]
fn a_full_park_is_told_once_and_good_columns_are_admitted_all_the_same() {
    in_world(100, |world| async move {
        let first = world.send(&batch(1, &["x"])).await;
        assert_eq!(first.notice, None, "the agent keeps it");
        let told = &first.refused[0];
        assert_eq!((told.reason, told.kept), (Reason::UnknownGauge, Kept::None));
        assert!(
            told.detail.ends_with("the park is full: import the registry and replay, or discard")
        );
        for _ in 0..20 {
            assert_eq!(world.send(&batch(1, &["x"])).await, Answer::default());
        }
        let mixed = world.send(&batch(2, &["known", "x"])).await;
        assert_eq!((mixed.notice.unwrap().sequence, mixed.refused[0].kept), (2, Kept::Parked));
        assert_eq!(world.samples("known").await.len(), 1);
        let rows = world.rows().await;
        assert_eq!((rows.len(), rows[0].batches), (1, 1));
    });
}

#[test]
fn a_document_that_finds_no_room_goes_to_the_ring() {
    in_world(100, |world| async move {
        let reading = |name: &str, value: u8| {
            format!(r#"{{"readings":{{"gauge":"S/{name}","at":"{}","value":{value}}}}}"#, at(0))
        };
        let told = world.settle(TopicKind::Json, reading("x", 1).into_bytes()).await;
        assert_eq!(
            (told.refused[0].reason, told.refused[0].kept),
            (Reason::UnknownGauge, Kept::Garbage)
        );
        assert_eq!(world.rows().await[0].kind, Kept::Garbage);
        world.settle(TopicKind::Json, reading("known", 1).into_bytes()).await;
        assert_eq!(world.samples("known").await.len(), 1);
    });
}

#[test]
fn a_replay_goes_on_to_its_end_when_whoever_asked_hangs_up() {
    in_world(64 << 20, |world| async move {
        for sequence in 1..=200 {
            world.send(&batch(sequence, &["x"])).await;
        }
        let id = world.rows().await[0].id;
        world.import_meanwhile(registry(&["known", "x"]), 2).await;
        let mut tasks = Tasks::new();
        let stage = tasks.stage("tests", Duration::from_secs(5));
        let replayer = Replayer::new(world.rejudge.clone(), stage);
        let mut asked = replayer.replay(id, Asker::Token("token".to_owned()));
        let polled =
            std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        drop(asked);
        until("everything is replayed", || async {
            let row = world.rows().await.remove(0);
            (row.waiting == 0).then_some(())
        })
        .await;
        assert_eq!(world.samples("x").await.len(), 200);
        assert_eq!(world.count("quarantine_decided").await, 1);
        let again = replayer.replay(id, Asker::Token("token".to_owned())).await.unwrap();
        assert_eq!((again, world.count("quarantine_decided").await), (Replayed::NotHeld, 1));
        assert_eq!(tasks.stop().await, Vec::<String>::new());
    });
}

#[test]
fn a_crash_between_an_anchor_and_its_effect_leaves_both_to_be_done_once() {
    let mut world = world(64 << 20);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let boot_id = BootId(7);
    runtime.block_on(async {
        world.until_gauges(1).await;
        for sequence in 1..=100 {
            let mut booted = batch(sequence, &["known"]);
            booted.clock = BatchClock::Boot { boot_id };
            booted.columns[0].points[0].at_ms = i64::try_from(sequence).unwrap() * 1_000;
            assert_eq!(world.send(&booted).await.refused[0].reason, Reason::Clock);
        }
        let anchor =
            ClockAnchor { boot_id, utc_at_boot_ms: NOW - 3_600_000, uncertainty_ms: 2, source: 1 };
        world.send(&Batch { anchors: vec![anchor], ..batch(101, &["known"]) }).await;
        assert_eq!(world.samples("known").await.len(), 1);
    });
    // Nothing looked for what the anchor places; the next start does, and the one after it again.
    for _ in 0..2 {
        world = world.reopened(limits());
        runtime.block_on(async {
            world.until_gauges(1).await;
            let mut tasks = Tasks::new();
            let stage = tasks.stage("tests", Duration::from_secs(5));
            stage.spawn("placing", place::run(world.rejudge.clone(), stage.clone()));
            until("everything is placed", || async {
                let waiting: u64 = world.rows().await.iter().map(|row| row.waiting).sum();
                (waiting == 0).then_some(())
            })
            .await;
            assert_eq!(world.samples("known").await.len(), 101);
            let entries = world.entries().await;
            let anchored = entries.iter().position(|kind| kind == "clock_anchored").unwrap();
            let decided = entries.iter().position(|kind| kind == "quarantine_decided").unwrap();
            assert!(anchored < decided, "{entries:?}");
            assert_eq!(entries.iter().filter(|kind| *kind == "clock_anchored").count(), 1);
            assert_eq!(tasks.stop().await, Vec::<String>::new());
        });
    }
    world.is_sound();
}

#[test]
fn a_decision_whose_effect_finds_no_room_is_journalled_once_however_often_it_is_tried() {
    let world = world(64 << 20);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let id = runtime.block_on(async {
        world.until_gauges(1).await;
        assert_eq!(world.send(&batch(1, &["x"])).await.refused[0].kept, Kept::Parked);
        world.rows().await.remove(0).id
    });
    world.import(&registry(&["known", "x"]));
    // With a ballast that no disk has room for, samples wait from the start and entries do not.
    let world = world.reopened(Limits { ballast: 1 << 60, ..limits() });
    runtime.block_on(async {
        world.until_gauges(2).await;
        let stop = tokio_util::sync::CancellationToken::new();
        for (name, count) in [("a", 1), ("a", 1), ("b", 2), ("b", 2), ("a", 3)] {
            let failure = world.rejudge.item(id, &by(name), &stop).await.unwrap_err();
            assert!(matches!(failure, store::StoreError::Full { .. }), "{failure:?}");
            // the journal's last word is always that of whoever tries
            assert_eq!(world.count("quarantine_decided").await, count, "{name}");
        }
    });
}

#[test]
fn a_batch_that_waits_for_a_reader_keeps_no_other_from_being_judged() {
    let world = world(64 << 20);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        world.until_gauges(1).await;
        // As many reads as the store has readers for, and some that wait behind them.
        let (end, ended) = std::sync::mpsc::sync_channel::<()>(1);
        let ended = Arc::new(std::sync::Mutex::new(ended));
        let samples = world.store.samples().clone();
        let mut reads = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (samples, ended) = (samples.clone(), Arc::clone(&ended));
            reads.spawn(async move {
                let read = samples.read(move |_reader| {
                    let waiting = ended.lock().unwrap();
                    waiting.recv().unwrap_err();
                    Ok(())
                });
                read.await
            });
        }
        tokio::task::yield_now().await;
        let mut booted = batch(1, &["known"]);
        booted.clock = BatchClock::Boot { boot_id: BootId(7) };
        let mut asked = Box::pin(world.send(&booted));
        let polled =
            std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        let other = batch(2, &["known"]);
        let answer = tokio::time::timeout(Duration::from_secs(10), world.send(&other)).await;
        assert!(answer.expect("it is judged meanwhile").refused.is_empty());
        drop(end);
        assert_eq!(asked.await.refused[0].reason, Reason::Clock);
        while let Some(read) = reads.join_next().await {
            read.unwrap().unwrap();
        }
    });
}

#[test]
fn a_gateway_that_starts_too_often_is_told_once_and_keeps_its_batch() {
    in_world(64 << 20, |world| async move {
        let started = |sequence: u64, boots: std::ops::Range<u64>| {
            let anchors = boots.map(|boot| ClockAnchor {
                boot_id: BootId(u128::from(boot)),
                utc_at_boot_ms: NOW - 3_600_000,
                uncertainty_ms: 2,
                source: 1,
            });
            Batch { anchors: anchors.collect(), ..batch(sequence, &["known"]) }
        };
        for n in 1..=256 {
            assert!(world.send(&started(n, n * 16..n * 16 + 16)).await.notice.is_some());
        }
        let held_back = started(300, 9_000..9_001);
        let answer = world.send(&held_back).await;
        assert_eq!(answer.notice, None, "the agent keeps it");
        let told = &answer.refused[0];
        assert_eq!(
            (told.reason, told.kept, told.sequence),
            (Reason::Anchor, Kept::None, Some(300))
        );
        assert_eq!(world.send(&held_back).await, Answer::default(), "it was told");
        assert_eq!(world.send(&batch(301, &["known"])).await.notice.unwrap().sequence, 301);
    });
}
