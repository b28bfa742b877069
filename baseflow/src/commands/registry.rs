//! `registry import`, `export` and `diff`.

use std::path::Path;

use super::{by, open, open_existing, warn};
use crate::{
    failure::Ended,
    output::{say, say_text},
    registry_file::RegistryFile,
    stored,
};

/// Puts a file in force, or says what that would change.
pub(super) fn import(config: &Path, file: &Path, dry_run: bool) -> anyhow::Result<Ended> {
    let found = RegistryFile::read(file)?;
    let opened = open(config)?;
    warn(&found.warnings(&opened.config.channel_names()));
    let imported = found.import(
        (opened.store.samples(), opened.store.journal()),
        opened.now,
        by(),
        dry_run,
    )?;
    opened.store.close();
    for change in &imported.changes {
        say(change)?;
    }
    say(match (imported.changes.is_empty(), dry_run) {
        (true, _) => "nothing changes",
        (false, true) => "nothing was imported, as this was a dry run",
        (false, false) => "this is in force",
    })?;
    Ok(Ended::Done)
}

/// Prints the registry in force.
pub(super) fn export(config: &Path) -> anyhow::Result<Ended> {
    let opened = open_existing(config)?;
    let in_force = stored::registry(opened.store.journal())?;
    opened.store.close();
    say_text(&store::registry::export(&in_force.registry))?;
    Ok(Ended::Done)
}

/// Prints what a file would change; a file with faults ends it as `import` would.
pub(super) fn diff(config: &Path, file: &Path) -> anyhow::Result<Ended> {
    let found = RegistryFile::read(file)?;
    let opened = open_existing(config)?;
    let changes = found
        .import((opened.store.samples(), opened.store.journal()), opened.now, by(), true)?
        .changes;
    opened.store.close();
    for change in &changes {
        say(change)?;
    }
    if changes.is_empty() {
        say("nothing changes")?;
    }
    Ok(Ended::Done)
}
