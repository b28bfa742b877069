//! `import samples`: the bulk door for history, judged as everything else that comes in.
//!
//! The file is read twice: once for its digest, which names the batches, and once line by line.
//! What may be held at a time is bounded: so many rows in open days, so many batches on their way
//! to the disk.

mod days;
mod report;
mod writing;

use std::{
    fs::File,
    io::{BufReader, Read as _},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;
use days::Days;
pub(crate) use days::Judge;
use model::ids::Epoch;
use report::Report;
use sha2::{Digest as _, Sha256};
use store::{Append, Body, Store};
use writing::Door;

use super::{by, open_existing};
use crate::{
    csv_file::{Columns, Lines, Parsed, first_line},
    failure::Ended,
    output::say,
    stored,
};

/// Imports a file, or with `dry_run` only judges it.
pub(super) fn samples(config: &Path, file: &Path, dry_run: bool) -> anyhow::Result<Ended> {
    let opened = open_existing(config)?;
    let in_force = stored::registry(opened.store.journal(), config)?;
    let judge = Judge::new(in_force.registry, opened.now)?;
    let taken = take_in(&opened.store, judge, file, dry_run)?;
    opened.store.close();
    say(&taken.words)?;
    Ok(if taken.refused == 0 { Ended::Done } else { Ended::Incomplete })
}

/// What came of an import.
#[derive(Debug)]
pub(crate) struct Taken {
    /// In words.
    pub(crate) words: String,
    /// Lines that were refused.
    pub(crate) refused: u64,
}

/// Takes a file into a store that is open, or with `dry_run` only judges it. Waits for the disk.
pub(crate) fn take_in(
    store: &Store,
    judge: Judge,
    file: &Path,
    dry_run: bool,
) -> anyhow::Result<Taken> {
    let (digest, length) = digest(file)?;
    let at = judge.now;
    let judge = Arc::new(judge);
    let epoch = digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
    let mut days = Days::new(Epoch(epoch), Arc::clone(&judge));
    let mut report = Report::new(length);
    let mut door = Door::new(store.samples().clone(), judge, dry_run)?;
    read(file, &mut days, &mut report, &mut door)?;
    for batch in days.finish(&mut report) {
        door.write(batch, &mut report)?;
    }
    door.finish(&mut report)?;
    if report.admitted_batches() > 0 {
        let body = Body::SamplesImported {
            file: file
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            file_digest: hex::encode(digest),
            rows: report.rows(),
            refused: report.refused(),
        };
        store
            .journal()
            .write_blocking(Append { at, by: by(), body })
            .context("the samples are stored, but the journal could not be written")?;
    }
    Ok(Taken { words: report.finish(dry_run), refused: report.refused() })
}

/// The file's SHA-256 and its length.
fn digest(file: &Path) -> anyhow::Result<([u8; 32], u64)> {
    let attempt = || format!("cannot read `{}`", file.display());
    let mut opened = File::open(file).with_context(attempt)?;
    let (mut hash, mut length) = (Sha256::new(), 0_u64);
    let mut buffer = vec![0_u8; 1 << 16];
    loop {
        let count = opened.read(&mut buffer).with_context(attempt)?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        hash.update(bytes);
        length += u64::try_from(count).unwrap_or(0);
    }
    Ok((hash.finalize().into(), length))
}

fn read(file: &Path, days: &mut Days, report: &mut Report, door: &mut Door) -> anyhow::Result<()> {
    let attempt = || format!("cannot read `{}`", file.display());
    let opened = File::open(file).with_context(attempt)?;
    let opened = Lines::of(BufReader::with_capacity(1 << 16, opened));
    let mut lines = csv::ReaderBuilder::new().flexible(true).from_reader(opened);
    let header = lines.byte_headers().with_context(attempt)?.clone();
    let names: Result<Vec<&str>, _> = header.iter().map(std::str::from_utf8).collect();
    let names =
        names.with_context(|| format!("the header of `{}` is not UTF-8", file.display()))?;
    let columns = Columns::of(&names)
        .map_err(|problem| anyhow::anyhow!("`{}`: {problem}", file.display()))?;
    let mut record = csv::ByteRecord::new();
    while lines.read_byte_record(&mut record).with_context(attempt)? {
        let line = first_line(&lines, &record);
        report.at(lines.position().byte());
        if record.iter().all(|field| field.trim_ascii().is_empty()) {
            continue; // as spreadsheets leave them behind a table
        }
        let parsed = columns.fields(&record).and_then(Parsed::of);
        match parsed.and_then(|row| days.take(line, row, report)) {
            Ok(None) => {}
            Ok(Some(full)) => door.write(full, report)?,
            Err(problem) => report.refuse(line, &problem),
        }
    }
    Ok(())
}
