//! How a command can fail, and with which exit code.

use std::{fmt, process::ExitCode};

use model::tree::Faults;

/// Stopped on request, or done.
pub(crate) const DONE: u8 = 0;
/// Failed while running, or something was refused or found.
pub(crate) const FAILED: u8 = 1;
/// Settings or registry have faults; nothing was applied.
pub(crate) const BAD_SETTINGS: u8 = 78;

/// Settings or a registry that cannot be taken: every fault, one a line with its full key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Refused(Vec<String>);

impl Refused {
    /// One fault that stands for all.
    pub(crate) fn one(fault: String) -> Self {
        Self(vec![fault])
    }

    /// Every fault of a document.
    #[expect(clippy::needless_pass_by_value, reason = "called as `map_err(Refused::faults)`")]
    pub(crate) fn faults(faults: Faults) -> Self {
        Self(faults.0.iter().map(ToString::to_string).collect())
    }

    /// The faults of both.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Each fault in words.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// The exit code for what a command ended with.
pub(crate) fn code_of(ended: &anyhow::Result<Ended>) -> ExitCode {
    ExitCode::from(match ended {
        Ok(Ended::Done) => DONE,
        Ok(Ended::Incomplete) => FAILED,
        Err(error) if error.is::<Refused>() => BAD_SETTINGS,
        Err(_) => FAILED,
    })
}

/// How a command that did not fail has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Everything is well.
    Done,
    /// It did its work, and something was refused or found, as it has told.
    Incomplete,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_and_registries_have_a_code_of_their_own() {
        let code = |ended: anyhow::Result<Ended>| format!("{:?}", code_of(&ended));
        let wanted = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(code(Ok(Ended::Done)), wanted(0));
        assert_eq!(code(Ok(Ended::Incomplete)), wanted(1));
        assert_eq!(code(Err(anyhow::anyhow!("disk"))), wanted(1));
        let refused = Refused::one("a: b".to_owned()).and(Refused::one("c: d".to_owned()));
        assert_eq!(code(Err(refused.into())), wanted(78));
    }
}
