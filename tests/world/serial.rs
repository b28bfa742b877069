//! A serial line made of two pseudo-terminals.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{folder::PATIENCE, process::Process, tool::tool, wait};

/// Both ends of a line, which `socat` joins.
#[derive(Debug)]
pub struct SerialPair {
    /// The meter's end.
    pub meter: PathBuf,
    /// The agent's end.
    pub agent: PathBuf,
    process: Process,
}

impl SerialPair {
    /// A line in this folder.
    pub fn open(folder: &Path) -> Self {
        let (meter, agent) = (folder.join("tty-meter"), folder.join("tty-agent"));
        let end = |path: &Path| format!("pty,raw,echo=0,link={}", path.display());
        let mut command = Command::new(tool("BASEFLOW_SOCAT"));
        command.args([end(&meter), end(&agent)]);
        let process = Process::start("socat", &mut command, &folder.join("socat.log"));
        let mut pair = Self { meter, agent, process };
        wait::until("both ends of the serial line", PATIENCE, || {
            pair.process.expect_running();
            pair.meter.canonicalize().and_then(|_| pair.agent.canonicalize())
        });
        pair
    }
}
