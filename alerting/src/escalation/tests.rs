//! Whom an alarm wakes, when, and whom never.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use expect_test::{Expect, expect};
use model::{
    calendar::Weekday,
    contact::{Locale, Personal, Reach},
    ids::RotaId,
    ladder::{Rung, Told},
    registry::Registry,
    rota::{Rota, Shift},
    time::Zone,
};
use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::clamped(second * 1_000)
}

/// zhang has two ways, li and wang one; on the rota `night` zhang is on duty until 00:30 UTC and
/// li after, on `all` everybody is.
fn registry() -> Registry {
    let contact = |(id, ways): (&str, &[&str])| {
        let id: ContactId = id.parse().unwrap();
        let reach = |channel: &&str| Reach {
            channel: channel.parse().unwrap(),
            to: Personal::new(format!("{channel} of {id}")),
        };
        let reach = ways.iter().map(reach).collect();
        let name = Personal::new(id.to_string());
        (id.clone(), Contact { id, name, reach, locale: Locale::Chinese })
    };
    let shift = |names: &str, from: &str, to: &str| Shift {
        contacts: names.split(' ').map(|name| name.parse().unwrap()).collect(),
        days: Weekday::WORDS.iter().map(|(_, day)| *day).collect(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    };
    let rota = |(id, shifts): (&str, Vec<Shift>)| {
        let id: RotaId = id.parse().unwrap();
        (id.clone(), Rota { id, zone: Zone::named("UTC").unwrap(), shifts, rotations: Vec::new() })
    };
    let night = vec![shift("zhang", "12:00", "00:30"), shift("li", "00:30", "12:00")];
    let ways: [(&str, &[&str]); 3] =
        [("zhang", &["sms", "mail"]), ("li", &["sms"]), ("wang", &["sms"])];
    Registry {
        contacts: ways.into_iter().map(contact).collect(),
        rotas: [("night", night), ("all", vec![shift("zhang li wang", "00:00", "24:00")])]
            .into_iter()
            .map(rota)
            .collect(),
        ..Registry::default()
    }
}

/// `zhang@0 *night@600`: rungs with seconds; a star names a rota.
fn ladder(words: &str) -> Ladder {
    let rung = |word: &str| {
        let (who, after) = word.split_once('@').unwrap();
        let who = match who.strip_prefix('*') {
            Some(rota) => Told::Rota(rota.parse().unwrap()),
            None => Told::Contact(who.parse().unwrap()),
        };
        Rung { who, after_ms: after.parse::<i64>().unwrap() * 1_000 }
    };
    Ladder { id: "duty".parse().unwrap(), rungs: words.split_whitespace().map(rung).collect() }
}

fn shown(effect: &Effect) -> Option<String> {
    match effect {
        Effect::Owe(owed) => {
            Some(format!("{} {} {}", owed.occasion.word(), owed.contact, owed.channel))
        }
        Effect::Recall(_) => None,
        Effect::LadderEnded => Some("ladder ended".to_owned()),
        Effect::RemindersEnded => Some("reminders ended".to_owned()),
        Effect::NobodyReached => Some("nobody reached".to_owned()),
    }
}

/// `30:ack`, `30:over`, `30:tick`; `5:sent-zhang` and `5:lost-zhang` speak of his newest message,
/// `5:late-zhang` of his first.
fn check(rungs: &str, words: &str, expected: &Expect) {
    let registry = registry();
    let people = People::from(&registry);
    let mut lines = String::new();
    let mut owed: Vec<Owed> = Vec::new();
    let mut note = |now: Timestamp, effects: Vec<Effect>, owed: &mut Vec<Owed>| {
        for effect in effects {
            if let Some(shown) = shown(&effect) {
                writeln!(lines, "{} {shown}", now.as_ms() / 1_000).unwrap();
            }
            if let Effect::Owe(message) = effect {
                owed.push(message);
            }
        }
    };
    let (mut machine, effects) = Escalation::open(AlarmId(1), &ladder(rungs), people, at(0));
    note(at(0), effects, &mut owed);
    for word in words.split_whitespace() {
        machine = Escalation::restore(&machine.snapshot()).unwrap();
        let (now, word) = word.split_once(':').unwrap();
        let now = at(now.parse().unwrap());
        while let Some(deadline) = machine.deadline().filter(|deadline| *deadline <= now) {
            let effects = machine.step(Event::Tick, people, deadline);
            note(deadline, effects, &mut owed);
        }
        let (kind, who) = word.split_once('-').unwrap_or((word, ""));
        let mut of_him = owed.iter().filter(|message| message.contact.as_str() == who);
        let event = match kind {
            "ack" => Event::Acknowledged,
            "over" => Event::Over,
            "sent" => Event::Sent(of_him.next_back().unwrap().id),
            "lost" => Event::Unreached(of_him.next_back().unwrap().id),
            "late" => Event::Sent(of_him.next().unwrap().id),
            "arrived" => Event::Arrived(of_him.next().unwrap().id),
            "doubted" => Event::Doubted { message: of_him.next_back().unwrap().id, tried_at: now },
            "gone" => Event::Gone(of_him.next_back().unwrap().id),
            "delayed" => Event::Delayed(of_him.next_back().unwrap().id),
            _ => Event::Tick,
        };
        let effects = machine.step(event, people, now);
        note(now, effects, &mut owed);
    }
    expected.assert_eq(&lines);
}

#[test]
fn one_rung_after_the_other_is_told_until_somebody_takes_it_on() {
    check(
        "zhang@0 li@600 wang@1200",
        "1:sent-zhang 599:tick 600:tick 601:sent-li 700:ack 9999:tick",
        &expect![[r#"
            0 raised zhang sms
            600 raised li sms
        "#]],
    );
}

#[test]
fn a_ladder_may_begin_later() {
    check(
        "zhang@300",
        "299:tick 300:tick",
        &expect![[r#"
        300 raised zhang sms
    "#]],
    );
}

#[test]
fn the_next_way_and_then_the_next_rung_do_not_wait() {
    check(
        "zhang@0 li@600 wang@1200",
        "5:lost-zhang 9:lost-zhang 12:lost-li 20:lost-wang",
        &expect![[r#"
            0 raised zhang sms
            5 raised zhang mail
            9 raised li sms
            12 raised wang sms
            20 nobody reached
        "#]],
    );
}

#[test]
fn a_rung_rests_on_whoever_of_it_can_be_reached() {
    check(
        "*all@0 wang@1200",
        "5:lost-li 6:lost-wang 1200:tick",
        &expect![[r#"
            0 raised zhang sms
            0 raised li sms
            0 raised wang sms
            1200 reminder wang sms
        "#]],
    );
}

#[test]
fn nobody_is_told_twice_but_by_name() {
    // at 600 s the rota has nobody new, so that wang need not wait; at 3000 s zhang is named again
    check(
        "zhang@0 *night@600 wang@1800 zhang@3000",
        "600:tick 3000:tick",
        &expect![[r#"
            0 raised zhang sms
            600 raised wang sms
            3000 reminder zhang sms
        "#]],
    );
}

#[test]
fn who_was_told_within_the_quiet_time_is_not_told_again_and_is_waited_for() {
    check(
        "zhang@0 zhang@300 li@900",
        "300:tick 899:tick 900:tick",
        &expect![[r#"
            0 raised zhang sms
            900 raised li sms
        "#]],
    );
}

#[test]
fn who_is_on_duty_is_asked_when_the_rung_is_due() {
    check(
        "*night@0 *night@1800",
        "1799:tick 1800:tick",
        &expect![[r#"
        0 raised zhang sms
        1800 raised li sms
    "#]],
    );
}

#[test]
fn the_last_rung_is_reminded_and_the_end_is_said() {
    let taken: Vec<_> = (0..16).map(|n| format!("{}:sent-li", 2_401 + n * 1_800)).collect();
    check(
        "zhang@0 li@600",
        &format!("601:sent-li {} 60000:tick", taken.join(" ")),
        &expect![[r#"
            0 raised zhang sms
            600 raised li sms
            2400 ladder ended
            2400 reminder li sms
            4200 reminder li sms
            6000 reminder li sms
            7800 reminder li sms
            9600 reminder li sms
            11400 reminder li sms
            13200 reminder li sms
            15000 reminder li sms
            16800 reminder li sms
            18600 reminder li sms
            20400 reminder li sms
            22200 reminder li sms
            24000 reminder li sms
            25800 reminder li sms
            27600 reminder li sms
            29400 reminder li sms
            31200 reminders ended
        "#]],
    );
}

#[test]
fn where_the_last_rung_cannot_be_reached_all_are_reminded() {
    check(
        "zhang@0 li@600",
        "1:sent-zhang 601:lost-li 602:gone-li 2400:tick",
        &expect![[r#"
            0 raised zhang sms
            600 raised li sms
            2400 ladder ended
            2400 reminder zhang sms
            2400 reminder li sms
        "#]],
    );
}

#[test]
fn reminders_that_no_channel_takes_count_for_nothing_and_go_on() {
    // each message is tried for two hours, and none is owed beside it; after a day one is taken
    let registry = registry();
    let people = People::from(&registry);
    let (mut machine, effects) = Escalation::open(AlarmId(1), &ladder("li@0"), people, at(0));
    let newest = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Owe(owed) => Some(owed.id),
            Effect::Recall(_)
            | Effect::LadderEnded
            | Effect::RemindersEnded
            | Effect::NobodyReached => None,
        })
    };
    let (mut last, mut owed, mut is_ended) = (newest(&effects).unwrap(), 1, false);
    let mut owed_at = at(0);
    let mut step =
        |machine: &mut Escalation, event: Event, now: Timestamp, last: &mut NotificationId| {
            let effects = machine.step(event, people, now);
            is_ended |= effects.contains(&Effect::RemindersEnded);
            if let Some(id) = newest(&effects) {
                (*last, owed, owed_at) = (id, owed + 1, now);
            }
            (owed, owed_at, is_ended)
        };
    let mut tally = (1, at(0), false);
    for second in (0..=86_400).step_by(300) {
        let now = at(second);
        if now.ms_since(tally.1) >= 7_200_000 {
            step(&mut machine, Event::Gone(last), now, &mut last);
        }
        step(&mut machine, Event::Unreached(last), now, &mut last);
        tally = step(&mut machine, Event::Tick, now, &mut last);
        assert!(machine.deadline().is_some() && !tally.2, "{second}");
        assert_eq!(machine.unheard_since(), Some(at(0)));
        assert!(machine.state.messages.len() <= 1);
    }
    assert!((11..=14).contains(&tally.0), "{}", tally.0);
    step(&mut machine, Event::Sent(last), at(86_500), &mut last);
    assert_eq!((machine.unheard_since(), machine.state.reminders), (None, 1));
}

#[test]
fn who_was_not_reminded_for_a_message_that_comes_to_nothing_is_reminded_then() {
    check(
        "li@0",
        "1900:gone-li 1901:gone-li 3599:tick",
        &expect![[r#"
            0 raised li sms
            1800 ladder ended
            1900 reminder li sms
        "#]],
    );
    // he may have been told just now
    check(
        "li@0",
        "1900:doubted-li 1901:gone-li 3600:tick",
        &expect![[r#"
            0 raised li sms
            1800 ladder ended
            3600 reminder li sms
        "#]],
    );
    // the next one is due as if nothing had happened
    check(
        "li@0",
        "1900:gone-li 1901:sent-li 3600:tick",
        &expect![[r#"
            0 raised li sms
            1800 ladder ended
            1900 reminder li sms
            3600 reminder li sms
        "#]],
    );
    // not what was told by another way just now, nor what somebody took on
    check(
        "zhang@0",
        "1900:lost-zhang 1901:gone-zhang 3599:tick",
        &expect![[r#"
            0 raised zhang sms
            1800 ladder ended
            1900 raised zhang mail
        "#]],
    );
    check(
        "li@0",
        "1850:ack 1900:gone-li 9999:tick",
        &expect![[r#"
            0 raised li sms
            1800 ladder ended
        "#]],
    );
    // before the ladder has ended its rungs are there for that
    check(
        "li@0 zhang@700",
        "650:gone-li 651:tick",
        &expect![[r#"
            0 raised li sms
        "#]],
    );
}

#[test]
fn what_arrives_after_its_receipt_had_stayed_out_is_no_loss() {
    // wang is not told, since zhang rests on what arrived
    check(
        "zhang@0 wang@1200",
        "1:sent-zhang 301:lost-zhang 302:arrived-zhang 303:over",
        &expect![[r#"
            0 raised zhang sms
            301 raised zhang mail
            303 over zhang sms
        "#]],
    );
    check(
        "li@0 wang@1200",
        "1:sent-li 301:lost-li 302:arrived-li 303:over",
        &expect![[r#"
            0 raised li sms
            301 raised wang sms
            303 over li sms
        "#]],
    );
}

#[test]
fn who_may_have_been_told_learns_that_it_is_over() {
    check(
        "li@0 wang@1200",
        "25:doubted-li 100:over",
        &expect![[r#"
            0 raised li sms
            100 over li sms
        "#]],
    );
    check(
        "li@0",
        "10:over 25:doubted-li 26:doubted-li",
        &expect![[r#"
            0 raised li sms
            10 over li sms
        "#]],
    );
}

#[test]
fn a_wait_for_a_place_uses_the_next_way_and_never_the_next_rung() {
    check(
        "zhang@0 wang@1200",
        "120:delayed-zhang 240:delayed-zhang 360:delayed-zhang",
        &expect![[r#"
            0 raised zhang sms
            120 raised zhang mail
        "#]],
    );
}

#[test]
fn whoever_was_told_learns_that_it_is_over_and_nobody_else() {
    check(
        "zhang@0 li@600 wang@1200",
        "1:sent-zhang 600:tick 650:over 651:lost-zhang 9999:tick",
        &expect![[r#"
            0 raised zhang sms
            600 raised li sms
            650 over zhang sms
            651 over zhang mail
        "#]],
    );
}

#[test]
fn a_message_that_was_taken_after_all_is_followed_by_the_news_that_it_is_over() {
    check(
        "zhang@0",
        "5:lost-zhang 10:over 11:late-zhang 12:late-zhang",
        &expect![[r#"
            0 raised zhang sms
            5 raised zhang mail
            10 over zhang sms
        "#]],
    );
}

#[test]
fn what_nobody_was_told_of_is_told_once_when_it_is_over_to_the_first_rung() {
    check(
        "*all@0 li@600",
        "5:lost-zhang 650:over 651:over 652:lost-zhang 9999:tick",
        &expect![[r#"
            0 raised zhang sms
            0 raised li sms
            0 raised wang sms
            5 raised zhang mail
            600 reminder li sms
            650 over zhang sms
            650 over li sms
            650 over wang sms
            652 over zhang mail
        "#]],
    );
    // who is on duty by now; whoever is left; nobody before the first rung's time, or after a click
    check(
        "*night@0",
        "1900:over",
        &expect![[r#"
            0 raised zhang sms
            1800 ladder ended
            1800 reminder li sms
            1900 over li sms
        "#]],
    );
    check(
        "chief@0 li@600",
        "1:over",
        &expect![[r#"
            0 raised li sms
            1 over li sms
        "#]],
    );
    check("zhang@300", "200:over", &expect![[""]]);
    check(
        "zhang@0",
        "10:ack 20:over",
        &expect![[r#"
            0 raised zhang sms
        "#]],
    );
}

#[test]
fn who_took_it_on_learns_that_it_is_over() {
    check(
        "zhang@0 li@600",
        "1:sent-zhang 60:ack 700:over 701:over 702:ack",
        &expect![[r#"
        0 raised zhang sms
        700 over zhang sms
    "#]],
    );
}

#[test]
fn an_acknowledgement_recalls_what_no_channel_has_taken() {
    let registry = registry();
    let people = People::from(&registry);
    let (mut machine, effects) = Escalation::open(AlarmId(1), &ladder("zhang@0"), people, at(0));
    let [Effect::Owe(owed)] = &effects[..] else { panic!("{effects:?}") };
    let effects = machine.step(Event::Acknowledged, people, at(1));
    assert_eq!(effects, [Effect::Recall(owed.id)]);
    assert_eq!(machine.deadline(), None);
}

#[test]
fn a_ladder_whose_people_are_gone_says_so() {
    check(
        "chief@0 boss@600",
        "1:tick",
        &expect![[r#"
        0 nobody reached
    "#]],
    );
}

#[test]
fn every_kept_state_stays_readable() {
    let registry = registry();
    let people = People::from(&registry);
    let ladder = ladder("zhang@0 *night@600");
    let (mut machine, effects) = Escalation::open(AlarmId(1), &ladder, people, at(0));
    let [Effect::Owe(owed)] = &effects[..] else { panic!("{effects:?}") };
    machine.step(Event::Sent(owed.id), people, at(1));
    machine.step(Event::Unreached(owed.id), people, at(301));
    let golden = include_str!("../../../tests/fixtures/alarm/escalation_v1.json");
    assert_eq!(machine.snapshot(), golden.trim_end());
    assert_eq!(Escalation::restore(golden).unwrap(), machine);
}

fn ladders() -> impl Strategy<Value = Ladder> {
    let who = prop::sample::select(vec!["zhang", "li", "wang", "chief", "*night", "*all"]);
    prop::collection::vec((who, 0_i64..1_500), 1..6).prop_map(|rungs| {
        let mut after = 0;
        let words = rungs.into_iter().map(|(who, more)| {
            after += more;
            format!("{who}@{after}")
        });
        ladder(&words.collect::<Vec<_>>().join(" "))
    })
}

proptest! {
    #[test]
    fn somebody_is_always_being_told_and_nobody_too_often(
        ladder in ladders(), steps in prop::collection::vec((0_u8..12, 0_i64..900, 0_usize..9), 0..40),
    ) {
        let registry = registry();
        let people = People::from(&registry);
        let (mut machine, mut effects) = Escalation::open(AlarmId(1), &ladder, people, at(0));
        let mut owed: Vec<Owed> = Vec::new();
        let mut ids = BTreeSet::new();
        let mut told: BTreeMap<ContactId, Timestamp> = BTreeMap::new();
        let mut sent: BTreeSet<ContactId> = BTreeSet::new();
        let mut over: BTreeSet<NotificationId> = BTreeSet::new();
        let (mut now, mut is_taken, mut is_over, mut ladder_ends) = (0, false, false, 0);
        let mut is_untold = false;
        for (kind, forward, which) in steps {
            for effect in std::mem::take(&mut effects) {
                match effect {
                    Effect::Owe(message) => {
                        prop_assert!(ids.insert(message.id), "one id for two messages");
                        if message.occasion == Occasion::Over {
                            let is_due = is_untold || sent.contains(&message.contact);
                            prop_assert!(is_over && is_due);
                            over.insert(message.id);
                        } else {
                            prop_assert!(!is_taken && !is_over);
                            let is_first_way = message.channel.as_str() == "sms";
                            if let Some(before) = told.get(&message.contact).filter(|_| is_first_way) {
                                prop_assert!(at(now).ms_since(*before) >= QUIET_MS);
                            }
                            told.insert(message.contact.clone(), at(now));
                        }
                        owed.push(message);
                    }
                    Effect::LadderEnded => ladder_ends += 1,
                    Effect::Recall(_) => prop_assert!(is_taken || is_over),
                    Effect::RemindersEnded | Effect::NobodyReached => {}
                }
            }
            let over_to: Vec<_> = owed.iter()
                .filter(|message| over.contains(&message.id) && message.channel.as_str() == "sms")
                .map(|message| message.contact.clone()).collect();
            prop_assert_eq!(over_to.iter().collect::<BTreeSet<_>>().len(), over_to.len());
            prop_assert!(ladder_ends <= 1);
            if !is_taken && !is_over {
                // never silent: some rung or reminder is still to come
                prop_assert!(machine.deadline().is_some());
                // and what is left of the ladder waits only for somebody who can be reached
                let state = &machine.state;
                let rests = state.rests_on.iter().any(|place| machine.is_reachable(*place));
                prop_assert!(state.told == 0 || state.told == state.steps.len() || rests);
            }
            now += forward;
            machine = Escalation::restore(&machine.snapshot()).unwrap();
            let message = owed.get(which % owed.len().max(1)).cloned();
            let event = match (kind, message) {
                (0, _) => { is_taken = true; Event::Acknowledged }
                (1, _) => {
                    is_untold |= !is_over && !is_taken && sent.is_empty();
                    is_over = true;
                    Event::Over
                }
                (2..=5, Some(message)) => { sent.insert(message.contact); Event::Sent(message.id) }
                (6..=8, Some(message)) => Event::Unreached(message.id),
                _ => Event::Tick,
            };
            effects = machine.step(event, people, at(now));
        }
    }
}
