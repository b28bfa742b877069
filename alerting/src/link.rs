//! What the link in a message shows of its alarm, out of what is stored of it.

use model::{
    alarm::{AlarmState, Subject},
    contact::Locale,
    ids::ContactId,
    port::{Concern, Ended, LinkView, ShownFlow, TakenBy, TakenOn},
    quantity::Decimal,
    registry::Registry,
    time::Timestamp,
};
use store::{AlarmFacts, By, ByKind, ConditionRow, LinkRow};

use crate::{
    below_mandate::{BelowMandate, Bound, Point},
    facts::{Facts, flows},
    snapshot::RestoreError,
};

/// How long after its message a link may take an alarm on.
pub const ACKNOWLEDGE_MS: i64 = 24 * 60 * 60 * 1000;

/// What the recipient of a message sees of its alarm, with its `condition` while that is watched;
/// `None` where the registry knows the station no more, or the alarm was never raised.
pub fn view(
    (alarm, condition): (&AlarmFacts, Option<&ConditionRow>),
    link: &LinkRow,
    registry: &Registry,
    now: Timestamp,
) -> Result<Option<LinkView>, RestoreError> {
    let row = &alarm.row;
    let facts = Facts::restore(&row.facts)?;
    let station = registry.stations.get(row.subject.station());
    let Some((station, raised_at)) = station.zip(row.raised_at) else { return Ok(None) };
    let recipient = registry.contacts.get(&link.contact);
    let concern = match &row.subject {
        Subject::Section { section, .. } => {
            let newest = condition.filter(|_| facts.end.is_none());
            let newest = newest.map(|row| BelowMandate::newest_of(&row.state)).transpose()?;
            let ended = facts.end.and_then(|end| end.point);
            let raised = facts.flow.map(|measured| measured.point);
            let point = ended.or(newest.flatten()).or(raised);
            let decimals = facts.flow.map_or(0, |measured| measured.decimals);
            let shown = point.map(|point| shown(point, decimals));
            Concern::BelowMandate {
                section: (station.sections().len() > 1).then(|| section.clone()),
                released: shown.map(|(released, _)| released),
                required: shown.and_then(|(_, required)| required),
            }
        }
        Subject::Gauge(gauge) if facts.is_flat => Concern::Flat { gauge: gauge.name.clone() },
        Subject::Gauge(gauge) => Concern::NoData { gauge: gauge.name.clone() },
    };
    let taken_on = row.acknowledged_by.as_ref().zip(row.acknowledged_at);
    let taken_on =
        taken_on.map(|(by, at)| TakenOn { by: taken_by(by, &link.contact, registry), at });
    Ok(Some(LinkView {
        alarm: row.id,
        version: row.version,
        state: row.state,
        severity: row.severity,
        is_drill: row.is_drill,
        chatters: facts.chatters,
        station: station.name.clone(),
        station_id: station.id.clone(),
        zone: station.zone.clone(),
        locale: recipient.map_or(Locale::Chinese, |contact| contact.locale),
        concern,
        began_at: row.began_at,
        raised_at,
        ended: row.cleared_at.zip(facts.end).map(|(at, end)| Ended { at, because: end.because }),
        may_acknowledge: may_acknowledge(alarm, link, now),
        taken_on,
    }))
}

/// Who took an alarm on, as `recipient` may know it: of a contact that has left the registry its
/// id is all that is known.
fn taken_by(by: &By, recipient: &ContactId, registry: &Registry) -> TakenBy {
    match by.kind {
        ByKind::Contact if by.name == recipient.as_str() => TakenBy::Recipient,
        ByKind::Contact => {
            let known = registry.contacts.get(by.name.as_str());
            known.map_or_else(
                || TakenBy::Gone(by.name.clone()),
                |contact| TakenBy::Person(contact.name.clone()),
            )
        }
        ByKind::Command | ByKind::Server | ByKind::User | ByKind::Token => TakenBy::Console,
    }
}

/// Whether this link may take the alarm on: nobody has, and it is not too old for that.
pub fn may_acknowledge(alarm: &AlarmFacts, link: &LinkRow, now: Timestamp) -> bool {
    let is_open =
        matches!(alarm.row.state, AlarmState::Unacknowledged | AlarmState::ClearedUnacknowledged);
    let is_free = alarm.row.acknowledged_by.is_none() && alarm.asked.is_none();
    is_open && is_free && !is_too_late(link, now)
}

/// Whether the link is too old to take its alarm on.
pub fn is_too_late(link: &LinkRow, now: Timestamp) -> bool {
    now.ms_since(link.owed_at) > ACKNOWLEDGE_MS
}

fn shown(point: Point, decimals: u8) -> (ShownFlow, Option<Decimal>) {
    let (value, exact) = flows(point, decimals).shown();
    let is_at_least = point.bound == Bound::AtLeast;
    (ShownFlow { value, is_at_least, at: point.at }, point.required.map(|_| exact))
}

#[cfg(test)]
mod tests {
    use model::{
        alarm::AlarmEnd,
        flow::Flow,
        ids::{AlarmId, NotificationId},
        tree::Origin,
    };
    use store::AlarmRow;

    use super::*;
    use crate::{
        below_mandate::{Event, Rule},
        facts::{End, Measured},
    };

    const REGISTRY: &str = r#"
        station = [{ id = "S", name = "鹿鸣滩", agent = "gw",
          gauge = [{ id = "m", quantity = "flow", unit = "m3/s", decimals = 3, interval = "5s" }],
          outlet = [{ id = "o", flow = { gauge = "m" } }] }]
        contact = [{ id = "li", reach = [{ channel = "sms", to = "1" }] }]"#;

    fn at(second: i64) -> Timestamp {
        Timestamp::clamped(1_795_660_320_000 + second * 1_000)
    }

    fn point(second: i64, litres: i64) -> Point {
        let flow = |litres| Flow::from_ml_per_s(litres * 1_000);
        Point {
            at: at(second),
            released: flow(litres),
            bound: Bound::Whole,
            required: Some(flow(500)),
        }
    }

    /// What is shown of an alarm that was raised at 400 l/s and whose section has 10 l/s by now.
    fn seen(end: Option<End>) -> (String, Timestamp) {
        let whole = Decimal { units: 1, decimals: 0 };
        let facts = Facts {
            flow: Some(Measured { point: point(0, 400), share: whole, decimals: 3 }),
            end,
            chatters: false,
            is_flat: false,
        };
        let subject: Subject = "section S/dam".parse().unwrap();
        let row = AlarmRow {
            id: AlarmId(1),
            rule: "low".parse().unwrap(),
            subject: subject.clone(),
            severity: model::alarm_rule::Severity::Orange,
            is_drill: false,
            state: AlarmState::Unacknowledged,
            version: 2,
            began_at: at(0),
            raised_at: Some(at(10)),
            acknowledged_at: None,
            acknowledged_by: None,
            cleared_at: None,
            facts: facts.snapshot(),
            bytes: String::new(),
        };
        let alarm = AlarmFacts { number: 1, row, asked: None, unheard: None };
        let mut machine = BelowMandate::new(Rule::NONE);
        machine.step(Event::Live(point(0, 400)), at(0));
        machine.step(Event::Live(point(60, 10)), at(60));
        let condition =
            ConditionRow { rule: Some("low".parse().unwrap()), subject, state: machine.snapshot() };
        let link = LinkRow {
            message: NotificationId(1),
            alarm: AlarmId(1),
            contact: "li".parse().unwrap(),
            owed_at: at(10),
        };
        let registry = store::registry::parse(REGISTRY, &Origin::File("r".into())).unwrap();
        let view = view((&alarm, Some(&condition)), &link, &registry, at(70)).unwrap().unwrap();
        let Concern::BelowMandate { released: Some(released), .. } = view.concern else {
            panic!("{:?}", view.concern)
        };
        (released.value.to_string(), released.at)
    }

    #[test]
    fn who_took_it_on_is_a_contact_or_a_console_and_one_that_left_keeps_his_id() {
        let registry = store::registry::parse(REGISTRY, &Origin::File("r".into())).unwrap();
        let taken = |kind, name: &str, recipient: &str| {
            let by = By { kind, name: name.to_owned() };
            taken_by(&by, &recipient.parse().unwrap(), &registry)
        };
        assert_eq!(taken(ByKind::Contact, "li", "li"), TakenBy::Recipient);
        assert!(matches!(taken(ByKind::Contact, "li", "wang"), TakenBy::Person(_)));
        assert_eq!(taken(ByKind::Contact, "wang", "li"), TakenBy::Gone("wang".to_owned()));
        assert_eq!(taken(ByKind::Token, "li", "li"), TakenBy::Console);
        assert_eq!(taken(ByKind::User, "li", "wang"), TakenBy::Console);
    }

    #[test]
    fn an_alarm_that_stands_shows_the_newest_value_and_one_that_ended_its_last() {
        assert_eq!(seen(None), ("0.010".to_owned(), at(60)));
        let because = AlarmEnd::Recovered;
        let end = End { at: at(30), point: Some(point(30, 600)), because };
        assert_eq!(seen(Some(end)), ("0.600".to_owned(), at(30)));
    }
}
