//! Outage: twenty agents queue a hundred thousand samples, drain them, and live ones do not wait.

use std::time::Duration;

use world::{Agent, Oracle, Site, World, heavy, wait};

const PATIENCE: Duration = Duration::from_secs(120);
const AGENTS: u8 = 20;
const QUEUED: u64 = 100_000;

#[test]
fn twenty_agents_drain_what_an_outage_left_and_live_readings_do_not_wait() {
    let _turn = heavy();
    let mut world = World::new("outage");
    let mut meter = world.meter("all");
    let sites: Vec<Site> = (1..=AGENTS)
        .map(|unit| Site {
            max_age: if unit == 1 { "0s" } else { "1s" },
            ..Site::counting_at(&format!("out{unit}"), &mut meter, unit, "100ms", 60)
        })
        .collect();
    let all: Vec<&Site> = sites.iter().collect();
    world.open(&all);
    let mut agents: Vec<Agent> = sites.iter().map(|site| world.agent(site)).collect();
    for agent in &mut agents {
        agent.start();
    }
    let api = world.server.api();
    for site in &sites {
        wait::until(&format!("{} is heard", site.agent), PATIENCE, || {
            let samples = api.samples_since(&site.full("g0"), 0)?;
            if samples.is_empty() { Err("no sample") } else { Ok(()) }.map_err(str::to_owned)
        });
    }
    world.broker.kill9();
    let second = Duration::from_secs(1);
    let queued = wait::until_every(second, "a long queue", PATIENCE, || {
        let queued: u64 = agents.iter().map(|agent| agent.held().queued_points).sum();
        if queued >= QUEUED { Ok(queued) } else { Err(queued) }
    });
    let began = wait::Since::now();
    let back_ms = wait::now_ms();
    world.broker.start();

    // What one agent reads from here on, as the API shows it first, while the queues drain.
    let live = sites[0].full("g0");
    let mut seen_ms = back_ms;
    let mut delays = Vec::new();
    let look = Duration::from_millis(20);
    let mut next_check = Duration::ZERO;
    wait::until_every(look, "all queues drained", PATIENCE, || {
        for sample in api.samples_since(&live, seen_ms + 1)? {
            delays.push(wait::now_ms() - sample.at_ms);
            seen_ms = seen_ms.max(sample.at_ms);
        }
        if began.elapsed() < next_check {
            return Err("not looked yet".to_owned());
        }
        next_check = began.elapsed() + second;
        let oldest = agents.iter().map(|agent| agent.held().oldest_queued_ms).min().flatten();
        let waiting = agents
            .iter()
            .filter(|agent| agent.held().oldest_queued_ms.is_some_and(|oldest| oldest < back_ms));
        match waiting.count() {
            0 => Ok(()),
            count => {
                Err(format!("{count} agents still queue readings of the outage, from {oldest:?}"))
            }
        }
    });
    let drained = began.elapsed();
    delays.sort_unstable();
    assert!(delays.len() >= 5, "only {} live samples were seen", delays.len());
    let share = |part: usize| delays[(delays.len() - 1) * part / 100];
    println!(
        "{queued} samples of {AGENTS} agents drained in {:.1} s; meanwhile {} live samples were seen \
         {} ms (median), {} ms (p99) after their moment",
        drained.as_secs_f64(),
        delays.len(),
        share(50),
        share(99)
    );
    assert!(share(99) < 15_000, "live readings waited for the backlog: {delays:?}");
    meter.silence(1..=AGENTS);
    Oracle::read(&all).reconcile(&world.server, PATIENCE);
}
