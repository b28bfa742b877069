//! Verdicts as the journal keeps them: versions, what is provisional, and what stands with them.

use expect_test::expect;
use model::{
    ids::SectionKey,
    time::{Span, Timestamp},
    verdict::{Length, Verdict},
};
use rusqlite::Connection;
use store::{
    AgainRow, By, ByKind, GivenPeriod, NewVerdict, SectionRow, SetVerdicts, Store, VerdictKind,
    VerdictsQuery, VerdictsSet,
};

use crate::making::open;

const HOUR: i64 = 3_600_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::clamped(ms)
}

fn key() -> SectionKey {
    SectionKey { station: "S".parse().unwrap(), section: "dam".parse().unwrap() }
}

fn hour(number: i64) -> Span {
    Span { from: at(number * HOUR), to: at((number + 1) * HOUR) }
}

fn new(by: Length, span: Span, is_open: bool, text: &str) -> NewVerdict {
    let bytes = text.as_bytes().to_vec();
    let (verdict, kind) = match text.split(' ').next() {
        Some("withdrawn") => (None, VerdictKind::Withdrawn),
        word => (
            Some(if word == Some("met") { Verdict::Met } else { Verdict::Short }),
            if is_open { VerdictKind::Provisional } else { VerdictKind::Closed },
        ),
    };
    NewVerdict { section: key(), by, span, verdict, kind, is_late: false, bytes }
}

/// Writes verdicts together with `samples` as the position and all before `closed` closed.
fn set(store: &Store, samples: i64, closed: i64, verdicts: Vec<NewVerdict>) -> VerdictsSet {
    let again = AgainRow { span: hour(-5), first_at: at(1), last_at: at(2) };
    let section =
        SectionRow { key: key(), begun: at(0), closed: at(closed * HOUR), again: vec![again] };
    let by = By { kind: ByKind::Server, name: "compliance".to_owned() };
    let sections = vec![section];
    let (registry, unsaid) = (1, Vec::new());
    let consumer = "compliance";
    let write = SetVerdicts {
        at: at(7),
        by,
        consumer,
        samples,
        registry,
        unsaid,
        sections,
        verdicts,
        standings: Vec::new(),
        gone: Vec::new(),
    };
    store.journal().write_blocking(write).unwrap()
}

fn query(by: Length, all_versions: bool) -> VerdictsQuery {
    let span = Span { from: Timestamp::MIN, to: Timestamp::MAX };
    VerdictsQuery { section: key(), by, span, all_versions, after: None, limit: 100 }
}

fn shown(store: &Store, query: &VerdictsQuery) -> String {
    let rows = store.journal().read_blocking(|reader| reader.verdicts(query)).unwrap();
    let row = |row: store::VerdictRow| {
        let (number, version) = (row.span.from.as_ms() / HOUR, row.version);
        let text = String::from_utf8(row.bytes).unwrap();
        let entry = row.entry.map_or("no entry".to_owned(), |entry| format!("entry {entry}"));
        let word = row.verdict.map_or("none", Verdict::word);
        format!("{number} v{version} {text} ({word}, {entry})")
    };
    rows.into_iter().map(row).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_version_follows_only_where_the_judgement_differs() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let open_hour = |text| new(Length::Hour, hour(0), true, text);
    let closed = |text| new(Length::Hour, hour(0), false, text);
    set(&store, 1, 0, vec![open_hour("met so far")]);
    set(&store, 2, 0, vec![open_hour("short so far")]);
    expect!["0 v0 short so far (short, no entry)"]
        .assert_eq(&shown(&store, &query(Length::Hour, true)));
    let first = set(&store, 3, 1, vec![closed("met 1")]);
    assert_eq!(first, VerdictsSet { closed: 1, revised: 0 });
    assert_eq!(set(&store, 4, 1, vec![closed("met 1")]), VerdictsSet::default());
    let revised = set(&store, 5, 1, vec![closed("short 2")]);
    assert_eq!(revised, VerdictsSet { closed: 0, revised: 1 });
    // what comes late for a period that is closed says nothing provisional of it
    set(&store, 6, 1, vec![open_hour("met so far")]);
    expect![[r#"
        0 v1 met 1 (met, entry 2)
        0 v2 short 2 (short, entry 3)"#]]
    .assert_eq(&shown(&store, &query(Length::Hour, true)));
    expect!["0 v2 short 2 (short, entry 3)"].assert_eq(&shown(&store, &query(Length::Hour, false)));
    let after = VerdictsQuery { after: Some((at(0), 1)), ..query(Length::Hour, true) };
    expect!["0 v2 short 2 (short, entry 3)"].assert_eq(&shown(&store, &after));
    let consumer = store.journal().read_blocking(|reader| reader.consumer("compliance")).unwrap();
    assert_eq!(consumer, Some((6, 1)));
    let report = store::verify(&store).unwrap();
    assert_eq!((report.verdicts, report.findings), (2, Vec::new()));
}

#[test]
fn how_far_a_section_has_come_stands_with_its_verdicts() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    set(&store, 1, 3, Vec::new());
    store.close();
    let store = open(folder.path());
    let sections = store.journal().read_blocking(store::JournalReader::sections).unwrap();
    let again = vec![AgainRow { span: hour(-5), first_at: at(1), last_at: at(2) }];
    assert_eq!(sections, [SectionRow { key: key(), begun: at(0), closed: at(3 * HOUR), again }]);
}

#[test]
fn what_was_provisional_goes_with_its_period() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let day = |from: i64| Span { from: at(from * HOUR), to: at((from + 24) * HOUR) };
    set(&store, 1, 0, vec![new(Length::Day, day(0), true, "met so far")]);
    // a change of rule: its days begin at eight
    set(&store, 2, 0, vec![new(Length::Day, day(8), true, "met from eight")]);
    expect!["8 v0 met from eight (met, no entry)"]
        .assert_eq(&shown(&store, &query(Length::Day, true)));
    // an hour that is closed without a verdict, since its mandate has gone
    set(&store, 3, 4, vec![new(Length::Hour, hour(4), true, "met so far")]);
    set(&store, 4, 5, Vec::new());
    assert_eq!(shown(&store, &query(Length::Hour, true)), "");
}

#[test]
fn what_is_withdrawn_stands_no_more_and_overlaps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let day = |from: i64| Span { from: at(from * HOUR), to: at((from + 24) * HOUR) };
    let closed = |from: i64, text| new(Length::Day, day(from), false, text);
    set(&store, 1, 60, vec![closed(0, "met 1"), closed(24, "short 1"), closed(8, "met by eight")]);
    let given = || {
        let span = Span { from: at(30 * HOUR), to: at(31 * HOUR) };
        let read = |reader: &store::JournalReader| reader.given_periods(&key(), span, 8);
        store.journal().read_blocking(read).unwrap()
    };
    let day_of = |from| GivenPeriod { by: Length::Day, span: day(from), judged_at: at(7) };
    assert_eq!(given(), [day_of(8), day_of(24)]);
    let found = store::verify(&store).unwrap().findings;
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["2 closed periods that overlap another one while both stand"]);
    set(&store, 2, 60, vec![closed(8, "withdrawn")]);
    assert_eq!(given(), [day_of(24)]);
    assert_eq!(store::verify(&store).unwrap().findings, Vec::new());
    expect![[r#"
        0 v1 met 1 (met, entry 2)
        8 v1 met by eight (met, entry 2)
        8 v2 withdrawn (none, entry 3)
        24 v1 short 1 (short, entry 2)"#]]
    .assert_eq(&shown(&store, &query(Length::Day, true)));
    let all = Span { from: at(0), to: at(25 * HOUR) };
    let counts = store
        .journal()
        .read_blocking(|reader| reader.verdict_counts(&key(), Length::Day, all))
        .unwrap();
    assert_eq!((counts.met, counts.short, counts.open), (1, 1, 0), "what is withdrawn is no day");
    let until = store.journal().read_blocking(|reader| reader.closed_until(&key())).unwrap();
    assert_eq!(until, Some(at(60 * HOUR)));
    // and may stand again
    set(
        &store,
        3,
        60,
        vec![closed(8, "met by eight"), closed(0, "withdrawn"), closed(24, "withdrawn")],
    );
    assert_eq!(store::verify(&store).unwrap().findings, Vec::new());
    assert_eq!(given(), [day_of(8)]);
    // or be open again: then what is provisional is what is said of it
    let open = |from, text| new(Length::Day, day(from), true, text);
    set(&store, 4, 60, vec![open(8, "short so far"), open(24, "met so far")]);
    expect![[r#"
        0 v2 withdrawn (none, entry 4)
        8 v3 met by eight (met, entry 4)
        24 v0 met so far (met, no entry)"#]]
    .assert_eq(&shown(&store, &query(Length::Day, false)));
    let counted = |store: &Store| {
        let read = |reader: &store::JournalReader| reader.verdict_counts(&key(), Length::Day, all);
        let counts = store.journal().read_blocking(read).unwrap();
        (counts.met, counts.short, counts.open)
    };
    assert_eq!(counted(&store), (1, 0, 1));
    set(&store, 5, 60, vec![closed(8, "withdrawn"), closed(24, "short 2")]);
    assert_eq!(counted(&store), (0, 1, 0));
    assert_eq!(store::verify(&store).unwrap().findings, Vec::new());
}

#[test]
fn a_verdict_that_was_changed_taken_out_or_put_in_is_found() {
    let check = |tamper: &str, expected: &expect_test::Expect| {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let hours = (0..130).map(|number| new(Length::Hour, hour(number), false, "short"));
        set(&store, 1, 130, hours.collect());
        store.close();
        let connection = Connection::open(folder.path().join("journal.db")).unwrap();
        connection.execute_batch(tamper).unwrap();
        drop(connection);
        let report = store::verify(&open(folder.path())).unwrap();
        let mut lines = vec![format!("{} entries, {} verdicts", report.entries, report.verdicts)];
        lines.extend(report.findings.iter().map(ToString::to_string));
        expected.assert_eq(&lines.join("\n"));
    };
    check("", &expect!["4 entries, 130 verdicts"]);
    check(
        "UPDATE verdict SET bytes = CAST('met' AS BLOB) WHERE from_ms = 3600000",
        &expect![[r#"
            4 entries, 130 verdicts
            verdict of S/dam from 1970-01-01T01:00:00Z, version 1: its judgement is not the one that was given"#]],
    );
    check(
        "UPDATE verdict SET verdict = 1 WHERE from_ms = 0",
        &expect![[r#"
            4 entries, 130 verdicts
            verdict of S/dam from 1970-01-01T00:00:00Z, version 1: its row says other than its entry"#]],
    );
    check(
        "DELETE FROM verdict WHERE from_ms = 0",
        &expect![[r#"
            4 entries, 130 verdicts
            verdict of S/dam from 1970-01-01T00:00:00Z, version 1: its row is missing"#]],
    );
    check(
        "INSERT INTO verdict SELECT section, by, from_ms, 2, to_ms, 1, 0, judged_at, 0, entry, bytes
         FROM verdict WHERE from_ms = 0",
        &expect![[r#"
            4 entries, 130 verdicts
            1 verdicts that no entry names"#]],
    );
}
