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

    /// What a screen has of the link that it opened by this key: the same however often it asks.
    pub fn of_screen(link: &Self, key: &ScreenKey) -> Self {
        let digest = Sha256::new()
            .chain_update("baseflow screen 1\n")
            .chain_update(&link.0)
            .chain_update("\n")
            .chain_update(hex::encode(key.0))
            .finalize();
        Self(format!("{PREFIX}{}", hex::encode(digest)))
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

/// Random bytes that a screen sends beside its link and that nobody else knows: by them it is known
/// again where the answer got lost.
#[derive(Clone, PartialEq, Eq)]
pub struct ScreenKey([u8; 32]);

impl ScreenKey {
    /// Of 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok().map(|()| Self(bytes))
    }
}

impl fmt::Debug for ScreenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[screen key]")
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
    fn a_screen_has_one_token_of_a_link_and_its_key() {
        let link = TokenText::from_random([1; 32]);
        let key = |digit: &str| ScreenKey::parse(&digit.repeat(64)).unwrap();
        let screen = TokenText::of_screen(&link, &key("a"));
        assert!(digest(screen.as_str()).is_some());
        assert_eq!(screen, TokenText::of_screen(&link, &key("A")));
        let other = TokenText::from_random([2; 32]);
        for other in
            [TokenText::of_screen(&link, &key("b")), TokenText::of_screen(&other, &key("a"))]
        {
            assert_ne!(screen, other);
        }
        for bad in ["", "a", &"a".repeat(63), &"a".repeat(65), &"g".repeat(64)] {
            assert_eq!(ScreenKey::parse(bad), None, "{bad}");
        }
        assert_eq!(format!("{:?}", key("a")), "[screen key]");
    }

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
