//! What happens once at the start: the registry file is taken, and what is missing is said.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::Context as _;
use dashboards::shell::people::People;
use model::{hook::HookSecret, ids::ChannelId, time::Timestamp};
use runtime::shell_word::quoted;
use store::{By, ByKind, Journal, JournalReader, Store, StoreError};
use tracing::{info, warn};

use crate::{
    hook_key::hook_key,
    registry_file::RegistryFile,
    settings::{ChannelKind, Config, Part},
    stored,
    typed::typed,
};

/// How long the start waits until everybody sees a registry that it has just imported.
const KNOWN_LIMIT: Duration = Duration::from_secs(2);

/// Imports the registry file unless this very file was imported before; gives the journal entry.
/// The settings are in `file`.
pub(super) fn registry(
    store: &Store,
    config: &Config,
    found: Option<&RegistryFile>,
    (file, now): (&Path, Timestamp),
) -> anyhow::Result<Option<i64>> {
    let Some(found) = found else {
        warn!(path = %config.registry.file.display(), "no registry file");
        return Ok(None);
    };
    if was_imported(store.journal(), found).context("cannot read the journal")? {
        warn_if_superseded(store.journal(), found, file);
        return Ok(None);
    }
    let imported = found.import((store.samples(), store.journal()), now, by(), false)?;
    info!(path = %found.path.display(), changes = imported.changes.len(), "registry imported");
    Ok(imported.position)
}

/// The secret of each channel's hook that gets receipts; none where no page is served, for no
/// receipt would come.
pub(super) fn hooks(config: &Config) -> anyhow::Result<BTreeMap<ChannelId, HookSecret>> {
    if !config.roles.contains(&Part::Dashboards) {
        return Ok(BTreeMap::new());
    }
    let names: Vec<_> = config
        .channels
        .iter()
        .filter(|(_, channel)| match channel {
            ChannelKind::Kannel(kannel) => kannel.has_receipts,
            ChannelKind::File { .. } => false,
        })
        .map(|(name, _)| name)
        .collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let key = hook_key(&config.data_dir)?;
    Ok(names.into_iter().map(|name| (name.clone(), key.secret(name))).collect())
}

/// Who may log in, with the tries that an earlier life of the server kept.
pub(super) fn people(store: &Store, config: &Config, now: Timestamp) -> anyhow::Result<People> {
    let key = hook_key(&config.data_dir)?;
    let known = |reader: &JournalReader| Ok((reader.users()?, reader.attempts()?));
    let (users, kept) =
        store.journal().read_blocking(known).context("cannot read users and tries to log in")?;
    Ok(People::new(&config.http.public_url, key, (&users, kept), now))
}

/// The server itself.
pub(super) fn by() -> By {
    By { kind: ByKind::Server, name: "server".to_owned() }
}

/// Whether this very file was ever imported.
fn was_imported(journal: &Journal, found: &RegistryFile) -> Result<bool, StoreError> {
    Ok(journal.read_blocking(|reader| reader.import_of(&found.digest))?.is_some())
}

/// Names both registries where another one than the file is in force, and how to change that by
/// the settings `config`.
pub(super) fn warn_if_superseded(journal: &Journal, found: &RegistryFile, config: &Path) {
    let state = journal.watch();
    let state = state.borrow();
    if let Some(known) = state.registry.as_ref().filter(|known| known.file_digest != found.digest) {
        let path = found.path.to_string_lossy();
        warn!(
            file = %path,
            file_sha256 = hex::encode(found.digest),
            in_force_sha256 = hex::encode(known.file_digest),
            in_force_entry = known.entry,
            command = typed(&format!("registry import {}", quoted(&path)), config),
            "another registry was imported since this file was and stays in force; the command puts the file in force again"
        );
    }
}

/// Ends once everybody sees the registry of this entry, so that nothing is judged by the one before.
pub(super) async fn until_known(store: &Store, entry: Option<i64>) {
    let Some(entry) = entry else { return };
    let mut state = store.journal().watch();
    let is_known = state
        .wait_for(|state| state.registry.as_ref().is_some_and(|registry| registry.entry >= entry));
    if tokio::time::timeout(KNOWN_LIMIT, is_known).await.is_err() {
        warn!(entry, "imported registry is not seen yet");
    }
}

/// Says how to let somebody in where nobody may log in, and programs cannot ask either.
pub(super) fn warn_without_anybody(store: &Store, file: &Path) -> anyhow::Result<()> {
    let users = stored::users(store.journal())?;
    if users.iter().any(|user| user.disabled_at.is_none()) {
        return Ok(());
    }
    let log_in = typed("user add NAME --role admin", file);
    let tokens = stored::tokens(store.journal())?;
    if tokens.iter().any(|token| token.revoked_at.is_none()) {
        info!(command = log_in, "nobody can log in to the pages yet");
        return Ok(());
    }
    warn!(command = log_in, "nobody can log in to the pages yet");
    let command = typed("token add --name me --role viewer", file);
    warn!(command, "nobody has an API token yet");
    Ok(())
}
