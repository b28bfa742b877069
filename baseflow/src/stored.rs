//! What commands ask of the store as a whole, each with the attempt in words.

use anyhow::Context as _;
use store::{
    GaugeFacts, Journal, JournalReader, RegistryInForce, Samples, SamplesReader, TokenRow,
};

/// The registry in force, without which the command makes no sense.
pub(crate) fn registry(journal: &Journal) -> anyhow::Result<RegistryInForce> {
    let registry = journal.read_blocking(JournalReader::registry);
    let registry = registry.context("cannot read the registry in force")?;
    registry.context("no registry was imported yet; `baseflow registry import` does")
}

/// Every token ever made.
pub(crate) fn tokens(journal: &Journal) -> anyhow::Result<Vec<TokenRow>> {
    journal.read_blocking(JournalReader::tokens).context("cannot list the tokens")
}

/// Gauges that have samples.
pub(crate) fn gauges(samples: &Samples) -> anyhow::Result<Vec<GaugeFacts>> {
    samples.read_blocking(SamplesReader::gauges).context("cannot list the gauges")
}
