//! The page behind a link, as a telephone asks for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Bytes;
use hyper::body::Frame;
use model::{
    alarm::LinkToken,
    port::{Acknowledged, AlertingError, LinkView, Links},
};
use tokio::task::JoinSet;

use super::*;
use crate::{
    page::link::tests::breach,
    shell::pages::{Pages, Peer},
};

/// Knows the tokens from 1 on; a click on each of them comes to something else.
#[derive(Debug)]
struct Numbered;

impl Links for Numbered {
    fn view(&self, token: LinkToken) -> Answer<'_, Result<Option<LinkView>, AlertingError>> {
        let view = match token.0 {
            0 => Ok(None),
            99 => Err(AlertingError { source: "no room".into() }),
            _ => Ok(Some(breach())),
        };
        Box::pin(std::future::ready(view))
    }

    fn acknowledge(
        &self,
        token: LinkToken,
        seen: u32,
    ) -> Answer<'_, Result<Acknowledged, AlertingError>> {
        assert_eq!(seen, breach().version);
        let done = match token.0 {
            0 => Ok(Acknowledged::Unknown),
            1 => Ok(Acknowledged::Done),
            2 => Ok(Acknowledged::Elsewhere),
            3 => Ok(Acknowledged::Changed),
            4 => Ok(Acknowledged::Over),
            5 => Ok(Acknowledged::TooLate),
            6 => Ok(Acknowledged::Kept),
            _ => Err(AlertingError { source: "no room".into() }),
        };
        Box::pin(std::future::ready(done))
    }
}

pub(super) fn of_tests() -> Pages {
    Pages::new(Some(Arc::new(Numbered)))
}

pub(super) struct Page {
    pub(super) status: u16,
    html: String,
    headers: header::HeaderMap,
}

impl World {
    pub(super) async fn page(&self, method: &Method, path: &str, form: &str, from: &str) -> Page {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .extension(Peer(from.parse().unwrap()))
            .body(Body::from(form.to_owned()))
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let html = String::from_utf8(bytes.to_vec()).unwrap();
        Page { status: head.status.as_u16(), html, headers: head.headers }
    }

    async fn show(&self, path: &str) -> Page {
        self.page(&Method::GET, path, "", "198.51.100.1").await
    }
}

/// A body that never comes.
struct HalfSent;

impl hyper::body::Body for HalfSent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

fn path(token: u64) -> String {
    format!("/i/{}", LinkToken(token))
}

#[test]
fn a_link_shows_its_alarm_in_the_language_that_is_asked_for() {
    in_world(|world| async move {
        for (query, lang) in
            [("", "zh"), ("?lang=zh", "zh"), ("?a=b&lang=en", "en"), ("?lang=fr", "zh")]
        {
            let page = world.show(&format!("{}{query}", path(7))).await;
            assert_eq!(page.status, 200);
            assert_eq!(page.headers[header::CONTENT_LANGUAGE], lang, "{query}");
            assert!(page.html.contains(&format!("<html lang=\"{lang}\">")), "{query}");
        }
        let lower_case = path(7).to_lowercase().replace("/I/", "/i/");
        assert_eq!(world.show(&lower_case).await.status, 200);
    });
}

#[test]
fn where_nobody_is_known_the_browsers_language_is_spoken() {
    in_world(|world| async move {
        let asked = |path: String, known: &'static str| {
            let world = Arc::clone(&world);
            async move {
                let request = Request::builder()
                    .uri(path)
                    .header(header::ACCEPT_LANGUAGE, known)
                    .extension(Peer("198.51.100.3".parse().unwrap()))
                    .body(Body::empty())
                    .unwrap();
                let response = world.router.clone().oneshot(request).await.unwrap();
                response.headers()[header::CONTENT_LANGUAGE].clone()
            }
        };
        assert_eq!(asked(path(0), "en-US,en;q=0.9").await, "en");
        assert_eq!(asked(path(0), "en-US,zh;q=0.9").await, "zh");
        assert_eq!(asked(format!("{}?lang=zh", path(0)), "en").await, "zh", "what is asked for");
        assert_eq!(asked(path(7), "en").await, "zh", "its recipient's");
    });
}

#[test]
fn every_answer_is_a_page_that_is_kept_nowhere_and_tells_nobody_where_it_came_from() {
    in_world(|world| async move {
        let mut known = BTreeSet::new();
        for (path, status) in [
            (path(7), 200),
            (path(0), 404),
            ("/i/short".to_owned(), 404),
            ("/i/UUUUUUUUUUUUU".to_owned(), 404),
            (path(99), 503),
        ] {
            let page = world.show(&path).await;
            assert_eq!(page.status, status, "{path}");
            let headers: Vec<_> = page
                .headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            let headers = headers.join("\n").replace(crate::page::POLICY, "POLICY");
            let headers: Vec<_> =
                headers.lines().filter(|line| !line.starts_with("content-length")).collect();
            known.insert(headers.join("\n"));
            assert!(page.html.starts_with("<!DOCTYPE html>"), "{path}");
        }
        let known: Vec<_> = known.into_iter().collect();
        expect![[r#"
            content-type: text/html; charset=utf-8
            content-language: zh
            content-security-policy: POLICY
            referrer-policy: no-referrer
            x-content-type-options: nosniff
            x-frame-options: DENY
            x-robots-tag: noindex, nofollow
            cross-origin-opener-policy: same-origin
            cross-origin-resource-policy: same-origin
            cache-control: no-store"#]]
        .assert_eq(&known.join("\n\n"));
        // The same page for a token that was never given and for what can be none.
        let unknown = world.show(&path(0)).await.html;
        assert_eq!(world.show("/i/short").await.html, unknown);
    });
}

#[test]
fn a_click_leads_back_to_the_page_or_says_why_it_did_not_count() {
    in_world(|world| async move {
        let click = |token: u64| {
            let (world, path) = (Arc::clone(&world), path(token));
            async move { world.page(&Method::POST, &path, "version=2", "198.51.100.2").await }
        };
        let done = click(1).await;
        assert_eq!(
            (done.status, &done.headers[header::LOCATION]),
            (303, &LinkToken(1).to_string().parse().unwrap())
        );
        for (token, status, said) in [
            (0, 404, "链接无效"),
            (2, 409, "已有人先确认"),
            (3, 409, "请看过后再确认"),
            (4, 409, "已关闭"),
            (5, 403, "不能确认"),
            (6, 202, "正在登记"),
            (7, 503, "暂时无法显示"),
        ] {
            let page = click(token).await;
            assert_eq!(page.status, status, "{token}");
            assert!(page.html.contains(said), "{token}: {}", page.html);
        }
        let english = format!("{}?lang=en", path(1));
        let done = world.page(&Method::POST, &english, "version=2", "198.51.100.2").await;
        assert_eq!(
            done.headers[header::LOCATION].to_str().unwrap(),
            format!("{}?lang=en", LinkToken(1))
        );
        for form in ["", "version=", "version=x", "version=2&version=3", "v=2", "version=-1"] {
            let page = world.page(&Method::POST, &path(1), form, "198.51.100.2").await;
            assert_eq!(page.status, 400, "{form}");
        }
        let large = format!("version={}", "0".repeat(64));
        let page = world.page(&Method::POST, &path(1), &large, "198.51.100.2").await;
        assert_eq!(page.status, 413);
    });
}

#[test]
fn a_preview_takes_nothing_on() {
    in_world(|world| async move {
        // A click on this one would answer with 503.
        for method in [Method::GET, Method::HEAD] {
            let page = world.page(&method, &path(7), "version=2", "198.51.100.3").await;
            assert_eq!((page.status, page.html.is_empty()), (200, method == Method::HEAD));
        }
        for method in [Method::PUT, Method::DELETE, Method::PATCH] {
            let page = world.page(&method, &path(7), "version=2", "198.51.100.3").await;
            assert_eq!(page.status, 405, "{method}");
        }
    });
}

#[test]
fn who_guesses_is_refused_like_anybody_who_asks_too_often() {
    in_world(|world| async move {
        let mut answered = 0;
        loop {
            let page = world.show(&path(0)).await;
            if page.status == 429 {
                assert_eq!(page.headers[header::RETRY_AFTER], "60");
                assert!(page.html.contains("访问过于频繁"), "{}", page.html);
                break;
            }
            answered += 1;
            assert!(answered < 1_000, "without a bound");
        }
        assert!((30..40).contains(&answered), "{answered}");
        // Whoever has a link is not concerned, there or elsewhere.
        assert_eq!(world.show(&path(7)).await.status, 200);
        let other = world.page(&Method::GET, &path(7), "", "198.51.100.9").await;
        assert_eq!(other.status, 200);
    });
}

#[test]
fn no_token_stands_in_a_label() {
    in_world(|world| async move {
        world.show(&path(7)).await;
        let text =
            prometheus::TextEncoder::new().encode_to_string(&world.counted.gather()).unwrap();
        assert!(text.contains(r#"route="/i/{token}""#), "{text}");
        assert!(!text.contains(&LinkToken(7).to_string()), "{text}");
    });
}

#[test]
fn clicks_of_which_only_half_comes_keep_nobody_out() {
    in_world(|world| async move {
        let half_sent = |from: String| {
            let request = Request::builder()
                .method(Method::POST)
                .uri(path(0))
                .extension(Peer(from.parse().unwrap()))
                .body(Body::new(HalfSent))
                .unwrap();
            let router = world.router.clone();
            async move { router.oneshot(request).await.unwrap().status().as_u16() }
        };
        // Of one visitor few are waited for, and the others are told so at once.
        let mut alone = JoinSet::new();
        for _ in 0..20 {
            alone.spawn(half_sent("203.0.113.9".to_owned()));
        }
        // Of many together more than there are places for calls.
        let mut many = JoinSet::new();
        for n in 0..400 {
            many.spawn(half_sent(format!("10.0.{}.{}", n / 200, n % 200)));
        }
        let other = world.page(&Method::GET, &path(7), "", "198.51.100.9").await;
        assert_eq!(other.status, 200);
        let click = world.page(&Method::POST, &path(1), "version=2", "198.51.100.9").await;
        assert_eq!(click.status, 303);
        let viewer = world.token(Role::Viewer);
        let api = world.ask(&Method::GET, "/api/v1/stations", Some(viewer), "").await;
        assert_eq!(api.status, 200);
        let mut statuses = BTreeMap::new();
        for status in alone.join_all().await {
            *statuses.entry(status).or_insert(0) += 1;
        }
        assert_eq!(statuses, [(408, 8), (429, 12)].into());
        assert!(many.join_all().await.iter().all(|status| *status == 408));
    });
}

#[test]
fn who_guesses_from_a_block_of_addresses_locks_out_nobody_who_has_a_link() {
    in_world(|world| async move {
        for number in 0..6_000_u32 {
            let from = format!("2001:db8:{:x}:{:x}::1", number / 2_000, number % 2_000);
            world.page(&Method::GET, &path(0), "", &from).await;
        }
        for from in ["198.51.100.9", "2001:db8:99::1"] {
            assert_eq!(world.page(&Method::GET, &path(7), "", from).await.status, 200, "{from}");
        }
    });
}

#[test]
fn whatever_stands_below_a_link_is_guarded_like_it() {
    in_world(|world| async move {
        let known = world.show(&path(7)).await.headers;
        for (method, path, status) in [
            (Method::PUT, path(7), 405),
            (Method::GET, format!("{}/", path(7)), 404),
            (Method::GET, format!("{}/x/y", path(7)), 404),
            (Method::GET, "/i/".to_owned(), 404),
            (Method::GET, "/i".to_owned(), 404),
            (Method::GET, path(7).replace("/i/", "/I/"), 200),
            (Method::GET, "/I/x/y".to_owned(), 404),
            (Method::GET, "/I".to_owned(), 404),
        ] {
            let page = world.page(&method, &path, "", "198.51.100.3").await;
            assert_eq!(page.status, status, "{method} {path}");
            assert!(page.html.starts_with("<!DOCTYPE html>"), "{method} {path}");
            for name in known.keys().filter(|name| *name != header::CONTENT_LENGTH) {
                assert_eq!(page.headers.get(name), known.get(name), "{method} {path} {name}");
            }
            assert_eq!(page.headers.contains_key(header::ALLOW), status == 405);
        }
    });
}
