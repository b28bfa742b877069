//! The agent's settings: what a gateway polls, whom it tells, and how much it may keep.

mod bus;
mod device;
mod line;
mod register;

use std::{
    net::{AddrParseError, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use model::{
    ids::AgentId,
    time::Zone,
    tree::{Faults, Node, Table, read},
};
use runtime::{
    mqtt::{Broker, Version},
    telemetry::{Format, Level},
};

pub use bus::Bus;
pub use device::{Addressing, Device};
pub use line::{Endpoint, Line, LineError, Parity, Serial};

use crate::cycle::{Source, Sources};

/// The defaults, compiled in: every key of the agent's settings with its comment.
pub const DEFAULTS: &str = include_str!("../../deploy/config/baseflow-edge.default.toml");

/// Every setting of an agent; one that exists is valid.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Its identity at the broker.
    pub agent: AgentId,
    /// Whom it tells.
    pub mqtt: Mqtt,
    /// When it believes its clock.
    pub clock: Clock,
    /// What it keeps until the server has it.
    pub spool: Spool,
    /// How readings are put together.
    pub batch: Batch,
    /// Its own small page.
    pub local: Local,
    /// What it says of itself.
    pub log: Log,
    /// What it polls, in the order of the file.
    pub buses: Vec<Bus>,
}

/// `[mqtt]`: the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mqtt {
    /// Where it listens.
    pub broker: Broker,
    /// Which MQTT is spoken to it.
    pub version: Version,
    /// Unique at the broker; the agent's name unless written.
    pub client_id: String,
    /// The agent's name unless written; none without a password.
    pub username: Option<String>,
    /// A file with the password and nothing else.
    pub password_file: Option<PathBuf>,
    /// How often a quiet line is tried, 5 s to 1 h.
    pub keep_alive: Duration,
}

/// `[clock]`: when moments are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// What is believed.
    pub trust: Trust,
}

/// When the wall clock is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Once it is past the day this program was built.
    System,
    /// Once the kernel says that it is synchronised; until then moments count from boot.
    Auto,
}

/// `[spool]`: what waits on the gateway's flash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// The database file; its folder must be there and writable.
    pub path: PathBuf,
    /// How long readings are kept, 1 h to 10 years.
    pub hours: u32,
    /// The room it may take, 1 MiB to 1 TiB; whichever of both is reached first counts.
    pub max_bytes: u64,
}

/// `[batch]`: how readings are put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// How long a batch stays open, up to 1 h; 0 makes every poll cycle a batch.
    pub max_age: Duration,
    /// Whether batches travel as zstd frames where that is shorter.
    pub is_compressed: bool,
}

/// `[local]`: the gateway's own page and `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Where it listens.
    pub listen: SocketAddr,
    /// In which the page shows times, beside UTC.
    pub zone: Zone,
}

/// `[log]`: what the agent says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// `info`, or by module: `info,edge_agent=debug`.
    pub level: Level,
    /// How a line looks.
    pub format: Format,
}

impl Config {
    /// The settings in a merged tree, or everything that is wrong with them.
    pub fn read(root: &Node) -> Result<Self, Faults> {
        read(root, Self::from_table)
    }

    /// The same with paths, where they are relative, beginning at `folder`: that of the settings
    /// file, wherever the program is started.
    #[must_use]
    pub fn within(mut self, folder: &Path) -> Self {
        self.spool.path = folder.join(&self.spool.path);
        self.mqtt.password_file = self.mqtt.password_file.map(|file| folder.join(file));
        self
    }

    /// Every register in the order of the file; [`crate::register::Register::source`] is its index
    /// here.
    pub fn sources(&self) -> Sources {
        let devices = self.buses.iter().flat_map(|bus| &bus.devices);
        let registers = devices.flat_map(|device| {
            let period_ms = u32::try_from(device.period.as_millis()).unwrap_or(u32::MAX);
            device.registers.iter().map(move |register| (register, period_ms))
        });
        let sources = registers.map(|(register, period_ms)| Source {
            gauge: register.gauge.clone(),
            unit: register.unit.clone(),
            decimals: register.decimals,
            period_ms,
            alert_below: register.alert_below,
        });
        sources.collect::<Vec<_>>().into()
    }

    /// How many decimals the settings ask of each register, in the order of [`Self::sources`].
    pub fn asked_decimals(&self) -> Vec<Option<u8>> {
        let devices = self.buses.iter().flat_map(|bus| &bus.devices);
        let registers = devices.flat_map(|device| &device.registers);
        registers.map(|register| register.asked_decimals).collect()
    }

    fn from_table(root: &Table<'_>) -> Option<Self> {
        let agent: Option<AgentId> = root.parse("agent").required();
        let mqtt = mqtt(&root.table("mqtt"), agent.as_ref());
        let clock = clock(&root.table("clock"));
        let spool = spool(&root.table("spool"));
        let batch = batch(&root.table("batch"));
        let local = local(&root.table("local"));
        let log = log(&root.table("log"));
        let buses = bus::buses(root);
        Some(Self {
            agent: agent?,
            mqtt: mqtt?,
            clock: clock?,
            spool: spool?,
            batch: batch?,
            local: local?,
            log: log?,
            buses: buses?,
        })
    }
}

fn mqtt(table: &Table<'_>, agent: Option<&AgentId>) -> Option<Mqtt> {
    let broker = table.parse("url").required();
    let version = table.integer("version", 4..=5).required();
    let client_id = written(table, "client_id");
    let username = written(table, "username");
    let password_file = written(table, "password_file");
    let limits = Duration::from_secs(5)..=Duration::from_hours(1);
    let keep_alive = table.duration("keep_alive").within(limits).required();
    if username.is_some() && password_file.is_none() {
        table.fault("password_file", "missing; a user name needs a password");
    }
    let name = || agent.map(AgentId::to_string).unwrap_or_default();
    let has_password = password_file.is_some();
    Some(Mqtt {
        broker: broker?,
        version: if version? == 4_u8 { Version::V4 } else { Version::V5 },
        client_id: client_id.unwrap_or_else(name),
        username: username.or_else(|| has_password.then(name)),
        password_file: password_file.map(PathBuf::from),
        keep_alive: keep_alive?,
    })
}

fn clock(table: &Table<'_>) -> Option<Clock> {
    let trust = table.one_of("trust", &[("system", Trust::System), ("auto", Trust::Auto)]);
    Some(Clock { trust: trust.required()? })
}

fn spool(table: &Table<'_>) -> Option<Spool> {
    let path = written(table, "path");
    if path.is_none() {
        table.fault("path", "missing; name a file on flash that outlives a restart");
    }
    let hours = table.integer("hours", 1..=87_600).required();
    let max_bytes = table.size("max_size").within(1 << 20..=1 << 40).required();
    Some(Spool { path: path?.into(), hours: hours?, max_bytes: max_bytes? })
}

fn batch(table: &Table<'_>) -> Option<Batch> {
    let limits = Duration::ZERO..=Duration::from_hours(1);
    let max_age = table.duration("max_age").within(limits).required();
    let is_compressed = table.boolean("compress").required();
    Some(Batch { max_age: max_age?, is_compressed: is_compressed? })
}

fn local(table: &Table<'_>) -> Option<Local> {
    let listen = table.text("listen").and_then(|text| {
        let form = |_no_address: AddrParseError| {
            format!("`{text}` is not an address; write 127.0.0.1:8090")
        };
        text.parse().map_err(form)
    });
    let zone = table.text("zone").and_then(|text| Zone::named(&text)).required();
    Some(Local { listen: listen.required()?, zone: zone? })
}

fn log(table: &Table<'_>) -> Option<Log> {
    let level = table.parse("level").required();
    let format = table.one_of("format", &Format::WORDS).required();
    Some(Log { level: level?, format: format? })
}

/// A text that counts as not written where it is empty, as the defaults have it.
fn written(table: &Table<'_>, key: &str) -> Option<String> {
    table.text(key).optional().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
