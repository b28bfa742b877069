//! The pages that browsers draw, as they were built into this binary.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};

use super::parts::Parts;
use crate::{
    asset::{self, ASKED_AGAIN, Asset, DOCUMENT, FOR_EVER, NOT_BUILT, POLICY},
    problem::Problem,
};

mod built {
    //! What `build.rs` found in `web/dist`, sorted by place; nothing where the pages are not built.
    use crate::asset::Asset;

    include!(concat!(env!("OUT_DIR"), "/pages.rs"));
}

/// Where the files stand beside the pages.
pub(crate) const FILES: &str = "/assets/{*path}";

/// The files of the pages.
#[derive(Debug, Clone, Copy)]
pub struct Site {
    files: &'static [Asset],
}

impl Site {
    /// What is built into this binary.
    pub const fn built_in() -> Self {
        Self { files: built::FILES }
    }

    /// These files.
    #[cfg(test)]
    pub(crate) const fn of(files: &'static [Asset]) -> Self {
        Self { files }
    }

    /// The file of this place.
    #[cfg(test)]
    pub(crate) fn file(self, path: &str) -> Option<&'static Asset> {
        asset::find(self.files, path)
    }

    /// Whether the pages were built before this binary was.
    pub fn is_built(self) -> bool {
        asset::find(self.files, DOCUMENT).is_some()
    }

    fn document(self, status: StatusCode, asked: &HeaderMap) -> Response {
        match asset::find(self.files, DOCUMENT) {
            Some(document) => answer(document, status, asked),
            None => (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response(),
        }
    }
}

/// The document of a page, which draws it by what its address says.
pub(crate) async fn page(State(parts): State<Arc<Parts>>, asked: HeaderMap) -> Response {
    parts.site.document(StatusCode::OK, &asked)
}

/// A file beside it. One that is not there is nothing, and never the document.
pub(crate) async fn file(
    State(parts): State<Arc<Parts>>,
    Path(path): Path<String>,
    asked: HeaderMap,
) -> Response {
    match asset::find(parts.site.files, &format!("assets/{path}")) {
        Some(found) => answer(found, StatusCode::OK, &asked),
        None => Problem::of_status(404, "").into_response(),
    }
}

/// What is answered where nothing stands: to who looks for a page, the page that says so.
pub(crate) async fn nothing(State(parts): State<Arc<Parts>>, request: Request) -> Response {
    let accepts = text(request.headers(), &header::ACCEPT);
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_read && parts.site.is_built() && asset::is_looked_for(request.uri().path(), accepts) {
        return guarded(parts.site.document(StatusCode::NOT_FOUND, request.headers()));
    }
    Problem::of_status(404, "").into_response()
}

/// With what a page may do.
pub(crate) async fn guard(request: Request, next: Next) -> Response {
    guarded(next.run(request).await)
}

fn guarded(mut response: Response) -> Response {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn answer(asset: &Asset, status: StatusCode, asked: &HeaderMap) -> Response {
    let (coding, bytes) = asset.sent(text(asked, &header::ACCEPT_ENCODING));
    let tag = asset.tag(coding);
    let is_known =
        status == StatusCode::OK && asset::is_known(text(asked, &header::IF_NONE_MATCH), &tag);
    let (status, body) = if is_known {
        (StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        (status, Body::from(Bytes::from_static(bytes)))
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let kept = if asset.is_for_ever() { FOR_EVER } else { ASKED_AGAIN };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    if !is_known {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
        if let Some(word) = coding.word() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(word));
        }
    }
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
