//! A small HTTP server for machines and for the gateway's own page: `/metrics`, `/livez`,
//! `/readyz`, and pages that the binary adds.
//!
//! It answers GET and HEAD, ignores bodies, closes after each answer, and serves at most
//! 32 connections at a time for at most 30 s each; more wait in the kernel's backlog.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
pub use hyper::StatusCode;
use hyper::{
    Method, Request, Response,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use model::fault::Chain;
use prometheus::{Registry, TextEncoder};
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

const CONNECTIONS: usize = 32;
const HEADER_LIMIT: Duration = Duration::from_secs(5);
const CONNECTION_LIMIT: Duration = Duration::from_secs(30);

/// Gives the page at a path (without the query), or `None` where there is none. Must not block.
pub type Pages = Box<dyn Fn(&str) -> Option<Page> + Send + Sync>;

/// An answer to a GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// 200 unless it is worse.
    pub status: StatusCode,
    /// Such as `text/html; charset=utf-8`.
    pub content_type: &'static str,
    /// At most what one cares to hold in memory 32 times.
    pub body: Bytes,
}

impl Page {
    /// A good page.
    pub fn ok(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, body: body.into() }
    }

    fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: body.into() }
    }
}

/// The named conditions under which the process does its work; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    conditions: Arc<Mutex<BTreeMap<String, State>>>,
}

/// How it stands with a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Met,
    /// Met, and yet a person should look after something soon.
    Warned(String),
    Unmet(String),
}

/// One condition, held by whoever knows of it; clones speak of the same one.
#[derive(Debug, Clone)]
pub struct Condition {
    name: String,
    readiness: Readiness,
}

impl Readiness {
    /// A condition that is not met until somebody says so.
    pub fn condition(&self, name: &str) -> Condition {
        let condition = Condition { name: name.to_owned(), readiness: self.clone() };
        condition.set(Err("starting".to_owned()));
        condition
    }

    /// Whether the condition of this name is met; `None` where there is none.
    pub fn is_met(&self, name: &str) -> Option<bool> {
        let conditions = self.lock();
        let state = conditions.get(name)?;
        Some(matches!(state, State::Met | State::Warned(_)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    /// Met, or not and why.
    pub fn set(&self, state: Result<(), String>) {
        self.enter(state.map_or_else(State::Unmet, |()| State::Met));
    }

    /// Met, so that the process counts as ready, and yet shown with what to look after.
    pub fn warn(&self, warning: String) {
        self.enter(State::Warned(warning));
    }

    fn enter(&self, state: State) {
        self.readiness.lock().insert(self.name.clone(), state);
    }
}

/// What the server tells.
pub struct Admin {
    registry: Registry,
    readiness: Readiness,
    pages: Pages,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("readiness", &self.readiness).finish_non_exhaustive()
    }
}

impl Admin {
    /// Without pages of its own.
    pub fn new(registry: Registry, readiness: Readiness) -> Self {
        Self { registry, readiness, pages: Box::new(|_path| None) }
    }

    /// With `pages`, which are asked after the server's own paths.
    #[must_use]
    pub fn with_pages(mut self, pages: Pages) -> Self {
        self.pages = pages;
        self
    }

    /// Serves until `stop`, then drops what is still open.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let admin = Arc::new(self);
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(_ended) = connections.join_next() => continue,
                accepted = listener.accept(), if connections.len() < CONNECTIONS => accepted,
            };
            match accepted {
                Ok((stream, _peer)) => {
                    let admin = Arc::clone(&admin);
                    connections.spawn(async move { admin.connection(TokioIo::new(stream)).await });
                }
                Err(error) => {
                    warn!(error = %Chain(&error), "cannot accept a connection");
                    // out of files, most likely: it lasts, and must not spin
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TokioIo<tokio::net::TcpStream>) {
        let service = service_fn(move |request| {
            let response = self.answer(&request);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_LIMIT)
            .keep_alive(false)
            .max_buf_size(16 << 10)
            .serve_connection(stream, service);
        match timeout(CONNECTION_LIMIT, connection).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(error = %Chain(&error), "connection broke"),
            Err(_elapsed) => debug!("connection took too long"),
        }
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        let page = if is_read {
            self.page(request.uri().path())
        } else {
            Page::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n")
        };
        let mut response = Response::new(Full::new(page.body));
        *response.status_mut() = page.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if !is_read {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    fn page(&self, path: &str) -> Page {
        match path {
            "/livez" => Page::text(StatusCode::OK, "ok\n"),
            "/readyz" => self.ready(),
            "/metrics" => self.metrics(),
            other => (self.pages)(other)
                .unwrap_or_else(|| Page::text(StatusCode::NOT_FOUND, "no such page\n")),
        }
    }

    fn ready(&self) -> Page {
        let conditions = self.readiness.lock().clone();
        let is_ready = !conditions.values().any(|state| matches!(state, State::Unmet(_)));
        let states = conditions.into_iter().map(|(name, state)| {
            let state = match state {
                State::Met => serde_json::json!({ "ok": true }),
                State::Warned(warning) => serde_json::json!({ "ok": true, "warning": warning }),
                State::Unmet(reason) => serde_json::json!({ "ok": false, "reason": reason }),
            };
            (name, state)
        });
        let states: serde_json::Map<_, _> = states.collect();
        let body = serde_json::json!({ "ready": is_ready, "conditions": states });
        let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        Page { status, content_type: "application/json", body: format!("{body}\n").into() }
    }

    fn metrics(&self) -> Page {
        match TextEncoder::new().encode_to_string(&self.registry.gather()) {
            Ok(text) => Page::ok("text/plain; version=0.0.4; charset=utf-8", text),
            Err(error) => {
                let problem = format!("{}\n", Chain(&error));
                Page::text(StatusCode::INTERNAL_SERVER_ERROR, problem)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    /// Sends one request to a server in which `mqtt` is connected and `spool` is as given, and
    /// shows the answer without its date.
    async fn check(spool: Result<(), String>, request: &str, expected: &Expect) {
        let readiness = Readiness::default();
        readiness.condition("mqtt").set(Ok(()));
        readiness.condition("spool").set(spool);
        let registry = Registry::new();
        let counter = prometheus::IntCounter::new("readings_total", "Readings").unwrap();
        registry.register(Box::new(counter)).unwrap();
        let pages: Pages = Box::new(|path| {
            (path == "/").then(|| Page::ok("text/html; charset=utf-8", "<h1>gateway</h1>"))
        });
        let admin = Admin::new(registry, readiness).with_pages(pages);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let ask = async {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(format!("{request}\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            stop.cancel();
            answer.replace('\r', "")
        };
        let (answer, ()) = tokio::join!(ask, admin.serve(listener, stop.clone()));
        let lines = answer.lines().filter(|line| !line.starts_with("date:"));
        expected.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    }

    #[tokio::test]
    async fn a_process_is_ready_when_every_condition_is_met() {
        check(
            Ok(()),
            "GET /readyz HTTP/1.1",
            &expect![[r#"
            HTTP/1.1 200 OK
            content-type: application/json
            cache-control: no-store
            connection: close
            content-length: 69

            {"conditions":{"mqtt":{"ok":true},"spool":{"ok":true}},"ready":true}"#]],
        )
        .await;
        check(Err("disk full".to_owned()), "GET /readyz HTTP/1.1", &expect![[r#"
            HTTP/1.1 503 Service Unavailable
            content-type: application/json
            cache-control: no-store
            connection: close
            content-length: 92

            {"conditions":{"mqtt":{"ok":true},"spool":{"ok":false,"reason":"disk full"}},"ready":false}"#]]).await;
    }

    #[test]
    fn a_warning_is_shown_and_leaves_the_process_ready() {
        let readiness = Readiness::default();
        readiness.condition("park").warn("nearly full".to_owned());
        let page = Admin::new(Registry::new(), readiness).ready();
        expect![[r#"{"conditions":{"park":{"ok":true,"warning":"nearly full"}},"ready":true}"#]]
            .assert_eq(str::from_utf8(&page.body).unwrap().trim());
        assert_eq!(page.status, StatusCode::OK);
    }

    #[tokio::test]
    async fn metrics_and_pages_are_served() {
        check(
            Ok(()),
            "GET /metrics?x=y HTTP/1.1",
            &expect![[r#"
            HTTP/1.1 200 OK
            content-type: text/plain; version=0.0.4; charset=utf-8
            cache-control: no-store
            connection: close
            content-length: 78

            # HELP readings_total Readings
            # TYPE readings_total counter
            readings_total 0"#]],
        )
        .await;
        check(
            Ok(()),
            "GET / HTTP/1.1",
            &expect![[r#"
            HTTP/1.1 200 OK
            content-type: text/html; charset=utf-8
            cache-control: no-store
            connection: close
            content-length: 16

            <h1>gateway</h1>"#]],
        )
        .await;
        check(
            Ok(()),
            "HEAD / HTTP/1.1",
            &expect![[r#"
            HTTP/1.1 200 OK
            content-type: text/html; charset=utf-8
            cache-control: no-store
            connection: close
            content-length: 16
        "#]],
        )
        .await;
    }

    #[tokio::test]
    async fn everything_else_is_refused() {
        check(
            Ok(()),
            "GET /etc/passwd HTTP/1.1",
            &expect![[r#"
            HTTP/1.1 404 Not Found
            content-type: text/plain; charset=utf-8
            cache-control: no-store
            connection: close
            content-length: 13

            no such page"#]],
        )
        .await;
        check(
            Ok(()),
            "POST /livez HTTP/1.1\r\ncontent-length: 4",
            &expect![[r#"
            HTTP/1.1 405 Method Not Allowed
            content-type: text/plain; charset=utf-8
            cache-control: no-store
            allow: GET, HEAD
            connection: close
            content-length: 18

            only GET and HEAD"#]],
        )
        .await;
    }

    #[tokio::test]
    async fn idle_connections_do_not_shut_others_out() {
        let admin = Admin::new(Registry::new(), Readiness::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let ask = async {
            let mut idle = Vec::new();
            for _ in 0..CONNECTIONS {
                idle.push(TcpStream::connect(address).await.unwrap());
            }
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            tokio::time::pause(); // the header limit of the idle ones passes
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            stop.cancel();
            answer
        };
        let (answer, ()) = tokio::join!(ask, admin.serve(listener, stop.clone()));
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
}
