//! What a failure asks of whoever meets it: try again, set it aside, or stop.

use std::{error::Error, fmt};

/// The answer that every error of ours gives; retry policy looks at nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The same attempt may succeed later: retry with back-off.
    Transient,
    /// The same attempt will always fail: set the matter aside and count it.
    Permanent,
    /// Our own reasoning is wrong: stop the task, which stops the process in order.
    Bug,
}

/// Prints an error and every cause below it as `a: b: c`; the only way an error enters a log.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a (dyn Error + 'a));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
