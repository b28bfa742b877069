//! Reads of alarms and messages: what alerting goes on with, lists, links, and what `verify` asks.

use model::{
    alarm::{AlarmState, LinkToken, NotificationState, Occasion, Subject},
    alarm_rule::Severity,
    ids::{AlarmId, AlarmRuleId, NotificationId, StationId},
    time::Timestamp,
};
use rusqlite::{Connection, Params, Row, params, types::Type};

use super::{
    JournalReader,
    alarms::{LISTENED_UNTIL, key, text_of},
};
use crate::{
    alarms::{
        AlarmFacts, AlarmPage, AlarmRow, Alarming, AlarmsQuery, ConditionRow, EscalationRow,
        LinkRow, NotificationFacts, NotificationPage, NotificationRow, NotificationsQuery,
        OpenAlarms, Unheard, digest,
    },
    chain::{By, ByKind},
    shell::{error::StoreError, samples::first_row},
};

impl JournalReader {
    /// All that the consumer of this name goes on with.
    pub fn alarming(&self, consumer: &str) -> Result<Alarming, StoreError> {
        let connection = &self.connection;
        let sql = "SELECT value FROM meta WHERE key = ?1";
        let until = first_row(connection, sql, [LISTENED_UNTIL], |row| row.get::<_, String>(0));
        let until = until.map_err(StoreError::sql("read until when the server listened"))?;
        let conditions = rows(
            connection,
            ("list conditions", "SELECT rule, subject, state FROM condition"),
            [],
            condition,
        )?;
        let sql = format!("SELECT {ALARM} FROM alarm WHERE state <> 'normal' ORDER BY number");
        let mut alarms = rows(connection, ("list alarms", &sql), [], alarm_facts)?;
        let sql = format!(
            "SELECT {ALARM} FROM alarm WHERE state = 'normal'
              AND id IN (SELECT alarm FROM escalation WHERE is_open = 1)"
        );
        alarms.extend(rows(connection, ("list alarms", &sql), [], alarm_facts)?);
        let sql = "SELECT alarm, is_open, state FROM escalation WHERE is_open = 1";
        let escalations = rows(connection, ("list ladders", sql), [], escalation)?;
        let sql =
            format!("SELECT {NOTIFICATION} FROM notification WHERE is_open = 1 ORDER BY number");
        let messages = rows(connection, ("list messages", &sql), [], notification_facts)?;
        Ok(Alarming {
            positions: self.consumer(consumer)?,
            listened_until: until.and_then(|text| text.parse().ok()).map(Timestamp::clamped),
            conditions,
            alarms: alarms.into_iter().map(|facts| facts.row).collect(),
            escalations,
            notifications: messages.into_iter().map(|facts| facts.row).collect(),
        })
    }

    /// An alarm by its id.
    pub fn alarm(&self, id: AlarmId) -> Result<Option<AlarmFacts>, StoreError> {
        alarm(&self.connection, id)
    }

    /// The condition that this rule watches of this subject.
    pub fn condition(
        &self,
        rule: &AlarmRuleId,
        subject: &Subject,
    ) -> Result<Option<ConditionRow>, StoreError> {
        let sql = "SELECT rule, subject, state FROM condition WHERE rule = ?1 AND subject = ?2";
        first_row(&self.connection, sql, [rule.as_str(), &subject.to_string()], condition)
            .map_err(StoreError::sql("read a condition"))
    }

    /// A page of alarms, the newest first.
    pub fn alarms(&self, query: &AlarmsQuery) -> Result<AlarmPage, StoreError> {
        let narrowed = match (&query.station, query.state) {
            (None, None) => "",
            (Some(_), None) => "AND station = ?1",
            (None, Some(_)) => "AND state = ?2",
            (Some(_), Some(_)) => "AND station = ?1 AND state = ?2",
        };
        let sql = format!(
            "SELECT {ALARM} FROM alarm WHERE number < ?3 {narrowed}
             ORDER BY number DESC LIMIT ?4"
        );
        let station = query.station.as_ref().map(StationId::as_str);
        let state = query.state.map(AlarmState::word);
        let before = query.before.unwrap_or(i64::MAX);
        let parameters = params![station, state, before, one_more(query.limit)];
        let mut alarms = rows(&self.connection, ("list alarms", &sql), parameters, alarm_facts)?;
        let next = cut(&mut alarms, query.limit, |facts| facts.number);
        Ok(AlarmPage { alarms, next })
    }

    /// Alarms that are not over.
    pub fn open_alarms(&self, limit: usize) -> Result<OpenAlarms, StoreError> {
        let sql = format!(
            "SELECT {ALARM} FROM alarm INDEXED BY alarm_open WHERE state <> 'normal'
             ORDER BY number DESC LIMIT ?1"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let newest = rows(&self.connection, ("list alarms", &sql), [limit], alarm_facts)?;
        let sql = "SELECT state, count(*) FROM alarm INDEXED BY alarm_open
            WHERE state <> 'normal' GROUP BY state";
        let counts = rows(&self.connection, ("count alarms", sql), [], |row| {
            Ok((word(row, 0, AlarmState::WORDS)?, row.get(1)?))
        })?;
        Ok(OpenAlarms { newest, counts })
    }

    /// A page of messages, the newest first.
    pub fn notifications(
        &self,
        query: &NotificationsQuery,
    ) -> Result<NotificationPage, StoreError> {
        let narrowed = if query.alarm.is_some() { "AND alarm = ?1" } else { "" };
        let sql = format!(
            "SELECT {NOTIFICATION} FROM notification
            WHERE number < ?2 {narrowed}
            ORDER BY number DESC LIMIT ?3"
        );
        let alarm = query.alarm.map(|alarm| key(alarm.0));
        let before = query.before.unwrap_or(i64::MAX);
        let parameters = params![alarm, before, one_more(query.limit)];
        let of = ("list messages", sql.as_str());
        let mut notifications = rows(&self.connection, of, parameters, notification_facts)?;
        let next = cut(&mut notifications, query.limit, |facts| facts.number);
        Ok(NotificationPage { notifications, next })
    }

    /// A message by its id.
    pub fn notification(
        &self,
        id: NotificationId,
    ) -> Result<Option<NotificationFacts>, StoreError> {
        let sql = format!("SELECT {NOTIFICATION} FROM notification WHERE id = ?1");
        first_row(&self.connection, &sql, [key(id.0)], notification_facts)
            .map_err(StoreError::sql("read a message"))
    }

    /// What the token of a link stands for; `None` where it was never given out.
    pub fn link(&self, token: LinkToken) -> Result<Option<LinkRow>, StoreError> {
        let sql = "SELECT id, alarm, contact, owed_at FROM notification WHERE link = ?1";
        let link = first_row(&self.connection, sql, [digest(token)], |row| {
            Ok(LinkRow {
                message: NotificationId(number(row, 0)?),
                alarm: AlarmId(number(row, 1)?),
                contact: parsed(row, 2)?,
                owed_at: Timestamp::clamped(row.get(3)?),
            })
        });
        link.map_err(StoreError::sql("look a link up"))
    }
}

/// The columns of [`alarm_facts`]. The last one is null unless no channel has taken a message of it,
/// and there is a ladder; else whether messages are tried, have come to nothing, or are none.
const ALARM: &str = "number, id, rule, subject, severity, is_drill, state, version, began_at,
    raised_at, acknowledged_at, acknowledged_by, acknowledged_as, cleared_at, facts, bytes, asked,
    CASE WHEN state = 'unacknowledged' AND asked IS NULL
        AND EXISTS (SELECT 1 FROM escalation l WHERE l.alarm = alarm.id)
        AND NOT EXISTS (SELECT 1 FROM notification m WHERE m.alarm = alarm.id
            AND (m.sent_at IS NOT NULL OR m.state = 'delivered'))
      THEN (SELECT CASE WHEN count(*) = 0 THEN 'untold' WHEN max(m.is_open) THEN 'tried'
          ELSE 'in_vain' END FROM notification m WHERE m.alarm = alarm.id)
      END";

/// The columns of [`notification_facts`].
const NOTIFICATION: &str = "number, id, alarm, contact, channel, way, occasion, state, attempts,
    owed_at, sent_at, ended_at, text, token, is_open, bytes, is_doubted";

pub(super) fn alarm(
    connection: &Connection,
    id: AlarmId,
) -> Result<Option<AlarmFacts>, StoreError> {
    let sql = format!("SELECT {ALARM} FROM alarm WHERE id = ?1");
    first_row(connection, &sql, [key(id.0)], alarm_facts).map_err(StoreError::sql("read an alarm"))
}

fn rows<T>(
    connection: &Connection,
    (attempt, sql): (&'static str, &str),
    parameters: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let attempt = StoreError::sql(attempt);
    let mut statement = connection.prepare_cached(sql).map_err(&attempt)?;
    let rows = statement.query_map(parameters, read).map_err(&attempt)?;
    rows.map(|row| row.map_err(&attempt)).collect()
}

/// One more than a page holds: whether there is a next one.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit.max(1)).unwrap_or(i64::MAX).saturating_add(1)
}

/// Cuts a page to its length, and says where the next begins.
fn cut<T>(page: &mut Vec<T>, limit: usize, number: impl Fn(&T) -> i64) -> Option<i64> {
    let has_more = page.len() > limit.max(1);
    page.truncate(limit.max(1));
    page.last().filter(|_| has_more).map(number)
}

fn condition(row: &Row<'_>) -> rusqlite::Result<ConditionRow> {
    let rule: String = row.get(0)?;
    let rule = if rule.is_empty() { None } else { Some(parsed(row, 0)?) };
    Ok(ConditionRow { rule, subject: parsed(row, 1)?, state: row.get(2)? })
}

fn escalation(row: &Row<'_>) -> rusqlite::Result<EscalationRow> {
    let alarm = AlarmId(number(row, 0)?);
    Ok(EscalationRow { alarm, is_open: row.get(1)?, state: row.get(2)? })
}

fn alarm_facts(row: &Row<'_>) -> rusqlite::Result<AlarmFacts> {
    let moment = |column| moment(row, column);
    let kept = AlarmRow {
        id: AlarmId(number(row, 1)?),
        rule: parsed(row, 2)?,
        subject: parsed(row, 3)?,
        severity: word(row, 4, Severity::WORDS)?,
        is_drill: row.get(5)?,
        state: word(row, 6, AlarmState::WORDS)?,
        version: row.get(7)?,
        began_at: Timestamp::clamped(row.get(8)?),
        raised_at: moment(9)?,
        acknowledged_at: moment(10)?,
        acknowledged_by: by(row)?,
        cleared_at: moment(13)?,
        facts: row.get(14)?,
        bytes: row.get(15)?,
    };
    Ok(AlarmFacts { number: row.get(0)?, row: kept, asked: row.get(16)?, unheard: unheard(row)? })
}

fn unheard(row: &Row<'_>) -> rusqlite::Result<Option<Unheard>> {
    let known: &[(&str, Unheard)] =
        &[("untold", Unheard::Untold), ("tried", Unheard::Tried), ("in_vain", Unheard::InVain)];
    if row.get_ref(17)?.data_type() == Type::Null {
        return Ok(None);
    }
    word(row, 17, known).map(Some)
}

/// Who took an alarm on.
fn by(row: &Row<'_>) -> rusqlite::Result<Option<By>> {
    let Some(name) = row.get(11)? else { return Ok(None) };
    Ok(Some(By { kind: word(row, 12, ByKind::WORDS)?, name }))
}

fn notification_facts(row: &Row<'_>) -> rusqlite::Result<NotificationFacts> {
    let moment = |column| moment(row, column);
    let token = row.get::<_, Option<i64>>(13)?;
    let kept = NotificationRow {
        id: NotificationId(number(row, 1)?),
        alarm: AlarmId(number(row, 2)?),
        contact: parsed(row, 3)?,
        channel: parsed(row, 4)?,
        way: row.get(5)?,
        occasion: word(row, 6, Occasion::WORDS)?,
        state: word(row, 7, NotificationState::WORDS)?,
        attempts: row.get(8)?,
        is_doubted: row.get(16)?,
        owed_at: Timestamp::clamped(row.get(9)?),
        sent_at: moment(10)?,
        ended_at: moment(11)?,
        text: row.get(12)?,
        token: token.map(|token| LinkToken(u64::from_be_bytes(token.to_be_bytes()))),
        is_open: row.get(14)?,
        bytes: row.get(15)?,
    };
    Ok(NotificationFacts { number: row.get(0)?, row: kept })
}

fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::clamped))
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u128> {
    row.get::<_, [u8; 16]>(column).map(u128::from_be_bytes)
}

fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text_of(column, &text, text.parse().ok())
}

fn word<T: Copy>(row: &Row<'_>, column: usize, words: &[(&str, T)]) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    let known = words.iter().find(|(word, _)| *word == text).map(|(_, known)| *known);
    text_of(column, &text, known)
}
