//! Where another registry may judge a section otherwise than the one before did.

use model::{
    calendar::{Date, TimeOfDay},
    ids::{GaugeName, RuleId},
    mandate::Seasons,
    period,
    quantity::Decimal,
    registry::Registry,
    rule::{Missing, Ratio, RuleProfile, Statistic},
    section::{Section, Source},
    station::ValueRange,
    time::{HOUR_MS, Span, Timestamp},
};
use store::SectionRow;

/// How the law of a section differs between two registries; each list in order and apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Where periods may be judged otherwise, in whole days, and as far after them as rules look
    /// back.
    pub judged: Vec<Span>,
    /// Where another answer may be given to whether an hour is known well enough to begin with.
    pub begun: Vec<Span>,
}

impl Difference {
    /// There is none.
    pub const fn is_nothing(&self) -> bool {
        self.judged.is_empty() && self.begun.is_empty()
    }
}

/// Where within a span `new` may judge otherwise than `old`; all of it where nothing was said by
/// `old`. What no judgement depends on (names, people, pass rates, when a month closes) is no
/// difference.
pub fn difference(old: Option<&Section<'_>>, new: &Section<'_>, within: Span) -> Difference {
    let Some(old) = old.filter(|old| old.station().zone == new.station().zone) else {
        return Difference { judged: vec![within], begun: vec![within] };
    };
    let both = [old, new];
    let mut difference = Difference::default();
    for part in parts(both, within) {
        let [before, after] = both.map(|section| Law::at(section, part.from));
        if before.ways != after.ways || share(old, part.from) != share(new, part.from) {
            add(&mut difference.begun, part);
        }
        if before == after {
            continue;
        }
        let changed = match (&before.demanded, &after.demanded) {
            (Some(was), Some(is)) if before.ways == after.ways && was.is_like(is) => {
                days(new, part, (was.seasons, is.seasons))
            }
            _ => vec![part],
        };
        for span in changed {
            add(&mut difference.judged, reach(both, span));
        }
    }
    for span in difference.judged.iter_mut().chain(&mut difference.begun) {
        *span = Span { from: span.from.max(within.from), to: span.to.min(within.to) };
    }
    difference
}

/// How much closed time another registry has judged again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Hours.
    pub hours: u64,
    /// Sections of which some are among them.
    pub sections: u64,
}

/// How many closed hours of sections that have been judged are judged again, as far as their law
/// alone tells: data of before their first hour, and sections that come into being, do not count.
pub fn closed_again(old: &Registry, new: &Registry, sections: &[SectionRow]) -> Extent {
    let mut extent = Extent::default();
    for row in sections {
        let Some(section) = Section::of(new, &row.key) else { continue };
        let within = Span { from: row.begun, to: row.closed };
        let difference = difference(Section::of(old, &row.key).as_ref(), &section, within);
        let hour = |span: &Span| u64::try_from(span.to.ms_since(span.from) / HOUR_MS);
        let hours = difference.judged.iter().map(|span| hour(span).unwrap_or(0)).sum::<u64>();
        extent.hours += hours;
        extent.sections += u64::from(hours > 0);
    }
    extent
}

/// What judgements depend on while nothing of it changes but the season.
#[derive(PartialEq, Eq)]
struct Law<'a> {
    /// Of each outlet that counts.
    ways: Vec<Way<'a>>,
    demanded: Option<Demanded<'a>>,
}

/// By which gauge and how often an outlet is measured, and what of it is doubted.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Way<'a> {
    gauge: &'a GaugeName,
    interval_ms: i64,
    range: Option<(i64, i64)>,
}

#[derive(PartialEq, Eq)]
struct Demanded<'a> {
    document: &'a str,
    seasons: &'a Seasons,
    rule: Measure<'a>,
}

/// What of a rule judgements depend on.
#[derive(PartialEq, Eq)]
struct Measure<'a> {
    id: &'a RuleId,
    statistic: Statistic,
    factor: Decimal,
    hour_coverage: Decimal,
    day_valid_hours: u8,
    day_hours_met: Ratio,
    missing: Missing,
    day_start: TimeOfDay,
}

impl<'a> Law<'a> {
    fn at(section: &Section<'a>, at: Timestamp) -> Self {
        let counts = |span: Span| span.from <= at && at < span.to;
        let sources = section.sources().into_iter().filter(|source| counts(source.in_force));
        let mut ways: Vec<Way<'a>> = sources.map(Way::of).collect();
        ways.sort_unstable();
        let demand = section.demand_at(at).filter(|_| !ways.is_empty());
        let demanded = demand.map(|demand| Demanded {
            document: &demand.mandate.document,
            seasons: &demand.mandate.seasons,
            rule: Measure::of(demand.rule),
        });
        Self { ways, demanded }
    }
}

impl<'a> Way<'a> {
    fn of(source: Source<'a>) -> Self {
        // each field by name, so that whoever adds one decides whether judgements depend on it
        let Source { gauge, interval_ms, in_force: _, range } = source;
        Self { gauge, interval_ms, range: range.map(|ValueRange { low, high }| (low, high)) }
    }
}

impl Demanded<'_> {
    /// Whether nothing but the seasons differs.
    fn is_like(&self, other: &Self) -> bool {
        self.document == other.document && self.rule == other.rule
    }
}

impl<'a> Measure<'a> {
    const fn of(rule: &'a RuleProfile) -> Self {
        // each field by name, so that whoever adds one decides whether judgements depend on it
        let RuleProfile {
            id,
            statistic,
            factor,
            hour_coverage,
            day_valid_hours,
            day_hours_met,
            late_close_day: _,
            missing,
            pass_rate: _,
            headline_rate: _,
            district_pass: _,
            day_start,
        } = rule;
        Self {
            id,
            statistic: *statistic,
            factor: *factor,
            hour_coverage: *hour_coverage,
            day_valid_hours: *day_valid_hours,
            day_hours_met: *day_hours_met,
            missing: *missing,
            day_start: *day_start,
        }
    }
}

fn share(section: &Section<'_>, at: Timestamp) -> Option<Decimal> {
    section.rule_to_begin(at).map(|rule| rule.hour_coverage)
}

/// Parts of a span in which neither mandates nor outlets come or go.
fn parts(both: [&Section<'_>; 2], within: Span) -> Vec<Span> {
    let mut edges = vec![within.from, within.to];
    for section in both {
        let zone = &section.station().zone;
        for mandate in section.mandates() {
            edges.push(zone.start_of_day(mandate.from));
            edges.extend(mandate.to.map(|to| zone.start_of_day(to)));
        }
        for source in section.sources() {
            edges.extend([source.in_force.from, source.in_force.to]);
        }
    }
    edges.retain(|edge| within.from <= *edge && *edge <= within.to);
    edges.sort_unstable();
    edges.dedup();
    let pairs = edges.iter().zip(edges.iter().skip(1));
    pairs.map(|(from, to)| Span { from: *from, to: *to }).collect()
}

/// The days of a part on which two tables of seasons demand different flows.
fn days(section: &Section<'_>, part: Span, (was, is): (&Seasons, &Seasons)) -> Vec<Span> {
    let zone = &section.station().zone;
    let mut spans = Vec::new();
    let last = zone.date_of(part.to.plus_ms(-1));
    let mut date = Some(zone.date_of(part.from));
    while let Some(civil) = date.filter(|date| *date <= last) {
        let next = civil.tomorrow().ok();
        if was.flow_on(civil) != is.flow_on(civil) {
            let end = |date: Date| zone.start_of_day(date);
            add(&mut spans, Span { from: zone.start_of_day(civil), to: next.map_or(part.to, end) });
        }
        date = next;
    }
    spans
}

/// As far as a change in this span shows: whole days by the rules on both sides of its edges, and
/// after it as long as a rule looks back.
fn reach(both: [&Section<'_>; 2], span: Span) -> Span {
    let (mut from, mut to) = (span.from, span.to);
    for section in both {
        let zone = &section.station().zone;
        let day = |at: Timestamp| {
            let start = section.demand_at(at)?.rule.day_start;
            Some(period::day_of(at, start, zone))
        };
        for day in [span.from.plus_ms(-1), span.from].into_iter().filter_map(day) {
            if day.to > span.from {
                from = from.min(day.from);
            }
        }
        for day in [span.to.plus_ms(-1), span.to].into_iter().filter_map(day) {
            if day.from < span.to {
                to = to.max(day.to);
            }
        }
        to = to.max(span.to.plus_ms(section.lookback_ms()));
    }
    Span { from, to }
}

/// Adds a span at the end, united with those before that it reaches.
fn add(spans: &mut Vec<Span>, mut span: Span) {
    while let Some(last) = spans.pop_if(|last| last.to >= span.from) {
        span = Span { from: last.from.min(span.from), to: last.to.max(span.to) };
    }
    spans.push(span);
}

#[cfg(test)]
#[path = "law/tests.rs"]
mod tests;
