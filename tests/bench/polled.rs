//! What the meters' logs say of a poller: which slots it kept, and how exactly.

use std::{collections::BTreeMap, path::Path};

use world::entries;

/// Reads of one meter.
#[derive(Debug, Default, Clone)]
pub struct Polled {
    /// Slots that lay between the first and the last read of the window.
    pub expected: u64,
    /// Slots in which no read came.
    pub missed: u64,
    /// From the slot to the meter's log line, ms.
    pub skews_ms: Vec<f64>,
}

impl Polled {
    /// What the log of a meter with one poller says of the reads between two moments.
    ///
    /// A slot lies every `period_ms`; where in the period is what `phase_ms` says, else what most
    /// reads say.
    pub fn read(
        log: &Path,
        (from_ms, to_ms): (i64, i64),
        period_ms: i64,
        phase_ms: Option<i64>,
    ) -> Self {
        let is_read = |entry: &serde_json::Value| entry["words"].is_array();
        let moments =
            entries(log).iter().filter(|entry| is_read(entry)).map(at).collect::<Vec<_>>();
        let moments: Vec<i64> =
            moments.into_iter().filter(|at| (from_ms..to_ms).contains(at)).collect();
        let (Some(first), Some(last)) = (moments.first(), moments.last()) else {
            return Self { expected: 1, missed: 1, skews_ms: Vec::new() };
        };
        let phase = phase_ms.unwrap_or_else(|| usual_phase(&moments, period_ms));
        // A read a few ms early still belongs to its slot.
        let early = period_ms / 4;
        let slot = |at: i64| (at - phase + early).div_euclid(period_ms);
        let kept: std::collections::BTreeSet<i64> = moments.iter().map(|at| slot(*at)).collect();
        let expected = u64::try_from(slot(*last) - slot(*first) + 1).expect("in order");
        let skew = |at: &i64| ((at - phase + early).rem_euclid(period_ms) - early) as f64;
        Self {
            expected,
            missed: expected - kept.len() as u64,
            skews_ms: moments.iter().map(skew).collect(),
        }
    }
}

fn at(entry: &serde_json::Value) -> i64 {
    entry["ms"].as_i64().expect("a moment")
}

/// The earliest of the places in the period at which reads cluster.
fn usual_phase(moments: &[i64], period_ms: i64) -> i64 {
    let mut counts = BTreeMap::<i64, usize>::new();
    for at in moments {
        *counts.entry(at.rem_euclid(period_ms)).or_default() += 1;
    }
    let most = counts.iter().max_by_key(|(_, count)| **count).map_or(0, |(place, _)| *place);
    let near = |place: &i64| (most - 5..=most).contains(place);
    counts.keys().copied().find(near).unwrap_or(most)
}
