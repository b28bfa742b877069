//! `/i/{token}`: the page behind the link in a message.
//!
//! The token in the address stands for a login. So nothing of it enters a log or a label, the page
//! sends no referrer, is kept nowhere and asked of nobody else. It is looked up, whoever asks: how often
//! is answered depends on the token where somebody has it, and on who asks where nobody has
//! ([`crate::visitor`]). So nobody guesses away what somebody holds, not even from the same address.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | bytes of a body, which is waited for as one of the API is (`shell::bodies`) | 64 | 413 |
//! | tokens that are looked up at the same time | 16 | more wait, as many as there are connections |

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    body::{Body, Bytes},
    extract::{FromRequestParts, Path, Request, State},
    http::{
        Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, header,
        request::Parts as HeadParts,
    },
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use model::{
    alarm::LinkToken,
    contact::Locale,
    fault::Chain,
    phrase::Phrase,
    port::{Acknowledged, AlertingError, LinkView, Links},
};
use tokio::sync::Semaphore;
use tracing::warn;

use super::{
    bodies::{Bodies, Unread},
    parts::Parts,
    stopwatch::Stopwatch,
};
use crate::{
    page::{POLICY, link, notice, spoken, tag},
    visitor::{Visitors, visitor},
};

/// Where the page stands.
pub(crate) const PATH: &str = "/i/{token}";
/// The same as a telephone writes it that begins with a capital.
pub(crate) const CAPITAL: &str = "/I/{token}";
/// Where nothing stands, of which the address may hold a token all the same.
pub(crate) const BELOW: [&str; 8] = [
    "/i",
    "/i/",
    "/i/{token}/",
    "/i/{token}/{*below}",
    "/I",
    "/I/",
    "/I/{token}/",
    "/I/{token}/{*below}",
];
/// The form is a version.
const MAX_BODY_BYTES: usize = 64;
/// Tokens that are looked up at the same time.
const LOOKUPS: usize = 16;

/// What these pages need.
#[derive(Debug)]
pub struct Pages {
    links: Option<Arc<dyn Links>>,
    visitors: Mutex<Visitors<u64>>,
    bodies: Bodies,
    lookups: Semaphore,
    since: Stopwatch,
}

impl Pages {
    /// Pages over what `links` knows, `None` in a server without alerting.
    pub fn new(links: Option<Arc<dyn Links>>) -> Self {
        let lookups = Semaphore::new(LOOKUPS);
        let (visitors, bodies) = (Mutex::default(), Bodies::default());
        Self { links, visitors, bodies, lookups, since: Stopwatch::start() }
    }

    fn visitors(&self) -> MutexGuard<'_, Visitors<u64>> {
        self.visitors.lock().unwrap_or_else(PoisonError::into_inner)
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
    language: Language,
}

/// In which language a request is to be answered.
#[derive(Debug, Clone, Copy)]
struct Language {
    /// None where none is asked for.
    asked: Option<Locale>,
    /// What is spoken where nobody is known who has one.
    spoken: Locale,
}

impl Language {
    fn of(head: &HeadParts) -> Self {
        let known = head.headers.get(header::ACCEPT_LANGUAGE);
        let known = known.and_then(|header| header.to_str().ok());
        Self { asked: language(head.uri.query()), spoken: spoken(known.unwrap_or_default()) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut HeadParts, state: &S) -> Result<Self, Infallible> {
        let visitor = whose(parts);
        let language = Language::of(parts);
        // What is no text is no token.
        let token = Path::<String>::from_request_parts(parts, state).await;
        let token = token.map_or_else(|_refused| String::new(), |Path(token)| token);
        Ok(Self { visitor, token, language })
    }
}

/// The address that a request comes from.
pub(super) fn whose(head: &HeadParts) -> IpAddr {
    named(&head.extensions, &head.headers)
}

/// The same of a whole one.
pub(super) fn whose_request(request: &Request) -> IpAddr {
    named(request.extensions(), request.headers())
}

fn named(extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
    let peer = extensions.get::<Peer>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(peer)| *peer);
    let forwarded = headers.get_all("x-forwarded-for").into_iter().next_back();
    visitor(peer, forwarded.map(HeaderValue::as_bytes))
}

/// Goes on with a request once its body is there.
pub(crate) async fn read_first(
    State(parts): State<Arc<Parts>>,
    request: Request,
    next: Next,
) -> Response {
    let (head, body) = request.into_parts();
    let language = Language::of(&head);
    let read = parts.pages.bodies.read(whose(&head), body, MAX_BODY_BYTES).await;
    let response = match read {
        Ok(bytes) => next.run(Request::from_parts(head, Body::from(bytes))).await,
        Err(unread) => {
            let (status, phrase) = refusal(unread);
            noticed(status, phrase, language)
        }
    };
    guarded(response)
}

fn refusal(unread: Unread) -> (StatusCode, Phrase) {
    let phrase = match unread {
        Unread::TooMany => Phrase::TooOften,
        Unread::TooSlow | Unread::TooLong | Unread::Broken => Phrase::NotUnderstood,
    };
    (unread.status(), phrase)
}

/// A request that is to be answered.
struct Asked<'p> {
    parts: &'p Parts,
    links: &'p dyn Links,
    visitor: IpAddr,
    token: LinkToken,
    language: Language,
}

/// Shows the alarm.
pub(crate) async fn show(State(parts): State<Arc<Parts>>, visit: Visit) -> Response {
    match asked(&parts, &visit) {
        Ok(asked) => match asked.looked_up().await {
            Ok(view) => asked.page(&view, StatusCode::OK, None),
            Err(response) => response,
        },
        Err((status, phrase)) => noticed(status, phrase, visit.language),
    }
}

/// Takes the alarm on, and leads back to the page, so that loading it again does nothing again.
pub(crate) async fn acknowledge(
    State(parts): State<Arc<Parts>>,
    visit: Visit,
    form: Bytes,
) -> Response {
    match (asked(&parts, &visit), version(&form)) {
        (Ok(asked), Some(seen)) => asked.acknowledged(seen).await,
        (Ok(_), None) => noticed(StatusCode::BAD_REQUEST, Phrase::NotUnderstood, visit.language),
        (Err((status, phrase)), _) => noticed(status, phrase, visit.language),
    }
}

/// What else is asked of a page.
pub(crate) async fn no_method(visit: Visit) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = noticed(status, Phrase::NotUnderstood, visit.language);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,HEAD,POST"));
    response
}

/// What is asked for where no page is.
pub(crate) async fn nothing(visit: Visit) -> Response {
    noticed(StatusCode::NOT_FOUND, Phrase::LinkUnknown, visit.language)
}

/// What is to be looked up. What can be no token is a guess like any other.
fn asked<'p>(parts: &'p Parts, visit: &Visit) -> Result<Asked<'p>, (StatusCode, Phrase)> {
    let token = visit.token.parse();
    let token = token.map_err(|_no_token| guessed(&parts.pages, visit.visitor))?;
    let links = parts.pages.links.as_deref();
    let links = links.ok_or((StatusCode::SERVICE_UNAVAILABLE, Phrase::NotNow))?;
    Ok(Asked { parts, links, visitor: visit.visitor, token, language: visit.language })
}

/// What a token that nobody knows is answered with.
fn guessed(pages: &Pages, visitor: IpAddr) -> (StatusCode, Phrase) {
    if pages.visitors().guess(visitor, pages.since.ms()) {
        (StatusCode::NOT_FOUND, Phrase::LinkUnknown)
    } else {
        (StatusCode::TOO_MANY_REQUESTS, Phrase::TooOften)
    }
}

impl Asked<'_> {
    /// What whoever has the link sees, which is charged; or how it is answered otherwise.
    async fn looked_up(&self) -> Result<LinkView, Response> {
        let view = self.view().await?;
        let pages = &self.parts.pages;
        if pages.visitors().show(self.token.0, pages.since.ms()) {
            Ok(view)
        } else {
            Err(noticed(StatusCode::TOO_MANY_REQUESTS, Phrase::TooOften, self.language))
        }
    }

    async fn view(&self) -> Result<LinkView, Response> {
        // never closed, so each comes to its turn
        let turn = self.parts.pages.lookups.acquire().await;
        let view = self.links.view(self.token).await;
        drop(turn);
        let view = view.map_err(|failure| failed(&failure, self.language))?;
        view.ok_or_else(|| {
            let (status, phrase) = guessed(&self.parts.pages, self.visitor);
            noticed(status, phrase, self.language)
        })
    }

    fn page(&self, view: &LinkView, status: StatusCode, said: Option<Phrase>) -> Response {
        let locale = self.language.asked.unwrap_or(view.locale);
        let html = link::html(view, said, locale, self.parts.clock.now());
        in_language(locale, (status, Html(html)).into_response())
    }

    async fn acknowledged(&self, seen: u32) -> Response {
        if let Err(response) = self.looked_up().await {
            return response;
        }
        let turn = self.parts.pages.lookups.acquire().await;
        let done = self.links.acknowledge(self.token, seen).await;
        drop(turn);
        let done = match done {
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
        match self.view().await {
            Ok(view) => self.page(&view, status, link::said_of(done)),
            Err(response) => response,
        }
    }
}

/// To the page; the address is relative, since a proxy may have put it below another one.
fn back(token: LinkToken, language: Language) -> Response {
    let language =
        language.asked.map_or_else(String::new, |locale| format!("?lang={}", tag(locale)));
    let address = HeaderValue::from_str(&format!("{token}{language}"));
    match address {
        Ok(address) => (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response(),
        Err(_unprintable) => StatusCode::NO_CONTENT.into_response(), // not reached: all of it is ASCII
    }
}

fn failed(failure: &AlertingError, language: Language) -> Response {
    warn!(error = %Chain(failure), "page behind a link cannot be shown");
    noticed(StatusCode::SERVICE_UNAVAILABLE, Phrase::NotNow, language)
}

fn noticed(status: StatusCode, phrase: Phrase, language: Language) -> Response {
    let locale = language.asked.unwrap_or(language.spoken);
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
