//! An independent judge: it adds up water in steps of half a minute and knows nothing of the
//! product but the text of its registry. `std` and `jiff` alone.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil, tz::TimeZone};

/// Nothing of the registry's intervals, holds and slots lies between two steps.
const STEP: i64 = 30;
const HOUR: i64 = 3_600;

/// What the registry demands, one key a line.
pub struct Law {
    zone: TimeZone,
    words: BTreeMap<String, String>,
    /// Gauge and seconds between two readings.
    pub outlets: Vec<(String, i64)>,
    /// Month and day of its begin, ml/s.
    seasons: Vec<(i8, i8, i64)>,
}

/// One reading of a gauge: when, in seconds, and how much, in ml/s; none where it is not good.
pub type Reading = (i64, Option<i64>);

/// An hour or a day: whether it is a day, its begin in seconds, and what it is.
pub type Judged = (bool, i64, &'static str);

#[derive(Clone, Copy, Default)]
struct Sums {
    length: i128,
    /// Time and water while every outlet's value stands, while that of some does.
    whole: (i128, i128),
    held: (i128, i128),
    /// Time while no value is older than its interval: of every outlet, of some.
    fresh: i128,
    partly: i128,
    required: i128,
    /// Time of which it is known whether enough is released at that instant.
    told: i128,
}

#[derive(Clone, Copy, Default)]
struct Step {
    sums: Sums,
    /// Less than enough is released: as every fresh value shows, as every standing one does.
    is_low_now: bool,
    is_low: bool,
}

fn plus(a: Sums, b: Sums, times: i128) -> Sums {
    let add = |a: i128, b: i128| a + b * times;
    let both = |a: (i128, i128), b: (i128, i128)| (add(a.0, b.0), add(a.1, b.1));
    Sums {
        length: add(a.length, b.length),
        whole: both(a.whole, b.whole),
        held: both(a.held, b.held),
        fresh: add(a.fresh, b.fresh),
        partly: add(a.partly, b.partly),
        required: add(a.required, b.required),
        told: add(a.told, b.told),
    }
}

impl Law {
    /// Reads a registry of one station, one rule and one line a key.
    pub fn read(text: &str) -> Self {
        let mut law = Self {
            zone: TimeZone::get("Asia/Shanghai").unwrap(),
            words: BTreeMap::new(),
            outlets: Vec::new(),
            seasons: Vec::new(),
        };
        let mut gauge = String::new();
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else { continue };
            let (key, value) = (key.trim(), value.trim().trim_matches('"'));
            match key {
                "zone" => law.zone = TimeZone::get(value).unwrap(),
                "id" => gauge = value.to_owned(),
                "interval" => {
                    let minutes: i64 = value.trim_end_matches('m').parse().unwrap();
                    law.outlets.push((gauge.clone(), minutes * 60));
                }
                "seasons" => law.seasons = value.split('}').filter_map(season).collect(),
                _ => drop(law.words.insert(key.to_owned(), value.to_owned())),
            }
        }
        law
    }

    fn word(&self, key: &str) -> &str {
        self.words.get(key).map_or("", String::as_str)
    }

    /// A decimal as parts of a million.
    fn millionths(&self, key: &str) -> i128 {
        i128::from(ml(self.word(key)))
    }

    fn required(&self, at: i64) -> i64 {
        let date = self.zone.to_datetime(Timestamp::from_second(at).unwrap()).date();
        let begun = self.seasons.iter().filter(|(m, d, _)| (*m, *d) <= (date.month(), date.day()));
        // before the first season of a year the last one goes on
        begun.max().or(self.seasons.iter().max()).unwrap().2
    }

    /// Every hour and day from `from` to `to`, each on a whole hour and a begin of the rule's day.
    pub fn judge(
        &self,
        readings: &BTreeMap<String, Vec<Reading>>,
        from: i64,
        to: i64,
    ) -> Vec<Judged> {
        // before the first reading nothing is known, and as much is owed
        let base = from - HOUR;
        let steps = self.steps(readings, base, to);
        let mut before = vec![Sums::default()];
        for step in &steps {
            before.push(plus(*before.last().unwrap(), step.sums, i128::from(STEP)));
        }
        let until = |at: i64| {
            let place = usize::try_from((at - base) / STEP).unwrap();
            let rest = i128::from((at - base) % STEP);
            let next = steps.get(place).map_or(Sums::default(), |step| step.sums);
            plus(before[place], next, rest)
        };
        let between = |a: i64, b: i64| plus(until(b), until(a), -1);
        // the section begins with the first hour of which enough is known; before it nothing is said
        let is_known = |hour: &i64| {
            let sums = between(*hour, *hour + HOUR);
            sums.partly * 1_000_000 >= self.millionths("hour_coverage") * sums.length
        };
        let begun = (from..to).step_by(3_600).find(is_known).unwrap_or(to);
        let (mut judged, mut day, mut named) = (Vec::new(), Vec::new(), from);
        for hour in (from..to).step_by(3_600) {
            let place = usize::try_from((hour - base) / STEP).unwrap();
            let verdict = match self.word("statistic") {
                "daily_mean" => "",
                "hourly_mean" => {
                    self.mean(between(hour, hour + HOUR), self.millionths("hour_coverage"))
                }
                "running_hour" => self.running(hour, &between),
                "instantaneous" => {
                    let own = &steps[place..place + 120];
                    self.known(own.iter().any(|step| step.is_low_now), between(hour, hour + HOUR))
                }
                _ => self.known(self.ran_low(&steps, place), between(hour, hour + HOUR)),
            };
            if !verdict.is_empty() && hour >= begun {
                judged.push((false, hour, verdict));
            }
            day.push(verdict);
            if hour + HOUR == self.day_after(named) {
                let verdict = match self.word("statistic") {
                    "daily_mean" => {
                        let share = self.word("day_valid_hours").parse::<i128>().unwrap();
                        self.mean(between(named, hour + HOUR), share * 1_000_000 / 24)
                    }
                    _ => self.day(&day),
                };
                if named >= begun {
                    judged.push((true, named, verdict));
                }
                (named, day) = (hour + HOUR, Vec::new());
            }
        }
        judged
    }

    fn steps(&self, readings: &BTreeMap<String, Vec<Reading>>, from: i64, to: i64) -> Vec<Step> {
        let of = |gauge: &String| readings.get(gauge).map_or(&[][..], Vec::as_slice);
        let mut rests: Vec<&[Reading]> = self.outlets.iter().map(|(gauge, _)| of(gauge)).collect();
        let mut last: Vec<Option<(i64, i64)>> = vec![None; rests.len()];
        let mut steps = Vec::new();
        for at in (from..to).step_by(30) {
            let required = self.required(at);
            let enough = (i128::from(required) * self.millionths("factor") + 999_999) / 1_000_000;
            let (mut water, mut credited, mut held, mut fresh) = (0_i128, 0_i128, 0, 0);
            for ((rest, known), (_, interval)) in rests.iter_mut().zip(&mut last).zip(&self.outlets)
            {
                while let Some(((moment, value), others)) = rest.split_first() {
                    if *moment > at {
                        break;
                    }
                    *known = value.map(|value| (*moment, value.max(0))).or(*known);
                    *rest = others;
                }
                let Some((moment, value)) = *known else { continue };
                let (age, value) = (at - moment, i128::from(value));
                if age * 2 >= interval * 5 {
                    continue;
                }
                let is_fresh = age < *interval;
                water += value;
                credited += if is_fresh { value } else { value.min(enough) };
                (held, fresh) = (held + 1, fresh + i32::from(is_fresh));
            }
            let all = i32::try_from(self.outlets.len()).unwrap();
            let when = |is: bool, what: i128| if is { what } else { 0 };
            let is_told = fresh == all || (fresh > 0 && credited >= enough);
            let sums = Sums {
                length: 1,
                whole: (when(held == all, 1), when(held == all, credited)),
                held: (when(held > 0, 1), when(held > 0, credited)),
                fresh: when(fresh == all, 1),
                partly: when(fresh > 0, 1),
                required: i128::from(required),
                told: when(is_told, 1),
            };
            let is_less = water < enough;
            let (is_low_now, is_low) = (fresh == all && is_less, held == all && is_less);
            steps.push(Step { sums, is_low_now, is_low });
        }
        steps
    }

    /// `coverage` is in millionths.
    fn mean(&self, sums: Sums, coverage: i128) -> &'static str {
        let covers = |time: i128| time * 1_000_000 >= coverage * sums.length;
        let is_enough = |(time, water): (i128, i128)| {
            time > 0
                && water * sums.length * 1_000_000
                    >= self.millionths("factor") * sums.required * time
        };
        let (is_whole, is_partly) = (covers(sums.fresh), covers(sums.partly));
        if (is_whole && is_enough(sums.whole)) || (is_partly && is_enough(sums.held)) {
            "met"
        } else if is_whole {
            "short"
        } else {
            self.unknown()
        }
    }

    fn running(&self, hour: i64, between: &impl Fn(i64, i64) -> Sums) -> &'static str {
        let mut worst = "met";
        for end in hour + 1..=hour + HOUR {
            let sums = between(end - HOUR, end);
            match self.finding(sums) {
                Some(true) => {}
                Some(false) => return "short",
                None => worst = self.unknown(),
            }
        }
        worst
    }

    fn finding(&self, sums: Sums) -> Option<bool> {
        let coverage = self.millionths("hour_coverage");
        let is_covered = sums.fresh * 1_000_000 >= coverage * sums.length;
        let is_met = self.mean(sums, coverage) == "met";
        (is_met || is_covered).then_some(is_met)
    }

    fn known(&self, is_short: bool, sums: Sums) -> &'static str {
        if is_short {
            "short"
        } else if sums.told * 1_000_000 >= self.millionths("hour_coverage") * sums.length {
            "met"
        } else {
            self.unknown()
        }
    }

    /// Whether a run below has lasted long enough within this hour.
    fn ran_low(&self, steps: &[Step], place: usize) -> bool {
        let minutes = self.word("below_for").trim_end_matches('m');
        let long = minutes.parse::<usize>().map_or(usize::MAX, |minutes| minutes * 2);
        (place..place + 120).any(|end| {
            let begin = (end + 1).checked_sub(long);
            begin.is_some_and(|begin| steps[begin..=end].iter().all(|step| step.is_low))
        })
    }

    fn day(&self, hours: &[&str]) -> &'static str {
        let count = |word: &str| hours.iter().filter(|hour| **hour == word).count();
        let (met, short) = (count("met"), count("short"));
        let valid: usize = self.word("day_valid_hours").parse().unwrap();
        let (part, whole) = self.word("day_hours_met").split_once('/').unwrap();
        let (part, whole): (usize, usize) = (part.parse().unwrap(), whole.parse().unwrap());
        if met + short < valid.min(hours.len()) {
            self.unknown()
        } else if met * whole >= part * (met + short) {
            "met"
        } else {
            "short"
        }
    }

    fn unknown(&self) -> &'static str {
        if self.word("missing") == "short" { "short" } else { "indeterminate" }
    }

    fn day_after(&self, at: i64) -> i64 {
        let (hour, _) = self.word("day_start").split_once(':').unwrap();
        let hour = civil::time(hour.parse().unwrap(), 0, 0, 0);
        let date = self.zone.to_datetime(Timestamp::from_second(at).unwrap()).date();
        let next = date.tomorrow().unwrap().to_datetime(hour);
        self.zone.to_zoned(next).unwrap().timestamp().as_second()
    }
}

fn season(text: &str) -> Option<(i8, i8, i64)> {
    let (_, rest) = text.split_once("from = \"")?;
    let (month, rest) = rest.split_once('-')?;
    let (day, rest) = rest.split_once('"')?;
    let (_, flow) = rest.split_once("flow = ")?;
    Some((month.parse().ok()?, day.parse().ok()?, ml(flow.trim())))
}

/// Millionths of what a decimal says.
fn ml(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<6}").parse().unwrap()
}
