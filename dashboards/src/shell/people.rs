//! Who logs in: passwords are looked at a few at a time, and wrong ones counted.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | passwords that are hashed at the same time, of 32 MiB each | 2 | more wait |
//! | log-ins that wait for that, half of the places of the API | 128 | 503 |
//! | seconds that one waits for its turn | 10 | 503, and the try counts for nothing |
//! | of one place | 16 | 429 |
//! | bodies of one place that are waited for | 8 | 429 |
//! | seconds until a body has come | 3 | 408 |
//! | bytes of a body | 4 KiB | 413 |
//!
//! A body is read before its call takes a place of the API: anybody can begin a log-in and never end
//! it, and must not keep out those who are logged in.
//!
//! What is counted of wrong passwords is in [`crate::lockout`]. It is stored before a password is
//! looked at: whoever has used up his tries has done so after a restart as well. One is stored after
//! the other, as they stand then, so that no older count ever comes after a newer one.
//!
//! Whoever waits has been charged, and no more than two are hashed at a time: a crowd at the change of
//! shifts is let in within seconds, and whoever sends a crowd makes the server hash for no longer than
//! his tries last.

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::{Body as HttpBody, to_bytes},
    extract::{FromRequestParts, Request, State},
    http::{Method, request::Parts as HeadParts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use model::{fault::Chain, hook::HookKey, time::Timestamp};
use store::{
    Append, AttemptRow, BeginSession, Body, By, ByKind, NoteAttempts, SessionText, StoreError,
    UserRow,
};
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};
use tracing::{debug, error, info, warn};

use super::{
    answer::store_problem,
    calls,
    pages::whose,
    parts::Parts,
    places::{Place, Places},
    screens::Screens,
    stopwatch::Stopwatch,
};
use crate::{
    lockout::{Kept, LOCK_MS, Locked, Lockouts, Wrong},
    password,
    problem::Problem,
    query::session::MAX_BYTES,
    session::{self, Cookie},
    visitor::BODIES,
};

const HASHING: usize = 2;
const WAITING: usize = 128;
const WAITING_OF_ONE: usize = 16;
const PATIENCE: Duration = Duration::from_secs(10);
const BODY_LIMIT: Duration = Duration::from_secs(3);

/// What log-ins and sessions need.
#[derive(Debug)]
pub struct People {
    pub(crate) cookie: Cookie,
    pub(crate) public_url: String,
    pub(crate) screens: Screens,
    /// Makes of a name what stands for it where tries are kept.
    names: HookKey,
    lockouts: Mutex<Lockouts>,
    /// Held by whoever stores how tries stand.
    noting: AsyncMutex<()>,
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    of_one: Places,
    /// Bodies that are waited for.
    bodies: Places,
    since: Stopwatch,
}

/// What became of a log-in, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogIn {
    Right,
    Wrong,
    /// It was not looked at, since too many were wrong.
    Locked,
    /// It was not looked at, since too many came at once, or the store could not be read.
    Refused,
}

impl LogIn {
    /// Every outcome.
    pub(crate) const ALL: [Self; 4] = [Self::Right, Self::Wrong, Self::Locked, Self::Refused];

    /// Its word in metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Locked => "locked",
            Self::Refused => "refused",
        }
    }
}

/// The address that a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address(pub(crate) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut HeadParts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(whose(parts)))
    }
}

impl People {
    /// For a server that browsers reach at this address, with the users whom it has, and the tries
    /// that an earlier one kept by the same key, the oldest first.
    pub fn new(
        public_url: &str,
        names: HookKey,
        (users, kept): (&[UserRow], Vec<AttemptRow>),
        now: Timestamp,
    ) -> Self {
        let mut lockouts = Lockouts::default();
        for row in kept {
            lockouts.take_up(read(row, now));
        }
        for user in users {
            lockouts.belongs(&names.stands_for(&user.name));
        }
        Self {
            cookie: Cookie::of(public_url),
            public_url: public_url.to_owned(),
            screens: Screens::default(),
            names,
            lockouts: Mutex::new(lockouts),
            noting: AsyncMutex::new(()),
            hashing: Arc::new(Semaphore::new(HASHING)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            of_one: Places::default(),
            bodies: Places::default(),
            since: Stopwatch::start(),
        }
    }

    /// Counts on from before this process began, so that what was kept has its moment.
    fn now_ms(&self) -> u64 {
        self.since.ms().saturating_add(LOCK_MS)
    }

    fn lockouts(&self) -> MutexGuard<'_, Lockouts> {
        self.lockouts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among those that wait, while it is held.
    fn place(&self, from: IpAddr) -> Result<(OwnedSemaphorePermit, Place), Problem> {
        let too_many = || Problem::of_status(429, "too many log-ins from here at once; try again");
        let of_one = self.of_one.take(from, WAITING_OF_ONE).ok_or_else(too_many)?;
        let waiting = Arc::clone(&self.waiting).try_acquire_owned();
        let waiting = waiting
            .map_err(|_none_left| Problem::unavailable("too many log-ins at once; try again"))?;
        Ok((waiting, of_one))
    }

    /// A place among those that are hashed, within the time that one waits for it.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let too_many = || Problem::unavailable("too many log-ins at once; try again");
        match timeout(PATIENCE, Arc::clone(&self.hashing).acquire_owned()).await {
            Ok(turn) => turn.map_err(|_never_closed| too_many()),
            Err(_elapsed) => Err(too_many()),
        }
    }

    /// What a password is compared with from here on.
    pub(super) async fn hashed(
        &self,
        password: String,
        salt: [u8; password::SALT_BYTES],
    ) -> Result<String, Problem> {
        let turn = self.turn().await?;
        let hashed = spawn_blocking(move || {
            let hashed = password::hash(&password, salt);
            drop(turn);
            hashed
        });
        let hashed = hashed.await.map_err(|_ended| Problem::unavailable("the server is stopping"));
        hashed?.map_err(|failure| {
            error!(error = %Chain(&failure), "cannot hash a password");
            Problem::internal()
        })
    }

    /// Whether the password is `user`'s. It takes as long where there is no user.
    async fn is_right(&self, password: String, user: Option<&UserRow>) -> Result<bool, Problem> {
        let turn = self.turn().await?;
        let hashed = user.map(|user| user.password.clone());
        let looked = spawn_blocking(move || {
            let is_right = password::is_right(&password, hashed.as_deref());
            drop(turn); // who asked may have gone, and the memory is in use until here
            is_right
        });
        looked.await.map_err(|_ended| Problem::unavailable("the server is stopping"))
    }
}

/// Reads the body of a log-in, and lets every other call through.
pub(crate) async fn admit(
    State(parts): State<Arc<Parts>>,
    request: Request,
    next: Next,
) -> Response {
    let has_body = calls::session::WITH_A_BODY.contains(&request.uri().path());
    if request.method() != Method::POST || !has_body {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let place = parts.people.bodies.take(whose(&head), BODIES);
    let body = match &place {
        Some(_held) => timeout(BODY_LIMIT, to_bytes(body, MAX_BYTES)).await,
        None => return Problem::of_status(429, "").into_response(),
    };
    drop(place);
    match body {
        Ok(Ok(bytes)) => next.run(Request::from_parts(head, HttpBody::from(bytes))).await,
        Ok(Err(_too_long)) => Problem::of_status(413, "").into_response(),
        Err(_elapsed) => Problem::of_status(408, "").into_response(),
    }
}

/// A try as it was kept. One that the clock has not come to is as one of this moment.
fn read(row: AttemptRow, now: Timestamp) -> Kept {
    let AttemptRow { name, place, tries, is_familiar, tried_at } = row;
    let age_ms = u64::try_from(now.ms_since(tried_at)).unwrap_or(0);
    let last_ms = LOCK_MS.saturating_sub(age_ms);
    Kept { name, place: place.parse().ok(), tries, is_familiar, last_ms }
}

/// Begins a session for whoever has this name and password.
pub(crate) async fn log_in(
    parts: &Arc<Parts>,
    Address(from): Address,
    name: String,
    password: String,
) -> Result<(SessionText, UserRow), Problem> {
    let attempt = Attempt::begin(parts, from, name).await?;
    let outcome = attempt.log_in(password).await;
    match outcome {
        Ok(Some(begun)) => Ok(begun),
        Ok(None) => Err(Problem::wrong_password()),
        Err(problem) => {
            parts.metrics.note_log_in(LogIn::Refused);
            Err(problem)
        }
    }
}

/// Somebody who shows a password, which is charged until it turns out to be right.
pub(super) struct Attempt<'p> {
    parts: &'p Arc<Parts>,
    from: IpAddr,
    name: String,
    /// What stands for the name.
    who: String,
    _place: (OwnedSemaphorePermit, Place),
}

impl<'p> Attempt<'p> {
    /// Charges a try, also for whoever comes after a restart.
    pub(super) async fn begin(
        parts: &'p Arc<Parts>,
        from: IpAddr,
        name: String,
    ) -> Result<Self, Problem> {
        let people = &parts.people;
        let refused = |_: &Problem| parts.metrics.note_log_in(LogIn::Refused);
        let place = people.place(from).inspect_err(refused)?;
        let who = people.names.stands_for(&name);
        people.lockouts().begin(&who, from, people.now_ms()).map_err(|Locked { seconds }| {
            parts.metrics.note_log_in(LogIn::Locked);
            Problem::locked(seconds)
        })?;
        let attempt = Self { parts, from, name, who, _place: place };
        if let Err(failure) = attempt.note().await {
            attempt.give_back().await;
            let problem = store_problem(&failure);
            refused(&problem);
            return Err(problem);
        }
        Ok(attempt)
    }

    /// Whose password it is; none where name and password do not belong together.
    pub(super) async fn looked_at(&self, password: String) -> Result<Option<UserRow>, Problem> {
        let (parts, name) = (self.parts, self.name.clone());
        let known = parts.journal.read(move |reader| reader.user(&name)).await;
        let user = match known {
            Ok(user) => user,
            Err(failure) => {
                self.give_back().await;
                return Err(store_problem(&failure));
            }
        };
        let is_right = match parts.people.is_right(password, user.as_ref()).await {
            Ok(is_right) => is_right,
            Err(problem) => {
                self.give_back().await;
                return Err(problem);
            }
        };
        let user = match user {
            Some(user) if is_right => user,
            other => {
                self.wrong(other);
                return Ok(None);
            }
        };
        let people = &parts.people;
        let may = people.lockouts().right(&self.who, self.from, people.now_ms());
        self.note().await.map_err(|failure| store_problem(&failure))?;
        if may {
            Ok(Some(user))
        } else {
            let often = "this user logs in too often; try again in a minute";
            Err(Problem::of_status(429, often))
        }
    }

    /// The session that came of it.
    async fn log_in(&self, password: String) -> Result<Option<(SessionText, UserRow)>, Problem> {
        let parts = self.parts;
        let Some(user) = self.looked_at(password).await? else { return Ok(None) };
        let begun = begin_session(parts, &user).await?;
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
        let note = NoteAttempts { rows, forget_before: now.plus_ms(-lock_ms) };
        parts.journal.write(note).await
    }

    /// Nobody could look at it, so it counts for nothing.
    async fn give_back(&self) {
        self.parts.people.lockouts().undone(&self.who, self.from);
        if let Err(failure) = self.note().await {
            // the try stays charged after a restart, which costs its user one of five
            debug!(error = %Chain(&failure), "cannot note that a try counts for nothing");
        }
    }

    fn wrong(&self, user: Option<UserRow>) {
        let parts = self.parts;
        parts.metrics.note_log_in(LogIn::Wrong);
        let wrong = parts.people.lockouts().wrong(&self.who, self.from, user.is_some());
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

/// A session of somebody whose password was right; none where it is not theirs any more.
pub(super) async fn begin_session(
    parts: &Parts,
    user: &UserRow,
) -> Result<Option<SessionText>, Problem> {
    let at = parts.clock.now();
    let begin = BeginSession { at, user: user.clone(), over: session::over(at) };
    parts.journal.write(begin).await.map_err(|failure| store_problem(&failure))
}
