//! A station that is watched: its registry, the river that a third party tells of, and what came of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use model::time::Timestamp;
use serde_json::Value;
use world::{Server, World, wait};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What alarms stand on: 0.5 m³/s, two seconds below, two seconds well; zhang at once, li after
/// eight seconds.
pub(crate) const RULES: &str = r#"
  [[station.mandate]]
  document = "示例文号 1"
  from = "2024-01-01"
  seasons = [ { from = "01-01", flow = 0.5 } ]
  rule = "hourly"

[[rule]]
id = "hourly"
statistic = "hourly_mean"

[[alarm_rule]]
id = "low"
kind = "below_mandate"
severity = "orange"
on_delay = "2s"
off_delay = "2s"
ladder = "duty"

[[alarm_rule]]
id = "silent"
kind = "no_data"
severity = "blue"
on_delay = "1s"
off_delay = "1s"
ladder = "duty"

[[contact]]
id = "zhang"
reach = [ { channel = "sms", to = "13800000001" } ]

[[contact]]
id = "li"
reach = [ { channel = "sms", to = "13800000002" } ]

[[ladder]]
id = "duty"
steps = [ { contact = "zhang" }, { contact = "li", after = "8s" } ]
"#;

/// A station whose readings a third party sends.
pub(crate) const STATION: &str = r#"
[[station]]
id = "BF-alarmed"
name = "鹿鸣滩"
agent = "gw-third"

  [[station.gauge]]
  id = "release"
  quantity = "flow"
  unit = "m3/s"
  interval = "1s"

  [[station.outlet]]
  id = "pipe"
  flow = { gauge = "release" }
"#;

/// A third party that sends what the river is, four times a second, until it is dropped.
pub(crate) struct River {
    litres: Arc<AtomicI64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Nothing is sent.
pub(crate) const SILENT: i64 = -1;

impl River {
    pub(crate) fn flows(world: &World, litres: i64) -> Self {
        let third = world.broker.client("gw-third");
        let litres = Arc::new(AtomicI64::new(litres));
        let is_over = Arc::<AtomicBool>::default();
        let (flow, ends) = (Arc::clone(&litres), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let litres = flow.load(Ordering::Relaxed);
                if litres != SILENT {
                    let at = Timestamp::clamped(wait::now_ms());
                    let value = format!("{}.{:03}", litres / 1_000, litres % 1_000);
                    let text = format!(
                        r#"{{"readings":{{"gauge":"BF-alarmed/release","at":"{at}","value":{value}}}}}"#
                    );
                    third.publish("baseflow/v1/gw-third/json", text.as_str());
                }
                std::thread::park_timeout(Duration::from_millis(250));
            }
        });
        Self { litres, is_over, thread: Some(thread) }
    }

    pub(crate) fn set(&self, litres: i64) {
        self.litres.store(litres, Ordering::Relaxed);
    }
}

impl Drop for River {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // what it found wrong, it has said
            drop(thread.join());
        }
    }
}

pub(crate) fn alarmed(name: &str) -> World {
    let mut world = World::new(name);
    world.server.keep_watch();
    world.open_with(&[], &["gw-third"], &format!("{STATION}{RULES}"));
    world
}

pub(crate) fn alarms(server: &Server) -> Vec<Value> {
    server.api().list("alarms", "")
}

/// Alarms that were raised, each with its state.
pub(crate) fn states(server: &Server) -> Vec<String> {
    let raised = alarms(server).into_iter().filter(|alarm| alarm["state"] != "pending");
    raised.map(|alarm| alarm["state"].as_str().unwrap_or_default().to_owned()).collect()
}

pub(crate) fn until_states(server: &Server, what: &str, wanted: &[&str]) {
    wait::until(what, PATIENCE, || {
        let seen = states(server);
        if seen == wanted { Ok(()) } else { Err(format!("{seen:?}, {:?}", server.messages())) }
    });
}

pub(crate) fn until_messages(server: &Server, what: &str, count: usize) -> Vec<Value> {
    wait::until(what, PATIENCE, || {
        let seen = server.messages();
        if seen.len() >= count { Ok(seen) } else { Err(format!("{seen:?}; {:?}", states(server))) }
    })
}

pub(crate) fn text(message: &Value) -> &str {
    message["text"].as_str().expect("a text")
}
