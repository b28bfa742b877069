//! Alarms and messages as the API shows them: what is stored of them, read and not computed.

use model::{
    alarm::{AlarmState, Subject},
    quantity::Decimal,
    registry::Registry,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use store::{AlarmFacts, AlarmPage, By, ConditionRow, NotificationFacts, NotificationPage};
use utoipa::ToSchema;

use crate::number::Exact;

/// An alarm: one episode of one rule at one section or gauge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Alarm)]
#[expect(clippy::struct_excessive_bools, reason = "the interface has each by its name")]
pub struct AlarmView {
    /// Its id.
    #[schema(example = "1fdd2eb4eab75feabebb49300c04ad90")]
    pub id: String,
    /// The station.
    pub station: String,
    /// The river reach that it speaks of, if it does.
    pub section: Option<String>,
    /// The gauge that it speaks of, if it does.
    pub gauge: Option<String>,
    /// The rule that raises it.
    pub rule: String,
    /// `blue`, `yellow`, `orange` or `red`.
    pub severity: String,
    /// Whether it is practice.
    pub drill: bool,
    /// Whether its condition comes and goes: the third alarm of it within an hour, which stands until
    /// the condition has been over for an hour.
    pub chattering: bool,
    /// Whether its gauge says the same again and again; one of a gauge that does not is silent.
    pub flat: bool,
    /// `pending`, `unacknowledged`, `acknowledged`, `cleared_unacknowledged`, `normal`, `shelved`,
    /// `suppressed` or `out_of_service`.
    pub state: String,
    /// Whether its condition holds and it was raised.
    pub active: bool,
    /// Whether somebody took it on.
    pub acknowledged: bool,
    /// Whether it has reached nobody, though its rule has a ladder: nobody has taken it on, no channel
    /// has taken a message of it, and all that were owed have come to nothing or five minutes have
    /// passed.
    pub reached_nobody: bool,
    /// How often it has changed: what an acknowledgement names.
    pub version: u32,
    /// When its condition began to hold: by the meters, or by the server's receipts of a silence.
    #[schema(value_type = String, format = DateTime)]
    pub began_at: Timestamp,
    /// When it was raised.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub raised_at: Option<Timestamp>,
    /// When somebody took it on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub acknowledged_at: Option<Timestamp>,
    /// The name of who did.
    pub acknowledged_by: Option<String>,
    /// What that is the name of: a `contact` of the registry, by the link in his message, a `user`
    /// or a `token`.
    pub acknowledged_as: Option<String>,
    /// When its condition ended, or it was watched no longer.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cleared_at: Option<Timestamp>,
    /// Why it is over: `recovered`, `rule_withdrawn`, or why it is watched no longer though its rule
    /// is there: `station_left`, `not_covered`, `removed`, `mandate_removed` or `underived`.
    pub cleared_because: Option<String>,
    /// What the section released when it was raised.
    pub raised_flow: Option<AlarmFlowView>,
    /// What it released when it was known to be over.
    pub cleared_flow: Option<AlarmFlowView>,
}

/// What a section released at one moment of an alarm, beside what it had to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AlarmFlow)]
pub struct AlarmFlowView {
    /// The meters' moment.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What was released, m³/s.
    #[schema(value_type = f64, example = 0.41)]
    pub released: Exact,
    /// `lower` where an outlet was missing, so that at least this much was.
    pub bound: Option<String>,
    /// What had to be released, m³/s; null where nothing had to.
    #[schema(value_type = Option<f64>, example = 0.5)]
    pub required: Option<Exact>,
}

/// An alarm with all that happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AlarmWithTimeline)]
pub struct AlarmTimelineView {
    /// What it is.
    #[serde(flatten)]
    pub alarm: AlarmView,
    /// What the section releases by the newest data that alerting has looked at, while the alarm
    /// stands; at most ten seconds old.
    pub newest_flow: Option<AlarmFlowView>,
    /// What happened, in order.
    pub timeline: Vec<TransitionView>,
}

/// A step in the life of an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AlarmStep)]
pub struct TransitionView {
    /// The alarm's version from then on.
    pub version: u32,
    /// `pending`, `raised`, `acknowledged`, `cleared`, `withdrawn` or `superseded`.
    pub what: String,
    /// When it happened: at the river, or for what a person does, when that was done.
    #[schema(value_type = String, format = DateTime)]
    pub event_at: Timestamp,
    /// When it was found out.
    #[schema(value_type = String, format = DateTime)]
    pub detected_at: Timestamp,
    /// The name of who did it, for what a person does.
    pub by: Option<String>,
    /// What that is the name of: a `contact`, a `user` or a `token`.
    #[serde(rename = "as")]
    pub kind: Option<String>,
}

/// A page of alarms, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Alarms)]
pub struct AlarmsView {
    /// The alarms.
    pub alarms: Vec<AlarmView>,
    /// `cursor` of the next page; null at the end.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// A message to one person by one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Notification)]
pub struct NotificationView {
    /// Its id, which the channel was given.
    pub id: String,
    /// The alarm that it speaks of.
    pub alarm: String,
    /// `raised`, `reminder` or `over`.
    pub occasion: String,
    /// Whom it tells: a contact of the registry.
    pub recipient: String,
    /// The name of that contact as the registry has it; null where it is erased, or the contact is
    /// not in the registry any more.
    pub recipient_name: Option<String>,
    /// By which channel.
    pub channel: String,
    /// `owed`, `sent`, `delivered`, `failed` or `expired`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it may have arrived although nobody says so: it is not `sent`, and a gateway that was
    /// given it did not answer.
    pub doubted: bool,
    /// When it was owed.
    #[schema(value_type = String, format = DateTime)]
    pub owed_at: Timestamp,
    /// When the channel took it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sent_at: Option<Timestamp>,
    /// When it arrived, failed or expired.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// What it says, with stars in the place of the key in its link.
    pub text: String,
}

/// A page of messages, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Notifications)]
pub struct NotificationsView {
    /// The messages.
    pub notifications: Vec<NotificationView>,
    /// `cursor` of the next page; null at the end.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// A stored alarm that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("alarm {id} cannot be read")]
pub struct UnreadableAlarm {
    id: String,
    source: serde_json::Error,
}

#[derive(Deserialize)]
struct Written<T> {
    state: T,
}

/// What is read of an alarm's state (`docs/formats.md` §15).
#[derive(Deserialize)]
struct Life {
    timeline: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    version: u32,
    what: String,
    event_at: Timestamp,
    detected_at: Timestamp,
    by: Option<By>,
}

/// What is read of its facts.
#[derive(Deserialize)]
struct Said {
    flow: Option<Flow>,
    end: Option<End>,
    chatters: bool,
    #[serde(default)]
    is_flat: bool,
}

#[derive(Deserialize)]
struct End {
    point: Option<Point>,
    because: String,
}

/// What is read of the condition that it stands on.
#[derive(Deserialize)]
struct Watched {
    newest: Option<Newest>,
}

#[derive(Deserialize)]
struct Newest {
    point: Point,
}

#[derive(Deserialize)]
struct Flow {
    point: Point,
}

#[derive(Deserialize)]
struct Point {
    at: Timestamp,
    released: i64,
    bound: String,
    required: Option<i64>,
}

impl AlarmView {
    /// A stored alarm as it is shown at `now`.
    pub fn of(facts: &AlarmFacts, now: Timestamp) -> Result<Self, UnreadableAlarm> {
        let row = &facts.row;
        let said: Written<Said> = read(facts, &row.facts)?;
        let Said { flow, end, chatters, is_flat } = said.state;
        let (cleared_because, cleared_point) = end.map(|end| (end.because, end.point)).unzip();
        let (section, gauge) = match &row.subject {
            Subject::Section { section, .. } => (Some(section.to_string()), None),
            Subject::Gauge(gauge) => (None, Some(gauge.name.to_string())),
        };
        Ok(Self {
            id: row.id.to_string(),
            station: row.subject.station().to_string(),
            section,
            gauge,
            rule: row.rule.to_string(),
            severity: row.severity.word().to_owned(),
            drill: row.is_drill,
            chattering: chatters,
            flat: is_flat,
            state: row.state.word().to_owned(),
            active: matches!(row.state, AlarmState::Unacknowledged | AlarmState::Acknowledged),
            acknowledged: row.acknowledged_at.is_some(),
            reached_nobody: facts.has_reached_nobody(now),
            version: row.version,
            began_at: row.began_at,
            raised_at: row.raised_at,
            acknowledged_at: row.acknowledged_at,
            acknowledged_by: row.acknowledged_by.as_ref().map(|by| by.name.clone()),
            acknowledged_as: row.acknowledged_by.as_ref().map(|by| by.kind.word().to_owned()),
            cleared_at: row.cleared_at,
            cleared_because,
            raised_flow: flow.map(|flow| AlarmFlowView::of(&flow.point)),
            cleared_flow: cleared_point.flatten().map(|point| AlarmFlowView::of(&point)),
        })
    }
}

impl AlarmFlowView {
    fn of(point: &Point) -> Self {
        let exact = |ml: i64| Exact::new(Decimal { units: ml, decimals: 6 });
        Self {
            at: point.at,
            released: exact(point.released),
            bound: (point.bound == "at_least").then(|| "lower".to_owned()),
            required: point.required.map(exact),
        }
    }
}

impl AlarmTimelineView {
    /// A stored alarm with its timeline at `now`, and with the condition that it stands on where that
    /// is a section's.
    pub fn of(
        facts: &AlarmFacts,
        condition: Option<&ConditionRow>,
        now: Timestamp,
    ) -> Result<Self, UnreadableAlarm> {
        let life: Written<Life> = read(facts, &facts.row.bytes)?;
        let of_section = condition.filter(|row| matches!(row.subject, Subject::Section { .. }));
        let watched: Option<Written<Watched>> =
            of_section.map(|row| read(facts, &row.state)).transpose()?;
        let newest = watched.and_then(|watched| watched.state.newest);
        let newest = newest.filter(|_| facts.row.cleared_at.is_none());
        let timeline = life.state.timeline.into_iter().map(TransitionView::of).collect();
        let newest_flow = newest.map(|newest| AlarmFlowView::of(&newest.point));
        Ok(Self { alarm: AlarmView::of(facts, now)?, newest_flow, timeline })
    }
}

impl TransitionView {
    fn of(step: Step) -> Self {
        let Step { version, what, event_at, detected_at, by } = step;
        let (by, kind) = by.map(|by| (by.name, by.kind.word().to_owned())).unzip();
        Self { version, what, event_at, detected_at, by, kind }
    }
}

fn read<'a, T: Deserialize<'a>>(facts: &AlarmFacts, text: &'a str) -> Result<T, UnreadableAlarm> {
    let id = facts.row.id.to_string();
    serde_json::from_str(text).map_err(|source| UnreadableAlarm { id, source })
}

impl AlarmsView {
    /// A page as it is shown at `now`.
    pub fn of(page: &AlarmPage, now: Timestamp) -> Result<Self, UnreadableAlarm> {
        let shown = |facts| AlarmView::of(facts, now);
        let alarms = page.alarms.iter().map(shown).collect::<Result<_, _>>()?;
        Ok(Self { alarms, next: page.next.map(|next| next.to_string()) })
    }
}

impl NotificationView {
    fn of(facts: &NotificationFacts, registry: &Registry) -> Self {
        let row = &facts.row;
        let recipient = registry.contacts.get(&row.contact);
        let name = recipient.map(|contact| &contact.name).filter(|name| !name.is_erased());
        Self {
            id: row.id.to_string(),
            alarm: row.alarm.to_string(),
            occasion: row.occasion.word().to_owned(),
            recipient: row.contact.to_string(),
            recipient_name: name.map(|name| name.as_str().to_owned()),
            channel: row.channel.to_string(),
            state: row.state.word().to_owned(),
            attempts: row.attempts,
            doubted: row.is_doubted,
            owed_at: row.owed_at,
            sent_at: row.sent_at,
            ended_at: row.ended_at,
            text: row.text.clone(),
        }
    }
}

impl NotificationsView {
    /// A page as it is shown to somebody on duty.
    pub fn of(page: &NotificationPage, registry: &Registry) -> Self {
        let shown = |facts| NotificationView::of(facts, registry);
        let notifications = page.notifications.iter().map(shown).collect();
        Self { notifications, next: page.next.map(|next| next.to_string()) }
    }
}
