//! The API as a caller sees it, over a real store in a folder of its own.

mod alarms;
mod former;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, header},
};
use expect_test::{Expect, expect, expect_file};
use model::{
    batch::{Batch, BatchClock, Column},
    ids::{BatchId, Epoch},
    port::{Answer, Asker, Replay, ReplayError, Replayed},
    quality::Quality,
    quantity::Unit,
    reading::Point,
    time::Timestamp,
    tree::Origin,
    wire::{batch_v1, refused_v1::Reason},
};
use runtime::{clock::ManualClock, tasks::Tasks};
use store::{
    AddToken, Admit, AdmittedColumn, By, ByKind, Decided, ImportRegistry, Key, Kind, Limits,
    OpenScreen, Options, Quarantine, Role as OpenedBy, SetStatus, Store, TokenAdded,
};
use tower::ServiceExt as _;

use super::{
    calls, live::Picture, metrics::Metrics, pages::Peer, parts::Parts, people::People,
    places::Room, routes, waters::Waters,
};

mod crowds;
mod hooks;
mod live;
mod months;
mod pages;
mod people;
mod series;
mod server;
mod site;
use crate::{
    access::{Role, Rule},
    problem::MEDIA_TYPE,
};

const NOW: &str = "2026-11-22T00:00:00Z";

const REGISTRY: &str = r#"
[[station]]
id = "S-1"
name = "鹿鸣滩(示例)"
kind = "hydropower"
location = [99.80, 38.88]
agent = "gw-1"
owner = "张三"
  [[station.gauge]]
  id = "flow"
  quantity = "flow"
  unit = "m3/s"
  decimals = 3
  interval = "5s"
  range = [0.0, 5.0]
  [[station.outlet]]
  id = "pipe"
  flow = { gauge = "flow" }
  [[station.mandate]]
  document = "示例文号 1"
  from = "2024-01-01"
  seasons = [ { from = "04-01", flow = 1.20 }, { from = "10-01", flow = 0.75 } ]
  rule = "hourly"
[[station]]
id = "S-2"
name = "two"
kind = "air"
[[rule]]
id = "hourly"
statistic = "hourly_mean"
[[contact]]
id = "zhang"
name = "章示例"
reach = [ { channel = "sms", to = "13800000000" } ]
"#;

/// Answers as the item's number asks for.
#[derive(Debug)]
struct Replays;

impl Replay for Replays {
    fn replay(&self, id: i64, _by: Asker) -> Answer<'_, Result<Replayed, ReplayError>> {
        assert!(id != 13, "an unlucky number");
        let answer = match id {
            1 => Replayed::Admitted {
                gauges: vec!["S-1/flow".to_owned()],
                batches: 1,
                still_refused: Vec::new(),
            },
            2 => Replayed::StillRefused(vec!["station `X` is not in the registry".to_owned()]),
            3 => Replayed::NotHeld,
            _ => Replayed::Unknown,
        };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

struct World {
    router: Router,
    parts: Arc<Parts>,
    store: Arc<Store>,
    tokens: Vec<(Role, String)>,
    counted: prometheus::Registry,
    clock: Arc<ManualClock>,
    _folder: Option<tempfile::TempDir>,
}

struct Said {
    status: u16,
    media_type: String,
    text: String,
    headers: header::HeaderMap,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = prometheus::Registry::new();
        let store = open(folder.path(), Limits::default(), OpenedBy::Command, &registry);
        Self::of(folder, store, &registry)
    }

    fn of(folder: tempfile::TempDir, store: Store, registry: &prometheus::Registry) -> Self {
        let now: Timestamp = NOW.parse().unwrap();
        let by = By { kind: ByKind::Command, name: "tests".to_owned() };
        let import = ImportRegistry {
            at: now,
            by: by.clone(),
            file: "registry.toml".to_owned(),
            file_digest: [7; 32],
            registry: store::registry::parse(REGISTRY, &Origin::Default).unwrap(),
            stored: Vec::new(),
            dry_run: false,
        };
        store.journal().write_blocking(import).unwrap();
        let tokens = Role::ALL.map(|role| {
            let (name, word) = (role.word().to_owned(), role.word().to_owned());
            let token = AddToken { at: now, by: by.clone(), name, role: word };
            let TokenAdded::Done { text } = store.journal().write_blocking(token).unwrap() else {
                panic!("a new store has no tokens");
            };
            let opened = OpenScreen { at: now, text: text.clone(), key: None };
            let opened = store.journal().write_blocking(opened).unwrap();
            (role, opened.map_or(text, |(_, screen)| screen).as_str().to_owned())
        });
        let clock = Arc::new(ManualClock::at(now));
        Self::with(Arc::new(store), tokens.to_vec(), clock, registry, Some(folder))
    }

    /// The same store, as a server that was started again finds it.
    fn restarted(&self) -> Self {
        let registry = prometheus::Registry::new();
        let clock = Arc::<ManualClock>::clone(&self.clock);
        Self::with(Arc::clone(&self.store), self.tokens.clone(), clock, &registry, None)
    }

    fn with(
        store: Arc<Store>,
        tokens: Vec<(Role, String)>,
        clock: Arc<ManualClock>,
        registry: &prometheus::Registry,
        folder: Option<tempfile::TempDir>,
    ) -> Self {
        let now = runtime::clock::Clock::now(&*clock);
        let parts = Arc::new(Parts {
            samples: store.samples().clone(),
            journal: store.journal().clone(),
            replay: Some(Arc::new(Replays)),
            hooks: hooks::of_tests(),
            pages: pages::of_tests(),
            people: people::of_tests(&store, now),
            site: site::of_tests(),
            waters: Waters::default(),
            picture: Picture::of_size(1, Room { all: 5, kept: 1 }, 2),
            clock: Arc::<ManualClock>::clone(&clock),
            decided: Decided::default(),
            stage: Tasks::new().stage("tests", Duration::from_secs(5)),
            metrics: Metrics::new(registry).unwrap(),
        });
        let router = routes::router(&parts);
        let counted = registry.clone();
        Self { router, parts, store, tokens, counted, clock, _folder: folder }
    }

    /// Until the registry is seen, which takes the journal's watch a moment.
    async fn ready(&self) {
        let mut state = self.store.journal().watch();
        state.wait_for(|state| state.registry.is_some()).await.unwrap();
    }

    fn token(&self, role: Role) -> &str {
        &self.tokens.iter().find(|(known, _)| *known == role).unwrap().1
    }

    async fn ask(&self, method: &Method, path: &str, token: Option<&str>, body: &str) -> Said {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> =
            bearer.iter().map(|value| ("authorization", value.as_str())).collect();
        self.ask_with(method, path, &headers, body).await
    }

    async fn ask_with(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Said {
        // as through a proxy on this machine
        let proxy = Peer(std::net::Ipv4Addr::LOCALHOST.into());
        let mut request = Request::builder().method(method).uri(path).extension(proxy);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_LENGTH, body.len());
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        if !path.starts_with("/assets/") && head.headers[header::CACHE_CONTROL] != "no-cache" {
            assert_eq!(head.headers[header::CACHE_CONTROL], "no-store", "{path}");
        }
        assert_eq!(head.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        let media_type = head.headers.get(header::CONTENT_TYPE);
        let media_type = media_type.map_or("", |value| value.to_str().unwrap()).to_owned();
        let bytes = match media_type.as_str() {
            "text/event-stream" => live::first_piece(body).await, // it has no end
            _ => to_bytes(body, usize::MAX).await.unwrap(),
        };
        Said {
            status: head.status.as_u16(),
            media_type,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
            headers: head.headers,
        }
    }

    async fn get(&self, path: &str) -> String {
        let said = self.ask(&Method::GET, path, Some(self.token(Role::Viewer)), "").await;
        format!("{} {}", said.status, said.text)
    }

    /// Stores three points of S-1/flow in l/s, one of them a defect.
    fn measure(&self) {
        self.measure_at(NOW.parse().unwrap(), 1);
    }

    /// The same as of a moment, in the batch of this number.
    fn measure_at(&self, now: Timestamp, sequence: u64) {
        let points = vec![
            Point::good(now.as_ms() - 10_000, 499_860),
            Point::defect(now.as_ms() - 5_000, Quality::TIMEOUT),
            Point::good(now.as_ms(), 612_000),
        ];
        let gauge: model::ids::GaugeId = "S-1/flow".parse().unwrap();
        let column = Column {
            gauge: gauge.clone(),
            unit: "l/s".into(),
            decimals: 3,
            period_ms: 5_000,
            points,
        };
        let agent: model::ids::AgentId = "gw-1".parse().unwrap();
        let id = BatchId { agent: agent.clone(), epoch: Epoch(1), sequence };
        let batch = Batch {
            id,
            clock: BatchClock::Utc { uncertainty_ms: 0 },
            previous: None,
            columns: vec![column],
            gaps: Vec::new(),
            anchors: Vec::new(),
        };
        let bytes = batch_v1::encode(&batch);
        let key = Key::Batch { epoch: Epoch(1), sequence, digest: batch_v1::digest(&bytes) };
        let admit = Admit {
            kind: Kind::Batch,
            key,
            agent: agent.clone(),
            topic: "baseflow/v1/gw-1/batch".to_owned(),
            received_at: now,
            bytes,
            columns: vec![AdmittedColumn {
                gauge,
                unit: Unit::named("m3/s").unwrap(),
                decimals: 6,
                from: now.plus_ms(-10_000),
                to: now,
                points: 3,
                offset_ms: 0,
                qc: None,
            }],
            set_aside: Vec::new(),
            boot: None,
            gaps: Vec::new(),
            anchors: Vec::new(),
            previous: None,
        };
        self.store.samples().write_blocking(admit).unwrap();
        self.hear(now, true);
    }

    /// The agent is online, or is not.
    fn hear(&self, now: Timestamp, online: bool) {
        let json = Some(format!(r#"{{"format":1,"online":{online},"version":"0.1.0"}}"#));
        let agent = "gw-1".parse().unwrap();
        self.store.samples().write_blocking(SetStatus { agent, received_at: now, json }).unwrap();
    }
}

fn open(
    folder: &std::path::Path,
    limits: Limits,
    role: OpenedBy,
    registry: &prometheus::Registry,
) -> Store {
    let options = Options { now: NOW.parse().unwrap(), version: "0".to_owned(), role };
    Store::open_with(&folder.join("data"), &options, limits, registry).unwrap()
}

fn refuse(store: &Store) {
    let quarantine = Quarantine {
        agent: "gw-9".parse().unwrap(),
        topic: "baseflow/v1/gw-9/batch".to_owned(),
        received_at: NOW.parse().unwrap(),
        payload: b"junk".to_vec(),
        reason: Reason::Undecodable,
        detail: "not a batch".to_owned(),
        key: None,
    };
    store.samples().write_blocking(quarantine).unwrap();
}

fn method(of: &str) -> Method {
    of.parse().unwrap()
}

/// Runs a test in its own world; opening and writing wait, so they happen outside of the runtime.
fn in_world<F: Future<Output = ()>>(test: impl FnOnce(Arc<World>) -> F) {
    let world = Arc::new(World::new());
    world.measure();
    refuse(&world.store);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        world.ready().await;
        let (parts, stage) = (Arc::clone(&world.parts), &world.parts.stage);
        stage.spawn("live", super::live::run(parts, stage.stopping()));
        test(Arc::clone(&world)).await;
    });
}

#[test]
fn a_revoked_token_opens_nothing() {
    in_world(|world| async move {
        let by = By { kind: ByKind::Command, name: "tests".to_owned() };
        let revoke = store::RevokeToken { at: NOW.parse().unwrap(), by, name: "viewer".to_owned() };
        assert!(world.store.journal().write(revoke).await.unwrap());
        assert!(world.get("/api/v1/stations").await.starts_with("401 "));
    });
}

#[test]
fn every_error_is_a_problem() {
    in_world(|world| async move {
        let admin = world.token(Role::Admin);
        let large = "x".repeat(65 << 10);
        let cases = [
            ("GET", "/nothing", "", 404),
            ("POST", "/", "", 405),
            ("GET", "/assets/nothing.js", "", 404),
            ("PUT", "/api/v1/session", "", 405),
            ("GET", "/api/v1/nothing", "", 404),
            ("DELETE", "/api/v1/stations", "", 405),
            ("GET", "/api/v1/quarantine/1/replay", "", 405),
            ("GET", "/api/v1/stations?limit=0", "", 400),
            ("GET", "/api/v1/stations?limt=1", "", 400),
            ("GET", "/api/v1/stations?limit=1&limit=2", "", 400),
            ("GET", "/api/v1/stations/nobody", "", 404),
            ("GET", "/api/v1/stations/%ff", "", 400),
            ("GET", "/api/v1/gauges/S-1/nothing/samples", "", 404),
            ("GET", "/api/v1/gauges/S-1/flow/samples?from=yesterday&limit=x", "", 400),
            ("GET", "/api/v1/compliance", "", 400),
            ("GET", "/api/v1/compliance?period=2026-13&by=river", "", 400),
            ("GET", "/api/v1/compliance?period=2026&cursor=S-1", "", 400),
            ("GET", "/api/v1/stations/S-1/verdicts?by=year", "", 400),
            ("GET", "/api/v1/live?stations=S-1,S-9", "", 400),
            ("GET", "/api/v1/stations/S-9/series", "", 404),
            ("GET", "/api/v1/stations/S-1/series?gauge=level", "", 400),
            ("GET", "/api/v1/stations/S-1/series?gauge=flow&section=dam", "", 400),
            ("GET", "/api/v1/stations/S-1/series?section=tail", "", 400),
            ("GET", "/api/v1/stations/S-2/series", "", 400),
            ("GET", "/api/v1/stations/S-1/series?points=2001", "", 400),
            ("GET", "/api/v1/stations/S-1/series?points=0&from=now", "", 400),
            (
                "GET",
                "/api/v1/stations/S-1/series?to=2020-01-01T00:00:00Z&from=2026-01-01T00:00:00Z",
                "",
                400,
            ),
            ("GET", "/api/v1/stations/S-1/series?from=1999-01-01T00:00:00Z", "", 400),
            ("GET", "/api/v1/live?station=S-1", "", 400),
            ("POST", "/api/v1/live", "", 405),
            ("GET", "/api/v1/stations/S-1/verdicts?by=month&versions=all", "", 400),
            ("POST", "/api/v1/quarantine/x/discard", "", 404),
            ("POST", "/api/v1/quarantine/99/discard", "", 404),
            ("POST", "/api/v1/quarantine/99/replay", "", 404),
            ("POST", "/api/v1/quarantine/2/replay", "", 409),
            ("POST", "/api/v1/quarantine/3/replay", "", 409),
            ("POST", "/api/v1/quarantine/1/replay", "{", 400),
            ("POST", "/api/v1/quarantine/1/replay", large.as_str(), 413),
            ("POST", "/api/v1/quarantine/13/replay", "", 500),
        ];
        for (method_word, path, body, status) in cases {
            let said = world.ask(&method(method_word), path, Some(admin), body).await;
            assert_eq!(said.status, status, "{method_word} {path}: {}", said.text);
            assert_eq!(said.media_type, MEDIA_TYPE, "{method_word} {path}");
            let problem: serde_json::Value = serde_json::from_str(&said.text).unwrap();
            assert_eq!(problem["status"], status);
            for member in ["type", "title", "detail"] {
                assert!(
                    problem[member].as_str().is_some_and(|text| !text.is_empty()),
                    "{}",
                    said.text
                );
            }
            assert_eq!(
                said.headers.contains_key(header::ALLOW),
                status == 405,
                "{method_word} {path}"
            );
        }
    });
}

async fn check(world: &World, path: &str, expected: &Expect) {
    let said = world.get(path).await;
    expected.assert_eq(&said);
}

#[test]
fn samples_are_exact_and_paged() {
    in_world(|world| async move {
        let path = "/api/v1/gauges/S-1/flow/samples";
        check(&world, path, &expect![[r#"200 {"gauge":"S-1/flow","unit":"m3/s","samples":[{"at":"2026-11-21T23:59:50Z","value":0.49986,"quality":"good"},{"at":"2026-11-21T23:59:55Z","value":null,"quality":"bad","reason":"timeout"},{"at":"2026-11-22T00:00:00Z","value":0.612,"quality":"good"}],"next":null}"#]]).await;
        check(&world, &format!("{path}?limit=2"), &expect![[r#"200 {"gauge":"S-1/flow","unit":"m3/s","samples":[{"at":"2026-11-21T23:59:50Z","value":0.49986,"quality":"good"},{"at":"2026-11-21T23:59:55Z","value":null,"quality":"bad","reason":"timeout"}],"next":"1_1795305600000"}"#]]).await;
        check(&world, &format!("{path}?limit=2&cursor=1_1795305600000"), &expect![[r#"200 {"gauge":"S-1/flow","unit":"m3/s","samples":[{"at":"2026-11-22T00:00:00Z","value":0.612,"quality":"good"}],"next":null}"#]]).await;
        let span = "from=2026-11-22T07:59:55+08:00&to=2026-11-22T08:00:00+08:00";
        check(&world, &format!("{path}?{span}"), &expect![[r#"200 {"gauge":"S-1/flow","unit":"m3/s","samples":[{"at":"2026-11-21T23:59:55Z","value":null,"quality":"bad","reason":"timeout"}],"next":null}"#]]).await;
    });
}

#[test]
fn stations_show_what_the_registry_says() {
    in_world(|world| async move {
        check(&world, "/api/v1/stations/S-1", &expect![[r#"200 {"id":"S-1","name":"鹿鸣滩(示例)","kind":"hydropower","status":"retained","county":null,"river":null,"river_order":null,"upstream":[],"downstream":null,"location":[99.8,38.88],"agent":"gw-1","owner":null,"phone":null,"codes":{},"zone":"Asia/Shanghai","state":null,"released":null,"required":{"value":0.75,"document":"示例文号 1"},"share":null,"sections":[{"id":"dam","state":null,"since":null,"released":null,"required":{"value":0.75,"document":"示例文号 1"},"share":null,"today":null,"outlets":[{"id":"pipe","formula":null,"gauges":["flow"]}]}],"gauges":[{"id":"flow","quantity":"flow","unit":"m3/s","decimals":3,"interval_ms":5000,"range":[0,5],"latest":{"at":"2026-11-22T00:00:00Z","value":0.612,"quality":"good"}}]}"#]]).await;
        check(&world, "/api/v1/stations?limit=1", &expect![[r#"200 {"stations":[{"id":"S-1","name":"鹿鸣滩(示例)","kind":"hydropower","status":"retained","county":null,"river":null,"river_order":null,"upstream":[],"downstream":null,"location":[99.8,38.88],"agent":"gw-1","owner":null,"phone":null,"codes":{},"zone":"Asia/Shanghai","state":null,"released":null,"required":{"value":0.75,"document":"示例文号 1"},"share":null,"sections":[{"id":"dam","state":null,"since":null,"released":null,"required":{"value":0.75,"document":"示例文号 1"},"share":null,"today":null,"outlets":[{"id":"pipe","formula":null,"gauges":["flow"]}]}]}],"next":"S-1"}"#]]).await;
        check(&world, "/api/v1/stations?limit=1&cursor=S-1", &expect![[r#"200 {"stations":[{"id":"S-2","name":"two","kind":"air","status":"retained","county":null,"river":null,"river_order":null,"upstream":[],"downstream":null,"location":null,"agent":null,"owner":null,"phone":null,"codes":{},"zone":"Asia/Shanghai","state":null,"released":null,"required":null,"share":null,"sections":[]}],"next":null}"#]]).await;
        let duty = world.token(Role::Duty);
        let said = world.ask(&Method::GET, "/api/v1/stations/S-1", Some(duty), "").await;
        assert!(said.text.contains("张三"), "{}", said.text);
    });
}

#[test]
fn compliance_counts_the_days_of_a_time() {
    in_world(|world| async move {
        check(&world, "/api/v1/compliance?period=2026-11", &expect![[r#"200 {"period":"2026-11","sections":[{"station":"S-1","name":"鹿鸣滩(示例)","county":null,"county_name":null,"section":"dam","rule":"hourly","days":{"assessed":0,"met":0,"short":0,"exempt":0,"indeterminate":0,"open":0},"rate":null,"passes":null,"reaches_headline":null}],"next":null}"#]]).await;
        check(&world, "/api/v1/compliance?period=2026-Q4&by=county", &expect![[r#"200 {"period":"2026-Q4","counties":[{"county":null,"county_name":null,"assessed":0,"passing":0,"days":{"assessed":0,"met":0,"short":0,"exempt":0,"indeterminate":0,"open":0},"rate":null,"passes":null}],"next":null}"#]]).await;
        check(
            &world,
            "/api/v1/compliance?period=2026&limit=1&cursor=S-1/dam",
            &expect![[r#"200 {"period":"2026","sections":[],"next":null}"#]],
        )
        .await;
        check(
            &world,
            "/api/v1/compliance?period=2026&by=county&cursor=-",
            &expect![[r#"200 {"period":"2026","counties":[],"next":null}"#]],
        )
        .await;
        check(
            &world,
            "/api/v1/compliance?period=2023",
            &expect![[r#"200 {"period":"2023","sections":[],"next":null}"#]],
        )
        .await;
    });
}

#[test]
fn agents_and_quarantine_are_listed() {
    in_world(|world| async move {
        check(&world, "/api/v1/agents", &expect![[r#"200 {"agents":[{"id":"gw-1","stations":["S-1"],"online":true,"status":{"format":1,"online":true,"version":"0.1.0"},"status_at":"2026-11-22T00:00:00Z","seen_at":"2026-11-22T00:00:00Z","epochs":[{"epoch":"0000000000000001","first_at":"2026-11-22T00:00:00Z","last_at":"2026-11-22T00:00:00Z","first_sequence":1,"last_sequence":1,"made_to":1,"batches":1,"holes":0,"holes_are":"none"}],"epoch_count":1}],"next":null}"#]]).await;
        check(&world, "/api/v1/quarantine", &expect![[r#"200 {"quarantine":[{"id":1,"agent":"gw-9","topic":"baseflow/v1/gw-9/batch","received_at":"2026-11-22T00:00:00Z","last_received_at":"2026-11-22T00:00:00Z","batches":1,"waiting":1,"bytes":4,"kind":"garbage","state":"held","entry":null,"reason":"undecodable","detail":"not a batch","gauges":[],"gauge_count":0,"from":null,"to":null,"boot_id":null,"due_at":null,"sha256":"ef875a1705a5fdac206be996f4dc1f726ea6b68861eb741c37def7277f179e37"}],"next":null}"#]]).await;
        let admin = world.token(Role::Admin);
        let post = |path: &'static str| world.ask(&Method::POST, path, Some(admin), "");
        let said = post("/api/v1/quarantine/1/replay").await;
        expect![[r#"{"id":1,"decision":"replayed","admitted":["S-1/flow"],"batches":1,"still_refused":[]}"#]]
            .assert_eq(&said.text);
        let said = post("/api/v1/quarantine/1/discard").await;
        expect![[
            r#"{"id":1,"decision":"discarded","admitted":[],"batches":0,"still_refused":[]}"#
        ]]
        .assert_eq(&said.text);
        assert_eq!(post("/api/v1/quarantine/1/discard").await.status, 409);
        check(&world, "/api/v1/quarantine", &expect![[r#"200 {"quarantine":[],"next":null}"#]])
            .await;
        check(&world, "/api/v1/quarantine?state=discarded&kind=garbage&limit=1", &expect![[r#"200 {"quarantine":[{"id":1,"agent":"gw-9","topic":"baseflow/v1/gw-9/batch","received_at":"2026-11-22T00:00:00Z","last_received_at":"2026-11-22T00:00:00Z","batches":1,"waiting":0,"bytes":4,"kind":"garbage","state":"discarded","entry":8,"reason":"undecodable","detail":"not a batch","gauges":[],"gauge_count":0,"from":null,"to":null,"boot_id":null,"due_at":null,"sha256":"ef875a1705a5fdac206be996f4dc1f726ea6b68861eb741c37def7277f179e37"}],"next":null}"#]]).await;
    });
}

#[test]
fn a_discard_that_finds_no_room_is_journalled_once_however_often_it_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    let registry = prometheus::Registry::new();
    let store = open(folder.path(), Limits::default(), OpenedBy::Command, &registry);
    refuse(&store);
    store.close();
    // With a ballast that no disk has room for, samples wait from the start and entries do not.
    let limits = Limits { ballast: 1 << 60, ..Limits::default() };
    let registry = prometheus::Registry::new();
    let store = open(folder.path(), limits, OpenedBy::Server, &registry);
    let world = World::of(folder, store, &registry);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for _ in 0..3 {
            let token = Some(world.token(Role::Admin));
            let said = world.ask(&Method::POST, "/api/v1/quarantine/1/discard", token, "").await;
            assert_eq!(said.status, 503, "{}", said.text);
            let journal = world.parts.journal.read(|reader| reader.entries(0, 100)).await.unwrap();
            let decided = journal.iter().filter(|entry| entry.kind == "quarantine_decided");
            assert_eq!(decided.count(), 1);
        }
    });
}

/// `UPDATE_EXPECT=1 cargo test -p dashboards` writes the file again.
#[test]
fn the_description_of_the_api_is_the_one_that_was_agreed_on() {
    in_world(|world| async move {
        let said = world.ask(&Method::GET, routes::OPENAPI_PATH, None, "").await;
        let described: serde_json::Value = serde_json::from_str(&said.text).unwrap();
        let pretty = serde_json::to_string_pretty(&described).unwrap();
        expect_file!["../../openapi.json"].assert_eq(&format!("{pretty}\n"));
        for row in routes::rows(&world.parts) {
            let operation = &described["paths"][&row.path][row.method.to_lowercase()];
            assert!(row.rule == Rule::Public || operation["security"].is_array(), "{row:?}");
        }
    });
}
