//! `check`: settings and registry validated together, and what is in force.

use std::path::Path;

use runtime::settings::effective;

use super::warn;
use crate::{
    failure::{Ended, Refused},
    output::say,
    registry_file::RegistryFile,
    settings::{Config, Part, SECRET_KEYS, config, is_written, tree},
};

/// Prints the settings in force with who wrote each; or every fault of settings and registry.
pub(super) fn check(file: &Path) -> anyhow::Result<Ended> {
    let tree = tree(file)?;
    let config = match config(&tree, file) {
        Ok(config) => config,
        Err(refused) => return Err(with_registry(refused, &tree, file).into()),
    };
    let registry = RegistryFile::find(&config.registry.file)?;
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
        warn(&found.warnings(&config.channels));
    }
    warn(&not_built(&config));
    Ok(Ended::Done)
}

/// The faults of the registry beside those of the settings, where it can be found at all.
fn with_registry(refused: Refused, tree: &model::tree::Node, file: &Path) -> Refused {
    let Some(path) = crate::settings::registry_path(tree, file) else { return refused };
    match RegistryFile::find(&path) {
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

fn not_built(config: &Config) -> Vec<String> {
    let parts = config.roles.iter().filter(|part| !part.is_built());
    parts.map(|part: &Part| format!("roles.{}: not built yet, does nothing", part.word())).collect()
}
