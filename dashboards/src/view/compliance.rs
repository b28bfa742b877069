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
    time::Span,
};
use serde::Serialize;
use store::VerdictCounts;
use utoipa::ToSchema;

use crate::{
    number::Exact,
    query::compliance::Period,
    tally::{assessed, rate, reaches, rule_of},
};

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
    /// What people call that; null where the registry does not say.
    pub county_name: Option<String>,
    /// The river reach.
    #[schema(value_type = String, example = "dam")]
    pub section: SectionId,
    /// The rule in force at the end of the time, or last before. Of a section that the registry has
    /// no more, or whose mandates it has no more, the one that judged its last day.
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
    /// What people call it; null where the registry does not say.
    pub county_name: Option<String>,
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
    /// Asked for with `by=county`: by code, stations without one first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counties: Option<Vec<CountyView>>,
    /// `cursor` of the next page; null at the end.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// What was counted of each section.
pub type Counted = BTreeMap<SectionKey, VerdictCounts>;

impl DaysView {
    pub(crate) const fn of(counts: VerdictCounts) -> Self {
        let VerdictCounts { met, short, exempt, indeterminate, open } = counts;
        Self { assessed: assessed(&counts), met, short, exempt, indeterminate, open }
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

/// A section that is judged, or was, with its rule of the time.
#[derive(Debug, Clone)]
pub struct Judged<'a> {
    /// The station.
    pub station: &'a Station,
    /// The section.
    pub key: SectionKey,
    shares: Shares,
}

/// By what days are counted.
#[derive(Debug, Clone)]
struct Shares {
    rule: String,
    pass_rate: Decimal,
    headline_rate: Decimal,
    district_pass: Decimal,
}

impl Shares {
    fn of(rule: &RuleProfile) -> Self {
        let RuleProfile { id, pass_rate, headline_rate, district_pass, .. } = rule;
        Self {
            rule: id.to_string(),
            pass_rate: *pass_rate,
            headline_rate: *headline_rate,
            district_pass: *district_pass,
        }
    }

    /// Of a rule that the registry has no more: the greatest of those that it has, so that nobody
    /// passes by taking a rule out.
    fn strictest(registry: &Registry, rule: String) -> Self {
        let greatest = |share: fn(&RuleProfile) -> Decimal| {
            let shares = registry.rules.values().map(share);
            shares
                .max_by(|one, other| one.compare(*other))
                .unwrap_or(Decimal { units: 1, decimals: 0 })
        };
        Self {
            rule,
            pass_rate: greatest(|rule| rule.pass_rate),
            headline_rate: greatest(|rule| rule.headline_rate),
            district_pass: greatest(|rule| rule.district_pass),
        }
    }
}

impl<'a> Judged<'a> {
    /// A section of which something stands, though the registry has none of it judged any more:
    /// its station is out of service, or it has no mandate or no outlet left whose flow is derived.
    /// `rule` judged its last day.
    pub fn before(
        registry: &'a Registry,
        (station, key): (&'a Station, SectionKey),
        rule: &str,
        period: &Period,
    ) -> Self {
        let known = rule_of(registry, station, &key.section, period.to);
        let shares = match known.or_else(|| registry.rules.get(rule)) {
            Some(rule) => Shares::of(rule),
            None => Shares::strictest(registry, rule.to_owned()),
        };
        Self { station, key, shares }
    }

    /// Days that begin in this time count.
    pub fn span(&self, period: &Period) -> Span {
        days_of(self.station, period)
    }
}

/// The days of a station that a time has.
pub fn days_of(station: &Station, period: &Period) -> Span {
    let [from, to] = [period.from, period.to].map(|date| station.zone.start_of_day(date));
    Span { from, to }
}

/// Every section of the registry that is judged, with its rule of that time, by station and
/// section.
pub fn judged<'a>(registry: &'a Registry, period: &Period) -> Vec<Judged<'a>> {
    let sections = Section::judged(registry).filter_map(|section| {
        let (station, key) = (section.station(), section.key());
        let rule = rule_of(registry, station, &key.section, period.to)?;
        Some(Judged { station, key, shares: Shares::of(rule) })
    });
    sections.collect()
}

/// By section, those of `judged`.
pub fn sections(judged: &[Judged<'_>], counted: &Counted, registry: &Registry) -> Vec<SectionView> {
    let view = |Judged { station, key, shares }: &Judged<'_>| {
        let days = DaysView::of(counted.get(key).copied().unwrap_or_default());
        SectionView {
            station: key.station.clone(),
            name: station.name.clone(),
            county: station.county.as_ref().map(ToString::to_string),
            county_name: station
                .county
                .as_ref()
                .and_then(|code| registry.counties.get(code))
                .cloned(),
            section: key.section.clone(),
            rule: shares.rule.clone(),
            days,
            rate: rate(days.met, days.assessed),
            passes: reaches(days.met, days.assessed, shares.pass_rate),
            reaches_headline: reaches(days.met, days.assessed, shares.headline_rate),
        }
    };
    judged.iter().map(view).collect()
}

/// By county.
pub fn counties(judged: &[Judged<'_>], counted: &Counted, registry: &Registry) -> Vec<CountyView> {
    let mut counties: BTreeMap<_, (u32, u32, DaysView, Vec<Decimal>)> = BTreeMap::new();
    let sections = sections(judged, counted, registry);
    for (section, Judged { shares: by, .. }) in sections.into_iter().zip(judged) {
        let county = (section.county, section.county_name);
        let (assessed, passing, days, shares) = counties.entry(county).or_default();
        *days = days.plus(section.days);
        if let Some(passes) = section.passes {
            *assessed += 1;
            *passing += u32::from(passes);
            shares.push(by.district_pass);
        }
    }
    let view = |((county, county_name), counted): ((_, _), (u32, u32, _, Vec<Decimal>))| {
        let (assessed, passing, days, shares) = counted;
        // where rules differ, each has to be content
        let reached = shares.into_iter().filter_map(|share| reaches(passing, assessed, share));
        CountyView {
            county,
            county_name,
            assessed,
            passing,
            days,
            rate: rate(passing, assessed),
            passes: (assessed > 0).then(|| reached.into_iter().all(|is| is)),
        }
    };
    counties.into_iter().map(view).collect()
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
        let county = "county = [ { id = \"620721\", name = \"云杉县\" } ]\n";
        let text = format!("{county}{}{rule}", stations.concat());
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
        let judged = judged(&registry, &period);
        let mut shown = String::new();
        for row in sections(&judged, &counted, &registry) {
            let rate = serde_json::to_string(&row.rate).unwrap();
            let words = format!("{:?} {:?}", row.passes, row.reaches_headline);
            shown = format!(
                "{shown}{} {} of {}: {rate} {words}\n",
                row.station, row.days.met, row.days.assessed
            );
        }
        for row in counties(&judged, &counted, &registry) {
            let rate = serde_json::to_string(&row.rate).unwrap();
            let [code, name] = [row.county, row.county_name].map(Option::unwrap_or_default);
            let county = format!("{code} {name}");
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
                620721 云杉县 1 of 2: 0.5 Some(true)
                620722  0 of 0: null None"#]],
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
                620721 云杉县 1 of 2: 0.5 Some(true)
                620722  0 of 0: null None"#]],
        );
        check(
            &[("A", counts(79_999, 20_001, 0))],
            &expect![[r#"
                A 79999 of 100000: 0.7999 Some(false) Some(false)
                B 0 of 0: null None None
                C 0 of 0: null None None
                620721 云杉县 0 of 1: 0 Some(false)
                620722  0 of 0: null None"#]],
        );
    }
}
