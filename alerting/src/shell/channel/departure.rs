//! How much of a request has left: one that was cut short asks for nothing, whatever broke.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use hyper::body::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const END_OF_HEAD: &[u8; 4] = b"\r\n\r\n";
const BEGUN: u8 = 1;
const WHOLE: u8 = 2;

/// How much of one request has left, as its sender sees it: what has left may have arrived.
#[derive(Debug, Default, Clone)]
pub(super) struct Left(Arc<AtomicU8>);

impl Left {
    /// Whether there was a connection on which it began to leave.
    pub(super) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= BEGUN
    }

    /// Whether its last byte has left.
    pub(super) fn is_whole(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= WHOLE
    }
}

/// A connection for one request that says in a [`Left`] when that has left.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    /// How many bytes of [`END_OF_HEAD`] the latest ones are; all of them once the head has left.
    head: usize,
    /// Bytes of the body that are to leave.
    body: u64,
    left: Left,
}

impl<S> Watched<S> {
    /// A connection on which nothing was sent, for a request with this body, whose length is known.
    pub(super) fn new(stream: S, body: &impl Body, left: &Left) -> Self {
        left.0.store(BEGUN, Ordering::Relaxed);
        Self { stream, head: 0, body: body.size_hint().lower(), left: left.clone() }
    }

    fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match END_OF_HEAD.get(self.head) {
                Some(next) if next == byte => self.head += 1,
                Some(_) => self.head = usize::from(*byte == b'\r'),
                None => self.body = self.body.saturating_sub(1),
            }
        }
        if self.head == END_OF_HEAD.len() && self.body == 0 {
            self.left.0.store(WHOLE, Ordering::Relaxed);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            self.note(bytes.get(..*count).unwrap_or(bytes));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
