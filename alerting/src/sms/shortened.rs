//! A name with fewer characters: its beginning, a mark, and its end, since names that are alike
//! differ in one of them.

use super::alphabet::{septets, units};

/// At most so many units of UTF-16, in whole words where the first and the last one fit.
pub(super) fn shortened(name: &str, most: usize) -> String {
    if units(name) <= most {
        return name.to_owned();
    }
    let mark = if septets(name).is_some() { ".." } else { "…" };
    in_words(name, mark, most).unwrap_or_else(|| in_characters(name, mark, most))
}

/// As many of the first and the last words as fit, in turn; none where there are no two, or not even
/// these fit.
fn in_words(name: &str, mark: &str, most: usize) -> Option<String> {
    let words = words(name);
    let begin = |n: usize| words.get(n).and_then(|(_, end)| name.get(..*end));
    let end = |n: usize| words.get(n).and_then(|(begin, _)| name.get(*begin..));
    let room = |first: usize, last: usize| {
        let kept = units(begin(first)?) + units(mark) + units(end(last)?);
        most.checked_sub(kept).filter(|_| first < last)
    };
    let (mut first, mut last) = (0, words.len().checked_sub(1)?);
    room(first, last)?;
    loop {
        let before = (first, last);
        if last > 0 && room(first, last - 1).is_some() {
            last -= 1;
        }
        if room(first + 1, last).is_some() {
            first += 1;
        }
        if before == (first, last) {
            break;
        }
    }
    let is_spaced = name.contains(char::is_whitespace) && room(first, last)? >= 2;
    let space = if is_spaced { " " } else { "" };
    Some(format!("{}{space}{mark}{space}{}", begin(first)?, end(last)?))
}

/// Where each word begins and ends.
fn words(name: &str) -> Vec<(usize, usize)> {
    let is_between = |c: char| c.is_whitespace() || matches!(c, '-' | '_');
    let mut words = Vec::new();
    let mut begin = None;
    for (at, c) in name.char_indices().chain([(name.len(), ' ')]) {
        match begin {
            Some(from) if is_between(c) => {
                words.push((from, at));
                begin = None;
            }
            None if !is_between(c) => begin = Some(at),
            Some(_) | None => {}
        }
    }
    words
}

fn in_characters(name: &str, mark: &str, most: usize) -> String {
    let kept = most.saturating_sub(units(mark));
    let begin = fitting(name.chars(), kept.div_ceil(2));
    let rest = kept.saturating_sub(units(&begin));
    let end: String = fitting(name.chars().rev(), rest).chars().rev().collect();
    // what belongs to the character before it says nothing without it
    let end = end.trim_start_matches(|c| is_of_the_one_before(c) || char::is_whitespace(c));
    format!("{}{mark}{end}", begin.trim_end())
}

const fn is_of_the_one_before(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// The first characters that have room.
fn fitting(chars: impl Iterator<Item = char>, most: usize) -> String {
    let mut room = most;
    let has_room = |c: &char| match room.checked_sub(c.len_utf16()) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    chars.take_while(has_room).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_stay_whole_where_the_first_and_the_last_fit() {
        let name = "Zhangye Yunshanxia Second Cascade Hydropower Station";
        assert_eq!(shortened(name, 44), "Zhangye Yunshanxia .. Hydropower Station");
        assert_eq!(shortened(name, 30), "Zhangye .. Hydropower Station");
        assert_eq!(shortened(name, 20), "Zhangye .. Station");
        assert_eq!(shortened(name, 16), "Zhangye..Station");
        assert_eq!(shortened(name, 15), "Zhangye..tation");
        assert_eq!(shortened("penstock-bypass-2", 12), "penstock..2");
        assert_eq!(shortened("云杉峡 一级电站 二号", 8), "云杉峡 … 二号");
    }

    #[test]
    fn without_words_the_beginning_and_the_end_stay() {
        assert_eq!(shortened("abcdefgh", 6), "ab..gh");
        assert_eq!(shortened("abcdefgh", 8), "abcdefgh");
        assert_eq!(shortened("云杉峡一级", 4), "云杉…级");
        // a character of two units is never torn, nor a mark from what it stands on
        assert_eq!(shortened("𠀀A𠀀", 3), "…𠀀");
        assert_eq!(shortened("abcde\u{301}", 4), "ab…");
    }

    proptest! {
        #[test]
        fn it_is_never_longer_than_asked_for_and_has_both_ends(name in "[a-z水𠀀é -]{0,60}", most in 3_usize..60) {
            let short = shortened(&name, most);
            prop_assert!(units(&short) <= most, "{:?}", short);
            prop_assert!(short == name || short.contains("..") || short.contains('…'));
        }
    }
}
