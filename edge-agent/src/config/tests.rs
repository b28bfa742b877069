//! Settings read whole: what they become, and every fault by its full key.

use expect_test::{Expect, expect};

use super::*;

const BUS: &str = r#"
    agent = "gw-luming"
    [[bus]]
    name = "meters"
    url = "tcp://127.0.0.1:502"
    [[bus.device]]
    name = "em-flow"
    unit = 1
    period = "5s"
"#;

fn merged(text: &str) -> Node {
    let settings = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(settings.path(), text).unwrap();
    runtime::settings::load(DEFAULTS, Some(settings.path()), []).unwrap()
}

fn config(text: &str) -> Config {
    Config::read(&merged(text)).unwrap()
}

/// Reads `text` over the defaults and shows buses and sources, or all faults without origins.
fn check(text: &str, expected: &Expect) {
    let shown = match Config::read(&merged(text)) {
        Ok(config) => show(&config),
        Err(Faults(faults)) => {
            let each = faults.iter().map(|fault| format!("{}: {}\n", fault.key, fault.problem));
            each.collect::<Vec<_>>().concat()
        }
    };
    expected.assert_eq(&shown);
}

/// As [`check`], with these registers on one device.
fn check_registers(registers: &str, expected: &Expect) {
    check(&format!("{BUS}\n{registers}"), expected);
}

fn show(config: &Config) -> String {
    let mut lines = Vec::new();
    for bus in &config.buses {
        let Bus { name, line, timeout, retries, gap, .. } = bus;
        lines.push(format!("{name} {line} timeout {timeout:?} retries {retries} gap {gap:?}"));
        for device in &bus.devices {
            let Device { name, unit, period, max_registers, max_bits, max_gap, .. } = device;
            lines.push(format!(
                "  {name} unit {unit} every {period:?}, at most {max_registers}/{max_bits}, gap {max_gap}"
            ));
            for register in &device.registers {
                lines.push(format!(
                    "    {} {} {} {} {} {:?} -> {} {} {} {:?}",
                    register.source,
                    register.table.name(),
                    register.address,
                    register.kind,
                    register.order.name(register.kind.width()),
                    register.scaling,
                    register.gauge,
                    register.decimals,
                    register.unit,
                    register.alert_below,
                ));
            }
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

#[test]
fn the_defaults_need_only_an_agent_and_a_bus() {
    check(
        "",
        &expect![[r#"
        agent: missing
        bus: missing; write at least one [[bus]]
    "#]],
    );
    let registers = "[[bus.device.register]]\ngauge = 'BF-1/x'\ntable = 'input'\naddress = 1\ntype = 'u16'\nunit = 'm'";
    let config = config(&format!("{BUS}\n{registers}"));
    assert_eq!(config.mqtt.broker.to_string(), "mqtt://127.0.0.1:1883");
    assert_eq!((config.mqtt.client_id.as_str(), config.mqtt.username), ("gw-luming", None));
    assert_eq!(config.spool.max_bytes, 1 << 30);
    assert_eq!(config.batch.max_age, Duration::from_secs(5));
}

#[test]
fn the_example_beside_the_defaults_is_valid() {
    let (_, example) = DEFAULTS.split_once("\n# [[bus]]\n").unwrap();
    let lines = example.lines().map(|line| line.strip_prefix("# ").unwrap_or(line));
    let example = lines.collect::<Vec<_>>().join("\n");
    check(
        &format!("agent = 'gw-luming'\n[[bus]]\n{example}"),
        &expect![[r#"
        meters tcp://192.168.1.10:502 timeout 1s retries 2 gap 0ns
          em-flow unit 1 every 5s, at most 120/2000, gap 8
            0 input 100 f32 abcd Scaling { factor: 1000, addend: 0, divisor: 1 } -> BF-620721-04/release-meter 3 m3/h None
    "#]],
    );
}

#[test]
fn a_password_makes_the_agent_the_user() {
    let registers = "[[bus.device.register]]\ngauge = 'BF-1/x'\ntable = 'input'\naddress = 1\ntype = 'u16'\nunit = 'm'";
    let config = config(&format!("mqtt.password_file = '/etc/x'\n{BUS}\n{registers}"));
    assert_eq!(config.mqtt.username.as_deref(), Some("gw-luming"));
}

#[test]
fn sources_stand_in_the_order_of_the_file() {
    check(
        r#"
        agent = "gw"
        [[bus]]
        name = "line"
        url = "rtu:///dev/ttyS0?baud=19200&parity=even"
        timeout = "300ms"
        retries = 1
        gap = "5ms"
        [[bus.device]]
        name = "weir"
        unit = 17
        period = "1m"
        addressing = "one_based"
        max_registers = 16
        max_gap = 0
        register = [
            { gauge = "BF-1/level", table = "holding", address = 1, type = "u16", scale = 0.1, offset = -12.25, unit = "mm" },
            { gauge = "BF-1/total", table = "holding", address = 65535, type = "bcd32", order = "cdab", unit = "m3" },
        ]
        [[bus]]
        name = "tcp"
        url = "tcp://10.0.0.1"
        [[bus.device]]
        name = "flow"
        unit = 255
        period = "250ms"
        register = [
            { gauge = "BF-1/flow", table = "input", address = 0, type = "f64", order = "ghefcdab", unit = "m3/h", alert_below = 1800 },
            { gauge = "BF-1/open", table = "coil", address = 65535 },
            { gauge = "BF-1/state", table = "holding", address = 9, type = "bits", mask = 0x0ff0, order = "ba" },
            { gauge = "BF-1/alarm", table = "holding", address = 9, type = "bits", bit = 15 },
        ]
        "#,
        &expect![[r#"
            line rtu:///dev/ttyS0?baud=19200&parity=even&data_bits=8&stop_bits=1 timeout 300ms retries 1 gap 5ms
              weir unit 17 every 60s, at most 16/2000, gap 0
                0 holding 0 u16 ab Scaling { factor: 10, addend: -1225, divisor: 1 } -> BF-1/level 2 mm None
                1 holding 65534 bcd32 cdab Scaling { factor: 1, addend: 0, divisor: 1 } -> BF-1/total 0 m3 None
            tcp tcp://10.0.0.1:502 timeout 1s retries 2 gap 0ns
              flow unit 255 every 250ms, at most 120/2000, gap 8
                2 input 0 f64 ghefcdab Scaling { factor: 1000000, addend: 0, divisor: 1 } -> BF-1/flow 6 m3/h Some(1800000000)
                3 coil 65535 bool ab Scaling { factor: 1, addend: 0, divisor: 1 } -> BF-1/open 0 1 None
                4 holding 9 bits 0x0ff0 ba Scaling { factor: 1, addend: 0, divisor: 1 } -> BF-1/state 0 1 None
                5 holding 9 bits 0x8000 ab Scaling { factor: 1, addend: 0, divisor: 1 } -> BF-1/alarm 0 1 None
        "#]],
    );
    let sources = config(&format!(
        "{BUS}\nregister = [{{ gauge = 'BF-1/x', table = 'input', address = 1, type = 'u16', unit = 'm', scale = 0.001, alert_below = 1.5 }}]"
    ))
    .sources();
    assert_eq!((sources[0].period_ms, sources[0].alert_below), (5_000, Some(1_500)));
}

#[test]
fn faults_of_sections_are_all_reported() {
    check(
        r#"
        agent = "gw/1"
        mqtt = { url = "mqtts://b", version = 6, username = "x", keep_alive = "1s", tls = true }
        clock = { trust = "ntp" }
        spool = { path = "", hours = 0, max_size = "1KiB" }
        batch = { max_age = "2h", compress = 1 }
        local = { listen = "localhost" }
        log = { level = 3, format = "xml" }
        "#,
        &expect![[r#"
            agent: `gw/1` is not an agent id: 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or a digit
            mqtt.url: TLS is not built yet; use mqtt:// on loopback or through a tunnel
            mqtt.version: 6 is not between 4 and 5
            mqtt.keep_alive: 1s is not between 5s and 1h
            mqtt.password_file: missing; a user name needs a password
            mqtt.tls: unknown key
            clock.trust: `ntp` is none of system, auto
            spool.path: missing; name a file on flash that outlives a restart
            spool.hours: 0 is not between 1 and 87600
            spool.max_size: 1KiB is not between 1MiB and 1024GiB
            batch.max_age: 2h is not between 0s and 1h
            batch.compress: an integer where true or false belongs
            local.listen: `localhost` is not an address; write 127.0.0.1:8090
            log.level: an integer where a string belongs
            log.format: `xml` is none of auto, json, text
            bus: missing; write at least one [[bus]]
        "#]],
    );
}

#[test]
fn a_wrong_url_hides_no_fault_of_the_units_on_its_line() {
    check(
        r#"
        agent = "gw"
        [[bus]]
        name = "wrong"
        url = "rtu:///dev/ttyS1?baud=fast"
        [[bus.device]]
        name = "e"
        unit = 0
        period = "5s"
        [[bus]]
        name = "unknown"
        url = "/dev/ttyS2"
        [[bus.device]]
        name = "f"
        unit = 0
        period = "5s"
        "#,
        &expect![[r#"
            bus[0].url: baud=fast cannot be; write 300 to 4000000
            bus[0].device[0].unit: 0 is everybody on a serial line, and nobody answers to it; 1 to 247
            bus[0].device[0].register: missing; write at least one [[bus.device.register]]
            bus[1].url: `/dev/ttyS2` is not a bus; write tcp://host:502, rtu+tcp://host:port or rtu:///dev/ttyS0?baud=9600
            bus[1].device[0].register: missing; write at least one [[bus.device.register]]
        "#]],
    );
}

#[test]
fn faults_of_lines_and_devices_are_all_reported() {
    check(
        r#"
        agent = "gw"
        [[bus]]
        name = "a"
        url = "rtu:///dev/ttyS0"
        timeout = "1ms"
        retries = 11
        gap = "1m"
        speed = 9600
        [[bus.device]]
        name = "zero"
        unit = 0
        period = "50ms"
        addressing = "two_based"
        max_registers = 126
        max_bits = 0
        max_gap = -1
        [[bus.device]]
        name = "zero"
        unit = 255
        period = "5s"
        [[bus]]
        name = "a"
        url = "rtu:///dev/ttyS0?baud=1200"
        device = []
        [[bus]]
        name = ""
        url = "listen://0.0.0.0:5020"
        [[bus.device]]
        name = "d"
        unit = 250
        period = 5
        "#,
        &expect![[r#"
            bus[0].timeout: 1ms is not between 10ms and 1m
            bus[0].retries: 11 is not between 0 and 10
            bus[0].gap: 1m is not between 0s and 10s
            bus[0].device[0].unit: 0 is everybody on a serial line, and nobody answers to it; 1 to 247
            bus[0].device[0].period: 50ms is not between 100ms and 1d
            bus[0].device[0].addressing: `two_based` is none of zero_based, one_based
            bus[0].device[0].max_registers: 126 is not between 1 and 125
            bus[0].device[0].max_bits: 0 is not between 1 and 2000
            bus[0].device[0].max_gap: -1 is not between 0 and 125
            bus[0].device[0].register: missing; write at least one [[bus.device.register]]
            bus[0].device[1].name: another one is called `zero` too
            bus[0].device[1].unit: 255 is for tcp:// alone; on a serial line units are 1 to 247
            bus[0].device[1].register: missing; write at least one [[bus.device.register]]
            bus[1].name: another one is called `a` too
            bus[1].url: another bus has this port; list its devices there
            bus[1].device: missing; write at least one [[bus.device]]
            bus[2].name: a name is 1 to 64 characters, none of them a control character
            bus[2].url: `listen://` (a DTU dials in) is not built yet; let the DTU listen and use rtu+tcp://
            bus[2].device[0].unit: 248 to 254 are reserved; units are 1 to 247
            bus[2].device[0].period: an integer where a duration such as "5s" belongs
            bus[2].device[0].register: missing; write at least one [[bus.device.register]]
            bus[0].speed: unknown key
        "#]],
    );
}

#[test]
fn faults_of_registers_are_all_reported() {
    check_registers(
        r#"
        max_registers = 2
        register = [
            { gauge = "BF-1/x", table = "input", address = 1, type = "u16", unit = "m", scale = 0 },
            { gauge = "BF-1/x", table = "input", address = 65535, type = "u32", unit = "m", order = "ab" },
            { gauge = "x", table = "output", address = 65536, type = "u8", unit = "furlong", order = "x" },
            { gauge = "BF-1/c", table = "coil", address = 1, type = "u16", order = "ab", bit = 1 },
            { gauge = "BF-1/d", table = "holding", address = 1, type = "bool" },
            { gauge = "BF-1/e", table = "holding", address = 1, type = "bits" },
            { gauge = "BF-1/f", table = "holding", address = 1, type = "bits", bit = 16, mask = 0 },
            { gauge = "BF-1/g", table = "holding", address = 1, type = "u64", unit = "m", bit = 1 },
            { gauge = "BF-1/h", table = "input", address = 1, type = "f32", unit = "m", order = "abdc", scale = "0.0000000001", offset = "x", decimals = 10, alert_below = 0.1234567 },
            { gauge = "BF-1/i", table = "input", address = 1, type = "i16", unit = "m", order = "abcd", alert_below = 0.5, limit = 1 },
        ]
        "#,
        &expect![[r#"
            bus[0].device[0].register[0].scale: 0 is not a scale: not 0, and at most 1000000000 either way
            bus[0].device[0].register[1].gauge: `BF-1/x` is read from another register already
            bus[0].device[0].register[1].address: from 65535 on it ends past the last address, 65535
            bus[0].device[0].register[1].order: `ab` is none of abcd, cdab, badc, dcba
            bus[0].device[0].register[2].gauge: `x` is not a gauge: STATION/GAUGE
            bus[0].device[0].register[2].table: `output` is none of coil, discrete, holding, input
            bus[0].device[0].register[2].type: `u8` is none of u16, i16, u32, i32, u64, i64, f32, f64, bcd16, bcd32, bool, bits
            bus[0].device[0].register[2].address: from 65536 on it ends past the last address, 65535
            bus[0].device[0].register[2].unit: `furlong` is no unit; write m3/s, l/s, m3/h, m, mm, V, degC, mg/L or another of docs/registry.md
            bus[0].device[0].register[3].bit: is for type "bits", not for u16
            bus[0].device[0].register[3].type: a coil or discrete input is one bit; its type is bool
            bus[0].device[0].register[3].unit: missing
            bus[0].device[0].register[4].type: `bool` is for coil and discrete; for a bit of a word write "bits" and `bit`
            bus[0].device[0].register[5].bit: missing; write `bit`, or `mask` for several
            bus[0].device[0].register[6].bit: 16 is not between 0 and 15
            bus[0].device[0].register[6].mask: 0 is not between 1 and 65535
            bus[0].device[0].register[6].mask: beside `bit`; write one of both
            bus[0].device[0].register[7].bit: is for type "bits", not for u64
            bus[0].device[0].register[7].type: u64 takes 4 words, max_registers is 2
            bus[0].device[0].register[8].order: `abdc` is none of abcd, cdab, badc, dcba
            bus[0].device[0].register[8].scale: `0.0000000001` has more than 9 decimals
            bus[0].device[0].register[8].offset: `x` is not a decimal number; write it as 0.075
            bus[0].device[0].register[8].decimals: 10 is not between 0 and 9
            bus[0].device[0].register[8].alert_below: `0.1234567` has more than 6 decimals
            bus[0].device[0].register[9].order: `abcd` is none of ab, ba
            bus[0].device[0].register[9].alert_below: `0.5` has more than 0 decimals
            bus[0].device[0].register[9].limit: unknown key
        "#]],
    );
    let one_based = "addressing = 'one_based'\nregister = [{ gauge = 'BF-1/x', table = 'input', address = 0, type = 'u16', unit = 'm' }]";
    check_registers(
        one_based,
        &expect![[r#"
        bus[0].device[0].register[0].address: addressing is one_based: the first address is 1
    "#]],
    );
}
