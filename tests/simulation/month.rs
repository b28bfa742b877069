//! A month minute by minute: what meters say, what the link and the server make of it, and when
//! the server dies.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::Ordering,
};

use edge_agent::cycle::Source;
use model::{alarm::AlarmState, ids::AlarmId, time::Timestamp};

use crate::{
    gateway::{Gateway, Message},
    judge::Readings,
    registry::{OUTLETS, registry},
    river::{self, Chance, DAY, Meter, Serving, Spells},
    server::Server,
};

/// Minutes of a month.
pub(crate) const MONTH: i64 = 31 * DAY;
const MINUTE_MS: i64 = 60_000;

/// Over a leap day, the begin of a season, of the other one, and the new year.
const BEGINS: [&str; 4] = ["2028-02-15", "2027-03-20", "2027-09-20", "2027-12-15"];

/// After which step a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// A message is stored, and nobody was told.
    Stored,
    /// Messages are answered, and nothing is made of them.
    Answered,
    /// What follows is written, and nothing was handed over.
    Written,
    /// Channels have taken messages, and nobody knows.
    Sent,
}

const CUTS: [Cut; 4] = [Cut::Stored, Cut::Answered, Cut::Written, Cut::Sent];

pub(crate) struct Month {
    pub(crate) seed: u64,
    pub(crate) text: String,
    pub(crate) begin: Timestamp,
    pub(crate) server: Server,
    /// What meters said, by outlet.
    pub(crate) readings: BTreeMap<String, Readings>,
    /// How many minutes the link was away at most.
    pub(crate) longest: i64,
    /// Messages that channels took and that died with whoever handed them over.
    pub(crate) forgotten: usize,
    /// Whether nobody set the server's clock.
    pub(crate) is_steady: bool,
    chance: Chance,
    meters: [Spells<Meter>; 2],
    link: Spells<bool>,
    serving: Spells<Serving>,
    offset: Spells<i64>,
    gateway: Gateway,
    said: [i64; 2],
    /// What the broker keeps for the server.
    broker: VecDeque<Message>,
    /// Who will take which alarm on, and as it was seen.
    asks: BTreeMap<i64, Vec<(AlarmId, u32)>>,
    seen: i64,
}

impl Month {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let text = registry(&mut chance);
        let hour = if text.contains("08:00") { "08:00:00" } else { "00:00:00" };
        let begin: Timestamp = format!("{}T{hour}+08:00", chance.of(&BEGINS)).parse().unwrap();
        let server = Server::new(&text, begin);
        let sources = OUTLETS.map(|(name, minutes)| Source {
            gauge: format!("S/{name}").parse().unwrap(),
            unit: "m3/s".into(),
            decimals: 6,
            period_ms: u32::try_from(minutes * MINUTE_MS).unwrap(),
            alert_below: None,
        });
        let meters = [0, 1].map(|_| river::meter(&mut chance, MONTH, 600_000));
        // beyond a day, what is missing is closed before it comes
        let longest = *chance.of(&[20 * 60, 20 * 60, 2 * DAY]);
        let link = river::link(&mut chance, MONTH, longest);
        let serving = river::serving(&mut chance, MONTH);
        let offset = river::offset(&mut chance, MONTH);
        let is_steady = (0..MONTH).all(|minute| offset.at(minute) == 0);
        let agent = "gw".parse().unwrap();
        let gateway = Gateway::new(&agent, sources.to_vec(), server.store_id(), chance.clone());
        let readings = OUTLETS.map(|(name, _)| (name.to_owned(), Readings::new())).into();
        Self {
            seed,
            text,
            begin,
            server,
            readings,
            longest,
            forgotten: 0,
            is_steady,
            chance,
            meters,
            link,
            serving,
            offset,
            gateway,
            said: [0, 0],
            broker: VecDeque::new(),
            asks: BTreeMap::new(),
            seen: 0,
        }
    }

    /// The whole of it, until the gateway has got rid of all it has.
    pub(crate) fn pass(&mut self) {
        let mut minute = 0;
        while minute <= MONTH || !self.gateway.is_done() || !self.broker.is_empty() {
            assert!(minute < MONTH + 2 * DAY, "the gateway never gets rid of what it has");
            self.serve(minute);
            minute += 1;
        }
        // what is missing for good is waited for a day
        for _ in 0..30 {
            self.server.advance(60 * MINUTE_MS);
            self.judge();
            self.server.look();
            self.server.settle();
        }
    }

    /// Runs below that had ended when they became known: rule, begin and end.
    pub(crate) fn breaches(&self) -> Vec<(String, i64, i64)> {
        let entries = self.server.entries("breach_found");
        let breach = |entry: &store::Entry| {
            let document = entry.document().unwrap();
            let body: serde_json::Value = serde_json::from_str(document.body.get()).unwrap();
            let word = |key: &str| body[key].as_str().unwrap().to_owned();
            let moment = |key: &str| word(key).parse::<Timestamp>().unwrap().as_ms();
            (word("rule"), moment("from"), moment("to"))
        };
        entries.iter().map(breach).collect()
    }

    fn serve(&mut self, minute: i64) {
        let true_time = self.begin.plus_ms(minute * MINUTE_MS);
        let is_over = minute >= MONTH;
        let serving = if is_over { Serving::Dozes } else { self.serving.at(minute) };
        let offset_s = if is_over { 0 } else { self.offset.at(minute) };
        self.server.set_clock(true_time.plus_ms(offset_s * 1_000));
        self.server.hears.store(serving != Serving::Deaf, Ordering::Relaxed);
        if serving != Serving::Down && !self.server.is_up() {
            self.server.start();
        }
        let is_killed = self.chance.between(0, 500) == 0;
        let dies = self.server.is_up() && (serving == Serving::Down || is_killed);
        let cut = dies.then(|| *self.chance.of(&CUTS));
        let news = self.gather(minute, true_time);
        self.broker.extend(news);
        if self.server.is_up() {
            let is_news = self.deliver(minute, cut, serving);
            self.follow((minute, cut), is_news || minute % 60 == 0, serving);
        }
        if dies {
            self.server.die();
            if serving != Serving::Down {
                self.server.start();
                self.follow((minute, None), true, serving);
            }
        }
        self.server.advance(MINUTE_MS / 2);
        if self.server.is_up() && matches!(serving, Serving::Watches | Serving::Deaf) {
            self.server.look();
            self.server.settle();
        }
        self.server.advance(MINUTE_MS / 2);
    }

    /// Meters are read, and what the link lets through comes to the broker.
    fn gather(&mut self, minute: i64, at: Timestamp) -> Vec<Message> {
        for (source, (name, every)) in OUTLETS.into_iter().enumerate() {
            if minute >= MONTH || minute % every != 0 {
                continue;
            }
            let value = match self.meters[source].at(minute) {
                Meter::Dead => continue,
                Meter::Stutters(_) if minute / every % 2 == 1 => continue,
                Meter::Broken => None,
                Meter::Exactly(enough) => Some(enough - self.said[1 - source]),
                Meter::Says(flow) | Meter::Stutters(flow) => {
                    Some(flow + self.chance.between(-2_000, 2_000))
                }
            };
            self.said[source] = value.unwrap_or(self.said[source]);
            self.readings.get_mut(name).unwrap().insert(at.as_ms() / 1_000, value);
            self.gateway.poll(minute, at, &[(source, value)]);
        }
        if minute >= MONTH {
            self.gateway.close(minute);
        }
        self.gateway.tick(minute, at, minute >= MONTH || self.link.at(minute))
    }

    /// What the broker has goes to the server, which may look in between; says whether a batch came.
    fn deliver(&mut self, minute: i64, cut: Option<Cut>, serving: Serving) -> bool {
        let mut is_news = false;
        while serving != Serving::Deaf
            && let Some(message) = self.broker.front()
        {
            let batch = self.server.take(message);
            if cut == Some(Cut::Stored) && batch.is_some() {
                break;
            }
            self.broker.pop_front();
            if let Some(batch) = batch {
                is_news = true;
                self.gateway.answered(minute, batch);
                if self.chance.percent(15) {
                    self.server.look();
                    self.server.settle();
                }
            }
        }
        is_news
    }

    /// What follows of what came, up to where the process is killed.
    fn follow(&mut self, (minute, cut): (i64, Option<Cut>), is_news: bool, serving: Serving) {
        let is_asleep = serving == Serving::Dozes && !is_news;
        if is_asleep || matches!(cut, Some(Cut::Stored | Cut::Answered)) {
            return;
        }
        // what verdicts come to in the end does not depend on when they are looked at
        if is_news && self.chance.percent(25) || minute % 60 == 0 {
            self.judge();
        }
        let later = self.asks.split_off(&(minute + 1));
        for (alarm, version) in std::mem::replace(&mut self.asks, later).into_values().flatten() {
            self.server.acknowledge(alarm, version);
        }
        self.server.look();
        if cut == Some(Cut::Written) {
            return;
        }
        let before = self.server.given.lock().unwrap().len();
        self.server.send();
        if cut == Some(Cut::Sent) {
            self.forgotten += self.server.given.lock().unwrap().len() - before;
            return;
        }
        self.server.settle();
        self.notice(minute);
    }

    fn judge(&mut self) {
        let seed = self.seed;
        assert!(self.server.judge(), "seed {seed}: judging never comes to an end");
    }

    /// Somebody sees an alarm, and may take it on within the hour.
    fn notice(&mut self, minute: i64) {
        if self.server.given.lock().unwrap().is_empty() || minute % 5 != 0 {
            return;
        }
        for facts in self.server.alarms(4) {
            let is_new = facts.row.state == AlarmState::Unacknowledged && facts.number > self.seen;
            if is_new {
                self.seen = facts.number;
                if self.chance.percent(40) {
                    let when = minute + self.chance.between(1, 60);
                    self.asks.entry(when).or_default().push((facts.row.id, facts.row.version));
                }
            }
        }
    }
}
