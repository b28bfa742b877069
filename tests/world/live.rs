//! The server's live stream as a page reads it.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use serde_json::Value;

/// A page that looks live, until it is dropped.
#[derive(Debug)]
pub struct Viewer {
    known: Arc<Mutex<Known>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a page knows.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The names of the events that came, in order.
    pub events: Vec<String>,
    /// Every fact by its list and its name.
    pub facts: BTreeMap<String, Value>,
    /// The id of the last event.
    pub id: Option<String>,
    /// The position of the last event.
    pub position: i64,
    /// Whether the stream has ended.
    pub is_over: bool,
}

impl Viewer {
    /// One that comes back knows what it knew, and names the last event that it took.
    pub(crate) fn open(address: &str, token: &str, known: Option<Known>) -> Self {
        let last_event = known.as_ref().and_then(|known| known.id.clone());
        let known = known.map(|known| Known { events: Vec::new(), ..known }).unwrap_or_default();
        let known = Arc::new(Mutex::new(known));
        let is_over = Arc::<AtomicBool>::default();
        let mut request = ureq::get(address).header("Authorization", format!("Bearer {token}"));
        if let Some(last_event) = last_event {
            request = request.header("Last-Event-ID", last_event);
        }
        let answer = request.call().unwrap_or_else(|error| panic!("{address}: {error}"));
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let lines = BufReader::new(answer.into_body().into_reader());
        let (told, ends) = (Arc::clone(&known), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            let mut event = Vec::new();
            for line in lines.lines().map_while(Result::ok) {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                if line.is_empty() {
                    lock(&told).take(&event);
                    event.clear();
                } else {
                    event.push(line);
                }
            }
            lock(&told).is_over = true;
        });
        Self { known, is_over, thread: Some(thread) }
    }

    /// What it knows by now.
    pub fn known(&self) -> Known {
        lock(&self.known).clone()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        // the next beat wakes it
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let told = thread.join();
            assert!(told.is_ok() || std::thread::panicking(), "a page could not read an event");
        }
    }
}

impl Known {
    /// A fact, null where it is not known.
    pub fn fact(&self, name: &str) -> Value {
        self.facts.get(name).cloned().unwrap_or_default()
    }

    fn take(&mut self, lines: &[String]) {
        let (mut name, mut data) = (String::new(), Value::Null);
        for line in lines {
            let (field, value) = line.split_once(": ").expect("a field and its value");
            match field {
                "event" => value.clone_into(&mut name),
                "data" => data = serde_json::from_str(value).expect("JSON"),
                "id" => self.id = Some(value.to_owned()),
                "retry" => {}
                other => panic!("an unknown field `{other}`"),
            }
        }
        if name == "snapshot" {
            self.facts.clear();
        }
        self.position = data["position"].as_i64().expect("a position");
        for single in ["registry", "counts"] {
            if !data[single].is_null() {
                self.facts.insert(single.to_owned(), data[single].clone());
            }
        }
        for list in ["sections", "alarms", "gauges"] {
            for fact in data[list].as_array().into_iter().flatten() {
                let text = |key: &str| fact[key].as_str().unwrap_or_default().to_owned();
                let own = match list {
                    "sections" => format!("{}/{}", text("station"), text("section")),
                    "alarms" => text("id"),
                    _ => text("gauge"),
                };
                self.facts.insert(format!("{list} {own}"), fact.clone());
            }
            for own in data[format!("{list}_gone")].as_array().into_iter().flatten() {
                self.facts.remove(&format!("{list} {}", own.as_str().unwrap_or_default()));
            }
        }
        self.events.push(name);
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
