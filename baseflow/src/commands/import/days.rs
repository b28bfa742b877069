//! Rows gathered into batches, one for each gauge and day, and judged as ingest judges them.

use std::{collections::BTreeMap, sync::Arc};

use ingest::{
    intake::{self, Arrival, Judgement, Known},
    placing::Anchors,
};
use model::{
    batch::{Batch, BatchClock, Column},
    ids::{AgentId, BatchId, Epoch, GaugeId, IdError, Sequence},
    quality::Quality,
    quantity::{Decimal, Unit},
    reading::Point,
    registry::Registry,
    time::{Timestamp, may_be_measured},
    wire::batch_v1,
};
use store::{Admit, Kind};

use super::report::Report;
use crate::csv_file::Parsed;

/// Who speaks in a batch that `import samples` made.
const AGENT: &str = "import";
const DAY_MS: i64 = 86_400_000;
/// Rows of one gauge and day; what is more begins another batch.
const MAX_ROWS: usize = 100_000;
/// Rows of all open days; what is more closes the fullest of them.
const MAX_OPEN_ROWS: usize = 2_000_000;

/// A batch that may be stored, and how many rows it has.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) batch: Batch,
    pub(super) admit: Box<Admit>,
    pub(super) rows: u64,
}

/// What batches are judged by.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(super) registry: Arc<Registry>,
    pub(super) agent: AgentId,
    pub(super) now: Timestamp,
}

/// Days that are being filled.
#[derive(Debug)]
pub(super) struct Days {
    epoch: Epoch,
    judge: Arc<Judge>,
    next: Sequence,
    open: BTreeMap<GaugeId, Day>,
    open_rows: usize,
}

#[derive(Debug)]
struct Day {
    number: i64,
    unit: Option<String>,
    rows: Vec<Row>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    line: u64,
    at_ms: i64,
    value: Decimal,
    quality: Quality,
}

impl Days {
    pub(super) fn new(epoch: Epoch, judge: Arc<Judge>) -> Self {
        Self { epoch, judge, next: 1, open: BTreeMap::new(), open_rows: 0 }
    }

    /// Takes a row, and gives a batch where a day is complete; or says why the row is refused.
    pub(super) fn take(
        &mut self,
        line: u64,
        parsed: Parsed,
        report: &mut Report,
    ) -> Result<Option<Sound>, String> {
        let at_ms = parsed.at.as_ms();
        if !may_be_measured(at_ms, self.judge.now) {
            return Err(format!("{} lies before the year 2000 or ahead of the clock", parsed.at));
        }
        let number = at_ms.div_euclid(DAY_MS);
        let closing = match self.open.get(&parsed.gauge) {
            Some(day)
                if day.number != number
                    || day.unit != parsed.unit
                    || day.rows.len() >= MAX_ROWS =>
            {
                Some(parsed.gauge.clone())
            }
            Some(_) | None if self.open_rows >= MAX_OPEN_ROWS => self.fullest(),
            Some(_) | None => None,
        };
        let closed = closing.and_then(|gauge| self.close(&gauge, report));
        let day = self.open.entry(parsed.gauge).or_insert_with(|| Day {
            number,
            unit: parsed.unit,
            rows: Vec::new(),
        });
        day.rows.push(Row { line, at_ms, value: parsed.value, quality: parsed.quality });
        self.open_rows += 1;
        Ok(closed)
    }

    /// The batches of all days that are still open.
    pub(super) fn finish(mut self, report: &mut Report) -> Vec<Sound> {
        let gauges: Vec<_> = self.open.keys().cloned().collect();
        gauges.iter().filter_map(|gauge| self.close(gauge, report)).collect()
    }

    fn fullest(&self) -> Option<GaugeId> {
        let fullest = self.open.iter().max_by_key(|(_, day)| day.rows.len());
        fullest.map(|(gauge, _)| gauge.clone())
    }

    fn close(&mut self, gauge: &GaugeId, report: &mut Report) -> Option<Sound> {
        let day = self.open.remove(gauge)?;
        self.open_rows -= day.rows.len();
        let sequence = self.next;
        self.next += 1;
        let (column, lines) = self.column(gauge, day, report)?;
        let batch = Batch {
            id: BatchId { agent: self.judge.agent.clone(), epoch: self.epoch, sequence },
            clock: BatchClock::Utc { uncertainty_ms: 0 },
            previous: None,
            columns: vec![column],
            gaps: Vec::new(),
            anchors: Vec::new(),
        };
        match self.judge.judge(&batch) {
            Ok(admit) => {
                let rows = u64::try_from(lines.len()).unwrap_or(u64::MAX);
                Some(Sound { batch, admit, rows })
            }
            Err(problem) => {
                for line in lines {
                    report.refuse(line, &problem);
                }
                None
            }
        }
    }

    /// The rows in ascending moments, each moment once, and the lines that they come from.
    fn column(
        &self,
        gauge: &GaugeId,
        mut day: Day,
        report: &mut Report,
    ) -> Option<(Column, Vec<u64>)> {
        let known = self.judge.registry.gauge(gauge.station.as_str(), gauge.name.as_str());
        let unit = day.unit.or_else(|| known.map(|known| known.unit.name().to_owned()));
        let unit = unit.unwrap_or_default();
        let decimals = day.rows.iter().map(|row| row.value.decimals).max().unwrap_or(0);
        let conversion = known
            .zip(Unit::named(&unit))
            .and_then(|(known, unit)| known.resolution.conversion_from(unit, decimals));
        day.rows.sort_by_key(|row| row.at_ms); // stable: of equal moments the first line stands
        let mut points: Vec<Point> = Vec::with_capacity(day.rows.len());
        let mut lines = Vec::with_capacity(day.rows.len());
        for row in day.rows {
            let Some(value) = row.value.rescaled(decimals) else {
                report.refuse(
                    row.line,
                    &format!("64 bits do not hold `{}` with {decimals} decimals", row.value),
                );
                continue;
            };
            if conversion.is_some_and(|conversion| conversion.apply(value).is_none()) {
                report.refuse(
                    row.line,
                    &format!("64 bits do not hold `{}` as it is stored", row.value),
                );
                continue;
            }
            let point = Point { at_ms: row.at_ms, value, quality: row.quality };
            match points.last() {
                Some(last) if *last == point => report.repeat(),
                Some(last) if last.at_ms == point.at_ms => {
                    report.refuse(row.line, "an earlier line says something else of this moment");
                }
                Some(_) | None => {
                    points.push(point);
                    lines.push(row.line);
                }
            }
        }
        if points.is_empty() {
            return None;
        }
        let column =
            Column { gauge: gauge.clone(), unit: unit.into(), decimals, period_ms: 0, points };
        Some((column, lines))
    }
}

impl Judge {
    pub(crate) fn new(registry: Arc<Registry>, now: Timestamp) -> Result<Self, IdError> {
        Ok(Self { registry, agent: AGENT.parse()?, now })
    }

    /// What the store is to be given; or why the registry refuses the batch.
    pub(super) fn judge(&self, batch: &Batch) -> Result<Box<Admit>, String> {
        let plain = batch_v1::encode(batch);
        let digest = batch_v1::digest(&plain);
        let payload = batch_v1::compress(plain);
        let arrival = Arrival {
            agent: &self.agent,
            topic: AGENT,
            payload: &payload,
            received_at: self.now,
            remainder: None,
        };
        let anchors = Anchors::new();
        let known = Known { registry: &self.registry, anchors: &anchors };
        match intake::decoded(batch, digest, Kind::Import, arrival, known) {
            Judgement::Admit(admit) => match admit.set_aside.first() {
                None => Ok(admit),
                Some(part) => Err(part.detail.clone()),
            },
            Judgement::Garbage(garbage) => Err(garbage.detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::tree::Origin;

    use super::*;

    const REGISTRY: &str = r#"
        [[station]]
        id = "S"
        name = "s"
        kind = "hydropower"
        [[station.gauge]]
        id = "flow"
        quantity = "flow"
        unit = "m3/s"
        decimals = 3
        interval = "5s"
    "#;

    fn days() -> Days {
        let registry = store::registry::parse(REGISTRY, &Origin::Default).unwrap();
        let now = "2026-11-22T00:00:00Z".parse().unwrap();
        Days::new(Epoch(7), Arc::new(Judge::new(Arc::new(registry), now).unwrap()))
    }

    /// Takes rows of `gauge moment value unit` and shows each batch and the number of refused lines.
    fn check(rows: &str, expected: &str) {
        let (mut days, mut report) = (days(), Report::new(0));
        let mut sound = Vec::new();
        for (line, row) in (2..).zip(rows.split("; ")) {
            let fields: Vec<&str> = row.split(' ').collect();
            let [gauge, at, value, unit] = fields[..] else { panic!("{row}") };
            let at = format!("2026-11-{at}Z");
            let parsed = Parsed::of(["S", gauge, &at, value, unit, "", ""]).unwrap();
            match days.take(line, parsed, &mut report) {
                Ok(batch) => sound.extend(batch),
                Err(problem) => report.refuse(line, &problem),
            }
        }
        sound.extend(days.finish(&mut report));
        let shown = sound.iter().map(|sound| {
            let column = &sound.batch.columns[0];
            let values: Vec<_> = column.points.iter().map(|point| point.value).collect();
            format!("{}: {values:?} {}/{}", sound.batch.id.sequence, column.decimals, column.unit)
        });
        let shown: Vec<_> = shown.collect();
        assert_eq!(
            format!("{}, {} refused", shown.join(", "), report.refused()),
            expected,
            "{rows}"
        );
    }

    #[test]
    fn each_gauge_and_day_is_a_batch_in_ascending_moments() {
        check(
            "flow 20T00:00:05 0.75 ; flow 20T00:00:00 1 ; flow 21T00:00:00 2 m3/s",
            "1: [100, 75] 2/m3/s, 2: [2] 0/m3/s, 0 refused",
        );
    }

    #[test]
    fn of_equal_moments_the_first_line_stands() {
        check(
            "flow 20T00:00:00 1 ; flow 20T00:00:00 1.0 ; flow 20T00:00:00 2 ",
            "1: [1] 0/m3/s, 1 refused",
        );
    }

    #[test]
    fn what_the_registry_refuses_or_64_bits_do_not_hold_is_refused_line_by_line() {
        check("level 20T00:00:00 1 m; level 20T00:00:01 1 m", ", 2 refused");
        check("flow 20T00:00:00 1 V", ", 1 refused");
        check("flow 22T00:02:01 1 ", ", 1 refused");
        check(
            "flow 20T00:00:00 9000000000000000 ; flow 20T00:00:01 1 ",
            "1: [1] 0/m3/s, 1 refused",
        );
    }

    #[test]
    fn the_same_rows_make_the_same_bytes() {
        let batch = || {
            let (mut days, mut report) = (days(), Report::new(0));
            let row = Parsed::of(["S", "flow", "2026-11-20T00:00:00Z", "1.5", "", "", ""]).unwrap();
            assert!(days.take(2, row, &mut report).unwrap().is_none());
            days.finish(&mut report).pop().unwrap().admit
        };
        assert_eq!(batch(), batch());
    }
}
