//! What the page shows, in both languages; `UPDATE_EXPECT=1 cargo test -p dashboards` writes the
//! golden files again.

use expect_test::{ExpectFile, expect_file};
use model::{contact::Personal, ids::AlarmId};
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    format!("2026-11-26T{text}:00+08:00").parse().unwrap()
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Nobody has taken it on yet.
pub(crate) fn breach() -> LinkView {
    LinkView {
        alarm: AlarmId(0x1fdd_2eb4_eab7_5fea_bebb_4930_0c04_ad90),
        version: 2,
        state: AlarmState::Unacknowledged,
        severity: Severity::Orange,
        is_drill: false,
        chatters: false,
        station: "云杉峡一级水电站(示例)".to_owned(),
        station_id: "BF-620721-01".parse().unwrap(),
        zone: Zone::named("Asia/Shanghai").unwrap(),
        locale: Locale::Chinese,
        concern: Concern::BelowMandate {
            section: None,
            released: Some(ShownFlow {
                value: decimal("0.612"),
                is_at_least: false,
                at: at("14:35"),
            }),
            required: Some(decimal("0.800")),
        },
        began_at: at("13:50"),
        raised_at: at("14:00"),
        ended: None,
        taken_on: None,
        may_acknowledge: true,
    }
}

fn recovered() -> Ended {
    Ended { at: at("15:02"), because: AlarmEnd::Recovered }
}

fn silent() -> LinkView {
    let gauge = "release-meter".parse().unwrap();
    let concern = Concern::NoData { gauge };
    LinkView { concern, severity: Severity::Yellow, is_drill: true, ..breach() }
}

fn taken() -> LinkView {
    let person = Personal::new("张工 <b>&\"'".to_owned());
    LinkView {
        version: 3,
        state: AlarmState::Acknowledged,
        station: "<script>alert(1)</script>".to_owned(),
        concern: Concern::BelowMandate {
            section: Some("tail".parse().unwrap()),
            released: Some(ShownFlow {
                value: decimal("0.7996"),
                is_at_least: true,
                at: at("14:35"),
            }),
            required: Some(decimal("0.8000")),
        },
        taken_on: Some(TakenOn { by: TakenBy::Person(person), at: at("14:36") }),
        may_acknowledge: false,
        ..breach()
    }
}

fn closed() -> LinkView {
    LinkView {
        version: 4,
        state: AlarmState::Normal,
        concern: Concern::BelowMandate {
            section: None,
            released: Some(ShownFlow {
                value: decimal("0.843"),
                is_at_least: false,
                at: at("15:02"),
            }),
            required: Some(decimal("0.800")),
        },
        ended: Some(recovered()),
        taken_on: Some(TakenOn { by: TakenBy::Recipient, at: at("14:36") }),
        may_acknowledge: false,
        ..breach()
    }
}

fn shown(view: &LinkView, said: Option<Phrase>, locale: Locale) -> String {
    html(view, said, locale, at("15:10"))
}

fn check(view: &LinkView, said: Option<Phrase>, expected: [ExpectFile; 2]) {
    for (locale, expected) in [Locale::Chinese, Locale::English].into_iter().zip(expected) {
        let page = shown(view, said, locale);
        assert!(page.len() <= 14 << 10, "{} bytes", page.len());
        expected.assert_eq(&(page.replace("><", ">\n<") + "\n"));
    }
}

#[test]
fn what_matters_is_there_with_one_button_and_nothing_from_elsewhere() {
    check(
        &breach(),
        None,
        [expect_file!["../golden/breach_zh.html"], expect_file!["../golden/breach_en.html"]],
    );
    let page = shown(&breach(), None, Locale::Chinese);
    for word in ["http:", "https:", "//", "src=", "<script", "<img", "<link"] {
        assert!(!page.contains(word), "{word}");
    }
    assert_eq!(page.matches("<button").count(), 1);
}

#[test]
fn a_drill_and_a_silent_gauge_are_told() {
    check(
        &silent(),
        None,
        [expect_file!["../golden/silent_zh.html"], expect_file!["../golden/silent_en.html"]],
    );
}

#[test]
fn who_was_first_is_named_and_no_name_becomes_markup() {
    check(
        &taken(),
        said_of(Acknowledged::Elsewhere),
        [expect_file!["../golden/taken_zh.html"], expect_file!["../golden/taken_en.html"]],
    );
}

#[test]
fn what_is_closed_says_so_and_asks_for_nothing() {
    check(
        &closed(),
        None,
        [expect_file!["../golden/closed_zh.html"], expect_file!["../golden/closed_en.html"]],
    );
}

#[test]
fn there_is_a_button_while_this_link_may_take_it_on_and_a_reason_else() {
    let button = |view: &LinkView, said| shown(view, said, Locale::Chinese).contains("<button");
    let says = |view: &LinkView, said, phrase: Phrase| {
        shown(view, said, Locale::Chinese).matches(phrase.in_language(Locale::Chinese)).count()
    };
    let past =
        LinkView { state: AlarmState::ClearedUnacknowledged, ended: Some(recovered()), ..breach() };
    assert!(button(&past, None));
    assert!(button(&breach(), Some(Phrase::HasChanged)));
    assert!(!button(&breach(), Some(Phrase::ClickKept)));
    let old = LinkView { may_acknowledge: false, ..breach() };
    let superseded = LinkView { state: AlarmState::Normal, may_acknowledge: false, ..past };
    for (view, said, phrase) in [
        (&old, None, Phrase::LinkTooOld),
        (&old, said_of(Acknowledged::TooLate), Phrase::LinkTooOld),
        (&superseded, None, Phrase::ClosedNote),
        (&superseded, said_of(Acknowledged::Over), Phrase::ClosedNote),
    ] {
        assert!(!button(view, said));
        assert_eq!(says(view, said, phrase), 1, "{said:?} {phrase:?}");
    }
}

#[test]
fn one_that_is_past_says_when_and_what_it_came_to() {
    let heading = |because, concern: Concern| {
        let view = LinkView { concern, ended: Some(Ended { because, ..recovered() }), ..breach() };
        let shown = Shown { view: &view, locale: Locale::English, now: at("15:10") };
        shown.past_words(view.ended.unwrap())
    };
    let flow = |value: &str, required: Option<&str>| Concern::BelowMandate {
        section: None,
        released: Some(ShownFlow { value: decimal(value), is_at_least: false, at: at("15:02") }),
        required: required.map(decimal),
    };
    let silent = silent().concern;
    for (because, concern, words) in [
        (
            AlarmEnd::Recovered,
            flow("0.843", Some("0.800")),
            "● Enough has been released again since 2026-11-26 15:02",
        ),
        (
            AlarmEnd::Recovered,
            flow("0.612", Some("0.800")),
            "● What the rule asks for has been released since 2026-11-26 15:02, which is still below the mandate",
        ),
        (
            AlarmEnd::Recovered,
            flow("0.1", None),
            "● Over since 2026-11-26 15:02: nothing is mandated now, 0.1 m³/s is released",
        ),
        (AlarmEnd::Recovered, silent.clone(), "● Data have been back since 2026-11-26 15:02"),
        (
            AlarmEnd::RuleWithdrawn,
            silent.clone(),
            "● Over since 2026-11-26 15:02: the alarm rule was withdrawn",
        ),
        (AlarmEnd::StationLeft, silent, "● Not watched since 2026-11-26 15:02: station left"),
    ] {
        assert_eq!(heading(because, concern), words);
    }
}

#[test]
fn less_than_a_minute_is_told_in_seconds() {
    let lasted = |ms, locale| {
        let view = breach();
        Shown { view: &view, locale, now: view.began_at }.length(ms)
    };
    let lengths = [0, 59_999, 60_000, 3_599_999, 3_600_000];
    let chinese = lengths.map(|ms| lasted(ms, Locale::Chinese));
    assert_eq!(chinese, ["0 秒", "59 秒", "1 分钟", "59 分钟", "1 小时 0 分"]);
    assert_eq!(lasted(35_000, Locale::English), "35 s");
}

#[test]
fn one_whose_value_is_back_does_not_say_that_it_is_below() {
    let of = |released: &str, required: Option<&str>, ended| {
        let concern = Concern::BelowMandate {
            section: None,
            released: Some(ShownFlow {
                value: decimal(released),
                is_at_least: released.starts_with('9'),
                at: at("15:09"),
            }),
            required: required.map(decimal),
        };
        let page = shown(&LinkView { concern, ended, ..breach() }, None, Locale::Chinese);
        let said = [
            Phrase::TooLittle,
            Phrase::BackAbove,
            Phrase::BackUnmandated,
            Phrase::BackNote,
            Phrase::PastRecovered,
        ];
        said.into_iter()
            .filter(|phrase| {
                let words = phrase.in_language(Locale::Chinese);
                page.contains(words.split('{').next().unwrap())
            })
            .collect::<Vec<_>>()
    };
    let back = [Phrase::BackAbove, Phrase::BackNote];
    assert_eq!(of("0.799", Some("0.800"), None), [Phrase::TooLittle]);
    assert_eq!(of("0.800", Some("0.800"), None), back);
    assert_eq!(of("9.1", Some("0.800"), None), back);
    assert_eq!(of("0.1", None, None), [Phrase::BackUnmandated, Phrase::BackNote]);
    assert_eq!(of("0.843", Some("0.800"), Some(recovered())), [Phrase::PastRecovered]);
}

#[test]
fn one_that_comes_and_goes_says_so_while_it_stands() {
    let words = Phrase::ChattersNote.in_language(Locale::Chinese);
    let again = LinkView { chatters: true, ..breach() };
    assert!(shown(&again, None, Locale::Chinese).contains(words));
    assert!(!shown(&breach(), None, Locale::Chinese).contains(words));
    let over = LinkView { ended: Some(recovered()), ..again };
    assert!(!shown(&over, None, Locale::Chinese).contains(words));
}

#[test]
fn a_length_is_hours_and_minutes() {
    let view = breach();
    let shown = Shown { view: &view, locale: Locale::English, now: at("15:10") };
    for (minutes, words) in [(-5, "0 s"), (59, "59 min"), (60, "1 h 0 min"), (1_501, "25 h 1 min")]
    {
        assert_eq!(shown.length(minutes * 60_000 + 59_000 * i64::from(minutes > 0)), words);
    }
}

#[test]
fn the_style_that_a_browser_accepts_is_the_one_that_is_there() {
    use sha2::{Digest as _, Sha256};

    let page = shown(&breach(), None, Locale::Chinese);
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = format!("'sha256-{}'", base_64(&Sha256::digest(style)));
    assert!(super::super::POLICY.contains(&hash), "{hash}");
}

fn base_64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |group: &[u8], place: u32| {
        let bits = group.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        let bits = bits << (8 * (3 - u32::try_from(group.len()).unwrap()));
        let is_there = usize::try_from(place).unwrap() <= group.len();
        let five = usize::try_from((bits >> (18 - 6 * place)) & 63).unwrap();
        if is_there { char::from(DIGITS[five]) } else { '=' }
    };
    bytes.chunks(3).flat_map(|group| (0..4).map(move |place| digit(group, place))).collect()
}

proptest! {
    #[test]
    fn whatever_people_are_called_the_page_has_the_same_markup(name in ".{0,60}") {
        let plain = LinkView { station: "x".to_owned(), ..taken() };
        let named = LinkView {
            station: name.clone(),
            taken_on: Some(TakenOn { by: TakenBy::Person(Personal::new(name)), at: at("14:36") }),
            ..taken()
        };
        let tags = |view: &LinkView| shown(view, None, Locale::English).matches(['<', '>', '"']).count();
        prop_assert_eq!(tags(&named), tags(&plain));
    }
}
