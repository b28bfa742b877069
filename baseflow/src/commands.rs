//! The commands: each opens what it needs, does one thing, and tells what came of it.

mod backup;
mod check;
mod export;
pub(crate) mod import;
mod quarantine;
mod registry;
mod token;
pub(crate) mod user;
mod verify;

use std::path::Path;

use anyhow::Context as _;
use model::time::Timestamp;
use runtime::{
    clock::{Clock as _, SystemClock},
    telemetry,
};
use store::{By, ByKind, Options, Role, Store};

use crate::{
    cli::{Command, Export, Import, Quarantine, Registry, Token, User},
    demo,
    failure::Ended,
    output, run,
    settings::{Config, settings},
    typed::typed,
};

/// The software's version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Does what the command line asks for.
pub(crate) fn perform(command: Command) -> anyhow::Result<Ended> {
    match command {
        Command::Demo(asked) => demo::demo(&asked),
        Command::Run(at) => run::run(&at.config),
        Command::Check { probe, agent, password_file, settings } => {
            let account = agent
                .zip(password_file)
                .map(|(agent, password_file)| check::Account { agent, password_file });
            let depth = if probe { check::Depth::Probe(account) } else { check::Depth::Settings };
            check::check(&settings.config, &depth)
        }
        Command::Registry(Registry::Import { file, dry_run, settings }) => {
            registry::import(&settings.config, &file, dry_run)
        }
        Command::Registry(Registry::Export(at)) => registry::export(&at.config),
        Command::Registry(Registry::Diff { file, settings }) => {
            registry::diff(&settings.config, &file)
        }
        Command::Token(Token::Add { name, role, settings }) => {
            token::add(&settings.config, &name, role)
        }
        Command::Token(Token::List(at)) => token::list(&at.config),
        Command::Token(Token::Revoke { token, name, settings }) => {
            token::revoke(&settings.config, &token.or(name).unwrap_or_default())
        }
        Command::User(asked) => perform_user(asked),
        Command::Quarantine(Quarantine::List(asked)) => quarantine::list(&asked),
        Command::Quarantine(Quarantine::Show(item)) => {
            quarantine::show(&item.settings.config, item.id)
        }
        Command::Quarantine(Quarantine::Replay(item)) => {
            quarantine::replay(&item.settings.config, item.id)
        }
        Command::Quarantine(Quarantine::Discard(item)) => {
            quarantine::discard(&item.settings.config, item.id)
        }
        Command::Import(Import::Samples { file, dry_run, settings }) => {
            import::samples(&settings.config, &file, dry_run)
        }
        Command::Export(Export::Samples(asked)) => export::samples(&asked),
        Command::Verify(at) => verify::verify(&at.config),
        Command::Backup { folder, settings } => backup::backup(&settings.config, &folder),
        Command::Restore(asked) => backup::restore(asked),
    }
}

fn perform_user(asked: User) -> anyhow::Result<Ended> {
    match asked {
        User::Add { name, role, password, settings } => {
            user::add(&settings.config, &name, role, password)
        }
        User::Passwd { name, password, settings } => {
            user::set_password(&settings.config, &name, password)
        }
        User::Disable { name, settings } => user::disable(&settings.config, &name),
        User::List(at) => user::list(&at.config),
    }
}

/// What a command that works on the store has in hand.
struct Opened {
    store: Store,
    now: Timestamp,
    /// Where browsers reach the server.
    public_url: String,
}

/// Reads the settings and opens the store beside a server that may be running; makes it where
/// there is none.
fn open(config: &Path) -> anyhow::Result<Opened> {
    let config = settings(config)?.config;
    let is_new = !has_store(&config)?;
    let opened = open_with(&config)?;
    if is_new {
        // where the path is misspelt, the store that a server works with is elsewhere
        output::complain(&format!(
            "data_dir: a new store was made in `{}`",
            config.data_dir.display()
        ));
    }
    Ok(opened)
}

/// The same for a command that makes no sense without a store, and so makes none: a path that is
/// misspelt must not look like a store with nothing in it.
fn open_existing(file: &Path) -> anyhow::Result<Opened> {
    let config = settings(file)?.config;
    if !has_store(&config)? {
        anyhow::bail!(
            "data_dir: there is no store in `{}`; correct the path, or let `{}` or `{}` make it",
            config.data_dir.display(),
            typed("run", file),
            typed("registry import FILE", file)
        );
    }
    open_with(&config)
}

fn has_store(config: &Config) -> anyhow::Result<bool> {
    store::exists(&config.data_dir).context("cannot look at the data folder")
}

fn open_with(config: &Config) -> anyhow::Result<Opened> {
    log_warnings()?;
    let now = SystemClock.now();
    let options = Options { now, version: VERSION.to_owned(), role: Role::Command };
    let store = Store::open(&config.data_dir, &options, &prometheus::Registry::new())
        .context("cannot open the store")?;
    Ok(Opened { store, now, public_url: config.http.public_url.clone() })
}

/// What a command has to say it prints; only warnings of the parts below are logged.
fn log_warnings() -> anyhow::Result<()> {
    let level = "warn".parse().map_err(anyhow::Error::msg)?;
    telemetry::start(telemetry::Format::Text, &level)?;
    Ok(())
}

/// Whoever runs this command, as the journal names them.
pub(crate) fn by() -> By {
    let uid = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(uid)).then(|| name.to_owned())
    });
    By { kind: ByKind::Command, name: name.unwrap_or_else(|| format!("uid {uid}")) }
}

/// Warnings, each on a line of standard error.
fn warn(warnings: &[String]) {
    for warning in warnings {
        output::complain(&format!("warning: {warning}"));
    }
}
