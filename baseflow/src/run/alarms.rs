//! Alerting put together: its channels, its address for links, and whether the server listens.

use std::{collections::BTreeMap, sync::Arc};

use alerting::{
    desk::Surroundings,
    metrics::Metrics,
    shell::{
        channel::Channel,
        file::FileChannel,
        outbox::Outbox,
        watch::{self, Hears},
    },
    sms::URL_UNITS,
};
use anyhow::Context as _;
use model::{alarm::LinkToken, ids::ChannelId};
use runtime::{admin::Readiness, tasks::Stage};
use tracing::warn;

use super::Server;
use crate::settings::{ChannelKind, Config, Part};

impl Server<'_> {
    pub(super) fn start_alerting(
        &self,
        stage: &Stage,
        readiness: &Readiness,
    ) -> anyhow::Result<()> {
        let config = &self.settings.config;
        let metrics = Metrics::new(&self.metrics)?;
        let channels = self.channels(stage)?;
        let reserved = channels.iter().map(|(name, way)| (name.clone(), way.reserved())).collect();
        let url = config.http.link_url().to_owned();
        if url.len() > URL_UNITS {
            warn!(url, longest = URL_UNITS, "address for links is too long: messages go without");
        }
        let outbox = Outbox::start(channels, metrics.clone(), stage);
        let parts = watch::Parts {
            samples: self.store.samples().clone(),
            journal: self.store.journal().clone(),
            clock: Arc::clone(&self.clock),
            metrics,
            outbox,
            surroundings: Surroundings { url, reserved, draw },
            hears: hears(config, readiness),
            readiness: readiness.condition("alerting"),
        };
        stage.spawn("alerting", watch::run(parts, stage.clone()));
        Ok(())
    }

    fn channels(&self, stage: &Stage) -> anyhow::Result<BTreeMap<ChannelId, Arc<dyn Channel>>> {
        let config = &self.settings.config;
        let mut channels = BTreeMap::new();
        for (name, kind) in &config.channels {
            let channel: Arc<dyn Channel> = match kind {
                ChannelKind::File { path } => {
                    let started = FileChannel::start(path.clone(), Arc::clone(&self.clock), stage);
                    Arc::new(started.with_context(|| format!("channel {name}"))?)
                }
                ChannelKind::Kannel(kannel) => {
                    let url = &config.http.public_url;
                    let gateway = kannel.gateway(name, self.hooks.get(name), url);
                    Arc::new(gateway.with_context(|| format!("channel {name}"))?)
                }
            };
            channels.insert(name.clone(), channel);
        }
        Ok(channels)
    }
}

/// Whether the server hears what agents send. Where another process ingests, nobody here can tell.
fn hears(config: &Config, readiness: &Readiness) -> Hears {
    let is_ingesting = config.roles.contains(&Part::Ingest);
    let readiness = readiness.clone();
    Arc::new(move || !is_ingesting || readiness.is_met("broker").unwrap_or(false))
}

fn draw() -> Option<LinkToken> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).ok()?;
    Some(LinkToken(u64::from_be_bytes(bytes)))
}
