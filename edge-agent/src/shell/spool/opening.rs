//! How a spool is opened: what is on disk becomes what is in memory, and what a crash or damage
//! left behind is put right.

use std::collections::VecDeque;

use model::{
    batch::Previous,
    fault::{Chain, Fault},
    ids::Epoch,
    wire::batch_v1,
};
use runtime::telemetry::Repeats;
use rusqlite::Connection;
use tracing::{error, info};

use super::{
    Happening, Moment, SpoolError,
    ballast::Ballast,
    doubt::Doubts,
    file::{self, Lock, meta, previous_of, set_meta, set_previous},
    owed::Owed,
    room::{self, Shelf},
    salvage::{Heir, Wreck},
    takeover,
    writer::{Settings, Spool, Waiting},
};
use crate::{batcher, ledger::Range, metrics::Metrics};

impl Spool {
    /// Opens the spool, or makes one; what a crash left open is closed. Of a damaged file a new one
    /// is made with all that can be read of it.
    pub fn open(settings: Settings, metrics: Metrics, now: Moment) -> Result<Self, SpoolError> {
        let lock = Lock::take(&settings.path, &settings.agent)?;
        let mut ballast = Ballast::beside(&settings.path);
        takeover::resume(&settings.path)?;
        let mut opened = file::open(&settings.path);
        if opened.as_ref().is_err_and(|error| error.fault() == Fault::Transient)
            && ballast.give_back()
        {
            opened = file::open(&settings.path);
        }
        let mut damage = None;
        let database = match opened {
            Err(error) if error.is_damage() => {
                damage = Some(error);
                no_file()?
            }
            opened => opened?,
        };
        let mut spool = Self {
            ballast,
            settings,
            database,
            _lock: lock,
            metrics,
            wreck: None,
            epoch: Epoch(0),
            next_sequence: 1,
            previous: None,
            store_id: None,
            shelves: Vec::new(),
            last_row: 0,
            ran_base_ms: 0,
            waiting: VecDeque::new(),
            lost: Vec::new(),
            owed: Owed::default(),
            doubts: Doubts::default(),
            overwritten: 0,
            is_anchor_owed: false,
            happenings: Vec::new(),
            told: Repeats::default(),
        };
        if damage.is_none() {
            damage = match spool.load_all(now) {
                Err(error) if error.is_damage() => Some(error),
                loaded => loaded.map(|()| None)?,
            };
        }
        if let Some(error) = damage {
            spool.open_damaged(&error, now)?;
        }
        spool.settle(now);
        let held = spool.queued();
        // the batches that were just closed are among them
        spool.happenings = vec![Happening::Held(held)];
        Ok(spool)
    }

    fn open_damaged(&mut self, error: &SpoolError, now: Moment) -> Result<(), SpoolError> {
        self.database = no_file()?;
        self.waiting.clear();
        let wreck = Wreck::read(&self.settings.path);
        self.check_owner(wreck.owner.clone())?;
        self.give_up(error, wreck)?;
        if self.mend(now).is_err_and(|error| error.fault() == Fault::Transient) {
            self.ballast.give_back();
        }
        self.mend(now)?;
        self.load_all(now)
    }

    /// Damage was met while running: what is in memory counts more than what can be read.
    pub(super) fn give_up_running(&mut self, error: &SpoolError) -> Result<(), SpoolError> {
        let queued = self.shelves.iter().map(|shelf| (shelf.epoch, shelf.queued.clone())).collect();
        let unanchored = self.is_anchor_owed.then(|| self.settings.boot_id.to_string());
        let wreck = Wreck {
            owner: Some(self.settings.agent.to_string()),
            epoch: Some(self.epoch),
            next_sequence: Some(self.next_sequence),
            previous: self.previous,
            store_id: self.store_id,
            overwritten: self.overwritten,
            unanchored,
            queued: Some(queued),
            aside: None,
        };
        self.give_up(error, wreck)
    }

    fn give_up(&mut self, error: &SpoolError, wreck: Wreck) -> Result<(), SpoolError> {
        error!(error = %Chain(error), "spool is damaged, a new one is made of what can be read");
        self.metrics.spool_damaged.inc();
        // the file must not be written to once it is renamed
        self.database = no_file()?;
        self.wreck = Some(wreck);
        Ok(())
    }

    /// Where the file was given up: puts a new one in its place. Whichever step fails, the next
    /// call goes on from there, and what is in memory stays there.
    pub(super) fn mend(&mut self, now: Moment) -> Result<(), SpoolError> {
        let Some(mut wreck) = self.wreck.take() else { return Ok(()) };
        let mended = self.replace(&mut wreck, now);
        if mended.is_err() {
            self.wreck = Some(wreck);
        }
        mended
    }

    fn replace(&mut self, wreck: &mut Wreck, now: Moment) -> Result<(), SpoolError> {
        let path = self.settings.path.clone();
        if wreck.aside.is_none() {
            if !takeover::is_whole(&file::beside(&path, ".new")) {
                let epoch = new_epoch()?;
                let heir = Heir {
                    agent: &self.settings.agent,
                    epoch,
                    finding: self.finding(now),
                    lost: &self.lost,
                };
                let also = |database: &Connection| self.owed.write(database, &self.doubts);
                wreck.rebuild(&path, &heir, also)?;
                self.lost.clear();
                self.owed.clear();
            }
            wreck.aside = Some(takeover::put_in_place(&path)?);
        }
        self.database = file::open(&path)?;
        let fail = |source| SpoolError::Work { attempt: "read the new spool", source };
        let held = std::mem::take(&mut self.shelves);
        let loaded = self
            .load_identity()
            .and_then(|()| self.load_anchor_debt())
            .and_then(|()| self.load_shelves());
        if let Err(source) = loaded {
            self.shelves = held;
            return Err(fail(source));
        }
        let kept: u64 = self.shelves.iter().map(|shelf| shelf.held.count()).sum();
        let aside = wreck.aside.as_deref().map(|aside| aside.display().to_string());
        info!(epoch = %self.epoch, kept, aside, "a new spool is begun");
        for shelf in held {
            let mut gone = shelf.held;
            let now_held = self.shelves.iter().filter(|now| now.epoch == shelf.epoch);
            now_held.flat_map(|now| now.held.ranges()).for_each(|range| gone.remove(range));
            self.happenings.extend(gone.ranges().map(|range| Happening::Gone(shelf.epoch, range)));
        }
        Ok(())
    }

    /// The current epoch ends, another one begins with sequence 1.
    pub(super) fn begin_epoch(&mut self, now: Moment) -> Result<(), SpoolError> {
        let epoch = new_epoch()?;
        let previous = previous_of(self.epoch, self.next_sequence).or(self.previous);
        self.attempt("begin an epoch", now, |spool| {
            let transaction = spool.database.unchecked_transaction()?;
            set_meta(&transaction, "agent", spool.settings.agent.as_str())?;
            set_meta(&transaction, "epoch", &epoch.to_string())?;
            set_meta(&transaction, "next_sequence", "1")?;
            set_previous(&transaction, previous)?;
            transaction.commit()
        })?;
        info!(%epoch, "epoch begins");
        (self.epoch, self.next_sequence, self.previous) = (epoch, 1, previous);
        Ok(())
    }

    /// Reads everything but the batches themselves; a new file gets its first epoch.
    fn load_all(&mut self, now: Moment) -> Result<(), SpoolError> {
        let fail = |source| SpoolError::Work { attempt: "read the spool", source };
        self.check_owner(meta(&self.database, "agent").map_err(fail)?)?;
        self.load_identity().map_err(fail)?;
        if self.epoch == Epoch(0) {
            self.begin_epoch(now)?;
        }
        self.store_id = self.number("store_id").map_err(fail)?;
        self.overwritten = self.number("overwritten").map_err(fail)?.unwrap_or(self.overwritten);
        self.load_anchor_debt().map_err(fail)?;
        self.load_shelves().map_err(fail)?;
        let sql = "SELECT ran_ms FROM batch ORDER BY rowid DESC LIMIT 1";
        let ran_ms = self.database.query_row(sql, [], |row| row.get::<_, i64>(0));
        self.ran_base_ms = ran_ms.unwrap_or(0).saturating_sub(now.boot_ms);
        self.restore_open(now).map_err(fail)
    }

    /// Under which name the next batch goes; epoch 0 where the file is new.
    fn load_identity(&mut self) -> rusqlite::Result<()> {
        self.epoch = self.number("epoch")?.unwrap_or(Epoch(0));
        self.next_sequence = self.number("next_sequence")?.unwrap_or(1);
        let (epoch, last) = (self.number("previous_epoch")?, self.number("previous_sequence")?);
        let previous = epoch.zip(last);
        self.previous = previous.map(|(epoch, last_sequence)| Previous { epoch, last_sequence });
        Ok(())
    }

    /// Whether something counts from this start and no anchor places it yet.
    fn load_anchor_debt(&mut self) -> rusqlite::Result<()> {
        let unanchored = meta(&self.database, "unanchored")?;
        self.is_anchor_owed = unanchored == Some(self.settings.boot_id.to_string());
        Ok(())
    }

    fn check_owner(&self, owner: Option<String>) -> Result<(), SpoolError> {
        match owner.filter(|owner| owner != self.settings.agent.as_str()) {
            Some(owner) => Err(SpoolError::Foreign { path: self.settings.path.clone(), owner }),
            None => Ok(()),
        }
    }

    /// Which batches there are, and which of them no notice of this store has named.
    pub(super) fn load_shelves(&mut self) -> rusqlite::Result<()> {
        let mut shelves: Vec<(i64, Shelf)> = Vec::new();
        {
            let sql = "SELECT epoch, sequence, rowid FROM batch ORDER BY epoch, sequence";
            let mut statement = self.database.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let epoch = Epoch(row.get::<_, i64>(0)?.cast_unsigned());
                let sequence = row.get::<_, i64>(1)?.cast_unsigned();
                if shelves.last().is_none_or(|(_, shelf)| shelf.epoch != epoch) {
                    shelves.push((row.get(2)?, Shelf::new(epoch)));
                }
                if let Some((_, shelf)) = shelves.last_mut() {
                    shelf.held.insert((sequence, sequence));
                }
            }
        }
        for (_, shelf) in &mut shelves {
            shelf.queued = shelf.held.clone();
        }
        {
            let sql = "SELECT epoch, first_sequence, last_sequence FROM committed";
            let mut statement = self.database.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let epoch = Epoch(row.get::<_, i64>(0)?.cast_unsigned());
                let first = row.get::<_, i64>(1)?.cast_unsigned();
                let last = row.get::<_, i64>(2)?.cast_unsigned();
                for (_, shelf) in shelves.iter_mut().filter(|(_, shelf)| shelf.epoch == epoch) {
                    shelf.queued.remove((first, last));
                }
            }
        }
        shelves.sort_by_key(|(first_row, _)| *first_row);
        self.shelves = shelves.into_iter().map(|(_, shelf)| shelf).collect();
        Ok(())
    }

    /// What is queued, oldest epoch first.
    pub(super) fn queued(&self) -> Vec<(Epoch, Vec<Range>)> {
        self.shelves.iter().map(|shelf| (shelf.epoch, shelf.queued.ranges().collect())).collect()
    }

    /// The rows of the open batch that a crash left behind wait to be closed.
    fn restore_open(&mut self, now: Moment) -> rusqlite::Result<()> {
        let mut rows = Vec::new();
        let mut bad = Vec::new();
        {
            let mut statement =
                self.database.prepare("SELECT id, columns FROM reading ORDER BY id")?;
            let mut found = statement.query([])?;
            while let Some(row) = found.next()? {
                let (id, bytes): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
                self.last_row = id;
                match batch_v1::decode(&bytes) {
                    Ok((batch, _)) => rows.push((id, batch)),
                    Err(error) => {
                        error!(error = %Chain(&error), row = id, "readings in spool are damaged and set aside");
                        bad.push((id, bytes));
                    }
                }
            }
        }
        for (id, bytes) in bad {
            let transaction = self.database.unchecked_transaction()?;
            file::keep_aside(&transaction, "reading", &bytes)?;
            transaction.execute("DELETE FROM reading WHERE id = ?1", [id])?;
            let at = (self.next_sequence, self.next_sequence);
            let gap = self.finding(now).gap(self.epoch, at);
            let owes_anchor = room::owe_anchor(&transaction, &gap)?;
            room::add_gap(&transaction, gap)?;
            transaction.commit()?;
            self.is_anchor_owed |= owes_anchor;
            self.metrics.spool_set_aside.inc();
        }
        for (last_row, draft) in batcher::restore(rows) {
            self.waiting.push_back(Waiting { draft, last_row });
        }
        Ok(())
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> rusqlite::Result<Option<T>> {
        Ok(meta(&self.database, key)?.and_then(|text| text.parse().ok()))
    }
}

/// In place of a file that is given up: whatever is tried on it fails.
fn no_file() -> Result<Connection, SpoolError> {
    let fail = |source| SpoolError::Work { attempt: "close a damaged spool", source };
    Connection::open_in_memory().map_err(fail)
}

fn new_epoch() -> Result<Epoch, SpoolError> {
    getrandom::u64().map(Epoch).map_err(|source| SpoolError::Random { source })
}
