//! `[[channel]]`: ways to reach people, checked though nothing uses them yet.

use std::{collections::BTreeSet, path::Path};

use model::{ids::ChannelId, tree::Table};

use super::{filled, later::checked, secret, url};

/// Every kind that the interfaces name, and whether this version knows its keys.
const KINDS: [(&str, bool); 10] = [
    ("kannel", true),
    ("aliyun", false),
    ("tencent", false),
    ("http", false),
    ("modem", false),
    ("smtp", false),
    ("wecom", false),
    ("dingtalk", false),
    ("webhook", false),
    ("file", false),
];

/// The names of all channels that have one.
pub(super) fn channels(tables: &[Table<'_>], folder: &Path) -> BTreeSet<ChannelId> {
    let mut names = BTreeSet::new();
    for table in tables {
        let name = table.parse::<ChannelId>("name").required();
        match table.one_of("kind", &KINDS).required() {
            Some(true) => kannel(table, folder),
            Some(false) => {
                table.fault("kind", "this kind of channel is not built yet; only kannel is known");
                table.ignore_rest();
            }
            None => table.ignore_rest(),
        }
        let Some(name) = name else { continue };
        let again = format!("another channel is called `{name}`");
        if !names.insert(name) {
            table.fault("name", again);
        }
    }
    names
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
