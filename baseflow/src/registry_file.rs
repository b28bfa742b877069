//! The registry file: read, checked, compared with what is in force, and imported.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use model::{
    fault::Chain,
    ids::ChannelId,
    registry::Registry,
    time::Timestamp,
    tree::{Faults, KeyFault, Origin},
};
use sha2::{Digest as _, Sha256};
use store::{By, Import, ImportRegistry, Journal, Samples};

use crate::{failure::Refused, settings::ChannelKind, stored};

/// The largest registry file.
const MAX_BYTES: u64 = 64 << 20;

/// A registry file without a fault of its own.
#[derive(Debug, Clone)]
pub(crate) struct RegistryFile {
    /// Where it was read.
    pub path: PathBuf,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
    /// What it says.
    pub registry: Registry,
}

impl RegistryFile {
    /// Reads the file at `path` and checks it, also against the `channels` of the settings by which
    /// its contacts must be reachable (`None` where those are not known); `None` where there is no
    /// file.
    pub(crate) fn find(
        path: &Path,
        channels: Option<&BTreeMap<ChannelId, ChannelKind>>,
    ) -> Result<Option<Self>, Refused> {
        let length = match std::fs::metadata(path) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(path, &error)),
        };
        if length > MAX_BYTES {
            return Err(Refused::one(format!(
                "registry file `{}` has over {MAX_BYTES} bytes",
                path.display()
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::InvalidData {
                Refused::one(format!(
                    "registry file `{}` is not UTF-8; save it as UTF-8, not as GBK or another code",
                    path.display()
                ))
            } else {
                unreadable(path, &error)
            }
        })?;
        let origin = Origin::File(path.display().to_string().into());
        let registry = store::registry::parse(&text, &origin).map_err(Refused::faults)?;
        let unreachable = channels.map(|channels| unreachable(&registry, channels));
        if let Some(faults) = unreachable.filter(|faults| !faults.is_empty()) {
            return Err(Refused::faults(Faults(faults)));
        }
        let digest = Sha256::digest(text.as_bytes()).into();
        Ok(Some(Self { path: path.to_owned(), digest, registry }))
    }

    /// The file at `path`, which must be there.
    pub(crate) fn read(
        path: &Path,
        channels: &BTreeMap<ChannelId, ChannelKind>,
    ) -> Result<Self, Refused> {
        Self::find(path, Some(channels))?.ok_or_else(|| {
            Refused::one(format!("registry file `{}` does not exist", path.display()))
        })
    }

    /// Its name without its folder, as the journal keeps it.
    pub(crate) fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Puts it in force, or with `dry_run` says what that would change.
    pub(crate) fn import(
        &self,
        (samples, journal): (&Samples, &Journal),
        at: Timestamp,
        by: By,
        dry_run: bool,
    ) -> anyhow::Result<Imported> {
        let stored = stored::gauges(samples)?;
        let import = ImportRegistry {
            at,
            by,
            file: self.name(),
            file_digest: self.digest,
            registry: self.registry.clone(),
            stored,
            dry_run,
        };
        let answer = journal.write_blocking(import);
        match answer.with_context(|| format!("cannot import registry `{}`", self.path.display()))? {
            Import::Done { position, changes } => Ok(Imported { position, changes }),
            Import::Unchanged => Ok(Imported { position: None, changes: Vec::new() }),
            Import::Refused(faults) => Err(Refused::faults(Faults(faults)).into()),
        }
    }
}

/// Contacts whom no message can reach: their channel does not exist, or their number is none.
fn unreachable(registry: &Registry, channels: &BTreeMap<ChannelId, ChannelKind>) -> Vec<KeyFault> {
    let mut faults = store::registry::unknown_channels(registry, channels.keys());
    for contact in registry.contacts.values() {
        for (index, reach) in contact.reach.iter().enumerate() {
            let is_sms = matches!(channels.get(&reach.channel), Some(ChannelKind::Kannel(_)));
            let is_number = alerting::kannel::number(reach.to.as_str()).is_some();
            if is_sms && !is_number && !reach.to.is_erased() {
                let key = format!("contact[{}].reach[{index}].to", contact.id);
                // the number itself is personal, and this is logged
                let problem = "is no telephone number; write 3 to 20 digits 0-9, a plus before them where it is needed, and no full-width digits (１３８…)".to_owned();
                faults.push(KeyFault { key, problem, origin: None });
            }
        }
    }
    faults
}

/// What an import changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Imported {
    /// The journal entry, where there is one.
    pub position: Option<i64>,
    /// In plain words, one line a change; empty where nothing changed.
    pub changes: Vec<String>,
}

fn unreadable(path: &Path, error: &std::io::Error) -> Refused {
    Refused::one(format!("cannot read registry file `{}`: {}", path.display(), Chain(error)))
}
