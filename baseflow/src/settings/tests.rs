//! What settings are taken, and how faults are told.

use std::path::Path;

use expect_test::{Expect, expect};
use runtime::settings::{effective, load};

use super::*;

/// Reads the defaults below `document` and shows what counts, or every fault.
fn check(document: &str, expected: &Expect) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("baseflow.toml");
    std::fs::write(&file, document).unwrap();
    std::fs::write(folder.path().join("secret"), "hush\n").unwrap();
    let tree = load(DEFAULTS, Some(&file), []).unwrap();
    let shown = match config(&tree, Path::new("/etc/baseflow/baseflow.toml")) {
        Ok(config) => format!(
            "{} {:?} {} {} {} {:?} {} {} {:?}",
            config.data_dir.display(),
            config.roles,
            config.http.listen,
            config.admin_listen,
            config.mqtt.broker,
            config.mqtt.version,
            config.mqtt.login.as_ref().map_or("anonymous", |login| &login.username),
            config.registry.file.display(),
            config.channels.keys().collect::<BTreeSet<_>>(),
        ),
        Err(refused) => refused.to_string(),
    };
    let folder = folder.path().display().to_string();
    expected.assert_eq(&shown.replace(&folder, "…"));
}

#[test]
fn the_defaults_alone_are_settings() {
    check(
        "",
        &expect![
            "/var/lib/baseflow {Ingest, Compliance, Alerting, Dashboards} 127.0.0.1:8080 127.0.0.1:9464 mqtt://127.0.0.1:1883 V5 anonymous /etc/baseflow/registry.toml {}"
        ],
    );
}

#[test]
fn what_this_version_cannot_do_is_refused_by_its_key() {
    check(
        r#"
        [roles]
        broker = true
        [http]
        tls_cert = "a"
        [mqtt]
        url = "mqtts://h:8883"
        share = "g"
        ca = "ca.pem"
        username = "u"
        [samples]
        backend = "influxdb2"
        influxdb2 = { url = "8086", org = "o" }
        [journal]
        backend = "postgres"
        url_file = "/no/such"
        [[channel]]
        name = "sms"
        kind = "kannel"
        url = "http://127.0.0.1:13013/cgi-bin/sendsms"
        [[channel]]
        name = "sms"
        kind = "aliyun"
        sign = "x"
        "#,
        &expect![[r#"
            roles.broker: the embedded broker is not built yet; write false and set up a broker as deploy/mosquitto shows (file …/baseflow.toml)
            http.tls_cert: TLS is not built yet; put a reverse proxy before http.listen (file …/baseflow.toml)
            mqtt.url: TLS is not built yet; use mqtt:// on loopback or through a tunnel (file …/baseflow.toml)
            mqtt.share: several ingest processes need samples in InfluxDB and a journal in PostgreSQL, which are not built yet; leave it empty (file …/baseflow.toml)
            mqtt.password_file: missing, though `username` is written (default)
            mqtt.ca: TLS is not built yet; use mqtt:// on loopback or through a tunnel (file …/baseflow.toml)
            samples.backend: samples in InfluxDB 2 are not built yet; write "embedded" (file …/baseflow.toml)
            samples.influxdb2.url: `8086` is no address; write http://host:port or https://host (file …/baseflow.toml)
            samples.influxdb2.bucket: missing (file …/baseflow.toml)
            samples.influxdb2.token_file: missing (file …/baseflow.toml)
            journal.backend: a journal in PostgreSQL is not built yet; write "embedded" (file …/baseflow.toml)
            journal.url_file: cannot read secret file `/no/such`: No such file or directory (os error 2) (file …/baseflow.toml)
            channel[0].username: missing (file …/baseflow.toml)
            channel[0].password_file: missing; or write `password` (file …/baseflow.toml)
            channel[1].kind: this kind of channel is not built yet; kannel and file are known (file …/baseflow.toml)
            channel[1].name: another channel is called `sms` (file …/baseflow.toml)"#]],
    );
}

#[test]
fn a_kind_of_channel_that_is_none_is_told_those_that_there_are() {
    check(
        "[[channel]]\nname = 'loft'\nkind = 'pigeon'\n",
        &expect![[
            r#"channel[0].kind: `pigeon` is no kind of channel; kannel and file are known (file …/baseflow.toml)"#
        ]],
    );
}

#[test]
fn a_channel_writes_to_no_file_that_is_somebody_elses() {
    let file = |name: &str, path: &str| {
        format!("[[channel]]\nname = '{name}'\nkind = 'file'\npath = '{path}'\n")
    };
    let text = [
        file("a", "/var/log/messages.jsonl"),
        file("b", "/var/log/messages.jsonl"),
        file("c", "/var/lib/baseflow/journal.db"),
        file("d", "/etc/baseflow/registry.toml"),
    ];
    check(
        &text.concat(),
        &expect![[r#"
            channel[1].path: is the file of another channel (file …/baseflow.toml)
            channel[2].path: lies in data_dir, where the server's own files are (file …/baseflow.toml)
            channel[3].path: is the registry file (file …/baseflow.toml)"#]],
    );
}

#[test]
fn nor_to_one_that_becomes_somebody_elses_when_it_is_full_or_leads_there() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let there = |name: &str| at.join(name).display().to_string();
    std::fs::create_dir(at.join("real")).unwrap();
    std::fs::write(at.join("real/a"), "").unwrap();
    std::os::unix::fs::symlink(at.join("real"), at.join("alias")).unwrap();
    std::os::unix::fs::symlink(at.join("real/a"), at.join("link")).unwrap();
    std::fs::hard_link(at.join("real/a"), at.join("hard")).unwrap();
    let channel = |(n, path): (usize, &str)| {
        format!("[[channel]]\nname = 'c{n}'\nkind = 'file'\npath = '{path}'\n")
    };
    let of = |paths: &[&str]| -> String {
        let file = at.join("baseflow.toml");
        let text: String = paths
            .iter()
            .map(|path| there(path))
            .enumerate()
            .map(|(n, path)| channel((n, &path)))
            .collect();
        let registry = there("messages.1");
        std::fs::write(&file, format!("registry.file = '{registry}'\n{text}")).unwrap();
        let refused = settings(&file).err().map(|refused| refused.to_string());
        refused.unwrap_or_default().replace(&at.display().to_string(), "…")
    };
    expect![[r#"
        channel[1].path: and the file of another channel become one when either is full, as `FILE.1`; choose another name (file …/baseflow.toml)"#]]
    .assert_eq(&of(&["x", "x.1"]));
    expect![[r#"
        channel[1].path: and the file of another channel become one when either is full, as `FILE.1`; choose another name (file …/baseflow.toml)"#]]
    .assert_eq(&of(&["x.1", "x"]));
    expect![[r#"
        channel[0].path: becomes `…/messages.1` when it is full, which is the registry file; choose another name (file …/baseflow.toml)"#]]
    .assert_eq(&of(&["messages"]));
    expect![[r#"
        channel[0].path: is the settings file (file …/baseflow.toml)"#]]
    .assert_eq(&of(&["baseflow.toml"]));
    expect![[r#"
        channel[1].path: is the file of another channel (file …/baseflow.toml)
        channel[2].path: is a symbolic link; write the path of the file itself (file …/baseflow.toml)
        channel[3].path: is the file of another channel (file …/baseflow.toml)"#]]
    .assert_eq(&of(&["real/a", "alias/a", "link", "hard"]));
    assert_eq!(of(&["x", "y", "x.2"]), "");
}

#[test]
fn a_channel_is_checked_before_anybody_has_to_be_told_something() {
    let channel = |keys: &str| format!("[[channel]]\nname = 'sms'\nkind = 'kannel'\n{keys}");
    check(
        &channel(
            "url = 'http://127.0.0.1:13013/cgi-bin/sendsms'\nusername = 'u'\npassword = 'p'\n\
             receipts = false\nreceipt_url = 'http://10.0.0.1:8080'\nreserved = 6",
        ),
        &expect![
            "/var/lib/baseflow {Ingest, Compliance, Alerting, Dashboards} 127.0.0.1:8080 127.0.0.1:9464 mqtt://127.0.0.1:1883 V5 anonymous /etc/baseflow/registry.toml {sms}"
        ],
    );
    check(
        &channel(
            "url = 'https://sms.example.org/'\nusername = 'u'\npassword = 'p'\nca = '/no/such'",
        ),
        &expect![
            "channel[0].ca: cannot read certificates from `/no/such`: I/O error: No such file or directory (os error 2) (file …/baseflow.toml)"
        ],
    );
    check(
        &channel(
            "url = 'http://u:hush@127.0.0.1/'\nusername = 'u'\npassword = 'p'\n\
             password_file = '/no/such'\nreserved = 7\nreceipt_url = '127.0.0.1'\nfrm = '1'",
        ),
        &expect![[r#"
            channel[0].url: has a login in it; write that under keys of its own (file …/baseflow.toml)
            channel[0].password: `password_file` is written too; keep one (file …/baseflow.toml)
            channel[0].receipt_url: `127.0.0.1` is no address; write http://host:port or https://host (file …/baseflow.toml)
            channel[0].reserved: 7 is not between 0 and 6 (file …/baseflow.toml)
            channel[0].frm: unknown key; did you mean `from`? (file …/baseflow.toml)"#]],
    );
    check(
        &channel("url = 'http://127.0.0.1/'\nusername = \"u\\n\"\npassword = 'p'"),
        &expect![
            "channel[0].username: `username` has a line break or another control character in it (file …/baseflow.toml)"
        ],
    );
}

#[test]
fn every_fault_is_told_with_its_full_key() {
    check(
        r#"
        data_dir = ""
        registery = 1
        [roles]
        ingest = "yes"
        [http]
        listen = "localhost:8080"
        public_url = "127.0.0.1"
        [admin]
        listen = "127.0.0.1:9464"
        [mqtt]
        version = 3
        client_id = ""
        password_file = "/no/such/secret"
        keep_alive = "1s"
        [registry]
        near = 0.9
        [log]
        level = "loud=very"
        format = "xml"
        "#,
        &expect![[r#"
            data_dir: is empty; write a path (file …/baseflow.toml)
            roles.ingest: a string where true or false belongs (file …/baseflow.toml)
            http.listen: `localhost:8080` is no address; write 127.0.0.1:8080 or [::]:8080 (file …/baseflow.toml)
            http.public_url: `127.0.0.1` is no address; write http://host:port or https://host (file …/baseflow.toml)
            mqtt.version: 3 is not between 4 and 5 (file …/baseflow.toml)
            mqtt.client_id: must have 1 to 128 bytes, none of them a control character (file …/baseflow.toml)
            mqtt.password_file: cannot read secret file `/no/such/secret`: No such file or directory (os error 2) (file …/baseflow.toml)
            mqtt.username: missing, though `password_file` is written (default)
            mqtt.keep_alive: 1s is not between 5s and 1h (file …/baseflow.toml)
            registry.near: 0.9 is not between 1 and 10 (file …/baseflow.toml)
            log.level: `loud=very` is not a level; write off, error, warn, info, debug or trace, and modules after it: info,runtime=debug (file …/baseflow.toml)
            log.format: `xml` is none of auto, json, text (file …/baseflow.toml)
            registery: unknown key (file …/baseflow.toml)"#]],
    );
}

#[test]
fn api_and_admin_port_do_not_share_an_address() {
    check(
        "http.listen = '127.0.0.1:9464'",
        &expect!["admin.listen: is the address of http.listen too; choose another port (default)"],
    );
}

#[test]
fn a_change_is_named_by_its_key_and_a_secret_is_not_printed() {
    let tree = |document: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("baseflow.toml");
        std::fs::write(&file, document).unwrap();
        load(DEFAULTS, Some(&file), []).unwrap()
    };
    let old = tree("log.level = 'info'\nhttp.listen = '127.0.0.1:1'");
    let new = tree("log.level = 'debug'\n[[channel]]\npassword = 'hush'");
    let keys: Vec<_> = runtime::settings::changed(&old, &new).into_iter().collect();
    assert_eq!(keys, ["channel", "http.listen", "log.level"]);
    assert!(is_written(&new, "log.level") && !is_written(&new, "http.listen"));
    assert!(!effective(&new, SECRET_KEYS).contains("hush"));
}
