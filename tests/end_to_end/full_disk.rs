//! Full disk: at the agent the oldest committed batches go first, then there is a recorded gap.

use std::{process::Command, time::Duration};

use rusqlite::Connection;
use world::{Agent, Bus, Meter, Oracle, Register, Site, World, not_proven, program, wait};

const PATIENCE: Duration = Duration::from_secs(90);

/// `unshare` with a mount namespace, so that a small disk is seen by one process alone.
fn unshare() -> Option<Command> {
    let arguments = if rustix::process::geteuid().is_root() { "-m" } else { "-rm" };
    let make = || {
        let mut command = Command::new(program("unshare")?);
        command.arg(arguments);
        Some(command)
    };
    let tried = make()?.args(["sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]).output().ok()?;
    tried.status.success().then(make).flatten()
}

const UNITS: u8 = 6;

/// So many gauges that a batch of each poll soon fills a small disk.
fn bulky(meter: &mut Meter) -> Site {
    let mut registers = Vec::new();
    for unit in 1..=UNITS {
        for at in 0..60_u16 {
            let number = u16::from(unit) * 100 + at;
            let gauge = format!("turbine-hall-level-{number}");
            let register = Register::new(&gauge, unit, "input", 2 * at, "u32");
            meter.command(&register.count(u64::from(number) * 5_000_000));
            registers.push(register);
        }
    }
    let site = Site::new("full-disk", vec![Bus::new(meter, "100ms", registers)]);
    // not compressed: names alone would shrink to nothing
    Site { max_age: "0s", batch: "compress = false", ..site }
}

#[test]
fn an_agents_full_disk_takes_committed_batches_first_and_then_leaves_a_recorded_gap() {
    let Some(mut command) = unshare() else {
        not_proven("what an agent does on a full disk (no mount namespace for a small tmpfs)");
        return;
    };
    let mut world = World::new("full-disk");
    world.announce("disk");
    world.announce("overwritten");
    let mut meter = world.meter("bulky");
    let site = bulky(&mut meter);
    world.open(&[&site]);
    let disk = world.folder().join("disk");
    std::fs::create_dir(&disk).expect("a folder");
    let mut agent = world.agent_at(&site, "small", &disk.join("spool.db"));
    let run = agent.command_line(&["run"]);
    let script = format!("mount -t tmpfs -o size=4m none {} && exec \"$0\" \"$@\"", disk.display());
    command.args(["sh", "-c", &script]).arg(run.get_program()).args(run.get_args());
    agent.spawn(&mut command);
    let metric = |name: &str| agent_metric(&agent, name);

    // While the server takes everything, a full disk costs nothing: only committed batches go.
    let second = Duration::from_secs(1);
    let mut before = (0.0, 0.0);
    wait::until_every(second, "committed batches make room for others", PATIENCE, || {
        let now = (metric("spool_bytes")?, metric("batches_closed_total")?);
        let lost = metric("spool_overwritten_readings_total")?;
        assert!(lost < 1.0, "{lost} readings were lost while the server took everything");
        let is_reached = now.0 > 1e6 && now.0 < before.0 * 1.02 && now.1 > before.1 + 10.0;
        before = now;
        if is_reached { Ok(()) } else { Err(format!("{} bytes, {} batches closed", now.0, now.1)) }
    });
    println!("the disk is full with {} bytes after {} batches", before.0, before.1);

    // Without a broker the oldest readings go, and the spool says which.
    world.broker.kill9();
    wait::until_every(second, "readings are lost", PATIENCE, || {
        let lost = metric("spool_overwritten_readings_total")?;
        if lost > 1_000.0 { Ok(()) } else { Err(lost.to_string()) }
    });
    world.broker.start();
    wait::until_every(second, "the queue is drained", PATIENCE, || {
        let queued = metric("spool_queued_batches")?;
        if queued < 20.0 { Ok(()) } else { Err(queued.to_string()) }
    });
    agent.process().expect_running();
    meter.silence(1..=UNITS);

    // What is missing is exactly what the recorded gaps say.
    let api = world.server.api();
    let oracle = Oracle::read(&[&site]);
    let count = wait::until_every(second, "everything but the gaps", PATIENCE, || {
        let found = world::compare(&oracle, &oracle.stored(&api)?);
        assert!(found.has_only_missing(), "{found}");
        let recorded = recorded_gaps(&world);
        let missing = u64::try_from(found.missing.len()).unwrap();
        let is_inside = found.missing.iter().all(|given| {
            recorded.iter().any(|gap| (gap.from - 1_000..gap.to + 1_000).contains(&given.at_ms))
        });
        let told: u64 = recorded.iter().map(|gap| gap.readings).sum();
        let text = format!("{missing} missing, {told} told, all inside: {is_inside}, {found}");
        if missing == told && is_inside && missing > 0 { Ok(missing) } else { Err(text) }
    });
    println!("a full disk cost {count} readings of {}, all of them recorded", oracle.count());
}

fn agent_metric(agent: &Agent, name: &str) -> Result<f64, String> {
    agent.metric(&format!("baseflow_edge_{name}"))
}

struct RecordedGap {
    from: i64,
    to: i64,
    readings: u64,
}

/// The gaps that the store has, as `docs/formats.md` §9 describes them.
fn recorded_gaps(world: &World) -> Vec<RecordedGap> {
    let samples = Connection::open(world.server.data().join("samples.db")).expect("the store");
    let mut query = samples.prepare("SELECT from_ms, to_ms, readings FROM gap").expect("its gaps");
    let gaps = query.query_map([], |row| {
        let readings = u64::try_from(row.get::<_, i64>(2)?).expect("a count");
        Ok(RecordedGap { from: row.get(0)?, to: row.get(1)?, readings })
    });
    gaps.expect("its gaps").map(|gap| gap.expect("a gap")).collect()
}
