//! Who is asking.

use serde::Serialize;
use utoipa::ToSchema;

/// Somebody with a session or a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// The user's name, or the token's.
    pub name: String,
    /// What it allows: `viewer`, `duty` or `admin`.
    #[schema(example = "duty")]
    pub role: String,
    /// What a call that writes shows as `x-csrf-token`; null for a token, which shows nothing.
    pub csrf: Option<String>,
}
