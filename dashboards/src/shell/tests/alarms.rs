//! Alarms and messages as a caller sees them, and who takes an alarm on.

use model::{
    alarm::{AlarmEvent, AlarmState, LinkToken, NotificationState, Occasion},
    alarm_rule::Severity,
    ids::{AlarmId, NotificationId},
};
use store::{
    AlarmChanged, AlarmRow, Body as Said, By, ByKind, ConditionRow, EscalationRow, NotificationRow,
    SetAlarms,
};

use super::*;

const ID: &str = "0000000000000000000000000000002a";

/// What its condition remembers, in the words of alerting.
const CONDITION: &str = r#"{"v":1,"machine":"below_mandate","state":{"newest":{"point":{"at":"2026-11-22T00:05:00Z","released":380000,"bound":"whole","required":500000}}}}"#;

/// The alarm at a version, in the words of alerting.
fn alarm(state: AlarmState, version: u32, by: Option<&str>) -> AlarmRow {
    let now: Timestamp = NOW.parse().unwrap();
    let step = |version: u32, what: &str| {
        format!(
            r#"{{"version":{version},"what":"{what}","event_at":"{NOW}","detected_at":"{NOW}","by":null}}"#
        )
    };
    let timeline: Vec<String> = [(1, "pending"), (2, "raised"), (3, "acknowledged")]
        .into_iter()
        .take_while(|(known, _)| *known <= version)
        .map(|(known, what)| step(known, what))
        .collect();
    AlarmRow {
        id: AlarmId(42),
        rule: "low".parse().unwrap(),
        subject: "section S-1/dam".parse().unwrap(),
        severity: Severity::Orange,
        is_drill: false,
        state,
        version,
        began_at: now.plus_ms(-600_000),
        raised_at: Some(now),
        acknowledged_at: by.map(|_| now),
        acknowledged_by: by.map(|name| By { kind: ByKind::Token, name: name.to_owned() }),
        cleared_at: None,
        facts: r#"{"v":1,"machine":"facts","state":{"flow":{"point":{"at":"2026-11-22T00:00:00Z","released":431000,"bound":"at_least","required":500000},"share":"1","decimals":3},"end":null,"chatters":false}}"#.to_owned(),
        bytes: format!(r#"{{"v":1,"machine":"alarm","state":{{"timeline":[{}]}}}}"#, timeline.join(",")),
    }
}

fn set(entries: i64, row: AlarmRow, what: AlarmEvent) -> SetAlarms {
    let now: Timestamp = NOW.parse().unwrap();
    let message = NotificationRow {
        id: NotificationId(7),
        alarm: row.id,
        contact: "zhang".parse().unwrap(),
        channel: "sms".parse().unwrap(),
        way: 0,
        occasion: Occasion::Raised,
        state: NotificationState::Owed,
        attempts: 1,
        is_doubted: true,
        owed_at: now,
        sent_at: None,
        ended_at: None,
        text: "鹿鸣滩 http://x/i/*************".to_owned(),
        token: Some(LinkToken(7)),
        is_open: true,
        bytes: String::new(),
    };
    let body = Said::AlarmChanged(AlarmChanged {
        what,
        alarm: row.id,
        rule: row.rule.clone(),
        subject: row.subject.clone(),
        severity: row.severity,
        drill: false,
        version: row.version,
        state: row.state,
        event_at: now,
        detected_at: now,
        acknowledged_by: row.acknowledged_by.clone(),
    });
    SetAlarms {
        at: now,
        by: By { kind: ByKind::Server, name: "alerting".to_owned() },
        consumer: "alerting",
        samples: 1,
        entries,
        listened_until: None,
        conditions: vec![ConditionRow {
            rule: Some("low".parse().unwrap()),
            subject: "section S-1/dam".parse().unwrap(),
            state: CONDITION.to_owned(),
        }],
        forgotten: Vec::new(),
        alarms: vec![row],
        dropped: Vec::new(),
        escalations: Vec::new(),
        notifications: vec![message],
        bodies: vec![body],
    }
}

/// An alarm that somebody has taken on.
pub(super) fn taken_on() -> SetAlarms {
    set(0, alarm(AlarmState::Acknowledged, 3, Some("zhang")), AlarmEvent::Acknowledged)
}

async fn raise(world: &World) {
    let row = alarm(AlarmState::Unacknowledged, 2, None);
    let set = set(0, row, AlarmEvent::Raised);
    world.parts.journal.write(set).await.unwrap();
}

/// An alarm with a ladder, of which this became of its one message.
pub(super) fn told(state: NotificationState) -> SetAlarms {
    let mut set = set(0, alarm(AlarmState::Unacknowledged, 2, None), AlarmEvent::Raised);
    let escalation = EscalationRow { alarm: AlarmId(42), is_open: true, state: "{}".to_owned() };
    set.escalations = vec![escalation];
    for message in &mut set.notifications {
        message.state = state;
        message.is_open = state == NotificationState::Owed;
    }
    set
}

#[test]
fn an_alarm_whose_messages_came_to_nothing_has_reached_nobody() {
    in_world(|world| async move {
        for (state, expected) in
            [(NotificationState::Owed, false), (NotificationState::Failed, true)]
        {
            world.parts.journal.write(told(state)).await.unwrap();
            for path in ["/api/v1/alarms", &format!("/api/v1/alarms/{ID}")] {
                let said = world.get(path).await;
                let words = format!(r#""reached_nobody":{expected}"#);
                assert!(said.contains(&words), "{path} {state:?}: {said}");
            }
        }
    });
}

async fn post(world: &World, role: Role, body: &str) -> (u16, String) {
    let path = format!("/api/v1/alarms/{ID}/acknowledge");
    let said = world.ask(&Method::POST, &path, Some(world.token(role)), body).await;
    (said.status, said.text)
}

#[test]
fn alarms_show_what_is_stored_of_them() {
    in_world(|world| async move {
        raise(&world).await;
        check(&world, "/api/v1/alarms", &expect![[r#"200 {"alarms":[{"id":"0000000000000000000000000000002a","station":"S-1","section":"dam","gauge":null,"rule":"low","severity":"orange","drill":false,"chattering":false,"flat":false,"state":"unacknowledged","active":true,"acknowledged":false,"reached_nobody":false,"version":2,"began_at":"2026-11-21T23:50:00Z","raised_at":"2026-11-22T00:00:00Z","acknowledged_at":null,"acknowledged_by":null,"acknowledged_as":null,"cleared_at":null,"cleared_because":null,"raised_flow":{"at":"2026-11-22T00:00:00Z","released":0.431,"bound":"lower","required":0.5},"cleared_flow":null}],"next":null}"#]]).await;
        check(
            &world,
            "/api/v1/alarms?state=normal",
            &expect![[r#"200 {"alarms":[],"next":null}"#]],
        )
        .await;
        check(&world, "/api/v1/alarms?station=S-2", &expect![[r#"200 {"alarms":[],"next":null}"#]])
            .await;
        check(&world, "/api/v1/alarms?state=loud&station=%20&cursor=x", &expect![[r#"400 {"type":"urn:baseflow:problem:bad-parameter","title":"A parameter cannot be read","status":400,"detail":"state: `loud` is none of pending, unacknowledged, acknowledged, cleared_unacknowledged, normal, shelved, suppressed, out_of_service; station: ` ` is not a station id: 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or a digit; cursor: invalid digit found in string","faults":[{"key":"state","problem":"`loud` is none of pending, unacknowledged, acknowledged, cleared_unacknowledged, normal, shelved, suppressed, out_of_service"},{"key":"station","problem":"` ` is not a station id: 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or a digit"},{"key":"cursor","problem":"invalid digit found in string"}]}"#]]).await;
        check(&world, &format!("/api/v1/alarms/{ID}"), &expect![[r#"200 {"id":"0000000000000000000000000000002a","station":"S-1","section":"dam","gauge":null,"rule":"low","severity":"orange","drill":false,"chattering":false,"flat":false,"state":"unacknowledged","active":true,"acknowledged":false,"reached_nobody":false,"version":2,"began_at":"2026-11-21T23:50:00Z","raised_at":"2026-11-22T00:00:00Z","acknowledged_at":null,"acknowledged_by":null,"acknowledged_as":null,"cleared_at":null,"cleared_because":null,"raised_flow":{"at":"2026-11-22T00:00:00Z","released":0.431,"bound":"lower","required":0.5},"cleared_flow":null,"newest_flow":{"at":"2026-11-22T00:05:00Z","released":0.38,"bound":null,"required":0.5},"timeline":[{"version":1,"what":"pending","event_at":"2026-11-22T00:00:00Z","detected_at":"2026-11-22T00:00:00Z","by":null,"as":null},{"version":2,"what":"raised","event_at":"2026-11-22T00:00:00Z","detected_at":"2026-11-22T00:00:00Z","by":null,"as":null}]}"#]]).await;
        check(&world, "/api/v1/alarms/42", &expect![[r#"404 {"type":"urn:baseflow:problem:not-found","title":"There is no such thing","status":404,"detail":"`42` is no alarm"}"#]]).await;
        let duty = world.token(Role::Duty);
        let path = format!("/api/v1/notifications?alarm={ID}");
        let said = world.ask(&Method::GET, &path, Some(duty), "").await;
        expect![[r#"{"notifications":[{"id":"00000000000000000000000000000007","alarm":"0000000000000000000000000000002a","occasion":"raised","recipient":"zhang","recipient_name":"章示例","channel":"sms","state":"owed","attempts":1,"doubted":true,"owed_at":"2026-11-22T00:00:00Z","sent_at":null,"ended_at":null,"text":"鹿鸣滩 http://x/i/*************"}],"next":null}"#]].assert_eq(&said.text);
        let path = format!("/api/v1/notifications?alarm={}", "0".repeat(32));
        let said = world.ask(&Method::GET, &path, Some(duty), "").await;
        expect![[r#"{"notifications":[],"next":null}"#]].assert_eq(&said.text);
    });
}

/// `deploy/README.md` says the same in its table of roles; what the stream tells is in `live`.
#[test]
fn a_viewer_is_told_who_took_an_alarm_on_and_a_wall_is_told_nobodys_name() {
    in_world(|world| async move {
        world.parts.journal.write(taken_on()).await.unwrap();
        for path in ["/api/v1/alarms", &format!("/api/v1/alarms/{ID}")] {
            let text = world.get(path).await;
            assert!(text.contains(r#""acknowledged_by":"zhang""#), "{path}: {text}");
        }
        for (role, expected) in [(Role::Viewer, false), (Role::Duty, true)] {
            let path = "/api/v1/stations/S-1";
            let said = world.ask(&Method::GET, path, Some(world.token(role)), "").await;
            assert_eq!((said.status, said.text.contains("张三")), (200, expected), "{role}");
        }
        let rows = routes::rows(&world.parts);
        // what is public says the same to everybody
        let calls = rows.iter().filter(|row| row.method == "GET" && row.rule != Rule::Public);
        let calls = calls.map(people::addressed);
        let pages = crate::asset::PAGES.map(|path| path.replace("{id}", "S-1"));
        let alarm = format!("/api/v1/alarms/{ID}");
        let mut shown = 0;
        for path in calls.chain(pages).chain([alarm]) {
            let said = world.ask(&Method::GET, &path, Some(world.token(Role::Wall)), "").await;
            shown += u32::from(said.status == 200);
            for name in ["zhang", "张三"] {
                assert!(!said.text.contains(name), "{path} tells of {name}");
            }
        }
        assert!(shown >= 4, "a wall sees its stations, {shown} answers");
    });
}

#[test]
fn an_acknowledgement_is_answered_when_alerting_has_come_to_it() {
    in_world(|world| async move {
        raise(&world).await;
        assert_eq!(post(&world, Role::Duty, r#"{"version":1}"#).await.0, 409);
        assert_eq!(post(&world, Role::Duty, r#"{"versio":2}"#).await.0, 400);
        // alerting, in another task: it looks for the entry and applies it
        let other = Arc::clone(&world);
        #[expect(clippy::disallowed_methods, reason = "the test joins it")]
        let applied = tokio::spawn(async move {
            loop {
                let known =
                    other.parts.journal.read(|reader| reader.alarm(AlarmId(42))).await.unwrap();
                if let Some(entry) = known.unwrap().asked {
                    let row = alarm(AlarmState::Acknowledged, 3, Some("duty"));
                    let set = set(entry, row, AlarmEvent::Acknowledged);
                    other.parts.journal.write(set).await.unwrap();
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
        let (status, text) = post(&world, Role::Duty, r#"{"version":2}"#).await;
        applied.await.unwrap();
        assert_eq!(status, 200, "{text}");
        assert!(text.contains(r#""acknowledged_by":"duty","acknowledged_as":"token""#), "{text}");
        // once more is the same, and another comes too late
        assert_eq!(post(&world, Role::Duty, "").await.0, 200);
        let (status, text) = post(&world, Role::Admin, "").await;
        assert_eq!(status, 409);
        assert!(text.contains("token duty took it on at 2026-11-22T00:00:00Z"), "{text}");
    });
}

#[test]
fn an_acknowledgement_that_nobody_applies_is_accepted_and_no_more() {
    in_world(|world| async move {
        raise(&world).await;
        let (status, text) = post(&world, Role::Duty, "").await;
        assert_eq!(status, 202, "{text}");
        assert!(text.contains(r#""state":"unacknowledged""#), "{text}");
        // who comes second knows already who was first
        assert_eq!(post(&world, Role::Admin, "").await.0, 409);
    });
}
