//! No room: at the agent committed batches go first, then the oldest, and then a gap is recorded.

use std::{collections::BTreeSet, fs, process::Command, time::Duration};

use rusqlite::Connection;
use world::{Agent, Bus, Meter, Oracle, Register, Site, World, heavy, not_proven, program, wait};

const PATIENCE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
const UNITS: u8 = 6;
/// What each unit gives out at a poll, which is a batch.
const GAUGES: u16 = 60;

/// So many gauges that a batch of each poll soon fills a small room.
fn bulky(name: &str, meter: &mut Meter) -> Site {
    let mut registers = Vec::new();
    for unit in 1..=UNITS {
        for at in 0..GAUGES {
            let number = u16::from(unit) * 100 + at;
            let gauge = format!("turbine-hall-level-{number}");
            let register = Register::new(&gauge, unit, "input", 2 * at, "u32");
            meter.command(&register.count(u64::from(number) * 5_000_000));
            registers.push(register);
        }
    }
    let site = Site::new(name, vec![Bus::new(meter, "100ms", registers)]);
    // not compressed: names alone would shrink to nothing
    Site { max_age: "0s", batch: "compress = false", ..site }
}

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

#[test]
fn a_full_spool_gives_up_committed_batches_first_and_then_the_oldest_with_a_gap() {
    let _turn = heavy();
    let mut world = World::new("full-spool");
    let mut meter = world.meter("bulky");
    let site = Site { spool: "max_size = \"1MiB\"", ..bulky("full-spool", &mut meter) };
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    fill_and_drain(&mut world, &mut meter, &site, &mut agent, 0.8e6);
}

#[test]
fn a_full_disk_gives_up_committed_batches_first_and_then_the_oldest_with_a_gap() {
    let Some(mut command) = unshare() else {
        not_proven("what an agent does on a full disk (no mount namespace for a small tmpfs)");
        return;
    };
    let _turn = heavy();
    let mut world = World::new("full-disk");
    let mut meter = world.meter("bulky");
    let site = bulky("full-disk", &mut meter);
    world.open(&[&site]);
    let disk = world.folder().join("disk");
    fs::create_dir(&disk).expect("a folder");
    let mut agent = world.agent_at(&site, "small", &disk.join("spool.db"));
    let run = agent.command_line(&["run"]);
    let script = format!("mount -t tmpfs -o size=6m none {} && exec \"$0\" \"$@\"", disk.display());
    command.args(["sh", "-c", &script]).arg(run.get_program()).args(run.get_args());
    agent.spawn(&mut command);
    fill_and_drain(&mut world, &mut meter, &site, &mut agent, 1e6);
}

/// First with a server that takes everything, then without a broker, then with one again.
fn fill_and_drain(world: &mut World, meter: &mut Meter, site: &Site, agent: &mut Agent, full: f64) {
    world.announce("lost from spool");
    world.announce("the disk is full");
    let metric = |agent: &Agent, name: &str| agent.metric(&format!("baseflow_edge_{name}"));

    // While the server takes everything, no room costs nothing: only committed batches go.
    let mut before = (0.0, 0.0);
    wait::until_every(SECOND, "committed batches make room for others", PATIENCE, || {
        let now = (metric(agent, "spool_bytes")?, metric(agent, "batches_closed_total")?);
        let lost = metric(agent, "spool_overwritten_readings_total")?;
        assert!(lost < 1.0, "{lost} readings were lost while the server took everything");
        let is_reached = now.0 > full && now.0 < before.0 * 1.02 && now.1 > before.1 + 10.0;
        before = now;
        if is_reached { Ok(()) } else { Err(format!("{} bytes, {} batches closed", now.0, now.1)) }
    });
    println!("full with {} bytes after {} batches", before.0, before.1);

    // Without a broker the oldest readings go, and the spool says which.
    world.broker.kill9();
    wait::until_every(SECOND, "readings are lost", PATIENCE, || {
        let lost = metric(agent, "spool_overwritten_readings_total")?;
        if lost > 1_000.0 { Ok(()) } else { Err(lost.to_string()) }
    });
    world.broker.start();
    wait::until_every(SECOND, "the queue is drained", PATIENCE, || {
        let queued = metric(agent, "spool_queued_batches")?;
        if queued < 20.0 { Ok(()) } else { Err(queued.to_string()) }
    });
    agent.process().expect_running();
    meter.silence(1..=UNITS);

    // What is missing is what the recorded gaps name and has not arrived after all: of what was on
    // its way when the broker went, the agent cannot know that it had.
    let api = world.server.api();
    let oracle = Oracle::read(&[site]);
    let count = wait::until_every(SECOND, "everything but the gaps", PATIENCE, || {
        let found = world::compare(&oracle, &oracle.stored(&api)?);
        assert!(found.has_only_missing(), "{found}");
        let recorded = Recorded::read(world);
        let is_named = found.missing.iter().all(|given| {
            let is_inside =
                |(from, to): &(i64, i64)| (from - 1_000..to + 1_000).contains(&given.at_ms);
            recorded.spans.iter().any(is_inside)
        });
        let (gone, missing) = (recorded.gone.len(), found.missing.len());
        if missing > 0 && is_named && gone * usize::from(GAUGES) == missing {
            Ok(missing)
        } else {
            Err(format!("all missing are in gaps: {is_named}; {gone} batches gone; {found}"))
        }
    });
    println!("no room cost {count} readings of {}, each of them in a gap", oracle.count());
}

/// What the store was told to be lost.
struct Recorded {
    /// From the first to after the last moment.
    spans: Vec<(i64, i64)>,
    /// Sequences that a gap names and that have not arrived.
    gone: BTreeSet<i64>,
}

impl Recorded {
    /// The gaps that the store has, as `docs/formats.md` §9 describes them.
    fn read(world: &World) -> Self {
        let samples = world.server.data().join("samples.db");
        let samples = Connection::open(samples).expect("the store");
        let mut query = samples
            .prepare("SELECT from_ms, to_ms, first_sequence, last_sequence FROM gap")
            .expect("its gaps");
        let rows = query.query_map([], |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get::<_, i64>(2)?..=row.get::<_, i64>(3)?))
        });
        let (spans, ranges): (Vec<_>, Vec<_>) =
            rows.expect("its gaps").map(|row| row.expect("a gap")).unzip();
        let mut gone: BTreeSet<i64> = ranges.into_iter().flatten().collect();
        let mut query = samples.prepare("SELECT sequence FROM admitted").expect("its batches");
        let rows = query.query_map([], |row| row.get::<_, i64>(0)).expect("its batches");
        for sequence in rows {
            gone.remove(&sequence.expect("a sequence"));
        }
        Self { spans, gone }
    }
}
