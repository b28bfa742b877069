//! What somebody who logs in sends.

use std::fmt;

use serde::Deserialize;
use utoipa::ToSchema;

use crate::problem::Problem;

/// The longest body: a name and a password of 128 characters of four bytes, written as `\u` escapes.
pub const MAX_BYTES: usize = 4 << 10;

/// A name and a password.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LogIn)]
pub struct LogInBody {
    /// As `baseflow user add` wrote it; case makes no difference.
    #[schema(example = "zhang")]
    pub name: String,
    /// The password.
    #[schema(format = Password)]
    pub password: String,
}

impl fmt::Debug for LogInBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogInBody").field("name", &self.name).finish_non_exhaustive()
    }
}

impl LogInBody {
    /// What a body of this media type says. A form of another site can send none of ours.
    pub fn read(media_type: Option<&[u8]>, body: &[u8]) -> Result<Self, Problem> {
        let media_type = media_type.unwrap_or_default().split(|byte| *byte == b';').next();
        if !media_type.unwrap_or_default().trim_ascii().eq_ignore_ascii_case(b"application/json") {
            return Err(Problem::of_status(415, ""));
        }
        // what serde says would repeat the password
        serde_json::from_slice(body).map_err(|_unreadable| {
            Problem::bad_body(r#"write {"name": "…", "password": "…"} and nothing else"#)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_is_a_name_and_a_password_as_json() {
        let read = |media_type: &str, body: &str| {
            let read = LogInBody::read(Some(media_type.as_bytes()), body.as_bytes());
            read.map(|said| (said.name, said.password)).map_err(|problem| problem.status)
        };
        let whole = r#"{"name":"zhang","password":"x y"}"#;
        let said = Ok(("zhang".to_owned(), "x y".to_owned()));
        assert_eq!(read("application/json", whole), said);
        assert_eq!(read("Application/JSON; charset=utf-8", whole), said);
        for form in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
            assert_eq!(read(form, whole), Err(415), "{form}");
        }
        for body in [
            "",
            "{}",
            r#"{"name":"zhang"}"#,
            r#"{"name":"a","password":7}"#,
            "null",
            r#"{"name":"a","password":"b","role":"admin"}"#,
        ] {
            assert_eq!(read("application/json", body), Err(400), "{body}");
        }
        let said = LogInBody { name: "zhang".to_owned(), password: "secret".to_owned() };
        assert!(!format!("{said:?}").contains("secret"));
        let unreadable = LogInBody::read(Some(b"application/json"), br#"{"password":"secret""#);
        assert!(!unreadable.unwrap_err().detail.contains("secret"));
    }
}
