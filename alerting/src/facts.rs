//! What messages say of one alarm: kept with it, so that each later message says it, too.

use model::{
    alarm::{AlarmEnd, Occasion},
    flow::Flow,
    quantity::Decimal,
    time::Timestamp,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    below_mandate::Point,
    sms::{Flows, Saying},
    snapshot::{self, RestoreError},
};

/// What is known of an alarm beside its state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Of a section that releases too little.
    pub flow: Option<Measured>,
    /// How it ended.
    pub end: Option<End>,
    /// Whether it is the last of a row that comes and goes, and stands on.
    pub chatters: bool,
    /// Whether it is of a gauge that says the same again and again; else one without a flow is of a
    /// gauge that is silent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_flat: bool,
}

/// What a section releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The newest point below that is known.
    pub point: Point,
    /// The share of the requirement below which it is low.
    #[serde(serialize_with = "write_decimal", deserialize_with = "read_decimal")]
    pub share: Decimal,
    /// How many decimals of m³/s the gauge shows.
    pub decimals: u8,
}

/// How an alarm ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// When its condition ended.
    pub at: Timestamp,
    /// The point at which that was known, of a section.
    pub point: Option<Point>,
    /// Why.
    pub because: AlarmEnd,
}

const MACHINE: &str = "facts";

impl Facts {
    /// As they are stored with the alarm.
    pub fn snapshot(&self) -> String {
        snapshot::write(MACHINE, self)
    }

    /// As they were.
    pub fn restore(text: &str) -> Result<Self, RestoreError> {
        snapshot::read(MACHINE, text)
    }

    /// What a message says of an alarm that began at `since`.
    pub fn saying(&self, occasion: Occasion, since: Timestamp) -> Saying {
        match (occasion, self.end) {
            (Occasion::Over, Some(end)) => self.end_of(end, since),
            // not reached: an end is noted before anybody is told of it
            (Occasion::Over, None) => Saying::Over { since },
            (Occasion::Raised | Occasion::Reminder, _) => match self.flow {
                Some(flow) => {
                    let flows = flows(flow.point, flow.decimals);
                    Saying::BelowMandate { flows, share: flow.share, since }
                }
                None if self.is_flat => Saying::Flat { since },
                None => Saying::NoData { since },
            },
        }
    }

    fn end_of(&self, end: End, since: Timestamp) -> Saying {
        let until = end.at;
        match end.because {
            AlarmEnd::Recovered => {}
            AlarmEnd::RuleWithdrawn => return Saying::RuleWithdrawn { since },
            because @ (AlarmEnd::StationLeft
            | AlarmEnd::NotCovered
            | AlarmEnd::Removed
            | AlarmEnd::MandateRemoved
            | AlarmEnd::Underived) => return Saying::NotWatched { since, because },
        }
        match (self.flow, end.point) {
            (Some(flow), Some(point)) => {
                let flows = flows(point, flow.decimals);
                // a rule may ask for a share of the mandate alone, and then so does its recovery
                match point.required {
                    Some(required) if point.released < required => {
                        Saying::AboveShare { flows, share: flow.share, until }
                    }
                    Some(_) => Saying::BackAtMandate { flows, since, until },
                    None => Saying::NothingMandated { flows, since, until },
                }
            }
            (Some(_) | None, _) if self.is_flat => Saying::Moves { since, until },
            (Some(_) | None, _) => Saying::DataAgain { since, until },
        }
    }
}

/// What is released at a point and what must be, as it is shown.
pub(crate) fn flows(point: Point, decimals: u8) -> Flows {
    let required = point.required.unwrap_or(Flow::from_ml_per_s(0));
    Flows { released: point.released, bound: point.bound, required, decimals }
}

fn write_decimal<S: Serializer>(decimal: &Decimal, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(decimal)
}

fn read_decimal<'de, D: Deserializer<'de>>(from: D) -> Result<Decimal, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::below_mandate::Bound;

    #[test]
    fn an_alarm_that_ends_below_the_mandate_is_not_called_recovered() {
        let at = Timestamp::clamped(1_795_660_320_000);
        let point = |litres: i64| Point {
            at,
            released: Flow::from_ml_per_s(litres * 1_000),
            bound: Bound::Whole,
            required: Some(Flow::from_ml_per_s(1_000_000)),
        };
        let share = "0.5".parse().unwrap();
        let flow = Some(Measured { point: point(400), share, decimals: 3 });
        let over = |litres| {
            let because = AlarmEnd::Recovered;
            let end = Some(End { at, point: Some(point(litres)), because });
            Facts { flow, end, chatters: false, is_flat: false }.saying(Occasion::Over, at)
        };
        assert!(matches!(over(600), Saying::AboveShare { .. }), "{:?}", over(600));
        assert!(matches!(over(1_000), Saying::BackAtMandate { .. }), "{:?}", over(1_000));
    }

    #[test]
    fn every_kept_state_stays_readable() {
        let at = Timestamp::clamped(1_795_660_320_000);
        let required = Some(Flow::from_ml_per_s(500_000));
        let released = Flow::from_ml_per_s(431_000);
        let point = Point { at, released, bound: Bound::Whole, required };
        let share = "0.95".parse().unwrap();
        let because = AlarmEnd::Recovered;
        let end = End { at: at.plus_ms(900_000), point: Some(point), because };
        let flow = Some(Measured { point, share, decimals: 3 });
        let facts = Facts { flow, end: Some(end), chatters: true, is_flat: false };
        let golden = include_str!("../../tests/fixtures/alarm/facts_v1.json");
        assert_eq!(facts.snapshot(), golden.trim_end());
        assert_eq!(Facts::restore(golden).unwrap(), facts);
    }
}
