//! Journal entries: their canonical bytes and the chain of hashes over them (`docs/formats.md` §10).

use std::fmt;

use model::{
    alarm::{AlarmEvent, AlarmState, NotificationState, Occasion, Subject},
    alarm_rule::Severity,
    ids::{AgentId, AlarmId, AlarmRuleId, BootId, ChannelId, ContactId, NotificationId, StoreId},
    time::Timestamp,
    wire::refused_v1::Reason,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

/// SHA-256 of the hash before and an entry's bytes.
pub type Hash = [u8; 32];

/// What stands before position 1.
pub(crate) const GENESIS: Hash = [0; 32];

/// Who appends an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// What sort of actor.
    pub kind: ByKind,
    /// Its name: the account that ran a command, the user, the token, the part of the server.
    pub name: String,
}

impl fmt::Display for By {
    /// Somebody and something of one name do not print alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.name)
    }
}

/// What sort of actor appends an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ByKind {
    /// Somebody at the machine's command line.
    Command,
    /// The server by itself.
    Server,
    /// Somebody logged in.
    User,
    /// A program with an API token.
    Token,
    /// Somebody who was told of an alarm, by the link in his message.
    Contact,
}

impl ByKind {
    /// Every kind with its word.
    pub(crate) const WORDS: &'static [(&'static str, Self)] = &[
        ("command", Self::Command),
        ("server", Self::Server),
        ("user", Self::User),
        ("token", Self::Token),
        ("contact", Self::Contact),
    ];

    /// Its word, in entries and in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Server => "server",
            Self::User => "user",
            Self::Token => "token",
            Self::Contact => "contact",
        }
    }
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Body {
    /// The first entry of every journal.
    StoreCreated {
        /// The store that the journal belongs to.
        store_id: StoreId,
        /// The software that made it.
        version: String,
    },
    /// A backup was put back: from here on this is another store.
    StoreRestored {
        /// The store that the journal belongs to from here on.
        store_id: StoreId,
        /// The store that was copied.
        before: StoreId,
        /// The moment that the backup shows; none of a copy made by hand.
        taken_at: Option<Timestamp>,
        /// The software that put it back.
        version: String,
    },
    /// A registry came into force.
    RegistryImported {
        /// The file's name, without its folder.
        file: String,
        /// SHA-256 of the file, hexadecimal.
        file_digest: String,
        /// What changed, in plain words.
        changes: Vec<String>,
        /// The canonical document (§11).
        #[serde(serialize_with = "as_json")]
        document: String,
    },
    /// An API token was made.
    TokenAdded {
        /// Its name.
        name: String,
        /// What it may do.
        role: String,
    },
    /// A screen opened its link, which opens nothing any more.
    ScreenOpened {
        /// The token's name.
        name: String,
    },
    /// An API token was revoked.
    TokenRevoked {
        /// Its name.
        name: String,
        /// What it could do.
        role: String,
    },
    /// Somebody may log in, or is another than before under this name.
    UserAdded {
        /// The name.
        name: String,
        /// What they may do.
        role: String,
    },
    /// Somebody may log in no more.
    UserDisabled {
        /// The name.
        name: String,
        /// What they could do.
        role: String,
    },
    /// Somebody has another password.
    PasswordSet {
        /// The name.
        name: String,
        /// What they may do.
        role: String,
    },
    /// Somebody logged in.
    SessionBegun {
        /// The name.
        user: String,
    },
    /// Somebody logged out, or a later session took this one's place.
    SessionEnded {
        /// The name.
        user: String,
    },
    /// Too many wrong passwords were tried on somebody.
    LoginsLocked {
        /// The name.
        user: String,
    },
    /// Input was refused, so often within an hour.
    Refusals {
        /// Whose.
        agent: String,
        /// Why.
        reason: Reason,
        /// The hour's first moment.
        hour: Timestamp,
        /// How often.
        count: u64,
    },
    /// Somebody decided about a quarantined payload.
    QuarantineDecided {
        /// The row of the quarantine.
        id: i64,
        /// What was decided.
        decision: Decision,
        /// The gauges concerned; empty where the whole payload was held.
        gauges: Vec<String>,
    },
    /// A decision found nothing left to do: another had come first, or the payload had made room.
    QuarantineVoided {
        /// The row of the quarantine.
        id: i64,
        /// The decision's entry.
        entry: i64,
    },
    /// Moments that count from a start of a gateway have become UTC.
    ClockAnchored {
        /// Whose gateway.
        agent: AgentId,
        /// Which start.
        boot_id: BootId,
        /// When it was.
        utc_at_boot: Timestamp,
        /// To within so many milliseconds.
        uncertainty_ms: u32,
        /// Who says so (§2).
        source: u32,
    },
    /// Periods were closed, or judged again with another outcome.
    VerdictsGiven {
        /// At most [`MAX_VERDICTS`].
        verdicts: Vec<VerdictGiven>,
    },
    /// An alarm was raised, taken on, cleared or put aside.
    AlarmChanged(AlarmChanged),
    /// Somebody asks to take an alarm on, having seen it at this version. Whether that came to be
    /// is for the alarm's next entry to say.
    AcknowledgementAsked {
        /// Which.
        alarm: AlarmId,
        /// The version that was seen.
        version: u32,
    },
    /// A message was handed over, arrived, or never will.
    MessageChanged(MessageChanged),
    /// A receipt came for a message.
    ReceiptTaken {
        /// Which.
        message: NotificationId,
        /// Whether it says that the message arrived.
        delivered: bool,
    },
    /// Something about who is told of an alarm that a person should know.
    EscalationNoted {
        /// What.
        #[serde(skip)]
        what: EscalationNote,
        /// Of which.
        alarm: AlarmId,
    },
    /// A run below its limit that had ended when it became known: nobody was woken for it.
    BreachFound {
        /// By which rule.
        rule: AlarmRuleId,
        /// Where.
        #[serde(serialize_with = "as_text")]
        subject: Subject,
        /// Its first known moment.
        from: Timestamp,
        /// The end of its last known time.
        to: Timestamp,
        /// How much of it is known.
        known_ms: i64,
    },
    /// A file of samples was imported.
    SamplesImported {
        /// The file's name, without its folder.
        file: String,
        /// SHA-256 of the file, hexadecimal.
        file_digest: String,
        /// Rows that were accepted.
        rows: u64,
        /// Rows that were not.
        refused: u64,
    },
}

/// A step in the life of an alarm, as its entry tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlarmChanged {
    /// What happened: the entry's kind.
    #[serde(skip)]
    pub what: AlarmEvent,
    /// To which.
    pub alarm: AlarmId,
    /// By which rule it stands.
    pub rule: AlarmRuleId,
    /// Of what it speaks.
    #[serde(serialize_with = "as_text")]
    pub subject: Subject,
    /// How soon a person must act.
    #[serde(serialize_with = "as_text")]
    pub severity: Severity,
    /// Whether it is practice.
    pub drill: bool,
    /// Its version from then on.
    pub version: u32,
    /// Where it stands from then on.
    #[serde(serialize_with = "as_text")]
    pub state: AlarmState,
    /// When it happened, by the river.
    pub event_at: Timestamp,
    /// When it was found out.
    pub detected_at: Timestamp,
    /// Who took it on.
    pub acknowledged_by: Option<By>,
}

/// A step in the life of a message, as its entry tells it. Neither text nor address is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageChanged {
    /// Where it stands from then on: the entry's kind.
    #[serde(skip)]
    pub state: NotificationState,
    /// Which.
    pub message: NotificationId,
    /// Of which alarm it speaks.
    pub alarm: AlarmId,
    /// Whom it tells.
    pub contact: ContactId,
    /// By which channel.
    pub channel: ChannelId,
    /// What it says.
    #[serde(serialize_with = "as_text")]
    pub occasion: Occasion,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it may have arrived although nobody says so.
    pub doubted: bool,
}

/// What is said of who is told of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EscalationNote {
    /// The ladder has ended and nobody has taken the alarm on.
    LadderEnded,
    /// The reminders have ended, and nobody has.
    RemindersEnded,
    /// Nobody of the whole ladder can be reached.
    NobodyReached,
}

/// The word for [`Body::VerdictsGiven`].
pub(crate) const VERDICTS_GIVEN: &str = "verdicts_given";

/// Verdicts in one entry.
pub(crate) const MAX_VERDICTS: usize = 64;

/// A new version of a period's verdict, as its entry names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictGiven {
    /// `STATION/SECTION`.
    pub section: String,
    /// `hour` or `day`.
    pub by: String,
    /// The period's first moment.
    pub from: Timestamp,
    /// From 1 on.
    pub version: u32,
    /// The word for it; `None`: it has none of its own.
    pub verdict: Option<String>,
    /// Whether it came after the close of its month.
    pub late: bool,
    /// SHA-256 of the judgement, hexadecimal.
    pub digest: String,
}

/// What becomes of a quarantined payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Judged again and admitted.
    Replayed,
    /// Given up.
    Discarded,
}

impl Body {
    /// The word for [`Body::QuarantineVoided`].
    pub(crate) const QUARANTINE_VOIDED: &'static str = "quarantine_voided";

    /// The word for it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::StoreCreated { .. } => "store_created",
            Self::StoreRestored { .. } => "store_restored",
            Self::RegistryImported { .. } => "registry_imported",
            Self::TokenAdded { .. } => "token_added",
            Self::ScreenOpened { .. } => "screen_opened",
            Self::TokenRevoked { .. } => "token_revoked",
            Self::UserAdded { .. } => "user_added",
            Self::UserDisabled { .. } => "user_disabled",
            Self::PasswordSet { .. } => "password_set",
            Self::SessionBegun { .. } => "session_begun",
            Self::SessionEnded { .. } => "session_ended",
            Self::LoginsLocked { .. } => "logins_locked",
            Self::Refusals { .. } => "refusals",
            Self::QuarantineDecided { .. } => "quarantine_decided",
            Self::QuarantineVoided { .. } => Self::QUARANTINE_VOIDED,
            Self::ClockAnchored { .. } => "clock_anchored",
            Self::VerdictsGiven { .. } => VERDICTS_GIVEN,
            Self::AlarmChanged(changed) => alarm_kind(changed.what),
            Self::AcknowledgementAsked { .. } => ACKNOWLEDGEMENT_ASKED,
            Self::MessageChanged(changed) => message_kind(changed.state),
            Self::ReceiptTaken { .. } => RECEIPT_TAKEN,
            Self::EscalationNoted { what, .. } => match what {
                EscalationNote::LadderEnded => "ladder_ended",
                EscalationNote::RemindersEnded => "reminders_ended",
                EscalationNote::NobodyReached => "nobody_reached",
            },
            Self::BreachFound { .. } => "breach_found",
            Self::SamplesImported { .. } => "samples_imported",
        }
    }
}

/// The word for [`Body::AcknowledgementAsked`].
pub const ACKNOWLEDGEMENT_ASKED: &str = "acknowledgement_asked";
/// The word for [`Body::ReceiptTaken`].
pub const RECEIPT_TAKEN: &str = "receipt_taken";
/// What begins the words for [`Body::AlarmChanged`] and for [`Body::MessageChanged`].
pub(crate) const ALARM_PREFIX: &str = "alarm_";
pub(crate) const MESSAGE_PREFIX: &str = "message_";

const fn alarm_kind(what: AlarmEvent) -> &'static str {
    match what {
        AlarmEvent::Pending => "alarm_pending",
        AlarmEvent::Dropped => "alarm_dropped",
        AlarmEvent::Raised => "alarm_raised",
        AlarmEvent::Acknowledged => "alarm_acknowledged",
        AlarmEvent::Cleared => "alarm_cleared",
        AlarmEvent::Withdrawn => "alarm_withdrawn",
        AlarmEvent::Superseded => "alarm_superseded",
    }
}

const fn message_kind(state: NotificationState) -> &'static str {
    match state {
        NotificationState::Owed => "message_owed",
        NotificationState::Sent => "message_sent",
        NotificationState::Delivered => "message_delivered",
        NotificationState::Failed => "message_failed",
        NotificationState::Expired => "message_expired",
    }
}

fn as_text<T: fmt::Display, S: serde::Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_json<S: serde::Serializer>(document: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let raw: &RawValue = serde_json::from_str(document).map_err(serde::ser::Error::custom)?;
    raw.serialize(serializer)
}

/// An entry as it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// From 1, without holes.
    pub position: i64,
    /// When it was appended.
    pub at: Timestamp,
    /// The word for what it says.
    pub kind: String,
    /// Canonical JSON, never written again.
    pub bytes: Vec<u8>,
    /// Over the hash before and the bytes.
    pub hash: Hash,
}

/// An entry's bytes, read.
#[derive(Debug, Clone, Deserialize)]
pub struct Document<'a> {
    /// The version of the format: 1.
    pub v: u32,
    /// The entry's position.
    pub position: i64,
    /// When it was appended.
    pub at: Timestamp,
    /// The word for what it says.
    pub kind: String,
    /// Who appended it.
    pub by: By,
    /// What it says, as JSON.
    #[serde(borrow)]
    pub body: &'a RawValue,
}

impl Entry {
    /// The entry after one whose hash is `before`.
    pub fn following(
        (position, before): (i64, &Hash),
        at: Timestamp,
        by: &By,
        body: &Body,
    ) -> Result<Self, serde_json::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            v: u32,
            position: i64,
            at: Timestamp,
            kind: &'static str,
            by: &'a By,
            body: &'a Body,
        }
        let position = position.saturating_add(1);
        let kind = body.kind();
        let bytes = serde_json::to_vec(&Written { v: 1, position, at, kind, by, body })?;
        let hash = hash(before, &bytes);
        Ok(Self { position, at, kind: kind.to_owned(), bytes, hash })
    }

    /// What the body says.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.document()?.body.get())
    }

    /// What the bytes say.
    pub fn document(&self) -> Result<Document<'_>, serde_json::Error> {
        serde_json::from_slice(&self.bytes)
    }
}

/// The hash of an entry with these bytes after one with the hash `before`.
pub(crate) fn hash(before: &Hash, bytes: &[u8]) -> Hash {
    Sha256::new().chain_update(before).chain_update(bytes).finalize().into()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn an_entry_has_one_spelling_for_ever() {
        let at = "2026-11-22T00:00:00Z".parse().unwrap();
        let by = By { kind: ByKind::Command, name: "root".to_owned() };
        let body = Body::RegistryImported {
            file: "registry.toml".to_owned(),
            file_digest: "ab".repeat(32),
            changes: vec!["station `A` added".to_owned()],
            document: r#"{"version":1}"#.to_owned(),
        };
        let entry = Entry::following((6, &GENESIS), at, &by, &body).unwrap();
        expect![[r#"{"v":1,"position":7,"at":"2026-11-22T00:00:00Z","kind":"registry_imported","by":{"kind":"command","name":"root"},"body":{"file":"registry.toml","file_digest":"abababababababababababababababababababababababababababababababab","changes":["station `A` added"],"document":{"version":1}}}"#]]
        .assert_eq(str::from_utf8(&entry.bytes).unwrap());
        expect!["75a75ba8e06d56c8aa8e005c537364c3b1b5d740bae9a4d9ff2f9c59946d8702"]
            .assert_eq(&hex::encode(entry.hash));
        let document = entry.document().unwrap();
        assert_eq!((document.v, document.position, document.at, document.by), (1, 7, at, by));
    }

    #[test]
    fn every_entry_is_bound_to_the_one_before() {
        assert_ne!(hash(&GENESIS, b"x"), hash(&[1; 32], b"x"));
        assert_ne!(hash(&GENESIS, b"x"), hash(&GENESIS, b"y"));
    }

    fn raised(hour: Timestamp) -> AlarmChanged {
        AlarmChanged {
            what: AlarmEvent::Raised,
            alarm: AlarmId(10),
            rule: "low".parse().unwrap(),
            subject: "section BF-1/dam".parse().unwrap(),
            severity: Severity::Orange,
            drill: false,
            version: 2,
            state: AlarmState::Unacknowledged,
            event_at: hour,
            detected_at: hour.plus_ms(600_500),
            acknowledged_by: None,
        }
    }

    #[test]
    fn bodies_about_people_name_them_and_hold_no_secret() {
        let (name, role, user) = ("zhang".to_owned(), "duty".to_owned(), "zhang".to_owned());
        let bodies = [
            Body::UserAdded { name: name.clone(), role: role.clone() },
            Body::PasswordSet { name: name.clone(), role: role.clone() },
            Body::UserDisabled { name, role },
            Body::SessionBegun { user: user.clone() },
            Body::SessionEnded { user: user.clone() },
            Body::LoginsLocked { user },
            Body::ScreenOpened { name: "hall".to_owned() },
        ];
        let words =
            |body: &Body| format!("{} {}", body.kind(), serde_json::to_string(body).unwrap());
        expect![[r#"
            user_added {"name":"zhang","role":"duty"}
            password_set {"name":"zhang","role":"duty"}
            user_disabled {"name":"zhang","role":"duty"}
            session_begun {"user":"zhang"}
            session_ended {"user":"zhang"}
            logins_locked {"user":"zhang"}
            screen_opened {"name":"hall"}"#]]
        .assert_eq(&bodies.iter().map(words).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn the_other_bodies_are_spelled_as_the_formats_say() {
        let hour = "2026-11-22T08:00:00Z".parse().unwrap();
        let bodies = [
            Body::StoreCreated { store_id: StoreId(1), version: "0.1.0".to_owned() },
            Body::StoreRestored {
                store_id: StoreId(2),
                before: StoreId(1),
                taken_at: Some(hour),
                version: "0.1.0".to_owned(),
            },
            Body::Refusals { agent: "gw".to_owned(), reason: Reason::UnknownGauge, hour, count: 3 },
            Body::QuarantineDecided { id: 4, decision: Decision::Replayed, gauges: vec![] },
            Body::QuarantineVoided { id: 4, entry: 9 },
            Body::ClockAnchored {
                agent: "gw".parse().unwrap(),
                boot_id: BootId(1),
                utc_at_boot: hour,
                uncertainty_ms: 2,
                source: 1,
            },
            Body::AlarmChanged(raised(hour)),
            Body::AlarmChanged(AlarmChanged {
                what: AlarmEvent::Acknowledged,
                version: 3,
                state: AlarmState::Acknowledged,
                acknowledged_by: Some(By { kind: ByKind::Contact, name: "zhang".to_owned() }),
                ..raised(hour)
            }),
            Body::AcknowledgementAsked { alarm: AlarmId(10), version: 2 },
            Body::MessageChanged(MessageChanged {
                state: NotificationState::Sent,
                message: NotificationId(11),
                alarm: AlarmId(10),
                contact: "zhang".parse().unwrap(),
                channel: "sms".parse().unwrap(),
                occasion: Occasion::Raised,
                attempts: 1,
                doubted: false,
            }),
            Body::ReceiptTaken { message: NotificationId(11), delivered: true },
            Body::EscalationNoted { what: EscalationNote::LadderEnded, alarm: AlarmId(10) },
            Body::BreachFound {
                rule: "low".parse().unwrap(),
                subject: "section BF-1/dam".parse().unwrap(),
                from: hour,
                to: hour.plus_ms(900_000),
                known_ms: 600_000,
            },
        ];
        let shown: Vec<_> = bodies
            .iter()
            .map(|body| format!("{} {}", body.kind(), serde_json::to_string(body).unwrap()))
            .collect();
        expect![[r#"
            store_created {"store_id":"00000000000000000000000000000001","version":"0.1.0"}
            store_restored {"store_id":"00000000000000000000000000000002","before":"00000000000000000000000000000001","taken_at":"2026-11-22T08:00:00Z","version":"0.1.0"}
            refusals {"agent":"gw","reason":"unknown_gauge","hour":"2026-11-22T08:00:00Z","count":3}
            quarantine_decided {"id":4,"decision":"replayed","gauges":[]}
            quarantine_voided {"id":4,"entry":9}
            clock_anchored {"agent":"gw","boot_id":"00000000000000000000000000000001","utc_at_boot":"2026-11-22T08:00:00Z","uncertainty_ms":2,"source":1}
            alarm_raised {"alarm":"0000000000000000000000000000000a","rule":"low","subject":"section BF-1/dam","severity":"orange","drill":false,"version":2,"state":"unacknowledged","event_at":"2026-11-22T08:00:00Z","detected_at":"2026-11-22T08:10:00.5Z","acknowledged_by":null}
            alarm_acknowledged {"alarm":"0000000000000000000000000000000a","rule":"low","subject":"section BF-1/dam","severity":"orange","drill":false,"version":3,"state":"acknowledged","event_at":"2026-11-22T08:00:00Z","detected_at":"2026-11-22T08:10:00.5Z","acknowledged_by":{"kind":"contact","name":"zhang"}}
            acknowledgement_asked {"alarm":"0000000000000000000000000000000a","version":2}
            message_sent {"message":"0000000000000000000000000000000b","alarm":"0000000000000000000000000000000a","contact":"zhang","channel":"sms","occasion":"raised","attempts":1,"doubted":false}
            receipt_taken {"message":"0000000000000000000000000000000b","delivered":true}
            ladder_ended {"alarm":"0000000000000000000000000000000a"}
            breach_found {"rule":"low","subject":"section BF-1/dam","from":"2026-11-22T08:00:00Z","to":"2026-11-22T08:15:00Z","known_ms":600000}"#]]
        .assert_eq(&shown.join("\n"));
    }
}
