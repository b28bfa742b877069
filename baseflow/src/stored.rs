//! What commands ask of the store as a whole, each with the attempt in words.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use compliance::shell::court::CONSUMER;
use model::registry::Registry;
use store::{
    GaugeFacts, Journal, JournalReader, RegistryInForce, Samples, SamplesReader, SectionRow,
    TokenRow, UserRow,
};

use crate::typed::typed;

/// The registry in force, without which the command makes no sense.
pub(crate) fn registry(journal: &Journal, config: &Path) -> anyhow::Result<RegistryInForce> {
    in_force(journal)?.with_context(|| {
        format!("no registry was imported yet; `{}` does", typed("registry import FILE", config))
    })
}

/// The registry in force, if any was ever imported.
pub(crate) fn in_force(journal: &Journal) -> anyhow::Result<Option<RegistryInForce>> {
    journal.read_blocking(JournalReader::registry).context("cannot read the registry in force")
}

/// Every token ever made.
pub(crate) fn tokens(journal: &Journal) -> anyhow::Result<Vec<TokenRow>> {
    journal.read_blocking(JournalReader::tokens).context("cannot list the tokens")
}

/// Everybody who may log in, or could.
pub(crate) fn users(journal: &Journal) -> anyhow::Result<Vec<UserRow>> {
    journal.read_blocking(JournalReader::users).context("cannot list the users")
}

/// Gauges that have samples.
pub(crate) fn gauges(samples: &Samples) -> anyhow::Result<Vec<GaugeFacts>> {
    samples.read_blocking(SamplesReader::gauges).context("cannot list the gauges")
}

/// The registry by which closed hours were judged, and of which sections.
pub(crate) fn judged(journal: &Journal) -> anyhow::Result<(Arc<Registry>, Vec<SectionRow>)> {
    let read = |reader: &JournalReader| {
        let (_samples, entry) = reader.consumer(CONSUMER)?.unwrap_or((0, 0));
        let law = reader.registry_at(entry)?.map_or_else(Arc::default, |law| law.registry);
        Ok((law, reader.sections()?))
    };
    journal.read_blocking(read).context("cannot read what was judged by which registry")
}
