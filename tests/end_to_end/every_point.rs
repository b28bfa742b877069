//! Every point: killed before every sync and every word to the network of a short run.

use std::time::Duration;

use world::{Lost, Oracle, Site, Strace, World, not_proven, wait};

const PATIENCE: Duration = Duration::from_secs(60);
/// How long a run may take to reach its n-th call.
const RUN: Duration = Duration::from_secs(15);
const SYNCS: &str = "fsync,fdatasync";
const SENDS: &str = "sendto,sendmsg,writev";
/// The most points that a recorded run may have: all of them are tried.
const MOST: u32 = 100;

fn is_permitted() -> bool {
    let is_permitted = Strace::is_permitted();
    if !is_permitted {
        not_proven("that a kill before any sync or socket write loses nothing (no ptrace here)");
    }
    is_permitted
}

#[test]
fn a_server_killed_before_any_sync_or_send_loses_nothing() {
    if !is_permitted() {
        return;
    }
    let mut world = World::new("server-points");
    let mut meter = world.meter("load");
    let site = Site::counting("points", &mut meter, "100ms", 4);
    world.open(&[&site]);
    world.server.stop();
    let mut agent = world.agent(&site);
    agent.start();
    for calls in [SYNCS, SENDS] {
        // What a run that is left alone does until it has stored for a second.
        let record = Strace::record(world.folder(), "server", calls);
        world.server.start_under(&record);
        world.server.expect_ready();
        wait::pass(Duration::from_secs(1));
        world.server.stop();
        let points = record.most_of_a_thread();
        assert!((3..=MOST).contains(&points), "the record shows {points} of {calls}");
        for n in 1..=points {
            let strace = Strace::kill_at(world.folder(), &format!("server-{n}"), calls, n);
            world.server.start_under(&strace);
            // An idle run of another length may have fewer calls on each thread; that is no failure.
            reach(|| world.server.has_ended());
            if world.server.has_ended() {
                world.server.expect_killed(PATIENCE);
            } else {
                world.server.kill9();
            }
        }
        println!("server killed at {points} points of {calls}");
    }
    world.server.start();
    meter.silence([1]);
    Oracle::read(&[&site]).reconcile(&world.server, PATIENCE);
    println!("{}", world.server.command(&["verify"]).success());
}

/// Waits for an end that need not come.
fn reach(mut has_ended: impl FnMut() -> bool) {
    let began = wait::Since::now();
    wait::until("the run is over", RUN * 2, || {
        if has_ended() || began.elapsed() > RUN { Ok(()) } else { Err("it runs") }
    });
}

#[test]
fn an_agent_killed_before_any_sync_or_send_loses_what_was_on_its_way_to_the_disk_at_most() {
    if !is_permitted() {
        return;
    }
    let mut world = World::new("agent-points");
    let mut meter = world.meter("load");
    let site = Site::counting("points", &mut meter, "100ms", 4);
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    let mut lost = Lost::default();
    for calls in [SYNCS, SENDS] {
        // What a run that is left alone does, from its start until several batches are on disk.
        let record = Strace::record(world.folder(), "agent", calls);
        agent.start_under(&record);
        wait::pass(Duration::from_secs(2));
        agent.stop();
        let points = record.most_of_a_thread();
        assert!((5..=MOST).contains(&points), "the record shows {points} of {calls}");
        let mut kills = 0;
        for n in 1..=points {
            let strace = Strace::kill_at(world.folder(), &format!("agent-{n}"), calls, n);
            agent.start_under(&strace);
            reach(|| agent.has_ended());
            if agent.has_ended() {
                agent.expect_killed(PATIENCE);
                kills += 1;
            } else {
                agent.kill9();
            }
            agent.lost_by_kill(&site, &mut lost, 1);
        }
        println!("agent killed at {kills} of {points} points of {calls}");
        assert!(kills > points / 2, "the agent was killed at {kills} of {points} of {calls}");
    }
    agent.start();
    let api = world.server.api();
    wait::until("the agent goes on", PATIENCE, || {
        let since = api.samples_since(&site.full("g0"), wait::now_ms() - 1_000)?;
        if since.len() > 1 { Ok(()) } else { Err(format!("{since:?}")) }
    });
    meter.silence([1]);
    let mut oracle = Oracle::read(&[&site]);
    oracle.forgive(|given| lost.holds(given));
    println!("of {} values {} were on their way to the disk", oracle.count(), lost.count());
    oracle.reconcile(&world.server, PATIENCE);
}

#[test]
fn a_command_killed_before_any_sync_leaves_a_whole_journal() {
    if !is_permitted() {
        return;
    }
    let world = World::new("command-points");
    let registry = world.server.registry_file();
    let text = |station: u32| {
        format!(
            "[[station]]\nid = \"S-{station}\"\n\n  [[station.gauge]]\n  id = \"g\"\n  quantity = \"level\"\n  unit = \"m\"\n  interval = \"5s\"\n"
        )
    };
    let import = ["registry", "import", registry.to_str().unwrap()];
    let mut kills = 0;
    for n in 1..=MOST {
        std::fs::write(&registry, (1..=n).map(text).collect::<String>()).unwrap();
        let strace = Strace::kill_at(world.folder(), &format!("import-{n}"), SYNCS, n);
        let import_under =
            world::Finished::of(&mut strace.around(&world.server.command_line(&import)));
        kills += u32::from(import_under.code == -1);
        if import_under.code == 0 {
            break;
        }
        assert_eq!(import_under.code, -1, "{import_under:?}");
        world.server.command(&import).success();
        world.server.command(&["verify"]).success();
    }
    assert!(kills > 0, "the import was never killed");
    println!("an import killed at {kills} syncs");
}
