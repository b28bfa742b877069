//! The pages' files as a browser gets them.

use super::*;
use crate::{
    asset::{Asset, DOCUMENT, PAGES},
    shell::site::Site,
};

static FILES: [Asset; 2] = [
    Asset {
        path: "assets/main-1.js",
        media_type: "text/javascript; charset=utf-8",
        digest: "aa",
        plain: b"plain",
        gzip: Some(b"gzip"),
        brotli: Some(b"brotli"),
    },
    Asset {
        path: DOCUMENT,
        media_type: "text/html; charset=utf-8",
        digest: "bb",
        plain: b"<!doctype html>",
        gzip: None,
        brotli: None,
    },
];

pub(crate) fn of_tests() -> Site {
    Site::of(&FILES)
}

const HTML: (&str, &str) = ("accept", "text/html,*/*;q=0.8");

async fn get(world: &World, path: &str, headers: &[(&str, &str)]) -> Said {
    world.ask_with(&Method::GET, path, headers, "").await
}

#[test]
fn every_page_is_the_document_under_a_policy_that_lets_nothing_in() {
    in_world(|world| async move {
        for path in PAGES.map(|path| path.replace("{id}", "S-1")) {
            let said = get(&world, &path, &[HTML]).await;
            assert_eq!((said.status, said.text.as_str()), (200, "<!doctype html>"), "{path}");
            let header = |name: &str| said.headers[name].to_str().unwrap();
            assert_eq!(header("cache-control"), "no-cache");
            assert_eq!(header("etag"), "\"bb-plain\"");
            let policy = header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(header("referrer-policy"), "same-origin");
            assert_eq!(header("x-frame-options"), "DENY");
            let again = get(&world, &path, &[HTML, ("if-none-match", "\"bb-plain\"")]).await;
            assert_eq!((again.status, again.text.as_str()), (304, ""), "{path}");
            assert_eq!(again.headers[header::ETAG], "\"bb-plain\"");
        }
    });
}

#[test]
fn a_file_is_kept_for_ever_and_one_that_is_missing_is_no_page() {
    in_world(|world| async move {
        let path = "/assets/main-1.js";
        for (accepts, coding, text) in
            [("br, gzip", "br", "brotli"), ("gzip", "gzip", "gzip"), ("identity", "", "plain")]
        {
            let said = get(&world, path, &[("accept-encoding", accepts)]).await;
            assert_eq!((said.status, said.text.as_str()), (200, text));
            assert_eq!(said.media_type, "text/javascript; charset=utf-8");
            let found = said.headers.get(header::CONTENT_ENCODING);
            assert_eq!(found.map_or("", |value| value.to_str().unwrap()), coding);
            assert_eq!(said.headers[header::VARY], "Accept-Encoding");
            let kept = said.headers[header::CACHE_CONTROL].to_str().unwrap();
            assert_eq!(kept, "public, max-age=31536000, immutable");
        }
        for missing in ["/assets/main-0.js", "/assets/../index.html", "/assets/index.html"] {
            let said = get(&world, missing, &[HTML]).await;
            assert_eq!((said.status, said.media_type.as_str()), (404, MEDIA_TYPE), "{missing}");
        }
    });
}

#[test]
fn an_address_of_nothing_is_a_page_for_who_looks_for_one() {
    in_world(|world| async move {
        let said = get(&world, "/nothing", &[HTML]).await;
        assert_eq!((said.status, said.text.as_str()), (404, "<!doctype html>"));
        assert!(said.headers.contains_key(header::CONTENT_SECURITY_POLICY));
        for (path, headers) in [("/nothing", vec![]), ("/api/v1/nothing", vec![HTML])] {
            let said = get(&world, path, &headers).await;
            assert_eq!((said.status, said.media_type.as_str()), (404, MEDIA_TYPE), "{path}");
        }
    });
}

#[test]
fn what_is_built_in_is_whole_or_nothing() {
    let site = Site::built_in();
    let document = site.file(DOCUMENT);
    assert_eq!(document.is_some(), site.is_built());
    let Some(document) = document else { return };
    let html = std::str::from_utf8(document.plain).unwrap();
    let mut named = html.split(['"', '\'']).filter(|text| text.starts_with("/assets/")).peekable();
    assert!(named.peek().is_some(), "{html}");
    for path in named {
        let file = site.file(path.trim_start_matches('/')).expect(path);
        assert!(!file.plain.is_empty() && file.digest.len() == 32, "{path}");
        for smaller in [file.gzip, file.brotli].into_iter().flatten() {
            assert!(smaller.len() < file.plain.len(), "{path}");
        }
    }
}
