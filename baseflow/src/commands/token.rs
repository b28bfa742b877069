//! `token add`, `list` and `revoke`.

use std::path::Path;

use anyhow::{Context as _, bail};
use dashboards::access::Role;
use store::{AddToken, RevokeToken, TokenAdded};

use super::{by, open, open_existing};
use crate::{failure::Ended, output::say, stored, typed::typed};

/// Makes a token and prints it alone.
pub(super) fn add(config: &Path, name: &str, role: Role) -> anyhow::Result<Ended> {
    let opened = open(config)?;
    let (name, role) = (name.to_owned(), role.word().to_owned());
    let token = AddToken { at: opened.now, by: by(), name: name.clone(), role };
    let added = opened.store.journal().write_blocking(token).context("cannot store a token")?;
    opened.store.close();
    match added {
        TokenAdded::Done { text } => say(text.as_str())?,
        TokenAdded::NameTaken => {
            bail!("a token `{name}` is or was there; the journal keeps its name, choose another")
        }
    }
    Ok(Ended::Done)
}

/// Prints every token, without its text, which nobody knows.
pub(super) fn list(config: &Path) -> anyhow::Result<Ended> {
    let opened = open_existing(config)?;
    let tokens = stored::tokens(opened.store.journal())?;
    opened.store.close();
    for token in tokens {
        let state =
            token.revoked_at.map_or_else(|| "valid".to_owned(), |at| format!("revoked {at}"));
        say(&format!("{}\t{}\tmade {}\t{state}", token.name, token.role, token.created_at))?;
    }
    Ok(Ended::Done)
}

/// Makes a token useless.
pub(super) fn revoke(config: &Path, name: &str) -> anyhow::Result<Ended> {
    let opened = open_existing(config)?;
    let token = RevokeToken { at: opened.now, by: by(), name: name.to_owned() };
    let was_valid =
        opened.store.journal().write_blocking(token).context("cannot revoke a token")?;
    opened.store.close();
    if !was_valid {
        let list = typed("token list", config);
        bail!("no valid token is called `{name}`; `{list}` shows all");
    }
    Ok(Ended::Done)
}
