//! Sections that are judged no more: their days count, and their verdicts stay readable.

use model::{
    ids::SectionKey,
    time::Span,
    verdict::{Length, Verdict},
};
use serde_json::Value;
use store::{NewVerdict, SectionRow, SetVerdicts, VerdictKind};

use super::*;

const DAY_MS: i64 = 86_400_000;

/// Ten days of August of a section of S-1, of which so many are short.
fn days(section: &str, rule: &str, short: i64) -> SetVerdicts {
    let begin: Timestamp = "2026-07-31T16:00:00Z".parse().unwrap();
    let key = SectionKey { station: "S-1".parse().unwrap(), section: section.parse().unwrap() };
    let day = |number: i64| {
        let from = begin.plus_ms(number * DAY_MS);
        let verdict = if number < short { Verdict::Short } else { Verdict::Met };
        NewVerdict {
            section: key.clone(),
            by: Length::Day,
            span: Span { from, to: from.plus_ms(DAY_MS) },
            verdict: Some(verdict),
            kind: VerdictKind::Closed,
            is_late: false,
            bytes: format!(r#"{{"because":"enough","rule":"{rule}"}}"#).into_bytes(),
        }
    };
    SetVerdicts {
        at: begin.plus_ms(20 * DAY_MS),
        by: By { kind: ByKind::Server, name: "compliance".to_owned() },
        consumer: "compliance",
        samples: 1,
        registry: 1,
        unsaid: Vec::new(),
        sections: vec![SectionRow {
            key: key.clone(),
            begun: begin,
            closed: begin.plus_ms(10 * DAY_MS),
            again: Vec::new(),
        }],
        verdicts: (0..10).map(day).collect(),
        standings: Vec::new(),
        gone: Vec::new(),
    }
}

/// Under this registry, after such days of some sections.
fn under(registry: &str, written: Vec<SetVerdicts>, test: impl AsyncFnOnce(&World)) {
    let world = World::new();
    for write in written {
        world.store.journal().write_blocking(write).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let position = import(&world, registry, 8).await;
        known(&world, position).await;
        test(&world).await;
    });
}

/// Puts a registry in force; gives its entry.
async fn import(world: &World, registry: &str, file: u8) -> i64 {
    let import = ImportRegistry {
        at: NOW.parse().unwrap(),
        by: By { kind: ByKind::Command, name: "tests".to_owned() },
        file: "registry.toml".to_owned(),
        file_digest: [file; 32],
        registry: store::registry::parse(registry, &Origin::Default).unwrap(),
        stored: Vec::new(),
        dry_run: false,
    };
    let done = world.store.journal().write(import).await.unwrap();
    let store::Import::Done { position: Some(position), .. } = done else { panic!("{done:?}") };
    position
}

/// Until the registry of this entry is seen.
async fn known(world: &World, position: i64) {
    let mut state = world.store.journal().watch();
    let is_known = |state: &store::JournalState| {
        state.registry.as_ref().is_some_and(|known| known.entry == position)
    };
    state.wait_for(is_known).await.unwrap();
}

#[test]
fn how_rivers_flow_is_worked_out_once_for_each_registry() {
    let first = format!("{REGISTRY}\n[[river]]\nname = \"西岔河\"\n");
    under(&first, Vec::new(), async |world: &World| {
        let water = world.parts.water();
        assert!(Arc::ptr_eq(&water, &world.parts.water()));
        assert!(water.view.rivers.iter().any(|river| river.name == "西岔河"));
        let position = import(world, REGISTRY, 9).await;
        known(world, position).await;
        let other = world.parts.water();
        assert_eq!(other.view.entry, position);
        assert!(other.view.rivers.iter().all(|river| river.name != "西岔河"));
    });
}

async fn json(world: &World, path: &str) -> Value {
    let said = world.get(path).await;
    let text = said.strip_prefix("200 ").unwrap_or_else(|| panic!("{path}: {said}"));
    serde_json::from_str(text).unwrap()
}

/// Sections of August as text.
async fn counted(world: &World) -> String {
    let all = json(world, "/api/v1/compliance?period=2026-08").await;
    let sections = all["sections"].as_array().unwrap().iter();
    let one = |row: &Value| {
        let days = &row["days"];
        format!(
            "{}/{} by {}: {} of {}, {}",
            row["station"],
            row["section"],
            row["rule"],
            days["met"],
            days["assessed"],
            row["passes"]
        )
        .replace('"', "")
    };
    sections.map(one).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_station_that_goes_out_of_service_takes_no_short_day_out_of_its_county() {
    let exited = REGISTRY.replace("agent = \"gw-1\"", "agent = \"gw-1\"\nstatus = \"exited\"");
    under(&exited, vec![days("dam", "hourly", 4)], async |world: &World| {
        assert_eq!(counted(world).await, "S-1/dam by hourly: 6 of 10, false");
        let county = json(world, "/api/v1/compliance?period=2026-08&by=county").await;
        let county = &county["counties"][0];
        assert_eq!((&county["assessed"], &county["passing"]), (&1.into(), &0.into()));
        assert_eq!(county["passes"], false);
        // of a time in which nothing of it stands it is not listed
        let empty = json(world, "/api/v1/compliance?period=2026-07").await;
        assert_eq!(empty["sections"], Value::Array(Vec::new()));
    });
}

#[test]
fn a_section_that_the_registry_has_no_more_counts_by_the_rule_that_judged_it() {
    let other = REGISTRY.replace(
        "statistic = \"hourly_mean\"",
        "statistic = \"hourly_mean\"\n[[rule]]\nid = \"strict\"\nstatistic = \"hourly_mean\"\npass_rate = 0.95",
    );
    let written = vec![
        days("dam", "hourly", 1),
        days("old", "hourly", 2),
        days("older", "gone", 1),
        days("strictly", "strict", 1),
    ];
    under(&other, written, async |world: &World| {
        let expected = [
            "S-1/dam by hourly: 9 of 10, true",
            "S-1/old by hourly: 8 of 10, true",
            // by the strictest of the rules that there are
            "S-1/older by gone: 9 of 10, false",
            "S-1/strictly by strict: 9 of 10, false",
        ];
        assert_eq!(counted(world).await, expected.join("; "));
        let page = json(world, "/api/v1/compliance?period=2026-08&limit=1&cursor=S-1/dam").await;
        assert_eq!(
            (&page["sections"][0]["section"], &page["next"]),
            (&"old".into(), &"S-1/old".into())
        );
    });
}

#[test]
fn verdicts_of_a_section_that_the_registry_has_no_more_are_readable() {
    let written = vec![days("dam", "hourly", 0), days("old", "hourly", 2)];
    under(REGISTRY, written, async |world: &World| {
        let path = "/api/v1/stations/S-1/verdicts?versions=all&section=";
        let old = json(world, &format!("{path}old")).await;
        let old = old["verdicts"].as_array().unwrap();
        assert_eq!((old.len(), &old[0]["verdict"]), (10, &"short".into()));
        let first = json(world, "/api/v1/stations/S-1/verdicts").await;
        assert_eq!(first["verdicts"][0]["section"], "dam", "it is no station's first one");
        let unknown = world.get(&format!("{path}never")).await;
        assert!(unknown.starts_with("400 ") && unknown.contains("dam, old"), "{unknown}");
    });
}
