//! From text to a tree of exact values: TOML as people write it, JSON as the journal keeps it.

use std::collections::BTreeMap;

use model::{
    contact::Personal,
    tree::{Faults, KeyFault, Node, Origin, Value, syntax_fault},
};
use toml::de::{DeInteger, DeTable, DeValue};

use super::canonical::{Kept, plural};

/// The largest registry, 16 MiB of text.
const MAX_BYTES: usize = 16 << 20;
/// How many faults of TOML itself are told at once.
const MAX_SYNTAX_FAULTS: usize = 20;
/// How deep JSON may nest.
const MAX_DEPTH: usize = 16;

/// The tree of a TOML text, numbers as they were written; else every fault with its line.
pub(super) fn toml(text: &str, origin: &Origin) -> Result<Node, Faults> {
    let fault = |problem| KeyFault { key: String::new(), problem, origin: Some(origin.clone()) };
    if text.len() > MAX_BYTES {
        return Err(Faults(vec![fault("is larger than 16 MiB".to_owned())]));
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(toml_table(document.get_ref(), origin));
    }
    let told = errors.iter().map(|error| {
        let start = error.span().map(|span| span.start);
        syntax_fault(text, start, error.message())
    });
    let mut faults: Vec<_> = told.collect();
    faults.sort_unstable();
    faults.dedup();
    let faults = faults.into_iter().take(MAX_SYNTAX_FAULTS);
    Err(Faults(faults.map(|(line, problem)| fault(format!("line {line}: {problem}"))).collect()))
}

fn toml_table(table: &DeTable<'_>, origin: &Origin) -> Node {
    let entries = table.iter().map(|(key, value)| {
        (key.get_ref().clone().into_owned(), toml_value(value.get_ref(), origin))
    });
    Node { value: Value::Table(entries.collect()), origin: origin.clone() }
}

fn toml_value(value: &DeValue<'_>, origin: &Origin) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(number) => toml_integer(number),
        DeValue::Float(number) => Value::Decimal(number.as_str().to_owned()),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(moment) => Value::Text(moment.to_string()),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| toml_value(item.get_ref(), origin)).collect())
        }
        DeValue::Table(table) => return toml_table(table, origin),
    };
    Node { value, origin: origin.clone() }
}

/// An integer beyond 64 bits stays the digits that were written, for the field to refuse.
fn toml_integer(number: &DeInteger<'_>) -> Value {
    i64::from_str_radix(number.as_str(), number.radix())
        .map_or_else(|_too_large| Value::Decimal(number.as_str().to_owned()), Value::Integer)
}

/// The tree of a canonical document under the keys of the TOML file, personal texts put back.
pub(super) fn json(
    document: &str,
    find: &mut impl FnMut(Kept) -> Option<String>,
) -> Result<Node, Faults> {
    let origin = Origin::File("journal".into());
    let refused = |problem: String| {
        Faults(vec![KeyFault { key: String::new(), problem, origin: Some(origin.clone()) }])
    };
    let value: serde_json::Value = serde_json::from_str(document)
        .map_err(|error| refused(format!("is not a registry document: {error}")))?;
    let mut root = json_value(value, &origin, find, MAX_DEPTH).map_err(refused)?;
    let Value::Table(entries) = &mut root.value else {
        return Err(refused("is not a registry document".to_owned()));
    };
    match entries.remove("version").map(|node| node.value) {
        Some(Value::Decimal(version)) if version == "1" => {}
        Some(Value::Decimal(version)) => {
            return Err(refused(format!("has version {version}, which this program cannot read")));
        }
        _ => return Err(refused("is a registry document without a version".to_owned())),
    }
    for key in [
        "county",
        "river",
        "station",
        "rule",
        "alarm_rule",
        "contact",
        "rota",
        "ladder",
        "rule_test",
    ] {
        into_singular(entries, key);
    }
    for (list, keys) in
        [("station", &["gauge", "outlet", "mandate"][..]), ("rota", &["shift", "rotation"][..])]
    {
        let Some(Value::List(items)) = entries.get_mut(list).map(|node| &mut node.value) else {
            continue;
        };
        for item in items {
            if let Value::Table(entries) = &mut item.value {
                for key in keys {
                    into_singular(entries, key);
                }
            }
        }
    }
    Ok(root)
}

fn into_singular(entries: &mut BTreeMap<String, Node>, key: &str) {
    if let Some(node) = entries.remove(&plural(key)) {
        entries.insert(key.to_owned(), node);
    }
}

fn json_value(
    value: serde_json::Value,
    origin: &Origin,
    find: &mut impl FnMut(Kept) -> Option<String>,
    depth: usize,
) -> Result<Node, String> {
    let depth = depth.checked_sub(1).ok_or("is nested too deeply")?;
    let value = match value {
        serde_json::Value::Null => return Err("holds null".to_owned()),
        serde_json::Value::Bool(value) => Value::Boolean(value),
        serde_json::Value::Number(number) => Value::Decimal(number.to_string()),
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(items) => {
            let nodes = items.into_iter().map(|item| json_value(item, origin, find, depth));
            Value::List(nodes.collect::<Result<_, _>>()?)
        }
        serde_json::Value::Object(entries) => {
            if let Some(kept) = kept(&entries) {
                Value::Text(find(kept).unwrap_or_else(|| Personal::ERASED.to_owned()))
            } else {
                let nodes = entries.into_iter().map(|(key, value)| {
                    json_value(value, origin, find, depth).map(|node| (key, node))
                });
                Value::Table(nodes.collect::<Result<_, _>>()?)
            }
        }
    };
    Ok(Node { value, origin: origin.clone() })
}

/// What stands in the place of a personal text.
fn kept(entries: &serde_json::Map<String, serde_json::Value>) -> Option<Kept> {
    let id = entries.get("personal")?.as_i64()?;
    let hexadecimal = entries.get("digest")?.as_str()?;
    let mut digest = [0; 32];
    hex::decode_to_slice(hexadecimal, &mut digest).ok()?;
    (entries.len() == 2).then_some(Kept { id, digest })
}
