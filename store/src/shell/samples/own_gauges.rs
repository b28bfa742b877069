//! Which of its gauges a batch has set aside, where it says so itself: a flag for each, since their
//! names stand in its payload.

use std::collections::BTreeSet;

use model::wire::runs::{self, Runs};

use super::read_samples::damaged;
use crate::{
    admission::{Kind, SetAside},
    facts::StoredBatch,
    points::Decoded,
    shell::error::StoreError,
};

/// Pairs of (flag, repeats) over the payload's gauges, by station and name: 1 where one of these
/// parts names it.
pub(super) fn flags(
    (batch, kind): (i64, Kind),
    bytes: &[u8],
    aside: &[&SetAside],
) -> Result<Vec<u8>, StoreError> {
    let wrong = |source| StoreError::Points { batch, source };
    let gauges = Decoded::new(kind, bytes).map_err(wrong)?.gauges();
    let names: BTreeSet<&str> = aside.iter().map(|part| part.gauge.as_str()).collect();
    let flags = gauges.iter().map(|gauge| u64::from(names.contains(gauge.to_string().as_str())));
    Ok(runs::encode(flags))
}

/// The names of the gauges that are flagged.
pub(super) fn names(stored: &StoredBatch, flags: &[u8]) -> Result<BTreeSet<String>, StoreError> {
    let batch = stored.position;
    let wrong = |source| StoreError::Points { batch, source };
    let gauges = Decoded::new(stored.kind, &stored.bytes).map_err(wrong)?.gauges();
    let mut flags = Runs::new(flags);
    let mut names = BTreeSet::new();
    for gauge in gauges {
        match flags.next_item() {
            Ok(Some(0)) => {}
            Ok(Some(_)) => {
                names.insert(gauge.to_string());
            }
            Ok(None) | Err(runs::Malformed) => {
                return Err(damaged(format!("parked batch {batch} has flags for other gauges")));
            }
        }
    }
    Ok(names)
}
