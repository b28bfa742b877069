//! Alarms as the journal keeps them: what stands with what, who was first, and what a link tells.

use std::path::Path;

use expect_test::{Expect, expect};
use model::{
    alarm::{AlarmEvent, AlarmState, LinkToken, NotificationState, Occasion},
    alarm_rule::Severity,
    ids::{AlarmId, NotificationId},
};
use rusqlite::Connection;
use store::{
    Acknowledge, AlarmChanged, AlarmRow, AlarmsQuery, Asked, Body, By, ByKind, ConditionRow,
    EscalationRow, MessageChanged, NotificationRow, NotificationsQuery, SetAlarms, Store,
    TakeReceipt, UNHEARD_MS, Unheard,
};

use crate::making::{at, open};

const MESSAGE: NotificationId = NotificationId(7);
const TOKEN: LinkToken = LinkToken(u64::MAX - 3);

fn by(name: &str) -> By {
    By { kind: ByKind::Token, name: name.to_owned() }
}

fn alarm(id: u128, state: AlarmState, version: u32) -> AlarmRow {
    AlarmRow {
        id: AlarmId(id),
        rule: "low".parse().unwrap(),
        subject: "section A/dam".parse().unwrap(),
        severity: Severity::Orange,
        is_drill: false,
        state,
        version,
        began_at: at(0),
        raised_at: Some(at(600)),
        acknowledged_at: None,
        acknowledged_by: None,
        cleared_at: None,
        facts: "{}".to_owned(),
        bytes: "state".to_owned(),
    }
}

fn message(state: NotificationState, attempts: u32, token: Option<LinkToken>) -> NotificationRow {
    NotificationRow {
        id: MESSAGE,
        alarm: AlarmId(1),
        contact: "zhang".parse().unwrap(),
        channel: "sms".parse().unwrap(),
        way: 0,
        occasion: Occasion::Raised,
        state,
        attempts,
        is_doubted: false,
        owed_at: at(600),
        sent_at: None,
        ended_at: None,
        text: "low http://x/i/*************".to_owned(),
        token,
        is_open: state == NotificationState::Owed,
        bytes: "state".to_owned(),
    }
}

fn changed(row: &AlarmRow, what: AlarmEvent) -> Body {
    Body::AlarmChanged(AlarmChanged {
        what,
        alarm: row.id,
        rule: row.rule.clone(),
        subject: row.subject.clone(),
        severity: row.severity,
        drill: row.is_drill,
        version: row.version,
        state: row.state,
        event_at: at(0),
        detected_at: at(600),
        acknowledged_by: row.acknowledged_by.clone(),
    })
}

fn sent(row: &NotificationRow) -> Body {
    Body::MessageChanged(MessageChanged {
        state: row.state,
        message: row.id,
        alarm: row.alarm,
        contact: row.contact.clone(),
        channel: row.channel.clone(),
        occasion: row.occasion,
        attempts: row.attempts,
        doubted: row.is_doubted,
    })
}

/// Writes rows and what is journalled of them, with the position `samples`.
fn set(
    store: &Store,
    (samples, entries): (i64, i64),
    alarms: Vec<AlarmRow>,
    notifications: Vec<NotificationRow>,
    bodies: Vec<Body>,
) {
    let write = SetAlarms {
        at: at(700),
        by: By { kind: ByKind::Server, name: "alerting".to_owned() },
        consumer: "alerting",
        samples,
        entries,
        listened_until: Some(at(650)),
        conditions: vec![ConditionRow {
            rule: Some("low".parse().unwrap()),
            subject: "section A/dam".parse().unwrap(),
            state: format!("state at {samples}"),
        }],
        forgotten: Vec::new(),
        alarms,
        dropped: Vec::new(),
        escalations: vec![EscalationRow {
            alarm: AlarmId(1),
            is_open: true,
            state: "s".to_owned(),
        }],
        notifications,
        bodies,
    };
    store.journal().write_blocking(write).unwrap();
}

/// A store with a raised alarm and a message of it that is owed.
fn raised(folder: &Path) -> Store {
    let store = open(folder);
    let row = alarm(1, AlarmState::Unacknowledged, 2);
    let bodies = vec![changed(&row, AlarmEvent::Raised)];
    let owed = message(NotificationState::Owed, 1, Some(TOKEN));
    set(&store, (5, 1), vec![row], vec![owed], bodies);
    store
}

fn ask(store: &Store, name: &str, id: u128, seen: u32) -> Asked {
    let ask = Acknowledge { at: at(800), by: by(name), alarm: AlarmId(id), seen };
    store.journal().write_blocking(ask).unwrap()
}

#[test]
fn what_was_written_together_is_what_alerting_goes_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let store = raised(folder.path());
    let gone = alarm(2, AlarmState::Normal, 4);
    set(&store, (6, 2), vec![gone.clone()], Vec::new(), vec![changed(&gone, AlarmEvent::Cleared)]);
    let known = store.journal().read_blocking(|reader| reader.alarming("alerting")).unwrap();
    assert_eq!(known.positions, Some((6, 2)));
    assert_eq!(known.listened_until, Some(at(650)));
    assert_eq!(known.conditions[0].state, "state at 6");
    assert_eq!(known.alarms, [alarm(1, AlarmState::Unacknowledged, 2)]);
    assert_eq!(known.notifications, [message(NotificationState::Owed, 1, Some(TOKEN))]);
    assert_eq!(known.escalations.len(), 1);
    // it is over, and its ladder has still to tell somebody so
    let over = alarm(1, AlarmState::Normal, 3);
    let bodies = vec![changed(&over, AlarmEvent::Cleared)];
    set(&store, (7, 3), vec![over.clone()], Vec::new(), bodies);
    let known = store.journal().read_blocking(|reader| reader.alarming("alerting")).unwrap();
    assert_eq!(known.alarms, [over]);
    let never = store.journal().read_blocking(|reader| reader.alarming("nobody")).unwrap();
    assert_eq!(never.positions, None);
}

#[test]
fn an_alarm_that_was_never_raised_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut pending = alarm(3, AlarmState::Pending, 1);
    pending.raised_at = None;
    set(&store, (1, 0), vec![pending], Vec::new(), Vec::new());
    assert_eq!(ask(&store, "li", 3, 1), Asked::NotRaised);
    let write = SetAlarms {
        at: at(700),
        by: by("alerting"),
        consumer: "alerting",
        samples: 2,
        entries: 0,
        listened_until: Some(at(700)),
        conditions: Vec::new(),
        forgotten: Vec::new(),
        alarms: Vec::new(),
        dropped: vec![AlarmId(3)],
        escalations: Vec::new(),
        notifications: Vec::new(),
        bodies: Vec::new(),
    };
    store.journal().write_blocking(write).unwrap();
    let known = store.journal().read_blocking(|reader| reader.alarm(AlarmId(3))).unwrap();
    assert_eq!(known, None);
}

#[test]
fn who_asks_second_learns_who_was_first_before_alerting_has_come_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = raised(folder.path());
    assert_eq!(ask(&store, "li", 1, 1), Asked::Changed { version: 2 });
    assert_eq!(ask(&store, "li", 9, 1), Asked::Unknown);
    let Asked::Entry(entry) = ask(&store, "li", 1, 2) else { panic!("it was refused") };
    assert_eq!(ask(&store, "li", 1, 2), Asked::Entry(entry));
    let first = Asked::Elsewhere { by: by("li"), at: at(800) };
    assert_eq!(ask(&store, "zhang", 1, 2), first);
    let known = || store.journal().read_blocking(|reader| reader.alarm(AlarmId(1))).unwrap();
    assert_eq!(known().unwrap().asked, Some(entry));
    // alerting has come to it, and refused it: the alarm had cleared
    let cleared = alarm(1, AlarmState::ClearedUnacknowledged, 3);
    let bodies = vec![changed(&cleared, AlarmEvent::Cleared)];
    set(&store, (7, entry), vec![cleared], Vec::new(), bodies);
    assert_eq!(known().unwrap().asked, None);
    assert_eq!(ask(&store, "zhang", 1, 2), Asked::Changed { version: 3 });
    assert!(matches!(ask(&store, "zhang", 1, 3), Asked::Entry(_)));
    let over = AlarmRow {
        acknowledged_at: Some(at(800)),
        acknowledged_by: Some(by("zhang")),
        ..alarm(1, AlarmState::Normal, 4)
    };
    let bodies = vec![changed(&over, AlarmEvent::Acknowledged)];
    set(&store, (8, entry + 9), vec![over], Vec::new(), bodies);
    assert_eq!(ask(&store, "zhang", 1, 3), Asked::Done);
    let first = Asked::Elsewhere { by: by("zhang"), at: at(800) };
    assert_eq!(ask(&store, "li", 1, 4), first);
    // a contact that is called like the token is another
    let by = By { kind: ByKind::Contact, name: "zhang".to_owned() };
    let asked = Acknowledge { at: at(900), by, alarm: AlarmId(1), seen: 3 };
    assert_eq!(store.journal().write_blocking(asked).unwrap(), first);
}

#[test]
fn a_receipt_is_noted_once_and_that_a_message_arrived_is_the_last_word() {
    let folder = tempfile::tempdir().unwrap();
    let store = raised(folder.path());
    let receipt = |channel: &str, message, is_delivered| {
        let channel = channel.parse().unwrap();
        let take = TakeReceipt { at: at(900), by: by("sms"), message, channel, is_delivered };
        store.journal().write_blocking(take).unwrap()
    };
    assert_eq!(receipt("mail", MESSAGE, true), None);
    assert_eq!(receipt("sms", NotificationId(99), true), None);
    assert!(receipt("sms", MESSAGE, false).is_some());
    assert_eq!(receipt("sms", MESSAGE, false), None);
    assert!(receipt("sms", MESSAGE, true).is_some());
    assert_eq!(receipt("sms", MESSAGE, true), None);
    assert_eq!(receipt("sms", MESSAGE, false), None);
}

#[test]
fn an_alarm_has_reached_nobody_where_all_was_in_vain_or_nothing_was_taken_for_minutes() {
    let folder = tempfile::tempdir().unwrap();
    let store = raised(folder.path());
    let told = |id: u128| {
        let found = store.journal().read_blocking(move |reader| reader.alarm(AlarmId(id)));
        let facts = found.unwrap().unwrap();
        let reached = [601, 300_601].map(|ms| facts.has_reached_nobody(at(ms)));
        (facts.unheard, reached[0], reached[1])
    };
    assert_eq!(UNHEARD_MS, 300_000);
    assert_eq!(told(1), (Some(Unheard::Tried), false, true));
    let failed = message(NotificationState::Failed, 3, None);
    set(&store, (6, 2), Vec::new(), vec![failed.clone()], vec![sent(&failed)]);
    assert_eq!(told(1), (Some(Unheard::InVain), true, true));
    // a further message is tried, and then taken
    let mut second = message(NotificationState::Owed, 1, Some(LinkToken(9)));
    second.id = NotificationId(8);
    set(&store, (7, 3), Vec::new(), vec![second.clone()], vec![sent(&second)]);
    assert_eq!(told(1), (Some(Unheard::Tried), false, true));
    (second.state, second.sent_at, second.is_open) = (NotificationState::Sent, Some(at(700)), true);
    set(&store, (8, 4), Vec::new(), vec![second.clone()], vec![sent(&second)]);
    assert_eq!(told(1), (None, false, false));
    // one without a ladder is to tell nobody
    let quiet = alarm(2, AlarmState::Unacknowledged, 2);
    set(&store, (9, 5), vec![quiet.clone()], Vec::new(), vec![changed(&quiet, AlarmEvent::Raised)]);
    assert_eq!(told(2).0, None);
}

#[test]
fn a_link_is_known_by_its_digest_when_its_message_needs_it_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = raised(folder.path());
    let row = message(NotificationState::Sent, 1, None);
    let bodies = vec![sent(&row)];
    set(&store, (6, 2), Vec::new(), vec![row], bodies);
    let link = store.journal().read_blocking(|reader| reader.link(TOKEN)).unwrap().unwrap();
    assert_eq!((link.message, link.alarm, link.contact.as_str()), (MESSAGE, AlarmId(1), "zhang"));
    let other = store.journal().read_blocking(|reader| reader.link(LinkToken(1))).unwrap();
    assert_eq!(other, None);
    store.close();
    let bytes = std::fs::read(folder.path().join("journal.db")).unwrap();
    let token = TOKEN.to_string();
    assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()));
    let tokens: i64 = Connection::open(folder.path().join("journal.db"))
        .unwrap()
        .query_row("SELECT count(*) FROM notification WHERE token IS NOT NULL", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(tokens, 0);
}

#[test]
fn lists_are_paged_from_the_newest_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let rows = (1..=5).map(|id| {
        let state = if id % 2 == 0 { AlarmState::Unacknowledged } else { AlarmState::Acknowledged };
        alarm(id, state, 2)
    });
    let rows: Vec<AlarmRow> = rows.collect();
    let bodies = rows.iter().map(|row| changed(row, AlarmEvent::Raised)).collect();
    set(&store, (1, 0), rows, Vec::new(), bodies);
    let page = |state, station: Option<&str>, before| {
        let station = station.map(|station| station.parse().unwrap());
        let query = AlarmsQuery { state, station, before, limit: 2 };
        let page = store.journal().read_blocking(|reader| reader.alarms(&query)).unwrap();
        let ids: Vec<u128> = page.alarms.iter().map(|facts| facts.row.id.0).collect();
        (ids, page.next)
    };
    assert_eq!(page(None, None, None), (vec![5, 4], Some(4)));
    assert_eq!(page(None, Some("A"), Some(2)), (vec![1], None));
    assert_eq!(page(Some(AlarmState::Unacknowledged), None, None), (vec![4, 2], None));
    assert_eq!(page(Some(AlarmState::Acknowledged), Some("A"), Some(5)), (vec![3, 1], None));
    assert_eq!(page(None, Some("B"), None), (vec![], None));
    let query = NotificationsQuery { alarm: None, before: None, limit: 2 };
    let none = store.journal().read_blocking(|reader| reader.notifications(&query)).unwrap();
    assert_eq!((none.notifications.len(), none.next), (0, None));
}

/// What `verify` says of a store with an alarm and a message that was sent, changed by `tamper`.
fn check(tamper: &str, expected: &Expect) {
    let folder = tempfile::tempdir().unwrap();
    let store = raised(folder.path());
    let row = message(NotificationState::Sent, 1, None);
    let bodies = vec![sent(&row)];
    set(&store, (6, 2), Vec::new(), vec![row], bodies);
    store.close();
    Connection::open(folder.path().join("journal.db")).unwrap().execute_batch(tamper).unwrap();
    let report = store::verify(&open(folder.path())).unwrap();
    let mut lines = vec![format!("{} alarms, {} messages", report.alarms, report.messages)];
    lines.extend(report.findings.iter().map(ToString::to_string));
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn verify_compares_alarms_and_messages_with_their_entries() {
    check("", &expect!["1 alarms, 1 messages"]);
    check(
        "UPDATE alarm SET state = 'normal'",
        &expect![[r#"
        1 alarms, 1 messages
        alarm 00000000000000000000000000000001: its row says other than its entry"#]],
    );
    check(
        "UPDATE alarm SET severity = 'blue', entry = NULL",
        &expect![[r#"
        1 alarms, 1 messages
        alarm 00000000000000000000000000000001: its row says other than its entry
        1 alarms that were raised and that no entry names"#]],
    );
    check(
        "UPDATE notification SET state = 'delivered'",
        &expect![[r#"
        1 alarms, 1 messages
        message 00000000000000000000000000000007: its row says other than its entry"#]],
    );
    check(
        "DELETE FROM alarm; UPDATE notification SET entry = 1",
        &expect![[r#"
        1 alarms, 1 messages
        alarm 00000000000000000000000000000001: an entry names it, and its row is missing
        1 messages whose entry is not there
        1 messages whose alarm is not there"#]],
    );
}
