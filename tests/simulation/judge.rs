//! An independent judge: it adds up water in steps of half a minute and knows nothing of the
//! product but the text of its registry. `std` and `jiff` alone.

pub mod episodes;

use std::collections::BTreeMap;

use jiff::{Timestamp, civil, tz::TimeZone};

/// Nothing of the registry's intervals, holds and slots lies between two steps. Seconds, as all
/// moments here are.
const STEP: i64 = 30;
const HOUR: i64 = 3_600;
const MILLION: i128 = 1_000_000;

/// What is one thing without readings that are doubted, and another with them.
const DOUBTED: &str = "doubted";

/// A table of the registry: its keys and what they say.
type Table = BTreeMap<String, String>;

/// What the registry demands.
pub struct Law {
    zone: TimeZone,
    /// Gauge and seconds between two readings.
    outlets: Vec<(String, i64)>,
    /// What a gauge can reach at least and at most, ml/s, where it says so.
    ranges: BTreeMap<String, [i128; 2]>,
    /// Month and day of its begin, ml/s.
    seasons: Vec<(i8, i8, i64)>,
    rule: Table,
    /// In millionths.
    factor: i128,
    coverage: i128,
    alarm_rules: Vec<Table>,
}

/// Readings of a gauge by their moments: how much, in ml/s; none where it is not good.
pub type Readings = BTreeMap<i64, Option<i64>>;

/// An hour or a day: whether it is a day, its begin, and what it is.
pub type Judged = (bool, i64, &'static str);

/// What a stretch adds up to: its length; time and water while every outlet's value stands; the
/// same while that of some does; time while every, and while some outlet's value is not older than
/// its interval; what is required; time of which it is known whether enough is released.
type Sums = [i128; 9];

fn plus(a: Sums, b: Sums, times: i64) -> Sums {
    std::array::from_fn(|n| a[n] + b[n] * i128::from(times))
}

struct Step {
    /// Of each second of it.
    sums: Sums,
    /// Less than enough is released, as values not older than their intervals show, and as all do.
    is_low_now: bool,
    is_low: bool,
}

impl Law {
    /// Reads a registry of one station and one rule, with one line a key.
    pub fn read(text: &str) -> Self {
        let mut tables: Vec<(&str, Table)> = Vec::new();
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("[[") {
                tables.push((name.trim_end_matches(']'), Table::new()));
            } else if let (Some((key, said)), Some(table)) =
                (line.split_once(" = "), tables.last_mut())
            {
                table.1.insert(key.to_owned(), said.trim_matches('"').to_owned());
            }
        }
        let all = |kind: &str| {
            let of_kind = tables.iter().filter(|(name, _)| *name == kind);
            of_kind.map(|(_, table)| table.clone()).collect::<Vec<Table>>()
        };
        let outlet = |gauge: &Table| (gauge["id"].clone(), seconds(&gauge["interval"]));
        let rule = all("rule").remove(0);
        Self {
            zone: TimeZone::get(&all("station")[0]["zone"]).unwrap(),
            outlets: all("station.gauge").iter().map(outlet).collect(),
            ranges: all("station.gauge").iter().filter_map(range).collect(),
            seasons: all("station.mandate")[0]["seasons"].split('}').filter_map(season).collect(),
            factor: ml(&rule["factor"]),
            coverage: ml(&rule["hour_coverage"]),
            rule,
            alarm_rules: all("alarm_rule"),
        }
    }

    fn required(&self, at: i64) -> i64 {
        let date = self.zone.to_datetime(Timestamp::from_second(at).unwrap()).date();
        let begun = self.seasons.iter().filter(|(m, d, _)| (*m, *d) <= (date.month(), date.day()));
        // before the first season of a year the last one goes on
        begun.max().or(self.seasons.iter().max()).unwrap().2
    }

    /// Whether a gauge cannot reach as much, or as little.
    fn doubts(&self, gauge: &str, flow: i64) -> bool {
        let reaches = |[least, most]: &[i128; 2]| (*least..=*most).contains(&i128::from(flow));
        !self.ranges.get(gauge).is_none_or(reaches)
    }

    /// Every hour and day from `from` to `to`, each on a whole hour and a begin of the rule's day:
    /// what it is both without readings that are doubted and with them.
    pub fn judge(&self, said: &BTreeMap<String, Readings>, from: i64, to: i64) -> Vec<Judged> {
        let credible = said.iter().map(|(gauge, readings)| {
            let kept = |flow: &i64| !self.doubts(gauge, *flow);
            (gauge.clone(), readings.iter().map(|(at, flow)| (*at, flow.filter(kept))).collect())
        });
        let (begun, with) = self.words(said, from, to);
        let without = if self.ranges.is_empty() {
            with.clone()
        } else {
            self.words(&credible.collect(), from, to).1
        };
        let both = |(a, b): (&Judged, &Judged)| (a.0, a.1, if a.2 == b.2 { a.2 } else { DOUBTED });
        let mut judged: Vec<Judged> = without.iter().zip(&with).map(both).collect();
        if self.rule["statistic"] != "daily_mean" {
            let mut day = from;
            while day < to {
                let next = self.day_after(day);
                let own =
                    judged.iter().filter(|(is_day, at, _)| !is_day && (day..next).contains(at));
                let hours = own.filter(|(_, at, _)| *at >= begun).map(|(_, _, word)| *word);
                judged.push((true, day, self.day(&hours.collect::<Vec<_>>())));
                day = next;
            }
        }
        judged.retain(|(_, at, _)| *at >= begun);
        for (_, _, word) in &mut judged {
            *word = if *word == DOUBTED { "indeterminate" } else { *word };
        }
        judged
    }

    /// When the section begins; each hour, or where the rule judges days by their means each day.
    fn words(&self, said: &BTreeMap<String, Readings>, from: i64, to: i64) -> (i64, Vec<Judged>) {
        // before the first reading nothing is known, and as much is owed
        let base = from - HOUR;
        let steps: Vec<Step> = (base..to).step_by(30).map(|at| self.step(said, at)).collect();
        let mut before = vec![Sums::default()];
        for step in &steps {
            before.push(plus(*before.last().unwrap(), step.sums, STEP));
        }
        let until = |at: i64| {
            let sums = steps.get(place(at - base)).map_or(Sums::default(), |step| step.sums);
            plus(before[place(at - base)], sums, (at - base) % STEP)
        };
        let between = |a: i64, b: i64| plus(until(b), until(a), -1);
        let word = |hour: i64| {
            let (sums, own) =
                (between(hour, hour + HOUR), place(hour - base)..place(hour + HOUR - base));
            let finding = match self.rule["statistic"].as_str() {
                "running_hour" => return self.running(hour, between),
                "hourly_mean" => self.mean(sums, self.coverage),
                "instantaneous" => self.known(steps[own].iter().any(|step| step.is_low_now), sums),
                _ => self.known(own.into_iter().any(|end| self.ran(&steps, end)), sums),
            };
            self.word(finding)
        };
        let is_daily = self.rule["statistic"] == "daily_mean";
        let hours: Vec<i64> = (from..to).step_by(3_600).collect();
        // the section begins with the first hour in which half an hour lies between the first value
        // that stands and the end of the last one; before it nothing is said
        let is_known = |hour: &&i64| {
            let stand = self.outlets.iter().flat_map(|(gauge, interval)| {
                let good = said[gauge].range(*hour - interval + 1..*hour + HOUR);
                let good = good.filter(|(_, value)| value.is_some());
                good.map(move |(at, _)| (*at.max(*hour), (at + interval).min(*hour + HOUR)))
            });
            let both = stand.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            both.is_some_and(|(from, to)| (to - from) * 2 >= HOUR)
        };
        let begun = hours.iter().find(is_known).map_or(to, |hour| *hour);
        if !is_daily {
            return (begun, hours.iter().map(|hour| (false, *hour, word(*hour))).collect());
        }
        let (mut days, mut day) = (Vec::new(), from);
        while day < to {
            let next = self.day_after(day);
            let finding = self.mean(between(day, next), ml(&self.rule["day_valid_hours"]) / 24);
            days.push((true, day, self.word(finding)));
            day = next;
        }
        (begun, days)
    }

    fn step(&self, said: &BTreeMap<String, Readings>, at: i64) -> Step {
        let required = i128::from(self.required(at));
        let enough = (required * self.factor + MILLION - 1) / MILLION;
        let all = self.outlets.len();
        let (mut water, mut measured, mut held, mut fresh) = (0, 0, 0, 0);
        for (gauge, interval) in &self.outlets {
            let good = said[gauge].range(at - interval * 5 / 2 + 1..=at).rev();
            let Some((moment, value)) = good.filter_map(|(at, value)| Some((at, (*value)?))).next()
            else {
                continue;
            };
            let (value, is_fresh) = (i128::from(value.max(0)), at - moment < *interval);
            water += value;
            measured += if is_fresh { value } else { 0 };
            (held, fresh) = (held + 1, fresh + usize::from(is_fresh));
        }
        let when = |is: bool, what: i128| if is { what } else { 0 };
        // what stands in adds up to what is enough, and beside what is measured shows nothing
        let credited = water.min(enough.max(measured));
        let bound = if fresh > 0 { measured } else { credited };
        let is_told = fresh == all || (fresh > 0 && measured >= enough);
        let sums = [
            1,
            when(held == all, 1),
            when(held == all, credited),
            when(held > 0, 1),
            when(held > 0, bound),
            when(fresh == all, 1),
            when(fresh > 0, 1),
            required,
            when(is_told, 1),
        ];
        let is_less = water < enough;
        Step { sums, is_low_now: fresh == all && is_less, is_low: held == all && is_less }
    }

    /// Whether enough was released; none where too little is known. `coverage` is in millionths.
    fn mean(&self, sums: Sums, coverage: i128) -> Option<bool> {
        let [length, whole, whole_water, held, held_water, fresh, partly, required, _] = sums;
        let covers = |time: i128| time * MILLION >= coverage * length;
        let is_enough = |time: i128, water: i128| {
            time > 0 && water * length * MILLION >= self.factor * required * time
        };
        let is_met = (covers(fresh) && is_enough(whole, whole_water))
            || (covers(partly) && is_enough(held, held_water));
        (is_met || covers(fresh)).then_some(is_met)
    }

    /// Each hour that ends within this one: one that is too little known counts only where what is
    /// known of it is below. Then nobody says that any hour was enough, and nothing is missing.
    fn running(&self, hour: i64, between: impl Fn(i64, i64) -> Sums) -> &'static str {
        let ends: Vec<Sums> =
            (hour + 1..=hour + HOUR).map(|end| between(end - HOUR, end)).collect();
        let is_below = |[length, _, _, held, water, .., required, _]: Sums| {
            held > 0 && water * length * MILLION < self.factor * required * held
        };
        let own = self.mean(between(hour, hour + HOUR), self.coverage);
        let mean = |sums: &Sums| self.mean(*sums, self.coverage);
        if ends.iter().any(|sums| mean(sums) == Some(false)) {
            self.word(Some(false))
        } else if own.is_none() {
            self.word(None)
        } else if ends.iter().any(|sums| mean(sums).is_none() && is_below(*sums)) {
            "indeterminate"
        } else {
            self.word(Some(true))
        }
    }

    fn known(&self, is_short: bool, sums: Sums) -> Option<bool> {
        let [length, .., told] = sums;
        (is_short || told * MILLION >= self.coverage * length).then_some(!is_short)
    }

    /// Whether a run below has lasted long enough with this step.
    fn ran(&self, steps: &[Step], end: usize) -> bool {
        let begin = (end + 1).checked_sub(place(seconds(&self.rule["below_for"])));
        let is_low = |begin: usize| steps[begin..=end].iter().all(|step| step.is_low);
        // what only stands in does not make it longer
        steps[end].is_low_now && begin.is_some_and(is_low)
    }

    /// What a day is whatever the hours are that are doubted: met, short, or not known.
    fn day(&self, hours: &[&'static str]) -> &'static str {
        let count = |word: &str| hours.iter().filter(|hour| **hour == word).count();
        let (met, short, doubted) = (count("met"), count("short"), count(DOUBTED));
        let cases =
            (0..=doubted).flat_map(|more| (0..=doubted - more).map(move |less| (more, less)));
        let mut words = cases
            .map(|(more, less)| self.word(self.of_hours(hours.len(), met + more, short + less)));
        let first = words.next().unwrap();
        if words.all(|word| word == first) { first } else { DOUBTED }
    }

    fn of_hours(&self, all: usize, met: usize, short: usize) -> Option<bool> {
        let known = met + short;
        let valid: usize = self.rule["day_valid_hours"].parse().unwrap();
        let (part, whole) = self.rule["day_hours_met"].split_once('/').unwrap();
        let (part, whole): (usize, usize) = (part.parse().unwrap(), whole.parse().unwrap());
        (known >= valid.min(all)).then_some(met * whole >= part * known)
    }

    fn word(&self, finding: Option<bool>) -> &'static str {
        match finding {
            Some(true) => "met",
            None if self.rule["missing"] == "indeterminate" => "indeterminate",
            Some(false) | None => "short",
        }
    }

    fn day_after(&self, at: i64) -> i64 {
        let (hour, _) = self.rule["day_start"].split_once(':').unwrap();
        let hour = civil::time(hour.parse().unwrap(), 0, 0, 0);
        let date = self.zone.to_datetime(Timestamp::from_second(at).unwrap()).date();
        let next = date.tomorrow().unwrap().to_datetime(hour);
        self.zone.to_zoned(next).unwrap().timestamp().as_second()
    }
}

fn place(seconds: i64) -> usize {
    usize::try_from(seconds / STEP).unwrap()
}

/// Whose range, and from where to where.
fn range(gauge: &Table) -> Option<(String, [i128; 2])> {
    let (least, most) = gauge.get("range")?.trim_matches(['[', ']']).split_once(", ")?;
    Some((gauge["id"].clone(), [ml(least), ml(most)]))
}

fn season(text: &str) -> Option<(i8, i8, i64)> {
    let words: Vec<&str> =
        text.split(['"', '=', '-', ' ']).filter(|word| !word.is_empty()).collect();
    let at = words.iter().position(|word| *word == "from")?;
    let flow = i64::try_from(ml(words.last()?)).ok()?;
    Some((words[at + 1].parse().ok()?, words[at + 2].parse().ok()?, flow))
}

/// Millionths of what a decimal says.
fn ml(text: &str) -> i128 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<6}").parse().unwrap()
}

/// Of a number of minutes.
fn seconds(text: &str) -> i64 {
    text.trim_end_matches('m').parse::<i64>().unwrap() * 60
}
