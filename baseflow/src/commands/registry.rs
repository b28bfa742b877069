//! `registry import`, `export` and `diff`.

use std::path::Path;

use compliance::law::{Extent, closed_again};

use super::{Opened, by, open, open_existing};
use crate::{
    failure::{Ended, Refused},
    output::{counted, say, say_text},
    registry_file::RegistryFile,
    settings::settings,
    stored,
};

/// Puts a file in force, or says what that would change.
pub(super) fn import(config: &Path, file: &Path, dry_run: bool) -> anyhow::Result<Ended> {
    let found = read(config, file)?;
    let opened = open(config)?;
    // asked first: a server that runs beside may take the file up at once
    let (judged, left) = (judged_again(&opened, &found)?, left_behind(&opened, &found)?);
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
    for left in &left {
        say(left)?;
    }
    if let Some(judged) = judged.filter(|_| !imported.changes.is_empty()) {
        say(&judged)?;
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
    let in_force = stored::registry(opened.store.journal(), config)?;
    opened.store.close();
    say_text(&store::registry::export(&in_force.registry))?;
    Ok(Ended::Done)
}

/// Prints what a file would change; a file with faults ends it as `import` would.
pub(super) fn diff(config: &Path, file: &Path) -> anyhow::Result<Ended> {
    let found = read(config, file)?;
    let opened = open_existing(config)?;
    let (judged, left) = (judged_again(&opened, &found)?, left_behind(&opened, &found)?);
    let changes = found
        .import((opened.store.samples(), opened.store.journal()), opened.now, by(), true)?
        .changes;
    opened.store.close();
    for line in changes.iter().chain(&left) {
        say(line)?;
    }
    match judged.filter(|_| !changes.is_empty()) {
        Some(judged) => say(&judged)?,
        None if changes.is_empty() => say("nothing changes")?,
        None => {}
    }
    Ok(Ended::Done)
}

/// The file, checked against the channels that the settings have.
fn read(config: &Path, file: &Path) -> Result<RegistryFile, Refused> {
    RegistryFile::read(file, &settings(config)?.config.channels)
}

/// What a file leaves behind of the registry in force, in words.
fn left_behind(opened: &Opened, found: &RegistryFile) -> anyhow::Result<Vec<String>> {
    let Some(before) = stored::in_force(opened.store.journal())? else { return Ok(Vec::new()) };
    let stored = stored::gauges(opened.store.samples())?;
    let stored =
        stored.iter().map(|facts| (facts.gauge.station.as_str(), facts.gauge.name.as_str()));
    Ok(store::registry::left_behind(&before.registry, &found.registry, stored))
}

/// What a file does to the past, in words; `None` where it does nothing to it.
fn judged_again(opened: &Opened, found: &RegistryFile) -> anyhow::Result<Option<String>> {
    let (law, sections) = stored::judged(opened.store.journal())?;
    let Extent { hours, sections } = closed_again(&law, &found.registry, &sections);
    Ok((hours > 0).then(|| {
        let are = if hours == 1 { "is" } else { "are" };
        let (hours, sections) = (counted(hours, "closed hour"), counted(sections, "section"));
        format!("{hours} of {sections} {are} judged again in the background")
    }))
}
