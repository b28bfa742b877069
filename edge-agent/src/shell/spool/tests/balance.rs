//! Whatever is done to a spool, and wherever it is cut off, every reading is accounted for.

use proptest::prelude::*;

use super::{
    super::StoreId,
    world::{STORE, World},
};

#[derive(Debug, Clone)]
enum Act {
    Append(i64),
    Close,
    Commit(usize),
    Adopt(u128),
    Fill(i64),
    Kill,
}

fn an_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1_i64..600).prop_map(Act::Append),
        4 => Just(Act::Close),
        3 => (0_usize..100).prop_map(Act::Commit),
        1 => (1_u128..3).prop_map(Act::Adopt),
        1 => (0_i64..20).prop_map(Act::Fill),
        1 => Just(Act::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_reading_is_in_a_batch_in_a_row_or_in_a_gap_after_any_step(
        acts in proptest::collection::vec(an_act(), 1..40),
        max_kib in 64_u64..400,
    ) {
        let mut world = World::new();
        world.settings.max_bytes = max_kib * 1_024;
        world.spool = None;
        world.start();
        let now = world.now;
        world.spool().adopt(STORE, now);
        for act in acts {
            let now = world.now;
            match act {
                Act::Append(count) => drop(world.append(count)),
                Act::Close => world.close(),
                Act::Commit(index) => {
                    if let Some(key) = world.queued.iter().nth(index % world.queued.len().max(1)).copied() {
                        world.commit(&[key]);
                    }
                }
                Act::Adopt(store) => {
                    world.spool().adopt(StoreId(store), now);
                    world.hear();
                }
                Act::Fill(spare) => {
                    let database = &world.spool().database;
                    let pages: i64 = database.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
                    database.pragma_update_and_check(None, "max_page_count", pages + spare, |_| Ok(())).unwrap();
                }
                Act::Kill => {
                    // only what no row had is gone, and nobody can count it
                    let waiting = world.spool().waiting_points();
                    if waiting == 0 && world.spool().lost_readings() == 0 {
                        let unsaved = world.open.len() - world.saved;
                        world.spool = None;
                        world.start();
                        world.open.clear();
                        world.saved = 0;
                        world.taken -= i64::try_from(unsaved).unwrap();
                    }
                }
            }
            world.reconcile();
        }
    }
}
