//! How sections stand, looked at whenever something came, and when one falls silent.

use std::{collections::BTreeMap, sync::Arc};

use model::{
    deadlines::Deadlines,
    ids::SectionKey,
    section::Section,
    standing::Standing,
    station::StationStatus,
    time::{Span, Timestamp},
    verdict::Length,
};
use store::{StandingRow, StoreError, VerdictsQuery};

use super::{
    court::{Court, Parts},
    hear::gauges_of,
};
use crate::{
    hearing::{Evidence, JudgedHour},
    judgement,
    standing::{SILENT_PERIOD_MS, Today, find, row, silent_after_ms},
};

/// Between two looks at a section.
const PERIOD_MS: i64 = 1_000;
/// Sections that are looked at in one pass; those that have waited longest come first.
const SECTIONS: usize = 512;

/// How every section that is judged stands.
#[derive(Debug, Default)]
pub(super) struct Standings {
    stood: BTreeMap<SectionKey, Stood>,
    due: Deadlines<SectionKey>,
}

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
        let mut standings = Self::default();
        for row in rows {
            let key = row.key.clone();
            standings.set(key, Some(row), (Timestamp::MIN, Timestamp::MIN));
        }
        standings
    }

    fn set(
        &mut self,
        key: SectionKey,
        row: Option<StandingRow>,
        (looked_at, due_at): (Timestamp, Timestamp),
    ) {
        self.due.set(&key, Some(due_at));
        self.stood.insert(key, Stood { row, looked_at, due_at });
    }

    fn leave(&mut self, key: &SectionKey) {
        self.due.set(key, None);
        self.stood.remove(key);
    }

    /// Something of it may be otherwise.
    pub(super) fn touch(&mut self, key: &SectionKey) {
        let new = || Stood { row: None, looked_at: Timestamp::MIN, due_at: Timestamp::MIN };
        let stood = self.stood.entry(key.clone()).or_insert_with(new);
        stood.due_at = stood.due_at.min(stood.looked_at.plus_ms(PERIOD_MS));
        self.due.set(key, Some(stood.due_at));
    }

    /// Everything may be, since the law or the clock is another one.
    pub(super) fn touch_all(&mut self, judged: impl Iterator<Item = SectionKey>) {
        judged.for_each(|key| self.touch(&key));
        for (key, stood) in &mut self.stood {
            (stood.looked_at, stood.due_at) = (Timestamp::MIN, Timestamp::MIN);
            self.due.set(key, Some(stood.due_at));
        }
    }

    fn due(&self, now: Timestamp) -> Vec<SectionKey> {
        self.due.first_due(SECTIONS, now)
    }
}

impl Court {
    /// Looks at the sections that are due.
    pub(super) async fn stand(
        &mut self,
        parts: &Parts,
        now: Timestamp,
    ) -> Result<Stand, StoreError> {
        let mut stand = Stand::default();
        for key in self.standings.due(now) {
            let before = self.standings.stood.get(&key).and_then(|stood| stood.row.clone());
            let (row, until) = self.look(parts, (&key, before.as_ref()), now).await?;
            match &row {
                Some(row) if Some(row) != before.as_ref() => stand.rows.push(row.clone()),
                None if before.is_some() => stand.gone.push(key.clone()),
                Some(_) | None => {}
            }
            if row.is_some() {
                let due_at = until.unwrap_or(Timestamp::MAX).max(now.plus_ms(PERIOD_MS));
                self.standings.set(key, row, (now, due_at));
            } else {
                self.standings.leave(&key);
            }
        }
        Ok(stand)
    }

    /// How a section stands, and until when that is so while nothing comes.
    async fn look(
        &mut self,
        parts: &Parts,
        (key, before): (&SectionKey, Option<&StandingRow>),
        now: Timestamp,
    ) -> Result<(Option<StandingRow>, Option<Timestamp>), StoreError> {
        let registry = Arc::clone(&self.registry);
        let Some(section) = Section::of(&registry, key).filter(Section::has_mandates) else {
            let station = registry.stations.get(&key.station);
            let is_exited = station.is_some_and(|at| at.status == StationStatus::Exited);
            return Ok((before.filter(|_| is_exited).map(|row| exited(row, now)), None));
        };
        let evidence = match self.voices(&section, now) {
            Some(evidence) => evidence,
            None => last_readings(parts, &section).await?,
        };
        let found = find(&section, &evidence, parts.near, now);
        let is_silent = found.until.is_none();
        let today = self.today(parts, (&section, is_silent), now).await?;
        let until = today.as_ref().map_or(found.until, |today| {
            let until = found.until.unwrap_or_else(|| now.plus_ms(SILENT_PERIOD_MS));
            Some(until.min(today.span.to))
        });
        Ok((Some(row(&section, (&found, now), today.as_ref(), before)), until))
    }
}

impl Court {
    /// The last reading of each outlet as it is carried on, while none of them is silent.
    fn voices<'a>(&self, section: &Section<'a>, now: Timestamp) -> Option<Vec<Evidence<'a>>> {
        let fold = self.carried.fold(&section.key())?;
        let sources = section.sources().into_iter().zip(fold.newest());
        let speaking = sources.map(|(source, newest)| {
            let reading = newest.filter(|(at, _)| now < at.plus_ms(silent_after_ms(&source)))?;
            Some(Evidence { source, samples: vec![reading] })
        });
        speaking.collect()
    }
}

/// The last readings of each outlet, as the store has them.
async fn last_readings<'a>(
    parts: &Parts,
    section: &Section<'a>,
) -> Result<Vec<Evidence<'a>>, StoreError> {
    let sources = section.sources();
    let reaches = sources.iter().map(silent_after_ms);
    let asked: Vec<_> = gauges_of(section).into_iter().zip(reaches).collect();
    let read = parts.samples.read(move |reader| {
        let of_each = asked.iter().map(|(gauge, reach_ms)| {
            let newest = reader.gauge(gauge)?.and_then(|facts| facts.newest);
            let Some(newest) = newest else { return Ok(Vec::new()) };
            let span = Span { from: newest.plus_ms(-*reach_ms), to: newest.plus_ms(1) };
            reader.good_flow(gauge, span)
        });
        of_each.collect::<Result<Vec<_>, StoreError>>()
    });
    let read = read.await?;
    let evidence = sources.into_iter().zip(read);
    Ok(evidence.map(|(source, samples)| Evidence { source, samples }).collect())
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

impl Court {
    /// The day that runs, as it was judged last.
    async fn today(
        &mut self,
        parts: &Parts,
        (section, is_silent): (&Section<'_>, bool),
        now: Timestamp,
    ) -> Result<Option<Today>, StoreError> {
        let Some(hours) = section.day_of(section.hour_of(now)) else { return Ok(None) };
        let (Some(first), Some(last)) = (hours.first(), hours.last()) else { return Ok(None) };
        let span = Span { from: first.from, to: last.to };
        let key = section.key();
        // what lies before a section's first hour is not missing
        let is_awaited =
            is_silent && self.docket.first(&key).is_some_and(|first| first <= span.from);
        let unsaid = || is_awaited.then(|| Today::unsaid(section, span)).flatten();
        if let Some((_, today)) = self.carried.day(&key, span) {
            return Ok(today.clone().or_else(unsaid));
        }
        let query = VerdictsQuery {
            section: key.clone(),
            by: Length::Day,
            span: Span { from: span.from, to: span.from.plus_ms(1) },
            all_versions: false,
            after: None,
            limit: 1,
        };
        let rows = parts.journal.read(move |reader| reader.verdicts(&query)).await?;
        let row = rows.into_iter().find(|row| !row.is_withdrawn);
        // what is withdrawn has no sums, and is no day
        let read = row.and_then(|row| judgement::read_day(row.span, &row.bytes).ok());
        let today = read.map(|(day, hours)| {
            let JudgedHour { verdict, weight, .. } = day;
            Today { span, verdict, hours, weight }
        });
        self.carried.keep_day(key, span, today.clone());
        Ok(today.or_else(unsaid))
    }
}
