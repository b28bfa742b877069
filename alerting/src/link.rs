//! What the link in a message shows of its alarm, out of what is stored of it.

use model::{
    alarm::{AlarmState, Subject},
    contact::Locale,
    port::{Concern, LinkView, ShownFlow, TakenBy, TakenOn},
    quantity::Decimal,
    registry::Registry,
    time::Timestamp,
};
use store::{AlarmFacts, LinkRow};

use crate::{
    below_mandate::{Bound, Point},
    facts::{Facts, flows},
    snapshot::RestoreError,
};

/// How long after its message a link may take an alarm on.
pub const ACKNOWLEDGE_MS: i64 = 24 * 60 * 60 * 1000;

/// What the recipient of a message sees of its alarm; `None` where the registry knows the station
/// no more, or the alarm was never raised.
pub fn view(
    alarm: &AlarmFacts,
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
            let point = facts.end.and_then(|end| end.point);
            let point = point.or(facts.flow.map(|measured| measured.point));
            let decimals = facts.flow.map_or(0, |measured| measured.decimals);
            let shown = point.map(|point| shown(point, decimals));
            Concern::BelowMandate {
                section: (station.sections().len() > 1).then(|| section.clone()),
                released: shown.map(|(released, _)| released),
                required: shown.and_then(|(_, required)| required),
            }
        }
        Subject::Gauge(gauge) => Concern::NoData { gauge: gauge.name.clone() },
    };
    let taken_on = row.acknowledged_by.as_deref().zip(row.acknowledged_at).map(|(by, at)| {
        let by = if by == link.contact.as_str() {
            TakenBy::Recipient
        } else {
            let person = registry.contacts.values().find(|contact| contact.id.as_str() == by);
            person.map_or(TakenBy::Console, |contact| TakenBy::Person(contact.name.clone()))
        };
        TakenOn { by, at }
    });
    Ok(Some(LinkView {
        alarm: row.id,
        version: row.version,
        state: row.state,
        severity: row.severity,
        is_drill: row.is_drill,
        station: station.name.clone(),
        station_id: station.id.clone(),
        zone: station.zone.clone(),
        locale: recipient.map_or(Locale::Chinese, |contact| contact.locale),
        concern,
        began_at: row.began_at,
        raised_at,
        ended_at: row.cleared_at,
        may_acknowledge: may_acknowledge(alarm, link, now),
        taken_on,
    }))
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
