//! Calls that a connection has in hand: from a request's head to the end of its answer.

use std::{
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use axum::{body::Body as AnyBody, response::Response};
use hyper::body::{Body, Bytes, Frame, SizeHint};

/// Held once by its connection, and once for each call in hand.
#[derive(Debug, Clone)]
pub(super) struct Calls(Arc<()>);

/// From outside of the connection.
#[derive(Debug)]
pub(super) struct SeenCalls(Weak<()>);

/// One of them.
#[derive(Debug)]
pub(super) struct Call(#[expect(dead_code, reason = "counted while it lives")] Arc<()>);

/// The body of an answer, which ends its call.
#[derive(Debug)]
pub(super) struct Answer {
    body: AnyBody,
    _call: Call,
}

impl Calls {
    pub(super) fn none() -> Self {
        Self(Arc::new(()))
    }

    pub(super) fn begin(&self) -> Call {
        Call(Arc::clone(&self.0))
    }

    pub(super) fn seen(&self) -> SeenCalls {
        SeenCalls(Arc::downgrade(&self.0))
    }
}

impl SeenCalls {
    /// Whether the connection has one in hand.
    pub(super) fn is_any(&self) -> bool {
        self.0.strong_count() > 1
    }
}

impl Call {
    /// It ends with the body of its answer.
    pub(super) fn answered(self, answer: Response) -> Response<Answer> {
        answer.map(|body| Answer { body, _call: self })
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
