//! The writer under faults: a write that is wrong, a full disk, another process, a broken file.

use prometheus::Registry;

use super::*;
use crate::shell::{ballast::Ballast, vitals::Pulse};

/// A table of one column.
struct Numbers;

impl Book for Numbers {
    fn begin(&mut self, _connection: &Connection) -> Result<(), StoreError> {
        Ok(())
    }

    fn flush(&mut self, _connection: &Connection) -> Result<(), StoreError> {
        Ok(())
    }

    fn forget(&mut self) {}
}

/// A row of so many bytes.
struct Put(i64, i64);

impl Write<Numbers> for Put {
    type Answer = ();

    fn apply(&self, _book: &mut Numbers, connection: &Connection) -> Result<(), StoreError> {
        let sql = "INSERT INTO number VALUES (?1, zeroblob(?2))";
        let row = (self.0, self.1);
        connection.execute(sql, row).map_err(StoreError::sql("put"))?;
        Ok(())
    }
}

struct World {
    folder: tempfile::TempDir,
    looped: Loop<Numbers>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("numbers.db")).unwrap();
        let schema = "CREATE TABLE number (n INTEGER PRIMARY KEY, bytes BLOB)";
        connection.execute_batch(schema).unwrap();
        let surroundings = Surroundings {
            file: "numbers",
            metrics: Metrics::new(&Registry::new()).unwrap(),
            ballast: Arc::new(Ballast::hold(folder.path(), 1 << 16)),
            waits_for_room: true,
            failed: Arc::new(watch::channel(None).0),
            reached: Arc::new(watch::channel(0).0),
            pulse: Pulse::default(),
        };
        Self {
            folder,
            looped: Loop { connection, book: Numbers, surroundings, patience: GROUP_TIME },
        }
    }

    /// Commits a group and tells what became of each write.
    fn commit(&mut self, writes: Vec<Put>) -> Vec<&'static str> {
        let (messages, answers): (Vec<_>, Vec<_>) = writes.into_iter().map(waiting).unzip();
        let tasks = messages.into_iter().filter_map(|message| match message {
            Message::Write(task) => Some(task),
            Message::Wake => None,
        });
        let outcome = self.looped.commit(tasks.collect());
        let told = self.looped.surroundings.failed.borrow().is_some();
        assert_eq!(outcome.is_err(), told);
        let word = |answer: Receipt<()>| match answer.blocking_recv().unwrap() {
            Ok(()) => "done",
            Err(StoreError::Stopped(_)) => "stopped",
            Err(error) => match error.fault() {
                model::fault::Fault::Transient => "transient",
                model::fault::Fault::Permanent => "permanent",
                model::fault::Fault::Bug => "bug",
            },
        };
        answers.into_iter().map(word).collect()
    }

    fn numbers(&self) -> Vec<i64> {
        let sql = "SELECT n FROM number ORDER BY n";
        let mut statement = self.looped.connection.prepare(sql).unwrap();
        let numbers = statement.query_map([], |row| row.get(0)).unwrap();
        numbers.map(Result::unwrap).collect()
    }

    fn limit_pages(&self, pages: i64) {
        let pragma = format!("PRAGMA max_page_count = {pages}");
        self.looped.connection.query_row(&pragma, [], |_| Ok(())).unwrap();
    }
}

#[test]
fn a_write_at_fault_fails_alone() {
    let mut world = World::new();
    let writes = vec![Put(1, 1), Put(1, 1), Put(2, 1)];
    assert_eq!(world.commit(writes), ["done", "permanent", "done"]);
    assert_eq!(world.numbers(), [1, 2]);
}

#[test]
fn a_group_that_takes_long_is_committed_in_parts() {
    let mut world = World::new();
    world.looped.patience = Duration::ZERO;
    let writes = vec![Put(1, 1), Put(1, 1), Put(2, 1), Put(3, 1)];
    assert_eq!(world.commit(writes), ["done", "permanent", "done", "done"]);
    assert_eq!(world.numbers(), [1, 2, 3]);
    let groups = &world.looped.surroundings.metrics.group_writes;
    assert_eq!((groups.get_sample_count(), groups.get_sample_sum()), (4, 4.0));
}

#[test]
fn a_full_disk_fails_the_group_and_is_recovered_from() {
    let mut world = World::new();
    world.limit_pages(8);
    let writes = vec![Put(1, 1), Put(2, 100_000), Put(3, 1)];
    assert_eq!(world.commit(writes), ["transient", "transient", "transient"]);
    assert!(world.numbers().is_empty());
    let full = world.looped.surroundings.metrics.full.with_label_values(&["numbers"]).get();
    assert_eq!(full, 3);
    assert!(!world.folder.path().join("ballast").try_exists().unwrap());
    world.limit_pages(1_000);
    assert_eq!(world.commit(vec![Put(2, 100_000)]), ["done"]);
    assert!(world.folder.path().join("ballast").try_exists().unwrap());
}

#[test]
fn another_process_that_holds_the_file_is_waited_for_and_then_told() {
    let mut world = World::new();
    world.looped.connection.busy_timeout(Duration::ZERO).unwrap();
    let other = Connection::open(world.folder.path().join("numbers.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(world.commit(vec![Put(1, 1)]), ["transient"]);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(world.commit(vec![Put(1, 1)]), ["done"]);
}

#[test]
fn what_nobody_can_explain_stops_the_writer() {
    let mut world = World::new();
    world.looped.connection.execute_batch("DROP TABLE number").unwrap();
    assert_eq!(world.commit(vec![Put(1, 1)]), ["stopped"]);
}
