//! Files of the pages that browsers draw: which one an address names, in what coding it is sent,
//! and whether a browser has it already.

/// What a browser is let do with a page: load what the server itself has, ask its API, and nothing
/// else.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What a file whose name has its digest is kept for: a year, and never asked for again.
pub const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// What the document is kept for: it is asked for each time whether it is still the same.
pub const ASKED_AGAIN: &str = "no-cache";

/// The document of every page.
pub const DOCUMENT: &str = "index.html";

/// Where the browser's pages stand; each is the same document.
pub const PAGES: [&str; 6] = ["/", "/wall", "/alarms", "/outbox", "/password", "/s/{id}"];

/// A file as it was built, in each coding that makes it smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// Its place below the root.
    pub path: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// Half of its SHA-256, hexadecimal.
    pub digest: &'static str,
    /// As it is.
    pub plain: &'static [u8],
    /// Gzipped.
    pub gzip: Option<&'static [u8]>,
    /// By Brotli.
    pub brotli: Option<&'static [u8]>,
}

/// How a file is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Plain,
    /// Gzipped.
    Gzip,
    /// By Brotli.
    Brotli,
}

impl Coding {
    /// Its word in `Content-Encoding`; a file as it is has none.
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }
}

impl Asset {
    /// The file as a caller with this `Accept-Encoding` gets it.
    pub fn sent(&self, accepts: Option<&str>) -> (Coding, &'static [u8]) {
        let brotli = self.brotli.filter(|_| is_accepted(accepts, "br"));
        let gzip = self.gzip.filter(|_| is_accepted(accepts, "gzip"));
        match (brotli, gzip) {
            (Some(bytes), _) => (Coding::Brotli, bytes),
            (None, Some(bytes)) => (Coding::Gzip, bytes),
            (None, None) => (Coding::Plain, self.plain),
        }
    }

    /// What names these very bytes.
    pub fn tag(&self, coding: Coding) -> String {
        let word = coding.word().unwrap_or("plain");
        format!("\"{}-{word}\"", self.digest)
    }

    /// Whether its name changes with what is in it.
    pub fn is_for_ever(&self) -> bool {
        self.path.starts_with("assets/")
    }
}

/// The file of this place below the root, among files sorted by place.
pub fn find<'a>(files: &'a [Asset], path: &str) -> Option<&'a Asset> {
    let at = files.binary_search_by(|asset| asset.path.cmp(path)).ok()?;
    files.get(at)
}

/// Whether a coding is asked for; what nobody asks for is not sent.
fn is_accepted(accepts: Option<&str>, coding: &str) -> bool {
    accepts.unwrap_or_default().split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let is_it = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let is_refused = weight.is_some_and(|weight| weight.trim_matches(['0', '.']).is_empty());
        is_it && !is_refused
    })
}

/// Whether a browser that says this in `If-None-Match` has what `tag` names.
pub fn is_known(said: Option<&str>, tag: &str) -> bool {
    let bare = |one: &str| one.trim().trim_start_matches("W/").to_owned();
    said.is_some_and(|said| said.split(',').map(bare).any(|known| known == tag || known == "*"))
}

/// Whether an address that nothing stands at is to be answered with a page that says so: where
/// somebody looks for one, and not for a file or a call.
pub fn is_looked_for(path: &str, accepts: Option<&str>) -> bool {
    let is_elsewhere =
        ["/api/", "/i/", "/hooks/", "/assets/"].iter().any(|place| path.starts_with(place));
    let is_file = path.rsplit('/').next().is_some_and(|last| last.contains('.'));
    let is_page = accepts.is_some_and(|accepts| accepts.contains("text/html"));
    is_page && !is_elsewhere && !is_file && path != "/api"
}

/// What is shown where the pages were not built before the server was.
pub const NOT_BUILT: &str = "<!doctype html>\n<html lang=\"zh-CN\">\n<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>基流</title>\n\
<h1>此程序未包含页面</h1>\n\
<p>构建页面需要 Node 20.19 或更高版本；运行不需要。在源码目录执行以下命令，然后重新构建并启动服务器：</p>\n\
<pre>npm --prefix dashboards/web ci\nnpm --prefix dashboards/web run build\ncargo build</pre>\n\
<p>接口和短信中的链接照常可用。</p>\n\
<div lang=\"en\">\n<h1>The pages are not in this binary</h1>\n\
<p>Node 20.19 or later builds them, and is not needed to run them. In the folder of the sources the commands above do; \
then build the server again and start it. <code>./run demo</code> does all of that.</p>\n\
<p>The API and the links in messages work all the same.</p>\n</div>\n</html>\n";

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [Asset; 2] = [
        Asset {
            path: "assets/main-1.js",
            media_type: "text/javascript",
            digest: "aa",
            plain: b"plain",
            gzip: Some(b"gzip"),
            brotli: Some(b"br"),
        },
        Asset {
            path: "index.html",
            media_type: "text/html",
            digest: "bb",
            plain: b"plain",
            gzip: None,
            brotli: None,
        },
    ];

    #[test]
    fn a_file_is_sent_as_small_as_the_caller_takes_it() {
        for (accepts, expected) in [
            (Some("gzip, deflate, br, zstd"), Coding::Brotli),
            (Some("gzip"), Coding::Gzip),
            (Some("br;q=0, GZIP;q=0.5"), Coding::Gzip),
            (Some("br;q=0.000,gzip;q=0"), Coding::Plain),
            (Some("brotli"), Coding::Plain),
            (Some("br;q=1.0"), Coding::Brotli),
            (Some(""), Coding::Plain),
            (None, Coding::Plain),
        ] {
            assert_eq!(FILES[0].sent(accepts).0, expected, "{accepts:?}");
        }
        assert_eq!(FILES[1].sent(Some("br")), (Coding::Plain, b"plain".as_slice()));
    }

    #[test]
    fn a_tag_names_the_bytes_in_their_coding() {
        assert_eq!(FILES[0].tag(Coding::Brotli), "\"aa-br\"");
        assert_ne!(FILES[0].tag(Coding::Plain), FILES[0].tag(Coding::Gzip));
        let tag = "\"aa-br\"";
        for said in ["\"aa-br\"", "W/\"aa-br\"", "\"x\", \"aa-br\"", "*"] {
            assert!(is_known(Some(said), tag), "{said}");
        }
        for said in ["", "\"aa\"", "aa-br"] {
            assert!(!is_known(Some(said), tag), "{said}");
        }
        assert!(!is_known(None, tag));
    }

    #[test]
    fn a_file_is_found_by_its_place_alone() {
        assert_eq!(find(&FILES, "index.html").unwrap().digest, "bb");
        for path in ["", "/index.html", "assets/", "assets/../index.html", "main-1.js"] {
            assert_eq!(find(&FILES, path), None, "{path}");
        }
        assert!(FILES[0].is_for_ever() && !FILES[1].is_for_ever());
    }

    #[test]
    fn only_who_looks_for_a_page_is_shown_one() {
        let html = Some("text/html,application/xhtml+xml,*/*;q=0.8");
        assert!(is_looked_for("/nothing", html) && is_looked_for("/s/a/b", html));
        for (path, accepts) in [
            ("/nothing", Some("*/*")),
            ("/nothing", None),
            ("/nothing.js", html),
            ("/assets/x", html),
            ("/api/v1/nothing", html),
            ("/api", html),
            ("/i/x/y", html),
        ] {
            assert!(!is_looked_for(path, accepts), "{path} {accepts:?}");
        }
    }
}
