//! A series is the same however its samples come, and says of every moment what stood, or that
//! nothing did.

use model::{quality::Quality, quantity::Decimal, sample::QcFlags, time::Zone};
use proptest::prelude::*;

use super::{
    cause::{Cause, OfAgent},
    chart::Bucket,
    demand::Demand,
    *,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::clamped(seconds * 1_000)
}

fn span(from: i64, to: i64) -> Span {
    Span { from: at(from), to: at(to) }
}

fn always() -> Span {
    Span { from: Timestamp::MIN, to: Timestamp::MAX }
}

/// A source with a value every so many seconds.
fn source(seconds: i64) -> Source {
    Source { interval_ms: seconds * 1_000, in_force: always() }
}

/// `at:value` in seconds; `at!` is a time-out, `at?value` out of range.
fn samples(text: &str) -> Vec<Sample> {
    let sample = |word: &str| {
        let mark = word.find([':', '!', '?']).and_then(|place| word.get(place..=place)).unwrap();
        let (seconds, value) = word.split_once(mark).unwrap();
        let quality = if mark == "!" { Quality::TIMEOUT } else { Quality::GOOD };
        let qc = if mark == "?" { QcFlags::RANGE } else { QcFlags::NONE };
        Sample { at: at(seconds.parse().unwrap()), value: value.parse().ok(), quality, qc }
    };
    text.split_whitespace().map(sample).collect()
}

fn grid(from: i64, to: i64, step: i64) -> Grid {
    Grid { from: at(from), to: at(to), step_ms: step * 1_000 }
}

fn nothing_known() -> Causes {
    Causes::new(10_000, Timestamp::MIN, OfAgent::default())
}

fn required(flow: i64) -> Vec<Demanded> {
    let demand = Demand {
        required: Flow::from_ml_per_s(flow),
        factor: Decimal { units: 1, decimals: 0 },
        document: "D".to_owned(),
        rule: "r".to_owned(),
    };
    vec![Demanded { span: always(), demand: Some(demand) }]
}

/// The series of whole sources.
fn series(
    subject: Subject,
    sources: &[(Source, Vec<Sample>)],
    causes: Causes,
    grid: Grid,
) -> Finished {
    let all = sources.iter().map(|(source, _)| source.clone()).collect();
    let mut series = Series::new(subject, all, causes, grid);
    for (number, (_, samples)) in sources.iter().enumerate() {
        series.take(number, samples, grid.to);
    }
    assert_eq!(series.wants(), None);
    series.finish()
}

fn shown(finished: &Finished) -> String {
    let bucket = |bucket: &Bucket| {
        let (least, most) = bucket.range.unwrap_or((-1, -1));
        let mean = bucket.mean().unwrap_or(-1);
        format!("{least}/{mean}/{most} held {}", bucket.held_ms / 1_000)
    };
    let mut lines: Vec<String> = finished.buckets.iter().map(bucket).collect();
    lines.extend(finished.gaps.iter().map(|gap| {
        let (because, reason) = gap.cause.words();
        let reason = reason.unwrap_or_default();
        format!("gap {}–{} {because} {reason}", gap.from_ms / 1_000, gap.to_ms / 1_000)
    }));
    lines.extend(finished.breaches.iter().map(|breach| {
        let (from, to) = (breach.from_ms / 1_000, breach.to_ms / 1_000);
        format!("breach {from}–{to} lowest {}", breach.lowest)
    }));
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_value_weighs_as_long_as_it_holds_and_then_there_is_a_gap() {
    let samples = samples("-5:4 10:-8 40:6");
    let finished =
        series(Subject::Gauge, &[(source(10), samples)], nothing_known(), grid(0, 90, 30));
    expect_test::expect![[r#"
        -8/-4/4 held 30
        -8/3/6 held 25
        6/6/6 held 5
        gap 35–40 unknown
        gap 65–90 unknown"#]]
    .assert_eq(&shown(&finished));
}

#[test]
fn a_gap_says_why_as_far_as_anybody_knows() {
    let samples = samples("0:5 20! 30! 65?99");
    let lost = vec![(span(50, 60), model::batch::GapReason::DiskFull)];
    let causes = Causes::new(
        10_000,
        Timestamp::MIN,
        OfAgent { lost, queued_from: at(100), ..OfAgent::default() },
    );
    let finished = series(Subject::Gauge, &[(source(10), samples)], causes, grid(0, 120, 60));
    expect_test::expect![[r#"
        5/5/5 held 25
        -1/-1/-1 held 0
        gap 25–55 defect timeout
        gap 55–60 lost disk_full
        gap 60–65 unknown
        gap 65–90 defect range
        gap 90–100 unknown
        gap 100–120 queued"#]]
    .assert_eq(&shown(&finished));
    assert_eq!(finished.buckets.iter().map(|bucket| bucket.doubted).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn what_lies_before_the_first_sample_is_not_missing() {
    let told = |begun, of_agent| {
        let causes = Causes::new(10_000, begun, of_agent);
        let sources = [(source(10), samples("100:5"))];
        let finished = series(Subject::Gauge, &sources, causes, grid(0, 200, 200));
        shown(&finished).lines().skip(1).collect::<Vec<_>>().join("\n")
    };
    let whole = OfAgent { whole: vec![span(0, 200)], ..OfAgent::default() };
    assert_eq!(told(at(100), OfAgent::default()), "gap 0–100 before\ngap 125–200 unknown");
    // its agent was there already and read nothing of it
    assert_eq!(told(at(100), whole), "gap 0–100 before\ngap 125–200 unread");
    // there is an earlier one, of another source or before the grid
    assert_eq!(
        told(at(40), OfAgent::default()),
        "gap 0–40 before\ngap 40–100 unknown\ngap 125–200 unknown"
    );
    // nothing ever came: what the agent says of it is said
    let offline = OfAgent { offline_from: at(150), queued_from: at(180), ..OfAgent::default() };
    let causes = Causes::new(10_000, Timestamp::MAX, offline);
    let finished = series(Subject::Gauge, &[(source(10), Vec::new())], causes, grid(0, 200, 200));
    let lines = shown(&finished);
    assert!(
        lines.ends_with("gap 0–150 before\ngap 150–180 offline\ngap 180–200 queued"),
        "{lines}"
    );
}

#[test]
fn what_an_agent_did_not_read_is_told_from_what_it_could_not_send() {
    let told = |of_agent: OfAgent| {
        let samples = samples("0:5 100:5 110! 200:5");
        let causes = Causes::new(10_000, Timestamp::MIN, of_agent);
        let finished = series(Subject::Gauge, &[(source(10), samples)], causes, grid(0, 300, 300));
        let lines = shown(&finished);
        lines.lines().skip(1).collect::<Vec<_>>().join("\n")
    };
    // it was off, and is offline since
    let of_agent =
        OfAgent { whole: vec![span(50, 200)], offline_from: at(200), ..OfAgent::default() };
    expect_test::expect![[r#"
        gap 25–50 unknown
        gap 50–100 unread
        gap 125–135 defect timeout
        gap 135–200 unread
        gap 225–300 offline"#]]
    .assert_eq(&told(of_agent));
    // what may come is no reason to say that it was never read
    let whole = vec![span(0, 300)];
    let of_agent =
        OfAgent { whole, queued_from: at(150), offline_from: at(0), ..OfAgent::default() };
    expect_test::expect![[r#"
        gap 25–100 unread
        gap 125–135 defect timeout
        gap 135–150 unread
        gap 150–200 queued
        gap 225–300 queued"#]]
    .assert_eq(&told(of_agent));
}

#[test]
fn outlets_add_up_and_a_breach_is_where_all_of_them_are_known_and_let_out_too_little() {
    let outlets =
        [(source(10), samples("0:3 10:3 20:1 30:1 40:4 50:4")), (source(20), samples("0:2 40:2"))];
    let finished =
        series(Subject::Released(required(5)), &outlets, nothing_known(), grid(0, 60, 20));
    expect_test::expect![[r#"
        5/5/5 held 20
        3/3/3 held 20
        6/6/6 held 20
        breach 20–40 lowest 3"#]]
    .assert_eq(&shown(&finished));
    assert_eq!(finished.breaches[0].deficit_m3().unwrap().to_string(), "0");
}

#[test]
fn a_stale_value_is_drawn_as_it_was_measured_and_what_a_verdict_counts_stands_beside_it() {
    let outlets = [(source(10), samples("0:9"))];
    let demanded =
        series(Subject::Released(required(5)), &outlets, nothing_known(), grid(0, 30, 30));
    // nobody measured the 5 that are credited after ten seconds
    assert_eq!(demanded.buckets[0].range, Some((9, 9)));
    assert_eq!((demanded.buckets[0].mean(), demanded.buckets[0].held_ms), (Some(9), 25_000));
    assert_eq!(demanded.buckets[0].credited(), Some(6)); // 9 for ten seconds, 5 for fifteen
    assert_eq!((demanded.gaps.len(), demanded.gaps[0].from_ms), (1, 25_000));
    // a value below what is required is what it is, stale or not
    let low = [(source(10), samples("0:3"))];
    let low = series(Subject::Released(required(5)), &low, nothing_known(), grid(0, 30, 30));
    assert_eq!((low.buckets[0].range, low.buckets[0].credited()), (Some((3, 3)), None));
    let free = Subject::Released(vec![Demanded { span: always(), demand: None }]);
    let free = series(free, &outlets, nothing_known(), grid(0, 30, 30));
    assert_eq!((free.buckets[0].range, free.breaches.len()), (Some((9, 9)), 0));
    assert_eq!(free.buckets[0].credited(), None);
}

#[test]
fn beside_a_missing_outlet_a_verdict_counts_no_stale_value_where_another_is_fresh() {
    let outlets = [
        (source(10), samples("0:3000")),
        (source(30), samples("0:4000")),
        (source(10), samples("")),
    ];
    let series =
        series(Subject::Released(required(5_000)), &outlets, nothing_known(), grid(0, 30, 30));
    let bucket = &series.buckets[0];
    // 7,000 for 25 seconds, then 4,000; counted are 7,000 for the ten in which the first is fresh
    assert_eq!((bucket.mean(), bucket.credited()), (Some(6_500), Some(5_000)));
}

#[test]
fn a_mean_never_seems_to_reach_what_it_does_not() {
    // ten seconds of a day at a little less
    let mut samples = samples("0:1200000 70:1199999 80:1200000");
    let steady = samples[0];
    samples.extend((9..8_640).map(|n| Sample { at: at(n * 10), ..steady }));
    samples.extend((1..7).map(|n| Sample { at: at(n * 10), ..steady }));
    samples.sort_unstable_by_key(|sample| sample.at);
    let outlets = [(source(10), samples)];
    let finished = series(
        Subject::Released(required(1_200_000)),
        &outlets,
        nothing_known(),
        grid(0, 86_400, 86_400),
    );
    assert_eq!(finished.buckets[0].mean(), Some(1_199_999));
}

#[test]
fn a_section_without_outlets_is_one_gap() {
    let finished = series(Subject::Released(required(5)), &[], nothing_known(), grid(0, 60, 20));
    assert_eq!(finished.gaps.len(), 1);
    assert_eq!((finished.gaps[0].from_ms, finished.gaps[0].to_ms), (0, 60_000));
}

/// Samples of a source, a second apart or more, good ones and others.
fn any_samples() -> impl Strategy<Value = Vec<Sample>> {
    let sample = (1_i64..40, -20_i64..100, 0_u8..5);
    proptest::collection::vec(sample, 0..40).prop_map(|steps| {
        let mut seconds = -60;
        let sample = |(step, value, sort): (i64, i64, u8)| {
            seconds += step;
            let at = at(seconds);
            let (value, quality, qc) = match sort {
                0 => (None, Quality::TIMEOUT, QcFlags::NONE),
                1 => (Some(value), Quality::GOOD, QcFlags::RANGE),
                _ => (Some(value), Quality::GOOD, QcFlags::NONE),
            };
            Sample { at, value, quality, qc }
        };
        steps.into_iter().map(sample).collect()
    })
}

#[derive(Debug, Clone)]
struct Case {
    is_gauge: bool,
    sources: Vec<(Source, Vec<Sample>)>,
    grid: Grid,
    lost: Option<Span>,
    whole: Option<Span>,
    queued_from: Timestamp,
    offline_from: Timestamp,
    demands: Vec<Demanded>,
}

impl Case {
    fn subject(&self) -> Subject {
        if self.is_gauge { Subject::Gauge } else { Subject::Released(self.demands.clone()) }
    }

    fn causes(&self) -> Causes {
        let lost = self.lost.map(|span| (span, model::batch::GapReason::Overwritten));
        let lost = lost.into_iter().collect();
        let whole = self.whole.into_iter().collect();
        let (queued_from, offline_from) = (self.queued_from, self.offline_from);
        Causes::new(10_000, Timestamp::MIN, OfAgent { lost, queued_from, whole, offline_from })
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let source =
        (2_i64..30, any_samples()).prop_map(|(interval, samples)| (source(interval), samples));
    let sources = proptest::collection::vec(source, 1..4);
    let times = (0_i64..50, 50_i64..400, 1_i64..60);
    let stretch = || proptest::option::of((0_i64..300, 1_i64..100));
    let of_agent = (stretch(), stretch(), 0_i64..500, 0_i64..500);
    let demands = proptest::collection::vec((proptest::option::of(0_i64..80), 20_i64..200), 1..4);
    (any::<bool>(), sources, times, of_agent, demands).prop_map(
        |(is_gauge, mut sources, (from, to, step), (lost, whole, queued, offline), steps)| {
            if is_gauge {
                sources.truncate(1);
            }
            let mut begin = 0;
            let mut demands: Vec<Demanded> = Vec::new();
            for (flow, length) in steps {
                let demand = flow.map(|flow| required(flow).remove(0).demand.unwrap());
                demands.push(Demanded { span: span(begin, begin + length), demand });
                begin += length;
            }
            if let Some(last) = demands.last_mut() {
                last.span.to = Timestamp::MAX;
            }
            let [lost, whole] = [lost, whole]
                .map(|stretch| stretch.map(|(begin, length)| span(begin, begin + length)));
            let grid = grid(from, to, step);
            let (queued_from, offline_from) = (at(queued), at(offline));
            Case { is_gauge, sources, grid, lost, whole, queued_from, offline_from, demands }
        },
    )
}

proptest! {
    #[test]
    fn any_split_of_the_samples_gives_the_same_series(
        case in cases(), cuts in proptest::collection::vec((0_usize..3, 1_i64..60), 0..60),
    ) {
        let whole = series(case.subject(), &case.sources, case.causes(), case.grid);
        let sources = case.sources.iter().map(|(source, _)| source.clone()).collect();
        let mut pieces = Series::new(case.subject(), sources, case.causes(), case.grid);
        let mut come = vec![at(-100); case.sources.len()];
        let mut take = |pieces: &mut Series, number: usize, until: Timestamp| {
            let from = come[number];
            let (_, samples) = &case.sources[number];
            let within = samples.iter().filter(|sample| from <= sample.at && sample.at < until);
            pieces.take(number, &within.copied().collect::<Vec<_>>(), until);
            come[number] = until;
        };
        let mut until = vec![-100_i64; case.sources.len()];
        for (number, step) in cuts {
            let number = number % case.sources.len();
            until[number] += step;
            take(&mut pieces, number, at(until[number]).min(case.grid.to));
        }
        while let Some(number) = pieces.wants() {
            take(&mut pieces, number, case.grid.to);
        }
        prop_assert_eq!(pieces.finish(), whole);
    }

    #[test]
    fn whatever_does_not_stand_is_a_gap_and_a_mean_lies_within_what_stood(case in cases()) {
        let finished = series(case.subject(), &case.sources, case.causes(), case.grid);
        prop_assert_eq!(finished.gaps_left_off, 0);
        prop_assert!(finished.gaps.windows(2).all(|pair| pair[0].to_ms <= pair[1].from_ms));
        for (place, bucket) in (0_i64..).zip(&finished.buckets) {
            let from = case.grid.from.as_ms() + place * case.grid.step_ms;
            let to = case.grid.end_of(from);
            let within = |(begin, end): (i64, i64)| (end.min(to) - begin.max(from)).max(0);
            let missing: i64 = finished.gaps.iter().map(|gap| within((gap.from_ms, gap.to_ms))).sum();
            prop_assert_eq!(bucket.held_ms + missing, to - from);
            prop_assert!(bucket.covered_ms <= bucket.whole_ms && bucket.whole_ms <= bucket.held_ms);
            prop_assert_eq!(bucket.range.is_some(), bucket.held_ms > 0);
            if let (Some((least, most)), Some(mean)) = (bucket.range, bucket.mean()) {
                prop_assert!(least <= mean && mean <= most);
                prop_assert!(bucket.credited().is_none_or(|credited| credited <= mean));
            }
        }
    }

    #[test]
    fn a_gauge_is_what_its_last_good_sample_says_while_that_holds(case in cases()) {
        let (source, samples) = &case.sources[0];
        let one = [(source.clone(), samples.clone())];
        let finished = series(Subject::Gauge, &one, case.causes(), case.grid);
        // half a second by half a second, as somebody would with a pencil
        for (place, bucket) in (0_i64..).zip(&finished.buckets) {
            let from = case.grid.from.as_ms() + place * case.grid.step_ms;
            let (mut held, mut sum, mut range) = (0, 0, None);
            for moment in (from..case.grid.end_of(from)).step_by(500) {
                let mut good = samples.iter().filter(|sample| sample.is_good());
                let last = good.rfind(|sample| sample.at.as_ms() <= moment);
                let Some(last) = last.filter(|last| moment - last.at.as_ms() < hold_ms(source.interval_ms)) else {
                    continue;
                };
                let value = last.value.unwrap();
                held += 500;
                sum += i128::from(value) * 500;
                let (least, most) = range.unwrap_or((value, value));
                range = Some((value.min(least), value.max(most)));
            }
            prop_assert_eq!((bucket.held_ms, bucket.range), (held, range));
            let mean = (held > 0).then(|| i64::try_from(sum.div_euclid(i128::from(held))).unwrap());
            prop_assert_eq!(bucket.mean(), mean);
        }
    }
}

#[test]
fn the_zone_has_no_part_in_what_stood() {
    let zone = Zone::named("Asia/Shanghai").unwrap();
    let grid = Grid::of(span(0, 3_600), 60, &zone, Timestamp::MAX);
    let finished = series(Subject::Gauge, &[(source(60), samples("0:1"))], nothing_known(), grid);
    assert_eq!(finished.buckets.len(), 60);
    assert!(matches!(finished.gaps[0].cause, Cause::Unknown));
}
