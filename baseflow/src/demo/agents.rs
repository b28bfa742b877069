//! The agents: the product's own, each as it runs on a gateway, in this process.

use std::time::Duration;

use anyhow::Context as _;
use edge_agent::shell::agent;
use model::fault::Fault;
use runtime::tasks::{Failed, Failure, Tasks};

use super::{
    folder::Folder,
    gateway,
    sites::SITES,
    world::{GATEWAYS, World},
};

/// What all agents together have for stopping.
const LIMIT: Duration = Duration::from_secs(9);

/// All of them, running.
#[derive(Debug)]
pub(super) struct Agents(Tasks);

/// An agent ended by itself.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct AgentEnded(Failed);

impl Failure for AgentEnded {
    fn fault(&self) -> Fault {
        Fault::Bug
    }
}

impl Agents {
    /// Writes the settings of each and starts it by them.
    pub(super) async fn start(folder: &Folder, world: &World) -> anyhow::Result<Self> {
        let mut all = Tasks::new();
        let stage = all.stage("agents", LIMIT);
        let secrets = folder.file(GATEWAYS).display().to_string();
        for site in &SITES {
            let name = site.agent();
            let ends = world.ends(site).with_context(|| format!("{name} has no meter"))?;
            let settings = gateway::settings(site, ends, &secrets, world.clock.now());
            let file = folder.write(&format!("{GATEWAYS}/{name}.toml"), &settings)?;
            let loaded =
                agent::load(&file).with_context(|| format!("the settings of {name} are wrong"))?;
            let mut tasks = Tasks::new();
            let started = agent::start(&loaded.config, &mut tasks).await;
            started.with_context(|| format!("{name} does not start"))?;
            let stop = stage.stopping();
            stage.spawn(format!("agent/{name}"), async move {
                tasks.run_until(stop.cancelled_owned()).await.map_err(AgentEnded)
            });
        }
        Ok(Self(all))
    }

    /// Ends when one of them does.
    pub(super) async fn failed(&self) -> Failed {
        self.0.failed().await
    }

    /// Stops them, each in its own order.
    pub(super) async fn stop(self) {
        self.0.stop().await;
    }
}
