//! What the server says of itself, version 1 (`docs/formats.md` §7).

use serde::{Deserialize, Serialize};

use crate::ids::StoreId;

/// The retained document of the topic `server`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// 1.
    pub format: u32,
    /// `false` in the last will.
    pub online: bool,
    /// The store that commit notices speak of; missing in the last will of a server without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_id: Option<StoreId>,
    /// The server's software.
    pub version: String,
}

impl ServerStatus {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The document in these bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_document_is_read_and_written_as_ever() {
        let golden = include_bytes!("../../../tests/fixtures/wire/server_v1.json");
        let status = ServerStatus {
            format: 1,
            online: true,
            store_id: Some(StoreId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff)),
            version: "0.1.0".to_owned(),
        };
        assert_eq!(ServerStatus::decode(golden).unwrap(), status);
        assert_eq!(status.encode(), golden.trim_ascii());
    }
}
