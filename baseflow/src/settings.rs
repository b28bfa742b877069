//! The server's settings: every section, those of parts that are not built yet too.

mod channel;
mod later;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use model::{
    fault::Chain,
    ids::ChannelId,
    quantity::Decimal,
    tree::{Field, Node, Origin, Table, Value, read},
};
use runtime::{
    mqtt::{Broker, Login, Version},
    settings::{load, process_variables, read_secret_file},
    telemetry::{Format, Level},
};
use secrecy::SecretString;

use crate::failure::Refused;

pub(crate) use self::channel::ChannelKind;

/// The defaults, compiled in: every key of the server's settings with its comment.
pub(crate) const DEFAULTS: &str = include_str!("../../deploy/config/baseflow.default.toml");

/// Keys whose values are never printed.
pub(crate) const SECRET_KEYS: &[&str] = &["password"];

/// Every setting of a server; one that exists is valid.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where the databases are.
    pub data_dir: PathBuf,
    /// Which parts run in this process.
    pub roles: BTreeSet<Part>,
    /// The HTTP API.
    pub http: Http,
    /// Where `/metrics`, `/livez` and `/readyz` are.
    pub admin_listen: SocketAddr,
    /// The broker.
    pub mqtt: Mqtt,
    /// Where the registry comes from.
    pub registry: Registry,
    /// The ways to reach people, by name.
    pub channels: BTreeMap<ChannelId, ChannelKind>,
    /// What the server says of itself.
    pub log: Log,
}

/// A part of the server that `[roles]` can switch off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// MQTT to store.
    Ingest,
    /// Judging.
    Compliance,
    /// Telling people.
    Alerting,
    /// The HTTP API.
    Dashboards,
}

impl Part {
    /// Every part with its key.
    const WORDS: [(&'static str, Self); 4] = [
        ("ingest", Self::Ingest),
        ("compliance", Self::Compliance),
        ("alerting", Self::Alerting),
        ("dashboards", Self::Dashboards),
    ];
}

/// `[http]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Http {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// How others reach it.
    pub public_url: String,
    /// The address for links in messages, where it is another.
    pub sms_url: Option<String>,
}

impl Http {
    /// The address for links in messages.
    pub(crate) fn link_url(&self) -> &str {
        let url = self.sms_url.as_deref().unwrap_or(&self.public_url);
        url.trim_end_matches('/')
    }
}

/// `[mqtt]`.
#[derive(Debug, Clone)]
pub(crate) struct Mqtt {
    /// Where the broker listens.
    pub broker: Broker,
    /// Which MQTT is spoken to it.
    pub version: Version,
    /// Unique at the broker.
    pub client_id: String,
    /// None for anonymous.
    pub login: Option<Login>,
    /// How often a quiet line is tried.
    pub keep_alive: Duration,
}

/// `[registry]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registry {
    /// The file, which need not exist.
    pub file: PathBuf,
    /// Below this share of the requirement a station is «near».
    pub near: Decimal,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Log {
    /// What is logged.
    pub level: Level,
    /// How a line looks.
    pub format: Format,
}

/// Settings with the tree that they were read from.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// What the tree says.
    pub config: Config,
    /// Each value and who wrote it.
    pub tree: Node,
}

/// Reads defaults, `file` and the environment; or every fault that they have.
pub(crate) fn settings(file: &Path) -> Result<Settings, Refused> {
    let tree = tree(file)?;
    let config = config(&tree, file)?;
    Ok(Settings { config, tree })
}

/// Defaults, `file` and the environment merged, before anybody read what they say.
pub(crate) fn tree(file: &Path) -> Result<Node, Refused> {
    load(DEFAULTS, Some(file), process_variables())
        .map_err(|error| Refused::one(Chain(&error).to_string()))
}

/// What a tree says, whose settings file is `file`.
pub(crate) fn config(tree: &Node, file: &Path) -> Result<Config, Refused> {
    read(tree, |root| server(root, file)).map_err(Refused::faults)
}

/// Where the registry file is, though other settings may have faults.
pub(crate) fn registry_path(tree: &Node, file: &Path) -> Option<PathBuf> {
    match &node(tree, "registry.file")?.value {
        Value::Text(text) if !text.is_empty() => Some(folder_of(file).join(text)),
        Value::Text(_)
        | Value::Integer(_)
        | Value::Decimal(_)
        | Value::Boolean(_)
        | Value::List(_)
        | Value::Table(_) => None,
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or_else(|| Path::new(""))
}

fn server(root: &Table<'_>, file: &Path) -> Option<Config> {
    let folder = folder_of(file);
    let data_dir = path(root.text("data_dir"), folder).required();
    let roles = roles(&root.table("roles"));
    let http = http(&root.table("http"));
    let admin = root.table("admin");
    let admin_listen = address(&admin, "listen");
    later::broker(&root.table("broker"));
    let (mqtt, password) = mqtt(&root.table("mqtt"), folder);
    later::samples(&root.table("samples"), folder);
    later::journal(&root.table("journal"), folder);
    let registry = registry(&root.table("registry"), folder);
    let log = log(&root.table("log"));
    let mut files = vec![(file.to_owned(), "the settings file")];
    files.extend(registry.as_ref().map(|registry| (registry.file.clone(), "the registry file")));
    files.extend(password.map(|file| (file, "the file of mqtt.password_file")));
    let own = channel::Own { data_dir: data_dir.clone(), files };
    let channels = channel::channels(&root.tables("channel"), folder, own);
    if let (Some(http), Some(address)) = (&http, admin_listen)
        && http.listen == address
        && address.port() != 0
    {
        admin.fault("listen", "is the address of http.listen too; choose another port");
    }
    Some(Config {
        data_dir: data_dir?,
        roles,
        http: http?,
        admin_listen: admin_listen?,
        mqtt: mqtt?,
        registry: registry?,
        channels,
        log: log?,
    })
}

/// A path relative to the folder of the settings; an empty one is refused.
fn path<'f>(field: Field<'f, String>, folder: &Path) -> Field<'f, PathBuf> {
    let folder = folder.to_owned();
    field.and_then(move |text| match text.as_str() {
        "" => Err("is empty; write a path"),
        text => Ok(folder.join(text)),
    })
}

fn address(table: &Table<'_>, key: &str) -> Option<SocketAddr> {
    let address = table.text(key).and_then(|text| {
        let parsed = text.parse::<SocketAddr>();
        parsed.map_err(|_unparsable| {
            format!("`{text}` is no address; write 127.0.0.1:8080 or [::]:8080")
        })
    });
    address.required()
}

/// Text of which the empty one means none.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn roles(table: &Table<'_>) -> BTreeSet<Part> {
    if table.boolean("broker").or(false) {
        table.fault("broker", "the embedded broker is not built yet; write false and set up a broker as deploy/mosquitto shows");
    }
    let is_wanted = |(word, part): (&str, Part)| table.boolean(word).or(true).then_some(part);
    Part::WORDS.into_iter().filter_map(is_wanted).collect()
}

fn http(table: &Table<'_>) -> Option<Http> {
    let listen = address(table, "listen");
    let public_url = url(table.text("public_url")).required();
    let sms_url = table
        .text("sms_url")
        .and_then(|text| if text.is_empty() { Ok(None) } else { http_url(text).map(Some) });
    let sms_url = sms_url.optional().flatten();
    later::refuse(
        table,
        &["tls_cert", "tls_key"],
        "TLS is not built yet; put a reverse proxy before http.listen",
    );
    Some(Http { listen: listen?, public_url: public_url?, sms_url })
}

fn url(field: Field<'_, String>) -> Field<'_, String> {
    field.and_then(http_url)
}

fn http_url(text: String) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') && !text.contains(' ') => Ok(text),
        Some(_) | None => {
            Err(format!("`{text}` is no address; write http://host:port or https://host"))
        }
    }
}

/// The broker, and the file that its password is read from.
fn mqtt(table: &Table<'_>, folder: &Path) -> (Option<Mqtt>, Option<PathBuf>) {
    let broker = table.parse("url").required();
    let version = table.integer("version", 4..=5_u8).required();
    let client_id = table.text("client_id").and_then(|text| {
        let is_sound = (1..=128).contains(&text.len()) && !text.contains(char::is_control);
        if is_sound {
            Ok(text)
        } else {
            Err("must have 1 to 128 bytes, none of them a control character")
        }
    });
    let client_id = client_id.required();
    if filled(table.text("share").optional()).is_some() {
        table.fault("share", "several ingest processes need samples in InfluxDB and a journal in PostgreSQL, which are not built yet; leave it empty");
    }
    let username = filled(table.text("username").optional());
    let password_file = filled(table.text("password_file").optional());
    let has_password = password_file.is_some();
    let named = password_file.as_ref().map(|file| folder.join(file));
    let password = secret(table, "password_file", password_file, folder);
    if username.is_some() && !has_password {
        table.fault("password_file", "missing, though `username` is written");
    }
    if username.is_none() && has_password {
        table.fault("username", "missing, though `password_file` is written");
    }
    let limits = Duration::from_secs(5)..=Duration::from_hours(1);
    let keep_alive = table.duration("keep_alive").within(limits).required();
    later::refuse(
        table,
        &["ca", "cert", "key"],
        "TLS is not built yet; use mqtt:// on loopback or through a tunnel",
    );
    let login = username.zip(password).map(|(username, password)| Login { username, password });
    let version = version.map(|version| if version == 4 { Version::V4 } else { Version::V5 });
    let parts = broker.zip(version).zip(client_id).zip(keep_alive);
    let mqtt = parts.map(|(((broker, version), client_id), keep_alive)| Mqtt {
        broker,
        version,
        client_id,
        login,
        keep_alive,
    });
    (mqtt, named)
}

/// The secret in `file`, which stands under `key`; none where there is no file or it has a fault.
fn secret(
    table: &Table<'_>,
    key: &str,
    file: Option<String>,
    folder: &Path,
) -> Option<SecretString> {
    match read_secret_file(&folder.join(file?)) {
        Ok(secret) => Some(secret),
        Err(error) => {
            table.fault(key, Chain(&error));
            None
        }
    }
}

fn registry(table: &Table<'_>, folder: &Path) -> Option<Registry> {
    let file = path(table.text("file"), folder).required();
    let near = table.decimal("near").and_then(|text| {
        let share: Decimal =
            text.parse().map_err(|error: model::quantity::NumberError| error.to_string())?;
        let whole = |units| Decimal { units, decimals: 0 };
        let is_sound = share.compare(whole(1)).is_ge() && share.compare(whole(10)).is_le();
        if is_sound { Ok(share) } else { Err(format!("{share} is not between 1 and 10")) }
    });
    let near = near.required();
    Some(Registry { file: file?, near: near? })
}

fn log(table: &Table<'_>) -> Option<Log> {
    let level = table.parse("level").required();
    let format = table.one_of("format", &Format::WORDS).required();
    Some(Log { level: level?, format: format? })
}

/// The value at `key`, such as `registry.file`, with who wrote it.
pub(crate) fn node<'t>(tree: &'t Node, key: &str) -> Option<&'t Node> {
    key.split('.').try_fold(tree, |node, part| match &node.value {
        Value::Table(entries) => entries.get(part),
        Value::Text(_)
        | Value::Integer(_)
        | Value::Decimal(_)
        | Value::Boolean(_)
        | Value::List(_) => None,
    })
}

/// Whether somebody wrote `key`, rather than left it to its default.
pub(crate) fn is_written(tree: &Node, key: &str) -> bool {
    node(tree, key).is_some_and(|node| node.origin != Origin::Default)
}
