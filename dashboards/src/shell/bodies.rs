//! Bodies of requests, read before their calls take a place.
//!
//! Anybody can begin a request and never end it, and must not keep out those who ask. So a body is
//! whole, or refused, before its call is let in among those at work, whatever the call does with it.
//! One that is there at once takes nothing; of those that have to be waited for each visitor has a few.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | bytes of a body of the API | 4 KiB | 413 |
//! | seconds until a body has come | 3 | 408 |
//! | bodies that are waited for, each from half a second on, of a visitor, of IPv6 networks of 56 and of 48 bits around it | 8, 16, 32 | 429 |
//! | of all of them | as many as there are connections | |

use std::{net::IpAddr, pin::pin, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::{pages::whose, places::Places};
use crate::{
    problem::Problem,
    query::MAX_BODY_BYTES,
    visitor::{Network, around},
};

/// A body that has come by then was sent with its head.
const AT_ONCE: Duration = Duration::from_millis(500);
/// From then on, until it is whole.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// Of a visitor, and of the networks around it.
const WAITED_FOR_OF: [usize; 3] = [8, 16, 32];

/// Those that are waited for; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Bodies {
    waited_for: Places<Network>,
}

impl Default for Bodies {
    fn default() -> Self {
        Self { waited_for: Places::of(usize::MAX) }
    }
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// As many are waited for of its visitor, or of a network around it, as may be.
    TooMany,
    TooSlow,
    TooLong,
    /// It ended before it was whole, or is framed by no rule.
    Broken,
}

impl Unread {
    /// How it is answered.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

impl Bodies {
    /// All of a visitor's body, of so many bytes at most.
    pub(crate) async fn read(
        &self,
        visitor: IpAddr,
        body: Body,
        at_most: usize,
    ) -> Result<Bytes, Unread> {
        let mut whole = pin!(whole(body, at_most));
        if let Ok(read) = timeout(AT_ONCE, whole.as_mut()).await {
            return read;
        }
        let place = self.waited_for.take(around(visitor, WAITED_FOR_OF), false);
        let _place = place.map_err(|_crowded| Unread::TooMany)?;
        timeout(PATIENCE, whole).await.map_err(|_elapsed| Unread::TooSlow)?
    }
}

async fn whole(body: Body, at_most: usize) -> Result<Bytes, Unread> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > at_most {
        return Err(Unread::TooLong);
    }
    let mut bytes = Vec::with_capacity(announced);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_broken| Unread::Broken)?;
        if piece.len() > at_most.saturating_sub(bytes.len()) {
            return Err(Unread::TooLong);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.into())
}

/// Goes on with a request of the API once its body is there.
pub(crate) async fn read_first(
    State(bodies): State<Bodies>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    match bodies.read(whose(&head), body, MAX_BODY_BYTES).await {
        Ok(bytes) => next.run(Request::from_parts(head, Body::from(bytes))).await,
        Err(unread) => Problem::of_status(unread.status().as_u16(), "").into_response(),
    }
}
