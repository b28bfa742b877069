//! `GET /live`.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream::unfold;
use store::JournalState;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    access::{Caller, Denied, Role, Rule},
    live::{
        event::Kind,
        viewer::{Sight, Viewer},
    },
    problem::Problem,
    query::live::LiveParameters,
    shell::{
        auth::Credential,
        limits::Unending,
        live::{Picture, Seat},
        metrics::LiveMetrics,
        parts::Parts,
        places::Crowded,
    },
    view::live::LiveEventView,
};

/// Where it stands.
pub(crate) const PATH: &str = "/api/v1/live";
/// What it asks for.
pub(crate) const RULE: Rule = Rule::AtLeast(Role::Wall);
/// A stream ends after so long, and a browser comes back by itself: so a session that is over by
/// time is asked for again, and no connection is for ever.
const LIFE: Duration = Duration::from_mins(4);
/// Streams that began together do not all end together.
const SPREAD: u64 = 32;
/// How long a browser waits before it comes back, ms.
const RETRY: &str = "retry: 1000\n";

/// What happens, as it happens: a `snapshot` of all that is, then a `delta` four times a second at
/// most, and a `beat` every three seconds. Each event has an id; whoever comes back with the last
/// one is told what it missed, or gets a new snapshot. A stream ends by itself within five minutes,
/// and at once where its session ends or its token is revoked. A screen on a wall is told how sections
/// stand and how many are what: neither alarms nor gauges.
#[utoipa::path(
    get,
    path = "/api/v1/live",
    operation_id = "watch_live",
    tag = "live",
    params(
        LiveParameters,
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was taken."),
    ),
    responses(
        (status = 200, description = "Events without an end.", body = LiveEventView, content_type = "text/event-stream"),
        (status = 429, description = "This user, token or screen has as many streams open as one may have."),
        (status = 503, description = "As many look as may, or the store cannot be read."),
    ),
)]
pub(crate) async fn watch(
    State(parts): State<Arc<Parts>>,
    Extension(caller): Extension<Caller>,
    Extension(credential): Extension<Credential>,
    Query(parameters): Query<LiveParameters>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let gauges_of = parameters.checked(&parts.registry())?;
    // a screen is read by whoever is in the room: it is told no name, and of no station more
    let alarms = caller.role > Role::Wall;
    if !alarms && !gauges_of.is_empty() {
        return Err(Problem::denied(Denied::TooLow(Role::Viewer)));
    }
    let sight = Sight { alarms, gauges_of };
    let seat = parts.picture.seat(&caller).map_err(|crowded| {
        parts.metrics.live.note_refused(crowded);
        match crowded {
            Crowded::Own => {
                Problem::too_often(5, "as many streams are open by this user or token as may be")
            }
            Crowded::All => Problem::unavailable("as many look live as may; try again later"),
        }
    })?;
    if !parts.picture.fresh().await {
        return Err(Problem::unavailable(
            "the store cannot be read at the moment; try again later",
        ));
    }
    // what is no text is no id of ours
    let last_event = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let told = parts.picture.told();
    let viewer = Viewer::new(sight, last_event, &parts.picture.live());
    let stream = Stream::new(&parts, credential, (viewer, told), seat);
    let events = unfold(stream, |mut stream| async move {
        let piece = stream.next().await?;
        Some((Ok::<_, Infallible>(piece), stream))
    });
    let mut response = Body::from_stream(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // a proxy that gathers answers before it passes them on would tell nothing live
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response.extensions_mut().insert(Unending);
    Ok(response)
}

/// What one viewer is sent, piece by piece, as fast as it takes them.
struct Stream {
    parts: Arc<Parts>,
    credential: Credential,
    /// Whoever may be let in no more is told here.
    journal: watch::Receiver<JournalState>,
    /// The entry up to which it is known that the viewer may look.
    rights: i64,
    picture: Picture,
    viewer: Viewer,
    told: watch::Receiver<()>,
    /// Of an event that is being sent.
    pieces: VecDeque<Bytes>,
    ends_at: Instant,
    stop: CancellationToken,
    metrics: LiveMetrics,
    _seat: Seat,
}

impl Stream {
    fn new(
        parts: &Arc<Parts>,
        credential: Credential,
        (viewer, told): (Viewer, watch::Receiver<()>),
        seat: Seat,
    ) -> Self {
        static STREAMS: AtomicU64 = AtomicU64::new(0);
        let number = STREAMS.fetch_add(1, Ordering::Relaxed);
        let metrics = parts.metrics.live.clone();
        metrics.viewers.inc();
        Self {
            parts: Arc::clone(parts),
            credential,
            journal: parts.journal.watch(),
            // whatever was taken away since the guard looked is seen by the first look
            rights: -1,
            picture: parts.picture.clone(),
            viewer,
            told,
            pieces: VecDeque::from([Bytes::from_static(RETRY.as_bytes())]),
            ends_at: Instant::now() + LIFE + Duration::from_secs(number % SPREAD),
            stop: parts.stage.stopping(),
            metrics,
            _seat: seat,
        }
    }

    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if !self.may_look().await {
                return None;
            }
            if let Some(piece) = self.pieces.pop_front() {
                return Some(piece);
            }
            // before it is looked whether there is something, so that nothing is overlooked
            self.told.mark_unchanged();
            let event = self.viewer.next(&mut self.picture.live());
            if let Some(event) = event {
                if let Kind::Snapshot(why) = event.kind {
                    self.metrics.note_snapshot(why);
                }
                self.pieces.extend(event.pieces.into_iter().filter(|piece| !piece.is_empty()));
                continue;
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                () = sleep_until(self.ends_at) => return None,
                told = self.told.changed() => told.ok()?,
                known = self.journal.changed() => known.ok()?,
            }
        }
    }
}

impl Stream {
    /// Whether the viewer may still look: asked again where somebody was deprived of something.
    async fn may_look(&mut self) -> bool {
        let rights = self.journal.borrow_and_update().rights;
        if rights == self.rights {
            return true;
        }
        self.rights = rights;
        self.credential.caller(&self.parts, RULE).await.is_ok()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.metrics.viewers.dec();
    }
}
