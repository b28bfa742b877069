//! The four questions that can be asked, and what the library says of what came back.

use std::io;

use model::quality::Quality;
use tokio_modbus::{ExceptionCode, ProtocolError, Request as Question, Response};

use super::dial::LinkError;
use crate::{decode::Reply, frame::GATEWAYS, plan::Request, register::Table};

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

/// The four questions there are: functions 1, 2, 3 and 4, which read.
pub(super) fn question(request: &Request) -> Question<'static> {
    let Request { table, address, count, .. } = request;
    match table {
        Table::Coil => Question::ReadCoils(*address, *count),
        Table::Discrete => Question::ReadDiscreteInputs(*address, *count),
        Table::Holding => Question::ReadHoldingRegisters(*address, *count),
        Table::Input => Question::ReadInputRegisters(*address, *count),
    }
}

/// What came of a request, unless it was nothing within the time-out.
pub(super) fn understood(request: &Request, result: tokio_modbus::Result<Response>) -> Answer {
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

/// Whether it is a gateway that says so of a device.
pub(super) fn is_gateways(quality: Quality) -> bool {
    GATEWAYS.map(Quality::exception).contains(&quality)
}
