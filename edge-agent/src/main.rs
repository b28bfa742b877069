//! `baseflow-edge`: the agent on the gateway, and the commands to look at it.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use edge_agent::{
    plan::printed::printed,
    shell::{
        agent::{self, Loaded},
        check::check,
        probe::probe,
        spool,
    },
};
use model::fault::Chain;
use runtime::{settings, shell_word::quoted, telemetry};

/// Failed while running.
const FAILED: u8 = 1;
/// Bad settings, as sysexits.h numbers it.
const BAD_SETTINGS: u8 = 78;

/// Polls meters over Modbus, keeps what they say on disk, and sends it over MQTT until the server
/// says that it is stored.
#[derive(Debug, Parser)]
#[command(name = "baseflow-edge", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent until SIGTERM. SIGHUP reads the log level again.
    #[command(after_help = "Example:\n  baseflow-edge run --config /etc/baseflow/edge.toml")]
    Run(File),
    /// Check the settings and this machine; print what is in force, and what is read when.
    #[command(after_help = "Example:\n  baseflow-edge check --config /etc/baseflow/edge.toml")]
    Check(File),
    /// Read every device once; print words, values and all byte orders.
    #[command(
        after_help = "Example:\n  baseflow-edge probe --config /etc/baseflow/edge.toml --device em-flow"
    )]
    Probe {
        #[command(flatten)]
        file: File,
        /// Only the device of this name.
        #[arg(long, value_name = "NAME")]
        device: Option<String>,
    },
    /// Print what is queued: batches, oldest, bytes, hours left. The agent may run.
    #[command(after_help = "Example:\n  baseflow-edge spool --config /etc/baseflow/edge.toml")]
    Spool(File),
}

#[derive(Debug, Args)]
struct File {
    /// The settings; every key is explained in the file of defaults.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let file = match &command {
        Command::Run(file) | Command::Check(file) | Command::Spool(file) => file,
        Command::Probe { file, .. } => file,
    };
    let loaded = match agent::load(&file.config) {
        Ok(loaded) => loaded,
        Err(error) => {
            complain(&format!("settings are wrong:\n{}", Chain(&error)));
            return ExitCode::from(BAD_SETTINGS);
        }
    };
    match perform(command, loaded) {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

fn perform(command: Command, loaded: Loaded) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(file) => {
            let log = &loaded.config.log;
            let telemetry = telemetry::start(log.format, &log.level)?;
            runtime()?.block_on(agent::run(loaded, file.config, telemetry))?;
        }
        Command::Check(_) => {
            print(&format!("{}\n", settings::effective(&loaded.tree()?, &[])))?;
            print(&printed(&loaded.config))?;
            let findings = check(&loaded.config);
            print(&format!("\n{findings}"))?;
            if findings.faults > 0 {
                return Ok(ExitCode::from(FAILED));
            }
        }
        Command::Probe { device, .. } => {
            let probed = runtime()?.block_on(probe(&loaded.config, device.as_deref()))?;
            print(&probed.text)?;
            if probed.failures > 0 {
                return Ok(ExitCode::from(FAILED));
            }
        }
        Command::Spool(file) => {
            let spool = &loaded.config.spool;
            if !spool.path.try_exists().unwrap_or(true) {
                anyhow::bail!(
                    "there is no spool `{}`: the agent has not run yet with these settings; `baseflow-edge run --config {}` makes it",
                    spool.path.display(),
                    quoted(&file.config.to_string_lossy())
                );
            }
            let stats = spool::look(&spool.path, spool.hours, spool.max_bytes)?;
            print(&stats.to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // one thread: the agent waits far more than it works
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")
}

fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // who reads through `head` has read enough
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot print"),
    }
}

#[expect(clippy::print_stderr, reason = "there is no log yet, and a person waits for an answer")]
fn complain(text: &str) {
    eprintln!("baseflow-edge: {text}");
}
