//! Row `edge_poll`: ten devices of a hundred registers, once a second, by the agent and by Telegraf.

use std::{
    env,
    fmt::Write as _,
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use rumqttc::v5::{
    Client, Event, MqttOptions,
    mqttbytes::{QoS, v5::Packet},
};
use serde_json::json;
use world::{Bus, Meter, Oracle, Process, Register, Site, World, tool, wait};

use crate::{
    Scale,
    figures::{Report, Spread, grouped},
    machine::{self, Memory},
    polled::Polled,
};

const DEVICES: usize = 10;
const REGISTERS: u16 = 100;
const PERIOD_MS: i64 = 1_000;
/// Until connections stand and memory has its size.
const WARM_UP: Duration = Duration::from_secs(10);

/// The row.
pub fn run(scale: &Scale, report: &mut Report) {
    let window = Duration::from_secs(if scale.is_quick { 60 } else { 600 });
    let mut world = World::new("bench-edge");
    let mut meters: Vec<Meter> = (0..DEVICES).map(|at| world.meter(&format!("m{at}"))).collect();
    let site = site(&mut meters);
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let measured = observe(agent.process().id(), &site, window, |bus| phase(&bus.name));
    silence(&mut meters);
    let oracle = Oracle::read(&[&site]);
    oracle.reconcile(&world.server, Duration::from_secs(60));
    agent.stop();
    let seconds = window.as_secs();
    tell(
        report,
        &format!("agent, {seconds} s"),
        &measured,
        ["≤ 15, aim 10", "≤ 2, aim 1", "0", "≤ 5"],
    );
    report.line(
        "edge_poll",
        "agent: values given out by the meters, each found once and equal through API and CSV",
        grouped(oracle.count() as f64, 0),
        "all",
    );
    match env::var_os("BASEFLOW_TELEGRAF") {
        Some(_) => telegraf(&world, &site, &mut meters, window, report),
        None => {
            let why = env::var_os("BASEFLOW_TELEGRAF_WHY").unwrap_or_default();
            let why = why.to_string_lossy();
            report.line("edge_poll", "Telegraf 1.37.2", format!("not measured here: {why}"), "");
        }
    }
}

/// Ten meters, each on a connection of its own, whose registers count with each reading.
fn site(meters: &mut [Meter]) -> Site {
    let mut buses = Vec::new();
    for (device, meter) in meters.iter_mut().enumerate() {
        let register = |at: u16| Register::new(&format!("d{device}-r{at}"), 1, "input", at, "u16");
        let registers: Vec<Register> = (0..REGISTERS).map(register).collect();
        let counters: Vec<_> = (0_u64..)
            .zip(&registers)
            .map(|(at, register)| register.count(1_000 + 31 * at)["counter"].clone())
            .collect();
        meter.command(&json!({"counter": counters}));
        let url = format!("tcp://127.0.0.1:{}", meter.port());
        buses.push(Bus { url, timeout: "1s", ..Bus::new(meter, "1s", registers) });
    }
    Site { max_age: "5s", ..Site::new("edge", buses) }
}

fn silence(meters: &mut [Meter]) {
    for meter in meters {
        meter.silence([1]);
    }
}

/// Where in the period the agent's slots of this bus lie, as `edge-agent/src/cadence.rs` has it:
/// FNV-1a of the bus's name.
fn phase(bus: &str) -> i64 {
    let mix = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    i64::from(bus.as_bytes().iter().fold(0x811c_9dc5, mix)) % PERIOD_MS
}

struct Measured {
    memory: Memory,
    cpu_percent: f64,
    expected: u64,
    missed: u64,
    skew: Spread,
}

/// A meter and the name that the agent has for its line.
struct Line<'a> {
    name: String,
    log: &'a Path,
}

fn observe(
    process: u32,
    site: &Site,
    window: Duration,
    phase: impl Fn(&Line<'_>) -> i64,
) -> Measured {
    wait::pass(WARM_UP);
    let (from_ms, before) = (wait::now_ms(), machine::cpu_seconds(process));
    let began = crate::clock::now();
    wait::pass(window);
    let cpu = machine::cpu_seconds(process) - before;
    let took = began.elapsed().as_secs_f64();
    let to_ms = wait::now_ms();
    let memory = machine::memory(process);
    let lines = site.buses.iter().enumerate();
    let polled: Vec<Polled> = lines
        .map(|(number, bus)| {
            let line = Line { name: format!("bus-{number}"), log: &bus.log };
            Polled::read(line.log, (from_ms, to_ms), PERIOD_MS, Some(phase(&line)))
        })
        .collect();
    Measured {
        memory,
        cpu_percent: 100.0 * cpu / took,
        expected: polled.iter().map(|polled| polled.expected).sum(),
        missed: polled.iter().map(|polled| polled.missed).sum(),
        skew: Spread::of(polled.into_iter().flat_map(|polled| polled.skews_ms)),
    }
}

fn tell(report: &mut Report, who: &str, measured: &Measured, goals: [&str; 4]) {
    let Measured { memory, cpu_percent, expected, missed, skew } = measured;
    let mut line = |what: &str, value: String, goal: &str| {
        report.line("edge_poll", &format!("{who}: {what}"), value, goal);
    };
    let memory = format!("{:.1} (peak {:.1})", memory.resident, memory.peak);
    line("resident memory, MiB", memory, goals[0]);
    line("CPU, % of a core", format!("{cpu_percent:.2}"), goals[1]);
    line("missed polls", format!("{missed} of {expected}"), goals[2]);
    let skew = format!("{:.0} / {:.0} / {:.0}", skew.median(), skew.at(0.99), skew.at(1.0));
    line("slot to the meter's log line, p50 / p99 / max ms", skew, goals[3]);
}

/// The same polls by Telegraf: Modbus input, MQTT output with QoS 1, disk buffer.
fn telegraf(
    world: &World,
    site: &Site,
    meters: &mut [Meter],
    window: Duration,
    report: &mut Report,
) {
    for meter in &mut *meters {
        meter.fault(1, &json!({"kind": null}));
    }
    let folder = world.folder().join("telegraf");
    fs::create_dir_all(folder.join("buffer")).expect("our own folder");
    let port = free_port();
    let broker = open_broker(&folder, port);
    let received = subscriber(port);
    let settings = folder.join("telegraf.conf");
    fs::write(&settings, telegraf_settings(&folder, port, meters)).expect("a settings file");
    let mut command = Command::new(tool("BASEFLOW_TELEGRAF"));
    command.arg("--config").arg(&settings).current_dir(&folder);
    let process = Process::start("Telegraf", &mut command, &folder.join("telegraf.log"));
    // It polls at whole seconds.
    let measured = observe(process.id(), site, window, |_| 0);
    let bytes = received.load(std::sync::atomic::Ordering::Relaxed);
    assert!(bytes > 0, "Telegraf sent nothing:\n{}", process.log_tail());
    tell(report, &format!("Telegraf 1.37.2, {} s", window.as_secs()), &measured, [""; 4]);
    process.stop(Duration::from_secs(20));
    broker.stop(Duration::from_secs(20));
    silence(meters);
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
    listener.local_addr().expect("an address").port()
}

/// A broker without rules: Telegraf is no agent.
fn open_broker(folder: &Path, port: u16) -> Process {
    let settings = folder.join("mosquitto.conf");
    fs::write(&settings, format!("listener {port} 127.0.0.1\nallow_anonymous true\n"))
        .expect("a settings file");
    let mut command = Command::new(tool("BASEFLOW_MOSQUITTO"));
    command.arg("-c").arg(&settings);
    let process = Process::start("a broker", &mut command, &folder.join("broker.log"));
    wait::until("the broker listens", Duration::from_secs(10), || {
        TcpStream::connect(("127.0.0.1", port))
    });
    process
}

/// Counts the bytes that arrive, so that the broker has somebody to deliver to.
fn subscriber(port: u16) -> std::sync::Arc<std::sync::atomic::AtomicU64> {
    let count = std::sync::Arc::<std::sync::atomic::AtomicU64>::default();
    let counted = std::sync::Arc::clone(&count);
    let mut options = MqttOptions::new("reader", "127.0.0.1", port);
    options.set_max_packet_size(Some(4 << 20));
    let (client, mut connection) = Client::new(options, 8);
    client.subscribe("telegraf/#", QoS::AtLeastOnce).expect("a running client");
    std::thread::spawn(move || {
        let _keeps_it_open = client;
        while let Ok(Ok(event)) = connection.recv() {
            if let Event::Incoming(Packet::Publish(publish)) = event {
                let bytes = publish.payload.len() as u64;
                counted.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
            }
        }
    });
    count
}

fn telegraf_settings(folder: &Path, port: u16, meters: &[Meter]) -> String {
    let mut text = format!(
        "[agent]\ninterval = \"1s\"\nround_interval = true\ncollection_jitter = \"0s\"\nflush_interval = \"5s\"\n\
         metric_batch_size = 1000\nmetric_buffer_limit = 10000\nbuffer_strategy = \"disk\"\n\
         buffer_directory = \"{}\"\nomit_hostname = true\n\n\
         [[outputs.mqtt]]\nservers = [\"tcp://127.0.0.1:{port}\"]\ntopic = \"telegraf/metrics\"\nqos = 1\n\
         layout = \"batch\"\ndata_format = \"influx\"\n",
        folder.join("buffer").display()
    );
    for (device, meter) in meters.iter().enumerate() {
        write!(
            text,
            "\n[[inputs.modbus]]\nname = \"d{device}\"\nslave_id = 1\ntimeout = \"1s\"\n\
             controller = \"tcp://127.0.0.1:{}\"\ninput_registers = [\n",
            meter.port()
        )
        .expect("a string takes all");
        for at in 0..REGISTERS {
            writeln!(
                text,
                "  {{ name = \"r{at}\", byte_order = \"AB\", data_type = \"UINT16\", scale = 1.0, address = [{at}] }},"
            )
            .expect("a string takes all");
        }
        text += "]\n";
    }
    text
}
