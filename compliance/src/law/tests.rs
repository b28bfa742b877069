//! Two registries compared, change by change.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use model::{ids::SectionKey, registry::Registry, tree::Origin};

use super::*;

const OLD: &str = r#"
    [[station]]
    id = "S"
    name = "鹿鸣滩(示例)"
    owner = "示例水电公司"
    gauge = [ { id = "pipe", quantity = "flow", unit = "m3/s", interval = "1m" },
              { id = "gate", quantity = "flow", unit = "m3/s", interval = "5m" } ]
    outlet = [ { id = "pipe", flow = { gauge = "pipe" } } ]
    mandate = [ { document = "D", from = "2026-01-01", seasons = [ { from = "04-01", flow = 1.2 }, { from = "10-01", flow = 0.75 } ], rule = "hourly" },
                { document = "E", from = "2027-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "eight" } ]
    [[station]]
    id = "T"
    [[rule]]
    id = "hourly"
    statistic = "hourly_mean"
    [[rule]]
    id = "eight"
    statistic = "below_for"
    below_for = "90m"
    day_start = "08:00"
"#;

fn registry(text: &str) -> Registry {
    store::registry::parse(text, &Origin::Default).unwrap_or_else(|error| panic!("{error}"))
}

/// What differs between the start of 2026 and of 2028, in the station's time.
fn check(changes: &[(&str, &str)], expected: &Expect) {
    let mut text = OLD.to_owned();
    for (was, is) in changes {
        assert!(text.contains(was), "{was}");
        text = text.replace(was, is);
    }
    let (old, new) = (registry(OLD), registry(&text));
    let key = SectionKey { station: "S".parse().unwrap(), section: "dam".parse().unwrap() };
    let within = Span {
        from: "2026-01-01T00:00:00+08:00".parse().unwrap(),
        to: "2028-01-01T00:00:00+08:00".parse().unwrap(),
    };
    let (was, is) = (Section::of(&old, &key), Section::of(&new, &key).unwrap());
    let Difference { judged, begun } = difference(was.as_ref(), &is, within);
    let zone = &is.station().zone;
    let mut shown = String::new();
    for (word, spans) in [("judged", judged), ("begun", begun)] {
        for Span { from, to } in spans {
            let civil = |at: Timestamp| {
                let text = at.in_zone(zone);
                text.strip_suffix(":00").map_or(text.clone(), str::to_owned)
            };
            writeln!(shown, "{word} {} .. {}", civil(from), civil(to)).unwrap();
        }
    }
    expected.assert_eq(shown.trim_end());
}

#[test]
fn what_no_judgement_depends_on_is_no_difference() {
    check(&[], &expect![""]);
    check(
        &[
            ("鹿鸣滩(示例)", "另一名(示例)"),
            ("示例水电公司", "另一公司"),
            ("id = \"T\"", "id = \"T\"\nname = \"other\""),
            (
                "statistic = \"hourly_mean\"",
                "statistic = \"hourly_mean\"\nlate_close_day = 2\npass_rate = 0.9\nheadline_rate = 0.8\ndistrict_pass = 0.7",
            ),
        ],
        &expect![""],
    );
}

#[test]
fn a_season_is_judged_again_on_its_days() {
    check(
        &[("flow = 1.2 }", "flow = 1.3 }")],
        &expect!["judged 2026-04-01 00:00 .. 2026-10-01 01:30"],
    );
    check(
        &[("from = \"10-01\"", "from = \"10-08\"")],
        &expect!["judged 2026-10-01 00:00 .. 2026-10-08 01:30"],
    );
}

#[test]
fn a_mandate_is_judged_again_while_it_is_in_force() {
    check(
        &[("document = \"D\"", "document = \"D2\"")],
        &expect!["judged 2026-01-01 00:00 .. 2027-01-01 08:00"],
    );
    check(
        &[("from = \"2027-01-01\"", "from = \"2027-01-03\"")],
        &expect!["judged 2026-12-31 08:00 .. 2027-01-03 08:00"],
    );
    check(
        &[("from = \"2026-01-01\"", "from = \"2026-01-01\", to = \"2026-12-01\"")],
        &expect!["judged 2026-12-01 00:00 .. 2027-01-01 08:00"],
    );
}

#[test]
fn a_rule_is_judged_again_where_it_judges() {
    check(
        &[("below_for = \"90m\"", "below_for = \"30m\"")],
        &expect!["judged 2026-12-31 08:00 .. 2028-01-01 00:00"],
    );
    check(
        &[(
            "statistic = \"hourly_mean\"",
            "statistic = \"hourly_mean\"\nday_hours_met = \"20/24\"",
        )],
        &expect!["judged 2026-01-01 00:00 .. 2027-01-01 08:00"],
    );
    check(
        &[("statistic = \"hourly_mean\"", "statistic = \"hourly_mean\"\nhour_coverage = 0.5")],
        &expect![[r#"
            judged 2026-01-01 00:00 .. 2027-01-01 08:00
            begun 2026-01-01 00:00 .. 2027-01-01 00:00"#]],
    );
}

#[test]
fn an_outlet_is_judged_again_while_it_counts_otherwise() {
    check(
        &[("flow = { gauge = \"pipe\" }", "flow = { gauge = \"pipe\" }, from = \"2026-03-01\"")],
        &expect![[r#"
            judged 2026-01-01 00:00 .. 2026-03-01 01:30
            begun 2026-01-01 00:00 .. 2026-03-01 00:00"#]],
    );
    check(
        &[(
            "outlet = [",
            "outlet = [ { id = \"gate\", flow = { gauge = \"gate\" }, from = \"2026-03-01\", to = \"2026-05-01\" },",
        )],
        &expect![[r#"
            judged 2026-03-01 00:00 .. 2026-05-01 01:30
            begun 2026-03-01 00:00 .. 2026-05-01 00:00"#]],
    );
    check(
        &[("interval = \"1m\"", "interval = \"2m\"")],
        &expect![[r#"
        judged 2026-01-01 00:00 .. 2028-01-01 00:00
        begun 2026-01-01 00:00 .. 2028-01-01 00:00"#]],
    );
    check(&[("interval = \"5m\"", "interval = \"6m\"")], &expect![""]);
    check(
        &[("interval = \"1m\"", "interval = \"1m\", range = [0, 5]")],
        &expect![[r#"
        judged 2026-01-01 00:00 .. 2028-01-01 00:00
        begun 2026-01-01 00:00 .. 2028-01-01 00:00"#]],
    );
    check(&[("interval = \"5m\"", "interval = \"5m\", range = [0, 5]")], &expect![""]);
}

#[test]
fn another_zone_has_other_hours_and_days_throughout() {
    check(
        &[("name = \"鹿鸣滩(示例)\"", "zone = \"Asia/Kathmandu\"")],
        &expect![[r#"
        judged 2025-12-31 21:45 .. 2027-12-31 21:45
        begun 2025-12-31 21:45 .. 2027-12-31 21:45"#]],
    );
}

#[test]
fn what_an_import_does_to_the_past_is_counted_in_closed_hours() {
    let key = SectionKey { station: "S".parse().unwrap(), section: "dam".parse().unwrap() };
    let (begun, closed) = ("2026-09-29T00:00:00+08:00", "2026-10-05T07:00:00+08:00");
    let (begun, closed) = (begun.parse().unwrap(), closed.parse().unwrap());
    let sections = [SectionRow { key, begun, closed, again: Vec::new() }];
    let count = |was: &str, is: &str| {
        closed_again(&registry(OLD), &registry(&OLD.replace(was, is)), &sections)
    };
    assert_eq!(count("示例水电公司", "另一公司"), Extent::default());
    // two days, and as long as its section's rules look back
    assert_eq!(count("flow = 1.2 }", "flow = 1.3 }"), Extent { hours: 49, sections: 1 });
    assert_eq!(count("document = \"D\"", "document = \"F\""), Extent { hours: 151, sections: 1 });
}
