//! Whether a condition chatters: it comes and goes so often that one more episode says nothing new.
//!
//! A flow that hovers about its limit, or a line that drops every few minutes, would raise an alarm
//! each time: the trade calls such an alarm chattering (ISA-18.2, EEMUA 191), and people stop reading
//! it. So of the episodes that begin within [`WINDOW_MS`] the [`EPISODES`]th stands on until the
//! condition has been over for [`WINDOW_MS`], whatever the rule's off-delay is. It is the last one of
//! its row, and says that it chatters. Whatever a meter sends, no more than [`EPISODES`] episodes of
//! a rule and subject begin in any hour.
//!
//! A delay and a deadband of the rule are the better cure; `baseflow check` asks for them.

use model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Which episode within the window stands on.
pub const EPISODES: usize = 3;
/// Within how long episodes are counted, and how long the condition must be over then.
pub const WINDOW_MS: i64 = 3_600_000;

/// When the latest episodes were raised: those that one more would make a row of, at most
/// [`EPISODES`] less one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Raises(Vec<Timestamp>);

impl Raises {
    /// None yet.
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Notes that an episode is raised at this moment, and says whether it chatters.
    pub(crate) fn note(&mut self, at: Timestamp) -> bool {
        self.0.retain(|earlier| at.ms_since(*earlier) < WINDOW_MS);
        self.0.push(at);
        let chatters = self.0.len() >= EPISODES;
        if chatters {
            // once it clears, none of them lies within the window
            self.0.clear();
        }
        chatters
    }

    /// The clock that they are of was set back.
    pub(crate) fn set_back(&mut self, by_ms: i64) {
        for at in &mut self.0 {
            *at = at.plus_ms(-by_ms);
        }
    }
}

/// How long a condition must be over before its alarm clears.
pub(crate) fn off_delay_ms(of_rule_ms: i64, chatters: bool) -> i64 {
    if chatters { of_rule_ms.max(WINDOW_MS) } else { of_rule_ms }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::clamped(minute * 60_000)
    }

    #[test]
    fn the_third_within_an_hour_chatters() {
        let chatters = |minutes: &[i64]| {
            let mut raises = Raises::none();
            minutes.iter().map(|minute| raises.note(at(*minute))).collect::<Vec<_>>()
        };
        assert_eq!(chatters(&[0, 20, 59]), [false, false, true]);
        assert_eq!(chatters(&[0, 20, 60, 79]), [false, false, false, true]);
        assert_eq!(chatters(&[0, 40, 80, 120, 160]), [false; 5]);
    }

    #[test]
    fn what_is_remembered_goes_back_with_the_clock() {
        let mut raises = Raises::none();
        raises.note(at(600));
        raises.note(at(610));
        raises.set_back(570 * 60_000);
        assert!(raises.note(at(89)));
    }

    proptest! {
        /// However short the pauses: an episode that does not chatter clears at once.
        #[test]
        fn no_more_than_three_begin_in_any_hour(pauses in prop::collection::vec(0_i64..50, 1..200)) {
            let (mut raises, mut now, mut begun) = (Raises::none(), 0, Vec::new());
            for pause in pauses {
                begun.push(now);
                let chatters = raises.note(at(now));
                now += off_delay_ms(0, chatters) / 60_000 + pause;
            }
            for first in &begun {
                let within = begun.iter().filter(|at| (*first..first + 60).contains(*at)).count();
                prop_assert!(within <= EPISODES, "{} from {}", within, first);
            }
        }
    }
}
