//! Quarantined payloads judged again and admitted.

use model::wire::refused_v1::{Kept, Reason};
use rusqlite::{Connection, params};

use super::{
    admit::{add_gaps, admit},
    anchors, aside_text,
    book::SamplesBook,
    discard::give_up,
    first_row, members, own_gauges, park, read_quarantine, ring, run,
    spans::{self, Stored},
};
use crate::{
    admission::{
        Admission, Admit, Admitted, AdmittedColumn, AsideGauges, ParkBound, Readmitted, Rejudged,
        Replay, ReplayVerdict, Replayed, SetAside,
    },
    comparison::Budget,
    facts::{Original, QuarantineRow, QuarantineState, StoredBatch},
    metrics::Metrics,
    shell::{error::StoreError, writer::Write},
};

impl Write<SamplesBook> for Replay {
    type Answer = Replayed;

    fn apply(
        &self,
        book: &mut SamplesBook,
        connection: &Connection,
    ) -> Result<Replayed, StoreError> {
        let (row, original) = match held(connection, self.id, self.entry)? {
            Held::Here(row, original) => (row, original),
            Held::Not { stands } => return Ok(Replayed::NotHeld { stands }),
        };
        let budget = Budget::of_a_write();
        let mut replaying = Replaying { replay: self, book, connection, budget };
        match (&self.verdict, original) {
            (ReplayVerdict::Parked(batches), Original::Batches) => replaying.parked(&row, batches),
            (ReplayVerdict::Garbage(fresh), Original::Payload(_)) => replaying.garbage(fresh),
            // A reading of a document that was refused by itself is refused for ever.
            (ReplayVerdict::Parked(_) | ReplayVerdict::Garbage(_), Original::Batch(_))
            | (ReplayVerdict::Parked(_), Original::Payload(_))
            | (ReplayVerdict::Garbage(_), Original::Batches) => Ok(Replayed::Unchanged),
            (ReplayVerdict::Parked(_) | ReplayVerdict::Garbage(_), Original::Gone) => {
                Ok(Replayed::NotHeld { stands: row.entry })
            }
        }
    }

    fn weight(&self) -> usize {
        match &self.verdict {
            ReplayVerdict::Parked(_) => 0,
            ReplayVerdict::Garbage(fresh) => fresh.bytes.len(),
        }
    }

    fn count(&self, answer: &Replayed, metrics: &Metrics) {
        if let Replayed::Done(admitted) = answer {
            metrics.samples.inc_by(admitted.points);
            metrics.repeated.inc_by(admitted.repeated);
            metrics.conflicts.inc_by(admitted.conflicts);
            metrics.uncompared.inc_by(admitted.uncompared);
            metrics.other_anchors.inc_by(admitted.other_anchors);
            metrics.batches.with_label_values(&["replayed"]).inc_by(admitted.batches);
            let starts = [ParkBound::Anchors.word(), Reason::Anchor.word()];
            metrics.park_full.with_label_values(&starts).inc_by(admitted.held_back);
        }
    }
}

/// Whether a row can still be decided about.
pub(super) enum Held {
    /// It can; without the bytes of what it is about.
    Here(Box<QuarantineRow>, Original),
    /// It cannot, since there is none, or by a decision with this entry.
    Not { stands: Option<i64> },
}

/// A row, unless it is decided, or a later entry than this one speaks of it: of two who decide at
/// once, the journal's last word stands.
pub(super) fn held(
    connection: &Connection,
    id: i64,
    entry: Option<i64>,
) -> Result<Held, StoreError> {
    let Some((row, original)) = read_quarantine::facts(connection, id)? else {
        return Ok(Held::Not { stands: None });
    };
    let is_overtaken = entry.zip(row.entry).is_some_and(|(entry, stands)| entry < stands);
    if row.state != QuarantineState::Held || is_overtaken {
        return Ok(Held::Not { stands: row.entry });
    }
    Ok(Held::Here(Box::new(row), original))
}

struct Replaying<'a> {
    replay: &'a Replay,
    book: &'a mut SamplesBook,
    connection: &'a Connection,
    budget: Budget,
}

impl Replaying<'_> {
    /// Some batches of a parked item. What was decided of them meanwhile is passed over, so that
    /// it is safe to ask again after a crash half-way.
    fn parked(
        &mut self,
        row: &QuarantineRow,
        batches: &[Rejudged],
    ) -> Result<Replayed, StoreError> {
        let sql = "SELECT gauges FROM quarantine WHERE id = ?1";
        let of_item: Option<String> = first_row(self.connection, sql, [row.id], |row| row.get(0))
            .map_err(StoreError::sql("read what is set aside"))?
            .flatten();
        let of_item = aside_text::named(of_item.as_deref().unwrap_or_default());
        let mut admitted = Readmitted::default();
        for rejudged in batches {
            let more = self.batch(row, &of_item, rejudged)?;
            admitted.add(more);
        }
        let entry = self.replay.entry.filter(|_| admitted.batches > 0).or(row.entry);
        if members::settle(self.book, self.connection, row.id)? == 0 {
            members::close(self.connection, row.id)?;
            decide(self.connection, row, (QuarantineState::Replayed, entry))?;
            members::forget_oldest(self.book, self.connection)?;
        } else if entry != row.entry {
            let sql = "UPDATE quarantine SET entry = ?2 WHERE id = ?1";
            run(self.connection, sql, params![row.id, entry])
                .map_err(StoreError::sql("write who decided"))?;
        }
        let is_unchanged = admitted == Readmitted::default();
        Ok(if is_unchanged { Replayed::Unchanged } else { Replayed::Done(admitted) })
    }

    fn batch(
        &mut self,
        row: &QuarantineRow,
        of_item: &AsideGauges,
        rejudged: &Rejudged,
    ) -> Result<Readmitted, StoreError> {
        let key = (row.id, rejudged.batch);
        let Some(member) = members::member(self.connection, row.id, rejudged.batch)? else {
            return Ok(Readmitted::default());
        };
        if !rejudged.is_news(row.boot, member.due, self.replay.at) {
            return Ok(Readmitted::default());
        }
        let Some(stored) = read_quarantine::batch(self.connection, rejudged.batch)? else {
            return Err(StoreError::Damaged(format!("batch {} is not there", rejudged.batch)));
        };
        let own = member.own.as_deref().map(|own| own_gauges::read(&stored, own)).transpose()?;
        let held = own.as_ref().unwrap_or(of_item);
        let is_held = |column: &&AdmittedColumn| held.contains_key(&column.gauge.to_string());
        if let Some(column) = rejudged.columns.iter().find(|column| !is_held(column)) {
            let problem = "it is not set aside in this row of the quarantine";
            return Err(StoreError::Column { gauge: column.gauge.clone(), problem });
        }
        if !self.have_room(&stored, rejudged)? {
            members::put_off(self.connection, key, stored.received_at, self.replay.at)?;
            return Ok(Readmitted { held_back: 1, ..Readmitted::default() });
        }
        let admitted = self.admit(&stored, rejudged)?;
        members::leave(self.book, self.connection, key, &member)?;
        // Columns that only repeat what was said add nothing; and no gap or anchor carries a
        // payload past the bound of the park.
        let is_alone = member.is_alone && admitted.points == 0;
        if is_alone && rejudged.anchors.is_empty() && rejudged.still.is_empty() {
            give_up(self.book, self.connection, &stored)?;
        }
        self.join(row, &stored, rejudged, is_alone)?;
        Ok(Readmitted::of(&admitted, u64::from(rejudged.is_admitted())))
    }

    /// Whether its anchors may be noted. Where they may not, all of the batch waits on, as it would
    /// at its agent had it come live.
    fn have_room(&mut self, stored: &StoredBatch, rejudged: &Rejudged) -> Result<bool, StoreError> {
        let agent = self.book.agent(self.connection, &stored.agent, stored.received_at)?;
        let starts = (agent, self.book.limits.anchors);
        anchors::have_room(self.connection, starts, &rejudged.anchors, self.replay.at)
    }

    fn admit(&mut self, stored: &StoredBatch, rejudged: &Rejudged) -> Result<Admitted, StoreError> {
        let agent = self.book.agent(self.connection, &stored.agent, stored.received_at)?;
        add_gaps(self.connection, (agent, stored.position), &rejudged.gaps)?;
        let other_anchors =
            anchors::note(self.connection, agent, &rejudged.anchors, self.replay.at)?;
        if rejudged.columns.is_empty() {
            return Ok(Admitted { other_anchors, ..Admitted::default() });
        }
        let payload = Stored {
            position: stored.position,
            kind: stored.kind,
            bytes: &stored.bytes,
            received_at: self.replay.at,
        };
        let (book, budget) = (&mut *self.book, &mut self.budget);
        let admitted = spans::add(book, self.connection, budget, payload, &rejudged.columns)?;
        Ok(Admitted { other_anchors, ..admitted })
    }

    /// Lets what is still refused of a batch join what is like it.
    fn join(
        &mut self,
        row: &QuarantineRow,
        stored: &StoredBatch,
        rejudged: &Rejudged,
        is_alone: bool,
    ) -> Result<(), StoreError> {
        let still: Vec<&SetAside> =
            rejudged.still.iter().filter(|part| park::is_parked(part)).collect();
        if still.is_empty() {
            return Ok(());
        }
        let agent = self.book.agent(self.connection, &stored.agent, stored.received_at)?;
        let joining = park::Joining {
            agent,
            name: &stored.agent,
            kind: stored.kind,
            topic: &row.topic,
            received_at: stored.received_at,
            batch: stored.position,
            bytes: &stored.bytes,
            is_alone,
            boot: rejudged.boot,
            judged_at: self.replay.at,
            from: Some(row.id),
            aside: still,
        };
        joining.join(self.book, self.connection)
    }

    fn garbage(&mut self, fresh: &Admit) -> Result<Replayed, StoreError> {
        let id = self.replay.id;
        let (batch, readmitted) =
            match admit(self.book, self.connection, fresh, Some(self.replay.at))? {
                Admission::Admitted(admitted) => {
                    (Some(admitted.batch), Readmitted::of(&admitted, 1))
                }
                Admission::Repetition(repeated) => {
                    (None, Readmitted { batches: 1, repeated, ..Readmitted::default() })
                }
                Admission::ParkFull(_) => return Ok(Replayed::ParkFull),
                Admission::Duplicate | Admission::Fork { .. } => return Ok(Replayed::Unchanged),
            };
        ring::shrink(self.connection, id, || {
            let sql = "UPDATE quarantine SET state = ?2, payload = NULL, gauges = NULL, batch = ?3,
                  entry = ?4
                WHERE id = ?1";
            let state = QuarantineState::Replayed.code();
            run(self.connection, sql, params![id, state, batch, self.replay.entry])
                .map_err(StoreError::sql("write that a payload was replayed"))?;
            Ok(())
        })?;
        Ok(Replayed::Done(readmitted))
    }
}

impl Readmitted {
    /// What was admitted of so many batches.
    const fn of(admitted: &Admitted, batches: u64) -> Self {
        let Admitted { points, repeated, conflicts, uncompared, other_anchors, .. } = *admitted;
        Self { batches, points, repeated, conflicts, uncompared, other_anchors, held_back: 0 }
    }

    const fn add(&mut self, more: Self) {
        self.batches += more.batches;
        self.points += more.points;
        self.repeated += more.repeated;
        self.conflicts += more.conflicts;
        self.uncompared += more.uncompared;
        self.other_anchors += more.other_anchors;
        self.held_back += more.held_back;
    }
}

/// Marks a row as decided: its facts stay, and the journal's entry tells the rest. Garbage gives
/// back the room that it took.
pub(super) fn decide(
    connection: &Connection,
    row: &QuarantineRow,
    (state, entry): (QuarantineState, Option<i64>),
) -> Result<(), StoreError> {
    let mark = || {
        let sql = "UPDATE quarantine SET state = ?2, entry = ?3, payload = NULL, gauges = NULL
            WHERE id = ?1";
        run(connection, sql, params![row.id, state.code(), entry])
            .map_err(StoreError::sql("write a decision"))?;
        Ok(())
    };
    match row.kind {
        Kept::Parked => mark(),
        Kept::Garbage | Kept::None => ring::shrink(connection, row.id, mark),
    }
}
