//! What came of an import: refused lines as they are met, progress on a terminal, and the end.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::Duration,
};

use tokio::time::Instant;

use crate::output::complain;

/// So many refused lines are told one by one; of the others only how many there are.
const TOLD: u64 = 1_000;
/// How often progress is shown.
const EVERY: Duration = Duration::from_millis(500);

/// Counts and tells.
#[derive(Debug)]
pub(super) struct Report {
    length: u64,
    seen: u64,
    counts: Counts,
    shown_at: Option<Instant>,
    is_terminal: bool,
}

#[derive(Debug, Default)]
struct Counts {
    rows: u64,
    repeats: u64,
    refused: u64,
    admitted: u64,
    batches: u64,
    conflicts: u64,
}

impl Report {
    pub(super) fn new(length: u64) -> Self {
        let is_terminal = stderr().is_terminal();
        Self { length, seen: 0, counts: Counts::default(), shown_at: None, is_terminal }
    }

    /// A line that begins at this byte was read.
    pub(super) fn at(&mut self, byte: u64) {
        self.seen += 1;
        if self.is_terminal && self.seen.is_multiple_of(4_096) && self.is_due() {
            self.show(byte);
        }
    }

    /// A line is not taken.
    pub(super) fn refuse(&mut self, line: u64, problem: &str) {
        self.counts.refused += 1;
        if self.counts.refused <= TOLD {
            complain(&format!("line {line}: {problem}"));
        }
    }

    /// A line says again what another line says.
    pub(super) fn repeat(&mut self) {
        self.counts.repeats += 1;
    }

    /// A batch of so many rows is stored, or would be.
    pub(super) fn admitted(&mut self, rows: u64, conflicts: u64) {
        self.counts.rows += rows;
        self.counts.admitted += rows;
        self.counts.batches += 1;
        self.counts.conflicts += conflicts;
    }

    /// A batch of so many rows was there already.
    pub(super) fn known(&mut self, rows: u64) {
        self.counts.rows += rows;
    }

    /// Batches that changed the store.
    pub(super) fn admitted_batches(&self) -> u64 {
        self.counts.batches
    }

    /// Rows that are in the store now.
    pub(super) fn rows(&self) -> u64 {
        self.counts.rows
    }

    /// Lines that are not.
    pub(super) fn refused(&self) -> u64 {
        self.counts.refused
    }

    /// The last word.
    pub(super) fn finish(&self, dry_run: bool) -> String {
        let Counts { rows, repeats, refused, admitted, batches, conflicts } = &self.counts;
        if *refused > TOLD {
            complain(&format!("and {} more lines", refused - TOLD));
        }
        let stored = if dry_run { "would be stored, as this was a dry run" } else { "stored" };
        let mut words = format!("{admitted} rows in {batches} batches {stored}");
        for (count, what) in [
            (rows - admitted, "rows were stored before"),
            (*repeats, "rows repeat another row"),
            (*conflicts, "rows contradict what is stored and do not replace it"),
            (*refused, "lines are refused"),
        ] {
            if count > 0 {
                words = format!("{words}; {count} {what}");
            }
        }
        words
    }

    fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.shown_at.is_none_or(|shown_at| now.duration_since(shown_at) >= EVERY);
        if is_due {
            self.shown_at = Some(now);
        }
        is_due
    }

    fn show(&self, byte: u64) {
        let percent = byte.saturating_mul(100) / self.length.max(1);
        let rewrite =
            format!("\r{percent:3} %  {} lines, {} refused", self.seen, self.counts.refused);
        if stderr().lock().write_all(rewrite.as_bytes()).is_err() {}
    }
}

impl Drop for Report {
    /// Leaves the terminal's line to whoever writes next.
    fn drop(&mut self) {
        if self.shown_at.is_some() {
            complain("");
        }
    }
}
