//! Who is let in: every route by the table, people by their sessions, and nobody by what is forged.

use std::{pin::Pin, task::Poll, time::Duration};

use axum::body::{BodyDataStream, Bytes};
use futures_util::StreamExt as _;
use model::hook::HookKey;
use store::{
    ATTEMPTS, AddUser, AttemptRow, DisableUser, JournalReader, NoteAttempts, RevokeToken,
    SessionText, SetPassword, UserRow,
};

use super::*;
use crate::{password, session, shell::people::Attempt};

pub(crate) const PUBLIC_URL: &str = "http://127.0.0.1:8080";
const SESSION: &str = "/api/v1/session";
const JSON: (&str, &str) = ("content-type", "application/json");
pub(super) const PASSWORD: &str = "Kj7mqzwp";

fn by() -> By {
    By { kind: ByKind::Command, name: "tests".to_owned() }
}

/// As a server that starts has it.
pub(crate) fn of_tests(store: &Store, now: Timestamp) -> People {
    let known = |reader: &JournalReader| Ok((reader.users()?, reader.attempts()?));
    let (users, kept) = store.journal().read_blocking(known).unwrap();
    let key = HookKey::new([7; HookKey::BYTES]);
    People::new(PUBLIC_URL, key, (&users, kept), now).patient(Duration::from_mins(5))
}

fn hash(text: &str) -> String {
    password::hash(text, [7; password::SALT_BYTES]).unwrap()
}

impl World {
    pub(super) async fn user(&self, name: &str, role: Role) {
        self.user_with(name, role, false).await;
    }

    async fn user_with(&self, name: &str, role: Role, must_change: bool) {
        let (name, role) = (name.to_owned(), role.word().to_owned());
        let at = NOW.parse().unwrap();
        let add = AddUser { at, by: by(), name, role, password: hash(PASSWORD), must_change };
        assert!(self.store.journal().write(add).await.unwrap());
    }

    /// What somebody says who changes their password.
    async fn change(&self, (cookie, proof): (&str, &str), password: &str, new: &str) -> Said {
        let body = format!(r#"{{"password":"{password}","new":"{new}"}}"#);
        let headers = [
            JSON,
            ("x-forwarded-for", "10.0.0.1"),
            ("sec-fetch-site", "same-origin"),
            ("cookie", cookie),
            ("x-csrf-token", proof),
        ];
        self.ask_with(&Method::POST, calls::session::PASSWORD_PATH, &headers, &body).await
    }

    async fn stored_user(&self, name: &'static str) -> UserRow {
        let user = self.parts.journal.read(move |reader| reader.user(name)).await;
        user.unwrap().unwrap()
    }

    pub(super) async fn log_in(&self, name: &str, password: &str, from: &str) -> Said {
        let body = format!(r#"{{"name":"{name}","password":"{password}"}}"#);
        let headers = [JSON, ("x-forwarded-for", from), ("sec-fetch-site", "same-origin")];
        self.ask_with(&Method::POST, SESSION, &headers, &body).await
    }

    /// The cookie and the proof of a session of this user.
    pub(super) async fn session(&self, name: &str) -> (String, String) {
        let said = self.log_in(name, PASSWORD, "10.0.0.1").await;
        assert_eq!(said.status, 200, "{}", said.text);
        let set = said.headers[header::SET_COOKIE].to_str().unwrap();
        let cookie = set.split(';').next().unwrap().to_owned();
        let view: serde_json::Value = serde_json::from_str(&said.text).unwrap();
        (cookie, view["csrf"].as_str().unwrap().to_owned())
    }

    async fn by_session(&self, method: &str, path: &str, cookie: &str, proof: &str) -> Said {
        let mut headers = vec![("cookie", cookie), ("sec-fetch-site", "same-origin")];
        if !proof.is_empty() {
            headers.push(("x-csrf-token", proof));
        }
        self.ask_with(&super::method(method), path, &headers, "").await
    }
}

pub(super) fn addressed(row: &routes::RouteRow) -> String {
    row.path.replace("{id}", "S-1").replace("{station}", "S-1").replace("{gauge}", "flow")
}

/// The table says what each route asks for, and a route without a rule cannot be added to it. What
/// is asked of them is the same for all.
#[test]
fn every_route_lets_in_whom_its_rule_names_and_nobody_else() {
    in_world(|world| async move {
        let rows = routes::rows(&world.parts);
        assert_eq!(rows.len(), 22);
        let public: Vec<_> = rows.iter().filter(|row| row.rule == Rule::Public).collect();
        assert_eq!(public.len(), 3, "{public:?}");
        for path in [calls::live::PATH, calls::series::PATH] {
            assert!(rows.iter().any(|row| row.path == path), "{path}");
        }
        let mut sessions = Vec::new();
        for role in Role::ALL {
            world.user(role.word(), role).await;
            sessions.push((role, world.session(role.word()).await));
        }
        world.user_with("new", Role::Admin, true).await;
        let (new, new_proof) = world.session("new").await;
        let (_, screen) = world.screen("screen").await;
        for row in rows.iter().filter(|row| row.rule != Rule::Public) {
            let path = addressed(row);
            let context = format!("{} {path}", row.method);
            refuses_what_is_forged(&world, row.method, &path).await;
            let least = row.rule.least().unwrap();
            if row.method == "GET" {
                let said = world.by_session("GET", &path, &screen, "").await;
                assert_eq!(said.status == 403, least > Role::Wall, "{context}: {}", said.text);
                assert_ne!(said.status, 401, "{context} as a screen");
            }
            if (row.method, row.path.as_str()) != ("DELETE", SESSION) {
                let said = world.by_session(row.method, &path, &new, &new_proof).await;
                let is_refused = said.text.contains("password-to-change");
                let expected = matches!(row.rule, Rule::AtLeast(_));
                assert_eq!((is_refused, said.status == 403), (expected, expected), "{context}");
            }
            for (role, token) in &world.tokens {
                let said = world.ask(&method(row.method), &path, Some(token), "").await;
                assert_eq!(said.status == 403, *role < least, "{context} as {role}: {}", said.text);
                assert_ne!(said.status, 401, "{context} as {role}");
            }
            for (role, (cookie, proof)) in &sessions {
                if (row.method, row.path.as_str()) == ("DELETE", SESSION) {
                    continue; // it would end it
                }
                let said = world.by_session(row.method, &path, cookie, proof).await;
                assert_eq!(said.status == 403, *role < least, "{context} as {role}: {}", said.text);
                assert_ne!(said.status, 401, "{context} as {role}");
                if row.method != "GET" {
                    let other = session::proof(&SessionText::from_random([9; 32]));
                    for wrong in ["", "0", other.as_str()] {
                        let said = world.by_session(row.method, &path, cookie, wrong).await;
                        assert_eq!(said.status, 403, "{context} with the proof `{wrong}`");
                        assert!(said.text.contains("foreign-page"), "{context}: {}", said.text);
                    }
                }
            }
        }
    });
}

async fn refuses_what_is_forged(world: &World, word: &str, path: &str) {
    let zeros = "0".repeat(64);
    let proof = session::proof(&SessionText::parse(&zeros).unwrap());
    let headers = [
        vec![],
        vec![("authorization", "Bearer bf_0".to_owned())],
        vec![("authorization", format!("Bearer bf_{zeros}"))],
        vec![("authorization", format!("Bearer {zeros}"))],
        vec![("cookie", "baseflow=".to_owned())],
        vec![("cookie", format!("baseflow-wall=bf_{zeros}"))],
        vec![("cookie", format!("baseflow-wall={zeros}; baseflow=bf_{zeros}"))],
        vec![("cookie", format!("baseflow={zeros}")), ("x-csrf-token", proof.clone())],
        vec![("cookie", format!("__Host-baseflow={zeros}")), ("x-csrf-token", proof)],
    ];
    for headers in headers {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let said = world.ask_with(&method(word), path, &headers, "").await;
        assert_eq!(said.status, 401, "{word} {path} {headers:?}: {}", said.text);
        assert!(said.headers.contains_key(header::WWW_AUTHENTICATE));
        assert_eq!(said.media_type, MEDIA_TYPE);
    }
}

#[test]
fn a_session_says_whose_it_is_until_its_user_leaves() {
    in_world(|world| async move {
        world.user("zhang", Role::Duty).await;
        assert_eq!(world.ask(&Method::GET, SESSION, None, "").await.status, 401);
        let (cookie, proof) = world.session("ZHANG").await;
        let said = world.by_session("GET", SESSION, &cookie, "").await;
        let expected = format!(
            r#"{{"name":"zhang","role":"duty","csrf":"{proof}","must_change_password":false}}"#
        );
        assert_eq!((said.status, said.text), (200, expected));
        let token = world.token(Role::Admin);
        let said = world.ask(&Method::GET, SESSION, Some(token), "").await;
        assert_eq!(
            said.text,
            r#"{"name":"admin","role":"admin","csrf":null,"must_change_password":false}"#
        );
        assert_eq!(world.ask(&Method::DELETE, SESSION, Some(token), "").await.status, 409);
        let said = world.by_session("DELETE", SESSION, &cookie, &proof).await;
        assert_eq!((said.status, said.text.as_str()), (204, ""));
        let unset = said.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(unset.starts_with("baseflow=; ") && unset.ends_with("Max-Age=0"), "{unset}");
        let said = world.by_session("GET", "/api/v1/stations", &cookie, "").await;
        assert_eq!(said.status, 401);
        assert!(said.text.contains("the session is over"), "{}", said.text);
    });
}

#[test]
fn a_session_ends_with_its_password_its_user_and_its_hour() {
    in_world(|world| async move {
        let stations = "/api/v1/stations";
        for name in ["zhang", "li", "wang"] {
            world.user(name, Role::Viewer).await;
        }
        let (zhang, _) = world.session("zhang").await;
        let (li, _) = world.session("li").await;
        let (wang, _) = world.session("wang").await;
        let at = NOW.parse().unwrap();
        let set = SetPassword {
            at,
            by: by(),
            name: "zhang".to_owned(),
            password: hash("Zz9-other"),
            must_change: false,
            replaces: None,
        };
        assert!(world.store.journal().write(set).await.unwrap());
        let disable = DisableUser { at, by: by(), name: "li".to_owned() };
        assert!(world.store.journal().write(disable).await.unwrap());
        for cookie in [&zhang, &li] {
            assert_eq!(world.by_session("GET", stations, cookie, "").await.status, 401);
        }
        assert_eq!(world.log_in("zhang", PASSWORD, "10.0.0.1").await.status, 401);
        assert_eq!(world.log_in("zhang", "Zz9-other", "10.0.0.1").await.status, 200);
        assert_eq!(world.log_in("li", PASSWORD, "10.0.0.1").await.status, 401);
        // used now and then it goes on, and an hour after its last use it is over
        let pass = |minutes: i64| world.clock.advance(minutes * 60_000);
        for _ in 0..4 {
            pass(50);
            assert_eq!(world.by_session("GET", stations, &wang, "").await.status, 200);
        }
        pass(60);
        assert_eq!(world.by_session("GET", stations, &wang, "").await.status, 401);
    });
}

#[test]
fn what_a_browser_asks_for_another_site_is_refused() {
    in_world(|world| async move {
        world.user("zhang", Role::Duty).await;
        let (cookie, proof) = world.session("zhang").await;
        let body = format!(r#"{{"name":"zhang","password":"{PASSWORD}"}}"#);
        for foreign in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            let headers = [("cookie", cookie.as_str()), ("x-csrf-token", &proof), foreign];
            let said = world.ask_with(&Method::DELETE, SESSION, &headers, "").await;
            assert_eq!(said.status, 403, "{foreign:?}: {}", said.text);
            let said = world.ask_with(&Method::POST, SESSION, &[JSON, foreign], &body).await;
            assert_eq!(said.status, 403, "{foreign:?}: {}", said.text);
        }
        let form = [("content-type", "text/plain")];
        assert_eq!(world.ask_with(&Method::POST, SESSION, &form, &body).await.status, 415);
        let own = [("cookie", cookie.as_str()), ("x-csrf-token", &proof), ("origin", PUBLIC_URL)];
        assert_eq!(world.ask_with(&Method::DELETE, SESSION, &own, "").await.status, 204);
    });
}

#[test]
fn wrong_passwords_lock_a_name_and_nothing_tells_whether_somebody_has_it() {
    in_world(|world| async move {
        world.user("zhang", Role::Duty).await;
        world.session("zhang").await; // from 10.0.0.1, which is its desk from now on
        for from in ["10.0.0.2", "10.0.0.3"] {
            let mut said = Vec::new();
            for name in ["zhang", "nobody"] {
                for _ in 0..6 {
                    let one = world.log_in(name, "Wrong-123", from).await;
                    let retry = one.headers.contains_key(header::RETRY_AFTER);
                    said.push((one.status, one.text, retry));
                }
            }
            let (zhang, nobody) = said.split_at(6);
            assert_eq!(zhang, nobody);
            let locked: Vec<_> = zhang.iter().map(|(status, _, _)| *status).collect();
            let all: [u16; 6] =
                if from == "10.0.0.2" { [401, 401, 401, 401, 401, 429] } else { [429; 6] };
            assert_eq!(locked, all, "from {from}");
        }
        // whoever sits at the desk is not locked out by that
        world.session("zhang").await;
        let journalled = async || {
            let entries = world.parts.journal.read(|reader| reader.entries(0, 100)).await.unwrap();
            entries.into_iter().filter(|entry| entry.kind == "logins_locked").count()
        };
        let limit = tokio::time::Instant::now() + Duration::from_secs(10);
        while journalled().await == 0 {
            assert!(tokio::time::Instant::now() < limit, "nothing is journalled");
            tokio::task::yield_now().await;
        }
        assert_eq!(journalled().await, 1, "of a name that nobody has the journal says nothing");
        let of = |word| world.count("logins_total", word);
        assert_eq!([of("right"), of("wrong"), of("locked")], ["2", "10", "14"]);
    });
}

#[test]
fn a_crowd_that_logs_in_at_the_same_time_is_let_in() {
    in_world(|world| async move {
        let names: Vec<String> = (0..60).map(|number| format!("user{number}")).collect();
        for name in &names {
            world.user(name, Role::Viewer).await;
        }
        let all = names.iter().zip(1..).map(|(name, number)| {
            let (world, from) = (Arc::clone(&world), format!("10.3.0.{number}"));
            async move { world.log_in(name, PASSWORD, &from).await.status }
        });
        let said: Vec<u16> = futures_util::future::join_all(all).await;
        assert!(said.iter().all(|status| *status == 200), "{said:?}");
        assert_eq!(world.count("logins_total", "right"), "60");
    });
}

#[test]
fn who_breaks_a_log_in_off_is_not_locked_out_by_right_passwords_and_wrong_ones_count() {
    in_world(|world| async move {
        for name in ["zhang", "wang"] {
            world.user(name, Role::Duty).await;
        }
        let tries = [("zhang", PASSWORD, "right"), ("wang", "Wrong-123", "wrong")];
        for (name, password, word) in tries {
            for number in 1..=5 {
                let mut asks = Box::pin(world.log_in(name, password, "10.0.0.9"));
                assert!(futures_util::poll!(asks.as_mut()).is_pending());
                drop(asks);
                let limit = tokio::time::Instant::now() + Duration::from_mins(1);
                while world.count("logins_total", word) != number.to_string() {
                    assert!(tokio::time::Instant::now() < limit, "{word}: {number}");
                    tokio::task::yield_now().await;
                }
            }
        }
        assert_eq!(world.log_in("zhang", PASSWORD, "10.0.0.8").await.status, 200);
        assert_eq!(world.log_in("wang", PASSWORD, "10.0.0.8").await.status, 429);
    });
}

#[test]
fn what_is_stored_of_tries_is_never_older_than_what_was_stored_before() {
    in_world(|world| async move {
        for round in 0..200 {
            let name = format!("nobody{round}");
            let mut tries = tokio::task::JoinSet::new();
            for place in 0..5 {
                let (parts, name) = (Arc::clone(&world.parts), name.clone());
                let from = std::net::IpAddr::from([10, 4, round, place]);
                tries.spawn(async move { Attempt::begin(&parts, from, name).await.is_ok() });
            }
            assert!(tries.join_all().await.into_iter().all(|begun| begun));
            let kept = world.parts.journal.read(JournalReader::attempts).await.unwrap();
            let most = kept.iter().filter(|row| !row.name.is_empty()).map(|row| row.tries);
            let full = most.filter(|tries| *tries == 5).count();
            assert_eq!(full, usize::from(round) + 1, "in round {round}");
        }
    });
}

#[test]
fn who_has_used_up_his_tries_has_done_so_after_a_restart() {
    in_world(|world| async move {
        world.user("zhang", Role::Duty).await;
        world.session("zhang").await; // from 10.0.0.1, which is its desk from now on
        for name in ["zhang", "nobody"] {
            for _ in 0..5 {
                assert_eq!(world.log_in(name, "Wrong-123", "10.0.0.9").await.status, 401);
            }
        }
        // the names that were tried are not in the file; one may be a password in the wrong field
        let kept = world.parts.journal.read(JournalReader::attempts).await.unwrap();
        assert!(kept.len() >= 4 && kept.iter().all(|row| !row.name.contains("bod")), "{kept:?}");
        let again = world.restarted();
        for (name, from, expected) in [
            ("zhang", "10.0.0.9", 429),
            ("nobody", "10.0.0.9", 429),
            ("ZHANG", "10.0.0.8", 429),
            ("somebody", "10.0.0.9", 401),
        ] {
            let said = again.log_in(name, PASSWORD, from).await;
            assert_eq!(said.status, expected, "{name} from {from}: {}", said.text);
        }
        // whoever sits at the desk is let in
        assert_eq!(again.log_in("zhang", PASSWORD, "10.0.0.1").await.status, 200);
        // and half an hour after the last wrong one whoever knows the password
        again.clock.advance(30 * 60_000 + 1);
        let later = again.restarted();
        assert_eq!(later.log_in("zhang", PASSWORD, "10.0.0.9").await.status, 200);
    });
}

/// How tries stand of names that nobody has, as many as the store keeps.
fn of_strangers(tried_at: Timestamp) -> NoteAttempts {
    let row = |number: i64| AttemptRow {
        name: format!("{number:032x}"),
        place: String::new(),
        tries: 1,
        is_familiar: false,
        tried_at,
    };
    let rows = (0..ATTEMPTS).map(row).collect();
    NoteAttempts { rows, somebodys: Vec::new(), forget_before: tried_at.plus_ms(-60_000) }
}

#[test]
fn names_that_nobody_has_push_out_no_lock_of_somebody_before_or_at_a_restart() {
    in_world(|world| async move {
        world.user("zhang", Role::Duty).await;
        world.session("zhang").await;
        let later = world.parts.clock.now().plus_ms(1);
        world.store.journal().write(of_strangers(later)).await.unwrap();
        for _ in 0..5 {
            assert_eq!(world.log_in("zhang", "Wrong-123", "10.0.0.9").await.status, 401);
        }
        world.clock.advance(1);
        assert_eq!(world.log_in("nobody", "Wrong-123", "10.0.0.8").await.status, 401);
        let again = world.restarted();
        let said = again.log_in("zhang", PASSWORD, "10.0.0.7").await;
        assert_eq!(said.status, 429, "{}", said.text);
    });
}

#[test]
fn tries_at_the_same_moment_lock_a_name_once() {
    in_world(|world| async move {
        world.user("zhang", Role::Duty).await;
        let tries = (0..5).map(|number| {
            let (world, from) = (Arc::clone(&world), format!("10.5.0.{number}"));
            async move { world.log_in("zhang", "Wrong-123", &from).await.status }
        });
        assert_eq!(futures_util::future::join_all(tries).await, [401; 5]);
        let limit = tokio::time::Instant::now() + Duration::from_mins(1);
        while world.parts.stage.pending().iter().any(|task| task == "lock") {
            assert!(tokio::time::Instant::now() < limit, "{:?}", world.parts.stage.pending());
            tokio::task::yield_now().await;
        }
        let entries = world.parts.journal.read(|reader| reader.entries(0, 100)).await.unwrap();
        let locks = entries.iter().filter(|entry| entry.kind == "logins_locked").count();
        assert_eq!(locks, 1);
    });
}

#[test]
fn who_has_a_made_password_sets_another_one_and_may_do_nothing_before() {
    in_world(|world| async move {
        world.user_with("zhang", Role::Duty, true).await;
        let (cookie, proof) = world.session("zhang").await;
        let said = world.by_session("GET", SESSION, &cookie, "").await;
        assert!(said.text.contains(r#""must_change_password":true"#), "{}", said.text);
        for path in ["/api/v1/stations", calls::live::PATH, "/api/v1/alarms"] {
            let said = world.by_session("GET", path, &cookie, "").await;
            assert_eq!(said.status, 403, "{path}");
            assert!(said.text.contains("urn:baseflow:problem:password-to-change"), "{}", said.text);
        }
        let session = (cookie.as_str(), proof.as_str());
        for (password, new, sort) in [
            ("Wrong-123", "Zz9-other", "password-wrong"),
            (PASSWORD, PASSWORD, "password-same"),
            (PASSWORD, "short", "password-length"),
            (PASSWORD, "zhang-Zz9", "password-holds-name"),
            (PASSWORD, "Admin@123", "password-tried-first"),
        ] {
            let said = world.change(session, password, new).await;
            assert_eq!(said.status, 422, "{new}: {}", said.text);
            assert!(said.text.contains(&format!("problem:{sort}\"")), "{new}: {}", said.text);
        }
        let said = world.change((&cookie, "0"), PASSWORD, "Zz9-other").await;
        assert_eq!(said.status, 403, "a page of another site");
        let said = world.change(session, PASSWORD, "Zz9-other").await;
        assert_eq!(said.status, 200, "{}", said.text);
        let set = said.headers[header::SET_COOKIE].to_str().unwrap();
        let (after, _) = set.split_once(';').unwrap();
        assert_eq!(world.by_session("GET", "/api/v1/stations", &cookie, "").await.status, 401);
        assert_eq!(world.by_session("GET", "/api/v1/stations", after, "").await.status, 200);
        assert!(!world.stored_user("zhang").await.must_change);
        assert_eq!(world.log_in("zhang", PASSWORD, "10.0.0.1").await.status, 401);
        assert_eq!(world.log_in("zhang", "Zz9-other", "10.0.0.1").await.status, 200);
        let entries = world.parts.journal.read(|reader| reader.entries(0, 100)).await.unwrap();
        let set = entries.iter().find(|entry| entry.kind == "password_set").unwrap();
        assert_eq!(set.document().unwrap().by.kind, ByKind::User);
        let token = Some(world.token(Role::Admin));
        let said = world.ask(&Method::POST, calls::session::PASSWORD_PATH, token, "{}").await;
        assert_eq!(said.status, 409);
    });
}

#[test]
fn a_session_that_somebody_left_open_is_not_enough_to_guess_the_password() {
    in_world(|world| async move {
        world.user("zhang", Role::Duty).await;
        let (cookie, proof) = world.session("zhang").await;
        let session = (cookie.as_str(), proof.as_str());
        for _ in 0..5 {
            assert_eq!(world.change(session, "Wrong-123", "Zz9-other").await.status, 422);
        }
        let said = world.change(session, PASSWORD, "Zz9-other").await;
        assert_eq!(said.status, 429, "{}", said.text);
        assert!(said.headers.contains_key(header::RETRY_AFTER));
    });
}

#[test]
fn a_screen_is_opened_once_by_its_link_and_sees_nothing_but_its_wall() {
    in_world(|world| async move {
        let (link, cookie) = world.screen("hall").await;
        let said = world.open(&link, "same-origin").await;
        assert_eq!((said.status, said.headers.get(header::SET_COOKIE)), (404, None));
        // the link is no token, and what the screen has is in no other place
        let said = world.ask(&Method::GET, "/api/v1/stations", Some(&link), "").await;
        assert_eq!(said.status, 401);
        let said = world.by_session("GET", SESSION, &cookie, "").await;
        let expected = r#"{"name":"hall","role":"wall","csrf":null,"must_change_password":false}"#;
        assert_eq!(said.text, expected);
        let anew = said.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(anew.starts_with(&cookie) && anew.contains("HttpOnly; SameSite=Strict"), "{anew}");
        let said = world.by_session("GET", "/api/v1/stations", &cookie, "").await;
        assert!(said.status == 200 && !said.text.contains("张三"), "{}", said.text);
        for path in ["/api/v1/alarms", "/api/v1/stations/S-1", "/api/v1/notifications"] {
            assert_eq!(world.by_session("GET", path, &cookie, "").await.status, 403, "{path}");
        }
        // somebody logs in at the screen for a while
        world.user("zhang", Role::Duty).await;
        let (session, proof) = world.session("zhang").await;
        let both = format!("{session}; {cookie}");
        assert_eq!(world.by_session("GET", "/api/v1/notifications", &both, "").await.status, 200);
        assert_eq!(world.by_session("DELETE", SESSION, &session, &proof).await.status, 204);
        // until its page has asked who is there, whatever it asks says that the session is over
        for path in ["/api/v1/alarms", "/api/v1/stations", calls::live::PATH] {
            assert_eq!(world.by_session("GET", path, &both, "").await.status, 401, "{path}");
        }
        let said = world.by_session("GET", SESSION, &both, "").await;
        assert!(said.text.contains(r#""role":"wall""#), "{}", said.text);
        let set: Vec<_> = said.headers.get_all(header::SET_COOKIE).iter().collect();
        let set: Vec<_> = set.iter().map(|cookie| cookie.to_str().unwrap()).collect();
        assert!(set.iter().any(|cookie| cookie.starts_with("baseflow=; ")), "{set:?}");
        assert!(
            set.iter().any(|cookie| set.len() == 2 && cookie.starts_with("baseflow-wall=")),
            "{set:?}"
        );
        // a token of another role is no screen's, in whatever cookie
        let forged = format!("baseflow-wall={}", world.token(Role::Admin));
        assert_eq!(world.by_session("GET", "/api/v1/stations", &forged, "").await.status, 401);
        let revoke = RevokeToken { at: NOW.parse().unwrap(), by: by(), name: "hall".to_owned() };
        assert!(world.store.journal().write(revoke).await.unwrap());
        assert_eq!(world.by_session("GET", "/api/v1/stations", &cookie, "").await.status, 401);
        let other = world.link("other").await;
        assert_eq!(world.open(&other, "cross-site").await.status, 403);
        assert_eq!(world.open("bf_0", "same-origin").await.status, 404);
    });
}

#[test]
fn a_screen_whose_answer_got_lost_gets_it_again_and_nobody_else_does() {
    in_world(|world| async move {
        let (link, key) = (world.link("hall").await, "0a".repeat(32));
        let cookie = |said: &Said| {
            let set = said.headers.get(header::SET_COOKIE).map(|set| set.to_str().unwrap());
            set.map(|set| set.split(';').next().unwrap().to_owned())
        };
        let first = world.open_by(&link, &key).await;
        assert_eq!(first.status, 200, "{}", first.text);
        let mine = cookie(&first).unwrap();
        assert_eq!(world.by_session("GET", "/api/v1/stations", &mine, "").await.status, 200);
        for _ in 0..3 {
            let again = world.open_by(&link, &key).await;
            assert_eq!((again.status, cookie(&again)), (200, Some(mine.clone())), "{}", again.text);
        }
        for other in ["0b".repeat(32), "00".repeat(32)] {
            let said = world.open_by(&link, &other).await;
            assert_eq!((said.status, cookie(&said)), (404, None), "{}", said.text);
        }
        assert_eq!(world.open(&link, "same-origin").await.status, 404);
        assert_eq!(world.open_by(&link, "0a").await.status, 400);
        let entries = world.parts.journal.read(|reader| reader.entries(0, 100)).await.unwrap();
        let hall = |entry: &store::Entry| {
            entry.kind == "screen_opened" && String::from_utf8_lossy(&entry.bytes).contains("hall")
        };
        assert_eq!(entries.iter().filter(|entry| hall(entry)).count(), 1);
        let of = |word| world.count("screens_total", word);
        assert_eq!([of("opened"), of("again"), of("unknown")], ["1", "3", "3"]);
        // after a restart as well, for a day, and not once it is revoked
        let again = world.restarted();
        assert_eq!(cookie(&again.open_by(&link, &key).await), Some(mine.clone()));
        world.clock.advance(24 * 60 * 60_000);
        assert_eq!(world.open_by(&link, &key).await.status, 404);
        assert_eq!(world.by_session("GET", "/api/v1/stations", &mine, "").await.status, 200);
        let office = world.link("office").await;
        assert_eq!(world.open_by(&office, &key).await.status, 200);
        let name = "office".to_owned();
        let revoke = RevokeToken { at: NOW.parse().unwrap(), by: by(), name };
        assert!(world.store.journal().write(revoke).await.unwrap());
        assert_eq!(world.open_by(&office, &key).await.status, 404);
    });
}

#[test]
fn who_guesses_links_of_screens_is_refused_and_counted() {
    in_world(|world| async move {
        let link = world.link("hall").await;
        let guess = format!("bf_{}", "0".repeat(64));
        let mut said = Vec::new();
        for _ in 0..40 {
            said.push(world.open_from(&guess, "10.0.0.66").await.status);
        }
        assert_eq!(said.iter().filter(|status| **status == 404).count(), 30, "{said:?}");
        assert_eq!(said.iter().filter(|status| **status == 429).count(), 10, "{said:?}");
        assert_eq!(world.open_from(&link, "10.0.0.1").await.status, 200, "others are not kept out");
        let of = |word| world.count("screens_total", word);
        assert_eq!([of("opened"), of("unknown"), of("refused")], ["1", "30", "10"]);
    });
}

impl World {
    /// What is counted under a metric's label.
    pub(super) fn count(&self, metric: &str, word: &str) -> String {
        let families = self.counted.gather();
        let family = families.iter().find(|family| family.name().ends_with(metric)).unwrap();
        let metric = family.get_metric().iter();
        let metric = metric.filter(|metric| metric.get_label()[0].value() == word);
        metric.map(|metric| metric.get_counter().get_value()).sum::<f64>().to_string()
    }

    pub(super) async fn open_from(&self, link: &str, from: &str) -> Said {
        let body = format!(r#"{{"token":"{link}"}}"#);
        let headers = [JSON, ("x-forwarded-for", from), ("sec-fetch-site", "same-origin")];
        self.ask_with(&Method::POST, calls::session::SCREEN_PATH, &headers, &body).await
    }

    async fn open_by(&self, link: &str, key: &str) -> Said {
        let body = format!(r#"{{"token":"{link}","key":"{key}"}}"#);
        let headers = [JSON, ("sec-fetch-site", "same-origin")];
        self.ask_with(&Method::POST, calls::session::SCREEN_PATH, &headers, &body).await
    }

    pub(super) async fn link(&self, name: &str) -> String {
        let (name, role) = (name.to_owned(), Role::Wall.word().to_owned());
        let add = AddToken { at: NOW.parse().unwrap(), by: by(), name, role };
        match self.store.journal().write(add).await.unwrap() {
            TokenAdded::Done { text } => text.as_str().to_owned(),
            TokenAdded::NameTaken => panic!("the name is free"),
        }
    }

    async fn open(&self, link: &str, site: &str) -> Said {
        let body = format!(r#"{{"token":"{link}"}}"#);
        let headers = [JSON, ("sec-fetch-site", site)];
        self.ask_with(&Method::POST, calls::session::SCREEN_PATH, &headers, &body).await
    }

    /// A link, and the cookie of the screen that opened it.
    async fn screen(&self, name: &str) -> (String, String) {
        let link = self.link(name).await;
        let said = self.open(&link, "same-origin").await;
        assert_eq!(said.status, 200, "{}", said.text);
        let set = said.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(!set.contains(&link), "the link is not what the screen has");
        (link, set.split(';').next().unwrap().to_owned())
    }
}

/// What a look at it says.
async fn polled<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context))).await
}

/// A request of which the head has come, and never a body.
fn half_sent(
    world: &World,
    (method, path): (Method, &str),
    headers: &[(&str, &str)],
) -> impl Future<Output = u16> + Send + 'static {
    let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let proxy = Peer(std::net::Ipv4Addr::LOCALHOST.into());
    let request = request.extension(proxy).body(Body::from_stream(never)).unwrap();
    let router = world.router.clone();
    async move { router.oneshot(request).await.unwrap().status().as_u16() }
}

#[test]
fn bodies_that_never_end_keep_nobody_from_the_api() {
    in_world(|world| async move {
        world.user("zhang", Role::Admin).await;
        let (cookie, proof) = world.session("zhang").await;
        let calls = [
            (Method::POST, SESSION),
            (Method::DELETE, SESSION),
            (Method::POST, "/api/v1/quarantine/1/replay"),
            (Method::POST, "/api/v1/quarantine/1/discard"),
            (Method::POST, "/api/v1/alarms/0000000000000000000000000000002a/acknowledge"),
            (Method::GET, "/api/v1/stations"),
        ];
        let mut many = Vec::new();
        for (number, call) in calls.iter().cycle().take(600).enumerate() {
            let from = format!("10.1.{}.{}", number / 200, number % 200);
            let headers = [
                ("x-forwarded-for", from.as_str()),
                ("cookie", &cookie),
                ("x-csrf-token", &proof),
                JSON,
            ];
            many.push(half_sent(&world, call.clone(), &headers));
        }
        let mut many = Box::pin(futures_util::future::join_all(many));
        assert!(polled(&mut many).await.is_pending());
        assert!(world.get("/api/v1/stations").await.starts_with("200 "));
        world.session("zhang").await;
        assert_eq!(many.await, [408; 600]);
    });
}

#[test]
fn bodies_of_one_that_never_end_are_few_and_cost_a_neighbour_nothing() {
    in_world(|world| async move {
        let from = [JSON, ("x-forwarded-for", "10.2.0.1")];
        let mut of_one: Vec<_> = {
            let half = (0..9).map(|_| half_sent(&world, (Method::POST, SESSION), &from));
            let whole = world.log_in("zhang", PASSWORD, "10.2.0.1");
            let (half, whole) = tokio::join!(futures_util::future::join_all(half), whole);
            assert_eq!(whole.status, 401, "a body that is there waits for no place");
            half
        };
        of_one.sort_unstable();
        assert_eq!(of_one, [408, 408, 408, 408, 408, 408, 408, 408, 429]);
        let long = "x".repeat(5 << 10);
        for path in [SESSION, "/api/v1/quarantine/1/discard"] {
            assert_eq!(world.ask_with(&Method::POST, path, &from, &long).await.status, 413);
        }
    });
}

#[test]
fn a_body_that_breaks_off_cannot_be_read_and_is_not_too_large() {
    in_world(|world| async move {
        for path in [SESSION, "/api/v1/quarantine/1/discard", "/i/UUUUUUUUUUUUU"] {
            let broken =
                [Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("a faulty chunk"))];
            let request = Request::builder().method(Method::POST).uri(path);
            let body = Body::from_stream(futures_util::stream::iter(broken));
            let request = request.header(JSON.0, JSON.1).body(body).unwrap();
            let response = world.router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status().as_u16(), 400, "{path}");
        }
    });
}

#[test]
fn strangers_who_do_not_read_keep_nobody_from_the_api() {
    in_world(|world| async move {
        for path in [routes::OPENAPI_PATH, "/api/v1/stations", SESSION] {
            let mut unread = Vec::new();
            for _ in 0..300 {
                let request = Request::builder().uri(path).body(Body::empty()).unwrap();
                unread.push(world.router.clone().oneshot(request).await.unwrap());
            }
            assert!(world.get("/api/v1/stations").await.starts_with("200 "), "beside {path}");
        }
    });
}

#[test]
fn who_logs_in_over_a_session_of_the_same_browser_ends_it() {
    in_world(|world| async move {
        world.user("zhang", Role::Duty).await;
        world.user("li", Role::Admin).await;
        let (before, _) = world.session("zhang").await;
        let log_in = async |password: &str| {
            let body = format!(r#"{{"name":"li","password":"{password}"}}"#);
            let headers = [JSON, ("cookie", before.as_str()), ("sec-fetch-site", "same-origin")];
            world.ask_with(&Method::POST, SESSION, &headers, &body).await
        };
        let stations = "/api/v1/stations";
        assert_eq!(log_in("Wrong-123").await.status, 401);
        assert_eq!(world.by_session("GET", stations, &before, "").await.status, 200);
        let said = log_in(PASSWORD).await;
        assert_eq!(said.status, 200, "{}", said.text);
        let after = said.headers[header::SET_COOKIE].to_str().unwrap();
        let after = after.split(';').next().unwrap();
        assert_eq!(world.by_session("GET", stations, &before, "").await.status, 401);
        assert_eq!(world.by_session("GET", stations, after, "").await.status, 200);
    });
}

#[test]
fn an_address_that_is_locked_lets_in_whoever_has_logged_in_from_there() {
    in_world(|world| async move {
        world.user("zhang", Role::Duty).await;
        world.user("li", Role::Duty).await;
        world.session("zhang").await; // from 10.0.0.1
        for number in 0..30 {
            let name = format!("nobody{number}");
            assert_eq!(world.log_in(&name, "Wrong-123", "10.0.0.1").await.status, 401);
        }
        assert_eq!(world.log_in("li", PASSWORD, "10.0.0.1").await.status, 429);
        assert_eq!(world.log_in("zhang", PASSWORD, "10.0.0.1").await.status, 200);
        let again = world.restarted();
        assert_eq!(again.log_in("li", PASSWORD, "10.0.0.1").await.status, 429);
        assert_eq!(again.log_in("zhang", PASSWORD, "10.0.0.1").await.status, 200);
    });
}

#[test]
fn a_stream_ends_with_its_session_or_token() {
    in_world(|world| async move {
        world.user("zhang", Role::Viewer).await;
        let (cookie, proof) = world.session("zhang").await;
        let request = Request::builder().uri(calls::live::PATH).header(header::COOKIE, &cookie);
        let of_session = request.body(Body::empty()).unwrap();
        let bearer = format!("Bearer {}", world.token(Role::Duty));
        let request =
            Request::builder().uri(calls::live::PATH).header(header::AUTHORIZATION, bearer);
        let of_token = request.body(Body::empty()).unwrap();
        for (request, is_session) in [(of_session, true), (of_token, false)] {
            let response = world.router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status().as_u16(), 200);
            let mut stream = response.into_body().into_data_stream();
            assert!(next(&mut stream).await.is_some(), "a stream begins");
            if is_session {
                let said = world.by_session("DELETE", SESSION, &cookie, &proof).await;
                assert_eq!(said.status, 204);
            } else {
                let name = "duty".to_owned();
                let revoke = RevokeToken { at: NOW.parse().unwrap(), by: by(), name };
                assert!(world.store.journal().write(revoke).await.unwrap());
            }
            while next(&mut stream).await.is_some() {}
        }
    });
}

/// The next piece within ten seconds.
async fn next(stream: &mut BodyDataStream) -> Option<Bytes> {
    let piece = tokio::time::timeout(Duration::from_secs(10), stream.next()).await;
    piece.expect("the stream says something or ends").map(|piece| piece.unwrap())
}

#[test]
fn who_takes_an_alarm_on_by_a_session_is_a_user() {
    in_world(|world| async move {
        world.user("zhang", Role::Admin).await;
        let (cookie, proof) = world.session("zhang").await;
        let path = "/api/v1/quarantine/1/discard";
        let said = world.by_session("POST", path, &cookie, &proof).await;
        assert_eq!(said.status, 200, "{}", said.text);
        let entries = world.parts.journal.read(|reader| reader.entries(0, 100)).await.unwrap();
        let decided = entries.iter().find(|entry| entry.kind == "quarantine_decided").unwrap();
        let document = decided.document().unwrap();
        assert_eq!((document.by.kind, document.by.name.as_str()), (ByKind::User, "zhang"));
    });
}
