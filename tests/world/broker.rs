//! Mosquitto with the rules that `deploy/mosquitto` ships, or the broker of a demonstration.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use ingest::{
    rights::Account,
    shell::broker::{Accounts, Refusals, embedded},
};
use runtime::tasks::Tasks;

use crate::{
    folder::PATIENCE,
    mqtt::Mqtt,
    ports,
    process::{Finished, Process},
    tool::{program, repository, tool},
    wait,
};

/// The server's account.
pub(crate) const SERVER: &str = "baseflow-ingest";

/// An account that hears what agents are told; no rule that ships has it.
const OBSERVER: &str = "observer";
const OBSERVES: &str =
    "\nuser observer\ntopic read baseflow/v1/+/commit\ntopic read baseflow/v1/+/refused\n";

/// A broker on loopback; without persistence unless told otherwise.
#[derive(Debug)]
pub struct Broker {
    folder: PathBuf,
    port: u16,
    accounts: BTreeSet<String>,
    is_persistent: bool,
    process: Option<Process>,
    is_embedded: bool,
    embedded: Option<Embedded>,
}

/// The broker of a demonstration, within the process of the test.
#[derive(Debug)]
struct Embedded {
    runtime: tokio::runtime::Runtime,
    _tasks: Tasks,
}

/// The password of an account; its file is what agents and the server are given.
pub(crate) fn password(account: &str) -> String {
    format!("secret of {account}")
}

pub(crate) fn password_file(folder: &Path, account: &str) -> PathBuf {
    let path = folder.join(format!("{account}.password"));
    fs::write(&path, password(account)).expect("a password file");
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&path, owner_only).expect("our own file");
    path
}

impl Broker {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            port: ports::free(),
            accounts: BTreeSet::from([SERVER.to_owned()]),
            is_persistent: false,
            process: None,
            is_embedded: false,
            embedded: None,
        }
    }

    /// Takes the broker of a demonstration in place of Mosquitto, from the next start on.
    pub fn embed(&mut self) {
        self.is_embedded = true;
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The running process.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("the broker runs").id()
    }

    /// The password of one of its accounts.
    pub fn password(&self, account: &str) -> String {
        password(account)
    }

    /// Adds accounts; they count from the next start.
    pub fn accounts<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.accounts.extend(names.into_iter().map(str::to_owned));
    }

    /// Lets it keep sessions and messages over a restart, as `deploy/mosquitto` has it.
    pub fn persist(&mut self) {
        self.is_persistent = true;
    }

    /// Starts it; without persistence it is empty.
    pub fn start(&mut self) {
        assert!(self.process.is_none() && self.embedded.is_none(), "the broker runs already");
        if self.is_embedded {
            self.embedded = Some(Embedded::start(self.port, &self.accounts));
            return;
        }
        let path = |name: &str| self.folder.join(name);
        self.write_accounts(&path("baseflow.passwd"));
        let deploy = repository().join("deploy/mosquitto");
        let rules = fs::read_to_string(deploy.join("baseflow.acl")).expect("the shipped rules");
        let more = if self.accounts.contains(OBSERVER) { OBSERVES } else { "" };
        fs::write(path("baseflow.acl"), rules + more).expect("a file of rules");
        let shipped =
            fs::read_to_string(deploy.join("baseflow.conf")).expect("the shipped settings");
        let folder = self.folder.display();
        let mut settings = shipped
            .replace("listener 1883 127.0.0.1", &format!("listener {} 127.0.0.1", self.port))
            .replace("/etc/mosquitto/baseflow.", &format!("{folder}/baseflow."));
        if self.is_persistent {
            settings += &format!("\npersistence_location {folder}/\n");
        } else {
            settings = settings.replace("persistence true", "persistence false");
        }
        settings += "\nlog_dest stderr\n";
        if rustix::process::geteuid().is_root() {
            settings += "user root\n"; // another user could not read the folder
        }
        fs::write(path("mosquitto.conf"), settings).expect("a settings file");
        let mut command = Command::new(tool("BASEFLOW_MOSQUITTO"));
        command.arg("-c").arg(path("mosquitto.conf"));
        let mut process = Process::start("the broker", &mut command, &path("broker.log"));
        wait::until("the broker listens", PATIENCE, || {
            process.expect_running();
            TcpStream::connect(("127.0.0.1", self.port))
        });
        self.process = Some(process);
    }

    fn write_accounts(&self, path: &Path) {
        let lines: Vec<String> =
            self.accounts.iter().map(|name| format!("{name}:{}\n", password(name))).collect();
        fs::write(path, lines.concat()).expect("a password file");
        let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(path, owner_only).expect("our own file");
        let maker = program("mosquitto_passwd").expect("mosquitto_passwd comes with Mosquitto");
        Finished::of(Command::new(maker).arg("-U").arg(path)).success();
    }

    /// Kills it with everything that it held.
    pub fn kill9(&mut self) {
        if let Some(embedded) = self.embedded.take() {
            embedded.kill();
            return;
        }
        self.process.take().expect("the broker runs").kill9();
    }

    /// A client of one of the accounts.
    pub fn client(&self, account: &str) -> Mqtt {
        Mqtt::connect(self.port, (account, &password(account)), account)
    }

    /// Lets an account of its own hear what agents are told; to be said before it starts.
    pub fn let_in_an_observer(&mut self) {
        self.accounts.insert(OBSERVER.to_owned());
    }

    /// A client that hears what an agent is told, beside the agent itself.
    pub fn beside(&self, agent: &str) -> Mqtt {
        Mqtt::connect(self.port, (OBSERVER, &password(OBSERVER)), agent)
    }

    /// `mosquitto_pub` as an account, ready for topic and message.
    pub fn mosquitto_pub(&self, account: &str) -> Option<Command> {
        let mut command = Command::new(program("mosquitto_pub")?);
        command.args(["-V", "5", "-q", "1", "-d", "-h", "127.0.0.1", "-p"]);
        command.arg(self.port.to_string()).args(["-u", account, "-P", &password(account)]);
        Some(command)
    }

    pub(crate) fn end(&mut self) {
        self.process = None;
        if let Some(embedded) = self.embedded.take() {
            embedded.kill();
        }
    }
}

impl Embedded {
    fn start(port: u16, names: &BTreeSet<String>) -> Self {
        let mut accounts = Accounts::default();
        for name in names {
            let account = match name.as_str() {
                SERVER => Account::Server,
                agent => Account::Agent(agent.parse().expect("the name of an agent")),
            };
            accounts.add(name.clone(), account, &password(name).into());
        }
        let refusals = Refusals::new(&prometheus::Registry::new()).expect("metrics");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let mut tasks = Tasks::new();
        let stage = tasks.stage("broker", Duration::from_secs(1));
        runtime.block_on(async {
            let broker = embedded(port, accounts, refusals).await.expect("a broker");
            stage.spawn("broker", broker.serve(stage.stopping()));
        });
        Self { runtime, _tasks: tasks }
    }

    /// Ends it in the middle of whatever it does.
    fn kill(self) {
        self.runtime.shutdown_timeout(PATIENCE);
    }
}
