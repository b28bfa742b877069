//! `[[channel]]`: ways to reach people.

mod kannel;
mod taken;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
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
}

/// The kinds that there are.
const KINDS: &str = "kannel and file";
/// Kinds that the interfaces name, and that are not there yet.
const UNBUILT: [&str; 8] =
    ["aliyun", "tencent", "http", "modem", "smtp", "wecom", "dingtalk", "webhook"];

impl FromStr for Word {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "kannel" => Ok(Self::Kannel),
            "file" => Ok(Self::File),
            unbuilt if UNBUILT.contains(&unbuilt) => {
                Err(format!("this kind of channel is not built yet; {KINDS} are known"))
            }
            unknown => Err(format!("`{unknown}` is no kind of channel; {KINDS} are known")),
        }
    }
}

/// What is the server's own, and no channel's to write to.
pub(super) struct Own {
    /// The folder of its data.
    pub(super) data_dir: Option<PathBuf>,
    /// Files that it reads, and what each is.
    pub(super) files: Vec<(PathBuf, &'static str)>,
}

/// All channels by name, those excepted that have a fault.
pub(super) fn channels(
    tables: &[Table<'_>],
    folder: &Path,
    mut own: Own,
) -> BTreeMap<ChannelId, ChannelKind> {
    let mut channels = BTreeMap::new();
    let mut files: Vec<(&Table<'_>, PathBuf)> = Vec::new();
    for table in tables {
        let name = table.parse::<ChannelId>("name").required();
        let kind = kind(table, folder, &mut own);
        if let Some(ChannelKind::File { path }) = &kind {
            files.push((table, path.clone()));
        }
        let Some(name) = name else { continue };
        if channels.contains_key(&name) {
            table.fault("name", format!("another channel is called `{name}`"));
        }
        channels.insert(name, kind);
    }
    for (place, (table, path)) in files.iter().enumerate() {
        let others = files.iter().take(place).map(|(_, other)| other.as_path());
        if let Some(fault) = taken::fault(path, &own, &others.collect::<Vec<_>>()) {
            table.fault("path", fault);
        }
    }
    channels.into_iter().filter_map(|(name, kind)| Some((name, kind?))).collect()
}

fn kind(table: &Table<'_>, folder: &Path, own: &mut Own) -> Option<ChannelKind> {
    match table.parse("kind").required() {
        Some(Word::Kannel) => {
            let (kannel, read) = Kannel::walk(table, folder);
            own.files
                .extend(read.into_iter().map(|file| (file, "a file that another channel reads")));
            kannel.map(ChannelKind::Kannel)
        }
        Some(Word::File) => {
            let path = path(table.text("path"), folder).required();
            path.map(|path| ChannelKind::File { path })
        }
        None => {
            table.ignore_rest();
            None
        }
    }
}
