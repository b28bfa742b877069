//! Parameters of a page of the quarantine.

use model::wire::refused_v1::Kept;
use serde::Deserialize;
use store::{QuarantineQuery, QuarantineState};
use utoipa::{IntoParams, ToSchema};

use super::{Faults, shortened};
use crate::problem::Problem;

/// A page of the quarantine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QuarantineParameters {
    /// `parked` or `garbage`; both where it is not said.
    #[param(value_type = Option<KindWord>, inline)]
    pub kind: Option<String>,
    /// `held`, `replayed`, `discarded` or `all`; `held` where it is not said.
    #[param(value_type = Option<StateWord>, inline)]
    pub state: Option<String>,
    /// The most items of a page, 1 to 10,000; 1,000 where it is not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000, example = 1000)]
    pub limit: Option<String>,
    /// `next` of the page before, which is a number; left out for the first one.
    #[param(value_type = Option<i64>)]
    pub cursor: Option<String>,
}

/// The words of `kind`, for the description of the API.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what `page` reads")]
enum KindWord {
    Parked,
    Garbage,
}

/// The words of `state`, for the description of the API.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what `page` reads")]
enum StateWord {
    Held,
    Replayed,
    Discarded,
    All,
}

impl QuarantineParameters {
    /// The page that is asked for.
    pub fn page(&self) -> Result<QuarantineQuery, Problem> {
        let mut faults = Faults::default();
        let kinds = [("parked", Some(Kept::Parked)), ("garbage", Some(Kept::Garbage))];
        let kind = faults.one_of("kind", self.kind.as_deref(), &kinds).flatten();
        let states = [
            ("held", Some(QuarantineState::Held)),
            ("replayed", Some(QuarantineState::Replayed)),
            ("discarded", Some(QuarantineState::Discarded)),
            ("all", None),
        ];
        let state = faults.one_of("state", self.state.as_deref(), &states);
        let limit = faults.limit(self.limit.as_deref());
        let before = faults.parsed("cursor", self.cursor.as_deref());
        faults.none()?;
        let state = state.unwrap_or(Some(QuarantineState::Held));
        Ok(QuarantineQuery { kind, state, before, limit })
    }
}

/// A number of the quarantine, as the address names it.
pub fn quarantine_id(text: &str) -> Result<i64, Problem> {
    let id = text.parse().ok().filter(|id| *id > 0);
    id.ok_or_else(|| {
        Problem::not_found(format!("`{}` is no item of the quarantine", shortened(text)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quarantine_shows_what_is_held_unless_asked() {
        let page = QuarantineParameters::default().page().unwrap();
        assert_eq!((page.kind, page.state), (None, Some(QuarantineState::Held)));
        let all = QuarantineParameters { state: Some("all".to_owned()), ..Default::default() };
        assert_eq!(all.page().unwrap().state, None);
        let bad = QuarantineParameters {
            kind: Some("none".to_owned()),
            state: Some("lost".to_owned()),
            cursor: Some("-".to_owned()),
            limit: Some("many".to_owned()),
        };
        assert_eq!(bad.page().unwrap_err().faults.len(), 4);
    }
}
