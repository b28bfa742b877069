//! Another registry: what of closed time it may judge otherwise is noted, in one transaction with
//! its entry, and judged again as time allows.

use std::{collections::BTreeSet, sync::Arc};

use model::{
    fault::Chain,
    ids::SectionKey,
    section::Section,
    time::{HOUR_MS, Span, Timestamp},
};
use store::{JournalReader, RegistryInForce, SetVerdicts, StoreError};
use tracing::{info, warn};

use super::{
    court::{Court, Parts, kept_of},
    evidence,
    hear::gauges_of,
};
use crate::law::difference;

/// The registry by which what is closed was judged. One that cannot be read any more is as good as
/// none: then everything is judged again.
pub(super) fn lawful(
    reader: &JournalReader,
    entry: i64,
) -> Result<Option<RegistryInForce>, StoreError> {
    match reader.registry_at(entry) {
        Err(error @ StoreError::Registry { .. }) => {
            warn!(error = %Chain(&error), "cannot read an earlier registry; judging all again");
            Ok(None)
        }
        read => read,
    }
}

impl Court {
    /// Takes another registry over.
    pub(super) async fn amended(
        mut self,
        parts: &Parts,
        known: Option<RegistryInForce>,
    ) -> Result<Self, StoreError> {
        let (registry, entry) =
            known.map_or_else(Default::default, |known| (known.registry, known.entry));
        let old = std::mem::replace(&mut self.registry, registry);
        let new = Arc::clone(&self.registry);
        self.entry = entry;
        let now = parts.clock.now();
        // also those that an earlier registry left alone
        for row in parts.journal.read(JournalReader::sections).await? {
            let (key, kept) = kept_of(row);
            self.docket.take_up(&key, kept, now);
        }
        let judged = Section::judged(&new).map(|section| section.key());
        let keys: BTreeSet<SectionKey> = self.docket.keys().cloned().chain(judged).collect();
        let mut unsaid = Vec::new();
        for key in keys {
            let Some(section) = Section::of(&new, &key) else {
                // what was said of it stands; what is open is said no more
                self.docket.withdraw(&key);
                unsaid.push(key);
                continue;
            };
            if self.amend(parts, (Section::of(&old, &key), section), now).await? {
                self.changed.insert(key.clone());
                unsaid.push(key);
            }
        }
        parts.journal.write(SetVerdicts { unsaid, ..self.kept(now) }).await?;
        info!(entry, sections = self.changed.len(), "another registry; closed hours judged again");
        self.changed.clear();
        self.carried.clear();
        self.standings.touch_all(Section::judged(&new).map(|section| section.key()));
        Ok(self)
    }

    /// Notes what is to be judged again of one section, and says whether anything is.
    async fn amend(
        &mut self,
        parts: &Parts,
        (old, new): (Option<Section<'_>>, Section<'_>),
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = new.key();
        let gauges = gauges_of(&new);
        let (first, newest) =
            parts.samples.read(move |reader| evidence::extent(reader, &gauges)).await?;
        let kept = self.docket.kept(&key);
        if kept.is_none() && first > newest {
            return Ok(false);
        }
        let begun = kept.map_or(first, |kept| kept.begun.min(first));
        let closed = kept.map_or(newest, |kept| kept.closed);
        let within = Span { from: new.hour_of(begun).from, to: closed.plus_ms(HOUR_MS) };
        let difference = difference(old.as_ref(), &new, within);
        if difference.is_nothing() {
            return Ok(false);
        }
        if kept.is_some() {
            self.docket.amended(&new, &difference, now);
        } else {
            self.docket.fed(&new, Span { from: first, to: newest.plus_ms(1) }, now);
        }
        Ok(true)
    }
}
