//! A sentence where there is no alarm to show: in both languages, for nobody knows whose it is.

use maud::html;
use model::{contact::Locale, phrase::Phrase};

use super::page;

/// The page that says it, in the language that was asked for first.
pub fn html(phrase: Phrase, locale: Locale) -> String {
    let body = html! {
        div.note {
            h1 { (phrase.in_language(locale)) }
            p lang=(super::tag(super::other(locale))) { (phrase.in_language(super::other(locale))) }
        }
    };
    page(locale, &body)
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;

    #[test]
    fn a_notice_speaks_both_languages() {
        let page = html(Phrase::LinkUnknown, Locale::Chinese);
        expect_file!["golden/notice.html"].assert_eq(&page.replace("><", ">\n<"));
        for (_, phrase) in Phrase::KEYS {
            assert!(html(*phrase, Locale::English).len() < 14 << 10);
        }
    }
}
