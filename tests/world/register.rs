//! One register of a meter, the gauge that it feeds, and the value that must arrive.

use serde_json::{Value, json};

use crate::decode::{Exact, Fraction, number, width};

/// A register as the agent's settings name it, and its gauge as the registry does.
#[derive(Debug, Clone)]
pub struct Register {
    /// The gauge's name within its station.
    pub gauge: String,
    /// Which unit of the meter.
    pub unit_id: u8,
    /// `input`, `holding`, `coil` or `discrete`.
    pub table: &'static str,
    /// Counted from 0.
    pub address: u16,
    /// `u16` to `f64`, `bcd16`, `bcd32`, `bool`.
    pub kind: &'static str,
    /// How the bytes stand; `abcd…` if none is given.
    pub order: Option<&'static str>,
    /// Decimal text.
    pub scale: &'static str,
    /// Decimal text.
    pub offset: &'static str,
    /// Of the reading.
    pub decimals: u8,
    /// Of the reading.
    pub unit: &'static str,
    /// Sends at once when it is crossed.
    pub alert_below: Option<&'static str>,
    /// What the gauge measures.
    pub quantity: &'static str,
    /// The gauge's unit.
    pub gauge_unit: &'static str,
    /// The decimals that the store keeps, in the gauge's unit.
    pub stored: u8,
    /// How many of the gauge's unit one of the register's is, as a fraction.
    pub ratio: (i128, i128),
}

impl Register {
    /// A voltage in whole volts: a number that arrives as it was given out.
    pub fn new(
        gauge: &str,
        unit_id: u8,
        table: &'static str,
        address: u16,
        kind: &'static str,
    ) -> Self {
        Self {
            gauge: gauge.to_owned(),
            unit_id,
            table,
            address,
            kind,
            order: None,
            scale: "1",
            offset: "0",
            decimals: 0,
            unit: "V",
            alert_below: None,
            quantity: "voltage",
            gauge_unit: "V",
            stored: 0,
            ratio: (1, 1),
        }
    }

    /// A flow in cubic metres an hour, stored in millilitres a second.
    pub fn flow(gauge: &str, unit_id: u8, address: u16, order: &'static str) -> Self {
        Self {
            order: Some(order),
            decimals: 3,
            unit: "m3/h",
            quantity: "flow",
            gauge_unit: "m3/s",
            stored: 6,
            ratio: (1, 3600),
            ..Self::new(gauge, unit_id, "input", address, "f32")
        }
    }

    /// The bytes in their order on the wire.
    pub(crate) fn order(&self) -> &str {
        self.order.unwrap_or(&"abcdefgh"[..2 * width(self.kind)])
    }

    /// The value that a reader must get from a reply of `words` from `first` on: nothing where the
    /// reply does not cover this register, and no number where it holds none.
    pub(crate) fn value(&self, first: u16, words: &[u16]) -> Option<Option<Exact>> {
        let at = usize::from(self.address.checked_sub(first)?);
        let words = words.get(at..at + width(self.kind))?;
        let Some(number) = number(words, self.kind, self.order()) else {
            return Some(None);
        };
        let text = |text| Fraction::of(Exact::parse(text).expect("decimal text"));
        let reading = number.times(text(self.scale)).plus(text(self.offset)).rounded(self.decimals);
        Some(Some(self.stored_value(reading)))
    }

    /// What a reading, in units of its decimals, is in the gauge's unit at the stored resolution.
    pub(crate) fn stored_value(&self, reading: i128) -> Exact {
        let reading = Fraction::of(Exact::scaled(reading, self.decimals));
        let ratio = Fraction { numerator: self.ratio.0, denominator: self.ratio.1 };
        Exact::scaled(reading.times(ratio).rounded(self.stored), self.stored)
    }

    /// The meter's command that makes this register hold `value`.
    pub fn set(&self, value: impl Into<Value>) -> Value {
        json!({"set": self.with([("value", value.into())])})
    }

    /// The meter's command that makes this register count from `start` with each reading.
    pub fn count(&self, start: u64) -> Value {
        json!({"counter": self.with([("start", start.into()), ("step", 1.into())])})
    }

    /// The meter's command that makes this register go through `values` with each reading.
    pub fn sequence(&self, values: &[f64]) -> Value {
        json!({"sequence": self.with([("values", values.into()), ("loop", true.into())])})
    }

    fn with<const N: usize>(&self, more: [(&str, Value); N]) -> Value {
        let mut body = json!({
            "unit": self.unit_id, "table": self.table, "address": self.address, "type": self.kind,
        });
        if let Some(order) = self.order {
            body["order"] = order.into();
        }
        for (key, value) in more {
            body[key] = value;
        }
        body
    }

    pub(crate) fn settings(&self, station: &str) -> String {
        let mut lines = vec![
            format!("gauge = \"{station}/{}\"", self.gauge),
            format!("table = \"{}\"", self.table),
            format!("address = {}", self.address),
            format!("type = \"{}\"", self.kind),
            format!("unit = \"{}\"", self.unit),
        ];
        if self.kind != "bool" {
            let numbers = (self.scale, self.offset, self.decimals);
            lines.push(format!(
                "scale = {}\noffset = {}\ndecimals = {}",
                numbers.0, numbers.1, numbers.2
            ));
        }
        lines.extend(self.order.map(|order| format!("order = \"{order}\"")));
        lines.extend(self.alert_below.map(|limit| format!("alert_below = {limit}")));
        format!("\n[[bus.device.register]]\n{}\n", lines.join("\n"))
    }

    pub(crate) fn registry(&self, interval: &str) -> String {
        let decimals = if self.quantity == "voltage" { self.stored } else { 3 };
        format!(
            "\n  [[station.gauge]]\n  id = \"{}\"\n  quantity = \"{}\"\n  unit = \"{}\"\n  decimals = {decimals}\n  \
             interval = \"{interval}\"\n",
            self.gauge, self.quantity, self.gauge_unit
        )
    }
}
