//! Sessions of people: the cookie that holds one, what shows beside it that its own page asks, and
//! when it is over (`docs/formats.md` §10).

use model::time::Timestamp;
use sha2::{Digest as _, Sha256};
use store::{Over, SessionRow, SessionText, TokenText};

use crate::access::Role;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Without being seen.
const IDLE_MS: i64 = HOUR_MS;
/// Between two notes that it was seen.
const SEEN_MS: i64 = 5 * MINUTE_MS;
/// A session that begins so much later than now began by a clock that was wrong.
const AHEAD_MS: i64 = 10 * MINUTE_MS;
/// So long a browser keeps the cookie of a screen, 400 days, which is the longest that one does.
const SCREEN_S: u32 = 400 * 24 * 3_600;
/// The longest life of all.
const LONGEST_MS: i64 = life_ms(Role::Viewer);

/// The longest that somebody stays logged in: who may act comes back once a shift.
const fn life_ms(role: Role) -> i64 {
    match role {
        Role::Wall | Role::Viewer => 30 * 24 * HOUR_MS,
        Role::Duty => 24 * HOUR_MS,
        Role::Admin => 12 * HOUR_MS,
    }
}

/// Whether a session of somebody with this role is over.
pub fn is_over(row: &SessionRow, role: Role, now: Timestamp) -> bool {
    let age_ms = now.as_ms().saturating_sub(row.begun_at.as_ms());
    let idle_ms = now.as_ms().saturating_sub(row.seen_at.as_ms());
    age_ms >= life_ms(role) || idle_ms >= IDLE_MS || age_ms <= -AHEAD_MS
}

/// Whether it is to be noted that a session is used.
pub fn is_to_be_noted(row: &SessionRow, now: Timestamp) -> bool {
    now.as_ms().saturating_sub(row.seen_at.as_ms()) >= SEEN_MS
}

/// Which sessions are over at `now`, whoever's they are.
pub fn over(now: Timestamp) -> Over {
    Over { begun_before: now.plus_ms(-LONGEST_MS), seen_before: now.plus_ms(-IDLE_MS) }
}

/// The cookie of a server, by whether people reach it over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie {
    is_secure: bool,
}

impl Cookie {
    /// That of a server at this address.
    pub fn of(public_url: &str) -> Self {
        let scheme = public_url.split(':').next().unwrap_or_default();
        Self { is_secure: scheme.eq_ignore_ascii_case("https") }
    }

    /// Its name. A browser takes one of `__Host-` from this very host over TLS alone, so that
    /// nobody beside us can set it.
    pub const fn name(self) -> &'static str {
        if self.is_secure { "__Host-baseflow" } else { "baseflow" }
    }

    /// The same of the cookie of a screen on a wall.
    const fn of_screen(self) -> &'static str {
        if self.is_secure { "__Host-baseflow-wall" } else { "baseflow-wall" }
    }

    /// The session in a `Cookie` header.
    pub fn read(self, header: &str) -> Option<SessionText> {
        value(header, self.name()).and_then(SessionText::parse)
    }

    /// What a screen has, in a `Cookie` header.
    pub fn read_screen(self, header: &str) -> Option<TokenText> {
        value(header, self.of_screen()).and_then(TokenText::parse)
    }

    /// What sets that of a screen. It stays for as long as browsers keep one, and anew from each
    /// time that it is used; it goes with no link that leads here from another site.
    pub fn set_screen(self, screen: &TokenText) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let (name, text) = (self.of_screen(), screen.as_str());
        format!("{name}={text}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SCREEN_S}{secure}")
    }

    /// What sets it. It goes with the browser, unless that restores what was open; the server says
    /// when it is over.
    pub fn set(self, session: &SessionText) -> String {
        format!("{}={}; {}", self.name(), session.as_str(), self.attributes())
    }

    /// What takes it back.
    pub fn unset(self) -> String {
        format!("{}=; {}; Max-Age=0", self.name(), self.attributes())
    }

    const fn attributes(self) -> &'static str {
        if self.is_secure {
            "Path=/; HttpOnly; SameSite=Lax; Secure"
        } else {
            "Path=/; HttpOnly; SameSite=Lax"
        }
    }
}

/// What a `Cookie` header has under this name. Of several the first counts, as browsers send the
/// most specific one first.
fn value<'h>(header: &'h str, wanted: &str) -> Option<&'h str> {
    let mut pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

/// What whoever writes by a session shows beside its cookie: what only a page of ours can know.
pub fn proof(session: &SessionText) -> String {
    let digest = Sha256::new()
        .chain_update(b"baseflow csrf 1\n")
        .chain_update(session.as_str().as_bytes())
        .finalize();
    hex::encode(digest.get(..16).unwrap_or_default())
}

/// Whether what is shown is that. Both are digested, so that the time tells nothing.
pub fn is_proof(session: &SessionText, shown: &[u8]) -> bool {
    Sha256::digest(proof(session).as_bytes()) == Sha256::digest(shown)
}

/// What a browser says of where a request comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origins<'a> {
    /// `Sec-Fetch-Site`, which every browser sends that is not old.
    pub site: Option<&'a [u8]>,
    /// `Origin`.
    pub origin: Option<&'a [u8]>,
    /// `Host`.
    pub host: Option<&'a [u8]>,
}

impl Origins<'_> {
    /// Whether it may be a page of ours, reached at `public_url` or at the address in `Host`. What
    /// no browser sent says nothing of it, and needs no such guard.
    pub fn are_ours(&self, public_url: &str) -> bool {
        if let Some(site) = self.site {
            return site == b"same-origin" || site == b"none";
        }
        let Some(origin) = self.origin else { return true };
        let of = |url: &[u8]| {
            let rest = url.strip_prefix(b"https://").or_else(|| url.strip_prefix(b"http://"));
            let rest = rest.unwrap_or_default().split(|byte| *byte == b'/').next();
            rest.unwrap_or_default().to_ascii_lowercase()
        };
        let ours = of(origin);
        let is_host = self.host.is_some_and(|host| host.to_ascii_lowercase() == ours);
        !ours.is_empty() && (is_host || of(public_url.as_bytes()) == ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> SessionText {
        SessionText::from_random([0xab; 32])
    }

    fn row(begun_ms: i64, seen_ms: i64) -> SessionRow {
        SessionRow {
            user: 1,
            name: "zhang".to_owned(),
            role: "duty".to_owned(),
            must_change: false,
            begun_at: Timestamp::clamped(begun_ms),
            seen_at: Timestamp::clamped(seen_ms),
        }
    }

    #[test]
    fn a_session_is_over_an_hour_after_it_was_seen_and_at_the_end_of_a_shift() {
        let now = Timestamp::clamped(100 * 24 * HOUR_MS);
        let ago = |ms: i64| now.as_ms() - ms;
        for (role, begun, seen, expected) in [
            (Role::Duty, 0, 0, false),
            (Role::Duty, 23 * HOUR_MS, HOUR_MS - 1, false),
            (Role::Duty, 23 * HOUR_MS, HOUR_MS, true),
            (Role::Duty, 24 * HOUR_MS, 0, true),
            (Role::Admin, 12 * HOUR_MS, 0, true),
            (Role::Viewer, 29 * 24 * HOUR_MS, 0, false),
            (Role::Viewer, 30 * 24 * HOUR_MS, 0, true),
            // a clock that was set back by a little, and one that had been years ahead
            (Role::Duty, -MINUTE_MS, -MINUTE_MS, false),
            (Role::Duty, -AHEAD_MS, -AHEAD_MS, true),
        ] {
            let over = is_over(&row(ago(begun), ago(seen)), role, now);
            assert_eq!(over, expected, "{role} begun {begun} ms and seen {seen} ms ago");
        }
        assert!(is_to_be_noted(&row(0, ago(SEEN_MS)), now));
        assert!(!is_to_be_noted(&row(0, ago(SEEN_MS - 1)), now));
    }

    #[test]
    fn a_cookie_is_found_among_others_and_guarded_where_tls_is() {
        let (plain, secure) =
            (Cookie::of("http://127.0.0.1:8080"), Cookie::of("HTTPS://water.gov"));
        let text = "ab".repeat(32);
        let set = format!("baseflow={text}; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(plain.set(&session()), set);
        let set = format!("__Host-baseflow={text}; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(secure.set(&session()), set);
        assert!(secure.unset().ends_with("Secure; Max-Age=0"));
        let read = |cookie: Cookie, header: &str| cookie.read(header).is_some();
        assert!(read(plain, &format!("a=b; baseflow={text};c=d")));
        assert!(read(secure, &format!("__Host-baseflow={text}")));
        assert!(!read(secure, &format!("baseflow={text}")));
        for forged in
            ["", "baseflow=", "baseflow", "baseflow=x; baseflow", &format!("xbaseflow={text}")]
        {
            assert!(!read(plain, forged), "{forged}");
        }
    }

    #[test]
    fn a_screen_has_a_cookie_of_its_own_that_lasts() {
        let (plain, secure) = (Cookie::of("http://10.0.0.7"), Cookie::of("https://water.gov"));
        let screen = TokenText::from_random([0xab; 32]);
        let text = format!("bf_{}", "ab".repeat(32));
        let set = plain.set_screen(&screen);
        assert_eq!(
            set,
            format!("baseflow-wall={text}; Path=/; HttpOnly; SameSite=Strict; Max-Age=34560000")
        );
        assert!(secure.set_screen(&screen).ends_with("; Secure"));
        assert_eq!(plain.read_screen(&format!("a=b; {set}")).as_ref(), Some(&screen));
        assert_eq!(plain.read(&set), None, "it is no session");
        assert_eq!(secure.read_screen(&set), None);
        for forged in ["", "baseflow-wall=", "baseflow-wall=bf_0", "baseflow-wall"] {
            assert_eq!(plain.read_screen(forged), None, "{forged}");
        }
    }

    #[test]
    fn a_proof_is_of_one_session_and_says_nothing_of_it() {
        let other = SessionText::from_random([0xac; 32]);
        let shown = proof(&session());
        assert_eq!(shown.len(), 32);
        assert!(is_proof(&session(), shown.as_bytes()));
        assert!(!is_proof(&other, shown.as_bytes()) && !is_proof(&session(), b""));
        assert!(!session().as_str().contains(&shown));
    }

    #[test]
    fn only_a_page_of_ours_writes_by_a_session() {
        let is_ours = |site: Option<&str>, origin: Option<&str>| {
            let origins = Origins {
                site: site.map(str::as_bytes),
                origin: origin.map(str::as_bytes),
                host: Some(b"10.0.0.7:8080"),
            };
            origins.are_ours("https://Water.example/pages")
        };
        assert!(is_ours(Some("same-origin"), None) && is_ours(Some("none"), None));
        assert!(!is_ours(Some("cross-site"), Some("http://10.0.0.7:8080")));
        assert!(!is_ours(Some("same-site"), None) && !is_ours(Some(""), None));
        assert!(is_ours(None, Some("http://10.0.0.7:8080")) && is_ours(None, None));
        assert!(is_ours(None, Some("https://water.example")));
        for other in ["https://evil.example", "null", "", "https://water.example.evil", "file:"] {
            assert!(!is_ours(None, Some(other)), "{other}");
        }
    }
}
