//! What is wrong with each gauge of a quarantined item.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::Context as _;
use model::{
    batch::Column,
    registry::Registry,
    wire::{batch_v1, refused_v1::Reason},
};
use store::{Kind, ParkedBatch, QuarantineRow, SamplesReader, Store};

use crate::stored;

/// A gauge that is set aside, and what stands in its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// In full.
    pub gauge: String,
    /// Why it is set aside.
    pub reason: Reason,
    /// The unit that was sent, where the payload says one.
    pub sent: Option<String>,
    /// The gauge's own, where the registry knows it.
    pub own: Option<&'static str>,
    /// Whether the gauge has samples, so that its unit stays for ever.
    pub has_samples: bool,
}

/// An item, and what is wrong with each gauge of it. The gauges of its first batches are those of
/// all of them, but in an item that takes in whatever found no place of its own.
pub(super) fn of_item(
    store: &Store,
    id: i64,
) -> anyhow::Result<Option<(QuarantineRow, Vec<Part>)>> {
    let read = |reader: &SamplesReader| {
        let Some(row) = reader.quarantine_row(id)? else { return Ok(None) };
        Ok(Some((row, reader.parked_slice(id, 0)?.batches)))
    };
    let found = store.samples().read_blocking(read).context("cannot read the quarantine")?;
    let Some((row, batches)) = found else { return Ok(None) };
    let stored = stored::gauges(store.samples())?;
    let stored = stored.iter().map(|facts| facts.gauge.to_string()).collect();
    let in_force = stored::in_force(store.journal())?;
    let registry = in_force.map_or_else(Arc::default, |in_force| in_force.registry);
    Ok(Some((row, parts(&batches, &stored, &registry))))
}

/// Each gauge once, of a stored payload's own words; `stored` are those that have samples.
fn parts(batches: &[ParkedBatch], stored: &BTreeSet<String>, registry: &Registry) -> Vec<Part> {
    let mut parts = BTreeMap::new();
    for batch in batches {
        let columns = columns(batch);
        for (gauge, waits) in batch.gauges.iter() {
            let sent = columns.iter().find(|column| column.gauge.to_string() == *gauge);
            parts.entry(gauge.clone()).or_insert_with(|| Part {
                gauge: gauge.clone(),
                reason: waits.reason,
                sent: sent.map(|column| column.unit.to_string()),
                own: gauge.split_once('/').and_then(|(station, name)| {
                    registry.gauge(station, name).map(|known| known.unit.name())
                }),
                has_samples: stored.contains(gauge),
            });
        }
    }
    parts.into_values().collect()
}

/// The columns of a batch; a document of a third party names no units.
fn columns(batch: &ParkedBatch) -> Vec<Column> {
    match batch.stored.kind {
        Kind::Batch | Kind::Import => batch_v1::decode(&batch.stored.bytes)
            .map_or_else(|_damaged| Vec::new(), |(decoded, _digest)| decoded.columns),
        Kind::Json => Vec::new(),
    }
}
