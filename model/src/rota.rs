//! Rotas: who is on duty when, by weekly shifts, by turns, or both.

use crate::{
    calendar::{Date, TimeOfDay, Weekday},
    ids::{ContactId, RotaId},
    time::{Timestamp, Zone},
};

const MINUTES_A_DAY: u32 = 1440;
const MINUTES_A_WEEK: u32 = 7 * MINUTES_A_DAY;

/// Who is on duty when; there is no minute of the week without somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rota {
    /// Its id.
    pub id: RotaId,
    /// The zone whose clocks its times speak of.
    pub zone: Zone,
    /// Duties that recur every week.
    pub shifts: Vec<Shift>,
    /// Duties that go round among several contacts.
    pub rotations: Vec<Rotation>,
}

/// A duty that recurs every week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// All of them are on duty; never empty.
    pub contacts: Vec<ContactId>,
    /// The days on which it begins; never empty.
    pub days: Vec<Weekday>,
    /// When it begins.
    pub from: TimeOfDay,
    /// When it ends: on the next day, where that is not after `from`.
    pub to: TimeOfDay,
}

/// A duty that goes round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// They take turns in this order; never empty.
    pub contacts: Vec<ContactId>,
    /// The day on which a turn of the first begins; turns go on from there in both directions.
    pub starts: Date,
    /// The time of day at which turns change.
    pub handover: TimeOfDay,
    /// How many days a turn lasts, 1 or more.
    pub every_days: u16,
}

impl Rota {
    /// Who is on duty at `at`, in the order of the file, nobody twice.
    pub fn on_duty(&self, at: Timestamp) -> Vec<&ContactId> {
        let date = self.zone.date_of(at);
        let time = TimeOfDay::of(at, &self.zone);
        let of_week = week_minute(Weekday::of(date), time);
        let shifts = self.shifts.iter().filter(|shift| shift.covers(of_week));
        let turns = self.rotations.iter().filter_map(|rotation| rotation.on_duty(date, time));
        let mut on_duty = Vec::new();
        for contact in shifts.flat_map(|shift| &shift.contacts).chain(turns) {
            if !on_duty.contains(&contact) {
                on_duty.push(contact);
            }
        }
        on_duty
    }

    /// Every contact that it names, in the order of the file, repeated where the file repeats.
    pub fn contacts(&self) -> impl Iterator<Item = &ContactId> {
        let shifts = self.shifts.iter().flat_map(|shift| &shift.contacts);
        shifts.chain(self.rotations.iter().flat_map(|rotation| &rotation.contacts))
    }

    /// The first minute of the week when nobody is on duty, if there is one.
    pub fn hole(&self) -> Option<(Weekday, TimeOfDay)> {
        if !self.rotations.is_empty() {
            return None;
        }
        // A hole begins with the week or where a shift ends.
        let ends = self.shifts.iter().flat_map(Shift::spans).map(|(from, length)| from + length);
        let mut candidates: Vec<u32> = ends.map(|end| end % MINUTES_A_WEEK).collect();
        candidates.push(0);
        candidates.sort_unstable();
        let hole = candidates
            .into_iter()
            .find(|minute| !self.shifts.iter().any(|shift| shift.covers(*minute)))?;
        let (_, day) = Weekday::WORDS
            .iter()
            .find(|(_, day)| u32::from(day.days_since_monday()) == hole / MINUTES_A_DAY)?;
        Some((*day, TimeOfDay::from_minute(hole)))
    }
}

impl Shift {
    fn covers(&self, of_week: u32) -> bool {
        self.spans().any(|(from, length)| {
            (of_week + MINUTES_A_WEEK - from % MINUTES_A_WEEK) % MINUTES_A_WEEK < length
        })
    }

    /// Begin in the week and length, in minutes, of each of its days.
    fn spans(&self) -> impl Iterator<Item = (u32, u32)> {
        let (from, to) = (u32::from(self.from.minute()), u32::from(self.to.minute()));
        let length = if to > from { to - from } else { to + MINUTES_A_DAY - from };
        self.days.iter().map(move |day| (week_minute(*day, self.from), length))
    }
}

impl Rotation {
    fn on_duty(&self, date: Date, time: TimeOfDay) -> Option<&ContactId> {
        let days = date.duration_since(self.starts).as_hours().div_euclid(24);
        let days = if time < self.handover { days - 1 } else { days };
        let turn = days.div_euclid(i64::from(self.every_days.max(1)));
        let count = i64::try_from(self.contacts.len()).ok().filter(|count| *count > 0)?;
        self.contacts.get(usize::try_from(turn.rem_euclid(count)).ok()?)
    }
}

fn week_minute(day: Weekday, time: TimeOfDay) -> u32 {
    u32::from(day.days_since_monday()) * MINUTES_A_DAY + u32::from(time.minute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::parse_date;

    fn contacts(names: &str) -> Vec<ContactId> {
        names.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    fn shift(names: &str, days: &str, from: &str, to: &str) -> Shift {
        let is_named = |(word, _): &&(&str, Weekday)| days.contains(word) || days == "all";
        Shift {
            contacts: contacts(names),
            days: Weekday::WORDS.iter().filter(is_named).map(|(_, day)| *day).collect(),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        }
    }

    fn rota(shifts: Vec<Shift>, rotations: Vec<Rotation>) -> Rota {
        let zone = Zone::named("Asia/Shanghai").unwrap();
        Rota { id: "county".parse().unwrap(), zone, shifts, rotations }
    }

    /// Who is on duty at a civil time in Zhangye.
    fn check(rota: &Rota, at: &str, expected: &str) {
        let at: Timestamp = format!("{at}:00+08:00").parse().unwrap();
        let names: Vec<_> = rota.on_duty(at).iter().map(|id| id.as_str()).collect();
        assert_eq!(names.join(" "), expected, "{at}");
    }

    #[test]
    fn a_night_shift_ends_on_the_next_day() {
        let rota = rota(
            vec![
                shift("day", "all", "08:00", "20:00"),
                shift("night", "all", "20:00", "08:00"),
                shift("day chief", "sat sun", "00:00", "24:00"),
            ],
            Vec::new(),
        );
        assert_eq!(rota.hole(), None);
        check(&rota, "2026-11-23T07:59", "night"); // a Monday
        check(&rota, "2026-11-23T08:00", "day");
        check(&rota, "2026-11-22T23:00", "night day chief");
        check(&rota, "2026-11-22T12:00", "day chief");
    }

    #[test]
    fn a_hole_is_found_at_its_first_minute() {
        let hole = |shifts| rota(shifts, Vec::new()).hole().map(|(day, at)| format!("{day} {at}"));
        assert_eq!(hole(Vec::new()), Some("mon 00:00".to_owned()));
        assert_eq!(hole(vec![shift("a", "all", "00:00", "24:00")]), None);
        assert_eq!(hole(vec![shift("a", "all", "09:00", "09:00")]), None);
        assert_eq!(
            hole(vec![
                shift("a", "mon tue wed thu fri sat sun", "08:00", "20:00"),
                shift("b", "mon tue wed thu fri sun", "20:00", "08:00"),
            ]),
            Some("sat 20:00".to_owned())
        );
    }

    #[test]
    fn turns_go_on_in_both_directions() {
        let rotation = Rotation {
            contacts: contacts("a b c"),
            starts: parse_date("2026-01-05").unwrap(),
            handover: "08:00".parse().unwrap(),
            every_days: 7,
        };
        let rota = rota(Vec::new(), vec![rotation]);
        assert_eq!(rota.hole(), None);
        check(&rota, "2026-01-05T07:59", "c");
        check(&rota, "2026-01-05T08:00", "a");
        check(&rota, "2026-01-12T07:59", "a");
        check(&rota, "2026-01-12T08:00", "b");
        check(&rota, "2025-12-29T08:00", "c");
        check(&rota, "2025-12-22T08:00", "b");
    }
}
