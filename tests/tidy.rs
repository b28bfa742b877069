//! The invariants of `ARCHITECTURE.md` and the rules of `CONVENTIONS.md` that a machine can see.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Which package may use which; `ARCHITECTURE.md` draws it.
const ARROWS: [(&str, &[&str]); 9] = [
    ("model", &[]),
    ("runtime", &["model"]),
    ("store", &["model"]),
    ("edge-agent", &["model", "runtime"]),
    ("ingest", &["model", "runtime", "store"]),
    ("compliance", &["model", "runtime", "store"]),
    ("alerting", &["model", "runtime", "store"]),
    ("dashboards", &["model", "runtime", "store"]),
    (
        "baseflow",
        &[
            "model",
            "runtime",
            "store",
            "ingest",
            "compliance",
            "alerting",
            "dashboards",
            "edge-agent",
        ],
    ),
];

/// Packages that are machinery as a whole.
const MACHINERY: [&str; 3] = ["runtime", "baseflow", "tests"];

/// What waits, reads, writes, spawns, logs or asks the time.
const IMPURE: [&str; 21] = [
    "async fn",
    "async move",
    ".await",
    "tokio::",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "std::io::",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "tracing::",
    "info!(",
    "warn!(",
    "error!(",
    "rusqlite",
    "hyper",
    "rumqttc",
    "getrandom",
];

/// Names that say nothing.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "common", "manager", "misc"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_owned()
}

/// Every file below the root that git would keep, with this ending.
fn files(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | ".git" | "node_modules") {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no file ends with {ending}");
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The file without comments and without its tests, which stand last.
fn shipped_code(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether `line` holds `word`, and not as a part of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let before =
            line[..at].chars().next_back().filter(|_| word.starts_with(char::is_alphabetic));
        let after =
            line[at + word.len()..].chars().next().filter(|_| word.ends_with(char::is_alphabetic));
        !is_part(before) && !is_part(after)
    })
}

fn assert_none(faults: &[String], rule: &str) {
    assert!(faults.is_empty(), "{rule}\n{}", faults.join("\n"));
}

#[test]
fn packages_use_one_another_only_along_the_arrows() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        let ours = dependencies
            .iter()
            .filter(|dependency| dependency["path"].is_string())
            .map(|dependency| dependency["name"].as_str().expect("a name").to_owned());
        uses.insert(package["name"].as_str().expect("a name").to_owned(), ours.collect());
    }
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let mut faults = Vec::new();
    for (package, used) in uses.iter().filter(|(package, _)| *package != "tests") {
        let Some(allowed) = allowed.get(package.as_str()) else {
            faults.push(format!("{package} is not in the map"));
            continue;
        };
        for other in used.iter().filter(|other| !allowed.contains(&other.as_str())) {
            faults.push(format!("{package} may not use {other}"));
        }
    }
    assert_none(&faults, "ARCHITECTURE.md, «Packages»: data moves one way");
}

#[test]
fn nothing_outside_shell_waits_reads_writes_logs_or_knows_the_time() {
    let mut faults = Vec::new();
    let mut seen = 0;
    for path in files(".rs") {
        let name = relative(&path);
        let mut parts = name.split('/');
        let package = parts.next().unwrap_or_default();
        let is_source = parts.next() == Some("src");
        let is_machinery = MACHINERY.contains(&package)
            || name.ends_with("/main.rs")
            || name.contains("/shell/")
            || name.ends_with("/shell.rs")
            || name.ends_with("tests.rs");
        if !is_source || is_machinery {
            continue;
        }
        seen += 1;
        let code = shipped_code(&read(&path));
        for (number, line) in code.lines().enumerate() {
            for word in IMPURE.iter().filter(|word| has_word(line, word)) {
                faults.push(format!(
                    "{name}: `{word}` in `{}` (code line {})",
                    line.trim(),
                    number + 1
                ));
            }
        }
    }
    assert!(seen > 20, "only {seen} pure files found");
    assert_none(&faults, "CONVENTIONS.md, «Rules inside, machinery outside»");
}

#[test]
fn every_file_says_in_its_first_line_what_it_is_about() {
    let faults: Vec<String> = files(".rs")
        .iter()
        .filter(|path| !read(path).starts_with("//! "))
        .map(|path| relative(path))
        .collect();
    assert_none(
        &faults,
        "CONVENTIONS.md, «Files and functions»: the first line is a `//!` sentence",
    );
}

#[test]
fn no_name_is_empty() {
    let mut faults = Vec::new();
    for path in files("") {
        let name = relative(&path);
        let is_empty = name.split('/').any(|part| {
            let stem = part.split('.').next().unwrap_or_default();
            EMPTY_NAMES.contains(&stem)
        });
        if is_empty {
            faults.push(name);
        }
    }
    assert_none(&faults, "CONVENTIONS.md, «Names»: a piece that fits nowhere lacks a name");
}

#[test]
fn tests_neither_sleep_nor_are_skipped_and_nothing_is_left_to_do() {
    let mut faults = Vec::new();
    for path in files(".rs") {
        let name = relative(&path);
        if name == "tests/tidy.rs" {
            continue;
        }
        let is_test = name.starts_with("tests/") || name.contains("/tests");
        for (number, line) in read(&path).lines().enumerate() {
            let sleeps = is_test && line.contains("sleep(");
            let unfinished = line.contains("TODO") && !line.contains("TODO(#");
            if sleeps || unfinished || line.contains("#[ignore") {
                faults.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_none(&faults, "CONVENTIONS.md, «Tests» and «Comments and documents»");
}

#[test]
fn what_must_never_be_reachable_is_not_named() {
    let writes = [
        "write_single",
        "write_multiple",
        "masked_write",
        "read_write_multiple",
        "Writer for Context",
    ];
    let mut faults = Vec::new();
    for path in files(".rs").iter().filter(|path| relative(path).starts_with("edge-agent/src")) {
        let code = shipped_code(&read(path));
        for word in writes.iter().filter(|word| code.contains(**word)) {
            faults.push(format!("{}: `{word}`", relative(path)));
        }
    }
    assert_none(&faults, "ARCHITECTURE.md, invariant 11: the product cannot write Modbus");
}

#[test]
fn every_fixture_is_used_and_every_topic_is_documented() {
    let code: String = files(".rs").iter().map(|path| read(path)).collect();
    let mut faults = Vec::new();
    for path in files("").iter().filter(|path| relative(path).starts_with("tests/fixtures/")) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if !code.contains(&name) {
            faults.push(format!("{} is used nowhere", relative(path)));
        }
    }
    let formats = read(&root().join("docs/formats.md"));
    for topic in ["batch", "json", "status", "commit", "refused"] {
        if !formats.contains(&format!("baseflow/v1/{{agent}}/{topic}")) {
            faults.push(format!("topic {topic} is not in docs/formats.md"));
        }
    }
    assert_none(&faults, "CONVENTIONS.md, «Tests»: fixtures and documents stay true");
}
