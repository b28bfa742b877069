//! The one connection of a line: one read at a time, and none that an earlier answer could fill.
//!
//! Four read functions are all that can be asked: [`question`] is the only place where a Modbus
//! request is made. After a time-out, a mismatch or an answer that is not one, whatever may still
//! arrive belongs to the past: a TCP connection is dropped and dialled again; a serial line, also
//! one behind RTU over TCP, stays quiet for as long as an answer may take, and open, for what comes
//! meanwhile tells what may come once more. Since nobody knows how late an answer may be, a serial
//! line's next question is asked so that none that is owed fits it ([`crate::owed`]). What comes on
//! such a line without having been asked for is looked through for whole answers: by them its unit
//! is doubted from then on.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use model::quality::Quality;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_modbus::{
    Slave,
    client::{Client, Context},
    slave::SlaveContext,
};

use super::{
    answer::{Answer, is_gateways, question, understood},
    dial::{self, LinkError},
    doubts::{Doubts, Exchanged, Unasked},
    numbers::Numbers,
    tries::{Asked, Asking, Tries},
    wire::{Said, Signs},
};
use crate::{
    config::{Bus, Line},
    frame::{Frame, answers},
    owed::shape,
    plan::Request,
};

/// A TCP connection idle for longer is dialled anew, before some router forgets it in silence.
const LONGEST_IDLE: Duration = Duration::from_mins(1);
/// A serial line on which nothing was heard for so long is opened anew, in case it is the way there
/// that broke.
const LONGEST_DEAF: Duration = Duration::from_secs(10);
/// How long to wait before dialling again a peer that has just been left.
const REDIAL: Duration = Duration::from_millis(50);

/// A line with at most one connection.
#[derive(Debug)]
pub struct Link {
    line: Line,
    timeout: Duration,
    gap: Duration,
    connection: Option<Connection>,
    numbers: Numbers,
    /// Whether the last connection answered something.
    is_known: bool,
    ready_at: Instant,
    quiet: Option<Quiet>,
    doubts: Doubts,
    begun_at: Instant,
}

struct Connection {
    context: Context,
    signs: Arc<Signs>,
    used_at: Option<Instant>,
    /// When it was opened, or last heard.
    heard_at: Instant,
}

impl Connection {
    /// Whether a serial line's next question may be asked on it after one without an answer: that
    /// one has left, and the way there was not silent for long.
    fn is_fit(&self) -> bool {
        self.signs.has_asked() && self.heard_at.elapsed() <= LONGEST_DEAF
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("used_at", &self.used_at).finish_non_exhaustive()
    }
}

/// A serial line on which a late answer of a unit may still arrive.
#[derive(Debug, Clone, Copy)]
struct Quiet {
    unit: u8,
    until: Instant,
    /// The unit had been silent before, so its neighbours need not wait for it.
    is_expected: bool,
}

impl Link {
    /// A line not yet opened.
    pub fn new(bus: &Bus) -> Self {
        let silence = match &bus.line {
            Line::Serial(serial) => serial.frame_gap(),
            Line::Tcp(_) | Line::RtuOverTcp(_) => Duration::ZERO,
        };
        let (now, is_serial) = (Instant::now(), bus.line.is_serial_framed());
        // somebody before us may have asked
        let quiet = Quiet { unit: 0, until: now + bus.timeout, is_expected: false };
        Self {
            line: bus.line.clone(),
            timeout: bus.timeout,
            gap: bus.gap.max(silence),
            connection: None,
            numbers: Numbers::new(),
            is_known: false,
            ready_at: now,
            quiet: is_serial.then_some(quiet),
            doubts: Doubts::new(bus),
            begun_at: now,
        }
    }

    /// Asks until something is answered, the tries are used up, or the question has to wait: then it
    /// is asked later with the same tries.
    ///
    /// Two failures are nobody's fault and cost no attempt, once: a connection that the peer had
    /// closed while it was idle, and a late word of another unit that was not waited for. An answer
    /// is not believed where its unit was found to speak unasked while it was asked, or where it
    /// looks like a copy: it is asked again, in doubt. Dropping this half-way leaves a connection
    /// whose next answer may be the wrong one: drop the link too.
    pub async fn ask(&mut self, asked: Asked<'_>, tries: &mut Tries) -> Asking {
        loop {
            sleep_until(self.speaks_at(asked.unit)).await;
            if let Err(error) = self.open().await {
                return Asking::Over(Answer::NoLine(error));
            }
            let was_late = self.quiet.is_some_and(|quiet| Instant::now() < quiet.until);
            let longest = if tries.is_exact { asked.request.count } else { asked.longest };
            let put = match self.doubts.put(Asked { longest, ..asked }, self.begun_at.elapsed()) {
                Ok(put) => put,
                Err(wait) => return tries.wait(wait),
            };
            let question = Asked { request: &put.request, ..asked };
            let exchanged = self.exchange(question).await;
            let noted = self.doubts.note(question, &put, &exchanged, self.begun_at.elapsed());
            let Exchanged { answer, was_closed, .. } = exchanged;
            let is_late_word = was_late && matches!(answer, Answer::Nonsense(_));
            if tries.is_excusable && (was_closed || is_late_word) {
                tries.is_excusable = false;
            } else if let Some(answer) = tries.weigh(answer, &put, &noted) {
                return Asking::Over(answer);
            }
        }
    }

    /// What was heard unasked since this was last asked for.
    pub fn take_unasked(&mut self) -> Unasked {
        self.doubts.take_unasked()
    }

    /// When `unit` may be asked: after the pause between requests, and after the silence in which
    /// late answers come. Neighbours of a unit known to be silent do not wait for its answers.
    fn speaks_at(&self, unit: u8) -> Instant {
        let quiet = self.quiet.filter(|quiet| !quiet.is_expected || quiet.unit == unit);
        quiet.map_or(self.ready_at, |quiet| quiet.until.max(self.ready_at))
    }

    async fn open(&mut self) -> Result<(), LinkError> {
        let is_stale = |used_at: Instant| used_at.elapsed() > LONGEST_IDLE;
        let used_at = self.connection.as_ref().and_then(|connection| connection.used_at);
        if used_at.is_some_and(is_stale) && !matches!(self.line, Line::Serial(_)) {
            self.connection = None;
        }
        if self.connection.is_some() {
            return Ok(());
        }
        let until = Instant::now() + self.timeout;
        let opened = loop {
            let opened = timeout_at(until, dial::open(&self.line, &self.numbers)).await;
            match opened {
                // a peer that takes one connection at a time may not have let go of the last one
                Ok(Err(_)) if self.is_known && Instant::now() + REDIAL < until => {
                    sleep(REDIAL).await;
                }
                Ok(opened) => break opened,
                Err(_elapsed) => {
                    let (line, limit) = (self.line.to_string(), self.timeout);
                    break Err(LinkError::Timeout { line, limit });
                }
            }
        };
        self.is_known = false;
        let (context, signs) = opened?;
        let heard_at = Instant::now();
        self.connection = Some(Connection { context, signs, used_at: None, heard_at });
        Ok(())
    }

    /// One question and what came of it.
    async fn exchange(&mut self, asked: Asked<'_>) -> Exchanged {
        let limit = self.timeout + self.time_on_wire(asked.request);
        let Some(connection) = &mut self.connection else {
            let answer = Answer::Silence(Quality::UNREACHABLE);
            return Exchanged { answer, was_closed: false, said: Said::default() };
        };
        connection.context.set_slave(Slave(asked.unit));
        connection.signs.want(self.doubts.wanted(asked, self.begun_at.elapsed()));
        let call = connection.context.call(question(asked.request));
        let (answer, is_sound) = match timeout(limit, caught(call)).await {
            Err(_elapsed) => (Answer::Silence(unheard(&connection.signs, asked)), true),
            Ok(Err(_panic)) => (Answer::Nonsense(Quality::MALFORMED), false),
            Ok(Ok(result)) => {
                // after an error of the stream, or of its codec, the library reads nothing more
                let is_sound = !matches!(result, Err(tokio_modbus::Error::Transport(_)));
                (understood(asked.request, result), is_sound)
            }
        };
        let now = Instant::now();
        let was_used = connection.used_at.replace(now).is_some();
        let was_closed = was_used && connection.signs.is_closed();
        let said = connection.signs.take_said();
        if said != Said::default() {
            connection.heard_at = now;
        }
        let is_fit = is_sound && self.line.is_serial_framed() && connection.is_fit();
        self.ready_at = now + self.gap;
        match &answer {
            Answer::Reply(_) | Answer::Refusal(_) => self.is_known = true,
            Answer::Silence(quality) if is_gateways(*quality) => self.is_known = true,
            Answer::Nonsense(_) | Answer::Silence(_) | Answer::NoLine(_) => {
                self.connection.take_if(|_| !is_fit);
                let until = now + self.timeout;
                let quiet = Quiet { unit: asked.unit, until, is_expected: asked.is_probe };
                // Behind RTU over TCP is a serial line too: whoever dials next hears its late answers,
                // but none to a question that did not leave.
                if !was_closed {
                    self.quiet = self.line.is_serial_framed().then_some(quiet);
                }
            }
        }
        Exchanged { answer, was_closed, said }
    }

    /// What question and answer take by themselves on a slow line.
    fn time_on_wire(&self, request: &Request) -> Duration {
        match &self.line {
            Line::Tcp(_) | Line::RtuOverTcp(_) => Duration::ZERO,
            Line::Serial(serial) => serial.characters(13 + 2 * u32::from(request.count)),
        }
    }
}

/// What came in place of an answer within the time-out: nothing, other answers that were passed
/// over, or bytes that never became one.
fn unheard(signs: &Signs, Asked { unit, request, .. }: Asked<'_>) -> Quality {
    if signs.heard(<[u8]>::is_empty) {
        return Quality::TIMEOUT;
    }
    let (heard, wanted) = (signs.heard(answers), shape(request));
    let is_own = |frame: &Frame| frame.unit == unit && frame.shape.table == wanted.table;
    let is_it = |frame: &Frame| frame.unit == unit && frame.shape == wanted;
    if heard.is_empty() || heard.iter().any(is_it) {
        Quality::MALFORMED
    } else if heard.iter().any(is_own) {
        Quality::SHORT
    } else {
        Quality::MISMATCHED
    }
}

/// The future's output, or the panic that it ended with; a library that trips over what a meter
/// says must not take the other buses with it.
async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}
