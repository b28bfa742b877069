//! `strace` around a binary of ours: it records system calls, kills at the n-th of them, or answers
//! them in the kernel's place.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::tool::tool;

/// How a process is traced.
#[derive(Debug, Clone)]
pub struct Strace {
    calls: &'static str,
    inject: Option<String>,
    path: Option<PathBuf>,
    /// Where the calls are written.
    pub record: PathBuf,
}

impl Strace {
    /// Records these calls (a list with commas).
    pub fn record(folder: &Path, label: &str, calls: &'static str) -> Self {
        Self { calls, inject: None, path: None, record: folder.join(format!("{label}.strace")) }
    }

    /// Kills, as `kill -9` does, before some thread's `n`-th of these calls.
    pub fn kill_at(folder: &Path, label: &str, calls: &'static str, n: u32) -> Self {
        let inject = format!("{calls}:signal=SIGKILL:when={n}");
        Self { inject: Some(inject), ..Self::record(folder, label, calls) }
    }

    /// The same, of calls on one file alone.
    pub fn kill_at_file(
        folder: &Path,
        label: &str,
        calls: &'static str,
        n: u32,
        path: &Path,
    ) -> Self {
        Self { path: Some(path.to_owned()), ..Self::kill_at(folder, label, calls, n) }
    }

    /// From some thread's `n`-th of these calls on the kernel is not asked: they give 0 and leave
    /// their arguments as they are.
    pub fn answer_from(folder: &Path, label: &str, calls: &'static str, n: u32) -> Self {
        let inject = format!("{calls}:retval=0:when={n}+");
        Self { inject: Some(inject), ..Self::record(folder, label, calls) }
    }

    /// Whether this machine lets us trace.
    pub fn is_permitted() -> bool {
        static PERMITTED: OnceLock<bool> = OnceLock::new();
        *PERMITTED.get_or_init(|| {
            let mut command = Command::new(tool("BASEFLOW_STRACE"));
            command.args(["-D", "-f", "-e", "trace=fsync", "-o", "/dev/null", "true"]);
            command.output().is_ok_and(|output| output.status.success())
        })
    }

    /// The command under `strace`. The tracer is the grandchild, so that the process that a test
    /// holds is the traced one.
    pub fn around(&self, command: &Command) -> Command {
        let mut traced = Command::new(tool("BASEFLOW_STRACE"));
        // Not with --seccomp-bpf: strace 6.1 then injects no signals.
        traced.args(["-D", "-f", "-qq", "-e", "signal=none"]);
        traced.args(["-e", &format!("trace={}", self.calls)]);
        if let Some(inject) = &self.inject {
            traced.args(["-e", &format!("inject={inject}")]);
        }
        if let Some(path) = &self.path {
            traced.arg("-P").arg(path);
        }
        traced.arg("-o").arg(&self.record).arg(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            traced.current_dir(folder);
        }
        traced
    }

    /// The most calls of one thread in what was recorded: `n` counts thread by thread.
    pub fn most_of_a_thread(&self) -> u32 {
        let text = fs::read_to_string(&self.record).expect("a record");
        let mut counts = std::collections::BTreeMap::<&str, u32>::new();
        for line in text.lines().filter(|line| !line.contains("resumed>") && !line.contains("+++"))
        {
            let thread = line.split_whitespace().next().unwrap_or_default();
            *counts.entry(thread).or_default() += 1;
        }
        counts.into_values().max().unwrap_or(0)
    }
}
