//! What happens while the demonstration runs, by the time since it was announced.

use std::sync::{Arc, OnceLock};

use model::time::Timestamp;

use super::{
    river::Disturbance,
    sites::{FALLS, LOSES_LINK, STICKS},
};

const MINUTE_MS: i64 = 60_000;

/// When the demonstration was announced; until then nothing happens.
pub(super) type Begun = Arc<OnceLock<Timestamp>>;

/// Something that happens to a station again and again.
#[derive(Debug)]
pub(super) struct Story {
    /// The station.
    pub(super) site: &'static str,
    /// What happens to it.
    pub(super) plot: Plot,
    /// After the beginning.
    pub(super) first_ms: i64,
    /// How long it lasts.
    pub(super) lasts_ms: i64,
    /// From one beginning to the next.
    pub(super) every_ms: i64,
    /// From a beginning until the alarm of it, about: what the rules of the demonstration's registry
    /// wait for, and some seconds for a poll.
    pub(super) told_ms: i64,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plot {
    /// It releases too little.
    Falls,
    /// Its gateway does not reach the broker.
    LosesLink,
    /// Its meter says the same again and again.
    Sticks,
}

/// All of them. None recurs so soon that its alarm would be one that comes and goes.
pub(super) const STORIES: [Story; 3] = [
    Story {
        site: FALLS,
        plot: Plot::Falls,
        first_ms: 40_000,
        lasts_ms: 4 * MINUTE_MS,
        every_ms: 40 * MINUTE_MS,
        told_ms: 30_000,
    },
    Story {
        site: LOSES_LINK,
        plot: Plot::LosesLink,
        first_ms: 2 * MINUTE_MS,
        lasts_ms: 7 * MINUTE_MS,
        every_ms: 50 * MINUTE_MS,
        told_ms: 215_000,
    },
    Story {
        site: STICKS,
        plot: Plot::Sticks,
        first_ms: 3 * MINUTE_MS,
        lasts_ms: 9 * MINUTE_MS,
        every_ms: 60 * MINUTE_MS,
        told_ms: 130_000,
    },
];

impl Story {
    /// Since when it has been going on, after the beginning; none while it is not.
    pub(super) fn going_on_since(&self, elapsed_ms: i64) -> Option<i64> {
        let since_first = elapsed_ms - self.first_ms;
        let into = since_first.rem_euclid(self.every_ms);
        (since_first >= 0 && into < self.lasts_ms).then_some(elapsed_ms - into)
    }
}

/// How the flow of a station is disturbed at a moment.
pub(super) fn disturbed(site: &str, begun: &Begun, now: Timestamp) -> Option<Disturbance> {
    let start = *begun.get()?;
    let story = STORIES.iter().find(|story| story.site == site)?;
    let since_ms = story.going_on_since(now.ms_since(start))?;
    match story.plot {
        Plot::Falls => Some(Disturbance::Share(FALLS_TO)),
        Plot::Sticks => Some(Disturbance::Stuck { since_ms: start.plus_ms(since_ms).as_ms() }),
        Plot::LosesLink => None,
    }
}

/// How much is released then of what must be, in thousandths.
const FALLS_TO: i64 = 520;

#[cfg(test)]
mod tests {
    use model::tree::Origin;

    use super::*;
    use crate::demo::{registry, river};

    #[test]
    fn an_alarm_comes_when_the_rules_say_and_while_its_story_goes_on() {
        let registry = store::registry::parse(&registry::text(), &Origin::Default).unwrap();
        for story in &STORIES {
            // silence begins after three intervals, two minutes at least
            let minutes = (3 * river::site(story.site).unwrap().minutes()).max(2);
            let (kind, silence_ms) = match story.plot {
                Plot::Falls => ("below_mandate", 0),
                Plot::LosesLink => ("no_data", minutes * MINUTE_MS),
                Plot::Sticks => ("flat_line", 0),
            };
            let mut rules = registry.alarm_rules.values();
            let rule = rules.find(|rule| rule.condition.word() == kind).unwrap();
            let seconds = (story.told_ms - silence_ms - rule.on_delay_ms) / 1_000;
            assert!((5..=15).contains(&seconds), "{:?}: {seconds}", story.plot);
            assert!(story.told_ms + MINUTE_MS < story.lasts_ms, "{:?}", story.plot);
        }
    }

    #[test]
    fn a_story_goes_on_for_its_time_and_comes_again() {
        let [story, ..] = STORIES;
        let second = |second: i64| story.going_on_since(second * 1_000);
        assert_eq!(second(39), None);
        assert_eq!(second(40), Some(40_000));
        assert_eq!(second(279), Some(40_000));
        assert_eq!(second(280), None);
        assert_eq!(second(40 + 2_400 + 5), Some(2_440_000));
    }

    #[test]
    fn a_fall_is_told_and_over_before_it_happens_again() {
        for story in &STORIES {
            // three within an hour would be one alarm that comes and goes
            assert!(story.every_ms * 2 > 60 * MINUTE_MS, "{:?}", story.plot);
            assert!(story.lasts_ms * 2 < story.every_ms, "{:?}", story.plot);
        }
        let [falls, ..] = STORIES;
        assert!(falls.first_ms <= 2 * MINUTE_MS);
    }
}
