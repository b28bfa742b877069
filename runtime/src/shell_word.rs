//! A text as a shell takes it for one word, so that a printed command can be pasted.

use std::borrow::Cow;

/// In quotes where it needs them.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_take_it_for_more() {
        let quoted = ["/etc/基流.toml", "my own", "it's", "", "a;b"].map(quoted);
        assert_eq!(quoted, ["/etc/基流.toml", "'my own'", r"'it'\''s'", "''", "'a;b'"]);
    }
}
