//! Import of a registry: compared, journalled and put into force in one transaction.

use std::collections::BTreeSet;

use model::{ids::StationId, registry::Registry, time::Timestamp, tree::KeyFault};
use rusqlite::{Connection, params};

use super::{
    JournalBook, append,
    read::{digest_of, in_force},
};
use crate::{
    chain::{Body, By},
    facts::GaugeFacts,
    registry::{
        self,
        canonical::{self, Kept},
    },
    shell::{
        error::StoreError,
        samples::{first_row, run},
        writer::Write,
    },
};

/// A registry to be put into force.
#[derive(Debug, Clone)]
pub struct ImportRegistry {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: By,
    /// The file's name, without its folder.
    pub file: String,
    /// SHA-256 of the file.
    pub file_digest: [u8; 32],
    /// What the file says.
    pub registry: Registry,
    /// The gauges that have data ([`crate::SamplesReader::gauges`]): their stations may not
    /// vanish, and their units may not change even where the gauge was gone for a while.
    pub stored: Vec<GaugeFacts>,
    /// Only says what would happen.
    pub dry_run: bool,
}

/// What became of an [`ImportRegistry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Import {
    /// It is in force, or would be.
    Done {
        /// The entry that holds it; `None` where it was only asked what would happen.
        position: Option<i64>,
        /// What changes, in plain words.
        changes: Vec<String>,
    },
    /// This very file is in force already, and says the same.
    Unchanged,
    /// Data already stored forbid it; nothing changed.
    Refused(Vec<KeyFault>),
}

impl Write<JournalBook> for ImportRegistry {
    type Answer = Import;

    fn apply(
        &self,
        _book: &mut JournalBook,
        connection: &Connection,
    ) -> Result<Import, StoreError> {
        let before = in_force(connection)?;
        let nothing = Registry::default();
        let old = before.as_ref().map_or(&nothing, |before| before.registry.as_ref());
        let stations: BTreeSet<&StationId> =
            self.stored.iter().map(|facts| &facts.gauge.station).collect();
        let mut faults =
            registry::transition(old, &self.registry, |station| stations.contains(station));
        if faults.is_empty() {
            let stored = self.stored.iter().map(|facts| {
                (facts.gauge.station.as_str(), facts.gauge.name.as_str(), facts.unit.name())
            });
            faults = registry::stored_units(&self.registry, stored);
        }
        if !faults.is_empty() {
            return Ok(Import::Refused(faults));
        }
        let is_same_file =
            before.as_ref().is_some_and(|before| before.file_digest == self.file_digest);
        if is_same_file && *old == self.registry {
            return Ok(Import::Unchanged);
        }
        let changes = registry::diff(old, &self.registry);
        if self.dry_run {
            return Ok(Import::Done { position: None, changes });
        }
        let position = self.put_into_force(connection, changes.clone())?;
        Ok(Import::Done { position: Some(position), changes })
    }
}

impl ImportRegistry {
    fn put_into_force(
        &self,
        connection: &Connection,
        changes: Vec<String>,
    ) -> Result<i64, StoreError> {
        let document = canonical::write(&self.registry, |text| keep(connection, text))?;
        let body = Body::RegistryImported {
            file: self.file.clone(),
            file_digest: hex::encode(self.file_digest),
            changes,
            document,
        };
        let position = append(connection, self.at, &self.by, &body)?;
        let sql = "INSERT INTO registry (entry, file_digest) VALUES (?1, ?2)";
        run(connection, sql, params![position, self.file_digest])
            .map_err(StoreError::sql("put a registry into force"))?;
        Ok(position)
    }
}

/// Puts a personal text into the side table, unless it stands there already.
fn keep(connection: &Connection, text: &str) -> Result<Kept, StoreError> {
    let attempt = StoreError::sql("keep personal data");
    let sql = "SELECT id, salt FROM personal WHERE text = ?1 LIMIT 1";
    let found = first_row(connection, sql, [text], |row| Ok((row.get(0)?, row.get(1)?)));
    let found: Option<(i64, Vec<u8>)> = found.map_err(&attempt)?;
    if let Some((id, salt)) = found {
        return Ok(Kept { id, digest: digest_of(&salt, text) });
    }
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(|source| StoreError::Random { source })?;
    let sql = "INSERT INTO personal (salt, text) VALUES (?1, ?2)";
    run(connection, sql, params![salt, text]).map_err(&attempt)?;
    Ok(Kept { id: connection.last_insert_rowid(), digest: digest_of(&salt, text) })
}
