//! Parameters of a page of samples.

use model::{ids::GaugeId, time::Timestamp};
use serde::Deserialize;
use store::{Cursor, SamplesQuery};
use utoipa::IntoParams;

use super::Faults;
use crate::problem::Problem;

/// A page of samples.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SamplesParameters {
    /// The first moment, RFC 3339 with any offset; from the beginning where it is not said.
    #[param(format = DateTime, example = "2026-11-22T08:00:00+08:00")]
    pub from: Option<String>,
    /// The first moment after; to the end where it is not said.
    #[param(format = DateTime, example = "2026-11-23T08:00:00+08:00")]
    pub to: Option<String>,
    /// The most samples of a page, 1 to 10,000; 1,000 where it is not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000, example = 1000)]
    pub limit: Option<String>,
    /// `next` of the page before, asked with the same `from` and `to`. All pages show the store as
    /// it was at the first one; what arrives meanwhile belongs to the next listing.
    #[param(pattern = "^[0-9]{1,18}_(-[0-9]{1,12}|[0-9]{1,14})$")]
    pub cursor: Option<String>,
}

impl SamplesParameters {
    /// The page of `gauge`'s samples that is asked for.
    pub fn of(&self, gauge: GaugeId) -> Result<SamplesQuery, Problem> {
        let mut faults = Faults::default();
        let from = faults.moment("from", self.from.as_deref()).unwrap_or(Timestamp::MIN);
        let to = faults.moment("to", self.to.as_deref()).unwrap_or(Timestamp::MAX);
        if from > to {
            faults.note("to", "is before `from`");
        }
        let limit = faults.limit(self.limit.as_deref());
        let cursor = faults.parsed::<Cursor>("cursor", self.cursor.as_deref());
        faults.none()?;
        Ok(SamplesQuery { gauge, from, to, cursor, limit })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(from: &str, to: &str, limit: &str, cursor: &str, expected: &Expect) {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let parameters = SamplesParameters {
            from: some(from),
            to: some(to),
            limit: some(limit),
            cursor: some(cursor),
        };
        let shown = match parameters.of("A/b".parse().unwrap()) {
            Ok(query) => {
                format!("{} {} {} {:?}", query.from, query.to, query.limit, query.cursor.is_some())
            }
            Err(problem) => format!("{} {}", problem.status, problem.detail),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn any_offset_is_taken_even_with_a_plus_that_nobody_encoded() {
        check(
            "2026-11-22T08:00:00 08:00",
            "2026-11-22T08:00:00+08:00",
            "10000",
            "7_0",
            &expect!["2026-11-22T00:00:00Z 2026-11-22T00:00:00Z 10000 true"],
        );
    }

    #[test]
    fn what_is_not_said_is_everything_a_thousand_at_a_time() {
        check("", "", "", "", &expect!["1900-01-01T00:00:00Z 9999-12-30T22:00:00Z 1000 false"]);
    }

    #[test]
    fn every_fault_is_told_at_once() {
        check(
            "yesterday",
            "2026-11-22T08:00:00",
            "10001",
            "x",
            &expect![
                "400 from: `yesterday` is not a moment; write it as 2026-11-22T08:00:00+08:00; to: `2026-11-22T08:00:00` is not a moment; write it as 2026-11-22T08:00:00+08:00; limit: `10001` is not a number from 1 to 10000; cursor: `x` is not a cursor; use `next` of the page before"
            ],
        );
        check(
            "2026-11-22T08:00:00Z",
            "2026-11-21T08:00:00Z",
            "0",
            "",
            &expect!["400 to: is before `from`; limit: `0` is not a number from 1 to 10000"],
        );
    }
}
