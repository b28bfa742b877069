//! Plans as `check` prints them: each request, what it holds, how long it takes, what is left.

use std::time::Duration;

use crate::{
    cadence::paces,
    config::{Addressing, Bus, Config, Device},
    plan::{Limits, Request, plan, transaction},
    register::{Register, Table},
};

/// What is read of every bus, with its warnings below each.
pub fn printed(config: &Config) -> String {
    let mut text = String::new();
    for warning in warnings_of_sections(config) {
        line(&mut text, &format!("warning: {warning}"));
    }
    for (index, bus) in config.buses.iter().enumerate() {
        print_bus(&mut text, index, bus);
    }
    text
}

fn print_bus(text: &mut String, index: usize, bus: &Bus) {
    let Bus { name, line: url, timeout, retries, gap, .. } = bus;
    let mut warnings = Vec::new();
    line(
        text,
        &format!("bus {name}: {url}, timeout {timeout:?}, retries {retries}, gap {}", shown(*gap)),
    );
    let plans: Vec<_> =
        bus.devices.iter().map(|device| plan(&device.registers, Limits::of(device))).collect();
    let paces = paces(bus, &plans);
    let mut busy_ppm = 0;
    for (at, ((device, plan), pace)) in bus.devices.iter().zip(&plans).zip(&paces).enumerate() {
        let Device { name, unit, period, .. } = device;
        let phase = shown(Duration::from_millis(pace.phase_ms.unsigned_abs()));
        line(text, &format!("  device {name}: unit {unit}, every {period:?}, {phase} into it"));
        let mut whole = Duration::ZERO;
        for request in plan {
            let takes = transaction(url, request) + *gap;
            whole += takes;
            print_request(text, device, request, takes);
        }
        let slack = period.checked_sub(whole).map_or_else(
            || format!("{} more than the period", shown(whole.saturating_sub(*period))),
            |slack| format!("{} of the period left", shown(slack)),
        );
        line(text, &format!("    {}, about {}, {slack}", requests(plan.len()), shown(whole)));
        busy_ppm += whole.as_micros() * 1_000_000 / period.as_micros().max(1);
        warnings.extend(warnings_of_device(&format!("bus[{index}].device[{at}]"), bus, device));
    }
    let percent = format!("{}.{}", busy_ppm / 10_000, busy_ppm / 1_000 % 10);
    line(text, &format!("  the line is busy for about {percent} % of the time"));
    if busy_ppm > 800_000 {
        let more = "longer periods, fewer registers, a faster line, or a second bus";
        warnings.push(format!("bus[{index}]: the line has no time left for repeats; {more}"));
    }
    for warning in warnings {
        line(text, &format!("  warning: {warning}"));
    }
}

fn print_request(text: &mut String, device: &Device, request: &Request, takes: Duration) {
    let first = match device.addressing {
        Addressing::ZeroBased => 0,
        Addressing::OneBased => 1,
    };
    let written = |address: u16| u32::from(address) + first;
    let Request { table, address, count, registers } = request;
    let what = match (table.has_bits(), count) {
        (true, 1) => "bit",
        (true, _) => "bits",
        (false, 1) => "word",
        (false, _) => "words",
    };
    let (table, from) = (table.name(), written(*address));
    line(text, &format!("    {table} from {from}, {count} {what}, about {}", shown(takes)));
    for register in registers.iter().filter_map(|index| device.registers.get(*index)) {
        let Register { address, kind, order, gauge, unit, decimals, .. } = register;
        let order = if kind.width() == 1 { "" } else { order.name(kind.width()) };
        let at = written(*address);
        let space = if order.is_empty() { "" } else { " " };
        line(
            text,
            &format!("      {at} {kind}{space}{order} -> {gauge}, {decimals} decimals of {unit}"),
        );
    }
}

fn warnings_of_sections(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let listen = config.local.listen;
    if !listen.ip().is_loopback() {
        warnings.push(format!("local.listen: {listen} can be read by the whole network"));
    }
    let user = config.mqtt.username.as_deref();
    if let Some(user) = user.filter(|user| *user != config.agent.as_str()) {
        let agent = &config.agent;
        warnings
            .push(format!("mqtt.username: brokers take `{user}` for the identity, not `{agent}`"));
    }
    warnings
}

fn warnings_of_device(key: &str, bus: &Bus, device: &Device) -> Vec<String> {
    let mut warnings = Vec::new();
    let Device { period, registers, .. } = device;
    if bus.timeout >= *period {
        let timeout = bus.timeout;
        warnings.push(format!(
            "{key}.period: {period:?} is over before a timeout of {timeout:?}; a lost answer skips slots"
        ));
    }
    for (index, register) in registers.iter().enumerate() {
        let key = format!("{key}.register[{index}]");
        let (scale, decimals) = (register.scale.decimals, register.decimals);
        if decimals < scale && !register.kind.is_float() {
            warnings.push(format!(
                "{key}.decimals: {decimals} rounds away what a scale of {} gives",
                register.scale
            ));
        }
        if let Some((from, table)) = manual_address(register) {
            warnings.push(format!(
                "{key}.address: if this is a manual's number for {table}, its address counts from {from}"
            ));
        }
    }
    warnings
}

/// Manuals number holding registers from 40001 and input registers from 30001.
fn manual_address(register: &Register) -> Option<(u16, &'static str)> {
    match (register.table, register.address) {
        (Table::Holding, 40_000..=49_999) => Some((40_001, "a holding register")),
        (Table::Input, 30_000..=39_999) => Some((30_001, "an input register")),
        (Table::Coil | Table::Discrete | Table::Holding | Table::Input, _) => None,
    }
}

fn requests(count: usize) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{count} requests") }
}

/// To the millisecond.
fn shown(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms < 1_000 { format!("{ms}ms") } else { format!("{}.{:03}s", ms / 1_000, ms % 1_000) }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use runtime::settings;

    use super::*;
    use crate::config::DEFAULTS;

    fn check(text: &str, expected: &Expect) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let root = settings::load(DEFAULTS, Some(file.path()), []).unwrap();
        expected.assert_eq(&printed(&Config::read(&root).unwrap()));
    }

    #[test]
    fn a_line_with_room_shows_what_is_left() {
        check(
            r#"
            agent = "gw"
            [[bus]]
            name = "meters"
            url = "tcp://10.0.0.1"
            [[bus.device]]
            name = "flow"
            unit = 1
            period = "5s"
            register = [
                { gauge = "BF-1/flow", table = "input", address = 100, type = "f32", order = "cdab", unit = "m3/h" },
                { gauge = "BF-1/total", table = "input", address = 104, type = "u32", unit = "m3", scale = 0.1 },
                { gauge = "BF-1/open", table = "coil", address = 3 },
            ]
            "#,
            &expect![[r#"
                bus meters: tcp://10.0.0.1:502, timeout 1s, retries 2, gap 0ms
                  device flow: unit 1, every 5s, 2.139s into it
                    coil from 3, 1 bit, about 20ms
                      3 bool -> BF-1/open, 0 decimals of 1
                    input from 100, 6 words, about 20ms
                      100 f32 cdab -> BF-1/flow, 6 decimals of m3/h
                      104 u32 abcd -> BF-1/total, 1 decimals of m3
                    2 requests, about 40ms, 4.960s of the period left
                  the line is busy for about 0.8 % of the time
            "#]],
        );
    }

    #[test]
    fn a_line_without_room_is_warned_of() {
        check(
            r#"
            agent = "gw"
            mqtt = { username = "other", password_file = "/etc/x" }
            local.listen = "0.0.0.0:8090"
            [[bus]]
            name = "slow"
            url = "rtu:///dev/ttyS0?baud=1200"
            gap = "20ms"
            [[bus.device]]
            name = "a"
            unit = 1
            period = "500ms"
            addressing = "one_based"
            register = [
                { gauge = "BF-1/a", table = "holding", address = 40101, type = "u16", unit = "m", scale = 0.01, decimals = 1 },
                { gauge = "BF-1/b", table = "holding", address = 1, type = "f64", unit = "m" },
            ]
            "#,
            &expect![[r#"
                warning: local.listen: 0.0.0.0:8090 can be read by the whole network
                warning: mqtt.username: brokers take `other` for the identity, not `gw`
                bus slow: rtu:///dev/ttyS0?baud=1200&parity=none&data_bits=8&stop_bits=1, timeout 1s, retries 2, gap 20ms
                  device a: unit 1, every 500ms, 488ms into it
                    holding from 1, 4 words, about 298ms
                      1 f64 abcdefgh -> BF-1/b, 6 decimals of m
                    holding from 40101, 1 word, about 248ms
                      40101 u16 -> BF-1/a, 1 decimals of m
                    2 requests, about 546ms, 46ms more than the period
                  the line is busy for about 109.3 % of the time
                  warning: bus[0].device[0].period: 500ms is over before a timeout of 1s; a lost answer skips slots
                  warning: bus[0].device[0].register[0].decimals: 1 rounds away what a scale of 0.01 gives
                  warning: bus[0].device[0].register[0].address: if this is a manual's number for a holding register, its address counts from 40001
                  warning: bus[0]: the line has no time left for repeats; longer periods, fewer registers, a faster line, or a second bus
            "#]],
        );
    }
}
