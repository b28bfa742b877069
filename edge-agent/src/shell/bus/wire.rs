//! A byte stream that forgets what arrived before the next question is asked.
//!
//! Whatever lies in the receive buffer when a request is written answers an earlier one: left
//! there, it would be taken for the answer to this one, since RTU frames carry no number. What came
//! is kept for a look at it all the same: who speaks unasked is told by that.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::frame::{Shape, Sifted, sifted};

/// At most this much is thrown away before one write; a peer that says more talks without end.
const MOST_STALE_BYTES: usize = 16 * 1024;

/// Of what comes before a question, and of what comes after it, so much is kept to be looked at: its
/// end, where the answer stands.
const MOST_KEPT_BYTES: usize = 1_024;

/// A stream between one question and the next.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    signs: Arc<Signs>,
    flushes: bool,
    /// Came, and was not handed on yet: at most an answer's length and one read.
    held: Vec<u8>,
    /// Whether all is handed on until the next question.
    is_taking: bool,
}

/// What was noticed on a stream, for whoever gave the stream away.
#[derive(Debug, Default)]
pub(super) struct Signs {
    is_closed: AtomicBool,
    has_asked: AtomicBool,
    said: Mutex<Said>,
    wanted: Mutex<Option<(u8, Option<Shape>)>>,
}

/// What came around one question, of each part the last [`MOST_KEPT_BYTES`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// Waited when it was asked.
    pub(super) before: Vec<u8>,
    /// Came since.
    pub(super) after: Vec<u8>,
}

impl Signs {
    /// Whether the peer has closed, or cannot be asked since it talks without end.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Whether the last question has left whole.
    pub(super) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    /// Looks at what has come since the last question, without taking it.
    pub(super) fn heard<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        look(&self.said.lock().unwrap_or_else(PoisonError::into_inner).after)
    }

    /// What came since this was last asked for.
    pub(super) fn take_said(&self) -> Said {
        std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Only this unit is to be heard, and only an answer like this where one is named, until
    /// something else is said here.
    pub(super) fn want(&self, wanted: Option<(u8, Option<Shape>)>) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
    }

    fn wanted(&self) -> Option<(u8, Option<Shape>)> {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, bytes: &[u8], part: fn(&mut Said) -> &mut Vec<u8>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = part(&mut said);
        kept.extend(bytes);
        kept.drain(..kept.len().saturating_sub(MOST_KEPT_BYTES));
    }
}

impl<S> Wire<S> {
    /// Wraps a stream. Flushing a serial port blocks the thread until all bits are out, so a
    /// caller that does not care may leave it.
    pub(super) fn new(stream: S, flushes: bool) -> Self {
        Self { stream, signs: Arc::default(), flushes, held: Vec::new(), is_taking: false }
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
                Poll::Ready(Ok(())) => {
                    forgotten += buffer.filled().len();
                    self.signs.keep(buffer.filled(), |said| &mut said.before);
                }
            }
            if forgotten > MOST_STALE_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}

impl<S: AsyncRead + Unpin> Wire<S> {
    /// Reads what is there; how many bytes, none at the end.
    fn hear(&mut self, cx: &mut Context<'_>) -> io::Result<Poll<usize>> {
        let mut space = [0; 512];
        let mut buffer = ReadBuf::new(&mut space);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Ready(Ok(())) => {}
        }
        let came = buffer.filled();
        if !came.is_empty() {
            self.signs.keep(came, |said| &mut said.after);
            self.held.extend(came);
        }
        Ok(Poll::Ready(came.len()))
    }

    /// Leaves what is not of the answer that is waited for, up to what may be handed on.
    fn pass_over(&mut self) {
        while !self.is_taking && !self.held.is_empty() {
            let wanted = self.signs.wanted();
            let sifted = |(unit, shape)| sifted(&self.held, unit, shape);
            match wanted.map_or(Sifted::Take, sifted) {
                Sifted::Take => self.is_taking = true,
                Sifted::Wait => return,
                Sifted::PassOver(count) => {
                    self.held.drain(..count.min(self.held.len()));
                }
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
        loop {
            let heard = self.hear(cx)?;
            self.pass_over();
            let is_over = heard == Poll::Ready(0);
            if self.is_taking || is_over {
                let count = buffer.remaining().min(self.held.len());
                if count > 0 || is_over {
                    buffer.put_slice(self.held.get(..count).unwrap_or_default());
                    self.held.drain(..count);
                    return Poll::Ready(Ok(()));
                }
            }
            if heard.is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.signs.has_asked.store(false, Ordering::Relaxed);
        if let Err(error) = self.forget(cx) {
            self.signs.is_closed.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(error));
        }
        self.held.clear();
        self.is_taking = false;
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        let is_whole = matches!(written, Poll::Ready(Ok(count)) if count == bytes.len());
        self.signs.has_asked.store(is_whole, Ordering::Relaxed);
        written
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
    use crate::register::Table;

    #[tokio::test]
    async fn what_came_before_the_question_is_no_answer() {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let mut wire = Wire::new(ours, true);
        theirs.write_all(b"late").await.unwrap();
        wire.write_all(b"?").await.unwrap();
        assert!(wire.signs().heard(<[u8]>::is_empty));
        theirs.write_all(b"answer").await.unwrap();
        let mut heard = [0; 6];
        wire.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"answer");
        let said = Said { before: b"late".to_vec(), after: b"answer".to_vec() };
        assert_eq!(wire.signs().take_said(), said);
        assert_eq!(wire.signs().take_said(), Said::default());
    }

    #[tokio::test]
    async fn only_the_answer_that_is_wanted_is_heard_however_it_comes_in_pieces() {
        let wanted = (5, Some(Shape { table: Table::Holding, bytes: 4 }));
        let copy = [5, 3, 2, 0, 7, 0x08, 0x46];
        let answer = [5, 3, 4, 0, 1, 5, 3, 0, 0];
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let mut wire = Wire::new(ours, true);
        wire.signs().want(Some(wanted));
        wire.write_all(b"?").await.unwrap();
        for byte in copy.into_iter().chain(copy).chain(answer) {
            theirs.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut heard = [0; 9];
        wire.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, answer);
        assert_eq!(wire.signs().take_said().after.len(), 2 * copy.len() + answer.len());
        wire.signs().want(None);
        wire.write_all(b"?").await.unwrap();
        theirs.write_all(&copy).await.unwrap();
        let mut heard = [0; 7];
        wire.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, copy);
    }

    #[tokio::test]
    async fn a_peer_that_talks_without_end_is_kept_up_to_a_bound() {
        let (ours, mut theirs) = tokio::io::duplex(4_096);
        let mut wire = Wire::new(ours, true);
        theirs.write_all(&[7; 3_000]).await.unwrap();
        theirs.write_all(b"end").await.unwrap();
        wire.write_all(b"?").await.unwrap();
        let before = wire.signs().take_said().before;
        assert_eq!(before.len(), MOST_KEPT_BYTES);
        assert!(before.ends_with(b"end"), "what came last says what is to come");
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
