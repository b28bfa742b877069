//! `[[bus]]`: one line, how patient it is, and the devices on it.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use model::{ids::GaugeId, tree::Table};

use super::{
    device::{self, Device},
    line::{Line, is_serial_framed},
};

/// One line with one request in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bus {
    /// No two alike.
    pub name: Box<str>,
    /// Where it leads. Two buses may lead to one endpoint: each has a connection of its own.
    pub line: Line,
    /// How long to wait for a connection, and for an answer.
    pub timeout: Duration,
    /// How often a device that answered before is asked again after a failure.
    pub retries: u8,
    /// Pause between requests.
    pub gap: Duration,
    /// At least one.
    pub devices: Vec<Device>,
}

/// What the whole list of buses has used up so far.
#[derive(Debug, Default)]
pub(super) struct Taken {
    names: BTreeSet<Box<str>>,
    ports: BTreeSet<PathBuf>,
    gauges: BTreeSet<GaugeId>,
    registers: usize,
}

impl Taken {
    /// Notes a gauge; `false` where it was there before.
    pub(super) fn gauge(&mut self, gauge: &GaugeId) -> bool {
        self.gauges.insert(gauge.clone())
    }

    /// The next index into the agent's sources.
    pub(super) const fn source(&mut self) -> usize {
        let source = self.registers;
        self.registers += 1;
        source
    }
}

pub(super) fn buses(root: &Table<'_>) -> Option<Vec<Bus>> {
    let tables = root.tables("bus");
    if tables.is_empty() {
        root.fault("bus", "missing; write at least one [[bus]]");
    }
    let mut taken = Taken::default();
    let buses: Vec<_> = tables.iter().map(|table| bus(table, &mut taken)).collect();
    buses.into_iter().collect()
}

fn bus(table: &Table<'_>, taken: &mut Taken) -> Option<Bus> {
    let name = name(table, &mut taken.names);
    let mut is_serial = None;
    let url = table.text("url").and_then(|url| {
        is_serial = is_serial_framed(&url);
        url.parse()
    });
    let line: Option<Line> = url.required();
    if let Some(Line::Serial(serial)) = &line
        && !taken.ports.insert(serial.path.clone())
    {
        table.fault("url", "another bus has this port; list its devices there");
    }
    let patience = Duration::from_millis(10)..=Duration::from_mins(1);
    let timeout = table.duration("timeout").within(patience).or(Duration::from_secs(1));
    let retries = table.integer("retries", 0..=10).or(2);
    let longest_gap = Duration::from_secs(10);
    let gap = table.duration("gap").within(Duration::ZERO..=longest_gap).or(Duration::ZERO);
    let tables = table.tables("device");
    if tables.is_empty() {
        table.fault("device", "missing; write at least one [[bus.device]]");
    }
    let mut names = BTreeSet::new();
    let read = |table| device::device(table, is_serial, &mut names, taken);
    let devices: Vec<_> = tables.iter().map(read).collect();
    let devices: Option<Vec<_>> = devices.into_iter().collect();
    Some(Bus { name: name?, line: line?, timeout, retries, gap, devices: devices? })
}

/// A name for status, metrics and logs: 1 to 64 characters, none of them a control character, and
/// none of `names` so far.
pub(super) fn name(table: &Table<'_>, names: &mut BTreeSet<Box<str>>) -> Option<Box<str>> {
    let name = table.text("name").and_then(|text| {
        let is_name =
            (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if !is_name {
            return Err("a name is 1 to 64 characters, none of them a control character".to_owned());
        }
        if !names.insert(text.as_str().into()) {
            return Err(format!("another one is called `{text}` too"));
        }
        Ok(text.into_boxed_str())
    });
    name.required()
}
