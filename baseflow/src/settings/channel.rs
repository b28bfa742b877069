//! `[[channel]]`: ways to reach people.

mod kannel;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use model::{ids::ChannelId, tree::Table};

pub(crate) use self::kannel::Kannel;
use super::path;

/// What a channel is made of.
#[derive(Debug, Clone)]
pub(crate) enum ChannelKind {
    /// An SMS gateway.
    Kannel(Kannel),
    /// A file to which messages are appended.
    File {
        /// Which; its folder exists.
        path: PathBuf,
    },
}

#[derive(Clone, Copy)]
enum Word {
    Kannel,
    File,
    Unbuilt,
}

/// Every kind that the interfaces name.
const KINDS: [(&str, Word); 10] = [
    ("kannel", Word::Kannel),
    ("aliyun", Word::Unbuilt),
    ("tencent", Word::Unbuilt),
    ("http", Word::Unbuilt),
    ("modem", Word::Unbuilt),
    ("smtp", Word::Unbuilt),
    ("wecom", Word::Unbuilt),
    ("dingtalk", Word::Unbuilt),
    ("webhook", Word::Unbuilt),
    ("file", Word::File),
];

/// What is the server's own, and no channel's to write to.
pub(super) struct Own<'p> {
    /// The folder of its data.
    pub(super) data_dir: Option<&'p Path>,
    /// The registry.
    pub(super) registry: Option<&'p Path>,
}

/// All channels by name, those excepted that have a fault.
pub(super) fn channels(
    tables: &[Table<'_>],
    folder: &Path,
    own: &Own<'_>,
) -> BTreeMap<ChannelId, ChannelKind> {
    let mut channels = BTreeMap::new();
    let mut files = BTreeSet::new();
    for table in tables {
        let name = table.parse::<ChannelId>("name").required();
        let kind = match table.one_of("kind", &KINDS).required() {
            Some(Word::Kannel) => Kannel::walk(table, folder).map(ChannelKind::Kannel),
            Some(Word::File) => {
                let path = path(table.text("path"), folder).required();
                if let Some(fault) = path.as_ref().and_then(|path| taken(path, own, &mut files)) {
                    table.fault("path", fault);
                }
                path.map(|path| ChannelKind::File { path })
            }
            Some(Word::Unbuilt) => {
                table.fault(
                    "kind",
                    "this kind of channel is not built yet; kannel and file are known",
                );
                table.ignore_rest();
                None
            }
            None => {
                table.ignore_rest();
                None
            }
        };
        let Some(name) = name else { continue };
        if channels.contains_key(&name) {
            table.fault("name", format!("another channel is called `{name}`"));
        }
        channels.insert(name, kind);
    }
    channels.into_iter().filter_map(|(name, kind)| Some((name, kind?))).collect()
}

/// Whose file it is already.
fn taken(path: &Path, own: &Own<'_>, files: &mut BTreeSet<PathBuf>) -> Option<&'static str> {
    if own.data_dir.is_some_and(|folder| path.starts_with(folder)) {
        Some("lies in data_dir, where the server's own files are")
    } else if own.registry.is_some_and(|file| file == path) {
        Some("is the registry file")
    } else if files.insert(path.to_owned()) {
        None
    } else {
        Some("is the file of another channel")
    }
}
