//! People who can be told, how they are reached, and how their data stay out of logs.

use std::fmt;

use crate::{
    ids::{ChannelId, ContactId},
    words::words,
};

/// A name, number or address of a person: never logged, and kept where it can be erased.
#[derive(Clone, PartialEq, Eq)]
pub struct Personal(String);

impl Personal {
    /// What stands where the text has been erased.
    pub const ERASED: &'static str = "[erased]";

    /// The text as it was written.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for telling the person or showing it to who may see it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the text is gone for good.
    pub fn is_erased(&self) -> bool {
        self.0 == Self::ERASED
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}

words! {
    /// The language in which a person is told.
    Locale {
        /// 中文
        Chinese = "zh",
        /// English
        English = "en",
    }
}

/// A person or a desk that can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Its id, which appears in logs and in the journal in place of the name.
    pub id: ContactId,
    /// The name.
    pub name: Personal,
    /// The ways to reach it, the preferred one first; never empty.
    pub reach: Vec<Reach>,
    /// The language of its messages.
    pub locale: Locale,
}

/// One way to reach a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// A channel of the server's settings.
    pub channel: ChannelId,
    /// The number or address there.
    pub to: Personal,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_not_printed_by_accident() {
        let reach =
            Reach { channel: "sms".parse().unwrap(), to: Personal::new("13800000001".to_owned()) };
        assert!(!format!("{reach:?}").contains("138"));
    }
}
