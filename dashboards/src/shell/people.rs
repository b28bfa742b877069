//! Who logs in: passwords are looked at a few at a time, and wrong ones counted.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | passwords that are hashed at the same time, of 32 MiB each | 2 | more wait |
//! | of them and of those that wait for it, from places that their users never logged in from | 2 | more wait before that |
//! | log-ins from such places that wait | 128, of one address 8, of IPv6 networks of 56 and of 48 bits 16 and 32 | 429 where those of one are too many, else 503 |
//! | log-ins from places that their users did log in from, which wait beside those | 128, of one user 16 | the same |
//! | seconds that one waits for its turn | 10 | 503, and the try counts for nothing |
//!
//! What is counted of wrong passwords is in [`crate::lockout`]. It is stored before a password is
//! looked at: whoever has used up his tries has done so after a restart as well. One is stored after
//! the other, as they stand then, so that no older count ever comes after a newer one.
//!
//! A try comes to its end also where whoever asked is gone: what was charged is settled.
//!
//! Whoever waits has been charged, and no more than two are hashed at a time: a crowd at the change of
//! shifts is let in within seconds, and whoever sends a crowd makes the server hash for no longer than
//! his tries last. Strangers wait among themselves: whoever is familiar with the place he comes from
//! has never more than two of theirs before him, neither where tries are stored nor where they are
//! hashed.

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
    places::{Crowded, Place, Places},
    screens::Screens,
    stopwatch::Stopwatch,
};
use crate::{
    lockout::{Kept, LOCK_MS, Lockouts},
    password,
    problem::Problem,
    session::Cookie,
    visitor::{Network, around},
};

const HASHING: usize = 2;
/// Of strangers, among those that are hashed and those that wait for it.
const STRANGERS: usize = 2;
/// Of strangers, and of those who are familiar with their places.
const WAITING: usize = 128;
/// Of a stranger's address, and of the networks around it.
const WAITING_OF: [usize; 3] = [8, 16, 32];
const WAITING_OF_USER: usize = 16;
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
    strangers: Arc<Semaphore>,
    patience: Duration,
    waiting: Places<Network>,
    /// By what stands for the name.
    familiar: Places<String>,
    since: Stopwatch,
}

/// A place among those who wait, while it is held.
#[derive(Debug)]
enum Waiting {
    Stranger(#[expect(dead_code, reason = "held while it lives")] Place<Network>),
    Familiar(#[expect(dead_code, reason = "held while it lives")] Place<String>),
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
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            patience: PATIENCE,
            waiting: Places::of(WAITING),
            familiar: Places::of(WAITING),
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

    /// A place among those who wait: who is familiar with where he comes from has one of his own.
    fn place(&self, who: &str, from: IpAddr, is_familiar: bool) -> Result<Waiting, Problem> {
        let place = if is_familiar {
            let of_user = [(who.to_owned(), WAITING_OF_USER)];
            self.familiar.take(of_user, false).map(Waiting::Familiar)
        } else {
            self.waiting.take(around(from, WAITING_OF), false).map(Waiting::Stranger)
        };
        place.map_err(|crowded| match crowded {
            Crowded::Own => Problem::too_often(5, "too many log-ins from here at once; try again"),
            Crowded::All => too_many(),
        })
    }

    /// One of those that are looked at or come next, within the time that one waits for it. Nobody
    /// waits for it who is familiar with where he comes from.
    async fn come_up(&self, is_familiar: bool) -> Result<Option<OwnedSemaphorePermit>, Problem> {
        if is_familiar { Ok(None) } else { self.turn(&self.strangers).await.map(Some) }
    }

    async fn turn(&self, of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
        match timeout(self.patience, Arc::clone(of).acquire_owned()).await {
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
        let turn = self.turn(&self.hashing).await?;
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
        let turn = self.turn(&self.hashing).await?;
        let hashed = user.map(|user| user.password.clone());
        let looked = spawn_blocking(move || {
            let is_right = password::is_right(&password, hashed.as_deref());
            drop(turn); // who asked may have gone, and the memory is in use until here
            is_right
        });
        looked.await.map_err(|_ended| Problem::unavailable("the server is stopping"))
    }
}

fn too_many() -> Problem {
    Problem::unavailable("too many log-ins at once; try again")
}

/// A try as it was kept. One that the clock has not come to is as one of this moment.
fn read(row: AttemptRow, now: Timestamp) -> Kept {
    let AttemptRow { name, place, tries, is_familiar, tried_at } = row;
    let age_ms = u64::try_from(now.ms_since(tried_at)).unwrap_or(0);
    let last_ms = LOCK_MS.saturating_sub(age_ms);
    Kept { name, place: Network::read(&place), tries, is_familiar, last_ms }
}
