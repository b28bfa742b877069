//! Every error as RFC 9457 has it: `application/problem+json`.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::{Denied, Rule},
    password::WeakPassword,
};

/// What an unknown address is told: where the known ones stand.
const NO_CALL: &str = "no call has this address; /api/v1/openapi.json describes every call";
/// The media type of every error.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a call was not answered as asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// What sort of problem this is: `urn:baseflow:problem:` and a word that never changes.
    #[serde(rename = "type")]
    #[schema(example = "urn:baseflow:problem:bad-parameter")]
    pub kind: String,
    /// The sort in words.
    pub title: String,
    /// The HTTP status.
    #[schema(example = 400)]
    pub status: u16,
    /// What happened here, and what to do about it.
    pub detail: String,
    /// Everything that is wrong with the parameters; missing where they are not the matter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// In how many seconds to try again, as the header `Retry-After` says.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

/// What is wrong with one parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// Its name.
    pub key: String,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

impl Problem {
    fn new(status: u16, word: &str, title: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:baseflow:problem:{word}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            faults: Vec::new(),
            retry_after: None,
        }
    }

    /// 400: parameters that cannot be read, all of them at once.
    pub fn bad_parameters(faults: Vec<Fault>) -> Self {
        let lines: Vec<_> =
            faults.iter().map(|fault| format!("{}: {}", fault.key, fault.problem)).collect();
        let detail = lines.join("; ");
        Self { faults, ..Self::new(400, "bad-parameter", "A parameter cannot be read", detail) }
    }

    /// 400: a body that the call cannot take.
    pub fn bad_body(detail: impl Into<String>) -> Self {
        Self::new(400, "bad-body", "The body cannot be read", detail)
    }

    /// 401 or 403: the caller is not let in.
    pub fn denied(denied: Denied) -> Self {
        let unauthorized = |detail: &str| {
            Self::new(401, "unauthorized", "A valid token or session is needed", detail)
        };
        let forbidden = |detail: String| Self::new(403, "forbidden", "The role is too low", detail);
        let foreign =
            |detail: &str| Self::new(403, "foreign-page", "Not asked by a page of ours", detail);
        match denied {
            Denied::Nobody => unauthorized(
                "log in, or send the header `Authorization: Bearer TOKEN`; `baseflow token add` makes a token",
            ),
            Denied::SessionOver => unauthorized("the session is over; log in again"),
            Denied::NoProof => foreign(
                "a call that writes by a session shows the header x-csrf-token, which GET /session tells",
            ),
            Denied::OtherPage => foreign("the browser says that another site asks"),
            Denied::NotBearer => {
                unauthorized("the Authorization header is not of the form `Bearer TOKEN`")
            }
            Denied::Unknown => unauthorized("the token is unknown or revoked"),
            Denied::TooLow(least) => {
                forbidden(format!("this call needs the role {least} or a higher one"))
            }
            Denied::MustChange => Self::new(
                403,
                "password-to-change",
                "The password has to be changed first",
                "somebody else knows the password; set another one by POST /session/password",
            ),
            Denied::UnknownRole => {
                forbidden("the role is of another version of this server".to_owned())
            }
        }
    }

    /// 404: something that the address names does not exist.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, "not-found", "There is no such thing", detail)
    }

    /// 409: another decision came first, or the state does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(409, "conflict", "The state does not allow it", detail)
    }

    /// 503: it may succeed later.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let problem = Self::new(503, "unavailable", "Not possible at the moment", detail);
        Self { retry_after: Some(5), ..problem }
    }

    /// 500: our own fault; the log has the cause.
    pub fn internal() -> Self {
        let detail = "the server failed to answer; its log has the cause";
        Self::new(500, "internal", "The server failed", detail)
    }

    /// 401: a name and a password that do not belong together, whichever of them is wrong.
    pub fn wrong_password() -> Self {
        Self::new(
            401,
            "unauthorized",
            "A valid token or session is needed",
            "the name or the password is wrong",
        )
    }

    /// 422: a password that is not good enough; its sort says why.
    pub fn weak_password(weak: WeakPassword) -> Self {
        Self::new(422, weak.word(), "The new password is not good enough", weak.to_string())
    }

    /// 422: the password that somebody has.
    pub fn same_password() -> Self {
        let detail = "the new password is the one that it should replace";
        Self::new(422, "password-same", "The new password is not good enough", detail)
    }

    /// 422: somebody who is logged in shows a password that is not theirs. It is no 401, for the
    /// session is good.
    pub fn wrong_own_password() -> Self {
        let detail = "the password that is to be replaced is wrong";
        Self::new(422, "password-wrong", "The password is wrong", detail)
    }

    /// 429: no log-in for so many seconds.
    pub fn locked(seconds: u64) -> Self {
        let minutes = seconds.div_ceil(60);
        let detail = format!("too many wrong passwords; try again in {minutes} min");
        let problem = Self::new(429, "locked", "Log-ins are locked", detail);
        Self { retry_after: Some(seconds), ..problem }
    }

    /// 429: whoever asks has asked for more than one may; in so many seconds it may be otherwise.
    pub fn too_often(seconds: u64, detail: impl Into<String>) -> Self {
        let problem = Self::new(429, "too-often", "Too many requests", detail);
        Self { retry_after: Some(seconds), ..problem }
    }

    /// What stands for an error that a part of the web stack answered in its own words.
    pub fn of_status(status: u16, detail: &str) -> Self {
        let (word, title, otherwise) = match status {
            400 => ("bad-request", "The request cannot be read", "the request is malformed"),
            404 => ("not-found", "There is no such thing", NO_CALL),
            405 => ("method-not-allowed", "The call has no such method", "see the header Allow"),
            408 => ("timeout", "The request came too slowly", "send it at once"),
            413 => ("too-large", "The body is too large", "a body has at most 4 KiB"),
            414 => ("uri-too-long", "The address is too long", "shorten it"),
            415 => ("media-type", "The body is of another type", "send application/json"),
            429 => return Self::too_often(5, if detail.is_empty() { "try again" } else { detail }),
            503 => ("unavailable", "Not possible at the moment", "try again later"),
            500.. => ("internal", "The server failed", "its log has the cause"),
            _ => ("refused", "The request is refused", "it cannot be answered"),
        };
        Self::new(status, word, title, if detail.is_empty() { otherwise } else { detail })
    }

    /// What `WWW-Authenticate` says beside it, if it asks for a token.
    pub fn challenge(&self) -> Option<&'static str> {
        (self.status == 401).then_some("Bearer realm=\"baseflow\"")
    }

    /// As JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// What a route's rule means, for the description of the API.
pub fn in_words(rule: Rule) -> String {
    match rule {
        Rule::Public => "Needs neither a token nor a session.".to_owned(),
        Rule::AtLeast(role) => format!("Needs the role `{role}` or a higher one."),
        Rule::Unchanged(role) => format!(
            "Needs the role `{role}` or a higher one; answers also somebody who has to change their password first."
        ),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::access::Role;

    #[test]
    fn a_problem_lists_every_fault() {
        let fault =
            |key: &str, problem: &str| Fault { key: key.to_owned(), problem: problem.to_owned() };
        let problem =
            Problem::bad_parameters(vec![fault("from", "is late"), fault("limit", "is 0")]);
        expect![[r#"{"type":"urn:baseflow:problem:bad-parameter","title":"A parameter cannot be read","status":400,"detail":"from: is late; limit: is 0","faults":[{"key":"from","problem":"is late"},{"key":"limit","problem":"is 0"}]}"#]]
            .assert_eq(&String::from_utf8(problem.to_json()).unwrap());
    }

    #[test]
    fn an_unknown_address_is_told_where_the_known_ones_stand() {
        let problem = Problem::of_status(404, "");
        assert!(problem.detail.contains(crate::shell::routes::OPENAPI_PATH), "{}", problem.detail);
    }

    #[test]
    fn only_a_missing_token_is_asked_for() {
        assert!(Problem::denied(Denied::Nobody).challenge().is_some());
        assert!(Problem::denied(Denied::Unknown).challenge().is_some());
        assert_eq!(Problem::denied(Denied::TooLow(Role::Admin)).challenge(), None);
        assert_eq!(Problem::denied(Denied::TooLow(Role::Admin)).status, 403);
    }
}
