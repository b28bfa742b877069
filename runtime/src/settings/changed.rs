//! Which settings differ between two readings of them.

use std::collections::BTreeSet;

use model::tree::{Node, Value};

/// The full keys whose values differ between two trees, whoever wrote them.
///
/// A list that became longer or shorter is named itself, else the items or their keys.
pub fn changed(before: &Node, after: &Node) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    differ("", Some(before), Some(after), &mut keys);
    keys
}

fn differ(key: &str, before: Option<&Node>, after: Option<&Node>, keys: &mut BTreeSet<String>) {
    match (before.map(|node| &node.value), after.map(|node| &node.value)) {
        (Some(Value::Table(before)), Some(Value::Table(after))) => {
            let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
            for name in names {
                let dot = if key.is_empty() { "" } else { "." };
                differ(&format!("{key}{dot}{name}"), before.get(name), after.get(name), keys);
            }
        }
        (Some(Value::List(before)), Some(Value::List(after))) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                differ(&format!("{key}[{index}]"), Some(before), Some(after), keys);
            }
        }
        // what is left are leaves, lists of another length, and what became of another kind
        (Some(before), Some(after)) if is_leaf(before) && before == after => {}
        _ => {
            keys.insert(key.to_owned());
        }
    }
}

/// Whether nobody else's word for who wrote it is inside.
const fn is_leaf(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Table(_))
}

#[cfg(test)]
mod tests {
    use model::tree::Origin;

    use super::*;

    fn tree(text: &str, origin: &Origin) -> Node {
        Node::from_toml(text.parse().unwrap(), origin)
    }

    fn keys(before: &str, after: &str) -> Vec<String> {
        let origins = [Origin::Default, Origin::File("a.toml".into())];
        let trees = (tree(before, &origins[0]), tree(after, &origins[1]));
        changed(&trees.0, &trees.1).into_iter().collect()
    }

    #[test]
    fn settings_that_differ_are_named_by_their_full_keys() {
        let before =
            "agent = 'a'\n[[bus]]\nname = 'x'\nurl = 'tcp://h'\n[log]\nlevel = 'info'\nn = [1, 2]";
        let after =
            "agent = 'a'\n[[bus]]\nname = 'x'\nurl = 'tcp://i'\n[log]\nlevel = 'debug'\nn = [1, 3]";
        assert_eq!(keys(before, before), [""; 0]);
        assert_eq!(keys(before, after), ["bus[0].url", "log.level", "log.n[1]"]);
    }

    #[test]
    fn what_was_added_taken_away_or_became_of_another_kind_is_named() {
        assert_eq!(keys("a = 1", "b = 1"), ["a", "b"]);
        assert_eq!(
            keys("[[bus]]\nname = 'x'", "[[bus]]\nname = 'x'\n[[bus]]\nname = 'y'"),
            ["bus"]
        );
        assert_eq!(keys("a = 1", "[a]\nb = 1"), ["a"]);
        assert_eq!(keys("a = 1", "a = '1'"), ["a"]);
    }
}
