//! What a section's machine is told, and what it asks for.

use model::time::Timestamp;

use super::{Point, Rule, Run};

/// What the machine is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What is released from a moment on, received while it was live. The requirement's steps are
    /// points, too. One that is not newer than the newest is left out: the past comes as `Late`.
    Live(Point),
    /// The newest value stopped standing at this moment. It may be told as late as just before the
    /// next point.
    Lost(Timestamp),
    /// What has become known of the past: the point holds up to the moment beside it.
    Late(Vec<(Point, Timestamp)>),
    /// A new version of the registry: the rule as it is from the next point on.
    Rule(Rule),
    /// No rule speaks of the section any longer.
    Withdrawn,
    /// The deadline has passed.
    Tick,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A run below began; its on-delay is running.
    Pending {
        /// When the run began.
        began_at: Timestamp,
    },
    /// The run of the pending or raised alarm began at another moment than was known; of a raised
    /// one always an earlier moment.
    Moved {
        /// When the run began.
        began_at: Timestamp,
    },
    /// The pending run ended before its delay.
    Dropped {
        /// When it was known to be over, by the meters.
        at: Timestamp,
    },
    /// The alarm is raised; without having been pending where the delay has passed already.
    Raised {
        /// When the run began, by the meters.
        began_at: Timestamp,
        /// The newest live point.
        point: Point,
        /// Whether it is the last of a row: it stands until the section has been well for an hour.
        chatters: bool,
    },
    /// The alarm is cleared.
    Cleared {
        /// When the run began.
        began_at: Timestamp,
        /// From when released flow was recovered.
        recovered_at: Timestamp,
        /// The newest live point.
        point: Point,
    },
    /// The raised alarm is over since no rule speaks of it.
    Withdrawn {
        /// When the run began.
        began_at: Timestamp,
    },
    /// A run below that had ended when it became known; nobody is woken for it.
    Digest(Run),
}
