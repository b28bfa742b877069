//! What an agent's spool says is lost, the server believes: gaps of every sort, made by real spools
//! on real files, are judged as ingest judges them.

use std::{collections::BTreeMap, fs, os::unix::fs::FileExt as _, path::PathBuf};

use edge_agent::{
    batcher::Draft,
    clock_trust::BUILT_AT,
    ledger::BatchKey,
    metrics::Metrics,
    shell::spool::{Happening, Moment, Settings, Spool},
};
use ingest::{
    gaps,
    intake::{Arrival, Known},
};
use model::{
    batch::{BatchClock, ClockAnchor, Column, Gap, GapReason},
    ids::BootId,
    reading::Point,
    registry::Registry,
    time::Timestamp,
    wire::batch_v1,
};
use prometheus::Registry as Counters;
use rusqlite::Connection;
use tempfile::TempDir;

const BOOT: BootId = BootId(7);
const GAUGES: [&str; 2] = ["S/flow", "S/level"];

/// What the gateway's clocks show, and what its readings count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hands {
    /// UTC.
    Right,
    /// A wall clock that starts in 1970.
    Unset,
    /// A wall clock that starts where the firmware left off, with `trust = "auto"`.
    Firmware,
}

const ALL: [Hands; 3] = [Hands::Right, Hands::Unset, Hands::Firmware];

/// A spool in a folder of its own.
struct Rig {
    folder: TempDir,
    hands: Hands,
    settings: Settings,
    spool: Option<Spool>,
    boot_ms: i64,
    /// Every gap that a batch has carried.
    told: Vec<Gap>,
    last: Option<BatchKey>,
}

impl Rig {
    fn new(hands: Hands) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = Settings {
            path: folder.path().join("spool.db"),
            agent: "gw".parse().expect("an agent"),
            hours: 1_000,
            max_bytes: 1 << 30,
            is_compressed: false,
            boot_id: BOOT,
            gauges: GAUGES.map(|gauge| gauge.parse().expect("a gauge")).to_vec(),
        };
        let mut rig = Self {
            folder,
            hands,
            settings,
            spool: None,
            boot_ms: 1_000_000,
            told: Vec::new(),
            last: None,
        };
        rig.start();
        rig
    }

    fn now(&self) -> Moment {
        let wall = match self.hands {
            Hands::Right => BUILT_AT.plus_ms(86_400_000 + self.boot_ms),
            Hands::Unset => Timestamp::clamped(self.boot_ms),
            Hands::Firmware => BUILT_AT.plus_ms(self.boot_ms),
        };
        Moment { wall, boot_ms: self.boot_ms, is_trusted: self.hands == Hands::Right }
    }

    fn start(&mut self) {
        let metrics = Metrics::new(&Counters::new()).expect("metrics");
        let spool = Spool::open(self.settings.clone(), metrics, self.now()).expect("a spool");
        self.spool = Some(spool);
        self.hear();
    }

    fn spool(&mut self) -> &mut Spool {
        self.spool.as_mut().expect("it is open")
    }

    fn hear(&mut self) {
        for happening in self.spool().take_happenings() {
            if let Happening::Closed(key, payload) = happening {
                let (batch, _) = batch_v1::decode(&payload).expect("a batch");
                self.told.extend(batch.gaps);
                self.last = Some(key);
            }
        }
    }

    fn draft(&mut self, points: i64) -> Draft {
        let from_ms = self.boot_ms;
        self.boot_ms += points * 1_000;
        let (clock, offset_ms) = match self.hands {
            Hands::Right => {
                (BatchClock::Utc { uncertainty_ms: 0 }, self.now().wall.as_ms() - self.boot_ms)
            }
            Hands::Unset | Hands::Firmware => (BatchClock::Boot { boot_id: BOOT }, 0),
        };
        let at = |number: i64| offset_ms + from_ms + number * 1_000;
        let column = |gauge: &str| Column {
            gauge: gauge.parse().expect("a gauge"),
            unit: "m".into(),
            decimals: 3,
            period_ms: 1_000,
            points: (0..points).map(|number| Point::good(at(number), number * 7_919)).collect(),
        };
        Draft { clock, columns: GAUGES.map(column).to_vec() }
    }

    /// Readings of two gauges, saved and closed.
    fn batch(&mut self, points: i64) {
        let draft = self.draft(points);
        let now = self.now();
        // whether the row can be saved or not, the batch has it
        drop(self.spool().append(&draft, now));
        self.spool().close(draft, now);
        self.hear();
    }

    /// Changes the spool's file behind the agent's back.
    fn sql(&mut self, sql: &str) {
        let changed = Connection::open(&self.settings.path).and_then(|file| file.execute(sql, []));
        assert!(changed.expect("a change") > 0, "{sql}");
    }

    fn load_last(&mut self) {
        let (key, now) = (self.last.expect("a batch"), self.now());
        assert_eq!(self.spool().load(key, now).expect("a look"), None, "it is damaged");
    }

    /// Garbage in place of all pages but the first.
    fn garble(&self) {
        let fold = "PRAGMA wal_checkpoint(TRUNCATE)";
        let database = Connection::open(&self.settings.path).expect("a spool");
        database.query_row(fold, [], |_| Ok(())).expect("a folded log");
        drop(database);
        let file = fs::OpenOptions::new().write(true).open(&self.settings.path).expect("a file");
        let pages = file.metadata().expect("a file").len() / 4_096;
        for page in 1..pages {
            file.write_all_at(&[0x55; 4_096], page * 4_096).expect("garbage");
        }
    }

    fn in_the_way_of_a_new_file(&self) -> PathBuf {
        self.folder.path().join("spool.db.new")
    }
}

/// Makes what `lose` loses, under each clock, and has every gap of it judged.
fn check(reason: GapReason, mut lose: impl FnMut(&mut Rig)) {
    for hands in ALL {
        let mut rig = Rig::new(hands);
        lose(&mut rig);
        let counts_from_boot = hands != Hands::Right;
        let owes = rig.spool().is_anchor_owed();
        assert_eq!(owes, counts_from_boot, "{hands:?}: an anchor is owed");
        // the next batch tells
        rig.batch(1);
        let began_at = BUILT_AT.plus_ms(86_400_000);
        let utc_at_boot_ms = began_at.as_ms();
        let anchor = ClockAnchor { boot_id: BOOT, utc_at_boot_ms, uncertainty_ms: 2, source: 1 };
        let anchors = BTreeMap::from([(BOOT, anchor)]);
        let known = Known { registry: &Registry::default(), anchors: &anchors };
        let server_now = began_at.plus_ms(rig.boot_ms);
        let arrival = Arrival {
            agent: &rig.settings.agent,
            topic: "",
            payload: &[],
            received_at: server_now,
            remainder: None,
        };
        let judged = gaps::judge(&rig.told, arrival, known);
        assert_eq!(judged.set_aside, [], "{hands:?}: {:?}", rig.told);
        assert!(rig.told.iter().any(|gap| gap.reason == reason), "{hands:?}: {:?}", rig.told);
        for admitted in &judged.admitted {
            let gap = &admitted.gap;
            assert_eq!(gap.gauges, rig.settings.gauges, "{hands:?}");
            let span = began_at.as_ms()..=server_now.as_ms() + 1;
            assert!(span.contains(&gap.from_ms) && span.contains(&gap.to_ms), "{hands:?}: {gap:?}");
        }
    }
}

#[test]
fn what_is_overwritten() {
    check(GapReason::Overwritten, |rig| {
        rig.batch(50);
        rig.batch(50);
        rig.settings.max_bytes = 1;
        rig.spool = None;
        rig.start();
        rig.batch(50);
    });
}

#[test]
fn what_the_disk_had_no_place_for() {
    check(GapReason::DiskFull, |rig| {
        rig.batch(50);
        let way = rig.in_the_way_of_a_new_file();
        fs::create_dir_all(way.join("x")).expect("a folder");
        rig.garble();
        for _ in 0..4 {
            rig.batch(10_000);
        }
        fs::remove_dir_all(&way).expect("a folder less");
        rig.batch(1);
    });
}

#[test]
fn a_batch_that_does_not_decode() {
    check(GapReason::Damaged, |rig| {
        rig.batch(50);
        rig.sql("UPDATE batch SET bytes = x'0badc0de'");
        rig.load_last();
    });
}

#[test]
fn a_batch_that_decodes_and_is_not_what_was_written() {
    check(GapReason::Damaged, |rig| {
        rig.batch(50);
        let path = rig.settings.path.clone();
        let file = Connection::open(path).expect("a spool");
        let sql = "SELECT bytes FROM batch";
        let bytes: Vec<u8> = file.query_row(sql, [], |row| row.get(0)).expect("a batch");
        let at = bytes.windows(6).position(|name| name == b"S/flow").expect("a gauge");
        let mut changed = bytes;
        changed[at + 2] = b'g';
        batch_v1::decode(&changed).expect("still a batch");
        file.execute("UPDATE batch SET bytes = ?1", [changed]).expect("a change");
        rig.load_last();
    });
}

#[test]
fn a_damaged_batch_that_is_overwritten() {
    check(GapReason::Damaged, |rig| {
        rig.batch(50);
        rig.sql("UPDATE batch SET bytes = x'0badc0de'");
        rig.settings.max_bytes = 1;
        rig.spool = None;
        rig.start();
        rig.batch(50);
    });
}

#[test]
fn a_batch_whose_row_is_damaged_as_well() {
    check(GapReason::Damaged, |rig| {
        rig.batch(50);
        rig.sql("UPDATE batch SET bytes = x'0badc0de', from_ms = 5, to_ms = 4, points = -9");
        rig.load_last();
    });
}

#[test]
fn a_row_of_the_open_batch() {
    check(GapReason::Damaged, |rig| {
        let draft = rig.draft(50);
        let now = rig.now();
        rig.spool().append(&draft, now).expect("a row");
        rig.sql("UPDATE reading SET columns = x'0badc0de'");
        rig.spool = None;
        rig.start();
    });
}

#[test]
fn a_file_found_damaged_by_a_start() {
    check(GapReason::Damaged, |rig| {
        rig.batch(3_000);
        rig.spool = None;
        rig.garble();
        rig.start();
    });
}

#[test]
fn a_file_found_damaged_while_running() {
    check(GapReason::Damaged, |rig| {
        rig.batch(3_000);
        rig.garble();
        rig.batch(50);
    });
}
