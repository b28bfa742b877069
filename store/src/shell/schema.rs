//! The tables of both files, as `docs/formats.md` §9 and §10 decide them.

/// What tells one of our files from any other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    /// Its name in the data folder.
    pub(super) name: &'static str,
    /// «BFS1», «BFJ1».
    pub(super) application_id: i32,
    /// The version of its tables.
    pub(super) user_version: i32,
    /// The tables.
    pub(super) schema: &'static str,
}

/// Samples, feed, quarantine.
pub(super) const SAMPLES: Format = Format {
    name: "samples.db",
    application_id: 0x4246_5331,
    user_version: 1,
    schema: "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE agent (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
  status TEXT, status_at INTEGER, seen_at INTEGER);
CREATE TABLE ledger (agent INTEGER NOT NULL, epoch INTEGER NOT NULL,
  first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,
  first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL, batches INTEGER NOT NULL,
  previous_epoch INTEGER, previous_sequence INTEGER,
  PRIMARY KEY (agent, epoch)) WITHOUT ROWID;
CREATE TABLE station (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE gauge (id INTEGER PRIMARY KEY, station INTEGER NOT NULL, name TEXT NOT NULL,
  unit TEXT NOT NULL, newest_ms INTEGER, longest_ms INTEGER NOT NULL DEFAULT 0,
  conflicts INTEGER NOT NULL DEFAULT 0, UNIQUE (station, name));
CREATE TABLE batch (position INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL,
  agent INTEGER NOT NULL, received_at INTEGER NOT NULL, bytes BLOB NOT NULL);
CREATE TABLE admitted (agent INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
  digest BLOB NOT NULL, batch INTEGER, PRIMARY KEY (agent, epoch, sequence)) WITHOUT ROWID;
CREATE TABLE admitted_payload (agent INTEGER NOT NULL, digest BLOB NOT NULL, batch INTEGER,
  PRIMARY KEY (agent, digest)) WITHOUT ROWID;
CREATE TABLE feed (position INTEGER PRIMARY KEY AUTOINCREMENT, station INTEGER NOT NULL,
  from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, batch INTEGER NOT NULL,
  received_at INTEGER NOT NULL, kind INTEGER NOT NULL, digest BLOB NOT NULL);
CREATE TABLE span (gauge INTEGER NOT NULL, from_ms INTEGER NOT NULL, feed INTEGER NOT NULL,
  to_ms INTEGER NOT NULL, batch INTEGER NOT NULL, points INTEGER NOT NULL,
  decimals INTEGER NOT NULL, offset_ms INTEGER NOT NULL, qc BLOB,
  PRIMARY KEY (gauge, from_ms, feed)) WITHOUT ROWID;
CREATE TABLE retold (gauge INTEGER NOT NULL, size INTEGER NOT NULL, batch INTEGER NOT NULL,
  from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, points INTEGER NOT NULL,
  decimals INTEGER NOT NULL, offset_ms INTEGER NOT NULL,
  PRIMARY KEY (gauge, size)) WITHOUT ROWID;
CREATE TABLE gap (batch INTEGER NOT NULL, number INTEGER NOT NULL, agent INTEGER NOT NULL,
  epoch INTEGER NOT NULL, first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL,
  gauges TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
  reason INTEGER NOT NULL, readings INTEGER NOT NULL,
  PRIMARY KEY (batch, number)) WITHOUT ROWID;
CREATE INDEX gap_to ON gap (to_ms);
CREATE TABLE anchor (id INTEGER PRIMARY KEY AUTOINCREMENT, agent INTEGER NOT NULL,
  boot BLOB NOT NULL, utc_at_boot_ms INTEGER NOT NULL, uncertainty_ms INTEGER NOT NULL,
  source INTEGER NOT NULL, received_at INTEGER NOT NULL, others INTEGER NOT NULL DEFAULT 0,
  UNIQUE (agent, boot));
CREATE INDEX anchor_agent ON anchor (agent);
CREATE TABLE quarantine (id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL,
  state INTEGER NOT NULL, agent TEXT NOT NULL, topic TEXT NOT NULL, received_at INTEGER NOT NULL,
  bytes INTEGER NOT NULL, digest BLOB NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
  batch INTEGER, gauges TEXT, gauge_count INTEGER NOT NULL, payload BLOB, entry INTEGER);
CREATE INDEX quarantine_kind ON quarantine (kind);
CREATE TABLE parking (item INTEGER PRIMARY KEY, agent INTEGER NOT NULL, boot BLOB,
  likeness BLOB UNIQUE, batches INTEGER NOT NULL, waiting INTEGER NOT NULL,
  bytes INTEGER NOT NULL, cost INTEGER NOT NULL, beside INTEGER NOT NULL,
  last_at INTEGER NOT NULL, from_ms INTEGER, to_ms INTEGER, due INTEGER);
CREATE INDEX parking_waiting ON parking (agent, boot) WHERE waiting > 0;
CREATE INDEX parking_decided ON parking (item) WHERE waiting = 0;
CREATE INDEX parking_due ON parking (due) WHERE due IS NOT NULL;
CREATE TABLE parked (item INTEGER NOT NULL, batch INTEGER NOT NULL, is_alone INTEGER NOT NULL,
  cost INTEGER NOT NULL, own BLOB, judged_at INTEGER NOT NULL, due INTEGER,
  PRIMARY KEY (item, batch)) WITHOUT ROWID;
CREATE INDEX parked_due ON parked (item, due) WHERE due IS NOT NULL;
CREATE TABLE chain_head (position INTEGER PRIMARY KEY, hash BLOB NOT NULL);
",
};

/// Entries, registry, tokens, people, consumers, verdicts, alarms.
pub(super) const JOURNAL: Format = Format {
    name: "journal.db",
    application_id: 0x4246_4a31,
    user_version: 1,
    schema: "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE entry (position INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL,
  bytes BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TABLE personal (id INTEGER PRIMARY KEY AUTOINCREMENT, salt BLOB NOT NULL,
  text TEXT NOT NULL);
CREATE TABLE registry (entry INTEGER PRIMARY KEY, file_digest BLOB NOT NULL);
CREATE TABLE token (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL, digest BLOB NOT NULL UNIQUE, created_at INTEGER NOT NULL,
  opened_at INTEGER, revoked_at INTEGER);
CREATE TABLE user (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  role TEXT NOT NULL, password TEXT NOT NULL, created_at INTEGER NOT NULL,
  must_change INTEGER NOT NULL, password_at INTEGER NOT NULL, disabled_at INTEGER);
CREATE TABLE attempt (name TEXT NOT NULL, place TEXT NOT NULL, tries INTEGER NOT NULL,
  is_familiar INTEGER NOT NULL, tried_at INTEGER NOT NULL, PRIMARY KEY (name, place)) WITHOUT ROWID;
CREATE INDEX attempt_tried ON attempt (is_familiar, tried_at);
CREATE INDEX attempt_familiar ON attempt (name, tried_at) WHERE is_familiar = 1;
CREATE TABLE session (digest BLOB PRIMARY KEY, user INTEGER NOT NULL, begun_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX session_user ON session (user, begun_at);
CREATE TABLE consumer (name TEXT PRIMARY KEY, sample_position INTEGER NOT NULL,
  entry_position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE section (id INTEGER PRIMARY KEY AUTOINCREMENT, station TEXT NOT NULL,
  name TEXT NOT NULL, begun_ms INTEGER NOT NULL, closed_ms INTEGER NOT NULL,
  UNIQUE (station, name));
CREATE TABLE again (section INTEGER NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
  first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,
  PRIMARY KEY (section, from_ms)) WITHOUT ROWID;
CREATE TABLE verdict (section INTEGER NOT NULL, by INTEGER NOT NULL, from_ms INTEGER NOT NULL,
  version INTEGER NOT NULL, to_ms INTEGER NOT NULL, verdict INTEGER,
  is_withdrawn INTEGER NOT NULL, judged_at INTEGER NOT NULL, is_late INTEGER NOT NULL,
  entry INTEGER, bytes BLOB NOT NULL,
  PRIMARY KEY (section, by, from_ms, version)) WITHOUT ROWID;
CREATE TABLE standing (station TEXT NOT NULL, section TEXT NOT NULL, state TEXT NOT NULL,
  since_ms INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (station, section)) WITHOUT ROWID;
CREATE INDEX verdict_open ON verdict (section, to_ms) WHERE version = 0;
CREATE TABLE condition (rule TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY (rule, subject)) WITHOUT ROWID;
CREATE TABLE alarm (number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
  rule TEXT NOT NULL, subject TEXT NOT NULL, station TEXT NOT NULL, severity TEXT NOT NULL,
  is_drill INTEGER NOT NULL, state TEXT NOT NULL, version INTEGER NOT NULL,
  began_at INTEGER NOT NULL, raised_at INTEGER, acknowledged_at INTEGER, acknowledged_by TEXT,
  acknowledged_as TEXT, cleared_at INTEGER, asked INTEGER, entry INTEGER, facts TEXT NOT NULL, bytes TEXT NOT NULL);
CREATE INDEX alarm_open ON alarm (number) WHERE state <> 'normal';
CREATE INDEX alarm_asked ON alarm (asked) WHERE asked IS NOT NULL;
CREATE INDEX alarm_state ON alarm (state, number);
CREATE INDEX alarm_station ON alarm (station, number);
CREATE INDEX alarm_station_state ON alarm (station, state, number);
CREATE TABLE escalation (alarm BLOB PRIMARY KEY, is_open INTEGER NOT NULL, state TEXT NOT NULL)
  WITHOUT ROWID;
CREATE INDEX escalation_open ON escalation (alarm) WHERE is_open = 1;
CREATE TABLE notification (number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,
  alarm BLOB NOT NULL, contact TEXT NOT NULL, channel TEXT NOT NULL, way INTEGER NOT NULL,
  occasion TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
  is_doubted INTEGER NOT NULL, owed_at INTEGER NOT NULL, sent_at INTEGER, ended_at INTEGER, receipt INTEGER,
  text TEXT NOT NULL, token INTEGER, link BLOB UNIQUE, is_open INTEGER NOT NULL, entry INTEGER,
  bytes TEXT NOT NULL);
CREATE INDEX notification_open ON notification (number) WHERE is_open = 1;
CREATE INDEX notification_alarm ON notification (alarm, number);
",
};
