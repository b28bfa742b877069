//! `/session`: somebody comes, is there, changes their password, and goes; a screen is opened.

use std::sync::Arc;

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::fault::Chain;
use store::{EndSession, SessionText, UserRow};
use tracing::error;

use crate::{
    access::{Caller, LetInBy, Role},
    problem::Problem,
    query::session::{ChangeBody, LogInBody, ScreenBody},
    session,
    shell::{
        answer::{Json, store_problem},
        auth::{Credential, is_asked_by_us, of_cookies},
        nothing::Nothing,
        own_password::change,
        parts::Parts,
        people::{Address, log_in},
        screens,
    },
    view::session::SessionView,
};

/// Where the calls stand.
pub(crate) const PATH: &str = "/api/v1/session";
/// Where somebody changes their password.
#[cfg(test)]
pub(crate) const PASSWORD_PATH: &str = "/api/v1/session/password";
/// Where a screen on a wall is opened.
#[cfg(test)]
pub(crate) const SCREEN_PATH: &str = "/api/v1/session/wall";

/// Logs somebody in. The cookie that is set opens every call for as long as the session lasts; a
/// call that writes shows `csrf` beside it, as the header `x-csrf-token`. A session that this browser
/// had before ends with it.
#[utoipa::path(
    post,
    path = "/api/v1/session",
    operation_id = "log_in",
    tag = "session",
    request_body(content = LogInBody),
    responses(
        (status = 200, description = "Logged in.", body = SessionView),
        (status = 401, description = "The name or the password is wrong."),
        (status = 403, description = "A page of another site asks."),
        (status = 415, description = "The body is not sent as application/json."),
        (status = 429, description = "Too many wrong passwords, or too many at once; Retry-After says how long to wait."),
    ),
)]
pub(crate) async fn begin(
    State(parts): State<Arc<Parts>>,
    from: Address,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    is_asked_by_us(&parts, &headers).map_err(Problem::denied)?;
    let LogInBody { name, password } = LogInBody::read(media_type(&headers), &body)?;
    let before = of_cookies(&headers, |cookies| parts.people.cookie.read(cookies));
    let begun = log_in(&parts, from, (name, password), before).await?;
    begun_answer(&parts, begun)
}

/// Sets another password, on the one that is known. Every session of the user ends, and this one
/// goes on under another cookie and another `csrf`.
#[utoipa::path(
    post,
    path = "/api/v1/session/password",
    operation_id = "change_password",
    tag = "session",
    request_body(content = ChangeBody),
    responses(
        (status = 200, description = "Changed.", body = SessionView),
        (status = 409, description = "It was changed elsewhere meanwhile, or a token asks, which has no password."),
        (status = 415, description = "The body is not sent as application/json."),
        (status = 422, description = "The password is wrong, or the new one is not good enough; `type` says why."),
        (status = 429, description = "Too many wrong passwords, or too many at once; Retry-After says how long to wait."),
    ),
)]
pub(crate) async fn change_password(
    State(parts): State<Arc<Parts>>,
    Extension(caller): Extension<Caller>,
    from: Address,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    if caller.let_in_by != LetInBy::Session {
        return Err(Problem::conflict("a token has no password"));
    }
    let said = ChangeBody::read(media_type(&headers), &body)?;
    let begun = change(&parts, from, caller, said).await?;
    begun_answer(&parts, begun)
}

/// Opens a screen on a wall by its link, once; whoever comes back with the same `key` within a day is
/// that screen. The cookie that is set lets it see how all stations
/// stand, until `baseflow token revoke`; the link opens nothing any more.
#[utoipa::path(
    post,
    path = "/api/v1/session/wall",
    operation_id = "open_screen",
    tag = "session",
    request_body(content = ScreenBody),
    responses(
        (status = 200, description = "Opened.", body = SessionView),
        (status = 403, description = "A page of another site asks."),
        (status = 404, description = "No such link, or another screen has opened it already, or it is revoked."),
        (status = 415, description = "The body is not sent as application/json."),
        (status = 429, description = "Too many links from here, or too many that nobody has."),
    ),
)]
pub(crate) async fn open_screen(
    State(parts): State<Arc<Parts>>,
    from: Address,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    is_asked_by_us(&parts, &headers).map_err(Problem::denied)?;
    let said = ScreenBody::read(media_type(&headers), &body)?;
    let (name, screen) = screens::open(&parts, from, &said.token, said.key()?).await?;
    let view = SessionView {
        name,
        role: Role::Wall.word().to_owned(),
        csrf: None,
        must_change_password: false,
    };
    with_cookie(&parts.people.cookie.set_screen(&screen), Json(view).into_response())
}

fn media_type(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes)
}

fn begun_answer(
    parts: &Parts,
    (session, user): (SessionText, UserRow),
) -> Result<Response, Problem> {
    let view = SessionView {
        name: user.name,
        role: user.role,
        csrf: Some(session::proof(&session)),
        must_change_password: user.must_change,
    };
    with_cookie(&parts.people.cookie.set(&session), Json(view).into_response())
}

/// Who is asking.
#[utoipa::path(
    get,
    path = "/api/v1/session",
    operation_id = "get_session",
    tag = "session",
    responses((status = 200, description = "Whoever has the session, or the token.", body = SessionView)),
)]
pub(crate) async fn one(
    State(parts): State<Arc<Parts>>,
    Extension(caller): Extension<Caller>,
    Extension(credential): Extension<Credential>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let csrf = match &credential {
        Credential::Session(session) => Some(session::proof(session)),
        Credential::Token(_) | Credential::Screen(_) => None,
    };
    let Caller { name, role, must_change, .. } = caller;
    let role = role.word().to_owned();
    let view = SessionView { name, role, csrf, must_change_password: must_change };
    let answer = Json(view).into_response();
    match credential {
        // a browser keeps it for so long from now on, and no session beside it that is over
        Credential::Screen(screen) => {
            let cookie = parts.people.cookie;
            let answer = with_cookie(&cookie.set_screen(&screen), answer)?;
            let was_somebody = of_cookies(&headers, |cookies| cookie.read(cookies)).is_some();
            if was_somebody { with_cookie(&cookie.unset(), answer) } else { Ok(answer) }
        }
        Credential::Session(_) | Credential::Token(_) => Ok(answer),
    }
}

/// Logs out.
#[utoipa::path(
    delete,
    path = "/api/v1/session",
    operation_id = "log_out",
    tag = "session",
    responses(
        (status = 204, description = "Logged out."),
        (status = 409, description = "A token has no session to end; `baseflow token revoke` ends a token."),
    ),
)]
pub(crate) async fn end(
    State(parts): State<Arc<Parts>>,
    Extension(credential): Extension<Credential>,
    _nothing: Nothing,
) -> Result<Response, Problem> {
    let Credential::Session(session) = credential else {
        return Err(Problem::conflict("a token has no session to end"));
    };
    let end = EndSession { at: parts.clock.now(), session };
    parts.journal.write(end).await.map_err(|failure| store_problem(&failure))?;
    with_cookie(&parts.people.cookie.unset(), StatusCode::NO_CONTENT.into_response())
}

fn with_cookie(cookie: &str, mut response: Response) -> Result<Response, Problem> {
    let cookie = HeaderValue::from_str(cookie).map_err(|failure| {
        error!(error = %Chain(&failure), "cannot write a cookie");
        Problem::internal()
    })?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}
