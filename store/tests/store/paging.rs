//! Pages lose and repeat nothing, whatever arrives between them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use store::{Admit, Cursor, SamplesQuery, SamplesWeight, StoredSample};

use crate::making::{BEGIN, Points, all, at, batch, gauge, json, open, put_new, shown};

#[derive(Debug, Clone)]
struct Scene {
    payloads: Vec<(Points, bool)>,
    /// How many payloads are there before the first page; the rest comes one by one between pages.
    before: usize,
    limits: Vec<usize>,
    from: i64,
    to: i64,
}

fn scenes() -> impl Strategy<Value = Scene> {
    let points = proptest::collection::btree_map(0_i64..120, 0_i64..3, 1..10);
    let points = points.prop_map(|points| points.into_iter().collect::<Points>());
    let payloads = proptest::collection::vec((points, any::<bool>()), 1..14);
    let limits = proptest::collection::vec(1_usize..9, 1..5);
    (payloads, limits, 0_i64..120, 0_i64..130).prop_flat_map(|(payloads, limits, from, to)| {
        (0..=payloads.len()).prop_map(move |before| Scene {
            payloads: payloads.clone(),
            before,
            limits: limits.clone(),
            from: from.min(to),
            to,
        })
    })
}

fn admit(n: usize, (points, is_json): &(Points, bool)) -> Admit {
    // A document that says what another said is the same document: a gauge beside makes it new.
    let other = i64::try_from(n).unwrap();
    let columns = [("level", points.clone()), ("other", vec![(1_000 + other, other)])];
    if *is_json { json(&columns) } else { batch(u64::try_from(n).unwrap() + 1, &columns) }
}

fn model(payloads: &[(Points, bool)], from: i64, to: i64) -> Vec<(i64, String)> {
    let mut standing = BTreeMap::new();
    for (points, _) in payloads {
        for (ms, value) in points {
            standing.entry(*ms).or_insert(*value);
        }
    }
    let inside: Points = standing.into_iter().filter(|(ms, _)| *ms >= from && *ms < to).collect();
    shown(&inside)
}

fn text(stored: &StoredSample) -> (i64, String) {
    (stored.sample.at.as_ms() - BEGIN, stored.decimal().unwrap().to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pages_show_what_was_there_at_the_first_one(scene in scenes()) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let (before, after) = scene.payloads.split_at(scene.before);
        for (n, payload) in before.iter().enumerate() {
            put_new(&store, admit(n, payload));
        }
        let mut arriving = after.iter().enumerate();
        let mut query = SamplesQuery {
            gauge: gauge("level"), from: at(scene.from), to: at(scene.to), cursor: None, limit: 1,
        };
        let mut listed = Vec::new();
        for limit in scene.limits.iter().cycle() {
            query.limit = *limit;
            let page = store.samples().read_blocking(|reader| reader.samples(&query)).unwrap();
            prop_assert!(page.samples.len() <= *limit);
            listed.extend(page.samples.iter().map(text));
            if let Some((n, payload)) = arriving.next() {
                put_new(&store, admit(scene.before + n, payload));
            }
            let Some(next) = page.next else { break };
            query.cursor = Some(next);
        }
        prop_assert_eq!(listed, model(before, scene.from, scene.to));
        for (n, payload) in arriving {
            put_new(&store, admit(scene.before + n, payload));
        }
        prop_assert_eq!(all(&store, "level"), model(&scene.payloads, 0, 1_000));
    }
}

#[test]
fn an_unknown_gauge_has_an_empty_page() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert_eq!(all(&store, "level"), []);
}

#[test]
fn a_column_of_many_hours_is_read_from_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let points: Points = (0..240).map(|n| (n * 360_000, n)).collect();
    put_new(&store, batch(1, &[("level", points.clone())]));
    put_new(&store, json(&[("level", vec![(7, 7), (90 * 3_600_000, 8)])]));
    let mut wanted = points;
    wanted.extend([(7, 7), (90 * 3_600_000, 8)]);
    wanted.sort_unstable();
    assert_eq!(all(&store, "level"), shown(&wanted));
    let query = SamplesQuery {
        gauge: gauge("level"),
        from: at(360_000 * 100 + 1),
        to: at(360_000 * 101 + 1),
        cursor: None,
        limit: 10,
    };
    let page = store.samples().read_blocking(|reader| reader.samples(&query)).unwrap();
    assert_eq!(page.samples.iter().map(text).collect::<Vec<_>>(), shown(&[(36_360_000, 101)]));
}

#[test]
fn a_listing_begins_at_a_position_and_what_it_costs_is_known_before() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let payloads: Vec<(Points, bool)> =
        (0..5).map(|n| ((0..4).map(|ms| (4 * n + ms, ms)).collect(), false)).collect();
    for (n, payload) in payloads.iter().enumerate() {
        put_new(&store, admit(n, payload));
    }
    let weight = |from: i64, to: i64, limit: u64| {
        let span = model::time::Span { from: at(from), to: at(to) };
        let gauge = gauge("level");
        store.samples().read_blocking(|reader| reader.weight(&gauge, span, limit)).unwrap()
    };
    assert_eq!(weight(0, 20, 100), SamplesWeight { spans: 5, points: 20 });
    assert_eq!(weight(4, 12, 100), SamplesWeight { spans: 2, points: 8 });
    assert_eq!(weight(0, 20, 3).spans, 3, "no more than is asked for is looked at");
    let position = 3;
    let mut cursor = Some(Cursor::as_of(position, at(2)));
    let mut moments = Vec::new();
    while cursor.is_some() {
        let query =
            SamplesQuery { gauge: gauge("level"), from: at(2), to: at(18), cursor, limit: 3 };
        let page = store.samples().read_blocking(|reader| reader.samples(&query)).unwrap();
        moments.extend(page.samples.iter().map(|stored| stored.sample.at.as_ms() - BEGIN));
        if let Some(next) = page.next {
            assert!(page.samples.iter().all(|stored| stored.sample.at < next.at()));
        }
        cursor = page.next;
    }
    assert_eq!(moments, (2..12).collect::<Vec<_>>(), "the fourth payload came later");
}
