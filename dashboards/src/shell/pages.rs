//! `/i/{token}`: the page behind the link in a message.
//!
//! The token in the address stands for a login. So nothing of it enters a log or a label, the page
//! sends no referrer, is kept nowhere and asked of nobody else, and whoever guesses is bounded with
//! everybody ([`crate::visitor`]) and is answered as whoever knows, only with another page.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::Bytes,
    extract::{FromRequestParts, Path, State},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts as HeadParts},
    response::{Html, IntoResponse, Response},
};
use model::{
    alarm::LinkToken,
    contact::Locale,
    fault::Chain,
    phrase::Phrase,
    port::{Acknowledged, AlertingError, Links},
};
use tokio::time::Instant;
use tracing::warn;

use super::parts::Parts;
use crate::{
    page::{POLICY, link, notice, tag},
    visitor::{Visitors, visitor},
};

/// Where the page stands.
pub(crate) const PATH: &str = "/i/{token}";

/// What these pages need.
#[derive(Debug)]
pub struct Pages {
    links: Option<Arc<dyn Links>>,
    visitors: Mutex<Visitors>,
    begun: Instant,
}

impl Pages {
    /// Pages over what `links` knows, `None` in a server without alerting.
    pub fn new(links: Option<Arc<dyn Links>>) -> Self {
        Self { links, visitors: Mutex::default(), begun: Instant::now() }
    }

    fn has_room_for(&self, visitor: IpAddr) -> bool {
        let now_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.visitors.lock().unwrap_or_else(PoisonError::into_inner).take(visitor, now_ms)
    }
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What every request for a page says.
#[derive(Debug)]
pub(crate) struct Visit {
    visitor: IpAddr,
    /// As it was written.
    token: String,
    /// None where none is asked for.
    language: Option<Locale>,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut HeadParts, state: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<Peer>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(peer)| *peer);
        let forwarded = parts.headers.get_all("x-forwarded-for").into_iter().next_back();
        let visitor = visitor(peer, forwarded.map(HeaderValue::as_bytes));
        let language = language(parts.uri.query());
        // What is no text is no token.
        let token = Path::<String>::from_request_parts(parts, state).await;
        let token = token.map_or_else(|_refused| String::new(), |Path(token)| token);
        Ok(Self { visitor, token, language })
    }
}

/// A request that is to be answered.
struct Asked<'p> {
    parts: &'p Parts,
    links: &'p dyn Links,
    token: LinkToken,
    language: Option<Locale>,
}

/// Shows the alarm.
pub(crate) async fn show(State(parts): State<Arc<Parts>>, visit: Visit) -> Response {
    let response = match asked(&parts, &visit) {
        Ok(asked) => asked.shown(StatusCode::OK, None).await,
        Err((status, phrase)) => noticed(status, phrase, visit.language),
    };
    guarded(response)
}

/// Takes the alarm on, and leads back to the page, so that loading it again does nothing again.
pub(crate) async fn acknowledge(
    State(parts): State<Arc<Parts>>,
    visit: Visit,
    form: Bytes,
) -> Response {
    let response = match (asked(&parts, &visit), version(&form)) {
        (Ok(asked), Some(seen)) => asked.acknowledged(seen).await,
        (Ok(_), None) => noticed(StatusCode::BAD_REQUEST, Phrase::NotUnderstood, visit.language),
        (Err((status, phrase)), _) => noticed(status, phrase, visit.language),
    };
    guarded(response)
}

/// Whether it is to be answered at all. A token that can be none costs what any other does.
fn asked<'p>(parts: &'p Parts, visit: &Visit) -> Result<Asked<'p>, (StatusCode, Phrase)> {
    if !parts.pages.has_room_for(visit.visitor) {
        return Err((StatusCode::TOO_MANY_REQUESTS, Phrase::TooOften));
    }
    let token = visit.token.parse();
    let token = token.map_err(|_no_token| (StatusCode::NOT_FOUND, Phrase::LinkUnknown))?;
    let links = parts.pages.links.as_deref();
    let links = links.ok_or((StatusCode::SERVICE_UNAVAILABLE, Phrase::NotNow))?;
    Ok(Asked { parts, links, token, language: visit.language })
}

impl Asked<'_> {
    async fn shown(&self, status: StatusCode, said: Option<Phrase>) -> Response {
        match self.links.view(self.token).await {
            Ok(Some(view)) => {
                let locale = self.language.unwrap_or(view.locale);
                let html = link::html(&view, said, locale, self.parts.clock.now());
                in_language(locale, (status, Html(html)).into_response())
            }
            Ok(None) => noticed(StatusCode::NOT_FOUND, Phrase::LinkUnknown, self.language),
            Err(failure) => failed(&failure, self.language),
        }
    }

    async fn acknowledged(&self, seen: u32) -> Response {
        let done = match self.links.acknowledge(self.token, seen).await {
            Ok(done) => done,
            Err(failure) => return failed(&failure, self.language),
        };
        let status = match done {
            Acknowledged::Done => return back(self.token, self.language),
            Acknowledged::Elsewhere | Acknowledged::Changed | Acknowledged::Over => {
                StatusCode::CONFLICT
            }
            Acknowledged::TooLate => StatusCode::FORBIDDEN,
            Acknowledged::Kept => StatusCode::ACCEPTED,
            Acknowledged::Unknown => StatusCode::NOT_FOUND,
        };
        self.shown(status, link::said_of(done)).await
    }
}

/// To the page; the address is relative, since a proxy may have put it below another one.
fn back(token: LinkToken, language: Option<Locale>) -> Response {
    let language = language.map_or_else(String::new, |locale| format!("?lang={}", tag(locale)));
    let address = HeaderValue::from_str(&format!("{token}{language}"));
    match address {
        Ok(address) => (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response(),
        Err(_unprintable) => StatusCode::NO_CONTENT.into_response(), // not reached: all of it is ASCII
    }
}

fn failed(failure: &AlertingError, language: Option<Locale>) -> Response {
    warn!(error = %Chain(failure), "page behind a link cannot be shown");
    noticed(StatusCode::SERVICE_UNAVAILABLE, Phrase::NotNow, language)
}

fn noticed(status: StatusCode, phrase: Phrase, language: Option<Locale>) -> Response {
    let locale = language.unwrap_or(Locale::Chinese);
    in_language(locale, (status, Html(notice::html(phrase, locale))).into_response())
}

fn in_language(locale: Locale, mut response: Response) -> Response {
    let language = HeaderValue::from_static(tag(locale));
    response.headers_mut().insert(header::CONTENT_LANGUAGE, language);
    response
}

/// With what keeps the token, and what stands behind it, among those whom it was sent to.
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    }
    response
}

/// `?lang=zh`, `?lang=en`; none where neither is asked for.
fn language(query: Option<&str>) -> Option<Locale> {
    let mut pairs = query?.split('&');
    let word = pairs.find_map(|pair| pair.strip_prefix("lang="))?;
    Locale::WORDS.iter().find(|(known, _)| *known == word).map(|(_, locale)| *locale)
}

/// The version in `version=7`, which is all that the page's form has.
fn version(form: &[u8]) -> Option<u32> {
    std::str::from_utf8(form).ok()?.trim().strip_prefix("version=")?.parse().ok()
}
