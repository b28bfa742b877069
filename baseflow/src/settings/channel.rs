//! `[[channel]]`: ways to reach people.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use model::{ids::ChannelId, tree::Table};

use super::{filled, later::checked, path, secret, url};

/// What a channel is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChannelKind {
    /// An SMS gateway; checked, and not built yet.
    Kannel,
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

/// All channels that have a name and no fault.
pub(super) fn channels(tables: &[Table<'_>], folder: &Path) -> BTreeMap<ChannelId, ChannelKind> {
    let mut channels = BTreeMap::new();
    for table in tables {
        let name = table.parse::<ChannelId>("name").required();
        let kind = match table.one_of("kind", &KINDS).required() {
            Some(Word::Kannel) => {
                kannel(table, folder);
                Some(ChannelKind::Kannel)
            }
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
        let (Some(name), kind) = (name, kind.unwrap_or(ChannelKind::Kannel)) else { continue };
        let again = format!("another channel is called `{name}`");
        if channels.insert(name, kind).is_some() {
            table.fault("name", again);
        }
    }
    channels
}

/// An SMS gateway with the interface of Kannel's `sendsms`.
fn kannel(table: &Table<'_>, folder: &Path) {
    checked(url(table.text("url")).required());
    checked(table.text("username").required());
    let plain = filled(table.text("password").optional());
    let file = filled(table.text("password_file").optional());
    match (plain, file) {
        (None, None) => table.fault("password_file", "missing; or write `password`"),
        (Some(_), Some(_)) => table.fault("password", "`password_file` is written too; keep one"),
        (Some(_), None) => {}
        (None, file) => checked(secret(table, "password_file", file, folder)),
    }
    checked(table.text("from").optional());
    checked(table.boolean("receipts").optional());
}
