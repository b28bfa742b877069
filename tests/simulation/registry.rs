//! The registry that a seed draws: a station, two outlets of unequal periods, a law and alarm rules,
//! one key a line for the judge to read.

use crate::river::Chance;

/// Gauges and minutes between two readings; the slower one speaks first.
pub(crate) const OUTLETS: [(&str, i64); 2] = [("gate", 10), ("pipe", 5)];

/// People of the ladder in its order, and how many minutes after a raise each is told.
pub(crate) const LADDER: [(&str, i64); 3] = [("zhang", 0), ("li", 10), ("wang", 30)];

/// What a seed draws of the law.
pub(crate) fn registry(chance: &mut Chance) -> String {
    let statistic = *chance.of(&[
        "statistic = \"hourly_mean\"",
        "statistic = \"hourly_mean\"",
        "statistic = \"daily_mean\"",
        "statistic = \"running_hour\"",
        "statistic = \"instantaneous\"",
        "statistic = \"below_for\"\nbelow_for = \"30m\"",
        "statistic = \"below_for\"\nbelow_for = \"90m\"",
    ]);
    let missing = *chance.of(&["short", "indeterminate"]);
    let day_start = *chance.of(&["00:00", "08:00"]);
    let factor = *chance.of(&["1", "0.95"]);
    let valid = *chance.of(&["20", "18"]);
    let met = *chance.of(&["22/24", "1/2"]);
    let law = format!(
        r#"
        [[station.mandate]]
        document = "示例文号 1"
        from = "2020-01-01"
        seasons = [ {{ from = "04-01", flow = 1.20 }}, {{ from = "10-01", flow = 0.75 }} ]
        rule = "r"
        [[rule]]
        id = "r"
        {statistic}
        missing = "{missing}"
        day_start = "{day_start}"
        factor = {factor}
        hour_coverage = 0.75
        day_valid_hours = {valid}
        day_hours_met = "{met}"
        "#
    );
    let low = below_mandate(chance, "low", "1");
    let share = *chance.of(&["0.95", "0.8"]);
    let scant = below_mandate(chance, "scant", share);
    let mut range = || *chance.of(&["", "", "", "range = [0, 0.66]", "range = [0.54, 2]"]);
    let station = STATION.replace("PIPE", range()).replace("GATE", range());
    [&station, &law, &low, &scant, &no_data(chance), PEOPLE].concat()
}

fn below_mandate(chance: &mut Chance, id: &str, share: &str) -> String {
    let on_delay = *chance.of(&["0m", "10m", "30m", "120m"]);
    let off_delay = *chance.of(&["0m", "10m", "30m", "120m"]);
    let deadband = *chance.of(&["0", "0.02", "0.1"]);
    format!(
        r#"
        [[alarm_rule]]
        id = "{id}"
        kind = "below_mandate"
        severity = "orange"
        share = {share}
        on_delay = "{on_delay}"
        off_delay = "{off_delay}"
        deadband = {deadband}
        ladder = "duty"
        "#
    )
}

fn no_data(chance: &mut Chance) -> String {
    let on_delay = *chance.of(&["0m", "5m", "30m"]);
    let off_delay = *chance.of(&["0m", "20m", "60m"]);
    format!(
        r#"
        [[alarm_rule]]
        id = "silent"
        kind = "no_data"
        severity = "blue"
        on_delay = "{on_delay}"
        off_delay = "{off_delay}"
        ladder = "duty"
        "#
    )
}

const STATION: &str = r#"
        [[station]]
        id = "S"
        kind = "hydropower"
        status = "retained"
        agent = "gw"
        zone = "Asia/Shanghai"
        [[station.gauge]]
        id = "pipe"
        quantity = "flow"
        unit = "m3/s"
        interval = "5m"
        PIPE
        [[station.gauge]]
        id = "gate"
        quantity = "flow"
        unit = "m3/s"
        interval = "10m"
        GATE
        [[station.outlet]]
        id = "pipe"
        flow = { gauge = "pipe" }
        [[station.outlet]]
        id = "gate"
        flow = { gauge = "gate" }
"#;

/// What the channels do stands in `phone`.
const PEOPLE: &str = r#"
        [[contact]]
        id = "zhang"
        reach = [ { channel = "sms", to = "zhang" } ]
        [[contact]]
        id = "li"
        reach = [ { channel = "mute", to = "li" }, { channel = "sms", to = "li" } ]
        [[contact]]
        id = "wang"
        reach = [ { channel = "broken", to = "wang" }, { channel = "busy", to = "wang" } ]
        [[ladder]]
        id = "duty"
        steps = [ { contact = "zhang" }, { contact = "li", after = "10m" }, { contact = "wang", after = "30m" } ]
"#;
