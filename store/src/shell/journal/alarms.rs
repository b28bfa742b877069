//! Alarms, ladders and messages: written together with both positions that they come of.

use std::collections::BTreeMap;

use model::{
    ids::{AlarmId, NotificationId},
    time::Timestamp,
};
use rusqlite::{Connection, ToSql, params, types::Type};

use super::{JournalBook, SetConsumer, append};
use crate::{
    alarms::{AlarmRow, ConditionRow, EscalationRow, NotificationRow, digest},
    chain::{Body, By},
    shell::{error::StoreError, samples::run, writer::Write},
};

/// The key under which the end of listening stands in `meta`.
pub(super) const LISTENED_UNTIL: &str = "listened_until";

/// What became of conditions, alarms and messages, and up to where in both feeds: all of it or
/// nothing. Whatever is to be sent of it is sent only after this has been answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAlarms {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: By,
    /// Whose positions they are.
    pub consumer: &'static str,
    /// The last position of the samples' feed that has been dealt with.
    pub samples: i64,
    /// The last entry that has been dealt with: acknowledgements up to it are answered.
    pub entries: i64,
    /// Until when the server is known to have listened; none: as was known before.
    pub listened_until: Option<Timestamp>,
    /// Conditions that are other than they were.
    pub conditions: Vec<ConditionRow>,
    /// Conditions that are watched no longer: their state has no meaning.
    pub forgotten: Vec<ConditionRow>,
    /// Alarms that are other than they were.
    pub alarms: Vec<AlarmRow>,
    /// Alarms that are over before they were raised: nobody was told, and no entry names them.
    pub dropped: Vec<AlarmId>,
    /// Ladders that are other than they were.
    pub escalations: Vec<EscalationRow>,
    /// Messages that are other than they were.
    pub notifications: Vec<NotificationRow>,
    /// What is to be journalled of all that, in this order.
    pub bodies: Vec<Body>,
}

/// What came of [`SetAlarms`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlarmsSet {
    /// The position of the last entry that was appended, if any was.
    pub entry: Option<i64>,
}

impl Write<JournalBook> for SetAlarms {
    type Answer = AlarmsSet;

    fn apply(
        &self,
        book: &mut JournalBook,
        connection: &Connection,
    ) -> Result<AlarmsSet, StoreError> {
        // Entries come first, so that the rows know which one names them last.
        let mut named = Named::default();
        for body in &self.bodies {
            let entry = append(connection, self.at, &self.by, body)?;
            named.note(body, entry);
        }
        self.set_conditions(connection)?;
        for alarm in &self.alarms {
            set_alarm(connection, alarm, named.alarms.get(&alarm.id).copied())?;
        }
        let attempt = StoreError::sql("write alarms");
        for alarm in &self.dropped {
            run(connection, "DELETE FROM alarm WHERE id = ?1", [key(alarm.0)]).map_err(&attempt)?;
        }
        for escalation in &self.escalations {
            let sql = "INSERT INTO escalation (alarm, is_open, state) VALUES (?1, ?2, ?3)
                ON CONFLICT (alarm) DO UPDATE SET is_open = excluded.is_open,
                  state = excluded.state";
            let row = params![key(escalation.alarm.0), escalation.is_open, escalation.state];
            run(connection, sql, row).map_err(&attempt)?;
        }
        for message in &self.notifications {
            set_notification(connection, message, named.messages.get(&message.id).copied())?;
        }
        let sql = "UPDATE alarm SET asked = NULL WHERE asked <= ?1";
        run(connection, sql, [self.entries]).map_err(&attempt)?;
        if let Some(until) = self.listened_until {
            let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2)
                ON CONFLICT (key) DO UPDATE SET value = excluded.value";
            run(connection, sql, params![LISTENED_UNTIL, until.as_ms().to_string()])
                .map_err(&attempt)?;
        }
        let (name, samples, entries) = (self.consumer.to_owned(), self.samples, self.entries);
        SetConsumer { name, samples, entries }.apply(book, connection)?;
        Ok(AlarmsSet { entry: named.last })
    }
}

/// Which entry names a row last.
#[derive(Default)]
struct Named {
    alarms: BTreeMap<AlarmId, i64>,
    messages: BTreeMap<NotificationId, i64>,
    last: Option<i64>,
}

impl Named {
    fn note(&mut self, body: &Body, entry: i64) {
        self.last = Some(entry);
        if let Body::AlarmChanged(changed) = body {
            self.alarms.insert(changed.alarm, entry);
        }
        if let Body::MessageChanged(changed) = body {
            self.messages.insert(changed.message, entry);
        }
    }
}

impl SetAlarms {
    fn set_conditions(&self, connection: &Connection) -> Result<(), StoreError> {
        let attempt = StoreError::sql("write conditions");
        for condition in &self.conditions {
            let sql = "INSERT INTO condition (rule, subject, state) VALUES (?1, ?2, ?3)
                ON CONFLICT (rule, subject) DO UPDATE SET state = excluded.state";
            let row = params![rule_of(condition), condition.subject.to_string(), condition.state];
            run(connection, sql, row).map_err(&attempt)?;
        }
        for condition in &self.forgotten {
            let sql = "DELETE FROM condition WHERE rule = ?1 AND subject = ?2";
            let row = params![rule_of(condition), condition.subject.to_string()];
            run(connection, sql, row).map_err(&attempt)?;
        }
        Ok(())
    }
}

fn rule_of(condition: &ConditionRow) -> &str {
    condition.rule.as_ref().map_or("", |rule| rule.as_str())
}

fn set_alarm(
    connection: &Connection,
    alarm: &AlarmRow,
    entry: Option<i64>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO alarm (id, rule, subject, station, severity, is_drill, state, version,
          began_at, raised_at, acknowledged_at, acknowledged_by, acknowledged_as, cleared_at, entry,
          facts, bytes)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, version = excluded.version,
          began_at = excluded.began_at, raised_at = excluded.raised_at,
          acknowledged_at = excluded.acknowledged_at, acknowledged_by = excluded.acknowledged_by,
          acknowledged_as = excluded.acknowledged_as, cleared_at = excluded.cleared_at, entry = coalesce(excluded.entry, entry),
          facts = excluded.facts, bytes = excluded.bytes";
    let moment = |at: Option<Timestamp>| at.map(Timestamp::as_ms);
    let row: &[&dyn ToSql] = &[
        &key(alarm.id.0),
        &alarm.rule.as_str(),
        &alarm.subject.to_string(),
        &alarm.subject.station().as_str(),
        &alarm.severity.word(),
        &alarm.is_drill,
        &alarm.state.word(),
        &alarm.version,
        &alarm.began_at.as_ms(),
        &moment(alarm.raised_at),
        &moment(alarm.acknowledged_at),
        &alarm.acknowledged_by.as_ref().map(|by| by.name.as_str()),
        &alarm.acknowledged_by.as_ref().map(|by| by.kind.word()),
        &moment(alarm.cleared_at),
        &entry,
        &alarm.facts,
        &alarm.bytes,
    ];
    run(connection, sql, row).map_err(StoreError::sql("write an alarm"))?;
    Ok(())
}

fn set_notification(
    connection: &Connection,
    message: &NotificationRow,
    entry: Option<i64>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO notification (id, alarm, contact, channel, way, occasion, state,
          attempts, is_doubted, owed_at, sent_at, ended_at, text, token, link, is_open, entry, bytes)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
          is_doubted = excluded.is_doubted, sent_at = excluded.sent_at, ended_at = excluded.ended_at, token = excluded.token,
          is_open = excluded.is_open, entry = coalesce(excluded.entry, entry),
          bytes = excluded.bytes";
    let moment = |at: Option<Timestamp>| at.map(Timestamp::as_ms);
    let row: &[&dyn ToSql] = &[
        &key(message.id.0),
        &key(message.alarm.0),
        &message.contact.as_str(),
        &message.channel.as_str(),
        &message.way,
        &message.occasion.word(),
        &message.state.word(),
        &message.attempts,
        &message.is_doubted,
        &message.owed_at.as_ms(),
        &moment(message.sent_at),
        &moment(message.ended_at),
        &message.text,
        &message.token.map(|token| i64::from_be_bytes(token.0.to_be_bytes())),
        &message.token.map(digest),
        &message.is_open,
        &entry,
        &message.bytes,
    ];
    run(connection, sql, row).map_err(StoreError::sql("write a message"))?;
    Ok(())
}

/// An id of 128 bits in the file.
pub(in crate::shell) const fn key(id: u128) -> [u8; 16] {
    id.to_be_bytes()
}

/// A text of the file that must be one of ours.
pub(super) fn text_of<T>(column: usize, text: &str, parsed: Option<T>) -> rusqlite::Result<T> {
    parsed.ok_or_else(|| {
        let what = format!("`{text}` is none of our words");
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, what.into())
    })
}
