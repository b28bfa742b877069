//! The server under test: its settings, its life, its commands.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::{
    api::Api,
    broker::{SERVER, password_file},
    folder::PATIENCE,
    kannel::Kannel,
    ports,
    process::{Finished, Process},
    strace::Strace,
    tool::binary,
    wait,
};

/// `baseflow`, with a data folder of its own.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    settings: PathBuf,
    http: u16,
    admin: u16,
    token: String,
    process: Option<Process>,
}

impl Server {
    pub(crate) fn new(folder: &Path, broker: u16) -> Self {
        let (http, admin) = (ports::free(), ports::free());
        let settings = folder.join("baseflow.toml");
        let text = format!(
            "data_dir = \"{}\"\n\n[roles]\ncompliance = false\nalerting = false\n\n[http]\nlisten = \"127.0.0.1:{http}\"\n\n\
             [admin]\nlisten = \"127.0.0.1:{admin}\"\n\n[mqtt]\nurl = \"mqtt://127.0.0.1:{broker}\"\n\
             client_id = \"{SERVER}\"\nusername = \"{SERVER}\"\npassword_file = \"{}\"\n\n[registry]\nfile = \"{}\"\n",
            folder.join("data").display(),
            password_file(folder, SERVER).display(),
            folder.join("registry.toml").display(),
        );
        fs::write(&settings, text).expect("a settings file");
        Self {
            folder: folder.to_owned(),
            settings,
            http,
            admin,
            token: String::new(),
            process: None,
        }
    }

    /// Its settings file.
    pub fn settings(&self) -> &Path {
        &self.settings
    }

    /// Has it judge, too; to be said before it starts.
    pub fn judge(&self) {
        let text = fs::read_to_string(self.settings()).expect("the settings");
        let text = text.replace("compliance = false", "compliance = true");
        fs::write(self.settings(), text).expect("the settings");
    }

    /// Has it raise alarms, and append messages to a file as channel `sms`; to be said before it
    /// starts.
    pub fn keep_watch(&self) {
        self.keep_watch_by(&[("sms", &self.file_channel())]);
    }

    /// Has it raise alarms, and send messages by these channels, each with its keys; to be said
    /// before it starts.
    pub fn keep_watch_by(&self, channels: &[(&str, &str)]) {
        let text = fs::read_to_string(self.settings()).expect("the settings");
        let mut text = text.replace("alerting = false", "alerting = true");
        for (name, keys) in channels {
            write!(text, "\n[[channel]]\nname = \"{name}\"\n{keys}").expect("a text");
        }
        fs::write(self.settings(), text).expect("the settings");
    }

    /// The keys of a channel that appends to [`Server::messages_file`].
    pub fn file_channel(&self) -> String {
        format!("kind = \"file\"\npath = \"{}\"\n", self.messages_file().display())
    }

    /// The keys of a channel that hands messages over at `url` as Kannel takes them.
    pub fn gateway_channel(&self, url: &str) -> String {
        format!(
            "kind = \"kannel\"\nurl = \"{url}\"\nusername = \"{}\"\npassword = \"{}\"\nreceipt_url = \"http://127.0.0.1:{}\"\n",
            Kannel::USERNAME,
            Kannel::PASSWORD,
            self.http(),
        )
    }

    /// Where its messages go.
    pub fn messages_file(&self) -> PathBuf {
        self.folder.join("messages.jsonl")
    }

    /// Every message that it has sent, in order.
    pub fn messages(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.messages_file()).unwrap_or_default();
        let whole = text.lines().filter(|line| line.ends_with('}'));
        whole.map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Its registry file.
    pub fn registry_file(&self) -> PathBuf {
        self.folder.join("registry.toml")
    }

    /// Where it keeps its databases.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Imports a registry and makes a token for the tests.
    pub fn prepare(&mut self, registry: &str) {
        fs::write(self.registry_file(), registry).expect("a registry file");
        self.import_registry();
        let token = self.command(&["token", "add", "--name", "tests", "--role", "admin"]).success();
        token.trim().clone_into(&mut self.token);
    }

    /// `baseflow registry import` of the registry file.
    pub fn import_registry(&self) {
        let file = self.registry_file();
        self.command(&["registry", "import", file.to_str().expect("a plain path")]).success();
    }

    /// A command of the binary with this server's settings.
    pub fn command(&self, arguments: &[&str]) -> Finished {
        Finished::of(&mut self.command_line(arguments))
    }

    /// The command line of a command with this server's settings.
    pub fn command_line(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("baseflow"));
        command.args(arguments).arg("--config").arg(&self.settings).current_dir(&self.folder);
        command
    }

    /// Starts it and waits until it answers.
    pub fn start(&mut self) {
        let mut command = self.command_line(&["run"]);
        self.spawn(&mut command);
        self.expect_ready();
    }

    /// Starts it under `strace`; it may be killed before it answers.
    pub fn start_under(&mut self, strace: &Strace) {
        let mut command = strace.around(&self.command_line(&["run"]));
        self.spawn(&mut command);
    }

    fn spawn(&mut self, command: &mut Command) {
        assert!(self.process.is_none(), "the server runs already");
        let log = self.folder.join("baseflow.server.log");
        self.process = Some(Process::start("the server", command, &log));
    }

    /// Waits until it answers.
    pub fn expect_ready(&mut self) {
        let api = self.api();
        let process = self.process.as_mut().expect("the server runs");
        wait::until("the server answers", PATIENCE, || {
            process.expect_running();
            match api.try_get("/stations?limit=1") {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(answer.text),
                Err(error) => Err(error.to_string()),
            }
        });
    }

    /// Waits until it hears what the broker has for it.
    pub fn expect_listening(&mut self) {
        let process = self.process.as_mut().expect("the server runs");
        wait::until("the server is ready", PATIENCE, || {
            process.expect_running();
            Api::plain(self.admin, "/readyz").map(|_ready| ())
        });
    }

    /// The running process.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the server runs")
    }

    /// Kills it.
    pub fn kill9(&mut self) {
        self.process.take().expect("the server runs").kill9();
    }

    /// Asks it to stop; it must do so in order and in time.
    pub fn stop(&mut self) -> Duration {
        let process = self.process.take().expect("the server runs");
        let (status, took) = process.stop(PATIENCE);
        assert!(status.success(), "the server stopped with {status}");
        took
    }

    /// Waits until it has ended by whatever was done to it.
    pub fn expect_killed(&mut self, patience: Duration) {
        self.process.take().expect("the server was started").wait(patience);
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| process.ended().is_some())
    }

    /// Its API, with the token of the tests.
    pub fn api(&self) -> Api {
        Api::new(self.http, &self.token)
    }

    /// Its HTTP port.
    pub fn http(&self) -> u16 {
        self.http
    }

    /// The text of its `/metrics`.
    pub fn metrics(&self) -> Result<String, String> {
        Api::plain(self.admin, "/metrics")
    }

    /// The text of its `/readyz`, where it is ready.
    pub fn readiness(&self) -> Result<String, String> {
        Api::plain(self.admin, "/readyz")
    }

    /// How much memory it has in use, in bytes.
    pub fn resident_bytes(&mut self) -> u64 {
        let id = self.process().id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let text = line.expect("a size").trim().trim_end_matches(" kB");
        text.parse::<u64>().expect("a number") * 1024
    }

    pub(crate) fn end(&mut self) {
        self.process = None;
    }
}
