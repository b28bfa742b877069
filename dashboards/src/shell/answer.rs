//! How values and problems become HTTP answers.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::fault::{Chain, Fault};
use serde::Serialize;
use store::StoreError;
use tracing::{error, warn};

use crate::problem::{MEDIA_TYPE, Problem};

/// A value as `application/json`.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => {
                let media_type = HeaderValue::from_static("application/json");
                ([(header::CONTENT_TYPE, media_type)], bytes).into_response()
            }
            Err(failure) => {
                error!(error = %Chain(&failure), "cannot write an answer");
                Problem::internal().into_response()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json()));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What a caller is told where the store could not answer; the log is told why.
pub(crate) fn store_problem(failure: &StoreError) -> Problem {
    match failure.fault() {
        Fault::Transient => {
            warn!(error = %Chain(failure), "store cannot answer at the moment");
            Problem::unavailable("the store is busy or full; try again later")
        }
        Fault::Permanent | Fault::Bug => {
            error!(error = %Chain(failure), "store cannot answer");
            Problem::internal()
        }
    }
}
