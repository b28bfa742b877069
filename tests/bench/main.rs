//! Benchmarks of the whole way, with the real broker, real meters and the real binaries; `./run bench`.

mod again;
mod clock;
mod edge_poll;
mod eval_scale;
mod fall;
mod figures;
mod ingest;
mod latency;
mod load;
mod machine;
mod peer;
mod polled;
mod rivers;
mod station;
mod wire;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use figures::Report;

/// How much is measured.
#[derive(Debug)]
pub struct Scale {
    /// A minute a row, once, in place of the whole.
    pub is_quick: bool,
    /// As many stations as a country has, too.
    pub is_whole: bool,
}

type Row = (&'static str, fn(&Scale, &mut Report));

const ROWS: [Row; 7] = [
    ("edge_poll", edge_poll::run),
    ("wire", wire::run),
    ("ingest_e2e", ingest::end_to_end),
    ("start", ingest::start),
    ("latency", latency::run),
    ("eval_scale", eval_scale::run),
    ("judged_again", again::run),
];

fn main() -> ExitCode {
    let (options, named): (Vec<String>, Vec<String>) =
        env::args().skip(1).partition(|argument| argument.starts_with('-'));
    if let Some(asked) = options.iter().find_map(|option| option.strip_prefix(eval_scale::CHILD)) {
        eval_scale::child(asked);
        return ExitCode::SUCCESS;
    }
    if let Some(asked) = options.iter().find_map(|option| option.strip_prefix(again::CHILD)) {
        again::child(asked);
        return ExitCode::SUCCESS;
    }
    let unknown = options.iter().find(|option| !["--quick", "--whole"].contains(&option.as_str()));
    let unknown = unknown.or(named.iter().find(|name| ROWS.iter().all(|(row, _)| row != name)));
    if let Some(unknown) = unknown {
        let rows = ROWS.map(|(name, _)| name).join(" ");
        eprintln!("{unknown} is none of: {rows} --quick --whole");
        return ExitCode::from(64);
    }
    let has = |wanted: &str| options.iter().any(|option| option == wanted);
    let scale = Scale { is_quick: has("--quick"), is_whole: has("--whole") };
    let mut report = Report::default();
    let mut is_void = false;
    println!("{}; load {}", machine::description(), machine::load());
    for (name, run) in ROWS {
        if !named.is_empty() && !named.iter().any(|wanted| wanted == name) {
            continue;
        }
        println!("\n{name} (load {})", machine::load());
        // A row that fails is void; the others are measured all the same.
        if catch_unwind(AssertUnwindSafe(|| run(&scale, &mut report))).is_err() {
            is_void = true;
            report.line(name, "void", "this run failed, see above", "");
        }
    }
    println!("\n{report}");
    if is_void { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
