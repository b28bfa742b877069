//! Both feeds: what people and gateways say in the journal, and what rows of samples brought.

use model::{
    ids::{AlarmId, NotificationId, SectionKey},
    section::Section,
    time::{Span, Timestamp},
};
use serde::Deserialize;
use store::{ACKNOWLEDGEMENT_ASKED, Entry, RECEIPT_TAKEN};
use tracing::info;

use super::{Parts, ROWS, Watch, WatchError};
use crate::{
    released,
    shell::evidence::{self, Evidence},
};

/// Gauges that are looked up in one pass.
const STRANGERS: usize = 64;

impl Watch {
    /// Says of gauges that have begun to be watched when they spoke last, of a few in each pass: a
    /// first start finds thousands, and the least silence is two minutes.
    pub(super) async fn introduce(
        &mut self,
        parts: &Parts,
        now: Timestamp,
    ) -> Result<(), WatchError> {
        let strangers = self.desk.strangers(STRANGERS);
        if strangers.is_empty() {
            return Ok(());
        }
        let read = parts.samples.read(move |reader| {
            let mut known = Vec::new();
            for (condition, gauge) in strangers {
                known.extend(reader.last_value_at(&gauge)?.map(|at| (condition, at)));
            }
            Ok(known)
        });
        for (condition, at) in read.await? {
            self.desk.spoke(&condition, at, now);
        }
        Ok(())
    }

    /// Does what people and gateways say in the journal, and says how many entries there were.
    pub(super) async fn take_entries(
        &mut self,
        parts: &Parts,
        now: Timestamp,
    ) -> Result<usize, WatchError> {
        let after = self.entries;
        let entries = parts.journal.read(move |reader| reader.entries(after, ROWS)).await?;
        for entry in &entries {
            self.entries = entry.position;
            match entry.kind.as_str() {
                ACKNOWLEDGEMENT_ASKED => self.acknowledge(entry),
                RECEIPT_TAKEN => self.take_receipt(parts, entry, now).await?,
                _ => {}
            }
        }
        Ok(entries.len())
    }

    fn acknowledge(&mut self, entry: &Entry) {
        #[derive(Deserialize)]
        struct Asked {
            alarm: AlarmId,
            version: u32,
        }
        self.is_asked = true;
        let Ok(document) = entry.document() else { return };
        let Ok(Asked { alarm, version }) = serde_json::from_str(document.body.get()) else {
            return;
        };
        let asked = (&document.by, version);
        if let Err(refusal) = self.desk.acknowledge(alarm, asked, document.at) {
            info!(%alarm, by = %document.by, reason = %refusal, "acknowledgement came too late");
        }
    }

    async fn take_receipt(
        &mut self,
        parts: &Parts,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<(), WatchError> {
        #[derive(Deserialize)]
        struct Receipt {
            message: NotificationId,
            delivered: bool,
        }
        let Ok(document) = entry.document() else { return Ok(()) };
        let Ok(Receipt { message, delivered }) = serde_json::from_str(document.body.get()) else {
            return Ok(());
        };
        if !self.desk.knows(message) {
            let kept = parts.journal.read(move |reader| reader.notification(message)).await?;
            let Some(kept) = kept else { return Ok(()) };
            self.desk.recollect(kept.row)?;
        }
        self.desk.receipt(message, delivered, now);
        Ok(())
    }

    /// Tells the desk of rows of the feed, and says how many there were.
    pub(super) async fn take_rows(
        &mut self,
        parts: &Parts,
        now: Timestamp,
    ) -> Result<usize, WatchError> {
        let (after, registry, plan) = (self.samples, self.desk.registry(), self.desk.plan());
        let read = parts.samples.read(move |reader| {
            let rows = reader.feed(after, ROWS)?;
            let (count, last) = (rows.len(), rows.last().map(|row| row.position));
            Ok((evidence::of_rows(reader, (&registry, &plan), rows)?, count, last))
        });
        let (evidence, count, last) = read.await?;
        for found in evidence {
            self.tell(parts, found, now).await?;
        }
        self.samples = last.unwrap_or(self.samples);
        Ok(count)
    }

    async fn tell(
        &mut self,
        parts: &Parts,
        found: Evidence,
        now: Timestamp,
    ) -> Result<(), WatchError> {
        let Evidence { position, row, sections, heard, values } = found;
        for (key, came) in sections {
            let told = self.desk.flow(&key, row, &came, now);
            parts.metrics.cut_short.inc_by(u64::from(told.is_cut_short));
            if let Some(late) = told.late {
                self.tell_late(parts, (key, late, position), now).await?;
            }
        }
        for gauge in heard {
            self.desk.heard(&gauge, row.received_at, now);
        }
        for (gauge, said) in values {
            self.desk.measured(&gauge, &said, now);
        }
        Ok(())
    }

    async fn tell_late(
        &mut self,
        parts: &Parts,
        (key, late, position): (SectionKey, Span, i64),
        now: Timestamp,
    ) -> Result<(), WatchError> {
        let (registry, asked) = (self.desk.registry(), key.clone());
        let read = parts.samples.read(move |reader| {
            let section = Section::find(&registry, &asked);
            section.map(|section| evidence::around(reader, &section, late, position)).transpose()
        });
        let Some(known) = read.await? else { return Ok(()) };
        let registry = self.desk.registry();
        if let Some(section) = Section::find(&registry, &key) {
            self.desk.late(&key, &released::late(&section, late, known), now);
        }
        Ok(())
    }
}
