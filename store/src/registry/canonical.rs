//! The canonical JSON document of a registry (`docs/formats.md` §11), personal data kept apart.

use std::convert::Infallible;

use model::{contact::Personal, registry::Registry, tree::Faults};

use super::{
    document::{Doc, Fields, document},
    load, parse,
};

/// The version of the documents that [`write()`] makes.
pub const VERSION: u32 = 1;

/// Where a personal text is kept: its row of the side table, and SHA-256(salt ‖ text).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The row's id.
    pub id: i64,
    /// The digest.
    pub digest: [u8; 32],
}

/// The document of `registry`; `keep` stores each personal text and says where.
///
/// The same registry gives the same bytes, but for what `keep` answers.
pub fn write<E>(
    registry: &Registry,
    mut keep: impl FnMut(&str) -> Result<Kept, E>,
) -> Result<String, E> {
    let mut json = format!("{{\"version\":{VERSION}");
    for (key, value) in document(registry) {
        json.push(',');
        member(&mut json, key, &value, &mut keep)?;
    }
    json.push('}');
    Ok(json)
}

/// Every personal text of `registry`, in the order in which [`write()`] asks to keep them.
pub fn personal_texts(registry: &Registry) -> Vec<String> {
    let mut texts = Vec::new();
    let kept: Result<String, Infallible> = write(registry, |text| {
        texts.push(text.to_owned());
        Ok(Kept { id: 0, digest: [0; 32] })
    });
    match kept {
        Ok(_document) => texts,
    }
}

/// The registry of a document; `find` gives a personal text back, or none where it was erased.
///
/// What was erased reads as [`Personal::ERASED`].
pub fn read(
    document: &str,
    mut find: impl FnMut(Kept) -> Option<String>,
) -> Result<Registry, Faults> {
    parse::read(&load::json(document, &mut find)?)
}

fn member<E>(
    json: &mut String,
    key: &str,
    value: &Doc,
    keep: &mut impl FnMut(&str) -> Result<Kept, E>,
) -> Result<(), E> {
    let key = if matches!(value, Doc::Sections(_)) { plural(key) } else { key.to_owned() };
    json.push_str(&quoted(&key));
    json.push(':');
    element(json, value, keep)
}

/// A list as the document calls it.
pub(super) fn plural(key: &str) -> String {
    match key.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{key}s"),
    }
}

fn element<E>(
    json: &mut String,
    value: &Doc,
    keep: &mut impl FnMut(&str) -> Result<Kept, E>,
) -> Result<(), E> {
    match value {
        Doc::Text(text) | Doc::Number(text) => json.push_str(&quoted(text)),
        Doc::Personal(text) => json.push_str(&placeholder(text, keep)?),
        Doc::List(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(json, index);
                element(json, item, keep)?;
            }
            json.push(']');
        }
        Doc::Table(fields) => object(json, fields, keep)?,
        Doc::Sections(sections) => {
            json.push('[');
            for (index, fields) in sections.iter().enumerate() {
                separate(json, index);
                object(json, fields, keep)?;
            }
            json.push(']');
        }
    }
    Ok(())
}

fn object<E>(
    json: &mut String,
    fields: &Fields,
    keep: &mut impl FnMut(&str) -> Result<Kept, E>,
) -> Result<(), E> {
    json.push('{');
    for (index, (key, value)) in fields.iter().enumerate() {
        separate(json, index);
        member(json, key, value, keep)?;
    }
    json.push('}');
    Ok(())
}

fn separate(json: &mut String, index: usize) {
    if index > 0 {
        json.push(',');
    }
}

fn placeholder<E>(
    text: &Personal,
    keep: &mut impl FnMut(&str) -> Result<Kept, E>,
) -> Result<String, E> {
    let Kept { id, digest } = keep(text.as_str())?;
    Ok(format!("{{\"personal\":{id},\"digest\":\"{}\"}}", hex::encode(digest)))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::tree::Origin;
    use sha2::{Digest as _, Sha256};

    use super::*;

    const EXAMPLE: &str = include_str!("../../../tests/fixtures/registry/example.toml");
    const GOLDEN: &str = include_str!("../../../tests/fixtures/registry/document_v1.json");

    fn example() -> Registry {
        parse(EXAMPLE, &Origin::Default).unwrap()
    }

    /// The document with personal texts in a side table, numbered from 1, without salt.
    fn split(registry: &Registry) -> (String, BTreeMap<i64, String>) {
        let mut table = BTreeMap::new();
        let document: Result<_, Infallible> = write(registry, |text| {
            let id = i64::try_from(table.len()).unwrap() + 1;
            table.insert(id, text.to_owned());
            Ok(Kept { id, digest: Sha256::digest(text).into() })
        });
        match document {
            Ok(document) => (document, table),
        }
    }

    #[test]
    fn the_document_is_the_one_of_version_1() {
        let (document, _) = split(&example());
        assert_eq!(document, GOLDEN.trim_end());
    }

    #[test]
    fn the_document_of_version_1_is_read() {
        let (_, table) = split(&example());
        let registry = read(GOLDEN, |kept| table.get(&kept.id).cloned());
        assert_eq!(registry, Ok(example()));
    }

    #[test]
    fn no_personal_text_is_in_the_document() {
        let (document, table) = split(&example());
        let texts: Vec<_> = table.values().cloned().collect();
        assert_eq!(personal_texts(&example()), texts);
        assert_eq!(texts.len(), 9);
        for text in texts {
            assert!(!document.contains(&text), "{text}");
        }
    }

    #[test]
    fn erased_people_leave_the_rest_readable() {
        let registry = read(GOLDEN, |_| None).unwrap();
        let zhang = registry.contacts.get("zhang").unwrap();
        assert!(zhang.name.is_erased() && zhang.reach.iter().all(|reach| reach.to.is_erased()));
        assert_eq!(registry.stations.len(), example().stations.len());
    }

    #[test]
    fn a_document_of_another_version_or_shape_is_refused() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"version":2}"#,
            r#"{"version":1,"stations":null}"#,
            r#"{"version":1,"stations":[{"id":"a b"}]}"#,
            &format!(r#"{{"version":1,"stations":{}{}}}"#, "[".repeat(60), "]".repeat(60)),
        ] {
            assert!(read(bad, |_| None).is_err(), "{bad}");
        }
    }
}
