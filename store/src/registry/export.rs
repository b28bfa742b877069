//! From a registry to TOML text, importing which changes nothing.

use model::registry::Registry;

use super::document::{Doc, Fields, document};

/// More significant digits than these must be quoted.
const MAX_BARE_DIGITS: usize = 15;

/// The registry file of `registry`, every default written out; it holds the personal data.
pub fn export(registry: &Registry) -> String {
    let mut toml = String::new();
    for (key, value) in document(registry) {
        if let Doc::Sections(sections) = &value {
            for fields in sections {
                section(&mut toml, key, fields, 0);
            }
        } else {
            // it comes before every table, else it would be a key of one
            toml.extend([key, " = ", inline(&value).as_str(), "\n"]);
        }
    }
    toml
}

fn section(toml: &mut String, path: &str, fields: &Fields, depth: usize) {
    let indent = "  ".repeat(depth);
    if !toml.is_empty() {
        toml.push('\n');
    }
    toml.extend([indent.as_str(), "[[", path, "]]\n"]);
    for (key, value) in fields {
        if !matches!(value, Doc::Sections(_)) {
            toml.extend([indent.as_str(), key, " = ", inline(value).as_str(), "\n"]);
        }
    }
    for (key, value) in fields {
        if let Doc::Sections(sections) = value {
            let path = format!("{path}.{key}");
            for fields in sections {
                section(toml, &path, fields, depth + 1);
            }
        }
    }
}

/// A value as TOML writes it within a line.
pub(super) fn inline(value: &Doc) -> String {
    match value {
        Doc::Text(text) => quoted(text),
        Doc::Personal(text) => quoted(text.as_str()),
        Doc::Number(number) if digits(number) > MAX_BARE_DIGITS => quoted(number),
        Doc::Number(number) => number.clone(),
        Doc::List(items) => {
            format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        Doc::Table(fields) => table(fields),
        Doc::Sections(sections) => {
            format!("[{}]", sections.iter().map(table).collect::<Vec<_>>().join(", "))
        }
    }
}

fn table(fields: &Fields) -> String {
    let members = fields.iter().map(|(key, value)| format!("{key} = {}", inline(value)));
    format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
}

fn digits(number: &str) -> usize {
    number.bytes().filter(u8::is_ascii_digit).count()
}

/// A basic string: only quotes, backslashes and control characters are escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            control if control.is_control() => {
                let escape = format!("\\u{:04X}", u32::from(control));
                quoted.push_str(&escape);
            }
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use model::tree::Origin;

    use super::*;
    use crate::registry::{diff, parse};

    const EXAMPLE: &str = include_str!("../../../tests/fixtures/registry/example.toml");

    fn parsed(text: &str) -> Registry {
        parse(text, &Origin::Default).unwrap()
    }

    #[test]
    fn importing_what_was_exported_changes_nothing() {
        let registry = parsed(EXAMPLE);
        let exported = export(&registry);
        let again = parsed(&exported);
        assert_eq!(diff(&registry, &again), Vec::<String>::new());
        assert_eq!(registry, again);
        assert_eq!(exported, export(&again));
    }

    #[test]
    fn what_toml_would_misread_is_quoted() {
        let text = "contact = [{ id = \"a\", name = 'a \"b\\c\" é', reach = [{ channel = \"sms\", to = \"1\" }] }]
            [[station]]\nid = \"A\"\nlocation = [\"99.123456789012345678\", 38]";
        // Longer than a number of TOML may be, and quoted on the way out as on the way in.
        let registry = parsed(&text.replace("99.123456789012345678", "99.1234567890123456"));
        assert!(export(&registry).contains("location = [\"99.1234567890123456\", 38]"));
        assert!(export(&registry).contains(r#"name = "a \"b\\c\" é""#));
        assert_eq!(parsed(&export(&registry)), registry);
    }
}
