//! The server's binary: reads the command line, runs one command, and ends with its exit code.

mod cli;
mod commands;
mod csv_file;
mod demo;
mod failure;
mod hook_key;
mod output;
mod registry_file;
mod run;
mod settings;
mod stored;
mod typed;

use std::process::ExitCode;

use clap::Parser;
use failure::Refused;

fn main() -> ExitCode {
    let ended = commands::perform(cli::Cli::parse().command);
    if let Err(error) = &ended {
        tell(error);
    }
    failure::code_of(&ended)
}

/// Faults of settings one a line; anything else with all its causes.
fn tell(error: &anyhow::Error) {
    match error.downcast_ref::<Refused>() {
        Some(refused) => refused.lines().for_each(output::complain),
        None => output::complain(&format!("baseflow: {error:#}")),
    }
}
