//! An agent under test: its settings, its life, its spool.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    api::Api,
    broker::password_file,
    decode::Exact,
    folder::PATIENCE,
    meter::{self, Given},
    ports,
    process::{Finished, Process},
    reconcile::Oracle,
    site::Site,
    spool::Held,
    strace::Strace,
    tool::binary,
    wait,
};

/// Values that were given out and never reached a disk of ours; each is given out once.
#[derive(Debug, Clone, Default)]
pub struct Lost(BTreeSet<(String, Exact)>);

impl Lost {
    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// These are lost too.
    pub fn extend(&mut self, lost: impl IntoIterator<Item = Given>) {
        self.0.extend(lost.into_iter().map(|given| (given.gauge, given.value)));
    }

    /// Whether this value is one of them.
    pub fn holds(&self, given: &Given) -> bool {
        self.0.contains(&(given.gauge.clone(), given.value))
    }
}

/// `baseflow-edge`, with a spool of its own.
#[derive(Debug)]
pub struct Agent {
    /// Its name and account.
    pub name: String,
    folder: PathBuf,
    settings: PathBuf,
    spool: PathBuf,
    local: u16,
    broker: u16,
    process: Option<Process>,
}

impl Agent {
    pub(crate) fn new(folder: &Path, site: &Site, broker: u16) -> Self {
        let spool = folder.join(format!("{}.spool.db", site.agent));
        Self::at(folder, site, broker, &site.agent, &spool)
    }

    /// With settings of this name and a spool somewhere else.
    pub(crate) fn at(folder: &Path, site: &Site, broker: u16, label: &str, spool: &Path) -> Self {
        let mut agent = Self {
            name: site.agent.clone(),
            folder: folder.to_owned(),
            settings: folder.join(format!("{label}.toml")),
            spool: spool.to_owned(),
            local: ports::free(),
            broker,
            process: None,
        };
        agent.write_settings(site);
        agent
    }

    /// Writes the settings of a site; they count from the next start.
    pub fn write_settings(&mut self, site: &Site) {
        let text = format!(
            "agent = \"{name}\"\n\n[mqtt]\nurl = \"mqtt://127.0.0.1:{broker}\"\nusername = \"{name}\"\n\
             password_file = \"{password}\"\n\n[spool]\npath = \"{spool}\"\nhours = 24\n{room}\n\n[batch]\nmax_age = \"{max_age}\"\n{batch}\n\
             [local]\nlisten = \"127.0.0.1:{local}\"\n{buses}",
            name = self.name,
            room = site.spool,
            batch = site.batch,
            broker = self.broker,
            password = password_file(&self.folder, &self.name).display(),
            spool = self.spool.display(),
            max_age = site.max_age,
            local = self.local,
            buses = site.bus_settings(),
        );
        fs::write(&self.settings, text).expect("a settings file");
    }

    /// Its settings file.
    pub fn settings(&self) -> &Path {
        &self.settings
    }

    /// Its spool's file.
    pub fn spool(&self) -> &Path {
        &self.spool
    }

    /// After a kill: what the meters gave out and no spool holds, which is lost for good; of each
    /// gauge at most so many readings, those that were on their way to the disk.
    #[track_caller]
    pub fn lost_by_kill(&self, site: &Site, known: &mut Lost, most: usize) {
        for bus in &site.buses {
            let units = bus.registers.iter().map(|register| register.unit_id).collect();
            wait::until("the agent's connections are gone", PATIENCE, || {
                meter::is_left_alone(&bus.log, &units)
            });
        }
        let held = if self.spool.try_exists().expect("a readable folder") {
            self.held().values(site)
        } else {
            BTreeMap::new()
        };
        let mut by_gauge = BTreeMap::<String, Vec<Given>>::new();
        let mut oracle = Oracle::read(&[site]);
        for given in oracle.forgive(|given| {
            let key = (given.gauge.clone(), given.value);
            !known.0.contains(&key) && !held.contains_key(&key)
        }) {
            by_gauge.entry(given.gauge.clone()).or_default().push(given);
        }
        for (gauge, lost) in by_gauge {
            assert!(lost.len() <= most, "a kill lost too many readings of {gauge}: {lost:?}");
            known.extend(lost);
        }
    }

    /// What its spool holds; it need not run.
    pub fn held(&self) -> Held {
        Held::read(&self.spool)
    }

    /// A command of the binary with its settings.
    pub fn command(&self, arguments: &[&str]) -> Finished {
        Finished::of(&mut self.command_line(arguments))
    }

    /// The command line of a command with its settings.
    pub fn command_line(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("baseflow-edge"));
        command.args(arguments).arg("--config").arg(&self.settings).current_dir(&self.folder);
        command
    }

    /// Starts it.
    pub fn start(&mut self) {
        let mut command = self.command_line(&["run"]);
        self.spawn(&mut command);
    }

    /// Starts it under `strace`.
    pub fn start_under(&mut self, strace: &Strace) {
        let mut command = strace.around(&self.command_line(&["run"]));
        self.spawn(&mut command);
    }

    /// Starts it through another command.
    pub fn spawn(&mut self, command: &mut Command) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        let log = self.settings.with_extension("agent.log");
        self.process = Some(Process::start(&self.name, command, &log));
    }

    /// The running process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the agent runs")
    }

    /// Kills it.
    pub fn kill9(&mut self) {
        self.process.take().expect("the agent runs").kill9();
    }

    /// Asks it to stop; it must do so in order and in time.
    pub fn stop(&mut self) -> Duration {
        let (status, took) = self.process.take().expect("the agent runs").stop(PATIENCE);
        assert!(status.success(), "{} stopped with {status}", self.name);
        took
    }

    /// Waits until it has ended by whatever was done to it.
    pub fn expect_killed(&mut self, patience: Duration) {
        self.process.take().expect("the agent was started").wait(patience);
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| process.ended().is_some())
    }

    /// One of its metrics, if it answers and has it.
    pub fn metric(&self, name: &str) -> Result<f64, String> {
        let text = Api::plain(self.local, "/metrics")?;
        let number = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        number.and_then(|number| number.parse().ok()).ok_or_else(|| format!("no {name} in {text}"))
    }
}
