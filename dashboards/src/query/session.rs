//! What somebody sends who logs in, changes their password, or opens a screen.

use std::fmt;

use serde::{Deserialize, de::DeserializeOwned};
use store::ScreenKey;
use utoipa::ToSchema;

use crate::problem::Problem;

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
    /// What a body of this media type says.
    pub fn read(media_type: Option<&[u8]>, body: &[u8]) -> Result<Self, Problem> {
        read(media_type, body, r#"write {"name": "…", "password": "…"} and nothing else"#)
    }
}

/// The password that somebody has, and the one that replaces it.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangePassword)]
pub struct ChangeBody {
    /// The one that they have.
    #[schema(format = Password)]
    pub password: String,
    /// Another one: 8 to 128 characters of three of these four sorts: small letters, capitals,
    /// digits, others. It does not hold the name.
    #[schema(format = Password)]
    pub new: String,
}

impl fmt::Debug for ChangeBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChangeBody")
    }
}

impl ChangeBody {
    /// What a body of this media type says.
    pub fn read(media_type: Option<&[u8]>, body: &[u8]) -> Result<Self, Problem> {
        read(media_type, body, r#"write {"password": "…", "new": "…"} and nothing else"#)
    }
}

/// What a link for a screen has behind its `#`.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OpenScreen)]
pub struct ScreenBody {
    /// As `baseflow token add --role wall` printed it.
    #[schema(format = Password)]
    pub token: String,
    /// 32 random bytes as 64 hexadecimal digits, which nobody else knows. Whoever sends the same two
    /// again within a day, since the answer got lost, gets the same answer.
    #[schema(format = Password)]
    #[serde(default)]
    pub key: Option<String>,
}

impl fmt::Debug for ScreenBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScreenBody")
    }
}

impl ScreenBody {
    /// What a body of this media type says.
    pub fn read(media_type: Option<&[u8]>, body: &[u8]) -> Result<Self, Problem> {
        read(media_type, body, r#"write {"token": "bf_…", "key": "…"} and nothing else"#)
    }

    /// The key, if there is one.
    pub fn key(&self) -> Result<Option<ScreenKey>, Problem> {
        let unreadable = || Problem::bad_body("key: write 64 hexadecimal digits, or leave it out");
        let key = self.key.as_deref().map(ScreenKey::parse);
        key.map(|key| key.ok_or_else(unreadable)).transpose()
    }
}

/// Reads a body as JSON: a form of another site can send none.
fn read<T: DeserializeOwned>(
    media_type: Option<&[u8]>,
    body: &[u8],
    otherwise: &str,
) -> Result<T, Problem> {
    let media_type = media_type.unwrap_or_default().split(|byte| *byte == b';').next();
    if !media_type.unwrap_or_default().trim_ascii().eq_ignore_ascii_case(b"application/json") {
        return Err(Problem::of_status(415, ""));
    }
    // what serde says would repeat the secret
    serde_json::from_slice(body).map_err(|_unreadable| Problem::bad_body(otherwise))
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
        let change = ChangeBody { password: "secret".to_owned(), new: "secret".to_owned() };
        let screen = ScreenBody { token: "secret".to_owned(), key: Some("secret".to_owned()) };
        assert!(!format!("{change:?} {screen:?}").contains("secret"));
        assert_eq!(screen.key().unwrap_err().status, 400);
        let unreadable = LogInBody::read(Some(b"application/json"), br#"{"password":"secret""#);
        assert!(!unreadable.unwrap_err().detail.contains("secret"));
    }
}
