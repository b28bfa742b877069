//! Whoever applies the deltas to the snapshot has the state, however slow it is and wherever it
//! comes back.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    event::{Event, Kind, Why},
    viewer::{Sight, Viewer},
    *,
};

const RUN: u64 = 7;
const ROOMY: Bounds = Bounds { deltas: 1_024, bytes: 1 << 20 };

fn at(ms: i64) -> Timestamp {
    Timestamp::clamped(1_795_305_600_000 + ms)
}

fn section(name: &str) -> Key {
    Key::Section(SectionKey { station: name.parse().unwrap(), section: "dam".parse().unwrap() })
}

fn gauge(station: &str, name: &str) -> Key {
    Key::Gauge(format!("{station}/{name}").parse().unwrap())
}

/// A fact about `key` with this value, as the source would write it.
fn fact(key: &Key, value: u32) -> Fact {
    let named = match key {
        Key::Registry | Key::Counts => json!({ "value": value }),
        Key::Section(key) => {
            json!({ "station": key.station.as_str(), "section": key.section.as_str(), "value": value })
        }
        Key::Alarm(alarm) => json!({ "id": alarm.to_string(), "value": value }),
        Key::Gauge(gauge) => json!({ "gauge": gauge.to_string(), "value": value }),
    };
    named.to_string().into()
}

/// What somebody sees who asks for these stations.
fn sight(of: &[&str]) -> Sight {
    Sight { alarms: true, gauges_of: stations(of) }
}

fn text(event: &Event) -> String {
    event.pieces.iter().map(|piece| std::str::from_utf8(piece).unwrap()).collect()
}

/// A page that reads events and believes them.
#[derive(Debug, Default, Clone)]
struct Page {
    facts: BTreeMap<String, Value>,
    id: Option<String>,
    position: i64,
}

impl Page {
    fn take(&mut self, event: &Event) {
        let text = text(event);
        let (mut name, mut data) = ("", Map::new());
        for line in text.trim_end_matches('\n').lines() {
            let (field, value) = line.split_once(": ").unwrap();
            match field {
                "event" => name = value,
                "data" => data = serde_json::from_str(value).unwrap(),
                "id" => self.id = Some(value.to_owned()),
                other => panic!("{other}"),
            }
        }
        assert!(text.ends_with("\n\n"));
        self.position = data["position"].as_i64().unwrap();
        if name == "snapshot" {
            self.facts.clear();
        }
        for single in ["registry", "counts"] {
            if let Some(value) = data.remove(single) {
                self.facts.insert(single.to_owned(), value);
            }
        }
        for list in ["sections", "alarms", "gauges"] {
            for value in data.get(list).and_then(Value::as_array).into_iter().flatten() {
                let name = match list {
                    "sections" => {
                        let (station, section) = (&value["station"], &value["section"]);
                        format!("{}/{}", station.as_str().unwrap(), section.as_str().unwrap())
                    }
                    "alarms" => value["id"].as_str().unwrap().to_owned(),
                    _ => value["gauge"].as_str().unwrap().to_owned(),
                };
                self.facts.insert(format!("{list} {name}"), value.clone());
            }
            let gone = data.get(&format!("{list}_gone")).and_then(Value::as_array);
            for name in gone.into_iter().flatten() {
                let name = format!("{list} {}", name.as_str().unwrap());
                assert!(self.facts.remove(&name).is_some(), "{name} was never there");
            }
        }
    }
}

/// What a page must know by now.
fn expected(live: &Live, stations: &BTreeSet<StationId>) -> BTreeMap<String, Value> {
    let own = stations.iter().filter_map(|station| live.gauges.get(station)).flatten();
    let all = live.facts.iter().chain(own);
    all.map(|(key, fact)| {
        let name = match key {
            Key::Registry => "registry".to_owned(),
            Key::Counts => "counts".to_owned(),
            Key::Section(section) => format!("sections {section}"),
            Key::Alarm(alarm) => format!("alarms {alarm}"),
            Key::Gauge(gauge) => format!("gauges {gauge}"),
        };
        (name, serde_json::from_str(fact).unwrap())
    })
    .collect()
}

fn stations(names: &[&str]) -> BTreeSet<StationId> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn look(position: i64, changes: &[(Key, Option<u32>)]) -> Look {
    let changes = changes.iter().map(|(key, value)| (key.clone(), value.map(|v| fact(key, v))));
    Look { position, at: at(position), changes: changes.collect() }
}

fn kinds(viewer: &mut Viewer, live: &mut Live) -> Vec<Kind> {
    std::iter::from_fn(|| viewer.next(live)).map(|event| event.kind).collect()
}

#[test]
fn an_event_is_one_json_object_under_a_name_that_leads_back() {
    let mut live = Live::bounded(RUN, ROOMY);
    let mut viewer = Viewer::new(sight(&["A"]), None, &live);
    assert_eq!(viewer.next(&mut live), None, "nothing was seen yet");
    assert!(live.look(look(3, &[(section("A"), Some(1)), (gauge("A", "q"), Some(2))]), 0));
    let snapshot = viewer.next(&mut live).unwrap();
    assert_eq!(
        text(&snapshot),
        "event: snapshot\ndata: {\"position\":3,\"at\":\"2026-11-22T00:00:00.003Z\",\
         \"sections\":[{\"section\":\"dam\",\"station\":\"A\",\"value\":1}],\"alarms\":[],\
         \"gauges\":[{\"gauge\":\"A/q\",\"value\":2}]}\n\
         id: 0000000000000007-1-8ad5b584\n\n"
    );
    live.look(look(4, &[(section("A"), None)]), 300);
    assert_eq!(
        text(&viewer.next(&mut live).unwrap()),
        "event: delta\ndata: {\"position\":4,\"at\":\"2026-11-22T00:00:00.004Z\",\
         \"sections_gone\":[\"A/dam\"]}\nid: 0000000000000007-2-8ad5b584\n\n"
    );
    assert!(live.look(look(5, &[]), 3_000));
    assert_eq!(
        text(&viewer.next(&mut live).unwrap()),
        "event: beat\ndata: {\"position\":5,\"at\":\"2026-11-22T00:00:00.005Z\"}\n\
         id: 0000000000000007-2-8ad5b584\n\n"
    );
    assert_eq!(viewer.next(&mut live), None);
}

#[test]
fn what_changes_within_a_quarter_of_a_second_is_told_together_and_what_changes_back_is_not() {
    let mut live = Live::bounded(RUN, ROOMY);
    let mut viewer = Viewer::new(sight(&[]), None, &live);
    live.look(look(1, &[(section("A"), Some(1))]), 1_000);
    assert_eq!(kinds(&mut viewer, &mut live), [Kind::Snapshot(Why::New)]);
    assert!(!live.look(look(2, &[(section("A"), Some(2))]), 1_249));
    assert_eq!(kinds(&mut viewer, &mut live), []);
    assert!(live.look(look(3, &[(section("B"), Some(1))]), 1_250));
    assert_eq!(kinds(&mut viewer, &mut live), [Kind::Delta]);
    assert!(!live.look(look(4, &[(section("A"), Some(3))]), 1_300));
    assert!(!live.look(look(5, &[(section("A"), Some(2))]), 1_600), "it is as it was told");
    assert!(!live.look(look(6, &[(section("A"), Some(2)), (section("C"), None)]), 2_000));
}

#[test]
fn a_beat_comes_every_three_seconds_in_which_the_source_has_looked() {
    let mut live = Live::bounded(RUN, ROOMY);
    let mut viewer = Viewer::new(sight(&[]), None, &live);
    live.look(look(1, &[]), 10);
    assert_eq!(kinds(&mut viewer, &mut live), [Kind::Snapshot(Why::New)]);
    assert!(!live.look(look(1, &[]), 3_009));
    assert!(live.look(look(1, &[]), 3_010));
    assert_eq!(kinds(&mut viewer, &mut live), [Kind::Beat]);
    assert!(live.look(look(1, &[]), 9_000) && live.look(look(1, &[]), 12_000));
    assert_eq!(kinds(&mut viewer, &mut live), [Kind::Beat], "one says as much as two");
}

#[test]
fn whoever_comes_back_misses_nothing_and_whoever_was_elsewhere_begins_anew() {
    let mut live = Live::bounded(RUN, Bounds { deltas: 3, bytes: 1 << 20 });
    let mut page = Page::default();
    let mut viewer = Viewer::new(sight(&[]), None, &live);
    live.look(look(1, &[(section("A"), Some(0))]), 0);
    page.take(&viewer.next(&mut live).unwrap());
    let id = page.id.clone().unwrap();
    for value in 1..=3 {
        live.look(look(1, &[(section("A"), Some(value))]), u64::from(value) * 1_000);
    }
    let mut back = Viewer::new(sight(&[]), Some(&id), &live);
    assert_eq!(kinds(&mut back, &mut live), [Kind::Delta; 3]);
    for (last, why) in [
        (None, Why::New),
        (Some("0000000000000008-1-811c9dc5"), Why::Lost), // another life
        (Some("0000000000000007-1-8ad5b584"), Why::Lost), // asked for other gauges
        (Some("0000000000000007-9-811c9dc5"), Why::Lost), // what was never told
        (Some("0000000000000007-0-811c9dc5"), Why::Lost), // what is not kept any more
        (Some("garbage"), Why::Lost),
    ] {
        let mut viewer = Viewer::new(sight(&[]), last, &live);
        assert_eq!(kinds(&mut viewer, &mut live), [Kind::Snapshot(why)], "{last:?}");
    }
    // the viewer that never looked is behind what is kept
    live.look(look(1, &[(section("A"), Some(9))]), 9_000);
    assert_eq!(kinds(&mut viewer, &mut live), [Kind::Snapshot(Why::Slow)]);
}

#[test]
fn what_is_kept_is_bounded_in_number_and_in_bytes() {
    let mut live = Live::bounded(RUN, Bounds { deltas: 8, bytes: 2_000 });
    for number in 0..200_u32 {
        let name = format!("S-{}", number % 40);
        let changes = [(section(&name), Some(number)), (gauge(&name, "q"), Some(number))];
        live.look(look(1, &changes), u64::from(number) * 300);
        assert!(live.kept.len() <= 8 && live.kept_bytes <= 2_000);
        assert_eq!(live.kept_bytes, live.kept.iter().map(|delta| delta.bytes).sum::<usize>());
    }
    assert!(!live.kept.is_empty());
}

/// Which facts there may be.
fn keys() -> Vec<Key> {
    let stations = ["A", "AB", "B"];
    let sections = stations.iter().map(|station| section(station));
    let gauges = stations.iter().flat_map(|station| [gauge(station, "q"), gauge(station, "h")]);
    let alarms = [Key::Alarm(AlarmId(1)), Key::Alarm(AlarmId(u128::MAX))];
    sections.chain(gauges).chain(alarms).collect()
}

#[derive(Debug, Clone)]
enum Happening {
    /// The source looks so many ms later.
    Look(u64, Vec<(Key, Option<u32>)>),
    /// This page takes so many events.
    Take(usize, usize),
    /// It comes back under the id of its last event.
    Back(usize),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let change = (proptest::sample::select(keys()), proptest::option::of(0_u32..3));
    let changes = proptest::collection::vec(change, 0..6);
    let singles =
        proptest::collection::vec((0_u32..3).prop_map(|value| (Key::Counts, Some(value))), 0..2);
    let look = (0_u64..600, changes, singles).prop_map(|(later, mut changes, singles)| {
        changes.extend(singles);
        Happening::Look(later, changes)
    });
    let take = (0_usize..3, 0_usize..4).prop_map(|(page, count)| Happening::Take(page, count));
    let back = (0_usize..3).prop_map(Happening::Back);
    proptest::collection::vec(prop_oneof![4 => look, 3 => take, 1 => back], 1..120)
}

proptest! {
    #[test]
    fn the_deltas_on_the_snapshot_are_the_state(
        happenings in happenings(), deltas in 0_usize..6, bytes in 200_usize..4_000,
    ) {
        let mut live = Live::bounded(RUN, Bounds { deltas, bytes });
        let asked = [stations(&[]), stations(&["A"]), stations(&["A", "B"])];
        let new = |live: &Live, page: usize, id: Option<&str>| Viewer::new(Sight { alarms: true, gauges_of: asked[page].clone() }, id, live);
        let mut pages: Vec<(Viewer, Page)> =
            (0..3).map(|page| (new(&live, page, None), Page::default())).collect();
        let (mut now, mut position, mut told) = (0, 0, Vec::new());
        for happening in happenings {
            match happening {
                Happening::Look(later, changes) => {
                    now += later;
                    position += 1;
                    let before = live.sequence;
                    live.look(look(position, &changes), now);
                    prop_assert!(live.sequence - before <= 1);
                    if live.sequence > before {
                        told.push(now);
                    }
                }
                Happening::Take(which, count) => {
                    let (viewer, page) = &mut pages[which];
                    for _ in 0..count {
                        let Some(event) = viewer.next(&mut live) else { break };
                        page.take(&event);
                    }
                }
                Happening::Back(which) => {
                    let id = pages[which].1.id.clone();
                    pages[which].0 = new(&live, which, id.as_deref());
                }
            }
        }
        prop_assert!(told.windows(2).all(|pair| pair[1] - pair[0] >= DELTA_MS));
        // one more look tells what was held back
        live.look(look(position + 1, &[]), now + DELTA_MS);
        for (which, (viewer, page)) in pages.iter_mut().enumerate() {
            while let Some(event) = viewer.next(&mut live) {
                page.take(&event);
            }
            prop_assert_eq!(&page.facts, &expected(&live, &asked[which]), "page {}", which);
        }
        prop_assert!(live.pending.is_empty());
    }
}
