//! Whether a request has left whole: one that was cut short asks for nothing, whatever broke.
//!
//! A byte has left when the connection took it. Over plaintext the kernel has it then; over TLS the
//! layer that encrypts it, which may hold it until the socket has room. So a request that was cut
//! short at the end may be taken for a whole one, which makes a doubt of it, and never a whole one
//! for one that was cut short.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use hyper::body::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const END_OF_HEAD: &[u8; 4] = b"\r\n\r\n";

/// Whether one request has left whole, as its sender sees it: what has left may have arrived.
#[derive(Debug, Default, Clone)]
pub(super) struct Left(Arc<AtomicBool>);

impl Left {
    /// Whether its last byte has left.
    pub(super) fn is_whole(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
            self.left.0.store(true, Ordering::Relaxed);
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
