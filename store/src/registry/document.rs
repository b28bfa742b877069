//! A registry as an ordered document under the keys of its file, every default written out.

use std::fmt::Display;

use model::{
    alarm_rule::{AlarmRule, Condition},
    contact::{Contact, Personal},
    formula::{Form, Parameter},
    ladder::{Ladder, Told},
    mandate::Mandate,
    outlet::{Outlet, OutletFlow},
    quantity::Decimal,
    registry::Registry,
    river::River,
    rota::{Rota, Rotation, Shift},
    rule::{RuleProfile, Statistic},
    rule_test::{RuleTest, TestSamples},
    station::{County, Gauge, Station},
};

/// One value of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doc {
    /// Text.
    Text(String),
    /// Text about a person.
    Personal(Personal),
    /// The exact decimal text of a number.
    Number(String),
    /// Values in their order.
    List(Vec<Self>),
    /// A table within a line.
    Table(Fields),
    /// Tables with headings of their own; the key is plural in JSON.
    Sections(Vec<Fields>),
}

/// Keys in the order in which they are written.
pub(super) type Fields = Vec<(&'static str, Doc)>;

/// The document of `registry`, every list by id.
pub(super) fn document(registry: &Registry) -> Fields {
    let counties = registry.counties.iter().map(|(code, name)| county(code, name)).collect();
    let rivers = registry.rivers.iter().map(|(name, known)| river(name, known)).collect();
    let zone = registry.zone.iter().map(|zone| ("zone", text(zone.name())));
    let sections = vec![
        ("county", Doc::Sections(counties)),
        ("river", Doc::Sections(rivers)),
        ("station", Doc::Sections(registry.stations.values().map(station).collect())),
        ("rule", Doc::Sections(registry.rules.values().map(rule).collect())),
        ("alarm_rule", Doc::Sections(registry.alarm_rules.values().map(alarm_rule).collect())),
        ("contact", Doc::Sections(registry.contacts.values().map(contact).collect())),
        ("rota", Doc::Sections(registry.rotas.values().map(rota).collect())),
        ("ladder", Doc::Sections(registry.ladders.values().map(ladder).collect())),
        ("rule_test", Doc::Sections(registry.rule_tests.values().map(rule_test).collect())),
    ];
    zone.chain(sections).collect()
}

pub(super) fn county(code: &County, name: &str) -> Fields {
    vec![("id", text(code)), ("name", text(name))]
}

pub(super) fn river(name: &str, river: &River) -> Fields {
    let mouth = river.mouth.as_ref();
    fields(vec![
        ("name", Some(text(name))),
        ("into", mouth.map(|mouth| text(&mouth.into))),
        ("into_order", mouth.map(|mouth| whole(mouth.order))),
    ])
}

/// A span as files write it, in the largest unit that divides it.
pub(super) fn span_text(ms: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let unit = units.iter().find(|(unit, _)| ms != 0 && ms % unit == 0);
    match unit {
        Some((unit, name)) => format!("{}{name}", ms / unit),
        None if ms == 0 => "0s".to_owned(),
        None => format!("{ms}ms"),
    }
}

fn text(value: impl Display) -> Doc {
    Doc::Text(value.to_string())
}

fn texts<T: Display>(values: &[T]) -> Doc {
    Doc::List(values.iter().map(text).collect())
}

fn whole(number: impl Display) -> Doc {
    Doc::Number(number.to_string())
}

fn number(number: Decimal) -> Doc {
    Doc::Number(number.trimmed().to_string())
}

fn span(ms: i64) -> Doc {
    Doc::Text(span_text(ms))
}

/// The keys whose values are there.
fn fields(all: Vec<(&'static str, Option<Doc>)>) -> Fields {
    all.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect()
}

pub(super) fn station(station: &Station) -> Fields {
    let location = station
        .location
        .map(|location| Doc::List(vec![number(location.longitude), number(location.latitude)]));
    let codes: Fields =
        station.codes.iter().map(|(scheme, code)| (scheme.word(), text(code))).collect();
    let sections = |sections: Vec<Fields>| Some(Doc::Sections(sections));
    fields(vec![
        ("id", Some(text(&station.id))),
        ("name", Some(text(&station.name))),
        ("kind", Some(text(station.kind))),
        ("status", Some(text(station.status))),
        ("county", station.county.as_ref().map(text)),
        ("river", station.river.as_ref().map(text)),
        ("river_order", station.river_order.map(whole)),
        ("location", location),
        ("agent", station.agent.as_ref().map(text)),
        ("owner", station.owner.clone().map(Doc::Personal)),
        ("phone", station.phone.clone().map(Doc::Personal)),
        ("codes", (!codes.is_empty()).then_some(Doc::Table(codes))),
        ("zone", Some(text(station.zone.name()))),
        ("gauge", sections(station.gauges.values().map(gauge).collect())),
        ("outlet", sections(station.outlets.values().map(outlet).collect())),
        ("mandate", sections(station.mandates.iter().map(mandate).collect())),
    ])
}

pub(super) fn gauge(gauge: &Gauge) -> Fields {
    let stored = |value| number(gauge.resolution.decimal(value));
    fields(vec![
        ("id", Some(text(&gauge.name))),
        ("quantity", Some(text(gauge.quantity.name()))),
        ("unit", Some(text(gauge.unit.name()))),
        ("decimals", Some(whole(gauge.decimals))),
        ("interval", Some(span(gauge.interval_ms))),
        ("range", gauge.range.map(|range| Doc::List(vec![stored(range.low), stored(range.high)]))),
    ])
}

pub(super) fn outlet(outlet: &Outlet) -> Fields {
    let flow = match &outlet.flow {
        OutletFlow::Gauge(gauge) => vec![("gauge", text(gauge))],
        OutletFlow::Formula(formula) => {
            let mut keys = vec![("formula", text(formula.kind))];
            for spec in formula.kind.parameters() {
                let value = formula.parameters.get(spec.name);
                keys.extend(value.map(|value| (spec.name, parameter(value, spec.form))));
            }
            keys
        }
    };
    fields(vec![
        ("id", Some(text(&outlet.id))),
        ("section", Some(text(&outlet.section))),
        ("flow", Some(Doc::Table(flow))),
        ("from", outlet.from.map(text)),
        ("to", outlet.to.map(text)),
    ])
}

fn parameter(parameter: &Parameter, form: Form) -> Doc {
    let columns = match form {
        Form::Rows(columns) => columns,
        Form::Gauge(_) | Form::Number(_, _) => &[],
    };
    match parameter {
        Parameter::Gauge(gauge) => text(gauge),
        Parameter::Number(value) => number(*value),
        Parameter::Rows(rows) => {
            let row = |row: &Vec<Decimal>| {
                let cells = columns.iter().copied().zip(row.iter().copied().map(number));
                Doc::Table(cells.collect())
            };
            Doc::List(rows.iter().map(row).collect())
        }
    }
}

pub(super) fn mandate(mandate: &Mandate) -> Fields {
    let seasons = mandate.seasons.iter().map(|season| {
        Doc::Table(vec![("from", text(season.from)), ("flow", number(season.flow.decimal()))])
    });
    fields(vec![
        ("document", Some(text(&mandate.document))),
        ("section", Some(text(&mandate.section))),
        ("from", Some(text(mandate.from))),
        ("to", mandate.to.map(text)),
        ("seasons", Some(Doc::List(seasons.collect()))),
        ("rule", Some(text(&mandate.rule))),
    ])
}

pub(super) fn rule(rule: &RuleProfile) -> Fields {
    let below_for = match rule.statistic {
        Statistic::BelowFor { for_ms } => Some(span(for_ms)),
        Statistic::Instantaneous
        | Statistic::HourlyMean
        | Statistic::RunningHour
        | Statistic::DailyMean => None,
    };
    fields(vec![
        ("id", Some(text(&rule.id))),
        ("statistic", Some(text(rule.statistic.word()))),
        ("below_for", below_for),
        ("factor", Some(number(rule.factor))),
        ("hour_coverage", Some(number(rule.hour_coverage))),
        ("day_valid_hours", Some(whole(rule.day_valid_hours))),
        ("day_hours_met", Some(text(rule.day_hours_met))),
        ("late_close_day", Some(whole(rule.late_close_day))),
        ("missing", Some(text(rule.missing))),
        ("pass_rate", Some(number(rule.pass_rate))),
        ("headline_rate", Some(number(rule.headline_rate))),
        ("district_pass", Some(number(rule.district_pass))),
        ("day_start", Some(text(rule.day_start))),
    ])
}

pub(super) fn alarm_rule(rule: &AlarmRule) -> Fields {
    let mut keys = vec![
        ("id", Some(text(&rule.id))),
        ("kind", Some(text(rule.condition.word()))),
        ("stations", Some(texts(&rule.stations))),
    ];
    keys.extend(match &rule.condition {
        Condition::BelowMandate { section, share } => {
            vec![("section", section.as_ref().map(text)), ("share", Some(number(*share)))]
        }
        Condition::ForecastShort { section } => vec![("section", section.as_ref().map(text))],
        Condition::NoData { gauge }
        | Condition::Range { gauge }
        | Condition::FlatLine { gauge } => {
            vec![("gauge", gauge.as_ref().map(text))]
        }
        Condition::Threshold { gauge, above, below } => vec![
            ("gauge", Some(text(gauge))),
            ("above", above.map(number)),
            ("below", below.map(number)),
        ],
        Condition::Rate { gauge, change, per_ms } => vec![
            ("gauge", Some(text(gauge))),
            ("change", Some(number(*change))),
            ("per", Some(span(*per_ms))),
        ],
        Condition::SpoolLow { hours } => vec![("hours", Some(whole(hours)))],
        Condition::Clock { offset_ms } => vec![("offset", Some(span(*offset_ms)))],
        Condition::AgentOffline | Condition::Fork => Vec::new(),
    });
    keys.extend([
        ("severity", Some(text(rule.severity))),
        ("on_delay", Some(span(rule.on_delay_ms))),
        ("off_delay", Some(span(rule.off_delay_ms))),
        ("deadband", Some(number(rule.deadband))),
        ("ladder", rule.ladder.as_ref().map(text)),
    ]);
    fields(keys)
}

pub(super) fn contact(contact: &Contact) -> Fields {
    let reach = contact.reach.iter().map(|reach| {
        Doc::Table(vec![("channel", text(&reach.channel)), ("to", Doc::Personal(reach.to.clone()))])
    });
    vec![
        ("id", text(&contact.id)),
        ("name", Doc::Personal(contact.name.clone())),
        ("reach", Doc::List(reach.collect())),
        ("locale", text(contact.locale)),
    ]
}

pub(super) fn rota(rota: &Rota) -> Fields {
    vec![
        ("id", text(&rota.id)),
        ("zone", text(rota.zone.name())),
        ("shift", Doc::Sections(rota.shifts.iter().map(shift).collect())),
        ("rotation", Doc::Sections(rota.rotations.iter().map(rotation).collect())),
    ]
}

fn shift(shift: &Shift) -> Fields {
    vec![
        ("contacts", texts(&shift.contacts)),
        ("days", texts(&shift.days)),
        ("from", text(shift.from)),
        ("to", text(shift.to)),
    ]
}

fn rotation(rotation: &Rotation) -> Fields {
    vec![
        ("contacts", texts(&rotation.contacts)),
        ("starts", text(rotation.starts)),
        ("handover", text(rotation.handover)),
        ("every", text(format!("{}d", rotation.every_days))),
    ]
}

pub(super) fn ladder(ladder: &Ladder) -> Fields {
    let steps = ladder.rungs.iter().map(|rung| {
        let who = match &rung.who {
            Told::Contact(contact) => ("contact", text(contact)),
            Told::Rota(rota) => ("rota", text(rota)),
        };
        Doc::Table(vec![who, ("after", span(rung.after_ms))])
    });
    vec![("id", text(&ladder.id)), ("steps", Doc::List(steps.collect()))]
}

pub(super) fn rule_test(test: &RuleTest) -> Fields {
    let mut keys = vec![
        ("id", text(&test.id)),
        ("rule", text(&test.rule)),
        ("zone", text(test.zone.name())),
        ("required", number(test.required.decimal())),
        ("interval", span(test.interval_ms)),
    ];
    match &test.samples {
        TestSamples::Series { from, runs } => {
            let run = |run: &model::rule_test::Run| {
                let flow = run.flow.map_or("-".to_owned(), |flow| flow.decimal().to_string());
                format!("{}x{flow}", run.count)
            };
            keys.push(("from", text(from)));
            keys.push(("series", text(runs.iter().map(run).collect::<Vec<_>>().join(" "))));
        }
        TestSamples::Single(samples) => {
            let samples = samples.iter().map(|(at, flow)| {
                Doc::Table(vec![("at", text(at)), ("value", number(flow.decimal()))])
            });
            keys.push(("samples", Doc::List(samples.collect())));
        }
    }
    let exempt = test
        .exempt
        .iter()
        .map(|span| Doc::Table(vec![("from", text(span.from)), ("to", text(span.to))]));
    let expect = test.expect.iter().map(|expected| {
        Doc::Table(vec![
            ("by", text(expected.by)),
            ("from", text(expected.from)),
            ("verdict", text(expected.verdict)),
        ])
    });
    keys.push(("exempt", Doc::List(exempt.collect())));
    keys.push(("expect", Doc::List(expect.collect())));
    keys
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use model::{formula::FormulaKind, quantity::OTHER_QUANTITIES, tree::Origin};

    use super::*;
    use crate::registry::parse;

    const EXAMPLE: &str = include_str!("../../../tests/fixtures/registry/example.toml");
    const ENGLISH: &str = include_str!("../../../docs/registry.md");
    const CHINESE: &str = include_str!("../../../docs/registry.zh-CN.md");

    fn check(word: &str) {
        let ways = [format!("`{word}`"), format!(".{word}`"), format!("].{word}`")];
        for (name, reference) in [("registry.md", ENGLISH), ("registry.zh-CN.md", CHINESE)] {
            let is_told = ways.iter().any(|way| reference.contains(way));
            assert!(is_told, "docs/{name} does not tell of `{word}`");
        }
    }

    fn check_keys(value: &Doc) {
        match value {
            Doc::Text(_) | Doc::Personal(_) | Doc::Number(_) => {}
            Doc::List(items) => items.iter().for_each(check_keys),
            Doc::Table(fields) => check_fields(fields),
            Doc::Sections(sections) => sections.iter().for_each(check_fields),
        }
    }

    fn check_fields(fields: &Fields) {
        for (key, value) in fields {
            // Rows of `points` and `segments` are told as a whole.
            if !matches!(*key, "points" | "segments") {
                check_keys(value);
            }
            check(key);
        }
    }

    #[test]
    fn the_reference_tells_of_every_key_and_word() {
        for (section, value) in document(&parse(EXAMPLE, &Origin::Default).unwrap()) {
            match &value {
                Doc::Sections(_) => {
                    for reference in [ENGLISH, CHINESE] {
                        assert!(reference.contains(&format!("## `[[{section}]]`")), "{section}");
                    }
                }
                Doc::Text(_) | Doc::Personal(_) | Doc::Number(_) | Doc::List(_) | Doc::Table(_) => {
                    check(section);
                }
            }
            check_keys(&value);
        }
        for (word, _) in FormulaKind::WORDS {
            check(word);
        }
        for quantity in OTHER_QUANTITIES {
            check(quantity.name);
        }
    }

    /// What a reader pastes, in its order.
    fn fences(reference: &str) -> Vec<&str> {
        reference.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
    }

    /// The rows of the tables, each as the words that it has in code: sorted, since languages put
    /// words in another order.
    fn rows(reference: &str) -> Vec<BTreeSet<&str>> {
        let rows = reference.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
        rows.map(|row| row.split('`').skip(1).step_by(2).collect()).collect()
    }

    #[test]
    fn the_reference_says_the_same_in_both_languages() {
        assert_eq!(fences(ENGLISH), fences(CHINESE));
        let (english, chinese) = (rows(ENGLISH), rows(CHINESE));
        assert_eq!(english.len(), chinese.len());
        for (english, chinese) in english.iter().zip(&chinese) {
            assert_eq!(english, chinese);
        }
    }

    #[test]
    fn a_span_is_written_in_the_largest_unit_that_divides_it() {
        for (ms, text) in
            [(0, "0s"), (250, "250ms"), (90_000, "90s"), (5_400_000, "90m"), (604_800_000, "7d")]
        {
            assert_eq!(span_text(ms), text);
        }
    }
}
