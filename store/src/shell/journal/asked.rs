//! What people and gateways say of alarms and messages: appended where it fits what is stored, and
//! applied by alerting, in the order of the journal.

use model::{
    alarm::{AlarmState, NotificationState},
    ids::{AlarmId, ChannelId, NotificationId},
    time::Timestamp,
};
use rusqlite::{Connection, params};

use super::{JournalBook, alarms::key, append, read_alarms::alarm};
use crate::{
    alarms::AlarmFacts,
    chain::{Body, By, Entry},
    shell::{
        error::StoreError,
        samples::{first_row, run},
        writer::Write,
    },
};

/// Somebody takes an alarm on, having seen it at a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledge {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: By,
    /// Which.
    pub alarm: AlarmId,
    /// The version that was seen.
    pub seen: u32,
}

/// What came of [`Acknowledge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It is journalled in this entry, and holds once alerting has come to it.
    Entry(i64),
    /// The same person has taken it on before.
    Done,
    /// There is no such alarm.
    Unknown,
    /// It was not raised.
    NotRaised,
    /// It is history, and nobody had taken it on.
    Over,
    /// It is no longer what was seen.
    Changed {
        /// Its version.
        version: u32,
    },
    /// Another was first.
    Elsewhere {
        /// Who.
        by: By,
        /// When.
        at: Timestamp,
    },
}

impl Write<JournalBook> for Acknowledge {
    type Answer = Asked;

    fn apply(&self, _book: &mut JournalBook, connection: &Connection) -> Result<Asked, StoreError> {
        let Some(facts) = alarm(connection, self.alarm)? else { return Ok(Asked::Unknown) };
        if let Some(answer) = self.answered(connection, &facts)? {
            return Ok(answer);
        }
        let body = Body::AcknowledgementAsked { alarm: self.alarm, version: self.seen };
        let entry = append(connection, self.at, &self.by, &body)?;
        let sql = "UPDATE alarm SET asked = ?1 WHERE id = ?2";
        run(connection, sql, params![entry, key(self.alarm.0)])
            .map_err(StoreError::sql("note an acknowledgement"))?;
        Ok(Asked::Entry(entry))
    }
}

impl Acknowledge {
    /// The answer, where it needs no entry.
    fn answered(
        &self,
        connection: &Connection,
        facts: &AlarmFacts,
    ) -> Result<Option<Asked>, StoreError> {
        if let Some(entry) = facts.asked {
            let (by, at) = asker(connection, entry)?;
            let is_same = by == self.by;
            return Ok(Some(if is_same {
                Asked::Entry(entry)
            } else {
                Asked::Elsewhere { by, at }
            }));
        }
        let row = &facts.row;
        if let (Some(by), Some(at)) = (&row.acknowledged_by, row.acknowledged_at) {
            let is_same = *by == self.by;
            return Ok(Some(if is_same {
                Asked::Done
            } else {
                Asked::Elsewhere { by: by.clone(), at }
            }));
        }
        Ok(match row.state {
            AlarmState::Pending => Some(Asked::NotRaised),
            AlarmState::Normal => Some(Asked::Over),
            AlarmState::Unacknowledged
            | AlarmState::Acknowledged
            | AlarmState::ClearedUnacknowledged
            | AlarmState::Shelved
            | AlarmState::Suppressed
            | AlarmState::OutOfService => {
                (row.version != self.seen).then_some(Asked::Changed { version: row.version })
            }
        })
    }
}

/// Who appended an entry, and when.
fn asker(connection: &Connection, position: i64) -> Result<(By, Timestamp), StoreError> {
    let sql = "SELECT at, kind, bytes, hash FROM entry WHERE position = ?1";
    let entry = first_row(connection, sql, [position], |row| {
        let at = Timestamp::clamped(row.get(0)?);
        Ok(Entry { position, at, kind: row.get(1)?, bytes: row.get(2)?, hash: row.get(3)? })
    });
    let entry = entry
        .map_err(StoreError::sql("read an entry"))?
        .ok_or_else(|| StoreError::Damaged(format!("journal.db: entry {position} is missing")))?;
    let document = entry.document().map_err(StoreError::json("read an entry"))?;
    Ok((document.by, document.at))
}

/// A receipt that came for a message; the answer is its entry, or none where it says nothing that
/// is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeReceipt {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: By,
    /// For which message.
    pub message: NotificationId,
    /// By which channel it came.
    pub channel: ChannelId,
    /// Whether it says that the message arrived, or that it will not.
    pub is_delivered: bool,
}

impl Write<JournalBook> for TakeReceipt {
    type Answer = Option<i64>;

    fn apply(
        &self,
        _book: &mut JournalBook,
        connection: &Connection,
    ) -> Result<Option<i64>, StoreError> {
        let attempt = StoreError::sql("note a receipt");
        // That it arrived is the last word; so a message has two receipts in the journal at most.
        let sql = "SELECT count(*) FROM notification WHERE id = ?1 AND channel = ?2
            AND attempts > 0 AND state <> ?3 AND (receipt IS NULL OR receipt < ?4)";
        let delivered = NotificationState::Delivered.word();
        let is = params![key(self.message.0), self.channel.as_str(), delivered, self.is_delivered];
        let fits = first_row(connection, sql, is, |row| row.get::<_, i64>(0)).map_err(&attempt)?;
        if fits.unwrap_or(0) == 0 {
            return Ok(None);
        }
        let (message, delivered) = (self.message, self.is_delivered);
        let entry =
            append(connection, self.at, &self.by, &Body::ReceiptTaken { message, delivered })?;
        let sql = "UPDATE notification SET receipt = ?1 WHERE id = ?2";
        run(connection, sql, params![self.is_delivered, key(self.message.0)]).map_err(&attempt)?;
        Ok(Some(entry))
    }
}
