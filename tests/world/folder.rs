//! The world of one test: its folder, its broker, its server, and what none of them may ever say.

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    agent::Agent,
    broker::Broker,
    meter::Meter,
    proxy::Watch,
    server::Server,
    site::{self, Site},
};

/// What one test builds; dropped, everything in it ends.
#[derive(Debug)]
pub struct World {
    /// The broker.
    pub broker: Broker,
    /// The server.
    pub server: Server,
    folder: PathBuf,
    announced: RefCell<Vec<String>>,
    watch: Arc<Watch>,
}

impl World {
    /// A new folder with nothing running in it.
    pub fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("baseflow-{name}-")).tempdir();
        let folder = folder.expect("a temporary folder").keep();
        let broker = Broker::new(&folder);
        let server = Server::new(&folder, broker.port());
        let announced = RefCell::default();
        Self { broker, server, folder, announced, watch: Arc::default() }
    }

    /// Where all its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A simulated station on Modbus TCP, behind a proxy that watches what is asked of it.
    pub fn meter(&self, name: &str) -> Meter {
        Meter::tcp(&self.folder, name, &self.watch)
    }

    /// A simulated station that speaks RTU frames on TCP.
    pub fn meter_rtu_over_tcp(&self, name: &str) -> Meter {
        Meter::rtu_over_tcp(&self.folder, name)
    }

    /// What was asked of meters through the proxies of this world.
    pub fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// Starts broker and server for these sites, with the registry and the accounts that they need.
    pub fn open(&mut self, sites: &[&Site]) {
        self.open_with(sites, &[], "");
    }

    /// Like [`World::open`], with more accounts at the broker and more text in the registry file.
    pub fn open_with(&mut self, sites: &[&Site], accounts: &[&str], registry: &str) {
        let agents = sites.iter().map(|site| site.agent.as_str());
        self.broker.accounts(agents.chain(accounts.iter().copied()));
        self.broker.start();
        let text = site::registry(sites) + registry;
        self.server.prepare(&text);
        self.server.start();
        // what is published before it has subscribed for the first time is nobody's
        self.server.expect_listening();
    }

    /// The agent of a site, not started yet.
    pub fn agent(&self, site: &Site) -> Agent {
        Agent::new(&self.folder, site, self.broker.port())
    }

    /// Another agent of the same name, with a spool of its own.
    pub fn agent_at(&self, site: &Site, label: &str, spool: &Path) -> Agent {
        Agent::at(&self.folder, site, self.broker.port(), label, spool)
    }

    /// Announces an `error` of a log: any other one fails the test.
    pub fn announce(&self, phrase: &str) {
        self.announced.borrow_mut().push(phrase.to_owned());
    }

    /// Every line of the level `error` that nobody announced, and every panic.
    fn unannounced(&self) -> Vec<String> {
        let announced = self.announced.borrow();
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder).expect("the world's folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !(name.ends_with(".agent.log") || name.ends_with(".server.log")) {
                continue;
            }
            let log = String::from_utf8_lossy(&fs::read(&path).expect("a log")).into_owned();
            for line in log.lines() {
                let is_error = line.contains("\"level\":\"ERROR\"") || line.contains("panicked at");
                if is_error && !announced.iter().any(|phrase| line.contains(phrase.as_str())) {
                    found.push(format!("{name}: {line}"));
                }
            }
        }
        found
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.end();
        self.broker.end();
        if std::thread::panicking() {
            eprintln!("what this test left is in {}", self.folder.display());
            return;
        }
        let mut faults = self.unannounced();
        faults.extend(self.watch.faults());
        if !faults.is_empty() {
            eprintln!("what this test left is in {}", self.folder.display());
            faults.truncate(10);
            panic!("nobody announced this:\n{}", faults.join("\n"));
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} cannot be removed: {error}", self.folder.display());
        }
    }
}

/// How long anything of a small world may take that takes milliseconds on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
