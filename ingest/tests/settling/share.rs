//! A sender that floods with what nobody knows is bounded, and delays nobody else.

use ingest::{
    answer::Answer,
    shares::{KEPT_AT_ONCE, REFUSED_AT_ONCE},
    shell::settle::TopicKind,
};
use model::wire::refused_v1::{Kept, Reason};
use store::Limits;

use crate::{
    making::{World, at, in_this_world, limits, registry},
    park::batch,
};

const GAUGES: u64 = 12_000;

/// A document of so many gauges that nobody knows, unlike every other.
fn unknown(number: u64) -> Vec<u8> {
    let reading =
        |gauge| format!(r#"{{"gauge":"X/g{number}-{gauge}","at":"{}","value":1}}"#, at(0));
    let readings: Vec<String> = (0..GAUGES).map(reading).collect();
    format!(r#"{{"readings":[{}]}}"#, readings.join(",")).into_bytes()
}

async fn flood(world: &World, payload: Vec<u8>) -> Answer {
    let agent = "flood".parse().unwrap();
    world.settle_of(agent, "baseflow/v1/flood/json", (TopicKind::Json, payload)).await
}

#[test]
fn who_floods_is_taken_unread_beyond_his_share_and_others_are_judged() {
    let limits = Limits { parked: 1 << 30, garbage: 64 << 20, ..limits() };
    let world = World::new(limits, &registry(&["known"]));
    in_this_world((world, 1), |world| async move {
        let mut parked = 0;
        let (first, length) = loop {
            let document = unknown(parked);
            let length = u64::try_from(document.len()).unwrap();
            let told = flood(&world, document).await.refused.remove(0);
            if told.reason == Reason::Share {
                break (told, length);
            }
            assert_eq!((told.reason, told.kept), (Reason::UnknownStation, Kept::Parked));
            parked += 1;
        };
        assert_eq!(parked, REFUSED_AT_ONCE.div_ceil(GAUGES));
        assert_eq!((first.gauges.len(), first.kept), (0, Kept::Garbage));
        // Whatever else comes of it is not looked at, and most of it not written either.
        let document = unknown(1_000);
        let mut kept = 1;
        for _ in 0..100 {
            let told = flood(&world, document.clone()).await.refused.remove(0);
            assert_eq!(told.reason, Reason::Share);
            kept += u64::from(told.kept == Kept::Garbage);
        }
        assert!(kept <= KEPT_AT_ONCE / length + 1, "{kept} of {length} bytes");
        let rows = world.rows().await;
        let unread = rows.iter().filter(|row| row.reason == "share").count();
        assert_eq!(u64::try_from(unread).unwrap(), kept);

        let others = world.send(&batch(1, &["known", "x"])).await;
        assert_eq!(others.notice.unwrap().sequence, 1);
        assert_eq!(others.refused[0].kept, Kept::Parked);
        assert_eq!(world.samples("known").await.len(), 1);

        // It is looked at again as its share comes back, also what was not kept.
        world.clock.set(at(20_000));
        let told = flood(&world, document).await.refused.remove(0);
        assert_eq!((told.reason, told.kept), (Reason::UnknownStation, Kept::Parked));
    });
}

#[test]
fn an_agent_beyond_its_share_keeps_its_batches_and_is_told_once_a_minute() {
    let world = World::new(limits(), &registry(&["known"]));
    in_this_world((world, 1), |world| async move {
        // Each names as many gauges as a batch may have, none of which anybody knows.
        let names: Vec<String> = (0..4_096).map(|gauge| format!("x{gauge}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut sequence = 2;
        while world.send(&batch(sequence, &names)).await.refused[0].reason != Reason::Share {
            sequence += 1;
        }
        assert_eq!(sequence - 2, REFUSED_AT_ONCE / 4_096);
        let sound = batch(1, &["known"]);
        for _ in 0..20 {
            assert_eq!(world.send(&sound).await, Answer::default(), "neither a notice nor a word");
        }
        world.clock.set(at(60_000));
        assert_eq!(world.send(&sound).await.notice.unwrap().sequence, 1);
    });
}
