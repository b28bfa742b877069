//! How a section stands, as the API shows it: what its row says, read and not computed.

use model::{quantity::Decimal, time::Timestamp};
use serde::{Deserialize, Serialize};
use store::StandingRow;
use utoipa::ToSchema;

use super::{station::ReleasedView, verdict::HoursView};
use crate::number::Exact;

/// How a section stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingView {
    /// The word for it.
    pub state: &'static str,
    /// Since when.
    pub since: Timestamp,
    /// What it lets out.
    pub released: Option<ReleasedView>,
    /// Its day so far.
    pub today: Option<TodayView>,
}

/// A day of the rule that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Today)]
pub struct TodayView {
    /// The day's first moment.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The moment after it.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// What it would be, were it over now.
    pub verdict: Option<String>,
    /// What its hours are; null under a rule that judges days alone.
    pub hours: Option<HoursView>,
    /// The share of its time so far for which every outlet's value stands fresh, rounded down.
    #[schema(value_type = Option<f64>, example = 0.98)]
    pub completeness: Option<Exact>,
    /// The share of it for which some outlet's does, rounded down.
    #[schema(value_type = Option<f64>, example = 1)]
    pub online: Option<Exact>,
}

/// A stored standing that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("how {section} stands cannot be read: {problem}")]
pub struct Unreadable {
    section: String,
    problem: String,
}

#[derive(Deserialize)]
struct Read {
    released: Option<Released>,
    today: Option<Today>,
}

#[derive(Deserialize)]
struct Released {
    value: String,
    at: Timestamp,
    bound: Option<String>,
    quality: String,
}

#[derive(Deserialize)]
struct Today {
    from: Timestamp,
    to: Timestamp,
    verdict: Option<String>,
    hours: Option<HoursView>,
    completeness: Option<String>,
    online: Option<String>,
}

impl StandingView {
    /// A stored row as it is shown.
    pub fn of(row: &StandingRow) -> Result<Self, Unreadable> {
        let unreadable = |problem| Unreadable { section: row.key.to_string(), problem };
        let read: Read =
            serde_json::from_slice(&row.bytes).map_err(|error| unreadable(error.to_string()))?;
        let exact = |text: &str| match text.parse::<Decimal>() {
            Ok(decimal) => Ok(Exact::new(decimal)),
            Err(error) => Err(unreadable(error.to_string())),
        };
        let released = read.released.map(|released| {
            Ok(ReleasedView {
                value: exact(&released.value)?,
                at: released.at,
                quality: released.quality,
                bound: released.bound,
            })
        });
        let today = read.today.map(|today| {
            Ok(TodayView {
                from: today.from,
                to: today.to,
                verdict: today.verdict,
                hours: today.hours,
                completeness: today.completeness.as_deref().map(exact).transpose()?,
                online: today.online.as_deref().map(exact).transpose()?,
            })
        });
        Ok(Self {
            state: row.state.word(),
            since: row.since,
            released: released.transpose()?,
            today: today.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use model::{ids::SectionKey, standing::Standing};

    use super::*;

    #[test]
    fn a_standing_shows_what_its_row_says() {
        let bytes = r#"{"v":1,"station":"S","section":"dam","state":"near","since":"2026-11-22T00:00:00Z","released":{"value":"1.23","at":"2026-11-22T01:00:00Z","bound":null,"quality":"good"},"required":{"value":"1.2","document":"D"},"today":{"from":"2026-11-21T16:00:00Z","to":"2026-11-22T16:00:00Z","verdict":"met","hours":{"met":9,"short":0,"exempt":0,"indeterminate":0},"completeness":"0.9991","online":"1"}}"#;
        let row = StandingRow {
            key: SectionKey { station: "S".parse().unwrap(), section: "dam".parse().unwrap() },
            state: Standing::Near,
            since: "2026-11-22T00:00:00Z".parse().unwrap(),
            bytes: bytes.as_bytes().to_vec(),
        };
        let StandingView { state, released, today, .. } = StandingView::of(&row).unwrap();
        let shown = serde_json::to_string(&(state, released, today)).unwrap();
        expect![[r#"["near",{"value":1.23,"at":"2026-11-22T01:00:00Z","quality":"good","bound":null},{"from":"2026-11-21T16:00:00Z","to":"2026-11-22T16:00:00Z","verdict":"met","hours":{"met":9,"short":0,"exempt":0,"indeterminate":0,"doubted":0},"completeness":0.9991,"online":1}]"#]].assert_eq(&shown);
        assert!(StandingView::of(&StandingRow { bytes: b"[".to_vec(), ..row }).is_err());
    }
}
