//! What to send when, and again: two lanes of batches over a link that may forget everything.
//!
//! The live lane takes what was just closed, newest first; the backlog lane takes the rest, oldest
//! first, and has at most half of the window, less where acknowledgements come slowly. A PUBACK
//! frees a place in the window and proves nothing. A commit notice alone ends a batch's way. What
//! no notice names is sent again: after [`RESEND_MS`] or four times the usual delay, each time
//! later, and at once when the server returns. What was sent in vain has few places and waits long
//! in them; the others are for what was not sent yet. So a batch that nobody ever answers (the
//! server keeps no more of its station, the broker takes none so large) is in no other's way.
//!
//! | bound | at the bound |
//! |---|---|
//! | [`IN_FLIGHT`] publishes without PUBACK | the next waits for one |
//! | [`UNANSWERED`] batches without a notice, half of them backlog | the next waits for a notice or a resend |
//! | [`LIVE`] batches wait for the live lane | the oldest of them becomes backlog |
//! | [`RETRYING`] of the backlog's places are for what was sent in vain | the next waits for a place |
//! | [`RETRIES`] batches remembered as sent in vain | a further one is tired: it rests until all others were sent, 5 min at least |
//!
//! Time is that since boot, in milliseconds, which no one sets.

mod event;
mod patience;

use std::collections::{BTreeMap, VecDeque};

use model::{
    batch::CommitNotice,
    ids::{Epoch, StoreId},
};

pub use self::event::{Effect, Event, Strays};
use self::patience::Patience;
use crate::ledger::{BatchKey, Ledger, Range};

/// Publishes that await their PUBACK, both lanes together.
pub const IN_FLIGHT: usize = 16;
/// Batches that await a notice, both lanes together.
pub const UNANSWERED: usize = 64;
/// Batches that wait for the live lane.
pub const LIVE: usize = 8;
/// Places for what was sent in vain.
pub const RETRYING: usize = 8;
/// Batches remembered as sent in vain.
pub const RETRIES: usize = 1_024;
/// The shortest wait for a notice.
pub const RESEND_MS: i64 = 10_000;
/// The longest.
pub const RESEND_MAX_MS: i64 = 300_000;
/// The most backlog in flight.
const BACKLOG: usize = IN_FLIGHT / 2;
/// A PUBACK within this time lets the backlog's window grow, one beyond the other halves it.
const BRISK_MS: i64 = 500;
const SLOW_MS: i64 = 2_000;

/// Both lanes and all that is on its way.
#[derive(Debug)]
pub struct Uplink {
    ledger: Ledger,
    is_connected: bool,
    /// Waiting for the live lane, newest last.
    live: VecDeque<BatchKey>,
    /// Sent and unanswered.
    flights: BTreeMap<BatchKey, Flight>,
    /// Sent, answered or not, while the broker has not acknowledged it; whether it was live.
    on_wire: Vec<(BatchKey, bool)>,
    /// Sent in vain so often, longest ago first.
    retries: VecDeque<(BatchKey, u32)>,
    /// Whose turn it is in the backlog lane.
    is_retry_next: bool,
    /// When the tired may be offered again, if there are any: they count as sent, and are neither
    /// flights nor retries.
    rested_at_ms: Option<i64>,
    /// How many backlog batches may await their PUBACK.
    backlog_window: usize,
    store_id: Option<StoreId>,
    /// What the server said of itself last.
    server: Option<(bool, Option<StoreId>)>,
    patience: Patience,
    strays: Strays,
    resent: u64,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    is_live: bool,
    attempt: u32,
    sent_at_ms: i64,
    /// Once acknowledged: when it is sent again.
    resend_at_ms: Option<i64>,
}

impl Uplink {
    /// Not connected, nothing queued. `store_id` is the one whose notices the spool has marked,
    /// `seed` any number, so that not all agents resend together.
    pub fn new(store_id: Option<StoreId>, seed: u64) -> Self {
        Self {
            ledger: Ledger::default(),
            is_connected: false,
            live: VecDeque::new(),
            flights: BTreeMap::new(),
            on_wire: Vec::new(),
            retries: VecDeque::new(),
            is_retry_next: false,
            rested_at_ms: None,
            backlog_window: 1,
            store_id,
            server: None,
            patience: Patience::new(seed),
            strays: Strays::default(),
            resent: 0,
        }
    }

    /// Takes an event, and says what is to be done.
    pub fn step(&mut self, event: Event, now_ms: i64) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Held(queued) => self.held(&queued),
            Event::Closed(key) => self.closed(key),
            Event::Gone(epoch, range) => self.gone(epoch, range),
            Event::Connected => self.connected(),
            Event::Disconnected => {
                self.is_connected = false;
                self.start_over();
            }
            Event::Acknowledged(key) => self.acknowledged(key, now_ms),
            Event::NotSent(key) => {
                // like one that no notice named: it waits, and others go before it
                self.off_wire(key);
                self.wait_for_notice(key, now_ms);
            }
            Event::TooLarge(key) => {
                self.off_wire(key);
                self.flights.remove(&key);
                self.tire(now_ms);
            }
            Event::Notice(notice) => effects.extend(self.notice(&notice, now_ms)),
            Event::Fork(key, digest) => {
                effects.extend(self.ledger.is_sent(key).then_some(Effect::Renew(key, digest)));
            }
            Event::Server { is_online, store_id } => {
                effects.extend(self.server(is_online, store_id));
            }
            Event::Tick => {}
        }
        self.expire(now_ms);
        self.fill(now_ms, &mut effects);
        effects
    }

    /// When the next [`Event::Tick`] has something to do.
    pub fn deadline(&self) -> Option<i64> {
        let resend_at_ms = self.flights.values().filter_map(|flight| flight.resend_at_ms);
        // while there is no place for the tired, whatever makes one is an event of its own
        let is_awaited = self.is_backlog_open() && self.ledger.oldest().is_none();
        resend_at_ms.chain(self.rested_at_ms.filter(|_| is_awaited)).min()
    }

    /// How many batches no notice has named.
    pub fn queued(&self) -> u64 {
        self.ledger.queued()
    }

    /// Notices that committed nothing, since the start.
    pub const fn strays(&self) -> Strays {
        self.strays
    }

    /// Batches sent again for want of a notice, since the start.
    pub const fn resent(&self) -> u64 {
        self.resent
    }

    /// What the server said of itself last: whether it is there.
    pub fn is_server_online(&self) -> Option<bool> {
        self.server.map(|(is_online, _)| is_online)
    }

    fn held(&mut self, queued: &[(Epoch, Vec<Range>)]) {
        self.ledger.replace(queued);
        self.offer_again();
    }

    /// Only flights and retries count as sent.
    fn offer_again(&mut self) {
        self.rested_at_ms = None;
        self.ledger.withdraw_all();
        for key in self.flights.keys().chain(self.retries.iter().map(|(key, _)| key)) {
            self.ledger.offer(*key);
        }
    }

    fn closed(&mut self, key: BatchKey) {
        self.ledger.queue(key);
        self.live.push_back(key);
        if self.live.len() > LIVE {
            self.live.pop_front();
        }
    }

    fn gone(&mut self, epoch: Epoch, (first, last): Range) {
        self.ledger.forget(epoch, (first, last));
        let is_gone = |key: &BatchKey| key.epoch == epoch && (first..=last).contains(&key.sequence);
        self.live.retain(|key| !is_gone(key));
        self.flights.retain(|key, _| !is_gone(key));
        self.retries.retain(|(key, _)| !is_gone(key));
    }

    fn connected(&mut self) {
        self.is_connected = true;
        self.start_over();
        self.backlog_window = 1;
        self.live.clear();
        self.live.extend(self.ledger.newest());
    }

    /// Everything unanswered counts as not sent. A notice that comes before a batch is sent again
    /// may be of a copy of this spool.
    fn start_over(&mut self) {
        self.on_wire.clear();
        self.flights.clear();
        self.retries.clear();
        self.offer_again();
        self.ledger.forget_sent();
    }

    /// A batch that is neither in flight nor to be retried rests, with others like it.
    fn tire(&mut self, now_ms: i64) {
        self.rested_at_ms.get_or_insert(now_ms.saturating_add(RESEND_MAX_MS));
    }

    fn acknowledged(&mut self, key: BatchKey, now_ms: i64) {
        let was_live = self.off_wire(key);
        let Some(flight) = self.flights.get(&key).copied() else { return };
        let took_ms = now_ms - flight.sent_at_ms;
        if was_live == Some(false) && took_ms <= BRISK_MS {
            self.backlog_window = (self.backlog_window + 1).min(BACKLOG);
        } else if was_live == Some(false) && took_ms > SLOW_MS {
            self.backlog_window = (self.backlog_window / 2).max(1);
        }
        self.wait_for_notice(key, now_ms);
    }

    /// Takes one publish of this batch from the wire; whether it was a live one. A batch may be
    /// there twice: sent again for a new store before its first PUBACK came.
    fn off_wire(&mut self, key: BatchKey) -> Option<bool> {
        let place = self.on_wire.iter().position(|(on_wire, _)| *on_wire == key)?;
        Some(self.on_wire.remove(place).1)
    }

    /// From here on the patience for its notice runs.
    fn wait_for_notice(&mut self, key: BatchKey, now_ms: i64) {
        let Some(attempt) = self.flights.get(&key).map(|flight| flight.attempt) else { return };
        let is_away = self.server.is_some_and(|(is_online, _)| !is_online);
        let resend_at_ms = now_ms.saturating_add(self.patience.wait_ms(attempt, is_away));
        if let Some(flight) = self.flights.get_mut(&key) {
            flight.resend_at_ms = Some(resend_at_ms);
        }
    }

    fn notice(&mut self, notice: &CommitNotice, now_ms: i64) -> Option<Effect> {
        if self.store_id != Some(notice.store_id) {
            let is_foreign =
                matches!(self.server, Some((true, Some(own))) if own != notice.store_id);
            if is_foreign {
                self.strays.foreign_store += 1;
                return None;
            }
            // what this notice names is offered again with the rest, and answered again
            self.store_id = Some(notice.store_id);
            return Some(Effect::Adopt(notice.store_id));
        }
        let named = self.ledger.commit(notice.epoch, &notice.ranges);
        if named.is_empty() {
            self.strays.unsent += 1;
            return None;
        }
        let is_named = |key: &BatchKey| key.epoch == notice.epoch && named.contains(key.sequence);
        let mut delays_ms = Vec::new();
        self.flights.retain(|key, flight| {
            let is_answered = is_named(key);
            if is_answered && flight.attempt == 1 {
                delays_ms.push(now_ms - flight.sent_at_ms);
            }
            !is_answered
        });
        for delay_ms in delays_ms {
            self.patience.learn(delay_ms);
        }
        self.retries.retain(|(key, _)| !is_named(key));
        self.live.retain(|key| !is_named(key));
        Some(Effect::Commit(notice.store_id, notice.epoch, named.ranges().collect()))
    }

    fn server(&mut self, is_online: bool, store_id: Option<StoreId>) -> Option<Effect> {
        let was_online = self.server.is_some_and(|(was_online, _)| was_online);
        self.server = Some((is_online, store_id));
        let other = store_id.filter(|store_id| is_online && self.store_id != Some(*store_id));
        if is_online && (!was_online || other.is_some()) {
            // it may have lost what the broker acknowledged; what awaits its PUBACK is on the way
            self.flights.retain(|_, flight| flight.resend_at_ms.is_none());
            self.retries.clear();
            self.offer_again();
        }
        if other.is_some() {
            self.store_id = other;
        }
        other.map(Effect::Adopt)
    }

    /// What waited long enough for its notice gives up its place.
    fn expire(&mut self, now_ms: i64) {
        let is_due = |flight: &Flight| flight.resend_at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        let due = self.flights.extract_if(.., |_, flight| is_due(flight));
        let mut due: Vec<(BatchKey, Flight)> = due.collect();
        due.sort_by_key(|(_, flight)| flight.resend_at_ms);
        for (key, flight) in due {
            if self.retries.len() < RETRIES {
                self.retries.push_back((key, flight.attempt));
            } else {
                self.tire(now_ms);
            }
        }
    }

    /// Sends as much as the windows let through.
    fn fill(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        let begun = Flight { is_live: false, attempt: 1, sent_at_ms: now_ms, resend_at_ms: None };
        while self.is_open() {
            if let Some(key) = self.live.pop_back() {
                if self.ledger.is_queued(key) && !self.flights.contains_key(&key) {
                    self.send(key, Flight { is_live: true, attempt: 1, ..begun }, effects);
                }
                continue;
            }
            if !self.is_backlog_open() {
                return;
            }
            let Some((key, attempts)) = self.next_of_backlog(now_ms) else { return };
            self.send(key, Flight { attempt: attempts.saturating_add(1), ..begun }, effects);
        }
    }

    /// Whether one more may be sent at all.
    fn is_open(&self) -> bool {
        self.is_connected && self.flights.len() < UNANSWERED && self.on_wire.len() < IN_FLIGHT
    }

    /// Whether one more of the backlog may.
    fn is_backlog_open(&self) -> bool {
        let backlog_on_wire = self.on_wire.iter().filter(|(_, is_live)| !is_live).count();
        let backlog = self.flights.values().filter(|flight| !flight.is_live).count();
        self.is_open() && backlog_on_wire < self.backlog_window && backlog < UNANSWERED / 2
    }

    /// In turn: the oldest that is not on its way, and the one sent in vain longest ago.
    fn next_of_backlog(&mut self, now_ms: i64) -> Option<(BatchKey, u32)> {
        let is_rested = self.rested_at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        if is_rested && self.ledger.oldest().is_none() {
            self.offer_again();
        }
        self.is_retry_next = !self.is_retry_next;
        let fresh = self.ledger.oldest().map(|key| (key, 0));
        let retrying = self.flights.values().filter(|flight| flight.attempt > 1).count();
        if retrying >= RETRYING || (fresh.is_some() && !self.is_retry_next) {
            return fresh;
        }
        self.next_retry().or(fresh)
    }

    fn next_retry(&mut self) -> Option<(BatchKey, u32)> {
        while let Some((key, attempts)) = self.retries.pop_front() {
            if self.ledger.is_queued(key) {
                return Some((key, attempts));
            }
        }
        None
    }

    fn send(&mut self, key: BatchKey, flight: Flight, effects: &mut Vec<Effect>) {
        self.resent += u64::from(flight.attempt > 1);
        self.ledger.offer(key);
        self.on_wire.push((key, flight.is_live));
        self.flights.insert(key, flight);
        effects.push(Effect::Send(key));
    }
}

#[cfg(test)]
#[path = "uplink/tests.rs"]
mod tests;
