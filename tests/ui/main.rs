//! The pages by the clock, and in a picture: a real Chromium against a real server, `./run check --ui` and
//! `./run picture`. The tests of what pages say are in `browser.rs`.

mod check;
mod picture;

use std::{
    env,
    ffi::OsString,
    io::Write as _,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use world::{World, not_proven, program, repository};

/// Of everybody who looks.
const PASSWORD: &str = "Kj7-mqzwp";
const MINUTE_MS: i64 = 60_000;
/// Between two values of a station that is imported.
const STEP_MS: i64 = 5 * MINUTE_MS;

fn main() -> ExitCode {
    let Some(what) = env::args().nth(1) else { return ExitCode::from(2) };
    let Some(programs) = Programs::find() else {
        not_proven("the pages by the clock (no Chromium, or no Node)");
        return ExitCode::SUCCESS;
    };
    let is_good = match what.as_str() {
        "check" => check::run(&programs),
        "picture" => picture::run(&programs),
        _ => return ExitCode::from(2),
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a page is looked at with.
struct Programs {
    chromium: OsString,
    node: OsString,
}

impl Programs {
    fn find() -> Option<Self> {
        let chromium = env::var_os("CHROMIUM").filter(|path| !path.is_empty())?;
        Some(Self { chromium, node: program("node")?.into() })
    }

    /// A script of `browser/` on a server, in whose words it speaks.
    fn script(&self, (url, pid): (&str, u32), password: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.node);
        command
            .args(arguments)
            .current_dir(repository().join("tests/browser"))
            .env("BASEFLOW_URL", url)
            .env("BASEFLOW_PID", pid.to_string())
            .env("BASEFLOW_PASSWORD", password)
            .env("BASEFLOW_LINK", "/")
            .env("CHROMIUM", &self.chromium);
        command
    }
}

fn add_user(world: &World, name: &str, role: &str) {
    let arguments = ["user", "add", name, "--role", role, "--password-stdin"];
    let mut command = world.server.command_line(&arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
    let mut child = command.spawn().expect("a command");
    let mut input = child.stdin.take().expect("a pipe");
    writeln!(input, "{PASSWORD}").expect("it reads");
    drop(input);
    assert!(child.wait().expect("it ends").success());
}

fn import(world: &World, file: &Path) {
    let path = file.to_str().expect("a plain path");
    world.server.command(&["import", "samples", path]).success();
}
