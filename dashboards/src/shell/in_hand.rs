//! Calls that a connection has in hand: from a request's head to the last byte of its answer, be it
//! that the body has been handed on whole long before.

use std::{
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
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
#[derive(Debug, Clone)]
pub(super) struct Call(#[expect(dead_code, reason = "counted while it lives")] Arc<()>);

/// The body of an answer; its call ends with the last of its bytes.
#[derive(Debug)]
pub(super) struct Answer {
    body: AnyBody,
    call: Call,
}

struct Outgoing {
    bytes: Bytes,
    _call: Call,
}

impl AsRef<[u8]> for Outgoing {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
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
        answer.map(|body| Answer { body, call: self })
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let call = &self.call;
        let held = |bytes| Bytes::from_owner(Outgoing { bytes, _call: call.clone() });
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(held))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_call_is_in_hand_until_the_last_byte_of_its_answer_is_written() {
        let calls = Calls::none();
        let seen = calls.seen();
        let mut answer = calls.begin().answered(Response::new(AnyBody::from("answer"))).into_body();
        assert!(seen.is_any());
        let frame = poll_fn(|cx| Pin::new(&mut answer).poll_frame(cx)).await;
        let bytes = frame.unwrap().unwrap().into_data().unwrap();
        drop(answer);
        assert!(seen.is_any(), "it waits to be written");
        assert_eq!(bytes, "answer");
        drop(bytes);
        assert!(!seen.is_any());
    }
}
