//! Each sender's share of what refusing costs, so that one that floods delays nobody else.
//!
//! To judge a gauge that is set aside, to name it, and to file it costs some microseconds of the one
//! who judges and of the one who writes, and a payload of a megabyte can name tens of thousands. So
//! what is refused of each sender is counted, and forgotten at a steady rate; beyond the bound its
//! messages are not looked at. What is admitted costs nothing here.

use std::collections::BTreeMap;

use model::{ids::AgentId, time::Timestamp};

use crate::intake::Judgement;

/// Gauges that may be set aside of one sender at once: as many as a batch can have points.
pub const REFUSED_AT_ONCE: u64 = 262_144;
/// How many of them are forgotten in a second.
pub const REFUSED_A_SECOND: u64 = 16_384;
/// Of a document that is refused whole, so many bytes count as a gauge: to read it took as long.
const BYTES: usize = 64;
/// Bytes of messages that were not looked at which the ring takes of one sender at once: an eighth.
pub const KEPT_AT_ONCE: u64 = 8 << 20;
/// How many of them are forgotten in a second.
pub const KEPT_A_SECOND: u64 = 64 << 10;
/// Senders that are remembered; beyond them the one that is owed least for is forgotten.
const SENDERS: usize = 1_024;

/// What was refused of each sender lately.
#[derive(Debug, Default)]
pub struct Shares(BTreeMap<AgentId, Share>);

#[derive(Debug, Clone, Copy)]
struct Share {
    refused: u64,
    kept: u64,
    as_of: Timestamp,
}

/// What a judgement counts in its sender's share; `bytes` is the length of the payload. A batch that
/// is refused whole counts nothing: what is wrong with it shows at its first bytes, or in a time
/// that the limits of batches bound, and its agent must be told of each.
pub fn cost(judgement: &Judgement, is_document: bool, bytes: usize) -> u64 {
    let gauges = match (judgement, is_document) {
        (Judgement::Admit(admit), _) => admit.set_aside.len(),
        (Judgement::Garbage(_), true) => bytes / BYTES,
        (Judgement::Garbage(_), false) => 0,
    };
    u64::try_from(gauges).unwrap_or(u64::MAX)
}

impl Shares {
    /// Whether so much of `agent` was refused lately that its messages are not looked at.
    pub fn is_used_up(&mut self, agent: &AgentId, now: Timestamp) -> bool {
        self.0.get_mut(agent).is_some_and(|share| {
            share.forget(now);
            share.refused >= REFUSED_AT_ONCE
        })
    }

    /// So much of `agent` was refused.
    pub fn charge(&mut self, agent: &AgentId, refused: u64, now: Timestamp) {
        if refused > 0 {
            let share = self.of(agent, now);
            share.refused = share.refused.saturating_add(refused);
        }
    }

    /// Whether the ring takes so many bytes of `agent` that were not looked at; they count if so.
    pub fn may_keep(&mut self, agent: &AgentId, bytes: u64, now: Timestamp) -> bool {
        let share = self.of(agent, now);
        let kept = share.kept.saturating_add(bytes);
        let has_room = kept <= KEPT_AT_ONCE;
        if has_room {
            share.kept = kept;
        }
        has_room
    }

    fn of(&mut self, agent: &AgentId, now: Timestamp) -> &mut Share {
        if self.0.len() >= SENDERS && !self.0.contains_key(agent) {
            self.0.values_mut().for_each(|share| share.forget(now));
            self.0.retain(|_, share| share.refused > 0 || share.kept > 0);
            let least = self.0.iter().min_by_key(|(_, share)| share.refused);
            if self.0.len() >= SENDERS
                && let Some(agent) = least.map(|(agent, _)| agent.clone())
            {
                self.0.remove(&agent);
            }
        }
        let new = Share { refused: 0, kept: 0, as_of: now };
        let share = self.0.entry(agent.clone()).or_insert(new);
        share.forget(now);
        share
    }
}

impl Share {
    /// Time that a clock takes back gives nothing.
    fn forget(&mut self, now: Timestamp) {
        let ms = u64::try_from(now.ms_since(self.as_of)).unwrap_or(0);
        let less = |rate: u64| rate.saturating_mul(ms) / 1_000;
        self.refused = self.refused.saturating_sub(less(REFUSED_A_SECOND));
        self.kept = self.kept.saturating_sub(less(KEPT_A_SECOND));
        self.as_of = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(1_795_305_600_000 + ms).unwrap()
    }

    fn agent(name: &str) -> AgentId {
        name.parse().unwrap()
    }

    #[test]
    fn a_sender_that_floods_is_judged_at_a_rate_and_others_as_before() {
        let mut shares = Shares::default();
        let (flood, other) = (agent("flood"), agent("other"));
        let mut judged = Vec::new();
        // 125 documents a second for a minute, each with 8,000 gauges that nobody knows
        for number in 0..7_500 {
            let now = at(number * 8);
            if !shares.is_used_up(&flood, now) {
                shares.charge(&flood, 8_000, now);
                judged.push(now);
            }
            assert!(!shares.is_used_up(&other, now));
            shares.charge(&other, 1, now);
        }
        let begun = judged.iter().filter(|now| **now < at(1_000)).count();
        assert_eq!(begun, 35);
        assert_eq!(judged.len() - begun, 121, "two a second");
        assert!(!shares.is_used_up(&flood, at(61_000)));
    }

    #[test]
    fn what_is_kept_of_it_is_bounded_as_well() {
        let mut shares = Shares::default();
        let flood = agent("flood");
        let kept = (0..7_500).filter(|number| shares.may_keep(&flood, 480_000, at(number * 8)));
        assert_eq!(kept.count(), 25, "17 at once, and one in some seven seconds");
        assert!(shares.may_keep(&agent("other"), 480_000, at(60_000)));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_and_holds_nobody_for_long() {
        let mut shares = Shares::default();
        let flood = agent("flood");
        shares.charge(&flood, REFUSED_AT_ONCE, at(0));
        assert!(shares.is_used_up(&flood, at(-86_400_000)));
        assert!(!shares.is_used_up(&flood, at(-86_399_000)));
    }

    #[test]
    fn no_crowd_of_senders_is_remembered_for_ever() {
        let mut shares = Shares::default();
        for number in 0..10_000 {
            shares.charge(&agent(&format!("a{number}")), 1_000_000, at(0));
        }
        assert_eq!(shares.0.len(), SENDERS);
        shares.charge(&agent("late"), 1, at(600_000));
        assert_eq!(shares.0.len(), 1);
    }
}
