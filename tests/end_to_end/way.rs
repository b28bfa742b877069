//! The way: what a register holds is what the API says, soon after, whatever the wiring.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use world::{Bus, Exact, Meter, Oracle, Register, Sample, SerialPair, Server, Site, World, wait};

const PATIENCE: Duration = Duration::from_secs(30);
/// Beyond the poll period. Speed is measured by `./run bench`; this only says that it is not minutes.
const SOON: Duration = Duration::from_secs(2);

/// Waits until a gauge has a good sample of this value.
fn until_value(server: &Server, gauge: &str, since_ms: i64, value: Exact, patience: Duration) {
    let api = server.api();
    let what = format!("{gauge} is {value}");
    wait::until_every(Duration::from_millis(5), &what, patience, || {
        let samples = api.samples_since(gauge, since_ms)?;
        let last = samples.last().cloned();
        let is_there =
            samples.iter().any(|sample| sample.value == Some(value) && sample.quality == "good");
        if is_there { Ok(()) } else { Err(format!("{last:?}")) }
    });
}

#[test]
fn a_changed_register_is_seen_through_the_api_soon_after() {
    let mut world = World::new("changed");
    let mut meter = world.meter("em");
    let flow = Register::flow("release-meter", 1, 100, "abcd");
    meter.command(&flow.set(1800.0));
    let bus = Bus::new(&meter, "200ms", vec![flow.clone()]);
    let site = Site { max_age: "0s", ..Site::new("changed", vec![bus]) };
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let gauge = site.full("release-meter");
    until_value(&world.server, &gauge, 0, Exact::parse("0.5").unwrap(), PATIENCE);
    let mut took = Vec::new();
    for litres in 1..=10_i32 {
        let (since, at) = (wait::now_ms() - 1_000, wait::Since::now());
        // litres a second as cubic metres an hour: what f32 holds of it rounds to the litre again
        meter.command(&flow.set(f64::from(litres) * 3.6));
        let expected = Exact::scaled(i128::from(litres), 3);
        until_value(&world.server, &gauge, since, expected, Duration::from_millis(200) + SOON);
        took.push(at.elapsed());
    }
    took.sort();
    println!(
        "a changed register of a meter polled each 200 ms was seen after {:?} (median), {:?} (slowest of 10)",
        took[5], took[9]
    );
    meter.silence([1]);
    Oracle::read(&[&site]).reconcile(&world.server, PATIENCE);
}

#[test]
fn a_value_that_crosses_its_limit_does_not_wait_for_its_batch() {
    let mut world = World::new("crossing");
    let mut meter = world.meter("em");
    let flow =
        Register { alert_below: Some("1800"), ..Register::flow("release-meter", 1, 100, "abcd") };
    meter.command(&flow.set(2000.0));
    let bus = Bus::new(&meter, "200ms", vec![flow.clone()]);
    let site = Site { max_age: "1h", ..Site::new("crossing", vec![bus]) };
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let gauge = site.full("release-meter");
    wait::until("some readings are on the agent's disk", PATIENCE, || {
        let held = agent.spool().try_exists().is_ok_and(|there| there).then(|| agent.held());
        let points =
            held.map_or(0, |held| held.columns.iter().map(|column| column.points.len()).sum());
        if points >= 3 { Ok(()) } else { Err(format!("{points} points")) }
    });
    for (cubic_metres, stored) in [(1799.0, "0.499722"), (1800.0, "0.5")] {
        let since = wait::now_ms() - 1_000;
        meter.command(&flow.set(cubic_metres));
        let expected = Exact::parse(stored).unwrap();
        until_value(&world.server, &gauge, since, expected, Duration::from_millis(200) + SOON);
    }
    meter.silence([1]);
    agent.stop();
    agent.start();
    Oracle::read(&[&site]).reconcile(&world.server, PATIENCE);
}

/// Registers of every type in every order, each in words of its own; what the fractions hold fits
/// the decimals that are asked for.
fn every_type() -> Vec<(Register, Value)> {
    const ORDERS: [(&str, &[&str]); 11] = [
        ("u16", &["ab", "ba"]),
        ("i16", &["ab", "ba"]),
        ("u32", &["abcd", "cdab", "badc", "dcba"]),
        ("i32", &["abcd", "cdab", "badc", "dcba"]),
        ("u64", &["abcdefgh", "ghefcdab", "badcfehg", "hgfedcba"]),
        ("i64", &["abcdefgh", "ghefcdab", "badcfehg", "hgfedcba"]),
        ("bcd16", &["ab", "ba"]),
        ("bcd32", &["abcd", "cdab"]),
        ("f32", &["abcd", "cdab", "badc", "dcba"]),
        ("f64", &["abcdefgh", "ghefcdab", "badcfehg", "hgfedcba"]),
        ("bool", &[]),
    ];
    let mut registers = Vec::new();
    for (kind, orders) in ORDERS {
        let tables: &[&str] =
            if kind == "bool" { &["coil", "discrete"] } else { &["input", "holding"] };
        for table in tables.iter().copied() {
            for order in if orders.is_empty() { &[""][..] } else { orders }.iter().copied() {
                let address = 4 * u16::try_from(registers.len()).unwrap();
                let gauge = format!("{kind}-{table}-{order}").trim_end_matches('-').to_owned();
                let register = Register::new(&gauge, 3, table, address, kind);
                let register = match kind {
                    "bool" => {
                        Register { quantity: "state", unit: "1", gauge_unit: "1", ..register }
                    }
                    "f32" | "f64" => {
                        Register { order: Some(order), decimals: 3, stored: 3, ..register }
                    }
                    "i16" => Register {
                        order: Some(order),
                        scale: "0.01",
                        offset: "-40.5",
                        decimals: 2,
                        stored: 2,
                        ..register
                    },
                    _ => Register { order: Some(order), ..register },
                };
                let command = match kind {
                    "f32" | "f64" => register.sequence(&[0.612, -12.5, 2700.25, 0.0, 1234.567]),
                    "i16" | "i32" | "i64" => register.sequence(&[]),
                    "bool" => register.count(0),
                    _ => register.count(90 + u64::from(address)),
                };
                let command = match kind {
                    "i16" => with_values(command, &json!([-1234, 0, 32767, -32768])),
                    "i32" => with_values(command, &json!([-123_456_789, 7, 2_147_483_647])),
                    "i64" => with_values(
                        command,
                        &json!([-9_876_543_210_i64, 8, 9_000_000_000_000_000_001_i64]),
                    ),
                    _ => command,
                };
                registers.push((register, command));
            }
        }
    }
    registers
}

fn with_values(mut command: Value, values: &Value) -> Value {
    command["sequence"]["values"] = values.clone();
    command
}

#[test]
fn every_type_in_every_word_order_arrives_as_it_was_given_out() {
    let mut world = World::new("types");
    let mut meter = world.meter("all");
    let (registers, commands): (Vec<_>, Vec<_>) = every_type().into_iter().unzip();
    for command in &commands {
        meter.command(command);
    }
    let site = Site::new("types", vec![Bus::new(&meter, "500ms", registers)]);
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let some = 8 * commands.len();
    wait::until("eight readings of each register", PATIENCE, || {
        let count = Oracle::read(&[&site]).count();
        if count >= some { Ok(()) } else { Err(count) }
    });
    meter.silence([3]);
    Oracle::read(&[&site]).reconcile(&world.server, PATIENCE);
}

#[test]
fn a_meter_on_libmodbus_is_read_as_its_table_says() {
    let mut world = World::new("libmodbus");
    let meter = Meter::libmodbus(world.folder(), world.watch());
    let float =
        |decimals| move |register: Register| Register { decimals, stored: decimals, ..register };
    let whole = || float(0);
    let bit =
        |register: Register| Register { quantity: "state", unit: "1", gauge_unit: "1", ..register };
    let input = |gauge, address, kind, order| Register {
        order: Some(order),
        ..Register::new(gauge, 1, "input", address, kind)
    };
    let table = |gauge, table, address, kind| Register::new(gauge, 1, table, address, kind);
    let expected = [
        (whole()(input("u16", 0, "u16", "ab")), "54321"),
        (whole()(input("i16", 1, "i16", "ab")), "-1234"),
        (whole()(input("u32", 2, "u32", "abcd")), "3000000000"),
        (whole()(input("i32", 4, "i32", "cdab")), "-123456789"),
        (float(3)(input("f32-abcd", 6, "f32", "abcd")), "0.75"),
        (float(3)(input("f32-cdab", 8, "f32", "cdab")), "1.25"),
        (float(3)(input("f32-badc", 10, "f32", "badc")), "-12.5"),
        (float(3)(input("f32-dcba", 12, "f32", "dcba")), "2700.5"),
        (whole()(input("u64", 14, "u64", "abcdefgh")), "1234567890123456789"),
        (whole()(input("i64", 18, "i64", "ghefcdab")), "-9876543210"),
        (float(6)(input("f64-big", 22, "f64", "abcdefgh")), "3.141593"),
        (float(6)(input("f64-little", 26, "f64", "hgfedcba")), "-0.001"),
        (whole()(table("bcd16", "holding", 100, "bcd16")), "1234"),
        (whole()(table("bcd32", "holding", 101, "bcd32")), "12345678"),
        (bit(table("coil-0", "coil", 0, "bool")), "1"),
        (bit(table("coil-1", "coil", 1, "bool")), "0"),
        (bit(table("discrete-0", "discrete", 0, "bool")), "0"),
        (bit(table("discrete-3", "discrete", 3, "bool")), "1"),
    ];
    let registers = expected.iter().map(|(register, _)| register.clone()).collect();
    let site = Site::new("libmodbus", vec![Bus::new(&meter, "200ms", registers)]);
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let api = world.server.api();
    for (register, value) in &expected {
        let gauge = site.full(&register.gauge);
        let value = Exact::parse(value).unwrap();
        let samples = wait::until(&format!("three samples of {gauge}"), PATIENCE, || {
            let samples = api.samples(&gauge)?;
            if samples.len() >= 3 { Ok(samples) } else { Err(format!("{samples:?}")) }
        });
        let is_right = |sample: &Sample| sample.value == Some(value) && sample.quality == "good";
        assert!(samples.iter().all(is_right), "{gauge} must be {value}: {samples:?}");
    }
}

#[test]
fn a_serial_line_and_rtu_over_tcp_are_read_like_modbus_tcp() {
    let mut world = World::new("rtu");
    let line = SerialPair::open(world.folder());
    let mut serial = Meter::rtu(world.folder(), "serial", &line.meter, &line.agent);
    let mut bridged = world.meter_rtu_over_tcp("bridged");
    let register = |gauge: &str, unit, address| Register {
        order: Some("cdab"),
        ..Register::new(gauge, unit, "holding", address, "u32")
    };
    let on_serial = vec![register("serial-a", 7, 0), register("serial-b", 8, 40)];
    let on_bridge = vec![register("bridged-a", 7, 0), register("bridged-b", 9, 9)];
    for (register, start) in on_serial.iter().zip([100_000, 200_000]) {
        serial.command(&register.count(start));
    }
    for (register, start) in on_bridge.iter().zip([300_000, 400_000]) {
        bridged.command(&register.count(start));
    }
    let buses = vec![Bus::new(&serial, "500ms", on_serial), Bus::new(&bridged, "500ms", on_bridge)];
    let site = Site::new("rtu", buses);
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    wait::until("six readings of each register", PATIENCE, || {
        let oracle = Oracle::read(&[&site]);
        let counts: Vec<usize> =
            site.registers().map(|register| oracle.of(&site.full(&register.gauge)).len()).collect();
        if counts.iter().all(|count| *count >= 6) { Ok(()) } else { Err(format!("{counts:?}")) }
    });
    serial.silence([7, 8]);
    bridged.silence([7, 9]);
    Oracle::read(&[&site]).reconcile(&world.server, PATIENCE);
}

/// A way for a meter to answer wrongly, and the words that may stand in its values' place.
struct Wrong {
    fault: Value,
    /// The first one must occur.
    words: &'static [&'static str],
}

fn every_fault() -> Vec<Wrong> {
    let wrong = |fault, words| Wrong { fault, words };
    vec![
        wrong(json!({"kind": "silent"}), &["timeout", "back_off"]),
        wrong(json!({"kind": "delay", "ms": 3000}), &["timeout", "back_off"]),
        wrong(json!({"kind": "exception", "code": 4}), &["exception_4"]),
        wrong(json!({"kind": "short"}), &["short", "back_off"]),
        wrong(json!({"kind": "truncated"}), &["timeout", "malformed", "back_off"]),
        wrong(json!({"kind": "wrong_unit"}), &["mismatched", "back_off"]),
        wrong(json!({"kind": "wrong_transaction"}), &["mismatched", "back_off"]),
        wrong(json!({"kind": "wrong_function"}), &["mismatched", "back_off"]),
        wrong(json!({"kind": "garbage"}), &["malformed", "timeout", "mismatched", "back_off"]),
        wrong(json!({"kind": "close"}), &["unreachable", "malformed", "timeout", "back_off"]),
    ]
}

#[test]
fn a_meter_that_answers_wrongly_is_a_named_defect_on_its_gauge_alone() {
    let mut world = World::new("wrong");
    let mut meter = world.meter("faulty");
    let mut bridged = world.meter_rtu_over_tcp("bridged");
    let mut faults = every_fault();
    let by_crc = faults.len();
    faults.push(Wrong {
        fault: json!({"kind": "bad_crc"}),
        words: &["malformed", "timeout", "back_off"],
    });
    // On each line the unit that will answer wrongly, and the next one, which never does.
    let mut buses = Vec::new();
    for at in 0..faults.len() {
        let unit = u8::try_from(2 * at + 1).unwrap();
        let peer = if at == by_crc { &mut bridged } else { &mut meter };
        let pair =
            |unit: u8, name: &str| Register::new(&format!("{name}-{at}"), unit, "input", 10, "u32");
        let registers = vec![pair(unit, "wrong"), pair(unit + 1, "good")];
        for register in &registers {
            peer.command(&register.count(u64::from(register.unit_id) * 1_000_000));
        }
        buses.push(Bus { timeout: "2s", ..Bus::new(peer, "400ms", registers) });
    }
    let site = Site { max_age: "0s", ..Site::new("wrong", buses) };
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let api = world.server.api();
    let latest = |name: &str| api.samples(&site.full(name)).map(|samples| samples.last().cloned());
    let until_good = |since_ms: i64, names: &[&str]| {
        for (at, wrong) in faults.iter().enumerate() {
            for name in names {
                let name = format!("{name}-{at}");
                wait::until(&format!("{name} is good"), PATIENCE, || match latest(&name)? {
                    Some(sample) if sample.at_ms > since_ms && sample.value.is_some() => Ok(()),
                    other => Err(format!("{other:?} after {}", wrong.fault)),
                });
            }
        }
    };
    until_good(0, &["wrong", "good"]);

    let mut began = Vec::new();
    for (at, wrong) in faults.iter().enumerate() {
        let unit = u8::try_from(2 * at + 1).unwrap();
        if at == by_crc { &mut bridged } else { &mut meter }.fault(unit, &wrong.fault);
        began.push(wait::now_ms());
    }
    for (at, wrong) in faults.iter().enumerate() {
        let gauge = site.full(&format!("wrong-{at}"));
        wait::until(&format!("{} is told by name", wrong.fault), PATIENCE, || {
            // a reading may have been under way when the fault began
            let samples = api.samples_since(&gauge, began[at] + 500)?;
            let reasons: BTreeMap<&str, usize> = samples
                .iter()
                .map(|sample| sample.reason.as_deref().unwrap_or("none"))
                .fold(BTreeMap::new(), |mut counts, reason| {
                    *counts.entry(reason).or_default() += 1;
                    counts
                });
            assert!(
                samples.iter().all(|sample| sample.value.is_none() && sample.quality == "bad"),
                "{} must not give values: {samples:?}",
                wrong.fault
            );
            assert!(
                reasons.keys().all(|reason| wrong.words.contains(reason)),
                "{} is called {reasons:?}, not {:?}",
                wrong.fault,
                wrong.words
            );
            let has_primary = wrong.words[..1].iter().any(|word| reasons.contains_key(word))
                || wrong.words.contains(&"malformed") && !reasons.is_empty();
            if has_primary { Ok(()) } else { Err(format!("{reasons:?}")) }
        });
    }
    let now = wait::now_ms();
    until_good(now, &["good"]);
    for at in 0..faults.len() {
        let unit = u8::try_from(2 * at + 1).unwrap();
        if at == by_crc { &mut bridged } else { &mut meter }.fault(unit, &json!({"kind": null}));
    }
    until_good(wait::now_ms(), &["wrong", "good"]);
    for at in 0..faults.len() {
        let unit = u8::try_from(2 * at + 1).unwrap();
        if at == by_crc { &mut bridged } else { &mut meter }.silence([unit, unit + 1]);
    }
    Oracle::read(&[&site]).reconcile(&world.server, PATIENCE);
}

#[test]
fn a_reply_that_comes_again_or_late_never_becomes_another_registers_value() {
    let mut world = World::new("late");
    let mut meter = world.meter("late");
    let register = |gauge: &str, unit, address| Register::new(gauge, unit, "input", address, "u32");
    // Addresses too far apart for one request: three requests in turn on one connection, alike in
    // everything but address and unit.
    let registers = vec![register("a", 1, 0), register("b", 1, 300), register("c", 2, 600)];
    for (register, start) in registers.iter().zip([1_000_000, 2_000_000, 3_000_000]) {
        meter.command(&register.count(start));
    }
    let bus = Bus { timeout: "1s", ..Bus::new(&meter, "400ms", registers) };
    let site = Site { max_age: "0s", ..Site::new("late", vec![bus]) };
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let count = |gauge: &str| Oracle::read(&[&site]).of(&site.full(gauge)).len();
    let until_more = |more: usize| {
        let wanted = count("c") + more;
        wait::until("replies", PATIENCE, || {
            let found = count("c");
            if found >= wanted { Ok(()) } else { Err(found) }
        });
    };
    until_more(2);
    for _ in 0..3 {
        meter.fault(1, &json!({"kind": "extra_late", "ms": 150, "count": 2}));
        until_more(3);
        meter.fault(1, &json!({"kind": "delay", "ms": 1200, "count": 1}));
        until_more(3);
    }
    meter.silence([1, 2]);
    Oracle::read(&[&site]).reconcile(&world.server, PATIENCE);
}

#[test]
fn what_holds_no_number_is_named_and_nothing_stands_in_its_place() {
    let mut world = World::new("nothing");
    let mut meter = world.meter("odd");
    let register =
        |gauge: &str, unit, address, kind| Register::new(gauge, unit, "input", address, kind);
    let float = |gauge: &str, address| Register {
        decimals: 3,
        stored: 3,
        ..register(gauge, 1, address, "f32")
    };
    let expected = [
        (float("nan", 0), "not_a_number"),
        (float("infinity", 2), "not_a_number"),
        (register("bcd", 1, 4, "bcd16"), "invalid_bcd"),
        (Register { scale: "1000", decimals: 9, ..register("huge", 1, 6, "u64") }, "overflow"),
        (register("beyond", 1, 500, "u16"), "exception_2"),
        (register("nobody", 9, 0, "u16"), "timeout"),
    ];
    for (address, words) in [
        (0, [0x7FC0, 0]),
        (2, [0xFF80, 0]),
        (4, [0x12FA, 0]),
        (6, [0xFFFF, 0xFFFF]),
        (8, [0xFFFF, 0xFFFF]),
    ] {
        meter.command(
            &json!({"set": {"unit": 1, "table": "input", "address": address, "words": words}}),
        );
    }
    let good = register("good", 1, 5, "u16");
    let mut registers: Vec<Register> =
        expected.iter().map(|(register, _)| register.clone()).collect();
    registers.push(good);
    let bus = Bus { timeout: "1s", ..Bus::new(&meter, "400ms", registers) };
    let dead = Bus {
        url: "tcp://127.0.0.1:9".to_owned(), // nobody listens at `discard`
        registers: vec![register("closed", 1, 0, "u16")],
        ..bus.clone()
    };
    let site = Site { max_age: "0s", ..Site::new("nothing", vec![bus, dead]) };
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let api = world.server.api();
    let all = expected.iter().map(|(register, word)| (register.gauge.as_str(), *word));
    for (gauge, word) in all.chain([("closed", "unreachable")]) {
        let samples = wait::until(&format!("{gauge} is told as {word}"), PATIENCE, || {
            let samples = api.samples(&site.full(gauge))?;
            let is_told = samples.iter().any(|sample| sample.reason.as_deref() == Some(word));
            if is_told { Ok(samples) } else { Err(format!("{:?}", samples.last())) }
        });
        assert!(samples.iter().all(|sample| sample.value.is_none()), "{gauge}: {samples:?}");
    }
    wait::until("the good neighbour", PATIENCE, || {
        let samples = api.samples(&site.full("good"))?;
        let good = samples.iter().filter(|sample| sample.value == Some(Exact::whole(0))).count();
        if good >= 3 { Ok(()) } else { Err(format!("{samples:?}")) }
    });
}

#[test]
fn an_agent_with_much_to_do_still_says_how_it_is() {
    let mut world = World::new("busy");
    let mut meter = world.meter("busy");
    let site = Site { max_age: "0s", ..Site::counting("busy", &mut meter, "100ms", 40) };
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let api = world.server.api();
    let status = || {
        let agents = api.list("agents", "");
        let own = agents.into_iter().find(|agent| agent["id"] == site.agent.as_str());
        own.map(|agent| agent["status"].clone()).unwrap_or_default()
    };
    wait::until("the device is told as ok", PATIENCE, || {
        let status = status();
        let state = &status["buses"][0]["devices"][0]["state"];
        if state == "ok" && status["online"] == true { Ok(()) } else { Err(status) }
    });
    wait::until("the spool is shown to grow", PATIENCE, || {
        let bytes = agent.metric("baseflow_edge_spool_bytes")?;
        if bytes > 65_536.0 { Ok(()) } else { Err(bytes.to_string()) }
    });
    agent.stop();
    wait::until("it is told as offline", PATIENCE, || {
        let status = status();
        if status["online"] == false { Ok(()) } else { Err(status) }
    });
}
