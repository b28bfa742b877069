//! Who is asking.

use serde::Serialize;
use utoipa::ToSchema;

/// Somebody with a session or a token, or a screen on a wall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// The user's name, or the token's.
    pub name: String,
    /// What it allows: `wall`, `viewer`, `duty` or `admin`.
    #[schema(example = "duty")]
    pub role: String,
    /// What a call that writes shows as `x-csrf-token`; null for a token, which shows nothing.
    pub csrf: Option<String>,
    /// Whether somebody else knows the password, so that nothing else is answered before it is
    /// changed by `POST /session/password`.
    pub must_change_password: bool,
}
