//! Who may do what: the roles of people and tokens, and what each route asks for.

use std::{fmt, str::FromStr};

use store::{By, ByKind};

/// What somebody may do, or a token allows; each role may do whatever the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A screen on a wall: sees how all stations stand, and nothing else. Nobody logs in as one.
    Wall,
    /// Sees.
    Viewer,
    /// On duty: takes alarms on, and sees who was told, and people's names and numbers.
    Duty,
    /// Decides what becomes of refused input.
    Admin,
}

/// Why a word is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role; it is one of wall, viewer, duty, admin")]
pub struct RoleError(String);

impl Role {
    /// Every role, the least one first.
    pub const ALL: [Self; 4] = [Self::Wall, Self::Viewer, Self::Duty, Self::Admin];

    /// As commands, the store and answers spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Wall => store::WALL,
            Self::Viewer => "viewer",
            Self::Duty => "duty",
            Self::Admin => "admin",
        }
    }

    /// Whether names and telephone numbers of people are shown.
    pub fn sees_personal_data(self) -> bool {
        self >= Self::Duty
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(word: &str) -> Result<Self, RoleError> {
        let known = Self::ALL.into_iter().find(|role| role.word() == word);
        known.ok_or_else(|| RoleError(word.chars().take(48).collect()))
    }
}

/// What a route asks of whoever calls it. There is no route without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing: it tells nothing of the water and nothing of people.
    Public,
    /// Somebody of this role or a higher one, by a session or a token; nobody whose password somebody
    /// else knows.
    AtLeast(Role),
    /// The same, and whoever has to change their password first: what they need for that.
    Unchanged(Role),
}

impl Rule {
    /// The least role that it lets in; none where it asks for nothing.
    pub const fn least(self) -> Option<Role> {
        match self {
            Self::Public => None,
            Self::AtLeast(least) | Self::Unchanged(least) => Some(least),
        }
    }
}

/// What somebody is let in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetInBy {
    /// A token, which a program sends.
    Token,
    /// A session, which a person began.
    Session,
    /// What a screen on a wall got for its link.
    Screen,
}

/// Somebody whose token or session is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What that is.
    pub let_in_by: LetInBy,
    /// The token's name, or the user's; the journal keeps it.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// Whether they may do nothing before they have another password.
    pub must_change: bool,
}

/// By what the places that somebody holds are known: what they are, and their name.
pub type Name = (&'static str, String);

impl Caller {
    /// As which they hold places among others.
    pub fn known_as(&self) -> Name {
        let By { kind, name } = self.by();
        (kind.word(), name)
    }

    /// Whether some places are kept for them, since it is they who act.
    pub fn goes_first(&self) -> bool {
        self.role >= Role::Duty
    }

    /// As the journal names them.
    pub fn by(&self) -> By {
        let kind = match self.let_in_by {
            LetInBy::Token | LetInBy::Screen => ByKind::Token,
            LetInBy::Session => ByKind::User,
        };
        By { kind, name: self.name.clone() }
    }
}

/// Why a caller is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Neither a token nor a session.
    Nobody,
    /// One of another form than `Bearer TOKEN`.
    NotBearer,
    /// No such token, or a revoked one.
    Unknown,
    /// No such session, or one that is over.
    SessionOver,
    /// A session without what shows that a page of ours asks.
    NoProof,
    /// A page of somebody else's asks.
    OtherPage,
    /// A lower role than the route asks for.
    TooLow(Role),
    /// A password that somebody else knows.
    MustChange,
    /// A role that this version does not know.
    UnknownRole,
}

/// The token in an `Authorization` header.
pub fn bearer(header: Option<&[u8]>) -> Result<&str, Denied> {
    let header = header.ok_or(Denied::Nobody)?;
    let text = std::str::from_utf8(header).map_err(|_not_text| Denied::NotBearer)?;
    let (scheme, token) = text.trim().split_once(' ').ok_or(Denied::NotBearer)?;
    let token = token.trim_start();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if scheme.eq_ignore_ascii_case("bearer") && is_token {
        Ok(token)
    } else {
        Err(Denied::NotBearer)
    }
}

/// Whoever has a good token or session of this name and role.
pub fn caller(let_in_by: LetInBy, name: &str, role: &str) -> Result<Caller, Denied> {
    let role: Role = role.parse().map_err(|_unknown: RoleError| Denied::UnknownRole)?;
    // a screen's text is good for a screen, whoever sends it how
    let is_screen = let_in_by == LetInBy::Screen;
    if is_screen && role != Role::Wall {
        return Err(Denied::Unknown);
    }
    Ok(Caller { let_in_by, name: name.to_owned(), role, must_change: false })
}

/// Whether they may use a route of `rule`.
pub fn admit(rule: Rule, caller: Caller) -> Result<Caller, Denied> {
    if let Some(least) = rule.least().filter(|least| caller.role < *least) {
        return Err(Denied::TooLow(least));
    }
    match rule {
        Rule::AtLeast(_) if caller.must_change => Err(Denied::MustChange),
        Rule::Public | Rule::AtLeast(_) | Rule::Unchanged(_) => Ok(caller),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_role_may_do_what_a_lower_one_may() {
        for (at, least) in Role::ALL.into_iter().enumerate() {
            for (of, role) in Role::ALL.into_iter().enumerate() {
                let token = || caller(LetInBy::Token, "t", role.word()).unwrap();
                for rule in [Rule::AtLeast(least), Rule::Unchanged(least)] {
                    let admitted = admit(rule, token());
                    assert_eq!(admitted.is_ok(), of >= at, "{role} where {least} is asked for");
                }
            }
        }
    }

    #[test]
    fn whose_password_somebody_else_knows_may_change_it_and_nothing_else() {
        for role in Role::ALL {
            let known = caller(LetInBy::Session, "zhang", role.word()).unwrap();
            let known = Caller { must_change: true, ..known };
            let refused = admit(Rule::AtLeast(Role::Wall), known.clone());
            assert_eq!(refused, Err(Denied::MustChange));
            assert!(admit(Rule::Unchanged(Role::Wall), known).is_ok());
        }
    }

    #[test]
    fn a_screen_is_a_screen_and_no_other_token_passes_for_one() {
        assert_eq!(caller(LetInBy::Screen, "t", "wall").unwrap().role, Role::Wall);
        for role in ["viewer", "duty", "admin"] {
            assert_eq!(caller(LetInBy::Screen, "t", role), Err(Denied::Unknown));
        }
    }

    #[test]
    fn a_role_of_a_later_version_opens_nothing() {
        for role in ["auditor", ""] {
            assert_eq!(caller(LetInBy::Session, "t", role), Err(Denied::UnknownRole));
        }
    }

    #[test]
    fn only_a_bearer_token_is_one() {
        assert_eq!(bearer(Some(b"Bearer bf_1")), Ok("bf_1"));
        assert_eq!(bearer(Some(b"bearer   bf_1 ")), Ok("bf_1"));
        assert_eq!(bearer(None), Err(Denied::Nobody));
        for header in ["", "Bearer", "Bearer ", "Basic dTpw", "bf_1", "Bearer a b", "Bearer \u{e9}"]
        {
            assert_eq!(bearer(Some(header.as_bytes())), Err(Denied::NotBearer), "{header:?}");
        }
        assert_eq!(bearer(Some(b"Bearer \xff")), Err(Denied::NotBearer));
    }
}
