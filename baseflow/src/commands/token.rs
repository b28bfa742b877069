//! `token add`, `list` and `revoke`.

use std::path::Path;

use anyhow::{Context as _, bail};
use dashboards::access::Role;
use store::{AddToken, RevokeToken, TokenAdded};

use super::{by, open, open_existing};
use crate::{
    failure::Ended,
    output::{complain, say},
    stored,
    typed::typed,
};

/// Makes a token and prints it alone; that of a screen on a wall as the link that it opens.
pub(super) fn add(config: &Path, name: &str, role: Role) -> anyhow::Result<Ended> {
    let opened = open(config)?;
    let public_url = opened.public_url.clone();
    let (name, word) = (name.to_owned(), role.word().to_owned());
    let token = AddToken { at: opened.now, by: by(), name: name.clone(), role: word };
    let added = opened.store.journal().write_blocking(token).context("cannot store a token")?;
    opened.store.close();
    match added {
        TokenAdded::Done { text } if role == Role::Wall => {
            complain(
                "open this link once, on the screen itself: it is shown once, and opens nothing any more after that; \
                 whoever has it until then has the wall",
            );
            say(&format!("{public_url}/wall#{}", text.as_str()))?;
        }
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
        let is_link = token.role == Role::Wall.word();
        let state = match (token.revoked_at, token.opened_at) {
            (Some(at), _) => format!("revoked {at}"),
            (None, Some(at)) => format!("valid, opened {at}"),
            (None, None) if is_link => "not opened by a screen yet".to_owned(),
            (None, None) => "valid".to_owned(),
        };
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
