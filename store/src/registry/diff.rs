//! What changes from one registry to the next, in plain words without personal data.

use std::collections::BTreeMap;

use model::{
    calendar::Date,
    ids::SectionId,
    mandate::{Mandate, Season, Seasons},
    registry::Registry,
    station::Station,
};

use super::{
    document::{self, Doc, Fields},
    export::inline,
};

/// The longest value that a line shows, in characters.
const MAX_SHOWN: usize = 160;

/// One line a change; none where the registries are the same.
pub fn diff(old: &Registry, new: &Registry) -> Vec<String> {
    let mut changes = places(old, new);
    changes.extend(stations(old, new));
    let sections = [
        section("rule", &entries(&old.rules, document::rule), &entries(&new.rules, document::rule)),
        section(
            "alarm rule",
            &entries(&old.alarm_rules, document::alarm_rule),
            &entries(&new.alarm_rules, document::alarm_rule),
        ),
        section(
            "contact",
            &entries(&old.contacts, document::contact),
            &entries(&new.contacts, document::contact),
        ),
        section("rota", &entries(&old.rotas, document::rota), &entries(&new.rotas, document::rota)),
        section(
            "ladder",
            &entries(&old.ladders, document::ladder),
            &entries(&new.ladders, document::ladder),
        ),
        section(
            "rule test",
            &entries(&old.rule_tests, document::rule_test),
            &entries(&new.rule_tests, document::rule_test),
        ),
    ];
    changes.extend(sections.into_iter().flatten());
    changes
}

/// Where those sit who watch, what counties are called, and where rivers flow.
fn places(old: &Registry, new: &Registry) -> Vec<String> {
    let zone = |registry: &Registry| -> Fields {
        let zone = registry.zone.iter();
        zone.map(|zone| ("zone", Doc::Text(zone.name().to_owned()))).collect()
    };
    // before a registry was ever imported there was nothing to change
    let mut changes =
        if old.zone.is_some() { fields_changed(&zone(old), &zone(new)) } else { Vec::new() };
    let counties = |registry: &Registry| -> Entries {
        let all = registry.counties.iter();
        all.map(|(code, name)| (code.to_string(), document::county(code, name))).collect()
    };
    let rivers = |registry: &Registry| -> Entries {
        let all = registry.rivers.iter();
        all.map(|(name, river)| (name.clone(), document::river(name, river))).collect()
    };
    changes.extend(section("county", &counties(old), &counties(new)));
    changes.extend(section("river", &rivers(old), &rivers(new)));
    changes
}

/// What stands under each id, as the document has it.
fn entries<K: ToString, V>(all: &BTreeMap<K, V>, fields: impl Fn(&V) -> Fields) -> Entries {
    all.iter().map(|(id, value)| (id.to_string(), fields(value))).collect()
}

type Entries = BTreeMap<String, Fields>;

fn section(kind: &str, old: &Entries, new: &Entries) -> Vec<String> {
    let mut changes = Vec::new();
    for (id, fields) in new {
        match old.get(id) {
            None => changes.push(format!("{kind} {id} added{}", summary(fields))),
            Some(before) => changes.extend(
                fields_changed(before, fields).into_iter().map(|it| format!("{kind} {id}: {it}")),
            ),
        }
    }
    let removed = old.keys().filter(|id| !new.contains_key(*id));
    changes.extend(removed.map(|id| format!("{kind} {id} removed")));
    changes
}

/// What an entry is, for the line that adds it.
fn summary(fields: &Fields) -> String {
    let shown = ["into", "statistic", "kind", "quantity", "unit", "interval", "section", "flow"];
    let shown = fields.iter().filter(|(key, _)| shown.contains(key));
    let words: Vec<_> = shown.map(|(key, value)| format!("{key} {}", plain(value))).collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}

/// Each key that changes, appears or goes.
fn fields_changed(old: &Fields, new: &Fields) -> Vec<String> {
    let value = |fields: &Fields, key: &str| {
        fields.iter().find(|(known, _)| *known == key).map(|(_, value)| value.clone())
    };
    let mut keys: Vec<&str> = new.iter().map(|(key, _)| *key).collect();
    let gone: Vec<_> = old.iter().map(|(key, _)| *key).filter(|key| !keys.contains(key)).collect();
    keys.extend(gone);
    keys.into_iter().flat_map(|key| key_changed(key, value(old, key), value(new, key))).collect()
}

fn key_changed(key: &str, before: Option<Doc>, after: Option<Doc>) -> Vec<String> {
    if before == after {
        return Vec::new();
    }
    let is_private = before.iter().chain(&after).any(is_personal);
    let line = match (before, after) {
        (Some(Doc::Table(before)), Some(Doc::Table(after))) => {
            let inner = fields_changed(&before, &after).into_iter();
            return inner.map(|change| format!("{key}.{change}")).collect();
        }
        (Some(_), Some(_)) if is_private => format!("{key} changes"),
        (Some(before), Some(after)) => {
            format!("{key} changes from {} to {}", plain(&before), plain(&after))
        }
        (None, Some(_)) if is_private => format!("{key} added"),
        (None, Some(after)) => format!("{key} added: {}", plain(&after)),
        (Some(_), None) if is_private => format!("{key} removed"),
        (Some(before), None) => format!("{key} removed, was {}", plain(&before)),
        (None, None) => return Vec::new(),
    };
    vec![line]
}

fn is_personal(value: &Doc) -> bool {
    match value {
        Doc::Personal(_) => true,
        Doc::Text(_) | Doc::Number(_) => false,
        Doc::List(items) => items.iter().any(is_personal),
        Doc::Table(fields) => fields.iter().any(|(_, value)| is_personal(value)),
        Doc::Sections(sections) => sections.iter().flatten().any(|(_, value)| is_personal(value)),
    }
}

fn plain(value: &Doc) -> String {
    let whole = match value {
        Doc::Text(text) => text.clone(),
        Doc::Personal(_) | Doc::Number(_) | Doc::List(_) | Doc::Table(_) | Doc::Sections(_) => {
            inline(value)
        }
    };
    if whole.chars().count() <= MAX_SHOWN {
        return whole;
    }
    whole.chars().take(MAX_SHOWN).chain(['…']).collect()
}

fn stations(old: &Registry, new: &Registry) -> Vec<String> {
    let mut changes = Vec::new();
    for (id, station) in &new.stations {
        match old.stations.get(id) {
            None => {
                let parts = [
                    count(station.gauges.len(), "gauge"),
                    count(station.outlets.len(), "outlet"),
                    count(station.mandates.len(), "mandate"),
                ];
                changes.push(format!("{} added with {}", label(station), parts.join(", ")));
            }
            Some(before) if before == station => {}
            Some(before) => {
                let lines = station_changed(before, station).into_iter();
                changes.extend(lines.map(|line| format!("{}: {line}", label(station))));
            }
        }
    }
    let removed = old.stations.iter().filter(|(id, _)| !new.stations.contains_key(*id));
    changes.extend(removed.map(|(_, station)| format!("{} removed", label(station))));
    changes
}

fn label(station: &Station) -> String {
    if station.name == station.id.as_str() {
        return format!("station {}", station.id);
    }
    format!("station {} {}", station.id, station.name)
}

fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

fn station_changed(old: &Station, new: &Station) -> Vec<String> {
    let own = |station| -> Fields {
        let all = document::station(station).into_iter();
        all.filter(|(_, value)| !matches!(value, Doc::Sections(_))).collect()
    };
    let mut changes = fields_changed(&own(old), &own(new));
    changes.extend(section(
        "gauge",
        &entries(&old.gauges, document::gauge),
        &entries(&new.gauges, document::gauge),
    ));
    changes.extend(section(
        "outlet",
        &entries(&old.outlets, document::outlet),
        &entries(&new.outlets, document::outlet),
    ));
    changes.extend(mandates(&old.mandates, &new.mandates));
    changes
}

fn mandates(old: &[Mandate], new: &[Mandate]) -> Vec<String> {
    let by_begin = |all: &[Mandate]| -> BTreeMap<(SectionId, Date), Mandate> {
        let keyed = all.iter().map(|it| ((it.section.clone(), it.from), it.clone()));
        keyed.collect()
    };
    let (old, new) = (by_begin(old), by_begin(new));
    let mut changes = Vec::new();
    for (key, mandate) in &new {
        let name = mandate_label(mandate);
        match old.get(key) {
            None => {
                let (seasons, rule) = (seasons_text(&mandate.seasons), &mandate.rule);
                changes.push(format!("{name} added: {seasons}, judged by {rule}"));
            }
            Some(before) => {
                let lines = mandate_changed(before, mandate).into_iter();
                changes.extend(lines.map(|line| format!("{name}: {line}")));
            }
        }
    }
    let removed = old.iter().filter(|(key, _)| !new.contains_key(*key));
    changes.extend(removed.map(|(_, mandate)| format!("{} removed", mandate_label(mandate))));
    changes
}

fn mandate_label(mandate: &Mandate) -> String {
    format!("mandate «{}» at {} from {}", mandate.document, mandate.section, mandate.from)
}

fn mandate_changed(old: &Mandate, new: &Mandate) -> Vec<String> {
    let own = |mandate| -> Fields {
        document::mandate(mandate).into_iter().filter(|(key, _)| *key != "seasons").collect()
    };
    let mut changes = fields_changed(&own(old), &own(new));
    changes.extend(seasons_changed(&old.seasons, &new.seasons));
    changes
}

fn seasons_changed(old: &Seasons, new: &Seasons) -> Vec<String> {
    let is_same_calendar = old.iter().map(|it| it.from).eq(new.iter().map(|it| it.from));
    if !is_same_calendar {
        return vec![format!("seasons change from {} to {}", seasons_text(old), seasons_text(new))];
    }
    let pairs = old.iter().zip(new.iter()).zip(periods(new));
    let changed = pairs.filter(|((before, after), _)| before.flow != after.flow);
    changed
        .map(|((before, after), (period, _))| {
            format!("flow {period} changes from {} to {} m3/s", before.flow, after.flow)
        })
        .collect()
}

fn seasons_text(seasons: &Seasons) -> String {
    let texts = periods(seasons).into_iter();
    texts
        .map(|(period, season)| format!("{} m3/s {period}", season.flow))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Each season with the days on which it begins and ends.
fn periods(seasons: &Seasons) -> Vec<(String, Season)> {
    let following = seasons.iter().skip(1).chain(seasons.iter().take(1));
    let is_one = seasons.iter().count() == 1;
    seasons
        .iter()
        .zip(following)
        .map(|(season, next)| {
            let end = next.from.day_before().in_words();
            let period = if is_one {
                "all year".to_owned()
            } else {
                format!("{} – {end}", season.from.in_words())
            };
            (period, season)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use model::tree::Origin;

    use super::*;
    use crate::registry::parse;

    const EXAMPLE: &str = include_str!("../../../tests/fixtures/registry/example.toml");

    fn check(old: &str, new: &str, expected: &Expect) {
        let parsed = |text| parse(text, &Origin::Default).unwrap();
        expected.assert_eq(&diff(&parsed(old), &parsed(new)).join("\n"));
    }

    /// The example with some texts put in the place of others.
    fn changed(changes: &[(&str, &str)]) -> String {
        changes.iter().fold(EXAMPLE.to_owned(), |text, (old, new)| {
            assert!(text.contains(old), "{old}");
            text.replacen(old, new, 1)
        })
    }

    #[test]
    fn the_same_registry_written_otherwise_is_no_change() {
        let other =
            changed(&[("flow = 1.20", "flow = 1.2"), ("interval = \"1m\"", "interval = \"60s\"")]);
        check(EXAMPLE, &other, &expect![[r#""#]]);
    }

    #[test]
    fn a_change_of_a_station_is_told_in_plain_words() {
        let new = changed(&[
            ("flow = 1.20", "flow = 1.30"),
            (
                "{ from = \"02-29\", flow = 2 }",
                "{ from = \"01-01\", flow = 2 }, { from = \"07-01\", flow = 3 }",
            ),
            ("river_order = 40", "river_order = 41"),
            ("location = [99.80, 38.88]\n", ""),
            ("owner = \"示例水电公司\"", "owner = \"另一家公司\""),
            ("range = [0.0, 5.0]", "range = [0.0, 6.5]"),
            (
                "from = \"2024-01-01\"\n\n  [[station.outlet]]\n  id = \"old-notch\"",
                "\n  [[station.outlet]]\n  id = \"old-notch\"",
            ),
            ("angle_deg = 90", "angle_deg = 60"),
            (
                "{ formula = \"orifice\", head = \"upper\", zero_m = 12.50, area_m2 = 0.09 }",
                "{ formula = \"thomson_weir\", head = \"upper\" }",
            ),
            ("document = \"示例文号 4\"", "document = \"示例文号 5\""),
        ]);
        check(
            EXAMPLE,
            &new,
            &expect![[r#"
                station BF-620721-03 红石湾(示例): mandate «示例文号 5» at dam from 2024-01-01: document changes from 示例文号 4 to 示例文号 5
                station BF-620721-04 鹿鸣滩(示例): river_order changes from 40 to 41
                station BF-620721-04 鹿鸣滩(示例): owner changes
                station BF-620721-04 鹿鸣滩(示例): location removed, was [99.8, 38.88]
                station BF-620721-04 鹿鸣滩(示例): gauge release-meter: range changes from [0, 5] to [0, 6.5]
                station BF-620721-04 鹿鸣滩(示例): outlet pipe: from removed, was 2024-01-01
                station BF-620721-04 鹿鸣滩(示例): mandate «示例文号 1» at dam from 2024-01-01: flow Apr 1 – Sep 30 changes from 1.20 to 1.30 m3/s
                station BF-620721-04 鹿鸣滩(示例): mandate «示例文号 2» at tail from 2024-01-01: seasons change from 2.00 m3/s all year to 2.00 m3/s Jan 1 – Jun 30, 3.00 m3/s Jul 1 – Dec 31
                station BF-620721-07 雪线沟(示例): outlet notch: flow.angle_deg changes from 90 to 60
                station BF-620722-02 松涛口(示例): outlet square-hole: flow.formula changes from orifice to thomson_weir
                station BF-620722-02 松涛口(示例): outlet square-hole: flow.zero_m changes from 12.5 to 0
                station BF-620722-02 松涛口(示例): outlet square-hole: flow.area_m2 removed, was 0.09
                station BF-620722-02 松涛口(示例): outlet square-hole: flow.coefficient removed, was 0.62"#]],
        );
    }

    #[test]
    fn whole_stations_come_and_go() {
        let small = "[[station]]\nid = \"B\"\nname = \"红石湾(示例)\"\n
            gauge = [{ id = \"q\", quantity = \"flow\", unit = \"m3/s\", interval = \"5s\" }]";
        let rest = "rule = [{ id = \"r\", statistic = \"hourly_mean\" }]\n[[station]]\nid = \"A\"
            gauge = [{ id = \"q\", quantity = \"flow\", unit = \"m3/s\", interval = \"5s\" }, { id = \"h\", quantity = \"level\", unit = \"m\", interval = \"5s\" }]
            outlet = [{ id = \"pipe\", flow = { gauge = \"q\" } }]
            mandate = [{ document = \"示例文号 1\", from = \"2024-01-01\", seasons = [{ from = \"01-01\", flow = 1 }], rule = \"r\" }]";
        check(
            small,
            rest,
            &expect![[r#"
            station A added with 2 gauges, 1 outlet, 1 mandate
            station B 红石湾(示例) removed
            rule r added (statistic hourly_mean)"#]],
        );
        let another = rest.replace("2024-01-01", "2025-01-01").replace("id = \"h\"", "id = \"g\"");
        check(
            rest,
            &another,
            &expect![[r#"
            station A: gauge g added (quantity level, unit m, interval 5s)
            station A: gauge h removed
            station A: mandate «示例文号 1» at dam from 2025-01-01 added: 1.00 m3/s all year, judged by r
            station A: mandate «示例文号 1» at dam from 2024-01-01 removed"#]],
        );
    }

    #[test]
    fn rules_and_people_change_without_telling_who_they_are() {
        let new = changed(&[
            ("factor = 1.0", "factor = 0.95"),
            ("on_delay = \"10m\"", "on_delay = \"15m\""),
            ("name = \"张工\"", "name = \"王工\""),
            ("to = \"13800000002\"", "to = \"13900000002\""),
            ("every = \"7d\"", "every = \"14d\""),
            ("after = \"10m\"", "after = \"20m\""),
            ("series = \"24x-\"", "series = \"23x-\""),
            ("id = \"clock-off\"", "id = \"clock\""),
        ]);
        check(
            EXAMPLE,
            &new,
            &expect![[r#"
            rule hourly-mean-80: factor changes from 1 to 0.95
            alarm rule below-mandate: on_delay changes from 10m to 15m
            alarm rule clock added (kind clock)
            alarm rule clock-off removed
            contact li: reach changes
            contact zhang: name changes
            rota chiefs: rotation changes from [{ contacts = ["zhang", "li"], starts = "2026-01-05", handover = "08:00", every = "7d" }] to [{ contacts = ["zhang", "li"], starts = "2026-01-05", handover = "08:00", every = "14d" }]
            ladder duty: steps changes from [{ contact = "zhang", after = "0s" }, { rota = "county", after = "10m" }, { rota = "chiefs", after = "30m" }] to [{ contact = "zhang", after = "0s" }, { rota = "county", after = "20m" }, { rota = "chiefs", after = "30m" }]
            rule test without data nothing is said where the rule says so: series changes from 24x- to 23x-"#]],
        );
    }
}
