//! What counties are called, and which river flows into which.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    ids::StationId,
    river::{Mouth, River, circle},
    station::Station,
    tree::Table,
};

use super::{Section, field};

/// What a county is called.
pub(super) fn county<K>(table: &Table<'_>, _code: Option<K>) -> Option<String> {
    field::line(table, "name").required()
}

/// Rivers by name. Whatever one flows into, a station or another one names.
pub(super) fn rivers(
    root: &Table<'_>,
    stations: &Section<StationId, Station>,
) -> BTreeMap<String, River> {
    let mut rivers = BTreeMap::new();
    let tables = root.tables("river");
    let mut intos = Vec::new();
    for table in &tables {
        let name = field::line(table, "name").required();
        let into = field::line(table, "into").optional();
        let order = field::whole(table, "into_order", 0..=1_000_000).optional();
        if into.is_some() != order.is_some() {
            table.fault("into_order", "stands beside `into`, and neither without the other");
        }
        let Some(name) = name else { continue };
        if let Some(into) = &into {
            intos.push((table, into.clone()));
        }
        let mouth = into.zip(order).map(|(into, order)| Mouth { into, order });
        if rivers.insert(name.clone(), River { mouth }).is_some() {
            table.fault("name", format!("another river is called `{name}` already"));
        }
    }
    let of_stations = stations.entries.values().filter_map(|station| station.river.as_ref());
    let known: BTreeSet<&String> = of_stations.chain(rivers.keys()).collect();
    for (table, into) in intos {
        // a station that has a fault of its own may be the one that names it
        if stations.is_sound() && !known.contains(&into) {
            table.fault("into", format!("no station and no [[river]] names a river `{into}`"));
        }
    }
    if let Some(name) = circle(&rivers) {
        root.fault("river", format!("the water of `{name}` comes back to it"));
        return BTreeMap::new();
    }
    rivers
}
