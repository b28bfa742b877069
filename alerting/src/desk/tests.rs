//! A river, its people and their telephones, driven by hand; everything is restored from what was
//! written after each step.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use expect_test::{Expect, expect};
use model::{fault::Fault, flow::Flow, tree::Origin};
use store::{AlarmRow, By, ByKind, ConditionRow, EscalationRow};

use super::*;
use crate::{
    below_mandate::{self, Bound, Point},
    released::{Row, Samples},
};
use model::time::Span;

fn registry_of(on_delay: &str, ladder: &str) -> Arc<Registry> {
    let text = format!(
        r#"
        [[station]]
        id = "S"
        name = "鹿鸣滩"
        agent = "gw"
        gauge = [ {{ id = "pipe", quantity = "flow", unit = "m3/s", interval = "10s" }} ]
        outlet = [ {{ id = "pipe", flow = {{ gauge = "pipe" }} }} ]
        mandate = [ {{ document = "D", from = "2026-01-01", seasons = [ {{ from = "01-01", flow = 0.5 }} ], rule = "r" }} ]
        [[rule]]
        id = "r"
        statistic = "hourly_mean"
        [[alarm_rule]]
        id = "low"
        kind = "below_mandate"
        severity = "orange"
        on_delay = "{on_delay}"
        off_delay = "20s"
        {ladder}
        [[alarm_rule]]
        id = "silent"
        kind = "no_data"
        severity = "blue"
        on_delay = "60s"
        [[contact]]
        id = "zhang"
        reach = [ {{ channel = "sms", to = "138" }}, {{ channel = "mail", to = "z@x" }} ]
        [[contact]]
        id = "li"
        reach = [ {{ channel = "sms", to = "139" }} ]
        [[ladder]]
        id = "duty"
        steps = [ {{ contact = "zhang" }}, {{ contact = "li", after = "10m" }} ]
        "#
    );
    let origin = Origin::File("registry.toml".into());
    Arc::new(store::registry::parse(&text, &origin).expect("a sound registry"))
}

fn registry() -> Arc<Registry> {
    registry_of("20s", "ladder = \"duty\"")
}

fn at(second: i64) -> Timestamp {
    let begin: Timestamp = "2026-03-01T10:00:00+08:00".parse().unwrap();
    begin.plus_ms(second * 1_000)
}

#[expect(clippy::unnecessary_wraps, reason = "a machine may give no random numbers")]
fn draw() -> Option<LinkToken> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Some(LinkToken(NEXT.fetch_add(1, Ordering::Relaxed)))
}

fn by(name: &str) -> By {
    By { kind: ByKind::Contact, name: name.to_owned() }
}

fn surroundings() -> Surroundings {
    Surroundings { url: "http://x".to_owned(), reserved: BTreeMap::new(), draw }
}

/// What a store keeps of it.
#[derive(Default)]
struct Kept {
    conditions: BTreeMap<(String, String), ConditionRow>,
    alarms: BTreeMap<AlarmId, AlarmRow>,
    escalations: BTreeMap<AlarmId, EscalationRow>,
    notifications: BTreeMap<NotificationId, NotificationRow>,
}

fn key(row: &ConditionRow) -> (String, String) {
    (row.rule.as_ref().map(ToString::to_string).unwrap_or_default(), row.subject.to_string())
}

impl Kept {
    fn set(&mut self, changes: &Changes) {
        self.conditions.extend(changes.conditions.iter().map(|row| (key(row), row.clone())));
        self.conditions.retain(|known, _| !changes.forgotten.iter().any(|row| key(row) == *known));
        self.alarms.extend(changes.alarms.iter().map(|row| (row.id, row.clone())));
        self.alarms.retain(|id, _| !changes.dropped.contains(id));
        self.escalations.extend(changes.escalations.iter().map(|row| (row.alarm, row.clone())));
        let messages = changes.notifications.iter().map(|row| (row.id, row.clone()));
        self.notifications.extend(messages);
    }

    fn alarming(&self, listened_until: Timestamp) -> Alarming {
        let is_led = |id: &AlarmId| self.escalations.get(id).is_some_and(|row| row.is_open);
        Alarming {
            positions: None,
            listened_until: Some(listened_until),
            conditions: self.conditions.values().cloned().collect(),
            alarms: self
                .alarms
                .values()
                .filter(|row| row.state != AlarmState::Normal || is_led(&row.id))
                .cloned()
                .collect(),
            escalations: self.escalations.values().filter(|row| row.is_open).cloned().collect(),
            notifications: self.notifications.values().filter(|row| row.is_open).cloned().collect(),
        }
    }
}

struct World {
    desk: Desk,
    kept: Kept,
    registry: Arc<Registry>,
    now: Timestamp,
    lines: String,
    /// What channels were given, the newest last.
    attempts: Vec<Attempt>,
    /// How many messages a channel takes at once.
    places: usize,
}

impl World {
    fn new(registry: Arc<Registry>) -> Self {
        let kept = Kept::default();
        let none = Alarming { listened_until: Some(at(0)), ..Alarming::default() };
        let mut desk = Desk::restore(surroundings(), Arc::clone(&registry), none, at(0)).unwrap();
        desk.listen(at(0));
        Self {
            desk,
            kept,
            registry,
            now: at(0),
            lines: String::new(),
            attempts: Vec::new(),
            places: 8,
        }
    }

    /// Writes, notes what happened, and starts again from what was written.
    fn settle(&mut self, now: Timestamp) {
        let changes = self.desk.changes();
        self.kept.set(&changes);
        for body in &changes.bodies {
            let second = |at_: &Timestamp| at_.ms_since(at(0)) / 1_000;
            let what = if let Body::AlarmChanged(changed) = body {
                format!("alarm {} → {}", changed.what, changed.state)
            } else if let Body::MessageChanged(changed) = body {
                let (who, channel) = (&changed.contact, &changed.channel);
                format!("{} to {who} by {channel}: {}", changed.occasion, changed.state)
            } else if let Body::BreachFound { from, to, .. } = body {
                format!("breach {} to {}", second(from), second(to))
            } else {
                body.kind().to_owned()
            };
            writeln!(self.lines, "{} {what}", now.ms_since(at(0)) / 1_000).unwrap();
        }
        for attempt in changes.attempts {
            let to = attempt.to.as_ref().map_or("nobody", |to| to.as_str());
            let text = attempt.text.split("http").next().unwrap();
            writeln!(self.lines, "{} to {to}: {text}", now.ms_since(at(0)) / 1_000).unwrap();
            self.attempts.push(attempt);
        }
        let is_deaf = self.desk.is_deaf();
        let kept = self.kept.alarming(now);
        self.desk = Desk::restore(surroundings(), Arc::clone(&self.registry), kept, now).unwrap();
        if !is_deaf {
            self.desk.listen(now);
        }
        // what a start says anew, says nothing new
        let again = self.desk.changes();
        assert_eq!((again.bodies.len(), again.attempts.len()), (0, 0), "{again:?}");
    }

    /// Keeps every deadline up to `now`.
    fn pass_to(&mut self, now: Timestamp) {
        while let Some(deadline) = self.desk.deadline(true).filter(|deadline| *deadline <= now) {
            self.now = self.now.max(deadline);
            self.desk.tick(true, self.now);
            self.desk.begin_attempts(|_| self.places, self.now);
            self.settle(self.now);
        }
        self.now = now;
    }

    /// `60 flow 0.4` a live reading, `60 taken` and `60 lost` of the newest attempt, `60 ack zhang
    /// VERSION`.
    fn run(&mut self, steps: &str) {
        for step in steps.split(';') {
            let words: Vec<&str> = step.split_whitespace().collect();
            let now = at(words[0].parse().unwrap());
            self.pass_to(now);
            match words[1] {
                "flow" => self.flow(words[2].parse::<i64>().unwrap()),
                "taken" => self.desk.outcome(
                    self.attempts.last().unwrap().id,
                    Outcome::Taken { has_receipt: true },
                    now,
                ),
                "lost" => {
                    let id = self.attempts.last().unwrap().id;
                    self.desk.outcome(id, Outcome::Refused(Fault::Permanent), now);
                }
                "receipt" => self.desk.receipt(self.attempts.last().unwrap().id, true, now),
                "ack" => {
                    let id = *self.desk.alarms.keys().next().unwrap();
                    let seen = words[3].parse().unwrap();
                    let outcome = self.desk.acknowledge(id, (&by(words[2]), seen), now);
                    writeln!(self.lines, "{} {outcome:?}", words[0]).unwrap();
                }
                _ => {}
            }
            self.settle(now);
            self.pass_to(now);
        }
    }

    fn flow(&mut self, ml: i64) {
        let key = SectionKey { station: "S".parse().unwrap(), section: "dam".parse().unwrap() };
        let span = Span { from: self.now, to: self.now.plus_ms(1) };
        let row = Row { span, received_at: self.now, is_import: false };
        let came: Samples = vec![(self.now, Flow::from_ml_per_s(ml * 1_000))];
        let told = self.desk.flow(&key, row, &[came], self.now);
        assert_eq!(told.late, None);
        self.desk.heard(&"S/pipe".parse().unwrap(), self.now, self.now);
    }
}

fn check(registry: Arc<Registry>, steps: &str, expected: &Expect) -> World {
    let mut world = World::new(registry);
    world.run(steps);
    expected.assert_eq(&world.lines);
    world
}

#[test]
fn a_shortfall_wakes_one_person_and_its_end_is_told_to_him() {
    let world = check(
        registry(),
        "0 flow 600; 10 flow 400; 20 flow 400; 30 flow 410; 31 taken; 32 receipt; 40 flow 600;
         50 flow 600; 60 flow 600; 61 taken; 62 receipt",
        &expect![[r#"
            30 alarm raised → unacknowledged
            30 to 138: 鹿鸣滩下泄0.410，低于核定0.500m³/s，10:00起。
            31 raised to zhang by sms: sent
            32 raised to zhang by sms: delivered
            60 alarm cleared → cleared_unacknowledged
            60 to 138: 鹿鸣滩已恢复：下泄0.600，核定0.500m³/s，10:00至10:00不足。
            61 over to zhang by sms: sent
            62 over to zhang by sms: delivered
        "#]],
    );
    let kept = &world.kept;
    assert_eq!((kept.alarms.len(), kept.notifications.len()), (1, 2));
    assert!(kept.notifications.values().all(|row| row.token.is_none() && !row.is_open));
    let owed = kept.notifications.values().next().unwrap();
    assert!(owed.text.contains("http://x/i/*************"), "{}", owed.text);
    assert!(world.attempts[0].text.contains("http://x/i/0000000"), "{}", world.attempts[0].text);
    // the alarm waits for somebody to take it on; nothing else is left
    let desk = &world.desk;
    assert_eq!((desk.alarms.len(), desk.ladders.len(), desk.messages.len()), (1, 0, 0));
}

#[test]
fn a_dip_that_is_over_before_the_delay_leaves_nothing() {
    let world = check(
        registry(),
        "0 flow 600; 10 flow 400; 20 flow 400; 29 flow 600; 40 flow 600",
        &expect![[""]],
    );
    assert_eq!((world.kept.alarms.len(), world.kept.escalations.len()), (0, 0));
}

#[test]
fn an_acknowledgement_stops_the_ladder_and_the_second_one_is_refused() {
    check(
        registry(),
        "0 flow 400; 10 flow 400; 20 flow 400; 21 taken; 22 receipt; 30 ack zhang 1; 31 ack zhang 2;
         32 ack li 2; 40 flow 400; 700 wait; 700 flow 400",
        &expect![[r#"
            20 alarm raised → unacknowledged
            20 to 138: 鹿鸣滩下泄0.400，低于核定0.500m³/s，10:00起。
            21 raised to zhang by sms: sent
            22 raised to zhang by sms: delivered
            30 Err(Changed { version: 2 })
            31 Ok(())
            31 alarm acknowledged → acknowledged
            32 Err(Elsewhere { by: By { kind: Contact, name: "zhang" }, at: 2026-03-01T02:00:31Z })
            220 alarm raised → unacknowledged
            700 alarm cleared → cleared_unacknowledged
        "#]],
    );
}

#[test]
fn what_does_not_arrive_is_passed_on_until_somebody_is_reached() {
    check(
        registry(),
        "0 flow 400; 10 flow 400; 20 flow 400; 21 lost; 22 lost; 23 taken",
        &expect![[r#"
            20 alarm raised → unacknowledged
            20 to 138: 鹿鸣滩下泄0.400，低于核定0.500m³/s，10:00起。
            21 raised to zhang by sms: failed
            21 to z@x: 鹿鸣滩下泄0.400，低于核定0.500m³/s，10:00起。
            22 raised to zhang by mail: failed
            22 to 139: 鹿鸣滩下泄0.400，低于核定0.500m³/s，10:00起。
            23 raised to li by sms: sent
        "#]],
    );
}

#[test]
fn what_came_and_went_before_anybody_could_be_told_is_told_once_as_over() {
    let mut world = World::new(registry());
    for (second, ml) in [(0, 400), (10, 400), (20, 400), (30, 600), (40, 600), (50, 600)] {
        // a backlog that is read before anything may be sent
        world.now = at(second);
        world.flow(ml);
    }
    world.settle(at(50));
    world.pass_to(at(51));
    let id = world.attempts[0].id;
    world.desk.outcome(id, Outcome::Taken { has_receipt: false }, at(51));
    world.settle(at(51));
    world.pass_to(at(9_999));
    expect![[r#"
        50 alarm raised → unacknowledged
        50 alarm cleared → cleared_unacknowledged
        50 raised to zhang by sms: expired
        50 to 138: 鹿鸣滩已恢复：下泄0.600，核定0.500m³/s，10:00至10:00不足。
        51 over to zhang by sms: sent
        230 alarm raised → unacknowledged
    "#]]
    .assert_eq(&world.lines);
}

#[test]
fn who_may_have_been_told_when_the_process_ended_is_told_of_the_end() {
    let mut world = World::new(registry());
    world.run("0 flow 400; 10 flow 400; 20 flow 400");
    assert_eq!(world.attempts.len(), 1);
    world.desk.forget_attempts(at(21));
    world.settle(at(21));
    // it ends before the message is tried again
    for (second, ml) in [(22, 600), (32, 600), (42, 600)] {
        world.now = at(second);
        world.flow(ml);
    }
    world.settle(at(42));
    world.pass_to(at(43));
    expect![[r#"
        20 alarm raised → unacknowledged
        20 to 138: 鹿鸣滩下泄0.400，低于核定0.500m³/s，10:00起。
        42 alarm cleared → cleared_unacknowledged
        42 raised to zhang by sms: expired
        42 to 138: 鹿鸣滩已恢复：下泄0.600，核定0.500m³/s，10:00至10:00不足。
    "#]]
    .assert_eq(&world.lines);
}

#[test]
fn days_of_gateways_that_never_answer_are_a_reminder_each_half_hour_and_grow_nothing() {
    let mut world = World::new(registry());
    world.run("0 flow 400; 10 flow 400; 20 flow 400");
    let (end, mut answered) = (at(3 * 86_400), 0);
    while let Some(deadline) = world.desk.deadline(true).filter(|deadline| *deadline <= end) {
        world.pass_to(deadline);
        while let Some(attempt) = world.attempts.get(answered) {
            let id = attempt.id;
            answered += 1;
            world.desk.outcome(id, Outcome::Unanswered, world.now);
            world.settle(world.now);
        }
    }
    let mut of_message: BTreeMap<NotificationId, usize> = BTreeMap::new();
    let mut of_address: BTreeMap<String, usize> = BTreeMap::new();
    for attempt in &world.attempts {
        *of_message.entry(attempt.id).or_default() += 1;
        *of_address.entry(attempt.to.as_ref().unwrap().as_str().to_owned()).or_default() += 1;
    }
    assert!(of_message.values().all(|count| *count <= 3), "{of_message:?}");
    // what raised it three times, and 143 reminders, since the ladder ended within the first hour
    assert!(of_address.values().all(|count| (100..=3 + 143).contains(count)), "{of_address:?}");
    let open = world.kept.notifications.values().filter(|row| row.is_open).count();
    let state = world.kept.escalations.values().map(|row| row.state.len()).max().unwrap();
    assert!(open <= 3 && state < 2_048, "{open} open, {state} bytes");
    // whoever may have been told is told of the end, once
    let before = world.attempts.len();
    for second in 0..4 {
        world.now = end.plus_ms(10_000 * second);
        world.flow(600);
        world.settle(world.now);
    }
    world.pass_to(world.now);
    let over = world.attempts.get(before..).unwrap();
    assert_eq!(over.len(), 2, "{over:?}");
    assert!(over.iter().all(|attempt| attempt.text.contains("已恢复")), "{over:?}");
}

#[test]
fn what_comes_late_and_raises_says_since_when() {
    let mut world = World::new(registry());
    world.run("0 flow 600; 300 flow 400");
    let key = SectionKey { station: "S".parse().unwrap(), section: "dam".parse().unwrap() };
    let low = Point {
        at: at(270),
        released: Flow::from_ml_per_s(400_000),
        bound: Bound::Whole,
        required: Some(Flow::from_ml_per_s(500_000)),
    };
    world.desk.late(&key, &below_mandate::Event::Late(vec![(low, at(300))]), at(301));
    world.settle(at(301));
    let alarm = world.kept.alarms.values().next().unwrap();
    assert_eq!((alarm.state, alarm.began_at), (AlarmState::Unacknowledged, at(270)));
}

#[test]
fn nobody_is_told_any_later_for_a_clock_that_was_set_back() {
    let mut world = World::new(registry());
    world.run("0 flow 400; 10 flow 400; 20 flow 400");
    let id = world.attempts[0].id;
    world.desk.outcome(id, Outcome::Refused(Fault::Transient), at(21));
    world.settle(at(21));
    world.desk.set_back(3_600_000, at(-3_579));
    world.settle(at(-3_579));
    world.now = at(-3_579);
    world.pass_to(at(-3_574));
    assert_eq!(world.attempts.len(), 2, "{}", world.lines);
    // and the next rung is due ten minutes after the alarm was raised
    world.desk.outcome(id, Outcome::Taken { has_receipt: false }, at(-3_573));
    world.settle(at(-3_573));
    world.pass_to(at(-2_981));
    assert_eq!(world.attempts.len(), 2, "{}", world.lines);
    world.pass_to(at(-2_980));
    assert_eq!(world.attempts.len(), 3, "{}", world.lines);
}

#[test]
fn what_waits_for_a_place_is_no_attempt_and_the_next_rung_is_not_told_for_it() {
    let mut world = World::new(registry());
    world.run("0 flow 400; 10 flow 400");
    world.now = at(20);
    world.flow(400);
    let desk = &mut world.desk;
    for (second, ways) in [(20, 1), (139, 1), (140, 2), (500, 2)] {
        desk.tick(true, at(second));
        desk.begin_attempts(|_| 0, at(second));
        desk.tick(true, at(second));
        assert_eq!(desk.changes().attempts, []);
        let queues = desk.queues();
        let sms = queues.get("sms").unwrap();
        assert_eq!((sms.length, sms.since, queues.len()), (1, at(20), ways), "{second}");
        assert_eq!(desk.unheard(), (1, Some(at(20))));
        // nobody else is told: the next rung waits for its time
        let is_zhang = |kept: &KeptMessage| kept.row.contact.as_str() == "zhang";
        assert!(desk.messages.values().all(is_zhang));
    }
    // nor does it die of the wait, as long as its alarm stands
    let is_owed = |desk: &Desk| {
        desk.messages.values().all(|kept| kept.machine.state() == NotificationState::Owed)
    };
    desk.tick(true, at(599));
    desk.begin_attempts(|_| 0, at(599));
    assert!(desk.messages.len() == 2 && is_owed(desk));
    desk.begin_attempts(|_| 1, at(599));
    let attempts = desk.changes().attempts;
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 1]);
    assert!(desk.queues().is_empty());
}

#[test]
fn a_message_that_waits_for_hours_is_handed_over_while_its_alarm_stands() {
    let mut world = World::new(registry());
    world.run("0 flow 400; 10 flow 400");
    for second in (20..15_000).step_by(10) {
        world.now = at(second);
        world.flow(400);
        world.desk.tick(true, world.now);
        world.desk.begin_attempts(|_| 0, world.now);
        world.settle(world.now);
    }
    assert!(world.attempts.is_empty() && !world.lines.contains("expired"), "{}", world.lines);
    // a place comes free: whoever was owed a message first has it
    world.desk.tick(true, at(15_000));
    world.desk.begin_attempts(|_| 1, at(15_000));
    world.settle(at(15_000));
    let to = world.attempts.iter().filter_map(|attempt| attempt.to.as_ref());
    assert_eq!(
        to.map(model::contact::Personal::as_str).collect::<Vec<_>>(),
        ["z@x", "138"],
        "{}",
        world.lines
    );
}

#[test]
fn the_gravest_goes_first_and_what_is_recalled_while_it_waits_never() {
    let worse = r#"ladder = "duty"
        [[alarm_rule]]
        id = "worse"
        kind = "below_mandate"
        severity = "red"
        share = 0.9
        on_delay = "20s"
        off_delay = "20s"
        ladder = "duty""#;
    let mut world = World::new(registry_of("20s", worse));
    world.run("0 flow 400; 10 flow 400");
    world.now = at(20);
    world.flow(400);
    let desk = &mut world.desk;
    desk.tick(true, at(20));
    let rule = |desk: &Desk, id: AlarmId| desk.alarms[&id].machine.about().rule.to_string();
    desk.begin_attempts(|_| 1, at(21));
    let attempts = desk.changes().attempts;
    let of: Vec<_> = attempts.iter().map(|a| desk.messages[&a.id].row.alarm).collect();
    assert_eq!(of.iter().map(|id| rule(desk, *id)).collect::<Vec<_>>(), ["worse"]);
    let other = desk.alarms.keys().copied().find(|id| !of.contains(id)).unwrap();
    let seen = desk.alarms[&other].machine.version();
    desk.acknowledge(other, (&by("wang"), seen), at(22)).unwrap();
    desk.begin_attempts(|_| 8, at(23));
    assert_eq!((desk.changes().attempts, desk.queues().len()), (vec![], 0));
}

#[test]
fn a_silence_is_raised_by_the_clock_and_cleared_by_data() {
    check(
        registry(),
        "0 flow 600; 200 wait; 300 flow 600; 310 flow 600",
        &expect![[r#"
        180 alarm raised → unacknowledged
        300 alarm cleared → cleared_unacknowledged
    "#]],
    );
}

#[test]
fn a_rule_that_is_gone_ends_its_alarm_and_says_so() {
    let mut world = World::new(registry());
    world.run("0 flow 400; 10 flow 400; 20 flow 400; 21 taken");
    let mut gone = (*registry()).clone();
    gone.alarm_rules.clear();
    world.registry = Arc::new(gone);
    world.desk.adopt(Arc::clone(&world.registry), at(30));
    world.settle(at(30));
    world.pass_to(at(31));
    expect![[r#"
        20 alarm raised → unacknowledged
        20 to 138: 鹿鸣滩下泄0.400，低于核定0.500m³/s，10:00起。
        21 raised to zhang by sms: sent
        30 alarm withdrawn → cleared_unacknowledged
        30 to 138: 鹿鸣滩告警规则已撤销，10:00起的告警结束。
    "#]]
    .assert_eq(&world.lines);
    assert!(world.desk.conditions.keys().all(|condition| condition.rule.as_str() == "low"));
}

#[test]
fn a_station_that_leaves_takes_no_rule_with_it() {
    let mut world = World::new(registry());
    world.run("0 flow 400; 10 flow 400; 20 flow 400; 21 taken");
    let mut gone = (*registry()).clone();
    gone.stations.get_mut("S").unwrap().status = model::station::StationStatus::Exited;
    world.registry = Arc::new(gone);
    world.desk.adopt(Arc::clone(&world.registry), at(30));
    world.settle(at(30));
    world.pass_to(at(31));
    expect![[r#"
        20 alarm raised → unacknowledged
        20 to 138: 鹿鸣滩下泄0.400，低于核定0.500m³/s，10:00起。
        21 raised to zhang by sms: sent
        30 alarm withdrawn → cleared_unacknowledged
        30 to 138: 鹿鸣滩不再监测（电站已退出），10:00起的告警结束。
    "#]]
    .assert_eq(&world.lines);
}

#[test]
fn an_address_that_has_gone_is_nobodys() {
    let mut world = World::new(registry());
    let mut other = (*registry()).clone();
    other.contacts.get_mut("zhang").unwrap().reach.remove(0);
    for (second, ml) in [(0, 400), (10, 400), (20, 400)] {
        world.now = at(second);
        world.flow(ml);
    }
    world.registry = Arc::new(other);
    world.desk.adopt(Arc::clone(&world.registry), at(20));
    world.settle(at(20));
    world.pass_to(at(20));
    assert_eq!(world.attempts[0].to, None);
}

#[test]
fn a_newer_alarm_takes_the_place_of_one_that_nobody_took_on() {
    check(
        registry_of("0s", ""),
        "0 flow 400; 10 flow 600; 20 flow 600; 30 flow 600; 40 flow 400",
        &expect![[r#"
            0 alarm raised → unacknowledged
            30 alarm cleared → cleared_unacknowledged
            40 alarm superseded → normal
            40 alarm raised → unacknowledged
        "#]],
    );
}
