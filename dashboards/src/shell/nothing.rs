//! The body of a call that takes none, read to its end and refused if there is something in it.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};

use crate::problem::Problem;

/// Nothing, or an empty JSON object.
#[derive(Debug)]
pub(crate) struct Nothing;

impl<S: Send + Sync> FromRequest<S> for Nothing {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(IntoResponse::into_response)?;
        check(&body).map_err(IntoResponse::into_response)
    }
}

fn check(body: &[u8]) -> Result<Nothing, Problem> {
    if body.trim_ascii().is_empty() {
        return Ok(Nothing);
    }
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body) {
        Ok(object) if object.is_empty() => Ok(Nothing),
        Ok(object) => {
            let keys: Vec<_> = object.keys().take(8).map(String::as_str).collect();
            let keys = keys.join(", ");
            Err(Problem::bad_body(format!("unknown keys: {keys}; this call takes none")))
        }
        Err(problem) => Err(Problem::bad_body(format!("not a JSON object: {problem}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nothing_is_taken() {
        for nothing in ["", " \n", "{}", " { } "] {
            assert!(check(nothing.as_bytes()).is_ok(), "{nothing:?}");
        }
        for something in ["{", "[]", "null", r#"{"reason":"x"}"#, "reason=x", "\u{fffd}"] {
            assert_eq!(check(something.as_bytes()).unwrap_err().status, 400, "{something:?}");
        }
    }
}
