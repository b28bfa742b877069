//! A network namespace of a test's own, with doors in it.
//!
//! For peers that listen on every address of their machine and cannot be told otherwise: inside
//! there is a loopback and nothing else, so nobody but the test reaches them. A door is a pair of
//! `socat`s that meet at a Unix socket in the test's folder, for files know no network namespace:
//! the one inside and the one outside each use the loopback of their own side, under the same port.
//! So what runs outside (the server, its broker, the test itself) stays where every other test has
//! it, addresses read the same on both sides, and neither a veth pair nor root is needed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    folder::PATIENCE,
    process::{Process, open_log},
    tool::{program, tool},
    wait,
};

/// The namespace; dropped, it ends with everything that is in it.
#[derive(Debug)]
pub(crate) struct Fence {
    folder: PathBuf,
    /// Waits inside for the end of its input, which the end of the test is, too.
    holder: Process,
    doors: Vec<Process>,
}

/// How a namespace is made: as root, or as root of a namespace of users.
fn arguments() -> &'static str {
    if rustix::process::geteuid().is_root() { "-n" } else { "-rn" }
}

const UP: &str = "ip link set lo up";

impl Fence {
    /// Makes one, or says why this machine cannot.
    pub(crate) fn new(folder: &Path) -> Result<Self, String> {
        let unshare = program("unshare").ok_or("no unshare")?;
        let tried = Command::new(&unshare).args([arguments(), "sh", "-c", UP]).output();
        let tried = tried.map_err(|error| error.to_string())?;
        if !tried.status.success() {
            let why = String::from_utf8_lossy(&tried.stderr).trim().to_owned();
            return Err(format!("no network namespace: {why}"));
        }
        let log = folder.join("fence.log");
        let file = open_log(&log);
        let mut command = Command::new(unshare);
        command.args([arguments(), "sh", "-c", &format!("{UP} && echo up && exec cat")]);
        command.stderr(file.try_clone().expect("a second handle")).stdout(file);
        let holder = Process::start_with("the fence", command.stdin(Stdio::piped()), &log);
        wait::until("the fence stands", PATIENCE, || {
            let said = fs::read_to_string(&log).map_err(|error| error.to_string())?;
            if said.starts_with("up") { Ok(()) } else { Err(said) }
        });
        Ok(Self { folder: folder.to_owned(), holder, doors: Vec::new() })
    }

    /// `program`, to run inside; the process that starts is the program itself.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(crate::tool::program("nsenter").expect("beside unshare"));
        command.args(["-t", &self.holder.id().to_string(), "-n"]);
        if !rustix::process::geteuid().is_root() {
            command.args(["-U", "--preserve-credentials"]);
        }
        command.arg(program);
        command
    }

    /// Lets the outside reach what listens inside at `port`, once it is opened.
    pub(crate) fn door_in(&mut self, port: u16) {
        let (listen, connect) = (unix_listen(&self.socket(port)), format!("TCP:127.0.0.1:{port}"));
        let inside = self.command(&tool("BASEFLOW_SOCAT"));
        let door = self.door(inside, &listen, &connect);
        self.doors.push(door);
    }

    /// Opens a door that leads in: until the process ends, connections to `port` are taken, whoever
    /// is behind it.
    pub(crate) fn opened(&self, port: u16) -> Process {
        let outside = Command::new(tool("BASEFLOW_SOCAT"));
        self.door(outside, &tcp_listen(port), &unix_connect(&self.socket(port)))
    }

    /// Lets the inside reach what listens outside at `port`.
    pub(crate) fn door_out(&mut self, port: u16) {
        let socket = self.socket(port);
        let (listen, connect) = (unix_listen(&socket), format!("TCP:127.0.0.1:{port}"));
        let outside = Command::new(tool("BASEFLOW_SOCAT"));
        let inside = self.command(&tool("BASEFLOW_SOCAT"));
        let outside = self.door(outside, &listen, &connect);
        let inside = self.door(inside, &tcp_listen(port), &unix_connect(&socket));
        self.doors.extend([outside, inside]);
    }

    fn door(&self, mut command: Command, listen: &str, connect: &str) -> Process {
        let log = self.folder.join("doors.log");
        // What it listens at is there once it says so.
        let before = fs::read_to_string(&log).unwrap_or_default().matches("listening on").count();
        let command = command.args(["-d", "-d", listen, connect]);
        let mut door = Process::start("a door", command, &log);
        wait::until("the door opens", PATIENCE, || {
            door.expect_running();
            let said = fs::read_to_string(&log).map_err(|error| error.to_string())?;
            if said.matches("listening on").count() > before { Ok(()) } else { Err(said) }
        });
        door
    }

    fn socket(&self, port: u16) -> PathBuf {
        self.folder.join(format!("door-{port}.sock"))
    }
}

fn tcp_listen(port: u16) -> String {
    format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork")
}

fn unix_listen(socket: &Path) -> String {
    format!("UNIX-LISTEN:{},mode=600,fork", socket.display())
}

fn unix_connect(socket: &Path) -> String {
    format!("UNIX-CONNECT:{}", socket.display())
}
