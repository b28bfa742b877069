//! Log lines on standard error, a level that can be changed while running, and repeats held back.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, stderr},
    str::FromStr,
};

use model::{fault::Fault, time::Timestamp};
use tracing::error;
use tracing_subscriber::{
    Registry,
    filter::{LevelFilter, Targets},
    fmt,
    layer::{Layer, SubscriberExt},
    reload,
    util::{SubscriberInitExt, TryInitError},
};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text on a terminal, JSON lines elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Format {
    /// The words for it in settings: `[log] format`.
    pub const WORDS: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("json", Self::Json), ("text", Self::Text)];
}

/// What is logged: `info`, or by module: `info,runtime=debug,rumqttc=debug`.
///
/// The libraries of the lines are silent unless named: all that they know comes back as an event
/// or an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Level(Targets);

/// They log as errors what costs a connection or one reading, or what the broker's rules refuse and
/// count.
const SILENT: [&str; 4] = ["rumqttc", "tokio_modbus", "mqtt5", "mqtt5_protocol"];

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // `Targets` takes a word that is no level for a module, and a log without one for silence
        let is_level =
            |word: &str| !word.trim().is_empty() && word.trim().parse::<LevelFilter>().is_ok();
        let is_known = |part: &str| is_level(part.rsplit('=').next().unwrap_or(part));
        let mut parts = text.split(',');
        let levels = text.parse::<Targets>().ok();
        let levels = levels.filter(|_| parts.clone().all(is_known) && parts.any(is_level));
        let levels = levels.ok_or_else(|| {
            format!("`{text}` is not a level; write off, error, warn, info, debug or trace, and modules after it: info,runtime=debug")
        })?;
        let unnamed = SILENT.into_iter().filter(|name| !text.contains(name));
        Ok(Self(unnamed.fold(levels, |levels, name| levels.with_target(name, LevelFilter::OFF))))
    }
}

/// Why telemetry does not work.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Something else in the process has set a logger already.
    #[error("cannot start the log")]
    Start(#[source] TryInitError),
    /// The log is gone.
    #[error("cannot change the log level")]
    Level(#[source] reload::Error),
}

impl TelemetryError {
    /// Trying again would fail again.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Start(_) | Self::Level(_) => Fault::Permanent,
        }
    }
}

/// The running log.
#[derive(Debug, Clone)]
pub struct Telemetry {
    levels: reload::Handle<Targets, Registry>,
}

/// Starts the log on standard error, and writes panics into it. Once in a process.
pub fn start(format: Format, level: &Level) -> Result<Telemetry, TelemetryError> {
    let (filter, levels) = reload::Layer::new(level.0.clone());
    let is_text = match format {
        Format::Auto => stderr().is_terminal(),
        Format::Json => false,
        Format::Text => true,
    };
    let lines = fmt::layer().with_writer(stderr);
    let lines = if is_text {
        lines.with_ansi(stderr().is_terminal()).boxed()
    } else {
        lines.json().flatten_event(true).with_span_list(false).boxed()
    };
    let log = tracing_subscriber::registry().with(filter).with(lines);
    log.try_init().map_err(TelemetryError::Start)?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(error = panic.payload_as_str().unwrap_or_default(), place, "panic");
    }));
    Ok(Telemetry { levels })
}

impl Telemetry {
    /// Takes another level from here on.
    pub fn set_level(&self, level: &Level) -> Result<(), TelemetryError> {
        self.levels.reload(level.0.clone()).map_err(TelemetryError::Level)
    }
}

/// How long repeats are counted before they are told.
const QUIET_MS: i64 = 60_000;

/// Keys remembered; beyond them the one longest silent is forgotten, with its count.
const KEYS: usize = 256;

/// Decides which of many like messages is logged: the first of a key at once, then at most one a
/// minute, with the count of those held back. What is held back last is told with the next of its
/// kind; who wants to know at once looks at the metric that counts them all.
#[derive(Debug, Clone)]
pub struct Repeats<K> {
    keys: BTreeMap<K, Held>,
}

#[derive(Debug, Clone)]
struct Held {
    told_at: Timestamp,
    count: u64,
}

impl<K: Ord + Clone> Default for Repeats<K> {
    fn default() -> Self {
        Self { keys: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Repeats<K> {
    /// Something happened: `Some(held_back)` if it is to be logged, with the number of its like
    /// since the last log line.
    pub fn note(&mut self, key: K, now: Timestamp) -> Option<u64> {
        if let Some(held) = self.keys.get_mut(&key) {
            if (0..QUIET_MS).contains(&now.ms_since(held.told_at)) {
                held.count += 1;
                return None;
            }
            let count = std::mem::take(&mut held.count);
            held.told_at = now;
            return Some(count);
        }
        if self.keys.len() >= KEYS {
            let oldest = self.keys.iter().min_by_key(|(_, held)| held.told_at);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.keys.remove(&key);
            }
        }
        self.keys.insert(key, Held { told_at: now, count: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_then_a_count_each_minute() {
        let start: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let mut repeats = Repeats::default();
        let mut at = |seconds: i64| repeats.note("timeout", start.plus_ms(seconds * 1_000));
        assert_eq!([at(0), at(1), at(59), at(60), at(61)], [Some(0), None, None, Some(2), None]);
        assert_eq!([at(119), at(3_600)], [None, Some(2)]);
    }

    #[test]
    fn a_clock_set_back_holds_nothing_back() {
        let start: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let mut repeats = Repeats::default();
        assert_eq!(repeats.note(1, start), Some(0));
        assert_eq!(repeats.note(1, start.plus_ms(-86_400_000)), Some(0));
    }

    #[test]
    fn keys_are_bounded() {
        let start: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let mut repeats = Repeats::default();
        for key in 0..10_000 {
            repeats.note(key, start.plus_ms(key));
        }
        assert_eq!(repeats.keys.len(), KEYS);
    }

    #[test]
    fn a_level_is_a_word_or_a_list_by_module() {
        let levels = "debug".parse::<Level>().unwrap().0;
        assert!(!levels.would_enable("rumqttc::v5::state", &tracing::Level::ERROR));
        assert!(!levels.would_enable("tokio_modbus::codec::rtu", &tracing::Level::ERROR));
        let named = "info,rumqttc=debug".parse::<Level>().unwrap().0;
        assert!(named.would_enable("rumqttc::v5::state", &tracing::Level::DEBUG));
        for good in ["info", "warn,runtime=debug", "off"] {
            assert!(good.parse::<Level>().is_ok(), "{good}");
        }
        for bad in
            ["", "loud=very", "info,runtime=noisy", "warning", "inof", "runtime=debug", "info,"]
        {
            assert!(bad.parse::<Level>().is_err(), "{bad}");
        }
    }
}
