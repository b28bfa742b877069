//! Whether alarms and messages are what the entries say that name them.

use model::ids::{AlarmId, NotificationId};
use rusqlite::{Row, params};
use serde::Deserialize;

use crate::{
    audit::{Finding, Report},
    chain::{ALARM_PREFIX, Entry, MESSAGE_PREFIX},
    shell::{
        error::StoreError,
        journal::{JournalReader, key},
        samples::first_row,
    },
};

/// Whether an entry of this kind names an alarm or a message.
pub(super) fn names_one(kind: &str) -> bool {
    kind.starts_with(ALARM_PREFIX) || kind.starts_with(MESSAGE_PREFIX)
}

/// What an entry says of an alarm.
#[derive(Deserialize)]
struct AlarmSaid {
    alarm: AlarmId,
    rule: String,
    subject: String,
    severity: String,
    drill: bool,
    version: u32,
    state: String,
}

/// What an entry says of a message; its state is in the kind.
#[derive(Deserialize)]
struct MessageSaid {
    message: NotificationId,
    alarm: AlarmId,
    contact: String,
    channel: String,
    occasion: String,
    attempts: u32,
}

/// Each alarm and message that these entries name is there and as they say.
pub(super) fn check(
    reader: &JournalReader,
    entries: &[&Entry],
    report: &mut Report,
) -> Result<(), StoreError> {
    for entry in entries {
        // What cannot be read was found by the chain's own check.
        if let Some(state) = entry.kind.strip_prefix(MESSAGE_PREFIX) {
            let Ok(said) = entry.body::<MessageSaid>() else { continue };
            report.messages += 1;
            if let Some(problem) = message(reader, entry.position, (&said, state))? {
                let problem = problem.to_owned();
                report.findings.push(Finding::Message { message: said.message, problem });
            }
        } else {
            let Ok(said) = entry.body::<AlarmSaid>() else { continue };
            report.alarms += 1;
            if let Some(problem) = alarm(reader, entry.position, &said)? {
                let problem = problem.to_owned();
                report.findings.push(Finding::Alarm { alarm: said.alarm, problem });
            }
        }
    }
    Ok(())
}

const MISSING: &str = "an entry names it, and its row is missing";
const OTHER: &str = "its row says other than its entry";

fn alarm(
    reader: &JournalReader,
    position: i64,
    said: &AlarmSaid,
) -> Result<Option<&'static str>, StoreError> {
    let sql = "SELECT rule, subject, severity, is_drill, version, state, entry FROM alarm
        WHERE id = ?1";
    let row = first_row(&reader.connection, sql, [key(said.alarm.0)], |row| {
        let is_of = is(row, 0, &said.rule)?
            && is(row, 1, &said.subject)?
            && is(row, 2, &said.severity)?
            && row.get::<_, bool>(3)? == said.drill;
        let version: u32 = row.get(4)?;
        let is_last = row.get::<_, Option<i64>>(6)? == Some(position);
        let is_as_said = version == said.version && is(row, 5, &said.state)?;
        Ok(is_of && version >= said.version && (!is_last || is_as_said))
    });
    let row = row.map_err(StoreError::sql("look an alarm up"))?;
    Ok(found(row))
}

fn message(
    reader: &JournalReader,
    position: i64,
    (said, state): (&MessageSaid, &str),
) -> Result<Option<&'static str>, StoreError> {
    let sql = "SELECT contact, channel, occasion, attempts, state, entry FROM notification
        WHERE id = ?1 AND alarm = ?2";
    let ids = params![key(said.message.0), key(said.alarm.0)];
    let row = first_row(&reader.connection, sql, ids, |row| {
        let is_of =
            is(row, 0, &said.contact)? && is(row, 1, &said.channel)? && is(row, 2, &said.occasion)?;
        let attempts: u32 = row.get(3)?;
        let is_last = row.get::<_, Option<i64>>(5)? == Some(position);
        Ok(is_of && attempts >= said.attempts && (!is_last || is(row, 4, state)?))
    });
    let row = row.map_err(StoreError::sql("look a message up"))?;
    Ok(found(row))
}

fn is(row: &Row<'_>, column: usize, said: &str) -> rusqlite::Result<bool> {
    Ok(row.get::<_, String>(column)? == said)
}

const fn found(agrees: Option<bool>) -> Option<&'static str> {
    match agrees {
        None => Some(MISSING),
        Some(false) => Some(OTHER),
        Some(true) => None,
    }
}

/// Rows of `journal.db` that name what is not there, or that no entry names though one must.
pub(super) const LOOSE: [(&str, &str); 4] = [
    (
        "alarms whose entry is not there",
        "SELECT count(*) FROM alarm a LEFT JOIN entry e ON e.position = a.entry
            WHERE a.entry IS NOT NULL AND (e.kind IS NULL OR e.kind NOT LIKE 'alarm\\_%' ESCAPE '\\')",
    ),
    (
        "alarms that were raised and that no entry names",
        "SELECT count(*) FROM alarm WHERE entry IS NULL AND state <> 'pending'",
    ),
    (
        "messages whose entry is not there",
        "SELECT count(*) FROM notification n LEFT JOIN entry e ON e.position = n.entry
            WHERE n.entry IS NOT NULL
              AND (e.kind IS NULL OR e.kind NOT LIKE 'message\\_%' ESCAPE '\\')
            OR n.entry IS NULL AND n.state <> 'owed'",
    ),
    (
        "messages whose alarm is not there",
        "SELECT count(*) FROM notification n LEFT JOIN alarm a ON a.id = n.alarm
            WHERE a.id IS NULL",
    ),
];
