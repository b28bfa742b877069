//! The rhythm of a line against devices that answer, refuse, babble or die.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const START: i64 = 1_000_000_020_000;

/// A line whose devices answer as a script says.
struct Line {
    cadence: Cadence,
    now: i64,
    timeout: i64,
    latency: i64,
    /// Gives what a request hears, by device, request and milliseconds since the start.
    script: Box<dyn Fn(usize, usize, i64) -> Heard>,
    /// How long devices are to be waited for before they are asked, in turn and for ever again.
    waits: Vec<(usize, u64)>,
    turn: usize,
    /// Milliseconds since the start, and what was done then.
    done: Vec<(i64, Effect)>,
}

impl Line {
    fn new(
        periods: &[(i64, usize)],
        retries: u8,
        script: impl Fn(usize, usize, i64) -> Heard + 'static,
    ) -> Self {
        let paces = periods.iter().map(|(period_ms, requests)| Pace {
            period_ms: *period_ms,
            phase_ms: 0,
            requests: *requests,
        });
        let cadence = Cadence::new(paces.collect(), retries, Timestamp::clamped(START - 1));
        let script = Box::new(script);
        Self {
            cadence,
            now: START,
            timeout: 1_000,
            latency: 10,
            script,
            waits: Vec::new(),
            turn: 0,
            done: Vec::new(),
        }
    }

    fn run(mut self, until: i64) -> Self {
        let mut event = Event::Tick;
        while self.now < START + until {
            let effects = self.cadence.step(event, Timestamp::clamped(self.now));
            let at = self.now - START;
            self.done.extend(effects.iter().map(|effect| (at, *effect)));
            event = if let Some(Effect::Ask { device, request, attempts, .. }) = effects.last() {
                assert_eq!(
                    self.cadence.deadline(),
                    None,
                    "a deadline while a request is in flight"
                );
                let tick = self.cadence.step(Event::Tick, Timestamp::clamped(self.now + 5));
                assert_eq!(tick, [], "something to do while a request is in flight");
                let (place, turn) = (self.turn % self.waits.len().max(1), self.turn + 1);
                self.turn = turn;
                if let Some((_, wait)) = self.waits.get(place).filter(|wait| wait.0 == *device) {
                    event = Event::Wait(Duration::from_millis(*wait));
                    continue;
                }
                let heard = (self.script)(*device, *request, at);
                self.now += match heard {
                    Heard::Silence(_) => self.timeout * i64::from(*attempts),
                    Heard::NoLine => self.timeout,
                    Heard::Reply | Heard::Refusal(_) | Heard::Nonsense(_) => self.latency,
                };
                Event::Heard(heard)
            } else {
                self.now = self.cadence.deadline().expect("an idle line has a deadline").as_ms();
                Event::Tick
            };
        }
        self
    }

    fn shown(&self) -> String {
        let mut shown = String::new();
        for (at, effect) in &self.done {
            if shown.is_empty() || shown.ends_with('\n') {
                write!(shown, "{at:05}").unwrap();
            }
            match effect {
                Effect::Ask { device, request, attempts, is_probe } => {
                    let how = if *is_probe { "probe" } else { "ask" };
                    write!(shown, " {how} {device}.{request} x{attempts},")
                }
                Effect::Give { device, request, at: moment, given } => {
                    let moment = moment.as_ms() - START;
                    match given {
                        Given::Reply => write!(shown, " {device}.{request} reply at {moment},"),
                        Given::Defect(defect) => {
                            write!(shown, " {device}.{request} {defect:?} at {moment},")
                        }
                    }
                }
                Effect::Close { skipped: 0, .. } => writeln!(shown, " close"),
                Effect::Close { skipped, .. } => writeln!(shown, " close, {skipped} skipped"),
            }
            .unwrap();
        }
        shown
    }
}

const DEAD: Heard = Heard::Silence(Quality::TIMEOUT);

fn check(
    periods: &[(i64, usize)],
    until: i64,
    script: impl Fn(usize, usize, i64) -> Heard + 'static,
    expected: &Expect,
) {
    expected.assert_eq(&Line::new(periods, 2, script).run(until).shown());
}

#[test]
fn a_device_is_read_at_its_slots() {
    check(
        &[(1_000, 2)],
        3_000,
        |_, _, _| Heard::Reply,
        &expect![[r#"
            00000 probe 0.0 x1, 0.0 reply at 0, ask 0.1 x3, 0.1 reply at 0, close
            01000 ask 0.0 x3, 0.0 reply at 1000, ask 0.1 x3, 0.1 reply at 1000, close
            02000 ask 0.0 x3, 0.0 reply at 2000, ask 0.1 x3, 0.1 reply at 2000, close
        "#]],
    );
}

#[test]
fn a_dead_device_rests_longer_and_longer_and_its_gap_is_visible() {
    check(
        &[(1_000, 2)],
        20_000,
        |_, _, _| DEAD,
        &expect![[r#"
            00000 probe 0.0 x1, 0.0 timeout at 0, 0.1 timeout at 0, close
            01000 0.0 back_off at 1000, 0.1 back_off at 1000, close
            02000 probe 0.1 x1, 0.1 timeout at 2000, 0.0 timeout at 2000, close
            03000 0.0 back_off at 3000, 0.1 back_off at 3000, close
            04000 0.0 back_off at 4000, 0.1 back_off at 4000, close
            05000 probe 0.0 x1, 0.0 timeout at 5000, 0.1 timeout at 5000, close
            06000 0.0 back_off at 6000, 0.1 back_off at 6000, close
            07000 0.0 back_off at 7000, 0.1 back_off at 7000, close
            08000 0.0 back_off at 8000, 0.1 back_off at 8000, close
            09000 0.0 back_off at 9000, 0.1 back_off at 9000, close
            10000 probe 0.1 x1, 0.1 timeout at 10000, 0.0 timeout at 10000, close
            11000 0.0 back_off at 11000, 0.1 back_off at 11000, close
            12000 0.0 back_off at 12000, 0.1 back_off at 12000, close
            13000 0.0 back_off at 13000, 0.1 back_off at 13000, close
            14000 0.0 back_off at 14000, 0.1 back_off at 14000, close
            15000 0.0 back_off at 15000, 0.1 back_off at 15000, close
            16000 0.0 back_off at 16000, 0.1 back_off at 16000, close
            17000 0.0 back_off at 17000, 0.1 back_off at 17000, close
            18000 0.0 back_off at 18000, 0.1 back_off at 18000, close
            19000 probe 0.0 x1,"#]],
    );
}

#[test]
fn a_device_that_comes_back_is_read_whole_at_once() {
    let back = |_, _, at| if at > 8_000 { Heard::Reply } else { DEAD };
    check(
        &[(5_000, 3)],
        21_000,
        back,
        &expect![[r#"
            00000 probe 0.0 x1, 0.0 timeout at 0, 0.2 timeout at 0, 0.1 timeout at 0, close
            05000 probe 0.1 x1, 0.1 timeout at 5000, 0.0 timeout at 5000, 0.2 timeout at 5000, close
            10000 probe 0.2 x1, 0.2 reply at 10000, probe 0.0 x1, 0.0 reply at 10000, probe 0.1 x1, 0.1 reply at 10000, close
            15000 ask 0.0 x3, 0.0 reply at 15000, ask 0.1 x3, 0.1 reply at 15000, ask 0.2 x3, 0.2 reply at 15000, close
            20000 ask 0.0 x3, 0.0 reply at 20000, ask 0.1 x3, 0.1 reply at 20000, ask 0.2 x3, 0.2 reply at 20000, close
        "#]],
    );
}

#[test]
fn a_request_that_a_device_ignores_does_not_hide_the_others() {
    let deaf = |_, request, _| if request == 0 { DEAD } else { Heard::Reply };
    check(
        &[(5_000, 3)],
        40_000,
        deaf,
        &expect![[r#"
            00000 probe 0.0 x1, 0.0 timeout at 0, 0.2 timeout at 0, 0.1 timeout at 0, close
            05000 probe 0.1 x1, 0.1 reply at 5000, probe 0.2 x1, 0.2 reply at 5000, probe 0.0 x1, 0.0 timeout at 5000, close
            10000 ask 0.1 x3, 0.1 reply at 10000, ask 0.2 x3, 0.2 reply at 10000, probe 0.0 x1, 0.0 timeout at 10000, close
            15000 0.0 back_off at 15000, ask 0.1 x3, 0.1 reply at 15000, ask 0.2 x3, 0.2 reply at 15000, close
            20000 ask 0.1 x3, 0.1 reply at 20000, ask 0.2 x3, 0.2 reply at 20000, probe 0.0 x1, 0.0 timeout at 20000, close
            25000 0.0 back_off at 25000, ask 0.1 x3, 0.1 reply at 25000, ask 0.2 x3, 0.2 reply at 25000, close
            30000 ask 0.1 x3, 0.1 reply at 30000, ask 0.2 x3, 0.2 reply at 30000, probe 0.0 x1, 0.0 timeout at 30000, close
            35000 0.0 back_off at 35000, ask 0.1 x3, 0.1 reply at 35000, ask 0.2 x3, 0.2 reply at 35000, close
        "#]],
    );
}

#[test]
fn an_exception_is_an_answer_and_nonsense_is_none() {
    let mixed = |_, request, _| match request {
        0 => Heard::Refusal(Quality::exception(2)),
        1 => Heard::Nonsense(Quality::SHORT),
        _ => Heard::Reply,
    };
    check(
        &[(2_000, 3)],
        5_000,
        mixed,
        &expect![[r#"
            00000 probe 0.0 x1, 0.0 exception_2 at 0, ask 0.1 x3, 0.1 short at 0, ask 0.2 x1, 0.2 reply at 0, close
            02000 ask 0.0 x3, 0.0 exception_2 at 2000, ask 0.2 x3, 0.2 reply at 2000, probe 0.1 x1, 0.1 short at 2000, close
            04000 0.1 back_off at 4000, ask 0.0 x3, 0.0 exception_2 at 4000, ask 0.2 x3, 0.2 reply at 4000, close
        "#]],
    );
}

#[test]
fn a_line_that_cannot_be_opened_is_tried_for_all_together() {
    let down = |_, _, at| if at < 4_000 { Heard::NoLine } else { Heard::Reply };
    check(
        &[(1_000, 1), (1_000, 1)],
        7_000,
        down,
        &expect![[r#"
            00000 probe 0.0 x1, 0.0 unreachable at 0, close
            01000 1.0 unreachable at 1000, close, 1 skipped
            01000 0.0 unreachable at 1000, close
            02000 probe 0.0 x1, 0.0 unreachable at 2000, close
            03000 1.0 unreachable at 3000, close, 1 skipped
            03000 0.0 unreachable at 3000, close
            04000 0.0 unreachable at 4000, close
            04000 1.0 unreachable at 4000, close
            05000 probe 0.0 x1, 0.0 reply at 5000, close
            05010 probe 1.0 x1, 1.0 reply at 5000, close
            06000 ask 0.0 x3, 0.0 reply at 6000, close
            06010 ask 1.0 x3, 1.0 reply at 6000, close
        "#]],
    );
}

#[test]
fn a_late_poll_skips_slots_and_carries_its_own_time() {
    let mut line = Line::new(&[(500, 1)], 0, |_, _, at| {
        if (500..1_000).contains(&at) {
            Heard::Refusal(Quality::exception(4))
        } else {
            Heard::Reply
        }
    });
    line.latency = 1_300;
    expect![[r#"
        00000 probe 0.0 x1, 0.0 reply at 1300, close, 2 skipped
        01500 ask 0.0 x1, 0.0 reply at 2800, close, 2 skipped
        03000 ask 0.0 x1,"#]]
    .assert_eq(&line.run(4_000).shown());
}

#[test]
fn a_request_that_is_refused_as_a_whole_is_asked_in_pieces_in_the_same_poll_and_from_then_on() {
    let pace = Pace { period_ms: 1_000, phase_ms: 0, requests: 2 };
    let mut cadence = Cadence::new(vec![pace], 2, Timestamp::clamped(START - 1));
    let mut line = Line::new(&[], 0, |_, _, _| Heard::Reply);
    let reply = Event::Heard(Heard::Reply);
    let refusal = Event::Heard(Heard::Refusal(Quality::exception(2)));
    let mut now = 0;
    for event in [
        Event::Tick,
        Event::Split(2),
        reply,
        refusal,
        reply,
        reply, // 0, its pieces 2 and 3, then 1
        Event::Tick,
        reply,
        reply,
        refusal,
        reply,
    ] {
        if event == Event::Tick && now > 0 {
            now = 1_000;
        }
        let effects = cadence.step(event, Timestamp::clamped(START + now));
        line.done.extend(effects.into_iter().map(|effect| (now, effect)));
        now += 10;
    }
    expect![[r#"
        00000 probe 0.0 x1, ask 0.0 x3, 0.0 reply at 0, ask 0.2 x3, 0.2 exception_2 at 0, ask 0.3 x3, 0.3 reply at 0, ask 0.1 x3, 0.1 reply at 0, close
        01000 ask 0.0 x3, 0.0 reply at 1000, ask 0.1 x3, 0.1 reply at 1000, ask 0.2 x3, 0.2 exception_2 at 1000, ask 0.3 x3, 0.3 reply at 1000, close
    "#]].assert_eq(&line.shown());
    // A poll that nobody waits for has nothing to split.
    assert_eq!(cadence.step(Event::Split(1), Timestamp::clamped(START + now)), []);
}

#[test]
fn a_clock_that_is_set_delays_nothing_by_more_than_a_period() {
    let pace = Pace { period_ms: 5_000, phase_ms: 1_234, requests: 1 };
    let mut cadence = Cadence::new(vec![pace], 2, Timestamp::clamped(START));
    for set in [-86_400_000, 0, 86_400_000] {
        let now = Timestamp::clamped(START + set);
        if let [.., Effect::Ask { .. }] = cadence.step(Event::Tick, now)[..] {
            let effects = cadence.step(Event::Heard(DEAD), now);
            assert!(
                effects.iter().any(|effect| matches!(effect, Effect::Close { skipped: 0, .. }))
            );
        }
        let wait = cadence.deadline().unwrap().ms_since(now);
        assert!((0..=5_000).contains(&wait), "{wait}");
        let rest = cadence.devices[0].requests[0];
        assert!(!rest.is_on(now.as_ms()) || rest.until - now.as_ms() <= LONGEST_REST_MS);
    }
}

#[test]
fn devices_of_a_bus_do_not_fall_together() {
    let device = |name: &str| crate::config::Device {
        name: name.into(),
        unit: 1,
        period: Duration::from_secs(1),
        addressing: crate::config::Addressing::ZeroBased,
        max_registers: 120,
        max_bits: 2_000,
        max_gap: 8,
        registers: Vec::new(),
    };
    let bus = crate::config::Bus {
        name: "meters".into(),
        line: "tcp://h".parse().unwrap(),
        timeout: Duration::from_secs(1),
        retries: 2,
        gap: Duration::ZERO,
        devices: ["a", "b", "c", "d"].map(device).to_vec(),
    };
    let paces = paces(&bus, &[const { Vec::new() }; 4]);
    let phases: Vec<_> = paces.iter().map(|pace| pace.phase_ms).collect();
    expect!["[139, 389, 639, 889]"].assert_eq(&format!("{phases:?}"));
}

/// Devices with their periods and requests, and what each hears in each tenth of a second, for ever
/// again.
fn some_line() -> impl Strategy<Value = (Vec<(i64, usize)>, u8, i64, Vec<Heard>)> {
    let device = (prop::sample::select(vec![100, 250, 1_000, 5_000, 60_000]), 1_usize..4);
    let heard = prop_oneof![
        4 => Just(Heard::Reply),
        1 => Just(Heard::Refusal(Quality::exception(2))),
        1 => Just(Heard::Nonsense(Quality::MALFORMED)),
        2 => Just(DEAD),
        1 => Just(Heard::NoLine),
    ];
    let all = (prop::collection::vec(device, 1..5), 0_u8..3, 1_i64..400);
    (all, prop::collection::vec(heard, 1..40)).prop_map(|((a, b, c), d)| (a, b, c, d))
}

#[test]
fn a_poll_that_has_to_wait_is_put_aside_and_its_neighbours_are_read() {
    let mut line = Line::new(&[(1_000, 2), (400, 1)], 2, |_, _, _| Heard::Reply);
    line.waits = vec![(0, 1_500), (7, 0), (7, 0), (7, 0)];
    expect![[r#"
        00000 probe 0.0 x1, probe 1.0 x1, 1.0 reply at 0, close
        00400 ask 1.0 x3, 1.0 reply at 400, close
        00800 ask 1.0 x3, 1.0 reply at 800, close
        01200 ask 1.0 x3, 1.0 reply at 1200, close
        01501 probe 0.0 x1, 0.0 reply at 1511, ask 0.1 x3, 0.1 reply at 1521, close, 1 skipped
        01600 ask 1.0 x3, 1.0 reply at 1600, close
        02000 ask 0.0 x3, ask 1.0 x3, 1.0 reply at 2000, close
        02400 ask 1.0 x3, 1.0 reply at 2400, close
        02800 ask 1.0 x3, 1.0 reply at 2800, close
        03200 ask 1.0 x3, 1.0 reply at 3200, close
        03501 ask 0.0 x3, 0.0 reply at 3511, ask 0.1 x3, 0.1 reply at 3521, close, 1 skipped
        03600 ask 1.0 x3, 1.0 reply at 3600, close
    "#]]
    .assert_eq(&line.run(4_000).shown());
}

#[test]
fn a_poll_put_aside_ends_where_the_line_is_lost_meanwhile() {
    let lost = |device, _, at| if device == 1 && at > 300 { Heard::NoLine } else { Heard::Reply };
    let mut line = Line::new(&[(1_000, 2), (400, 1)], 2, lost);
    line.waits = vec![(7, 0), (0, 700), (7, 0)];
    expect![[r#"
        00000 probe 0.0 x1, 0.0 reply at 0, ask 0.1 x3, probe 1.0 x1, 1.0 reply at 0, close
        00400 ask 1.0 x3, 1.0 unreachable at 400, close
        01400 0.1 unreachable at 0, close
        01400 1.0 unreachable at 1200, close, 1 skipped
        01400 0.0 unreachable at 1000, 0.1 unreachable at 1000, close
        01600 1.0 unreachable at 1600, close
    "#]]
    .assert_eq(&line.run(2_000).shown());
}

#[test]
fn a_poll_put_aside_is_not_forgotten_when_the_clock_is_set_back() {
    let paces = vec![Pace { period_ms: 1_000, phase_ms: 0, requests: 1 }];
    let mut cadence = Cadence::new(paces, 0, Timestamp::clamped(START - 1));
    let asks = |effects: Vec<Effect>| matches!(effects.last(), Some(Effect::Ask { .. }));
    assert!(asks(cadence.step(Event::Tick, Timestamp::clamped(START))));
    let wait = Event::Wait(Duration::from_secs(5));
    assert_eq!(cadence.step(wait, Timestamp::clamped(START)), []);
    assert_eq!(cadence.deadline(), Some(Timestamp::clamped(START + 5_001)));
    let earlier = START - 86_400_000;
    assert_eq!(cadence.step(Event::Tick, Timestamp::clamped(earlier)), []);
    assert!(asks(cadence.step(Event::Tick, Timestamp::clamped(earlier + LONGEST_REST_MS))));
}

proptest! {
    #[test]
    fn every_slot_is_given_or_counted_and_time_never_goes_back(
        (periods, retries, latency, moods) in some_line(),
        waits in prop::collection::vec((0_usize..8, 0_u64..12_000), 0..9),
    ) {
        let mood = move |device: usize, request: usize, at: i64| {
            let tenth = usize::try_from(at / 100).unwrap() / 7;
            moods[(device * 13 + request * 5 + tenth) % moods.len()]
        };
        let mut line = Line::new(&periods, retries, mood);
        line.latency = latency;
        line.waits = waits;
        line.waits.push((usize::MAX, 0));
        let line = line.run(120_000); // asserts that never two requests are in flight
        for (index, (period, requests)) in periods.iter().enumerate() {
            let mut given = Vec::new();
            let (mut slots, mut last) = (0, i64::MIN);
            for (done_at, effect) in &line.done {
                match effect {
                    Effect::Give { device, request, at, .. } if *device == index => {
                        let at = at.as_ms() - START;
                        prop_assert!(at > last || !given.is_empty(), "time goes back");
                        prop_assert!(at <= *done_at, "a moment in the future");
                        given.push((*request, at));
                    }
                    Effect::Close { device, skipped } if *device == index => {
                        let mut asked: Vec<_> = given.iter().map(|(request, _)| *request).collect();
                        asked.sort_unstable();
                        prop_assert_eq!(asked, (0..*requests).collect::<Vec<_>>());
                        last = given.iter().map(|(_, at)| *at).max().unwrap();
                        slots += 1 + skipped;
                        // all slots up to the one that comes next are accounted for
                        let next = slots * period;
                        prop_assert!(last < next, "drift: {} is not before {}", last, next);
                        given.clear();
                    }
                    Effect::Ask { .. } | Effect::Give { .. } | Effect::Close { .. } => {}
                }
            }
        }
    }

    /// From the very first poll on: who never answered gets no repeats, so however many neighbours
    /// are dead, each costs a reading one time-out at most.
    #[test]
    fn a_dead_neighbour_delays_a_reading_by_one_time_out_at_most(
        periods in prop::collection::vec((prop::sample::select(vec![1_000_i64, 2_000, 5_000]), 1_usize..3), 1..4),
        dead in prop::collection::vec(1_usize..5, 1..4), timeout in 100_i64..300,
    ) {
        let mut all: Vec<_> = dead.iter().map(|requests| (1_000, *requests)).collect();
        all.extend(&periods);
        let first_alive = dead.len();
        let mood = move |device, _, _| if device < first_alive { DEAD } else { Heard::Reply };
        let mut line = Line::new(&all, 2, mood);
        line.timeout = timeout;
        let line = line.run(200_000);
        for index in 0..first_alive {
            let probes: Vec<_> = line.done.iter().filter_map(|(_, effect)| match effect {
                Effect::Ask { device, attempts, is_probe, .. } if *device == index => {
                    Some((*attempts, *is_probe))
                }
                Effect::Ask { .. } | Effect::Give { .. } | Effect::Close { .. } => None,
            }).collect();
            prop_assert!(probes.iter().all(|probe| *probe == (1, true)), "{:?}", probes);
            prop_assert!(probes.len() <= 10, "{} probes in 200 s", probes.len());
        }
        let probes = timeout * i64::try_from(first_alive).unwrap();
        let service: i64 = periods.iter().map(|(_, requests)| 10 * i64::try_from(*requests).unwrap()).sum();
        for (done_at, effect) in &line.done {
            if let Effect::Give { device, at, given: Given::Reply, .. } = effect
                && *device >= first_alive
            {
                let slot = (at.as_ms() - START) / 1_000 * 1_000;
                prop_assert!(done_at - slot <= probes + service, "{} of {}", done_at, slot);
            }
        }
    }
}
