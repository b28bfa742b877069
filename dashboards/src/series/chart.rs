//! Buckets, gaps and breaches, as stretches of time are brought in one after another.

use model::quantity::{Decimal, Rounding, quotient, volume_m3};

use super::{
    cause::{Cause, Causes},
    grid::Grid,
    longest::Longest,
    stretch::Stretch,
};

/// The most gaps, and the most breaches, that are told one by one: the longest ones.
pub const MOST_TOLD: usize = 1_000;

/// What stood through one bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The least and the most; `None` where nothing stood.
    pub range: Option<(i64, i64)>,
    /// What stood, times how long it did, ms.
    sum: i128,
    /// The same of what a verdict counts of it where every source's value stands.
    credited: i128,
    /// The same of what it counts where for a time some source's does not.
    bound: i128,
    /// For how long something stood, ms.
    pub held_ms: i64,
    /// For how long that came of every source.
    pub whole_ms: i64,
    /// For how long every source's value was fresh.
    pub covered_ms: i64,
    /// Samples whose value counts for nothing.
    pub doubted: u32,
}

impl Bucket {
    /// The mean over the time in which something stood, rounded down: so it never seems to reach
    /// what it does not.
    pub fn mean(&self) -> Option<i64> {
        self.mean_of(self.sum)
    }

    /// The mean of what a verdict counts of it, where that is less: of a bucket in which a source
    /// is missing for a time the lower bound, as of an hour.
    pub fn credited(&self) -> Option<i64> {
        let counted = if self.whole_ms < self.held_ms { self.bound } else { self.credited };
        if counted == self.sum { None } else { self.mean_of(counted) }
    }

    fn mean_of(&self, sum: i128) -> Option<i64> {
        let mean = quotient(sum, self.held_ms.into(), 0, Rounding::Down)?;
        Some(mean.units)
    }

    fn add(&mut self, value: i64, stretch: &Stretch, length_ms: i64) {
        let (least, most) = self.range.unwrap_or((value, value));
        self.range = Some((least.min(value), most.max(value)));
        let length = i128::from(length_ms);
        self.sum = self.sum.saturating_add(i128::from(value) * length);
        self.credited = self.credited.saturating_add(i128::from(stretch.credited) * length);
        self.bound = self.bound.saturating_add(i128::from(stretch.bound) * length);
        self.held_ms += length_ms;
        self.whole_ms += if stretch.is_whole { length_ms } else { 0 };
        self.covered_ms += if stretch.is_covered { length_ms } else { 0 };
    }
}

/// A stretch through which nothing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Its first moment, ms.
    pub from_ms: i64,
    /// The moment after it, ms.
    pub to_ms: i64,
    /// Why.
    pub cause: Cause,
}

/// A stretch through which every source's value stands and less is released than is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breach {
    /// Its first moment, ms.
    pub from_ms: i64,
    /// The moment after it, ms.
    pub to_ms: i64,
    /// The least that was released.
    pub lowest: i64,
    /// What was missing, ml/s · ms.
    deficit: i128,
}

impl Breach {
    /// What was missing, m³, as the verdicts round it.
    pub fn deficit_m3(&self) -> Option<Decimal> {
        volume_m3(self.deficit)
    }
}

/// A chart that is being made.
#[derive(Debug)]
pub(super) struct Chart {
    grid: Grid,
    buckets: Vec<Bucket>,
    gaps: Longest<Gap>,
    /// The one that may go on.
    gap: Option<Gap>,
    breaches: Longest<Breach>,
    breach: Option<Breach>,
}

/// A chart that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Where its buckets are.
    pub grid: Grid,
    /// One for each of them.
    pub buckets: Vec<Bucket>,
    /// In order.
    pub gaps: Vec<Gap>,
    /// How many shorter ones are not among them.
    pub gaps_left_off: u64,
    /// In order.
    pub breaches: Vec<Breach>,
    /// How many shorter ones are not among them.
    pub breaches_left_off: u64,
}

impl Chart {
    pub(super) fn new(grid: Grid) -> Self {
        Self {
            grid,
            buckets: vec![Bucket::default(); grid.count()],
            gaps: Longest::new(MOST_TOLD),
            gap: None,
            breaches: Longest::new(MOST_TOLD),
            breach: None,
        }
    }

    pub(super) const fn grid(&self) -> &Grid {
        &self.grid
    }

    /// A sample whose value counts for nothing.
    pub(super) fn doubt(&mut self, at: model::time::Timestamp) {
        let place = self.grid.place(at.as_ms());
        if let Some(bucket) = place.and_then(|place| self.buckets.get_mut(place)) {
            bucket.doubted = bucket.doubted.saturating_add(1);
        }
    }

    /// The next stretch, which adjoins the one before.
    pub(super) fn add(&mut self, stretch: &Stretch, causes: &Causes) {
        if let Some(value) = stretch.value {
            self.stand(value, stretch);
        } else {
            for (from_ms, to_ms, cause) in causes.of(stretch.from_ms, stretch.to_ms) {
                self.miss(Gap { from_ms, to_ms, cause });
            }
        }
        self.fall_short(stretch);
    }

    fn stand(&mut self, value: i64, stretch: &Stretch) {
        let mut from = stretch.from_ms;
        while from < stretch.to_ms {
            let to = self.grid.end_of(from).min(stretch.to_ms);
            let place = self.grid.place(from);
            let Some(bucket) = place.and_then(|place| self.buckets.get_mut(place)) else { return };
            bucket.add(value, stretch, to - from);
            from = to;
        }
    }

    fn miss(&mut self, gap: Gap) {
        let known = self.gap.as_mut();
        let same = known.filter(|known| known.to_ms == gap.from_ms && known.cause == gap.cause);
        match same {
            Some(known) => known.to_ms = gap.to_ms,
            None => self.put_gap(Some(gap)),
        }
    }

    fn put_gap(&mut self, next: Option<Gap>) {
        if let Some(gap) = std::mem::replace(&mut self.gap, next) {
            self.gaps.put(gap.to_ms - gap.from_ms, gap);
        }
    }

    fn fall_short(&mut self, stretch: &Stretch) {
        let Some((missing, lowest)) = stretch.missing.zip(stretch.value) else { return };
        let deficit = i128::from(missing) * i128::from(stretch.to_ms - stretch.from_ms);
        let Stretch { from_ms, to_ms, .. } = *stretch;
        match self.breach.as_mut().filter(|known| known.to_ms == from_ms) {
            Some(known) => {
                known.to_ms = to_ms;
                known.lowest = known.lowest.min(lowest);
                known.deficit = known.deficit.saturating_add(deficit);
            }
            None => self.put_breach(Some(Breach { from_ms, to_ms, lowest, deficit })),
        }
    }

    fn put_breach(&mut self, next: Option<Breach>) {
        if let Some(breach) = std::mem::replace(&mut self.breach, next) {
            self.breaches.put(breach.to_ms - breach.from_ms, breach);
        }
    }

    pub(super) fn finish(mut self) -> Finished {
        self.put_gap(None);
        self.put_breach(None);
        let (gaps, gaps_left_off) = self.gaps.finish();
        let (breaches, breaches_left_off) = self.breaches.finish();
        let Self { grid, buckets, .. } = self;
        Finished { grid, buckets, gaps, gaps_left_off, breaches, breaches_left_off }
    }
}
