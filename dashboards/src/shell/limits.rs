//! The bounds of every call, and errors of the web stack put into our own words.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | calls at work | 256 | 503 |
//! | seconds a call takes | 30 | 503 |
//! | bytes of a body | 64 KiB | 413 |

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Response as HttpResponse, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tracing::{error, warn};

use super::metrics::Metrics;
use crate::problem::{MEDIA_TYPE, Problem};

/// How long a call may take.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// How many calls may be at work.
const CALLS: usize = 256;
/// How many bytes of a foreign error's text are kept.
const MAX_TEXT: usize = 4_096;

/// Room for calls at work.
#[derive(Debug, Clone)]
pub(crate) struct Slots(Arc<Semaphore>);

impl Default for Slots {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(CALLS)))
    }
}

/// Answers 503 where too many calls are at work, so that none waits without an end.
pub(crate) async fn in_turn(State(slots): State<Slots>, request: Request, next: Next) -> Response {
    match slots.0.try_acquire() {
        Ok(_slot) => next.run(request).await,
        Err(_none_free) => {
            Problem::unavailable(format!("{CALLS} calls are at work already; try again"))
                .into_response()
        }
    }
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
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    metrics.note(&route, response.status().as_u16(), begun.elapsed());
    response
}

async fn in_words(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let media_type = response.headers().get(header::CONTENT_TYPE);
    if !is_error || media_type.is_some_and(|known| known.as_bytes() == MEDIA_TYPE.as_bytes()) {
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
