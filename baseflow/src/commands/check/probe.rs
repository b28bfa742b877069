//! `check --probe`: tries the data folder and the broker's rules, and leaves both as they were.
//!
//! Everything that must be refused is really tried, under the accounts that are given, on the
//! topics of an agent that nobody is. The server's session is joined as the server itself joins
//! it, and nothing in it is acknowledged, so that what waits there for the server stays there.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use model::{
    fault::Chain,
    ids::AgentId,
    wire::topic::{SERVER_FILTERS, Topic},
};
use runtime::{
    mqtt::{
        self, Answer, Closed, Event, Events, Login, MAX_PACKET_BYTES, Options, Outgoing, Pipe,
        Session, Version,
    },
    settings::read_secret_file,
    tasks::{Stage, Tasks},
};
use store::{Role, Store};
use tokio::time::timeout;

use super::Findings;
use crate::{
    commands::VERSION,
    settings::{ChannelKind, Config},
};

/// How long the broker may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long messages that a broker keeps for new subscribers may take to come.
const QUIET: Duration = Duration::from_secs(1);
/// An agent that nobody is.
const NOBODY: &str = "baseflow-probe-nobody";

/// An account of an agent or a third party, to try the rules with.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// Its name, which is the agent's.
    pub(crate) agent: AgentId,
    /// Where its password stands.
    pub(crate) password_file: PathBuf,
}

/// Tries everything and tells each result.
pub(super) fn probe(
    config: &Config,
    account: Option<&Account>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let running = data_folder(config, findings)?;
    let login = account.map(login_of).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut tasks = Tasks::new();
    let prober = Prober { config, stage: tasks.stage("probe", PATIENCE) };
    runtime.block_on(async {
        prober.stranger(findings).await?;
        match running {
            // Not under another client id either: `use_username_as_clientid`, which deploy/mosquitto
            // needs, makes it the server's again, and a clean session under it drops what waits there.
            Some(holder) => findings.skipped(&format!(
                "broker, as the server: its password, the size of packets, what it may hear, and what \
                 it may and must not publish are not tried, since a server runs on this data_dir \
                 ({holder}): the broker gives an account one connection, and the server would lose \
                 its own. /readyz tells whether it is connected; stop it to try the rest"
            ))?,
            None => prober.server(findings).await?,
        }
        if let Some(account) = account {
            let file = &account.password_file;
            super::warn(super::cautions::loose("--password-file", file).as_slice());
        }
        match (account, login) {
            (Some(account), Some(login)) => prober.agent(&account.agent, login, findings).await,
            (_, _) => findings.skipped(
                "broker, as an agent: no account was given; add --agent NAME --password-file FILE",
            ),
        }
    })?;
    runtime.block_on(channels(config, findings))
}

/// Whether each gateway is there and lets us in; nothing is sent.
async fn channels(config: &Config, findings: &mut Findings) -> anyhow::Result<()> {
    for (name, channel) in &config.channels {
        let kannel = match channel {
            ChannelKind::Kannel(kannel) => kannel,
            ChannelKind::File { path } => {
                let place = path.display();
                match alerting::shell::file::look(path) {
                    Ok(()) => {
                        findings
                            .skipped(&format!("channel {name}: `{place}` is not written to"))?;
                    }
                    Err(error) => findings.bad(&format!("channel {name}: `{place}`: {error}"))?,
                }
                continue;
            }
        };
        let gateway = kannel.gateway(name, None, &config.http.public_url)?;
        match gateway.probe().await {
            Ok(()) => findings.good(&format!("channel {name}: the gateway lets us in"))?,
            Err(error) => findings.bad(&format!("channel {name}: {}", Chain(&error)))?,
        }
    }
    Ok(())
}

fn login_of(account: &Account) -> anyhow::Result<Login> {
    let password = read_secret_file(&account.password_file)?;
    Ok(Login { username: account.agent.to_string(), password })
}

/// The databases, where there are any; and who runs on them.
fn data_folder(config: &Config, findings: &mut Findings) -> anyhow::Result<Option<String>> {
    let folder = config.data_dir.display();
    let holder = store::holder(&config.data_dir)
        .with_context(|| format!("cannot look at the lock of `{folder}`"))?;
    if !store::exists(&config.data_dir).unwrap_or(false) {
        match super::tried(&config.data_dir) {
            Ok(()) => findings.good(&format!("data: nothing in `{folder}` yet; `run` makes it"))?,
            Err(problem) => findings.bad(&problem)?,
        }
        return Ok(holder);
    }
    let now = runtime::clock::Clock::now(&runtime::clock::SystemClock);
    let options = store::Options { now, version: VERSION.to_owned(), role: Role::Command };
    match Store::open(&config.data_dir, &options, &prometheus::Registry::new()) {
        Ok(store) => {
            findings.good(&format!("data: `{folder}` opens, store {}", store.id()))?;
            store.close();
        }
        Err(error) => findings.bad(&format!("data: {}", Chain(&error)))?,
    }
    Ok(holder)
}

struct Prober<'c> {
    config: &'c Config,
    stage: Stage,
}

impl Prober<'_> {
    fn options(&self, client_id: &str, login: Option<Login>) -> Options {
        let asked = &self.config.mqtt;
        let mut options = Options::new(asked.broker.clone(), client_id.to_owned());
        (options.version, options.login) = (asked.version, login);
        options
    }

    /// Who has no account must not get in.
    async fn stranger(&self, findings: &mut Findings) -> anyhow::Result<()> {
        match self.connect(&self.options(NOBODY, None)).await {
            Ok(_) => findings.bad(
                "broker: whoever has no account gets in, and may say that it is any agent; set \
                 `allow_anonymous false`",
            ),
            Err(Closed::Refused(reason)) => {
                findings.good(&format!("broker: refuses who has no account ({reason})"))
            }
            Err(other) => {
                let broker = &self.config.mqtt.broker;
                findings.bad(&format!("broker {broker}: {}", Chain(&other)))
            }
        }
    }

    /// What the server needs, and what even its account must not do.
    async fn server(&self, findings: &mut Findings) -> anyhow::Result<()> {
        let asked = &self.config.mqtt;
        let mut options = self.options(&asked.client_id, asked.login.clone());
        options.session = Session::Kept(ingest::shell::service::SESSION);
        let mut line = match self.connect(&options).await {
            Ok(line) => line,
            Err(why) => {
                return findings.bad(&format!("broker, as the server: {}", options.told(&why)));
            }
        };
        findings.good(&format!("broker, as the server: connected to {}", asked.broker))?;
        let limit = line.pipe.max_packet_bytes();
        if limit < usize::try_from(MAX_PACKET_BYTES).unwrap_or(usize::MAX) {
            findings.bad(&format!(
                "broker: takes packets of {limit} bytes where batches may need {MAX_PACKET_BYTES}; \
                 raise its limit, as deploy/mosquitto has it"
            ))?;
        }
        line.pipe.subscribe(&SERVER_FILTERS)?;
        match line.subscribed().await? {
            refused if refused.is_empty() => findings.good("broker, as the server: may listen")?,
            refused => findings.bad(&format!("broker, as the server: may not hear {refused:?}"))?,
        }
        let nobody: AgentId = NOBODY.parse().context("a sound name")?;
        let mut rules = Rules { version: asked.version, who: "the server", findings };
        for topic in [Topic::Commit(nobody.clone()), Topic::Refused(nobody.clone())] {
            rules.allowed(&mut line, &topic).await?;
        }
        for topic in
            [Topic::Batch(nobody.clone()), Topic::Json(nobody.clone()), Topic::Status(nobody)]
        {
            rules.forbidden(&mut line, &topic).await?;
        }
        line.pipe.close();
        line.closed().await
    }

    /// What an agent's account needs, and what it must not do. Its status is left alone: what is
    /// published there, even nothing, is its last word.
    async fn agent(
        &self,
        agent: &AgentId,
        login: Login,
        findings: &mut Findings,
    ) -> anyhow::Result<()> {
        let mut line = match self.connect(&self.options(agent.as_str(), Some(login))).await {
            Ok(line) => line,
            Err(why) => return findings.bad(&format!("broker, as `{agent}`: {}", Chain(&why))),
        };
        let nobody: AgentId = NOBODY.parse().context("a sound name")?;
        let who = format!("`{agent}`");
        let mut rules = Rules { version: self.config.mqtt.version, who: &who, findings };
        for topic in [Topic::Batch(agent.clone()), Topic::Json(agent.clone())] {
            rules.allowed(&mut line, &topic).await?;
        }
        for topic in [
            Topic::Batch(nobody.clone()),
            Topic::Json(nobody.clone()),
            Topic::Status(nobody),
            Topic::Commit(agent.clone()),
            Topic::Refused(agent.clone()),
            Topic::Server,
        ] {
            rules.forbidden(&mut line, &topic).await?;
        }
        line.pipe.subscribe(&["#"])?;
        line.subscribed().await?;
        let heard = line.kept_messages().await;
        let foreign = heard.into_iter().find(|topic| match Topic::parse(topic) {
            Some(Topic::Server) => false,
            Some(Topic::Commit(of) | Topic::Refused(of)) => of != *agent,
            Some(Topic::Batch(_) | Topic::Json(_) | Topic::Status(_)) | None => true,
        });
        match foreign {
            Some(topic) => findings.bad(&format!("broker, as {who}: hears `{topic}`"))?,
            None => findings.good(&format!(
                "broker, as {who}: hears nothing that the broker keeps for others"
            ))?,
        }
        line.pipe.close();
        line.closed().await
    }

    async fn connect(&self, options: &Options) -> Result<Line, Closed> {
        let (pipe, mut events) = mqtt::open(options, &self.stage);
        match timeout(PATIENCE, events.next()).await {
            Ok(Event::Connected { .. }) => Ok(Line { pipe, events, next_token: 1 }),
            Ok(Event::Closed(reason)) => Err(reason),
            Ok(other) => Err(Closed::Lost(format!("{other:?} where a connection was expected"))),
            Err(_elapsed) => Err(Closed::Silent(PATIENCE)),
        }
    }
}

/// Tries what one account may publish.
struct Rules<'a> {
    version: Version,
    who: &'a str,
    findings: &'a mut Findings,
}

impl Rules<'_> {
    async fn allowed(&mut self, line: &mut Line, topic: &Topic) -> anyhow::Result<()> {
        let who = self.who;
        match (line.publish(topic).await?, self.version) {
            (Answer::Refused(reason), _) => self.findings.bad(&format!(
                "broker, as {who}: may not publish `{topic}` ({reason}), and must; use the rules of \
                 deploy/mosquitto"
            )),
            (Answer::Taken | Answer::Unheard, Version::V5) => {
                self.findings.good(&format!("broker, as {who}: may publish `{topic}`"))
            }
            (Answer::Taken | Answer::Unheard, Version::V4) => self.findings.skipped(&format!(
                "broker, as {who}: whether it may publish `{topic}`, MQTT 3.1.1 cannot tell"
            )),
        }
    }

    async fn forbidden(&mut self, line: &mut Line, topic: &Topic) -> anyhow::Result<()> {
        let (who, findings) = (self.who, &mut *self.findings);
        match (line.publish(topic).await?, self.version) {
            (Answer::Refused(reason), _) => {
                findings.good(&format!("broker, as {who}: `{topic}` is refused ({reason})"))
            }
            (Answer::Taken | Answer::Unheard, Version::V5) => findings.bad(&format!(
                "broker, as {who}: may publish `{topic}`, and so speak for others; use the rules of \
                 deploy/mosquitto"
            )),
            (Answer::Taken | Answer::Unheard, Version::V4) => findings.skipped(&format!(
                "broker, as {who}: whether `{topic}` is refused, MQTT 3.1.1 cannot tell"
            )),
        }
    }
}

/// A connection that answers one thing at a time.
struct Line {
    pipe: Pipe,
    events: Events,
    next_token: u64,
}

impl Line {
    /// Publishes nothing, which no reader takes for anything, and gives the broker's answer.
    async fn publish(&mut self, topic: &Topic) -> anyhow::Result<Answer> {
        let token = self.next_token;
        self.next_token += 1;
        let message =
            Outgoing { topic: topic.to_string(), payload: Vec::new().into(), is_retained: false };
        self.pipe.publish(token, message)?;
        loop {
            if let Event::Acknowledged { token: answered, answer } = self.next().await?
                && answered == token
            {
                return Ok(answer);
            }
        }
    }

    /// The filters that the broker refused.
    async fn subscribed(&mut self) -> anyhow::Result<Vec<(String, String)>> {
        loop {
            if let Event::Subscribed { refused } = self.next().await? {
                return Ok(refused);
            }
        }
    }

    /// Topics of the messages that come unasked.
    async fn kept_messages(&mut self) -> Vec<String> {
        let mut topics = Vec::new();
        while let Ok(event) = timeout(QUIET, self.events.next()).await {
            match event {
                Event::Message(message) => topics.push(message.topic),
                Event::Closed(_) => break,
                Event::Connected { .. } | Event::Subscribed { .. } | Event::Acknowledged { .. } => {
                }
            }
        }
        topics
    }

    async fn closed(&mut self) -> anyhow::Result<()> {
        let end = async { while !matches!(self.events.next().await, Event::Closed(_)) {} };
        timeout(PATIENCE, end).await.context("the broker does not end a connection")
    }

    async fn next(&mut self) -> anyhow::Result<Event> {
        let event = timeout(PATIENCE, self.events.next()).await;
        let event = event.context("the broker does not answer")?;
        if let Event::Closed(reason) = event {
            return Err(reason).context("the broker ended the connection");
        }
        Ok(event)
    }
}
