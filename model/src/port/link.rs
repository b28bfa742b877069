//! What the link in a message leads to: one alarm, as its recipient may see it.

use std::fmt;

use super::{AlertingError, Answer};
use crate::{
    alarm::{AlarmEnd, AlarmState, LinkToken},
    alarm_rule::Severity,
    contact::{Locale, Personal},
    ids::{AlarmId, GaugeName, SectionId, StationId},
    quantity::Decimal,
    time::{Timestamp, Zone},
};

/// Knows what stands behind each link; alerting implements it, the page asks for it.
///
/// A token that was never given costs what a known one costs.
pub trait Links: fmt::Debug + Send + Sync {
    /// What the recipient sees; `None` where no message carried the token, or its alarm has been
    /// over for so long that the link is forgotten. Changes nothing: programs that show a preview
    /// of a link ask for it, too.
    fn view(&self, token: LinkToken) -> Answer<'_, Result<Option<LinkView>, AlertingError>>;

    /// The recipient takes the alarm on, having seen it at version `seen`; answers once the alarm
    /// has changed, or after two seconds.
    fn acknowledge(
        &self,
        token: LinkToken,
        seen: u32,
    ) -> Answer<'_, Result<Acknowledged, AlertingError>>;
}

/// An alarm as the recipient of a message may see it: of people only who took it on.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// Which; people call it by its beginning on the telephone.
    pub alarm: AlarmId,
    /// What an acknowledgement has to name.
    pub version: u32,
    /// Where it stands.
    pub state: AlarmState,
    /// How soon a person must act.
    pub severity: Severity,
    /// Whether it is practice.
    pub is_drill: bool,
    /// Whether it comes and goes, and stands until it has been over for an hour.
    pub chatters: bool,
    /// What people call the station.
    pub station: String,
    /// Its id.
    pub station_id: StationId,
    /// The station's zone, in which all times are shown.
    pub zone: Zone,
    /// The recipient's language.
    pub locale: Locale,
    /// What is the matter.
    pub concern: Concern,
    /// When it began at the river.
    pub began_at: Timestamp,
    /// When somebody was first told.
    pub raised_at: Timestamp,
    /// How it ended, once it has.
    pub ended: Option<Ended>,
    /// Who took it on.
    pub taken_on: Option<TakenOn>,
    /// Whether this link may still take it on: nobody has, and the link is not too old for that.
    pub may_acknowledge: bool,
}

/// How an alarm ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When: at the river, or when it was watched no longer.
    pub at: Timestamp,
    /// Why.
    pub because: AlarmEnd,
}

/// What an alarm is about, with what is known of it now, or was when it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concern {
    /// Too little is released.
    BelowMandate {
        /// The section, where the station has several.
        section: Option<SectionId>,
        /// What is released, as last known.
        released: Option<ShownFlow>,
        /// What is mandated now, in m³/s; none where nothing is.
        required: Option<Decimal>,
    },
    /// A gauge is silent.
    NoData {
        /// Which.
        gauge: GaugeName,
    },
    /// A gauge says the same again and again.
    Flat {
        /// Which.
        gauge: GaugeName,
    },
}

/// A flow in m³/s as it may be shown beside what is mandated: cut off, never rounded up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownFlow {
    /// The value.
    pub value: Decimal,
    /// Whether some outlet is unknown, so that it is this much at least.
    pub is_at_least: bool,
    /// When it was measured.
    pub at: Timestamp,
}

/// That somebody took an alarm on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOn {
    /// Who.
    pub by: TakenBy,
    /// When.
    pub at: Timestamp,
}

/// Who took an alarm on, as the recipient of a link may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenBy {
    /// The recipient.
    Recipient,
    /// Another person, by name.
    Person(Personal),
    /// Another person, who is in the registry no more, by the id that he had.
    Gone(String),
    /// Somebody at a console, where no person's name is known.
    Console,
}

/// What came of taking an alarm on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// The recipient has it, by this click or by an earlier one.
    Done,
    /// Another acted first.
    Elsewhere,
    /// It is no longer what the recipient saw.
    Changed,
    /// It is over, and nobody had taken it on.
    Over,
    /// The link is too old for that; it still shows the alarm.
    TooLate,
    /// The click is kept and will count, but the alarm has not changed yet.
    Kept,
    /// No message carried the token, or the link is forgotten.
    Unknown,
}
