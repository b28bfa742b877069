//! Nothing lost: broker, server and agent killed under load, spools renewed and copied.

use std::{fs, path::PathBuf, time::Duration};

use world::{Agent, Lost, Oracle, Site, World, wait};

const PATIENCE: Duration = Duration::from_secs(60);

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Waits until the server has so many values more than it had.
fn until_stored(world: &World, gauge: &str, more: usize) {
    let api = world.server.api();
    let count = || api.samples(gauge).map(|samples| samples.len());
    let wanted = wait::until("the API answers", PATIENCE, count) + more;
    wait::until(&format!("{more} samples more of {gauge}"), PATIENCE, || {
        let found = count()?;
        if found >= wanted { Ok(()) } else { Err(format!("{found} of {wanted}")) }
    });
}

/// Waits until the server has whatever a silent site's agent was told. Its spool alone does not tell:
/// between two batches it is empty too.
fn until_kept(world: &World, site: &Site) {
    Oracle::read(&[site]).reconcile_gauges(&world.server, PATIENCE);
}

/// Waits until nothing in the agent's spool is queued.
fn until_drained(agent: &Agent) {
    wait::until(&format!("{} is drained", agent.name), PATIENCE, || {
        let held = agent.held();
        if held.queued == 0 && held.committed > 0 { Ok(()) } else { Err(held.queued) }
    });
}

#[test]
fn a_broker_killed_and_restarted_empty_loses_nothing() {
    let mut world = World::new("broker");
    let mut meter = world.meter("load");
    let site = Site::counting("broker", &mut meter, "100ms", 40);
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let gauge = site.full("g0");
    for down in [0.0, 0.4, 1.5, 0.1] {
        until_stored(&world, &gauge, 5);
        world.broker.kill9();
        wait::pass(seconds(down));
        world.broker.start();
    }
    until_stored(&world, &gauge, 5);
    meter.silence([1]);
    Oracle::read(&[&site]).reconcile(&world.server, PATIENCE);
}

#[test]
fn a_server_killed_again_and_again_loses_nothing() {
    let mut world = World::new("server");
    let mut meter = world.meter("load");
    let site = Site::counting("server", &mut meter, "100ms", 40);
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let gauge = site.full("g0");
    for (runs, down) in [(0.05, 0.0), (0.2, 0.5), (0.4, 0.0), (0.7, 1.0), (0.1, 0.0), (0.3, 0.0)] {
        until_stored(&world, &gauge, 2);
        wait::pass(seconds(runs));
        world.server.kill9();
        wait::pass(seconds(down));
        world.server.start();
    }
    until_stored(&world, &gauge, 5);
    meter.silence([1]);
    Oracle::read(&[&site]).reconcile(&world.server, PATIENCE);
    let verified = world.server.command(&["verify"]).success();
    println!("{verified}");
}

#[test]
fn an_agent_killed_again_and_again_loses_only_what_was_on_its_way_to_the_disk() {
    let mut world = World::new("agent");
    let mut meter = world.meter("load");
    let site = Site::counting("agent", &mut meter, "100ms", 40);
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    let mut lost = Lost::default();
    let gauge = site.full("g0");
    for runs in [0.02, 0.1, 0.17, 0.33, 0.05, 0.21, 0.29, 0.4] {
        agent.start();
        until_stored(&world, &gauge, 1);
        wait::pass(seconds(runs));
        agent.kill9();
        agent.lost_by_kill(&site, &mut lost, 1);
    }
    agent.start();
    until_stored(&world, &gauge, 5);
    meter.silence([1]);
    let mut oracle = Oracle::read(&[&site]);
    oracle.forgive(|given| lost.holds(given));
    println!("8 kills of an agent lost {} of {} values", lost.count(), oracle.count());
    oracle.reconcile(&world.server, PATIENCE);
}

#[test]
fn a_new_spool_under_an_old_name_is_a_new_epoch() {
    let mut world = World::new("new-spool");
    let mut meter = world.meter("load");
    let site = Site::counting("new", &mut meter, "100ms", 10);
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    let gauge = site.full("g0");
    let mut epochs = Vec::new();
    for _ in 0..3 {
        agent.start();
        until_stored(&world, &gauge, 6);
        meter.silence([1]);
        until_kept(&world, &site);
        agent.stop();
        epochs.push(agent.held().epoch);
        remove_spool(&agent);
        meter.command(&serde_json::json!({"fault": {"unit": 1, "kind": null}}));
    }
    assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2] && epochs[0] != epochs[2]);
    Oracle::read(&[&site]).reconcile(&world.server, PATIENCE);
}

fn spool_files(agent: &Agent) -> Vec<PathBuf> {
    let endings = ["", "-wal", "-shm"].map(|ending| format!("{}{ending}", agent.spool().display()));
    let files = endings.map(PathBuf::from).into_iter();
    files.filter(|path| path.try_exists().expect("a readable folder")).collect()
}

fn remove_spool(agent: &Agent) {
    for path in spool_files(agent) {
        fs::remove_file(path).expect("the spool can be removed");
    }
}

#[test]
fn a_copied_spool_is_found_out_and_both_clones_keep_their_readings() {
    let mut world = World::new("copy");
    world.announce("epoch"); // two agents share a name: somebody must act
    let mut meter = world.meter("load");
    let first = Site::counting_at("copy", &mut meter, 1, "100ms", 10);
    let mut both = first.clone();
    let mut second = Site::counting_at("copy", &mut meter, 2, "100ms", 10);
    for register in &mut second.buses[0].registers {
        register.gauge.insert(0, 'x');
    }
    both.buses.extend(second.buses.clone());
    world.open(&[&both]);
    let mut original = world.agent(&first);
    original.start();
    until_stored(&world, &first.full("g0"), 10);
    original.stop();

    let spool = world.folder().join("copied.spool.db");
    for path in spool_files(&original) {
        let name = path.display().to_string();
        let ending =
            name.strip_prefix(&original.spool().display().to_string()).expect("its own file");
        let to = PathBuf::from(format!("{}{ending}", spool.display()));
        fs::copy(&path, to).expect("a copy");
    }
    let mut copy = world.agent_at(&second, "copy", &spool);

    // One account is one connection: they take it from one another.
    original.start();
    copy.start();
    let both_told = || {
        let told = [first.full("g0"), second.full("xg0")]
            .map(|gauge| Oracle::read(&[&both]).of(&gauge).len());
        if told[0] >= 30 && told[1] >= 20 { Ok(()) } else { Err(format!("{told:?}")) }
    };
    wait::until("both clones have read", PATIENCE, both_told);
    meter.silence([1, 2]);
    copy.stop();
    until_kept(&world, &first);
    original.stop();
    copy.start();
    until_drained(&copy);
    Oracle::read(&[&both]).reconcile(&world.server, PATIENCE);

    assert_ne!(original.held().epoch, copy.held().epoch, "a clone goes on under another epoch");
    let quarantine = world.server.api().list("quarantine", "");
    assert!(!quarantine.is_empty(), "a fork is kept for looking at");
    for item in quarantine {
        assert_eq!(item["reason"], "fork", "{item}");
    }
}

#[test]
fn every_part_killed_in_turn_under_load_loses_nothing_else() {
    let mut world = World::new("turns");
    let mut meter = world.meter("load");
    let sites: Vec<Site> = (1..=3_u8)
        .map(|unit| Site::counting_at(&format!("turn{unit}"), &mut meter, unit, "100ms", 40))
        .collect();
    world.open(&sites.iter().collect::<Vec<_>>());
    let mut agents: Vec<Agent> = sites.iter().map(|site| world.agent(site)).collect();
    for agent in &mut agents {
        agent.start();
    }
    let mut lost = Lost::default();
    let gauge = sites[0].full("g0");
    for (agent, site) in agents.iter_mut().zip(&sites) {
        until_stored(&world, &gauge, 4);
        world.broker.kill9();
        wait::pass(seconds(0.2));
        agent.kill9();
        agent.lost_by_kill(site, &mut lost, 1);
        world.broker.start();
        agent.start();
        wait::pass(seconds(0.3));
        world.server.kill9();
        wait::pass(seconds(0.2));
        world.broker.kill9();
        world.broker.start();
        world.server.start();
    }
    until_stored(&world, &gauge, 4);
    meter.silence([1, 2, 3]);
    let mut oracle = Oracle::read(&sites.iter().collect::<Vec<_>>());
    oracle.forgive(|given| lost.holds(given));
    println!("3 kills of agents lost {} of {} values", lost.count(), oracle.count());
    oracle.reconcile(&world.server, PATIENCE);
}
