//! The URL of a bus: which wire leads to its devices, and how frames travel on it.

use std::{fmt, net::Ipv6Addr, path::PathBuf, str::FromStr, time::Duration};

/// Where a bus leads, and how frames travel on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// `tcp://HOST[:502]`: Modbus TCP, to a device or to a gateway that knows the units behind it.
    Tcp(Endpoint),
    /// `rtu+tcp://HOST:PORT`: RTU frames with their check sum on a TCP connection.
    RtuOverTcp(Endpoint),
    /// `rtu:///dev/…?baud=9600&parity=none&data_bits=8&stop_bits=1`: a serial port.
    Serial(Serial),
}

/// Host and port; prints as `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
}

/// A serial port and how its characters are framed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serial {
    /// The device file; a name under `/dev/serial/by-id` stays when ports are plugged anew.
    pub path: PathBuf,
    /// Bits a second.
    pub baud: u32,
    /// The check bit of a character.
    pub parity: Parity,
    /// 7 or 8; RTU frames need 8.
    pub data_bits: u8,
    /// 1 or 2.
    pub stop_bits: u8,
}

/// The check bit of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parity {
    /// No check bit.
    None,
    /// An even number of ones.
    Even,
    /// An odd number of ones.
    Odd,
}

/// Why a URL is no bus.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// `listen://`.
    #[error("`listen://` (a DTU dials in) is not built yet; let the DTU listen and use rtu+tcp://")]
    Listen,
    /// Another scheme, or none.
    #[error(
        "`{0}` is not a bus; write tcp://host:502, rtu+tcp://host:port or rtu:///dev/ttyS0?baud=9600"
    )]
    Form(String),
    /// No port where none can be guessed, or one that is no number from 1 to 65535.
    #[error("`{0}` names no port from 1 to 65535")]
    Port(String),
    /// A parameter that a serial line does not have.
    #[error(
        "`{0}` is not a parameter of a serial line; there are baud, parity, data_bits, stop_bits"
    )]
    UnknownParameter(String),
    /// A value that its parameter cannot take.
    #[error("{name}={value} cannot be; write {wanted}")]
    Parameter {
        /// Which parameter.
        name: &'static str,
        /// As written.
        value: String,
        /// What it can be.
        wanted: &'static str,
    },
    /// More than one of its parameters.
    #[error("{}", .0.iter().map(Self::to_string).collect::<Vec<_>>().join("; "))]
    Several(Vec<Self>),
}

impl Serial {
    /// How long `count` characters take, start, check and stop bits included.
    pub fn characters(&self, count: u32) -> Duration {
        let parity_bits = match self.parity {
            Parity::None => 0,
            Parity::Even | Parity::Odd => 1,
        };
        let bits = 1 + u32::from(self.data_bits) + parity_bits + u32::from(self.stop_bits);
        Duration::from_secs(1) * (count * bits) / self.baud
    }

    /// The silence that must stand between two frames: 3.5 characters, and 1.75 ms above 19,200
    /// baud (MODBUS over serial line V1.02, 2.5.1.1).
    pub fn frame_gap(&self) -> Duration {
        if self.baud > 19_200 { Duration::from_micros(1_750) } else { self.characters(7) / 2 }
    }
}

impl Line {
    /// Whether units share one wire, so that unit 0 is everybody and 255 nobody.
    pub const fn is_serial_framed(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::RtuOverTcp(_) | Self::Serial(_) => true,
        }
    }
}

/// Whether units share one wire on a bus with this URL, be the rest of it right or wrong; none
/// where nobody can tell.
pub(super) fn is_serial_framed(url: &str) -> Option<bool> {
    match url.split_once("://") {
        Some(("tcp", _)) => Some(false),
        Some(("rtu+tcp" | "rtu", _)) => Some(true),
        Some(_) | None => None,
    }
}

impl FromStr for Line {
    type Err = LineError;

    fn from_str(url: &str) -> Result<Self, LineError> {
        match url.split_once("://") {
            Some(("tcp", rest)) => endpoint(url, rest, Some(502)).map(Self::Tcp),
            Some(("rtu+tcp", rest)) => endpoint(url, rest, None).map(Self::RtuOverTcp),
            Some(("rtu", rest)) => serial(url, rest).map(Self::Serial),
            Some(("listen", _)) => Err(LineError::Listen),
            Some(_) | None => Err(LineError::Form(url.to_owned())),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(endpoint) => write!(f, "tcp://{endpoint}"),
            Self::RtuOverTcp(endpoint) => write!(f, "rtu+tcp://{endpoint}"),
            Self::Serial(serial) => write!(f, "rtu://{serial}"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => "none",
            Parity::Even => "even",
            Parity::Odd => "odd",
        };
        let Self { baud, data_bits, stop_bits, path, .. } = self;
        let path = path.display();
        write!(f, "{path}?baud={baud}&parity={parity}&data_bits={data_bits}&stop_bits={stop_bits}")
    }
}

fn endpoint(url: &str, rest: &str, default_port: Option<u16>) -> Result<Endpoint, LineError> {
    let form = || LineError::Form(url.to_owned());
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[') {
        Some(bracketed) => {
            let (address, port) = bracketed.split_once(']').ok_or_else(form)?;
            let _checked: Ipv6Addr = address.parse().map_err(|_not_an_address| form())?;
            let port = port.strip_prefix(':').or(port.is_empty().then_some(""));
            (address, port.ok_or_else(form)?)
        }
        None => rest.split_once(':').unwrap_or((rest, "")),
    };
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "-._:".contains(letter);
    if host.is_empty() || !host.chars().all(is_name) {
        return Err(form());
    }
    let port = if port.is_empty() { default_port } else { port.parse().ok() };
    let port = port.filter(|port| *port != 0).ok_or_else(|| LineError::Port(url.to_owned()))?;
    Ok(Endpoint { host: host.to_owned(), port })
}

fn serial(url: &str, rest: &str) -> Result<Serial, LineError> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !path.starts_with('/') {
        return Err(LineError::Form(url.to_owned()));
    }
    let mut serial =
        Serial { path: path.into(), baud: 9_600, parity: Parity::None, data_bits: 8, stop_bits: 1 };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut faults: Vec<_> = pairs.filter_map(|pair| parameter(&mut serial, pair).err()).collect();
    match (faults.pop(), faults.is_empty()) {
        (None, _) => Ok(serial),
        (Some(only), true) => Err(only),
        (Some(last), false) => {
            faults.push(last);
            Err(LineError::Several(faults))
        }
    }
}

fn parameter(serial: &mut Serial, pair: &str) -> Result<(), LineError> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let refuse = |name, wanted| LineError::Parameter { name, value: value.to_owned(), wanted };
    match name {
        "baud" => {
            let baud = value.parse().ok().filter(|baud| (300..=4_000_000).contains(baud));
            serial.baud = baud.ok_or_else(|| refuse("baud", "300 to 4000000"))?;
        }
        "parity" => {
            serial.parity = match value {
                "none" => Parity::None,
                "even" => Parity::Even,
                "odd" => Parity::Odd,
                _ => return Err(refuse("parity", "none, even or odd")),
            }
        }
        "data_bits" if value == "8" => serial.data_bits = 8,
        "data_bits" => return Err(refuse("data_bits", "8, RTU needs whole bytes")),
        "stop_bits" => {
            let bits = value.parse().ok().filter(|bits| (1..=2).contains(bits));
            serial.stop_bits = bits.ok_or_else(|| refuse("stop_bits", "1 or 2"))?;
        }
        _ => return Err(LineError::UnknownParameter(name.to_owned())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(urls: &[&str], expected: &Expect) {
        let shown = urls.iter().map(|url| match url.parse::<Line>() {
            Ok(line) => format!("{line}\n"),
            Err(error) => format!("{error}\n"),
        });
        expected.assert_eq(&shown.collect::<String>());
    }

    #[test]
    fn each_sort_of_line_is_read_and_printed_with_its_defaults() {
        check(
            &[
                "tcp://192.168.1.10:502",
                "tcp://meter.local",
                "tcp://[fe80::1]/",
                "rtu+tcp://10.0.0.7:4001",
                "rtu:///dev/serial/by-id/usb-FTDI_1-if00-port0",
                "rtu:///dev/ttyS0?baud=19200&parity=even&stop_bits=2&data_bits=8",
            ],
            &expect![[r#"
                tcp://192.168.1.10:502
                tcp://meter.local:502
                tcp://[fe80::1]:502
                rtu+tcp://10.0.0.7:4001
                rtu:///dev/serial/by-id/usb-FTDI_1-if00-port0?baud=9600&parity=none&data_bits=8&stop_bits=1
                rtu:///dev/ttyS0?baud=19200&parity=even&data_bits=8&stop_bits=2
            "#]],
        );
    }

    #[test]
    fn what_is_no_line_says_what_to_write() {
        check(
            &[
                "listen://0.0.0.0:5020",
                "udp://h:502",
                "192.168.1.10:502",
                "tcp://",
                "tcp://h:0",
                "tcp://h:70000",
                "tcp://u@h:502",
                "rtu+tcp://h",
                "rtu://ttyS0",
                "rtu:///dev/ttyS0?baud=9601x",
                "rtu:///dev/ttyS0?parity=N",
                "rtu:///dev/ttyS0?data_bits=7",
                "rtu:///dev/ttyS0?speed=9600",
                "rtu:///dev/ttyS0?baud=1&parity=N&stop_bits=9",
            ],
            &expect![[r#"
                `listen://` (a DTU dials in) is not built yet; let the DTU listen and use rtu+tcp://
                `udp://h:502` is not a bus; write tcp://host:502, rtu+tcp://host:port or rtu:///dev/ttyS0?baud=9600
                `192.168.1.10:502` is not a bus; write tcp://host:502, rtu+tcp://host:port or rtu:///dev/ttyS0?baud=9600
                `tcp://` is not a bus; write tcp://host:502, rtu+tcp://host:port or rtu:///dev/ttyS0?baud=9600
                `tcp://h:0` names no port from 1 to 65535
                `tcp://h:70000` names no port from 1 to 65535
                `tcp://u@h:502` is not a bus; write tcp://host:502, rtu+tcp://host:port or rtu:///dev/ttyS0?baud=9600
                `rtu+tcp://h` names no port from 1 to 65535
                `rtu://ttyS0` is not a bus; write tcp://host:502, rtu+tcp://host:port or rtu:///dev/ttyS0?baud=9600
                baud=9601x cannot be; write 300 to 4000000
                parity=N cannot be; write none, even or odd
                data_bits=7 cannot be; write 8, RTU needs whole bytes
                `speed` is not a parameter of a serial line; there are baud, parity, data_bits, stop_bits
                baud=1 cannot be; write 300 to 4000000; parity=N cannot be; write none, even or odd; stop_bits=9 cannot be; write 1 or 2
            "#]],
        );
    }

    #[test]
    fn characters_take_the_time_that_the_line_gives_them() {
        let Ok(Line::Serial(slow)) = "rtu:///dev/x?baud=9600&parity=even".parse() else { panic!() };
        assert_eq!(slow.characters(96), Duration::from_millis(110));
        assert_eq!(slow.frame_gap(), Duration::from_nanos(4_010_416));
        let Ok(Line::Serial(fast)) = "rtu:///dev/x?baud=115200".parse() else { panic!() };
        assert_eq!(fast.frame_gap(), Duration::from_micros(1_750));
    }
}
