//! The embedded broker against whoever breaks its rules, through the connection that agents use.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test that meets anything else says so and ends"
)]

use std::{future::Future, net::SocketAddr, time::Duration};

use ingest::{
    rights::Account,
    shell::broker::{Accounts, Refusals, embedded},
};
use model::wire::topic::SERVER_FILTERS;
use prometheus::Registry;
use runtime::{
    mqtt::{
        Answer, Closed, Event, Events, Login, MAX_PACKET_BYTES, Message, Options, Outgoing, Pipe,
        Session, Version, open,
    },
    tasks::{Stage, Tasks},
};
use secrecy::SecretString;
use tokio::{net::TcpStream, time::timeout};

const PATIENCE: Duration = Duration::from_secs(20);
const SERVER: &str = "baseflow-ingest";
static LARGE: [u8; 2 << 20] = [7; 2 << 20];

/// A broker with the server's account and those of `gw-1` and `gw-2`.
struct World {
    tasks: Tasks,
    clients: Stage,
    address: SocketAddr,
    metrics: Registry,
}

fn password(name: &str) -> SecretString {
    format!("secret of {name}").into()
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_elapsed| panic!("waited in vain: {what}"))
}

impl World {
    async fn new() -> Self {
        let mut accounts = Accounts::default();
        accounts.add(SERVER.to_owned(), Account::Server, &password(SERVER));
        for name in ["gw-1", "gw-2"] {
            let account = Account::Agent(name.parse().unwrap());
            accounts.add(name.to_owned(), account, &password(name));
        }
        let metrics = Registry::new();
        let broker = embedded(0, accounts, Refusals::new(&metrics).unwrap()).await.unwrap();
        let address = broker.address();
        let mut tasks = Tasks::new();
        let clients = Tasks::new().stage("clients", Duration::from_secs(1));
        let stage = tasks.stage("broker", Duration::from_secs(5));
        stage.spawn("broker", broker.serve(stage.stopping()));
        Self { tasks, clients, address, metrics }
    }

    fn options(&self, name: &str) -> Options {
        let broker = format!("mqtt://{}", self.address).parse().unwrap();
        let login = Login { username: name.to_owned(), password: password(name) };
        Options { login: Some(login), ..Options::new(broker, name.to_owned()) }
    }

    async fn connect(&self, options: &Options) -> Result<Line, Closed> {
        let (pipe, mut events) = open(options, &self.clients);
        match soon("an answer to a connection", events.next()).await {
            Event::Connected { .. } => Ok(Line { pipe, events }),
            Event::Closed(why) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    async fn login(&self, name: &str) -> Line {
        self.connect(&self.options(name)).await.unwrap()
    }

    /// What a log-in that must not succeed is told.
    async fn refused(&self, options: &Options) -> String {
        match self.connect(options).await {
            Err(Closed::Refused(reason)) => reason,
            Err(other) => panic!("not refused: {other}"),
            Ok(_) => panic!("let in"),
        }
    }

    fn refusals(&self, what: &str) -> f64 {
        let families = self.metrics.gather();
        let family = families
            .iter()
            .find(|family| family.name() == "baseflow_ingest_broker_refused_total")
            .unwrap();
        let counted = family
            .get_metric()
            .iter()
            .find(|metric| metric.get_label().iter().any(|label| label.value() == what));
        counted.unwrap().get_counter().get_value()
    }
}

/// One connection.
struct Line {
    pipe: Pipe,
    events: Events,
}

impl Line {
    async fn publish(&mut self, topic: &str, payload: &'static [u8]) -> Answer {
        self.pipe.publish(1, outgoing(topic, payload, false)).unwrap();
        loop {
            match soon("an acknowledgement", self.events.next()).await {
                Event::Acknowledged { answer, .. } => return answer,
                Event::Message(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Subscribes, and gives the filters that were refused.
    async fn subscribe(&mut self, filters: &[&str]) -> Vec<String> {
        self.pipe.subscribe(filters).unwrap();
        loop {
            match soon("an answer to a subscription", self.events.next()).await {
                Event::Subscribed { refused } => {
                    return refused.into_iter().map(|(filter, _reason)| filter).collect();
                }
                Event::Message(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn message(&mut self) -> Message {
        match soon("a message", self.events.next()).await {
            Event::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }
}

fn outgoing(topic: &str, payload: &'static [u8], is_retained: bool) -> Outgoing {
    Outgoing { topic: topic.to_owned(), payload: payload.into(), is_retained }
}

#[tokio::test]
async fn who_has_not_proved_a_name_is_not_let_in() {
    let world = World::new().await;
    let anonymous = Options { login: None, ..world.options("gw-1") };
    world.refused(&anonymous).await;
    let wrong = Login { username: "gw-1".to_owned(), password: password("gw-2") };
    world.refused(&Options { login: Some(wrong), ..world.options("gw-1") }).await;
    world.refused(&world.options("gw-3")).await;
    // under another's client id it would end the other's connection
    let borrowed = Options { client_id: "gw-2".to_owned(), ..world.options("gw-1") };
    world.refused(&borrowed).await;
    let own = Options { client_id: "gw-1-more".to_owned(), ..world.options("gw-1") };
    world.refused(&own).await;
    // a last will is published by the broker, and by nobody else's name
    let will = |topic| Some(outgoing(topic, b"{}", true));
    let foreign = Options { will: will("baseflow/v1/gw-2/status"), ..world.options("gw-1") };
    world.refused(&foreign).await;
    assert!((world.refusals("connect") - 6.0).abs() < f64::EPSILON);
    let sound = Options { will: will("baseflow/v1/gw-1/status"), ..world.options("gw-1") };
    world.connect(&sound).await.unwrap();
    let spoken_4 = Options { version: Version::V4, ..world.options("gw-2") };
    world.connect(&spoken_4).await.unwrap();
    let stranger_4 = Options { version: Version::V4, login: None, ..world.options("gw-2") };
    world.refused(&stranger_4).await;
}

#[tokio::test]
async fn nobody_speaks_for_another_in_either_direction() {
    let world = World::new().await;
    let (mut agent, mut server) = (world.login("gw-1").await, world.login(SERVER).await);
    for topic in [
        "baseflow/v1/gw-2/batch",
        "baseflow/v1/gw-2/json",
        "baseflow/v1/gw-2/status",
        "baseflow/v1/gw-1/commit",
        "baseflow/v1/gw-1/refused",
        "baseflow/v1/server",
        "anything/else",
    ] {
        let answer = agent.publish(topic, b"x").await;
        assert!(matches!(answer, Answer::Refused(_)), "{topic}: {answer:?}");
    }
    for topic in ["baseflow/v1/gw-1/batch", "baseflow/v1/gw-1/json", "baseflow/v1/gw-1/status"] {
        assert!(!matches!(agent.publish(topic, b"x").await, Answer::Refused(_)), "{topic}");
        let answer = server.publish(topic, b"x").await;
        assert!(matches!(answer, Answer::Refused(_)), "{topic}: {answer:?}");
    }
    assert!(!matches!(server.publish("baseflow/v1/gw-9/commit", b"x").await, Answer::Refused(_)));
    assert!((world.refusals("publish") - 10.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_filter_that_matches_what_is_said_to_others_is_refused() {
    let world = World::new().await;
    let mut agent = world.login("gw-1").await;
    let foreign = [
        "#",
        "baseflow/v1/#",
        "baseflow/v1/+/commit",
        "baseflow/v1/+/batch",
        "baseflow/v1/gw-2/commit",
        "baseflow/v1/gw-1/batch",
        "$SYS/#",
    ];
    assert_eq!(agent.subscribe(&foreign).await, foreign);
    assert_eq!(agent.subscribe(&["$share/all/baseflow/v1/+/batch"]).await.len(), 1);
    let own = ["baseflow/v1/gw-1/commit", "baseflow/v1/gw-1/refused", "baseflow/v1/server"];
    assert!(agent.subscribe(&own).await.is_empty());
    let mut server = world.login(SERVER).await;
    assert!(server.subscribe(&SERVER_FILTERS).await.is_empty());
    // what nobody may hear does not come: of two notices the one to gw-1 alone
    server.publish("baseflow/v1/gw-2/commit", b"two").await;
    server.publish("baseflow/v1/gw-1/commit", b"one").await;
    assert_eq!(agent.message().await.payload, b"one".as_slice());
}

#[tokio::test]
async fn what_is_said_while_the_server_is_away_waits_for_it() {
    let world = World::new().await;
    let kept = Session::Kept(Duration::from_mins(10));
    let options = Options { session: kept, ..world.options(SERVER) };
    let mut server = world.connect(&options).await.unwrap();
    assert!(server.subscribe(&SERVER_FILTERS).await.is_empty());
    server.pipe.close();
    while !matches!(soon("the end", server.events.next()).await, Event::Closed(_)) {}
    let mut agent = world.login("gw-1").await;
    assert_eq!(agent.publish("baseflow/v1/gw-1/batch", b"one").await, Answer::Taken);
    assert_eq!(agent.publish("baseflow/v1/gw-1/batch", b"two").await, Answer::Taken);
    let mut server = world.connect(&options).await.unwrap();
    assert_eq!(server.message().await.payload, b"one".as_slice());
    assert_eq!(server.message().await.payload, b"two".as_slice());
}

#[tokio::test]
async fn a_payload_of_two_mebibytes_passes_and_the_broker_says_that_more_does_not() {
    let world = World::new().await;
    let (mut agent, mut server) = (world.login("gw-1").await, world.login(SERVER).await);
    assert!(server.subscribe(&SERVER_FILTERS).await.is_empty());
    let most = usize::try_from(MAX_PACKET_BYTES).unwrap();
    assert_eq!(agent.pipe.max_packet_bytes(), most);
    assert_eq!(agent.publish("baseflow/v1/gw-1/batch", &LARGE).await, Answer::Taken);
    assert_eq!(server.message().await.payload.len(), LARGE.len());
}

#[tokio::test]
async fn it_ends_its_connections_when_it_is_to_stop() {
    let World { tasks, clients, address, metrics } = World::new().await;
    let world = World { tasks: Tasks::new(), clients, address, metrics };
    let mut agent = world.login("gw-1").await;
    let left_over = soon("the end of the broker", tasks.stop()).await;
    assert!(left_over.is_empty(), "{left_over:?}");
    while !matches!(soon("the end", agent.events.next()).await, Event::Closed(_)) {}
    // its listener goes with a task that the library ends
    let gone = async { while TcpStream::connect(address).await.is_ok() {} };
    soon("a port that nobody listens on", gone).await;
}
