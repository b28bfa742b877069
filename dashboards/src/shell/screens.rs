//! Screens on walls: opened once by a link, and by nobody who guesses one.
//!
//! A link is looked up before it is written that it was opened, so that whoever guesses never comes
//! to the writer. What one visitor, a network and all of them may ask is as for the pages behind
//! links ([`crate::visitor`]).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::{OpenScreen, TokenText};
use tracing::info;

use super::{answer::store_problem, parts::Parts, people::Address, stopwatch::Stopwatch};
use crate::{problem::Problem, visitor::Visitors};

/// Who asked of late.
#[derive(Debug)]
pub(crate) struct Screens {
    visitors: Mutex<Visitors>,
    since: Stopwatch,
}

impl Default for Screens {
    fn default() -> Self {
        Self { visitors: Mutex::default(), since: Stopwatch::start() }
    }
}

impl Screens {
    fn visitors(&self) -> MutexGuard<'_, Visitors> {
        self.visitors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a link, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    Opened,
    /// Nobody has it, or a screen has opened it already.
    Unknown,
    /// It was not looked up, since too many were, or the store could not be read.
    Refused,
}

impl Opening {
    /// Every outcome.
    pub(crate) const ALL: [Self; 3] = [Self::Opened, Self::Unknown, Self::Refused];

    /// Its word in metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
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
) -> Result<(String, TokenText), Problem> {
    let screens = &parts.people.screens;
    let refused = |problem| {
        parts.metrics.note_screen(Opening::Refused);
        Err(problem)
    };
    if !screens.visitors().take(from, screens.since.ms()) {
        return refused(Problem::of_status(
            429,
            "too many links of screens; try again in a minute",
        ));
    }
    match opened(parts, link).await {
        Ok(Some((name, screen))) => {
            info!(token = %name, address = %from, "screen opened");
            parts.metrics.note_screen(Opening::Opened);
            Ok((name, screen))
        }
        Ok(None) if screens.visitors().guess(from, screens.since.ms()) => {
            parts.metrics.note_screen(Opening::Unknown);
            Err(Problem::not_found("no such link, or a screen has opened it already"))
        }
        Ok(None) => refused(Problem::of_status(
            429,
            "too many links that nobody has; try again in a minute",
        )),
        Err(problem) => refused(problem),
    }
}

async fn opened(parts: &Parts, link: &str) -> Result<Option<(String, TokenText)>, Problem> {
    let Some(text) = TokenText::parse(link) else { return Ok(None) };
    let asked = text.clone();
    let is_link = parts.journal.read(move |reader| reader.is_screen_link(asked.as_str())).await;
    if !is_link.map_err(|failure| store_problem(&failure))? {
        return Ok(None);
    }
    let opening = OpenScreen { at: parts.clock.now(), text };
    parts.journal.write(opening).await.map_err(|failure| store_problem(&failure))
}
