//! The oracle: every value that meters gave out against every sample that the store gives back.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    time::Duration,
};

use crate::{
    api::{Api, Sample, exported},
    decode::Exact,
    meter::{self, Given},
    server::Server,
    site::Site,
    wait,
};

/// How far a sample's moment may be from the meter's log line: a slot is at most 250 ms away, the
/// rest is for a machine with much else to do.
pub const SKEW_MS: i64 = 2_000;

/// A comparison reads everything; so it is not made at every turn.
const LOOK: Duration = Duration::from_millis(250);

/// What meters gave out, gauge by gauge, in order.
#[derive(Debug, Clone, Default)]
pub struct Oracle {
    given: BTreeMap<String, Vec<Given>>,
    gauges: BTreeSet<String>,
}

/// How the store differs from what was given out.
#[derive(Debug, Clone, Default)]
pub struct Differences {
    /// How many values were given out.
    pub given: usize,
    /// Given out and not stored.
    pub missing: Vec<Given>,
    /// Stored more often than given out.
    pub duplicate: Vec<(String, Sample)>,
    /// Stored at that moment with another value.
    pub altered: Vec<(Given, Sample)>,
    /// Stored and never given out.
    pub foreign: Vec<(String, Sample)>,
    /// Stored at another moment, or not in the order of the meter.
    pub displaced: Vec<(Given, Sample)>,
}

impl Differences {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.has_only_missing()
    }

    /// Whether nothing is wrong but that something has not come yet.
    pub fn has_only_missing(&self) -> bool {
        self.duplicate.is_empty()
            && self.altered.is_empty()
            && self.foreign.is_empty()
            && self.displaced.is_empty()
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} given out: missing {}, duplicate {}, altered {}, foreign {}, displaced {}",
            self.given,
            self.missing.len(),
            self.duplicate.len(),
            self.altered.len(),
            self.foreign.len(),
            self.displaced.len()
        )?;
        for given in self.missing.iter().take(8) {
            writeln!(f, "  missing   {} {} of {}", given.gauge, given.value, given.at_ms)?;
        }
        for (gauge, sample) in self.duplicate.iter().take(8) {
            writeln!(f, "  duplicate {gauge} {}", show(sample))?;
        }
        for (given, sample) in self.altered.iter().take(8) {
            writeln!(
                f,
                "  altered   {} {} of {}: {}",
                given.gauge,
                given.value,
                given.at_ms,
                show(sample)
            )?;
        }
        for (gauge, sample) in self.foreign.iter().take(8) {
            writeln!(f, "  foreign   {gauge} {}", show(sample))?;
        }
        for (given, sample) in self.displaced.iter().take(8) {
            writeln!(
                f,
                "  displaced {} {} of {}: {}",
                given.gauge,
                given.value,
                given.at_ms,
                show(sample)
            )?;
        }
        Ok(())
    }
}

fn show(sample: &Sample) -> String {
    let value = sample.value.map_or("no value".to_owned(), |value| value.to_string());
    format!("{value} at {} {}", sample.at_ms, sample.quality)
}

impl Oracle {
    /// What the meters of these sites have given out until now.
    pub fn read(sites: &[&Site]) -> Self {
        let mut oracle = Self::default();
        for site in sites {
            oracle.gauges.extend(site.registers().map(|register| site.full(&register.gauge)));
            for given in meter::given(site) {
                oracle.given.entry(given.gauge.clone()).or_default().push(given);
            }
        }
        oracle
    }

    /// How many values that is.
    pub fn count(&self) -> usize {
        self.given.values().map(Vec::len).sum()
    }

    /// What was given out of one gauge.
    pub fn of(&self, gauge: &str) -> &[Given] {
        self.given.get(gauge).map_or(&[], Vec::as_slice)
    }

    /// Takes away what `is_lost` says may be missing; gives what was taken.
    pub fn forgive(&mut self, mut is_lost: impl FnMut(&Given) -> bool) -> Vec<Given> {
        let all = self.given.values_mut();
        all.flat_map(|given| given.extract_if(.., |given| is_lost(given)).collect::<Vec<_>>())
            .collect()
    }

    /// Waits until the API has everything, then compares API and CSV file with it.
    ///
    /// The meters must be silent: what is given out later is not looked for.
    #[track_caller]
    pub fn reconcile(&self, server: &Server, patience: Duration) {
        self.reconcile_gauges(server, patience);
        let found = compare(self, &exported(server));
        assert!(found.is_empty(), "the CSV file differs from what was given out: {found}");
    }

    /// Like [`Oracle::reconcile`], where stations that are none of the sites' have samples too.
    #[track_caller]
    pub fn reconcile_gauges(&self, server: &Server, patience: Duration) {
        assert!(self.count() > 0, "the meters gave out nothing");
        let api = server.api();
        wait::until_every(LOOK, "every value that was given out is stored", patience, || {
            let found = compare(self, &self.stored(&api)?);
            assert!(found.has_only_missing(), "the API differs from what was given out: {found}");
            if found.is_empty() { Ok(()) } else { Err(found.to_string()) }
        });
    }

    /// Every sample of every gauge of the sites, through the API.
    pub fn stored(&self, api: &Api) -> Result<BTreeMap<String, Vec<Sample>>, String> {
        let read = |gauge: &String| Ok((gauge.clone(), api.samples(gauge)?));
        self.gauges.iter().map(read).collect()
    }
}

/// Compares what was given out with what is stored, gauge by gauge.
pub fn compare(oracle: &Oracle, stored: &BTreeMap<String, Vec<Sample>>) -> Differences {
    let mut found = Differences { given: oracle.count(), ..Differences::default() };
    for gauge in &oracle.gauges {
        let samples = stored.get(gauge).map_or(&[][..], Vec::as_slice);
        compare_gauge(gauge, oracle.of(gauge), samples, &mut found);
    }
    for (gauge, samples) in stored.iter().filter(|(gauge, _)| !oracle.gauges.contains(*gauge)) {
        found.foreign.extend(samples.iter().map(|sample| (gauge.clone(), sample.clone())));
    }
    found
}

fn compare_gauge(gauge: &str, given: &[Given], samples: &[Sample], found: &mut Differences) {
    let mut waiting: BTreeMap<Exact, VecDeque<&Given>> = BTreeMap::new();
    for one in given {
        waiting.entry(one.value).or_default().push_back(one);
    }
    let known: BTreeSet<Exact> = waiting.keys().copied().collect();
    let mut foreign = Vec::new();
    let (mut last, mut newest_log) = (i64::MIN, i64::MIN);
    for sample in samples {
        let is_ascending = sample.at_ms > last;
        last = sample.at_ms;
        let Some(value) = sample.value else { continue };
        match waiting.get_mut(&value).and_then(VecDeque::pop_front) {
            Some(one) => {
                let is_near = (sample.at_ms - one.at_ms).abs() <= SKEW_MS;
                if !is_near || !is_ascending || one.at_ms < newest_log {
                    found.displaced.push((one.clone(), sample.clone()));
                }
                newest_log = one.at_ms;
            }
            None if known.contains(&value) => {
                found.duplicate.push((gauge.to_owned(), sample.clone()))
            }
            None => foreign.push(sample),
        }
    }
    let mut missing: Vec<&Given> = waiting.into_values().flatten().collect();
    missing.sort_by_key(|one| one.at_ms);
    for sample in foreign {
        let near = missing.iter().position(|one| (sample.at_ms - one.at_ms).abs() <= SKEW_MS);
        match near {
            Some(at) => found.altered.push((missing.remove(at).clone(), sample.clone())),
            None => found.foreign.push((gauge.to_owned(), sample.clone())),
        }
    }
    found.missing.extend(missing.into_iter().cloned());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(at_ms: i64, value: i128) -> Given {
        Given { gauge: "S/g".to_owned(), at_ms, value: Exact::whole(value) }
    }

    fn check(stored: &[(i64, i128)], expected: &str) {
        let oracle = Oracle {
            given: BTreeMap::from([(
                "S/g".to_owned(),
                vec![given(1_000, 1), given(2_000, 2), given(3_000, 3)],
            )]),
            gauges: BTreeSet::from(["S/g".to_owned()]),
        };
        let sample = |(at_ms, value): &(i64, i128)| Sample {
            at_ms: *at_ms,
            value: Some(Exact::whole(*value)),
            quality: "good".to_owned(),
            reason: None,
        };
        let stored = BTreeMap::from([("S/g".to_owned(), stored.iter().map(sample).collect())]);
        let found = compare(&oracle, &stored).to_string();
        let first = found.lines().next().unwrap_or_default();
        assert_eq!(first.trim_start_matches("3 given out: "), expected, "{stored:?}");
    }

    #[test]
    fn every_kind_of_difference_is_seen() {
        let none = "missing 0, duplicate 0, altered 0, foreign 0, displaced 0";
        check(&[(1_000, 1), (2_000, 2), (3_000, 3)], none);
        check(&[(1_250, 1), (1_900, 2), (3_500, 3)], none);
        check(
            &[(1_000, 1), (3_000, 3)],
            "missing 1, duplicate 0, altered 0, foreign 0, displaced 0",
        );
        check(
            &[(1_000, 1), (2_000, 2), (2_500, 2), (3_000, 3)],
            "missing 0, duplicate 1, altered 0, foreign 0, displaced 0",
        );
        check(
            &[(1_000, 1), (2_000, 9), (3_000, 3)],
            "missing 0, duplicate 0, altered 1, foreign 0, displaced 0",
        );
        check(
            &[(1_000, 1), (2_000, 2), (3_000, 3), (4_000, 9)],
            "missing 0, duplicate 0, altered 0, foreign 1, displaced 0",
        );
        check(
            &[(1_000, 1), (2_000, 2), (9_000, 3)],
            "missing 0, duplicate 0, altered 0, foreign 0, displaced 1",
        );
        check(
            &[(1_000, 2), (2_000, 1), (3_000, 3)],
            "missing 0, duplicate 0, altered 0, foreign 0, displaced 1",
        );
    }
}
