//! The command line: every command with its options and an example.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use dashboards::access::Role;
use model::{
    ids::{AgentId, ContactId, StationId},
    time::Timestamp,
};

/// Watches whether hydropower stations release the base flow that they owe the river.
#[derive(Debug, Parser)]
#[command(name = "baseflow", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show all of it on this machine: broker, simulated stations, agents, server and pages
    #[command(
        after_help = "Example:\n  baseflow demo\n  baseflow demo --listen 127.0.0.1:8090 --data /tmp/baseflow-demo --days 30 --fresh\n\n\
        Prints the address and log-ins that are made for this run. Everything listens on loopback unless --listen says \
        otherwise. Ctrl-C stops it; what it has measured stays in its folder, and goes on at the next start."
    )]
    Demo(Demo),
    /// Run the server until SIGTERM; SIGHUP reads registry and log level again
    #[command(after_help = "Example:\n  baseflow run --config /etc/baseflow/baseflow.toml")]
    Run(Settings),
    /// Validate settings and registry, and print what is in force and who wrote it
    #[command(after_help = "Example:\n  baseflow check --config /etc/baseflow/baseflow.toml\n  \
        baseflow check --probe --agent gw-luming --password-file luming.password --config /etc/baseflow/baseflow.toml\n\n\
        Faults of the settings end it with 78; what --probe finds, with 1. While an account is tried, whoever \
        else uses it loses the connection for some seconds, and nothing else: that agent, or a server on another data_dir.")]
    Check {
        /// Also try the data folder and the broker's rules, changing neither
        #[arg(long)]
        probe: bool,
        /// Try the rules under this agent's account too
        #[arg(long, value_name = "NAME", requires_all = ["probe", "password_file"])]
        agent: Option<AgentId>,
        /// The password of that account
        #[arg(long, value_name = "FILE", requires = "agent")]
        password_file: Option<PathBuf>,
        /// Where the settings are.
        #[command(flatten)]
        settings: Settings,
    },
    /// Stations, gauges, mandates, rules and people
    #[command(subcommand)]
    Registry(Registry),
    /// Tokens for the HTTP API
    #[command(subcommand)]
    Token(Token),
    /// People who log in to the pages
    #[command(subcommand)]
    User(User),
    /// What was refused, and the decisions about it
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// Take history in
    #[command(subcommand)]
    Import(Import),
    /// Give data out
    #[command(subcommand)]
    Export(Export),
    /// Walk digests and the hash chain of both databases
    #[command(after_help = "Example:\n  baseflow verify --config /etc/baseflow/baseflow.toml\n\n\
        Prints what it finds and exits with 1 if that is anything.")]
    Verify(Settings),
    /// Copy the store into a folder, beside a running server
    #[command(
        after_help = "Example:\n  baseflow backup /var/backups/baseflow/2026-11-22 --config /etc/baseflow/baseflow.toml\n\n\
        The copy shows one moment. Until it has backup.json, which comes last, the folder is no backup. \
        `baseflow restore` alone can read it."
    )]
    Backup {
        /// A folder that is empty or not there yet
        folder: PathBuf,
        /// Where the settings are.
        #[command(flatten)]
        settings: Settings,
    },
    /// Put a backup back into an empty data folder, as a store that agents offer everything again
    #[command(
        after_help = "Example:\n  baseflow restore /var/backups/baseflow/2026-11-22 --config /etc/baseflow/baseflow.toml\n\n\
        Run it as the server's user, before the server is started. The store gets a new id, by which every agent sends \
        again what it still has, and nothing is stored twice. Ended half-way, it can be begun again."
    )]
    Restore(Restore),
}

/// How the demonstration is to be.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Where the pages are to be; by default 127.0.0.1:8080, or a free port where that is taken
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// The folder of all that it keeps; by default one below the home folder
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How many days of history it begins with, where it begins; by default 60
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=400))]
    pub days: Option<u16>,
    /// Begin again, with nothing of what is in the folder
    #[arg(long)]
    pub fresh: bool,
}

/// Where the settings are.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// The settings file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// What to do with the registry.
#[derive(Debug, Subcommand)]
pub(crate) enum Registry {
    /// Put a registry file in force; a file with any fault changes nothing
    #[command(
        after_help = "Example:\n  baseflow registry import registry.toml --dry-run --config /etc/baseflow/baseflow.toml\n\n\
        May run beside the server, which takes it up within a second. Faults end it with 78."
    )]
    Import {
        /// The registry file
        file: PathBuf,
        /// Only print what would change
        #[arg(long)]
        dry_run: bool,
        /// Where the settings are.
        #[command(flatten)]
        settings: Settings,
    },
    /// Print the registry in force as a file; importing that changes nothing
    #[command(
        after_help = "Example:\n  baseflow registry export --config /etc/baseflow/baseflow.toml > registry.toml"
    )]
    Export(Settings),
    /// Print what a registry file would change
    #[command(
        after_help = "Example:\n  baseflow registry diff registry.toml --config /etc/baseflow/baseflow.toml"
    )]
    Diff {
        /// The registry file
        file: PathBuf,
        /// Where the settings are.
        #[command(flatten)]
        settings: Settings,
    },
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token and print it, alone and once
    #[command(
        after_help = "Example:\n  baseflow token add --name me --role viewer --config /etc/baseflow/baseflow.toml > token\n  \
        baseflow token add --name hall --role wall --config /etc/baseflow/baseflow.toml\n\n\
        That of the role wall is printed as a link. The first browser that opens it shows the wall from then on, \
        without a log-in, until the token is revoked; it can do and see nothing else."
    )]
    Add {
        /// What to call it; the journal keeps that name for ever
        #[arg(long, value_parser = token_name)]
        name: String,
        /// wall (a screen that nobody logs in at), viewer (reads), duty (sees people's data too) or
        /// admin (decides about the quarantine too)
        #[arg(long)]
        role: Role,
        /// Where the settings are.
        #[command(flatten)]
        settings: Settings,
    },
    /// List every token ever made
    #[command(after_help = "Example:\n  baseflow token list --config /etc/baseflow/baseflow.toml")]
    List(Settings),
    /// Make a token useless
    #[command(
        after_help = "Example:\n  baseflow token revoke me --config /etc/baseflow/baseflow.toml"
    )]
    Revoke {
        /// Its name
        #[arg(required_unless_present = "name")]
        token: Option<String>,
        /// Its name, as `token add` spells it
        #[arg(long, conflicts_with = "token")]
        name: Option<String>,
        /// Where the settings are.
        #[command(flatten)]
        settings: Settings,
    },
}

/// What to do with people.
#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Let somebody log in; prints a password that is made for them, alone and once
    #[command(
        after_help = "Example:\n  baseflow user add zhang --role duty --config /etc/baseflow/baseflow.toml\n\n\
        Whoever logs in with a password that was made has to set another one before anything else. \
        The journal keeps the name for ever. Somebody who was disabled comes back under it. May run beside the server."
    )]
    Add {
        /// What they log in as: 1 to 64 of A-Z a-z 0-9 . _ -
        #[arg(value_parser = user_name)]
        name: String,
        /// viewer (sees), duty (takes alarms on, and sees people's data) or admin (decides about the quarantine too)
        #[arg(long, value_parser = person)]
        role: Role,
        /// The password.
        #[command(flatten)]
        password: PasswordFrom,
        /// Where the settings are.
        #[command(flatten)]
        settings: Settings,
    },
    /// Give somebody another password, and end their sessions
    #[command(
        after_help = "Example:\n  baseflow user passwd zhang --config /etc/baseflow/baseflow.toml\n  \
        baseflow user passwd zhang --password-stdin --config /etc/baseflow/baseflow.toml < zhang.password"
    )]
    Passwd {
        /// Whose
        #[arg(value_parser = user_name)]
        name: String,
        /// The password.
        #[command(flatten)]
        password: PasswordFrom,
        /// Where the settings are.
        #[command(flatten)]
        settings: Settings,
    },
    /// Let somebody log in no more, and end their sessions
    #[command(
        after_help = "Example:\n  baseflow user disable zhang --config /etc/baseflow/baseflow.toml"
    )]
    Disable {
        /// Whom
        #[arg(value_parser = user_name)]
        name: String,
        /// Where the settings are.
        #[command(flatten)]
        settings: Settings,
    },
    /// List everybody who may log in, or could
    #[command(after_help = "Example:\n  baseflow user list --config /etc/baseflow/baseflow.toml")]
    List(Settings),
}

/// Where a password comes from: never from the command line, which others on the machine can read.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PasswordFrom {
    /// Take the password from the first line of standard input instead of making one
    #[arg(long)]
    pub password_stdin: bool,
}

/// What to do with the quarantine.
#[derive(Debug, Subcommand)]
pub(crate) enum Quarantine {
    /// List what was refused, the newest first
    #[command(
        after_help = "Example:\n  baseflow quarantine list --config /etc/baseflow/baseflow.toml"
    )]
    List(ListQuarantine),
    /// Print all that is known of an item, and what to do about it
    #[command(
        after_help = "Example:\n  baseflow quarantine show 7 --config /etc/baseflow/baseflow.toml"
    )]
    Show(QuarantineItem),
    /// Judge an item again by the registry in force, and admit what that now allows
    #[command(
        after_help = "Example:\n  baseflow quarantine replay 7 --config /etc/baseflow/baseflow.toml\n\n\
        Whatever is still refused stays as it is and ends it with 1. May run beside the server."
    )]
    Replay(QuarantineItem),
    /// Give an item up; its readings are never admitted
    #[command(
        after_help = "Example:\n  baseflow quarantine discard 7 --config /etc/baseflow/baseflow.toml\n\n\
        Nobody can undo this. The journal keeps who did it. May run beside the server."
    )]
    Discard(QuarantineItem),
}

/// One item of the quarantine.
#[derive(Debug, Args)]
pub(crate) struct QuarantineItem {
    /// Its number
    pub id: i64,
    /// Where the settings are.
    #[command(flatten)]
    pub settings: Settings,
}

/// Which items to list.
#[derive(Debug, Args)]
pub(crate) struct ListQuarantine {
    /// Only what may be admitted by a decision (parked), or what cannot (garbage)
    #[arg(long, value_enum)]
    pub kind: Option<QuarantineKind>,
    /// Only what waits for a decision, or what was decided
    #[arg(long, value_enum, default_value_t = QuarantineStates::Held)]
    pub state: QuarantineStates,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub limit: u16,
    /// Only items older than this one
    #[arg(long, value_name = "ID")]
    pub before: Option<i64>,
    /// Where the settings are.
    #[command(flatten)]
    pub settings: Settings,
}

/// Sorts of what is in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QuarantineKind {
    /// Only the registry, a right or an anchor keeps it out.
    Parked,
    /// The oldest of it goes first.
    Garbage,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QuarantineStates {
    /// Nothing yet.
    Held,
    /// That it be admitted.
    Replayed,
    /// That it be given up.
    Discarded,
    /// Whatever.
    All,
}

/// What to take in.
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Samples from a CSV file: station,gauge,at,value and if you like unit,quality,reason
    #[command(
        after_help = "Example:\n  baseflow import samples history.csv --dry-run --config /etc/baseflow/baseflow.toml\n\n\
        Importing a file again changes nothing. Refused lines are told on standard error and end it with 1."
    )]
    Samples {
        /// The file, UTF-8 with a header line
        file: PathBuf,
        /// Judge every line and store none
        #[arg(long)]
        dry_run: bool,
        /// Where the settings are.
        #[command(flatten)]
        settings: Settings,
    },
}

/// What to give out.
#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// Every sample with its exact value, defects too
    #[command(
        after_help = "Example:\n  baseflow export samples --station BF-620721-04 --from 2026-10-01T00:00:00+08:00 --format csv \\\n    --config /etc/baseflow/baseflow.toml > samples.csv"
    )]
    Samples(ExportSamples),
}

/// Which samples to give out.
#[derive(Debug, Args)]
pub(crate) struct ExportSamples {
    /// Only of this station
    #[arg(long, value_name = "ID")]
    pub station: Option<StationId>,
    /// Only of this gauge: its id, or STATION/GAUGE
    #[arg(long)]
    pub gauge: Option<String>,
    /// From this moment on, RFC 3339 with an offset
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// Up to this moment, which is left out
    #[arg(long, value_name = "TIME")]
    pub to: Option<Timestamp>,
    /// The form
    #[arg(long, value_enum, default_value_t = Form::Csv)]
    pub format: Form,
    /// Where the settings are.
    #[command(flatten)]
    pub settings: Settings,
}

/// What to put back.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The folder of the backup
    pub folder: PathBuf,
    /// The folder is a copy made by hand or by a snapshot, without backup.json
    #[arg(long)]
    pub by_hand: bool,
    /// Put it back also if `verify` finds fault with it
    #[arg(long)]
    pub accept_findings: bool,
    /// Where the settings are.
    #[command(flatten)]
    pub settings: Settings,
}

/// The form of a file that is given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// docs/formats.md §13.
    Csv,
}

/// A name that any keyboard can write, and that looks like no other one.
fn user_name(text: &str) -> Result<String, String> {
    let named: Result<ContactId, _> = text.parse();
    named.map(|name| name.to_string()).map_err(|_no_id| {
        "a name has 1 to 64 of A-Z a-z 0-9 . _ -, and begins with a letter or a digit".to_owned()
    })
}

/// What a person may do: a screen on a wall is none.
fn person(text: &str) -> Result<Role, String> {
    match text.parse() {
        Ok(Role::Wall) => {
            Err("nobody logs in as a wall; `token add --role wall` makes a link for its screen"
                .to_owned())
        }
        Ok(role) => Ok(role),
        Err(_unknown) => Err(format!("`{text}` is no role; it is one of viewer, duty, admin")),
    }
}

/// A name that a list and a log line can hold.
fn token_name(text: &str) -> Result<String, String> {
    let is_sound = (1..=64).contains(&text.chars().count())
        && !text.contains(char::is_control)
        && text.trim() == text;
    if is_sound {
        Ok(text.to_owned())
    } else {
        Err("a name has 1 to 64 characters, no control character and no space at its ends"
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_command_shows_an_example() {
        Cli::command().debug_assert();
        let mut pending = vec![Cli::command()];
        while let Some(command) = pending.pop() {
            let below: Vec<_> =
                command.get_subcommands().filter(|sub| sub.get_name() != "help").cloned().collect();
            if below.is_empty() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example:\n  baseflow "), "{}", command.get_name());
                let has_config = command.get_arguments().any(|arg| arg.get_id() == "config");
                assert_eq!(has_config, command.get_name() != "demo", "{}", command.get_name());
            }
            pending.extend(below);
        }
    }

    #[test]
    fn settings_may_be_named_before_or_after_the_file() {
        for line in [
            "baseflow demo",
            "baseflow demo --listen 127.0.0.1:0 --data d --days 7 --fresh",
            "baseflow registry import r.toml --config c.toml",
            "baseflow registry import --config c.toml r.toml --dry-run",
            "baseflow token add --name a --role admin --config c.toml",
            "baseflow token revoke --name a --config c.toml",
            "baseflow token revoke a --config c.toml",
            "baseflow user add zhang --role duty --config c.toml",
            "baseflow user passwd zhang --password-stdin --config c.toml",
            "baseflow export samples --format csv --config c.toml --from 2026-11-22T08:00:00+08:00",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        for line in [
            "baseflow run",
            "baseflow demo --days 0",
            "baseflow token add --name a --role root --config c.toml",
            "baseflow token revoke --config c.toml",
            "baseflow user add zhang --config c.toml",
            "baseflow user add 张 --role duty --config c.toml",
            "baseflow user passwd zhang secret --config c.toml",
            "baseflow export samples --format xlsx --config c.toml",
            "baseflow export samples --from yesterday --config c.toml",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
