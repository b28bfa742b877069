//! `user add`, `passwd`, `disable` and `list`.

use std::{
    io::{self, IsTerminal as _, Read as _},
    path::Path,
};

use anyhow::{Context as _, bail};
use dashboards::{access::Role, password};
use store::{AddUser, DisableUser, SetPassword};

use super::{by, open, open_existing};
use crate::{
    cli::PasswordFrom,
    failure::Ended,
    output::{complain, say},
    stored,
    typed::typed,
};

/// The longest that is read of standard input.
const MAX_BYTES: u64 = 1_024;

/// A password, and what it is to be compared with.
struct Password {
    /// Shown once, where it was made.
    made: Option<String>,
    hash: String,
}

/// Lets somebody log in.
pub(super) fn add(
    config: &Path,
    name: &str,
    role: Role,
    from: PasswordFrom,
) -> anyhow::Result<Ended> {
    let password = Password::of(name, from)?;
    let opened = open(config)?;
    let user = AddUser {
        at: opened.now,
        by: by(),
        name: name.to_owned(),
        role: role.word().to_owned(),
        password: password.hash.clone(),
        must_change: password.made.is_some(),
    };
    let is_added = opened.store.journal().write_blocking(user).context("cannot store a user")?;
    opened.store.close();
    if !is_added {
        let passwd = typed(&format!("user passwd {name}"), config);
        bail!("`{name}` may log in already; `{passwd}` sets another password");
    }
    password.show()
}

/// Gives somebody another password.
pub(super) fn set_password(config: &Path, name: &str, from: PasswordFrom) -> anyhow::Result<Ended> {
    let password = Password::of(name, from)?;
    let opened = open_existing(config)?;
    let set = SetPassword {
        at: opened.now,
        by: by(),
        name: name.to_owned(),
        password: password.hash.clone(),
        must_change: password.made.is_some(),
        replaces: None,
    };
    let is_set = opened.store.journal().write_blocking(set).context("cannot set a password")?;
    opened.store.close();
    if !is_set {
        return Err(nobody(name, config));
    }
    password.show()
}

/// Lets somebody log in no more.
pub(super) fn disable(config: &Path, name: &str) -> anyhow::Result<Ended> {
    let opened = open_existing(config)?;
    let user = DisableUser { at: opened.now, by: by(), name: name.to_owned() };
    let could = opened.store.journal().write_blocking(user).context("cannot disable a user")?;
    opened.store.close();
    if !could {
        return Err(nobody(name, config));
    }
    Ok(Ended::Done)
}

/// Prints everybody.
pub(super) fn list(config: &Path) -> anyhow::Result<Ended> {
    let opened = open_existing(config)?;
    let users = stored::users(opened.store.journal())?;
    opened.store.close();
    for user in users {
        let state = match user.disabled_at {
            Some(at) => format!("disabled {at}"),
            None if user.must_change => "has to change the password at the next log-in".to_owned(),
            None => "may log in".to_owned(),
        };
        say(&format!(
            "{}\t{}\tadded {}\tpassword of {}\t{state}",
            user.name, user.role, user.created_at, user.password_at
        ))?;
    }
    Ok(Ended::Done)
}

fn nobody(name: &str, config: &Path) -> anyhow::Error {
    let list = typed("user list", config);
    anyhow::anyhow!("nobody may log in as `{name}`; `{list}` shows all")
}

/// A password that is made for somebody, and what it is to be compared with.
pub(crate) fn made_for(name: &str) -> anyhow::Result<(String, String)> {
    let text = made()?;
    let hash = hashed(name, &text)?;
    Ok((text, hash))
}

fn hashed(name: &str, text: &str) -> anyhow::Result<String> {
    password::check(name, text)?;
    let mut salt = [0; password::SALT_BYTES];
    getrandom::fill(&mut salt).context("cannot draw random numbers")?;
    Ok(password::hash(text, salt)?)
}

impl Password {
    fn of(name: &str, from: PasswordFrom) -> anyhow::Result<Self> {
        if from.password_stdin {
            return Ok(Self { made: None, hash: hashed(name, &typed_in()?)? });
        }
        let (text, hash) = made_for(name)?;
        Ok(Self { made: Some(text), hash })
    }

    fn show(self) -> anyhow::Result<Ended> {
        if let Some(made) = self.made {
            complain(
                "this password is shown once and stored nowhere; whoever logs in with it has to set another one first",
            );
            say(&made)?;
        }
        Ok(Ended::Done)
    }
}

fn made() -> anyhow::Result<String> {
    let mut random = [0; password::MADE_BYTES];
    getrandom::fill(&mut random).context("cannot draw random numbers")?;
    Ok(password::made(random))
}

/// The first line of standard input.
fn typed_in() -> anyhow::Result<String> {
    let input = io::stdin();
    if input.is_terminal() {
        bail!(
            "a terminal would show the password; give it by a file or a pipe, or leave out --password-stdin and have one made"
        );
    }
    let mut text = String::new();
    let read = input.lock().take(MAX_BYTES).read_to_string(&mut text);
    read.context("cannot read a password from standard input")?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
