//! How a spool is opened: what is on disk becomes what is in memory, and what a crash or damage
//! left behind is put right.

use std::collections::VecDeque;

use model::{
    batch::{Gap, GapReason, Previous},
    fault::Chain,
    ids::{Epoch, Sequence},
    wire::batch_v1,
};
use runtime::telemetry::Repeats;
use rusqlite::Connection;
use tracing::{error, info};

use super::{
    Happening, Moment, SpoolError,
    ballast::Ballast,
    file::{self, Lock, Remains, meta, set_meta},
    room::{self, Life},
    writer::{Settings, Spool, Waiting},
};
use crate::{batcher, ledger::Range, metrics::Metrics};

impl Spool {
    /// Opens the spool, or makes one; what a crash left open is closed. A damaged file is set
    /// aside and a new spool is begun.
    pub fn open(settings: Settings, metrics: Metrics, now: Moment) -> Result<Self, SpoolError> {
        let lock = Lock::take(&settings.path, &settings.agent)?;
        let mut damage = None;
        let database = match file::open(&settings.path) {
            Err(error) if error.is_damage() => {
                damage = Some(set_aside(&settings, &error, &metrics)?);
                file::open(&settings.path)?
            }
            opened => opened?,
        };
        let mut spool = Self {
            ballast: Ballast::beside(&settings.path),
            settings,
            database,
            _lock: lock,
            metrics,
            epoch: Epoch(0),
            next_sequence: 1,
            previous: None,
            store_id: None,
            lives: Vec::new(),
            last_row: 0,
            ran_base_ms: 0,
            waiting: VecDeque::new(),
            lost: Vec::new(),
            overwritten: 0,
            is_anchor_owed: false,
            happenings: Vec::new(),
            told: Repeats::default(),
        };
        match spool.load_all(now) {
            Err(error) if error.is_damage() => {
                damage = Some(spool.replace_file(&error)?);
                spool.load_all(now)?;
            }
            loaded => loaded?,
        }
        if let Some(remains) = damage {
            spool.tell_damage(remains, now)?;
        }
        spool.settle(now);
        let held = spool.queued();
        // the batches that were just closed are among them
        spool.happenings = vec![Happening::Held(held)];
        Ok(spool)
    }

    /// Damage was met while running: the file is set aside and a new spool is begun. What is open
    /// is in the batcher's memory and goes into the new one.
    pub(super) fn begin_anew(&mut self, error: &SpoolError, now: Moment) -> Result<(), SpoolError> {
        let lives = std::mem::take(&mut self.lives);
        let (epoch, next_sequence) = (self.epoch, self.next_sequence);
        self.replace_file(error)?;
        let waiting = std::mem::take(&mut self.waiting);
        self.load_all(now)?;
        self.waiting = waiting;
        self.previous = previous_of(epoch, next_sequence).or(self.previous);
        self.save_previous()?;
        for life in &lives {
            for range in life.queued.ranges() {
                self.lost.push(self.damage_gap(life.epoch, range, now));
            }
            self.happenings
                .extend(life.held.ranges().map(|range| Happening::Gone(life.epoch, range)));
        }
        Ok(())
    }

    /// The current epoch ends, another one begins with sequence 1.
    pub(super) fn begin_epoch(&mut self, now: Moment) -> Result<(), SpoolError> {
        let epoch = Epoch(getrandom::u64().map_err(|source| SpoolError::Random { source })?);
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
        let owner = meta(&self.database, "agent").map_err(fail)?;
        if let Some(owner) = owner.filter(|owner| owner != self.settings.agent.as_str()) {
            return Err(SpoolError::Foreign { path: self.settings.path.clone(), owner });
        }
        let epoch = self.number("epoch").map_err(fail)?;
        match epoch {
            None => {
                (self.epoch, self.next_sequence) = (Epoch(0), 1);
                self.begin_epoch(now)?;
            }
            Some(epoch) => {
                self.epoch = epoch;
                self.next_sequence = self.number("next_sequence").map_err(fail)?.unwrap_or(1);
                let epoch = self.number("previous_epoch").map_err(fail)?;
                let last = self.number("previous_sequence").map_err(fail)?;
                let previous = epoch.zip(last);
                self.previous =
                    previous.map(|(epoch, last_sequence)| Previous { epoch, last_sequence });
            }
        }
        self.store_id = self.number("store_id").map_err(fail)?;
        self.overwritten = self.number("overwritten").map_err(fail)?.unwrap_or(self.overwritten);
        let unanchored = meta(&self.database, "unanchored").map_err(fail)?;
        self.is_anchor_owed = unanchored == Some(self.settings.boot_id.to_string());
        self.load_lives().map_err(fail)?;
        let sql = "SELECT ran_ms FROM batch ORDER BY rowid DESC LIMIT 1";
        let ran_ms = self.database.query_row(sql, [], |row| row.get::<_, i64>(0));
        self.ran_base_ms = ran_ms.unwrap_or(0).saturating_sub(now.boot_ms);
        self.restore_open(now).map_err(fail)
    }

    /// Which batches there are, and which of them no notice of this store has named.
    pub(super) fn load_lives(&mut self) -> rusqlite::Result<()> {
        let store_id = self.store_id.map(|store_id| store_id.to_string()).unwrap_or_default();
        let mut lives: Vec<(i64, Life)> = Vec::new();
        {
            let sql = "SELECT epoch, sequence, rowid FROM batch ORDER BY epoch, sequence";
            let mut statement = self.database.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let epoch = Epoch(row.get::<_, i64>(0)?.cast_unsigned());
                let sequence = row.get::<_, i64>(1)?.cast_unsigned();
                if lives.last().is_none_or(|(_, life)| life.epoch != epoch) {
                    lives.push((row.get(2)?, Life::new(epoch)));
                }
                if let Some((_, life)) = lives.last_mut() {
                    life.held.insert((sequence, sequence));
                }
            }
        }
        for (_, life) in &mut lives {
            life.queued = life.held.clone();
        }
        {
            let sql =
                "SELECT epoch, sequence FROM batch WHERE committed = ?1 ORDER BY epoch, sequence";
            let mut statement = self.database.prepare(sql)?;
            let mut rows = statement.query([store_id])?;
            while let Some(row) = rows.next()? {
                let epoch = Epoch(row.get::<_, i64>(0)?.cast_unsigned());
                let sequence = row.get::<_, i64>(1)?.cast_unsigned();
                for (_, life) in lives.iter_mut().filter(|(_, life)| life.epoch == epoch) {
                    life.queued.remove((sequence, sequence));
                }
            }
        }
        lives.sort_by_key(|(first_row, _)| *first_row);
        self.lives = lives.into_iter().map(|(_, life)| life).collect();
        Ok(())
    }

    /// What is queued, oldest epoch first.
    pub(super) fn queued(&self) -> Vec<(Epoch, Vec<Range>)> {
        self.lives.iter().map(|life| (life.epoch, life.queued.ranges().collect())).collect()
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
            let gap = Gap { gauges: Vec::new(), ..self.damage_gap(self.epoch, at, now) };
            room::add_gap(&transaction, gap)?;
            transaction.commit()?;
            self.metrics.spool_set_aside.inc();
        }
        for (last_row, draft) in batcher::restore(rows) {
            self.waiting.push_back(Waiting { draft, last_row });
        }
        Ok(())
    }

    fn tell_damage(&mut self, remains: Remains, now: Moment) -> Result<(), SpoolError> {
        let range = remains.next_sequence.map_or((0, 0), |next| (1.min(next - 1), next - 1));
        let epoch = remains.epoch.unwrap_or(Epoch(0));
        self.previous = previous_of(epoch, range.1 + 1);
        self.save_previous()?;
        let gap = self.damage_gap(epoch, range, now);
        self.lost.push(gap);
        Ok(())
    }

    fn save_previous(&self) -> Result<(), SpoolError> {
        let fail = |source| SpoolError::Work { attempt: "note the epoch before", source };
        set_previous(&self.database, self.previous).map_err(fail)
    }

    /// How many readings a damaged file held, and from when, nobody can tell.
    fn damage_gap(&self, epoch: Epoch, (first, last): Range, now: Moment) -> Gap {
        Gap {
            epoch,
            first_sequence: first,
            last_sequence: last,
            gauges: self.settings.gauges.clone(),
            boot: None,
            from_ms: now.wall.as_ms(),
            to_ms: now.wall.as_ms(),
            reason: GapReason::Damaged,
            count: 0,
        }
    }

    fn replace_file(&mut self, error: &SpoolError) -> Result<Remains, SpoolError> {
        let fail = |source| SpoolError::Work { attempt: "close a damaged spool", source };
        // the file must not be written to once it is renamed
        self.database = Connection::open_in_memory().map_err(fail)?;
        let remains = set_aside(&self.settings, error, &self.metrics)?;
        self.database = file::open(&self.settings.path)?;
        Ok(remains)
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> rusqlite::Result<Option<T>> {
        Ok(meta(&self.database, key)?.and_then(|text| text.parse().ok()))
    }
}

fn set_aside(
    settings: &Settings,
    error: &SpoolError,
    metrics: &Metrics,
) -> Result<Remains, SpoolError> {
    let (aside, remains) = file::set_aside(&settings.path)?;
    error!(error = %Chain(error), kept = %aside.display(), "spool is damaged and set aside, a new one is begun");
    metrics.spool_damaged.inc();
    Ok(remains)
}

fn previous_of(epoch: Epoch, next_sequence: Sequence) -> Option<Previous> {
    let last_sequence = next_sequence.checked_sub(1).filter(|last| *last > 0)?;
    (epoch != Epoch(0)).then_some(Previous { epoch, last_sequence })
}

fn set_previous(database: &Connection, previous: Option<Previous>) -> rusqlite::Result<()> {
    let Some(Previous { epoch, last_sequence }) = previous else { return Ok(()) };
    set_meta(database, "previous_epoch", &epoch.to_string())?;
    set_meta(database, "previous_sequence", &last_sequence.to_string())
}
