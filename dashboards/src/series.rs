//! A series for a chart: what stood over time, in buckets of a fixed step, with what is missing and
//! why.
//!
//! What stands is asked of [`model::release`], which judging and alarming ask too: a value holds
//! until the next one, two and a half intervals at most, and where none holds there is a gap. It is
//! drawn as it was measured; what a verdict counts of it, where that is less, is told beside it.
//! Samples come in any pieces, are made into buckets as far as every source has come, and are
//! forgotten: a year of them never is in memory.

pub mod cause;
pub mod chart;
pub mod demand;
pub mod grid;
pub mod longest;
pub mod stretch;

use model::{
    flow::Flow,
    release::{Outlet, hold_ms},
    sample::Sample,
    time::{Span, Timestamp},
};

use self::{
    cause::{Causes, Defect},
    chart::{Chart, Finished},
    demand::Demanded,
    grid::Grid,
    stretch::Stretch,
};

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The values of one gauge, whatever it measures.
    Gauge,
    /// What a section releases: its sources are outlets, their values ml/s.
    Released(Vec<Demanded>),
}

/// Where samples come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How often there is one.
    pub interval_ms: i64,
    /// When it counts.
    pub in_force: Span,
}

/// A series that is being made.
#[derive(Debug)]
pub struct Series {
    subject: Subject,
    sources: Vec<Tape>,
    causes: Causes,
    chart: Chart,
    /// Everything before is in the chart.
    at: Timestamp,
}

/// What has come of a source and is needed still.
#[derive(Debug)]
struct Tape {
    source: Source,
    good: Vec<(Timestamp, i64)>,
    /// Everything of it before has come.
    complete: Timestamp,
}

impl Series {
    /// Nothing has come yet.
    pub fn new(subject: Subject, sources: Vec<Source>, causes: Causes, grid: Grid) -> Self {
        let at = grid.from;
        let tape = |source| Tape { source, good: Vec::new(), complete: Timestamp::MIN };
        let sources = sources.into_iter().map(tape).collect();
        Self { subject, sources, causes, chart: Chart::new(grid), at }
    }

    /// From where on samples of a source are needed, and until when.
    pub fn needed(&self, source: usize) -> Option<Span> {
        let tape = self.sources.get(source)?;
        let Span { from, to } = self.chart.grid().span();
        Some(Span { from: from.plus_ms(-hold_ms(tape.source.interval_ms)), to })
    }

    /// The source that is least far; `None` once all of them are complete.
    pub fn wants(&self) -> Option<usize> {
        let to = self.chart.grid().to;
        let least = self.sources.iter().enumerate().min_by_key(|(_, tape)| tape.complete)?;
        (least.1.complete < to).then_some(least.0)
    }

    /// Takes the next samples of a source, in ascending moments: all that it has before `complete`.
    /// A value is in the resolution in which the series is told.
    pub fn take(&mut self, source: usize, samples: &[Sample], complete: Timestamp) {
        let Some(tape) = self.sources.get_mut(source) else { return };
        tape.complete = tape.complete.max(complete);
        for sample in samples {
            if let Some(value) = sample.value.filter(|_| sample.is_good()) {
                tape.good.push((sample.at, value));
                continue;
            }
            self.causes.note(Defect::of(sample));
            if sample.value.is_some() {
                self.chart.doubt(sample.at);
            }
        }
        self.advance();
    }

    /// Brings into the chart whatever every source is complete for.
    fn advance(&mut self) {
        let complete = self.sources.iter().map(|tape| tape.complete).min();
        let until = complete.unwrap_or(Timestamp::MAX).min(self.chart.grid().to);
        if until <= self.at {
            return;
        }
        let window = Span { from: self.at, to: until };
        for stretch in self.stretches(window) {
            self.chart.add(&stretch, &self.causes);
        }
        self.at = until;
        self.causes.forget(until);
        for tape in &mut self.sources {
            // the last one before may stand still
            let later = tape.good.partition_point(|(at, _)| *at < until);
            tape.good.drain(..later.saturating_sub(1));
        }
    }

    fn stretches(&self, window: Span) -> Vec<Stretch> {
        match &self.subject {
            Subject::Gauge => {
                let tape = self.sources.first();
                let interval_ms = tape.map_or(1, |tape| tape.source.interval_ms);
                let good = tape.map_or(&[][..], |tape| &tape.good);
                stretch::of_gauge(good, interval_ms, window)
            }
            Subject::Released(demands) => {
                let outlets: Vec<Outlet> =
                    self.sources.iter().map(|tape| tape.outlet(window)).collect();
                stretch::of_section(&outlets, demands, window)
            }
        }
    }

    /// The series, once everything has come.
    pub fn finish(mut self) -> Finished {
        for tape in &mut self.sources {
            tape.complete = Timestamp::MAX;
        }
        self.advance();
        self.chart.finish()
    }
}

impl Tape {
    /// The outlet with as much as counts within a window.
    fn outlet(&self, window: Span) -> Outlet {
        let after = self.good.partition_point(|(at, _)| *at < window.to);
        let good = self.good.get(..after).unwrap_or_default().iter();
        Outlet {
            interval_ms: self.source.interval_ms,
            in_force: self.source.in_force,
            samples: good.map(|(at, value)| (*at, Flow::from_ml_per_s(*value))).collect(),
        }
    }
}

#[cfg(test)]
#[path = "series/tests.rs"]
mod tests;
