//! Many who ask at once, and one who asks as often as many: whom they keep out, and whom not.

use std::net::IpAddr;

use axum::response::Response;
use futures_util::future::join_all;
use model::alarm::LinkToken;
use tokio::task::JoinSet;

use super::*;
use crate::{
    access::{Caller, LetInBy},
    shell::calls::verdicts,
};

const STATIONS: &str = "/api/v1/stations";
const WRONG: &str = "Wrong-123";

impl World {
    /// A call of which nobody reads the answer.
    async fn unread(&self, path: &str, token: Option<&str>, from: &str) -> Response {
        let from: IpAddr = from.parse().unwrap();
        let mut request = Request::builder().uri(path).extension(Peer(from));
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Tries that are begun and go on, each from where `from` says; their statuses.
    fn strangers(self: &Arc<Self>, many: usize, from: impl Fn(usize) -> String) -> JoinSet<u16> {
        let mut strangers = JoinSet::new();
        for number in 0..many {
            let (world, from) = (Arc::clone(self), from(number));
            strangers.spawn(async move {
                world.log_in(&format!("nobody{number}"), WRONG, &from).await.status
            });
        }
        strangers
    }

    /// Until so many tries found no place.
    async fn refused(&self, many: usize) {
        let limit = tokio::time::Instant::now() + Duration::from_mins(1);
        loop {
            let refused = self.count("logins_total", "refused");
            if refused.parse::<usize>().unwrap() >= many {
                return;
            }
            assert!(tokio::time::Instant::now() < limit, "{refused} are refused");
            tokio::task::yield_now().await;
        }
    }

    fn looked_at(&self) -> usize {
        self.count("logins_total", "wrong").parse().unwrap()
    }
}

#[test]
fn strangers_of_one_network_keep_nobody_from_logging_in() {
    in_world(|world| async move {
        let names: Vec<String> = (0..10).map(|number| format!("user{number}")).collect();
        for name in &names {
            world.user(name, Role::Viewer).await;
            assert_eq!(world.log_in(name, people::PASSWORD, "10.0.0.1").await.status, 200);
        }
        world.user("traveller", Role::Duty).await;
        let mut strangers = world.strangers(200, |number| format!("2001:db8:1:{number:x}::1"));
        world.refused(60).await;
        let before = world.looked_at();
        let familiar = names.iter().map(|name| world.log_in(name, people::PASSWORD, "10.0.0.1"));
        let said: Vec<_> = join_all(familiar).await.iter().map(|said| said.status).collect();
        assert_eq!(said, [200; 10], "who is familiar with the place");
        let meanwhile = world.looked_at() - before;
        assert!(meanwhile <= 14, "{meanwhile} of strangers came first");
        let said = world.log_in("traveller", people::PASSWORD, "10.9.0.1").await;
        assert_eq!(said.status, 200, "another stranger: {}", said.text);
        let mut refused = 0;
        while let Some(status) = strangers.join_next().await {
            let status = status.unwrap();
            assert!([401, 429].contains(&status), "{status}");
            refused += usize::from(status == 429);
        }
        assert!(refused >= 100, "{refused} are too many at once");
    });
}

#[test]
fn tries_in_flight_at_an_address_keep_out_nobody_who_is_familiar_with_it() {
    in_world(|world| async move {
        world.user("zhang", Role::Duty).await;
        world.session("zhang").await; // from 10.0.0.1
        let mut strangers = world.strangers(40, |_| "10.0.0.1".to_owned());
        world.refused(20).await;
        let said = world.log_in("zhang", people::PASSWORD, "10.0.0.1").await;
        assert_eq!(said.status, 200, "{}", said.text);
        while strangers.join_next().await.is_some() {}
    });
}

#[test]
fn a_network_is_locked_like_an_address_and_keeps_being_so_after_a_restart() {
    in_world(|world| async move {
        let from = |number: u32| format!("2001:db8:2:{:x}::1", 0x100 + number);
        let mut looked_at = 0;
        for number in 0..130 {
            let name = format!("nobody{number}");
            let said = world.log_in(&name, WRONG, &from(number)).await;
            looked_at += usize::from(said.status == 401);
        }
        assert_eq!(looked_at, 120, "of a network of 56 bits");
        let again = world.restarted();
        for (from, expected) in [("2001:db8:2:1ff::1", 429), ("2001:db8:2:200::1", 401)] {
            assert_eq!(again.log_in("nobody", WRONG, from).await.status, expected, "{from}");
        }
    });
}

#[test]
fn who_takes_as_many_calls_as_there_are_keeps_nobody_else_from_the_api() {
    in_world(|world| async move {
        let [viewer, wall, duty] =
            [Role::Viewer, Role::Wall, Role::Duty].map(|role| world.token(role).to_owned());
        let (mut unread, mut refused) = (Vec::new(), Vec::new());
        for _ in 0..260 {
            let answer = world.unread(STATIONS, Some(&viewer), "127.0.0.1").await;
            let is_answered = answer.status().is_success();
            if is_answered { unread.push(answer) } else { refused.push(answer) }
        }
        for token in [&wall, &duty] {
            let said = world.ask(&Method::GET, STATIONS, Some(token), "").await;
            assert_eq!(said.status, 200, "{}", said.text);
        }
        assert_eq!((unread.len(), refused.len()), (64, 196));
        for answer in &refused {
            assert_eq!(answer.status().as_u16(), 429);
            assert!(answer.headers().contains_key(header::RETRY_AFTER));
        }
        assert_eq!(world.count("calls_refused_total", "own"), "196");
        drop(unread);
        assert!(world.get(STATIONS).await.starts_with("200 "));
    });
}

#[test]
fn who_waits_for_a_large_page_keeps_nobody_from_small_ones() {
    in_world(|world| async move {
        let mut held = Vec::new();
        for number in 0..2 {
            let caller = Caller {
                let_in_by: LetInBy::Token,
                name: format!("reader{number}"),
                role: Role::Viewer,
                must_change: false,
            };
            held.push(verdicts::LARGE.of(&caller).await);
        }
        let viewer = world.token(Role::Viewer).to_owned();
        let mut large = JoinSet::new();
        for _ in 0..20 {
            let (world, viewer) = (Arc::clone(&world), viewer.clone());
            large.spawn(async move {
                let path = "/api/v1/stations/S-1/verdicts?by=month";
                world.unread(path, Some(&viewer), "127.0.0.1").await.status().as_u16()
            });
        }
        let limit = tokio::time::Instant::now() + Duration::from_mins(1);
        while verdicts::LARGE.waiting() < 20 {
            assert!(tokio::time::Instant::now() < limit, "they keep turns of others");
            tokio::task::yield_now().await;
        }
        assert!(world.get(STATIONS).await.starts_with("200 "));
        drop(held);
        while let Some(status) = large.join_next().await {
            assert_eq!(status.unwrap(), 200);
        }
    });
}

#[test]
fn however_many_viewers_call_some_places_are_left_to_who_may_act() {
    in_world(|world| async move {
        let mut unread = Vec::new();
        for number in 0..6 {
            let name = format!("user{number}");
            world.user(&name, Role::Viewer).await;
            let (cookie, _) = world.session(&name).await;
            for _ in 0..64 {
                let request = Request::builder().uri(STATIONS).header(header::COOKIE, &cookie);
                let request = request.body(Body::empty()).unwrap();
                unread.push(world.router.clone().oneshot(request).await.unwrap());
            }
            // each leaves something to the next one
            assert!(world.get(STATIONS).await.starts_with("200 "), "beside {number}");
        }
        for role in [Role::Duty, Role::Admin] {
            let mut answered = 0;
            for _ in 0..32 {
                let answer = world.unread(STATIONS, Some(world.token(role)), "127.0.0.1").await;
                answered += usize::from(answer.status().is_success());
                unread.push(answer);
            }
            assert!(answered >= 8, "{role}: {answered}");
        }
    });
}

#[test]
fn who_is_not_let_in_takes_no_place_and_is_told_so_however_many_calls_are_at_work() {
    in_world(|world| async move {
        let viewer = world.token(Role::Viewer).to_owned();
        let mut unread = Vec::new();
        for _ in 0..260 {
            unread.push(world.unread(STATIONS, Some(&viewer), "127.0.0.1").await);
        }
        for token in [None, Some("bf_0")] {
            let said = world.ask(&Method::GET, STATIONS, token, "").await;
            assert_eq!(said.status, 401, "{}", said.text);
        }
    });
}

#[test]
fn who_guesses_links_keeps_out_nobody_who_has_one_and_shares_his_address() {
    in_world(|world| async move {
        let show = async |token: u64| {
            let path = format!("/i/{}", LinkToken(token));
            world.unread(&path, None, "198.51.100.1").await.status().as_u16()
        };
        let mut guesses = Vec::new();
        for _ in 0..200 {
            guesses.push(show(0).await);
        }
        assert!(guesses.contains(&429) && guesses.contains(&404), "{guesses:?}");
        assert_eq!(show(7).await, 200);
        // how often a link is shown is its own, wherever it is asked from
        let mut shown = Vec::new();
        for _ in 0..40 {
            shown.push(show(8).await);
        }
        assert_eq!(shown.iter().filter(|status| **status == 200).count(), 30, "{shown:?}");
        assert_eq!(show(7).await, 200);
        let click = |token: u64| {
            let (world, path) = (Arc::clone(&world), format!("/i/{}", LinkToken(token)));
            async move { world.page(&Method::POST, &path, "version=2", "198.51.100.9").await.status }
        };
        assert_eq!((click(8).await, click(1).await), (429, 303), "a click is charged, too");
    });
}

#[test]
fn who_guesses_links_of_screens_keeps_out_no_screen_of_his_address() {
    in_world(|world| async move {
        let link = world.link("hall").await;
        let guess = format!("bf_{}", "0".repeat(64));
        for _ in 0..100 {
            world.open_from(&guess, "10.0.0.66").await;
        }
        assert_eq!(world.open_from(&guess, "10.0.0.66").await.status, 429);
        assert_eq!(world.open_from(&link, "10.0.0.66").await.status, 200);
    });
}

#[test]
fn who_reads_no_files_keeps_nobody_else_from_the_pages() {
    in_world(|world| async move {
        let (mut unread, mut refused) = (Vec::new(), 0);
        for number in 0..280 {
            // of one address, and of one network
            let from = format!("2001:db8:7:{number:x}::1");
            for from in ["203.0.113.7", &from] {
                let answer = world.unread("/assets/main-1.js", None, from).await;
                refused += usize::from(answer.status().as_u16() == 429);
                unread.push(answer);
            }
        }
        assert!(refused > 300, "{refused}");
        for (path, from) in [
            ("/assets/main-1.js", "203.0.113.8"),
            ("/", "2001:db8:8::1"),
            (routes::OPENAPI_PATH, "::1"),
        ] {
            assert_eq!(world.unread(path, None, from).await.status().as_u16(), 200, "{path}");
        }
    });
}
