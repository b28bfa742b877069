//! A client of the broker in the test's own hands.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use model::{batch::CommitNotice, wire::commit_v1};
use rumqttc::v5::{
    Client, Event, MqttOptions,
    mqttbytes::{
        QoS,
        v5::{Packet, PubAckReason},
    },
};

use crate::{folder::PATIENCE, wait};

/// A message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// On which topic.
    pub topic: String,
    /// What it holds.
    pub payload: Vec<u8>,
}

/// A connection under one account.
pub struct Mqtt {
    client: Client,
    answers: mpsc::Receiver<PubAckReason>,
    inbox: Arc<Mutex<Vec<Message>>>,
}

impl Mqtt {
    /// As an account, which hears what an agent is told.
    pub(crate) fn connect(port: u16, (account, password): (&str, &str), agent: &str) -> Self {
        let mut options = MqttOptions::new(account, "127.0.0.1", port);
        options.set_credentials(account, password);
        options.set_clean_start(true);
        options.set_max_packet_size(Some(4 << 20));
        let (client, mut connection) = Client::new(options, 8);
        let (tell, answers) = mpsc::sync_channel(64);
        let (ready, is_ready) = mpsc::sync_channel(1);
        let inbox = Arc::<Mutex<Vec<Message>>>::default();
        let messages = Arc::clone(&inbox);
        // It ends with the connection.
        thread::spawn(move || {
            while let Ok(Ok(event)) = connection.recv() {
                let told = match event {
                    Event::Incoming(Packet::ConnAck(_) | Packet::SubAck(_)) => {
                        ready.try_send(()).is_ok()
                    }
                    Event::Incoming(Packet::PubAck(ack)) => tell.send(ack.reason).is_ok(),
                    Event::Incoming(Packet::Publish(publish)) => {
                        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                        let payload = publish.payload.to_vec();
                        let mut inbox = messages.lock().unwrap_or_else(PoisonError::into_inner);
                        inbox.push(Message { topic, payload });
                        true
                    }
                    _ => true,
                };
                if !told {
                    break;
                }
            }
        });
        let connected = is_ready.recv_timeout(PATIENCE);
        connected.unwrap_or_else(|_| panic!("the broker does not let {account} in"));
        let mqtt = Self { client, answers, inbox };
        for topic in ["commit", "refused"] {
            let topic = format!("baseflow/v1/{agent}/{topic}");
            mqtt.client.subscribe(topic, QoS::AtLeastOnce).expect("a running client");
            is_ready.recv_timeout(PATIENCE).expect("the broker answers a subscription");
        }
        mqtt
    }

    /// Publishes, and gives the broker's answer.
    pub fn publish(&self, topic: &str, payload: impl Into<Vec<u8>>) -> PubAckReason {
        let sent = self.client.publish(topic, QoS::AtLeastOnce, false, payload.into());
        sent.expect("a running client");
        self.answers.recv_timeout(PATIENCE).expect("the broker answers a message")
    }

    /// What came on the account's topics `commit` and `refused` until now.
    pub fn inbox(&self) -> Vec<Message> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many messages have come, for another thread to ask.
    pub fn counter(&self) -> impl Fn() -> usize + Send + 'static {
        let inbox = Arc::clone(&self.inbox);
        move || inbox.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Every (epoch, sequence) that commit notices have named until now, and how often.
    pub fn named(&self) -> BTreeMap<(u64, u64), u32> {
        let mut named = BTreeMap::new();
        for message in self.inbox().iter().filter(|message| message.topic.ends_with("/commit")) {
            let CommitNotice { epoch, ranges, .. } =
                commit_v1::decode(&message.payload).expect("a commit notice");
            for (first, last) in ranges {
                for sequence in first..=last {
                    *named.entry((epoch.0, sequence)).or_default() += 1;
                }
            }
        }
        named
    }

    /// Waits until the messages on a topic are what `look` looks for.
    pub fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        topic: &str,
        mut look: impl FnMut(&[Vec<u8>]) -> Option<T>,
    ) -> T {
        wait::until(what, patience, || {
            let messages =
                self.inbox().into_iter().filter(|message| message.topic.ends_with(topic));
            let payloads: Vec<Vec<u8>> = messages.map(|message| message.payload).collect();
            look(&payloads).ok_or_else(|| {
                let texts = payloads.iter().map(|payload| String::from_utf8_lossy(payload));
                format!("{} on {topic}: {}", payloads.len(), texts.collect::<Vec<_>>().join("\n"))
            })
        })
    }
}

impl Drop for Mqtt {
    fn drop(&mut self) {
        // Where the connection is gone already there is nothing to end.
        drop(self.client.try_disconnect());
    }
}
