//! Mandates: of a section that an outlet serves, by a known rule, one at a time, all year round.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    calendar::Date,
    ids::{RuleId, SectionId},
    mandate::{Mandate, Season, Seasons},
    rule::RuleProfile,
    tree::Table,
};

use super::{Section, field, known, outlet};

/// The mandates of a station, by section and first day.
pub(super) fn mandates(
    station: &Table<'_>,
    sections: &BTreeSet<SectionId>,
    rules: &Section<RuleId, RuleProfile>,
) -> Vec<Mandate> {
    let mut mandates: BTreeMap<(SectionId, Date), Mandate> = BTreeMap::new();
    let tables = station.tables("mandate");
    for table in &tables {
        let Some(mandate) = mandate(table, sections, rules) else { continue };
        let (section, from) = (mandate.section.clone(), mandate.from);
        if let Some(other) = mandates.get(&(section.clone(), from)) {
            let problem = format!(
                "overlaps «{}», which begins on {from} at section `{section}` too",
                other.document
            );
            table.fault("from", problem);
            continue;
        }
        mandates.insert((section, from), mandate);
    }
    let overlaps = mandates.values().zip(mandates.values().skip(1)).filter(|(earlier, later)| {
        earlier.section == later.section && earlier.to.is_some_and(|to| later.from < to)
    });
    for (earlier, later) in overlaps {
        let problem = format!(
            "«{}» at section `{}` ends after «{}» begins on {}; leave its `to` out",
            earlier.document, earlier.section, later.document, later.from
        );
        station.fault("mandate", problem);
    }
    mandates.into_values().collect()
}

fn mandate(
    table: &Table<'_>,
    sections: &BTreeSet<SectionId>,
    rules: &Section<RuleId, RuleProfile>,
) -> Option<Mandate> {
    let document = field::line(table, "document").required();
    let section = outlet::section(table);
    if let Some(section) = section.as_ref().filter(|section| !sections.contains(*section)) {
        let problem = match sections.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice()
        {
            [] => "the station has no outlet, so nothing could be judged".to_owned(),
            known => {
                format!("no outlet leads to section `{section}`; some lead to {}", known.join(", "))
            }
        };
        table.fault("section", problem);
    }
    let (from, to) = field::from_to(table);
    if !table.has("from") {
        table.fault("from", "missing; write it as 2024-01-01");
    }
    let seasons = seasons(table);
    let rule = known(table, "rule", &rules.ids, table.parse("rule").required());
    Some(Mandate {
        document: document?,
        section: section?,
        from: from?,
        to,
        seasons: seasons?,
        rule: rule?,
    })
}

fn seasons(table: &Table<'_>) -> Option<Seasons> {
    let seasons: Vec<_> = table
        .tables("seasons")
        .iter()
        .map(|season| {
            let from = season.parse("from").required();
            let flow = field::flow(season, "flow").required();
            Some(Season { from: from?, flow: flow? })
        })
        .collect();
    let seasons = seasons.into_iter().collect::<Option<Vec<_>>>()?;
    Seasons::new(seasons).inspect_err(|error| table.fault("seasons", error)).ok()
}
