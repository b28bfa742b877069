//! How many days of a time were met, section by section or county by county: stored verdicts,
//! counted.

use std::collections::BTreeMap;

use model::{
    ids::{SectionId, SectionKey, StationId},
    quantity::Decimal,
    registry::Registry,
    rule::RuleProfile,
    section::Section,
    station::Station,
};
use serde::Serialize;
use store::VerdictCounts;
use utoipa::ToSchema;

use crate::{number::Exact, query::Period};

/// A section and what its days of a time were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SectionCompliance)]
pub struct SectionView {
    /// The station.
    #[schema(value_type = String, example = "BF-620721-04")]
    pub station: StationId,
    /// What people call it.
    pub name: String,
    /// The county's six-digit code.
    pub county: Option<String>,
    /// The river reach.
    #[schema(value_type = String, example = "dam")]
    pub section: SectionId,
    /// The rule in force at the end of the time, or last before.
    pub rule: String,
    /// What its days were.
    pub days: DaysView,
    /// The share of the assessed days that were met, truncated; null where none was assessed.
    #[schema(value_type = Option<f64>, example = 0.9655)]
    pub rate: Option<Exact>,
    /// Whether that is the rule's `pass_rate`; null where none was assessed.
    pub passes: Option<bool>,
    /// Whether it is the rule's `headline_rate`.
    pub reaches_headline: Option<bool>,
}

/// A county and how many of its sections pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CountyCompliance)]
pub struct CountyView {
    /// The six-digit code; null for stations without one.
    pub county: Option<String>,
    /// Sections of which a day was assessed.
    pub assessed: u32,
    /// Those of them that pass.
    pub passing: u32,
    /// What their days were, together.
    pub days: DaysView,
    /// The share of the assessed sections that pass, truncated; null where none was assessed.
    #[schema(value_type = Option<f64>, example = 0.9)]
    pub rate: Option<Exact>,
    /// Whether that is the greatest `district_pass` of their rules; null where none was assessed.
    pub passes: Option<bool>,
}

/// How many days are what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ComplianceDays)]
pub struct DaysView {
    /// Met and short ones: those that count.
    pub assessed: u32,
    /// Met.
    pub met: u32,
    /// Short.
    pub short: u32,
    /// Excused.
    pub exempt: u32,
    /// Of which too little is known.
    pub indeterminate: u32,
    /// Not closed yet; they count for nothing.
    pub open: u32,
}

/// Sections or counties, with what their days were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Compliance)]
pub struct ComplianceView {
    /// As it was asked for.
    #[schema(example = "2026-10")]
    pub period: String,
    /// Asked for with `by=station`: by station and section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sections: Option<Vec<SectionView>>,
    /// Asked for with `by=county`: by code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counties: Option<Vec<CountyView>>,
}

/// What was counted of each section.
pub type Counted = BTreeMap<SectionKey, VerdictCounts>;

impl DaysView {
    fn of(counts: VerdictCounts) -> Self {
        let VerdictCounts { met, short, exempt, indeterminate, open } = counts;
        Self { assessed: met + short, met, short, exempt, indeterminate, open }
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            assessed: self.assessed + other.assessed,
            met: self.met + other.met,
            short: self.short + other.short,
            exempt: self.exempt + other.exempt,
            indeterminate: self.indeterminate + other.indeterminate,
            open: self.open + other.open,
        }
    }
}

/// Every section of the registry that is judged, with its rule of that time.
pub fn judged<'a>(
    registry: &'a Registry,
    period: &Period,
) -> Vec<(&'a Station, SectionKey, &'a RuleProfile)> {
    let sections = Section::judged(registry).filter_map(|section| {
        let begun = section.mandates().filter(|mandate| mandate.from < period.to);
        let mandate = begun.max_by_key(|mandate| mandate.from)?;
        Some((section.station(), section.key(), registry.rules.get(&mandate.rule)?))
    });
    sections.collect()
}

/// By section.
pub fn sections(registry: &Registry, period: &Period, counted: &Counted) -> Vec<SectionView> {
    let view = |(station, key, rule): (&Station, SectionKey, &RuleProfile)| {
        let days = DaysView::of(counted.get(&key).copied().unwrap_or_default());
        SectionView {
            station: key.station,
            name: station.name.clone(),
            county: station.county.as_ref().map(ToString::to_string),
            section: key.section,
            rule: rule.id.to_string(),
            days,
            rate: rate(days.met, days.assessed),
            passes: reaches(days.met, days.assessed, rule.pass_rate),
            reaches_headline: reaches(days.met, days.assessed, rule.headline_rate),
        }
    };
    judged(registry, period).into_iter().map(view).collect()
}

/// By county.
pub fn counties(registry: &Registry, period: &Period, counted: &Counted) -> Vec<CountyView> {
    let mut counties: BTreeMap<Option<String>, (u32, u32, DaysView, Vec<Decimal>)> =
        BTreeMap::new();
    for section in sections(registry, period, counted) {
        let (assessed, passing, days, shares) = counties.entry(section.county.clone()).or_default();
        *days = days.plus(section.days);
        if let Some(passes) = section.passes {
            *assessed += 1;
            *passing += u32::from(passes);
            let rule = registry.rules.get(section.rule.as_str());
            shares.extend(rule.map(|rule| rule.district_pass));
        }
    }
    let view = |(county, (assessed, passing, days, shares)): (_, (u32, u32, _, Vec<Decimal>))| {
        // where rules differ, each has to be content
        let reached = shares.into_iter().filter_map(|share| reaches(passing, assessed, share));
        CountyView {
            county,
            assessed,
            passing,
            days,
            rate: rate(passing, assessed),
            passes: (assessed > 0).then(|| reached.into_iter().all(|is| is)),
        }
    };
    counties.into_iter().map(view).collect()
}

/// Truncated to four decimals, so that it is never shown as more than it is.
fn rate(part: u32, whole: u32) -> Option<Exact> {
    let units = (u64::from(part) * 10_000).checked_div(u64::from(whole))?;
    Some(Exact::new(Decimal { units: i64::try_from(units).ok()?, decimals: 4 }))
}

/// Whether a count is at least a share of another one, without a division.
fn reaches(part: u32, whole: u32, share: Decimal) -> Option<bool> {
    let scale = 10_i128.pow(u32::from(share.decimals));
    let is_reached = i128::from(part) * scale >= i128::from(share.units) * i128::from(whole);
    (whole > 0).then_some(is_reached)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use model::tree::Origin;

    use super::*;

    /// Two stations of a county and one of another.
    fn registry() -> Registry {
        let station = |id: &str, county: &str| {
            format!(
                r#"
                [[station]]
                id = "{id}"
                county = "{county}"
                gauge = [ {{ id = "q", quantity = "flow", unit = "m3/s", interval = "1m" }} ]
                outlet = [ {{ id = "q", flow = {{ gauge = "q" }} }} ]
                mandate = [ {{ document = "D", from = "2026-01-01", seasons = [ {{ from = "01-01", flow = 1 }} ], rule = "r" }} ]
                "#
            )
        };
        let stations = [station("A", "620721"), station("B", "620721"), station("C", "620722")];
        let rule = "[[rule]]\nid = \"r\"\nstatistic = \"hourly_mean\"\npass_rate = 0.8\nheadline_rate = 0.9\ndistrict_pass = 0.5";
        let text = format!("{}{rule}", stations.concat());
        store::registry::parse(&text, &Origin::Default).unwrap()
    }

    fn counts(met: u32, short: u32, exempt: u32) -> VerdictCounts {
        VerdictCounts { met, short, exempt, indeterminate: 1, open: 1 }
    }

    fn check(counted: &[(&str, VerdictCounts)], expected: &Expect) {
        let registry = registry();
        let key = |station: &str| SectionKey {
            station: station.parse().unwrap(),
            section: "dam".parse().unwrap(),
        };
        let counted = counted.iter().map(|(station, counts)| (key(station), *counts)).collect();
        let period: Period = "2026-10".parse().unwrap();
        let mut shown = String::new();
        for row in sections(&registry, &period, &counted) {
            let rate = serde_json::to_string(&row.rate).unwrap();
            let words = format!("{:?} {:?}", row.passes, row.reaches_headline);
            shown = format!(
                "{shown}{} {} of {}: {rate} {words}\n",
                row.station, row.days.met, row.days.assessed
            );
        }
        for row in counties(&registry, &period, &counted) {
            let rate = serde_json::to_string(&row.rate).unwrap();
            let county = row.county.unwrap_or_default();
            let (passing, assessed) = (row.passing, row.assessed);
            shown = format!("{shown}{county} {passing} of {assessed}: {rate} {:?}\n", row.passes);
        }
        expected.assert_eq(shown.trim_end());
    }

    #[test]
    fn days_that_are_excused_or_unknown_or_open_count_for_nothing() {
        check(
            &[("A", counts(308, 11, 46)), ("B", counts(3, 1, 0)), ("C", counts(0, 0, 31))],
            &expect![[r#"
                A 308 of 319: 0.9655 Some(true) Some(true)
                B 3 of 4: 0.75 Some(false) Some(false)
                C 0 of 0: null None None
                620721 1 of 2: 0.5 Some(true)
                620722 0 of 0: null None"#]],
        );
    }

    #[test]
    fn a_rate_is_compared_exactly_and_shown_truncated() {
        check(
            &[("A", counts(4, 1, 0)), ("B", counts(2, 1, 0))],
            &expect![[r#"
            A 4 of 5: 0.8 Some(true) Some(false)
            B 2 of 3: 0.6666 Some(false) Some(false)
            C 0 of 0: null None None
            620721 1 of 2: 0.5 Some(true)
            620722 0 of 0: null None"#]],
        );
        check(
            &[("A", counts(79_999, 20_001, 0))],
            &expect![[r#"
            A 79999 of 100000: 0.7999 Some(false) Some(false)
            B 0 of 0: null None None
            C 0 of 0: null None None
            620721 0 of 1: 0 Some(false)
            620722 0 of 0: null None"#]],
        );
    }
}
