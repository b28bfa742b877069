//! A site: an agent, what it polls, and the station that the registry knows it by.

use std::{fmt::Write as _, path::PathBuf};

use crate::{meter::Meter, register::Register};

/// One agent with one station.
#[derive(Debug, Clone)]
pub struct Site {
    /// The agent's name and account.
    pub agent: String,
    /// The station that it speaks for.
    pub station: String,
    /// What it polls.
    pub buses: Vec<Bus>,
    /// `[batch] max_age`.
    pub max_age: &'static str,
    /// More keys of `[batch]`.
    pub batch: &'static str,
    /// More keys of `[spool]`.
    pub spool: &'static str,
}

/// One line and the devices on it: every unit that its registers name.
#[derive(Debug, Clone)]
pub struct Bus {
    /// Where it leads.
    pub url: String,
    /// The log of the meter behind it, which says what was given out.
    pub log: PathBuf,
    /// `timeout`; longer than any reply takes on a busy machine.
    pub timeout: &'static str,
    /// `retries`.
    pub retries: u8,
    /// Each device's `period`.
    pub period: &'static str,
    /// What is read.
    pub registers: Vec<Register>,
}

impl Bus {
    /// A bus that leads to `meter`.
    pub fn new(meter: &Meter, period: &'static str, registers: Vec<Register>) -> Self {
        Self {
            url: meter.url(),
            log: meter.log().to_owned(),
            timeout: "10s",
            retries: 0,
            period,
            registers,
        }
    }
}

impl Site {
    /// An agent `gw-NAME` of the station `BF-NAME` with these buses.
    pub fn new(name: &str, buses: Vec<Bus>) -> Self {
        Self {
            agent: format!("gw-{name}"),
            station: format!("BF-{name}"),
            buses,
            max_age: "200ms",
            batch: "",
            spool: "",
        }
    }

    /// A site whose registers count: `count` gauges of 32 bits on unit 1 of `meter`, each from a
    /// start of its own, so that no value is ever given out twice.
    pub fn counting(name: &str, meter: &mut Meter, period: &'static str, count: u16) -> Self {
        Self::counting_at(name, meter, 1, period, count)
    }

    /// Like [`Site::counting`], on another unit.
    pub fn counting_at(
        name: &str,
        meter: &mut Meter,
        unit: u8,
        period: &'static str,
        count: u16,
    ) -> Self {
        let register = |at: u16| Register::new(&format!("g{at}"), unit, "input", 2 * at, "u32");
        let registers: Vec<Register> = (0..count).map(register).collect();
        for (at, register) in (0_u64..).zip(&registers) {
            meter
                .command(&register.count((u64::from(unit) * 1_000 + at) * 100_000 % 4_000_000_000));
        }
        Self::new(name, vec![Bus::new(meter, period, registers)])
    }

    /// A gauge's full name.
    pub fn full(&self, gauge: &str) -> String {
        format!("{}/{gauge}", self.station)
    }

    /// Every register of every bus.
    pub fn registers(&self) -> impl Iterator<Item = &Register> {
        self.buses.iter().flat_map(|bus| &bus.registers)
    }

    /// The register that feeds a gauge.
    pub fn register(&self, gauge: &str) -> &Register {
        self.registers().find(|register| register.gauge == gauge).expect("a gauge of this site")
    }

    pub(crate) fn bus_settings(&self) -> String {
        let mut text = String::new();
        for (number, bus) in self.buses.iter().enumerate() {
            let Bus { url, timeout, retries, period, .. } = bus;
            write!(
                text,
                "\n[[bus]]\nname = \"bus-{number}\"\nurl = \"{url}\"\ntimeout = \"{timeout}\"\nretries = {retries}\n"
            )
            .expect("a string takes all");
            let mut units: Vec<u8> =
                bus.registers.iter().map(|register| register.unit_id).collect();
            units.sort_unstable();
            units.dedup();
            for unit in units {
                write!(
                    text,
                    "\n[[bus.device]]\nname = \"unit-{unit}\"\nunit = {unit}\nperiod = \"{period}\"\n"
                )
                .expect("a string takes all");
                let registers = bus.registers.iter().filter(|register| register.unit_id == unit);
                text.extend(registers.map(|register| register.settings(&self.station)));
            }
        }
        text
    }
}

/// The registry file of these sites.
pub(crate) fn registry(sites: &[&Site]) -> String {
    let mut text = String::new();
    for site in sites {
        write!(
            text,
            "\n[[station]]\nid = \"{}\"\nname = \"{}\"\nkind = \"hydropower\"\nagent = \"{}\"\n",
            site.station, site.station, site.agent
        )
        .expect("a string takes all");
        for bus in &site.buses {
            text.extend(bus.registers.iter().map(|register| register.registry(bus.period)));
        }
    }
    text
}
