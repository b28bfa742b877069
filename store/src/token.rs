//! API tokens: 32 random bytes as text, known to the store by their digest alone.

use std::fmt;

use model::time::Timestamp;
use sha2::{Digest as _, Sha256};

const PREFIX: &str = "bf_";

/// The role of a screen on a wall. A token of it is a link that one screen opens, and opens nothing
/// else: by that it gets another text, which its screen alone has.
pub const WALL: &str = "wall";

/// A token's text, shown once; it never enters a log.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText(String);

impl TokenText {
    /// The token made of these random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(format!("{PREFIX}{}", hex::encode(bytes)))
    }

    /// What somebody sends as one; none of what cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        digest(text).map(|_digest| Self(text.to_owned()))
    }

    /// The text, for the one who asked for it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token]")
    }
}

/// SHA-256 of a token's text; `None` for what cannot be a token.
///
/// Tokens are looked up by this digest: how long that takes tells nothing about a token, since
/// nobody can aim at a digest.
pub(crate) fn digest(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix(PREFIX)?;
    let is_token = digits.len() == 64
        && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
    is_token.then(|| Sha256::digest(text.as_bytes()).into())
}

/// A token as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its number.
    pub id: i64,
    /// Its name, which no other token ever had.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a screen opened it; only one of the role [`WALL`] ever is.
    pub opened_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_spelling_and_is_not_printed_by_accident() {
        let token = TokenText::from_random([0xab; 32]);
        assert_eq!(token.as_str(), format!("bf_{}", "ab".repeat(32)));
        assert!(digest(token.as_str()).is_some());
        assert!(!format!("{token:?}").contains("ab"));
        for bad in ["", "bf_", &token.as_str().to_uppercase(), &format!("{}0", token.as_str())] {
            assert_eq!(digest(bad), None, "{bad}");
        }
    }
}
