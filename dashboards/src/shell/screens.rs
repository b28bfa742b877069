//! Screens on walls: opened once by a link, and by nobody who guesses one.
//!
//! The answer to a link may get lost on its way, and the link is made by hand. So what the screen has
//! of it is made of the link and of a key of its own, and whoever shows both again within a day is
//! that screen: nothing is written, and nobody else can.
//!
//! A link is looked up before it is written that it was opened, so that whoever guesses never comes
//! to the writer. How often a link is answered, and how many guesses of a visitor, a network and all of
//! them are, is as for the pages behind links ([`crate::visitor`]).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::{OpenScreen, ScreenKey, TokenText};
use tracing::info;

use super::{answer::store_problem, parts::Parts, people::Address, stopwatch::Stopwatch};
use crate::{problem::Problem, visitor::Visitors};

/// So long a screen may ask again by the link that it opened.
const AGAIN_MS: i64 = 24 * 60 * 60_000;

/// Who asked of late.
#[derive(Debug)]
pub(crate) struct Screens {
    /// By the screens' names.
    visitors: Mutex<Visitors<String>>,
    since: Stopwatch,
}

impl Default for Screens {
    fn default() -> Self {
        Self { visitors: Mutex::default(), since: Stopwatch::start() }
    }
}

impl Screens {
    fn visitors(&self) -> MutexGuard<'_, Visitors<String>> {
        self.visitors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a link, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    Opened,
    /// The screen that opened it asked again.
    Again,
    /// Nobody has it, or a screen has opened it already.
    Unknown,
    /// It was not looked up, since too many were, or the store could not be read.
    Refused,
}

impl Opening {
    /// Every outcome.
    pub(crate) const ALL: [Self; 4] = [Self::Opened, Self::Again, Self::Unknown, Self::Refused];

    /// Its word in metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Again => "again",
            Self::Unknown => "unknown",
            Self::Refused => "refused",
        }
    }
}

/// The name of the screen's token, and what the screen has of it from here on.
pub(crate) async fn open(
    parts: &Arc<Parts>,
    Address(from): Address,
    link: &str,
    key: Option<ScreenKey>,
) -> Result<(String, TokenText), Problem> {
    let screens = &parts.people.screens;
    let refused = |problem| {
        parts.metrics.note_screen(Opening::Refused);
        Err(problem)
    };
    match opened(parts, link, key).await {
        Ok(Some((_, name, _))) if !screens.visitors().show(name.clone(), screens.since.ms()) => {
            refused(Problem::too_often(
                60,
                "the link was asked for too often; try again in a minute",
            ))
        }
        Ok(Some((opening, name, screen))) => {
            info!(token = %name, address = %from, outcome = opening.word(), "screen opened");
            parts.metrics.note_screen(opening);
            Ok((name, screen))
        }
        Ok(None) if screens.visitors().guess(from, screens.since.ms()) => {
            parts.metrics.note_screen(Opening::Unknown);
            Err(Problem::not_found("no such link, or a screen has opened it already"))
        }
        Ok(None) => {
            refused(Problem::too_often(60, "too many links that nobody has; try again in a minute"))
        }
        Err(problem) => refused(problem),
    }
}

async fn opened(
    parts: &Parts,
    link: &str,
    key: Option<ScreenKey>,
) -> Result<Option<(Opening, String, TokenText)>, Problem> {
    let Some(text) = TokenText::parse(link) else { return Ok(None) };
    let asked = text.clone();
    let is_link = parts.journal.read(move |reader| reader.is_screen_link(asked.as_str())).await;
    if is_link.map_err(|failure| store_problem(&failure))? {
        let opening = OpenScreen { at: parts.clock.now(), text: text.clone(), key: key.clone() };
        let opened =
            parts.journal.write(opening).await.map_err(|failure| store_problem(&failure))?;
        if let Some((name, screen)) = opened {
            return Ok(Some((Opening::Opened, name, screen)));
        }
    }
    match key {
        Some(key) => again(parts, TokenText::of_screen(&text, &key)).await,
        None => Ok(None),
    }
}

/// Who has opened it by this very key.
async fn again(
    parts: &Parts,
    screen: TokenText,
) -> Result<Option<(Opening, String, TokenText)>, Problem> {
    let asked = screen.clone();
    let known = parts.journal.read(move |reader| reader.verify_token(asked.as_str())).await;
    let known = known.map_err(|failure| store_problem(&failure))?;
    let since = parts.clock.now().plus_ms(-AGAIN_MS);
    let of_late = known.filter(|row| row.opened_at.is_some_and(|at| at > since));
    Ok(of_late.map(|row| (Opening::Again, row.name, screen)))
}
