//! `POST /session`, `GET /session` and `DELETE /session`: somebody comes, is there, and goes.

use std::sync::Arc;

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::fault::Chain;
use store::EndSession;
use tracing::error;

use crate::{
    access::Caller,
    problem::Problem,
    query::session::LogInBody,
    session,
    shell::{
        answer::{Json, store_problem},
        auth::{Credential, is_asked_by_us},
        nothing::Nothing,
        parts::Parts,
        people::{Address, log_in},
    },
    view::session::SessionView,
};

/// Where the calls stand.
pub(crate) const PATH: &str = "/api/v1/session";

/// Logs somebody in. The cookie that is set opens every call for as long as the session lasts; a
/// call that writes shows `csrf` beside it, as the header `x-csrf-token`.
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
    let media_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let LogInBody { name, password } = LogInBody::read(media_type, &body)?;
    let (session, user) = log_in(&parts, from, name, password).await?;
    let view =
        SessionView { name: user.name, role: user.role, csrf: Some(session::proof(&session)) };
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
    Extension(caller): Extension<Caller>,
    Extension(credential): Extension<Credential>,
) -> Json<SessionView> {
    let csrf = match &credential {
        Credential::Session(session) => Some(session::proof(session)),
        Credential::Token(_) => None,
    };
    Json(SessionView { name: caller.name, role: caller.role.word().to_owned(), csrf })
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
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}
