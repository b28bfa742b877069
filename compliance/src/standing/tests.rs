//! How a section stands, case by case.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use model::{registry::Registry, tree::Origin};

use super::*;

const REGISTRY: &str = r#"
    [[station]]
    id = "S"
    gauge = [ { id = "a", quantity = "flow", unit = "m3/s", interval = "1m" },
              { id = "b", quantity = "flow", unit = "m3/s", interval = "10m" } ]
    outlet = [ { id = "a", flow = { gauge = "a" } }, { id = "b", flow = { gauge = "b" } } ]
    mandate = [ { document = "D", from = "2026-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "r" } ]
    [[rule]]
    id = "r"
    statistic = "hourly_mean"
"#;

/// Samples as `minute:flow`, one line an outlet; looked at after so many minutes.
fn check(lines: [&str; 2], now: i64, expected: &Expect) {
    let registry: Registry = store::registry::parse(REGISTRY, &Origin::Default).unwrap();
    let section = Section::judged(&registry).next().unwrap();
    let minute = |minute: i64| {
        let begin: Timestamp = "2026-01-02T00:00:00+08:00".parse().unwrap();
        begin.plus_ms(minute * 60_000)
    };
    let evidence: Vec<Evidence<'_>> = section
        .sources()
        .into_iter()
        .zip(lines)
        .map(|(source, line)| {
            let sample = |word: &str| {
                let (at, flow) = word.split_once(':').unwrap();
                (minute(at.parse().unwrap()), Flow::from_m3_per_s(flow).unwrap())
            };
            Evidence { source, samples: line.split_whitespace().map(sample).collect() }
        })
        .collect();
    let near = Decimal { units: 105, decimals: 2 };
    let found = find(&section, &evidence, near, minute(now));
    let from = |at: Timestamp| at.ms_since(minute(0)) / 60_000;
    let mut shown = format!("{} as of {}", found.state, from(found.as_of));
    if let Some(Released { value, at, is_bound, is_estimated }) = found.released {
        let words = [(is_bound, ", lower"), (is_estimated, ", estimated")];
        let words: String = words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
        write!(shown, ": {value} at {}{words}", from(at)).unwrap();
    }
    if let Some(until) = found.until {
        write!(shown, "; until {}", from(until)).unwrap();
    }
    expected.assert_eq(&shown);
}

#[test]
fn it_is_what_stands_of_all_outlets_against_what_must_be() {
    check(["10:0.6", "10:0.5"], 10, &expect!["ok as of 10: 1.10 at 10; until 13"]);
    check(["10:0.6", "10:0.4"], 10, &expect!["near as of 10: 1.00 at 10; until 13"]);
    check(["10:0.6", "10:0.449999"], 10, &expect!["near as of 10: 1.049999 at 10; until 13"]);
    check(["10:0.6", "10:0.399999"], 10, &expect!["breach as of 10: 0.999999 at 10; until 13"]);
    check(["10:0.6", "10:-0.1"], 10, &expect!["breach as of 10: 0.60 at 10; until 13"]);
}

#[test]
fn an_outlet_counts_with_its_last_value_until_it_is_silent() {
    // the other one speaks every ten minutes
    check(["9:0.9 10:0.2 15:0.2", "8:0.3"], 15, &expect!["breach as of 15: 0.50 at 15; until 18"]);
    // a reading is missing, and the last one stands in for it
    check(["8:0.9 10:0.2", "9:0.3 10:0.3"], 10, &expect!["breach as of 10: 0.50 at 10; until 13"]);
    check(["8:0.9", "9:0.3"], 9, &expect!["ok as of 9: 1.20 at 9, estimated; until 11"]);
}

#[test]
fn silence_turns_it_stale_by_the_clock_alone() {
    check(["10:0.6", "10:0.5"], 12, &expect!["ok as of 10: 1.10 at 10; until 13"]);
    check(["10:0.6", "10:0.5"], 13, &expect!["stale as of 10: 0.50 at 10, lower; until 40"]);
    check(["10:0.6", "10:1.5"], 13, &expect!["ok as of 10: 1.50 at 10, lower; until 40"]);
    check(["10:0.6", "10:0.5"], 40, &expect!["stale as of 40: 1.10 at 10"]);
    check(["", ""], 40, &expect!["stale as of 40"]);
}
