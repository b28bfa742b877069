//! A clock that the kernel does not vouch for: readings count from boot, and an anchor places them.

use std::time::Duration;

use model::{
    batch::{Batch, BatchClock},
    wire::batch_v1,
};
use rusqlite::{Connection, OpenFlags};
use world::{Bus, Register, Site, Strace, World, not_proven, wait};

const PATIENCE: Duration = Duration::from_secs(60);
/// What glibc makes of `adjtimex`, by its version.
const CALLS: &str = "adjtimex,clock_adjtime";

/// Every batch in a spool, in order, whether committed or not.
fn batches(spool: &std::path::Path) -> rusqlite::Result<Vec<Batch>> {
    let spool = Connection::open_with_flags(spool, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut query = spool.prepare("SELECT bytes FROM batch ORDER BY rowid")?;
    let rows = query.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|row| Ok(batch_v1::decode(&row?).expect("a batch").0)).collect()
}

fn moments(batch: &Batch) -> impl Iterator<Item = i64> {
    batch.columns.iter().flat_map(|column| column.points.iter().map(|point| point.at_ms))
}

#[test]
fn with_trust_auto_readings_count_from_boot_until_the_kernel_vouches_for_the_clock() {
    if !Strace::is_permitted() {
        not_proven("what an agent does until the kernel vouches for its clock (no ptrace)");
        return;
    }
    let mut world = World::new("clock");
    let mut meter = world.meter("clock");
    let register = Register::new("level", 1, "input", 0, "u16");
    meter.command(&register.count(7));
    let site = Site {
        max_age: "1s",
        batch: "[clock]\ntrust = \"auto\"",
        ..Site::new("clock", vec![Bus::new(&meter, "500ms", vec![register])])
    };
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    let said = agent.command(&["check"]).success();
    let kernel = ["kernel says synchronised", "kernel does not say", "kernel may not be asked"];
    assert!(kernel.iter().any(|words| said.contains(words)), "{said}");
    if said.contains(kernel[0]) {
        not_proven("what an agent does until the kernel vouches for its clock (it does here)");
        return;
    }

    // For five seconds the kernel answers as it is; then as if its clock were synchronised.
    let strace = Strace::answer_from(world.folder(), "agent", CALLS, 6);
    agent.start_under(&strace);
    let all = wait::until("readings of both clocks", PATIENCE, || {
        let all = batches(agent.spool()).map_err(|error| error.to_string())?;
        let utc = all.iter().filter(|batch| matches!(batch.clock, BatchClock::Utc { .. })).count();
        if utc >= 2 { Ok(all) } else { Err(format!("{} batches, {utc} of UTC", all.len())) }
    });
    let (mut from_boot, mut utc) = (Vec::new(), Vec::new());
    for batch in &all {
        match batch.clock {
            BatchClock::Boot { boot_id } => {
                assert!(utc.is_empty(), "once trusted, always");
                from_boot.extend(moments(batch).map(|at_ms| (boot_id, at_ms)));
            }
            BatchClock::Utc { .. } => utc.extend(moments(batch)),
        }
    }
    let anchors: Vec<_> = all.iter().flat_map(|batch| &batch.anchors).collect();
    let [anchor] = anchors.as_slice() else { panic!("one anchor for one boot: {anchors:?}") };
    let (boot_id, last_ms) = *from_boot.last().expect("readings that count from boot");
    assert!(from_boot.len() >= 4, "{from_boot:?}");
    assert_eq!(anchor.boot_id, boot_id);
    // one line of time: the next reading comes half a second after the last of the old clock
    let step_ms = utc[0] - (last_ms + anchor.utc_at_boot_ms);
    assert!((1..5_000).contains(&step_ms), "{step_ms} ms between the clocks");
    assert!((wait::now_ms() - utc[utc.len() - 1]).abs() < 60_000);
    agent.stop();
}
