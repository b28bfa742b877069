//! Facts of the uplink, and what always holds over a link that loses, repeats and reorders.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const EPOCH: Epoch = Epoch(5);
const STORE: StoreId = StoreId(1);

fn key(sequence: u64) -> BatchKey {
    BatchKey { epoch: EPOCH, sequence }
}

fn notice(store_id: StoreId, ranges: Vec<Range>) -> Event {
    let agent = "gw".parse().unwrap();
    Event::Notice(CommitNotice { store_id, agent, epoch: EPOCH, ranges })
}

fn event(word: &str) -> Event {
    let (verb, rest) = word.split_once('=').unwrap_or((word, ""));
    let range = || {
        let (first, last) = rest.split_once('-').unwrap_or((rest, rest));
        (first.parse().unwrap(), last.parse().unwrap())
    };
    match verb {
        "held" => Event::Held(vec![(EPOCH, vec![range()])]),
        "close" => Event::Closed(key(range().0)),
        "gone" => Event::Gone(EPOCH, range()),
        "up" => Event::Connected,
        "down" => Event::Disconnected,
        "ack" => Event::Acknowledged(key(range().0)),
        "notice" => notice(STORE, vec![range()]),
        "foreign" => notice(StoreId(2), vec![range()]),
        "fork" => Event::Fork(key(range().0), [0; 32]),
        "online" => {
            Event::Server { is_online: true, store_id: Some(StoreId(u128::from(range().0))) }
        }
        "offline" => Event::Server { is_online: false, store_id: Some(STORE) },
        "large" => Event::TooLarge(key(range().0)),
        "refuse" => Event::NotSent(key(range().0)),
        "tick" => Event::Tick,
        other => panic!("no event {other}"),
    }
}

/// Each line is `seconds: event`, and shows the effects.
fn check(lines: &str, expected: &Expect) {
    let mut uplink = Uplink::new(Some(STORE), 1);
    let mut shown = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (seconds, words) = line.split_once(": ").unwrap();
        let now_ms = seconds.parse::<i64>().unwrap() * 1_000;
        let mut effects = Vec::new();
        for word in words.split_whitespace() {
            effects.extend(uplink.step(event(word), now_ms));
            let deadline = uplink.deadline();
            assert!(deadline.is_none_or(|at_ms| at_ms > now_ms), "{line}: {deadline:?}");
        }
        let effects = effects.iter().map(|effect| match effect {
            Effect::Send(key) => format!("send {}", key.sequence),
            Effect::Commit(_, _, ranges) => format!("commit {ranges:?}"),
            Effect::Adopt(store) => format!("adopt {}", store.0),
            Effect::Renew(key, _) => format!("renew {}", key.sequence),
        });
        shown.push(format!("{line} → {}", effects.collect::<Vec<_>>().join(", ")));
    }
    expected.assert_eq(&shown.join("\n"));
}

#[test]
fn the_newest_goes_first_and_the_backlog_begins_with_one() {
    check(
        "0: held=1-20
         1: up
         1: ack=1
         1: ack=2
         2: close=21
         2: notice=1-20",
        &expect![[r#"
            0: held=1-20 → 
            1: up → send 20, send 1
            1: ack=1 → send 2, send 3
            1: ack=2 → send 4, send 5
            2: close=21 → send 21
            2: notice=1-20 → commit [(1, 5), (20, 20)]"#]],
    );
}

#[test]
fn a_puback_commits_nothing_and_what_is_not_named_is_sent_again() {
    check(
        "0: up
         1: close=1
         1: ack=1
         9: tick
         14: tick
         14: ack=1
         30: tick
         40: tick
         40: ack=1
         41: notice=1",
        &expect![[r#"
            0: up → 
            1: close=1 → send 1
            1: ack=1 → 
            9: tick → 
            14: tick → send 1
            14: ack=1 → 
            30: tick → 
            40: tick → send 1
            40: ack=1 → 
            41: notice=1 → commit [(1, 1)]"#]],
    );
}

#[test]
fn a_connection_that_ends_takes_everything_with_it() {
    check(
        "0: up
         1: close=1 close=2
         1: ack=1
         2: down
         3: close=3
         4: up",
        &expect![[r#"
            0: up → 
            1: close=1 close=2 → send 1, send 2
            1: ack=1 → 
            2: down → 
            3: close=3 → 
            4: up → send 3, send 1"#]],
    );
}

#[test]
fn a_server_that_returns_is_offered_at_once_what_it_did_not_name() {
    check(
        "0: up
         1: close=1 ack=1 close=2
         2: offline
         3: ack=2
         300: tick
         301: online=1",
        &expect![[r#"
            0: up → 
            1: close=1 ack=1 close=2 → send 1, send 2
            2: offline → 
            3: ack=2 → 
            300: tick → send 1
            301: online=1 → "#]],
    );
}

#[test]
fn a_store_never_seen_is_offered_everything() {
    check(
        "0: held=1-3
         1: up
         1: ack=1 ack=2 ack=3
         2: notice=1-3
         3: online=2
         3: held=1-3",
        &expect![[r#"
            0: held=1-3 → 
            1: up → send 3, send 1
            1: ack=1 ack=2 ack=3 → send 2
            2: notice=1-3 → commit [(1, 3)]
            3: online=2 → adopt 2
            3: held=1-3 → send 1, send 2, send 3"#]],
    );
}

#[test]
fn a_notice_of_another_store_than_the_servers_commits_nothing() {
    check(
        "0: online=1
         0: up
         1: close=1
         2: foreign=1
         3: offline
         4: foreign=1
         4: held=1",
        &expect![[r#"
            0: online=1 → 
            0: up → 
            1: close=1 → send 1
            2: foreign=1 → 
            3: offline → 
            4: foreign=1 → adopt 2
            4: held=1 → "#]],
    );
}

#[test]
fn a_notice_for_what_was_not_sent_since_the_start_commits_nothing() {
    check(
        "0: held=1-3
         1: notice=1-3
         2: up
         3: notice=3
         3: notice=3",
        &expect![[r#"
            0: held=1-3 → 
            1: notice=1-3 → 
            2: up → send 3, send 1
            3: notice=3 → commit [(3, 3)]
            3: notice=3 → "#]],
    );
}

#[test]
fn a_fork_is_renewed_once_it_was_sent() {
    check(
        "0: held=1-2
         0: fork=2
         1: up
         2: fork=2
         2: gone=2 close=3",
        &expect![[r#"
            0: held=1-2 → 
            0: fork=2 → 
            1: up → send 2, send 1
            2: fork=2 → renew 2
            2: gone=2 close=3 → send 3"#]],
    );
}

#[test]
fn a_notice_before_a_batch_is_sent_again_may_be_of_a_copy_of_the_spool() {
    check(
        "0: up
         1: close=1 close=2 close=3
         2: down
         3: up
         3: notice=2
         4: ack=1
         4: notice=2",
        &expect![[r#"
            0: up → 
            1: close=1 close=2 close=3 → send 1, send 2, send 3
            2: down → 
            3: up → send 3, send 1
            3: notice=2 → 
            4: ack=1 → send 2
            4: notice=2 → commit [(2, 2)]"#]],
    );
}

#[test]
fn what_left_the_spool_unanswered_is_named_all_the_same() {
    check(
        "0: up
         1: close=1 close=2 close=3
         2: gone=1-2
         3: notice=2-3
         4: notice=2
         5: down
         6: up
         7: notice=1",
        &expect![[r#"
            0: up → 
            1: close=1 close=2 close=3 → send 1, send 2, send 3
            2: gone=1-2 → 
            3: notice=2-3 → commit [(2, 3)]
            4: notice=2 → 
            5: down → 
            6: up → 
            7: notice=1 → "#]],
    );
}

#[test]
fn what_the_broker_never_takes_rests_and_comes_again() {
    check(
        "0: up
         0: close=1
         0: large=1
         100: tick
         200: close=2 ack=2
         200: notice=2
         301: tick
         301: large=1
         302: down
         303: up",
        &expect![[r#"
            0: up → 
            0: close=1 → send 1
            0: large=1 → 
            100: tick → 
            200: close=2 ack=2 → send 2
            200: notice=2 → commit [(2, 2)]
            301: tick → send 1
            301: large=1 → 
            302: down → 
            303: up → send 1"#]],
    );
}

#[test]
fn what_rested_waits_for_a_place_without_asking_for_it_again_and_again() {
    check(
        "0: held=1-3 up
         1: large=1
         400: tick
         401: ack=2
         402: down
         403: large=1
         800: tick",
        &expect![[r#"
            0: held=1-3 up → send 3, send 1
            1: large=1 → send 2
            400: tick → 
            401: ack=2 → send 1
            402: down → 
            403: large=1 → 
            800: tick → "#]],
    );
}

#[test]
fn a_fork_that_was_not_renewed_is_refused_and_renewed_again() {
    check(
        "0: up
         0: close=1 ack=1
         0: fork=1
         15: tick
         15: ack=1
         15: fork=1",
        &expect![[r#"
            0: up → 
            0: close=1 ack=1 → send 1
            0: fork=1 → renew 1
            15: tick → send 1
            15: ack=1 → 
            15: fork=1 → renew 1"#]],
    );
}

/// Of `held` batches the first `bad` are never answered; the server answers all others at once.
/// Gives after how many seconds the last good one of them is committed, how often bad ones were
/// sent in the hour after that, and asserts that live ones never wait.
fn starve(held: u64, bad: u64) -> (i64, u64) {
    let mut uplink = Uplink::new(Some(STORE), 1);
    let mut next = held + 1;
    uplink.step(Event::Held(vec![(EPOCH, vec![(1, held)])]), 0);
    let mut sent: VecDeque<BatchKey> = sends(&uplink.step(Event::Connected, 0)).into();
    let (mut done_at, mut bad_sent) = (None, 0);
    for second in 0.. {
        let now_ms = second * 1_000;
        let live = (second % 5 == 0).then_some(next);
        if let Some(sequence) = live {
            next += 1;
            sent.extend(sends(&uplink.step(Event::Closed(key(sequence)), now_ms)));
        }
        sent.extend(sends(&uplink.step(Event::Tick, now_ms)));
        while let Some(batch) = sent.pop_front() {
            sent.extend(sends(&uplink.step(Event::Acknowledged(batch), now_ms)));
            if batch.sequence > bad {
                let range = (batch.sequence, batch.sequence);
                sent.extend(sends(&uplink.step(notice(STORE, vec![range]), now_ms)));
            } else if done_at.is_some() {
                bad_sent += 1;
            }
        }
        if let Some(sequence) = live {
            assert!(!uplink.ledger.is_queued(key(sequence)), "live {sequence} waits");
        }
        if uplink.queued() == bad {
            done_at.get_or_insert(second);
        }
        if done_at.is_some_and(|done_at| second >= done_at + 3_600) {
            break;
        }
        assert!(second < 24 * 3_600, "{} queued after a day", uplink.queued());
    }
    (done_at.unwrap(), bad_sent)
}

#[test]
fn batches_that_nobody_answers_starve_no_others() {
    for (held, bad) in [(100, 1), (2_000, 50), (5_000, 3_000)] {
        let (done_after, bad_sent) = starve(held, bad);
        let at_most = 60 + i64::try_from(bad).unwrap();
        assert!(done_after <= at_most, "{bad} of {held}: done after {done_after} s");
        assert!(bad_sent > 0, "{bad} of {held}: never tried again");
        assert!(bad_sent <= 12 * (bad + 100), "{bad} of {held}: {bad_sent} an hour");
    }
}

#[test]
fn the_windows_hold() {
    let mut uplink = Uplink::new(Some(STORE), 1);
    uplink.step(Event::Held(vec![(EPOCH, vec![(1, 100_000)])]), 0);
    let mut on_the_way: VecDeque<BatchKey> = sends(&uplink.step(Event::Connected, 0)).into();
    let mut sent = on_the_way.len();
    while let Some(key) = on_the_way.pop_front() {
        let more = sends(&uplink.step(Event::Acknowledged(key), 1));
        sent += more.len();
        on_the_way.extend(more);
        assert!(on_the_way.len() <= BACKLOG + 1, "{}", on_the_way.len());
    }
    assert_eq!(sent, UNANSWERED / 2 + 1, "half of the unanswered is for the live lane");
}

fn sends(effects: &[Effect]) -> Vec<BatchKey> {
    let keys = effects.iter().filter_map(|effect| match effect {
        Effect::Send(key) => Some(*key),
        Effect::Commit(..) | Effect::Adopt(_) | Effect::Renew(..) => None,
    });
    keys.collect()
}

/// The spool, a broker that forgets, and a server, around an uplink.
struct World {
    uplink: Uplink,
    now_ms: i64,
    next: u64,
    /// In the spool: sequence → the store whose notice marked it.
    spool: BTreeMap<u64, Option<StoreId>>,
    adopted: StoreId,
    is_up: bool,
    /// On their way to the broker.
    publishes: Vec<BatchKey>,
    /// In the broker.
    broker: Vec<BatchKey>,
    notices: Vec<Event>,
    pubacks: Vec<BatchKey>,
    /// Durable at the server, by store.
    stored: BTreeMap<StoreId, BTreeSet<u64>>,
    store_id: StoreId,
    is_server_up: bool,
}

impl World {
    fn new(held: u64) -> Self {
        let mut world = Self {
            uplink: Uplink::new(Some(STORE), held),
            now_ms: 0,
            next: held + 1,
            spool: (1..=held).map(|sequence| (sequence, None)).collect(),
            adopted: STORE,
            is_up: false,
            publishes: Vec::new(),
            broker: Vec::new(),
            notices: Vec::new(),
            pubacks: Vec::new(),
            stored: BTreeMap::new(),
            store_id: STORE,
            is_server_up: true,
        };
        if held > 0 {
            world.step(Event::Held(vec![(EPOCH, vec![(1, held)])]));
        }
        world
    }

    fn step(&mut self, event: Event) {
        let effects = self.uplink.step(event, self.now_ms);
        let deadline = self.uplink.deadline();
        assert!(deadline.is_none_or(|at_ms| at_ms > self.now_ms), "{deadline:?} is due already");
        for effect in effects {
            match effect {
                Effect::Send(key) => {
                    assert!(self.is_up && self.spool.contains_key(&key.sequence));
                    self.publishes.push(key);
                }
                Effect::Commit(store_id, _, ranges) => {
                    assert_eq!(store_id, self.adopted);
                    for sequence in ranges.into_iter().flat_map(|(first, last)| first..=last) {
                        let durable = self.stored.get(&self.adopted);
                        assert!(
                            durable.is_some_and(|stored| stored.contains(&sequence)),
                            "{sequence} is committed and not stored"
                        );
                        self.spool.insert(sequence, Some(self.adopted));
                    }
                }
                Effect::Adopt(store_id) => {
                    self.adopted = store_id;
                    let queued = self.spool.iter().filter(|(_, mark)| **mark != Some(store_id));
                    let queued = queued.map(|(sequence, _)| (*sequence, *sequence)).collect();
                    self.step(Event::Held(vec![(EPOCH, queued)]));
                }
                Effect::Renew(..) => panic!("nobody forked"),
            }
        }
        let in_flight = self.publishes.len() + self.pubacks.len();
        assert!(!self.is_up || in_flight <= IN_FLIGHT, "{in_flight} in flight");
    }

    fn close(&mut self) {
        let sequence = self.next;
        self.next += 1;
        self.spool.insert(sequence, None);
        self.step(Event::Closed(key(sequence)));
    }

    fn connect(&mut self) {
        if !self.is_up {
            self.is_up = true;
            self.step(Event::Connected);
            self.tell_server();
        }
    }

    fn disconnect(&mut self) {
        self.is_up = false;
        self.publishes.clear();
        self.pubacks.clear();
        self.notices.clear();
        self.step(Event::Disconnected);
    }

    fn tell_server(&mut self) {
        let (is_online, store_id) = (self.is_server_up, Some(self.store_id));
        if self.is_up {
            self.step(Event::Server { is_online, store_id });
        }
    }

    /// The oldest publish arrives, and is acknowledged; `is_kept` tells whether the broker forgets.
    fn deliver(&mut self, is_kept: bool) {
        if self.is_up && !self.publishes.is_empty() {
            let key = self.publishes.remove(0);
            self.pubacks.push(key);
            if is_kept {
                self.broker.push(key);
            }
        }
    }

    fn puback(&mut self, at: usize) {
        if !self.pubacks.is_empty() {
            let key = self.pubacks.remove(at % self.pubacks.len());
            self.step(Event::Acknowledged(key));
        }
    }

    fn ingest(&mut self) {
        if self.is_server_up && !self.broker.is_empty() {
            let key = self.broker.remove(0);
            self.stored.entry(self.store_id).or_default().insert(key.sequence);
            self.notices.push(notice(self.store_id, vec![(key.sequence, key.sequence)]));
        }
    }

    fn tell(&mut self, at: usize, is_repeated: bool) {
        if self.is_up && !self.notices.is_empty() {
            let at = at % self.notices.len();
            let event =
                if is_repeated { self.notices[at].clone() } else { self.notices.remove(at) };
            self.step(event);
        }
    }

    fn act(&mut self, (verb, number): (u8, usize)) {
        match verb {
            0..=4 => self.close(),
            5..=8 => self.deliver(true),
            9 => self.deliver(false),
            10..=12 => self.puback(number),
            13..=15 => self.ingest(),
            16..=17 => self.tell(number, false),
            18 => self.tell(number, true),
            19 => drop((!self.notices.is_empty()).then(|| self.notices.remove(0))),
            20 => self.connect(),
            21 => self.disconnect(),
            22 => {
                self.now_ms += i64::try_from(number).unwrap() * 100;
                self.step(Event::Tick);
            }
            23 => {
                self.is_server_up = !self.is_server_up;
                self.tell_server();
            }
            24 => {
                // restored from a backup that knows of nothing
                self.store_id = StoreId(self.store_id.0 + 1);
                self.is_server_up = true;
                self.tell_server();
            }
            _ => self.broker.clear(),
        }
    }

    /// Everything works from here on: how many rounds until all is committed?
    fn settle(&mut self) {
        self.is_server_up = true;
        self.connect();
        self.tell_server();
        for _ in 0..20_000 {
            self.deliver(true);
            self.puback(0);
            self.ingest();
            self.tell(0, false);
            let is_quiet =
                self.publishes.is_empty() && self.pubacks.is_empty() && self.notices.is_empty();
            if is_quiet && self.broker.is_empty() {
                if self.spool.values().all(|mark| *mark == Some(self.store_id)) {
                    assert_eq!(self.uplink.queued(), 0);
                    return;
                }
                let deadline = self.uplink.deadline().expect("what is not committed is waited for");
                self.now_ms = self.now_ms.max(deadline);
                self.step(Event::Tick);
            }
        }
        panic!("not settled: {:?}", self.uplink);
    }
}

proptest! {
    #[test]
    fn nothing_is_committed_that_is_not_stored_and_in_the_end_everything_is(
        held in 0_u64..200,
        acts in proptest::collection::vec((0_u8..26, 0_usize..1_000), 0..400),
    ) {
        let mut world = World::new(held);
        for act in acts {
            world.act(act);
        }
        world.settle();
    }

    #[test]
    fn live_data_waits_for_no_more_than_half_a_window_of_backlog(
        held in 1_u64..5_000,
        rounds in 1_usize..300,
        slow_ms in 0_i64..3_000,
    ) {
        let mut world = World::new(held);
        world.connect();
        for round in 0..rounds {
            world.now_ms += slow_ms;
            world.deliver(true);
            world.puback(0);
            world.ingest();
            world.tell(0, false);
            if round % 5 == 0 {
                let before = world.publishes.len();
                world.close();
                let live = key(world.next - 1);
                // whatever is ahead of it on the wire is at most half a window
                prop_assert_eq!(world.publishes.last(), Some(&live));
                prop_assert!(before <= BACKLOG + 1, "{} ahead", before);
            }
        }
    }
}
