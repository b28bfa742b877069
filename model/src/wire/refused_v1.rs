//! What was refused and why, told to its sender, version 1 (`docs/formats.md` §6).

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Epoch, Sequence},
    wire::batch_v1::Digest,
};

/// Why something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Not a batch or JSON document of a known version.
    Undecodable,
    /// Over a limit of the format.
    TooLarge,
    /// A later version than this server reads.
    Version,
    /// The batch names another agent than its topic.
    AgentMismatch,
    /// A station that another agent, or none, speaks for.
    ForeignStation,
    /// The same identity with another digest.
    Fork,
    /// A station that the registry does not know.
    UnknownStation,
    /// A gauge that the registry does not know.
    UnknownGauge,
    /// The unit cannot become the gauge's.
    Unit,
    /// A value that 64 bits do not hold at the stored resolution.
    Range,
    /// Before the year 2000, or more than two minutes ahead.
    Time,
    /// Boot-relative moments without an anchor yet.
    Clock,
    /// A reading of a JSON document.
    Reading,
    /// A gap that cannot be, or that speaks for another agent's station.
    Gap,
    /// A clock anchor that cannot be.
    Anchor,
    /// So much of its sender was refused of late that it was not looked at.
    Share,
}

impl Reason {
    /// Every reason, as metrics count them.
    pub const ALL: [Self; 16] = [
        Self::Undecodable,
        Self::TooLarge,
        Self::Version,
        Self::AgentMismatch,
        Self::ForeignStation,
        Self::Fork,
        Self::UnknownStation,
        Self::UnknownGauge,
        Self::Unit,
        Self::Range,
        Self::Time,
        Self::Clock,
        Self::Reading,
        Self::Gap,
        Self::Anchor,
        Self::Share,
    ];

    /// The reason of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// The word on the wire, in the journal and in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::TooLarge => "too_large",
            Self::Version => "version",
            Self::AgentMismatch => "agent_mismatch",
            Self::ForeignStation => "foreign_station",
            Self::Fork => "fork",
            Self::UnknownStation => "unknown_station",
            Self::UnknownGauge => "unknown_gauge",
            Self::Unit => "unit",
            Self::Range => "range",
            Self::Time => "time",
            Self::Clock => "clock",
            Self::Reading => "reading",
            Self::Gap => "gap",
            Self::Anchor => "anchor",
            Self::Share => "share",
        }
    }

    /// What becomes of the original.
    pub const fn kept(self) -> Kept {
        match self {
            Self::ForeignStation
            | Self::UnknownStation
            | Self::UnknownGauge
            | Self::Unit
            | Self::Range
            | Self::Time
            | Self::Clock => Kept::Parked,
            Self::Undecodable
            | Self::TooLarge
            | Self::Version
            | Self::AgentMismatch
            | Self::Fork
            | Self::Reading
            | Self::Share => Kept::Garbage,
            Self::Gap | Self::Anchor => Kept::None,
        }
    }
}

/// Where the original of something refused is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// `replay` admits it once the registry allows.
    Parked,
    /// In a ring whose oldest goes first.
    Garbage,
    /// Nowhere for a decision; what was refused of a stored batch stays in its bytes.
    None,
}

impl Kept {
    /// The word on the wire and in logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Garbage => "garbage",
            Self::None => "none",
        }
    }
}

/// The document of the topic `refused`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// 1.
    pub format: u32,
    /// Of the payload as received, hexadecimal.
    pub sha256: String,
    /// Of the uncompressed batch, hexadecimal, where it decodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Where the batch decodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// Where the batch decodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// Why.
    pub reason: Reason,
    /// In words, with what was tried and what to do.
    pub detail: String,
    /// What was set aside where the rest was admitted; empty where all was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gauges: Vec<String>,
    /// Where the original is.
    pub kept: Kept,
}

impl Refused {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The document in these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Whether it speaks of the batch with this digest.
    pub fn is_about(&self, digest: &Digest) -> bool {
        self.digest.as_deref().is_some_and(|text| text == hex::encode(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_document_is_read_and_written_as_ever() {
        let golden = include_bytes!("../../../tests/fixtures/wire/refused_v1.json");
        let refused = Refused {
            format: 1,
            sha256: "ab".repeat(32),
            digest: Some("cd".repeat(32)),
            epoch: Some(Epoch(0x0123_4567_89ab_cdef)),
            sequence: Some(812),
            reason: Reason::UnknownGauge,
            detail: "gauge `BF-620721-04/x` is not in the registry".to_owned(),
            gauges: vec!["BF-620721-04/x".to_owned()],
            kept: Kept::Parked,
        };
        assert_eq!(Refused::decode(golden).unwrap(), refused);
        assert_eq!(refused.encode(), golden.trim_ascii());
        assert!(refused.is_about(&[0xcd; 32]));
    }

    #[test]
    fn reasons_and_places_are_spelled_alike_in_words_and_json() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_string(&reason).unwrap(), format!("\"{}\"", reason.word()));
        }
        for kept in [Kept::Parked, Kept::Garbage, Kept::None] {
            assert_eq!(serde_json::to_string(&kept).unwrap(), format!("\"{}\"", kept.word()));
        }
    }
}
