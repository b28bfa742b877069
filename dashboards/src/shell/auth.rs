//! Lets a call through by its token, or answers it with what is missing.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{answer::store_problem, parts::Parts};
use crate::{
    access::{self, Caller, Denied, Rule},
    problem::Problem,
};

/// What a route is guarded with: its rule, and the store that knows the tokens.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub(crate) rule: Rule,
    pub(crate) parts: Arc<Parts>,
}

/// Goes on with the [`Caller`] in the request's extensions, or answers 401 or 403.
pub(crate) async fn guard(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    if guard.rule == Rule::Public {
        return next.run(request).await;
    }
    let header = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let token = access::bearer(header).map(str::to_owned);
    match caller(&guard, token).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn caller(guard: &Guard, token: Result<String, Denied>) -> Result<Caller, Problem> {
    let token = token.map_err(Problem::denied)?;
    let known = guard.parts.journal.read(move |reader| reader.verify_token(&token)).await;
    let row = known
        .map_err(|failure| store_problem(&failure))?
        .ok_or_else(|| Problem::denied(Denied::Unknown))?;
    access::admit(guard.rule, &row.name, &row.role).map_err(Problem::denied)
}
