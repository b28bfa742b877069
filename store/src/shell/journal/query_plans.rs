//! How SQLite finds the rows of what comes up of alarms and people while the server runs: none of the
//! statements walks through a table that grows.

use model::{
    alarm::{AlarmState, LinkToken},
    ids::{AlarmId, NotificationId},
    time::Timestamp,
};
use rusqlite::Connection;

use super::{
    Acknowledge, AddUser, BeginSession, DisableUser, EndSession, JournalBook, JournalReader,
    NoteAttempts, Over, SeeSession, SetAlarms, SetPassword, TakeReceipt,
};
use crate::{
    alarms::{
        AlarmsQuery, ConditionRow, EscalationRow, NotificationRow, NotificationsQuery,
        making::{alarm_row, notification_row},
    },
    attempt::AttemptRow,
    chain::{By, ByKind},
    shell::{file, schema, walks::Seen, writer::Write},
};

/// Walks that are allowed: what they walk through is bounded, or they stop after a page.
const ALLOWED: [&str; 9] = [
    // Every condition that is watched, which the registry bounds, once at a start.
    "SCAN condition",
    // What is open, once at a start; of alarms also while somebody looks at the pages.
    "SCAN alarm USING INDEX alarm_open",
    "SCAN escalation USING INDEX escalation_open",
    "SCAN escalation USING COVERING INDEX escalation_open",
    "SCAN notification USING INDEX notification_open",
    // The head of the chain: the first row from the end.
    "SCAN entry",
    // Sessions, sixteen of each user: once at each log-in.
    "SCAN session",
    // Acknowledgements that alerting has not come to.
    "SEARCH alarm USING COVERING INDEX alarm_asked (asked<?)",
    "SEARCH alarm USING INDEX alarm_asked (asked<?)",
];

fn put<W: Write<JournalBook>>(connection: &Connection, write: &W) -> W::Answer {
    write.apply(&mut JournalBook, connection).unwrap()
}

/// Everything that alerting writes, people ask and gateways say.
fn writes(connection: &Connection) {
    let by = By { kind: ByKind::Server, name: "alerting".to_owned() };
    let condition = ConditionRow {
        rule: Some("low".parse().unwrap()),
        subject: "section A/dam".parse().unwrap(),
        state: String::new(),
    };
    let escalation = EscalationRow { alarm: AlarmId(1), is_open: true, state: String::new() };
    let notification = NotificationRow { attempts: 1, ..notification_row(7, 1) };
    let set = SetAlarms {
        at: Timestamp::clamped(1),
        by: by.clone(),
        consumer: "alerting",
        samples: 1,
        entries: 0,
        listened_until: Some(Timestamp::clamped(1)),
        conditions: vec![condition.clone()],
        forgotten: vec![ConditionRow { rule: None, ..condition }],
        alarms: vec![alarm_row(1)],
        dropped: vec![AlarmId(9)],
        escalations: vec![escalation],
        notifications: vec![notification],
        bodies: Vec::new(),
    };
    put(connection, &set);
    let at = Timestamp::clamped(2);
    let ask = Acknowledge { at, by: by.clone(), alarm: AlarmId(1), seen: 2 };
    put(connection, &ask);
    put(connection, &ask);
    let (message, channel) = (NotificationId(7), "sms".parse().unwrap());
    let receipt = TakeReceipt { at, by, message, channel, is_delivered: true };
    assert!(put(connection, &receipt).is_some());
    put(connection, &set);
}

/// Everything that people who log in do, and what becomes of them.
fn people(connection: Connection) -> Connection {
    let by = By { kind: ByKind::Command, name: "root".to_owned() };
    let (at, name, password) = (Timestamp::clamped(3), "zhang".to_owned(), "$x".to_owned());
    let role = "duty".to_owned();
    let (owned, must_change) = (name.clone(), true);
    let add = AddUser {
        at,
        by: by.clone(),
        name: owned.clone(),
        role,
        password: password.clone(),
        must_change,
    };
    assert!(put(&connection, &add) && !put(&connection, &add));
    let (connection, user) = JournalReader::run(connection, |reader| reader.user("ZHANG"));
    let user = user.unwrap().unwrap();
    let over = Over { begun_before: Timestamp::clamped(0), seen_before: Timestamp::clamped(0) };
    let session = put(&connection, &BeginSession { at, user, before: None, over }).unwrap();
    put(&connection, &SeeSession { at, session: session.clone() });
    let look = session.clone();
    let (connection, found) = JournalReader::run(connection, move |reader| reader.session(&look));
    assert_eq!(found.unwrap().unwrap().name, "zhang");
    assert!(put(&connection, &EndSession { at, session }));
    let set = SetPassword {
        at,
        by: by.clone(),
        name: owned,
        password,
        must_change: false,
        replaces: Some("$x".to_owned()),
    };
    assert!(put(&connection, &set));
    let row = AttemptRow {
        name: "7".to_owned(),
        place: "10.0.0.1".to_owned(),
        tries: 1,
        is_familiar: true,
        tried_at: at,
    };
    let note = NoteAttempts { rows: vec![row], somebodys: Vec::new(), forget_before: at };
    put(&connection, &note);
    assert!(put(&connection, &DisableUser { at, by, name }));
    connection
}

/// Everything that is asked.
fn questions(connection: Connection) -> Connection {
    let (connection, read) = JournalReader::run(connection, |reader| {
        reader.alarming("alerting")?;
        for station in [None, Some("A".parse().unwrap())] {
            for state in [None, Some(AlarmState::Unacknowledged)] {
                let query = AlarmsQuery { state, station: station.clone(), before: None, limit: 9 };
                assert_eq!(reader.alarms(&query)?.alarms.len(), 1);
            }
        }
        let open = reader.open_alarms(9)?;
        assert_eq!((open.newest.len(), open.counts.len()), (1, 1));
        for alarm in [None, Some(AlarmId(1))] {
            let query = NotificationsQuery { alarm, before: None, limit: 9 };
            assert_eq!(reader.notifications(&query)?.notifications.len(), 1);
        }
        reader.alarm(AlarmId(1))?;
        let (rule, subject) = ("low".parse().unwrap(), "section A/dam".parse().unwrap());
        assert!(reader.condition(&rule, &subject)?.is_some());
        reader.notification(NotificationId(7))?;
        reader.link(LinkToken(7))
    });
    assert!(read.unwrap().is_some());
    connection
}

#[test]
fn no_statement_walks_through_a_table_that_grows() {
    let mut connection = Connection::open_in_memory().unwrap();
    file::keep_plans(&connection).unwrap();
    connection.execute_batch(schema::JOURNAL.schema).unwrap();
    let seen = Seen::of(&mut connection);
    writes(&connection);
    let connection = people(questions(connection));
    assert!(seen.count() > 20, "{} statements", seen.count());
    let walks = seen.walks(&connection, &ALLOWED);
    assert!(walks.is_empty(), "{walks:#?}");
}
