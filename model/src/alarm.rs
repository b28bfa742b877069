//! Alarms as the store, the API and messages name them: subjects, ids, states and links.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

use crate::{
    ids::{AlarmId, AlarmRuleId, ContactId, GaugeId, NotificationId, SectionId, StationId},
    time::Timestamp,
    words::words,
};

/// What an alarm speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A section of a station.
    Section {
        /// The station.
        station: StationId,
        /// The section.
        section: SectionId,
    },
    /// A gauge.
    Gauge(GaugeId),
}

impl Subject {
    /// The station that it belongs to.
    pub const fn station(&self) -> &StationId {
        match self {
            Self::Section { station, .. } => station,
            Self::Gauge(gauge) => &gauge.station,
        }
    }
}

/// Why a text names no subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no subject; write `section STATION/SECTION` or `gauge STATION/GAUGE`")]
pub struct SubjectError(String);

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let parsed = match text.split_once(' ') {
            Some(("section", name)) => name.split_once('/').and_then(|(station, section)| {
                Some(Self::Section {
                    station: station.parse().ok()?,
                    section: section.parse().ok()?,
                })
            }),
            Some(("gauge", name)) => name.parse().ok().map(Self::Gauge),
            Some(_) | None => None,
        };
        parsed.ok_or_else(|| SubjectError(text.chars().take(140).collect()))
    }
}

impl fmt::Display for Subject {
    /// A gauge and a section of the same name do not print alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Section { station, section } => write!(f, "section {station}/{section}"),
            Self::Gauge(gauge) => write!(f, "gauge {gauge}"),
        }
    }
}

words! {
    /// Where an alarm stands in its life, as ISA-18.2 has it.
    AlarmState {
        /// The condition holds, but not yet for the on-delay: nobody is told.
        Pending = "pending",
        /// 未确认: it stands, and nobody has taken it on.
        Unacknowledged = "unacknowledged",
        /// 已确认: it stands, and somebody has taken it on.
        Acknowledged = "acknowledged",
        /// 已恢复·未确认: it stands no longer, and nobody had taken it on.
        ClearedUnacknowledged = "cleared_unacknowledged",
        /// 已关闭: it is history.
        Normal = "normal",
        /// 已搁置: a person silenced it for a while.
        Shelved = "shelved",
        /// 设计抑制: a rule silences it.
        Suppressed = "suppressed",
        /// 退出服务: it is out of service.
        OutOfService = "out_of_service",
    }
}

words! {
    /// What happened to an alarm.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    AlarmEvent {
        /// Its condition began to hold.
        Pending = "pending",
        /// Its condition ended too soon.
        Dropped = "dropped",
        /// It was raised.
        Raised = "raised",
        /// A person took it on.
        Acknowledged = "acknowledged",
        /// Its condition is over.
        Cleared = "cleared",
        /// It is watched no longer.
        Withdrawn = "withdrawn",
        /// A newer one took its place.
        Superseded = "superseded",
    }
}

words! {
    /// Why an alarm is over.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    AlarmEnd {
        /// Its condition is.
        Recovered = "recovered",
        /// The registry has its rule no more, or as a rule of another kind.
        RuleWithdrawn = "rule_withdrawn",
        /// The station was closed down, or left the registry.
        StationLeft = "station_left",
        /// The rule speaks of other stations, sections or gauges.
        NotCovered = "not_covered",
        /// The registry has the section, or the gauge, no more.
        Removed = "removed",
        /// The section is under no mandate any more.
        MandateRemoved = "mandate_removed",
        /// A formula makes the flow of an outlet, which is not derived yet.
        Underived = "underived",
    }
}

words! {
    /// What a message says of its alarm; ids of messages are made of the words.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    Occasion {
        /// It was raised.
        Raised = "raised",
        /// It still stands, and nobody has taken it on.
        Reminder = "reminder",
        /// It is over.
        Over = "over",
    }
}

words! {
    /// Where a notification stands.
    NotificationState {
        /// It has to be sent.
        Owed = "owed",
        /// A channel took it.
        Sent = "sent",
        /// Somebody vouches that it arrived.
        Delivered = "delivered",
        /// It will not arrive.
        Failed = "failed",
        /// It is too late to send it.
        Expired = "expired",
    }
}

/// The id of the alarm that began at `began_at`, as that was known when it became pending.
///
/// A function of what happened at the river, so that a second run over the same feed makes the
/// same alarms; a drill is never taken for the real thing.
pub fn alarm_id(
    rule: &AlarmRuleId,
    subject: &Subject,
    began_at: Timestamp,
    is_drill: bool,
) -> AlarmId {
    let kind = if is_drill { "drill" } else { "alarm" };
    AlarmId(number_of(&format!(
        "baseflow alarm 1\n{kind}\n{rule}\n{subject}\n{}",
        began_at.as_ms()
    )))
}

/// The id of the message about an alarm's `occasion` (its word and number), to the contact's way
/// of this number.
pub fn notification_id(
    alarm: AlarmId,
    occasion: &str,
    contact: &ContactId,
    way: u8,
) -> NotificationId {
    NotificationId(number_of(&format!("baseflow message 1\n{alarm}\n{occasion}\n{contact}\n{way}")))
}

/// The first 128 bits of the SHA-256 of `text`.
fn number_of(text: &str) -> u128 {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

/// The secret end of a link in a message, `/i/{token}`: 64 random bits for one recipient of one
/// alarm, as 13 characters of Crockford's base 32, which nobody misreads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkToken(pub u64);

const BASE_32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a token was refused. It does not say which token, since that may be almost the right one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the token of a link: 13 characters of 0-9 and A-Z without I, L, O and U")]
pub struct LinkTokenError;

impl LinkToken {
    /// How many characters it has.
    pub const LENGTH: usize = 13;
}

impl fmt::Display for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..13).rev() {
            let five = usize::try_from((self.0 >> (place * 5)) & 31).unwrap_or(0);
            let digit = BASE_32.get(five).copied().unwrap_or(b'0');
            write!(f, "{}", char::from(digit))?;
        }
        Ok(())
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token]")
    }
}

impl FromStr for LinkToken {
    type Err = LinkTokenError;

    /// Lower case is read as well, as is what people type for a digit: `o` for 0, `i` and `l` for 1.
    fn from_str(text: &str) -> Result<Self, LinkTokenError> {
        if text.len() != Self::LENGTH {
            return Err(LinkTokenError);
        }
        let mut bits = 0_u128;
        for byte in text.bytes() {
            let meant = match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            let digit = BASE_32.iter().position(|known| *known == meant).ok_or(LinkTokenError)?;
            bits = (bits << 5) | u128::try_from(digit).map_err(|_beyond| LinkTokenError)?;
        }
        u64::try_from(bits).map(Self).map_err(|_beyond| LinkTokenError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_made_of_what_happened() {
        let rule: AlarmRuleId = "low".parse().unwrap();
        let section =
            Subject::Section { station: "BF-1".parse().unwrap(), section: "dam".parse().unwrap() };
        let gauge = Subject::Gauge("BF-1/dam".parse().unwrap());
        let at = Timestamp::clamped(1_795_660_320_000);
        let id = alarm_id(&rule, &section, at, false);
        // pinned: links and journals of earlier versions name alarms by it
        assert_eq!(id.to_string(), "1fdd2eb4eab75feabebb49300c04ad90");
        let others = [
            alarm_id(&rule, &gauge, at, false),
            alarm_id(&rule, &section, at.plus_ms(1), false),
            alarm_id(&rule, &section, at, true),
            alarm_id(&"lo".parse().unwrap(), &section, at, false),
        ];
        assert!(others.iter().all(|other| *other != id));
        for subject in [&section, &gauge] {
            assert_eq!(subject.to_string().parse().as_ref(), Ok(subject));
        }
        assert!("section BF-1".parse::<Subject>().is_err());
        let contact = "zhang".parse().unwrap();
        let message = notification_id(id, "raise 0", &contact, 0);
        assert_ne!(message, notification_id(id, "raise 0", &contact, 1));
        assert_ne!(message, notification_id(id, "reminder 0", &contact, 0));
    }

    #[test]
    fn a_token_is_no_secret_in_a_log_and_forgives_what_people_type() {
        let token = LinkToken(u64::MAX);
        assert_eq!(token.to_string(), "FZZZZZZZZZZZZ");
        assert_eq!(format!("{token:?}"), "[token]");
        assert_eq!("ooooooooooi0l".parse(), Ok(LinkToken((1 << 10) | 1)));
        for bad in ["", "0000000000000U", "000000000000U", "GZZZZZZZZZZZZ", "000000000000水"] {
            assert!(bad.parse::<LinkToken>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_token_is_read_as_it_was_written(bits: u64) {
            let text = LinkToken(bits).to_string();
            prop_assert_eq!(text.len(), LinkToken::LENGTH);
            prop_assert_eq!(text.parse(), Ok(LinkToken(bits)));
            prop_assert_eq!(text.to_lowercase().parse(), Ok(LinkToken(bits)));
        }
    }
}
