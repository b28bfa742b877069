//! A stored payload as those need it who look for points.

use rusqlite::{Connection, types::ValueRef};
use tracing::trace;

use super::{first_row, read_samples::damaged};
use crate::{
    admission::Kind,
    points::{Decoded, PointsError},
    shell::error::StoreError,
};

/// The bytes of a row of `batch`.
pub(super) struct Payload {
    kind: Kind,
    bytes: Vec<u8>,
}

impl Payload {
    /// A batch that a span names is there.
    pub(super) fn read(connection: &Connection, batch: i64) -> Result<Self, StoreError> {
        let sql = "SELECT kind, bytes FROM batch WHERE position = ?1";
        let found = first_row(connection, sql, [batch], |row| {
            let bytes = match row.get_ref(1)? {
                ValueRef::Blob(bytes) => Some(bytes.to_vec()),
                ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => {
                    None
                }
            };
            Ok((row.get(0)?, bytes))
        });
        let found = found.map_err(StoreError::sql("read a batch"))?;
        let Some((kind, Some(bytes))) = found else {
            return Err(damaged(format!("batch {batch} has no bytes")));
        };
        let kind = Kind::from_code(kind)
            .ok_or_else(|| damaged(format!("batch {batch} is of no known kind")))?;
        Ok(Self { kind, bytes })
    }

    pub(super) fn decoded(&self) -> Result<Decoded<'_>, PointsError> {
        trace!(bytes = self.bytes.len(), "payload is decoded");
        Decoded::new(self.kind, &self.bytes)
    }

    /// What it counts where it does not decode.
    pub(super) fn weight(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX)
    }
}
