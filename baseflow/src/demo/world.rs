//! What stands outside of the product: the broker, the stations, and the link that is cut.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use ingest::{
    rights::Account,
    shell::broker::{Accounts, Refusals, embedded},
};
use model::{
    ids::AgentId,
    time::{Timestamp, Zone},
};
use prometheus::Registry;
use runtime::{
    clock::Clock,
    tasks::{Failed, Stage, Tasks},
};
use secrecy::SecretString;
use tokio::sync::watch;

use super::{
    folder::Folder,
    link,
    meter::Station,
    narrator::Narrator,
    sites::{LOSES_LINK, SITES, Site},
    story::Begun,
};

/// The server's account at the broker.
pub(super) const SERVER: &str = "baseflow-ingest";
/// The folder of what gateways keep, and of passwords.
pub(super) const GATEWAYS: &str = "gateways";
const STATIONS_LIMIT: Duration = Duration::from_secs(1);
const BROKER_LIMIT: Duration = Duration::from_secs(3);
/// Bytes of a password that is never typed.
const SECRET_BYTES: usize = 16;

/// All of it, running.
#[derive(Debug)]
pub(super) struct World {
    /// Where the broker listens.
    pub(super) broker: SocketAddr,
    begun: Begun,
    /// The time.
    pub(super) clock: Arc<dyn Clock>,
    meters: BTreeMap<&'static str, SocketAddr>,
    link: SocketAddr,
    is_cut: watch::Sender<bool>,
    tasks: Tasks,
    stations: Stage,
}

impl World {
    /// Starts it, with passwords that are made for this run.
    pub(super) async fn start(
        folder: &Folder,
        clock: Arc<dyn Clock>,
        metrics: &Registry,
    ) -> anyhow::Result<Self> {
        folder.make(GATEWAYS)?;
        let broker = embedded(0, accounts(folder)?, Refusals::new(metrics)?).await?;
        let address = broker.address();
        let mut tasks = Tasks::new();
        let stations = tasks.stage("stations", STATIONS_LIMIT);
        let serving = tasks.stage("broker", BROKER_LIMIT);
        serving.spawn("broker", broker.serve(serving.stopping()));
        let begun = Begun::default();
        let mut meters = BTreeMap::new();
        for site in &SITES {
            let station = Station { site, clock: Arc::clone(&clock), begun: Arc::clone(&begun) };
            let listening = station.listen(&stations).await;
            let at = listening.with_context(|| format!("the simulated meter of {}", site.id))?;
            meters.insert(site.id, at);
        }
        let (is_cut, cutting) = watch::channel(false);
        let link = link::listen(address, cutting, &stations).await.context("the link")?;
        Ok(Self { broker: address, begun, clock, meters, link, is_cut, tasks, stations })
    }

    /// Where the agent of a station finds its broker and its meter.
    pub(super) fn ends(&self, site: &Site) -> Option<(SocketAddr, SocketAddr)> {
        let broker = if site.id == LOSES_LINK { self.link } else { self.broker };
        Some((broker, *self.meters.get(site.id)?))
    }

    /// From now on things happen; gives the moment.
    pub(super) fn begin(&self) -> Timestamp {
        *self.begun.get_or_init(|| self.clock.now())
    }

    /// Who lets the stories go on and tells of them, once it is asked to begin.
    pub(super) fn narrator(&self, messages: PathBuf, zone: Zone) -> Narrator {
        let (clock, is_cut) = (Arc::clone(&self.clock), self.is_cut.clone());
        Narrator::new((clock, zone), messages, is_cut, self.stations.clone())
    }

    /// Ends when a part of it does.
    pub(super) async fn failed(&self) -> Failed {
        self.tasks.failed().await
    }

    /// Stops it.
    pub(super) async fn stop(self) {
        self.tasks.stop().await;
    }
}

/// An account for the server and for each gateway; the files of their passwords are for them.
fn accounts(folder: &Folder) -> anyhow::Result<Accounts> {
    let mut accounts = Accounts::default();
    let mut add = |name: String, account: Account| -> anyhow::Result<()> {
        let mut random = [0; SECRET_BYTES];
        getrandom::fill(&mut random).context("cannot draw random numbers")?;
        let password = hex::encode(random);
        folder.write(&format!("{GATEWAYS}/{name}.password"), &password)?;
        accounts.add(name, account, &SecretString::from(password));
        Ok(())
    };
    add(SERVER.to_owned(), Account::Server)?;
    for site in &SITES {
        let agent: AgentId = site.agent().parse().context("the name of an agent")?;
        add(agent.to_string(), Account::Agent(agent))?;
    }
    Ok(accounts)
}
