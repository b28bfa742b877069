//! A settings or registry document as a tree of exact values, and the strict walk that reads it.
//!
//! [`read`] hands the root [`Table`] to a reader, which asks for every key it knows. Each getter
//! gives a [`Field`], ended by `required`, `or` or `optional`. A fault never ends the walk: it is
//! noted under its full key, and the reader goes on, so that all are reported at once. Keys that
//! nobody asked for are faults too. Take every value first and apply `?` last:
//!
//! ```
//! # use model::tree::{Node, Origin, Table, read};
//! # struct Device { name: String, unit: u8, period: std::time::Duration }
//! fn device(table: &Table<'_>) -> Option<Device> {
//!     let name = table.text("name").required();
//!     let unit = table.integer("unit", 1..=247).required();
//!     let period = table.duration("period").or(std::time::Duration::from_secs(5));
//!     Some(Device { name: name?, unit: unit?, period })
//! }
//! # let root = Node::from_toml(toml::toml! { name = "a"
//! # unit = 1 }, &Origin::Default);
//! assert!(read(&root, device).is_ok());
//! ```

mod scalar;
mod table;

use std::{cell::RefCell, collections::BTreeMap, fmt, sync::Arc};

pub use table::{Field, Table};

/// Who wrote a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The default compiled into the binary.
    Default,
    /// A file, by the name it was opened with.
    File(Arc<str>),
    /// An environment variable, by its name; its values are always text.
    Environment(Arc<str>),
}

/// A value as it was written, before anyone said what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string; TOML dates and times too.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// The shortest text that stands for a TOML float.
    Decimal(String),
    /// `true` or `false`.
    Boolean(bool),
    /// Values in their order.
    List(Vec<Node>),
    /// Values under their keys.
    Table(BTreeMap<String, Node>),
}

/// A value and who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// By whom.
    pub origin: Origin,
}

/// What is wrong with one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFault {
    /// The full key, such as `bus[0].device[1].period`; empty for the document itself.
    pub key: String,
    /// What is wrong, and where possible what to write instead.
    pub problem: String,
    /// Who wrote the value; for a missing key, the table that lacks it.
    pub origin: Option<Origin>,
}

/// Everything wrong with a document; prints one fault a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<KeyFault>);

/// Reads a document whole: its value, or everything that is wrong with it.
pub fn read<T>(root: &Node, reader: impl FnOnce(&Table<'_>) -> Option<T>) -> Result<T, Faults> {
    let found = RefCell::default();
    let value = reader(&Table::new(Some(root), String::new(), &found));
    let mut faults = found.into_inner();
    match value {
        Some(value) if faults.is_empty() => Ok(value),
        Some(_) => Err(Faults(faults)),
        None => {
            if faults.is_empty() {
                let problem = "is refused".to_owned();
                faults.push(KeyFault { key: String::new(), problem, origin: None });
            }
            Err(Faults(faults))
        }
    }
}

/// The line, from 1, of a fault of syntax that begins at byte `start`, and what is wrong there: what
/// the parser says, and what an input method has left, which a parser calls by many names.
pub fn syntax_fault(text: &str, start: Option<usize>, message: &str) -> (usize, String) {
    let before = start.and_then(|start| text.get(..start)).unwrap_or_default();
    let line = 1 + before.matches('\n').count();
    let hint = text.lines().nth(line - 1).and_then(full_width);
    (line, hint.map_or_else(|| message.to_owned(), |hint| format!("{message}; {hint}")))
}

/// A character of an input method in a line of TOML, outside of what quotes enclose and comments say.
fn full_width(line: &str) -> Option<String> {
    let mut quote = None;
    for (column, found) in (1..).zip(line.chars()) {
        match (quote, found) {
            (Some(open), _) if open == found => quote = None,
            (None, '"' | '\'') => quote = Some(found),
            (None, '#') => return None,
            (None, '\u{ff01}'..='\u{ff5e}' | '\u{3000}' | '“' | '”' | '‘' | '’') => {
                let code_point = u32::from(found);
                return Some(format!(
                    "`{found}` (U+{code_point:04X}) in column {column} is a full-width or curly character; write keys, numbers and quotes in half width"
                ));
            }
            _ => {}
        }
    }
    None
}

impl Node {
    /// The tree of a parsed TOML document, all of it by `origin`.
    pub fn from_toml(document: toml::Table, origin: &Origin) -> Self {
        let entries = document.into_iter();
        let nodes = entries.map(|(key, value)| (key, Self::from_toml_value(value, origin)));
        Self { value: Value::Table(nodes.collect()), origin: origin.clone() }
    }

    fn from_toml_value(value: toml::Value, origin: &Origin) -> Self {
        let value = match value {
            toml::Value::String(text) => Value::Text(text),
            toml::Value::Integer(number) => Value::Integer(number),
            toml::Value::Float(number) => Value::from_float(number),
            toml::Value::Boolean(value) => Value::Boolean(value),
            toml::Value::Datetime(moment) => Value::Text(moment.to_string()),
            toml::Value::Array(items) => Value::List(
                items.into_iter().map(|item| Self::from_toml_value(item, origin)).collect(),
            ),
            toml::Value::Table(table) => return Self::from_toml(table, origin),
        };
        Self { value, origin: origin.clone() }
    }
}

impl Value {
    /// A float as its shortest decimal text, without an exponent.
    pub fn from_float(number: f64) -> Self {
        Self::Decimal(number.to_string())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::File(name) => write!(f, "file {name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
        }
    }
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.key.is_empty() { "the document" } else { &self.key };
        write!(f, "{key}: {}", self.problem)?;
        self.origin.as_ref().map_or(Ok(()), |origin| write!(f, " ({origin})"))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn what_an_input_method_left_is_named_with_its_column_beside_what_the_parser_says() {
        let told = |line: &str| syntax_fault(&format!("# 一（1）\n{line}\n"), Some(13), "no");
        let (line, problem) = told("address = １００");
        assert_eq!(line, 2);
        assert!(problem.starts_with("no; `１` (U+FF11) in column 11 is"), "{problem}");
        assert!(told("type = “f32”").1.starts_with("no; `“`"));
        for sound in ["name = 1 # 宽（１）", "name = \"张工（示例）", "name = '（' + \"（\""]
        {
            assert_eq!(told(sound), (2, "no".to_owned()), "{sound}");
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Kind {
        Tcp,
        Rtu,
    }

    /// Reads a document of every sort of key and shows the values, or all faults.
    fn check(document: &str, expected: &Expect) {
        check_from(&Origin::File("edge.toml".into()), document, expected);
    }

    fn check_from(origin: &Origin, document: &str, expected: &Expect) {
        let root = Node::from_toml(document.parse().unwrap(), origin);
        let shown = match read(&root, shown) {
            Ok(lines) => lines,
            Err(faults) => faults.to_string(),
        };
        expected.assert_eq(&shown);
    }

    fn shown(root: &Table<'_>) -> Option<String> {
        let name = root.text("name").required();
        let unit: Option<u8> = root.integer("unit", 1..=247).required();
        let enabled = root.boolean("enabled").or(true);
        let scale = root.decimal("scale").or("1".to_owned());
        let limits = std::time::Duration::from_millis(100)..=std::time::Duration::from_mins(1);
        let period = root.duration("period").within(limits).optional();
        let room = root.size("room").optional();
        let kind = root.one_of("kind", &[("tcp", Kind::Tcp), ("rtu", Kind::Rtu)]).optional();
        let stations = root.texts("stations").or(Vec::new());
        let range = root.decimals("range").optional();
        let at: Option<crate::time::Timestamp> = root.parse("at").optional();
        let url = root.table("mqtt").text("url").or("mqtt://default".to_owned());
        let token = root.optional_table("influx").map(|influx| influx.text("token").required());
        let buses: Vec<_> = root.tables("bus").iter().map(bus).collect();
        Some(format!(
            "{name:?} {unit:?} {enabled} {scale} {period:?} {room:?} {kind:?}\n\
             {stations:?} {range:?} {at:?} {url} {token:?} {buses:?}",
            name = name?,
            unit = unit?,
        ))
    }

    fn bus(table: &Table<'_>) -> Vec<Option<String>> {
        let devices = table.tables("device");
        if devices.is_empty() {
            table.fault("device", "a bus without devices");
        }
        devices.iter().map(|device| device.text("name").required()).collect()
    }

    #[test]
    fn every_sort_of_key_is_read() {
        check(
            r#"
            name = "a"
            unit = 7
            enabled = false
            scale = 0.1
            period = "250ms"
            room = "64MiB"
            kind = "rtu"
            stations = ["x", "y"]
            range = [0.0, 5, "99.80"]
            at = 2026-11-22T08:00:00+08:00
            mqtt.url = "mqtt://b"
            influx.token = "t"
            [[bus]]
            device = [{ name = "m" }]
            "#,
            &expect![[r#"
                "a" 7 false 0.1 Some(250ms) Some(67108864) Some(Rtu)
                ["x", "y"] Some(["0", "5", "99.80"]) Some(2026-11-22T00:00:00Z) mqtt://b Some(Some("t")) [[Some("m")]]"#]],
        );
    }

    #[test]
    fn what_is_not_written_takes_its_default() {
        check(
            "name = ''\nunit = 1",
            &expect![[r#"
            "" 1 true 1 None None None
            [] None None mqtt://default None []"#]],
        );
    }

    #[test]
    fn all_faults_are_reported_by_their_full_keys() {
        check(
            r#"
            unit = "7"
            enabled = "true"
            scale = 0.12345678901234567
            period = "2h"
            room = "64MB"
            kind = "udp"
            stations = ["x", 2]
            range = [nan, "1e3"]
            at = "yesterday"
            mqtt = 5
            influx.tokn = "t"
            "odd key" = 1
            [[bus]]
            [[bus]]
            device = [{ name = "m" }, { nane = "n", period = 5 }]
            "#,
            &expect![[r#"
                name: missing (file edge.toml)
                unit: a string where an integer belongs (file edge.toml)
                enabled: a string where true or false belongs (file edge.toml)
                scale: 0.12345678901234566 has more than 15 digits; quote it: "0.12345678901234566" (file edge.toml)
                period: 2h is not between 100ms and 1m (file edge.toml)
                room: `64MB` is not a size; write 512B, 64KiB, 64MiB or 1GiB (file edge.toml)
                kind: `udp` is none of tcp, rtu (file edge.toml)
                stations[1]: an integer where a string belongs (file edge.toml)
                range[0]: `NaN` is not a decimal number; write it as 0.075 (file edge.toml)
                range[1]: `1e3` is not a decimal number; write it as 0.075 (file edge.toml)
                at: `yesterday` is not a moment; write it as 2026-11-22T08:00:00+08:00 (file edge.toml)
                mqtt: an integer where a table belongs (file edge.toml)
                influx.token: missing (file edge.toml)
                influx.tokn: unknown key; did you mean `token`? (file edge.toml)
                bus[0].device: a bus without devices (file edge.toml)
                bus[1].device[1].name: missing (file edge.toml)
                bus[1].device[1].nane: unknown key; did you mean `name`? (file edge.toml)
                bus[1].device[1].period: unknown key (file edge.toml)
                "odd key": unknown key (file edge.toml)"#]],
        );
    }

    #[test]
    fn environment_values_are_text_and_yet_numbers() {
        let origin = Origin::Environment("BASEFLOW__UNIT".into());
        let document = "name = 'a'\nunit = '7'\nenabled = 'false'\nscale = '0.50'";
        check_from(
            &origin,
            document,
            &expect![[r#"
            "a" 7 false 0.50 None None None
            [] None None mqtt://default None []"#]],
        );
        let document = "name = 'a'\nunit = '700'\nenabled = 'no'\nscale = 'x'\nstations = 'x,y'";
        check_from(
            &origin,
            document,
            &expect![[r#"
            unit: 700 is not between 1 and 247 (environment BASEFLOW__UNIT)
            enabled: `no` is neither true nor false (environment BASEFLOW__UNIT)
            scale: `x` is not a decimal number; write it as 0.075 (environment BASEFLOW__UNIT)
            stations: a string where a list belongs (environment BASEFLOW__UNIT)"#]],
        );
    }

    #[test]
    fn a_table_may_let_the_rest_pass() {
        let root = Node::from_toml("level = 'info'\nother = 1".parse().unwrap(), &Origin::Default);
        let level = read(&root, |table| {
            table.ignore_rest();
            table.text("level").required()
        });
        assert_eq!(level, Ok("info".to_owned()));
    }
}
