//! The agent as a whole: which tasks there are, how they are joined, and in what order they stop.
//!
//! ```text
//! bus … ─cycles→ collector ─commands→ spool ─happenings→ courier ⇄ broker
//!                                       ↑────wishes─────────┘
//! ```
//!
//! | queue | bound | at the bound |
//! |---|---|---|
//! | cycles | 256 readings, one cycle at least; one of each device until it is synced | polling waits; slots missed are counted |
//! | commands, wishes | 8 together | the collector waits; the courier never does |
//! | happenings | 32 | the spool waits for the courier |
//!
//! Stopping goes downstream: polling ends, the open batch is closed and synced, the courier waits
//! up to 5 s for the last notices, tells that it goes, and disconnects; then the spool ends.

mod collector;
mod courier;

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use model::{
    fault::{Chain, Fault},
    ids::BootId,
    tree::{Faults, Node},
};
use prometheus::Registry;
use runtime::{
    admin::{Admin, Page, Pages, Readiness},
    clock::{Clock, SystemClock, boot_id},
    settings::{self, SettingsError},
    signals::{Signal, Signals},
    tasks::{Failed, Stage, Tasks},
    telemetry::{Level, Repeats, Telemetry},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};
use tracing::{error, info, warn};

use self::{
    collector::{Collector, Latest},
    courier::{Board, Courier, Identity, Outlook},
};
use crate::{
    batcher::Batcher,
    clock_trust::AnchorDebt,
    config::{Config, DEFAULTS, Trust},
    cycle::Sources,
    metrics::Metrics,
    shell::{
        bus,
        mqtt::Link,
        spool::{self, HAPPENINGS, Moment, QUEUE, Spool, SpoolError, Stats},
        wall_clock::MeasuringClock,
    },
    status::{
        Pace,
        page::{View, html},
    },
    uplink::{Strays, Uplink},
};

/// This program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why the agent does not run.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Something that works or not on every machine.
    #[error("cannot {attempt}")]
    Start {
        /// What was tried.
        attempt: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Two metrics of one name.
    #[error("cannot register metrics")]
    Metrics(#[source] prometheus::Error),
    /// There is no place to keep readings.
    #[error("cannot use the spool")]
    Spool(#[source] SpoolError),
    /// A task could not go on.
    #[error(transparent)]
    Failed(Failed),
}

impl AgentError {
    /// What would help.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Start { .. } => Fault::Permanent,
            Self::Spool(error) => error.fault(),
            Self::Metrics(_) | Self::Failed(_) => Fault::Bug,
        }
    }
}

/// Why settings are none.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// They cannot be read or merged.
    #[error(transparent)]
    Settings(SettingsError),
    /// They are read, and wrong.
    #[error(transparent)]
    Faults(Faults),
}

/// Settings as read and as understood.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// As text: the tree of a thousand registers takes ten times its room.
    file: settings::File,
    /// What they say, checked.
    pub config: Config,
}

impl Loaded {
    /// Every value with its origin.
    pub fn tree(&self) -> Result<Node, LoadError> {
        merged(&self.file)
    }
}

/// Reads the settings: defaults, the file, the environment.
pub fn load(file: &Path) -> Result<Loaded, LoadError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let file = settings::File::read(file).map_err(LoadError::Settings)?;
    let config = Config::read(&merged(&file)?).map_err(LoadError::Faults)?.within(folder);
    Ok(Loaded { file, config })
}

fn merged(file: &settings::File) -> Result<Node, LoadError> {
    let variables = settings::process_variables();
    settings::merge(DEFAULTS, Some(file), variables).map_err(LoadError::Settings)
}

/// Runs until a signal asks it to stop, or a task fails.
pub async fn run(loaded: Loaded, file: PathBuf, telemetry: Telemetry) -> Result<(), AgentError> {
    let mut signals = Signals::install()
        .map_err(|source| AgentError::Start { attempt: "catch signals", source })?;
    let mut tasks = Tasks::new();
    start(&loaded.config, &mut tasks).await?;
    let reload = async {
        loop {
            match signals.next().await {
                Signal::Stop => return,
                Signal::Reload => reload(&file, &loaded, &telemetry),
            }
        }
    };
    tasks.run_until(reload).await.map_err(AgentError::Failed)
}

/// Makes every task of an agent; [`Tasks`] stops them in order.
pub async fn start(config: &Config, tasks: &mut Tasks) -> Result<(), AgentError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let registry = Registry::new();
    let (metrics, bus_metrics) = count(&registry).map_err(AgentError::Metrics)?;
    let readiness = Readiness::default();
    let (sources, boot_id) = (config.sources(), this_boot());
    let registers = sources.len();
    let measuring = MeasuringClock::new(Arc::clone(&clock), config.clock.trust);
    let begun = Moment::of(&measuring);
    let store = open_spool(config, &sources, boot_id, &metrics, begun)?;
    // what the spool finds before the first cycle may count from boot, too
    let anchor = AnchorDebt::new(boot_id, store.is_anchor_owed() || !begun.is_trusted);
    let uplink = Uplink::new(store.store_id(), getrandom::u64().unwrap_or(0));

    let seconds = Duration::from_secs;
    let acquisition = tasks.stage("acquisition", seconds(2));
    let batching = tasks.stage("batching", Duration::from_millis(1_500));
    let sending = tasks.stage("sending", seconds(6));
    let keeping = tasks.stage("spool", seconds(2));
    let telling = tasks.stage("page", Duration::from_millis(200));

    let (commands, queue) = mpsc::channel(QUEUE);
    let (happens, happenings) = mpsc::channel(HAPPENINGS);
    let (stats, watched) = watch::channel(Stats::default());
    let keeper = measuring.clone();
    let serve = move || spool::serve(store, &keeper, queue, &happens, &stats);
    keeping
        .spawn_thread("spool", serve)
        .map_err(|source| AgentError::Start { attempt: "start the spool's thread", source })?;

    let (cycles, polled) = bus::queue(config);
    let slots: Arc<dyn Clock> = Arc::new(measuring.clone());
    let health = bus::spawn(config, &acquisition, &slots, &bus_metrics, &cycles);
    drop(cycles);
    let max_age_ms = i64::try_from(config.batch.max_age.as_millis()).unwrap_or(i64::MAX);
    let latest = Latest::new(sources.len());
    let collector = Collector {
        batcher: Batcher::new(Arc::clone(&sources), boot_id, max_age_ms),
        anchor,
        latest: latest.clone(),
        clock: measuring.clone(),
        cycles: polled,
        holds: Vec::new(),
        spool: commands.clone(),
    };
    batching.spawn("collector", collector.run(batching.stopping()));

    let board: Board = Arc::new(Mutex::new(Outlook::starting(VERSION)));
    let courier = Courier {
        uplink,
        link: Link::new(config.agent.clone(), &config.mqtt, VERSION, sending.clone()),
        clock,
        measuring,
        spool: commands,
        happenings,
        stats: watched,
        health,
        board: Arc::clone(&board),
        metrics,
        readiness: readiness.condition("mqtt"),
        identity: Identity { version: VERSION, boot_id, trust: trust_word(config.clock.trust) },
        wishes: VecDeque::new(),
        fresh: BTreeMap::new(),
        pace: Pace::default(),
        counted: (Strays::default(), 0),
        missing: Repeats::default(),
    };
    sending.spawn("courier", courier.run(sending.stopping()));

    let pages = pages(config, sources, latest, board);
    let admin = Admin::new(registry, readiness).with_pages(pages);
    listen(config, &telling, admin).await;
    let broker = &config.mqtt.broker;
    info!(agent = %config.agent, version = VERSION, %broker, registers, "runs");
    Ok(())
}

fn count(registry: &Registry) -> Result<(Metrics, bus::Metrics), prometheus::Error> {
    runtime::metrics::register(registry, VERSION)?;
    Ok((Metrics::new(registry)?, bus::Metrics::new(registry)?))
}

fn open_spool(
    config: &Config,
    sources: &Sources,
    boot_id: BootId,
    metrics: &Metrics,
    now: Moment,
) -> Result<Spool, AgentError> {
    let settings = spool::Settings {
        path: config.spool.path.clone(),
        agent: config.agent.clone(),
        hours: config.spool.hours,
        max_bytes: config.spool.max_bytes,
        is_compressed: config.batch.is_compressed,
        boot_id,
        gauges: sources.iter().map(|source| source.gauge.clone()).collect(),
    };
    Spool::open(settings, metrics.clone(), now).map_err(AgentError::Spool)
}

/// The page is a help; where its port is taken, the agent does its work without.
async fn listen(config: &Config, stage: &Stage, admin: Admin) {
    let address = config.local.listen;
    match TcpListener::bind(address).await {
        Ok(listener) => stage.spawn("page", admin.serve(listener, stage.stopping())),
        Err(error) => {
            error!(%address, error = %Chain(&error), "cannot listen, the agent goes on without its page");
        }
    }
}

fn pages(config: &Config, sources: Sources, latest: Latest, board: Board) -> Pages {
    let (agent, zone) = (config.agent.to_string(), config.local.zone.clone());
    let decimals = config.asked_decimals();
    Box::new(move |path| {
        if path != "/" {
            return None;
        }
        let outlook = board.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let broker = match &outlook.broker {
            Ok(()) => Ok(()),
            Err(why) => Err(why.as_str()),
        };
        let view = View {
            agent: &agent,
            zone: &zone,
            status: &outlook.status,
            broker,
            server: outlook.server,
            sources: &sources,
            latest: &latest.points(),
            decimals: &decimals,
        };
        Some(Page::ok("text/html; charset=utf-8", html(&view)))
    })
}

/// Reads the settings again: the log level counts from here on, other changes at the next start.
fn reload(file: &Path, started_with: &Loaded, telemetry: &Telemetry) {
    let (before, after, level) = match compared(file, started_with) {
        Ok(compared) => compared,
        Err(error) => {
            error!(error = %Chain(&error), "settings are wrong, the old ones stay in force");
            return;
        }
    };
    match telemetry.set_level(&level) {
        Ok(()) => info!("settings read again, the log level is in force"),
        Err(error) => error!(error = %Chain(&error), "cannot change the log level"),
    }
    for key in settings::changed(&before, &after).iter().filter(|key| *key != "log.level") {
        warn!(key, "a changed setting needs a restart");
    }
}

/// What the agent was started with, what is in the file by now, and the log level there.
fn compared(file: &Path, started_with: &Loaded) -> Result<(Node, Node, Level), LoadError> {
    let loaded = load(file)?;
    Ok((started_with.tree()?, loaded.tree()?, loaded.config.log.level))
}

/// This start of the gateway; a random one where the kernel does not name it.
fn this_boot() -> BootId {
    let named = boot_id().ok().and_then(|text| text.replace('-', "").parse().ok());
    named.unwrap_or_else(|| {
        let half = || u128::from(getrandom::u64().unwrap_or(0));
        BootId(half() << 64 | half())
    })
}

const fn trust_word(trust: Trust) -> &'static str {
    match trust {
        Trust::System => "system",
        Trust::Auto => "auto",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_begins_where_the_settings_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("edge.toml");
        let bus = "[[bus]]\nname = 'm'\nurl = 'tcp://h'\n[[bus.device]]\nname = 'd'\nunit = 1\nperiod = '5s'\n\
                   register = [{ gauge = 'A/b', table = 'input', address = 0, type = 'u16', unit = 'm' }]";
        let text = format!(
            "agent = 'a'\n[mqtt]\npassword_file = 'mqtt.password'\n[spool]\npath = '/flash/spool.db'\n{bus}"
        );
        std::fs::write(&file, &text).unwrap();
        let config = load(&file).unwrap().config;
        assert_eq!(config.mqtt.password_file, Some(folder.path().join("mqtt.password")));
        assert_eq!(config.spool.path, Path::new("/flash/spool.db"));
        std::fs::write(&file, text.replace("/flash/", "")).unwrap();
        assert_eq!(load(&file).unwrap().config.spool.path, folder.path().join("spool.db"));
    }
}
