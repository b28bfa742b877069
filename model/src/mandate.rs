//! Mandates: how much water a document demands of a section, season by season.

use crate::{
    calendar::{Date, MonthDay},
    flow::Flow,
    ids::{RuleId, SectionId},
};

/// What a document demands of one section of a river.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandate {
    /// The document that fixes it (文号).
    pub document: String,
    /// The section it speaks of.
    pub section: SectionId,
    /// The first day in force; until the next mandate of the section begins, or until `to`.
    pub from: Date,
    /// The first day no longer in force, where nothing follows.
    pub to: Option<Date>,
    /// What it demands through the year.
    pub seasons: Seasons,
    /// How it is judged.
    pub rule: RuleId,
}

impl Mandate {
    /// The flow demanded on `date`; `None` where the mandate is not in force then.
    pub fn required_at(&self, date: Date) -> Option<Flow> {
        let is_in_force = self.from <= date && self.to.is_none_or(|to| date < to);
        is_in_force.then(|| self.seasons.flow_on(date))
    }
}

/// A flow from a day of the year until the next season begins, over New Year where need be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Season {
    /// Its first day; the new value holds from midnight.
    pub from: MonthDay,
    /// What is demanded.
    pub flow: Flow,
}

/// The seasons of a year: at least one, in order, no two from the same day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seasons {
    last: Season,
    before: Vec<Season>,
}

/// Why seasons do not make a year.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeasonsError {
    /// None at all.
    #[error("no season; give at least one, such as {{ from = \"01-01\", flow = 1.20 }}")]
    Missing,
    /// Two from the same day.
    #[error("two seasons begin on {0}")]
    Overlap(MonthDay),
}

impl Seasons {
    /// A year of these seasons, in any order; each lasts until the next begins.
    pub fn new(mut seasons: Vec<Season>) -> Result<Self, SeasonsError> {
        seasons.sort_by_key(|season| season.from);
        let same = seasons.iter().zip(seasons.iter().skip(1)).find(|(a, b)| a.from == b.from);
        if let Some((season, _)) = same {
            return Err(SeasonsError::Overlap(season.from));
        }
        let last = seasons.pop().ok_or(SeasonsError::Missing)?;
        Ok(Self { last, before: seasons })
    }

    /// The flow on `date`: that of the latest season begun in its year, else of the year's last.
    pub fn flow_on(&self, date: Date) -> Flow {
        let day = MonthDay::of(date);
        let begun = self.iter().filter(|season| season.from <= day).last();
        begun.unwrap_or(self.last).flow
    }

    /// The seasons in the order of the year.
    pub fn iter(&self) -> impl Iterator<Item = Season> + '_ {
        self.before.iter().copied().chain([self.last])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::parse_date;

    fn mandate(seasons: &[(&str, &str)]) -> Mandate {
        let season = |(from, flow): &(&str, &str)| Season {
            from: from.parse().unwrap(),
            flow: Flow::from_m3_per_s(flow).unwrap(),
        };
        Mandate {
            document: "示例文号 1".to_owned(),
            section: "dam".parse().unwrap(),
            from: parse_date("2024-01-01").unwrap(),
            to: Some(parse_date("2029-01-01").unwrap()),
            seasons: Seasons::new(seasons.iter().map(season).collect()).unwrap(),
            rule: "hourly-mean-80".parse().unwrap(),
        }
    }

    fn check(mandate: &Mandate, date: &str, expected: &str) {
        let required = mandate.required_at(parse_date(date).unwrap());
        assert_eq!(required.map_or("none".to_owned(), |flow| flow.to_string()), expected, "{date}");
    }

    #[test]
    fn a_season_lasts_over_new_year() {
        let mandate = mandate(&[("10-01", "0.75"), ("04-01", "1.20")]);
        check(&mandate, "2023-12-31", "none");
        check(&mandate, "2024-01-01", "0.75");
        check(&mandate, "2024-03-31", "0.75");
        check(&mandate, "2024-04-01", "1.20");
        check(&mandate, "2024-09-30", "1.20");
        check(&mandate, "2024-10-01", "0.75");
        check(&mandate, "2028-12-31", "0.75");
        check(&mandate, "2029-01-01", "none");
    }

    #[test]
    fn february_29_is_a_day_like_any_other() {
        let winter = mandate(&[("03-01", "1.20"), ("10-01", "0.75")]);
        check(&winter, "2028-02-29", "0.75");
        check(&winter, "2028-03-01", "1.20");
        let leap = mandate(&[("02-29", "1.20"), ("10-01", "0.75")]);
        check(&leap, "2028-02-28", "0.75");
        check(&leap, "2028-02-29", "1.20");
        check(&leap, "2027-02-28", "0.75");
        check(&leap, "2027-03-01", "1.20");
    }

    #[test]
    fn one_value_holds_all_year() {
        let mandate = mandate(&[("07-01", "5")]);
        check(&mandate, "2024-01-01", "5.00");
        check(&mandate, "2024-12-31", "5.00");
    }

    #[test]
    fn seasons_neither_overlap_nor_lack() {
        let season = Season { from: "04-01".parse().unwrap(), flow: Flow::ZERO };
        assert_eq!(Seasons::new(Vec::new()), Err(SeasonsError::Missing));
        assert_eq!(Seasons::new(vec![season, season]), Err(SeasonsError::Overlap(season.from)));
    }
}
