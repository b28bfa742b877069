//! The text of a message: what matters first, in one part, and the link behind it.
//!
//! A part has 70 units of UTF-16, or 160 septets where every character is in the alphabet of GSM
//! 03.38; of two parts joined, each has 67, or 153. What must be known (the station, the value,
//! the requirement, since when) always fits into the first part, and the link follows in the same
//! part where it fits, else in a second one; where it is too long for that, it is left out. So a
//! message has two parts at most:
//!
//! - a station's name is shortened where there is no room: its beginning and its end stay, since
//!   names that are alike differ in one of them, and `…` (`..` in the GSM alphabet) stands between,
//!   where there is room for two words only between words;
//! - the section goes next, then the words that it is a reminder or comes and goes;
//! - where that is not enough (flows of a dozen digits) the sentence is a brief one, and in English,
//!   where the name alone may ask for UTF-16, the station's id stands for its name;
//! - numbers, units and times are never shortened.
//!
//! A value is shown with as many decimals as its gauge shows or the requirement has, and cut off
//! there, never rounded: so it stands to the requirement on the screen as it does in truth.

mod alphabet;
mod saying;
mod shortened;
#[cfg(test)]
mod tests;

use model::{
    alarm::LinkToken,
    contact::Locale,
    ids::{SectionId, StationId},
    phrase::Phrase,
    quantity::Decimal,
    time::{Timestamp, Zone},
};

pub use self::{
    alphabet::Alphabet,
    saying::{Flows, Saying},
};
use self::{
    alphabet::{measured, units},
    shortened::shortened,
};
use crate::below_mandate::Bound;

/// The longest address for links that leaves the link a place in a second part: 67 units without
/// `/i/` and the token.
pub const URL_UNITS: usize = 67 - 3 - LinkToken::LENGTH;
/// The most that a channel may add by itself.
pub const RESERVED: u8 = 6;
/// No name is shortened further.
const LEAST_NAME: usize = 3;
/// How much of the name of a section is shown.
const SECTION_UNITS: usize = 12;

/// What a message is made of.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The recipient's language.
    pub locale: Locale,
    /// What people call the station.
    pub station: &'a str,
    /// Its id.
    pub station_id: &'a StationId,
    /// The section, where the station has several.
    pub section: Option<&'a SectionId>,
    /// The station's zone.
    pub zone: &'a Zone,
    /// What is said.
    pub saying: Saying,
    /// Whether it is practice.
    pub is_drill: bool,
    /// Whether it repeats what nobody answered.
    pub is_reminder: bool,
    /// Whether the alarm comes and goes.
    pub chatters: bool,
    /// The address for links and the recipient's token.
    pub link: Option<(&'a str, LinkToken)>,
    /// Units that the channel adds to the first part by itself, such as 【张掖水务】; at most [`RESERVED`].
    pub reserved: u8,
    /// When it is said.
    pub now: Timestamp,
}

/// A text and what it costs to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sms {
    /// The text.
    pub text: String,
    /// In which alphabet it is sent.
    pub alphabet: Alphabet,
    /// Its parts, 1 or 2.
    pub parts: u8,
}

/// The message as it is sent.
pub fn sms(message: &Message<'_>) -> Sms {
    let name = printable(message.station);
    let link = message.link.map(|(url, token)| format!("{url}/i/{token}"));
    let with_link = link.and_then(|link| first_fit(message, &name, Some(&link)));
    with_link.or_else(|| first_fit(message, &name, None)).unwrap_or_else(|| {
        // Not reached: the longest brief text fits, see the tests; and silence would be worse.
        let (text, (alphabet, _)) = written(message, &name, WHOLE, None);
        Sms { text, alphabet, parts: 2 }
    })
}

/// What is left out: of the name all but so many units, and all that a stage leaves out.
#[derive(Debug, Clone, Copy)]
struct Cuts {
    name_units: Option<usize>,
    stage: Stage,
}

const WHOLE: Cuts = Cuts { name_units: None, stage: Stage::Whole };

/// Each leaves out what those before it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Whole,
    NoSection,
    NoReminder,
    Brief,
}

/// The text with the fewest cuts that fits, with the link or without.
fn first_fit(message: &Message<'_>, name: &str, link: Option<&str>) -> Option<Sms> {
    let lengths = |name: &str| {
        let most = units(name).min(200);
        std::iter::once(None).chain((LEAST_NAME..most).rev().map(Some))
    };
    let stages = [Stage::Whole, Stage::NoSection, Stage::NoReminder, Stage::Brief];
    stages.into_iter().find_map(|stage| {
        let name = match message.locale {
            Locale::English if stage == Stage::Brief => message.station_id.as_str(),
            Locale::English | Locale::Chinese => name,
        };
        lengths(name).find_map(|name_units| fit(message, name, Cuts { name_units, stage }, link))
    })
}

fn fit(message: &Message<'_>, name: &str, cuts: Cuts, link: Option<&str>) -> Option<Sms> {
    let reserved = usize::from(message.reserved.min(RESERVED));
    let (text, (alphabet, units)) = written(message, name, cuts, link);
    let (one, each) = alphabet.room();
    if units + reserved <= one {
        return Some(Sms { text, alphabet, parts: 1 });
    }
    let link = link?;
    // in two parts: all but the link in the first one, whatever alphabet the link asks for
    let (_, (_, essential)) = written(message, name, cuts, None);
    let (_, link_units) = measured(link);
    let fits = essential + reserved <= each && link_units <= each && units + reserved <= 2 * each;
    fits.then_some(Sms { text, alphabet, parts: 2 })
}

/// The text with these cuts, its alphabet and its units.
fn written(
    message: &Message<'_>,
    name: &str,
    cuts: Cuts,
    link: Option<&str>,
) -> (String, (Alphabet, usize)) {
    let say = |phrase: Phrase| phrase.in_language(message.locale);
    let mut text = String::new();
    if message.is_drill {
        text.push_str(say(Phrase::Drill));
    }
    if message.is_reminder && cuts.stage < Stage::NoReminder {
        text.push_str(say(Phrase::Reminder));
    }
    if message.chatters && cuts.stage < Stage::NoReminder {
        text.push_str(say(Phrase::Chatters));
    }
    let mut station = cuts.name_units.map_or_else(|| name.to_owned(), |most| shortened(name, most));
    if let Some(section) = message.section.filter(|_| cuts.stage < Stage::NoSection) {
        station.push_str(&section_words(section, message.locale));
    }
    fill(said(message, cuts.stage == Stage::Brief), &station, message, &mut text);
    if let Some(link) = link {
        if message.locale == Locale::English {
            text.push(' ');
        }
        text.push_str(link);
    }
    let measured = measured(&text);
    (text, measured)
}

fn said(message: &Message<'_>, is_brief: bool) -> &'static str {
    let phrase = match (message.saying, is_brief) {
        (Saying::BelowMandate { .. }, false) => Phrase::BelowMandate,
        (Saying::BelowMandate { .. }, true) => Phrase::BelowMandateInBrief,
        (Saying::BackAtMandate { .. }, false) => Phrase::BackAtMandate,
        (Saying::BackAtMandate { .. }, true) => Phrase::BackAtMandateInBrief,
        (Saying::AboveShare { .. }, false) => Phrase::AboveShare,
        (Saying::AboveShare { .. }, true) => Phrase::AboveShareInBrief,
        (Saying::NothingMandated { .. }, false) => Phrase::NothingMandated,
        (Saying::NothingMandated { .. }, true) => Phrase::NothingMandatedInBrief,
        (Saying::NoData { .. }, _) => Phrase::NoData,
        (Saying::DataAgain { .. }, _) => Phrase::DataAgain,
        (Saying::Flat { .. }, _) => Phrase::Flat,
        (Saying::Moves { .. }, _) => Phrase::Moves,
        (Saying::RuleWithdrawn { .. }, _) => Phrase::RuleWithdrawn,
        (Saying::Over { .. }, _) => Phrase::AlarmOver,
        (Saying::NotWatched { .. }, _) => Phrase::NotWatched,
    };
    phrase.in_language(message.locale)
}

/// Writes a phrase with its blanks filled in, each once: what is filled in is not read again.
fn fill(phrase: &str, station: &str, message: &Message<'_>, text: &mut String) {
    let mut rest = phrase;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (blank, after) = after.split_once('}').unwrap_or((after, ""));
        if blank == "station" {
            text.push_str(station);
        } else {
            text.push_str(&blank_of(blank, message));
        }
        rest = after;
    }
    text.push_str(rest);
}

fn blank_of(blank: &str, message: &Message<'_>) -> String {
    let (flows, share, since, until) = match message.saying {
        Saying::BelowMandate { flows, share, since } => (Some(flows), Some(share), since, None),
        Saying::BackAtMandate { flows, since, until }
        | Saying::NothingMandated { flows, since, until } => {
            (Some(flows), None, since, Some(until))
        }
        Saying::AboveShare { flows, share, until } => {
            (Some(flows), Some(share), until, Some(until))
        }
        Saying::DataAgain { since, until } | Saying::Moves { since, until } => {
            (None, None, since, Some(until))
        }
        Saying::NoData { since }
        | Saying::Flat { since }
        | Saying::RuleWithdrawn { since }
        | Saying::Over { since }
        | Saying::NotWatched { since, .. } => (None, None, since, None),
    };
    let time = |at: Timestamp| civil(at, message);
    match blank {
        "released" => flows.map(|flows| {
            let bound = match flows.bound {
                Bound::Whole => "",
                Bound::AtLeast => Phrase::AtLeast.in_language(message.locale),
            };
            format!("{bound}{}", flows.shown().0)
        }),
        "required" => flows.map(|flows| flows.shown().1.to_string()),
        "share" => share.map(|share| share_words(share, message.locale)),
        // of a lower bound nobody knows
        "still" => flows
            .filter(|flows| flows.bound == Bound::Whole)
            .map(|_| Phrase::StillBelow.in_language(message.locale).to_owned()),
        "why" => match message.saying {
            Saying::NotWatched { because, .. } => {
                Phrase::of_end(because).map(|phrase| phrase.in_language(message.locale).to_owned())
            }
            Saying::BelowMandate { .. }
            | Saying::BackAtMandate { .. }
            | Saying::AboveShare { .. }
            | Saying::NothingMandated { .. }
            | Saying::NoData { .. }
            | Saying::DataAgain { .. }
            | Saying::Flat { .. }
            | Saying::Moves { .. }
            | Saying::RuleWithdrawn { .. }
            | Saying::Over { .. } => None,
        },
        "since" => Some(time(since)),
        "until" => until.map(time),
        _ => None,
    }
    .unwrap_or_default()
}

/// `10:32`, with the date where it is not today.
fn civil(at: Timestamp, message: &Message<'_>) -> String {
    let civil = at.in_zone(message.zone);
    let part = |range| civil.get(range).unwrap_or_default();
    let time = part(11..16);
    if message.zone.date_of(at) == message.zone.date_of(message.now) {
        return time.to_owned();
    }
    let (month, day) = (part(5..7), part(8..10));
    match message.locale {
        Locale::Chinese => {
            let plain = |number: &str| number.trim_start_matches('0').to_owned();
            format!("{}月{}日{time}", plain(month), plain(day))
        }
        Locale::English => format!("{month}-{day} {time}"),
    }
}

/// The share in percent, where it is not all of it: exact to a tenth, else a whole number and
/// that it is rounded.
fn share_words(share: Decimal, locale: Locale) -> String {
    let one = Decimal { units: 1, decimals: 0 };
    if share.compare(one).is_eq() {
        return String::new();
    }
    let in_thousandths = Decimal { units: share.rescaled(3).unwrap_or(i64::MAX), decimals: 3 };
    let percent = if in_thousandths.compare(share).is_eq() {
        Decimal { decimals: 1, ..in_thousandths }.trimmed().to_string()
    } else {
        let about = Phrase::About.in_language(locale);
        format!("{about}{}", share.rescaled(2).unwrap_or(i64::MAX))
    };
    Phrase::Share.in_language(locale).replace("{percent}", &format!("{percent}%"))
}

fn section_words(section: &SectionId, locale: Locale) -> String {
    match section.as_str() {
        "dam" => Phrase::SectionDam.in_language(locale).to_owned(),
        "tail" => Phrase::SectionTail.in_language(locale).to_owned(),
        other => format!(" {}", shortened(other, SECTION_UNITS)),
    }
}

/// A name without what would break a line or turn it around.
fn printable(name: &str) -> String {
    let is_shown = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    name.chars().filter(is_shown).collect()
}
