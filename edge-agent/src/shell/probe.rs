//! `probe`: each device is read once, and what it says is printed in every way it could be meant.

use std::collections::VecDeque;

use model::{
    fault::{Chain, Fault},
    quality::Quality,
    quantity::Decimal,
};
use tokio::time::{Instant, sleep};

use super::bus::{Answer, Asked, Asking, Link, Tries};
use crate::{
    config::{Bus, Config, Device},
    decode::{Decoded, Number, Reply, decode, number},
    plan::{Limits, Request, pieces, plan},
    register::{Order, Register},
};

/// What the devices said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// For a terminal.
    pub text: String,
    /// Requests without an answer, and registers without a value.
    pub failures: usize,
}

/// Why nothing was probed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The settings name no such device.
    #[error("no device is called `{name}`; there are {known}")]
    Unknown {
        /// As asked for.
        name: String,
        /// What could have been asked for.
        known: String,
    },
}

impl ProbeError {
    /// It stays unknown.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Unknown { .. } => Fault::Permanent,
        }
    }
}

/// Reads every device, or those of this name, once: one bus after the other.
pub async fn probe(config: &Config, device: Option<&str>) -> Result<Probed, ProbeError> {
    let devices = || config.buses.iter().flat_map(|bus| &bus.devices);
    if let Some(name) = device
        && devices().all(|known| *known.name != *name)
    {
        let known: Vec<_> = devices().map(|device| &*device.name).collect();
        return Err(ProbeError::Unknown { name: name.to_owned(), known: known.join(", ") });
    }
    let mut report = Report { text: String::new(), failures: 0 };
    for bus in &config.buses {
        let mut link = Link::new(bus);
        for of_bus in &bus.devices {
            if device.is_none_or(|name| *of_bus.name == *name) {
                report.device(bus, of_bus, &mut link).await;
            }
        }
    }
    Ok(Probed { text: report.text, failures: report.failures })
}

struct Report {
    text: String,
    failures: usize,
}

impl Report {
    async fn device(&mut self, bus: &Bus, device: &Device, link: &mut Link) {
        self.line(&format!("{} unit {} on {} ({})", device.name, device.unit, bus.name, bus.line));
        let mut left: VecDeque<_> = plan(&device.registers, Limits::of(device)).into();
        while let Some(request) = left.pop_front() {
            let request = &request;
            let attempts = bus.retries.saturating_add(1);
            let begun_at = Instant::now();
            let longest = Limits::of(device).longest(request.table);
            let asked = Asked { unit: device.unit, request, longest, is_probe: false };
            let mut tries = Tries::new(attempts);
            let answer = loop {
                match link.ask(asked, &mut tries).await {
                    Asking::Over(answer) => break answer,
                    Asking::In(wait) => sleep(wait).await,
                }
            };
            let took = begun_at.elapsed().as_millis();
            let Request { table, address, count, .. } = request;
            let asked = format!("  {} from {address} on the wire, {count}", table.name());
            match answer {
                Answer::Reply(reply) => {
                    self.line(&format!("{asked}: answered in {took} ms"));
                    self.registers(device, request, &reply);
                }
                Answer::Refusal(defect) | Answer::Nonsense(defect) | Answer::Silence(defect) => {
                    let smaller = if defect == Quality::NO_SUCH_ADDRESS {
                        pieces(request, &device.registers)
                    } else {
                        Vec::new()
                    };
                    if !smaller.is_empty() {
                        // as the agent itself goes on
                        self.line(&format!("{asked}: refused as a whole, so in pieces"));
                        smaller.into_iter().rev().for_each(|piece| left.push_front(piece));
                        continue;
                    }
                    self.failures += 1;
                    self.line(&format!("{asked}: {} after {took} ms", explained(defect)));
                }
                Answer::NoLine(error) => {
                    self.failures += 1;
                    self.line(&format!("{asked}: unreachable: {}", Chain(&error)));
                }
            }
        }
    }

    fn registers(&mut self, device: &Device, request: &Request, reply: &Reply) {
        for (index, decoded) in decode(request, &device.registers, reply) {
            let Some(register) = device.registers.get(index) else { continue };
            let raw = raw(request, register, reply);
            let words: Vec<_> = raw.iter().map(|word| format!("{word:04x}")).collect();
            let words = words.join(" ");
            let Register { gauge, address, kind, .. } = register;
            self.failures += usize::from(decoded.is_err());
            let value = value(register, decoded);
            self.line(&format!("    {gauge} at {address} {kind}: {words} = {value}"));
            if kind.width() > 1 {
                self.orders(register, &raw);
            }
        }
    }

    /// The number in the words for each order, before scale and offset. Which one is meant only
    /// the meter's own display can tell: no number is too large or too small to be one.
    fn orders(&mut self, register: &Register, raw: &[u16]) {
        let numbers = Order::ALL.map(|order| (order, number(register.kind, order, raw)));
        for (order, number) in numbers {
            let is_set = if order == register.order { " (set)" } else { "" };
            let name = order.name(register.kind.width());
            let number = match number {
                Ok(Number::Integer(number)) => number.to_string(),
                Ok(Number::Float(number)) => float(number),
                Err(defect) => defect.word().into_owned(),
            };
            self.line(&format!("      {name} {number}{is_set}"));
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// The register's own words, a coil as 0 or 1.
fn raw(request: &Request, register: &Register, reply: &Reply) -> Vec<u16> {
    let skipped = usize::from(register.address.saturating_sub(request.address));
    let width = usize::from(register.kind.width());
    match reply {
        Reply::Words(words) => words.iter().skip(skipped).take(width).copied().collect(),
        Reply::Bits(bits) => bits.iter().skip(skipped).take(width).map(|b| u16::from(*b)).collect(),
    }
}

fn value(register: &Register, decoded: Decoded) -> String {
    match decoded {
        Ok(units) => {
            format!("{} {}", Decimal { units, decimals: register.decimals }, register.unit)
        }
        Err(defect) => explained(defect),
    }
}

/// Whole where that can be read, else by its power of ten.
fn float(number: f64) -> String {
    if number == 0.0 || (1e-4..1e8).contains(&number.abs()) {
        format!("{number:.6}")
    } else {
        format!("{number:.3e}")
    }
}

/// The word of a defect and what it usually comes from; of an exception the name that the Modbus
/// specification has for it.
fn explained(defect: Quality) -> String {
    let hint = match defect {
        Quality::TIMEOUT => "no answer: wrong unit, speed or wiring, or `timeout` is too short",
        Quality::MALFORMED => "not Modbus: wrong parity or speed, or RTU where TCP is spoken",
        Quality::MISMATCHED => "an answer to somebody else: two masters on one line?",
        Quality::SHORT => "another number of registers than asked for: lower `max_registers`",
        Quality::UNREACHABLE => "the connection was closed: another client may hold it",
        Quality::NOT_A_NUMBER | Quality::INVALID_BCD => "check `type` and `order`",
        _ => match EXCEPTIONS.iter().find(|(n, _)| defect == Quality::exception(*n)) {
            Some((_, hint)) => hint,
            None => return defect.word().into_owned(),
        },
    };
    format!("{} ({hint})", defect.word())
}

/// MODBUS Application Protocol V1.1b3, chapter 7; 7 is of the older PI-MBUS-300.
const EXCEPTIONS: [(u8, &str); 10] = [
    (1, "illegal function: it does not know this function: check `table`"),
    (2, "illegal data address: no such address: check `address` and `table`"),
    (3, "illegal data value: it does not give so many at once: lower `max_registers`"),
    (4, "server device failure: it failed while it read: look at the device itself"),
    (5, "acknowledge: it works on something that takes long: try again later"),
    (6, "server device busy: it works on something that takes long: try again later"),
    (7, "negative acknowledge: it cannot do what is asked: check `table`"),
    (8, "memory parity error: it found its memory damaged: look at the device itself"),
    (
        10,
        "gateway path unavailable: the gateway has no way to it: check the gateway's own settings",
    ),
    (
        11,
        "gateway target device failed to respond: the gateway hears nothing from this unit: check `unit` and wiring",
    ),
];

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn every_exception_of_the_specification_is_told_by_its_name() {
        let told = (1..=12).map(|n| explained(Quality::exception(n))).collect::<Vec<_>>();
        expect![[r#"
            exception_1 (illegal function: it does not know this function: check `table`)
            exception_2 (illegal data address: no such address: check `address` and `table`)
            exception_3 (illegal data value: it does not give so many at once: lower `max_registers`)
            exception_4 (server device failure: it failed while it read: look at the device itself)
            exception_5 (acknowledge: it works on something that takes long: try again later)
            exception_6 (server device busy: it works on something that takes long: try again later)
            exception_7 (negative acknowledge: it cannot do what is asked: check `table`)
            exception_8 (memory parity error: it found its memory damaged: look at the device itself)
            exception_9
            exception_10 (gateway path unavailable: the gateway has no way to it: check the gateway's own settings)
            exception_11 (gateway target device failed to respond: the gateway hears nothing from this unit: check `unit` and wiring)
            exception_12"#]]
        .assert_eq(&told.join("\n"));
    }
}
