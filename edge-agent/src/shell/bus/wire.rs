//! A byte stream that forgets what arrived before the next question is asked.
//!
//! Whatever lies in the receive buffer when a request is written answers an earlier one: left
//! there, it would be taken for the answer to this one, since RTU frames carry no number.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// At most this much is thrown away before one write; a peer that says more talks without end.
const MOST_STALE_BYTES: usize = 16 * 1024;

/// A stream between one question and the next.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    signs: Arc<Signs>,
    flushes: bool,
}

/// What was noticed on a stream, for whoever gave the stream away.
#[derive(Debug, Default)]
pub(super) struct Signs {
    is_closed: AtomicBool,
    has_heard: AtomicBool,
}

impl Signs {
    /// Whether a question could not be asked since the peer had closed before.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Whether any byte has come since the last question.
    pub(super) fn has_heard(&self) -> bool {
        self.has_heard.load(Ordering::Relaxed)
    }
}

impl<S> Wire<S> {
    /// Wraps a stream. Flushing a serial port blocks the thread until all bits are out, so a
    /// caller that does not care may leave it.
    pub(super) fn new(stream: S, flushes: bool) -> Self {
        Self { stream, signs: Arc::default(), flushes }
    }

    /// What is noticed on this stream.
    pub(super) fn signs(&self) -> Arc<Signs> {
        Arc::clone(&self.signs)
    }
}

impl<S: AsyncRead + Unpin> Wire<S> {
    fn forget(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut space = [0; 512];
        let mut forgotten = 0;
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                Poll::Ready(Ok(())) => forgotten += buffer.filled().len(),
            }
            if forgotten > MOST_STALE_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.signs.has_heard.store(true, Ordering::Relaxed);
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Err(error) = self.forget(cx) {
            self.signs.is_closed.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(error));
        }
        self.signs.has_heard.store(false, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.flushes { Pin::new(&mut self.stream).poll_flush(cx) } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_came_before_the_question_is_no_answer() {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let mut wire = Wire::new(ours, true);
        theirs.write_all(b"late").await.unwrap();
        wire.write_all(b"?").await.unwrap();
        assert!(!wire.signs().has_heard());
        theirs.write_all(b"answer").await.unwrap();
        let mut heard = [0; 6];
        wire.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"answer");
        assert!(wire.signs().has_heard());
    }

    #[tokio::test]
    async fn a_peer_that_left_is_noticed_before_it_is_asked() {
        let (ours, theirs) = tokio::io::duplex(4_096);
        let mut wire = Wire::new(ours, true);
        let signs = wire.signs();
        drop(theirs);
        assert!(wire.write_all(b"?").await.is_err());
        assert!(signs.is_closed());
    }
}
