//! The one connection of a line: one read at a time, and none that an earlier answer could fill.
//!
//! Four read functions are all that can be asked: [`question`] is the only place where a Modbus
//! request is made. After a time-out, a mismatch or an answer that is not one, whatever may still
//! arrive belongs to the past: a TCP connection is dropped and dialled again; a serial line, also
//! one behind RTU over TCP, stays quiet for as long as an answer may take, is flushed and opened
//! again. Since nobody knows how late an answer may be, a serial line's next question is asked so
//! that none that is owed fits it ([`crate::owed`]).

use std::{
    any::Any,
    future::{Future, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use model::{fault::Fault, quality::Quality};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_modbus::{
    ExceptionCode, ProtocolError, Request as Question, Response, Slave,
    client::{Client, Context, rtu, tcp},
    slave::SlaveContext,
};
use tokio_serial::{ClearBuffer, SerialPort, SerialPortBuilderExt};

use super::wire::{Signs, Wire};
use crate::{
    config::{self, Bus, Line, Parity, Serial},
    decode::Reply,
    owed::{Ask, OwedAnswers},
    plan::Request,
    register::Table,
};

/// A TCP connection idle for longer is dialled anew, before some router forgets it in silence.
const LONGEST_IDLE: Duration = Duration::from_mins(1);
/// How many refusals in a row may be those of older questions.
const MOST_UNCLEAR: u8 = 4;
/// How long to wait before dialling again a peer that has just been left.
const REDIAL: Duration = Duration::from_millis(50);

/// Why a line could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Nobody took the call in time.
    #[error("no connection to {line} within {limit:?}")]
    Timeout {
        /// The URL.
        line: String,
        /// The bus's timeout.
        limit: Duration,
    },
    /// The network refused.
    #[error("cannot connect to {line}")]
    Connect {
        /// The URL.
        line: String,
        /// What the system said.
        source: io::Error,
    },
    /// The port is missing, in use or may not be opened.
    #[error("cannot open {line}")]
    Open {
        /// The URL.
        line: String,
        /// What the system said.
        source: tokio_serial::Error,
    },
}

impl LinkError {
    /// Cables are plugged in again.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Timeout { .. } | Self::Connect { .. } | Self::Open { .. } => Fault::Transient,
        }
    }
}

/// What became of a question.
#[derive(Debug)]
pub enum Answer {
    /// As many words or coils as were asked for.
    Reply(Reply),
    /// A Modbus exception: the device is there and gives nothing.
    Refusal(Quality),
    /// Something came that is no answer to the question.
    Nonsense(Quality),
    /// No answer came in time: nothing at all, or bytes that never became one.
    Silence(Quality),
    /// There is no line.
    NoLine(LinkError),
}

/// A line with at most one connection.
#[derive(Debug)]
pub struct Link {
    line: Line,
    timeout: Duration,
    gap: Duration,
    connection: Option<Connection>,
    /// Whether the last connection answered something.
    is_known: bool,
    ready_at: Instant,
    quiet: Option<Quiet>,
    /// On a serial line alone: by TCP each answer has the number of its question.
    owed: Option<OwedAnswers>,
    begun_at: Instant,
}

struct Connection {
    context: Context,
    signs: Arc<Signs>,
    used_at: Option<Instant>,
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

/// Whom to ask, and with how much patience.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The device's address on the line.
    pub unit: u8,
    /// What to read.
    pub request: &'a Request,
    /// How many addresses the device gives in one answer.
    pub longest: u16,
    /// At least 1.
    pub attempts: u8,
    /// Whether no answer would surprise nobody.
    pub is_probe: bool,
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
            is_known: false,
            ready_at: now,
            quiet: is_serial.then_some(quiet),
            owed: is_serial.then(OwedAnswers::default),
            begun_at: now,
        }
    }

    /// Asks until something is answered or the attempts are used up.
    ///
    /// Two failures are nobody's fault and cost no attempt, once: a connection that the peer had
    /// closed while it was idle, and a late word of another unit that was not waited for. Dropping
    /// this half-way leaves a connection whose next answer may be the wrong one: drop the link too.
    pub async fn ask(&mut self, asked: Asked<'_>) -> Answer {
        let mut left = asked.attempts;
        let mut is_excusable = true;
        let mut unclear = 0;
        loop {
            sleep_until(self.speaks_at(asked.unit)).await;
            if let Err(error) = self.open().await {
                return Answer::NoLine(error);
            }
            let was_late = self.quiet.is_some_and(|quiet| Instant::now() < quiet.until);
            let sounding = match self.may_ask(asked) {
                Ask::Plainly => None,
                Ask::AfterSounding(sounding) => Some(sounding),
                Ask::NotNow => return Answer::Silence(Quality::TIMEOUT),
            };
            let question = Asked { request: sounding.as_ref().unwrap_or(asked.request), ..asked };
            let (answer, was_closed) = self.exchange(question).await;
            let is_unclear = !was_closed && self.learn(question, &answer);
            let is_late_word = was_late && matches!(answer, Answer::Nonsense(_));
            if is_excusable && (was_closed || is_late_word) {
                is_excusable = false;
                continue;
            }
            match answer {
                Answer::Reply(_) if sounding.is_some() => {}
                Answer::Refusal(defect) if is_unclear => {
                    unclear += 1;
                    if unclear == MOST_UNCLEAR {
                        return Answer::Nonsense(defect);
                    }
                }
                Answer::Reply(_) | Answer::Refusal(_) | Answer::NoLine(_) => return answer,
                Answer::Nonsense(_) | Answer::Silence(_) => {
                    left = left.saturating_sub(1);
                    if left == 0 {
                        return answer;
                    }
                }
            }
        }
    }

    fn may_ask(&mut self, asked: Asked<'_>) -> Ask {
        let now = self.begun_at.elapsed();
        self.owed
            .as_mut()
            .map_or(Ask::Plainly, |owed| owed.ask(asked.unit, asked.request, asked.longest, now))
    }

    /// Notes what an answer says of those that are owed; whether it is a refusal that may be the
    /// answer to an older question.
    fn learn(&mut self, asked: Asked<'_>, answer: &Answer) -> bool {
        let now = self.begun_at.elapsed();
        let Some(owed) = &mut self.owed else { return false };
        let Asked { unit, request, .. } = asked;
        match answer {
            Answer::Reply(_) => owed.answered(unit),
            Answer::Refusal(_) => return owed.refused(unit, request),
            Answer::Silence(defect) if is_gateways(*defect) => return owed.refused(unit, request),
            Answer::Nonsense(Quality::SHORT) => owed.answered_another(unit, request, now),
            Answer::Nonsense(_) | Answer::Silence(_) => owed.unanswered(unit, request, now),
            Answer::NoLine(_) => {}
        }
        false
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
            let opened = timeout_at(until, open(&self.line)).await;
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
        self.connection = Some(opened?);
        Ok(())
    }

    /// One question and what came of it; and whether the peer had closed before it was asked.
    async fn exchange(&mut self, asked: Asked<'_>) -> (Answer, bool) {
        let limit = self.timeout + self.time_on_wire(asked.request);
        let Some(connection) = &mut self.connection else {
            return (Answer::Silence(Quality::UNREACHABLE), false);
        };
        connection.context.set_slave(Slave(asked.unit));
        let call = connection.context.call(question(asked.request));
        let answer = match timeout(limit, caught(call)).await {
            Err(_elapsed) if connection.signs.has_heard() => Answer::Silence(Quality::MALFORMED),
            Err(_elapsed) => Answer::Silence(Quality::TIMEOUT),
            Ok(Err(_panic)) => Answer::Nonsense(Quality::MALFORMED),
            Ok(Ok(result)) => understood(asked.request, result),
        };
        let now = Instant::now();
        let was_used = connection.used_at.replace(now).is_some();
        let was_closed = was_used && connection.signs.is_closed();
        self.ready_at = now + self.gap;
        match &answer {
            Answer::Reply(_) | Answer::Refusal(_) => self.is_known = true,
            Answer::Silence(quality) if is_gateways(*quality) => self.is_known = true,
            Answer::Nonsense(_) | Answer::Silence(_) | Answer::NoLine(_) => {
                self.connection = None;
                let until = now + self.timeout;
                let quiet = Quiet { unit: asked.unit, until, is_expected: asked.is_probe };
                // Behind RTU over TCP is a serial line too: whoever dials next hears its late answers.
                self.quiet = (!matches!(self.line, Line::Tcp(_))).then_some(quiet);
            }
        }
        (answer, was_closed)
    }

    /// What question and answer take by themselves on a slow line.
    fn time_on_wire(&self, request: &Request) -> Duration {
        match &self.line {
            Line::Tcp(_) | Line::RtuOverTcp(_) => Duration::ZERO,
            Line::Serial(serial) => serial.characters(13 + 2 * u32::from(request.count)),
        }
    }
}

/// The four questions there are: functions 1, 2, 3 and 4, which read.
fn question(request: &Request) -> Question<'static> {
    let Request { table, address, count, .. } = request;
    match table {
        Table::Coil => Question::ReadCoils(*address, *count),
        Table::Discrete => Question::ReadDiscreteInputs(*address, *count),
        Table::Holding => Question::ReadHoldingRegisters(*address, *count),
        Table::Input => Question::ReadInputRegisters(*address, *count),
    }
}

fn understood(request: &Request, result: tokio_modbus::Result<Response>) -> Answer {
    let count = usize::from(request.count);
    match (request.table, result) {
        (Table::Coil, Ok(Ok(Response::ReadCoils(bits))))
        | (Table::Discrete, Ok(Ok(Response::ReadDiscreteInputs(bits)))) => {
            // they come in whole bytes
            let is_whole = bits.len() == count.next_multiple_of(8);
            if is_whole {
                Answer::Reply(Reply::Bits(bits))
            } else {
                Answer::Nonsense(Quality::SHORT)
            }
        }
        (Table::Holding, Ok(Ok(Response::ReadHoldingRegisters(words))))
        | (Table::Input, Ok(Ok(Response::ReadInputRegisters(words)))) => {
            let is_whole = words.len() == count;
            if is_whole {
                Answer::Reply(Reply::Words(words))
            } else {
                Answer::Nonsense(Quality::SHORT)
            }
        }
        (_, Ok(Ok(_))) => Answer::Nonsense(Quality::MISMATCHED),
        (_, Ok(Err(exception))) => refused(exception),
        (
            _,
            Err(tokio_modbus::Error::Protocol(
                ProtocolError::HeaderMismatch { .. } | ProtocolError::FunctionCodeMismatch { .. },
            )),
        ) => Answer::Nonsense(Quality::MISMATCHED),
        // what the codec refuses is an error of its own making, what the system says has a number
        (_, Err(tokio_modbus::Error::Transport(error)))
            if error.raw_os_error().is_none() && error.kind() != io::ErrorKind::BrokenPipe =>
        {
            Answer::Nonsense(Quality::MALFORMED)
        }
        (_, Err(tokio_modbus::Error::Transport(_))) => Answer::Silence(Quality::UNREACHABLE),
    }
}

/// A gateway that says that nobody answers behind it (10, 11) speaks for a silent device.
fn refused(exception: ExceptionCode) -> Answer {
    let quality = Quality::exception(exception.into());
    if is_gateways(quality) { Answer::Silence(quality) } else { Answer::Refusal(quality) }
}

fn is_gateways(quality: Quality) -> bool {
    quality == Quality::exception(10) || quality == Quality::exception(11)
}

async fn open(line: &Line) -> Result<Connection, LinkError> {
    let (context, signs) = match line {
        Line::Tcp(endpoint) => {
            let wire = dial(line, endpoint).await?;
            let signs = wire.signs();
            (tcp::attach(wire), signs)
        }
        Line::RtuOverTcp(endpoint) => {
            let wire = dial(line, endpoint).await?;
            let signs = wire.signs();
            (rtu::attach(wire), signs)
        }
        Line::Serial(serial) => {
            let fail = |source| LinkError::Open { line: line.to_string(), source };
            let wire = Wire::new(open_port(serial).map_err(fail)?, false);
            let signs = wire.signs();
            (rtu::attach(wire), signs)
        }
    };
    Ok(Connection { context, signs, used_at: None })
}

async fn dial(line: &Line, endpoint: &config::Endpoint) -> Result<Wire<TcpStream>, LinkError> {
    let fail = |source| LinkError::Connect { line: line.to_string(), source };
    let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(fail)?;
    stream.set_nodelay(true).map_err(fail)?;
    Ok(Wire::new(stream, true))
}

fn open_port(serial: &Serial) -> tokio_serial::Result<tokio_serial::SerialStream> {
    let parity = match serial.parity {
        Parity::None => tokio_serial::Parity::None,
        Parity::Even => tokio_serial::Parity::Even,
        Parity::Odd => tokio_serial::Parity::Odd,
    };
    let stop_bits = if serial.stop_bits == 2 {
        tokio_serial::StopBits::Two
    } else {
        tokio_serial::StopBits::One
    };
    let port = tokio_serial::new(serial.path.to_string_lossy(), serial.baud)
        .parity(parity)
        .stop_bits(stop_bits)
        .data_bits(tokio_serial::DataBits::Eight)
        .open_native_async()?;
    port.clear(ClearBuffer::All)?;
    Ok(port)
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
