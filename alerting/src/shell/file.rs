//! Channel `file`: appends one line of JSON for each message to a file, for whatever reads it there,
//! and for sites that try alarms out before they wake people.
//!
//! A line is synced before the message counts as taken. The file holds addresses and texts: it is
//! made for the server's own user alone. A file of [`MAX_BYTES`] becomes `FILE.1`, in place of an
//! earlier one, so that both hold at most twice as much.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use model::port::Answer;
use runtime::clock::Clock;
use serde::Serialize;

use super::channel::{Channel, ChannelError, Outgoing, Taken};

/// How long the file gets before another one is begun.
pub const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The channel.
#[derive(Debug)]
pub struct FileChannel {
    path: Arc<PathBuf>,
    clock: Arc<dyn Clock>,
    /// One line at a time.
    turn: Arc<Mutex<()>>,
}

/// A line as it stands there.
#[derive(Serialize)]
struct Line<'a> {
    at: model::time::Timestamp,
    id: String,
    attempt: u32,
    to: &'a str,
    text: &'a str,
}

impl FileChannel {
    /// Appends to this file, which need not exist; its folder must.
    pub fn new(path: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { path: Arc::new(path), clock, turn: Arc::default() }
    }
}

impl Channel for FileChannel {
    fn hand_over<'a>(&'a self, message: &'a Outgoing) -> Answer<'a, Result<Taken, ChannelError>> {
        let line = Line {
            at: self.clock.now(),
            id: message.id.to_string(),
            attempt: message.attempt,
            to: message.to.as_str(),
            text: message.text.as_str(),
        };
        let line = serde_json::to_string(&line);
        let (path, turn) = (Arc::clone(&self.path), Arc::clone(&self.turn));
        Box::pin(async move {
            let place = path.display().to_string();
            let failed = |source: Box<dyn std::error::Error + Send + Sync>| ChannelError::Reach {
                place: format!("file `{place}`"),
                source,
            };
            let mut line = line.map_err(|error| failed(error.into()))?;
            line.push('\n');
            let appended = tokio::task::spawn_blocking(move || {
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                append(&path, line.as_bytes())
            });
            match appended.await {
                Ok(Ok(())) => Ok(Taken::ForGood),
                Ok(Err(error)) => Err(failed(error.into())),
                Err(error) => Err(failed(error.into())),
            }
        })
    }
}

fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    let length = match fs::metadata(path) {
        Ok(known) => known.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    if length >= MAX_BYTES {
        let mut earlier = path.as_os_str().to_owned();
        earlier.push(".1");
        fs::rename(path, earlier)?;
    }
    let mut file: File = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(line)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use model::{contact::Personal, ids::NotificationId, time::Timestamp};
    use runtime::clock::ManualClock;

    use super::*;
    use crate::shell::channel::Text;

    #[expect(clippy::unwrap_in_result, reason = "that there is a runtime is not what is tested")]
    fn hand_over(channel: &FileChannel, id: u128) -> Result<Taken, ChannelError> {
        let to = Personal::new("138\"0".to_owned());
        let text = Text::new("鹿鸣滩\n".to_owned());
        let message = Outgoing { id: NotificationId(id), attempt: 1, to, text };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(channel.hand_over(&message))
    }

    fn channel(path: PathBuf) -> FileChannel {
        FileChannel::new(path, Arc::new(ManualClock::at(Timestamp::clamped(1_795_660_320_000))))
    }

    #[test]
    fn a_message_is_a_line_that_its_owner_alone_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages");
        let channel = channel(path.clone());
        assert_eq!(hand_over(&channel, 1).unwrap(), Taken::ForGood);
        assert_eq!(hand_over(&channel, 2).unwrap(), Taken::ForGood);
        let text = fs::read_to_string(&path).unwrap();
        let first = r#"{"at":"2026-11-26T02:32:00Z","id":"00000000000000000000000000000001","attempt":1,"to":"138\"0","text":"鹿鸣滩\n"}"#;
        assert_eq!(text.lines().next(), Some(first));
        assert_eq!(text.lines().count(), 2);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_long_file_makes_room_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages");
        File::create(&path).unwrap().set_len(MAX_BYTES).unwrap();
        hand_over(&channel(path.clone()), 1).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        assert_eq!(fs::metadata(folder.path().join("messages.1")).unwrap().len(), MAX_BYTES);
    }

    #[test]
    fn a_folder_that_is_not_there_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let error = hand_over(&channel(folder.path().join("none/messages")), 1).unwrap_err();
        assert_eq!(error.fault(), model::fault::Fault::Transient);
    }
}
