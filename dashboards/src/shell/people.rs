//! Who logs in: passwords are looked at a few at a time, and wrong ones counted.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | passwords that are hashed at the same time, of 32 MiB each | 2 | more wait |
//! | log-ins that wait for that, half of the places of the API | 128 | 503 |
//! | seconds that one waits for its turn | 10 | 503, and the try counts for nothing |
//! | of one place | 16 | 429 |
//!
//! What is counted of wrong passwords is in [`crate::lockout`]. It is stored before a password is
//! looked at: whoever has used up his tries has done so after a restart as well. One is stored after
//! the other, as they stand then, so that no older count ever comes after a newer one.
//!
//! A try comes to its end also where whoever asked is gone: what was charged is settled.
//!
//! Whoever waits has been charged, and no more than two are hashed at a time: a crowd at the change of
//! shifts is let in within seconds, and whoever sends a crowd makes the server hash for no longer than
//! his tries last.

mod attempt;

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{extract::FromRequestParts, http::request::Parts as HeadParts};
use model::{fault::Chain, hook::HookKey, time::Timestamp};
use store::{AttemptRow, UserRow};
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};
use tracing::error;

pub(crate) use self::attempt::{Attempt, begin_session, log_in, to_its_end};
use super::{
    pages::whose,
    places::{Place, Places},
    screens::Screens,
    stopwatch::Stopwatch,
};
use crate::{
    lockout::{Kept, LOCK_MS, Lockouts},
    password,
    problem::Problem,
    session::Cookie,
};

const HASHING: usize = 2;
const WAITING: usize = 128;
const WAITING_OF_ONE: usize = 16;
/// So long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

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
    patience: Duration,
    of_one: Places,
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
        for user in users {
            lockouts.belongs(&names.stands_for(&user.name));
        }
        for row in kept {
            lockouts.take_up(read(row, now));
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
            patience: PATIENCE,
            of_one: Places::default(),
            since: Stopwatch::start(),
        }
    }

    /// With another patience: a machine that tests keep busy may hash slowly.
    #[cfg(test)]
    pub(crate) fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
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
        match timeout(self.patience, Arc::clone(&self.hashing).acquire_owned()).await {
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

/// A try as it was kept. One that the clock has not come to is as one of this moment.
fn read(row: AttemptRow, now: Timestamp) -> Kept {
    let AttemptRow { name, place, tries, is_familiar, tried_at } = row;
    let age_ms = u64::try_from(now.ms_since(tried_at)).unwrap_or(0);
    let last_ms = LOCK_MS.saturating_sub(age_ms);
    Kept { name, place: place.parse().ok(), tries, is_familiar, last_ms }
}
