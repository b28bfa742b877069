//! Row `latency`: from a changed register to the new value in the API, every poll sent by itself.

use std::time::Duration;

use world::{Bus, Exact, Register, Site, World, entries, wait};

use crate::{
    Scale, clock, fall,
    figures::{Report, Spread},
};

const PERIOD: &str = "500ms";
const PERIOD_MS: f64 = 500.0;

/// The row.
pub fn run(scale: &Scale, report: &mut Report) {
    let changes = if scale.is_quick { 100 } else { 300 };
    let mut world = World::new("bench-latency");
    let mut meter = world.meter("one");
    let register = Register::new("g", 1, "input", 0, "u32");
    meter.command(&register.set(1));
    let url = format!("tcp://127.0.0.1:{}", meter.port());
    let bus = Bus { url, ..Bus::new(&meter, PERIOD, vec![register.clone()]) };
    let site = Site { max_age: "0s", ..Site::new("latency", vec![bus]) };
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let api = world.server.api();
    let gauge = site.full("g");
    let mut visible_ms = Vec::new();
    for change in 0..changes {
        // Changes fall everywhere into the period.
        wait::pass(Duration::from_millis(37 * (change % 13)));
        let value = 1_000 + change;
        let began = clock::now();
        let since_ms = wait::now_ms() - 5_000;
        meter.command(&register.set(value));
        let pause = Duration::from_millis(1);
        let what = "the change is visible";
        let seen_ms = wait::until_every(pause, what, Duration::from_secs(20), || {
            let samples = api.samples_since(&gauge, since_ms)?;
            let is_new =
                |value: Option<Exact>| value == Some(Exact::whole(i128::from(1_000 + change)));
            let found = samples.iter().any(|sample| is_new(sample.value));
            if found { Ok(wait::now_ms()) } else { Err(format!("{} samples", samples.len())) }
        });
        visible_ms.push((value, began.elapsed().as_secs_f64() * 1_000.0, seen_ms));
    }
    meter.silence([1]);
    let replied: Vec<(u64, i64)> = entries(meter.log())
        .iter()
        .filter_map(|entry| {
            let words = entry["words"].as_array()?;
            let word = |at: usize| words.get(at)?.as_u64();
            Some((word(0)? << 16 | word(1)?, entry["ms"].as_i64()?))
        })
        .collect();
    // The first reply that gave the value out.
    let of_value =
        |value: u64| replied.iter().find(|(given, _)| *given == value).map(|(_, ms)| *ms);
    let hops =
        visible_ms.iter().filter_map(|(value, _, seen)| Some((seen - of_value(*value)?) as f64));
    let hops = Spread::of(hops);
    let whole = Spread::of(visible_ms.iter().map(|(_, took, _)| *took));
    let show = |spread: &Spread| {
        format!("{:.0} / {:.0} / {:.0}", spread.median(), spread.at(0.99), spread.at(1.0))
    };
    let beyond = format!("{:.0} / {:.0}", whole.at(0.99) - PERIOD_MS, whole.at(1.0) - PERIOD_MS);
    let of = format!("{changes} changes, polled every {PERIOD}, max_age = 0s");
    report.line(
        "latency",
        &format!("{of}: the meter's reply to the value in the API, p50 / p99 / max ms"),
        show(&hops),
        "",
    );
    report.line(
        "latency",
        &format!("{of}: register changed to the value in the API, p50 / p99 / max ms"),
        show(&whole),
        "",
    );
    report.line(
        "latency",
        &format!("{of}: the same beyond the period, p99 / max ms"),
        beyond,
        "≤ 250",
    );
    agent.stop();
    fall::run(scale, report);
}
