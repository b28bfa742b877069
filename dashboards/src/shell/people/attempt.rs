//! Somebody who shows a password: charged before it is looked at, and what comes of it.

use std::{net::IpAddr, sync::Arc};

use model::fault::Chain;
use store::{
    Append, AttemptRow, BeginSession, Body, By, ByKind, NoteAttempts, SessionText, StoreError,
    UserRow,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::{debug, info, warn};

use super::{Address, LogIn, Waiting};
use crate::{
    lockout::{Kept, LOCK_MS, Locked, Try, Wrong},
    problem::Problem,
    session,
    shell::{answer::store_problem, parts::Parts},
};

/// Begins a session for whoever has this name and password, in the place of the one that the same
/// browser had.
pub(crate) async fn log_in(
    parts: &Arc<Parts>,
    Address(from): Address,
    (name, password): (String, String),
    before: Option<SessionText>,
) -> Result<(SessionText, UserRow), Problem> {
    let own = Arc::clone(parts);
    to_its_end(parts, async move {
        let parts = &own;
        let attempt = Attempt::begin(parts, from, name).await?;
        let outcome = attempt.log_in(password, before).await;
        match outcome {
            Ok(Some(begun)) => Ok(begun),
            Ok(None) => Err(Problem::wrong_password()),
            Err(problem) => {
                parts.metrics.note_log_in(LogIn::Refused);
                Err(problem)
            }
        }
    })
    .await
}

/// Goes on where whoever asked is gone, so that what was charged is settled: nobody is locked out by
/// right passwords, and nobody looks at passwords without being counted.
pub(crate) async fn to_its_end<T: Send + 'static>(
    parts: &Parts,
    attempt: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    let (tells, told) = oneshot::channel();
    parts.stage.spawn("log-in", async move { drop(tells.send(attempt.await)) });
    told.await.unwrap_or_else(|_ended| Err(Problem::unavailable("the server is stopping")))
}

/// Somebody who shows a password, which is charged until it turns out to be right.
pub(crate) struct Attempt<'p> {
    parts: &'p Arc<Parts>,
    from: IpAddr,
    name: String,
    /// What stands for the name.
    who: String,
    tried: Try,
    _place: Waiting,
    /// Of a stranger, that he has come up.
    _turn: Option<OwnedSemaphorePermit>,
}

impl<'p> Attempt<'p> {
    /// Charges a try, also for whoever comes after a restart, once it comes up.
    pub(crate) async fn begin(
        parts: &'p Arc<Parts>,
        from: IpAddr,
        name: String,
    ) -> Result<Self, Problem> {
        let who = parts.people.names.stands_for(&name);
        let tried = charge(parts, &who, from)?;
        let attempt = match come_up(parts, &who, &tried, from).await {
            Ok((place, turn)) => Self { parts, from, name, who, tried, _place: place, _turn: turn },
            Err(problem) => {
                // nothing of it is stored yet
                parts.people.lockouts().undone(&tried);
                parts.metrics.note_log_in(LogIn::Refused);
                return Err(problem);
            }
        };
        let noted = attempt.note().await.map_err(|failure| store_problem(&failure));
        let refused = |_: &Problem| parts.metrics.note_log_in(LogIn::Refused);
        attempt.given_back_where_failed(noted).await.inspect_err(refused)?;
        Ok(attempt)
    }

    /// Whose password it is; none where name and password do not belong together.
    pub(crate) async fn looked_at(&self, password: String) -> Result<Option<UserRow>, Problem> {
        let (parts, name) = (self.parts, self.name.clone());
        let known = parts.journal.read(move |reader| reader.user(&name)).await;
        let known = known.map_err(|failure| store_problem(&failure));
        let user = self.given_back_where_failed(known).await?;
        let is_right = parts.people.is_right(password, user.as_ref()).await;
        let is_right = self.given_back_where_failed(is_right).await?;
        let user = match user {
            Some(user) if is_right => user,
            other => {
                self.wrong(other);
                return Ok(None);
            }
        };
        let people = &parts.people;
        let may = people.lockouts().right(&self.tried, people.now_ms());
        self.note().await.map_err(|failure| store_problem(&failure))?;
        if may {
            Ok(Some(user))
        } else {
            let often = "this user logs in too often; try again in a minute";
            Err(Problem::too_often(60, often))
        }
    }

    /// The session that came of it.
    async fn log_in(
        &self,
        password: String,
        before: Option<SessionText>,
    ) -> Result<Option<(SessionText, UserRow)>, Problem> {
        let parts = self.parts;
        let Some(user) = self.looked_at(password).await? else { return Ok(None) };
        let begun = begin_session(parts, &user, before).await?;
        if begun.is_some() {
            info!(user = %user.name, address = %self.from, "user logged in");
            parts.metrics.note_log_in(LogIn::Right);
        }
        Ok(begun.map(|session| (session, user)))
    }

    /// Stores how tries stand.
    async fn note(&self) -> Result<(), StoreError> {
        let (parts, people) = (self.parts, &self.parts.people);
        let _in_turn = people.noting.lock().await;
        let (now, now_ms) = (parts.clock.now(), people.now_ms());
        let kept = people.lockouts().kept(&self.who, self.from, now_ms);
        let row = |kept: Kept| {
            let Kept { name, place, tries, is_familiar, last_ms } = kept;
            let age_ms = i64::try_from(now_ms.saturating_sub(last_ms)).unwrap_or(i64::MAX);
            let place = place.map(|place| place.to_string()).unwrap_or_default();
            AttemptRow { name, place, tries, is_familiar, tried_at: now.plus_ms(-age_ms) }
        };
        let lock_ms = i64::try_from(LOCK_MS).unwrap_or(i64::MAX);
        let rows = kept.into_iter().map(row).collect();
        let somebodys = people.lockouts().somebodys(now_ms);
        let note = NoteAttempts { rows, somebodys, forget_before: now.plus_ms(-lock_ms) };
        parts.journal.write(note).await
    }

    /// What nobody could look at counts for nothing.
    async fn given_back_where_failed<T>(&self, step: Result<T, Problem>) -> Result<T, Problem> {
        if step.is_err() {
            self.give_back().await;
        }
        step
    }

    async fn give_back(&self) {
        self.parts.people.lockouts().undone(&self.tried);
        if let Err(failure) = self.note().await {
            // the try stays charged after a restart, which costs its user one of five
            debug!(error = %Chain(&failure), "cannot note that a try counts for nothing");
        }
    }

    fn wrong(&self, user: Option<UserRow>) {
        let parts = self.parts;
        parts.metrics.note_log_in(LogIn::Wrong);
        let wrong = parts.people.lockouts().wrong(&self.tried, user.is_some());
        // what nobody is called is not told: it may be a password in the wrong field
        let known = user.as_ref().map_or("", |user| user.name.as_str());
        info!(user = known, address = %self.from, "wrong name or password");
        let (Some(user), Wrong::LastForName) = (user, wrong) else { return };
        warn!(user = %user.name, address = %self.from, "user locked after too many wrong passwords");
        let by = By { kind: ByKind::Server, name: "server".to_owned() };
        let body = Body::LoginsLocked { user: user.name };
        let append = Append { at: parts.clock.now(), by, body };
        let journal = parts.journal.clone();
        // not waited for: how long an answer takes must not tell that somebody has the name
        parts.stage.spawn("lock", async move {
            if let Err(failure) = journal.write(append).await {
                warn!(error = %Chain(&failure), "cannot journal that a user is locked");
            }
        });
    }
}

/// A try that is charged here, and not stored yet.
fn charge(parts: &Parts, who: &str, from: IpAddr) -> Result<Try, Problem> {
    let people = &parts.people;
    let mut lockouts = people.lockouts();
    let tried = lockouts.begin(who, from, people.now_ms());
    parts.metrics.forgotten_places.inc_by(lockouts.take_forgotten());
    drop(lockouts);
    tried.map_err(|Locked { seconds }| {
        parts.metrics.note_log_in(LogIn::Locked);
        Problem::locked(seconds)
    })
}

async fn come_up(
    parts: &Parts,
    who: &str,
    tried: &Try,
    from: IpAddr,
) -> Result<(Waiting, Option<OwnedSemaphorePermit>), Problem> {
    let people = &parts.people;
    let place = people.place(who, from, tried.is_familiar())?;
    Ok((place, people.come_up(tried.is_familiar()).await?))
}

/// A session of somebody whose password was right, in the place of the one `before`; none where the
/// password is not theirs any more.
pub(crate) async fn begin_session(
    parts: &Parts,
    user: &UserRow,
    before: Option<SessionText>,
) -> Result<Option<SessionText>, Problem> {
    let at = parts.clock.now();
    let begin = BeginSession { at, user: user.clone(), before, over: session::over(at) };
    parts.journal.write(begin).await.map_err(|failure| store_problem(&failure))
}
