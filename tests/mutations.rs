//! What the simulation is worth: each of these changes to the engine must make its judge disagree,
//! or break what must hold of messages. A copy of the tree gets all of them, each behind a question
//! to its environment; it is built once, and run for one change after the other until a seed shows
//! it.
#![expect(clippy::unwrap_used, reason = "a test that fails ends by a panic")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Seeds that are tried for each change.
const SEEDS: &str = "1-24";

/// Names the one change that a run of the copy is made with; without it the copy is the engine.
const CHOSEN: &str = "BASEFLOW_CHANGE";

struct Mutation {
    what: &'static str,
    file: &'static str,
    from: &'static str,
    /// What stands in its place; `CHANGED` is whether this change is the chosen one.
    to: &'static str,
}

const MUTATIONS: [Mutation; 23] = [
    Mutation {
        what: "an alarm is raised without its on-delay",
        file: "alerting/src/below_mandate.rs",
        from: "if known_ms >= self.rule.on_delay_ms => {",
        to: "if CHANGED || known_ms >= self.rule.on_delay_ms => {",
    },
    Mutation {
        what: "what had ended when it became known raises",
        file: "alerting/src/below_mandate.rs",
        from: "} else if newest.standing == Standing::Below {",
        to: "} else if CHANGED || newest.standing == Standing::Below {",
    },
    Mutation {
        what: "an off-delay counts what nobody knows",
        file: "alerting/src/below_mandate.rs",
        from: "if known_ms >= off_delay_ms {",
        to: "if known_ms >= off_delay_ms || \
             CHANGED && point.at.ms_since(recovered_at) >= off_delay_ms {",
    },
    Mutation {
        what: "the deadband begins below the limit",
        file: "alerting/src/below_mandate/limit.rs",
        from: "let recovers = deadband_scale + units(self.deadband.units);",
        to: "let deadband = units(self.deadband.units); \
             let recovers = deadband_scale + deadband - if CHANGED { 2 * deadband } else { 0 };",
    },
    Mutation {
        what: "an outlet that is not known lets out nothing",
        file: "alerting/src/below_mandate/limit.rs",
        from: "(false, false, Bound::AtLeast) => Standing::Unknown",
        to: "(false, false, Bound::AtLeast) if CHANGED => Standing::Below, \
             (false, false, Bound::AtLeast) => Standing::Unknown",
    },
    Mutation {
        what: "a sum waits for nobody",
        file: "alerting/src/released.rs",
        from: "spoken.fold(front, Timestamp::min)",
        to: "spoken.fold(front, if CHANGED { Timestamp::max } else { Timestamp::min }).min(front)",
    },
    Mutation {
        what: "whatever comes is live",
        file: "alerting/src/released.rs",
        from: "self.received_at.plus_ms(-live_ms(interval_ms))",
        to: "self.received_at.plus_ms(-live_ms(interval_ms).max(if CHANGED { 90_000_000 } else { 0 }))",
    },
    Mutation {
        what: "what comes and goes is told each time",
        file: "alerting/src/chatter.rs",
        from: "let chatters = self.0.len() >= EPISODES;",
        to: "let chatters = !CHANGED && self.0.len() >= EPISODES;",
    },
    Mutation {
        what: "the server's absence is a silence",
        file: "alerting/src/no_data.rs",
        from: "self.state.quiet_from = goes_on(self.state.quiet_from);",
        to: "if !CHANGED { self.state.quiet_from = goes_on(self.state.quiet_from); }",
    },
    Mutation {
        what: "who takes an alarm on ends no ladder",
        file: "alerting/src/escalation.rs",
        from: "self.state.phase = Phase::Taken;",
        to: "if !CHANGED { self.state.phase = Phase::Taken; }",
    },
    Mutation {
        what: "a doubted value raises and clears",
        file: "alerting/src/shell/evidence.rs",
        from: "Some(sample.within(source.range))",
        to: "Some(sample.within(source.range.filter(|_| !CHANGED)))",
    },
    Mutation {
        what: "a period is what it is without readings that are doubted",
        file: "compliance/src/evaluate.rs",
        from: "if self == as_read {",
        to: "if CHANGED || self == as_read {",
    },
    Mutation {
        what: "a mean exactly at the requirement is too little",
        file: "compliance/src/window.rs",
        from: "water * weight.length * scale >= i128::from",
        to: "water * weight.length * scale - i128::from(CHANGED) >= i128::from",
    },
    Mutation {
        what: "a coverage exactly reached is none",
        file: "compliance/src/window.rs",
        from: "part * self.whole >= self.part * whole",
        to: "part * self.whole - i128::from(CHANGED) >= self.part * whole",
    },
    Mutation {
        what: "a flow exactly enough is too little",
        file: "compliance/src/evaluate.rs",
        from: "piece.is_whole() && piece.released < piece.enough;",
        to: "piece.is_whole() && (piece.released < piece.enough || CHANGED && piece.released <= piece.enough);",
    },
    Mutation {
        what: "a day of exactly the valid hours is not known",
        file: "compliance/src/day.rs",
        from: "if met + short < valid {",
        to: "if met + short < valid || CHANGED && met + short <= valid {",
    },
    Mutation {
        what: "what comes late is left out",
        file: "compliance/src/docket.rs",
        from: "again.due(now).filter(|_| case.before_begin().is_none())",
        to: "again.due(now).filter(|_| !CHANGED && case.before_begin().is_none())",
    },
    Mutation {
        what: "an hour is closed while more of it is queued",
        file: "compliance/src/docket.rs",
        from: "come.newest.min(come.queued_from)",
        to: "come.newest.min(if CHANGED { come.newest } else { come.queued_from })",
    },
    Mutation {
        what: "a value holds for one interval",
        file: "model/src/release.rs",
        from: "if age < self.outlet.hold_ms() =>",
        to: "if age < (if CHANGED { self.outlet.interval_ms } else { self.outlet.hold_ms() }) =>",
    },
    Mutation {
        what: "a stale value is credited in full",
        file: "model/src/release.rs",
        from: "self.released.min(self.measured.max(self.enough))",
        to: "self.released.min(if CHANGED { self.released } else { self.measured.max(self.enough) })",
    },
    Mutation {
        what: "a day is shifted by an hour",
        file: "model/src/section.rs",
        from: "let day = period::day_of(hour.from, ",
        to: "let day = period::day_of(if CHANGED { hour.to } else { hour.from }, ",
    },
    Mutation {
        what: "a season never ends",
        file: "model/src/section.rs",
        from: "steps.last().is_none_or(|step| step.required != required)",
        to: "steps.last().is_none_or(|step| !CHANGED && step.required != required)",
    },
    Mutation {
        what: "one of two outlets is left out",
        file: "model/src/section.rs",
        from: "        sources.collect()",
        to: "        sources.take(if CHANGED { 1 } else { usize::MAX }).collect()",
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

/// What is no source of the tree.
const LEFT_OUT: [&str; 3] = ["target", ".git", "node_modules"];

/// Writes what differs, so that nothing else is built again, and takes away what is gone. Of a file
/// in `instead` it writes that.
fn mirror(from: &Path, to: &Path, instead: &BTreeMap<PathBuf, String>) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(to).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if !LEFT_OUT.iter().any(|out| name == *out) && !from.join(name).try_exists().unwrap() {
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        }
    }
    for entry in fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        let to = to.join(&name);
        if LEFT_OUT.iter().any(|out| name == *out) {
            continue;
        }
        if path.is_dir() {
            mirror(&path, &to, instead);
            continue;
        }
        let content = instead.get(&path).map(|it| it.clone().into_bytes());
        let content = content.unwrap_or_else(|| fs::read(&path).unwrap());
        if fs::read(&to).ok().as_ref() != Some(&content) {
            fs::write(&to, content).unwrap();
        }
    }
}

/// Gives the packages of the copy a version of their own. Cargo takes two trees with the same
/// packages for one, so a target folder that they share would hold changed code that the sound tree
/// then takes for its own; what is not of the tree is still built once for both.
fn set_apart(manifest: &Path) -> String {
    let manifest = fs::read_to_string(manifest).unwrap();
    let (own, apart) = (env!("CARGO_PKG_VERSION"), "99.0.0-changed");
    let version = format!("version = \"{own}\"");
    assert_eq!(manifest.matches(&version).count(), 1, "Cargo.toml does not have it once");
    manifest.replace(&version, &format!("version = \"{apart}\""))
}

/// The file with all of its changes. A constant cannot ask, so where one of its constant functions
/// is changed, none is constant.
fn with_changes(path: &Path, changes: &[(usize, &Mutation)]) -> String {
    let original = fs::read_to_string(path).unwrap();
    let is_within_constant = |Mutation { what, file, from, .. }: &Mutation| {
        assert_eq!(original.matches(from).count(), 1, "{file} is not what it was: {what}");
        let before = &original[..original.find(from).unwrap()];
        let function = before.rfind("fn ").unwrap_or(0);
        before[..function].ends_with("const ")
    };
    // each is looked at, also after the first that is
    let constant = changes.iter().filter(|(_, mutation)| is_within_constant(mutation)).count();
    let askable =
        if constant > 0 { original.replace(" const fn ", " fn ") } else { original.clone() };
    changes.iter().fold(askable, |text, (number, Mutation { from, to, .. })| {
        let is_chosen = format!(
            "({{ static IS: std::sync::LazyLock<bool> = std::sync::LazyLock::new(|| \
             std::env::var(\"{CHOSEN}\").is_ok_and(|it| it == \"{number}\")); *IS }})"
        );
        text.replacen(from, &to.replace("CHANGED", &is_chosen), 1)
    })
}

fn simulate(tree: &Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--quiet", "--package", "tests", "--test", "simulation"]);
    command.current_dir(tree).env_remove(CHOSEN);
    command
}

fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

/// How the first seed tells a difference that shows one; it ends there.
fn difference(tree: &Path, chosen: Option<usize>, seeds: &str) -> Option<String> {
    let mut command = simulate(tree);
    command.args(["engine_and_judge"]).env("BASEFLOW_SEED", seeds);
    command.envs(chosen.map(|number| (CHOSEN, number.to_string())));
    let ran = command.output().unwrap();
    let told = text(&ran);
    let line = told.lines().find(|line| line.starts_with("seed "));
    assert!(ran.status.success() || line.is_some(), "it fails for another reason: {told}");
    line.map(str::to_owned)
}

#[test]
fn every_change_of_the_engine_is_seen_by_the_judge() {
    let mut files = BTreeMap::<_, Vec<_>>::new();
    for (number, mutation) in MUTATIONS.iter().enumerate() {
        files.entry(mutation.file).or_default().push((number, mutation));
    }
    let changed = files.into_iter().map(|(file, changes)| {
        let path = workspace().join(file);
        let text = with_changes(&path, &changes);
        (path, text)
    });
    let manifest = workspace().join("Cargo.toml");
    let apart = set_apart(&manifest);
    let tree = copy();
    mirror(workspace(), &tree, &changed.chain([(manifest, apart)]).collect());
    let built = simulate(&tree).arg("--no-run").output().unwrap();
    assert!(built.status.success(), "it does not build: {}", text(&built));

    assert_eq!(difference(&tree, None, "1-2"), None, "unchanged, the copy is another engine");
    let mut unseen = Vec::new();
    for (number, Mutation { what, .. }) in MUTATIONS.iter().enumerate() {
        match difference(&tree, Some(number), SEEDS) {
            Some(line) => println!("{what}: {line}"),
            None => unseen.push(what),
        }
    }
    assert_eq!(unseen, Vec::<&&str>::new(), "the judge sees none of these");
}
