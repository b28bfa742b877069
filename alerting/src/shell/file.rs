//! Channel `file`: appends one line of JSON for each message to a file, for whatever reads it there,
//! and for sites that try alarms out before they wake people.
//!
//! A line is synced before the message counts as taken; one that finds no room is taken back, so
//! that what is there is whole lines. The file holds addresses and texts: it is made for the
//! server's own user alone. A file of [`MAX_BYTES`] becomes `FILE.1`, in place of an earlier one, so
//! that both hold at most twice as much.
//!
//! A disk that hangs hangs one thread, which is the channel's own and has one line at most in hand;
//! meanwhile the channel refuses for now. Nothing but a regular file is written to, and no symbolic
//! link is followed to one: a link would be renamed in its place.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
};

use model::port::Answer;
use runtime::{clock::Clock, tasks::Stage};
use rustix::fs::OFlags;
use serde::Serialize;
use tokio::sync::oneshot;

use super::channel::{Channel, ChannelError, Outgoing, Taken};

/// How long the file gets before another one is begun.
pub const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The channel.
#[derive(Debug)]
pub struct FileChannel {
    place: String,
    clock: Arc<dyn Clock>,
    lines: SyncSender<Job>,
    /// Whether the thread has a line in hand.
    is_busy: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Job {
    line: String,
    done: oneshot::Sender<io::Result<()>>,
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
    /// Appends to this file, which need not exist; its folder must. The thread ends with it.
    pub fn start(path: PathBuf, clock: Arc<dyn Clock>, stage: &Stage) -> io::Result<Self> {
        let place = format!("file `{}`", path.display());
        let (lines, jobs) = sync_channel(1);
        let is_busy = Arc::new(AtomicBool::new(false));
        let name = place.clone();
        let busy = Arc::clone(&is_busy);
        stage.spawn_thread(name, move || write(&path, &jobs, &busy))?;
        Ok(Self { place, clock, lines, is_busy })
    }

    fn failed(&self, source: Box<dyn std::error::Error + Send + Sync>) -> ChannelError {
        ChannelError::Reach { place: self.place.clone(), source }
    }

    async fn append(&self, message: &Outgoing) -> Result<Taken, ChannelError> {
        let line = Line {
            at: self.clock.now(),
            id: message.id.to_string(),
            attempt: message.attempt,
            to: message.to.as_str(),
            text: message.text.as_str(),
        };
        let mut line = serde_json::to_string(&line).map_err(|error| self.failed(error.into()))?;
        line.push('\n');
        let is_hanging = || ChannelError::ForNow {
            what: format!("{} has not taken an earlier line yet", self.place),
        };
        if self.is_busy.swap(true, Ordering::AcqRel) {
            return Err(is_hanging());
        }
        let (done, said) = oneshot::channel();
        match self.lines.try_send(Job { line, done }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(is_hanging()),
            Err(TrySendError::Disconnected(_)) => {
                return Err(self.failed("its thread has ended".into()));
            }
        }
        match said.await {
            Ok(Ok(())) => Ok(Taken::ForGood),
            Ok(Err(error)) => Err(self.failed(error.into())),
            Err(error) => Err(self.failed(error.into())),
        }
    }
}

impl Channel for FileChannel {
    fn hand_over<'a>(&'a self, message: &'a Outgoing) -> Answer<'a, Result<Taken, ChannelError>> {
        Box::pin(self.append(message))
    }

    fn places(&self) -> usize {
        1
    }
}

/// Writes lines until nobody can bring another.
fn write(path: &Path, jobs: &Receiver<Job>, is_busy: &AtomicBool) {
    while let Ok(Job { line, done }) = jobs.recv() {
        let written = append(path, line.as_bytes());
        is_busy.store(false, Ordering::Release);
        // nobody hears it where the attempt's time was up
        drop(done.send(written));
    }
}

/// Whether lines can be appended here, without doing it; for whoever looks before a message is owed.
pub fn look(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(known) => regular(&known),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = fs::metadata(folder.unwrap_or_else(|| Path::new(".")))?;
            if folder.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
        }
        Err(error) => Err(error),
    }
}

fn regular(known: &fs::Metadata) -> io::Result<()> {
    if known.is_file() {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no regular file"))
    }
}

fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut file = open(path)?;
    if file.metadata()?.len() >= MAX_BYTES {
        fs::rename(path, earlier(path))?;
        file = open(path)?;
    }
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if let Some(place) = length.checked_sub(1) {
        file.read_exact_at(&mut last, place)?;
    }
    // a line that somebody else, or a loss of power, left open is not made longer
    let begin: &[u8] = if last == [b'\n'] { b"" } else { b"\n" };
    append_to(&mut file, &[begin, line].concat(), length)
}

/// What appending asks of a file.
trait Disk: io::Write {
    fn sync(&self) -> io::Result<()>;
    fn cut(&self, length: u64) -> io::Result<()>;
}

impl Disk for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// Appends all of it, or nothing: half a line would swallow the next one.
fn append_to(file: &mut impl Disk, bytes: &[u8], length: u64) -> io::Result<()> {
    let written = file.write_all(bytes).and_then(|()| file.sync());
    match written {
        Ok(()) => Ok(()),
        Err(error) => {
            // what cannot be taken back is ended by the next line
            file.cut(length).and_then(|()| file.sync()).unwrap_or_default();
            Err(error)
        }
    }
}

/// What a file becomes when it is full.
pub fn earlier(path: &Path) -> PathBuf {
    let mut earlier = path.as_os_str().to_owned();
    earlier.push(".1");
    earlier.into()
}

/// Without waiting for whoever reads a pipe; what is there must be a regular file.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600).custom_flags(flags);
    let file = options.open(path)?;
    regular(&file.metadata()?)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, time::Duration};

    use model::{contact::Personal, ids::NotificationId, time::Timestamp};
    use runtime::{clock::ManualClock, tasks::Tasks};
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;
    use crate::shell::channel::Text;

    fn message(id: u128) -> Outgoing {
        let to = Personal::new("138\"0".to_owned());
        let text = Text::new("鹿鸣滩\n".to_owned());
        Outgoing { id: NotificationId(id), attempt: 1, to, text }
    }

    #[expect(clippy::unwrap_in_result, reason = "that there is a runtime is not what is tested")]
    fn hand_over(channel: &FileChannel, id: u128) -> Result<Taken, ChannelError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(channel.hand_over(&message(id)))
    }

    fn channel(path: PathBuf) -> FileChannel {
        let clock = ManualClock::at(Timestamp::clamped(1_795_660_320_000));
        let stage = Tasks::new().stage("alerting", Duration::from_secs(1));
        FileChannel::start(path, Arc::new(clock), &stage).unwrap()
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

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let link = folder.path().join("link");
        fs::write(folder.path().join("target"), "").unwrap();
        std::os::unix::fs::symlink(folder.path().join("target"), &link).unwrap();
        for path in [pipe, link, folder.path().to_owned(), "/dev/null".into()] {
            assert!(look(&path).is_err(), "{path:?}");
            let channel = channel(path);
            // as often as it is asked: no thread is left behind that waits for a reader
            for id in 0..3 {
                let error = hand_over(&channel, id).unwrap_err();
                assert_eq!(error.fault(), model::fault::Fault::Transient, "{error}");
            }
        }
        assert!(look(&folder.path().join("messages")).is_ok());
        assert!(look(&folder.path().join("none/messages")).is_err());
    }

    #[test]
    fn while_a_line_is_in_hand_another_is_refused_for_now() {
        let folder = tempfile::tempdir().unwrap();
        let channel = channel(folder.path().join("messages"));
        channel.is_busy.store(true, Ordering::Release); // as while its disk hangs
        let error = hand_over(&channel, 1).unwrap_err();
        assert!(matches!(error, ChannelError::ForNow { .. }), "{error}");
        channel.is_busy.store(false, Ordering::Release);
        hand_over(&channel, 1).unwrap();
    }

    #[test]
    fn a_line_that_was_left_open_is_ended_and_one_that_finds_no_room_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages");
        fs::write(&path, "{\"at\":\"2026").unwrap();
        hand_over(&channel(path.clone()), 1).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().map(|line| line.ends_with('}')).collect::<Vec<_>>(), [false, true]);
        let length = fs::metadata(&path).unwrap().len();
        // a whole line and a bit: what is written of it must not stay
        let file = open(&path).unwrap();
        let written = append_to(&mut Full { file, left: 7 }, b"a line that is longer\n", length);
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::metadata(&path).unwrap().len(), length);
    }

    /// A file on a disk with room for so many bytes.
    struct Full {
        file: File,
        left: usize,
    }

    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.left);
            self.left -= taken;
            if taken == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.file.write(&bytes[..taken])
        }

        fn flush(&mut self) -> io::Result<()> {
            self.file.flush()
        }
    }

    impl Disk for Full {
        fn sync(&self) -> io::Result<()> {
            Ok(())
        }

        fn cut(&self, length: u64) -> io::Result<()> {
            self.file.set_len(length)
        }
    }
}
