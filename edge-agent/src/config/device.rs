//! `[[bus.device]]` and its registers.

use std::{collections::BTreeSet, time::Duration};

use model::tree::Table;

use super::{
    bus::{Taken, name},
    register::register,
};
use crate::register::Register;

/// One unit on a bus and what is read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// No two alike on a bus.
    pub name: Box<str>,
    /// Its address on the line.
    pub unit: u8,
    /// How often it is read, in whole milliseconds.
    pub period: Duration,
    /// How its settings count addresses; [`Register::address`] counts from 0 either way.
    pub addressing: Addressing,
    /// The most words in one answer, 1 to 125.
    pub max_registers: u16,
    /// The most coils in one answer, 1 to 2000.
    pub max_bits: u16,
    /// How many addresses that nobody asked for may be read along between two that were.
    pub max_gap: u16,
    /// At least one.
    pub registers: Vec<Register>,
}

/// How settings count addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// From 0, as on the wire.
    ZeroBased,
    /// From 1, as in many manuals.
    OneBased,
}

pub(super) fn device(
    table: &Table<'_>,
    is_serial: Option<bool>,
    names: &mut BTreeSet<Box<str>>,
    taken: &mut Taken,
) -> Option<Device> {
    let name = name(table, names);
    let unit = table.integer("unit", 0..=255).and_then(|unit| unit_of(unit, is_serial)).required();
    let periods = Duration::from_millis(100)..=Duration::from_hours(24);
    let period = table.duration("period").within(periods).required();
    let bases = [("zero_based", Addressing::ZeroBased), ("one_based", Addressing::OneBased)];
    let addressing = table.one_of("addressing", &bases).or(Addressing::ZeroBased);
    let max_registers = table.integer("max_registers", 1..=125).or(120);
    let max_bits = table.integer("max_bits", 1..=2000).or(2000);
    let max_gap = table.integer("max_gap", 0..=125).or(8);
    let tables = table.tables("register");
    if tables.is_empty() {
        table.fault("register", "missing; write at least one [[bus.device.register]]");
    }
    let each = tables.iter().map(|table| register(table, addressing, max_registers, taken));
    let registers: Vec<_> = each.collect();
    let registers: Option<Vec<_>> = registers.into_iter().collect();
    Some(Device {
        name: name?,
        unit: unit?,
        period: period?,
        addressing,
        max_registers,
        max_bits,
        max_gap,
        registers: registers?,
    })
}

/// `is_serial` is unknown where the bus has no URL that says it.
fn unit_of(unit: u8, is_serial: Option<bool>) -> Result<u8, &'static str> {
    match (unit, is_serial == Some(true)) {
        (0, true) => Err("0 is everybody on a serial line, and nobody answers to it; 1 to 247"),
        (255, true) => Err("255 is for tcp:// alone; on a serial line units are 1 to 247"),
        (248..=254, _) => Err("248 to 254 are reserved; units are 1 to 247"),
        (unit, _) => Ok(unit),
    }
}
