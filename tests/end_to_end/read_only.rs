//! Read only: whatever agents say to meters is one of the four functions that read.

use std::{collections::BTreeSet, time::Duration};

use world::{Bus, Oracle, Register, Site, World, entries, wait};

const PATIENCE: Duration = Duration::from_secs(30);

/// Every proxy of every test refuses anything else as well; here each function must occur, through
/// `run`, `probe` and `check`.
#[test]
fn only_the_four_functions_that_read_ever_leave_an_agent() {
    let mut world = World::new("read-only");
    let mut meter = world.meter("all");
    let registers: Vec<Register> = ["coil", "discrete", "holding", "input"]
        .map(|table| match table {
            "coil" | "discrete" => Register {
                quantity: "state",
                unit: "1",
                gauge_unit: "1",
                ..Register::new(table, 1, table, 3, "bool")
            },
            _ => Register::new(table, 1, table, 3, "u16"),
        })
        .into();
    for register in &registers {
        meter.command(&register.count(0));
    }
    let site = Site::new("read-only", vec![Bus::new(&meter, "200ms", registers)]);
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.command(&["check"]).success();
    let probed = agent.command(&["probe"]).success();
    for table in ["coil", "discrete", "holding", "input"] {
        assert!(probed.contains(&site.full(table)), "{table} was not probed:\n{probed}");
    }
    agent.start();
    wait::until("some polls", PATIENCE, || {
        let count = Oracle::read(&[&site]).count();
        if count >= 40 { Ok(()) } else { Err(count) }
    });
    meter.silence([1]);
    agent.stop();
    let functions: BTreeSet<u8> = world.watch().functions().into_keys().collect();
    assert_eq!(functions, BTreeSet::from([1, 2, 3, 4]));
    assert_eq!(world.watch().faults(), Vec::<String>::new());
    let events: BTreeSet<String> = entries(meter.log())
        .iter()
        .filter_map(|entry| entry["event"].as_str().map(str::to_owned))
        .collect();
    let only = BTreeSet::from(["connect", "disconnect"].map(str::to_owned));
    assert!(events.is_subset(&only), "the meter met {events:?}");
}
