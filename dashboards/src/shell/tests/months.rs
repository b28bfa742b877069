//! Months as a caller sees them, and that compliance counts the same days.

use model::{
    ids::SectionKey,
    time::{Span, Zone},
    verdict::{Length, Verdict},
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;
use store::{NewVerdict, SectionRow, SetVerdicts, VerdictKind};

use super::*;

const DAY_MS: i64 = 86_400_000;

fn zone() -> Zone {
    Zone::named("Asia/Shanghai").unwrap()
}

/// Days from the first of August on, each as often as it was said otherwise.
fn days(of: &[Vec<Option<Verdict>>], is_last_open: bool) -> Vec<SetVerdicts> {
    let begin: Timestamp = "2026-07-31T16:00:00Z".parse().unwrap();
    let section = SectionKey { station: "S-1".parse().unwrap(), section: "dam".parse().unwrap() };
    let most = of.iter().map(Vec::len).max().unwrap_or(0);
    let closed_days = of.len() - usize::from(is_last_open);
    let closed = begin.plus_ms(i64::try_from(closed_days).unwrap() * DAY_MS);
    let round = |round: usize| {
        let said = of.iter().zip(0_i64..).filter_map(|(said, day)| Some((said.get(round)?, day)));
        let verdicts = said.map(|(verdict, day)| {
            let from = begin.plus_ms(day * DAY_MS);
            let is_open = from >= closed;
            let kind = match verdict {
                _ if is_open => VerdictKind::Provisional,
                Some(_) => VerdictKind::Closed,
                None => VerdictKind::Withdrawn,
            };
            let sums = format!(
                r#"{{"round":{round},"sums":{{"length":"{DAY_MS}","whole":"{DAY_MS}","whole_water":"{}","held":"{DAY_MS}","held_water":"0","covered":"{DAY_MS}","partly_covered":"{DAY_MS}","required":"{}","deficit":"500000000"}}}}"#,
                i128::from(DAY_MS) * 1_199_999,
                i128::from(DAY_MS) * 1_200_000,
            );
            let verdict = if is_open { Some(Verdict::Met) } else { *verdict };
            NewVerdict {
                section: section.clone(),
                by: Length::Day,
                span: Span { from, to: from.plus_ms(DAY_MS) },
                verdict,
                kind,
                is_late: round > 0,
                bytes: sums.into_bytes(),
            }
        });
        SetVerdicts {
            at: closed.plus_ms(i64::try_from(round).unwrap()),
            by: By { kind: ByKind::Server, name: "compliance".to_owned() },
            consumer: "compliance",
            samples: 1,
            registry: 1,
            unsaid: Vec::new(),
            sections: vec![SectionRow {
                key: section.clone(),
                begun: begin,
                closed,
                again: Vec::new(),
            }],
            verdicts: verdicts.collect(),
            standings: Vec::new(),
            gone: Vec::new(),
        }
    };
    (0..most).map(round).collect()
}

/// A world with such days; writing waits, so it happens outside of the runtime.
fn with_days<F: Future<Output = ()>>(
    of: &[Vec<Option<Verdict>>],
    is_last_open: bool,
    test: impl FnOnce(Arc<World>) -> F,
) {
    let world = Arc::new(World::new());
    for write in days(of, is_last_open) {
        world.store.journal().write_blocking(write).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        world.ready().await;
        test(Arc::clone(&world)).await;
    });
}

async fn json(world: &World, path: &str) -> Value {
    let said = world.get(path).await;
    let text = said.strip_prefix("200 ").unwrap_or_else(|| panic!("{path}: {said}"));
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_month_is_counted_from_its_days() {
    let mut all = vec![vec![Some(Verdict::Met)]; 31];
    all[3] = vec![Some(Verdict::Met), Some(Verdict::Short)];
    all[4] = vec![Some(Verdict::Exempt)];
    all[5] = vec![Some(Verdict::Short), None];
    all.push(vec![Some(Verdict::Indeterminate)]); // the first of September
    all.push(vec![Some(Verdict::Met)]);
    with_days(&all, true, |world| async move {
        let path = "/api/v1/stations/S-1/verdicts?by=month";
        check(&world, path, &expect![[r#"200 {"station":"S-1","by":"month","verdicts":[{"section":"dam","from":"2026-07-31T16:00:00Z","to":"2026-08-31T16:00:00Z","verdict":"met","because":"enough","required":1.2,"enough":null,"observed":1.199999,"bound":null,"coverage":1,"deficit_m3":15,"document":null,"rule":"hourly","statistic":null,"factor":null,"days":{"assessed":29,"met":28,"short":1,"exempt":1,"indeterminate":0,"open":0,"rate":0.9655,"passes":true},"version":0,"provisional":false,"late":true,"judged_at":"2026-09-01T16:00:00.001Z","entry":null},{"section":"dam","from":"2026-08-31T16:00:00Z","to":"2026-09-30T16:00:00Z","verdict":"indeterminate","because":"too_little_known","required":1.2,"enough":null,"observed":1.199999,"bound":null,"coverage":1,"deficit_m3":0.5,"document":null,"rule":"hourly","statistic":null,"factor":null,"days":{"assessed":0,"met":0,"short":0,"exempt":0,"indeterminate":1,"open":1,"rate":null,"passes":null},"version":0,"provisional":true,"late":false,"judged_at":"2026-09-01T16:00:00Z","entry":null}],"next":null}"#]]).await;
        let first = json(&world, &format!("{path}&limit=1")).await;
        assert_eq!(first["next"], "1785513600000_0");
        let second = json(&world, &format!("{path}&limit=1&cursor=1785513600000_0")).await;
        assert_eq!(second["verdicts"][0]["from"], "2026-08-31T16:00:00Z");
        assert_eq!(second["next"], Value::Null);
        // months are asked for by their own begin
        let from = json(&world, &format!("{path}&from=2026-08-02T00:00:00%2B08:00")).await;
        assert_eq!(from["verdicts"].as_array().unwrap().len(), 1);
        let to = json(&world, &format!("{path}&to=2026-09-01T00:00:00%2B08:00")).await;
        assert_eq!(to["verdicts"].as_array().unwrap().len(), 1);
        let versions = world.get(&format!("{path}&versions=all")).await;
        assert!(
            versions.starts_with("400 ") && versions.contains("\"key\":\"versions\""),
            "{versions}"
        );
    });
}

#[test]
fn months_and_compliance_always_agree() {
    let words: Vec<Option<Verdict>> =
        Verdict::WORDS.iter().map(|(_, verdict)| Some(*verdict)).chain([None]).collect();
    let said = proptest::collection::vec(proptest::sample::select(words), 1..3);
    // what was never said is not taken back
    let said = said.prop_map(|mut said| {
        let first = said[0].or(Some(Verdict::Met));
        said[0] = first;
        said
    });
    let all = (proptest::collection::vec(said, 1..100), any::<bool>());
    let mut runner = TestRunner::new(Config { cases: 24, ..Config::default() });
    let checked = runner.run(&all, |(of, is_last_open)| {
        with_days(&of, is_last_open, |world| async move {
            let months = json(&world, "/api/v1/stations/S-1/verdicts?by=month").await;
            let months = months["verdicts"].as_array().unwrap().clone();
            for number in 7..13 {
                let period = format!("2026-{number:02}");
                let path = format!("/api/v1/compliance?period={period}");
                let counted = json(&world, &path).await["sections"][0].clone();
                let begin = zone().start_of_day(format!("{period}-01").parse().unwrap());
                let month = months.iter().find(|month| month["from"] == begin.to_string());
                let days = &counted["days"];
                let Some(month) = month else {
                    assert_eq!(days["assessed"], 0, "{period}");
                    continue;
                };
                for member in ["assessed", "met", "short", "exempt", "indeterminate", "open"] {
                    assert_eq!(month["days"][member], days[member], "{period} {member}");
                }
                for member in ["rate", "passes"] {
                    assert_eq!(month["days"][member], counted[member], "{period} {member}");
                }
                match month["verdict"].as_str() {
                    Some("met") => assert_eq!(counted["passes"], true),
                    Some("short") => assert_eq!(counted["passes"], false),
                    Some("exempt" | "indeterminate") => {}
                    other => panic!("{other:?}"),
                }
                assert_eq!(month["rule"], counted["rule"]);
            }
        });
        Ok(())
    });
    checked.unwrap();
}
