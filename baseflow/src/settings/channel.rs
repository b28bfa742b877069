//! `[[channel]]`: ways to reach people.

mod kannel;

use std::{
    collections::BTreeMap,
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

/// All channels by name, those excepted that have a fault.
pub(super) fn channels(tables: &[Table<'_>], folder: &Path) -> BTreeMap<ChannelId, ChannelKind> {
    let mut channels = BTreeMap::new();
    for table in tables {
        let name = table.parse::<ChannelId>("name").required();
        let kind = match table.one_of("kind", &KINDS).required() {
            Some(Word::Kannel) => Kannel::walk(table, folder).map(ChannelKind::Kannel),
            Some(Word::File) => {
                let path = path(table.text("path"), folder).required();
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
