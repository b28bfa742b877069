//! What commands ask of the store as a whole, each with the attempt in words.

#![expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a reader's method alone is of one lifetime, and a query must be of any"
)]

use std::collections::BTreeSet;

use anyhow::Context as _;
use model::ids::StationId;
use store::{GaugeFacts, Journal, RegistryInForce, Samples, TokenRow};

/// The registry in force, without which the command makes no sense.
pub(crate) fn registry(journal: &Journal) -> anyhow::Result<RegistryInForce> {
    let registry = journal.read_blocking(|reader| reader.registry());
    let registry = registry.context("cannot read the registry in force")?;
    registry.context("no registry was imported yet; `baseflow registry import` does")
}

/// Every token ever made.
pub(crate) fn tokens(journal: &Journal) -> anyhow::Result<Vec<TokenRow>> {
    journal.read_blocking(|reader| reader.tokens()).context("cannot list the tokens")
}

/// Stations that have samples.
pub(crate) fn stations(samples: &Samples) -> anyhow::Result<BTreeSet<StationId>> {
    let stations = samples.read_blocking(|reader| reader.stations());
    stations.context("cannot read which stations have data")
}

/// Gauges that have samples.
pub(crate) fn gauges(samples: &Samples) -> anyhow::Result<Vec<GaugeFacts>> {
    samples.read_blocking(|reader| reader.gauges()).context("cannot list the gauges")
}
