//! Stations and gauges: where they are, who speaks for them, and in which exact unit.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    contact::Personal,
    ids::{AgentId, GaugeName, RuleId, StationId},
    quantity::{Decimal, Quantity, Resolution, Unit},
    rule::RuleProfile,
    station::{CodeScheme, Gauge, Location, Station, StationKind, StationStatus, ValueRange},
    time::Zone,
    tree::Table,
};

use super::{Section, each, field, mandate, outlet};

const DAY_MS: i64 = 86_400_000;
/// The agent name under which `import samples` stores.
const RESERVED_AGENT: &str = "import";

/// Every external code of the stations read so far, and whose it is.
pub(super) type Codes = BTreeMap<(CodeScheme, String), String>;

pub(super) fn station(
    table: &Table<'_>,
    id: Option<StationId>,
    rules: &Section<RuleId, RuleProfile>,
    (codes, zone_otherwise): (&mut Codes, Option<&Zone>),
) -> Option<Station> {
    let name = field::line(table, "name").optional();
    let kind = table.one_of("kind", StationKind::WORDS).or(StationKind::Hydropower);
    let status = table.one_of("status", StationStatus::WORDS).or(StationStatus::Retained);
    let county = table.parse("county").optional();
    let river = field::line(table, "river").optional();
    let river_order = field::whole(table, "river_order", 0..=1_000_000).optional();
    let location = location(table);
    let agent = table.parse("agent").and_then(not_reserved).optional();
    let owner = field::line(table, "owner").optional().map(Personal::new);
    let phone = field::line(table, "phone").optional().map(Personal::new);
    let own_codes = external_codes(table, id.as_ref(), codes);
    let zone = field::zone(table, zone_otherwise);
    let gauges = each(table, "gauge", gauge);
    let mut sections = BTreeSet::new();
    let outlets =
        each(table, "outlet", |table, id| outlet::outlet(table, id, &gauges, &mut sections));
    outlet::refuse_double_counting(table, &outlets);
    let mandates = mandate::mandates(table, &sections, rules);
    let id = id?;
    Some(Station {
        name: name.unwrap_or_else(|| id.to_string()),
        id,
        kind,
        status,
        county,
        river,
        river_order,
        location,
        agent,
        owner,
        phone,
        codes: own_codes,
        zone: zone?,
        gauges: gauges.entries,
        outlets: outlets.entries,
        mandates,
    })
}

fn not_reserved(agent: AgentId) -> Result<AgentId, String> {
    if agent.as_str() == RESERVED_AGENT {
        Err(format!("`{RESERVED_AGENT}` is the name of the program's own imports; take another"))
    } else {
        Ok(agent)
    }
}

fn location(table: &Table<'_>) -> Option<Location> {
    let degrees = table.decimals("location").and_then(|numbers| {
        let [longitude, latitude] = numbers.as_slice() else {
            return Err("must be two numbers: longitude, latitude".to_owned());
        };
        let swapped = |problem| format!("{problem}; the longitude comes first");
        let longitude = field::between(longitude, "-180", "180").map_err(swapped)?;
        let latitude = field::between(latitude, "-90", "90").map_err(swapped)?;
        Ok(Location { longitude, latitude })
    });
    degrees.optional()
}

fn external_codes(
    table: &Table<'_>,
    id: Option<&StationId>,
    codes: &mut Codes,
) -> BTreeMap<CodeScheme, String> {
    let Some(written) = table.optional_table("codes") else { return BTreeMap::new() };
    let mut own = BTreeMap::new();
    for (word, scheme) in CodeScheme::WORDS {
        let Some(code) = field::line(&written, word).optional() else { continue };
        let station = id.map_or_else(|| table.full_key(""), |id| format!("station {id}"));
        if let Some(other) = codes.insert((*scheme, code.clone()), station) {
            written.fault(word, format!("`{code}` is the code of {other} already"));
        }
        own.insert(*scheme, code);
    }
    own
}

fn gauge(table: &Table<'_>, name: Option<GaugeName>) -> Option<Gauge> {
    let quantity = table.text("quantity").and_then(|name| {
        let unknown = || format!("`{name}` is not a quantity; docs/registry.md lists them all");
        Quantity::named(&name).ok_or_else(unknown)
    });
    let quantity = quantity.required();
    let unit = table.text("unit").and_then(|name| {
        let unknown = || format!("`{name}` is not a unit; docs/registry.md lists them all");
        Unit::named(&name).ok_or_else(unknown)
    });
    let unit = unit.required();
    let decimals = field::whole(table, "decimals", 0..=9).or(3);
    let interval_ms = field::span(table, "interval", 100..=DAY_MS).required();
    let written = table.decimals("range").optional();
    let (quantity, unit) = (quantity?, unit?);
    let resolution = match Resolution::of(quantity, unit, decimals) {
        Ok(resolution) => resolution,
        Err(error) => {
            table.fault("unit", error);
            return None;
        }
    };
    let range = written
        .map(|numbers| range(&numbers, resolution))
        .and_then(|range| range.inspect_err(|problem| table.fault("range", problem)).ok());
    Some(Gauge {
        name: name?,
        quantity,
        unit,
        decimals,
        resolution,
        interval_ms: interval_ms?,
        range,
    })
}

fn range(numbers: &[String], resolution: Resolution) -> Result<ValueRange, String> {
    let [low, high] = numbers else {
        return Err("must be two numbers: the lowest and the highest".to_owned());
    };
    let stored = |text: &String| {
        Decimal::parse_exact(text, resolution.decimals).map_err(|error| error.to_string())
    };
    let (low, high) = (stored(low)?, stored(high)?);
    if low < high {
        Ok(ValueRange { low, high })
    } else {
        Err("must begin with the lower number".to_owned())
    }
}
