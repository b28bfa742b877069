//! What is sound, and yet lets somebody down: links that open nowhere, secrets that others can read.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use model::{
    alarm_rule::{AlarmRule, Condition},
    quantity::Quantity,
    registry::Registry,
    station::{Station, StationKind},
    tree::{Node, Value},
};
use runtime::settings::readable_by_others;

use crate::settings::Http;

/// The keys under which the settings name a file with a secret.
const SECRET_FILES: [&str; 3] = ["password_file", "token_file", "url_file"];

/// Whether somebody would be sent a link that opens on this machine alone.
pub(super) fn links(http: &Http, registry: &Registry) -> Option<String> {
    let is_told = !registry.contacts.is_empty() && !registry.ladders.is_empty();
    if !is_told || !is_loopback(http.link_url()) {
        return None;
    }
    let key = if http.sms_url.is_some() { "http.sms_url" } else { "http.public_url" };
    Some(format!(
        "{key}: `{}` opens on this machine alone, so the links in messages open nowhere; write the address at which a telephone reaches the server",
        http.link_url()
    ))
}

fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_scheme, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.strip_prefix('[').map_or_else(
        || authority.split(':').next().unwrap_or_default(),
        |bracketed| bracketed.split(']').next().unwrap_or_default(),
    );
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Rules that tell nobody, and stations whose water nobody judges or watches.
pub(super) fn overlooked(registry: &Registry) -> Vec<String> {
    let untold = registry.alarm_rules.values().filter(|rule| rule.ladder.is_none());
    let untold = untold.map(|rule| {
        format!(
            "alarm_rule[{}]: tells nobody, its alarms are on the pages alone; write ladder = \"…\", the id of a [[ladder]]",
            rule.id
        )
    });
    let is_unjudged = |station: &&Station| {
        let has_flow = station.gauges.values().any(|gauge| gauge.quantity == Quantity::Flow);
        station.kind == StationKind::Hydropower && has_flow && station.mandates.is_empty()
    };
    let unjudged = registry.stations.values().filter(is_unjudged);
    let unjudged = unjudged.map(|station| {
        format!(
            "station[{}]: no mandate, so that nothing judges what it releases; write a [[mandate]] for its section",
            station.id
        )
    });
    let is_silent = registry.alarm_rules.is_empty() && !registry.stations.is_empty();
    let silent = is_silent.then(|| {
        "no [[alarm_rule]], so that nothing raises an alarm; write one of kind below_mandate and one of kind no_data".to_owned()
    });
    untold.chain(unjudged).chain(silent).collect()
}

/// Rules that any noise about the limit sets off, again and again.
pub(super) fn chatter(registry: &Registry) -> Vec<String> {
    let is_below = |rule: &&AlarmRule| matches!(rule.condition, Condition::BelowMandate { .. });
    let is_bare = |rule: &&AlarmRule| {
        rule.on_delay_ms == 0 && rule.off_delay_ms == 0 && rule.deadband.units == 0
    };
    let bare = registry.alarm_rules.values().filter(is_below).filter(is_bare);
    bare.map(|rule| {
        format!(
            "alarm_rule[{}]: on_delay, off_delay and deadband are all 0, so that a flow about its limit comes and goes with each reading; such an alarm is raised at most {} times an hour and then stands until it has been quiet for one. Write a deadband (0.02), or delays (10m)",
            rule.id,
            alerting::chatter::EPISODES,
        )
    })
    .collect()
}

/// Files with a secret that others than their owner can read, among them the settings themselves
/// where a password is written into them.
pub(super) fn secrets(tree: &Node, file: &Path) -> Vec<String> {
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let mut named = Vec::new();
    gather("", tree, &mut named);
    let mut told = Vec::new();
    for (key, text) in named {
        let is_password = key.ends_with("password");
        let path = if is_password { file.to_owned() } else { folder.join(text) };
        told.extend(loose(&key, &path));
    }
    told
}

/// That others can read the file under `key`, and what helps.
pub(super) fn loose(key: &str, path: &Path) -> Option<String> {
    let mode = readable_by_others(path)?;
    let shown = path.display();
    Some(format!("{key}: others can read `{shown}` (mode {mode:o}); chmod 600 {shown}"))
}

/// Every filled key that names a file with a secret, or is one, with its full key.
fn gather(key: &str, node: &Node, named: &mut Vec<(String, PathBuf)>) {
    match &node.value {
        Value::Table(entries) => {
            for (name, node) in entries {
                let full = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                gather(&full, node, named);
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                gather(&format!("{key}[{index}]"), item, named);
            }
        }
        Value::Text(text) => {
            let name = key.rsplit('.').next().unwrap_or(key);
            if !text.is_empty() && (SECRET_FILES.contains(&name) || name == "password") {
                named.push((key.to_owned(), text.into()));
            }
        }
        Value::Integer(_) | Value::Decimal(_) | Value::Boolean(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use expect_test::{Expect, expect};
    use model::tree::Origin;
    use runtime::settings::load;

    use super::*;
    use crate::settings::DEFAULTS;

    fn check_links(public_url: &str, registry: &str, expected: &Expect) {
        let listen = "127.0.0.1:8080".parse().unwrap();
        let http = Http { listen, public_url: public_url.to_owned(), sms_url: None };
        let registry = store::registry::parse(registry, &Origin::Default).unwrap();
        expected.assert_eq(&links(&http, &registry).unwrap_or_default());
    }

    #[test]
    fn a_link_that_opens_nowhere_is_warned_of_where_somebody_would_get_it() {
        let people = "[[contact]]\nid = 'zhang'\nreach = [{ channel = 'sms', to = '1' }]\n
            [[ladder]]\nid = 'duty'\nsteps = [{ contact = 'zhang' }]";
        check_links("http://127.0.0.1:8080", "", &expect![""]);
        check_links("https://flow.example.org", people, &expect![""]);
        check_links("http://10.0.0.5:8080", people, &expect![""]);
        check_links(
            "http://127.0.0.1:8080/",
            people,
            &expect![
                "http.public_url: `http://127.0.0.1:8080` opens on this machine alone, so the links in messages open nowhere; write the address at which a telephone reaches the server"
            ],
        );
        for url in ["http://localhost", "https://[::1]:8443/x", "http://127.9.9.9"] {
            assert!(is_loopback(url), "{url}");
        }
    }

    #[test]
    fn who_is_told_of_nothing_is_warned() {
        let registry = |rest: &str| {
            let text = format!(
                "[[station]]\nid = 'S'\ngauge = [{{ id = 'q', quantity = 'flow', unit = 'm3/s', interval = '5s' }}]
                [[station]]\nid = 'A'\nkind = 'air'\n{rest}"
            );
            store::registry::parse(&text, &Origin::Default).unwrap()
        };
        expect![[r#"
            station[S]: no mandate, so that nothing judges what it releases; write a [[mandate]] for its section
            no [[alarm_rule]], so that nothing raises an alarm; write one of kind below_mandate and one of kind no_data"#]]
        .assert_eq(&overlooked(&registry("")).join("\n"));
        let rule = "[[alarm_rule]]\nid = 'silent'\nkind = 'no_data'\nseverity = 'red'";
        expect![[r#"
            alarm_rule[silent]: tells nobody, its alarms are on the pages alone; write ladder = "…", the id of a [[ladder]]
            station[S]: no mandate, so that nothing judges what it releases; write a [[mandate]] for its section"#]]
        .assert_eq(&overlooked(&registry(rule)).join("\n"));
    }

    #[test]
    fn a_rule_without_delay_and_deadband_is_warned_of() {
        let rule = |id: &str, keys: &str| {
            format!(
                "[[alarm_rule]]\nid = '{id}'\nkind = 'below_mandate'\nseverity = 'red'\n{keys}\n"
            )
        };
        let text = [
            rule("bare", ""),
            rule("on", "on_delay = '1m'"),
            rule("off", "off_delay = '1m'"),
            rule("dead", "deadband = 0.02"),
            "[[alarm_rule]]\nid = 'silent'\nkind = 'no_data'\nseverity = 'red'".to_owned(),
        ];
        let registry = store::registry::parse(&text.concat(), &Origin::Default).unwrap();
        expect!["alarm_rule[bare]: on_delay, off_delay and deadband are all 0, so that a flow about its limit comes and goes with each reading; such an alarm is raised at most 3 times an hour and then stands until it has been quiet for one. Write a deadband (0.02), or delays (10m)"]
            .assert_eq(&chatter(&registry).join("\n"));
    }

    #[test]
    fn a_secret_that_others_can_read_is_named_by_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let write = |name: &str, text: &str, mode| {
            std::fs::write(at.join(name), text).unwrap();
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(at.join(name), mode).unwrap();
        };
        write("open", "x", 0o640);
        write("shut", "x", 0o600);
        let document = "[mqtt]\nusername = 'u'\npassword_file = 'open'\n
            [[channel]]\nname = 'a'\npassword_file = 'shut'\n[[channel]]\nname = 'b'\npassword = 'x'";
        write("b.toml", document, 0o644);
        let file = at.join("b.toml");
        let tree = load(DEFAULTS, Some(&file), []).unwrap();
        let told = secrets(&tree, &file).join("\n").replace(&at.display().to_string(), "…");
        expect![[r#"
            channel[1].password: others can read `…/b.toml` (mode 644); chmod 600 …/b.toml
            mqtt.password_file: others can read `…/open` (mode 640); chmod 600 …/open"#]]
        .assert_eq(&told);
    }
}
