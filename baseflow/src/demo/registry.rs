//! The registry file of the demonstration, made of its stations.

use model::quantity::Decimal;

use super::{
    river::Mandate,
    sites::{COUNTIES, FLOW, Plant, RIVERS, SITES, Site},
};

/// The channel of the server's settings by which people are reached.
pub(super) const CHANNEL: &str = "sms";

/// What stands before the stations.
const HEAD: &str = "# The stations of the demonstration. Every name, number and place is made up.\n\
                    # 演示用的二十九座站点，名称、数值与位置均为虚构；规则为示例规则，不代表任何地方的考核办法。\n";

/// How it is judged and who is told. What no paper fixes is an example of ours.
const RULES: &str = r#"
# 示例规则: judged by clock hours, 22 of 24 of which must be met
[[rule]]
id = "example-hourly-mean"
statistic = "hourly_mean"
hour_coverage = 0.75
day_hours_met = "22/24"
missing = "short"

# 示例规则: delays so short that a visitor need not wait
[[alarm_rule]]
id = "example-below-mandate"
kind = "below_mandate"
stations = ["kind:hydropower"]
severity = "orange"
on_delay = "20s"
off_delay = "30s"
deadband = 0.02
ladder = "duty"

[[alarm_rule]]
id = "example-no-data"
kind = "no_data"
stations = ["kind:hydropower"]
severity = "yellow"
on_delay = "30s"
off_delay = "30s"
ladder = "duty"

[[alarm_rule]]
id = "example-flat-line"
kind = "flat_line"
stations = ["kind:hydropower"]
severity = "blue"
on_delay = "2m"
off_delay = "15s"
ladder = "duty"

[[contact]]
id = "zhang"
name = "张工（示例）"
reach = [ { channel = "sms", to = "13800000001" } ]

[[contact]]
id = "li"
name = "李站长（示例）"
reach = [ { channel = "sms", to = "13800000002" } ]

[[rota]]
id = "bureau"

  [[rota.shift]]
  contacts = ["zhang"]
  from = "08:00"
  to = "20:00"

  [[rota.shift]]
  contacts = ["li"]
  from = "20:00"
  to = "08:00"

[[ladder]]
id = "duty"
steps = [ { rota = "bureau", after = "0s" }, { contact = "li", after = "10m" } ]

[[rule_test]]
id = "三刻钟数据恰好等于核定值:达标 (45 of 60 minutes exactly at the mandate are met)"
rule = "example-hourly-mean"
required = 1.20
interval = "5m"
from = "2026-04-01T00:00:00+08:00"
series = "9x1.20 3x-"
expect = [ { by = "hour", from = "2026-04-01T00:00:00+08:00", verdict = "met" } ]
"#;

/// The whole file.
pub(super) fn text() -> String {
    let mut text = HEAD.to_owned();
    for named in COUNTIES {
        text += &county(named);
    }
    for joined in RIVERS {
        text += &confluence(joined);
    }
    for site in &SITES {
        text += &station(site);
    }
    text + RULES
}

fn county((code, name): (&str, &str)) -> String {
    format!("\n[[county]]\nid = \"{code}\"\nname = \"{name}\"\n")
}

fn confluence((name, into, order): (&str, &str, u32)) -> String {
    format!("\n[[river]]\nname = \"{name}\"\ninto = \"{into}\"\ninto_order = {order}\n")
}

fn station(site: &Site) -> String {
    let Site { id, name, english, kind, county, location: [longitude, latitude], .. } = site;
    let (agent, minutes) = (site.agent(), site.minutes());
    let mut text = format!(
        "\n[[station]]                   # {english}\nid = \"{id}\"\nname = \"{name}\"\nkind = \"{kind}\"\n\
         county = \"{county}\"\nlocation = [{longitude}, {latitude}]\nagent = \"{agent}\"\n"
    );
    if let Some(plant) = &site.plant {
        text += &river(plant);
        text += &gauge((FLOW, "flow", "m3/s", 3), minutes);
        text += &reach(&plant.mandate);
    }
    for known in site.gauges {
        text += &gauge((known.id, known.quantity, known.unit, known.decimals), minutes);
    }
    if let Some(plant) = &site.plant {
        text += &duty(id, &plant.mandate);
    }
    text
}

fn gauge((id, quantity, unit, decimals): (&str, &str, &str, u8), minutes: i64) -> String {
    format!(
        "\n  [[station.gauge]]\n  id = \"{id}\"\n  quantity = \"{quantity}\"\n  unit = \"{unit}\"\n  \
         decimals = {decimals}\n  interval = \"{minutes}m\"\n"
    )
}

fn river(plant: &Plant) -> String {
    let Plant { river, order, .. } = plant;
    format!("river = \"{river}\"\nriver_order = {order}\n")
}

/// Four times the largest mandate: more no meter of these can say.
fn reach(mandate: &Mandate) -> String {
    let largest = match mandate {
        Mandate::Seasons { winter, summer } => (*winter).max(*summer),
        Mandate::Monthly(flows) => flows.iter().copied().max().unwrap_or(0),
    };
    format!("  range = [0, {}]\n", m3_per_s(4 * largest))
}

/// What is released where, and what must be.
fn duty(id: &str, mandate: &Mandate) -> String {
    let (number, seasons) = (number(id), seasons(mandate));
    format!(
        "\n  [[station.outlet]]\n  id = \"release\"\n  flow = {{ gauge = \"{FLOW}\" }}\n\
         \n  [[station.mandate]]\n  document = \"示例文号 {number}（示例规则）\"\n  from = \"2024-01-01\"\n  \
         seasons = [ {seasons} ]\n  rule = \"example-hourly-mean\"\n"
    )
}

fn seasons(mandate: &Mandate) -> String {
    let season =
        |from: &str, flow: i64| format!("{{ from = \"{from}\", flow = {} }}", m3_per_s(flow));
    match mandate {
        Mandate::Seasons { winter, summer } => {
            format!("{}, {}", season("04-01", *summer), season("10-01", *winter))
        }
        Mandate::Monthly(flows) => {
            let months = (1..).zip(flows);
            let all: Vec<String> =
                months.map(|(month, flow)| season(&format!("{month:02}-01"), *flow)).collect();
            all.join(", ")
        }
    }
}

/// Millilitres as they are written in m³/s.
pub(super) fn m3_per_s(ml_per_s: i64) -> Decimal {
    Decimal { units: ml_per_s, decimals: 6 }
}

/// Which station it is among all, from 1.
fn number(id: &str) -> usize {
    SITES.iter().take_while(|site| site.id != id).count() + 1
}

#[cfg(test)]
mod tests {
    use model::tree::Origin;

    use super::*;

    #[test]
    fn the_file_has_no_fault_and_every_rule_judges_as_its_tests_say() {
        let registry = store::registry::parse(&text(), &Origin::Default).unwrap();
        assert_eq!(registry.stations.len(), 29);
        let channels = [CHANNEL.parse().unwrap()];
        assert!(store::registry::unknown_channels(&registry, &channels).is_empty());
        let judged = model::section::Section::judged(&registry).count();
        assert_eq!(judged, 18);
        assert!(registry.stations.values().all(|station| station.agent.is_some()));
    }
}
