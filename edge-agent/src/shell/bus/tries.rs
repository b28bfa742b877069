//! How often one question is asked, and what of its answers counts.

use std::{borrow::Cow, time::Duration};

use model::quality::Quality;

use super::answer::Answer;
use crate::plan::Request;

/// How many refusals in a row may be those of older questions.
const MOST_UNCLEAR: u8 = 4;
/// Who is heard so often while a question to it waits gives no answer that could be told from a
/// copy.
const MOST_WAITS: u8 = 16;

/// What one question may still cost, carried on where it has to wait.
#[derive(Debug, Clone, Copy)]
pub struct Tries {
    left: u8,
    /// Whether a failure that is nobody's fault has not happened yet.
    pub(super) is_excusable: bool,
    /// Longer reads are not answered.
    pub(super) is_exact: bool,
    unclear: u8,
    waits: u8,
}

/// Where a question stands.
#[derive(Debug)]
pub enum Asking {
    /// It is over.
    Over(Answer),
    /// It may be asked only after so long, and whoever else is on the line before that.
    In(Duration),
}

/// Whom to ask, and with how much patience.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The device's address on the line.
    pub unit: u8,
    /// What to read.
    pub request: &'a Request,
    /// How many addresses the device gives in one answer.
    pub longest: u16,
    /// Whether no answer would surprise nobody.
    pub is_probe: bool,
}

/// What is put to the line in place of a question.
pub(super) struct Put<'a> {
    pub request: Cow<'a, Request>,
    /// It is not the question yet.
    pub is_sounding: bool,
    /// It is the question with so many addresses behind its own.
    pub more: u16,
}

/// What the bytes around one question tell.
pub(super) struct Noted {
    /// What waited before it makes its unit doubted, or it looks like a copy of an older answer.
    pub is_doubtful: bool,
    /// It was refused, and that may be the answer to an older question.
    pub is_unclear: bool,
}

impl Tries {
    /// A question that is asked so often, at least once.
    pub const fn new(attempts: u8) -> Self {
        Self { left: attempts, is_excusable: true, is_exact: false, unclear: 0, waits: 0 }
    }

    pub(super) fn wait(&mut self, wait: Option<Duration>) -> Asking {
        match wait {
            Some(wait) if self.waits < MOST_WAITS => {
                self.waits += 1;
                Asking::In(wait)
            }
            Some(_) => Asking::Over(Answer::Nonsense(Quality::MISMATCHED)),
            None => Asking::Over(Answer::Silence(Quality::TIMEOUT)),
        }
    }

    /// What is left of an answer to what was put; none where it is asked for again.
    pub(super) fn weigh(&mut self, answer: Answer, put: &Put<'_>, noted: &Noted) -> Option<Answer> {
        match answer {
            Answer::Reply(_) | Answer::Refusal(_) if noted.is_doubtful => None,
            Answer::Reply(_) if put.is_sounding => None,
            Answer::Refusal(_) | Answer::Nonsense(_) | Answer::Silence(_) if put.more > 0 => {
                self.is_exact = true; // it was our way to ask, and costs no attempt
                None
            }
            Answer::Refusal(defect) if noted.is_unclear => {
                self.unclear += 1;
                (self.unclear >= MOST_UNCLEAR).then_some(Answer::Nonsense(defect))
            }
            Answer::Refusal(_) if put.is_sounding => None,
            Answer::Reply(_) | Answer::Refusal(_) | Answer::NoLine(_) => Some(answer),
            Answer::Nonsense(_) | Answer::Silence(_) => {
                self.left = self.left.saturating_sub(1);
                (self.left == 0).then_some(answer)
            }
        }
    }
}
