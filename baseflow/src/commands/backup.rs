//! `backup` and `restore`: the store copied while it works, and put back as another store.

use std::path::Path;

use anyhow::Context as _;
use runtime::clock::{Clock as _, SystemClock};
use store::{Restore, Restored};

use super::{VERSION, by, log_warnings, open_existing, warn};
use crate::{cli, failure::Ended, output::say, settings::settings, typed::typed};

/// Copies the store, and says what the copy is.
pub(super) fn backup(config: &Path, folder: &Path) -> anyhow::Result<Ended> {
    let opened = open_existing(config)?;
    let taken = store::back_up(&opened.store, folder, opened.now, VERSION);
    opened.store.close();
    let taken = taken.context("cannot back up the store")?;
    let files: Vec<String> =
        taken.files.iter().map(|file| format!("{} {} bytes", file.name, file.bytes)).collect();
    say(&format!(
        "store {} as of {} is in `{}`: {}",
        taken.store_id,
        taken.taken_at,
        folder.display(),
        files.join(", ")
    ))?;
    Ok(Ended::Done)
}

/// Puts a copy back, and says what comes next.
pub(super) fn restore(asked: cli::Restore) -> anyhow::Result<Ended> {
    let file = asked.settings.config;
    let config = settings(&file)?.config;
    log_warnings()?;
    let (now, version) = (SystemClock.now(), VERSION.to_owned());
    let asked = Restore {
        from: asked.folder,
        now,
        version,
        by: by(),
        is_by_hand: asked.by_hand,
        accepts_findings: asked.accept_findings,
    };
    let Restored { id, before, taken_at, report } =
        store::restore(&config.data_dir, &asked).context("cannot restore the store")?;
    let findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    warn(&findings);
    let shown =
        taken_at.map_or_else(|| "a copy made by hand".to_owned(), |at| format!("as of {at}"));
    say(&format!(
        "store {before}, {shown}, is in `{}` as store {id}: {} entries, {} batches, {} findings",
        config.data_dir.display(),
        report.entries,
        report.batches,
        findings.len()
    ))?;
    say("start the server: each agent then sends again what it still has of the time since")?;
    say(&format!(
        "what was decided since is undone: look at `{}`, the registry and the quarantine",
        typed("token list", &file)
    ))?;
    Ok(Ended::Done)
}
