//! `check`: settings and registry validated together, and what is in force.

mod cautions;
mod probe;

use std::{io::ErrorKind, path::Path};

use alerting::plan::Plan;
use model::{fault::Chain, registry::Registry, tree::Node};
use runtime::settings::effective;
use rustix::fs::{Access, access};

use super::warn;
use crate::{
    failure::{Ended, Refused},
    output::{counted, say},
    registry_file::RegistryFile,
    settings::{SECRET_KEYS, config, is_written, tree},
};

pub(super) use probe::Account;

/// What is tried beside reading the settings.
#[derive(Debug, Clone)]
pub(super) enum Depth {
    /// Nothing.
    Settings,
    /// Data folder and broker, with an agent's account where there is one.
    Probe(Option<Account>),
}

/// Prints the settings in force with who wrote each; or every fault of settings and registry.
pub(super) fn check(file: &Path, depth: &Depth) -> anyhow::Result<Ended> {
    let tree = tree(file)?;
    let config = match config(&tree, file) {
        Ok(config) => config,
        Err(refused) => return Err(with_registry(refused, &tree, file).into()),
    };
    let registry = RegistryFile::find(&config.registry.file, Some(&config.channels))?;
    if registry.is_none() && is_written(&tree, "registry.file") {
        let path = config.registry.file.display();
        return Err(Refused::one(format!("registry.file: `{path}` does not exist")).into());
    }
    say(effective(&tree, SECRET_KEYS).trim_end())?;
    say(&match &registry {
        Some(found) => summary(found),
        None => format!("# no registry file `{}`", config.registry.file.display()),
    })?;
    if let Some(found) = &registry {
        warn(&not_watched(&found.registry));
        warn(&cautions::overlooked(&found.registry));
        warn(&cautions::chatter(&found.registry));
        warn(cautions::links(&config.http, &found.registry).as_slice());
    }
    warn(&cautions::secrets(&tree, file));
    let mut findings = Findings::default();
    if let Some(found) = &registry {
        rule_tests(&found.registry, &mut findings)?;
    }
    match depth {
        Depth::Settings => warn(place(&config.data_dir).err().as_slice()),
        Depth::Probe(account) => probe::probe(&config, account.as_ref(), &mut findings)?,
    }
    Ok(if findings.is_any_bad { Ended::Incomplete } else { Ended::Done })
}

/// Has every rule judge the cases that the registry holds against it.
fn rule_tests(registry: &Registry, findings: &mut Findings) -> anyhow::Result<()> {
    for (id, test) in &registry.rule_tests {
        let Some(rule) = registry.rules.get(&test.rule) else { continue };
        let mismatches = compliance::rule_test::run(test, rule);
        for compliance::rule_test::Mismatch { expected, found } in &mismatches {
            let from = expected.from.in_zone(&test.zone);
            findings.bad(&format!(
                "rule_test «{id}»: rule `{}` judges the {} from {from} ({}) as {found}, the test expects {}",
                test.rule, expected.by, test.zone.name(), expected.verdict
            ))?;
        }
        if mismatches.is_empty() {
            let verdicts = counted(test.expect.len(), "verdict");
            findings.good(&format!("rule_test «{id}»: {verdicts}"))?;
        }
    }
    Ok(())
}

/// Whether this user could work in the data folder, or make it.
fn place<'p>(folder: &'p Path) -> Result<(), String> {
    let here = |path: &'p Path| if path.as_os_str().is_empty() { Path::new(".") } else { path };
    // below a file there is nothing; what else hides a path is told by `access`
    let is_there = |path: &&Path| match path.try_exists() {
        Ok(is_there) => is_there,
        Err(error) => error.kind() != ErrorKind::NotADirectory,
    };
    let Some(nearest) = folder.ancestors().map(here).find(is_there) else { return Ok(()) };
    if nearest.is_file() {
        let (nearest, shown) = (nearest.display(), folder.display());
        return Err(format!(
            "data_dir: `{nearest}` is a file, so that the folder `{shown}` cannot be made; choose another"
        ));
    }
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    access(nearest, wanted).map_err(|error| {
        let (user, shown) = (rustix::process::geteuid().as_raw(), folder.display());
        let nearest = nearest.display();
        format!(
            "data_dir: `{nearest}` is not writable for user {user}, who runs this ({error}); make the folder for the server's user:\n    sudo install -d -m 0700 -o \"$(id -un)\" {shown}"
        )
    })
}

/// Whether a start could make its store in the data folder, by doing so and taking it back.
fn tried(folder: &Path) -> Result<(), String> {
    place(folder)?;
    store::try_folder(folder).map_err(|error| format!("data_dir: {}", Chain(&error)))
}

/// What was tried, told line by line.
#[derive(Debug, Default)]
struct Findings {
    is_any_bad: bool,
}

impl Findings {
    #[expect(clippy::unused_self, reason = "beside `bad`, which notes it")]
    fn good(&self, what: &str) -> anyhow::Result<()> {
        say(&format!("ok       {what}"))
    }

    fn bad(&mut self, what: &str) -> anyhow::Result<()> {
        self.is_any_bad = true;
        say(&format!("FAULT    {what}"))
    }

    #[expect(clippy::unused_self, reason = "beside `bad`, which notes it")]
    fn skipped(&self, what: &str) -> anyhow::Result<()> {
        say(&format!("skipped  {what}"))
    }
}

/// The faults of the registry beside those of the settings, where it can be found at all.
fn with_registry(refused: Refused, tree: &Node, file: &Path) -> Refused {
    let Some(path) = crate::settings::registry_path(tree, file) else { return refused };
    match RegistryFile::find(&path, None) {
        Ok(_) => refused,
        Err(also) => refused.and(also),
    }
}

fn summary(found: &RegistryFile) -> String {
    let registry = &found.registry;
    let parts = [
        counted(registry.stations.len(), "station"),
        counted(registry.gauges().count(), "gauge"),
        counted(registry.rules.len(), "rule"),
        counted(registry.alarm_rules.len(), "alarm rule"),
        counted(registry.contacts.len(), "contact"),
    ];
    format!("# registry file `{}` is sound: {}", found.path.display(), parts.join(", "))
}

/// Alarm rules of which nothing comes in this version.
fn not_watched(registry: &Registry) -> Vec<String> {
    let plan = Plan::of(registry);
    let unbuilt = plan
        .unbuilt
        .iter()
        .map(|rule| format!("alarm_rule[{rule}].kind: not built yet, raises nothing"));
    let underived = plan.underived.iter().map(|(rule, section)| {
        format!("alarm_rule[{rule}]: section {section} is not watched, since a formula makes the flow of an outlet, which is not built yet")
    });
    unbuilt.chain(underived).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use model::tree::Origin;

    use super::*;

    #[test]
    fn what_a_registry_has_is_counted_in_words() {
        let text = "[[station]]\nid = 'S'\ngauge = [{ id = 'q', quantity = 'flow', unit = 'm3/s', interval = '5s' }]
            [[alarm_rule]]\nid = 'a'\nkind = 'no_data'\nseverity = 'red'
            [[alarm_rule]]\nid = 'b'\nkind = 'no_data'\nseverity = 'blue'";
        let registry = store::registry::parse(text, &Origin::Default).unwrap();
        let found = RegistryFile { path: "r.toml".into(), digest: [0; 32], registry };
        expect!["# registry file `r.toml` is sound: 1 station, 1 gauge, 0 rules, 2 alarm rules, 0 contacts"].assert_eq(&summary(&found));
    }

    /// The fenced TOML of a document's section, in its order.
    fn fences<'d>(document: &'d str, heading: &str) -> Vec<&'d str> {
        let section = document.split_once(heading).expect("the section").1;
        let section = section.split("\n## ").next().unwrap_or(section);
        section
            .split("```toml\n")
            .skip(1)
            .map(|fence| fence.split_once("```").expect("an end").0)
            .collect()
    }

    #[test]
    fn the_example_of_the_reference_is_sound_watched_and_needs_no_warning() {
        let document = include_str!("../../../docs/registry.md");
        let fences = fences(document, "### From readings to verdicts and messages");
        let [settings, registry] = fences[..] else { panic!("{} fences", fences.len()) };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("baseflow.toml");
        std::fs::write(&file, settings).unwrap();
        std::fs::write(folder.path().join("registry.toml"), registry).unwrap();
        let config = crate::settings::settings(&file).unwrap().config;
        let found =
            RegistryFile::find(&config.registry.file, Some(&config.channels)).unwrap().unwrap();
        assert_eq!(not_watched(&found.registry), Vec::<String>::new());
        assert_eq!(cautions::links(&config.http, &found.registry), None);
        assert_eq!(cautions::overlooked(&found.registry), Vec::<String>::new());
        assert_eq!(cautions::chatter(&found.registry), Vec::<String>::new());
        let shown = summary(&found).replace(&folder.path().display().to_string(), "…");
        expect!["# registry file `…/registry.toml` is sound: 1 station, 1 gauge, 1 rule, 2 alarm rules, 1 contact"].assert_eq(&shown);
    }

    fn check_place(folder: &Path, under: &Path, expected: &Expect) {
        let told = place(folder).err().unwrap_or_default();
        expected.assert_eq(&told.replace(&under.display().to_string(), "…"));
    }

    #[test]
    fn a_data_folder_that_cannot_be_made_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        std::fs::write(at.join("file"), "x").unwrap();
        check_place(
            &at.join("file/a/data"),
            at,
            &expect![
                "data_dir: `…/file` is a file, so that the folder `…/file/a/data` cannot be made; choose another"
            ],
        );
        check_place(&at.join("a/b/data"), at, &expect![""]);
        check_place(Path::new("no-such/data"), at, &expect![""]);
    }

    #[test]
    fn a_probe_makes_the_data_folder_and_takes_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        assert_eq!(tried(&at.join("a/data")), Ok(()));
        assert_eq!(std::fs::read_dir(at).unwrap().count(), 0);
        // no rights and no user can make anything there
        expect!["data_dir: cannot use the folder `/proc/baseflow`: No such file or directory (os error 2)"]
            .assert_eq(&tried(Path::new("/proc/baseflow")).unwrap_err());
    }
}
