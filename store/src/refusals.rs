//! Refusals counted: one journal entry for each (agent, reason) and hour, however many there were.

use std::collections::BTreeMap;

use model::{time::Timestamp, wire::refused_v1::Reason};

use crate::chain::Body;

const HOUR_MS: i64 = 60 * 60 * 1000;
/// The most pairs of agent and reason counted apart within an hour; more are counted together.
const MAX_PAIRS: usize = 4_096;
const TOGETHER: &str = "*";

/// What was refused and is not in the journal yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals {
    counts: BTreeMap<(Timestamp, String, Reason), u64>,
}

impl Refusals {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one refusal; beyond a bound of pairs it is counted under the agent `*`.
    pub fn note(&mut self, agent: &str, reason: Reason, now: Timestamp) {
        let hour = hour_of(now);
        let key = (hour, agent.to_owned(), reason);
        let is_known = self.counts.contains_key(&key);
        let key = if is_known || self.counts.len() < MAX_PAIRS {
            key
        } else {
            (hour, TOGETHER.to_owned(), reason)
        };
        let count = self.counts.entry(key).or_default();
        *count = count.saturating_add(1);
    }

    /// The entries of hours that have ended; each stays until it is [`written`](Self::written).
    pub fn due(&self, now: Timestamp) -> Vec<Body> {
        let hour = hour_of(now);
        // A clock that was set back leaves hours that lie ahead: they are due as well.
        bodies(self.counts.iter().filter(|((at, ..), _)| *at != hour))
    }

    /// All entries, for a stop in the middle of an hour.
    pub fn all(&self) -> Vec<Body> {
        bodies(self.counts.iter())
    }

    /// An entry of [`due`](Self::due) or [`all`](Self::all) is in the journal. What was counted
    /// under it since then makes an entry of its own.
    pub fn written(&mut self, entry: &Body) {
        let Body::Refusals { agent, reason, hour, count: written } = entry else { return };
        let key = (*hour, agent.clone(), *reason);
        if let Some(count) = self.counts.get_mut(&key) {
            *count = count.saturating_sub(*written);
            if *count == 0 {
                self.counts.remove(&key);
            }
        }
    }

    /// When the oldest hour counted here has ended.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.counts.first_key_value().map(|((hour, ..), _)| hour.plus_ms(HOUR_MS))
    }
}

fn hour_of(now: Timestamp) -> Timestamp {
    now.plus_ms(-now.as_ms().rem_euclid(HOUR_MS))
}

fn bodies<'a>(
    counts: impl Iterator<Item = (&'a (Timestamp, String, Reason), &'a u64)>,
) -> Vec<Body> {
    let entry = |((hour, agent, reason), count): (&(Timestamp, String, Reason), &u64)| {
        Body::Refusals { agent: agent.clone(), reason: *reason, hour: *hour, count: *count }
    };
    counts.map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_hour_of_refusals_is_one_entry_a_reason() {
        let mut refusals = Refusals::new();
        let hour = at("2026-11-22T08:00:00Z");
        for minute in 0..60 {
            refusals.note("gw", Reason::UnknownGauge, hour.plus_ms(minute * 60_000));
        }
        refusals.note("gw", Reason::Unit, hour);
        assert_eq!(refusals.due(at("2026-11-22T08:59:59Z")), []);
        assert_eq!(refusals.deadline(), Some(at("2026-11-22T09:00:00Z")));
        let entry = |reason, count| Body::Refusals { agent: "gw".to_owned(), reason, hour, count };
        let due = refusals.due(at("2026-11-22T09:00:00Z"));
        assert_eq!(due, [entry(Reason::UnknownGauge, 60), entry(Reason::Unit, 1)]);
        assert_eq!(refusals.due(at("2026-11-22T09:00:00Z")), due, "until they are written");
        refusals.note("gw", Reason::Unit, hour); // a clock that was set back
        for entry in &due {
            refusals.written(entry);
        }
        assert_eq!(refusals.due(at("2026-11-22T09:00:00Z")), [entry(Reason::Unit, 1)]);
        refusals.written(&entry(Reason::Unit, 1));
        assert_eq!(refusals, Refusals::new());
    }

    #[test]
    fn a_flood_of_names_is_bounded_and_still_counted() {
        let mut refusals = Refusals::new();
        let now = at("2026-11-22T08:00:00Z");
        for n in 0..MAX_PAIRS + 5 {
            refusals.note(&format!("gw-{n}"), Reason::Fork, now);
        }
        assert!(refusals.counts.len() <= MAX_PAIRS + Reason::ALL.len());
        let total: u64 = refusals
            .all()
            .iter()
            .map(|body| if let Body::Refusals { count, .. } = body { *count } else { 0 })
            .sum();
        assert_eq!(total, u64::try_from(MAX_PAIRS + 5).unwrap());
    }
}
