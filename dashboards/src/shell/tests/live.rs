//! What a viewer is told live, over a real store.

use axum::body::{BodyDataStream, Bytes};
use futures_util::StreamExt as _;
use model::{alarm::NotificationState, ids::SectionKey, standing::Standing};
use serde_json::Value;
use store::{SetVerdicts, StandingRow};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// The first piece of an answer that has no end.
pub(super) async fn first_piece(body: Body) -> Bytes {
    body.into_data_stream().next().await.unwrap().unwrap()
}

/// A stream of events as a browser reads it.
struct Events {
    stream: BodyDataStream,
    text: String,
    id: Option<String>,
}

impl Events {
    async fn open(world: &World, path: &str, last: Option<&str>) -> Result<Self, u16> {
        Self::open_as(world, Role::Viewer, path, last).await
    }

    async fn open_as(
        world: &World,
        role: Role,
        path: &str,
        last: Option<&str>,
    ) -> Result<Self, u16> {
        let token = world.token(role);
        let mut request =
            Request::builder().uri(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = world.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        if status != 200 {
            return Err(status);
        }
        let stream = response.into_body().into_data_stream();
        Ok(Self { stream, text: String::new(), id: None })
    }

    /// The next event: its name and its data.
    async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (mut name, mut data) = (String::new(), Value::Null);
                for line in event.lines() {
                    match line.split_once(": ").unwrap() {
                        ("event", word) => name = word.to_owned(),
                        ("data", json) => data = serde_json::from_str(json).unwrap(),
                        ("id", id) => self.id = Some(id.to_owned()),
                        ("retry", _) => {}
                        other => panic!("{other:?}"),
                    }
                }
                self.text = rest.to_owned();
                return (name, data);
            }
            let piece = tokio::time::timeout(PATIENCE, self.stream.next()).await;
            let piece = piece.expect("an event in time").expect("no end").unwrap();
            self.text += std::str::from_utf8(&piece).unwrap();
        }
    }

    /// The next event that is no beat.
    async fn told(&mut self) -> (String, Value) {
        loop {
            let (name, data) = self.next().await;
            if name != "beat" {
                return (name, data);
            }
        }
    }
}

/// How S-1's dam stands.
fn stand(state: Standing, released: &str) -> SetVerdicts {
    let now: Timestamp = NOW.parse().unwrap();
    let key = SectionKey { station: "S-1".parse().unwrap(), section: "dam".parse().unwrap() };
    let bytes = format!(
        r#"{{"v":1,"released":{{"value":"{released}","at":"{NOW}","bound":null,"quality":"good"}},"required":null,"today":null}}"#
    );
    SetVerdicts {
        at: now,
        by: By { kind: ByKind::Server, name: "compliance".to_owned() },
        consumer: "compliance",
        samples: 1,
        registry: 1,
        unsaid: Vec::new(),
        sections: Vec::new(),
        verdicts: Vec::new(),
        standings: vec![StandingRow { key, state, since: now, bytes: bytes.into_bytes() }],
        gone: Vec::new(),
    }
}

#[test]
fn a_viewer_gets_all_that_is_and_then_what_is_other() {
    in_world(|world| async move {
        let journal = world.store.journal().clone();
        journal.write(stand(Standing::Near, "0.76")).await.unwrap();
        let mut events = Events::open(&world, "/api/v1/live?stations=S-1", None).await.unwrap();
        let mut other = Events::open(&world, "/api/v1/live", None).await.unwrap();
        let (name, data) = events.told().await;
        assert_eq!(name, "snapshot");
        expect![[r#"{"alarms":[],"at":"2026-11-22T00:00:00Z","counts":{"alarms":{},"met_today":{"part":0,"rate":null,"whole":0},"reached_nobody":0,"running":{"part":1,"rate":1,"whole":1},"sections":{"near":1},"stations":{"near":1},"today":{}},"gauges":[{"at":"2026-11-22T00:00:00Z","gauge":"S-1/flow","quality":"good","value":0.612}],"position":1,"registry":{"entry":2},"sections":[{"released":{"at":"2026-11-22T00:00:00Z","bound":null,"quality":"good","value":0.76},"required":{"document":"示例文号 1","value":0.75},"section":"dam","share":1.0133,"since":"2026-11-22T00:00:00Z","state":"near","station":"S-1","today":null}]}"#]].assert_eq(&data.to_string());
        let (name, data) = other.told().await;
        assert_eq!((name.as_str(), &data["gauges"]), ("snapshot", &Value::Null));
        journal.write(stand(Standing::Breach, "0.41")).await.unwrap();
        for events in [&mut events, &mut other] {
            let (name, data) = events.told().await;
            assert_eq!((name.as_str(), &data["sections"][0]["state"]), ("delta", &"breach".into()));
            assert_eq!(data["counts"]["stations"], serde_json::json!({ "breach": 1 }));
            assert_eq!(data["registry"], Value::Null, "it is as it was");
        }
        let (name, _) = events.next().await;
        assert_eq!(name, "beat");
    });
}

#[test]
fn a_wall_is_told_how_stations_stand_and_neither_alarms_nor_gauges() {
    in_world(|world| async move {
        world.store.journal().write(stand(Standing::Near, "0.76")).await.unwrap();
        world.store.journal().write(alarms::taken_on()).await.unwrap();
        let path = "/api/v1/live";
        let mut wall = Events::open_as(&world, Role::Wall, path, None).await.unwrap();
        let (name, data) = wall.told().await;
        assert_eq!((name.as_str(), &data["alarms"]), ("snapshot", &Value::Null));
        assert_eq!(data["sections"][0]["state"], "near");
        assert_eq!(data["counts"]["alarms"], serde_json::json!({ "acknowledged": 1 }));
        assert!(!data.to_string().contains("zhang"), "{data}");
        let gauges = Events::open_as(&world, Role::Wall, "/api/v1/live?stations=S-1", None).await;
        assert_eq!(gauges.err(), Some(403));
        // whoever logs in at it begins anew, since what it missed was never told
        let mut viewer = Events::open(&world, path, wall.id.as_deref()).await.unwrap();
        let (name, data) = viewer.told().await;
        assert_eq!(
            (name.as_str(), &data["alarms"][0]["acknowledged_by"]),
            ("snapshot", &"zhang".into())
        );
    });
}

#[test]
fn an_alarm_that_has_reached_nobody_is_told_and_a_wall_is_told_how_many() {
    in_world(|world| async move {
        let journal = world.store.journal().clone();
        journal.write(alarms::told(NotificationState::Owed)).await.unwrap();
        let path = "/api/v1/live";
        let mut viewer = Events::open(&world, path, None).await.unwrap();
        let mut wall = Events::open_as(&world, Role::Wall, path, None).await.unwrap();
        let (_, data) = viewer.told().await;
        assert_eq!(data["alarms"][0]["reached_nobody"], false);
        assert_eq!(wall.told().await.1["counts"]["reached_nobody"], 0);
        journal.write(alarms::told(NotificationState::Failed)).await.unwrap();
        let (_, data) = viewer.told().await;
        assert_eq!(data["alarms"][0]["reached_nobody"], true, "{data}");
        assert_eq!(wall.told().await.1["counts"]["reached_nobody"], 1);
    });
}

#[test]
fn who_comes_back_is_told_what_was_missed() {
    in_world(|world| async move {
        let journal = world.store.journal().clone();
        let mut events = Events::open(&world, "/api/v1/live", None).await.unwrap();
        assert_eq!(events.told().await.0, "snapshot");
        let id = events.id.clone().unwrap();
        drop(events);
        // nobody looks, so nobody asks the store; what happens meanwhile is told all the same
        journal.write(stand(Standing::Ok, "1")).await.unwrap();
        let mut back = Events::open(&world, "/api/v1/live", Some(&id)).await.unwrap();
        let (name, data) = back.told().await;
        assert_eq!((name.as_str(), &data["sections"][0]["state"]), ("delta", &"ok".into()));
        // a page that asks for gauges has to begin anew
        let path = "/api/v1/live?stations=S-1";
        let mut other = Events::open(&world, path, Some(&id)).await.unwrap();
        assert_eq!(other.told().await.0, "snapshot");
    });
}

#[test]
fn as_many_look_as_may_and_a_place_is_free_once_one_has_gone() {
    in_world(|world| async move {
        let open = |role| Events::open_as(&world, role, "/api/v1/live", None);
        let first = open(Role::Viewer).await.unwrap();
        let second = open(Role::Viewer).await.unwrap();
        assert_eq!(open(Role::Viewer).await.err(), Some(429), "as many of one as may be");
        let wall = open(Role::Wall).await.unwrap();
        let duty = open(Role::Duty).await.unwrap();
        assert_eq!(open(Role::Wall).await.err(), Some(503), "the last one is for who may act");
        let admin = open(Role::Admin).await.unwrap();
        assert_eq!(open(Role::Duty).await.err(), Some(503));
        assert_eq!(world.parts.picture.viewers(), 5);
        assert_eq!(world.parts.metrics.live.viewers.get(), 5);
        drop((first, second));
        let mut again = open(Role::Viewer).await.unwrap();
        assert_eq!(again.told().await.0, "snapshot");
        assert_eq!(
            [world.count("live_refused_total", "own"), world.count("live_refused_total", "all")],
            ["1", "2"]
        );
        drop((wall, duty, admin, again));
        assert_eq!(world.parts.metrics.live.viewers.get(), 0);
        assert_eq!(world.parts.picture.viewers(), 0);
    });
}
