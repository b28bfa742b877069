//! The open hour of a section, carried on by what comes and not judged anew from its first reading.
//!
//! Up to a moment that no later reading of an outlet can lie before, as long as each speaks in
//! order, everything is weighed for good and its readings are forgotten; those after it are kept.
//! So what is said of an hour is what judging all of its readings would say, byte for byte: the
//! same pieces are added up, in the same order, only not again each time.
//!
//! Readings that lie outside of their gauge's range are doubted, and an hour is judged without them
//! and with them: while there are some, two courses are carried on, else one.
//!
//! What cannot be carried on is given up, and whoever asks judges from the readings once more: a
//! reading from before that moment, a law that looks back beyond the hour as one begins, an hour in
//! which nothing is demanded, a silence of hours.
//!
//! | bound | at the bound |
//! |---|---|
//! | [`WAITING`] readings of an outlet wait for another to speak | nobody is waited for any longer |
//! | [`WINDOW`] pieces of the last hour, where a rule looks at every window | it is given up |

use model::{
    flow::Flow,
    release::{Duty, Outlet, Piece, Step, release},
    rule::{Missing, RuleProfile},
    section::{Demand, Section},
    time::{HOUR_MS, Span, Timestamp},
    verdict::Length,
};

use crate::{
    evaluate::{Judged, Tally},
    hearing::{Evidence, told},
    judgement::Judgement,
};

/// Readings of an outlet that wait for another to speak.
pub const WAITING: usize = 256;
/// Pieces of an hour, of a rule that looks at every window.
pub const WINDOW: usize = 512;
/// So long an outlet is waited for, as an agent of its own may send more seldom.
const PATIENCE_MS: i64 = 10 * 60_000;
/// What is carried on at once, at most.
const STRIDE_MS: i64 = 3 * HOUR_MS;

/// Good readings of an outlet, ascending.
pub type Readings = Vec<(Timestamp, Flow)>;

/// A section's open hour, and the one before as long as its turn to be closed may come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Up to which row of the feed all readings are in it.
    seen: i64,
    /// Without readings that are doubted.
    credible: Course,
    /// With them; `None` while it would be the same.
    as_read: Option<Box<Course>>,
}

/// How readings go on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Course {
    /// In the order of the section's sources.
    outlets: Vec<Outlet>,
    /// Everything before is weighed.
    settled: Timestamp,
    current: Carried,
    before: Option<Over>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Carried {
    hour: Span,
    steps: Vec<Step>,
    tally: Tally,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Over {
    carried: Carried,
    /// How far its own readings speak.
    told: Timestamp,
}

/// What a fold tells of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It is this.
    Is(Box<Judgement>),
    /// Nothing is demanded then, or nothing is known.
    Nothing,
    /// It does not tell: the hour is to be judged from readings.
    ByReadings,
}

impl Told {
    fn of(judged: Option<Judgement>) -> Self {
        judged.map_or(Self::ByReadings, |judged| Self::Is(Box::new(judged)))
    }
}

/// Why a fold is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GivenUp {
    /// A reading came that lies before what is weighed for good.
    #[error("a reading came late")]
    Late,
    /// What follows is not carried on: the law, a silence or a bound keeps it from it.
    #[error("what follows is judged from readings")]
    Ended,
}

impl Fold {
    /// Begins with an hour, of which `evidence` has all readings up to the newest, and those
    /// before it that [`crate::hearing::needed_from`] names; all of it as of this row of the feed.
    /// `None` where nothing is demanded or a bound is reached.
    pub fn begin(
        section: &Section<'_>,
        evidence: &[Evidence<'_>],
        hour: Span,
        seen: i64,
    ) -> Option<Self> {
        let begin = |readings: &dyn Fn(&Evidence<'_>) -> Readings| {
            let outlets = evidence.iter().map(|outlet| outlet.source.with(readings(outlet)));
            Course::begin(section, outlets.collect(), hour)
        };
        let credible = begin(&|outlet| outlet.source.credible(&outlet.samples))?;
        let doubts = |outlet: &Evidence<'_>| {
            outlet.samples.iter().any(|(_, flow)| outlet.source.doubts(*flow))
        };
        let as_read = if evidence.iter().any(doubts) {
            Some(Box::new(begin(&|outlet| outlet.samples.clone())?))
        } else {
            None
        };
        let as_read = as_read.filter(|as_read| **as_read != credible);
        Some(Self { seen, credible, as_read })
    }

    /// Up to which row of the feed all readings are in it.
    pub const fn seen(&self) -> i64 {
        self.seen
    }

    /// From where on a reading matters to what is carried on: older ones change nothing of it.
    pub fn looks_from(&self) -> Timestamp {
        let as_read = self.as_read.as_deref().map(Course::looks_from);
        as_read.into_iter().fold(self.credible.looks_from(), Timestamp::min)
    }

    /// Takes good readings up, of each source those that came, ascending; all up to this row of
    /// the feed are in it then.
    pub fn take(
        &mut self,
        section: &Section<'_>,
        came: &[Readings],
        seen: i64,
    ) -> Result<(), GivenUp> {
        let looks_from = self.looks_from();
        let sources = section.sources();
        let recent = |came: &Readings| -> Readings {
            came.iter().copied().filter(|(at, _)| looks_from <= *at).collect()
        };
        let came: Vec<Readings> = came.iter().map(recent).collect();
        let credible: Vec<Readings> =
            sources.iter().zip(&came).map(|(source, came)| source.credible(came)).collect();
        if self.as_read.is_none() && credible != came {
            self.as_read = Some(Box::new(self.credible.clone()));
        }
        self.credible.take(section, &credible)?;
        if let Some(as_read) = &mut self.as_read {
            as_read.take(section, &came)?;
        }
        if self.as_read.as_deref() == Some(&self.credible) {
            self.as_read = None;
        }
        self.seen = seen.max(self.seen);
        Ok(())
    }

    /// As much of an open hour as readings tell of, as [`crate::hearing::hour_so_far`] has it.
    pub fn so_far(&self, section: &Section<'_>, hour: Span) -> Told {
        let Some(demand) = section.demand_in(hour) else { return Told::Nothing };
        // that a reading is doubted makes it no less of a reading
        let heard = self.as_read.as_deref().unwrap_or(&self.credible);
        let Some(told) = heard.told_of(hour) else { return Told::ByReadings };
        let to = told.min(hour.to);
        if to <= hour.from {
            return Told::Nothing;
        }
        let rule = RuleProfile { missing: Missing::Indeterminate, ..demand.rule.clone() };
        let demand = Demand { rule: &rule, ..demand };
        Told::of(self.judged(section, (hour, to), demand))
    }

    /// What an hour is that is over, as [`crate::hearing::hour`] has it.
    pub fn hour(&self, section: &Section<'_>, hour: Span) -> Told {
        match section.demand_in(hour) {
            Some(demand) => Told::of(self.judged(section, (hour, hour.to), demand)),
            None => Told::Nothing,
        }
    }

    /// The newest reading of each outlet that is not doubted, as far as it is kept.
    pub fn newest(&self) -> impl Iterator<Item = Option<(Timestamp, Flow)>> {
        self.credible.outlets.iter().map(|outlet| outlet.samples.last().copied())
    }

    fn judged(
        &self,
        section: &Section<'_>,
        (hour, to): (Span, Timestamp),
        demand: Demand<'_>,
    ) -> Option<Judgement> {
        let mut judged = self.credible.judged(section, (hour, to), demand)?;
        if let Some(as_read) = &self.as_read {
            judged = judged.and_as_read(as_read.judged(section, (hour, to), demand)?);
        }
        Some(Judgement::new(section.key(), (Length::Hour, hour), demand, &judged))
    }
}

impl Course {
    fn begin(section: &Section<'_>, outlets: Vec<Outlet>, hour: Span) -> Option<Self> {
        let current = Carried::begin(section, hour)?;
        let settled = current.reached().from;
        let mut course = Self { outlets, settled, current, before: None };
        course.settle(section).ok()?;
        for outlet in &mut course.outlets {
            outlet.samples.shrink_to_fit();
        }
        Some(course)
    }

    fn looks_from(&self) -> Timestamp {
        let oldest = self.before.as_ref().map_or(&self.current, |over| &over.carried);
        let from = oldest.reached().from.min(self.current.reached().from);
        let holds = self.outlets.iter().map(Outlet::hold_ms);
        from.plus_ms(-holds.max().unwrap_or(0))
    }

    fn take(&mut self, section: &Section<'_>, came: &[Readings]) -> Result<(), GivenUp> {
        for (outlet, samples) in self.outlets.iter_mut().zip(came) {
            for (at, flow) in samples {
                let place = outlet.samples.partition_point(|(known, _)| known < at);
                if outlet.samples.get(place).is_some_and(|(known, _)| known == at) {
                    continue;
                }
                if *at < self.settled {
                    return Err(GivenUp::Late);
                }
                outlet.samples.insert(place, (*at, *flow));
            }
        }
        self.settle(section)
    }

    /// How far the readings of an hour speak; `None` where not all are kept that say so.
    fn told_of(&self, hour: Span) -> Option<Timestamp> {
        match &self.before {
            Some(over) if over.carried.hour == hour => Some(over.told),
            Some(_) | None => self.is_kept(hour).then(|| told_by(&self.outlets, hour)),
        }
    }

    fn judged(
        &self,
        section: &Section<'_>,
        (hour, to): (Span, Timestamp),
        demand: Demand<'_>,
    ) -> Option<Judged> {
        let period = Span { to, ..hour };
        let over = self.before.as_ref().filter(|over| over.carried.hour == hour);
        if let Some(over) = over {
            // what is weighed reaches to its end
            return (to == hour.to).then(|| over.carried.tally.judged(period, demand.rule));
        }
        if hour == self.current.hour {
            let carried = self.current.up_to(&self.outlets, (self.settled, to))?;
            return Some(carried.judged(period, demand.rule));
        }
        // an hour of which nothing is weighed yet: all that it needs is kept
        let next = Carried::begin(section, hour)?;
        let from = next.reached().from;
        (self.settled <= from).then_some(())?;
        Some(next.up_to(&self.outlets, (from, to))?.judged(period, demand.rule))
    }

    /// Whether all readings are kept that say how far an hour is known.
    fn is_kept(&self, hour: Span) -> bool {
        hour == self.current.hour || self.settled <= hour.from
    }

    /// Weighs what no reading can change that comes in order.
    fn settle(&mut self, section: &Section<'_>) -> Result<(), GivenUp> {
        let newest = |outlet: &Outlet| outlet.samples.last().map(|(at, _)| *at);
        let Some(front) = self.outlets.iter().filter_map(newest).max() else { return Ok(()) };
        let waited_for = self.outlets.iter().filter_map(|outlet| {
            let patience_ms = outlet.hold_ms().max(PATIENCE_MS);
            newest(outlet).filter(|at| front <= at.plus_ms(patience_ms))
        });
        let mut until = waited_for.fold(front, Timestamp::min);
        let waiting = |outlet: &Outlet| {
            outlet.samples.len() - outlet.samples.partition_point(|(at, _)| *at < until)
        };
        if self.outlets.iter().any(|outlet| waiting(outlet) > WAITING) {
            until = front;
        }
        if until <= self.settled {
            return Ok(());
        }
        if until.ms_since(self.settled) > STRIDE_MS {
            return Err(GivenUp::Ended);
        }
        while self.settled < until {
            self.advance(section, until)?;
        }
        for outlet in &mut self.outlets {
            let needed = self.settled.plus_ms(-outlet.hold_ms());
            // and the one before them, by which it is known how often it speaks
            let first = outlet.samples.partition_point(|(at, _)| *at < needed);
            outlet.samples.drain(..first.saturating_sub(1));
        }
        Ok(())
    }

    /// As far as the hour goes; then the next one begins.
    fn advance(&mut self, section: &Section<'_>, until: Timestamp) -> Result<(), GivenUp> {
        let hour = self.current.hour;
        let to = until.min(hour.to);
        self.current.weigh(&self.outlets, (self.settled, to));
        self.current.tally.settle();
        if self.current.tally.held() > WINDOW {
            return Err(GivenUp::Ended);
        }
        self.settled = to;
        if to == hour.to {
            let next = Carried::begin(section, section.hour_of(to)).ok_or(GivenUp::Ended)?;
            if next.reached().from < to {
                return Err(GivenUp::Ended);
            }
            let told = told_by(&self.outlets, hour);
            let carried = std::mem::replace(&mut self.current, next);
            self.before = Some(Over { carried, told });
        }
        Ok(())
    }
}

impl Carried {
    /// An hour of which nothing is weighed yet; `None` where nothing is demanded.
    fn begin(section: &Section<'_>, hour: Span) -> Option<Self> {
        let rule = section.demand_in(hour)?.rule;
        let from = hour.from.plus_ms(-rule.statistic.lookback_ms());
        let steps = section.steps(Span { from, ..hour });
        Some(Self { hour, steps, tally: Tally::new(hour.from, rule) })
    }

    /// From where on it looks, to its end.
    fn reached(&self) -> Span {
        let from = self.hour.from.plus_ms(-self.tally.lookback_ms());
        Span { from, ..self.hour }
    }

    fn weigh(&mut self, outlets: &[Outlet], (from, to): (Timestamp, Timestamp)) {
        for piece in self.pieces(outlets, Span { from, to }) {
            self.tally.add(&piece);
        }
    }

    fn pieces(&self, outlets: &[Outlet], span: Span) -> Vec<Piece> {
        let duty = Duty { steps: &self.steps, factor: self.tally.factor(), exempt: &[] };
        release(outlets, duty, span)
    }

    /// What is weighed once a stretch that follows is, too; `None` where more is weighed already.
    fn up_to(&self, outlets: &[Outlet], (from, to): (Timestamp, Timestamp)) -> Option<Tally> {
        if to < from {
            return None;
        }
        let mut carried = self.tally.clone();
        for piece in self.pieces(outlets, Span { from, to }) {
            carried.add(&piece);
        }
        Some(carried)
    }
}

/// How far the readings of an hour speak.
fn told_by(outlets: &[Outlet], hour: Span) -> Timestamp {
    let ends =
        outlets.iter().filter_map(|outlet| told(&outlet.samples, outlet.interval_ms, hour.to));
    ends.max().unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
#[path = "fold/tests.rs"]
mod tests;
