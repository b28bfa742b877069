//! `/i/{token}`: the alarm behind the link in a message, as its recipient may see it.
//!
//! What matters first: where, what is the matter, the value beside what is mandated, since when,
//! who has it, and one button. A GET shows it and changes nothing.

use maud::{Markup, html};
use model::{
    alarm::{AlarmEnd, AlarmState},
    alarm_rule::Severity,
    contact::Locale,
    ids::SectionId,
    phrase::Phrase,
    port::{Acknowledged, Concern, Ended, LinkView, ShownFlow, TakenBy, TakenOn},
    quantity::Decimal,
    time::{Timestamp, Zone},
};

use super::page;

/// How much of an alarm's id people say to one another.
const ID_DIGITS: usize = 8;

/// What is said about a click that did not do what it was made for.
pub const fn said_of(click: Acknowledged) -> Option<Phrase> {
    match click {
        Acknowledged::Done => None,
        Acknowledged::Elsewhere => Some(Phrase::WasFirst),
        Acknowledged::Changed => Some(Phrase::HasChanged),
        Acknowledged::Over => Some(Phrase::ClosedNote),
        Acknowledged::TooLate => Some(Phrase::LinkTooOld),
        Acknowledged::Kept => Some(Phrase::ClickKept),
        Acknowledged::Unknown => Some(Phrase::LinkUnknown),
    }
}

/// The page in a language, with what is to be said of the click that led to it.
pub fn html(view: &LinkView, said: Option<Phrase>, locale: Locale, now: Timestamp) -> String {
    let shown = Shown { view, locale, now };
    let body = html! {
        @if view.is_drill {
            div.drill { (shown.say(Phrase::Drill)) }
        }
        @if let Some(said) = said {
            div.note role="status" { (shown.say(said)) }
        }
        h1 { bdi { (view.station) } (shown.section()) }
        (shown.heading())
        @if shown.back().is_some() {
            p { (shown.say(Phrase::BackNote)) }
        }
        @if view.chatters && !shown.is_past() {
            div.note { (shown.say(Phrase::ChattersNote)) }
        }
        section {
            (shown.flow())
            dl { (shown.facts()) }
        }
        (shown.handling(said))
    };
    page(locale, &body)
}

struct Shown<'v> {
    view: &'v LinkView,
    locale: Locale,
    now: Timestamp,
}

impl Shown<'_> {
    const fn say(&self, phrase: Phrase) -> &'static str {
        phrase.in_language(self.locale)
    }

    /// Whether the condition of the alarm holds no longer.
    const fn is_past(&self) -> bool {
        self.view.ended.is_some()
    }

    fn section(&self) -> String {
        match &self.view.concern {
            Concern::BelowMandate { section: Some(section), .. } => {
                section_words(section, self.locale)
            }
            Concern::BelowMandate { section: None, .. }
            | Concern::NoData { .. }
            | Concern::Flat { .. } => String::new(),
        }
    }

    /// That what is released is enough by now, while the alarm stands still: it ends once that has
    /// held for the rule's delay.
    fn back(&self) -> Option<Phrase> {
        let Concern::BelowMandate { released: Some(released), required, .. } = &self.view.concern
        else {
            return None;
        };
        let phrase = match required {
            _ if self.is_past() => return None,
            None => Phrase::BackUnmandated,
            Some(required) if released.value.compare(*required).is_lt() => return None,
            Some(_) => Phrase::BackAbove,
        };
        Some(phrase)
    }

    fn heading(&self) -> Markup {
        let (words, class) = match (&self.view.concern, self.view.ended) {
            (Concern::BelowMandate { .. }, None) => match self.back() {
                Some(back) => (self.say(back).to_owned(), "past"),
                None => (self.say(Phrase::TooLittle).to_owned(), "alarm"),
            },
            (Concern::NoData { .. }, None) => (self.say(Phrase::Silent).to_owned(), "silent"),
            (Concern::Flat { .. }, None) => (self.say(Phrase::Stuck).to_owned(), "silent"),
            (_, Some(ended)) => (self.past_words(ended), "past"),
        };
        html! { h2 class=(class) { (words) } }
    }

    /// When it ended, how, and what is released since.
    fn past_words(&self, ended: Ended) -> String {
        let until = self.time(ended.at);
        let mut amount = String::new();
        let phrase = match (ended.because, &self.view.concern) {
            (AlarmEnd::Recovered, Concern::NoData { .. }) => Phrase::PastDataAgain,
            (AlarmEnd::Recovered, Concern::Flat { .. }) => Phrase::PastMoves,
            (AlarmEnd::Recovered, Concern::BelowMandate { released, required, .. }) => {
                match (released, required) {
                    (None, _) => Phrase::Past,
                    (Some(released), required) => {
                        amount = shown_flow(released);
                        // a lower bound may be enough: what is missing is not known
                        let is_below = |required: &Decimal| {
                            !released.is_at_least && released.value.compare(*required).is_lt()
                        };
                        match required {
                            None => Phrase::PastNothingMandated,
                            Some(required) if is_below(required) => Phrase::PastAboveShare,
                            Some(_) => Phrase::PastRecovered,
                        }
                    }
                }
            }
            (AlarmEnd::RuleWithdrawn, _) => Phrase::PastRuleWithdrawn,
            (
                AlarmEnd::StationLeft
                | AlarmEnd::NotCovered
                | AlarmEnd::Removed
                | AlarmEnd::MandateRemoved
                | AlarmEnd::Underived,
                _,
            ) => Phrase::PastNotWatched,
        };
        let why = Phrase::of_end(ended.because).map_or("", |phrase| self.say(phrase));
        let values = [("until", until.as_str()), ("released", &amount), ("why", why)];
        filled(self.say(phrase), &values)
    }

    /// What is released, large, where that is the matter.
    fn flow(&self) -> Markup {
        let Concern::BelowMandate { released: Some(released), .. } = &self.view.concern else {
            return html! {};
        };
        let label = if self.is_past() { Phrase::ReleasedThenLabel } else { Phrase::ReleasedLabel };
        html! {
            p.flow {
                small { (self.say(label)) " " } (shown_flow(released)) small { " m³/s" }
            }
        }
    }

    fn facts(&self) -> Markup {
        let view = self.view;
        let (mut required, mut measured_at, mut gauge) = (None, None, None);
        match &view.concern {
            Concern::BelowMandate { released, required: mandated, .. } => {
                required = *mandated;
                measured_at = released.map(|released| released.at);
            }
            Concern::NoData { gauge: named } | Concern::Flat { gauge: named } => {
                gauge = Some(named.as_str());
            }
        }
        let ended_at = view.ended.map(|ended| ended.at);
        let lasting = ended_at.unwrap_or(self.now).ms_since(view.began_at);
        html! {
            @if let Some(required) = required { (self.fact(Phrase::RequiredLabel, &cubic(required))) }
            @if let Some(at) = measured_at { (self.fact(Phrase::MeasuredLabel, &self.time(at))) }
            @if let Some(gauge) = gauge { (self.fact(Phrase::GaugeLabel, gauge)) }
            (self.fact(Phrase::SinceLabel, &self.time(view.began_at)))
            @if let Some(at) = ended_at { (self.fact(Phrase::UntilLabel, &self.time(at))) }
            (self.fact(Phrase::LastingLabel, &self.length(lasting)))
            (self.fact(Phrase::ToldLabel, &self.time(view.raised_at)))
            (self.fact(Phrase::SeverityLabel, self.say(severity(view.severity))))
            (self.fact(Phrase::StateLabel, self.say(state(view.state))))
            (self.fact(Phrase::StationLabel, view.station_id.as_str()))
            (self.fact(Phrase::AlarmLabel, &view.alarm.to_string().chars().take(ID_DIGITS).collect::<String>()))
            (self.fact(Phrase::AsOfLabel, &self.time(self.now)))
        }
    }

    fn fact(&self, label: Phrase, text: &str) -> Markup {
        html! { dt { (self.say(label)) } dd { (text) } }
    }

    /// Who has it, or the button for it, or why there is none.
    fn handling(&self, said: Option<Phrase>) -> Markup {
        let note = |text: &str| html! { div.note { (text) } };
        if let Some(taken_on) = &self.view.taken_on {
            return html! {
                (note(&self.taken_words(taken_on)))
                @if self.view.state == AlarmState::Normal && said != Some(Phrase::ClosedNote) {
                    (note(self.say(Phrase::ClosedNote)))
                }
            };
        }
        if self.view.may_acknowledge && said != Some(Phrase::ClickKept) {
            return html! {
                form method="post" {
                    input type="hidden" name="version" value=(self.view.version);
                    button type="submit" { (self.say(Phrase::TakeOn)) }
                }
                @if !self.is_past() {
                    p { (self.say(Phrase::TakeOnMeans)) }
                }
            };
        }
        let why = match self.view.state {
            AlarmState::Normal => Phrase::ClosedNote,
            AlarmState::Pending
            | AlarmState::Unacknowledged
            | AlarmState::Acknowledged
            | AlarmState::ClearedUnacknowledged
            | AlarmState::Shelved
            | AlarmState::Suppressed
            | AlarmState::OutOfService => Phrase::LinkTooOld,
        };
        let is_said = said == Some(why) || said == Some(Phrase::ClickKept);
        if is_said {
            html! {}
        } else {
            note(self.say(why))
        }
    }

    fn taken_words(&self, taken_on: &TakenOn) -> String {
        let (phrase, who) = match &taken_on.by {
            TakenBy::Recipient => (Phrase::TakenByYou, ""),
            TakenBy::Person(name) => (Phrase::TakenBy, name.as_str()),
            TakenBy::Gone(id) => (Phrase::TakenBy, id.as_str()),
            TakenBy::Console => (Phrase::TakenAtConsole, ""),
        };
        filled(self.say(phrase), &[("at", &self.time(taken_on.at)), ("who", who)])
    }

    /// `2026-11-26 10:32`, in the station's zone.
    fn time(&self, at: Timestamp) -> String {
        minute(at, &self.view.zone)
    }

    fn length(&self, ms: i64) -> String {
        let seconds = ms.max(0) / 1_000;
        let phrase = match seconds {
            0..60 => Phrase::LastingSeconds,
            60..3_600 => Phrase::LastingMinutes,
            _ => Phrase::Lasting,
        };
        let [hours, minutes, seconds] =
            [seconds / 3_600, seconds / 60 % 60, seconds % 60].map(|count| count.to_string());
        let values = [("hours", &*hours), ("minutes", &minutes), ("seconds", &seconds)];
        filled(self.say(phrase), &values)
    }
}

fn minute(at: Timestamp, zone: &Zone) -> String {
    at.in_zone(zone).get(..16).unwrap_or_default().to_owned()
}

/// What is released, with `≥` where an outlet is missing.
fn shown_flow(released: &ShownFlow) -> String {
    let bound = if released.is_at_least { "≥ " } else { "" };
    format!("{bound}{}", released.value)
}

fn cubic(flow: Decimal) -> String {
    format!("{flow} m³/s")
}

fn section_words(section: &SectionId, locale: Locale) -> String {
    match section.as_str() {
        "dam" => Phrase::SectionDam.in_language(locale).to_owned(),
        "tail" => Phrase::SectionTail.in_language(locale).to_owned(),
        other => format!(" {other}"),
    }
}

const fn severity(severity: Severity) -> Phrase {
    match severity {
        Severity::Blue => Phrase::SeverityBlue,
        Severity::Yellow => Phrase::SeverityYellow,
        Severity::Orange => Phrase::SeverityOrange,
        Severity::Red => Phrase::SeverityRed,
    }
}

const fn state(state: AlarmState) -> Phrase {
    match state {
        AlarmState::Pending | AlarmState::Unacknowledged => Phrase::StateOpen,
        AlarmState::Acknowledged => Phrase::StateTaken,
        AlarmState::ClearedUnacknowledged => Phrase::StatePast,
        AlarmState::Normal => Phrase::StateClosed,
        AlarmState::Shelved | AlarmState::Suppressed | AlarmState::OutOfService => {
            Phrase::StateSilenced
        }
    }
}

/// A phrase with its blanks filled in, each once: what is filled in is not read again.
fn filled(phrase: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = phrase;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (blank, after) = after.split_once('}').unwrap_or((after, ""));
        let value = values.iter().find(|(name, _)| *name == blank);
        text.push_str(value.map_or("", |(_, value)| value));
        rest = after;
    }
    text + rest
}

#[cfg(test)]
pub(crate) mod tests;
