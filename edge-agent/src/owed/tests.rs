//! Late answers and copies: by hand, and as any unit may say them.

use proptest::prelude::*;

use super::*;

const UNIT: u8 = 5;
const NOW: Duration = Duration::from_secs(100);
const TIMEOUT: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(1);

fn read(address: u16, count: u16) -> Request {
    Request { table: Table::Holding, address, count, registers: Vec::new() }
}

fn bits(count: u16) -> Request {
    Request { table: Table::Coil, ..read(0, count) }
}

fn none_owed() -> OwedAnswers {
    OwedAnswers::new(TIMEOUT)
}

#[test]
fn a_question_that_an_owed_answer_fits_is_asked_after_one_of_another_length() {
    let mut owed = none_owed();
    assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::Plainly);
    owed.unanswered(UNIT, &read(0, 2), NOW);
    assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::AfterSounding(read(100, 1)));
    owed.unanswered(UNIT, &read(100, 1), NOW);
    let beside = Request { table: Table::Input, ..read(100, 1) };
    assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::AfterSounding(beside.clone()));
    owed.unanswered(UNIT, &beside, NOW);
    assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::AfterSounding(read(100, 3)));
    assert_eq!(owed.ask(UNIT, &read(65_534, 2), 125, NOW), Ask::NotNow);
    assert_eq!(owed.ask(UNIT, &read(0, 4), 125, NOW), Ask::Plainly);
    assert_eq!(owed.ask(UNIT + 1, &read(100, 2), 125, NOW), Ask::Plainly);
    owed.answered(UNIT, &read(100, 3), None, NOW);
    assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::Plainly);
}

#[test]
fn a_table_that_never_answers_is_the_last_to_be_sounded() {
    let mut owed = none_owed();
    let beside = Request { table: Table::Input, ..read(0, 1) };
    let mut now = NOW;
    for _ in 0..MOST_SILENCES {
        now += LATEST + TICK;
        owed.unanswered(UNIT, &read(0, 1), now);
        assert_eq!(owed.ask(UNIT, &read(0, 1), 125, now), Ask::AfterSounding(beside.clone()));
        owed.unanswered(UNIT, &beside, now);
        owed.answered(UNIT, &read(0, 2), None, now);
    }
    owed.unanswered(UNIT, &read(0, 1), now);
    assert_eq!(owed.ask(UNIT, &read(0, 1), 125, now), Ask::AfterSounding(read(0, 2)));
    assert_eq!(owed.ask(UNIT, &read(0, 1), 1, now), Ask::AfterSounding(beside.clone()));
    owed.refused(UNIT, &beside, None, now);
    owed.unanswered(UNIT, &read(0, 1), now);
    assert_eq!(owed.ask(UNIT, &read(0, 1), 125, now), Ask::AfterSounding(beside));
}

#[test]
fn coils_come_in_bytes() {
    let mut owed = none_owed();
    owed.unanswered(UNIT, &bits(12), NOW);
    assert_eq!(owed.ask(UNIT, &bits(9), 2_000, NOW), Ask::AfterSounding(bits(1)));
    owed.unanswered(UNIT, &bits(8), NOW);
    owed.unanswered(UNIT, &Request { table: Table::Discrete, ..bits(1) }, NOW);
    assert_eq!(owed.ask(UNIT, &bits(9), 2_000, NOW), Ask::AfterSounding(bits(17)));
    assert_eq!(owed.ask(UNIT, &bits(9), 16, NOW), Ask::NotNow);
}

#[test]
fn what_is_owed_is_forgotten_when_nobody_answers_so_late() {
    let mut owed = none_owed();
    owed.unanswered(UNIT, &read(0, 2), NOW);
    assert_ne!(owed.ask(UNIT, &read(0, 2), 125, NOW + LATEST), Ask::Plainly);
    assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW + LATEST + TICK), Ask::Plainly);
}

#[test]
fn a_refusal_may_be_the_answer_to_the_oldest() {
    let mut owed = none_owed();
    assert!(!owed.refused(UNIT, &read(0, 2), None, NOW));
    owed.unanswered(UNIT, &read(0, 2), NOW);
    assert!(owed.refused(UNIT, &read(0, 1), None, NOW));
    assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::Plainly);
    assert_eq!(owed.ask(UNIT, &read(9, 2), 125, NOW), Ask::Plainly);
    let beside = Request { table: Table::Input, ..read(0, 1) };
    assert_eq!(owed.ask(UNIT, &read(0, 1), 125, NOW), Ask::AfterSounding(beside));
}

#[test]
fn a_refusal_of_another_table_is_of_no_older_question_and_ends_the_doubt() {
    let mut owed = none_owed();
    owed.unanswered(UNIT, &read(0, 1), NOW);
    let beside = Request { table: Table::Input, ..read(0, 1) };
    assert_eq!(owed.ask(UNIT, &read(0, 1), 125, NOW), Ask::AfterSounding(beside.clone()));
    assert!(!owed.refused(UNIT, &beside, Some(1), NOW));
    assert_eq!(owed.ask(UNIT, &read(0, 1), 125, NOW), Ask::Plainly);
    owed.unanswered(UNIT, &read(0, 1), NOW);
    owed.unanswered(UNIT, &beside, NOW);
    owed.unanswered(UNIT, &read(0, 2), NOW);
    assert!(owed.refused(UNIT, &beside, Some(1), NOW), "of the older one, it may be");
    assert_eq!(owed.ask(UNIT, &read(5, 1), 125, NOW), Ask::Plainly, "asked before that one");
    assert_ne!(owed.ask(UNIT, &read(5, 2), 125, NOW), Ask::Plainly, "asked after it");
}

#[test]
fn a_refusal_like_an_older_one_is_asked_for_again_once() {
    let mut owed = none_owed();
    let refusal = Frame { shape: Shape::refusal(Table::Holding), ..said(&read(0, 2), 7) };
    assert!(!owed.suspects(refusal, &read(0, 2), Some(7), NOW));
    owed.refused(UNIT, &read(0, 2), Some(7), NOW);
    assert!(
        !owed.suspects(Frame { check: 8, ..refusal }, &read(9, 2), Some(8), NOW),
        "another reason"
    );
    assert!(
        !owed.suspects(refusal, &read(9, 2), Some(7), NOW + TIMEOUT + TICK),
        "so late no copy comes"
    );
    assert!(owed.suspects(refusal, &read(9, 2), Some(7), NOW));
    owed.not_believed(UNIT, &read(9, 2), Some(refusal), NOW);
    assert_eq!(owed.ask(UNIT, &read(20, 4), 125, NOW), Ask::In(TIMEOUT), "a copy of it");
    let later = NOW + TIMEOUT;
    assert_eq!(owed.ask(UNIT, &read(9, 2), 125, later), Ask::Longer(read(9, 3)), "or late");
    owed.answered(UNIT, &read(9, 3), Some(5), later);
    owed.refused(UNIT, &read(9, 2), Some(7), later + TIMEOUT);
    owed.told_again(UNIT, &read(9, 2), 7);
    assert!(
        !owed.suspects(refusal, &read(0, 2), Some(7), later + TIMEOUT),
        "they are alike, it seems"
    );
    assert!(owed.suspects(refusal, &read(20, 2), Some(7), later + TIMEOUT), "this one is another");
    assert!(owed.overheard(refusal, later + TIMEOUT, later + TIMEOUT), "nobody asked for that");
}

#[test]
fn a_late_refusal_is_not_said_unasked() {
    let mut owed = none_owed();
    let refusal = Frame { shape: Shape::refusal(Table::Holding), ..said(&read(0, 2), 7) };
    owed.unanswered(UNIT, &read(0, 2), NOW);
    assert!(!owed.overheard(refusal, NOW, NOW));
    let of_another = Frame { shape: Shape::refusal(Table::Input), ..refusal };
    assert!(owed.overheard(of_another, NOW, NOW), "nobody owes that one");
}

#[test]
fn what_was_asked_before_the_start_is_owed_until_something_is_answered() {
    let mut owed = none_owed();
    for address in [0, 100, 200] {
        owed.begun(UNIT, &read(address, 2), NOW);
    }
    assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::AfterSounding(read(100, 1)));
    owed.answered(UNIT, &read(100, 1), Some(7), NOW);
    assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::Plainly);
}

fn said(request: &Request, check: u16) -> Frame {
    Frame { unit: UNIT, shape: shape(request), check }
}

#[test]
fn no_two_answers_of_a_doubted_unit_are_of_one_length_until_a_copy_has_come() {
    let mut owed = none_owed();
    owed.answered(UNIT, &read(0, 2), Some(1), NOW);
    let plainly = Ask::Plainly;
    assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), plainly, "nothing was heard twice");
    assert!(owed.overheard(said(&read(0, 2), 1), NOW, NOW));
    assert!(!owed.overheard(said(&read(0, 2), 1), NOW, NOW), "that is known");
    for count in 3..10 {
        let asked = Request { registers: vec![7], ..read(100, 2) };
        let longer = Request { registers: vec![7], ..read(100, count) };
        assert_eq!(owed.ask(UNIT, &asked, 125, NOW), Ask::Longer(longer));
        owed.answered(UNIT, &read(100, count), None, NOW);
    }
    assert_eq!(owed.ask(UNIT, &read(0, 10), 125, NOW), plainly, "of another length");
    assert_eq!(owed.ask(UNIT + 1, &read(0, 2), 125, NOW), plainly, "of another unit");
    let later = NOW + DOUBT + TICK;
    owed.answered(UNIT, &read(0, 2), None, later);
    assert_eq!(owed.ask(UNIT, &read(100, 2), 125, later), plainly);
    assert!(owed.overheard(said(&read(0, 2), 1), later, later));
    assert_eq!(owed.ask(UNIT, &read(0, 2), 125, later), Ask::Longer(read(0, 3)), "once more");
}

#[test]
fn where_no_longer_read_is_given_a_copy_is_waited_for() {
    let mut owed = none_owed();
    owed.answered(UNIT, &read(0, 2), Some(1), NOW);
    owed.overheard(said(&read(0, 2), 1), NOW, NOW);
    assert_eq!(owed.ask(UNIT, &read(0, 2), 2, NOW), Ask::In(TIMEOUT), "there is none");
    assert_eq!(owed.ask(UNIT, &read(0, 2), 2, NOW + TICK), Ask::In(TIMEOUT.abs_diff(TICK)));
    assert_eq!(owed.ask(UNIT, &read(0, 2), 2, NOW + TIMEOUT), Ask::Plainly);
    owed.answered(UNIT, &read(0, 3), None, NOW);
    owed.longer(UNIT, (Table::Holding, 3), Longer::Refused, NOW);
    assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::Longer(read(0, 4)));
    for outcome in [Longer::Silent, Longer::Answered, Longer::Silent, Longer::Silent] {
        owed.longer(UNIT, (Table::Holding, 2), outcome, NOW);
        assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::Longer(read(0, 4)));
    }
    owed.longer(UNIT, (Table::Holding, 2), Longer::Silent, NOW);
    assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::In(TIMEOUT));
}

#[test]
fn an_answer_that_looks_like_an_older_one_is_asked_for_again_once() {
    let mut owed = none_owed();
    let suspects = |owed: &mut OwedAnswers, request: &Request, check, now| {
        owed.suspects(said(request, check), request, Some(check), now)
    };
    assert!(!suspects(&mut owed, &read(0, 2), 7, NOW));
    owed.answered(UNIT, &read(0, 2), Some(7), NOW);
    let later = NOW + TIMEOUT + TICK;
    assert!(!suspects(&mut owed, &read(9, 2), 7, later), "so late no copy comes");
    assert!(!suspects(&mut owed, &read(9, 2), 8, NOW), "of other bytes");
    assert!(!suspects(&mut owed, &read(9, 1), 7, NOW), "of another length");
    assert!(!owed.suspects(
        Frame { unit: UNIT + 1, ..said(&read(9, 2), 7) },
        &read(9, 2),
        Some(7),
        NOW
    ));
    assert!(suspects(&mut owed, &read(9, 2), 7, NOW));
    owed.not_believed(UNIT, &read(9, 2), None, NOW);
    assert_eq!(owed.ask(UNIT, &read(9, 2), 125, NOW), Ask::Longer(read(9, 3)));
    assert_eq!(owed.ask(UNIT, &read(9, 2), 2, NOW), Ask::AfterSounding(read(9, 1)));
    owed.answered(UNIT, &read(9, 1), Some(7), NOW);
    assert_eq!(owed.ask(UNIT, &read(9, 2), 2, NOW), Ask::In(2 * TIMEOUT));
    owed.told_again(UNIT, &read(9, 2), 7);
    let later = NOW + 2 * TIMEOUT + TICK;
    owed.answered(UNIT, &read(0, 2), Some(7), later);
    assert!(!suspects(&mut owed, &read(9, 2), 7, later), "they are alike, it seems");
    assert_eq!(owed.ask(UNIT, &read(9, 2), 125, later), Ask::Plainly);
    owed.answered(UNIT, &read(9, 2), Some(8), later);
    assert!(!suspects(&mut owed, &read(0, 2), 8, later), "whatever both of them hold");
    assert!(suspects(&mut owed, &read(20, 2), 8, later), "this one is another");
}

#[test]
fn where_the_second_answer_is_another_the_first_may_have_been_a_copy() {
    let mut owed = none_owed();
    let mut now = NOW;
    for number in (0..).step_by(2).take(MOST_ALIKE) {
        owed.answered(UNIT, &read(0, 2), Some(number), now);
        assert!(
            owed.suspects(said(&read(0, 2), number), &read(0, 2), Some(number), now),
            "{number}"
        );
        owed.not_believed(UNIT, &read(0, 2), None, now);
        owed.answered(UNIT, &read(0, 3), Some(5), now);
        owed.told_again(UNIT, &read(0, 3), number + 1);
        now += 3 * TIMEOUT;
    }
    owed.answered(UNIT, &read(0, 2), Some(99), now);
    assert!(!owed.suspects(said(&read(0, 2), 99), &read(0, 2), Some(99), now), "it is just so");
}

#[test]
fn a_copy_takes_its_time_whatever_the_time_out() {
    let suspects = |timeout: Duration, after: Duration| {
        let mut owed = OwedAnswers::new(timeout);
        owed.answered(UNIT, &read(0, 2), Some(7), NOW);
        owed.suspects(said(&read(9, 2), 7), &read(9, 2), Some(7), NOW + after)
    };
    assert!(suspects(Duration::from_millis(100), LEAST_PATIENCE));
    assert!(!suspects(Duration::from_millis(100), LEAST_PATIENCE + TICK));
    assert!(suspects(TIMEOUT, TIMEOUT));
    assert!(!suspects(TIMEOUT, TIMEOUT + TICK));
}

#[test]
fn a_unit_of_many_like_registers_is_suspected_a_few_times_a_day() {
    let mut owed = none_owed();
    let mut suspects = |now: Duration| {
        let reads = (0..50).map(|address| read(address * 2, 2));
        let suspected = reads.filter(|read| {
            let suspected = owed.suspects(said(read, 7), read, Some(7), now);
            owed.answered(UNIT, read, Some(7), now);
            owed.told_again(UNIT, read, 7);
            suspected
        });
        suspected.count()
    };
    assert_eq!(suspects(NOW), MOST_ALIKE);
    assert_eq!(suspects(NOW + TRUST), 0);
    assert_eq!(suspects(NOW + TRUST + TIMEOUT), MOST_ALIKE);
}

#[test]
fn a_table_that_gives_no_more_says_nothing_of_the_others() {
    let mut owed = none_owed();
    let input = Request { table: Table::Input, ..read(0, 2) };
    owed.overheard(said(&read(0, 9), 1), NOW, NOW);
    for request in [&read(0, 2), &input] {
        owed.answered(UNIT, request, Some(1), NOW);
    }
    owed.longer(UNIT, (Table::Holding, 1), Longer::Refused, NOW);
    assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::In(TIMEOUT));
    let longer = Request { count: 3, ..input.clone() };
    assert_eq!(owed.ask(UNIT, &input, 125, NOW), Ask::Longer(longer));
}

#[test]
fn who_comes_after_all_that_waiting_is_waited_for_longer() {
    let mut owed = none_owed();
    let seconds = Duration::from_secs;
    let waits = |owed: &mut OwedAnswers, now| {
        let ask = owed.ask(UNIT, &read(0, 2), 2, now);
        if let Ask::In(wait) = ask { wait } else { panic!("{ask:?}") }
    };
    // copies of what had been said when the doubt arose
    owed.answered(UNIT, &read(0, 2), Some(2), NOW);
    owed.overheard(said(&read(0, 2), 1), NOW, NOW);
    owed.overheard(said(&read(0, 2), 2), NOW + TIMEOUT, NOW + TIMEOUT);
    let ask = owed.ask(UNIT, &read(0, 2), 2, NOW + TIMEOUT);
    assert_eq!(ask, Ask::Plainly, "they come within its patience, all of them");
    for (now, patience) in [(3, 2), (4, 2), (6, 4), (11, 8), (20, 10), (40, 10)] {
        let now = NOW + seconds(now);
        owed.answered(UNIT, &read(0, 2), Some(3), now);
        owed.overheard(said(&read(0, 2), 3), now, now);
        owed.overheard(said(&read(0, 2), 4), now, now);
        assert_eq!(waits(&mut owed, now), seconds(patience), "{now:?}");
    }
}

#[test]
fn a_copy_that_is_seen_to_take_longer_is_waited_for() {
    let waits = |since: Duration| {
        let mut owed = none_owed();
        owed.answered(UNIT, &read(0, 2), Some(7), NOW);
        let now = NOW + since + TIMEOUT;
        owed.overheard(said(&read(0, 2), 7), NOW + since, now);
        owed.answered(UNIT, &read(0, 2), Some(8), now);
        owed.ask(UNIT, &read(0, 2), 2, now)
    };
    let seconds = Duration::from_secs;
    assert_eq!(waits(Duration::ZERO), Ask::In(TIMEOUT), "it may have come at once");
    assert_eq!(waits(TIMEOUT), Ask::In(TIMEOUT));
    assert_eq!(waits(seconds(2)), Ask::In(seconds(4)));
    assert_eq!(waits(MOST_PATIENCE), Ask::In(MOST_PATIENCE));
    assert_eq!(waits(MOST_PATIENCE + TICK), Ask::In(TIMEOUT), "so late no copy comes");
}

/// A repeater says everything twice, and two registers hold the same.
#[test]
fn registers_of_a_doubted_unit_that_are_alike_are_asked_for_again_twice_and_no_more() {
    let mut owed = none_owed();
    owed.overheard(said(&read(0, 9), 1), NOW, NOW);
    owed.answered(UNIT, &read(0, 2), Some(7), NOW);
    let mut now = NOW + TIMEOUT;
    let suspects = |owed: &mut OwedAnswers, now| {
        owed.suspects(said(&read(20, 2), 7), &read(20, 2), Some(7), now)
    };
    for _ in 0..MOST_COPIES {
        assert!(suspects(&mut owed, now));
        owed.not_believed(UNIT, &read(20, 2), None, now);
        let copied_at = now + TIMEOUT;
        owed.overheard(said(&read(20, 2), 7), copied_at, copied_at);
        now += 2 * TIMEOUT;
        owed.answered(UNIT, &read(20, 1), Some(3), now);
    }
    assert!(!suspects(&mut owed, now), "it is just so");
    owed.answered(UNIT, &read(20, 2), Some(7), now);
    owed.told_again(UNIT, &read(20, 2), 7);
    assert_eq!(owed.ask(UNIT, &read(20, 2), 2, now), Ask::In(TIMEOUT), "no patience was lost");
    now += 2 * TIMEOUT;
    assert!(!suspects(&mut owed, now), "nor is it, for a day");
}

/// However it looked like an older answer.
#[test]
fn a_copy_of_what_was_not_believed_is_as_old_as_that() {
    let mut owed = none_owed();
    owed.overheard(said(&read(0, 9), 1), NOW, NOW);
    owed.answered(UNIT, &read(0, 2), Some(7), NOW);
    let now = NOW + TIMEOUT;
    let heard = said(&read(20, 2), 7);
    assert!(owed.suspects(heard, &read(20, 2), Some(7), now));
    owed.not_believed(UNIT, &read(20, 2), Some(heard), now);
    owed.answered(UNIT, &read(20, 1), Some(3), now);
    let later = now + TIMEOUT / 2;
    owed.overheard(heard, later, later);
    owed.answered(UNIT, &read(20, 3), Some(4), later);
    assert_eq!(owed.ask(UNIT, &read(20, 3), 3, later), Ask::In(TIMEOUT));
}

/// Refusals of another table are as good as values: what is older has passed.
#[test]
fn a_sounding_that_another_table_refuses_says_nothing_of_what_was_not_believed() {
    let mut owed = none_owed();
    let beside = Request { table: Table::Input, ..read(9, 1) };
    owed.answered(UNIT, &read(0, 1), Some(7), NOW);
    assert!(owed.suspects(said(&read(9, 1), 7), &read(9, 1), Some(7), NOW));
    owed.not_believed(UNIT, &read(9, 1), None, NOW);
    assert_eq!(owed.ask(UNIT, &read(9, 1), 1, NOW), Ask::AfterSounding(beside.clone()));
    owed.refused(UNIT, &beside, Some(3), NOW);
    let now = NOW + 3 * TIMEOUT;
    assert_eq!(owed.ask(UNIT, &read(9, 1), 1, now), Ask::Plainly);
    owed.answered(UNIT, &read(9, 1), Some(7), now);
    owed.told_again(UNIT, &read(9, 1), 7);
    owed.answered(UNIT, &read(0, 1), Some(7), now);
    assert!(!owed.suspects(said(&read(9, 1), 7), &read(9, 1), Some(7), now), "they are alike");
}

/// What is suspected may have been a longer read: what tells of it is what the question's own addresses say.
#[test]
fn what_is_alike_in_a_longer_read_is_alike_in_another_length_too() {
    for (again, is_alike) in [(5, true), (6, false)] {
        let mut owed = none_owed();
        owed.overheard(said(&read(0, 9), 1), NOW, NOW);
        owed.answered(UNIT, &read(0, 3), Some(7), NOW);
        let now = NOW + TIMEOUT;
        assert!(owed.suspects(said(&read(20, 3), 7), &read(20, 3), Some(5), now));
        owed.not_believed(UNIT, &read(20, 3), None, now);
        owed.answered(UNIT, &read(20, 4), Some(9), now);
        owed.told_again(UNIT, &read(20, 4), again);
        let now = now + 2 * TIMEOUT;
        let suspects = owed.suspects(said(&read(20, 3), 7), &read(20, 3), Some(again), now);
        assert_eq!(suspects, !is_alike);
    }
}

/// Copies of a doubted unit may take longer than any did yet.
#[test]
fn what_looks_like_what_a_doubted_unit_said_of_another_read_is_asked_for_again() {
    let mut owed = none_owed();
    owed.answered(UNIT, &read(0, 2), Some(7), NOW);
    owed.overheard(said(&read(0, 9), 1), NOW, NOW);
    let now = NOW + MOST_PATIENCE;
    let suspects = |owed: &mut OwedAnswers, address, check, now| {
        let asked = read(address, 2);
        owed.suspects(said(&asked, check), &asked, Some(check), now)
    };
    assert!(!suspects(&mut owed, 0, 7, now), "a register that stays as it is");
    assert!(!suspects(&mut owed, 20, 8, now), "of other bytes");
    assert!(!suspects(&mut owed, 20, 7, now + TICK), "so late no copy comes");
    assert!(suspects(&mut owed, 20, 7, now));
    owed.not_believed(UNIT, &read(20, 2), None, now);
    owed.told_again(UNIT, &read(20, 2), 8);
    owed.answered(UNIT, &read(20, 2), Some(8), now);
    assert_eq!(owed.ask(UNIT, &read(20, 2), 2, now), Ask::In(2 * TIMEOUT));
    assert!(suspects(&mut owed, 40, 8, now));
    owed.told_again(UNIT, &read(40, 2), 8);
    assert!(!suspects(&mut owed, 40, 8, now), "they are alike, it seems");
    let refusal = Frame { shape: Shape::refusal(Table::Holding), ..said(&read(0, 2), 3) };
    owed.refused(UNIT, &read(0, 2), Some(3), now);
    assert!(!owed.suspects(refusal, &read(20, 2), Some(3), now), "refusals are alike");
}

/// A unit may stay without an answer, or refuse, before what is asked again is answered.
#[test]
fn what_is_answered_late_when_asked_again_is_as_good_as_what_is_answered_at_once() {
    let beside = Request { table: Table::Input, ..read(50, 1) };
    let heard = said(&read(50, 1), 7);
    let mut owed = none_owed();
    owed.answered(UNIT, &read(0, 1), Some(7), NOW);
    assert!(owed.suspects(heard, &read(50, 1), Some(7), NOW));
    owed.not_believed(UNIT, &read(50, 1), Some(heard), NOW);
    assert_eq!(owed.ask(UNIT, &read(50, 1), 125, NOW), Ask::Longer(read(50, 2)));
    owed.refused(UNIT, &read(50, 2), Some(3), NOW);
    owed.longer(UNIT, (Table::Holding, 1), Longer::Refused, NOW);
    let mut now = NOW + TIMEOUT;
    assert_eq!(owed.ask(UNIT, &read(50, 1), 1, now), Ask::AfterSounding(beside.clone()));
    owed.refused(UNIT, &beside, Some(4), now);
    now += 2 * TIMEOUT;
    assert_eq!(owed.ask(UNIT, &read(50, 1), 1, now), Ask::Plainly);
    owed.answered(UNIT, &read(50, 1), Some(7), now);
    owed.told_again(UNIT, &read(50, 1), 7);
    now += 2 * TIMEOUT;
    owed.answered(UNIT, &read(0, 1), Some(7), now);
    assert!(!owed.suspects(heard, &read(50, 1), Some(7), now), "they are alike, it seems");
}

/// Two registers hold the same, each read by itself, and nothing else is ever answered: there is no
/// way to ask again but to ask in the next poll, where it looks just so.
#[test]
fn what_can_never_be_asked_again_is_suspected_a_few_times_a_day() {
    let mut owed = none_owed();
    let heard = said(&read(20, 1), 7);
    let suspected = (0_u32..100).filter(|poll| {
        let now = NOW + Duration::from_mins(1) * *poll;
        assert_eq!(owed.ask(UNIT, &read(0, 1), 1, now), Ask::Plainly);
        owed.answered(UNIT, &read(0, 1), Some(7), now);
        assert_eq!(owed.ask(UNIT, &read(20, 1), 1, now), Ask::Plainly);
        let is_suspected = owed.suspects(heard, &read(20, 1), Some(7), now);
        if is_suspected {
            owed.not_believed(UNIT, &read(20, 1), Some(heard), now);
            let beside = Request { table: Table::Input, ..read(20, 1) };
            owed.unanswered(UNIT, &beside, now + TIMEOUT);
        } else {
            owed.answered(UNIT, &read(20, 1), Some(7), now);
            owed.told_again(UNIT, &read(20, 1), 7);
        }
        is_suspected
    });
    assert_eq!(suspected.count(), MOST_ALIKE);
}

/// Copies are counted of one question that is asked again, and not of a day.
#[test]
fn what_was_told_from_an_older_answer_is_suspected_again() {
    let mut owed = none_owed();
    owed.overheard(said(&read(0, 9), 1), NOW, NOW);
    owed.answered(UNIT, &read(0, 2), Some(7), NOW);
    let heard = said(&read(20, 2), 7);
    let mut now = NOW + TIMEOUT;
    for _ in 0..MOST_COPIES {
        assert!(owed.suspects(heard, &read(20, 2), Some(7), now));
        owed.not_believed(UNIT, &read(20, 2), Some(heard), now);
        owed.unanswered(UNIT, &read(20, 1), now);
        now += 2 * TIMEOUT;
    }
    owed.answered(UNIT, &read(20, 2), Some(8), now);
    owed.told_again(UNIT, &read(20, 2), 8);
    now += DOUBT / 2;
    owed.answered(UNIT, &read(0, 2), Some(7), now);
    assert!(owed.suspects(heard, &read(20, 2), Some(7), now + 2 * TIMEOUT));
}

const SHORT_TIMEOUT: Duration = Duration::from_millis(100);

/// It was heard, though in the place of another.
#[test]
fn a_copy_of_what_came_in_the_place_of_another_is_asked_for_again() {
    let mut owed = OwedAnswers::new(SHORT_TIMEOUT);
    let late = said(&read(0, 2), 7);
    owed.unanswered(UNIT, &read(0, 2), NOW);
    let now = NOW + SHORT_TIMEOUT;
    assert_eq!(owed.ask(UNIT, &read(20, 2), 125, now), Ask::AfterSounding(read(20, 1)));
    owed.answered_another(late, &read(20, 1), now);
    let now = now + SHORT_TIMEOUT;
    assert_eq!(owed.ask(UNIT, &read(20, 2), 125, now), Ask::Plainly);
    assert!(owed.suspects(said(&read(20, 2), 7), &read(20, 2), Some(7), now));
}

/// A copy of what is long over says nothing of what is owed.
#[test]
fn what_nobody_owes_leaves_everything_owed() {
    let mut owed = OwedAnswers::new(SHORT_TIMEOUT);
    let older = said(&read(50, 3), 9);
    owed.answered(UNIT, &read(50, 3), Some(9), NOW);
    owed.answered_another(older, &read(0, 2), NOW);
    let now = NOW + SHORT_TIMEOUT;
    assert_eq!(owed.ask(UNIT, &read(20, 2), 125, now), Ask::AfterSounding(read(20, 1)));
    owed.answered_another(older, &read(20, 1), now);
    assert_ne!(owed.ask(UNIT, &read(20, 2), 125, now), Ask::Plainly);
    owed.answered_another(said(&read(0, 2), 5), &read(20, 3), now);
    assert_eq!(owed.ask(UNIT, &read(20, 2), 125, now), Ask::Plainly, "that one has come");
    assert_ne!(owed.ask(UNIT, &read(20, 1), 1, now), Ask::Plainly, "what was asked later has not");
    owed.answered_another(said(&read(0, 2), 5), &read(40, 2), now);
    assert_ne!(owed.ask(UNIT, &read(40, 2), 125, now), Ask::Plainly, "a copy of that one");
}

/// Two registers hold the same, and it changes before they are asked again.
#[test]
fn what_has_changed_when_asked_again_costs_no_patience() {
    let mut owed = none_owed();
    owed.overheard(said(&read(0, 9), 1), NOW, NOW);
    let mut now = NOW;
    for number in 0..4 {
        owed.answered(UNIT, &read(0, 2), Some(number), now);
        now += TIMEOUT;
        let heard = said(&read(20, 2), number);
        assert!(owed.suspects(heard, &read(20, 2), Some(number), now));
        owed.not_believed(UNIT, &read(20, 2), Some(heard), now);
        owed.answered(UNIT, &read(20, 1), Some(3), now);
        now += 2 * TIMEOUT;
        owed.answered(UNIT, &read(20, 2), Some(50 + number), now);
        owed.told_again(UNIT, &read(20, 2), 50 + number);
        assert_eq!(owed.ask(UNIT, &read(40, 2), 2, now), Ask::In(TIMEOUT), "{number}");
        now += 10 * TIMEOUT;
    }
}

/// It may have been switched off, or questions got lost.
#[test]
fn a_longer_read_that_was_not_given_is_tried_again_after_an_hour() {
    let mut owed = none_owed();
    let asked_at = |owed: &mut OwedAnswers, now| {
        owed.overheard(said(&read(0, 9), 1), now, now);
        for count in [2, 3] {
            owed.answered(UNIT, &read(0, count), Some(1), now);
        }
        owed.ask(UNIT, &read(0, 2), 125, now)
    };
    assert_eq!(asked_at(&mut owed, NOW), Ask::Longer(read(0, 4)));
    owed.longer(UNIT, (Table::Holding, 2), Longer::Refused, NOW);
    assert_eq!(asked_at(&mut owed, NOW), Ask::In(TIMEOUT));
    let later = NOW + DOUBT;
    owed.longer(UNIT, (Table::Holding, 1), Longer::Answered, later);
    assert_eq!(asked_at(&mut owed, later), Ask::In(TIMEOUT));
    assert_eq!(asked_at(&mut owed, later + TICK), Ask::Longer(read(0, 4)));
}

#[test]
fn patience_ends_with_the_doubt() {
    let mut owed = none_owed();
    owed.overheard(said(&read(0, 9), 1), NOW, NOW);
    owed.answered(UNIT, &read(0, 2), Some(7), NOW);
    let late = NOW + 8 * TIMEOUT;
    owed.overheard(said(&read(0, 2), 7), late, late);
    owed.answered(UNIT, &read(0, 2), Some(8), late);
    assert_eq!(owed.ask(UNIT, &read(20, 2), 2, late), Ask::In(MOST_PATIENCE));
    let later = late + DOUBT + TICK;
    owed.answered(UNIT, &read(0, 2), Some(7), later);
    let asked = read(20, 2);
    let suspects =
        |owed: &mut OwedAnswers, now| owed.suspects(said(&asked, 7), &asked, Some(7), now);
    assert!(!suspects(&mut owed, later + TIMEOUT + TICK), "so late no first copy comes");
    owed.overheard(said(&read(0, 9), 2), later, later);
    assert_eq!(owed.ask(UNIT, &asked, 2, later), Ask::In(TIMEOUT), "a new doubt begins anew");
}

#[test]
fn a_late_answer_is_not_said_unasked() {
    let mut owed = none_owed();
    owed.unanswered(UNIT, &read(0, 2), NOW);
    assert!(!owed.overheard(said(&read(0, 2), 1), NOW, NOW));
    owed.answered(UNIT, &read(0, 1), None, NOW);
    assert_eq!(owed.ask(UNIT, &read(100, 1), 125, NOW), Ask::Plainly);
    owed.unanswered(UNIT, &read(0, 2), NOW);
    assert!(owed.overheard(said(&read(0, 3), 1), NOW, NOW), "nobody owes that one");
}

/// A refused question may have been refused by a copy: its answer is still to come then.
#[test]
fn what_a_doubted_unit_refused_it_may_answer() {
    let mut owed = none_owed();
    owed.overheard(said(&read(0, 9), 1), NOW, NOW);
    assert!(!owed.refused(UNIT, &read(0, 2), None, NOW));
    assert_eq!(owed.ask(UNIT, &read(100, 4), 125, NOW), Ask::In(TIMEOUT), "a copy of it");
    let later = NOW + TIMEOUT;
    assert_eq!(owed.ask(UNIT, &read(100, 4), 125, later), Ask::Plainly);
    assert_eq!(owed.ask(UNIT, &read(100, 2), 125, later), Ask::Longer(read(100, 3)));
    assert_eq!(owed.ask(UNIT, &read(100, 2), 2, later), Ask::In(TIMEOUT));
    assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW + 2 * TIMEOUT), Ask::Plainly);
}

/// A question and what a unit makes of it; times in milliseconds.
#[derive(Debug, Clone)]
struct Turn {
    table: Table,
    address: u16,
    count: u16,
    /// Before it is asked.
    pause: u64,
    manner: Manner,
    /// From the question, or the last answer, to this one.
    after: u64,
    /// From the answer to each of its copies.
    copies: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Answers,
    Refuses,
    Never,
}

/// Something on the line.
#[derive(Debug, Clone)]
struct Word {
    at: Duration,
    request: Request,
    is_refusal: bool,
    number: u16,
}

impl Word {
    /// Refusals are all alike.
    fn frame(&self) -> Frame {
        let frame = said(&self.request, self.number);
        let refusal = Frame { shape: Shape::refusal(self.request.table), check: 0, ..frame };
        if self.is_refusal { refusal } else { frame }
    }

    /// What it tells of the question itself, in whose place one with so many more was asked.
    fn own_check(&self, wanted: &Request, more: u16) -> Option<u16> {
        match (more, self.is_refusal) {
            (0, _) => Some(self.frame().check),
            (_, true) => None,
            (_, false) => Some(said(wanted, self.number).check),
        }
    }
}

/// Answers come `latest` at most after those before them, each with so many copies at most, which
/// come within the time-out.
fn turns(latest: u64, copies: usize) -> impl Strategy<Value = Vec<Turn>> {
    turns_with(latest, (copies, 1_000))
}

/// The same with copies that come within so much time.
fn turns_with(latest: u64, (copies, within): (usize, u64)) -> impl Strategy<Value = Vec<Turn>> {
    let manner = prop_oneof![
        6 => Just(Manner::Answers),
        1 => Just(Manner::Refuses),
        1 => Just(Manner::Never),
    ];
    let copies = prop::collection::vec(0..within, 0..=copies);
    let pauses = prop_oneof![3 => 0_u64..100, 1 => 0_u64..5_000];
    let after = prop_oneof![3 => 0_u64..150, 1 => 0..latest];
    let tables = prop_oneof![4 => Just(Table::Holding), 1 => Just(Table::Input)];
    let turn = (tables, 0_u16..4, 1_u16..4, pauses, manner, after, copies);
    let turn = turn.prop_map(|(table, address, count, pause, manner, after, copies)| Turn {
        table,
        address: address * 10,
        count,
        pause,
        manner,
        after,
        copies,
    });
    prop::collection::vec(turn, 1..60)
}

/// A unit, the line to it, and who polls it.
struct Scene {
    owed: OwedAnswers,
    timeout: Duration,
    now: Duration,
    /// When the unit has answered all that it was asked.
    free_at: Duration,
    /// Not heard yet, in the order in which it comes.
    line: Vec<Word>,
    /// Up to when everything was heard.
    noted_at: Duration,
}

impl Scene {
    /// What is asked for `wanted`, and whether that is a sounding.
    fn ask(&mut self, wanted: &Request, longest: u16) -> Option<(Request, bool)> {
        match self.owed.ask(UNIT, wanted, longest, self.now) {
            Ask::Plainly => Some((wanted.clone(), false)),
            Ask::Longer(longer) => Some((longer, false)),
            Ask::AfterSounding(sounding) => Some((sounding, true)),
            Ask::NotNow => None,
            Ask::In(wait) => {
                self.now += wait;
                self.ask(wanted, longest)
            }
        }
    }

    /// What waits is looked at before the next question; whether a doubt arises by it.
    fn overhear(&mut self) -> bool {
        let late = self.line.partition_point(|word| word.at <= self.now);
        let mut is_new = false;
        for word in self.line.drain(..late) {
            is_new |= self.owed.overheard(word.frame(), self.noted_at, self.now);
        }
        is_new
    }

    fn answer(&mut self, turn: &Turn, number: u16, asked: &Request) {
        let answered_at = self.free_at.max(self.now) + Duration::from_millis(turn.after);
        if turn.manner == Manner::Never || answered_at >= self.now + LATEST {
            return;
        }
        self.free_at = answered_at;
        self.line.extend([0].iter().chain(&turn.copies).map(|copy| Word {
            at: answered_at + Duration::from_millis(*copy),
            request: asked.clone(),
            is_refusal: turn.manner == Manner::Refuses,
            number,
        }));
        self.line.sort_by_key(|word| word.at);
    }

    /// What is heard in place of an answer, and what is passed over.
    fn hear(&mut self, asked: &Request) -> (Option<Word>, Vec<Word>) {
        let (until, mut passed) = (self.now + self.timeout, Vec::new());
        while self.line.first().is_some_and(|word| word.at <= until) {
            let word = self.line.remove(0);
            self.now = self.now.max(word.at);
            let wanted = self.owed.wanted(UNIT, asked, self.now);
            let told = word.frame().shape;
            let is_taken = |wanted: Shape| [wanted, Shape::refusal(wanted.table)].contains(&told);
            if wanted.is_none_or(is_taken) {
                return (Some(word), passed);
            }
            passed.push(word);
        }
        self.now = until;
        (None, passed)
    }
}

/// What it does with addresses that are none of its registers'.
#[derive(Debug, Clone, Copy)]
struct Map {
    timeout: Duration,
    longest: u16,
    /// Behind them.
    manner: Manner,
    /// In the other table.
    beside: Manner,
}

const MANNERS: [Manner; 3] = [Manner::Answers, Manner::Never, Manner::Refuses];

impl Map {
    /// What it does with what is asked in place of what is wanted, and what it would do with that.
    fn manner_of(self, manner: Manner, wanted: &Request, asked: &Request) -> Manner {
        match manner {
            Manner::Answers if asked.table != wanted.table => self.beside,
            Manner::Answers if asked.count > wanted.count => self.manner,
            Manner::Answers | Manner::Refuses | Manner::Never => manner,
        }
    }
}

fn maps() -> impl Strategy<Value = Map> {
    let manner = || prop::sample::select(MANNERS.to_vec());
    let map = (3_u16..125, manner(), manner());
    map.prop_map(|(longest, manner, beside)| Map { timeout: TIMEOUT, longest, manner, beside })
}

/// Whether it is believed though it is like what was said within a time-out.
fn is_trusted(owed: &OwedAnswers, heard: Frame, now: Duration) -> bool {
    let unit = owed.units.get(&UNIT).unwrap();
    let is_alike = |said: &Said| {
        (said.shape, said.check) == (heard.shape, Some(heard.check))
            && now.saturating_sub(said.at) <= unit.patience
    };
    !unit.was_unasked(now) && unit.said.iter().any(is_alike)
}

fn tell_again(owed: &mut OwedAnswers, asked: &Request, own: Option<u16>) {
    if let Some(check) = own {
        owed.told_again(UNIT, asked, check);
    }
}

fn outcome(told: Option<&Word>) -> Longer {
    match told {
        Some(word) if word.is_refusal => Longer::Refused,
        Some(_) => Longer::Answered,
        None => Longer::Silent,
    }
}

/// How many values there were, and whether each refusal was of the question that it was taken for.
struct Polled {
    values: usize,
    is_refused_rightly: bool,
    /// Whether each value was said in answer to its question, not to one like it.
    is_fresh: bool,
}

/// Polls a unit that does this; each value is what was asked for, and is said in answer to that.
fn poll(turns: Vec<Turn>, map: Map, is_doubted: bool) -> Result<Polled, TestCaseError> {
    let polled = poll_stale(turns, map, is_doubted)?;
    prop_assert!(polled.is_fresh);
    Ok(polled)
}

/// Polls a unit that does this until a copy of an earlier answer to the same question is believed;
/// each value is what was asked for.
fn poll_stale(turns: Vec<Turn>, map: Map, is_doubted: bool) -> Result<Polled, TestCaseError> {
    let timeout = map.timeout;
    let owed = OwedAnswers::new(timeout);
    let mut scene =
        Scene { owed, timeout, now: NOW, free_at: NOW, line: Vec::new(), noted_at: NOW };
    if is_doubted {
        scene.owed.overheard(said(&read(0, 9), 0), NOW, NOW);
    }
    let mut polled = Polled { values: 0, is_refused_rightly: true, is_fresh: true };
    let mut again = None;
    for (mut turn, number) in turns.into_iter().zip(0_u16..) {
        // what is not believed is asked for again at once
        let is_again = again.is_some();
        let asked = || Request { table: turn.table, ..read(turn.address, turn.count) };
        let wanted = again.take().unwrap_or_else(asked);
        scene.now += Duration::from_millis(if is_again { 0 } else { turn.pause });
        let Some((asked, is_sounding)) = scene.ask(&wanted, map.longest) else { continue };
        let more = asked.count.saturating_sub(wanted.count);
        turn.manner = map.manner_of(turn.manner, &wanted, &asked);
        let mut is_doubtful = scene.overhear();
        scene.answer(&turn, number, &asked);
        let put_at = scene.now;
        let (heard, passed) = scene.hear(&asked);
        scene.noted_at = scene.now;
        let Scene { owed, now, .. } = &mut scene;
        for word in passed {
            is_doubtful |= owed.overheard(word.frame(), put_at, *now);
        }
        let heard = heard.map(|word| (word.frame(), word));
        let told = heard.as_ref().filter(|(frame, _)| shape(&asked).may_be(frame.shape));
        let own = told.filter(|_| !is_sounding).and_then(|(_, word)| word.own_check(&wanted, more));
        if let Some((frame, _)) = told {
            is_doubtful |= owed.suspects(*frame, &asked, own, *now);
            if !is_doubtful && frame.shape.is_refusal() && is_trusted(owed, *frame, *now) {
                break; // of refusals that are alike only the first few are asked for again
            }
        }
        if more > 0 && !is_sounding && !is_doubtful {
            owed.longer(UNIT, (asked.table, more), outcome(told.map(|(_, word)| word)), *now);
        }
        match (told, &heard) {
            (Some((frame, _)), _) if is_doubtful => {
                owed.not_believed(UNIT, &asked, Some(*frame), *now);
                again = Some(wanted);
            }
            (Some((frame, word)), _) if word.is_refusal => {
                let is_unclear = owed.refused(UNIT, &asked, Some(frame.check), *now);
                polled.is_refused_rightly &= is_unclear || word.number == number;
                tell_again(owed, &asked, own.filter(|_| !is_unclear));
            }
            (Some((frame, word)), _) => {
                owed.answered(UNIT, &asked, Some(frame.check), *now);
                tell_again(owed, &asked, own);
                prop_assert_eq!(&word.request, &asked);
                polled.is_fresh &= word.number == number;
                polled.values += usize::from(!is_sounding);
                if !polled.is_fresh {
                    break;
                }
            }
            (None, Some((frame, _))) => {
                owed.answered_another(*frame, &asked, *now);
                *now += timeout;
            }
            (None, None) => {
                owed.unanswered(UNIT, &asked, *now);
                *now += timeout;
            }
        }
    }
    Ok(polled)
}

/// Those that an earlier version believed.
#[test]
fn two_lines_with_copies_and_not_one_is_believed() {
    let turn = |count, pause, after, copies: &[u64]| Turn {
        table: Table::Holding,
        address: 0,
        count,
        pause,
        manner: Manner::Answers,
        after,
        copies: copies.to_vec(),
    };
    let one = [turn(1, 0, 0, &[6]), turn(1, 0, 0, &[60]), turn(1, 0, 6, &[])];
    let another = [
        turn(2, 0, 0, &[618]),
        turn(3, 0, 117, &[0]),
        turn(2, 458, 48, &[996]),
        turn(2, 0, 1, &[]),
    ];
    for (turns, is_doubted) in
        [(&one[..], false), (&one, true), (&another, false), (&another, true)]
    {
        for manner in MANNERS {
            let map = Map { timeout: TIMEOUT, longest: 3, manner, beside: manner };
            poll(turns.to_vec(), map, is_doubted).unwrap();
        }
    }
}

proptest! {
    /// What is believed is the answer to what was asked, however late a unit is.
    #[test]
    fn no_late_answer_is_believed(turns in turns(8_000, 0), map in maps()) {
        poll(turns, map, false)?;
    }

    /// Nor is a copy, once a unit was heard to say things twice, whenever it comes within the
    /// time-out; and no value is lost by it.
    #[test]
    fn no_copy_is_believed(turns in turns(150, 3), map in maps()) {
        let answers = turns.iter().filter(|turn| turn.manner == Manner::Answers).count();
        let has_refusals = turns.iter().any(|turn| turn.manner == Manner::Refuses);
        let is_lossless = !has_refusals && map.longest >= 30 && map.manner == Manner::Answers;
        let Polled { values, is_refused_rightly, .. } = poll(turns, map, true)?;
        prop_assert!(is_refused_rightly);
        prop_assert!(!is_lossless || values * 2 >= answers, "{values} of {answers}");
    }

    /// Nor is the first copy ever, of answers that differ or of one of the first refusals.
    #[test]
    fn no_first_copy_is_believed(turns in turns(150, 3), map in maps()) {
        let answers = turns.into_iter().filter(|turn| turn.manner != Manner::Never);
        prop_assert!(poll(answers.collect(), map, false)?.is_refused_rightly);
    }

    /// Nor is the first copy of a unit that answers late as well.
    #[test]
    fn no_first_copy_of_a_late_unit_is_believed(
        turns in turns(3_000, 2),
        map in maps(),
    ) {
        let answers = turns.into_iter().filter(|turn| turn.manner != Manner::Never);
        poll(answers.collect(), map, false)?;
    }

    /// Nor is what comes both late and twice.
    #[test]
    fn no_copy_of_a_late_answer_is_believed(turns in turns(8_000, 2), map in maps()) {
        poll(turns, map, true)?;
    }

    /// Nor is one that takes longer than any did yet, but for one of the same question.
    #[test]
    fn no_copy_that_takes_longer_is_believed(
        turns in turns_with(150, (2, 9_000)),
        map in maps(),
    ) {
        let answers = turns.into_iter().filter(|turn| turn.manner != Manner::Refuses);
        poll_stale(answers.collect(), map, true)?;
    }

    /// Nor is the first copy of a late unit where the time-out is shorter than copies take.
    #[test]
    fn no_first_copy_that_outlasts_the_time_out_is_believed(
        turns in turns_with(400, (2, 250)),
        map in maps(),
    ) {
        let answers = turns.into_iter().filter(|turn| turn.manner == Manner::Answers);
        poll_stale(answers.collect(), Map { timeout: SHORT_TIMEOUT, ..map }, false)?;
    }
}
