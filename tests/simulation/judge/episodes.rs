//! Episodes as the law has them: each rule alone, from what came when, in boxes of time.
//!
//! Which episodes there are depends on when things came, and this is how:
//!
//! - **live** is what was observed at most three intervals, two minutes at least, before it came.
//!   Live values alone are what the section is said to release, up to the moment up to which every
//!   outlet that is alive has spoken, and what was said stays said. All else came late.
//! - **doubted** values, outside of their gauge's range, are none of a river's; but whoever says one
//!   is not silent.
//! - **late** values fill in what nobody knew, each up to the next one. They never clear; they
//!   lengthen the run that ends with the newest live value, and so may raise; where they show water
//!   missing after a recovery began, it begins anew, and none begins before such water.
//! - **a delay** counts time that is known, and passes when somebody speaks, not before.
//! - **a silence** counts time in which the server listened; what comes late is no sign of life.
//! - **the third** that is raised within an hour ends only once all has been well for an hour.

use std::collections::{BTreeMap, BTreeSet};

use super::{Law, MILLION, Table, ml, seconds};

/// A batch that came: when, by the server's clock, and of each good reading the outlet, its moment
/// in seconds and ml/s.
#[derive(Debug, Clone)]
pub struct Row {
    pub received: i64,
    pub readings: Vec<(String, i64, i64)>,
}

/// The server takes up what has come.
#[derive(Debug, Clone)]
pub struct Look {
    /// By its clock, and by how much that was seen to be set back since the look before.
    pub at: i64,
    pub set_back: i64,
    /// Whether it has listened ever since the look before, and whether it listens now.
    pub has_listened: bool,
    pub listens: bool,
    pub rows: Vec<Row>,
}

/// What stands from when to when, and when it was raised, by the server's clock; moments in ms.
/// Of a section the first two are the river's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Episode {
    pub rule: String,
    pub subject: String,
    pub began: i64,
    pub raised: i64,
    pub cleared: Option<i64>,
}

/// Every episode, and runs below a limit that must have been told by alarm or by digest.
#[derive(Debug, Default)]
pub struct Found {
    pub episodes: Vec<Episode>,
    /// Rule, begin and end.
    pub runs: Vec<(String, i64, i64)>,
}

impl Law {
    /// What the alarm rules make of these looks.
    pub fn watch(&self, looks: &[Look]) -> Found {
        let (mut found, looks) = (Found::default(), news(looks));
        for rule in &self.alarm_rules {
            if rule["kind"] == "no_data" {
                for (outlet, interval) in &self.outlets {
                    found.episodes.extend(silences(rule, (outlet, *interval), &looks));
                }
            } else {
                let mut river = River::new(self, rule, &looks);
                for look in &looks {
                    look.rows.iter().for_each(|row| river.take(row, look.at));
                }
                found.episodes.extend(river.end());
                found.runs.extend(river.runs());
            }
        }
        found.episodes.sort();
        found
    }
}

/// Without what is told again.
fn news(looks: &[Look]) -> Vec<Look> {
    let (mut looks, mut known) = (looks.to_vec(), BTreeSet::new());
    for row in looks.iter_mut().flat_map(|look| &mut look.rows) {
        row.readings.retain(|(outlet, at, _)| known.insert((outlet.clone(), *at)));
    }
    looks
}

/// Good values of an outlet by their moments.
type Values = BTreeMap<i64, i64>;

/// Water, whether it is of every outlet, and what is required.
type View = (i128, bool, i128);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Unknown,
    Below,
    Enough,
    Well,
}

/// One rule at the section. Time is in boxes: the first millisecond of each half-minute, and the
/// rest of it, since what is said up to a moment is said of that moment, too.
struct River<'a> {
    law: &'a Law,
    rule: &'a Table,
    base: i64,
    /// In millionths.
    share: i128,
    deadband: i128,
    /// What each outlet said, and what of it live.
    said: Vec<Values>,
    live: Vec<Values>,
    /// The box up to which the section's live flow was taken, and the flow there.
    told: usize,
    stands: Option<View>,
    /// What is known of a box, first word first: whether it is below.
    words: Vec<Option<bool>>,
    /// Where a live value stood that was well.
    well: Vec<bool>,
    /// The newest live word and its box, and where it stopped standing.
    newest: Option<(usize, Flow)>,
    lost: usize,
    /// The newest live word that was not below.
    fine: usize,
    /// Until when it was not well, by what came late.
    ill_until: usize,
    /// Since when it is raised, and since when it is well again.
    raised: Option<(usize, i64)>,
    /// When each was raised, by the river.
    raises: Vec<i64>,
    well_since: Option<usize>,
    episodes: Vec<Episode>,
}

/// How long a box is, in ms.
fn length(place: usize) -> i64 {
    if place.is_multiple_of(2) { 1 } else { 29_999 }
}

/// How old a reading may be to be live, and how long an outlet may be silent.
fn patience(interval: i64) -> i64 {
    (interval * 3).max(120)
}

impl<'a> River<'a> {
    fn new(law: &'a Law, rule: &'a Table, looks: &[Look]) -> Self {
        let readings = looks.iter().flat_map(|look| &look.rows).flat_map(|row| &row.readings);
        let moments: Vec<i64> = readings.map(|(_, at, _)| *at).collect();
        let base = moments.iter().min().unwrap_or(&0) - 7_200;
        let boxes = (moments.iter().max().unwrap_or(&0) - base + 7_200) / 15;
        let boxes = usize::try_from(boxes).unwrap();
        Self {
            law,
            rule,
            base,
            share: ml(&rule["share"]),
            deadband: ml(&rule["deadband"]),
            said: vec![Values::new(); law.outlets.len()],
            live: vec![Values::new(); law.outlets.len()],
            told: 0,
            stands: None,
            words: vec![None; boxes],
            well: vec![false; boxes],
            newest: None,
            lost: boxes,
            fine: 0,
            ill_until: 0,
            raised: None,
            raises: Vec::new(),
            well_since: None,
            episodes: Vec::new(),
        }
    }

    /// The box that begins at a moment in seconds.
    fn place(&self, at: i64) -> usize {
        usize::try_from((at - self.base) / 15).unwrap()
    }

    /// When a box begins, in ms.
    fn start(&self, place: usize) -> i64 {
        let n = i64::try_from(place).unwrap();
        self.base * 1_000 + n / 2 * 30_000 + n % 2
    }

    fn take(&mut self, row: &Row, now: i64) {
        let (told, mut late) = (self.told, Vec::new());
        for (n, (gauge, interval)) in self.law.outlets.iter().enumerate() {
            let own = row.readings.iter().filter(|(outlet, ..)| outlet == gauge);
            for (_, at, value) in own.filter(|(_, _, flow)| !self.law.doubts(gauge, *flow)) {
                self.said[n].insert(*at, *value);
                let is_live = *at >= row.received - patience(*interval);
                if is_live {
                    self.live[n].insert(*at, *value);
                }
                if !is_live || self.place(*at) <= told {
                    late.push(*at);
                }
            }
        }
        self.speak(now);
        if let (Some(first), Some(last)) = (late.iter().min(), late.iter().max()) {
            self.fill_in(*first, *last, now);
        }
    }

    /// What these values make of a moment; none where no outlet's value stands.
    fn view(&self, values: &[Values], place: usize) -> Option<View> {
        let at = self.start(place) / 1_000;
        let stands = |(values, (_, interval)): (&Values, &(String, i64))| {
            let (moment, value) = values.range(..=at).next_back()?;
            ((at - moment) * 2 < interval * 5).then_some(i128::from(*value.max(&0)))
        };
        let held: Vec<i128> = values.iter().zip(&self.law.outlets).filter_map(stands).collect();
        let is_whole = held.len() == values.len();
        let required = i128::from(self.law.required(at));
        (!held.is_empty()).then(|| (held.iter().sum(), is_whole, required))
    }

    fn flow(&self, (water, is_whole, required): View) -> Flow {
        let limit = required * self.share;
        if water * MILLION * MILLION >= limit * (MILLION + self.deadband) {
            Flow::Well
        } else if water * MILLION >= limit {
            Flow::Enough
        } else if is_whole {
            Flow::Below
        } else {
            Flow::Unknown
        }
    }

    /// The live flow, as far as each outlet that is alive has spoken: of an interval less a minute,
    /// since its next value may be early.
    fn speak(&mut self, now: i64) {
        let newest = |values: &Values| values.keys().next_back().copied();
        let newest: Vec<Option<i64>> = self.live.iter().map(newest).collect();
        let Some(front) = newest.iter().flatten().max() else { return };
        let mut until = *front;
        for (at, (_, interval)) in newest.iter().zip(&self.law.outlets) {
            if let Some(at) = at.filter(|at| (front - at) * 2 < interval * 5) {
                until = until.min(at + interval - (interval / 2).min(60));
            }
        }
        for place in self.told + 1..=self.place(until) {
            let view = self.view(&self.live, place);
            let at = self.start(place);
            let is_said =
                at % 1_000 == 0 && self.live.iter().any(|said| said.contains_key(&(at / 1_000)));
            match view {
                Some(view) if is_said || self.stands != Some(view) => {
                    self.word(place, self.flow(view), now);
                }
                None if self.stands.is_some() => self.lost = place,
                Some(_) | None => {}
            }
            self.stands = view;
        }
        self.told = self.told.max(self.place(until));
    }

    /// A live word, which stands until the next one.
    fn word(&mut self, place: usize, flow: Flow, now: i64) {
        if let Some((from, flow)) = self.newest.filter(|(_, flow)| *flow != Flow::Unknown) {
            // a later word that came late has ended it before
            let begins =
                |n: &usize| self.words[*n].is_some() && self.words[*n] != self.words[n - 1];
            let end = place.min(self.lost);
            for n in from..(from..end).find(begins).unwrap_or(end) {
                self.words[n].get_or_insert(flow == Flow::Below);
                self.well[n] = flow == Flow::Well;
            }
        }
        (self.newest, self.lost) = (Some((place, flow)), self.words.len());
        if matches!(flow, Flow::Enough | Flow::Well) {
            self.fine = place;
        }
        match flow {
            Flow::Unknown => {}
            Flow::Below => self.be_below(now),
            Flow::Enough => self.well_since = None,
            Flow::Well => self.be_well(place),
        }
    }

    fn be_below(&mut self, now: i64) {
        self.well_since = None;
        let Some((newest, Flow::Below)) = self.newest else { return };
        let (began, known) = self.run(newest, self.fine).unwrap_or((newest, 0));
        if self.raised.is_none() && known >= seconds(&self.rule["on_delay"]) * 1_000 {
            self.raised = Some((began, now));
            self.raises.push(self.start(newest));
        }
    }

    fn be_well(&mut self, place: usize) {
        let Some((began, raised)) = self.raised.filter(|_| place >= self.ill_until) else { return };
        let since = *self.well_since.get_or_insert(place);
        let known: i64 = (since..place).filter(|n| self.well[*n]).map(length).sum();
        let off_delay =
            seconds(&self.rule["off_delay"]).max(third_within_an_hour(&self.raises, HOUR_MS));
        if known >= off_delay * 1_000 {
            self.close((began, raised), Some(self.start(since)));
            (self.raised, self.well_since) = (None, None);
        }
    }

    fn close(&mut self, (began, raised): (usize, i64), cleared: Option<i64>) {
        let (rule, subject) = (self.rule["id"].clone(), "section S/dam".to_owned());
        let (began, raised) = (self.start(began), raised * 1_000);
        self.episodes.push(Episode { rule, subject, began, raised, cleared });
    }

    /// The first box of the run that ends before `end`, and how much of it is known: nothing known
    /// to be fine is in it.
    fn run(&self, end: usize, since: usize) -> Option<(usize, i64)> {
        let mut run = None;
        for n in (since..end).rev() {
            match self.words[n] {
                Some(true) => {
                    run = Some((n, run.map_or(0, |(_, known)| known) + length(n)));
                }
                Some(false) => break,
                None => {}
            }
        }
        run
    }

    /// What came late: how the value before each went on, and each up to the next one.
    fn fill_in(&mut self, first: i64, last: i64, now: i64) {
        let holds = self.law.outlets.iter().map(|(_, interval)| interval * 5 / 2);
        let next = |(values, hold): (&Values, i64)| {
            values.range(last + 1..=last + hold).next().map(|(at, _)| *at)
        };
        let end = self.said.iter().zip(holds.clone()).filter_map(next).max().unwrap_or(last);
        let (mut known, mut begun, mut ill_until) = (None, 0, 0);
        for place in self.place(first - holds.max().unwrap_or(0))..self.place(end) {
            let view = self.view(&self.said, place);
            if view != known {
                (known, begun) = (view, place);
            }
            let flow = view.map_or(Flow::Unknown, |view| self.flow(view));
            // of the time in which it stands, the newest live word is the last
            let is_spoken_of = self.newest.is_some_and(|(newest, flow)| {
                flow != Flow::Unknown && begun <= newest && (newest..self.lost).contains(&place)
            });
            if flow != Flow::Unknown && !is_spoken_of && self.words[place].is_none() {
                self.words[place] = Some(flow == Flow::Below);
                if flow != Flow::Well {
                    ill_until = place + 1;
                }
            }
        }
        self.ill_until = self.ill_until.max(ill_until);
        let Some((began, raised)) = self.raised else { return self.be_below(now) };
        if self.well_since.is_some_and(|since| ill_until > since) {
            let is_well =
                |(newest, flow): &(usize, Flow)| *flow == Flow::Well && ill_until <= *newest;
            self.well_since = self.newest.filter(is_well).map(|(newest, _)| newest);
        }
        let since = if self.fine <= began { self.fine } else { 0 };
        let earlier = self.run(began, since).map_or(began, |(earlier, _)| earlier);
        self.raised = Some((earlier, raised));
    }

    /// Whatever was raised; what still is has no end.
    fn end(&mut self) -> Vec<Episode> {
        if let Some(raised) = self.raised {
            self.close(raised, None);
        }
        std::mem::take(&mut self.episodes)
    }

    /// Every run that was long enough and ended.
    fn runs(&self) -> Vec<(String, i64, i64)> {
        let (mut runs, mut end) = (Vec::new(), self.words.len());
        while let Some(fine) = (0..end).rev().find(|n| self.words[*n] == Some(false)) {
            let last = (0..fine).rev().find(|n| self.words[*n] == Some(true));
            let Some(last) = last else { break };
            if let Some((began, known)) = self.run(last + 1, 0)
                && known >= seconds(&self.rule["on_delay"]) * 1_000
            {
                runs.push((self.rule["id"].clone(), self.start(began), self.start(last + 1)));
            }
            end = last;
        }
        runs
    }
}

const HOUR_MS: i64 = 3_600_000;

/// How many seconds the latest of these must be over where it is the third within an hour; those of
/// an earlier row do not count.
fn third_within_an_hour(raises: &[i64], hour: i64) -> i64 {
    let mut row = Vec::new();
    let mut is_third = false;
    for raise in raises {
        row.retain(|earlier| raise - earlier < hour);
        row.push(*raise);
        is_third = row.len() == 3;
        if is_third {
            row.clear();
        }
    }
    if is_third { 3_600 } else { 0 }
}

/// The silences of one outlet, by the server's clock.
fn silences(rule: &Table, (outlet, interval): (&str, i64), looks: &[Look]) -> Vec<Episode> {
    let (on, off) = (seconds(&rule["on_delay"]), seconds(&rule["off_delay"]));
    let patience = patience(interval);
    let (mut heard, mut quiet, mut before) = (looks[0].at, 0, looks[0].at);
    let (mut deaf, mut raised, mut back) = (None, None, None);
    let mut raises: Vec<i64> = Vec::new();
    let mut episodes = Vec::new();
    for look in looks {
        raises.iter_mut().for_each(|at| *at -= look.set_back);
        // what is remembered goes back with the clock
        (heard, before) = (heard - look.set_back, before - look.set_back);
        deaf = deaf.map(|since: i64| since - look.set_back);
        back = back.map(|(at, counted)| (at - look.set_back, counted));
        if look.has_listened {
            quiet += look.at - before;
            back = back.map(|(at, counted)| (at, counted + look.at - before));
        } else {
            deaf.get_or_insert(before);
        }
        for row in &look.rows {
            let oldest = row.received - patience;
            if !row.readings.iter().any(|(name, at, _)| name == outlet && *at >= oldest) {
                continue;
            }
            if let Some((began, raised_at)) = raised {
                let known = back.filter(|_| quiet <= patience);
                let (at, counted) = *back.insert(known.unwrap_or((row.received.min(look.at), 0)));
                if counted >= off.max(third_within_an_hour(&raises, 3_600)) {
                    episodes.push((began, raised_at, Some(at * 1_000)));
                    (raised, back) = (None, None);
                }
            }
            (heard, quiet) = (row.received.min(look.at), 0);
        }
        if let Some(since) = deaf.filter(|_| look.listens) {
            // whoever has to find the way back gets as long as the server was away
            let due = if quiet < patience { patience } else { patience + on };
            let early = (quiet - (due - (look.at - since).min(120))).max(0);
            quiet -= if raised.is_none() { early } else { 0 };
            deaf = None;
        }
        if deaf.is_none() && raised.is_none() && quiet >= patience + on {
            (raised, back) = (Some((heard * 1_000, look.at * 1_000)), None);
            raises.push(look.at);
        }
        before = look.at;
    }
    episodes.extend(raised.map(|(began, raised)| (began, raised, None)));
    let made = |(began, raised, cleared): (i64, i64, Option<i64>)| {
        let (rule, subject) = (rule["id"].clone(), format!("gauge S/{outlet}"));
        Episode { rule, subject, began, raised, cleared }
    };
    episodes.into_iter().map(made).collect()
}
