//! What the simulation is worth: each of these changes to the engine must make its judge disagree,
//! or break what must hold of messages. The tree is copied, changed in one place, built and run
//! until a seed shows it.
#![expect(clippy::unwrap_used, reason = "a test that fails ends by a panic")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Seeds that are tried for each change.
const SEEDS: &str = "1-24";

struct Mutation {
    what: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
}

/// Those of one package stand together: each change of `model` builds everything again.
const MUTATIONS: [Mutation; 21] = [
    Mutation {
        what: "an alarm is raised without its on-delay",
        file: "alerting/src/below_mandate.rs",
        from: "if known_ms >= self.rule.on_delay_ms => {",
        to: "if known_ms >= 0 => {",
    },
    Mutation {
        what: "what had ended when it became known raises",
        file: "alerting/src/below_mandate.rs",
        from: "} else if newest.standing == Standing::Below {",
        to: "} else {",
    },
    Mutation {
        what: "an off-delay counts what nobody knows",
        file: "alerting/src/below_mandate.rs",
        from: "if known_ms >= off_delay_ms {",
        to: "if known_ms.max(point.at.ms_since(recovered_at)) >= off_delay_ms {",
    },
    Mutation {
        what: "the deadband begins below the limit",
        file: "alerting/src/below_mandate/limit.rs",
        from: "let recovers = deadband_scale + units(",
        to: "let recovers = deadband_scale - units(",
    },
    Mutation {
        what: "an outlet that is not known lets out nothing",
        file: "alerting/src/below_mandate/limit.rs",
        from: "(false, false, Bound::AtLeast) => Standing::Unknown",
        to: "(false, false, Bound::AtLeast) => Standing::Below",
    },
    Mutation {
        what: "a sum waits for nobody",
        file: "alerting/src/released.rs",
        from: "spoken.fold(front, Timestamp::min)",
        to: "spoken.fold(front, Timestamp::max).min(front)",
    },
    Mutation {
        what: "whatever comes is live",
        file: "alerting/src/released.rs",
        from: "self.received_at.plus_ms(-live_ms(interval_ms))",
        to: "self.received_at.plus_ms(-live_ms(interval_ms).max(90_000_000))",
    },
    Mutation {
        what: "what comes and goes is told each time",
        file: "alerting/src/chatter.rs",
        from: "let chatters = self.0.len() >= EPISODES;",
        to: "let chatters = false;",
    },
    Mutation {
        what: "the server's absence is a silence",
        file: "alerting/src/no_data.rs",
        from: "self.state.quiet_from = goes_on(self.state.quiet_from);",
        to: "",
    },
    Mutation {
        what: "who takes an alarm on ends no ladder",
        file: "alerting/src/escalation.rs",
        from: "self.state.phase = Phase::Taken;",
        to: "",
    },
    Mutation {
        what: "a mean exactly at the requirement is too little",
        file: "compliance/src/window.rs",
        from: "water * self.length * scale >= i128::from",
        to: "water * self.length * scale > i128::from",
    },
    Mutation {
        what: "a coverage exactly reached is none",
        file: "compliance/src/window.rs",
        from: "part * self.whole >= self.part * whole",
        to: "part * self.whole > self.part * whole",
    },
    Mutation {
        what: "a flow exactly enough is too little",
        file: "compliance/src/evaluate.rs",
        from: "piece.is_whole() && piece.released < piece.enough;",
        to: "piece.is_whole() && piece.released <= piece.enough;",
    },
    Mutation {
        what: "a day of exactly the valid hours is not known",
        file: "compliance/src/day.rs",
        from: "if met + short < valid {",
        to: "if met + short <= valid {",
    },
    Mutation {
        what: "what comes late is left out",
        file: "compliance/src/docket.rs",
        from: "again.due(now).filter(|_| case.before_begin().is_none())",
        to: "again.due(now).filter(|_| false)",
    },
    Mutation {
        what: "an hour is closed while more of it is queued",
        file: "compliance/src/docket.rs",
        from: "come.newest.min(come.queued_from)",
        to: "come.newest",
    },
    Mutation {
        what: "a value holds for one interval",
        file: "model/src/release.rs",
        from: "if age < self.outlet.hold_ms() =>",
        to: "if age < self.outlet.interval_ms =>",
    },
    Mutation {
        what: "a stale value is credited in full",
        file: "model/src/release.rs",
        from: "self.released.min(self.measured.max(self.enough))",
        to: "self.released",
    },
    Mutation {
        what: "a day is shifted by an hour",
        file: "model/src/section.rs",
        from: "let day = period::day_of(hour.from, ",
        to: "let day = period::day_of(hour.to, ",
    },
    Mutation {
        what: "a season never ends",
        file: "model/src/section.rs",
        from: "steps.last().is_none_or(|step| step.required != required)",
        to: "steps.is_empty()",
    },
    Mutation {
        what: "one of two outlets is left out",
        file: "model/src/section.rs",
        from: "        sources.collect()",
        to: "        sources.take(1).collect()",
    },
];

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Where the copy stands: among what is built, so that a second run builds little.
fn copy() -> PathBuf {
    // deps/mutations-… of a profile of the target folder
    let target = std::env::current_exe().unwrap();
    target.ancestors().nth(3).unwrap().join("mutations")
}

/// Writes what differs, so that nothing else is built again, and takes away what is gone.
fn mirror(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(to).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if name != "target" && !from.join(name).try_exists().unwrap() {
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        }
    }
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if name == "target" || name == ".git" {
            continue;
        }
        if path.is_dir() {
            mirror(&path, &to.join(name));
        } else {
            write(&to.join(name), &fs::read(&path).unwrap());
        }
    }
}

/// Gives the packages of the copy a version of their own. Cargo takes two trees with the same
/// packages for one, so a target folder that they share would hold changed code that the sound tree
/// then takes for its own; what is not of the tree is still built once for both.
fn set_apart(tree: &Path) {
    let path = tree.join("Cargo.toml");
    let manifest = fs::read_to_string(&path).unwrap();
    let (own, apart) = (env!("CARGO_PKG_VERSION"), "99.0.0-changed");
    let version = format!("version = \"{own}\"");
    assert_eq!(manifest.matches(&version).count(), 1, "Cargo.toml does not have it once");
    write(&path, manifest.replace(&version, &format!("version = \"{apart}\"")).as_bytes());
}

fn write(path: &Path, content: &[u8]) {
    if fs::read(path).ok().as_deref() != Some(content) {
        fs::write(path, content).unwrap();
    }
}

fn simulate(tree: &Path, seeds: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--quiet", "--package", "tests", "--test", "simulation"]);
    match seeds {
        Some(seeds) => command.args(["engine_and_judge"]).env("BASEFLOW_SEED", seeds),
        None => command.arg("--no-run"),
    };
    command.current_dir(tree).output().unwrap()
}

fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

/// How the first seed tells a difference that shows one; it ends there.
fn difference(tree: &Path) -> Option<String> {
    let built = simulate(tree, None);
    assert!(built.status.success(), "it does not build: {}", text(&built));
    let ran = simulate(tree, Some(SEEDS));
    let told = text(&ran);
    let line = told.lines().find(|line| line.starts_with("seed "));
    assert!(ran.status.success() || line.is_some(), "it fails for another reason: {told}");
    line.map(str::to_owned)
}

#[test]
fn every_change_of_the_engine_is_seen_by_the_judge() {
    let tree = copy();
    mirror(workspace(), &tree);
    set_apart(&tree);
    let mut unseen = Vec::new();
    for Mutation { what, file, from, to } in MUTATIONS {
        let path = tree.join(file);
        let original = fs::read_to_string(workspace().join(file)).unwrap();
        assert_eq!(original.matches(from).count(), 1, "{file} is not what it was: {what}");
        write(&path, original.replacen(from, to, 1).as_bytes());
        let difference = difference(&tree);
        write(&path, original.as_bytes());
        match difference {
            Some(line) => println!("{what}: {line}"),
            None => unseen.push(what),
        }
    }
    assert_eq!(unseen, Vec::<&str>::new(), "the judge sees none of these");
}
