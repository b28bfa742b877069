//! Somebody sets a password of their own, which nobody else knows.

use std::{net::IpAddr, sync::Arc};

use model::fault::Chain;
use store::{SessionText, SetPassword, UserRow};
use tracing::{error, info};

use super::{
    answer::store_problem,
    parts::Parts,
    people::{Address, Attempt, begin_session, to_its_end},
};
use crate::{access::Caller, password, problem::Problem, query::session::ChangeBody};

/// Sets it where the one that they have is right, which is counted as at a log-in: a session that
/// somebody left open must not be enough. Every session of theirs ends, and another one begins.
pub(crate) async fn change(
    parts: &Arc<Parts>,
    Address(from): Address,
    caller: Caller,
    said: ChangeBody,
) -> Result<(SessionText, UserRow), Problem> {
    let ChangeBody { password, new } = said;
    password::check(&caller.name, &new).map_err(Problem::weak_password)?;
    if new == password {
        return Err(Problem::same_password());
    }
    to_its_end(parts, set(Arc::clone(parts), from, caller, (password, new))).await
}

async fn set(
    parts: Arc<Parts>,
    from: IpAddr,
    caller: Caller,
    (password, new): (String, String),
) -> Result<(SessionText, UserRow), Problem> {
    let parts = &parts;
    let attempt = Attempt::begin(parts, from, caller.name.clone()).await?;
    let user = attempt.looked_at(password).await?.ok_or_else(Problem::wrong_own_password)?;
    let hash = hash(parts, new).await?;
    let set = SetPassword {
        at: parts.clock.now(),
        by: caller.by(),
        name: user.name.clone(),
        password: hash.clone(),
        must_change: false,
        replaces: Some(user.password.clone()),
    };
    let elsewhere = || Problem::conflict("the password was changed elsewhere meanwhile");
    if !parts.journal.write(set).await.map_err(|failure| store_problem(&failure))? {
        return Err(elsewhere());
    }
    info!(user = %user.name, address = %from, "user changed their password");
    let user = UserRow { password: hash, must_change: false, ..user };
    let session = begin_session(parts, &user, None).await?.ok_or_else(elsewhere)?;
    Ok((session, user))
}

async fn hash(parts: &Parts, new: String) -> Result<String, Problem> {
    let mut salt = [0; password::SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|failure| {
        error!(error = %Chain(&failure), "cannot draw random numbers");
        Problem::internal()
    })?;
    parts.people.hashed(new, salt).await
}
