//! Settings from three layers, the later one over the earlier: compiled-in defaults, one file, and
//! the environment.
//!
//! What comes out is a [`Node`] whose values know who wrote them; [`model::tree::read`] turns it
//! into a `Config` and refuses unknown keys, those of the environment too.

mod changed;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io, mem,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use config::{Config, ConfigError, Map, Source, ValueKind};
use model::{
    fault::Fault,
    tree::{Node, Origin, Value, syntax_fault},
};
use secrecy::SecretString;
use tracing::warn;

pub use changed::changed;

/// Variables of this prefix are settings: `BASEFLOW__MQTT__URL` is `mqtt.url`.
pub const PREFIX: &str = "BASEFLOW__";

/// Why settings or a secret could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is in another code.
    #[error("settings file `{}` is not UTF-8; save it as UTF-8, not as GBK or another code", .path.display())]
    NotUtf8 {
        /// As given.
        path: PathBuf,
    },
    /// The file is missing or may not be read.
    #[error("cannot read settings file `{}`; name an existing, readable one with --config", .path.display())]
    Read {
        /// As given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{origin}, line {line}: {problem}; correct the line, the format is TOML")]
    Parse {
        /// Which layer.
        origin: Origin,
        /// Counted from 1.
        line: usize,
        /// In the parser's words.
        problem: String,
    },
    /// Two variables cannot both hold.
    #[error(
        "environment {0}: another variable makes this key a value, not a table; unset one of them"
    )]
    Variable(String),
    /// The layers could not be laid over one another.
    #[error("cannot merge the settings")]
    Merge(#[source] ConfigError),
    /// A file that should hold a secret is missing, not readable or not text.
    #[error("cannot read secret file `{}`", .path.display())]
    ReadSecret {
        /// As written in the settings.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that should hold a secret holds nothing.
    #[error("secret file `{}` is empty", .0.display())]
    EmptySecret(PathBuf),
}

impl SettingsError {
    /// Somebody must mend a file or a variable first.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Read { .. }
            | Self::Parse { .. }
            | Self::Variable(_)
            | Self::Merge(_)
            | Self::ReadSecret { .. }
            | Self::EmptySecret(_)
            | Self::NotUtf8 { .. } => Fault::Permanent,
        }
    }
}

/// A settings file as it was read.
#[derive(Debug, Clone)]
pub struct File {
    origin: Origin,
    text: String,
}

impl File {
    /// Reads it; what is in it, [`merge`] sees.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|source| {
            let path = path.to_owned();
            if source.kind() == io::ErrorKind::InvalidData {
                SettingsError::NotUtf8 { path }
            } else {
                SettingsError::Read { path, source }
            }
        })?;
        Ok(Self { origin: Origin::File(path.display().to_string().into()), text })
    }
}

/// Reads `file` and merges it with the other layers.
pub fn load(
    defaults: &str,
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Node, SettingsError> {
    merge(defaults, file.map(File::read).transpose()?.as_ref(), variables)
}

/// Merges `defaults` ← `file` ← `variables`, of which only those named [`PREFIX`]… count.
///
/// A table is merged key by key, a list is replaced whole. A variable cannot name an item of a
/// list: it becomes an unknown key or a table in the list's place, and the reader says so.
pub fn merge(
    defaults: &str,
    file: Option<&File>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Node, SettingsError> {
    let mut layers = vec![parse(defaults, &Origin::Default)?];
    if let Some(file) = file {
        layers.push(parse(&file.text, &file.origin)?);
    }
    layers.push(environment(variables)?);
    let mut lists = Vec::new();
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(Layer(to_config(layer, &mut lists)));
    }
    let merged = builder.build().and_then(|merged| merged.collect());
    let merged = merged.map_err(SettingsError::Merge)?;
    Ok(from_config(config::Value::new(None, merged), &mut lists))
}

/// The variables of this process that are settings, for [`load`].
pub fn process_variables() -> impl Iterator<Item = (String, String)> {
    let all = std::env::vars_os();
    all.filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
        // what is not UTF-8 no reader will take for a value
        Some((name, value.to_string_lossy().into_owned()))
    })
}

/// Every setting in force, one a line with its origin. Values whose key ends in one of
/// `secret_keys`, and passwords inside URLs, are masked.
pub fn effective(settings: &Node, secret_keys: &[&str]) -> String {
    let mut lines = String::new();
    print(&mut lines, "", settings, secret_keys);
    lines
}

/// The secret in the file at `path`, without one newline at its end; a warning is logged, once for
/// a path, where others than its owner may read it.
pub fn read_secret_file(path: &Path) -> Result<SecretString, SettingsError> {
    let fail = |source| SettingsError::ReadSecret { path: path.to_owned(), source };
    let mut secret = std::fs::read_to_string(path).map_err(fail)?;
    if let Some(mode) = readable_by_others(path)
        && is_first_told(path)
    {
        warn!(path = %path.display(), mode = format!("{mode:o}"), "secret file is readable by others");
    }
    let length =
        secret.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).len());
    secret.truncate(length.unwrap_or(secret.len()));
    if secret.is_empty() {
        return Err(SettingsError::EmptySecret(path.to_owned()));
    }
    Ok(SecretString::from(secret))
}

/// The permissions of a file that is there and that others than its owner may use.
pub fn readable_by_others(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// A secret is read at each connection, and its warning would drown the rest.
fn is_first_told(path: &Path) -> bool {
    static TOLD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned())
}

fn parse(text: &str, origin: &Origin) -> Result<Node, SettingsError> {
    let document = text.parse::<toml::Table>().map_err(|error| {
        let start = error.span().map(|span| span.start);
        let (line, problem) = syntax_fault(text, start, error.message());
        SettingsError::Parse { origin: origin.clone(), line, problem }
    })?;
    Ok(Node::from_toml(document, origin))
}

fn environment(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Node, SettingsError> {
    let mut root = Node { value: Value::Table(BTreeMap::new()), origin: Origin::Default };
    let sorted: BTreeMap<_, _> = variables.into_iter().collect();
    for (name, text) in sorted {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        let origin = Origin::Environment(name.as_str().into());
        let mut node = &mut root;
        for key in path.to_lowercase().split("__") {
            let Value::Table(entries) = &mut node.value else {
                return Err(SettingsError::Variable(name));
            };
            node = entries.entry(key.to_owned()).or_insert_with(|| Node {
                value: Value::Table(BTreeMap::new()),
                origin: origin.clone(),
            });
        }
        // sorted, so that no variable comes after those that it would hide
        node.value = Value::Text(text);
    }
    Ok(root)
}

/// One layer as the `config` crate merges it.
#[derive(Debug, Clone)]
struct Layer(config::Value);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, config::Value>, ConfigError> {
        self.0.clone().into_table()
    }
}

/// A list stays in `lists`, and its place there goes through the merge: it is replaced whole, so
/// that nobody need look inside, and a thousand registers are not copied.
fn to_config(node: Node, lists: &mut Vec<Node>) -> config::Value {
    let origin = node.origin.to_string();
    let kind = match node.value {
        Value::Text(text) => ValueKind::String(text),
        Value::Integer(number) => ValueKind::I64(number),
        // the shortest text of a float: there and back it stays the same
        Value::Decimal(text) => ValueKind::Float(text.parse().unwrap_or(f64::NAN)),
        Value::Boolean(value) => ValueKind::Boolean(value),
        Value::List(_) => {
            let place = u64::try_from(lists.len()).unwrap_or(u64::MAX);
            lists.push(node);
            ValueKind::Array(vec![config::Value::new(None, place)])
        }
        Value::Table(entries) => ValueKind::Table(
            entries.into_iter().map(|(key, node)| (key, to_config(node, lists))).collect(),
        ),
    };
    config::Value::new(Some(&origin), kind)
}

fn from_config(value: config::Value, lists: &mut [Node]) -> Node {
    let origin = value.origin().map(origin_named);
    let value = match value.kind {
        ValueKind::Nil => Value::Text(String::new()),
        ValueKind::Boolean(value) => Value::Boolean(value),
        ValueKind::I64(number) => Value::Integer(number),
        // the layers hold none wider; as text it is refused wherever a number belongs
        ValueKind::I128(number) => Value::Text(number.to_string()),
        ValueKind::U64(number) => Value::Text(number.to_string()),
        ValueKind::U128(number) => Value::Text(number.to_string()),
        ValueKind::Float(number) => Value::from_float(number),
        ValueKind::String(text) => Value::Text(text),
        ValueKind::Array(place) => list(&place, lists),
        ValueKind::Table(entries) => Value::Table(
            entries.into_iter().map(|(key, value)| (key, from_config(value, lists))).collect(),
        ),
    };
    let origin = origin.unwrap_or_else(|| origin_of_merged(&value));
    Node { value, origin }
}

/// The list that [`to_config`] left at this place.
fn list(place: &[config::Value], lists: &mut [Node]) -> Value {
    let place = place.first().and_then(|place| place.clone().into_uint().ok());
    let left = place.and_then(|place| lists.get_mut(usize::try_from(place).ok()?));
    left.map_or_else(
        || Value::List(Vec::new()),
        |node| mem::replace(&mut node.value, Value::List(Vec::new())),
    )
}

/// Of a table made of several layers: the file, where it wrote any of it.
fn origin_of_merged(value: &Value) -> Origin {
    let Value::Table(entries) = value else { return Origin::Default };
    let mut origins = entries.values().map(|node| &node.origin);
    let file = origins.clone().find(|origin| matches!(origin, Origin::File(_)));
    let first = origins.next();
    let only = first.filter(|first| origins.all(|other| other == *first));
    file.or(only).cloned().unwrap_or(Origin::Default)
}

/// The origin that prints as `name`; `config` carries it as text.
fn origin_named(name: &str) -> Origin {
    match name.split_once(' ') {
        Some(("file", path)) => Origin::File(path.into()),
        Some(("environment", variable)) => Origin::Environment(variable.into()),
        _ => Origin::Default,
    }
}

fn print(lines: &mut String, key: &str, node: &Node, secret_keys: &[&str]) {
    let shown = match &node.value {
        Value::Table(entries) => {
            for (name, entry) in entries {
                let dot = if key.is_empty() { "" } else { "." };
                print(lines, &format!("{key}{dot}{name}"), entry, secret_keys);
            }
            return;
        }
        Value::List(items) if items.iter().any(|item| matches!(item.value, Value::Table(_))) => {
            for (index, item) in items.iter().enumerate() {
                print(lines, &format!("{key}[{index}]"), item, secret_keys);
            }
            return;
        }
        Value::Text(_) if secret_keys.contains(&key.rsplit('.').next().unwrap_or(key)) => {
            "***".to_owned()
        }
        Value::Text(_)
        | Value::Integer(_)
        | Value::Decimal(_)
        | Value::Boolean(_)
        | Value::List(_) => inline(&node.value),
    };
    // writing to a String cannot fail
    if writeln!(lines, "{key} = {shown}  # {}", node.origin).is_err() {}
}

fn inline(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{:?}", without_password(text)),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(text) => text.clone(),
        Value::Boolean(value) => value.to_string(),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(|item| inline(&item.value)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(_) => "{ … }".to_owned(),
    }
}

/// `scheme://user:password@host` with the password masked.
fn without_password(text: &str) -> String {
    let masked = text.split_once("://").and_then(|(scheme, rest)| {
        let (login, host) = rest.split_once('@')?;
        let (user, _) = login.split_once(':').filter(|_| !login.contains('/'))?;
        Some(format!("{scheme}://{user}:***@{host}"))
    });
    masked.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::OpenOptionsExt};

    use expect_test::{Expect, expect};
    use model::{fault::Chain, tree::read};
    use secrecy::ExposeSecret;

    use super::*;

    const DEFAULTS: &str = "data_dir = '/var/lib/baseflow'\n[mqtt]\nurl = 'mqtt://127.0.0.1:1883'\n\
         version = 5\nfactor = 0.1\n[[channel]]\nname = 'default'";

    /// Shows what is in force over [`DEFAULTS`], or why nothing is.
    fn check(file: &str, variables: &[(&str, &str)], expected: &Expect) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        fs::write(&path, file).unwrap();
        let variables =
            variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let shown = match load(DEFAULTS, Some(&path), variables) {
            Ok(settings) => effective(&settings, &["password"]),
            Err(error) => Chain(&error).to_string(),
        };
        expected.assert_eq(&shown.replace(&format!("{}/", folder.path().display()), ""));
    }

    #[test]
    fn file_goes_over_defaults_and_environment_over_both() {
        check(
            "mqtt.version = 4\nmqtt.password = 'p'\n[[channel]]\nname = 'sms'\nto = [1, 'b']\n\
             url = 'http://u:secret@host/'",
            &[
                ("BASEFLOW__DATA_DIR", "/data"),
                ("BASEFLOW__MQTT__URL", "mqtt://b"),
                ("BASEFLOW_HOME", "/ignored"),
            ],
            &expect![[r#"
                channel[0].name = "sms"  # file settings.toml
                channel[0].to = [1, "b"]  # file settings.toml
                channel[0].url = "http://u:***@host/"  # file settings.toml
                data_dir = "/data"  # environment BASEFLOW__DATA_DIR
                mqtt.factor = 0.1  # default
                mqtt.password = ***  # file settings.toml
                mqtt.url = "mqtt://b"  # environment BASEFLOW__MQTT__URL
                mqtt.version = 4  # file settings.toml
            "#]],
        );
    }

    #[test]
    fn a_file_that_is_not_toml_is_named_with_its_line() {
        check(
            "a = 1\nb = = 2\n",
            &[],
            &expect![
                "file settings.toml, line 2: extra `=`, expected nothing; correct the line, the format is TOML"
            ],
        );
        check(
            "a = 1\na = 2\n",
            &[],
            &expect![
                "file settings.toml, line 2: duplicate key; correct the line, the format is TOML"
            ],
        );
    }

    #[test]
    fn variables_that_exclude_each_other_are_refused() {
        let both = [("BASEFLOW__MQTT", "x"), ("BASEFLOW__MQTT__URL", "y")];
        check(
            "",
            &both,
            &expect![
                "environment BASEFLOW__MQTT__URL: another variable makes this key a value, not a table; unset one of them"
            ],
        );
    }

    #[test]
    fn a_file_in_another_code_says_so() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), b"name = \"\xc2\xb9\xc3\xf9\xcc\xb2\"").unwrap();
        let error = load("", Some(file.path()), []).unwrap_err();
        assert!(
            Chain(&error).to_string().ends_with("save it as UTF-8, not as GBK or another code")
        );
    }

    #[test]
    fn a_missing_file_says_what_to_do() {
        let error = load("", Some(Path::new("/no/such.toml")), []).unwrap_err();
        expect!["cannot read settings file `/no/such.toml`; name an existing, readable one with --config: No such file or directory (os error 2)"].assert_eq(&Chain(&error).to_string());
    }

    #[test]
    fn numbers_keep_their_type_and_variables_theirs() {
        let variables = [("BASEFLOW__MQTT__VERSION".to_owned(), "4".to_owned())];
        let settings = load(DEFAULTS, None, variables).unwrap();
        let values = read(&settings, |root| {
            root.ignore_rest();
            let mqtt = root.table("mqtt");
            mqtt.ignore_rest();
            Some((mqtt.integer("version", 4..=5u8).required()?, mqtt.decimal("factor").required()?))
        });
        assert_eq!(values, Ok((4, "0.1".to_owned())));
    }

    #[test]
    fn a_variable_that_names_a_list_item_is_a_fault() {
        let variables = [("BASEFLOW__CHANNEL__0__NAME".to_owned(), "x".to_owned())];
        let settings = load(DEFAULTS, None, variables).unwrap();
        let faults = read(&settings, |root| {
            root.ignore_rest();
            Some(root.tables("channel").len())
        });
        expect!["channel: a table where a list of tables belongs (environment BASEFLOW__CHANNEL__0__NAME)"]
            .assert_eq(&faults.unwrap_err().to_string());
    }

    #[test]
    fn a_secret_loses_one_newline_and_may_not_be_empty() {
        let folder = tempfile::tempdir().unwrap();
        let secret = |text: &str| {
            let path = folder.path().join("secret");
            let mut private = fs::OpenOptions::new();
            private.write(true).create(true).truncate(true).mode(0o600);
            io::Write::write_all(&mut private.open(&path).unwrap(), text.as_bytes()).unwrap();
            read_secret_file(&path).map(|secret| secret.expose_secret().to_owned())
        };
        assert_eq!(secret("hush\r\n").unwrap(), "hush");
        assert_eq!(secret(" hush \n\n").unwrap(), " hush \n");
        assert!(matches!(secret("\n"), Err(SettingsError::EmptySecret(_))));
    }
}
