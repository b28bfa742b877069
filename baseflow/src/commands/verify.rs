//! `verify`: everything that the store can check about itself.

use std::path::Path;

use anyhow::Context as _;

use super::open_existing;
use crate::{failure::Ended, output::say};

/// Prints what is found, and what was walked.
pub(super) fn verify(config: &Path) -> anyhow::Result<Ended> {
    let opened = open_existing(config)?;
    let report = store::verify(&opened.store).context("cannot verify the store")?;
    opened.store.close();
    for finding in &report.findings {
        say(&finding.to_string())?;
    }
    say(&format!(
        "{} entries, {} verdicts, {} decisions, {} batches, {} spans: {} findings",
        report.entries,
        report.verdicts,
        report.items,
        report.batches,
        report.spans,
        report.findings.len()
    ))?;
    Ok(if report.findings.is_empty() { Ended::Done } else { Ended::Incomplete })
}
