//! SIGHUP: registry file and log level are read again, and other changed keys are named.

use std::path::PathBuf;

use model::fault::Chain;
use runtime::{
    clock::{Clock as _, SystemClock},
    telemetry::Telemetry,
};
use store::{Journal, Samples, Store};
use tracing::{error, info, warn};

use super::start;
use crate::{
    failure::Refused,
    registry_file::RegistryFile,
    settings::{self, Settings},
};

/// The one key that takes effect without a restart.
const LEVEL: &str = "log.level";

/// What is compared with the files when they are read again.
#[derive(Debug)]
pub(super) struct Reloader {
    file: PathBuf,
    settings: Settings,
    log: Telemetry,
    samples: Samples,
    journal: Journal,
    /// Of the registry file when it was last read.
    seen: Option<[u8; 32]>,
}

impl Reloader {
    pub(super) fn new(
        file: PathBuf,
        settings: Settings,
        log: Telemetry,
        store: &Store,
        found: Option<&RegistryFile>,
    ) -> Self {
        Self {
            file,
            settings,
            log,
            samples: store.samples().clone(),
            journal: store.journal().clone(),
            seen: found.map(|found| found.digest),
        }
    }

    /// Reads the files on a thread that may wait.
    pub(super) async fn again(self) -> Self {
        let work = move || {
            let mut reloader = self;
            reloader.reload();
            reloader
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(reloader) => reloader,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    fn reload(&mut self) {
        info!("reading settings and registry again");
        match settings::settings(&self.file) {
            Ok(read) => self.settings_changed(&read),
            Err(refused) => told("settings have faults and stay as they were", &refused),
        }
        match RegistryFile::find(
            &self.settings.config.registry.file,
            Some(&self.settings.config.channels),
        ) {
            Ok(Some(found)) => self.registry_read(&found),
            Ok(None) => {
                let path = self.settings.config.registry.file.display();
                warn!(%path, "no registry file; the registry in force stays");
            }
            Err(refused) => told("registry file has faults; the registry in force stays", &refused),
        }
    }

    fn settings_changed(&mut self, read: &Settings) {
        let mut changed = runtime::settings::changed(&self.settings.tree, &read.tree);
        changed.remove(LEVEL);
        if !changed.is_empty() {
            let keys: Vec<_> = changed.into_iter().collect();
            warn!(keys = keys.join(", "), "changed settings need a restart");
        }
        // compared with the level in force, and the rest with what the process was started with
        let level = &read.config.log.level;
        if *level == self.settings.config.log.level {
            return;
        }
        match self.log.set_level(level) {
            Ok(()) => {
                info!("log level changed");
                self.settings.config.log.level = level.clone();
            }
            Err(failure) => warn!(error = %Chain(&failure), "log level stays"),
        }
    }

    /// A file that changed since it was last read is imported, whatever was imported before: its
    /// owner wants it. One that did not change may have been overruled by a command.
    fn registry_read(&mut self, found: &RegistryFile) {
        if self.seen == Some(found.digest) {
            start::warn_if_superseded(&self.journal, found, &self.file);
            return;
        }
        let now = SystemClock.now();
        match found.import((&self.samples, &self.journal), now, start::by(), false) {
            Ok(imported) => {
                self.seen = Some(found.digest);
                info!(changes = imported.changes.len(), "registry imported");
            }
            Err(failure) => {
                if let Some(refused) = failure.downcast_ref::<Refused>() {
                    told("registry is refused; the one in force stays", refused);
                } else {
                    error!(error = format!("{failure:#}"), "registry cannot be imported");
                }
            }
        }
    }
}

/// Every fault, so that the operator sees all of them at once.
fn told(what: &'static str, refused: &Refused) {
    for fault in refused.lines() {
        warn!(fault, "{what}");
    }
}
