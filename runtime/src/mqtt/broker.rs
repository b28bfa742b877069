//! Where a broker listens, as settings write it.

use std::{fmt, net::Ipv6Addr, str::FromStr};

/// Host and port of a broker without TLS; prints as `mqtt://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    host: String,
    port: u16,
}

/// Why a URL names no broker that can be spoken to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// `mqtts://`.
    #[error("TLS is not built yet; use mqtt:// on loopback or through a tunnel")]
    Tls,
    /// A user or password before the host.
    #[error("user and password do not belong in the URL; write username and password_file")]
    Login,
    /// Anything else.
    #[error("`{0}` is not a broker; write mqtt://host:1883")]
    Form(String),
}

impl Broker {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// 1883 unless written.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The host as it stands before `:port`, an IPv6 address in brackets.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

impl FromStr for Broker {
    type Err = BrokerError;

    /// `mqtt://HOST[:PORT]`, without a path; an IPv6 address stands in brackets.
    fn from_str(url: &str) -> Result<Self, BrokerError> {
        let form = || BrokerError::Form(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(form)?;
        if rest.contains('@') {
            return Err(BrokerError::Login); // first, so that no other error prints a password
        }
        match scheme {
            "mqtt" => {}
            "mqtts" => return Err(BrokerError::Tls),
            _ => return Err(form()),
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => {
                let (address, port) = bracketed.split_once(']').ok_or_else(form)?;
                address.parse::<Ipv6Addr>().map_err(|_not_an_address| form())?;
                (address, port.strip_prefix(':').or(port.is_empty().then_some("1883")))
            }
            None => {
                rest.split_once(':').map_or((rest, Some("1883")), |(host, port)| (host, Some(port)))
            }
        };
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || "-._:".contains(letter);
        let port = port.and_then(|port| port.parse().ok()).filter(|port| *port != 0);
        match port {
            Some(port) if !host.is_empty() && host.chars().all(is_name) => {
                Ok(Self { host: host.to_owned(), port })
            }
            _ => Err(form()),
        }
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mqtt://{}:{}", self.authority(), self.port)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(urls: &[&str], expected: &Expect) {
        let shown = urls.iter().map(|url| match url.parse::<Broker>() {
            Ok(broker) => format!("{broker}\n"),
            Err(error) => format!("{error}\n"),
        });
        expected.assert_eq(&shown.collect::<String>());
    }

    #[test]
    fn names_and_both_sorts_of_addresses_are_brokers() {
        check(
            &[
                "mqtt://127.0.0.1:1883",
                "mqtt://broker.example",
                "mqtt://[::1]:1884/",
                "mqtt://[::1]",
            ],
            &expect![[r#"
                mqtt://127.0.0.1:1883
                mqtt://broker.example:1883
                mqtt://[::1]:1884
                mqtt://[::1]:1883
            "#]],
        );
    }

    #[test]
    fn anything_else_says_what_to_write() {
        check(
            &[
                "mqtts://h:8883",
                "mqtt://u:p@h",
                "tcp://h",
                "h:1883",
                "mqtt://",
                "mqtt://h:0",
                "mqtt://h:70000",
                "mqtt://::1:1883",
                "mqtt://[h]:1883",
                "mqtt://h/path",
            ],
            &expect![[r#"
                TLS is not built yet; use mqtt:// on loopback or through a tunnel
                user and password do not belong in the URL; write username and password_file
                `tcp://h` is not a broker; write mqtt://host:1883
                `h:1883` is not a broker; write mqtt://host:1883
                `mqtt://` is not a broker; write mqtt://host:1883
                `mqtt://h:0` is not a broker; write mqtt://host:1883
                `mqtt://h:70000` is not a broker; write mqtt://host:1883
                `mqtt://::1:1883` is not a broker; write mqtt://host:1883
                `mqtt://[h]:1883` is not a broker; write mqtt://host:1883
                `mqtt://h/path` is not a broker; write mqtt://host:1883
            "#]],
        );
    }
}
