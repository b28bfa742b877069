//! From the registry's TOML text to a registry, or to everything that is wrong with it.

mod alarm_rule;
mod field;
mod mandate;
mod outlet;
mod people;
mod place;
mod rule;
mod rule_test;
mod station;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    str::FromStr,
};

use model::{
    registry::Registry,
    tree::{self, Faults, Node, Origin, Table},
};

use super::load;

/// Reads a registry file; `origin` names it in faults.
///
/// Every fault is told at once, each under its full key, such as `station[3].gauge[1].unit`, with
/// lists counted from 0.
pub fn parse(text: &str, origin: &Origin) -> Result<Registry, Faults> {
    read(&load::toml(text, origin)?)
}

/// Reads the tree of a registry, whichever text it came from.
pub(super) fn read(root: &Node) -> Result<Registry, Faults> {
    tree::read(root, |root| Some(registry(root)))
}

/// In the order in which the parts name each other.
fn registry(root: &Table<'_>) -> Registry {
    let zone = field::zone(root, None);
    let counties = each(root, "county", place::county);
    let contacts = each(root, "contact", people::contact);
    let rotas = each(root, "rota", |table, id| people::rota(table, id, &contacts, zone.as_ref()));
    let ladders = each(root, "ladder", |table, id| people::ladder(table, id, &contacts, &rotas));
    let rules = each(root, "rule", rule::rule);
    let mut codes = BTreeMap::new();
    let stations = each(root, "station", |table, id| {
        station::station(table, id, &rules, (&mut codes, zone.as_ref()))
    });
    let rivers = place::rivers(root, &stations);
    let alarm_rules = each(root, "alarm_rule", |table, id| {
        alarm_rule::alarm_rule(table, id, &stations, &ladders)
    });
    let rule_tests = rule_test::rule_tests(root, &rules, zone.as_ref());
    Registry {
        zone,
        counties: counties.entries,
        rivers,
        stations: stations.entries,
        rules: rules.entries,
        alarm_rules: alarm_rules.entries,
        contacts: contacts.entries,
        rotas: rotas.entries,
        ladders: ladders.entries,
        rule_tests,
    }
}

/// A list of tables with ids: the sound ones, and the ids of all.
struct Section<K, V> {
    entries: BTreeMap<K, V>,
    ids: BTreeSet<K>,
}

impl<K: Ord, V> Section<K, V> {
    /// Whether none of its tables has a fault that keeps it from being understood.
    fn is_sound(&self) -> bool {
        self.entries.len() == self.ids.len()
    }
}

/// Reads each table of the list `key` by its id, which no other table there may have.
fn each<K, V>(
    parent: &Table<'_>,
    key: &str,
    mut read: impl FnMut(&Table<'_>, Option<K>) -> Option<V>,
) -> Section<K, V>
where
    K: Clone + Ord + FromStr<Err: Display> + Display,
{
    let mut section = Section { entries: BTreeMap::new(), ids: BTreeSet::new() };
    for table in parent.tables(key) {
        let id: Option<K> = table.parse("id").required();
        let value = read(&table, id.clone());
        let Some(id) = id else { continue };
        if !section.ids.insert(id.clone()) {
            table.fault("id", format!("another {key} has the id `{id}` already"));
        } else if let Some(value) = value {
            section.entries.insert(id, value);
        }
    }
    section
}

/// Refuses the name of something that the file does not define.
fn known<K: Ord + Display>(
    table: &Table<'_>,
    key: &str,
    known: &BTreeSet<K>,
    named: Option<K>,
) -> Option<K> {
    let named = named?;
    if known.contains(&named) {
        return Some(named);
    }
    table.fault(key, unknown(&named, known));
    None
}

fn unknown<K: Display>(named: &K, known: &BTreeSet<K>) -> String {
    const SHOWN: usize = 8;
    let mut names: Vec<_> = known.iter().take(SHOWN).map(ToString::to_string).collect();
    if known.len() > SHOWN {
        names.push("…".to_owned());
    }
    match names.as_slice() {
        [] => format!("`{named}` is not in this file, nor is any other"),
        names => format!("`{named}` is not in this file; there are {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests;
