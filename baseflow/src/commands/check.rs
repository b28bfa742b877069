//! `check`: settings and registry validated together, and what is in force.

mod probe;

use std::path::Path;

use alerting::plan::Plan;
use model::{registry::Registry, tree::Node};
use runtime::settings::effective;
use rustix::fs::{Access, access};

use super::warn;
use crate::{
    failure::{Ended, Refused},
    output::say,
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
    let registry = RegistryFile::find(&config.registry.file, Some(&config.channel_names()))?;
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
    }
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
            findings.good(&format!("rule_test «{id}»: {} verdicts", test.expect.len()))?;
        }
    }
    Ok(())
}

/// Whether this user could work in the data folder, or make it.
fn place(folder: &Path) -> Result<(), String> {
    let is_there = |path: &&Path| path.try_exists().unwrap_or(true);
    let Some(nearest) = folder.ancestors().find(is_there) else { return Ok(()) };
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    access(nearest, wanted).map_err(|error| {
        let (user, shown) = (rustix::process::geteuid().as_raw(), folder.display());
        let nearest = nearest.display();
        format!(
            "data_dir: `{nearest}` is not writable for user {user}, who runs this ({error}); make the folder for the server's user:\n    sudo install -d -m 0700 -o \"$(id -un)\" {shown}"
        )
    })
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
    format!(
        "# registry file `{}` is sound: {} stations, {} gauges, {} rules, {} contacts",
        found.path.display(),
        registry.stations.len(),
        registry.gauges().count(),
        registry.rules.len(),
        registry.contacts.len()
    )
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
