//! Messages: what they say, when they go, and what becomes of them.

use model::{
    alarm::{LinkToken, NotificationState, Occasion, Subject},
    contact::Personal,
    fault::Fault,
    ids::{AlarmId, NotificationId},
    time::{Timestamp, Zone},
};
use store::{Body, MessageChanged, NotificationRow};

use super::{Attempt, Desk, KeptMessage, Machine, Sleeper};
use crate::{
    desk::Condition,
    escalation::{self, Owed},
    no_data,
    notification::{Effect, Event, Notification, Schedule},
    sms::{self, Message},
    snapshot::RestoreError,
};

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The channel took the message.
    Taken {
        /// Whether it will say whether it arrived.
        has_receipt: bool,
    },
    /// It did not, for now or for good.
    Refused(Fault),
    /// It was given the message and did not answer.
    Unanswered,
}

/// What stands in a stored text for the token of its link.
const MASK: &str = "*************";

impl Desk {
    pub(super) fn keep_message(&mut self, row: NotificationRow) -> Result<(), RestoreError> {
        let machine = Notification::restore(&row.bytes, Schedule::of(row.occasion))?;
        let (id, alarm) = (row.id, row.alarm);
        self.sendings.set(&id, machine.deadline());
        self.messages.insert(id, KeptMessage { machine, row });
        self.of_alarm.entry(alarm).or_default().insert(id);
        Ok(())
    }

    /// A message that a ladder owes: its text is made now and stays.
    pub(super) fn owe(&mut self, owed: &Owed, now: Timestamp) {
        let Owed { id, alarm, occasion, contact, channel, way, .. } = owed.clone();
        let token = (self.surroundings.draw)();
        let text = self.text(owed, token, now);
        // a link that found no place needs no token
        let token = token.filter(|token| text.contains(&token.to_string()));
        let text = token.map_or_else(|| text.clone(), |token| masked(&text, token));
        let machine = Notification::new(id, Schedule::of(occasion), now);
        let row = NotificationRow {
            id,
            alarm,
            contact,
            channel,
            way,
            occasion,
            state: NotificationState::Owed,
            attempts: 0,
            is_doubted: false,
            owed_at: now,
            sent_at: None,
            ended_at: None,
            text,
            token,
            is_open: true,
            bytes: String::new(),
        };
        self.sendings.set(&id, machine.deadline());
        self.messages.insert(id, KeptMessage { machine, row });
        self.of_alarm.entry(alarm).or_default().insert(id);
        self.dirty.messages.insert(id);
    }

    fn text(&self, owed: &Owed, token: Option<LinkToken>, now: Timestamp) -> String {
        let Some(alarm) = self.alarms.get(&owed.alarm) else { return String::new() };
        let about = alarm.machine.about();
        let station_id = about.subject.station();
        let station = self.registry.stations.get(station_id);
        let name = station.map_or(station_id.as_str(), |station| station.name.as_str());
        let usual = Zone::named(Zone::USUAL).ok();
        // a station that has data never leaves the registry, and the zone is compiled in
        let Some(zone) = station.map(|station| &station.zone).or(usual.as_ref()) else {
            return name.to_owned();
        };
        let section = match &about.subject {
            Subject::Section { section, .. } => Some(section)
                .filter(|_| station.is_some_and(|station| station.sections().len() > 1)),
            Subject::Gauge(_) => None,
        };
        let facts = self.facts_now(owed.alarm, owed.occasion);
        let link = token.map(|token| (self.surroundings.url.as_str(), token));
        let message = Message {
            locale: owed.locale,
            station: name,
            station_id,
            section,
            zone,
            saying: facts.saying(owed.occasion, alarm.machine.began_at()),
            is_drill: about.is_drill,
            is_reminder: owed.occasion == Occasion::Reminder,
            chatters: facts.chatters && owed.occasion != Occasion::Over,
            link,
            reserved: self.surroundings.reserved.get(&owed.channel).copied().unwrap_or(0),
            now,
        };
        sms::sms(&message).text
    }

    /// What is known of an alarm, with the newest value of a run that goes on.
    fn facts_now(&self, id: AlarmId, occasion: Occasion) -> crate::facts::Facts {
        let Some(alarm) = self.alarms.get(&id) else { return crate::facts::Facts::default() };
        let mut facts = alarm.facts;
        let about = alarm.machine.about();
        let condition = Condition { rule: about.rule.clone(), subject: about.subject.clone() };
        let newest = match self.conditions.get(&condition) {
            Some(Machine::Below(machine)) if occasion != Occasion::Over => machine.newest_below(),
            Some(Machine::Below(_) | Machine::Silent(_) | Machine::Flat(_)) | None => None,
        };
        if let (Some(flow), Some(newest)) = (&mut facts.flow, newest) {
            flow.point = newest;
        }
        facts
    }

    pub(super) fn recall(&mut self, id: NotificationId, now: Timestamp) {
        self.tell_message(id, Event::Recalled, now);
    }

    /// What came of an attempt.
    pub fn outcome(&mut self, id: NotificationId, outcome: Outcome, now: Timestamp) {
        let event = match outcome {
            Outcome::Taken { has_receipt } => Event::Accepted { has_receipt },
            Outcome::Refused(fault) => Event::Refused(fault),
            Outcome::Unanswered => Event::Unanswered,
        };
        self.tell_message(id, event, now);
    }

    /// A receipt came; [`Desk::recollect`] comes first where the message is not here.
    pub fn receipt(&mut self, id: NotificationId, is_delivered: bool, now: Timestamp) {
        self.tell_message(id, Event::Receipt { is_delivered }, now);
    }

    /// Whether a message is here.
    pub fn knows(&self, id: NotificationId) -> bool {
        self.messages.contains_key(&id)
    }

    /// Takes a message back that was history.
    pub fn recollect(&mut self, row: NotificationRow) -> Result<(), RestoreError> {
        self.keep_message(row)
    }

    /// Attempts that were on their way when the process ended are on their way no longer, and made
    /// again soon; whether their channel had taken them, nobody knows.
    pub fn forget_attempts(&mut self, now: Timestamp) {
        let was_trying =
            |(id, kept): (&NotificationId, &KeptMessage)| kept.machine.is_trying().then_some(*id);
        let tried: Vec<_> = self.messages.iter().filter_map(was_trying).collect();
        for id in tried {
            self.tell_message(id, Event::Unanswered, now);
        }
    }

    /// The server's clock was set back: nobody is told any later for it, and what is remembered of
    /// silences goes back with it. Told before whatever is received by that clock.
    pub fn set_back(&mut self, by_ms: i64, now: Timestamp) {
        self.tell_all_silent(no_data::Event::SetBack { by_ms }, now);
        for (id, kept) in &mut self.messages {
            kept.machine.set_back(by_ms);
            self.queues.leave(*id);
            self.sendings.set(id, kept.machine.deadline());
            self.dirty.messages.insert(*id);
        }
        for (alarm, ladder) in &mut self.ladders {
            ladder.set_back(by_ms);
            self.sleepers.set(&Sleeper::Ladder(*alarm), ladder.deadline());
            self.dirty.ladders.insert(*alarm);
        }
    }

    pub(super) fn tell_message(&mut self, id: NotificationId, event: Event, now: Timestamp) {
        let Some(kept) = self.messages.get_mut(&id) else { return };
        let effects = kept.machine.step(event, now);
        let deadline = kept.machine.deadline();
        let alarm = kept.row.alarm;
        kept.row.attempts = kept.machine.attempts();
        kept.row.is_doubted = kept.machine.is_doubted();
        kept.row.state = kept.machine.state();
        let is_ended = match kept.row.state {
            NotificationState::Owed | NotificationState::Sent => false,
            NotificationState::Delivered
            | NotificationState::Failed
            | NotificationState::Expired => true,
        };
        kept.row.is_open = !is_ended && deadline.is_some();
        if kept.row.state != NotificationState::Owed {
            kept.row.token = None;
        }
        self.sendings.set(&id, deadline);
        self.queues.leave(id);
        self.dirty.messages.insert(id);
        for effect in effects {
            match effect {
                Effect::Attempt { number, .. } => self.attempt(id, number),
                Effect::Changed(state) => self.enter(id, state, now),
                Effect::Doubted { tried_at } => {
                    let doubted = escalation::Event::Doubted { message: id, tried_at };
                    self.tell_ladder(alarm, doubted, now);
                }
                Effect::PassOn(_) => {
                    self.tell_ladder(alarm, escalation::Event::Unreached(id), now);
                }
                Effect::Stray => self.dirty.strays += 1,
            }
        }
        self.dirty.ladders.insert(alarm);
    }

    fn enter(&mut self, id: NotificationId, state: NotificationState, now: Timestamp) {
        let Some(kept) = self.messages.get_mut(&id) else { return };
        let row = &mut kept.row;
        match state {
            NotificationState::Owed => {}
            NotificationState::Sent => row.sent_at = Some(now),
            NotificationState::Delivered
            | NotificationState::Failed
            | NotificationState::Expired => row.ended_at = Some(now),
        }
        let alarm = row.alarm;
        self.dirty.bodies.push(Body::MessageChanged(MessageChanged {
            state,
            message: id,
            alarm,
            contact: row.contact.clone(),
            channel: row.channel.clone(),
            occasion: row.occasion,
            attempts: row.attempts,
            doubted: row.is_doubted,
        }));
        let told = match state {
            NotificationState::Owed => return,
            NotificationState::Sent => escalation::Event::Sent(id),
            NotificationState::Delivered => escalation::Event::Arrived(id),
            NotificationState::Failed | NotificationState::Expired => escalation::Event::Gone(id),
        };
        self.tell_ladder(alarm, told, now);
    }

    /// Hands a message over, to the address that the registry has now: no state holds it.
    fn attempt(&mut self, id: NotificationId, number: u32) {
        let Some(kept) = self.messages.get(&id) else { return };
        let row = &kept.row;
        let contact = self.registry.contacts.get(&row.contact);
        let reach = contact.and_then(|contact| contact.reach.get(usize::from(row.way)));
        let to = reach.filter(|reach| reach.channel == row.channel).map(|reach| reach.to.clone());
        let text = row.token.map_or_else(|| row.text.clone(), |token| unmasked(&row.text, token));
        self.dirty.attempts.push(Attempt {
            id,
            number,
            channel: row.channel.clone(),
            to: to.filter(|to: &Personal| !to.is_erased()),
            text,
        });
    }
}

/// The text with stars for the token of its link.
fn masked(text: &str, token: LinkToken) -> String {
    text.replace(&token.to_string(), MASK)
}

/// The text with the token in place of the last stars.
fn unmasked(text: &str, token: LinkToken) -> String {
    text.rsplit_once(MASK)
        .map_or_else(|| text.to_owned(), |(before, after)| format!("{before}{token}{after}"))
}
