//! The embedded broker between the real agent and the real server.

use std::time::Duration;

use world::{Agent, Oracle, Site, World, wait};

const PATIENCE: Duration = Duration::from_secs(60);

fn until_stored(world: &World, sites: &[Site]) {
    let api = world.server.api();
    for site in sites {
        let gauge = site.full("g0");
        let since = wait::now_ms();
        wait::until(&format!("samples more of {gauge}"), PATIENCE, || {
            let found = api.samples_since(&gauge, since)?;
            if found.len() >= 5 { Ok(()) } else { Err(format!("{} of 5", found.len())) }
        });
    }
}

#[test]
fn restarts_of_agents_of_the_server_and_of_the_embedded_broker_lose_nothing() {
    let mut world = World::new("embedded");
    world.broker.embed();
    let mut meters = Vec::new();
    let sites: Vec<Site> = ["one", "two", "three"]
        .into_iter()
        .map(|name| {
            let mut meter = world.meter(name);
            let site = Site::counting(&format!("embedded-{name}"), &mut meter, "100ms", 10);
            meters.push(meter);
            site
        })
        .collect();
    let all: Vec<&Site> = sites.iter().collect();
    world.open(&all);
    let mut agents: Vec<Agent> = sites.iter().map(|site| world.agent(site)).collect();
    for agent in &mut agents {
        agent.start();
    }
    until_stored(&world, &sites);
    agents[0].stop();
    agents[0].start();
    until_stored(&world, &sites);
    world.broker.kill9();
    agents[1].stop();
    wait::pass(Duration::from_millis(700));
    world.broker.start();
    agents[1].start();
    until_stored(&world, &sites);
    world.server.stop();
    wait::pass(Duration::from_millis(700));
    world.server.start();
    until_stored(&world, &sites);
    for meter in &mut meters {
        meter.silence([1]);
    }
    Oracle::read(&all).reconcile(&world.server, PATIENCE);
}

#[test]
fn check_probe_finds_no_fault_with_the_embedded_broker() {
    let mut world = World::new("embedded-probe");
    world.broker.embed();
    let mut meter = world.meter("probe");
    let site = Site::counting("embedded-probe", &mut meter, "1s", 1);
    world.open_with(&[&site], &["gw-third"], "");
    world.server.stop();
    let password = world.folder().join("gw-third.password");
    std::fs::write(&password, world.broker.password("gw-third")).expect("a password file");
    let password = password.to_str().expect("UTF-8");
    let asked = ["check", "--probe", "--agent", "gw-third", "--password-file", password];
    let said = world.server.command(&asked).success();
    for line in [
        "ok       broker: refuses who has no account",
        "ok       broker, as the server: may listen",
        "ok       broker, as the server: `baseflow/v1/baseflow-probe-nobody/batch` is refused",
        "ok       broker, as `gw-third`: may publish `baseflow/v1/gw-third/batch`",
        "ok       broker, as `gw-third`: `baseflow/v1/server` is refused",
        "ok       broker, as `gw-third`: hears nothing that the broker keeps for others",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert!(!said.contains("FAULT"), "{said}");
}
