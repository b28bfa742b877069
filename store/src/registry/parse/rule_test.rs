//! Rule tests: samples in runs or one by one, and the verdicts that must come of them.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    calendar::TimeOfDay,
    flow::Flow,
    ids::RuleId,
    rule::{RuleProfile, Statistic},
    rule_test::{Expectation, RuleTest, Run, TestSamples},
    time::{Span, Timestamp, Zone},
    tree::Table,
    verdict::{Length, Verdict},
};

use super::{Section, field, known};

const DAY_MS: i64 = 86_400_000;
/// The most samples that one test may hold: a second apart, a day and more.
const MAX_SAMPLES: u32 = 100_000;

pub(super) fn rule_tests(
    root: &Table<'_>,
    rules: &Section<RuleId, RuleProfile>,
    zone: Option<&Zone>,
) -> BTreeMap<String, RuleTest> {
    let mut tests = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for table in root.tables("rule_test") {
        let id = field::line(&table, "id").required();
        let test = rule_test(&table, id.clone(), (rules, zone));
        let Some(id) = id else { continue };
        if !ids.insert(id.clone()) {
            table.fault("id", format!("another rule_test has the id `{id}` already"));
        } else if let Some(test) = test {
            tests.insert(id, test);
        }
    }
    tests
}

fn rule_test(
    table: &Table<'_>,
    id: Option<String>,
    (rules, zone): (&Section<RuleId, RuleProfile>, Option<&Zone>),
) -> Option<RuleTest> {
    let rule = known(table, "rule", &rules.ids, table.parse("rule").required());
    let zone = field::zone(table, zone);
    let required = field::flow(table, "required").required();
    let interval_ms = field::span(table, "interval", 100..=DAY_MS).required();
    let samples = samples(table);
    let exempt: Vec<_> = table.tables("exempt").iter().map(span).collect();
    let profile = rule.as_ref().and_then(|rule| rules.entries.get(rule));
    let expected = table.tables("expect");
    if expected.is_empty() {
        table.fault("expect", "expects nothing; write { by = …, from = …, verdict = … }");
    }
    let expect: Vec<_> =
        expected.iter().map(|table| expectation(table, zone.as_ref(), profile)).collect();
    Some(RuleTest {
        id: id?,
        rule: rule?,
        zone: zone?,
        required: required?,
        interval_ms: interval_ms?,
        samples: samples?,
        exempt: exempt.into_iter().collect::<Option<_>>()?,
        expect: expect.into_iter().collect::<Option<_>>()?,
    })
}

fn samples(table: &Table<'_>) -> Option<TestSamples> {
    let from = field::moment(table, "from").optional();
    let runs = table.text("series").and_then(|text| runs(&text)).optional();
    let singles = singles(table);
    match (table.has("series"), table.has("samples")) {
        (true, false) => {
            if !table.has("from") {
                table.fault("from", "missing: when is the first sample of the series?");
            }
            Some(TestSamples::Series { from: from?, runs: runs? })
        }
        (false, true) => {
            if table.has("from") {
                table.fault("from", "belongs to `series`; each of `samples` has its own `at`");
            }
            singles.map(TestSamples::Single)
        }
        (true, true) | (false, false) => {
            table.fault("", "must hold either `series` with `from`, or `samples`");
            None
        }
    }
}

/// Runs such as `12x0.75 6x- 1.20`, one after another; `-` is missing.
fn runs(text: &str) -> Result<Vec<Run>, String> {
    let runs: Vec<Run> = text.split_whitespace().map(run).collect::<Result<_, _>>()?;
    let count = runs.iter().fold(0_u32, |count, run| count.saturating_add(run.count));
    match count {
        0 => Err("holds no sample; write runs such as 12x0.75 6x- 1.20".to_owned()),
        1..=MAX_SAMPLES => Ok(runs),
        _ => Err(format!("holds more than {MAX_SAMPLES} samples")),
    }
}

fn run(text: &str) -> Result<Run, String> {
    let (count, flow) = text.split_once('x').unwrap_or(("1", text));
    let is_plain = count.bytes().all(|byte| byte.is_ascii_digit());
    let count = count.parse().ok().filter(|count| *count > 0 && is_plain);
    let count = count.ok_or_else(|| format!("`{text}` is not a run; write it as 12x0.75"))?;
    let flow = if flow == "-" { None } else { Some(field::flow_from(flow)?) };
    Ok(Run { count, flow })
}

fn singles(table: &Table<'_>) -> Option<Vec<(Timestamp, Flow)>> {
    let mut samples: Vec<Option<(Timestamp, Flow)>> = Vec::new();
    let mut latest: Option<Timestamp> = None;
    for sample in table.tables("samples") {
        let at = field::moment(&sample, "at").required();
        let flow = field::flow(&sample, "value").required();
        if at.zip(latest).is_some_and(|(at, latest)| at <= latest) {
            sample.fault("at", "is not after the sample before");
        }
        latest = at.or(latest);
        samples.push(at.zip(flow));
    }
    samples.into_iter().collect()
}

fn span(table: &Table<'_>) -> Option<Span> {
    let from = field::moment(table, "from").required();
    let to = field::moment(table, "to").required();
    if from.zip(to).is_some_and(|(from, to)| to <= from) {
        table.fault("to", "is not after `from`; it is the first moment without");
    }
    Some(Span { from: from?, to: to? })
}

fn expectation(
    table: &Table<'_>,
    zone: Option<&Zone>,
    profile: Option<&RuleProfile>,
) -> Option<Expectation> {
    let by = table.one_of("by", Length::WORDS).required();
    let from = field::moment(table, "from").required();
    let verdict = table.one_of("verdict", Verdict::WORDS).required();
    let (by, from) = (by?, from?);
    if let (Some(zone), Some(profile)) = (zone, profile)
        && let Err(problem) = begins(by, from, zone, profile)
    {
        table.fault("from", problem);
    }
    Some(Expectation { by, from, verdict: verdict? })
}

/// Refuses a moment at which no period of this length begins under the rule.
fn begins(by: Length, from: Timestamp, zone: &Zone, profile: &RuleProfile) -> Result<(), String> {
    let time = TimeOfDay::of(from, zone);
    let is_whole_minute = from.as_ms() % 60_000 == 0;
    match by {
        Length::Hour if profile.statistic == Statistic::DailyMean => {
            Err("the rule judges by the daily mean and gives no verdict for an hour".to_owned())
        }
        Length::Hour if is_whole_minute && time.minute().is_multiple_of(60) => Ok(()),
        Length::Hour => Err("no clock hour begins then".to_owned()),
        Length::Day if is_whole_minute && time == profile.day_start => Ok(()),
        Length::Day => Err(format!("the rule's day begins at {}", profile.day_start)),
    }
}
