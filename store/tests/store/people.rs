//! People and their sessions: what ends a right ends it at once, and everybody is told.

use store::{
    ATTEMPTS, AddToken, AddUser, AttemptRow, BeginSession, Body, By, ByKind, DisableUser,
    EndSession, FAMILIAR_PLACES, Journal, JournalReader, NoteAttempts, OpenScreen, Over, Restore,
    RevokeToken, SeeSession, SessionText, SetPassword, Store, TokenAdded, TokenText, UserRow, WALL,
    back_up, restore, verify,
};

use crate::making::{at, open};

fn by() -> By {
    By { kind: ByKind::Command, name: "root".to_owned() }
}

fn add(journal: &Journal, name: &str, role: &str, password: &str) -> bool {
    let (name, role, password) = (name.to_owned(), role.to_owned(), password.to_owned());
    let must_change = false;
    let add = AddUser { at: at(1), by: by(), name, role, password, must_change };
    journal.write_blocking(add).unwrap()
}

/// Another password for zhang.
fn set(ms: i64, password: &str, replaces: Option<&str>) -> SetPassword {
    SetPassword {
        at: at(ms),
        by: by(),
        name: "zhang".to_owned(),
        password: password.to_owned(),
        must_change: false,
        replaces: replaces.map(str::to_owned),
    }
}

fn user(journal: &Journal, name: &str) -> Option<UserRow> {
    journal.read_blocking(|reader| reader.user(name)).unwrap()
}

fn begin_at(journal: &Journal, user: UserRow, ms: i64, over: i64) -> Option<SessionText> {
    let over = Over { begun_before: at(over), seen_before: at(over) };
    journal.write_blocking(BeginSession { at: at(ms), user, before: None, over }).unwrap()
}

fn begin(journal: &Journal, name: &str) -> SessionText {
    begin_at(journal, user(journal, name).unwrap(), 2, 0).unwrap()
}

fn is_known(journal: &Journal, session: &SessionText) -> bool {
    journal.read_blocking(|reader| reader.session(session)).unwrap().is_some()
}

fn rights(store: &Store) -> i64 {
    store.journal().watch().borrow().rights
}

fn kinds(journal: &Journal) -> Vec<String> {
    let entries = journal.read_blocking(|reader| reader.entries(1, 1_000)).unwrap();
    entries.into_iter().map(|entry| entry.kind).collect()
}

#[test]
fn a_name_is_one_whatever_its_case_and_comes_back_once_it_was_disabled() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let journal = store.journal();
    assert!(add(journal, "zhang", "duty", "$1"));
    assert!(!add(journal, "Zhang", "admin", "$2"));
    assert_eq!(user(journal, "ZHANG").unwrap().role, "duty");
    assert!(user(journal, "' OR 1 = 1 --").is_none());
    let disable = DisableUser { at: at(3), by: by(), name: "Zhang".to_owned() };
    assert!(journal.write_blocking(disable.clone()).unwrap());
    assert!(!journal.write_blocking(disable).unwrap());
    assert!(user(journal, "zhang").is_none());
    assert!(!journal.write_blocking(set(3, "$3", None)).unwrap());
    assert!(add(journal, "Zhang", "admin", "$4"));
    let back = user(journal, "zhang").unwrap();
    assert_eq!(
        (back.name.as_str(), back.role.as_str(), back.password.as_str()),
        ("Zhang", "admin", "$4")
    );
    assert_eq!(journal.read_blocking(JournalReader::users).unwrap(), [back]);
    assert_eq!(kinds(journal), ["user_added", "user_disabled", "user_added"]);
    // nothing that a password could be found by is in the chain
    let entries = journal.read_blocking(|reader| reader.entries(1, 1_000)).unwrap();
    assert!(entries.iter().all(|entry| !String::from_utf8_lossy(&entry.bytes).contains('$')));
    assert_eq!(verify(&store).unwrap().findings, []);
}

#[test]
fn a_session_ends_with_the_password_or_the_user_that_it_rests_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let journal = store.journal();
    add(journal, "zhang", "duty", "$1");
    add(journal, "li", "viewer", "$1");
    let (first, second, other) =
        (begin(journal, "zhang"), begin(journal, "zhang"), begin(journal, "li"));
    let known = journal.read_blocking(|reader| reader.session(&first)).unwrap().unwrap();
    assert_eq!((known.name.as_str(), known.role.as_str()), ("zhang", "duty"));
    assert_eq!((known.begun_at, known.seen_at), (at(2), at(2)));
    journal.write_blocking(SeeSession { at: at(7), session: first.clone() }).unwrap();
    let known = journal.read_blocking(|reader| reader.session(&first)).unwrap().unwrap();
    assert_eq!((known.begun_at, known.seen_at), (at(2), at(7)));
    let before = user(journal, "zhang").unwrap();
    assert!(!journal.write_blocking(set(8, "$2", Some("$0"))).unwrap(), "it replaces another one");
    assert!(is_known(journal, &first));
    assert!(journal.write_blocking(set(8, "$2", Some("$1"))).unwrap());
    assert!(!is_known(journal, &first) && !is_known(journal, &second) && is_known(journal, &other));
    // whoever's password was compared before it was changed is not let in after
    assert_eq!(begin_at(journal, before, 9, 0), None);
    let third = begin(journal, "zhang");
    let disable = DisableUser { at: at(9), by: by(), name: "zhang".to_owned() };
    assert!(journal.write_blocking(disable).unwrap());
    assert!(!is_known(journal, &third));
    let end = EndSession { at: at(9), session: other.clone() };
    assert!(journal.write_blocking(end.clone()).unwrap());
    assert!(!journal.write_blocking(end).unwrap() && !is_known(journal, &other));
}

#[test]
fn a_session_that_a_browser_had_ends_in_the_transaction_of_the_one_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let journal = store.journal();
    add(journal, "zhang", "duty", "$1");
    add(journal, "li", "viewer", "$1");
    let (before, other) = (begin(journal, "zhang"), begin(journal, "zhang"));
    let over = Over { begun_before: at(0), seen_before: at(0) };
    let li = user(journal, "li").unwrap();
    let next = BeginSession { at: at(3), user: li, before: Some(before.clone()), over };
    // whoever is not let in ends nothing
    let stale = UserRow { password: "$0".to_owned(), ..next.user.clone() };
    let refused = BeginSession { user: stale, ..next.clone() };
    assert_eq!(journal.write_blocking(refused).unwrap(), None);
    assert!(is_known(journal, &before));
    let after = journal.write_blocking(next).unwrap().unwrap();
    assert!(!is_known(journal, &before) && is_known(journal, &other) && is_known(journal, &after));
    let told = kinds(journal);
    assert_eq!(told.last_chunk(), Some(&["session_ended".to_owned(), "session_begun".to_owned()]));
    // whoever looks by the one before is told; the store's own entry is the first
    let ended = i64::try_from(told.len()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut states = journal.watch();
        let told = states.wait_for(|state| state.rights == ended);
        let told = tokio::time::timeout(std::time::Duration::from_secs(20), told).await;
        told.expect("whoever looks is told").unwrap();
    });
    assert_eq!(verify(&store).unwrap().findings, []);
}

#[test]
fn whoever_looks_is_told_within_a_second_that_somebody_may_be_let_in_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let journal = store.journal();
    add(journal, "zhang", "duty", "$1");
    let session = begin(journal, "zhang");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut states = journal.watch();
        states.wait_for(|state| state.head == 3).await.unwrap();
        assert_eq!(rights(&store), 0, "a log-in takes no right from anybody");
        assert!(journal.write(EndSession { at: at(3), session }).await.unwrap());
        states.wait_for(|state| state.rights == 4).await.unwrap();
    });
}

#[test]
fn sessions_have_a_bound_and_those_that_are_over_go() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let journal = store.journal();
    add(journal, "zhang", "duty", "$1");
    let zhang = user(journal, "zhang").unwrap();
    let sessions: Vec<_> =
        (0..17).map(|n| begin_at(journal, zhang.clone(), 10 + n, 0).unwrap()).collect();
    let known: Vec<_> = sessions.iter().map(|session| is_known(journal, session)).collect();
    assert!(!known[0] && known[1..].iter().all(|known| *known), "{known:?}");
    let ended = kinds(journal).into_iter().filter(|kind| kind == "session_ended");
    assert_eq!(ended.count(), 1);
    begin_at(journal, zhang, 100, 50).unwrap();
    assert!(sessions.iter().all(|session| !is_known(journal, session)));
}

#[test]
fn a_backup_that_is_put_back_lets_nobody_in_by_an_old_session() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    let store = open(&data);
    add(store.journal(), "zhang", "duty", "$1");
    let session = begin(store.journal(), "zhang");
    note(store.journal(), vec![tried("1", "", 5, 4)], 0);
    back_up(&store, &backup, at(5), "0.1.0").unwrap();
    assert!(is_known(store.journal(), &session));
    store.close();
    std::fs::remove_dir_all(&data).unwrap();
    let asked = Restore {
        from: backup,
        now: at(9),
        version: "0.1.0".to_owned(),
        by: by(),
        is_by_hand: false,
        accepts_findings: false,
    };
    restore(&data, &asked).unwrap();
    let store = open(&data);
    assert!(!is_known(store.journal(), &session));
    assert!(user(store.journal(), "zhang").is_some());
    assert_eq!(store.journal().read_blocking(JournalReader::attempts).unwrap(), []);
}

fn tried(name: &str, place: &str, tries: u32, ms: i64) -> AttemptRow {
    let (name, place) = (name.to_owned(), place.to_owned());
    AttemptRow { name, place, tries, is_familiar: false, tried_at: at(ms) }
}

fn note(journal: &Journal, rows: Vec<AttemptRow>, forget_before: i64) {
    let note = NoteAttempts { rows, somebodys: Vec::new(), forget_before: at(forget_before) };
    journal.write_blocking(note).unwrap();
}

#[test]
fn tries_are_there_after_a_restart_and_have_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    note(store.journal(), vec![tried("1", "", 4, 10), tried("", "10.0.0.2", 4, 10)], 0);
    note(store.journal(), vec![tried("1", "", 5, 20), tried("", "10.0.0.2", 0, 20)], 0);
    store.close();
    let store = open(folder.path());
    let journal = store.journal();
    let known = || journal.read_blocking(JournalReader::attempts).unwrap();
    assert_eq!(known(), [tried("1", "", 5, 20)]);
    // places that a user came from stay whatever is tried, and the latest of them only
    let mine = (0..=FAMILIAR_PLACES).map(|n| {
        let row = tried("2", &format!("10.0.1.{n}"), 0, 30 + n);
        AttemptRow { is_familiar: true, ..row }
    });
    note(journal, mine.collect(), 0);
    let many = (0..ATTEMPTS + 9).map(|n| tried(&format!("x{n}"), "", 1, 100 + n));
    note(journal, many.collect(), 0);
    let rows = known();
    let strange = rows.iter().filter(|row| !row.is_familiar).count();
    assert_eq!(i64::try_from(strange).unwrap(), ATTEMPTS);
    let familiar: Vec<_> = rows.iter().filter(|row| row.is_familiar).collect();
    assert_eq!(i64::try_from(familiar.len()).unwrap(), FAMILIAR_PLACES);
    assert_eq!(familiar[0].place, "10.0.1.1", "the one longest ago has gone");
    // of a name that somebody has nothing goes before its time
    let many = (0..ATTEMPTS + 9).map(|n| tried(&format!("x{n}"), "", 1, 200_000 + n));
    let rows = [tried("3", "", 5, 100_000)].into_iter().chain(many).collect();
    let somebodys = vec!["3".to_owned(), "4".to_owned()];
    journal.write_blocking(NoteAttempts { rows, somebodys, forget_before: at(0) }).unwrap();
    let strange: Vec<_> = known().into_iter().filter(|row| !row.is_familiar).collect();
    assert_eq!(i64::try_from(strange.len()).unwrap(), ATTEMPTS + 1);
    assert_eq!(strange[0], tried("3", "", 5, 100_000));
    note(journal, Vec::new(), 1_000_000);
    assert!(known().iter().all(|row| row.is_familiar), "what is old has gone");
}

#[test]
fn a_link_lets_nobody_in_but_the_first_screen_that_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let journal = store.journal();
    let add = |name: &str, role: &str| {
        let (name, role) = (name.to_owned(), role.to_owned());
        match journal.write_blocking(AddToken { at: at(1), by: by(), name, role }).unwrap() {
            TokenAdded::Done { text } => text,
            TokenAdded::NameTaken => panic!("the name is free"),
        }
    };
    let open_by = |text: &TokenText| {
        journal.write_blocking(OpenScreen { at: at(2), text: text.clone(), key: None }).unwrap()
    };
    let verify = |text: &TokenText| {
        let text = text.as_str().to_owned();
        let known = journal.read_blocking(|reader| reader.verify_token(&text)).unwrap();
        known.map(|row| (row.name, row.opened_at))
    };
    let (link, token) = (add("hall", WALL), add("program", "viewer"));
    assert_eq!(verify(&link), None, "a link is no token");
    let (name, screen) = open_by(&link).unwrap();
    assert_eq!((name.as_str(), open_by(&link), open_by(&screen)), ("hall", None, None));
    assert_eq!((verify(&link), verify(&screen)), (None, Some((name.clone(), Some(at(2))))));
    assert_eq!(open_by(&token), None, "nothing but a screen's link is opened");
    assert_eq!(verify(&token), Some(("program".to_owned(), None)));
    assert!(journal.write_blocking(RevokeToken { at: at(3), by: by(), name }).unwrap());
    assert_eq!(verify(&screen), None);
    let revoked = add("office", WALL);
    let name = "office".to_owned();
    assert!(journal.write_blocking(RevokeToken { at: at(3), by: by(), name }).unwrap());
    assert_eq!(open_by(&revoked), None);
    assert!(kinds(journal).contains(&"screen_opened".to_owned()));
}

#[test]
fn what_locks_a_name_is_told_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let body = Body::LoginsLocked { user: "zhang".to_owned() };
    let append = store::Append { at: at(1), by: by(), body };
    store.journal().write_blocking(append).unwrap();
    assert_eq!(kinds(store.journal()), ["logins_locked"]);
}
