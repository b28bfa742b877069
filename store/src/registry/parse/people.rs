//! Contacts, rotas and ladders: everybody named exists, and somebody can always be told.

use std::str::FromStr;

use model::{
    calendar::{TimeOfDay, Weekday},
    contact::{Contact, Locale, Personal, Reach},
    ids::{ContactId, LadderId, RotaId},
    ladder::{Ladder, Rung, Told},
    rota::{Rota, Rotation, Shift},
    time::Zone,
    tree::Table,
};

use super::{Section, field, known, unknown};

const DAY_MS: i64 = 86_400_000;

pub(super) fn contact(table: &Table<'_>, id: Option<ContactId>) -> Option<Contact> {
    let name = field::line(table, "name").optional();
    let ways = table.tables("reach");
    if ways.is_empty() {
        table.fault("reach", "names no way to reach this contact; write { channel = …, to = … }");
    }
    let reach: Option<Vec<_>> = ways
        .iter()
        .map(|way| {
            let channel = way.parse("channel").required();
            let to = field::line(way, "to").required();
            Some(Reach { channel: channel?, to: Personal::new(to?) })
        })
        .collect::<Vec<_>>()
        .into_iter()
        .collect();
    let locale = table.one_of("locale", Locale::WORDS).or(Locale::Chinese);
    let id = id?;
    let name = Personal::new(name.unwrap_or_else(|| id.to_string()));
    Some(Contact { id, name, reach: reach?, locale })
}

pub(super) fn rota(
    table: &Table<'_>,
    id: Option<RotaId>,
    contacts: &Section<ContactId, Contact>,
    zone: Option<&Zone>,
) -> Option<Rota> {
    let zone = field::zone(table, zone);
    let shifts: Vec<_> = table.tables("shift").iter().map(|table| shift(table, contacts)).collect();
    let rotations: Vec<_> =
        table.tables("rotation").iter().map(|table| rotation(table, contacts)).collect();
    let shifts = shifts.into_iter().collect::<Option<Vec<_>>>();
    let rotations = rotations.into_iter().collect::<Option<Vec<_>>>();
    let rota = Rota { id: id?, zone: zone?, shifts: shifts?, rotations: rotations? };
    if let Some((day, time)) = rota.hole() {
        table.fault("", format!("has a hole: nobody is on duty from {day} {time} on"));
    }
    Some(rota)
}

fn shift(table: &Table<'_>, contacts: &Section<ContactId, Contact>) -> Option<Shift> {
    let on_duty = named(table, contacts);
    let every_day = || Weekday::WORDS.iter().map(|(_, day)| *day).collect();
    let days = if table.has("days") { days(table) } else { Some(every_day()) };
    let from = table.parse("from").and_then(begin_of_day).or(TimeOfDay::MIDNIGHT);
    let to = table.parse("to").or(TimeOfDay::END);
    Some(Shift { contacts: on_duty?, days: days?, from, to })
}

fn days(table: &Table<'_>) -> Option<Vec<Weekday>> {
    let words = table.texts("days").required()?;
    if words.is_empty() {
        table.fault("days", "names no day; leave it out for every day");
        return None;
    }
    let mut days = Vec::new();
    for word in &words {
        match Weekday::WORDS.iter().find(|(known, _)| known == word) {
            Some((_, day)) if days.contains(day) => {
                table.fault("days", format!("names {day} twice"));
                return None;
            }
            Some((_, day)) => days.push(*day),
            None => {
                let problem = format!("`{word}` is none of mon, tue, wed, thu, fri, sat, sun");
                table.fault("days", problem);
                return None;
            }
        }
    }
    days.sort_unstable();
    Some(days)
}

fn rotation(table: &Table<'_>, contacts: &Section<ContactId, Contact>) -> Option<Rotation> {
    let turns = named(table, contacts);
    let starts = field::date(table, "starts").required();
    let handover = table.parse("handover").and_then(begin_of_day).or(TimeOfDay::MIDNIGHT);
    let every = field::span(table, "every", DAY_MS..=366 * DAY_MS).and_then(|ms| {
        let days = u16::try_from(ms / DAY_MS).ok().filter(|_| ms % DAY_MS == 0);
        days.ok_or("a turn lasts whole days; write it as 7d")
    });
    let every_days = every.or(7);
    Some(Rotation { contacts: turns?, starts: starts?, handover, every_days })
}

fn begin_of_day(time: TimeOfDay) -> Result<TimeOfDay, &'static str> {
    if time < TimeOfDay::END { Ok(time) } else { Err("24:00 begins nothing; write 00:00") }
}

/// The list `contacts`: at least one, nobody unknown, nobody twice.
fn named(table: &Table<'_>, contacts: &Section<ContactId, Contact>) -> Option<Vec<ContactId>> {
    let names = table.texts("contacts").required()?;
    if names.is_empty() {
        table.fault("contacts", "names nobody");
    }
    let mut named: Vec<ContactId> = Vec::new();
    let mut is_sound = !names.is_empty();
    for name in names {
        let problem = match ContactId::from_str(&name) {
            Err(error) => Some(error.to_string()),
            Ok(id) if !contacts.ids.contains(&id) => Some(unknown(&id, &contacts.ids)),
            Ok(id) if named.contains(&id) => Some(format!("names {id} twice")),
            Ok(id) => {
                named.push(id);
                None
            }
        };
        if let Some(problem) = problem {
            table.fault("contacts", problem);
            is_sound = false;
        }
    }
    is_sound.then_some(named)
}

pub(super) fn ladder(
    table: &Table<'_>,
    id: Option<LadderId>,
    contacts: &Section<ContactId, Contact>,
    rotas: &Section<RotaId, Rota>,
) -> Option<Ladder> {
    let steps = table.tables("steps");
    if steps.is_empty() {
        table.fault("steps", "names nobody; write { contact = …, after = \"0s\" }");
    }
    let mut rungs = Vec::new();
    let mut latest = 0;
    for step in &steps {
        let after_ms = field::span(step, "after", 0..=31 * DAY_MS).or(0);
        if after_ms < latest {
            step.fault("after", "is earlier than the step before; put the steps in order");
        }
        latest = latest.max(after_ms);
        let contact = step.parse("contact").optional();
        let rota = step.parse("rota").optional();
        let contact = known(step, "contact", &contacts.ids, contact).map(Told::Contact);
        let rota = known(step, "rota", &rotas.ids, rota).map(Told::Rota);
        if step.has("contact") == step.has("rota") {
            step.fault("", "must name one to tell: either a contact or a rota");
        }
        rungs.push(contact.or(rota).map(|who| Rung { who, after_ms }));
    }
    let rungs = rungs.into_iter().collect::<Option<Vec<_>>>();
    Some(Ladder { id: id?, rungs: rungs? })
}
