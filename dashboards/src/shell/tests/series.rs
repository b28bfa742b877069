//! Series as a caller sees them, over a real store.

use serde_json::Value;

use super::*;

#[test]
fn a_gauge_is_told_in_columns_with_what_is_missing() {
    in_world(|world| async move {
        let path =
            "/api/v1/stations/S-1/series?gauge=flow&from=2026-11-22T07:59:40%2B08:00&points=10";
        check(&world, path, &expect![[r#"200 {"station":"S-1","gauge":"flow","section":null,"unit":"m3/s","decimals":3,"from":"2026-11-21T23:59:40Z","to":"2026-11-22T00:00:00Z","step_ms":2000,"buckets":{"min":[null,null,null,null,null,0.49986,0.49986,0.49986,0.49986,0.49986],"mean":[null,null,null,null,null,0.49986,0.49986,0.49986,0.49986,0.49986],"credited":[null,null,null,null,null,null,null,null,null,null],"max":[null,null,null,null,null,0.49986,0.49986,0.49986,0.49986,0.49986],"held_ms":[0,0,0,0,0,2000,2000,2000,2000,2000],"whole_ms":[0,0,0,0,0,2000,2000,2000,2000,2000],"covered_ms":[0,0,0,0,0,2000,2000,1000,0,0],"doubted":[0,0,0,0,0,0,0,0,0,0]},"gaps":[{"from":"2026-11-21T23:59:40Z","to":"2026-11-21T23:59:50Z","because":"before","reason":null}],"gaps_left_off":0,"required":[],"exemptions":[],"breaches":[],"breaches_left_off":0}"#]]).await;
    });
}

#[test]
fn what_a_section_releases_has_its_mandate_and_breaches() {
    in_world(|world| async move {
        let path = "/api/v1/stations/S-1/series?from=2026-11-22T07:59:40%2B08:00&points=2";
        check(&world, path, &expect![[r#"200 {"station":"S-1","gauge":"released","section":"dam","unit":"m3/s","decimals":3,"from":"2026-11-21T23:59:40Z","to":"2026-11-22T00:00:00Z","step_ms":10000,"buckets":{"min":[null,0.49986],"mean":[null,0.49986],"credited":[null,null],"max":[null,0.49986],"held_ms":[0,10000],"whole_ms":[0,10000],"covered_ms":[0,5000],"doubted":[0,0]},"gaps":[{"from":"2026-11-21T23:59:40Z","to":"2026-11-21T23:59:50Z","because":"before","reason":null}],"gaps_left_off":0,"required":[{"from":"2026-11-21T23:59:40Z","to":"2026-11-22T00:00:00Z","value":0.75,"enough":0.75,"document":"示例文号 1","rule":"hourly"}],"exemptions":[],"breaches":[{"from":"2026-11-21T23:59:50Z","to":"2026-11-22T00:00:00Z","lowest":0.49986,"deficit_m3":2.501}],"breaches_left_off":0}"#]]).await;
        // what is still to come is not told, and a year of nothing is one gap
        let path = "/api/v1/stations/S-1/series?from=2025-11-22T08:00:00%2B08:00&to=2027-01-01T00:00:00Z&points=100";
        let said = world.get(path).await;
        let said: Value = serde_json::from_str(said.strip_prefix("200 ").unwrap()).unwrap();
        assert_eq!(said["to"], NOW);
        assert_eq!(said["step_ms"], 4 * 86_400_000);
        assert_eq!(said["buckets"]["held_ms"].as_array().unwrap().len(), 92);
        assert_eq!(said["gaps"].as_array().unwrap().len(), 1, "{said}");
        let steps = said["required"].as_array().unwrap();
        let values: Vec<String> = steps.iter().map(|step| step["value"].to_string()).collect();
        assert_eq!(values, ["0.75", "1.2", "0.75"]);
    });
}

#[test]
fn nothing_is_told_of_the_future() {
    in_world(|world| async move {
        let path = "/api/v1/stations/S-1/series?from=2027-01-01T00:00:00Z&to=2027-02-01T00:00:00Z";
        let said = world.get(path).await;
        assert!(
            said.contains(r#""from":"2027-01-01T00:00:00Z","to":"2027-01-01T00:00:00Z""#),
            "{said}"
        );
        assert!(said.contains(r#""held_ms":[]"#), "{said}");
    });
}

#[test]
fn every_fault_of_a_series_names_its_parameter() {
    in_world(|world| async move {
        for (query, key) in [
            ("gauge=level", "gauge"),
            ("section=tail", "section"),
            ("points=2001", "points"),
            ("points=-1", "points"),
            ("from=yesterday", "from"),
            ("to=2026-11-22", "to"),
        ] {
            let said = world.get(&format!("/api/v1/stations/S-1/series?{query}")).await;
            let fault = format!("\"key\":\"{key}\"");
            assert!(said.starts_with("400 ") && said.contains(&fault), "{query}: {said}");
        }
    });
}

#[test]
fn a_gap_is_the_gateways_where_it_is_known_to_have_read_nothing_or_to_be_offline() {
    let world = Arc::new(World::new());
    let now: Timestamp = NOW.parse().unwrap();
    world.measure();
    world.measure_at(now.plus_ms(600_000), 2);
    world.hear(now.plus_ms(690_000), false);
    world.clock.advance(900_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        world.ready().await;
        let path = "/api/v1/stations/S-1/series?from=2026-11-22T08:00:00%2B08:00&points=1";
        for path in [path.to_owned(), format!("{path}&gauge=flow")] {
            let said = world.get(&path).await;
            let said: Value = serde_json::from_str(said.strip_prefix("200 ").unwrap()).unwrap();
            // off for ten minutes, read again, and silent from then on
            expect![[r#"[{"because":"unread","from":"2026-11-22T00:00:12.5Z","reason":null,"to":"2026-11-22T00:09:50Z"},{"because":"offline","from":"2026-11-22T00:10:12.5Z","reason":null,"to":"2026-11-22T00:15:00Z"}]"#]].assert_eq(&said["gaps"].to_string());
        }
    });
}
