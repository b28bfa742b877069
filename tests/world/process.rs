//! A process that a test started: its log, its end, and never one that outlives the test.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// A running process; dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// What a command that ran to its end said.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its exit code; −1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Finished {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What it printed, where it succeeded.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.code, 0, "a command failed\n{}\n{}", self.out, self.err);
        self.out
    }
}

impl Process {
    /// Starts a command whose standard output and error are appended to `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let log_file = open_log(log);
        let err = log_file.try_clone().expect("a second handle");
        command.stdout(log_file).stderr(err);
        Self::start_with(name, command.stdin(Stdio::null()), log)
    }

    /// Starts a command whose pipes the caller has set.
    pub fn start_with(name: &str, command: &mut Command, log: &Path) -> Self {
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child")
    }

    /// Fails the test if it has ended by itself.
    #[track_caller]
    pub fn expect_running(&mut self) {
        if let Some(status) = self.ended() {
            panic!(
                "{} ended by itself with {status}; its log ends:\n{}",
                self.name,
                self.log_tail()
            );
        }
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(id, signal).expect("our own child can be signalled");
    }

    /// Ends it as `kill -9` does.
    pub fn kill9(mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child");
    }

    /// Asks it to stop, and gives how it ended and how long that took.
    pub fn stop(mut self, patience: Duration) -> (ExitStatus, Duration) {
        let began = wait::Since::now();
        self.signal(Signal::TERM);
        let status = self.wait(patience);
        (status, began.elapsed())
    }

    /// Waits for its end.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        wait::until(&what, patience, || {
            self.ended().ok_or_else(|| format!("it runs; its log ends:\n{}", self.log_tail()))
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let killed = self.child.kill().and_then(|()| self.child.wait());
            if let Err(error) = killed {
                eprintln!("{} cannot be killed: {error}", self.name);
            }
        }
    }
}

pub(crate) fn open_log(path: &Path) -> File {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
