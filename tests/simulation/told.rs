//! What must hold of messages, whatever happened: each once, nobody left out, and an end to it.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    alarm::{NotificationState, Occasion},
    ids::AlarmId,
    time::Timestamp,
};
use store::{AlarmFacts, NotificationFacts};

use crate::{month::Month, registry::LADDER};

/// Checks all of them, and says how many messages there were.
pub(crate) fn check(month: &Month) -> usize {
    let (seed, server) = (month.seed, &month.server);
    let given = server.given.lock().unwrap().clone();
    let ids: BTreeSet<u128> = given.iter().map(|(id, _)| *id).collect();
    assert!(
        given.len() - ids.len() <= month.forgotten,
        "seed {seed}: {} of {} messages arrived twice, and {} were on their way at a death",
        given.len() - ids.len(),
        given.len(),
        month.forgotten,
    );
    let messages = server.messages();
    let mut of_alarm: BTreeMap<AlarmId, Vec<&NotificationFacts>> = BTreeMap::new();
    for facts in &messages {
        of_alarm.entry(facts.row.alarm).or_default().push(facts);
    }
    let cleared = cleared_at(month);
    for alarm in server.alarms(100_000) {
        let told = of_alarm.get(&alarm.row.id).map_or(&[][..], Vec::as_slice);
        each_event_once(seed, told);
        let is_over = cleared.contains_key(&alarm.row.id);
        the_end_is_told(seed, told, &ids, is_over.then_some(&alarm));
        if month.is_steady {
            nobody_is_left_out(month, &alarm, told, cleared.get(&alarm.row.id).copied());
            taken_on_is_quiet(seed, &alarm, told);
        }
    }
    messages.len()
}

/// When each alarm was found to be over.
fn cleared_at(month: &Month) -> BTreeMap<AlarmId, Timestamp> {
    let entries = month.server.entries("alarm_cleared");
    let of = |entry: &store::Entry| {
        let document = entry.document().unwrap();
        let body: serde_json::Value = serde_json::from_str(document.body.get()).unwrap();
        (body["alarm"].as_str().unwrap().parse().unwrap(), entry.at)
    };
    entries.iter().map(of).collect()
}

/// Of one event each person has one message by each way.
fn each_event_once(seed: u64, told: &[&NotificationFacts]) {
    let events =
        told.iter().filter(|facts| facts.row.occasion != Occasion::Reminder).map(|facts| {
            let row = &facts.row;
            (row.occasion.word(), row.contact.clone(), row.way, row.channel.clone())
        });
    let events: Vec<_> = events.collect();
    let once: BTreeSet<_> = events.iter().collect();
    assert!(once.len() == events.len(), "seed {seed}: an event was told twice");
}

/// Whoever got a message is told that it is over, and nobody else whom none was tried for; but the
/// first one, where nobody got any and nobody took it on.
fn the_end_is_told(
    seed: u64,
    told: &[&NotificationFacts],
    given: &BTreeSet<u128>,
    over: Option<&AlarmFacts>,
) {
    let of = |is_end: bool| {
        move |facts: &&&NotificationFacts| (facts.row.occasion == Occasion::Over) == is_end
    };
    let contact = |facts: &&NotificationFacts| facts.row.contact.clone();
    let got = |facts: &&&NotificationFacts| given.contains(&facts.row.id.0);
    let reached: BTreeSet<_> = told.iter().filter(of(false)).filter(got).map(contact).collect();
    let tried = |facts: &&&NotificationFacts| facts.row.attempts > 0;
    let tried: BTreeSet<_> = told.iter().filter(of(false)).filter(tried).map(contact).collect();
    let ended: BTreeSet<_> = told.iter().filter(of(true)).map(contact).collect();
    if let Some(alarm) = over {
        assert!(reached.is_subset(&ended), "seed {seed}: {reached:?} know, of the end {ended:?}");
        let first: BTreeSet<_> = [LADDER[0].0.parse().unwrap()].into();
        let may_hear: BTreeSet<_> = tried.union(&first).cloned().collect();
        assert!(
            ended.is_subset(&may_hear),
            "seed {seed}: {ended:?} hear of an end, and know nothing"
        );
        let is_taken = alarm.row.acknowledged_at.is_some();
        assert!(is_taken || !ended.is_empty(), "seed {seed}: nobody heard of {:?}", alarm.row);
    } else {
        assert!(ended.is_empty(), "seed {seed}: the end of what stands was told");
    }
}

/// While nobody takes it on, each rung of the ladder is told at the first look after its time.
fn nobody_is_left_out(
    month: &Month,
    alarm: &AlarmFacts,
    told: &[&NotificationFacts],
    cleared: Option<Timestamp>,
) {
    let Some(raised_at) = alarm.row.raised_at else { return };
    let end = [alarm.row.acknowledged_at, cleared].into_iter().flatten().min();
    for (contact, after) in LADDER {
        let due = raised_at.plus_ms(after * 60_000).as_ms() / 1_000;
        let Some(look) = month.server.looks.iter().find(|look| look.at >= due) else { continue };
        if end.is_some_and(|end| end.as_ms() / 1_000 <= look.at) {
            continue;
        }
        let is_told = told.iter().any(|facts| {
            facts.row.contact.as_str() == contact && facts.row.owed_at.as_ms() / 1_000 <= look.at
        });
        assert!(is_told, "seed {}: nobody told {contact} of {:?}", month.seed, alarm.row);
    }
}

/// An acknowledgement ends the ladder: nothing more is owed, and what no channel took goes away.
fn taken_on_is_quiet(seed: u64, alarm: &AlarmFacts, told: &[&NotificationFacts]) {
    let Some(taken_at) = alarm.row.acknowledged_at else { return };
    for facts in told.iter().filter(|facts| facts.row.occasion != Occasion::Over) {
        let row = &facts.row;
        assert!(row.owed_at <= taken_at, "seed {seed}: {row:?} was owed after {taken_at}");
        let is_owed = row.state == NotificationState::Owed;
        assert!(!is_owed, "seed {seed}: {row:?} is not recalled");
    }
}
