//! How sections stand, looked at whenever something came, and when one falls silent.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    ids::SectionKey,
    section::Section,
    standing::Standing,
    station::StationStatus,
    time::{Span, Timestamp},
    verdict::Length,
};
use store::{NewVerdict, StandingRow, StoreError, VerdictsQuery};

use super::{
    court::{Court, Outcome, Parts},
    hear::gauges_of,
};
use crate::{
    hearing::Evidence,
    judgement,
    standing::{Today, find, row, silent_after_ms},
};

/// Between two looks at a section.
const PERIOD_MS: i64 = 1_000;
/// Sections that are looked at in one pass; those that have waited longest come first.
const SECTIONS: usize = 64;

/// How every section that is judged stands.
#[derive(Debug, Default)]
pub(super) struct Standings(BTreeMap<SectionKey, Stood>);

#[derive(Debug)]
struct Stood {
    /// What is written of it.
    row: Option<StandingRow>,
    looked_at: Timestamp,
    due_at: Timestamp,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Stand {
    pub(super) rows: Vec<StandingRow>,
    pub(super) gone: Vec<SectionKey>,
}

impl Standings {
    /// Those that the journal has; each is looked at once.
    pub(super) fn of(rows: Vec<StandingRow>) -> Self {
        let stood = |row: StandingRow| {
            let (looked_at, due_at) = (Timestamp::MIN, Timestamp::MIN);
            (row.key.clone(), Stood { row: Some(row), looked_at, due_at })
        };
        Self(rows.into_iter().map(stood).collect())
    }

    /// Something of it may be otherwise.
    pub(super) fn touch(&mut self, key: &SectionKey) {
        let new = || Stood { row: None, looked_at: Timestamp::MIN, due_at: Timestamp::MIN };
        let stood = self.0.entry(key.clone()).or_insert_with(new);
        stood.due_at = stood.due_at.min(stood.looked_at.plus_ms(PERIOD_MS));
    }

    /// Everything may be, since the law or the clock is another one.
    pub(super) fn touch_all(&mut self, judged: impl Iterator<Item = SectionKey>) {
        judged.for_each(|key| self.touch(&key));
        for stood in self.0.values_mut() {
            (stood.looked_at, stood.due_at) = (Timestamp::MIN, Timestamp::MIN);
        }
    }

    fn due(&self, now: Timestamp) -> Vec<SectionKey> {
        let due = self.0.iter().filter(|(_, stood)| stood.due_at <= now);
        let mut due: Vec<_> = due.map(|(key, stood)| (stood.due_at, key)).collect();
        due.sort_unstable();
        due.into_iter().take(SECTIONS).map(|(_, key)| key.clone()).collect()
    }
}

impl Court {
    /// Looks at the sections that are due.
    pub(super) async fn stand(
        &mut self,
        parts: &Parts,
        outcomes: &[Outcome],
        now: Timestamp,
    ) -> Result<Stand, StoreError> {
        let mut stand = Stand::default();
        for key in self.standings.due(now) {
            let before = self.standings.0.get(&key).and_then(|stood| stood.row.clone());
            let said = outcomes.iter().flat_map(|outcome| &outcome.verdicts);
            let (row, until) = self.look(parts, (&key, before.as_ref()), said, now).await?;
            match &row {
                Some(row) if Some(row) != before.as_ref() => stand.rows.push(row.clone()),
                None if before.is_some() => stand.gone.push(key.clone()),
                Some(_) | None => {}
            }
            if row.is_some() {
                let due_at = until.unwrap_or(Timestamp::MAX).max(now.plus_ms(PERIOD_MS));
                self.standings.0.insert(key, Stood { row, looked_at: now, due_at });
            } else {
                self.standings.0.remove(&key);
            }
        }
        Ok(stand)
    }

    /// How a section stands, and until when that is so while nothing comes.
    async fn look(
        &self,
        parts: &Parts,
        (key, before): (&SectionKey, Option<&StandingRow>),
        said: impl Iterator<Item = &NewVerdict>,
        now: Timestamp,
    ) -> Result<(Option<StandingRow>, Option<Timestamp>), StoreError> {
        let registry = Arc::clone(&self.registry);
        let Some(section) = Section::of(&registry, key).filter(Section::has_mandates) else {
            let station = registry.stations.get(&key.station);
            let is_exited = station.is_some_and(|at| at.status == StationStatus::Exited);
            return Ok((before.filter(|_| is_exited).map(|row| exited(row, now)), None));
        };
        let mut evidence = Vec::new();
        for (source, gauge) in section.sources().into_iter().zip(gauges_of(&section)) {
            let reach_ms = silent_after_ms(&source);
            let samples = parts.samples.read(move |reader| {
                let newest = reader.gauge(&gauge)?.and_then(|facts| facts.newest);
                let Some(newest) = newest else { return Ok(Vec::new()) };
                let span = Span { from: newest.plus_ms(-reach_ms), to: newest.plus_ms(1) };
                reader.good_flow(&gauge, span)
            });
            evidence.push(Evidence { source, samples: samples.await? });
        }
        let found = find(&section, &evidence, parts.near, now);
        let today = today(parts, &section, said, now).await?;
        let until = match today.as_ref().map(|today| today.span.to) {
            Some(over) => Some(found.until.map_or(over, |until| until.min(over))),
            None => found.until,
        };
        Ok((Some(row(&section, &found, today.as_ref(), before)), until))
    }
}

/// What stood of a station that went out of service: nothing but that.
fn exited(before: &StandingRow, now: Timestamp) -> StandingRow {
    if before.state == Standing::OutOfService {
        return before.clone();
    }
    let key = before.key.clone();
    let state = Standing::OutOfService;
    StandingRow { bytes: crate::standing::exited(&key, now), key, state, since: now }
}

/// The day that runs, as it has just been judged or was before.
async fn today(
    parts: &Parts,
    section: &Section<'_>,
    said: impl Iterator<Item = &NewVerdict>,
    now: Timestamp,
) -> Result<Option<Today>, StoreError> {
    let Some(hours) = section.day_of(section.hour_of(now)) else { return Ok(None) };
    let (Some(first), Some(last)) = (hours.first(), hours.last()) else { return Ok(None) };
    let span = Span { from: first.from, to: last.to };
    let key = section.key();
    let is_it = |said: &&NewVerdict| {
        said.section == key && said.by == Length::Day && said.span.from == span.from
    };
    let bytes = if let Some(said) = said.filter(is_it).last() {
        Some(said.bytes.clone())
    } else {
        let query = VerdictsQuery {
            section: key,
            by: Length::Day,
            span: Span { from: span.from, to: span.from.plus_ms(1) },
            all_versions: false,
            after: None,
            limit: 1,
        };
        let rows = parts.journal.read(move |reader| reader.verdicts(&query)).await?;
        rows.into_iter().find(|row| !row.is_withdrawn).map(|row| row.bytes)
    };
    // what is withdrawn has no sums, and is no day
    let read = bytes.and_then(|bytes| judgement::read_day(&bytes).ok());
    Ok(read.map(|(verdict, weight, hours)| Today { span, verdict, hours, weight }))
}
