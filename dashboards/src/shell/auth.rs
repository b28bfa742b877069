//! Lets a call through by its token or its session, or answers it with what is missing.

use std::{fmt, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use model::fault::Chain;
use store::{SeeSession, SessionText};
use tracing::warn;

use super::{answer::store_problem, parts::Parts};
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
#[derive(Clone)]
pub(crate) enum Credential {
    Token(String),
    Session(SessionText),
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
    let shown = shown(&guard.parts, request.method(), request.headers());
    match let_in(&guard, shown).await {
        Ok((caller, credential)) => {
            let extensions = request.extensions_mut();
            extensions.insert(caller);
            extensions.insert(credential);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn let_in(
    guard: &Guard,
    shown: Result<Credential, Denied>,
) -> Result<(Caller, Credential), Problem> {
    let credential = shown.map_err(Problem::denied)?;
    let caller = credential.caller(&guard.parts, guard.rule).await?;
    Ok((caller, credential))
}

/// What a request shows. A token goes before a session: whoever sends one means it.
fn shown(parts: &Parts, method: &Method, headers: &HeaderMap) -> Result<Credential, Denied> {
    if let Some(token) = headers.get(header::AUTHORIZATION) {
        return access::bearer(Some(token.as_bytes()))
            .map(|text| Credential::Token(text.to_owned()));
    }
    // a proxy may have made several headers of one
    let mut cookies =
        headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let session = cookies.find_map(|cookies| parts.people.cookie.read(cookies));
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
            Self::Token(text) => {
                let text = text.clone();
                let known = parts.journal.read(move |reader| reader.verify_token(&text)).await;
                let row = known
                    .map_err(|failure| store_problem(&failure))?
                    .ok_or_else(|| Problem::denied(Denied::Unknown))?;
                access::admit(rule, LetInBy::Token, &row.name, &row.role).map_err(Problem::denied)
            }
            Self::Session(text) => by_session(parts, rule, text).await,
        }
    }
}

async fn by_session(parts: &Parts, rule: Rule, text: &SessionText) -> Result<Caller, Problem> {
    let session = text.clone();
    let known = parts.journal.read(move |reader| reader.session(&session)).await;
    let over = || Problem::denied(Denied::SessionOver);
    let row = known.map_err(|failure| store_problem(&failure))?.ok_or_else(over)?;
    let viewer = access::admit(Rule::Public, LetInBy::Session, &row.name, &row.role);
    let caller = viewer.map_err(Problem::denied)?;
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
    access::admit(rule, LetInBy::Session, &row.name, &row.role).map_err(Problem::denied)
}
