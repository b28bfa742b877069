//! The bounds of every call, and errors of the web stack put into our own words.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | calls at work of those who are let in, until their answers are written | 256 of the API, of which the last 32 are for duty and admin | 503 |
//! | of them those of one user, token or screen | 64, and no more than are left | 429 |
//! | files of pages, and the description of the API, on their way | 256 | 503 |
//! | of them those of one visitor, of IPv6 networks of 56 and of 48 bits around it | 64, 96, 128, and no more than are left | 429 |
//! | receipts of hooks | 64 | 503 |
//! | reads that are made into answers at the same time, but for series and `/live`, which have bounds of their own | 8, of which the last 2 are for duty and admin | more wait, within their seconds, in turn ([`super::turns`]) |
//! | seconds a call takes | 30 | 503 |
//! | bytes of answers that wait to be written, but for those of 64 KiB and less | 64 MiB, of which the last 16 are for duty and admin | 503 |
//! | of them those of one user, token or screen, or address and network | 16 MiB, and no more than are left | 429 |
//!
//! A caller that does not read what it asked for costs memory: so an answer's bytes carry the
//! call's place and their share of the room, and give both back where they themselves are dropped,
//! be it after the last of them was written or because the connection ended. An answer without an
//! end is bounded by whoever gives it, and keeps no place. Nor does an error keep one: it is short.
//!
//! A place of the API is taken once it is known who calls: of strangers, nobody holds one. What comes
//! before that is a body (`shell::bodies`) and one look at what the store knows of a token, of as many
//! as there are connections. Log-ins and links of screens and of messages have bounds of their own
//! ([`super::people`], [`super::screens`], [`super::pages`]), so that none of them can keep the others
//! out.

use std::{
    any::Any,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, Response as HttpResponse, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::{Instant, timeout};
use tracing::{error, warn};

use super::{
    calls::{live, series},
    metrics::Metrics,
    pages::whose_request,
    places::{Crowded, Place, Places, Room},
    turns::{Turn, Turns},
};
use crate::{
    access::{Caller, Name},
    problem::{MEDIA_TYPE, Problem},
    visitor::{Network, around},
};

/// How long a call may take.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// How many calls of the API may be at work.
const CALLS: Room = Room { all: 256, kept: 32 };
/// Those of one user, token or screen.
const CALLS_OF_ONE: usize = 64;
/// How many files of pages may be on their way to browsers; they stand in the binary, and take no
/// memory meanwhile.
const FILES: Room = Room { all: 256, kept: 0 };
/// Those of a visitor, and of the networks around it.
const FILES_OF: [usize; 3] = [64, 96, 128];
/// How many receipts may be on their way to the journal.
const RECEIPTS: Room = Room { all: 64, kept: 0 };
/// How many reads may be made into answers.
const READS: Room = Room { all: 8, kept: 2 };
/// Calls that wait for a place of their own: those that wait keep nobody else's.
const OWN_BOUNDS: [&str; 2] = [series::PATH, live::PATH];
/// How many bytes of answers may wait to be written.
const ROOM: Room = Room { all: 64 << 20, kept: 16 << 20 };
/// Those of one who asks, by whatever name.
const ROOM_OF_ONE: usize = 16 << 20;
/// An answer of so many bytes needs no room: the slots bound such answers to 16 MiB, and whoever
/// does not read large ones keeps nobody from small ones.
const SMALL_BYTES: usize = 64 << 10;
/// How many bytes of a foreign error's text are kept.
const MAX_TEXT: usize = 4_096;

/// Who holds a place among the calls at work.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    Caller(Name),
    Visitor(Network),
}

/// By what a request is known, each with as many places as it may hold, and whether it goes first.
type Asking = (Vec<(Who, usize)>, bool);

/// Room for calls at work and for their answers; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    places: Places<Who>,
    asking: fn(&Request) -> Asking,
    reads: Turns<Name>,
    /// Bytes.
    room: Places<Who>,
    metrics: Metrics,
}

/// The turn of a read that is made into an answer; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Reading(Arc<Mutex<Option<Turn<Name>>>>);

/// Marks an answer that has no end, such as that of `/live`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unending;

/// An answer's bytes, and what they take until they are dropped.
struct Outgoing {
    bytes: Bytes,
    metrics: Metrics,
    _place: Place<Who>,
    _room: Option<Place<Who>>,
}

fn of_caller(request: &Request) -> Asking {
    let caller = request.extensions().get::<Caller>();
    let who = caller.map(|caller| (Who::Caller(caller.known_as()), CALLS_OF_ONE));
    (who.into_iter().collect(), caller.is_some_and(Caller::goes_first))
}

fn of_visitor(request: &Request) -> Asking {
    let networks = around(whose_request(request), FILES_OF);
    (networks.map(|(network, at_most)| (Who::Visitor(network), at_most)).collect(), false)
}

/// Gateways have budgets of their own, and who is none is answered at once.
const fn of_gateway(_request: &Request) -> Asking {
    (Vec::new(), false)
}

impl Slots {
    /// Those of the API, once it is known who calls.
    pub(crate) fn of_api(metrics: Metrics) -> Self {
        Self::with(metrics, CALLS, of_caller, ROOM)
    }

    /// Those of files of pages.
    pub(crate) fn of_files(metrics: Metrics) -> Self {
        Self::with(metrics, FILES, of_visitor, ROOM)
    }

    /// Those of hooks, whose answers are empty.
    pub(crate) fn of_hooks(metrics: Metrics) -> Self {
        Self::with(metrics, RECEIPTS, of_gateway, Room { all: 0, kept: 0 })
    }

    fn with(metrics: Metrics, calls: Room, asking: fn(&Request) -> Asking, room: Room) -> Self {
        Self {
            places: Places::within(calls),
            asking,
            reads: Turns::within(READS),
            room: Places::within(room),
            metrics,
        }
    }

    fn take(&self, (who, goes_first): &Asking) -> Result<Place<Who>, Problem> {
        self.places.take(who.iter().cloned(), *goes_first).map_err(|crowded| {
            self.metrics.note_refused(crowded);
            match crowded {
                Crowded::Own => Problem::too_often(
                    5,
                    "as many calls are at work for whoever asks as one may have; try again",
                ),
                Crowded::All => {
                    Problem::unavailable("as many calls are at work as may be; try again")
                }
            }
        })
    }

    /// Room for so many bytes.
    fn room(&self, bytes: usize, (who, goes_first): &Asking) -> Result<Place<Who>, Problem> {
        let who = who.iter().map(|(name, _)| (name.clone(), ROOM_OF_ONE));
        self.room.take_many(bytes, who, *goes_first).map_err(|crowded| {
            self.metrics.note_refused(crowded);
            match crowded {
                Crowded::Own => Problem::too_often(
                    5,
                    "as many answers wait for whoever asks as may; read them, or ask for less",
                ),
                Crowded::All => Problem::unavailable(
                    "too many answers wait to be read; try again, or ask for less",
                ),
            }
        })
    }

    /// The answer with what it takes, or a refusal where too much waits to be written already.
    async fn held(&self, response: Response, place: Place<Who>, asking: &Asking) -> Response {
        let is_error = response.status().is_client_error() || response.status().is_server_error();
        if is_error || response.extensions().get::<Unending>().is_some() {
            return response;
        }
        let (head, body) = response.into_parts();
        // Every answer is whole in memory by now, so this neither waits nor copies.
        let Ok(bytes) = to_bytes(body, usize::MAX).await else {
            return Problem::internal().into_response();
        };
        let room = if bytes.len() <= SMALL_BYTES {
            None
        } else {
            match self.room(bytes.len(), asking) {
                Ok(room) => Some(room),
                Err(problem) => return problem.into_response(),
            }
        };
        let outgoing = Outgoing::new(bytes, self.metrics.clone(), place, room);
        Response::from_parts(head, Body::from(Bytes::from_owner(outgoing)))
    }
}

impl Reading {
    /// Its turn is another's, as where what is read waits for a turn of another kind.
    pub(crate) fn end(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Outgoing {
    fn new(bytes: Bytes, metrics: Metrics, place: Place<Who>, room: Option<Place<Who>>) -> Self {
        metrics.answer_bytes.add(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        Self { bytes, metrics, _place: place, _room: room }
    }
}

impl AsRef<[u8]> for Outgoing {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.metrics.answer_bytes.sub(i64::try_from(self.bytes.len()).unwrap_or(i64::MAX));
    }
}

/// Answers 503 where too many calls are at work, so that none waits without an end, or where too
/// many answers wait to be written.
pub(crate) async fn in_turn(State(slots): State<Slots>, request: Request, next: Next) -> Response {
    let asking = (slots.asking)(&request);
    let place = match slots.take(&asking) {
        Ok(place) => place,
        Err(problem) => return problem.into_response(),
    };
    let response = next.run(request).await;
    slots.held(response, place, &asking).await
}

/// Lets a few reads at a time be made into answers: what is read, its view and its JSON are in
/// memory together meanwhile, and no room is counted for them. Decisions never wait here.
pub(crate) async fn few_at_once(
    State(slots): State<Slots>,
    mut request: Request,
    next: Next,
) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let has_own = matched.is_some_and(|path| OWN_BOUNDS.contains(&path.as_str()));
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD) && !has_own;
    let turn = match request.extensions().get::<Caller>() {
        Some(caller) if is_read => slots.reads.of(caller).await,
        Some(_) | None => None,
    };
    let reading = Reading(Arc::new(Mutex::new(turn)));
    request.extensions_mut().insert(reading.clone());
    let response = next.run(request).await;
    reading.end();
    response
}

/// Answers 503 where a call takes too long; what it had begun to write may still come about.
pub(crate) async fn in_time(request: Request, next: Next) -> Response {
    if let Ok(response) = timeout(CALL_LIMIT, next.run(request)).await {
        return response;
    }
    warn!(limit = ?CALL_LIMIT, "call took too long");
    Problem::unavailable("the call took too long; ask for less or try again").into_response()
}

/// What a call that panicked is answered; the log has the panic itself.
#[expect(clippy::needless_pass_by_value, reason = "the layer calls it so")]
pub(crate) fn after_panic(panic: Box<dyn Any + Send>) -> HttpResponse<Body> {
    let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
    error!(error = words.unwrap_or_default(), "call panicked");
    Problem::internal().into_response()
}

/// The outermost layer: counts the call, and makes a problem of every error that is not one yet.
pub(crate) async fn in_our_words(
    State(metrics): State<Metrics>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or_else(|| "none".to_owned(), |matched| matched.as_str().to_owned());
    let response = next.run(request).await;
    let mut response = in_words(response).await;
    let headers = response.headers_mut();
    // files of the pages say themselves for how long
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    metrics.note(&route, response.status().as_u16(), begun.elapsed());
    response
}

async fn in_words(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let media_type = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    // Nothing but our own pages is HTML.
    let is_ours = media_type
        .is_some_and(|known| known == MEDIA_TYPE.as_bytes() || known.starts_with(b"text/html"));
    if !is_error || is_ours {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = to_bytes(body, MAX_TEXT).await.unwrap_or_default();
    let detail = if status == StatusCode::PAYLOAD_TOO_LARGE { "" } else { utf8(&text) };
    let mut problem = Problem::of_status(status.as_u16(), detail).into_response();
    if let Some(methods) = parts.headers.get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, methods.clone());
    }
    problem
}

fn utf8(text: &[u8]) -> &str {
    std::str::from_utf8(text).map_or("", str::trim)
}

#[cfg(test)]
mod tests {
    use axum::{Router, middleware, routing::get};
    use tower::ServiceExt as _;

    use super::*;

    struct World {
        router: Router,
        metrics: Metrics,
    }

    fn by_header(request: &Request) -> Asking {
        let who = request
            .headers()
            .get(header::FROM)
            .map(|name| (Who::Caller(("user", name.to_str().unwrap().to_owned())), CALLS_OF_ONE));
        (who.into_iter().collect(), false)
    }

    impl World {
        /// So many calls at work, and room for two large answers and a half.
        fn new(calls: usize) -> Self {
            let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
            let calls = Room { all: calls, kept: 0 };
            let room = Room { all: 5 * SMALL_BYTES, kept: 0 };
            let slots = Slots::with(metrics.clone(), calls, by_header, room);
            let router = Router::new()
                .route("/small", get(|| async { "small" }))
                .route("/large", get(|| async { "x".repeat(2 * SMALL_BYTES) }))
                .layer(middleware::from_fn_with_state(slots, in_turn));
            Self { router, metrics }
        }

        async fn get(&self, path: &str) -> Response {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            self.router.clone().oneshot(request).await.unwrap()
        }

        async fn get_as(&self, who: &str, path: &str) -> Response {
            let request = Request::builder().uri(path).header(header::FROM, who);
            self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
        }
    }

    #[tokio::test]
    async fn a_call_is_at_work_until_its_answer_is_written_or_dropped() {
        let world = World::new(2);
        let unread = world.get("/small").await;
        let read = world.get("/small").await;
        assert_eq!(world.get("/small").await.status(), StatusCode::SERVICE_UNAVAILABLE);
        let bytes = to_bytes(read.into_body(), usize::MAX).await.unwrap();
        // Some of it stands in the connection's buffer.
        let rest = bytes.slice(4..);
        drop(bytes);
        assert_eq!(world.get("/small").await.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(rest, "l");
        drop(rest);
        assert_eq!(world.get("/small").await.status(), StatusCode::OK);
        assert_eq!(world.metrics.answer_bytes.get(), 5);
        drop(unread);
        assert_eq!(world.metrics.answer_bytes.get(), 0);
    }

    #[tokio::test]
    async fn answers_that_nobody_reads_have_a_bound_and_keep_nobody_from_others() {
        let world = World::new(4);
        let unread = world.get_as("one", "/large").await;
        assert_eq!(unread.status(), StatusCode::OK);
        assert_eq!(world.get_as("one", "/large").await.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(world.get_as("one", "/small").await.status(), StatusCode::OK);
        let of_another = world.get_as("other", "/large").await;
        assert_eq!(of_another.status(), StatusCode::OK);
        let refused = world.get_as("third", "/large").await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(world.get_as("third", "/small").await.status(), StatusCode::OK);
        drop(unread);
        assert_eq!(world.get_as("third", "/large").await.status(), StatusCode::OK);
    }
}
