//! People who log in, and their sessions: 32 random bytes as text, known to the store by their
//! digest alone.

use std::fmt;

use model::time::Timestamp;
use sha2::{Digest as _, Sha256};

/// A session's text, which its cookie holds; it never enters a log.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionText(String);

impl SessionText {
    /// The session made of these random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(hex::encode(bytes))
    }

    /// What somebody sends as one; none of what cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_session = text.len() == 64
            && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
        is_session.then(|| Self(text.to_owned()))
    }

    /// The text, for the one whose it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the store knows of it. As with tokens, how long it takes to look one up tells nothing,
    /// since nobody can aim at a digest.
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for SessionText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[session]")
    }
}

/// Somebody who may log in, or could.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRow {
    /// A number that nobody else ever has.
    pub id: i64,
    /// The name, as it was written when it was added.
    pub name: String,
    /// What they may do.
    pub role: String,
    /// What their password is compared with.
    pub password: String,
    /// Whether somebody else knows it, so that they may do nothing before they have another one.
    pub must_change: bool,
    /// When they were added.
    pub created_at: Timestamp,
    /// When the password was set.
    pub password_at: Timestamp,
    /// When they were disabled.
    pub disabled_at: Option<Timestamp>,
}

impl fmt::Debug for UserRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRow")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("role", &self.role)
            .field("disabled_at", &self.disabled_at)
            .finish_non_exhaustive()
    }
}

/// A session, and whose it is. Whether it is over is for its reader to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The user's number.
    pub user: i64,
    /// The user's name.
    pub name: String,
    /// What they may do.
    pub role: String,
    /// Whether they may do nothing before they have another password.
    pub must_change: bool,
    /// When it began.
    pub begun_at: Timestamp,
    /// When it was last noted that somebody used it.
    pub seen_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_one_spelling_and_is_not_printed_by_accident() {
        let session = SessionText::from_random([0xab; 32]);
        assert_eq!(SessionText::parse(session.as_str()).as_ref(), Some(&session));
        assert!(!format!("{session:?}").contains("ab"));
        for bad in ["", &session.as_str().to_uppercase(), &format!("{}0", session.as_str())] {
            assert_eq!(SessionText::parse(bad), None, "{bad}");
        }
        let at = Timestamp::clamped(0);
        let user = UserRow {
            id: 1,
            name: "zhang".to_owned(),
            role: "duty".to_owned(),
            password: "$argon2id$secret".to_owned(),
            must_change: false,
            created_at: at,
            password_at: at,
            disabled_at: None,
        };
        assert!(!format!("{user:?}").contains("secret"));
    }
}
