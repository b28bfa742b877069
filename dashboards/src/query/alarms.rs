//! Parameters of the calls about alarms and messages.

use model::{
    alarm::AlarmState,
    ids::{AlarmId, StationId},
};
use serde::{Deserialize, Deserializer};
use store::{AlarmsQuery, NotificationsQuery};
use utoipa::{IntoParams, ToSchema};

use super::{Faults, shortened};
use crate::problem::Problem;

/// A page of alarms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlarmsParameters {
    /// Only alarms that stand there; all where it is not said.
    #[param(value_type = Option<AlarmStateWord>, inline)]
    pub state: Option<String>,
    /// Only alarms of this station.
    #[param(example = "BF-620721-04")]
    pub station: Option<String>,
    /// The most alarms of a page, 1 to 10,000; 1,000 where it is not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000, example = 1000)]
    pub limit: Option<String>,
    /// `next` of the page before, which is a number; left out for the first one.
    #[param(value_type = Option<i64>)]
    pub cursor: Option<String>,
}

/// The words of `state`, for the description of the API.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what `page` reads")]
enum AlarmStateWord {
    Pending,
    Unacknowledged,
    Acknowledged,
    ClearedUnacknowledged,
    Normal,
    Shelved,
    Suppressed,
    OutOfService,
}

/// A page of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NotificationsParameters {
    /// Only messages of this alarm.
    #[param(example = "1fdd2eb4eab75feabebb49300c04ad90")]
    pub alarm: Option<String>,
    /// The most messages of a page, 1 to 10,000; 1,000 where it is not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000, example = 1000)]
    pub limit: Option<String>,
    /// `next` of the page before, which is a number; left out for the first one.
    #[param(value_type = Option<i64>)]
    pub cursor: Option<String>,
}

/// What a person says who takes an alarm on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The version of the alarm that the person has seen: if it has changed since, nothing is done.
    /// Left out: whatever it is now.
    #[serde(default, deserialize_with = "written")]
    pub version: Option<u32>,
}

/// What is written must be a number: `null` would take on what nobody has seen.
fn written<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    u32::deserialize(from).map(Some)
}

impl AlarmsParameters {
    /// The page that is asked for.
    pub fn page(&self) -> Result<AlarmsQuery, Problem> {
        let mut faults = Faults::default();
        let state = faults.one_of("state", self.state.as_deref(), AlarmState::WORDS);
        let station = faults.parsed::<StationId>("station", self.station.as_deref());
        let limit = faults.limit(self.limit.as_deref());
        let before = faults.parsed("cursor", self.cursor.as_deref());
        faults.none()?;
        Ok(AlarmsQuery { state, station, before, limit })
    }
}

impl NotificationsParameters {
    /// The page that is asked for.
    pub fn page(&self) -> Result<NotificationsQuery, Problem> {
        let mut faults = Faults::default();
        let alarm = faults.parsed::<AlarmId>("alarm", self.alarm.as_deref());
        let limit = faults.limit(self.limit.as_deref());
        let before = faults.parsed("cursor", self.cursor.as_deref());
        faults.none()?;
        Ok(NotificationsQuery { alarm, before, limit })
    }
}

impl Acknowledgement {
    /// What a body says; an empty one says nothing.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body)
            .map_err(|problem| Problem::bad_body(format!("write {{\"version\": N}}: {problem}")))
    }
}

/// An alarm as the address names it.
pub fn alarm_id(text: &str) -> Result<AlarmId, Problem> {
    text.parse().map_err(|_unparsable: model::ids::IdError| {
        Problem::not_found(format!("`{}` is no alarm", shortened(text)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_number_or_left_out() {
        let read = |body: &str| Acknowledgement::read(body.as_bytes()).map(|said| said.version);
        for (body, version) in [("", None), (" {} ", None), (r#"{"version":7}"#, Some(7))] {
            assert_eq!(read(body).unwrap(), version, "{body}");
        }
        for body in [r#"{"version":null}"#, r#"{"version":-1}"#, r#"{"version":"7"}"#, "null", "7"]
        {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
