//! Texts as people get them, and what holds for every one of them.

use expect_test::{Expect, expect};
use model::{alarm::AlarmEnd, flow::Flow};
use proptest::prelude::*;

use super::*;

const TOKEN: LinkToken = LinkToken(0x0123_4567_89ab_cdef);

fn zone() -> Zone {
    Zone::named("Asia/Shanghai").unwrap()
}

fn at(text: &str) -> Timestamp {
    format!("2026-{text}:00+08:00").parse().unwrap()
}

fn station_id() -> &'static StationId {
    static ID: std::sync::LazyLock<StationId> =
        std::sync::LazyLock::new(|| "BF-620721-04".parse().unwrap());
    &ID
}

fn flows(released: &str, required: &str) -> Flows {
    let [released, required] = [released, required].map(|text| Flow::from_m3_per_s(text).unwrap());
    Flows { released, bound: Bound::Whole, required, decimals: 3 }
}

fn below(released: &str, required: &str, share: &str) -> Saying {
    let since = at("11-22T10:32");
    Saying::BelowMandate { flows: flows(released, required), share: share.parse().unwrap(), since }
}

fn message<'a>(station: &'a str, saying: Saying, zone: &'a Zone) -> Message<'a> {
    Message {
        locale: Locale::Chinese,
        station,
        station_id: station_id(),
        section: None,
        zone,
        saying,
        is_drill: false,
        is_reminder: false,
        chatters: false,
        link: None,
        reserved: 0,
        now: at("11-22T10:45"),
    }
}

fn check(message: Message<'_>, expected: &Expect) {
    let Sms { text, alphabet, parts } = sms(&message);
    let (_, count) = measured(&text);
    expected.assert_eq(&format!("{text}\n{alphabet:?}, {count} in {parts}"));
}

#[test]
fn what_matters_comes_first() {
    let zone = zone();
    check(
        message("鹿鸣滩(示例)", below("0.612", "0.8", "1"), &zone),
        &expect![[r#"
        鹿鸣滩(示例)下泄0.612，低于核定0.800m³/s，10:32起。
        Ucs2, 36 in 1"#]],
    );
    let link = Some(("https://bf.example.cn", TOKEN));
    check(
        Message { link, ..message("鹿鸣滩(示例)", below("0.612", "0.8", "1"), &zone) },
        &expect![[r#"
            鹿鸣滩(示例)下泄0.612，低于核定0.800m³/s，10:32起。https://bf.example.cn/i/028T5CY4TQKFF
            Ucs2, 73 in 2"#]],
    );
    let link = Some(("http://s.cn", TOKEN));
    check(
        Message { link, ..message("鹿鸣滩", below("0.61", "0.8", "1"), &zone) },
        &expect![[r#"
        鹿鸣滩下泄0.610，低于核定0.800m³/s，10:32起。http://s.cn/i/028T5CY4TQKFF
        Ucs2, 59 in 1"#]],
    );
}

#[test]
fn the_other_messages() {
    let zone = zone();
    let (since, until) = (at("11-22T10:32"), at("11-22T10:52"));
    let base = message("鹿鸣滩", below("0.612", "0.8", "0.9"), &zone);
    check(
        Message { is_drill: true, is_reminder: true, ..base },
        &expect![[r#"
        【演练】【提醒】鹿鸣滩下泄0.612，低于核定0.800m³/s的90%，10:32起。
        Ucs2, 44 in 1"#]],
    );
    check(
        Message { chatters: true, ..base },
        &expect![[r#"
        【反复】鹿鸣滩下泄0.612，低于核定0.800m³/s的90%，10:32起。
        Ucs2, 40 in 1"#]],
    );
    let flows = Flows { bound: Bound::AtLeast, ..flows("0.812", "0.8") };
    check(
        Message { saying: Saying::BackAtMandate { flows, since, until }, ..base },
        &expect![[r#"
        鹿鸣滩已恢复：下泄≥0.812，核定0.800m³/s，10:32至10:52不足。
        Ucs2, 42 in 1"#]],
    );
    let share = "0.5".parse().unwrap();
    let half = Saying::AboveShare { flows: self::flows("0.612", "0.8"), share, until };
    check(
        Message { saying: half, ..base },
        &expect![[r#"
            鹿鸣滩下泄0.612，10:52已升至核定0.800m³/s的50%以上，仍低于核定。
            Ucs2, 43 in 1"#]],
    );
    check(
        Message { saying: half, locale: Locale::English, station: "Luming", ..base },
        &expect![[r#"
            Luming: flow 0.612 above 0.800 m3/s (50%) again since 10:52, still below the mandate.
            Gsm7, 85 in 1"#]],
    );
    check(
        Message { saying: Saying::NothingMandated { flows, since, until }, ..base },
        &expect![[r#"
            鹿鸣滩告警结束：下泄≥0.812m³/s，现无核定流量，10:32至10:52不足。
            Ucs2, 42 in 1"#]],
    );
    check(
        Message { saying: Saying::NoData { since }, ..base },
        &expect![[r#"
        鹿鸣滩数据中断，10:32起。
        Ucs2, 15 in 1"#]],
    );
    check(
        Message { saying: Saying::DataAgain { since, until }, ..base },
        &expect![[r#"
        鹿鸣滩数据已恢复，10:32至10:52中断。
        Ucs2, 23 in 1"#]],
    );
    let dam = "dam".parse().unwrap();
    let now = at("11-24T08:00");
    check(
        Message { section: Some(&dam), now, ..base },
        &expect![[r#"
            鹿鸣滩·坝下下泄0.612，低于核定0.800m³/s的90%，11月22日10:32起。
            Ucs2, 45 in 1"#]],
    );
}

#[test]
fn what_is_watched_no_longer_says_why() {
    let zone = zone();
    let since = at("11-22T10:32");
    let base = message("鹿鸣滩", below("0.612", "0.8", "0.9"), &zone);
    check(
        Message { saying: Saying::RuleWithdrawn { since }, ..base },
        &expect![[r#"
        鹿鸣滩告警规则已撤销，10:32起的告警结束。
        Ucs2, 23 in 1"#]],
    );
    check(
        Message { saying: Saying::NotWatched { since, because: AlarmEnd::StationLeft }, ..base },
        &expect![[r#"
        鹿鸣滩不再监测（电站已退出），10:32起的告警结束。
        Ucs2, 27 in 1"#]],
    );
}

#[test]
fn in_english_a_chinese_name_costs_the_alphabet() {
    let zone = zone();
    let link = Some(("https://bf.example.cn", TOKEN));
    let base = message("Deer Bank", below("0.612", "0.8", "1"), &zone);
    let english = Message { locale: Locale::English, link, ..base };
    check(
        english,
        &expect![[r#"
            Deer Bank: flow 0.612 below 0.800 m3/s since 10:32. https://bf.example.cn/i/028T5CY4TQKFF
            Gsm7, 89 in 1"#]],
    );
    check(
        Message { station: "鹿鸣滩(示例)", is_drill: true, ..english },
        &expect![[r#"
            DRILL 鹿鸣滩(示例): flow 0.612 below 0.800 m3/s since 10:32. https://bf.example.cn/i/028T5CY4TQKFF
            Ucs2, 93 in 2"#]],
    );
    let saying = Saying::NoData { since: at("11-05T03:04") };
    check(
        Message { saying, ..english },
        &expect![[r#"
        Deer Bank: no data since 11-05 03:04. https://bf.example.cn/i/028T5CY4TQKFF
        Gsm7, 75 in 1"#]],
    );
}

#[test]
fn a_long_name_keeps_its_beginning_and_its_end() {
    let zone = zone();
    let name = "张掖市肃南裕固族自治县黑河干流云杉峡梯级水电开发有限责任公司云杉峡二级水电站(示例)";
    let base = message(name, below("0.612", "0.8", "1"), &zone);
    check(
        base,
        &expect![[r#"
        张掖市肃南裕固族自治县黑河干流云杉峡梯级…开发有限责任公司云杉峡二级水电站(示例)下泄0.612，低于核定0.800m³/s，10:32起。
        Ucs2, 70 in 1"#]],
    );
    let link = Some(("https://bf.example.cn", TOKEN));
    check(
        Message { link, is_drill: true, ..base },
        &expect![[r#"
        【演练】张掖市肃南裕固族自治县黑河干流云杉…责任公司云杉峡二级水电站(示例)下泄0.612，低于核定0.800m³/s，10:32起。https://bf.example.cn/i/028T5CY4TQKFF
        Ucs2, 104 in 2"#]],
    );
}

#[test]
fn a_long_english_name_is_cut_between_words() {
    let zone = zone();
    let name = "Zhangye Sunan Heihe Main Stream Cascade Development Company Limited Yunshanxia Second Cascade Hydropower Station (example)";
    let base = message(name, below("0.612", "0.8", "1"), &zone);
    check(
        Message { locale: Locale::English, ..base },
        &expect![[r#"
            Zhangye Sunan Heihe Main Stream Cascade Development .. Limited Yunshanxia Second Cascade Hydropower Station (example): flow 0.612 below 0.800 m3/s since 10:32.
            Gsm7, 159 in 1"#]],
    );
}

#[test]
fn a_value_is_never_shown_as_what_it_does_not_reach() {
    let shown = |released, required| {
        let (released, required) = flows(released, required).shown();
        format!("{released} of {required}")
    };
    assert_eq!(shown("0.49986", "0.5"), "0.499 of 0.500");
    assert_eq!(shown("0.499999", "0.5"), "0.499 of 0.500");
    assert_eq!(shown("0.80028", "0.80029"), "0.80028 of 0.80029");
    assert_eq!(shown("0.8003", "0.80029"), "0.80030 of 0.80029");
    assert_eq!(shown("0.5", "0.5"), "0.500 of 0.500");
}

#[test]
fn a_share_is_said_in_percent() {
    let words = |share: &str| share_words(share.parse().unwrap(), Locale::Chinese);
    assert_eq!((words("1"), words("1.000")), (String::new(), String::new()));
    assert_eq!((words("0.9"), words("1.05")), ("的90%".to_owned(), "的105%".to_owned()));
    assert_eq!((words("0.955"), words("0.3333")), ("的95.5%".to_owned(), "的约33%".to_owned()));
}

#[test]
fn a_name_cannot_break_or_turn_a_line_or_fill_a_blank() {
    let zone = zone();
    let name = "a\u{202e}b\r\n\0{released}";
    let text = sms(&message(name, below("0.612", "0.8", "1"), &zone)).text;
    assert!(text.starts_with("ab{released}下泄0.612"), "{text}");
}

#[test]
fn an_address_that_is_too_long_is_left_out() {
    let zone = zone();
    let base = message("鹿鸣滩", below("0.612", "0.8", "1"), &zone);
    let longest = format!("https://{}", "x".repeat(URL_UNITS - 8));
    let text = sms(&Message { link: Some((&longest, TOKEN)), ..base });
    assert!(text.parts == 2 && text.text.contains(&longest), "{text:?}");
    let longer = format!("{longest}x");
    let text = sms(&Message { link: Some((&longer, TOKEN)), ..base });
    assert!(text.parts == 1 && !text.text.contains("http"), "{text:?}");
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z ]{1,40}",
        prop::collection::vec(
            prop::sample::select("云杉峡一二级水电站(示例)𠀀é".chars().collect::<Vec<_>>()),
            1..60
        )
        .prop_map(|chars: Vec<char>| chars.into_iter().collect()),
        ".{0,80}",
    ]
}

fn sayings() -> impl Strategy<Value = Saying> {
    let moment =
        || (-2_000_000_000_i64..2_000_000_000).prop_map(|ms| at("11-22T10:45").plus_ms(ms));
    let flow = || {
        prop_oneof![0_i64..2_000_000, 0_i64..=100_000_000_000, Just(99_999_999_999), any::<i64>()]
    };
    let share =
        (1_i64..10_000_000, 6_u8..8).prop_map(|(units, decimals)| Decimal { units, decimals });
    let bound =
        prop::bool::ANY.prop_map(|is_whole| if is_whole { Bound::Whole } else { Bound::AtLeast });
    // a mandate is 100,000 m³/s at most
    let flows =
        (flow(), bound, flow(), 0_u8..8).prop_map(|(released, bound, required, decimals)| Flows {
            released: Flow::from_ml_per_s(released),
            bound,
            required: Flow::from_ml_per_s(required.clamp(0, 100_000_000_000)),
            decimals,
        });
    let because = prop::sample::select(AlarmEnd::WORDS).prop_map(|(_, because)| because);
    (0_u8..8, (flows, because), share, moment(), moment()).prop_map(
        |(kind, (flows, because), share, since, until)| match kind {
            0 | 1 => {
                Saying::BelowMandate { flows: Flows { bound: Bound::Whole, ..flows }, share, since }
            }
            2 => Saying::BackAtMandate { flows, since, until },
            3 => Saying::NothingMandated { flows, since, until },
            4 => Saying::NoData { since },
            6 => Saying::AboveShare { flows, share, until },
            7 => Saying::NotWatched { since, because },
            _ => Saying::DataAgain { since, until },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_matters_is_in_the_first_part_whatever_is_said(
        name in names(), saying in sayings(), is_english: bool, is_drill: bool, is_reminder: bool, chatters: bool, reserved in 0..=RESERVED,
        url in prop::option::of("https://[a-z.]{1,60}"), has_section: bool,
    ) {
        let zone = zone();
        let section = "penstock-bypass".parse().unwrap();
        let link = url.as_deref().map(|url| (url, TOKEN));
        let locale = if is_english { Locale::English } else { Locale::Chinese };
        let section = has_section.then_some(&section);
        let message = Message {
            locale, section, is_drill, is_reminder, chatters, link, reserved, ..message(&name, saying, &zone)
        };
        let sms = sms(&message);
        let (alphabet, units) = measured(&sms.text);
        prop_assert_eq!(alphabet, sms.alphabet);
        let (one, each) = alphabet.room();
        let units = units + usize::from(reserved);
        prop_assert!(units <= if sms.parts == 1 { one } else { 2 * each }, "{} {:?}", units, sms);
        let essential = sms.text.split("https://").next().unwrap();
        let (_, before_link) = measured(essential.trim_end());
        prop_assert!(sms.parts == 1 || before_link + usize::from(reserved) <= each, "{:?}", sms);
        if let Some(url) = url.as_ref().filter(|url| url.len() <= URL_UNITS && !is_english) {
            prop_assert!(sms.text.ends_with(&format!("{url}/i/{TOKEN}")), "{:?}", sms);
        }
        for blank in ["released", "required", "since"] {
            let must = blank_of(blank, &message);
            let is_said = said(&message, false).contains(&format!("{{{blank}}}"));
            prop_assert!(!is_said || essential.contains(&must), "{:?} lacks {:?}", sms, must);
        }
        let has_unit = essential.contains("m³/s") || essential.contains("m3/s");
        prop_assert!(has_unit || !said(&message, false).contains("released"));
        let is_marked = essential.starts_with(Phrase::Drill.in_language(locale));
        prop_assert_eq!(is_marked, is_drill, "{:?}", sms);
    }

    #[test]
    fn shown_flows_stand_to_one_another_as_the_true_ones(
        released in 0_i64..3_000_000, required in 0_i64..3_000_000, coarse in 0_u32..7, decimals in 0_u8..9,
    ) {
        let required = required - required % 10_i64.pow(coarse);
        let flows = Flows {
            released: Flow::from_ml_per_s(released),
            bound: Bound::Whole,
            required: Flow::from_ml_per_s(required),
            decimals,
        };
        let (shown, limit) = flows.shown();
        prop_assert_eq!(shown.compare(limit).is_lt(), released < required);
        prop_assert!(shown.compare(flows.released.decimal()).is_le());
        prop_assert!(limit.compare(flows.required.decimal()).is_eq());
    }
}
