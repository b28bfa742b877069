//! Lets a call through by its token or its session, or answers it with what is missing.

use std::{fmt, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use model::fault::Chain;
use store::{SeeSession, SessionText, TokenText};
use tracing::warn;

use super::{answer::store_problem, calls, parts::Parts};
use crate::{
    access::{self, Caller, Denied, LetInBy, Rule},
    problem::Problem,
    session::{self, Origins},
};

/// What shows beside a session that a page of ours asks.
pub(crate) const PROOF: HeaderName = HeaderName::from_static("x-csrf-token");
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a route is guarded with: its rule, and the store that knows the tokens.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub(crate) rule: Rule,
    pub(crate) parts: Arc<Parts>,
}

/// What somebody is let in by; it never enters a log.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    Token(String),
    Session(SessionText),
    Screen(TokenText),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[credential]")
    }
}

/// Goes on with the [`Caller`] and the [`Credential`] in the request's extensions, or answers 401
/// or 403.
pub(crate) async fn guard(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    if guard.rule == Rule::Public {
        return next.run(request).await;
    }
    let asks_who = request.method() == Method::GET && request.uri().path() == calls::session::PATH;
    match let_in(&guard, (request.method(), asks_who), request.headers()).await {
        Ok((caller, credential)) => {
            let extensions = request.extensions_mut();
            extensions.insert(caller);
            extensions.insert(credential);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// By what a request shows. A token goes before a session: whoever sends one means it. A screen on
/// which somebody was logged in for a while is a screen again once a page has asked who is there:
/// until then every call says that the session is over, so that no page shows the one for the other.
async fn let_in(
    guard: &Guard,
    (method, asks_who): (&Method, bool),
    headers: &HeaderMap,
) -> Result<(Caller, Credential), Problem> {
    let parts = &*guard.parts;
    let screen = || of_cookies(headers, |cookies| parts.people.cookie.read_screen(cookies));
    let mut shown = shown(parts, method, headers);
    if shown == Err(Denied::Nobody)
        && let Some(screen) = screen()
    {
        shown = Ok(Credential::Screen(screen));
    }
    let credential = shown.map_err(Problem::denied)?;
    match credential.caller(parts, guard.rule).await {
        Ok(caller) => Ok((caller, credential)),
        Err(problem) => {
            let is_over = matches!(credential, Credential::Session(_)) && problem.status == 401;
            let screen = screen().filter(|_| is_over && asks_who);
            let Some(screen) = screen else { return Err(problem) };
            let credential = Credential::Screen(screen);
            Ok((credential.caller(parts, guard.rule).await?, credential))
        }
    }
}

/// What some cookie has. A proxy may have made several headers of one.
pub(crate) fn of_cookies<T>(headers: &HeaderMap, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let cookies = headers.get_all(header::COOKIE).iter();
    cookies.filter_map(|value| value.to_str().ok()).find_map(read)
}

fn shown(parts: &Parts, method: &Method, headers: &HeaderMap) -> Result<Credential, Denied> {
    if let Some(token) = headers.get(header::AUTHORIZATION) {
        return access::bearer(Some(token.as_bytes()))
            .map(|text| Credential::Token(text.to_owned()));
    }
    let session = of_cookies(headers, |cookies| parts.people.cookie.read(cookies));
    let session = session.ok_or(Denied::Nobody)?;
    if !matches!(*method, Method::GET | Method::HEAD) {
        is_asked_by_us(parts, headers)?;
        let proof = headers.get(PROOF).ok_or(Denied::NoProof)?;
        if !session::is_proof(&session, proof.as_bytes()) {
            return Err(Denied::NoProof);
        }
    }
    Ok(Credential::Session(session))
}

/// Whether the browser, if one asks, says that it asks for a page of ours.
pub(crate) fn is_asked_by_us(parts: &Parts, headers: &HeaderMap) -> Result<(), Denied> {
    let text = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    let origins =
        Origins { site: text(SITE), origin: text(header::ORIGIN), host: text(header::HOST) };
    if origins.are_ours(&parts.people.public_url) { Ok(()) } else { Err(Denied::OtherPage) }
}

impl Credential {
    /// Whoever is let in by it where `rule` is asked for, as of this moment.
    pub(crate) async fn caller(&self, parts: &Parts, rule: Rule) -> Result<Caller, Problem> {
        match self {
            Self::Token(text) => by_token(parts, rule, LetInBy::Token, text).await,
            Self::Screen(text) => by_token(parts, rule, LetInBy::Screen, text.as_str()).await,
            Self::Session(text) => by_session(parts, rule, text).await,
        }
    }
}

async fn by_token(
    parts: &Parts,
    rule: Rule,
    sent_by: LetInBy,
    text: &str,
) -> Result<Caller, Problem> {
    let text = text.to_owned();
    let known = parts.journal.read(move |reader| reader.verify_token(&text)).await;
    let row = known.map_err(|failure| store_problem(&failure))?;
    let row = row.ok_or_else(|| Problem::denied(Denied::Unknown))?;
    let caller = access::caller(sent_by, &row.name, &row.role);
    caller.and_then(|caller| access::admit(rule, caller)).map_err(Problem::denied)
}

async fn by_session(parts: &Parts, rule: Rule, text: &SessionText) -> Result<Caller, Problem> {
    let session = text.clone();
    let known = parts.journal.read(move |reader| reader.session(&session)).await;
    let over = || Problem::denied(Denied::SessionOver);
    let row = known.map_err(|failure| store_problem(&failure))?.ok_or_else(over)?;
    let caller = access::caller(LetInBy::Session, &row.name, &row.role);
    let caller = caller.map_err(Problem::denied)?;
    let caller = Caller { must_change: row.must_change, ..caller };
    let now = parts.clock.now();
    if session::is_over(&row, caller.role, now) {
        return Err(over());
    }
    if session::is_to_be_noted(&row, now) {
        let see = SeeSession { at: now, session: text.clone() };
        // where it cannot be noted, the session ends sooner: no reason to refuse this call
        if let Err(failure) = parts.journal.write(see).await {
            warn!(error = %Chain(&failure), "cannot note that a session is used");
        }
    }
    access::admit(rule, caller).map_err(Problem::denied)
}
