//! Names of stations, gauges, agents and the rest: checked once, then only compared.

use std::{fmt, str::FromStr, sync::Arc};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}: {rule}")]
pub struct IdError {
    text: String,
    kind: &'static str,
    rule: &'static str,
}

const RULE: &str = "1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or a digit";
const HEX_16: &str = "16 lower-case hexadecimal digits";
const HEX_32: &str = "32 lower-case hexadecimal digits";

fn is_id(text: &str) -> bool {
    text.len() <= 64
        && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if is_id(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(IdError { text: text.chars().take(80).collect(), kind: $kind, rule: RULE })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        text_serde!($name);
    };
}

macro_rules! text_serde {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A place under watch: a hydropower station, or a monitor of air, water or soil.
    StationId, "a station id"
);
id!(
    /// The program on a gateway that speaks for stations; also its identity at the broker.
    AgentId, "an agent id"
);
id!(
    /// A gauge's name within its station, such as `release-meter`.
    GaugeName, "a gauge id"
);
id!(
    /// A way water leaves, within its station.
    OutletId, "an outlet id"
);
id!(
    /// A river reach that a mandate speaks of, within its station: `dam`, `tail` or another.
    SectionId, "a section id"
);
id!(
    /// A rule profile: how a mandate is judged.
    RuleId, "a rule id"
);
id!(
    /// An alarm rule: what raises an alarm.
    AlarmRuleId, "an alarm rule id"
);
id!(
    /// A person or a desk that can be told.
    ContactId, "a contact id"
);
id!(
    /// Shifts of contacts.
    RotaId, "a rota id"
);
id!(
    /// An order in which people are told.
    LadderId, "a ladder id"
);
id!(
    /// A way to reach people, as the server's settings name it.
    ChannelId, "a channel id"
);

/// A river reach of one station: `STATION/SECTION`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionKey {
    /// The station.
    pub station: StationId,
    /// The section, within the station.
    pub section: SectionId,
}

impl fmt::Display for SectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.station, self.section)
    }
}

/// One measured quantity at one point: `STATION/GAUGE`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GaugeId {
    /// The station that it stands at.
    pub station: StationId,
    /// Its name within the station.
    pub name: GaugeName,
}

impl GaugeId {
    /// The two halves of a full name, unchecked; `None` without exactly one slash.
    pub fn split(full: &str) -> Option<(&str, &str)> {
        full.split_once('/').filter(|(_, name)| !name.contains('/'))
    }
}

impl FromStr for GaugeId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (station, name) = Self::split(text).ok_or_else(|| IdError {
            text: text.chars().take(130).collect(),
            kind: "a gauge",
            rule: "STATION/GAUGE",
        })?;
        Ok(Self { station: station.parse()?, name: name.parse()? })
    }
}

impl fmt::Display for GaugeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.station, self.name)
    }
}

impl fmt::Debug for GaugeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_serde!(GaugeId);

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $number:ty, $digits:literal, $kind:literal, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $number);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:0width$x}", self.0, width = $digits)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let refused =
                    || IdError { text: text.chars().take(80).collect(), kind: $kind, rule: $rule };
                let well_formed = text.len() == $digits
                    && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
                if !well_formed {
                    return Err(refused());
                }
                <$number>::from_str_radix(text, 16).map(Self).map_err(|_: std::num::ParseIntError| refused())
            }
        }

        text_serde!($name);
    };
}

number_id!(
    /// A random number drawn when a spool is created or repaired; sequences count within it.
    Epoch, u64, 16, "an epoch", HEX_16
);
number_id!(
    /// One life of a store; `restore` makes a new one.
    StoreId, u128, 32, "a store id", HEX_32
);
number_id!(
    /// One start of a gateway; ties moments of an untrusted clock to an anchor.
    BootId, u128, 32, "a boot id", HEX_32
);

number_id!(
    /// One alarm: one episode of one rule at one subject; made by [`crate::alarm::alarm_id`].
    AlarmId, u128, 32, "an alarm id", HEX_32
);
number_id!(
    /// One notification: a message to one person by one way; a channel that is asked twice under the same id may
    /// send once.
    NotificationId, u128, 32, "a notification id", HEX_32
);

/// The number of a batch within its epoch, from 1.
pub type Sequence = u64;

/// What identifies a batch for ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId {
    /// Who made it.
    pub agent: AgentId,
    /// In which life of the spool.
    pub epoch: Epoch,
    /// As which one, from 1.
    pub sequence: Sequence,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_with_a_letter_or_digit_and_has_no_topic_characters() {
        for good in ["BF-620721-04", "gw_luming.1", "0", &"a".repeat(64)] {
            assert_eq!(good.parse::<StationId>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", ".a", "a/b", "a+b", "#", "a b", "鹿鸣滩", "a\0", &"a".repeat(65)] {
            assert!(bad.parse::<AgentId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_gauge_has_exactly_one_slash() {
        let gauge: GaugeId = "BF-620721-04/release-meter".parse().unwrap();
        assert_eq!(gauge.to_string(), "BF-620721-04/release-meter");
        for bad in ["BF", "BF/", "/x", "BF/a/b"] {
            assert!(bad.parse::<GaugeId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numbers_have_one_spelling() {
        let epoch = Epoch(0xab);
        assert_eq!(epoch.to_string(), "00000000000000ab");
        assert_eq!("00000000000000ab".parse(), Ok(epoch));
        for bad in ["ab", "00000000000000AB", "+0000000000000ab"] {
            assert!(bad.parse::<Epoch>().is_err(), "{bad:?}");
        }
    }
}
