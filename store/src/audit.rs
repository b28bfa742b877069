//! What `verify` finds: the checks of the chain, and findings in words.

use std::{collections::BTreeMap, fmt};

use model::{
    ids::{AlarmId, GaugeId, NotificationId},
    time::Timestamp,
};

use crate::chain::{Entry, GENESIS, Hash, hash};

/// Something that is not as this program wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The chain is broken at this entry; those after it were not checked.
    Entry {
        /// Its position.
        position: i64,
        /// What is wrong with it.
        problem: String,
    },
    /// A head that was copied is not in the journal.
    Cut {
        /// The position of the copied head.
        copied: i64,
        /// The last entry that is there.
        last: i64,
    },
    /// The entry at a copied head is another one than was copied.
    Head {
        /// Its position.
        position: i64,
    },
    /// A stored payload that is not what was admitted.
    Batch {
        /// Its position.
        position: i64,
        /// What is wrong with it.
        problem: String,
    },
    /// A span that does not fit its payload.
    Span {
        /// Whose samples.
        gauge: GaugeId,
        /// The payload.
        batch: i64,
        /// What is wrong with it.
        problem: String,
    },
    /// A row of the feed that has not the spans that it brought.
    Feed {
        /// Its position.
        position: i64,
        /// What is wrong with it.
        problem: String,
    },
    /// A token or a user that is not as the entries say.
    Right {
        /// Which.
        who: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A verdict that is not as its entry says.
    Verdict {
        /// `STATION/SECTION`.
        section: String,
        /// The period's first moment.
        from: Timestamp,
        /// Its version.
        version: u32,
        /// What is wrong with it.
        problem: String,
    },
    /// A quarantined item that did not become what its entry says, or is not what was received.
    Item {
        /// Its number.
        id: i64,
        /// What is wrong with it.
        problem: String,
    },
    /// An alarm that is not as its entries say.
    Alarm {
        /// Which.
        alarm: AlarmId,
        /// What is wrong with it.
        problem: String,
    },
    /// A message that is not as its entries say.
    Message {
        /// Which.
        message: NotificationId,
        /// What is wrong with it.
        problem: String,
    },
    /// Rows that name what is not there.
    Loose {
        /// Which rows, and what they name.
        what: &'static str,
        /// How many.
        count: u64,
    },
    /// SQLite's own check of a file.
    File {
        /// Which file.
        file: &'static str,
        /// What SQLite says.
        problem: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { position, problem } => write!(f, "journal entry {position}: {problem}"),
            Self::Cut { copied, last } => write!(
                f,
                "the journal ends at entry {last}, but entry {copied} was there: its end is cut off"
            ),
            Self::Head { position } => {
                write!(f, "journal entry {position} is another one than was first written")
            }
            Self::Batch { position, problem } => write!(f, "batch {position}: {problem}"),
            Self::Span { gauge, batch, problem } => {
                write!(f, "gauge {gauge} in batch {batch}: {problem}")
            }
            Self::Feed { position, problem } => write!(f, "row {position} of the feed: {problem}"),
            Self::Right { who, problem } => write!(f, "{who}: {problem}"),
            Self::Verdict { section, from, version, problem } => {
                write!(f, "verdict of {section} from {from}, version {version}: {problem}")
            }
            Self::Item { id, problem } => write!(f, "item {id} of the quarantine: {problem}"),
            Self::Alarm { alarm, problem } => write!(f, "alarm {alarm}: {problem}"),
            Self::Message { message, problem } => write!(f, "message {message}: {problem}"),
            Self::Loose { what, count } => write!(f, "{count} {what}"),
            Self::File { file, problem } => write!(f, "{file}: {problem}"),
        }
    }
}

/// What was checked and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Journal entries whose hashes were computed again.
    pub entries: u64,
    /// Stored payloads whose digests were computed again.
    pub batches: u64,
    /// Spans whose points were read again.
    pub spans: u64,
    /// Versions of verdicts whose digests were computed again.
    pub verdicts: u64,
    /// Quarantined items that somebody decided about.
    pub items: u64,
    /// Garbage whose digest was computed again.
    pub garbage: u64,
    /// Tokens and users, valid or not, that were compared with their entries.
    pub rights: u64,
    /// Steps of alarms that entries tell, compared with their alarms.
    pub alarms: u64,
    /// Steps of messages that entries tell, compared with their messages.
    pub messages: u64,
    /// Whatever is wrong; empty where all is as it was written.
    pub findings: Vec<Finding>,
}

/// Walks the chain entry by entry, and meets the copied heads on the way.
#[derive(Debug)]
pub(crate) struct ChainCheck {
    last: i64,
    hash: Hash,
    heads: BTreeMap<i64, Hash>,
    is_broken: bool,
}

impl ChainCheck {
    /// Before the first entry, with the heads that were copied elsewhere.
    pub(crate) fn new(heads: BTreeMap<i64, Hash>) -> Self {
        Self { last: 0, hash: GENESIS, heads, is_broken: false }
    }

    /// The next entry of the journal.
    pub(crate) fn entry(&mut self, entry: &Entry) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !self.is_broken
            && let Err(problem) = self.follows(entry)
        {
            self.is_broken = true;
            findings.push(Finding::Entry { position: entry.position, problem });
        }
        if self.heads.get(&entry.position).is_some_and(|copied| *copied != entry.hash) {
            findings.push(Finding::Head { position: entry.position });
        }
        self.last = entry.position;
        self.hash = entry.hash;
        findings
    }

    fn follows(&self, entry: &Entry) -> Result<(), String> {
        if entry.position != self.last + 1 {
            return Err(format!("it follows entry {}: entries between are missing", self.last));
        }
        if hash(&self.hash, &entry.bytes) != entry.hash {
            return Err("its bytes, or those before it, are not what was hashed".to_owned());
        }
        let document = entry.document().map_err(|error| format!("not an entry: {error}"))?;
        if (document.v, document.position, document.at) != (1, entry.position, entry.at)
            || document.kind != entry.kind
        {
            return Err("its columns `at` and `kind` are not what its bytes say".to_owned());
        }
        Ok(())
    }

    /// After the last entry.
    pub(crate) fn end(&self) -> Option<Finding> {
        let (copied, _) = self.heads.last_key_value()?;
        (*copied > self.last).then_some(Finding::Cut { copied: *copied, last: self.last })
    }
}

#[cfg(test)]
mod tests {
    use model::ids::StoreId;

    use super::*;
    use crate::chain::{Body, By, ByKind};

    fn chain(length: i64) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for n in 0..length {
            let by = By { kind: ByKind::Server, name: "store".to_owned() };
            let body = Body::StoreCreated { store_id: StoreId(7), version: n.to_string() };
            let before = entries.last().map_or(GENESIS, |entry| entry.hash);
            let at = Timestamp::from_ms(n).unwrap();
            entries.push(Entry::following((n, &before), at, &by, &body).unwrap());
        }
        entries
    }

    fn check(entries: &[Entry], heads: &[&Entry]) -> String {
        let heads = heads.iter().map(|entry| (entry.position, entry.hash)).collect();
        let mut check = ChainCheck::new(heads);
        let mut findings: Vec<_> = entries.iter().flat_map(|entry| check.entry(entry)).collect();
        findings.extend(check.end());
        findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn an_untouched_chain_gives_no_findings() {
        let entries = chain(5);
        assert_eq!(check(&entries, &[&entries[0], &entries[4]]), "");
    }

    #[test]
    fn a_flipped_bit_is_found_where_it_is() {
        let mut entries = chain(5);
        entries[2].bytes[20] ^= 1;
        let found = check(&entries, &[]);
        assert!(found.starts_with("journal entry 3: its bytes"), "{found}");
        assert_eq!(found.lines().count(), 1);
    }

    #[test]
    fn an_entry_taken_out_or_exchanged_is_found() {
        let entries = chain(5);
        let mut out = entries.clone();
        out.remove(2);
        assert!(check(&out, &[]).starts_with("journal entry 4: it follows entry 2"));
        let mut swapped = entries.clone();
        swapped.swap(1, 2);
        swapped[1].position = 2;
        swapped[2].position = 3;
        assert!(check(&swapped, &[]).starts_with("journal entry 2: its bytes"));
    }

    #[test]
    fn a_cut_end_and_a_chain_written_anew_are_found_by_the_copied_heads() {
        let entries = chain(5);
        assert!(check(&entries[..4], &[&entries[4]]).contains("its end is cut off"));
        let mut anew = chain(3);
        let by = By { kind: ByKind::User, name: "x".to_owned() };
        let body = Body::StoreCreated { store_id: StoreId(8), version: String::new() };
        anew.push(Entry::following((3, &anew[2].hash), entries[3].at, &by, &body).unwrap());
        assert_eq!(check(&anew, &[]), "");
        assert!(check(&anew, &[&entries[3]]).contains("is another one"));
    }

    #[test]
    fn columns_that_say_other_than_the_bytes_are_found() {
        let mut entries = chain(2);
        entries[1].kind = "token_added".to_owned();
        assert!(check(&entries, &[]).contains("its columns"));
    }
}
