//! What a backup says of itself: the document beside its two files (`docs/formats.md` §14).

use model::{ids::StoreId, time::Timestamp};
use serde::{Deserialize, Serialize};

/// The version of the document that this program writes.
const FORMAT: u32 = 1;

/// The document of a backup, written last: a folder that has it is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this document.
    format: u32,
    /// The store that was copied.
    pub store_id: StoreId,
    /// The software that made the copy.
    pub version: String,
    /// The moment that the copy shows.
    pub taken_at: Timestamp,
    /// Both files as they were written.
    pub files: Vec<CopiedFile>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedFile {
    /// In the folder of the backup.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// Why a document is not that of a backup.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or not of this shape.
    #[error("it is not the document of a backup")]
    Shape(#[source] serde_json::Error),
    /// Written by a later version.
    #[error(
        "a later version wrote it (format {found}, this one reads {FORMAT}); restore with that version"
    )]
    Later {
        /// Its format.
        found: u32,
    },
    /// It does not name both files once.
    #[error("it does not name samples.db and journal.db once each")]
    Files,
}

impl Manifest {
    /// Of these two files.
    pub(crate) fn new(
        store_id: StoreId,
        version: String,
        taken_at: Timestamp,
        files: [CopiedFile; 2],
    ) -> Self {
        Self { format: FORMAT, store_id, version, taken_at, files: files.into() }
    }

    /// Reads what [`Manifest::text`] wrote; keys that are not known are skipped.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        // Another version may have another shape.
        let Version { format } = serde_json::from_slice(bytes).map_err(ManifestError::Shape)?;
        if format != FORMAT {
            return Err(ManifestError::Later { found: format });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(ManifestError::Shape)?;
        let mut names: Vec<_> = manifest.files.iter().map(|file| file.name.as_str()).collect();
        names.sort_unstable();
        if names == ["journal.db", "samples.db"] { Ok(manifest) } else { Err(ManifestError::Files) }
    }

    /// One line of JSON.
    pub(crate) fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self).map(|text| text + "\n")
    }

    /// What it says of a file.
    pub(crate) fn file(&self, name: &str) -> Option<&CopiedFile> {
        self.files.iter().find(|file| file.name == name)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn manifest() -> Manifest {
        let file = |name: &str| CopiedFile {
            name: name.to_owned(),
            bytes: 4_096,
            sha256: "ab".repeat(32),
        };
        let taken_at = "2026-11-22T00:00:00Z".parse().unwrap();
        let files = [file("samples.db"), file("journal.db")];
        Manifest::new(StoreId(1), "0.1.0".to_owned(), taken_at, files)
    }

    #[test]
    fn the_document_is_spelled_as_the_formats_say_and_read_again() {
        let text = manifest().text().unwrap();
        expect![[r#"
            {"format":1,"store_id":"00000000000000000000000000000001","version":"0.1.0","taken_at":"2026-11-22T00:00:00Z","files":[{"name":"samples.db","bytes":4096,"sha256":"abababababababababababababababababababababababababababababababab"},{"name":"journal.db","bytes":4096,"sha256":"abababababababababababababababababababababababababababababababab"}]}
        "#]]
        .assert_eq(&text);
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest());
    }

    #[test]
    fn what_is_no_document_of_a_backup_is_refused() {
        let refused = |text: &str| Manifest::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(refused("{}"), "it is not the document of a backup");
        assert!(refused(r#"{"format":2,"sets":[]}"#).contains("a later version wrote it"));
        let mut twice = manifest();
        twice.files[1].name = "samples.db".to_owned();
        assert!(refused(&twice.text().unwrap()).contains("once each"));
    }
}
