//! A caller's connection that breaks once the caller takes nothing of an answer, or next to nothing.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// Reads and writes as the stream within, until writes have waited for longer than the caller has
/// bought by what it took.
#[derive(Debug)]
pub(crate) struct Patient<S> {
    stream: S,
    limit: Duration,
    /// What it takes a second at least.
    least_bytes: u32,
    /// For how long writes may still wait, `limit` at most.
    left: Duration,
    /// Runs while a write waits, since when it does.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Patient<S> {
    /// For `limit` where nothing is taken, and for ever where at least so many bytes a second are.
    pub(crate) const fn new(stream: S, limit: Duration, least_bytes: u32) -> Self {
        Self { stream, limit, least_bytes, left: limit, waiting: None }
    }

    /// What a write came to; one that waits has until what is left is used up.
    fn bounded(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = &outcome {
            let waited = self.waiting.take().map(|(since, _)| since.elapsed());
            let taken =
                written.as_ref().map_or(0, |bytes| u32::try_from(*bytes).unwrap_or(u32::MAX));
            let bought = Duration::from_secs(1).saturating_mul(taken) / self.least_bytes;
            let left = self.left.saturating_sub(waited.unwrap_or_default());
            self.left = left.saturating_add(bought).min(self.limit);
            return outcome;
        }
        let left = self.left;
        let (_, end) = self.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(left))));
        ready!(end.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the caller does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.bounded(context, outcome)
    }

    /// Decides whether an answer is written from where it is, or copied first.
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        time::interval,
    };

    use super::*;
    use crate::shell::server::{LEAST_BYTES, WRITE_LIMIT};

    /// Somebody takes so many bytes at a time of an answer: what becomes of it, after how many seconds.
    async fn written(bytes: usize, every_s: u64) -> (Result<(), io::ErrorKind>, u64) {
        let (near, mut far) = duplex(bytes.max(1_024));
        let mut near = Patient::new(near, WRITE_LIMIT, LEAST_BYTES);
        let (answer, began) = (vec![7; 256 << 10], Instant::now());
        let reads = async {
            let mut rhythm = interval(Duration::from_secs(every_s));
            let mut piece = vec![0; bytes];
            loop {
                rhythm.tick().await;
                far.read_exact(&mut piece).await.unwrap();
            }
        };
        tokio::select! {
            written = near.write_all(&answer) => {
                (written.map_err(|failure| failure.kind()), began.elapsed().as_secs())
            }
            never = reads => never,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_and_steadily_gets_everything() {
        // as an old telephone does, and in pieces as a kernel makes them of that
        for (bytes, every_s) in [(1 << 10, 1), (600, 1), (16 << 10, 20), (60 << 10, 60)] {
            let (written, seconds) = written(bytes, every_s).await;
            assert_eq!(written, Ok(()), "{bytes} every {every_s} s, after {seconds} s");
            assert!(seconds >= 40, "{seconds}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_or_next_to_nothing_loses_the_connection() {
        for (bytes, every_s) in [(1, 3_600), (100, 10), (100, 1), (1_000, 29), (20_000, 91)] {
            let (written, seconds) = written(bytes, every_s).await;
            assert_eq!(written, Err(io::ErrorKind::TimedOut), "{bytes} every {every_s} s");
            assert!((80..=180).contains(&seconds), "{bytes} every {every_s} s: {seconds}");
        }
    }
}
