//! The server's HTTP API as a client sees it, and its files of samples.

use std::{collections::BTreeMap, time::Duration};

use model::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use ureq::http::Method;

use crate::{
    decode::Exact,
    live::{Known, Viewer},
    process::Finished,
    server::Server,
};

/// A client with a token.
#[derive(Debug, Clone)]
pub struct Api {
    agent: ureq::Agent,
    base: String,
    token: String,
}

/// What a call answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub text: String,
}

/// A sample as the API or a file gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    /// ms.
    pub at_ms: i64,
    /// Missing where the device gave none.
    pub value: Option<Exact>,
    /// The word.
    pub quality: String,
    /// The word for what is wrong, if anything is.
    pub reason: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    samples: Vec<Row>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    at: String,
    #[serde(default)]
    value: Option<Box<RawValue>>,
    quality: String,
    #[serde(default)]
    reason: Option<String>,
}

impl Answer {
    /// The body as JSON, where the call succeeded.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.text);
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.text))
    }
}

impl Api {
    /// A client of the server at this port of loopback.
    pub fn new(port: u16, token: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        let base = format!("http://127.0.0.1:{port}/api/v1");
        Self { agent: config.into(), base, token: token.to_owned() }
    }

    /// The same address with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// A page outside the API that asks for no token.
    pub(crate) fn plain(port: u16, path: &str) -> Result<String, String> {
        let answer = ureq::get(format!("http://127.0.0.1:{port}{path}")).call();
        let mut answer = answer.map_err(|error| format!("{path}: {error}"))?;
        answer.body_mut().read_to_string().map_err(|error| format!("{path}: {error}"))
    }

    /// Calls a path below `/api/v1`.
    pub fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, ureq::Error> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("Authorization", format!("Bearer {}", self.token));
        let sent = match body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json");
                self.agent.run(request.body(body.to_string()).expect("a request"))
            }
            None => self.agent.run(request.body(()).expect("a request")),
        };
        let mut answer = sent?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().with_config().limit(1 << 30).read_to_string()?;
        Ok(Answer { status, text })
    }

    /// A page that looks live; one that comes back knows something already.
    pub fn live(&self, query: &str, known: Option<Known>) -> Viewer {
        Viewer::open(&format!("{}/live{query}", self.base), &self.token, known)
    }

    /// Gets a path, whatever the status; an error where nobody answers.
    pub fn try_get(&self, path: &str) -> Result<Answer, ureq::Error> {
        self.call(Method::GET, path, None)
    }

    /// Gets a path that must be there.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.try_get(path).unwrap_or_else(|error| panic!("{path}: {error}")).json()
    }

    /// Posts a body.
    #[track_caller]
    pub fn post(&self, path: &str, body: Option<&Value>) -> Answer {
        self.call(Method::POST, path, body).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Every item of a list, through all its pages.
    #[track_caller]
    pub fn list(&self, name: &str, query: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("/{name}?limit=1000{query}{cursor}"));
            let list = page[name].as_array().unwrap_or_else(|| panic!("no {name} in {page}"));
            items.extend(list.iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={}", escaped(next)),
                None => return items,
            }
        }
    }

    /// One page of all samples of a gauge, and the cursor of the next.
    pub fn page(
        &self,
        gauge: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<(Vec<Sample>, Option<String>), String> {
        let cursor =
            cursor.map(|cursor| format!("&cursor={}", escaped(cursor))).unwrap_or_default();
        self.samples_of(&format!("/gauges/{gauge}/samples?limit={limit}{cursor}"))
    }

    /// The samples of a gauge from a moment on, one page at most.
    pub fn samples_since(&self, gauge: &str, from_ms: i64) -> Result<Vec<Sample>, String> {
        let from = Timestamp::clamped(from_ms);
        let (samples, _) =
            self.samples_of(&format!("/gauges/{gauge}/samples?limit=10000&from={from}"))?;
        Ok(samples)
    }

    fn samples_of(&self, path: &str) -> Result<(Vec<Sample>, Option<String>), String> {
        let answer = self.try_get(path).map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(format!("{}: {}", answer.status, answer.text));
        }
        let page: Page = serde_json::from_str(&answer.text).map_err(|error| error.to_string())?;
        Ok((page.samples.into_iter().map(Row::sample).collect(), page.next))
    }

    /// Every sample of a gauge, through all pages.
    pub fn samples(&self, gauge: &str) -> Result<Vec<Sample>, String> {
        let mut samples = Vec::new();
        let mut cursor = None;
        loop {
            let (mut page, next) = self.page(gauge, 10_000, cursor.as_deref())?;
            samples.append(&mut page);
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(samples),
            }
        }
    }
}

impl Row {
    fn sample(self) -> Sample {
        let at: Timestamp = self.at.parse().unwrap_or_else(|_| panic!("{} is no moment", self.at));
        let value = self.value.filter(|value| value.get() != "null").map(|value| {
            Exact::parse(value.get()).unwrap_or_else(|| panic!("{value} is no exact number"))
        });
        Sample { at_ms: at.as_ms(), value, quality: self.quality, reason: self.reason }
    }
}

fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Every sample of every gauge in what `baseflow export samples` prints.
pub fn exported(server: &Server) -> BTreeMap<String, Vec<Sample>> {
    let text = Finished::success(server.command(&["export", "samples", "--format", "csv"]));
    csv_samples(&text)
}

fn csv_samples(text: &str) -> BTreeMap<String, Vec<Sample>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> =
        reader.headers().expect("a header").iter().map(str::to_owned).collect();
    assert_eq!(header.join(","), "station,gauge,at,value,unit,quality,reason");
    let mut samples: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    for row in reader.records() {
        let row = row.expect("a row of the header's width");
        let at: Timestamp = row[2].parse().unwrap_or_else(|_| panic!("{} is no moment", &row[2]));
        let exact =
            |text| Exact::parse(text).unwrap_or_else(|| panic!("{text} is no exact number"));
        samples.entry(format!("{}/{}", &row[0], &row[1])).or_default().push(Sample {
            at_ms: at.as_ms(),
            value: (!row[3].is_empty()).then(|| exact(&row[3])),
            quality: row[5].to_owned(),
            reason: (!row[6].is_empty()).then(|| row[6].to_owned()),
        });
    }
    samples
}
