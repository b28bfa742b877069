//! What an import may not do, given the registry in force and the stations that have data.

use std::collections::BTreeSet;

use model::{
    ids::{ChannelId, StationId},
    registry::Registry,
    station::{Gauge, Station},
    tree::KeyFault,
};

/// Everything in `new` that `old` forbids: a station that has data may not vanish; a gauge's
/// quantity and unit never change, and its decimals only grow.
///
/// What the text alone cannot tell has keys with ids in place of counts, such as
/// `station[BF-620721-04].gauge[release-meter].unit`.
pub fn transition(
    old: &Registry,
    new: &Registry,
    has_data: impl Fn(&StationId) -> bool,
) -> Vec<KeyFault> {
    let mut faults = Vec::new();
    for (id, before) in &old.stations {
        match new.stations.get(id) {
            Some(after) => faults.extend(gauges(before, after)),
            None if has_data(id) => {
                let problem = format!(
                    "{} has data and may not vanish; keep it with status = \"exited\"",
                    before.name
                );
                faults.push(fault(format!("station[{id}]"), problem));
            }
            None => {}
        }
    }
    faults
}

/// Every gauge of `new` whose unit is not the one in which its samples are stored, whatever the
/// registries in between said; `stored` is (station, gauge, unit) of each stored gauge.
pub fn stored_units<'a>(
    new: &Registry,
    stored: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>,
) -> Vec<KeyFault> {
    let changed = stored.into_iter().filter_map(|(station, name, unit)| {
        let gauge = new.gauge(station, name).filter(|gauge| gauge.unit.name() != unit)?;
        let key = format!("station[{station}].gauge[{name}].unit");
        Some(fault(key, unit_problem(unit, gauge.unit.name())))
    });
    changed.collect()
}

/// What an import leaves behind that its author may not expect, in words: readings under the name
/// of a gauge that is taken out, `stored` being those that have any; and an agent that loses its
/// station.
pub fn left_behind<'a>(
    old: &Registry,
    new: &Registry,
    stored: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<String> {
    let mut told = Vec::new();
    for (station, name) in stored {
        if old.gauge(station, name).is_some() && new.gauge(station, name).is_none() {
            told.push(format!(
                "gauge {station}/{name} has readings, which stay under this name; what still comes under it is set aside"
            ));
        }
    }
    for (id, before) in &old.stations {
        let after = new.stations.get(id);
        let Some(agent) = &before.agent else { continue };
        if after.is_some_and(|after| after.agent.as_ref() != Some(agent)) {
            told.push(format!(
                "station {id}: what {agent} sends of it from then on is refused and set aside, also what still waits in its spool"
            ));
        }
    }
    told
}

/// Every way to a contact that names no channel of the server's settings.
#[expect(single_use_lifetimes, reason = "none may be left out within `impl Trait` yet")]
pub fn unknown_channels<'c>(
    registry: &Registry,
    channels: impl IntoIterator<Item = &'c ChannelId>,
) -> Vec<KeyFault> {
    let channels: BTreeSet<&ChannelId> = channels.into_iter().collect();
    let names: Vec<_> = channels.iter().map(|channel| channel.as_str()).collect();
    let there = match names.as_slice() {
        [] => "the settings have none".to_owned(),
        names => format!("the settings have {}", names.join(", ")),
    };
    let mut faults = Vec::new();
    for contact in registry.contacts.values() {
        for (index, reach) in contact.reach.iter().enumerate() {
            if !channels.contains(&reach.channel) {
                let key = format!("contact[{}].reach[{index}].channel", contact.id);
                let problem = format!(
                    "`{name}` is no channel; {there}; write [[channel]] name = \"{name}\" into the settings",
                    name = reach.channel
                );
                faults.push(fault(key, problem));
            }
        }
    }
    faults
}

fn gauges(before: &Station, after: &Station) -> Vec<KeyFault> {
    let pairs = before.gauges.iter().filter_map(|(name, gauge)| {
        after
            .gauges
            .get(name)
            .map(|new| (format!("station[{}].gauge[{name}]", after.id), gauge, new))
    });
    pairs.flat_map(|(key, before, after)| gauge(&key, before, after)).collect()
}

fn gauge(key: &str, before: &Gauge, after: &Gauge) -> Vec<KeyFault> {
    let mut faults = Vec::new();
    if before.quantity != after.quantity {
        let (was, is) = (before.quantity.name(), after.quantity.name());
        let problem = format!("changes from {was} to {is}, which it never may; add a new gauge");
        faults.push(fault(format!("{key}.quantity"), problem));
    }
    if before.unit != after.unit {
        let problem = unit_problem(before.unit.name(), after.unit.name());
        faults.push(fault(format!("{key}.unit"), problem));
    }
    if after.decimals < before.decimals {
        let (was, is) = (before.decimals, after.decimals);
        let problem = format!("falls from {was} to {is}, but may only grow; write {was} or more");
        faults.push(fault(format!("{key}.decimals"), problem));
    }
    faults
}

fn unit_problem(was: &str, is: &str) -> String {
    format!("changes from {was} to {is}, which it never may; add a new gauge")
}

fn fault(key: String, problem: String) -> KeyFault {
    KeyFault { key, problem, origin: None }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use model::tree::{Faults, Origin};

    use super::*;
    use crate::registry::parse;

    const OLD: &str = r#"
        [[station]]
        id = "A"
        name = "鹿鸣滩(示例)"
        gauge = [{ id = "q", quantity = "flow", unit = "m3/s", decimals = 3, interval = "5s" }]
        [[station]]
        id = "B"
        "#;

    fn registry(text: &str) -> Registry {
        parse(text, &Origin::Default).unwrap()
    }

    fn check(new: &str, expected: &Expect) {
        let faults = transition(&registry(OLD), &registry(new), |id| id.as_str() == "A");
        expected.assert_eq(&Faults(faults).to_string());
    }

    #[test]
    fn a_station_with_data_may_not_vanish() {
        check(
            "[[station]]\nid = \"B\"",
            &expect![[
                r#"station[A]: 鹿鸣滩(示例) has data and may not vanish; keep it with status = "exited""#
            ]],
        );
        check("[[station]]\nid = \"A\"\nstatus = \"exited\"", &expect![[r#""#]]);
    }

    #[test]
    fn a_gauge_stays_what_it_is() {
        check(
            &OLD.replace("m3/s", "l/s").replace("decimals = 3", "decimals = 2"),
            &expect![[r#"
            station[A].gauge[q].unit: changes from m3/s to l/s, which it never may; add a new gauge
            station[A].gauge[q].decimals: falls from 3 to 2, but may only grow; write 3 or more"#]],
        );
        check(
            &OLD.replace("\"flow\", unit = \"m3/s\"", "\"level\", unit = \"m\""),
            &expect![[r#"
            station[A].gauge[q].quantity: changes from flow to level, which it never may; add a new gauge
            station[A].gauge[q].unit: changes from m3/s to m, which it never may; add a new gauge"#]],
        );
        check(&OLD.replace("decimals = 3", "decimals = 4"), &expect![[r#""#]]);
    }

    #[test]
    fn a_gauge_that_comes_back_has_the_unit_of_its_samples() {
        let stored = [("A", "q", "l/s"), ("A", "gone", "m"), ("C", "q", "m")];
        let faults = Faults(stored_units(&registry(OLD), stored));
        expect!["station[A].gauge[q].unit: changes from l/s to m3/s, which it never may; add a new gauge"].assert_eq(&faults.to_string());
        assert_eq!(stored_units(&registry(OLD), [("A", "q", "m3/s")]), Vec::new());
    }

    #[test]
    fn what_an_import_leaves_behind_is_told() {
        let old = registry(&OLD.replacen("id = \"A\"", "id = \"A\"\nagent = \"gw-a\"", 1));
        let renamed = OLD.replace("id = \"q\"", "id = \"flow\"");
        let moved = renamed.replacen("id = \"A\"", "id = \"A\"\nagent = \"gw-b\"", 1);
        let stored = [("A", "q"), ("C", "q")];
        let told = |new: &str, stored: &[(&'static str, &'static str)]| {
            left_behind(&old, &registry(new), stored.iter().copied()).join("\n")
        };
        expect![[r#"
            gauge A/q has readings, which stay under this name; what still comes under it is set aside
            station A: what gw-a sends of it from then on is refused and set aside, also what still waits in its spool"#]]
        .assert_eq(&told(&moved, &stored));
        let same = OLD.replacen("id = \"A\"", "id = \"A\"\nagent = \"gw-a\"", 1);
        assert_eq!(told(&same.replace("id = \"q\"", "id = \"flow\""), &[]), "");
        assert_eq!(told(&same, &stored), "");
    }

    #[test]
    fn a_contact_is_reached_by_a_channel_that_exists() {
        let text = "[[contact]]\nid = \"zhang\"\nreach = [{ channel = \"sms\", to = \"1\" }, { channel = \"pigeon\", to = \"1\" }]";
        let channels = ["sms", "mail"].map(|name| name.parse().unwrap());
        let faults = Faults(unknown_channels(&registry(text), &channels));
        expect![[r#"contact[zhang].reach[1].channel: `pigeon` is no channel; the settings have mail, sms; write [[channel]] name = "pigeon" into the settings"#]]
        .assert_eq(&faults.to_string());
    }
}
