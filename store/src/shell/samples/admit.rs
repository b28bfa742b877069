//! Admission: a payload is stored once, whatever the number and order of its arrivals.

use model::{
    time::Timestamp,
    wire::{batch_v1::Digest, refused_v1::Reason},
};
use rusqlite::{Connection, Row, params};

use super::{
    anchors,
    book::SamplesBook,
    first_row, park, run,
    spans::{self, Stored},
};
use crate::{
    admission::{Admission, Admit, Admitted, AdmittedGap, Key, ParkBound, SetStatus},
    comparison::Budget,
    metrics::Metrics,
    shell::{error::StoreError, writer::Write},
};

impl Write<SamplesBook> for Admit {
    type Answer = Admission;

    fn apply(
        &self,
        book: &mut SamplesBook,
        connection: &Connection,
    ) -> Result<Admission, StoreError> {
        admit(book, connection, self, None)
    }

    fn weight(&self) -> usize {
        self.bytes.len()
    }

    fn count(&self, answer: &Admission, metrics: &Metrics) {
        let outcome = match answer {
            Admission::Admitted(admitted) => {
                count_columns(self, admitted, metrics);
                "admitted"
            }
            Admission::Repetition(points) => {
                metrics.repeated.inc_by(*points);
                "repetition"
            }
            Admission::Duplicate => "duplicate",
            Admission::Fork { .. } => "fork",
            Admission::ParkFull(bound) => {
                let reason = match bound {
                    ParkBound::Anchors => Reason::Anchor.word(),
                    ParkBound::Park | ParkBound::Agent => {
                        self.set_aside.first().map_or("", |part| part.reason.word())
                    }
                };
                metrics.park_full.with_label_values(&[bound.word(), reason]).inc();
                "park_full"
            }
        };
        metrics.batches.with_label_values(&[outcome]).inc();
    }
}

fn count_columns(admit: &Admit, admitted: &Admitted, metrics: &Metrics) {
    metrics.samples.inc_by(admitted.points);
    metrics.repeated.inc_by(admitted.repeated);
    metrics.conflicts.inc_by(admitted.conflicts);
    metrics.uncompared.inc_by(admitted.uncompared);
    metrics.other_anchors.inc_by(admitted.other_anchors);
    if admit.set_aside.iter().any(park::is_parked) {
        metrics.parked.inc();
    }
}

/// Stores a payload unless its identity is known; `replayed_at` where it comes from the
/// quarantine, which may hold its identity without a batch.
///
/// Whatever is answered besides `Admitted`, nothing of the payload was written, its identity
/// excepted where it says nothing new, and its anchors where the park is full: what fills it may
/// be waiting for just them.
pub(super) fn admit(
    book: &mut SamplesBook,
    connection: &Connection,
    admit: &Admit,
    replayed_at: Option<Timestamp>,
) -> Result<Admission, StoreError> {
    let agent = book.agent(connection, &admit.agent, admit.received_at)?;
    let is_alone = park::is_alone(admit);
    if is_alone || replayed_at.is_some() || !admit.anchors.is_empty() {
        match known(connection, agent, &admit.key)? {
            Some(known) if known.digest != *admit.key.digest() => {
                return Ok(Admission::Fork { stored: known.digest });
            }
            Some(known) if known.batch.is_some() || replayed_at.is_none() => {
                return Ok(Admission::Duplicate);
            }
            Some(_) | None => {}
        }
        let starts = (agent, book.limits.anchors);
        if !anchors::have_room(connection, starts, &admit.anchors, admit.received_at)? {
            return Ok(Admission::ParkFull(ParkBound::Anchors));
        }
        if is_alone && let Some(bound) = park::bound(book, connection, admit, agent)? {
            anchors::note(connection, agent, &admit.anchors, admit.received_at)?;
            return Ok(Admission::ParkFull(bound));
        }
    }
    let position = book.next_batch()?;
    if !claim(connection, agent, &admit.key, Some(position))? {
        if replayed_at.is_none() {
            return refused(connection, agent, &admit.key);
        }
        set_batch(connection, agent, &admit.key, Some(position))?;
    } else if let Key::Batch { epoch, sequence, .. } = admit.key {
        book.touch_epoch((agent, epoch), sequence, admit.received_at, admit.previous);
    }
    let received_at = replayed_at.unwrap_or(admit.received_at);
    let stored = Stored { position, kind: admit.kind, bytes: &admit.bytes, received_at };
    let mut budget = Budget::of_a_write();
    let mut admitted = spans::add(book, connection, &mut budget, stored, &admit.columns)?;
    if says_nothing_new(admit, &admitted) {
        set_batch(connection, agent, &admit.key, None)?;
        return Ok(Admission::Repetition(admitted.repeated));
    }
    store(connection, agent, admit, position)?;
    add_gaps(connection, (agent, position), &admit.gaps)?;
    admitted.other_anchors = anchors::note(connection, agent, &admit.anchors, admit.received_at)?;
    park::set_aside(book, connection, admit, (agent, position), received_at)?;
    Ok(Admission::Admitted(admitted))
}

/// Whether a payload is nothing but a repetition, as of a third party that posts its last day each
/// minute while nothing happens: then nobody will ever ask for its bytes.
fn says_nothing_new(admit: &Admit, admitted: &Admitted) -> bool {
    admitted.repeated > 0
        && admitted.points == 0
        && admit.set_aside.is_empty()
        && admit.gaps.is_empty()
        && admit.anchors.is_empty()
}

fn refused(connection: &Connection, agent: i64, key: &Key) -> Result<Admission, StoreError> {
    Ok(match known(connection, agent, key)? {
        Some(known) if known.digest != *key.digest() => Admission::Fork { stored: known.digest },
        Some(_) | None => Admission::Duplicate,
    })
}

/// What came before under an identity.
pub(in crate::shell) struct Known {
    pub(in crate::shell) digest: Digest,
    /// `None`: the batch is in quarantine, was discarded, or said nothing new.
    pub(in crate::shell) batch: Option<i64>,
}

pub(in crate::shell) fn known(
    connection: &Connection,
    agent: i64,
    key: &Key,
) -> Result<Option<Known>, StoreError> {
    match key {
        Key::Batch { epoch, sequence, .. } => first_row(
            connection,
            "SELECT digest, batch FROM admitted WHERE agent = ?1 AND epoch = ?2 AND sequence = ?3",
            params![agent, epoch.0.cast_signed(), sequence.cast_signed()],
            known_row,
        ),
        Key::Payload { digest } => first_row(
            connection,
            "SELECT digest, batch FROM admitted_payload WHERE agent = ?1 AND digest = ?2",
            params![agent, digest],
            known_row,
        ),
    }
    .map_err(StoreError::sql("look an identity up"))
}

fn known_row(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known { digest: row.get(0)?, batch: row.get(1)? })
}

/// Takes an identity; `false` where it is taken.
pub(super) fn claim(
    connection: &Connection,
    agent: i64,
    key: &Key,
    batch: Option<i64>,
) -> Result<bool, StoreError> {
    let changed = match key {
        Key::Batch { epoch, sequence, digest } => run(
            connection,
            "INSERT INTO admitted (agent, epoch, sequence, digest, batch)
                VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            params![agent, epoch.0.cast_signed(), sequence.cast_signed(), digest, batch],
        ),
        Key::Payload { digest } => run(
            connection,
            "INSERT INTO admitted_payload (agent, digest, batch)
                VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            params![agent, digest, batch],
        ),
    }
    .map_err(StoreError::sql("take an identity"))?;
    Ok(changed == 1)
}

/// Says which batch an identity has, if any.
pub(super) fn set_batch(
    connection: &Connection,
    agent: i64,
    key: &Key,
    batch: Option<i64>,
) -> Result<(), StoreError> {
    match key {
        Key::Batch { epoch, sequence, .. } => run(
            connection,
            "UPDATE admitted SET batch = ?4 WHERE agent = ?1 AND epoch = ?2 AND sequence = ?3",
            params![agent, epoch.0.cast_signed(), sequence.cast_signed(), batch],
        ),
        Key::Payload { digest } => run(
            connection,
            "UPDATE admitted_payload SET batch = ?3 WHERE agent = ?1 AND digest = ?2",
            params![agent, digest, batch],
        ),
    }
    .map_err(StoreError::sql("give an identity its batch"))?;
    Ok(())
}

fn store(
    connection: &Connection,
    agent: i64,
    admit: &Admit,
    position: i64,
) -> Result<(), StoreError> {
    let attempt = StoreError::sql("store a batch");
    let sql =
        "INSERT INTO batch (position, kind, agent, received_at, bytes) VALUES (?1, ?2, ?3, ?4, ?5)";
    let received_at = admit.received_at.as_ms();
    run(connection, sql, params![position, admit.kind.code(), agent, received_at, admit.bytes])
        .map_err(&attempt)?;
    Ok(())
}

/// Adds gaps of a stored batch; what was added before stands.
pub(super) fn add_gaps(
    connection: &Connection,
    (agent, batch): (i64, i64),
    gaps: &[AdmittedGap],
) -> Result<(), StoreError> {
    for AdmittedGap { number, gap } in gaps {
        let sql = "INSERT INTO gap (batch, number, agent, epoch, first_sequence, last_sequence,
              gauges, from_ms, to_ms, reason, readings)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING";
        let gauges = serde_json::to_string(&gap.gauges).map_err(StoreError::json("write a gap"))?;
        run(
            connection,
            sql,
            params![
                batch,
                number,
                agent,
                gap.epoch.0.cast_signed(),
                gap.first_sequence.cast_signed(),
                gap.last_sequence.cast_signed(),
                gauges,
                gap.from_ms,
                gap.to_ms,
                gap.reason.code(),
                gap.count.cast_signed(),
            ],
        )
        .map_err(StoreError::sql("add a gap"))?;
    }
    Ok(())
}

impl Write<SamplesBook> for SetStatus {
    type Answer = ();

    fn apply(&self, book: &mut SamplesBook, connection: &Connection) -> Result<(), StoreError> {
        let agent = book.agent(connection, &self.agent, self.received_at)?;
        // Two of them may be tried again independently; the later one stands.
        let sql = "UPDATE agent SET status = ?2, status_at = ?3
            WHERE id = ?1 AND (status_at IS NULL OR status_at <= ?3)";
        run(connection, sql, params![agent, self.json, self.received_at.as_ms()])
            .map_err(StoreError::sql("write an agent's status"))?;
        Ok(())
    }

    fn weight(&self) -> usize {
        self.json.as_ref().map_or(0, String::len)
    }
}
