//! Numbers of questions by TCP that go on from one connection to the next.
//!
//! Modbus TCP gives each question a number, and its answer has the same. The library begins at 0 on
//! each connection, so an answer to a question of the last connection, which some gateways deliver
//! on the next one, would fit a question of this one. So the upper byte of each number begins on
//! each connection one above where it ended on the last one. What comes of one of the last few
//! connections is passed over: it costs nobody an answer.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Answers of so many connections before this one are known as such.
const KNOWN: u8 = 16;
/// Number, protocol and length stand before what the length counts.
const HEAD: usize = 6;

/// The upper byte of the last number on a line, whichever connection it was on.
#[derive(Debug, Clone)]
pub(super) struct Numbers(Arc<AtomicU8>);

/// A connection whose numbers are its own.
#[derive(Debug)]
pub(super) struct Numbered<S> {
    stream: S,
    mark: u8,
    last: Numbers,
    written: Place,
    read: Place,
    /// Whether the frame that comes in is an older connection's.
    is_older: bool,
}

/// Where in a frame a stream is.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// So many bytes of the head have passed.
    of_head: usize,
    /// So many bytes come behind it.
    left: u16,
}

impl Numbers {
    /// An agent that is started again begins somewhere else, most likely.
    pub(super) fn new() -> Self {
        let random = getrandom::u64().unwrap_or_default();
        Self(Arc::new(AtomicU8::new(random.to_le_bytes()[0])))
    }

    fn last(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Place {
    /// Passes a byte; whether a frame began with it.
    fn pass(&mut self, byte: u8) -> bool {
        let begins = self.of_head == 0;
        if self.of_head < HEAD {
            self.of_head += 1;
            self.left = self.left << 8 | u16::from(byte); // the last two are the length
        } else {
            self.left -= 1;
        }
        if self.of_head == HEAD && self.left == 0 {
            *self = Self::default();
        }
        begins
    }
}

impl<S> Numbered<S> {
    /// The next connection of a line.
    pub(super) fn new(stream: S, last: &Numbers) -> Self {
        let mark = last.last().wrapping_add(1);
        last.0.store(mark, Ordering::Relaxed);
        let (written, read) = (Place::default(), Place::default());
        Self { stream, mark, last: last.clone(), written, read, is_older: false }
    }

    /// Takes what came, without what older connections were asked.
    fn take(&mut self, came: &[u8]) -> Vec<u8> {
        let mut taken = Vec::with_capacity(came.len());
        for byte in came {
            let begins = self.read.pass(*byte);
            if begins {
                let before = self.mark.wrapping_sub(*byte);
                self.is_older = *byte != self.last.last() && (1..=KNOWN).contains(&before);
            }
            if !self.is_older {
                taken.push(if begins { byte.wrapping_sub(self.mark) } else { *byte });
            }
        }
        taken
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Numbered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut space = [0; 512];
        loop {
            let room = buffer.remaining().min(space.len());
            let mut came = ReadBuf::new(space.get_mut(..room).unwrap_or_default());
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut came))?;
            let taken = self.take(came.filled());
            buffer.put_slice(&taken);
            if !taken.is_empty() || came.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Numbered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let (mut place, mark) = (self.written, self.mark);
        let marks = |byte: &u8| if place.pass(*byte) { byte.wrapping_add(mark) } else { *byte };
        let marked: Vec<_> = bytes.iter().map(marks).collect();
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &marked))?;
        for byte in bytes.iter().take(count) {
            if self.written.pass(*byte) {
                self.last.0.store(byte.wrapping_add(mark), Ordering::Relaxed);
            }
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn frame_of(upper: u8, lower: u8, value: u8) -> Vec<u8> {
        vec![upper, lower, 0, 0, 0, 4, 5, 3, 0, value]
    }

    fn frame(upper: u8, lower: u8) -> Vec<u8> {
        frame_of(upper, lower, 7)
    }

    async fn asks(
        ours: &mut Numbered<DuplexStream>,
        theirs: &mut DuplexStream,
        number: [u8; 2],
    ) -> u8 {
        ours.write_all(&frame(number[0], number[1])).await.unwrap();
        let mut asked = [0; 10];
        theirs.read_exact(&mut asked).await.unwrap();
        assert_eq!(asked[1..], frame(0, number[1])[1..], "nothing else is altered");
        asked[0]
    }

    #[tokio::test]
    async fn an_answer_to_an_older_connection_is_passed_over_however_it_comes_in_pieces() {
        let numbers = Numbers::new();
        let mut older: Vec<u8> = Vec::new();
        for long in [0, 1, 2, 1, 1, 3, 1, 0, 2] {
            let (ours, mut theirs) = duplex(4_096);
            let mut ours = Numbered::new(ours, &numbers);
            let mut own = Vec::new();
            for upper in 0..=long {
                own.push(asks(&mut ours, &mut theirs, [upper, 9]).await);
            }
            assert!(own.iter().all(|upper| !older.contains(upper)), "{own:?} after {older:?}");
            for byte in older.iter().rev().take(9).flat_map(|older| frame_of(*older, 9, 8)) {
                theirs.write_all(&[byte]).await.unwrap();
            }
            theirs.write_all(&frame(own[usize::from(long)], 9)).await.unwrap();
            let mut heard = [0; 10];
            ours.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard[..], frame(long, 9));
            older.extend(own);
        }
    }

    #[tokio::test]
    async fn a_number_that_nobody_gave_is_handed_on() {
        let numbers = Numbers::new();
        let (ours, mut theirs) = duplex(4_096);
        let mut ours = Numbered::new(ours, &numbers);
        let upper = asks(&mut ours, &mut theirs, [0, 0]).await;
        theirs.write_all(&frame(upper.wrapping_add(1), 0)).await.unwrap();
        let mut heard = [0; 10];
        ours.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard[..], frame(1, 0));
        drop(theirs);
        assert_eq!(ours.read(&mut heard).await.unwrap(), 0, "the end");
    }
}
