//! `run`: the parts put together, started, watched, and stopped in the order of the stream.

mod alarms;
mod reload;
mod start;
mod watch;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use alerting::shell::answers::Answers;
use anyhow::Context as _;
use compliance::shell::court;
use dashboards::shell::{
    hooks::Hooks,
    live::{self, Picture},
    pages::Pages,
    parts::Parts as ApiParts,
    routes::OPENAPI_PATH,
    server,
    site::Site,
    waters::Waters,
};
use ingest::shell::{
    place,
    rejudge::Rejudge,
    replay::Replayer,
    service::{self, Parts as IngestParts},
    settle::Settler,
};
use model::{
    hook::HookSecret,
    ids::ChannelId,
    port::{Links, Receipts, Replay},
};
use prometheus::Registry as MetricsRegistry;
use runtime::{
    admin::{Admin, Readiness},
    clock::{Clock, SystemClock},
    mqtt,
    signals::{Signal, Signals},
    tasks::{Stage, Tasks},
    telemetry::{self, Telemetry},
};
use store::{Decided, Options, Role, Store};
use tokio::{net::TcpListener, runtime::Runtime};
use tracing::info;

use crate::{
    commands::VERSION,
    failure::Ended,
    output::say,
    registry_file::RegistryFile,
    settings::{Config, Part, Settings, settings},
};
use reload::Reloader;

/// What each stage has for stopping; all of them together have 10 s.
const INGEST_LIMIT: Duration = Duration::from_millis(4_500);
const COMPLIANCE_LIMIT: Duration = Duration::from_secs(1);
const ALERTING_LIMIT: Duration = Duration::from_millis(2_500);
const API_LIMIT: Duration = Duration::from_millis(1_500);
/// What blocking work that no stage knows of has at the very end.
const RUNTIME_LIMIT: Duration = Duration::from_secs(2);
const ADMIN_LIMIT: Duration = Duration::from_millis(500);

/// Runs the server until it is asked to stop, or until a part of it fails.
pub(crate) fn run(file: &Path) -> anyhow::Result<Ended> {
    let opened = Opened::open(file, MetricsRegistry::new())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let reloader = opened.reloader();
    let ended = runtime.block_on(async {
        let mut signals = Signals::install().context("cannot catch signals")?;
        let asked = async {
            let mut reloader = reloader;
            while signals.next().await == Signal::Reload {
                reloader = reloader.again().await;
            }
            info!("asked to stop");
        };
        let config = &opened.settings.config;
        Box::pin(opened.serve(|at| say(&greeting(config, at)), asked)).await
    });
    opened.close(runtime);
    ended.map(|()| Ended::Done)
}

/// A server whose store is open and under its registry, and that does nothing yet.
pub(crate) struct Opened {
    file: PathBuf,
    settings: Settings,
    found: Option<RegistryFile>,
    log: Telemetry,
    clock: Arc<dyn Clock>,
    metrics: MetricsRegistry,
    store: Store,
    /// The entry of the registry that this start imported.
    imported: Option<i64>,
}

/// Where a server listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    /// API and pages, where there are any.
    pub(crate) http: Option<SocketAddr>,
    /// Metrics and readiness.
    pub(crate) admin: SocketAddr,
}

impl Opened {
    /// Reads the settings, starts the log, opens the store and takes the registry file. It counts
    /// in `metrics`.
    pub(crate) fn open(file: &Path, metrics: MetricsRegistry) -> anyhow::Result<Self> {
        let settings = settings(file)?;
        let found =
            RegistryFile::find(&settings.config.registry.file, Some(&settings.config.channels))?;
        let log = telemetry::start(settings.config.log.format, &settings.config.log.level)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        runtime::metrics::register(&metrics, VERSION)?;
        let options = Options { now: clock.now(), version: VERSION.to_owned(), role: Role::Server };
        let store = Store::open(&settings.config.data_dir, &options, &metrics)
            .context("cannot open the store")?;
        let imported =
            start::registry(&store, &settings.config, found.as_ref(), (file, clock.now()))?;
        let file = file.to_owned();
        Ok(Self { file, settings, found, log, clock, metrics, store, imported })
    }

    /// Its store.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    fn reloader(&self) -> Reloader {
        let (file, settings, log) = (self.file.clone(), self.settings.clone(), self.log.clone());
        Reloader::new(file, settings, log, &self.store, self.found.as_ref())
    }

    /// Serves until `asked` ends or a part fails, then stops in the order of the stream;
    /// `announce` is told where, once everything is started.
    pub(crate) async fn serve(
        &self,
        announce: impl FnOnce(Addresses) -> anyhow::Result<()>,
        asked: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        if self.settings.config.roles.contains(&Part::Dashboards) {
            start::warn_without_anybody(&self.store, &self.file)?;
        }
        let server = Server {
            settings: self.settings.clone(),
            clock: Arc::clone(&self.clock),
            metrics: self.metrics.clone(),
            store: &self.store,
            decided: Decided::default(),
            hooks: start::hooks(&self.settings.config)?,
        };
        start::until_known(&self.store, self.imported).await;
        server.serve(announce, asked).await
    }

    /// Ends whatever would not stop, and then the store; a disk that hangs is not waited for.
    pub(crate) fn close(self, runtime: Runtime) {
        runtime.shutdown_timeout(RUNTIME_LIMIT);
        self.store.close();
        info!("stopped");
    }
}

/// What the tasks are made of.
struct Server<'s> {
    settings: Settings,
    clock: Arc<dyn Clock>,
    metrics: MetricsRegistry,
    store: &'s Store,
    decided: Decided,
    /// The secrets of the hooks that get receipts.
    hooks: BTreeMap<ChannelId, HookSecret>,
}

impl Server<'_> {
    async fn serve(
        self,
        announce: impl FnOnce(Addresses) -> anyhow::Result<()>,
        asked: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let config = &self.settings.config;
        let readiness = Readiness::default();
        let mut tasks = Tasks::new();
        let ingest = tasks.stage("ingest", INGEST_LIMIT);
        let compliance = tasks.stage("compliance", COMPLIANCE_LIMIT);
        let alerting = tasks.stage("alerting", ALERTING_LIMIT);
        let api = tasks.stage("api", API_LIMIT);
        let admin_stage = tasks.stage("admin", ADMIN_LIMIT);

        let admin = self.start_admin(&admin_stage, &readiness).await?;
        watch::start(&admin_stage, self.store, &readiness);
        let http = if config.roles.contains(&Part::Dashboards) {
            Some(self.start_api(&api, &ingest).await?)
        } else {
            None
        };
        if config.roles.contains(&Part::Compliance) {
            self.start_compliance(&compliance)?;
        }
        if config.roles.contains(&Part::Ingest) {
            self.start_ingest(&ingest, &readiness)?;
        }
        if config.roles.contains(&Part::Alerting) {
            self.start_alerting(&alerting, &readiness)?;
        }
        announce(Addresses { http, admin })?;
        tasks.run_until(asked).await.context("the server stopped by itself")
    }

    async fn start_admin(
        &self,
        stage: &Stage,
        readiness: &Readiness,
    ) -> anyhow::Result<SocketAddr> {
        let listener = listen("admin.listen", self.settings.config.admin_listen).await?;
        let address = listener.local_addr()?;
        let admin = Admin::new(self.metrics.clone(), readiness.clone());
        stage.spawn("admin", admin.serve(listener, stage.stopping()));
        Ok(address)
    }

    async fn start_api(&self, stage: &Stage, ingest: &Stage) -> anyhow::Result<SocketAddr> {
        let listener = listen("http.listen", self.settings.config.http.listen).await?;
        let address = listener.local_addr()?;
        let samples = self.store.samples().clone();
        let journal = self.store.journal().clone();
        let clock = Arc::clone(&self.clock);
        let is_ingesting = self.settings.config.roles.contains(&Part::Ingest);
        let replay = is_ingesting.then(|| {
            let replayer: Arc<dyn Replay> = Arc::new(Replayer::new(self.rejudge(), ingest.clone()));
            replayer
        });
        let metrics = dashboards::shell::metrics::Metrics::new(&self.metrics)?;
        let decided = self.decided.clone();
        let (mut links, mut receipts) = (None::<Arc<dyn Links>>, None::<Arc<dyn Receipts>>);
        if self.settings.config.roles.contains(&Part::Alerting) {
            let answers = Answers::new(self.store.journal().clone(), Arc::clone(&self.clock));
            links = Some(Arc::new(answers.clone()));
            receipts = Some(Arc::new(answers));
        }
        let hooks = Hooks::new(self.hooks.clone(), receipts);
        let pages = Pages::new(links);
        let people = start::people(self.store, &self.settings.config, clock.now())?;
        // no two lives of a server begin within the same millisecond
        let picture = Picture::new(clock.now().as_ms().unsigned_abs());
        let parts = Arc::new(ApiParts {
            samples,
            journal,
            replay,
            hooks,
            pages,
            people,
            site: Site::built_in(),
            waters: Waters::default(),
            picture,
            clock,
            decided,
            stage: stage.clone(),
            metrics,
        });
        stage.spawn("live", live::run(Arc::clone(&parts), stage.stopping()));
        stage.spawn("api", server::serve(listener, parts, stage.stopping()));
        Ok(address)
    }

    fn start_ingest(&self, stage: &Stage, readiness: &Readiness) -> anyhow::Result<()> {
        let settler = Settler::new(
            self.store.samples().clone(),
            self.store.journal().clone(),
            ingest::metrics::Metrics::new(&self.metrics)?,
            Arc::clone(&self.clock),
        );
        let settler = Arc::new(settler);
        watch::agents(stage, Arc::clone(&settler), readiness.condition("agents"));
        let parts = IngestParts {
            settler,
            store_id: self.store.id(),
            mqtt: mqtt_options(&self.settings.config),
            version: VERSION.to_owned(),
            clock: Arc::clone(&self.clock),
            readiness: readiness.condition("broker"),
        };
        stage.spawn("ingest", service::run(parts, stage.clone()));
        stage.spawn("placing", place::run(self.rejudge(), stage.clone()));
        Ok(())
    }

    fn start_compliance(&self, stage: &Stage) -> anyhow::Result<()> {
        let parts = court::Parts {
            samples: self.store.samples().clone(),
            journal: self.store.journal().clone(),
            clock: Arc::clone(&self.clock),
            near: self.settings.config.registry.near,
            metrics: compliance::metrics::Metrics::new(&self.metrics)?,
        };
        stage.spawn("compliance", court::run(parts, stage.clone()));
        Ok(())
    }

    fn rejudge(&self) -> Rejudge {
        let (samples, journal) = (self.store.samples().clone(), self.store.journal().clone());
        Rejudge::new(samples, journal, Arc::clone(&self.clock), self.decided.clone())
    }
}

fn mqtt_options(config: &Config) -> mqtt::Options {
    let asked = &config.mqtt;
    let mut options = mqtt::Options::new(asked.broker.clone(), asked.client_id.clone());
    options.version = asked.version;
    options.login.clone_from(&asked.login);
    options.keep_alive = asked.keep_alive;
    options
}

async fn listen(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener
        .with_context(|| format!("{key}: cannot listen on {address}; free it or choose another"))
}

/// Where everything is, in one line.
fn greeting(config: &Config, at: Addresses) -> String {
    let Addresses { http, admin } = at;
    let api = http.map_or_else(
        || "no API".to_owned(),
        |api| {
            let pages = if Site::built_in().is_built() {
                format!("pages http://{api}/")
            } else {
                "no pages in this binary".to_owned()
            };
            format!("{pages}, API http://{api}/api/v1 (http://{api}{OPENAPI_PATH} describes it)")
        },
    );
    let broker = if config.roles.contains(&Part::Ingest) {
        format!("broker {}", config.mqtt.broker)
    } else {
        "no ingest".to_owned()
    };
    let data = config.data_dir.display();
    format!("baseflow {VERSION} is running: {api}, admin http://{admin}, {broker}, data in {data}")
}
