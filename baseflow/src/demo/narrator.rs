//! Lets the stories go on, and tells of them and of the messages that follow, a line each.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use model::time::{Timestamp, Zone};
use runtime::{clock::Clock, tasks::Stage};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    greeting::clock_time,
    river,
    story::{Plot, STORIES, Story},
};
use crate::output::say;

/// Between two looks at the time and at the messages.
const PERIOD: Duration = Duration::from_millis(500);
/// Of the messages' file that is read at once; what is more is told by the next look.
const MOST_BYTES: u64 = 64 << 10;

/// Waits to be asked to begin.
#[derive(Debug)]
pub(super) struct Narrator {
    stage: Stage,
    tale: Tale,
}

#[derive(Debug)]
struct Tale {
    clock: Arc<dyn Clock>,
    zone: Zone,
    is_cut: watch::Sender<bool>,
    messages: Messages,
    going_on: [bool; STORIES.len()],
}

impl Narrator {
    /// That has told nothing yet.
    pub(super) fn new(
        (clock, zone): (Arc<dyn Clock>, Zone),
        messages: PathBuf,
        is_cut: watch::Sender<bool>,
        stage: Stage,
    ) -> Self {
        let messages = Messages::after(messages);
        let going_on = [false; STORIES.len()];
        Self { stage, tale: Tale { clock, zone, is_cut, messages, going_on } }
    }

    /// Tells what happens from `start` on, until its stage stops.
    pub(super) fn begin(self, start: Timestamp) {
        let (stop, tale) = (self.stage.stopping(), self.tale);
        self.stage.spawn("stories", tale.go_on(start, stop));
    }
}

impl Tale {
    async fn go_on(mut self, start: Timestamp, stop: CancellationToken) {
        loop {
            self.look(start);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }

    fn look(&mut self, start: Timestamp) {
        let now = self.clock.now();
        for (story, was_going_on) in STORIES.iter().zip(&mut self.going_on) {
            let is_going_on = story.going_on_since(now.ms_since(start)).is_some();
            if std::mem::replace(was_going_on, is_going_on) == is_going_on {
                continue;
            }
            if story.plot == Plot::LosesLink {
                self.is_cut.send_replace(is_going_on);
            }
            tell(&self.zone, now, &words(story, is_going_on));
        }
        // one that cannot be read is on the page all the same
        for message in self.messages.untold().unwrap_or_default() {
            tell(&self.zone, now, &format!("短信 SMS {}: {}", message.to, message.text));
        }
    }
}

/// Where nobody reads it, there is nobody to tell.
fn tell(zone: &Zone, now: Timestamp, words: &str) {
    if say(&format!("{}  {words}", clock_time(now, zone))).is_err() {}
}

fn words(story: &Story, begins: bool) -> String {
    let site = river::site(story.site);
    let name = site.map_or("", |site| site.name);
    let (zh, en) = match (story.plot, begins) {
        (Plot::Falls, true) => ("下泄流量降到核定值以下", "falls below its mandate"),
        (Plot::Falls, false) => ("下泄流量恢复", "recovers"),
        (Plot::LosesLink, true) => {
            ("与服务器的连接中断，读数存在网关上", "loses its link; its gateway keeps the readings")
        }
        (Plot::LosesLink, false) => {
            ("连接恢复，补传读数", "has its link again and sends what it kept")
        }
        (Plot::Sticks, true) => ("流量计读数卡住不动", "has a meter that sticks"),
        (Plot::Sticks, false) => ("流量计恢复正常", "has a meter that moves again"),
    };
    format!("{name}{zh}  {name} {en}")
}

/// The file of messages, of which each line is told once.
#[derive(Debug)]
struct Messages {
    file: PathBuf,
    told: u64,
}

#[derive(Debug, Deserialize)]
struct Message {
    to: String,
    text: String,
}

impl Messages {
    /// Those that come from here on.
    fn after(file: PathBuf) -> Self {
        let told = length(&file);
        Self { file, told }
    }

    /// Those that have come.
    fn untold(&mut self) -> io::Result<Vec<Message>> {
        let length = length(&self.file);
        if length < self.told {
            self.told = 0; // it was full, and is another one
        }
        if length == self.told {
            return Ok(Vec::new());
        }
        let mut file = File::open(&self.file)?;
        file.seek(SeekFrom::Start(self.told))?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes)?;
        // the last line may be half written, or half read, within a character even
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let is_endless = end == 0 && u64::try_from(bytes.len()) == Ok(MOST_BYTES);
        let told = if is_endless { bytes.len() } else { end };
        self.told += u64::try_from(told).unwrap_or(0);
        let lines = bytes.get(..end).unwrap_or_default().split(|byte| *byte == b'\n');
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }
}

fn length(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |found| found.len())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn each_message_is_told_once_and_none_before_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.jsonl");
        let mut file = File::create(&path).unwrap();
        writeln!(file, r#"{{"to":"1","text":"before"}}"#).unwrap();
        let mut messages = Messages::after(path);
        let texts = |messages: &mut Messages| -> Vec<String> {
            messages.untold().unwrap().into_iter().map(|message| message.text).collect()
        };
        assert!(texts(&mut messages).is_empty());
        write!(file, r#"{{"at":"x","to":"1","text":"first"}}"#).unwrap();
        assert!(texts(&mut messages).is_empty());
        write!(file, "\n{{\"to\":\"1\",\"text\":\"second\"}}\n").unwrap();
        assert_eq!(texts(&mut messages), ["first", "second"]);
        assert!(texts(&mut messages).is_empty());
    }

    #[test]
    fn more_than_is_read_at_once_is_told_by_the_next_looks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.jsonl");
        let mut messages = Messages::after(path.clone());
        let mut file = File::create(&path).unwrap();
        // three bytes a character: a look ends within one
        for _ in 0..300 {
            writeln!(file, r#"{{"to":"1","text":"{}"}}"#, "流".repeat(333)).unwrap();
        }
        let mut told = 0;
        for _ in 0..20 {
            told += messages.untold().unwrap().len();
        }
        assert_eq!(told, 300);
    }
}
