//! What is carried on of open hours between two passes: of each section its fold, and what the rest
//! of its day is.

use std::collections::BTreeMap;

use model::{
    ids::{GaugeId, SectionKey},
    section::Section,
    time::Span,
};
use store::StoreError;

use super::{court::Parts, hear::gauges_of};
use crate::{
    docket::{Hearing, Why},
    fold::{Fold, GivenUp, Readings, Told},
    hearing::{Evidence, Together},
    judgement::Judgement,
    standing::Today,
};

/// The hours of a day that lie before its open one, as they have been judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    /// Of which day.
    pub(super) day: Span,
    /// The open hour.
    pub(super) hour: Span,
    /// `None` where there is none before.
    pub(super) before: Option<Together>,
}

/// Of every section of which anything is carried on; as many as the registry has, at most.
#[derive(Debug, Default)]
pub(super) struct Carried {
    folds: BTreeMap<SectionKey, Fold>,
    rests: BTreeMap<SectionKey, Rest>,
    /// The latest day of a section that was judged or looked at, as it stands; `None` where
    /// nothing is said of it.
    days: BTreeMap<SectionKey, (Span, Option<Today>)>,
}

/// Which readings are to be taken up of a section.
#[derive(Debug)]
struct Asked {
    key: SectionKey,
    gauges: Vec<GaugeId>,
    spans: Vec<Span>,
}

/// Good readings, of each source of a section.
type Came = Vec<Readings>;

impl Carried {
    /// Nothing is carried on: the law or the clock is another one.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn fold(&self, key: &SectionKey) -> Option<&Fold> {
        self.folds.get(key)
    }

    /// What hours are by what is carried on; `None` where they are to be judged from readings.
    pub(super) fn answers(
        &self,
        section: &Section<'_>,
        hearing: &Hearing,
    ) -> Option<Vec<Judgement>> {
        let fold = self.folds.get(&section.key())?;
        let mut judged = Vec::new();
        for hour in &hearing.hours {
            let told = match hearing.why {
                Why::Open => fold.so_far(section, *hour),
                Why::Close => fold.hour(section, *hour),
                Why::Again | Why::Begin => return None,
            };
            match told {
                Told::Is(judgement) => judged.push(*judgement),
                Told::Nothing => {}
                Told::ByReadings => return None,
            }
        }
        Some(judged)
    }

    /// Carries on from what the newest hours of a hearing were judged by: all readings as of this
    /// row of the feed.
    pub(super) fn begin(
        &mut self,
        section: &Section<'_>,
        (hearing, evidence): (&Hearing, &[Evidence<'_>]),
        seen: i64,
    ) {
        // with the hour before, so that it can be closed
        let mut begun = hearing.hours.iter().rev().take(2).rev();
        let fold = begun.find_map(|hour| Fold::begin(section, evidence, *hour, seen));
        if let Some(fold) = fold {
            self.folds.insert(section.key(), fold);
        }
    }

    /// Nothing more is carried on of a section.
    pub(super) fn leave(&mut self, key: &SectionKey) {
        self.folds.remove(key);
        self.rests.remove(key);
        self.days.remove(key);
    }

    /// What stands of a day of a section; `None` where nobody knows.
    pub(super) fn day(&self, key: &SectionKey, span: Span) -> Option<&(Span, Option<Today>)> {
        self.days.get(key).filter(|(known, _)| *known == span)
    }

    pub(super) fn keep_day(&mut self, key: SectionKey, span: Span, day: Option<Today>) {
        if self.days.get(&key).is_none_or(|(known, _)| known.from <= span.from) {
            self.days.insert(key, (span, day));
        }
    }

    /// What was said of a section's periods is taken back.
    pub(super) fn forget_day(&mut self, key: &SectionKey) {
        self.days.remove(key);
    }

    pub(super) fn rest(&self, key: &SectionKey, (day, hour): (Span, Span)) -> Option<Rest> {
        self.rests.get(key).copied().filter(|rest| (rest.day, rest.hour) == (day, hour))
    }

    pub(super) fn keep_rest(&mut self, key: SectionKey, rest: &Rest) {
        self.rests.insert(key, *rest);
    }

    /// Whatever was judged but the open hour itself belongs to its rest.
    pub(super) fn forget_rest_but_of(&mut self, key: &SectionKey, hour: Option<Span>) {
        if self.rests.get(key).is_some_and(|rest| Some(rest.hour) != hour) {
            self.rests.remove(key);
        }
    }

    /// Reads what rows of the feed up to `position` brought, and carries on. A section of which a
    /// reading came late is judged from its readings once more.
    pub(super) async fn take(
        &mut self,
        parts: &Parts,
        touched: Vec<(Section<'_>, Vec<Span>)>,
        position: i64,
    ) -> Result<(), StoreError> {
        let asked = touched.iter().filter_map(|(section, spans)| {
            let key = section.key();
            let fold = self.folds.get(&key).filter(|fold| fold.seen() < position)?;
            let from = fold.looks_from();
            let spans = spans.iter().map(|span| Span { from: span.from.max(from), ..*span });
            let spans: Vec<Span> = spans.filter(|span| span.from < span.to).collect();
            (!spans.is_empty()).then(|| Asked { key, gauges: gauges_of(section), spans })
        });
        let asked: Vec<Asked> = asked.collect();
        if asked.is_empty() {
            return Ok(());
        }
        let came = parts.samples.read(move |reader| {
            let mut all = BTreeMap::new();
            for Asked { key, gauges, spans } in asked {
                let mut came: Came = Vec::new();
                for gauge in gauges {
                    let mut samples = Vec::new();
                    for span in &spans {
                        samples.extend(reader.good_flow(&gauge, *span)?);
                    }
                    came.push(samples);
                }
                all.insert(key, came);
            }
            Ok(all)
        });
        let came = came.await?;
        for (section, _) in &touched {
            let key = section.key();
            let Some((fold, came)) = self.folds.get_mut(&key).zip(came.get(&key)) else { continue };
            if let Err(why) = fold.take(section, came, position) {
                self.folds.remove(&key);
                parts.metrics.late.inc_by(u64::from(why == GivenUp::Late));
            }
        }
        Ok(())
    }
}
