//! How a line is opened: dialled, or a serial port that is set up.

use std::{io, sync::Arc, time::Duration};

use model::fault::Fault;
use tokio::net::TcpStream;
use tokio_modbus::client::{Context, rtu, tcp};
use tokio_serial::{ClearBuffer, SerialPort, SerialPortBuilderExt};

use super::{
    numbers::{Numbered, Numbers},
    wire::{Signs, Wire},
};
use crate::config::{Endpoint, Line, Parity, Serial};

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

/// Opens a line: the connection, and what is noticed on it.
pub(super) async fn open(
    line: &Line,
    numbers: &Numbers,
) -> Result<(Context, Arc<Signs>), LinkError> {
    Ok(match line {
        Line::Tcp(endpoint) => {
            let wire = Wire::new(Numbered::new(dial(line, endpoint).await?, numbers), true);
            let signs = wire.signs();
            (tcp::attach(wire), signs)
        }
        Line::RtuOverTcp(endpoint) => {
            let wire = Wire::new(dial(line, endpoint).await?, true);
            let signs = wire.signs();
            (rtu::attach(wire), signs)
        }
        Line::Serial(serial) => {
            let fail = |source| LinkError::Open { line: line.to_string(), source };
            let wire = Wire::new(open_port(serial).map_err(fail)?, false);
            let signs = wire.signs();
            (rtu::attach(wire), signs)
        }
    })
}

async fn dial(line: &Line, endpoint: &Endpoint) -> Result<TcpStream, LinkError> {
    let fail = |source| LinkError::Connect { line: line.to_string(), source };
    let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(fail)?;
    stream.set_nodelay(true).map_err(fail)?;
    Ok(stream)
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
