//! The words that people read, in each language once: messages, pages and reports take them here.

use crate::contact::Locale;

macro_rules! phrases {
    ($($(#[$doc:meta])* $name:ident = $key:literal, $chinese:literal, $english:literal;)+) => {
        /// Something that is said to people.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Phrase {
            $($(#[$doc])* $name,)+
        }

        impl Phrase {
            /// Every phrase with the key under which a dictionary file holds it.
            pub const KEYS: &'static [(&'static str, Self)] = &[$(($key, Self::$name)),+];

            /// Its words in this language; what stands in braces is for the speaker to fill in.
            pub const fn in_language(self, locale: Locale) -> &'static str {
                match (self, locale) {
                    $((Self::$name, Locale::Chinese) => $chinese,
                    (Self::$name, Locale::English) => $english,)+
                }
            }
        }
    };
}

phrases! {
    /// Before a message that is practice.
    Drill = "drill", "【演练】", "DRILL ";
    /// Before a message that repeats what nobody has answered.
    Reminder = "reminder", "【提醒】", "REMINDER ";
    /// Released flow is below what is mandated.
    BelowMandate = "below_mandate",
        "{station}下泄{released}，低于核定{required}m³/s{share}，{since}起。",
        "{station}: flow {released} below {required} m3/s{share} since {since}.";
    /// Released flow is what it must be again.
    BackAtMandate = "back_at_mandate",
        "{station}已恢复：下泄{released}，核定{required}m³/s，{since}至{until}不足。",
        "{station}: back to normal, flow {released} of {required} m3/s, low {since} to {until}.";
    /// Nothing is mandated any longer.
    NothingMandated = "nothing_mandated",
        "{station}告警结束：下泄{released}m³/s，现无核定流量，{since}至{until}不足。",
        "{station}: alarm over, flow {released} m3/s, nothing mandated now, low {since} to {until}.";
    /// The same in fewer words, for where there is no room.
    BelowMandateInBrief = "below_mandate_in_brief",
        "{station}下泄{released}<{required}m³/s{share}，{since}起",
        "{station}: flow {released} below {required} m3/s{share} since {since}.";
    /// The same in fewer words.
    BackAtMandateInBrief = "back_at_mandate_in_brief",
        "{station}恢复{released}，核定{required}m³/s，{since}起",
        "{station}: normal, flow {released} of {required} m3/s, since {since}.";
    /// The same in fewer words.
    NothingMandatedInBrief = "nothing_mandated_in_brief",
        "{station}告警结束，下泄{released}m³/s，{since}起",
        "{station}: alarm over, flow {released} m3/s, since {since}.";
    /// A gauge is silent.
    NoData = "no_data",
        "{station}无数据，{since}起。",
        "{station}: no data since {since}.";
    /// A gauge speaks again.
    DataAgain = "data_again",
        "{station}数据已恢复，{since}至{until}中断。",
        "{station}: data are back, none from {since} to {until}.";
    /// The rule behind an alarm speaks of its subject no longer.
    RuleWithdrawn = "rule_withdrawn",
        "{station}告警规则已撤销，{since}起的告警结束。",
        "{station}: alarm rule withdrawn, alarm since {since} is over.";
    /// A share of the mandate that a rule asks for, where it is not all of it.
    Share = "share", "的{percent}", " ({percent})";
    /// Before a number that was rounded.
    About = "about", "约", "~";
    /// At least; before a number that some outlet is missing in.
    AtLeast = "at_least", "≥", ">=";
    /// The section below the dam.
    SectionDam = "section_dam", "·坝下", " dam";
    /// The section below the powerhouse.
    SectionTail = "section_tail", "·尾水", " tail";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn blanks(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn both_languages_say_the_same_and_no_key_stands_twice() {
        let keys: BTreeSet<_> = Phrase::KEYS.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), Phrase::KEYS.len());
        for (key, phrase) in Phrase::KEYS {
            let chinese = phrase.in_language(Locale::Chinese);
            let english = phrase.in_language(Locale::English);
            assert_eq!(blanks(chinese), blanks(english), "{key}");
        }
    }
}
