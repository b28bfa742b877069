//! Pages that work without a script, on an old telephone, and load nothing from anywhere.
//!
//! | module | has |
//! |---|---|
//! | [`link`] | the alarm behind the link in a message |
//! | [`notice`] | a sentence where there is no alarm to show |

pub mod link;
pub mod notice;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::{contact::Locale, phrase::Phrase};

/// The style of every page. The palette keeps its states apart for those who see no red or green,
/// and no state is told by colour alone.
const STYLE: &str = "body{margin:0;background:#f5f7f9;color:#1b2430;overflow-wrap:anywhere;\
font:16px/1.5 system-ui,-apple-system,\"PingFang SC\",\"HarmonyOS Sans SC\",\"MiSans\",\"Microsoft YaHei\",\"Noto Sans CJK SC\",sans-serif}\
header,main{padding:.75em 1em;padding:.75em max(1em,calc(50% - 16em))}main{padding-top:1.25em}\
header{overflow:hidden;background:#0b3b5c;color:#fff;font-weight:bold;letter-spacing:.1em}\
header a{float:right;padding:0 .5em;color:#cfe0ec;font-weight:normal;letter-spacing:0;text-decoration:none}\
h1{margin:0;font-size:1.35em;line-height:1.3}h2{margin:.25em 0 .75em;font-size:1.1em}.note h1{font-size:1.1em}\
.alarm{color:#a3122a}.silent{color:#55606d}.past{color:#0b5f99}\
.flow{margin:0 0 .25em;font-size:2em;font-weight:bold;line-height:1.2}.flow small{font-size:.5em;font-weight:normal}\
section,.note{padding:.75em 1em;margin:0 0 1em;background:#fff;border:1px solid #c9d2db;border-radius:6px}\
dl{margin:0;overflow:hidden}dt{float:left;clear:left;width:6em;color:#55606d}dd{margin:0 0 .25em 6.5em}\
.note{border-left:4px solid #0b3b5c}\
.drill{padding:.5em 1em;margin:0 0 1em;border-radius:6px;background:#44217a;color:#fff;font-weight:bold}\
button{display:block;width:100%;min-height:56px;border:0;border-radius:6px;background:#0b3b5c;color:#fff;\
font:inherit;font-size:1.15em;font-weight:bold}p{margin:.5em 0}\
@media (prefers-color-scheme:dark){body{background:#0f1720;color:#e6edf3}header{background:#0a2438}\
section,.note{background:#17222e;border-color:#34475a}.note{border-left-color:#8cc8ef}dt,.silent{color:#9fb0c0}\
.alarm{color:#ff7069}.past{color:#8cc8ef}button{background:#8cc8ef;color:#0f1720}}";

/// What a browser is let do with a page: show it in this very style, send its form back here, and
/// nothing else.
pub const POLICY: &str = "default-src 'none'; style-src 'sha256-96Gg7l3kYrXaGwhHyDDkDni8b/8UuCvqp49Px84xi8s='; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";

/// The tag of a language in HTML and in addresses.
pub const fn tag(locale: Locale) -> &'static str {
    locale.word()
}

/// What is spoken to a browser that says which languages it knows, as in `Accept-Language`: Chinese,
/// unless it knows English and no Chinese. The pages choose theirs in the same way.
pub fn spoken(known: &str) -> Locale {
    let knows = |language: &str| {
        known.split(',').any(|known| {
            let (tag, weight) = known.split_once(';').unwrap_or((known, ""));
            let primary = tag.trim().split('-').next().unwrap_or_default();
            let is_refused = matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
            primary.eq_ignore_ascii_case(language) && !is_refused
        })
    };
    if knows("en") && !knows("zh") { Locale::English } else { Locale::Chinese }
}

/// The other language.
const fn other(locale: Locale) -> Locale {
    match locale {
        Locale::Chinese => Locale::English,
        Locale::English => Locale::Chinese,
    }
}

/// A page in one language, with a way to the other one. The title tells of no alarm, since programs
/// that make previews show it to others.
fn page(locale: Locale, body: &Markup) -> String {
    let title = Phrase::AlarmPage.in_language(locale);
    let language = match other(locale) {
        Locale::Chinese => "中文",
        Locale::English => "English",
    };
    let page = html! {
        (DOCTYPE)
        html lang=(tag(locale)) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex, nofollow";
                meta name="format-detection" content="telephone=no";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    a href={ "?lang=" (tag(other(locale))) } lang=(tag(other(locale))) { (language) }
                    (title)
                }
                main { (body) }
            }
        }
    };
    page.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_knows_english_and_no_chinese_is_spoken_to_in_english() {
        let english = ["en", "EN-gb, de;q=0.5", "de, en;q=0.8", "en-US,en;q=0.9,zh;q=0"];
        assert!(english.iter().all(|known| spoken(known) == Locale::English), "{english:?}");
        let chinese = ["", "*", "fr", "en-US,zh-CN;q=0.1", "zh-Hant-TW", "en;q=0", "english"];
        assert!(chinese.iter().all(|known| spoken(known) == Locale::Chinese), "{chinese:?}");
    }
}
