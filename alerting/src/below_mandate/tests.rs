//! What raises and clears, case by case, and against a slow model that counts seconds.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use model::quantity::Decimal;
use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::clamped(second * 1_000)
}

fn second(at: Timestamp) -> i64 {
    at.as_ms() / 1_000
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Low below 10 ml/s, well again from 12.
fn rule(on_delay_s: i64, off_delay_s: i64) -> Rule {
    Rule {
        limit: Limit { share: decimal("1"), deadband: decimal("0.2") },
        on_delay_ms: on_delay_s * 1_000,
        off_delay_ms: off_delay_s * 1_000,
    }
}

/// `7` of 10 that are required, `>7` with an outlet missing, `7/20` of 20, `7/-` of nothing.
fn point(at_s: i64, value: &str) -> Point {
    let (value, required) = value.split_once('/').unwrap_or((value, "10"));
    let (bound, released) =
        value.strip_prefix('>').map_or((Bound::Whole, value), |rest| (Bound::AtLeast, rest));
    Point {
        at: at(at_s),
        released: Flow::from_ml_per_s(released.parse().unwrap()),
        bound,
        required: required.parse().ok().map(Flow::from_ml_per_s),
    }
}

/// `30=7` a live point, `40=lost`, `10-20=7` late, `90=tick`, `95=withdrawn`.
fn event(word: &str) -> (Event, Option<i64>) {
    let (moment, what) = word.split_once('=').unwrap();
    if let Some((from, to)) = moment.split_once('-') {
        let piece = (point(from.parse().unwrap(), what), at(to.parse().unwrap()));
        return (Event::Late(vec![piece]), None);
    }
    let moment = moment.parse().unwrap();
    let event = match what {
        "lost" => Event::Lost(at(moment)),
        "tick" => Event::Tick,
        "withdrawn" => Event::Withdrawn,
        value => Event::Live(point(moment, value)),
    };
    (event, Some(moment))
}

fn shown(effect: &Effect) -> String {
    match effect {
        Effect::Pending { began_at } => format!("pending since {}", second(*began_at)),
        Effect::Moved { began_at } => format!("moved to {}", second(*began_at)),
        Effect::Dropped { at } => format!("dropped at {}", second(*at)),
        Effect::Raised { began_at, point, chatters } => {
            let word = if *chatters { ", chatters" } else { "" };
            format!("raised at {}, since {}{word}", second(point.at), second(*began_at))
        }
        Effect::Cleared { began_at, recovered_at, point } => format!(
            "cleared at {}, since {} until {}",
            second(point.at),
            second(*began_at),
            second(*recovered_at)
        ),
        Effect::Withdrawn { began_at } => format!("withdrawn, since {}", second(*began_at)),
        Effect::Digest(run) => format!(
            "digest {}-{}, {} s known",
            second(run.began_at),
            second(run.until),
            run.known_ms / 1_000
        ),
    }
}

/// Runs words through a machine that is stored and restored before each of them.
fn check(rule: Rule, words: &str, expected: &Expect) {
    let mut machine = BelowMandate::new(rule);
    let mut now = 0;
    let mut lines = String::new();
    for word in words.split_whitespace() {
        machine = BelowMandate::restore(&machine.snapshot(), rule).unwrap();
        let (event, moment) = event(word);
        now = moment.unwrap_or(now).max(now);
        for effect in machine.step(event, at(now)) {
            writeln!(lines, "{word} {}", shown(&effect)).unwrap();
        }
    }
    expected.assert_eq(&lines);
}

#[test]
fn it_is_raised_and_cleared_when_data_pass_the_delays() {
    check(
        rule(20, 30),
        "0=10 10=9 20=9 29=9 30=9 40=10 50=12 60=12 79=12 80=12 90=12",
        &expect![[r#"
            10=9 pending since 10
            30=9 raised at 30, since 10
            80=12 cleared at 80, since 10 until 50
        "#]],
    );
}

#[test]
fn the_clock_alone_raises_nothing() {
    check(
        rule(20, 0),
        "0=9 1000=tick 1001=lost",
        &expect![[r#"
            0=9 pending since 0
        "#]],
    );
}

#[test]
fn the_third_alarm_of_an_hour_stands_until_the_section_has_been_well_for_one() {
    // what comes and goes at each reading raises three, and a dip begins the hour anew
    check(
        rule(0, 0),
        "0=9 5=12 10=9 15=12 20=9 25=12 30=9 35=12 2000=11 2005=12 5604=12 5605=12 5610=9",
        &expect![[r#"
            0=9 raised at 0, since 0
            5=12 cleared at 5, since 0 until 5
            10=9 raised at 10, since 10
            15=12 cleared at 15, since 10 until 15
            20=9 raised at 20, since 20, chatters
            5605=12 cleared at 5605, since 20 until 2005
            5610=9 raised at 5610, since 5610
        "#]],
    );
}

#[test]
fn a_flood_of_readings_makes_no_flood_of_alarms() {
    let mut machine = BelowMandate::new(rule(0, 0));
    let effects = (0..12_000).flat_map(|n| {
        let value = if n % 2 == 0 { "9" } else { "12" };
        let point = Point { at: Timestamp::clamped(n), ..point(0, value) };
        machine.step(Event::Live(point), at(0))
    });
    let raised = effects.filter(|effect| matches!(effect, Effect::Raised { .. })).count();
    assert_eq!(raised, chatter::EPISODES);
}

#[test]
fn without_delays_each_point_is_judged_by_itself() {
    check(
        rule(0, 0),
        "0=9 5=11 10=12 15=9 20=12",
        &expect![[r#"
            0=9 raised at 0, since 0
            10=12 cleared at 10, since 0 until 10
            15=9 raised at 15, since 15
            20=12 cleared at 20, since 15 until 20
        "#]],
    );
}

#[test]
fn a_moment_at_the_limit_ends_a_pending_run() {
    check(
        rule(20, 0),
        "0=9 15=10 20=9 35=9 40=9",
        &expect![[r#"
            0=9 pending since 0
            15=10 dropped at 15
            20=9 pending since 20
            40=9 raised at 40, since 20
        "#]],
    );
}

#[test]
fn a_dip_into_the_deadband_begins_the_off_delay_anew() {
    check(
        rule(0, 20),
        "0=9 10=12 25=11 30=12 45=12 50=12",
        &expect![[r#"
            0=9 raised at 0, since 0
            50=12 cleared at 50, since 0 until 30
        "#]],
    );
}

#[test]
fn a_gap_pauses_the_delays() {
    check(
        rule(20, 20),
        "0=9 10=9 15=lost 1000=9 1005=9 1010=12 1020=lost 3000=12 3010=12",
        &expect![[r#"
            0=9 pending since 0
            1005=9 raised at 1005, since 0
            3010=12 cleared at 3010, since 0 until 1010
        "#]],
    );
}

#[test]
fn a_gap_does_not_clear_a_standing_alarm() {
    check(
        rule(0, 20),
        "0=9 10=12 12=lost 5000=tick 5001=12 5002=lost",
        &expect![[r#"
            0=9 raised at 0, since 0
        "#]],
    );
}

#[test]
fn a_missing_outlet_is_neither_below_nor_well() {
    check(
        rule(20, 20),
        "0=9 10=>3 500=9 510=9 515=>3 600=>12 610=>12 615=>1 700=12 710=12",
        &expect![[r#"
            0=9 pending since 0
            510=9 raised at 510, since 0
            710=12 cleared at 710, since 0 until 600
        "#]],
    );
}

#[test]
fn the_requirement_may_step_up_and_down_and_end() {
    check(
        rule(10, 10),
        "0=15 10=15/20 20=15/20 30=15/10 40=15/10 50=15/20 60=15/20 70=15/- 80=15/-",
        &expect![[r#"
            10=15/20 pending since 10
            20=15/20 raised at 20, since 10
            40=15/10 cleared at 40, since 10 until 30
            50=15/20 pending since 50
            60=15/20 raised at 60, since 50
            80=15/- cleared at 80, since 50 until 70
        "#]],
    );
}

#[test]
fn late_data_lengthen_the_run_at_the_newest_point_and_raise() {
    check(
        rule(20, 0),
        "0=12 5=lost 100=9 105=9 80-90=9 90-100=8",
        &expect![[r#"
            100=9 pending since 100
            80-90=9 moved to 80
            90-100=8 raised at 105, since 80
        "#]],
    );
}

#[test]
fn late_data_raise_also_when_the_newest_value_has_stopped_standing() {
    check(
        rule(20, 0),
        "0=12 5=lost 100=9 105=lost 80-100=9",
        &expect![[r#"
            100=9 pending since 100
            80-100=9 raised at 100, since 80
        "#]],
    );
}

#[test]
fn late_data_that_break_a_pending_run_shorten_it() {
    check(
        rule(20, 0),
        "0=9 15=lost 100=9 50-60=10 104=9 119=9 120=9",
        &expect![[r#"
            0=9 pending since 0
            50-60=10 moved to 100
            120=9 raised at 120, since 100
        "#]],
    );
}

#[test]
fn a_run_that_had_ended_goes_to_the_digest_once_it_is_quiet() {
    check(
        rule(20, 0),
        "0=12 5=lost 100=12 10-20=9 20-50=8 50-55=11 105=12 159=tick 160=tick 165=12 5-10=9 400=tick",
        &expect![[r#"
            160=tick digest 10-50, 40 s known
        "#]],
    );
}

#[test]
fn a_short_run_that_had_ended_is_nothing() {
    check(rule(20, 0), "0=12 5=lost 100=12 10-29=9 29-90=12 500=tick", &expect![[""]]);
}

#[test]
fn a_meter_that_speaks_seldom_wakes_nobody_for_what_is_over() {
    check(
        rule(600, 0),
        "0=9 900=12 960=tick 1800=9 2700=9",
        &expect![[r#"
            0=9 pending since 0
            900=12 dropped at 900
            960=tick digest 0-900, 900 s known
            1800=9 pending since 1800
            2700=9 raised at 2700, since 1800
        "#]],
    );
}

#[test]
fn what_comes_late_never_clears() {
    check(
        rule(0, 20),
        "0=9 10=12 15=lost 100=12 15-100=12 105=12 115=12",
        &expect![[r#"
            0=9 raised at 0, since 0
            115=12 cleared at 115, since 0 until 10
        "#]],
    );
}

#[test]
fn water_missing_after_a_recovery_began_begins_the_off_delay_anew() {
    check(
        rule(0, 20),
        "0=9 10=12 15=lost 100=12 40-50=9 115=12 119=12 120=12",
        &expect![[r#"
            0=9 raised at 0, since 0
            120=12 cleared at 120, since 0 until 100
        "#]],
    );
}

#[test]
fn no_recovery_begins_before_water_that_is_known_to_be_missing() {
    // the point at 20 comes when the dip at 40 is known already
    check(
        rule(0, 20),
        "0=9 5=lost 40-50=9 20=12 60=12 79=12 80=12",
        &expect![[r#"
            0=9 raised at 0, since 0
            80=12 cleared at 80, since 0 until 60
        "#]],
    );
}

#[test]
fn late_data_of_a_raised_alarm_move_its_beginning_and_are_no_news() {
    check(
        rule(10, 0),
        "0=12 5=lost 100=9 110=9 20-40=9 60-80=10 70-90=9 120=12 999=tick",
        &expect![[r#"
            100=9 pending since 100
            110=9 raised at 110, since 100
            20-40=9 moved to 20
            120=12 cleared at 120, since 20 until 120
        "#]],
    );
}

#[test]
fn a_correction_changes_nothing() {
    check(
        rule(20, 20),
        "0=9 10=9 0-10=12 20=9 0-20=12 25=12 35=12 25-35=1 45=12",
        &expect![[r#"
            0=9 pending since 0
            20=9 raised at 20, since 0
            45=12 cleared at 45, since 0 until 25
        "#]],
    );
}

#[test]
fn a_point_that_is_not_newer_is_left_out() {
    check(
        rule(10, 0),
        "10=9 5=12 10=12 20=9 15=12 20=12",
        &expect![[r#"
            10=9 pending since 10
            20=9 raised at 20, since 10
        "#]],
    );
}

#[test]
fn late_data_beyond_the_newest_point_wait_for_the_next() {
    check(
        rule(10, 0),
        "0=12 50-60=9 100=9 105=lost 110=9",
        &expect![[r#"
            100=9 raised at 100, since 50
        "#]],
    );
}

#[test]
fn a_rule_that_is_withdrawn_ends_what_it_raised() {
    check(
        rule(10, 10),
        "0=9 10=9 20=withdrawn 30=9 35=withdrawn 40=withdrawn",
        &expect![[r#"
            0=9 pending since 0
            10=9 raised at 10, since 0
            20=withdrawn withdrawn, since 0
            30=9 pending since 30
            35=withdrawn dropped at 30
        "#]],
    );
}

#[test]
fn a_new_version_of_the_rule_holds_from_the_next_point_on() {
    let mut machine = BelowMandate::new(rule(100, 0));
    machine.step(Event::Live(point(0, "9")), at(0));
    let half = Limit { share: decimal("0.5"), ..rule(0, 0).limit };
    assert_eq!(machine.step(Event::Rule(Rule { limit: half, ..rule(10, 0) }), at(5)), []);
    let effects = machine.step(Event::Live(point(10, "9")), at(10));
    assert_eq!(effects, [Effect::Dropped { at: at(10) }]);
}

#[test]
fn every_kept_state_stays_readable() {
    let rule = rule(20, 20);
    let mut machine = BelowMandate::new(rule);
    for word in "0=12 5=lost 100=9 60-80=9 120=9 130=>12 10-40=9 135=lost".split(' ') {
        machine.step(event(word).0, at(130));
    }
    let golden = include_str!("../../../tests/fixtures/alarm/below_mandate_v1.json");
    assert_eq!(machine.snapshot(), golden.trim_end());
    assert_eq!(BelowMandate::restore(golden, rule).unwrap(), machine);
    let later = golden.replace(r#""v":1"#, r#""v":2"#);
    let refused = BelowMandate::restore(&later, rule).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the state of below_mandate has version 2; this program reads up to 1"
    );
}

/// What one second is known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Below,
    Fine,
}

/// The rule as an inspector would read it: a box for each second, gone through from one end to the
/// other for every question. It shares with the machine nothing but the comparison with the limit.
struct Slow {
    rule: Rule,
    /// What each second is known to be; what was written first stands.
    words: Vec<Option<Word>>,
    /// Seconds in which a live value stood that was recovered.
    well: Vec<bool>,
    /// Seconds that came late and were not.
    ill: Vec<bool>,
    /// Seconds of a raised alarm.
    told: Vec<bool>,
    /// The newest live point at the limit or above.
    fine_at: Option<i64>,
    newest: Option<(i64, Standing)>,
    /// When its value stopped standing.
    lost_at: Option<i64>,
    pending: Option<i64>,
    /// When its run began, and its recovery.
    raised: Option<(i64, Option<i64>)>,
    /// When each episode was raised, and whether the one that stands is the third of an hour.
    raises: Vec<i64>,
    chatters: bool,
    log: Vec<String>,
}

const SECONDS: usize = 500;

fn place(second: i64) -> usize {
    usize::try_from(second).unwrap()
}

impl Slow {
    fn new(rule: Rule) -> Self {
        Self {
            rule,
            words: vec![None; SECONDS],
            well: vec![false; SECONDS],
            ill: vec![false; SECONDS],
            told: vec![false; SECONDS],
            fine_at: None,
            newest: None,
            lost_at: None,
            pending: None,
            raised: None,
            raises: Vec::new(),
            chatters: false,
            log: Vec::new(),
        }
    }

    fn step(&mut self, event: &Event) {
        match event {
            Event::Live(point) => self.live(point),
            Event::Lost(at) => {
                let at = second(*at);
                if self.newest.is_some_and(|(newest, _)| at > newest) {
                    self.lost_at = Some(self.lost_at.map_or(at, |lost| lost.min(at)));
                }
            }
            Event::Late(pieces) => {
                for (point, to) in pieces {
                    self.late(point, second(*to));
                }
            }
            Event::Rule(_) | Event::Withdrawn | Event::Tick => {}
        }
        if let Some((began, _)) = self.raised {
            self.tell_from(began);
        }
    }

    fn standing(&self, point: &Point) -> Standing {
        self.rule.limit.standing(point.released, point.bound, point.required)
    }

    fn live(&mut self, point: &Point) {
        let (at, standing) = (second(point.at), self.standing(point));
        if self.newest.is_some_and(|(newest, _)| at <= newest) {
            return;
        }
        self.close(at);
        (self.newest, self.lost_at) = (Some((at, standing)), None);
        match standing {
            Standing::Unknown => return,
            Standing::Below => return self.judge(),
            Standing::Enough | Standing::Recovered => self.fine_at = Some(at),
        }
        if self.pending.take().is_some() {
            self.log.push(format!("dropped at {at}"));
        }
        let Some((began, recovery)) = self.raised else { return };
        if standing == Standing::Enough || self.ill[place(at)..].contains(&true) {
            self.raised = Some((began, None));
            return;
        }
        let since = recovery.unwrap_or(at);
        self.raised = Some((began, Some(since)));
        let well = self.well[place(since)..place(at)].iter().filter(|well| **well).count();
        let hour = if self.chatters { 3_600_000 } else { 0 };
        if i64::try_from(well).unwrap() * 1_000 >= self.rule.off_delay_ms.max(hour) {
            self.tell_from(began);
            self.raised = None;
            self.log.push(format!("cleared at {at}, since {began} until {since}"));
        }
    }

    /// The newest live value stood up to `end`, or to where something newer that came late begins.
    fn close(&mut self, end: i64) {
        let Some((from, standing)) = self.newest else { return };
        let end = self.lost_at.map_or(end, |lost| lost.min(end));
        let begins = |at: &i64| {
            let here = self.words[place(*at)];
            let before =
                at.checked_sub(1).filter(|at| *at >= 0).and_then(|at| self.words[place(at)]);
            here.is_some() && here != before
        };
        let end = (from..end).find(begins).unwrap_or(end);
        let word = match standing {
            Standing::Below => Word::Below,
            Standing::Enough | Standing::Recovered => Word::Fine,
            Standing::Unknown => return,
        };
        for at in from..end {
            self.words[place(at)].get_or_insert(word);
            self.well[place(at)] |= standing == Standing::Recovered;
        }
    }

    fn late(&mut self, point: &Point, to: i64) {
        let (from, standing) = (second(point.at), self.standing(point));
        let word = match standing {
            Standing::Below => Word::Below,
            Standing::Enough | Standing::Recovered => Word::Fine,
            Standing::Unknown => return self.look_again(&[]),
        };
        // of the newest point's second and those in which its value stands, it has the word
        let newest =
            self.newest.filter(|(at, standing)| *standing != Standing::Unknown && from <= *at);
        let mut not_well = Vec::new();
        for at in from..to {
            let is_spoken_of = newest.is_some_and(|(newest, _)| {
                at >= newest && self.lost_at.is_none_or(|lost| at < lost)
            });
            if !is_spoken_of && self.words[place(at)].is_none() {
                self.words[place(at)] = Some(word);
                if standing != Standing::Recovered {
                    not_well.push(at);
                    self.ill[place(at)] = true;
                }
            }
        }
        self.look_again(&not_well);
    }

    fn look_again(&mut self, not_well: &[i64]) {
        let Some((newest, standing)) = self.newest else { return };
        if let Some((began, recovery)) = self.raised {
            let is_shaken = recovery.is_some_and(|since| not_well.iter().any(|at| *at >= since));
            let is_well = standing == Standing::Recovered && not_well.iter().all(|at| *at < newest);
            let recovery = if is_shaken { is_well.then_some(newest) } else { recovery };
            let since = self.fine_at.filter(|fine_at| *fine_at <= began);
            let earlier = self.run(began, since).map(|(earlier, _)| earlier);
            if let Some(earlier) = earlier {
                self.log.push(format!("moved to {earlier}"));
            }
            self.raised = Some((earlier.unwrap_or(began), recovery));
        } else if standing == Standing::Below {
            self.judge();
        }
    }

    /// The run below that ends before `end`: its first second, and how many are known.
    fn run(&self, end: i64, since: Option<i64>) -> Option<(i64, i64)> {
        let mut run = None;
        for at in (since.unwrap_or(0)..end).rev() {
            match self.words[place(at)] {
                None => {}
                Some(Word::Fine) => break,
                Some(Word::Below) => run = Some((at, run.map_or(1, |(_, count)| count + 1))),
            }
        }
        run
    }

    fn judge(&mut self) {
        let Some((newest, _)) = self.newest else { return };
        let (began, count) = self.run(newest, self.fine_at).unwrap_or((newest, 0));
        if let Some((_, recovery)) = &mut self.raised {
            *recovery = None;
        } else if count * 1_000 >= self.rule.on_delay_ms {
            (self.raised, self.pending) = (Some((began, None)), None);
            self.raises.push(newest);
            self.chatters = self.raises.len().is_multiple_of(3);
            let word = if self.chatters { ", chatters" } else { "" };
            self.log.push(format!("raised at {newest}, since {began}{word}"));
        } else if self.pending != Some(began) {
            let word = self.pending.map_or("pending since", |_| "moved to");
            self.log.push(format!("{word} {began}"));
            self.pending = Some(began);
        }
    }

    /// Marks what is below from `began` on, and what touches it before.
    fn tell_from(&mut self, began: i64) {
        let is_below = |at: &i64| self.words[place(*at)] == Some(Word::Below);
        let before: Vec<i64> = (0..began).rev().take_while(is_below).collect();
        let after: Vec<i64> = (began..).take(SECONDS - place(began)).filter(is_below).collect();
        let touches = after.first() == Some(&began);
        for at in after.into_iter().chain(before.into_iter().filter(|_| touches)) {
            self.told[place(at)] = true;
        }
    }

    /// Every run that has ended, was long enough and was never told.
    fn digest(&self) -> Vec<String> {
        let mut runs: Vec<Vec<i64>> = vec![Vec::new()];
        let mut ended = 0;
        for at in 0..i64::try_from(SECONDS).unwrap() {
            let here = self.words[place(at)];
            let goes_on = at > 0 && here.is_some() && self.words[place(at - 1)] == here;
            if here == Some(Word::Fine) || (self.fine_at == Some(at) && !goes_on) {
                ended = runs.len();
                runs.push(Vec::new());
            }
            if here == Some(Word::Below) {
                runs.last_mut().unwrap().push(at);
            }
        }
        let is_told = |run: &Vec<i64>| run.iter().any(|at| self.told[place(*at)]);
        let known_ms = |run: &Vec<i64>| i64::try_from(run.len()).unwrap() * 1_000;
        runs[..ended]
            .iter()
            .filter(|run| {
                !run.is_empty() && !is_told(run) && known_ms(run) >= self.rule.on_delay_ms
            })
            .map(|run| {
                let (first, last) = (run[0], run[run.len() - 1] + 1);
                format!("digest {first}-{last}, {} s known", run.len())
            })
            .collect()
    }
}

/// A history as a list of steps forward.
fn histories() -> impl Strategy<Value = Vec<Event>> {
    let value = (
        prop::sample::select(vec![0_i64, 5, 9, 9, 10, 11, 12, 15]),
        prop::sample::select(vec!["10", "10", "10", "10", "15", "-"]),
        prop::bool::weighted(0.15),
    );
    let step = (0_u8..10, 1_i64..14, value, 0_i64..450, 1_i64..60);
    prop::collection::vec(step, 1..60).prop_map(|steps| {
        let mut now = 15;
        let mut events = Vec::new();
        for (kind, forward, (value, required, is_bound), from, length) in steps {
            let bound = if is_bound { ">" } else { "" };
            let text = format!("{bound}{value}/{required}");
            // mostly what a meter sends; sometimes its past, anywhere up to a little ahead
            match kind {
                0 => events.push(Event::Lost(at(now + forward))),
                1..=3 => {
                    let from = from % (now + 20);
                    let to = (from + length).min(450);
                    events.push(Event::Late(vec![(point(from, &text), at(to.max(from)))]));
                }
                4 => events.push(Event::Live(point(now - forward, &text))),
                _ => {
                    now = (now + forward).min(440);
                    events.push(Event::Live(point(now, &text)));
                }
            }
            if kind == 0 {
                now += forward / 2;
            }
        }
        events
    })
}

fn delays() -> impl Strategy<Value = Rule> {
    (prop::sample::select(vec![0, 3, 10, 25]), prop::sample::select(vec![0, 3, 10, 25]))
        .prop_map(|(on, off)| rule(on, off))
}

/// What the machine says of a history that arrives all at once, and what it hands to the digest
/// an hour later.
fn run(machine: &mut BelowMandate, events: &[Event]) -> Vec<String> {
    let mut lines: Vec<String> = events
        .iter()
        .flat_map(|event| machine.step(event.clone(), at(0)))
        .map(|effect| shown(&effect))
        .collect();
    lines.extend(machine.step(Event::Tick, at(3_600)).iter().map(shown));
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_agrees_with_one_that_counts_seconds(rule in delays(), events in histories()) {
        let mut slow = Slow::new(rule);
        for event in &events {
            slow.step(event);
        }
        let mut expected = slow.log.clone();
        expected.extend(slow.digest());
        prop_assert_eq!(run(&mut BelowMandate::new(rule), &events), expected);
    }
}

proptest! {
    #[test]
    fn raised_and_cleared_take_turns_and_late_data_and_losses_never_clear(
        rule in delays(), events in histories(), withdrawn_at in 0_usize..80,
    ) {
        let mut machine = BelowMandate::new(rule);
        let (mut is_pending, mut is_raised) = (false, false);
        // the beginnings that ids are made of
        let mut begun = Vec::new();
        for (place, event) in events.into_iter().enumerate() {
            let is_live = matches!(event, Event::Live(_));
            let is_loss = matches!(event, Event::Lost(_));
            let mut effects = machine.step(event, at(0));
            prop_assert!(!is_loss || effects.is_empty(), "{:?}", effects);
            if place == withdrawn_at {
                effects.extend(machine.step(Event::Withdrawn, at(0)));
            }
            for effect in effects {
                match effect {
                    Effect::Pending { began_at } => {
                        prop_assert!(!is_pending && !is_raised && begun.last() < Some(&began_at));
                        begun.push(began_at);
                        is_pending = true;
                    }
                    Effect::Raised { began_at, .. } => {
                        prop_assert!(!is_raised);
                        if !is_pending {
                            prop_assert!(begun.last() < Some(&began_at));
                            begun.push(began_at);
                        }
                        (is_pending, is_raised) = (false, true);
                    }
                    Effect::Cleared { began_at, recovered_at, .. } => {
                        prop_assert!(is_raised && is_live && began_at < recovered_at);
                        is_raised = false;
                    }
                    Effect::Dropped { .. } => {
                        prop_assert!(is_pending);
                        is_pending = false;
                    }
                    Effect::Withdrawn { .. } => {
                        prop_assert!(is_raised && place == withdrawn_at);
                        is_raised = false;
                    }
                    Effect::Moved { .. } => prop_assert!(is_pending || is_raised),
                    Effect::Digest(_) => {}
                }
            }
        }
    }

    #[test]
    fn a_restart_between_any_two_events_changes_nothing(
        rule in delays(), events in histories(), cut in 0_usize..60,
    ) {
        let mut whole = BelowMandate::new(rule);
        let expected = run(&mut whole, &events);
        let mut machine = BelowMandate::new(rule);
        let mut lines = Vec::new();
        for (place, event) in events.iter().enumerate() {
            if place == cut {
                machine = BelowMandate::restore(&machine.snapshot(), rule).unwrap();
            }
            lines.extend(machine.step(event.clone(), at(0)).iter().map(shown));
        }
        lines.extend(machine.step(Event::Tick, at(3_600)).iter().map(shown));
        prop_assert_eq!(lines, expected);
    }

    #[test]
    fn a_loss_may_be_told_as_late_as_before_the_next_point(
        rule in delays(), steps in prop::collection::vec((1_i64..20, 1_i64..30, 5_i64..14), 1..30),
    ) {
        // each value stands for `hold` seconds where the next one comes later
        let (mut at_once, mut late) = (BelowMandate::new(rule), BelowMandate::new(rule));
        let (mut said_at_once, mut said_late) = (Vec::new(), Vec::new());
        let (mut now, mut lost) = (0, None);
        for (hold, next, value) in steps {
            let point = point(now, &value.to_string());
            said_late.extend(lost.take().map(|at| late.step(Event::Lost(at), at)).into_iter().flatten());
            said_at_once.extend(at_once.step(Event::Live(point), at(now)));
            said_late.extend(late.step(Event::Live(point), at(now)));
            if hold < next {
                said_at_once.extend(at_once.step(Event::Lost(at(now + hold)), at(now + hold)));
                lost = Some(at(now + hold));
            }
            now += next;
        }
        let alarms = |effects: Vec<Effect>| {
            effects.into_iter().filter(|effect| !matches!(effect, Effect::Digest(_))).collect::<Vec<_>>()
        };
        prop_assert_eq!(alarms(said_at_once), alarms(said_late));
    }

    #[test]
    fn less_water_never_makes_an_alarm_later(
        steps in prop::collection::vec((1_i64..20, 5_i64..14), 1..40), on in 0_i64..60, less in 1_i64..4,
    ) {
        let raised = |fewer: i64| {
            let mut machine = BelowMandate::new(rule(on, 10));
            let mut now = 0;
            steps.iter().find_map(|(next, value)| {
                now += next;
                let point = point(now, &(value - fewer).to_string());
                let effects = machine.step(Event::Live(point), at(now));
                effects.iter().find_map(|effect| match effect {
                    Effect::Raised { point, .. } => Some(point.at),
                    Effect::Pending { .. } | Effect::Moved { .. } | Effect::Dropped { .. }
                    | Effect::Cleared { .. } | Effect::Withdrawn { .. } | Effect::Digest(_) => None,
                })
            })
        };
        if let Some(with_more) = raised(0) {
            prop_assert!(raised(less).is_some_and(|with_less| with_less <= with_more));
        }
    }
}
