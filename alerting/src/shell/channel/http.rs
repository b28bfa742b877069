//! One POST over a connection of its own, bounded in time and in what is read of the answer.
//!
//! An answer's head has 8 KiB and 64 headers at most; of its body as much is read as the caller
//! wants and as comes in time: it is an answer by its status, also where its body stalls or breaks
//! off. Redirections are not followed: whoever is named in the settings is spoken to, and nobody
//! else.

use std::{fmt, io, path::Path, str::FromStr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, Uri, body::Incoming, client::conn::http1, header::HeaderMap,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    pin,
    time::{Instant, timeout, timeout_at},
};

use super::{
    departure::{Left, Watched},
    trust::{Trust, TrustError},
};

const HEAD_BYTES: usize = 8 << 10;
const HEADERS: usize = 64;

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
    authority: String,
    path: String,
    is_tls: bool,
}

/// Why an address was refused. It does not repeat it, since it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No address at all.
    #[error("is no address; write http://host:port/path or https://host/path")]
    NoAddress,
    /// A login within it.
    #[error("has a login in it; write that under keys of its own")]
    HasLogin,
}

/// What a call may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// To connect.
    pub(super) connect: Duration,
    /// For all of it.
    pub(super) whole: Duration,
    /// Bytes of the answer's body; the rest is not read.
    pub(super) body: usize,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Its beginning, as far as it came.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// Nothing was asked.
    #[error("no connection within {0:?}")]
    SlowConnect(Duration),
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    #[error("the other end is not known to be who it says")]
    Trust(#[source] io::Error),
    #[error("the connection broke before all was asked")]
    Broke(#[source] hyper::Error),
    #[error("not all was asked within {0:?}")]
    SlowRequest(Duration),
    /// All was asked.
    #[error("the connection broke without an answer")]
    Unheard(#[source] hyper::Error),
    #[error("no answer within {0:?}")]
    SlowAnswer(Duration),
}

impl HttpError {
    /// Whether the other end may have the request whole, and have done what it asks. One that is cut
    /// short asks for nothing.
    pub(super) const fn may_have_arrived(&self) -> bool {
        match self {
            Self::SlowConnect(_)
            | Self::Connect(_)
            | Self::Trust(_)
            | Self::Broke(_)
            | Self::SlowRequest(_) => false,
            Self::Unheard(_) | Self::SlowAnswer(_) => true,
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let uri: Uri = text.parse().map_err(|_unparsable| TargetError::NoAddress)?;
        let authority = uri.authority().ok_or(TargetError::NoAddress)?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) | None => return Err(TargetError::NoAddress),
        };
        if authority.as_str().contains('@') {
            return Err(TargetError::HasLogin);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(TargetError::NoAddress);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Self { host, port, authority: authority.as_str().to_owned(), path, is_tls })
    }
}

impl Target {
    /// Whether it is asked over TLS.
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// What the header `host` says.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for Target {
    /// Without path and query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

/// Asks one target.
#[derive(Debug)]
pub(super) struct Client {
    target: Target,
    limits: Limits,
    /// For a target over TLS.
    trust: Option<Trust>,
}

impl Client {
    /// A client that trusts the authorities in `ca`, or those of the machine, where that matters.
    pub(super) fn new(
        target: Target,
        limits: Limits,
        ca: Option<&Path>,
    ) -> Result<Self, TrustError> {
        let trust = target.is_tls.then(|| Trust::of(ca)).transpose()?;
        Ok(Self { target, limits, trust })
    }

    /// Posts `body` and gives the answer.
    pub(super) async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<Answer, HttpError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.path.parse().unwrap_or_default();
        *request.headers_mut() = headers;
        // Each wait has this end to itself: one around all of them would throw away what has come.
        let limits = self.limits;
        let end = Instant::now() + limits.whole;
        let host = self.target.host.as_str();
        let connect = limits.connect.min(limits.whole);
        let stream = timeout(connect, TcpStream::connect((host, self.target.port))).await;
        let stream = stream
            .map_err(|_elapsed| HttpError::SlowConnect(connect))?
            .map_err(HttpError::Connect)?;
        match &self.trust {
            None => Box::pin(exchange(stream, request, (limits, end))).await,
            Some(trust) => {
                let stream = timeout_at(end, trust.connect(host, stream)).await;
                let stream = stream
                    .map_err(|_elapsed| HttpError::SlowConnect(limits.whole))?
                    .map_err(HttpError::Trust)?;
                Box::pin(exchange(stream, request, (limits, end))).await
            }
        }
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: Request<Full<Bytes>>,
    (limits, end): (Limits, Instant),
) -> Result<Answer, HttpError> {
    let left = Left::default();
    let broke = |failure| {
        if left.is_whole() { HttpError::Unheard(failure) } else { HttpError::Broke(failure) }
    };
    let slow = |whole| {
        if left.is_whole() { HttpError::SlowAnswer(whole) } else { HttpError::SlowRequest(whole) }
    };
    let stream = Watched::new(stream, request.body(), &left);
    let handshake = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(broke)?;
    let asked = async {
        let response = timeout_at(end, sender.send_request(request)).await;
        let response = response.map_err(|_elapsed| slow(limits.whole))?.map_err(broke)?;
        Ok(beginning(response, (limits.body, end)).await)
    };
    pin!(asked);
    let mut connection = Box::pin(connection);
    let ended = tokio::select! {
        biased;
        answer = &mut asked => return answer,
        ended = &mut connection => ended,
    };
    // It drives the request; where it ends first, what came is still there to be read, and what
    // waits for more hears only by this that none comes.
    drop(connection);
    let answer = asked.await;
    match ended {
        Ok(()) => answer,
        Err(failure) => answer.map_err(|_gone| broke(failure)),
    }
}

/// The answer with what comes of its body until then.
async fn beginning(response: Response<Incoming>, (most, end): (usize, Instant)) -> Answer {
    let (head, mut body) = response.into_parts();
    let mut beginning = Vec::new();
    while beginning.len() < most {
        let Ok(Some(Ok(frame))) = timeout_at(end, body.frame()).await else { break };
        if let Ok(data) = frame.into_data() {
            beginning.extend(data.iter().take(most - beginning.len()));
        }
    }
    Answer { status: head.status.as_u16(), body: beginning }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
        thread,
    };

    use model::fault::Chain;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    const LIMITS: Limits =
        Limits { connect: Duration::from_secs(5), whole: Duration::from_millis(500), body: 8 };

    /// What comes of a call that one server of ours answers in its own way.
    #[expect(clippy::unwrap_in_result, reason = "the call's own failures are what is tested")]
    fn answered(by: impl FnOnce(&mut TcpStream) + Send + 'static) -> Result<Answer, HttpError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = format!("http://{}/x", listener.local_addr().unwrap()).parse().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 4096];
            let count = stream.read(&mut head).unwrap();
            assert!(head[..count].starts_with(b"POST /x HTTP/1.1\r\n"));
            by(&mut stream);
        });
        let answer = called(&target);
        server.join().unwrap();
        answer
    }

    #[expect(clippy::unwrap_in_result, reason = "the call's own failures are what is tested")]
    fn called(target: &Target) -> Result<Answer, HttpError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = Client::new(target.clone(), LIMITS, None).unwrap();
        runtime.block_on(client.post(HeaderMap::new(), Bytes::from_static(b"text")))
    }

    fn until_it_hangs_up(stream: &mut TcpStream) {
        while stream.read(&mut [0; 64]).unwrap_or(0) > 0 {}
    }

    fn failure(answer: Result<Answer, HttpError>) -> String {
        Chain(&answer.unwrap_err()).to_string()
    }

    #[test]
    fn the_beginning_of_an_answer_is_read_and_an_endless_one_ends_there() {
        let answer = answered(|stream| {
            stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n\r\n0: A").unwrap();
        });
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (202, b"0: A".as_slice()));
        let answer = answered(|stream| {
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head).unwrap();
            // Until the caller has had enough and hangs up.
            while stream.write_all(b"4\r\nabcd\r\n").is_ok() {}
        });
        assert_eq!(answer.unwrap().body, b"abcdabcd");
    }

    #[test]
    fn an_answer_whose_body_stalls_is_one_by_its_status() {
        for (head, body) in [
            ("HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\n", "0: Acce"),
            ("HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n", ""),
            ("HTTP/1.1 403 Forbidden\r\n\r\n", "no"),
        ] {
            let answer = answered(move |stream| {
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(body.as_bytes()).unwrap();
                until_it_hangs_up(stream);
            });
            let answer = answer.unwrap();
            assert_eq!(Some(answer.status.to_string().as_str()), head.get(9..12));
            assert_eq!(answer.body, body.as_bytes(), "{head}");
        }
    }

    #[test]
    fn who_says_nothing_or_never_ends_is_waited_for_until_the_limit() {
        assert_eq!(failure(answered(until_it_hangs_up)), "no answer within 500ms");
        let half_a_head = |stream: &mut TcpStream| {
            stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Le").unwrap();
            until_it_hangs_up(stream);
        };
        assert_eq!(failure(answered(half_a_head)), "no answer within 500ms");
        let endless_head = |stream: &mut TcpStream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
            while stream.write_all(b"A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n").is_ok() {}
        };
        let answer = answered(endless_head).unwrap_err();
        assert!(matches!(&answer, HttpError::Unheard(_)), "{answer}");
    }

    #[test]
    fn whoever_has_the_request_and_gives_no_answer_may_have_done_what_it_asks() {
        for garbage in ["", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 99", "\u{0}\u{1}\r\n\r\n"] {
            let answer = answered(|stream| stream.write_all(garbage.as_bytes()).unwrap());
            let failure = answer.unwrap_err();
            assert!(failure.may_have_arrived(), "{garbage:?}: {failure}");
        }
    }

    #[test]
    fn what_broke_within_an_answer_is_still_answered() {
        let answer = answered(|stream| {
            stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 30\r\n\r\n0: Ac").unwrap();
        });
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (202, b"0: Ac".as_slice()));
    }

    #[test]
    fn whoever_cannot_be_asked_has_done_nothing() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for address in [format!("http://{nobody}/x"), "http://name.invalid/x".to_owned()] {
            let failure = called(&address.parse().unwrap()).unwrap_err();
            assert!(matches!(failure, HttpError::Connect(_)), "{address}: {failure}");
            assert!(!failure.may_have_arrived(), "{address}");
        }
    }

    /// What is known of a request of which the other end takes so many bytes, and hangs up.
    fn cut_after(taken: usize, body: &'static [u8]) -> HttpError {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (near, mut far) = tokio::io::duplex(1);
            let request = Request::post("/x").body(Full::new(Bytes::from_static(body))).unwrap();
            let asked = exchange(near, request, (LIMITS, Instant::now() + LIMITS.whole));
            let taking = async move {
                far.read_exact(&mut vec![0; taken]).await.unwrap();
            };
            let (answer, ()) = tokio::join!(asked, taking);
            answer.unwrap_err()
        })
    }

    #[test]
    fn a_request_that_was_cut_short_is_none() {
        let head = "POST /x HTTP/1.1\r\ncontent-length: 4\r\n\r\n".len();
        for taken in [1, head - 1, head, head + 2] {
            let failure = cut_after(taken, b"text");
            assert!(matches!(failure, HttpError::Broke(_)), "{taken}: {failure}");
            assert!(!failure.may_have_arrived(), "{taken}");
        }
        let failure = cut_after(head + 4, b"text");
        assert!(failure.may_have_arrived(), "{failure}");
        // one without a body is whole with its head
        let head = "POST /x HTTP/1.1\r\n\r\n".len();
        assert!(!cut_after(head - 2, b"").may_have_arrived());
        assert!(cut_after(head, b"").may_have_arrived());
    }

    #[test]
    fn an_address_is_one_and_keeps_no_secret() {
        let target: Target = "http://127.0.0.1:13013/cgi-bin/sendsms?smsc=a".parse().unwrap();
        assert_eq!(target.to_string(), "http://127.0.0.1:13013");
        assert_eq!(target.path, "/cgi-bin/sendsms?smsc=a");
        let target: Target = "http://[::1]".parse().unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 80));
        assert_eq!(target.path, "/");
        let target: Target = "https://sms.example.org/send".parse().unwrap();
        assert_eq!((target.port, target.is_tls()), (443, true));
        assert_eq!(target.to_string(), "https://sms.example.org");
        for (text, error) in [
            ("", TargetError::NoAddress),
            ("/cgi-bin/sendsms", TargetError::NoAddress),
            ("host:80", TargetError::NoAddress),
            ("ftp://host/", TargetError::NoAddress),
            ("http://user:word@host/", TargetError::HasLogin),
            ("https:///path", TargetError::NoAddress),
        ] {
            assert_eq!(text.parse::<Target>(), Err(error), "{text}");
        }
    }
}
