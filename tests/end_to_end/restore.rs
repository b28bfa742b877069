//! Backups: a server whose disk is gone comes back from one, and what came after it comes again.

use std::{fs, time::Duration};

use world::{Oracle, Site, World, wait};

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the server has so many values more than it had.
fn until_stored(world: &World, gauge: &str, more: usize) {
    let api = world.server.api();
    let count = || api.samples(gauge).map(|samples| samples.len());
    let wanted = wait::until("the API answers", PATIENCE, count) + more;
    wait::until(&format!("{more} samples more of {gauge}"), PATIENCE, || {
        let found = count()?;
        if found >= wanted { Ok(()) } else { Err(format!("{found} of {wanted}")) }
    });
}

#[test]
fn what_came_after_a_backup_comes_again_from_the_agents_and_nothing_twice() {
    let mut world = World::new("restore");
    let (mut first, mut second) = (world.meter("first"), world.meter("second"));
    let stays = Site::counting("stays", &mut first, "100ms", 20);
    let rests = Site::counting("rests", &mut second, "100ms", 20);
    world.open(&[&stays, &rests]);
    let (mut staying, mut resting) = (world.agent(&stays), world.agent(&rests));
    staying.start();
    resting.start();
    for site in [&stays, &rests] {
        until_stored(&world, &site.full("g0"), 5);
    }
    let backup = world.folder().join("backup");
    let backup = backup.to_str().expect("a plain path");
    let said = world.server.command(&["backup", backup]).success();
    assert!(said.contains("samples.db ") && said.contains(backup), "{said}");

    // What comes now is stored and known as stored, and then the server's disk is gone. One of the
    // agents goes on, the other one is not there meanwhile.
    for site in [&stays, &rests] {
        until_stored(&world, &site.full("g0"), 20);
    }
    wait::until("both agents know of it", PATIENCE, || {
        let (one, other) = (staying.held().committed, resting.held().committed);
        if one >= 20 && other >= 20 { Ok(()) } else { Err(format!("{one}, {other}")) }
    });
    let beside = world.server.command(&["restore", backup]);
    assert_eq!(beside.code, 1, "{beside:?}");
    assert!(beside.err.contains("is in use by process"), "{beside:?}");
    resting.stop();
    world.server.kill9();
    fs::remove_dir_all(world.server.data()).expect("the data folder");

    // Copied there by hand the backup would pass for the store that has everything.
    fs::create_dir(world.server.data()).expect("a folder");
    for name in ["samples.db", "journal.db"] {
        let from = world.folder().join("backup").join(name);
        fs::copy(from, world.server.data().join(name)).expect("a copy");
    }
    let copied = world.server.command(&["run"]);
    assert_eq!(copied.code, 1, "{copied:?}");
    assert!(copied.err.contains("`baseflow restore` puts it back"), "{copied:?}");
    let full = world.server.command(&["restore", backup]);
    assert_eq!(full.code, 1, "{full:?}");
    assert!(full.err.contains("is not empty"), "{full:?}");
    fs::remove_dir_all(world.server.data()).expect("the data folder");

    let said = world.server.command(&["restore", backup]).success();
    assert!(said.contains("0 findings"), "{said}");
    world.server.start();
    resting.start();
    for site in [&stays, &rests] {
        until_stored(&world, &site.full("g0"), 5);
    }
    first.silence([1]);
    second.silence([1]);
    Oracle::read(&[&stays, &rests]).reconcile(&world.server, PATIENCE);
    world.server.command(&["verify"]).success();
}
