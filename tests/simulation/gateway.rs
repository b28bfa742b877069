//! A gateway by the agent's own rules, its disk, and a link that loses, repeats and delays.

use std::{collections::BTreeMap, sync::Arc};

use edge_agent::{
    batcher::{self, Batcher, Draft},
    cycle::{Cycle, Reading, Source},
    ledger::{BatchKey, Range},
    uplink::{Effect, Event, Uplink},
};
use model::{
    batch::CommitNotice,
    ids::{AgentId, BatchId, BootId, Epoch, StoreId},
    quality::Quality,
    reading::Point,
    time::Timestamp,
    wire::{
        batch_v1,
        status_v1::{SpoolStatus, Status},
    },
};

use crate::river::Chance;

const MINUTE_MS: i64 = 60_000;
const EPOCH: Epoch = Epoch(1);
/// What a batch says in plain words: of each good reading its outlet, its moment in seconds, ml/s.
pub(crate) type Said = Vec<(String, i64, i64)>;

/// What reaches the server.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    Batch(Vec<u8>, Said),
    Status(Vec<u8>),
}

/// Something on its way, until a minute.
#[derive(Debug, Clone)]
enum Way {
    Up(Message),
    Acknowledged(BatchKey),
    Notice(CommitNotice),
}

#[derive(Debug)]
pub(crate) struct Gateway {
    agent: AgentId,
    batcher: Batcher,
    uplink: Uplink,
    /// What the disk has: what no notice has named, with the moment of its first reading.
    spool: BTreeMap<BatchKey, (i64, Message)>,
    next: u64,
    is_connected: bool,
    store_id: StoreId,
    /// By the minute in which it arrives, and a number that keeps them apart.
    ways: BTreeMap<(i64, u64), Way>,
    sent: u64,
    chance: Chance,
}

impl Gateway {
    pub(crate) fn new(
        agent: &AgentId,
        sources: Vec<Source>,
        store_id: StoreId,
        mut chance: Chance,
    ) -> Self {
        // how long readings are gathered: with the longest, some of a batch come late, always
        let age_ms = *chance.of(&[5, 10, 10, 15]) * MINUTE_MS;
        Self {
            agent: agent.clone(),
            batcher: Batcher::new(Arc::from(sources), BootId(1), age_ms),
            uplink: Uplink::new(None, 1),
            spool: BTreeMap::new(),
            next: 1,
            is_connected: false,
            store_id,
            ways: BTreeMap::new(),
            sent: 0,
            chance,
        }
    }

    /// A poll: which source, and its value in ml/s if it is good.
    pub(crate) fn poll(&mut self, minute: i64, at: Timestamp, readings: &[(usize, Option<i64>)]) {
        let reading = |(source, value): &(usize, Option<i64>)| Reading {
            source: *source,
            point: value.map_or_else(
                || Point::defect(at.as_ms(), Quality::TIMEOUT),
                |value| Point::good(at.as_ms(), value),
            ),
        };
        let cycle = Cycle { readings: readings.iter().map(reading).collect() };
        let effects = self.batcher.push(&cycle, minute * MINUTE_MS);
        for effect in effects {
            self.keep(effect, minute);
        }
    }

    /// Whatever is due in this minute; gives what reaches the server.
    pub(crate) fn tick(&mut self, minute: i64, at: Timestamp, is_up: bool) -> Vec<Message> {
        if let Some(effect) = self.batcher.tick(minute * MINUTE_MS) {
            self.keep(effect, minute);
        }
        if is_up != self.is_connected {
            self.is_connected = is_up;
            if is_up {
                self.hear(Event::Connected, minute);
                let store_id = Some(self.store_id);
                self.hear(Event::Server { is_online: true, store_id }, minute);
                self.say(minute, at);
            } else {
                // what the broker has is under way all the same, and it tells of the loss
                self.hear(Event::Disconnected, minute);
                self.ways.retain(|_, way| matches!(way, Way::Up(_)));
                let gone = Status::offline("simulated");
                self.way(minute, Way::Up(Message::Status(serde_json::to_vec(&gone).unwrap())));
            }
        }
        if self.uplink.deadline().is_some_and(|deadline| deadline <= minute * MINUTE_MS) {
            self.hear(Event::Tick, minute);
        }
        if is_up && minute % 10 == 0 {
            self.say(minute, at);
        }
        self.arrive(minute)
    }

    /// The server has stored a batch.
    pub(crate) fn answered(&mut self, minute: i64, batch: BatchId) {
        let ranges = vec![(batch.sequence, batch.sequence)];
        let BatchId { agent, epoch, .. } = batch;
        let notice = CommitNotice { store_id: self.store_id, agent, epoch, ranges };
        if self.is_connected && !self.chance.percent(5) {
            self.way(minute + 1, Way::Notice(notice));
        }
    }

    /// Whether nothing is left to be sent or to arrive.
    pub(crate) fn is_done(&self) -> bool {
        self.spool.is_empty() && self.ways.is_empty()
    }

    /// Closes the open batch.
    pub(crate) fn close(&mut self, minute: i64) {
        if let Some(effect) = self.batcher.close() {
            self.keep(effect, minute);
        }
    }

    fn keep(&mut self, effect: batcher::Effect, minute: i64) {
        let batcher::Effect::Close(draft) = effect else { return };
        let id = BatchId { agent: self.agent.clone(), epoch: EPOCH, sequence: self.next };
        let key = BatchKey { epoch: EPOCH, sequence: self.next };
        self.next += 1;
        let (from_ms, _) = draft.span_ms();
        let readings = said(&draft);
        let message = Message::Batch(batch_v1::encode(&draft.batch(id)), readings);
        self.spool.insert(key, (from_ms, message));
        self.hear(Event::Closed(key), minute);
    }

    fn hear(&mut self, event: Event, minute: i64) {
        let effects = self.uplink.step(event, minute * MINUTE_MS);
        for effect in effects {
            match effect {
                Effect::Send(key) => self.send(key, minute),
                Effect::Commit(_, _, ranges) => {
                    let is_named = |key: &BatchKey| {
                        ranges.iter().any(|(first, last)| (*first..=*last).contains(&key.sequence))
                    };
                    self.spool.retain(|key, _| !is_named(key));
                }
                Effect::Adopt(_) => self.offer(minute),
                Effect::Renew(..) => panic!("nobody shares the name"),
            }
        }
    }

    fn offer(&mut self, minute: i64) {
        let sequences = self.spool.keys().map(|key| key.sequence);
        let held: Vec<Range> = CommitNotice::ranges_of(sequences.collect());
        self.hear(Event::Held(vec![(EPOCH, held)]), minute);
    }

    /// The broker takes it; it may forget it, give it out twice, or late.
    fn send(&mut self, key: BatchKey, minute: i64) {
        let Some((_, message)) = self.spool.get(&key).cloned() else { return };
        self.way(minute + 1, Way::Acknowledged(key));
        let times = match self.chance.between(0, 20) {
            0 => 0,
            1 => 2,
            _ => 1,
        };
        for _ in 0..times {
            let late = if self.chance.percent(10) { self.chance.between(1, 30) } else { 0 };
            self.way(minute + late, Way::Up(message.clone()));
        }
    }

    fn say(&mut self, minute: i64, at: Timestamp) {
        let oldest = self.spool.first_key_value();
        let spool = SpoolStatus {
            queued: u64::try_from(self.spool.len()).unwrap(),
            oldest_queued: oldest.map(|(key, _)| key.sequence),
            queued_from: oldest.map(|(_, (from_ms, _))| Timestamp::clamped(*from_ms)),
            next_sequence: Some(self.next),
            ..SpoolStatus::default()
        };
        let status = Status {
            online: true,
            at: Some(at),
            epoch: Some(EPOCH),
            spool: Some(spool),
            ..Status::offline("simulated")
        };
        self.way(minute, Way::Up(Message::Status(serde_json::to_vec(&status).unwrap())));
    }

    fn way(&mut self, minute: i64, way: Way) {
        self.sent += 1;
        self.ways.insert((minute, self.sent), way);
    }

    fn arrive(&mut self, minute: i64) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(entry) = self.ways.first_entry().filter(|way| way.key().0 <= minute) {
            match entry.remove() {
                Way::Up(message) => messages.push(message),
                Way::Acknowledged(key) => self.hear(Event::Acknowledged(key), minute),
                Way::Notice(notice) => self.hear(Event::Notice(notice), minute),
            }
        }
        messages
    }
}

fn said(draft: &Draft) -> Said {
    let mut readings = Vec::new();
    for column in &draft.columns {
        for point in &column.points {
            if point.quality == Quality::GOOD {
                let gauge = column.gauge.name.as_str().to_owned();
                readings.push((gauge, point.at_ms / 1_000, point.value));
            }
        }
    }
    readings
}
