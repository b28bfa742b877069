//! Several who decide about one item at the same moment: the journal's last word about it is what
//! became of it.

use ingest::shell::{rejudge::Rejudge, settle::TopicKind};
use model::port::Replayed;
use serde_json::Value;
use store::{Decided, GivenUp, QuarantineState};
use tokio_util::sync::CancellationToken;

use crate::{
    making::{World, at, by, in_this_world, limits, registry, until},
    park::batch,
};

/// What the journal has of an item: each decision that has not come to nothing, with its entry.
async fn last_word(world: &World, id: i64) -> Option<(i64, String)> {
    let entries = world.store.journal().read(|reader| reader.entries(0, 10_000)).await.unwrap();
    let mut words = Vec::new();
    for entry in &entries {
        let document = entry.document().unwrap();
        let body: Value = serde_json::from_str(document.body.get()).unwrap();
        let field = |name: &str| body.get(name).unwrap_or(&Value::Null);
        if *field("id") != id {
            continue;
        }
        match entry.kind.as_str() {
            "quarantine_decided" => {
                words.push((entry.position, field("decision").as_str().unwrap().to_owned()));
            }
            "quarantine_voided" => words.retain(|(position, _)| *field("entry") != *position),
            _ => {}
        }
    }
    words.pop()
}

/// Two replay and two discard, in one process and in two, each as soon as it can.
async fn quarrel(world: &World, id: i64) -> (Vec<Replayed>, Vec<GivenUp>) {
    let stop = CancellationToken::new();
    let (samples, journal) = (world.store.samples(), world.store.journal());
    let elsewhere = Decided::default();
    let (one, other) = (by("one"), by("other"));
    let clock = std::sync::Arc::<runtime::clock::ManualClock>::clone(&world.clock);
    let rejudge = Rejudge::new(samples.clone(), journal.clone(), clock, elsewhere.clone());
    let (a, b, c, d) = tokio::join!(
        world.rejudge.item(id, &one, &stop),
        store::give_up((samples, journal), &elsewhere, id, by("third"), at(0)),
        store::give_up((samples, journal), &world.decided, id, by("one"), at(0)),
        rejudge.item(id, &other, &stop),
    );
    (vec![a.unwrap(), d.unwrap()], vec![b.unwrap(), c.unwrap()])
}

#[test]
fn what_became_of_an_item_is_what_the_journal_said_last() {
    let world = World::new(limits(), &registry(&["known"]));
    in_this_world((world, 1), |world| async move {
        let names: Vec<String> = (0..40).map(|n| format!("x{n}")).collect();
        for (sequence, name) in (1..).zip(&names) {
            // one batch in some, and several slices of them in others
            for part in 0..if sequence % 4 == 0 { 200 } else { 1 } {
                world.send(&batch(sequence * 1_000 + part, &[name])).await;
            }
        }
        // and what is refused whole
        let reading =
            format!(r#"{{"readings":[{{"gauge":"S/x0","at":"{}","value":1e30}}]}}"#, at(0));
        world.settle(TopicKind::Json, reading.into_bytes()).await;
        let mut known: Vec<&str> = names.iter().map(String::as_str).collect();
        known.push("known");
        world.import_meanwhile(registry(&known), known.len()).await;
        let items = world.rows().await;
        assert_eq!(items.len(), 41);
        let mut outcomes = std::collections::BTreeSet::new();
        for item in items {
            let (replayed, given_up) = quarrel(&world, item.id).await;
            let row = world.store.samples().read(move |reader| reader.quarantine_row(item.id));
            let row = row.await.unwrap().unwrap();
            let became = match row.state {
                QuarantineState::Held => panic!("somebody decided: {replayed:?} {given_up:?}"),
                state @ (QuarantineState::Replayed | QuarantineState::Discarded) => state.word(),
            };
            outcomes.insert(became);
            let said = last_word(&world, item.id).await;
            assert_eq!(said, Some((row.entry.unwrap(), became.to_owned())), "{given_up:?}");
            let done = given_up.iter().filter(|outcome| **outcome == GivenUp::Done).count();
            assert_eq!(done, usize::from(row.state == QuarantineState::Discarded));
        }
        assert!(!outcomes.is_empty());
    });
}

#[test]
fn what_has_made_room_before_its_decision_came_about_is_said_to_have_come_to_nothing() {
    let world = World::new(limits(), &registry(&["known"]));
    in_this_world((world, 1), |world| async move {
        world.settle(TopicKind::Json, b"garbage".to_vec()).await;
        let id = world.rows().await.remove(0).id;
        let (samples, journal) = (world.store.samples(), world.store.journal());
        let decision = (id, store::Decision::Discarded, Vec::new());
        let entry = world.decided.enter(journal, at(0), &by("one"), decision).await.unwrap();
        // a mebibyte of other garbage takes its place
        for n in 0_u32..40 {
            let payload = [&n.to_be_bytes()[..], &vec![b'x'; 40_000]].concat();
            world.settle(TopicKind::Json, payload).await;
        }
        let gone = samples.write(store::Discard { id, entry }).await.unwrap();
        assert_eq!(gone, store::Discarded::NotHeld { stands: None });
        world.decided.void(journal, at(0), &by("one"), (id, entry, None)).await.unwrap();
        assert_eq!(last_word(&world, id).await, None);
    });
}

#[test]
fn of_an_item_that_is_half_replayed_an_earlier_decision_comes_to_nothing_and_a_later_one_stands() {
    let world = World::new(limits(), &registry(&["known"]));
    in_this_world((world, 1), |world| async move {
        for sequence in 1..=300 {
            world.send(&batch(sequence, &["x"])).await;
        }
        let id = world.rows().await.remove(0).id;
        world.import_meanwhile(registry(&["known", "x"]), 2).await;
        let (samples, journal) = (world.store.samples(), world.store.journal());
        let decision = (id, store::Decision::Discarded, Vec::new());
        let earlier = world.decided.enter(journal, at(0), &by("one"), decision).await.unwrap();
        let stop = CancellationToken::new();
        let half = async {
            until("something is admitted", || async {
                (!world.samples("x").await.is_empty()).then_some(())
            })
            .await;
            stop.cancel();
        };
        let other = by("other");
        let (replayed, ()) = tokio::join!(world.rejudge.item(id, &other, &stop), half);
        assert!(matches!(replayed.unwrap(), Replayed::Admitted { .. }));
        let left = world.rows().await.remove(0);
        assert!(left.waiting > 0 && left.state == QuarantineState::Held, "{left:?}");
        let replay = left.entry.unwrap();
        let overtaken = samples.write(store::Discard { id, entry: earlier }).await.unwrap();
        assert_eq!(overtaken, store::Discarded::NotHeld { stands: Some(replay) });
        let voided = (id, earlier, Some(replay));
        world.decided.void(journal, at(0), &by("one"), voided).await.unwrap();
        assert_eq!(last_word(&world, id).await, Some((replay, "replayed".to_owned())));
        let later = store::give_up((samples, journal), &world.decided, id, by("one"), at(0)).await;
        assert_eq!(later.unwrap(), GivenUp::Done);
        let row = world.rows().await.remove(0);
        assert_eq!((row.state, row.waiting), (QuarantineState::Discarded, 0));
        assert_eq!(last_word(&world, id).await.unwrap().0, row.entry.unwrap());
    });
}
