//! What an agent says of itself, version 1 (`docs/formats.md` §4).

use serde::{Deserialize, Serialize};

use crate::{
    ids::{BootId, Epoch, Sequence},
    time::Timestamp,
    wire::object::Object,
};

/// The largest status document.
pub const MAX_BYTES: usize = 256 * 1024;

/// The retained document of the topic `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// 1.
    pub format: u32,
    /// `false` in the last will, where everything below `version` is missing.
    pub online: bool,
    /// The agent's software.
    pub version: String,
    /// When it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// This start of the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<BootId>,
    /// The spool's epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// How its clock stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockStatus>,
    /// What is queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spool: Option<SpoolStatus>,
    /// Its lines and what answers on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buses: Vec<BusStatus>,
}

/// How an agent's clock stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStatus {
    /// The setting: `system` or `auto`.
    pub trust: String,
    /// Whether its moments are UTC.
    pub trusted: bool,
    /// The kernel's own estimate, if it has one.
    pub offset_ms: Option<i64>,
}

/// What an agent has queued.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SpoolStatus {
    /// On flash, committed ones included.
    pub bytes: u64,
    /// Until the oldest queued batch would be overwritten, at today's rate.
    pub hours_left: f64,
    /// Batches that no notice has named.
    pub queued: u64,
    /// The lowest queued sequence of the current epoch.
    pub oldest_queued: Option<Sequence>,
    /// Moment of its first reading.
    pub queued_from: Option<Timestamp>,
    /// What the next batch of the current epoch will be called: nothing is said of what comes
    /// from there on.
    #[serde(default)]
    pub next_sequence: Option<Sequence>,
    /// Readings ever dropped for want of room.
    pub overwritten: u64,
}

/// One line and the devices on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusStatus {
    /// As the settings name it.
    pub name: String,
    /// `ok`, `unreachable` or `new`.
    pub state: String,
    /// What answers on it.
    pub devices: Vec<DeviceStatus>,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceStatus {
    /// As the settings name it.
    pub name: String,
    /// `ok`, `silent` or `new`.
    pub state: String,
    /// Its last usable answer.
    pub last_answer_at: Option<Timestamp>,
    /// The word of its last quality code that was not good.
    pub reason: Option<String>,
}

impl Status {
    /// The last will.
    pub fn offline(version: &str) -> Self {
        Self {
            format: 1,
            online: false,
            version: version.to_owned(),
            at: None,
            boot_id: None,
            epoch: None,
            clock: None,
            spool: None,
            buses: Vec::new(),
        }
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The document in these bytes; keys of a later version are ignored.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MAX_BYTES {
            return Err(format!("a status over {MAX_BYTES} bytes"));
        }
        let Object(status) =
            serde_json::from_slice(bytes).map_err(|error| format!("not a status: {error}"))?;
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_document_is_read_and_written_as_ever() {
        let golden = include_bytes!("../../../tests/fixtures/wire/status_v1.json");
        let status = Status {
            at: Some(Timestamp::from_ms(1_795_305_600_000).unwrap()),
            online: true,
            boot_id: Some(BootId(1)),
            epoch: Some(Epoch(0x0123_4567_89ab_cdef)),
            clock: Some(ClockStatus { trust: "system".to_owned(), trusted: true, offset_ms: None }),
            spool: Some(SpoolStatus {
                bytes: 81_920,
                hours_left: 719.5,
                queued: 3,
                oldest_queued: Some(812),
                queued_from: Some(Timestamp::from_ms(1_795_305_595_000).unwrap()),
                next_sequence: Some(815),
                overwritten: 0,
            }),
            buses: vec![BusStatus {
                name: "meters".to_owned(),
                state: "ok".to_owned(),
                devices: vec![DeviceStatus {
                    name: "em-flow".to_owned(),
                    state: "silent".to_owned(),
                    last_answer_at: Some(Timestamp::from_ms(1_795_305_500_000).unwrap()),
                    reason: Some("timeout".to_owned()),
                }],
            }],
            ..Status::offline("0.1.0")
        };
        assert_eq!(Status::decode(golden).unwrap(), status);
        assert_eq!(status.encode(), golden.trim_ascii());
    }

    #[test]
    fn the_last_will_says_little_and_a_later_version_may_say_more() {
        let will = Status::offline("0.1.0").encode();
        assert_eq!(will, br#"{"format":1,"online":false,"version":"0.1.0"}"#);
        let later = br#"{"format":1,"online":true,"version":"9","battery":{"v":12.1}}"#;
        assert!(Status::decode(later).unwrap().online);
    }
}
