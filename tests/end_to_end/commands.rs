//! Commands: each does what its help says, ends with the right code, and may run beside the server.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::Command,
    time::Duration,
};

use model::time::Timestamp;
use serde_json::json;
use world::{Api, Bus, Finished, Oracle, Process, Register, Site, World, binary, tool, wait};

const PATIENCE: Duration = Duration::from_secs(30);

fn one_gauge(world: &World, name: &str) -> (world::Meter, Site) {
    let mut meter = world.meter("one");
    let site = Site::counting(name, &mut meter, "200ms", 2);
    (meter, site)
}

#[test]
fn every_command_shows_an_example_in_its_help() {
    let commands: [(&str, &[&[&str]]); 2] = [
        (
            "baseflow",
            &[
                &["run"],
                &["check"],
                &["demo"],
                &["registry", "import"],
                &["registry", "export"],
                &["registry", "diff"],
                &["token", "add"],
                &["token", "list"],
                &["token", "revoke"],
                &["user", "add"],
                &["user", "passwd"],
                &["user", "disable"],
                &["user", "list"],
                &["import", "samples"],
                &["export", "samples"],
                &["quarantine", "list"],
                &["quarantine", "show"],
                &["quarantine", "replay"],
                &["quarantine", "discard"],
                &["verify"],
                &["backup"],
                &["restore"],
            ],
        ),
        ("baseflow-edge", &[&["run"], &["check"], &["probe"], &["spool"]]),
    ];
    for (name, commands) in commands {
        for command in commands {
            let help =
                Finished::of(Command::new(binary(name)).args(*command).arg("--help")).success();
            let example = format!("{name} {}", command.join(" "));
            assert!(help.contains(&example), "`{example} --help` shows no example: {help}");
        }
        for bad in [&["no-such-command"][..], &["run"], &["check", "--no-such-option"]] {
            let said = Finished::of(Command::new(binary(name)).args(bad));
            assert_eq!(said.code, 2, "{name} {bad:?}: {said:?}");
        }
        let missing = Finished::of(Command::new(binary(name)).args([
            "check",
            "--config",
            "/no/such/file.toml",
        ]));
        assert_eq!(missing.code, 78, "{missing:?}");
        assert!(missing.err.contains("/no/such/file.toml"), "{missing:?}");
    }
}

#[test]
fn a_command_that_reads_makes_no_store_of_a_path_that_is_misspelt() {
    let world = World::new("no-store");
    for command in [
        &["token", "list"][..],
        &["token", "revoke", "me"],
        &["user", "list"],
        &["user", "passwd", "zhang"],
        &["user", "disable", "zhang"],
        &["registry", "export"],
        &["export", "samples"],
        &["quarantine", "list"],
        &["quarantine", "discard", "1"],
        &["backup", "copy"],
        &["verify"],
    ] {
        let said = world.server.command(command);
        assert_eq!(said.code, 1, "{command:?}: {said:?}");
        assert!(said.err.contains("there is no store in"), "{command:?}: {said:?}");
    }
    assert!(!world.server.data().try_exists().unwrap(), "no folder was made");
}

#[test]
fn check_probe_makes_the_data_folder_as_a_start_would_and_takes_it_back() {
    let world = World::new("check-folder");
    let settings = world.folder().join("folder.toml");
    let probe = |data: &str| {
        let text = format!(
            "data_dir = \"{data}\"\n[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n",
            world.broker.port()
        );
        fs::write(&settings, text).expect("a settings file");
        let mut command = Command::new(binary("baseflow"));
        Finished::of(command.args(["check", "--probe", "--config"]).arg(&settings))
    };
    let refused = probe("/proc/baseflow");
    assert_eq!(refused.code, 1, "{refused:?}");
    let fault = refused.out.lines().find(|line| line.starts_with("FAULT    data_dir: "));
    assert!(fault.is_some_and(|line| line.contains("`/proc")), "{}", refused.out);
    let sound = probe("nowhere/yet");
    assert!(sound.out.contains("ok       data: nothing in `"), "{}", sound.out);
    assert!(!world.folder().join("nowhere").try_exists().unwrap(), "a folder was left behind");
}

#[test]
fn check_prints_what_is_in_force_with_origins_and_without_secrets() {
    let mut world = World::new("check");
    let (_meter, site) = one_gauge(&world, "check");
    world.open(&[&site]);
    let said = world.server.command(&["check"]).success();
    assert!(said.contains("data_dir") && said.contains("default"), "{said}");
    assert!(!said.contains("secret of"), "a secret is printed: {said}");
    let agent = world.agent(&site);
    let plan = agent.command(&["check"]).success();
    assert!(plan.contains("unit-1") && plan.contains("bus-0"), "{plan}");
    assert!(!plan.contains("secret of"), "a secret is printed: {plan}");
}

/// A broker without accounts and rules.
fn open_broker(world: &World) -> (u16, Process) {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = free.expect("a free port").port();
    let (file, log) = (world.folder().join("open.conf"), world.folder().join("open.log"));
    let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\n");
    fs::write(&file, text).expect("a settings file");
    let mut command = Command::new(tool("BASEFLOW_MOSQUITTO"));
    let mut process = Process::start("the open broker", command.arg("-c").arg(file), &log);
    wait::until("the open broker listens", PATIENCE, || {
        process.expect_running();
        TcpStream::connect(("127.0.0.1", port))
    });
    (port, process)
}

#[test]
fn check_probe_tries_the_brokers_rules_and_takes_nothing_from_the_server() {
    let mut world = World::new("check-probe");
    let (_meter, site) = one_gauge(&world, "rules");
    let third = "[[station]]\nid = \"BF-third\"\nagent = \"gw-third\"\n\n  [[station.gauge]]\n  id = \"release\"\n  \
                 quantity = \"flow\"\n  unit = \"m3/s\"\n  interval = \"5s\"\n";
    world.open_with(&[&site], &["gw-third"], third);
    let password = world.folder().join("third.password");
    fs::write(&password, world.broker.password("gw-third")).expect("a file");
    let as_third = ["--agent", "gw-third", "--password-file", password.to_str().unwrap()];
    let probe =
        |world: &World| world.server.command(&[&["check", "--probe"][..], &as_third].concat());

    // Beside the server, whose account is left alone; its connection stands.
    let beside = probe(&world);
    assert_eq!(beside.code, 0, "{beside:?}");
    assert!(beside.out.contains("skipped  broker, as the server: its password"), "{}", beside.out);
    let log = fs::read_to_string(world.folder().join("baseflow.server.log")).expect("its log");
    assert!(!log.contains("\"level\":\"WARN\""), "the server lost its connection: {log}");
    assert!(beside.out.contains("`baseflow/v1/server` is refused"), "{}", beside.out);
    assert!(beside.out.contains("refuses who has no account"), "{}", beside.out);

    // While the server is away, a third party's readings wait for it, and still do afterwards.
    world.server.stop();
    let at = model::time::Timestamp::clamped(wait::now_ms() / 1_000 * 1_000);
    let reading =
        format!(r#"{{"readings":{{"gauge":"BF-third/release","at":"{at}","value":0.612}}}}"#);
    world.broker.client("gw-third").publish("baseflow/v1/gw-third/json", reading);
    let alone = probe(&world);
    assert_eq!(alone.code, 0, "{alone:?}");
    for line in [
        "ok       data: ",
        "may publish `baseflow/v1/baseflow-probe-nobody/commit`",
        "as the server: `baseflow/v1/baseflow-probe-nobody/batch` is refused",
        "ok       broker, as `gw-third`: may publish `baseflow/v1/gw-third/json`",
        "as `gw-third`: hears nothing that the broker keeps for others",
    ] {
        assert!(alone.out.contains(line), "{line} is missing: {}", alone.out);
    }
    world.server.start();
    wait::until("the reading that waited", PATIENCE, || {
        let samples = world.server.api().samples("BF-third/release")?;
        if samples.len() == 1 { Ok(()) } else { Err(format!("{samples:?}")) }
    });
    assert!(world.server.api().list("quarantine", "&state=all").is_empty());
    world.server.stop();

    // A broker without rules.
    let (port, _open) = open_broker(&world);
    let settings = fs::read_to_string(world.server.settings()).expect("its settings");
    let old = format!("mqtt://127.0.0.1:{}", world.broker.port());
    fs::write(world.server.settings(), settings.replace(&old, &format!("mqtt://127.0.0.1:{port}")))
        .expect("its settings");
    let open = probe(&world);
    assert_eq!(open.code, 1, "{open:?}");
    for line in [
        "FAULT    broker: whoever has no account gets in",
        "FAULT    broker, as the server: may publish `baseflow/v1/baseflow-probe-nobody/batch`",
        "FAULT    broker, as `gw-third`: may publish `baseflow/v1/baseflow-probe-nobody/json`",
        "FAULT    broker, as `gw-third`: may publish `baseflow/v1/server`",
    ] {
        assert!(open.out.contains(line), "{line} is missing: {}", open.out);
    }
}

#[test]
fn probe_shows_words_value_and_every_word_order() {
    let world = World::new("probe");
    let mut meter = world.meter("probe");
    let flow = Register::flow("release", 1, 100, "cdab");
    let number = Register::new("number", 1, "holding", 7, "u16");
    meter.command(&flow.set(1800.0));
    meter.command(&number.set(4660));
    let site = Site::new("probe", vec![Bus::new(&meter, "1s", vec![flow, number])]);
    let agent = world.agent(&site);
    let said = agent.command(&["probe"]).success();
    for text in
        ["BF-probe/release", "1800", "abcd", "cdab", "badc", "dcba", "BF-probe/number", "4660"]
    {
        assert!(said.contains(text), "{text} is missing: {said}");
    }
    let lower = said.to_lowercase();
    assert!(
        lower.contains("0000 44e1") || lower.contains("0000") && lower.contains("44e1"),
        "{said}"
    );
    agent.command(&["probe", "--device", "unit-1"]).success();
    let unknown = agent.command(&["probe", "--device", "nobody"]);
    assert_ne!(unknown.code, 0, "{unknown:?}");
}

#[test]
fn spool_tells_what_is_queued_beside_a_running_agent() {
    let mut world = World::new("spool");
    let (_meter, site) = one_gauge(&world, "spool");
    world.open(&[&site]);
    world.broker.kill9();
    let mut agent = world.agent(&site);
    let early = agent.command(&["spool"]);
    assert!(early.code == 1 && early.err.contains("the agent has not run yet"), "{early:?}");
    agent.start();
    wait::until("a queue", PATIENCE, || {
        let queued = if agent.spool().try_exists().unwrap() { agent.held().queued } else { 0 };
        if queued >= 3 { Ok(()) } else { Err(queued) }
    });
    let said = agent.command(&["spool"]).success();
    assert!(said.to_lowercase().contains("queued"), "{said}");
    let second = agent.command(&["run"]);
    assert_ne!(second.code, 0, "a second agent ran on one spool: {second:?}");
    let id = agent.process().id().to_string();
    assert!((second.out + &second.err).contains(&id), "the holder {id} is not named");
    agent.process().expect_running();
}

#[test]
fn a_second_server_on_one_data_folder_is_refused() {
    let mut world = World::new("second");
    world.open_with(&[], &[], "");
    let second = world.server.command(&["run"]);
    assert_eq!(second.code, 1, "{second:?}");
    let id = world.server.process().id().to_string();
    assert!(
        (second.out.clone() + &second.err).contains(&id),
        "the holder {id} is not named: {second:?}"
    );
    world.server.process().expect_running();
    world.server.stop();
}

#[test]
fn tokens_open_the_api_until_they_are_revoked() {
    let mut world = World::new("token");
    world.open_with(&[], &[], "");
    let token =
        world.server.command(&["token", "add", "--name", "viewer", "--role", "viewer"]).success();
    assert_eq!(token.lines().count(), 1, "the token alone is printed: {token}");
    let api: Api = world.server.api().with_token(token.trim());
    wait::until("the token is good", PATIENCE, || {
        let answer = api.try_get("/stations").unwrap();
        if answer.status == 200 { Ok(()) } else { Err(answer.text) }
    });
    assert_eq!(api.post("/quarantine/1/discard", None).status, 403);
    assert_eq!(api.with_token("bf_wrong").try_get("/stations").unwrap().status, 401);
    let list = world.server.command(&["token", "list"]).success();
    assert!(list.contains("viewer") && !list.contains(token.trim()), "{list}");
    let again = world.server.command(&["token", "add", "--name", "viewer", "--role", "viewer"]);
    assert_ne!(again.code, 0, "{again:?}");
    world.server.command(&["token", "revoke", "viewer"]).success();
    wait::until("the token is refused", PATIENCE, || {
        let answer = api.try_get("/stations").unwrap();
        if answer.status == 401 { Ok(()) } else { Err(answer.text) }
    });
}

/// A log-in as a page makes it: the status, and the cookie that was set.
fn log_in(world: &World, name: &str, password: &str) -> (u16, Option<String>) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent: ureq::Agent = config.into();
    let address = format!("http://127.0.0.1:{}/api/v1/session", world.server.http());
    let answer = agent.post(address).send_json(json!({"name": name, "password": password}));
    let answer = answer.expect("the server answers");
    let cookie = answer.headers().get("set-cookie").map(|set| set.to_str().unwrap());
    let cookie = cookie.and_then(|set| set.split(';').next()).map(str::to_owned);
    (answer.status().as_u16(), cookie)
}

/// What a call by this cookie is answered with.
fn stations_by(world: &World, cookie: &str) -> u16 {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent: ureq::Agent = config.into();
    let address = format!("http://127.0.0.1:{}/api/v1/stations", world.server.http());
    let answer = agent.get(address).header("Cookie", cookie).call().expect("an answer");
    answer.status().as_u16()
}

#[test]
fn a_restart_forgives_no_wrong_password() {
    let mut world = World::new("locked");
    world.open_with(&[], &[], "");
    let made = world.server.command(&["user", "add", "zhang", "--role", "duty"]).success();
    for _ in 0..5 {
        assert_eq!(log_in(&world, "zhang", "Wrong-123").0, 401);
    }
    assert_eq!(log_in(&world, "zhang", made.trim()).0, 429);
    world.server.stop();
    world.server.start();
    assert_eq!(log_in(&world, "zhang", made.trim()).0, 429);
}

#[test]
fn a_screen_on_a_wall_gets_a_link_that_it_opens_once() {
    let mut world = World::new("wall");
    world.open_with(&[], &[], "");
    let link = world.server.command(&["token", "add", "--name", "hall", "--role", "wall"]);
    let (page, token) = link.out.trim().split_once('#').expect("a link");
    assert!(page.ends_with("/wall") && token.starts_with("bf_"), "{link:?}");
    assert_eq!(world.server.api().with_token(token).try_get("/stations").unwrap().status, 401);
    let state = || {
        let list = world.server.command(&["token", "list"]).success();
        list.lines().find(|line| line.starts_with("hall")).expect("a line").to_owned()
    };
    assert!(state().contains("not opened by a screen yet"), "{}", state());
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent: ureq::Agent = config.into();
    let address = format!("http://127.0.0.1:{}/api/v1/session/wall", world.server.http());
    let open = || agent.post(&address).send_json(json!({"token": token})).expect("an answer");
    let opened = open();
    let cookie = opened.headers().get("set-cookie").expect("a cookie").to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap();
    assert_eq!((stations_by(&world, cookie), open().status().as_u16()), (200, 404));
    assert!(state().contains("valid, opened "), "{}", state());
    let person = world.server.command(&["user", "add", "li", "--role", "wall"]);
    assert!(person.code == 2 && person.err.contains("nobody logs in as a wall"), "{person:?}");
    world.server.command(&["token", "revoke", "hall"]).success();
    assert_eq!(stations_by(&world, cookie), 401);
    let log = fs::read_to_string(world.folder().join("baseflow.server.log")).unwrap();
    assert!(!log.contains(token) && !log.contains(cookie), "no secret is in the log");
}

#[test]
fn people_log_in_until_they_have_another_password_or_are_disabled() {
    let mut world = World::new("user");
    world.open_with(&[], &[], "");
    let log = fs::read_to_string(world.folder().join("baseflow.server.log")).unwrap();
    assert!(log.contains("baseflow user add NAME --role admin --config"), "{log}");
    let added = world.server.command(&["user", "add", "zhang", "--role", "duty"]);
    let made = added.out.trim().to_owned();
    assert_eq!((added.code, made.len(), added.out.lines().count()), (0, 23, 1), "{added:?}");
    let again = world.server.command(&["user", "add", "Zhang", "--role", "admin"]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("may log in already"), "{again:?}");
    assert_eq!(log_in(&world, "zhang", "Wrong-123").0, 401);
    let (status, cookie) = log_in(&world, "zhang", &made);
    let cookie = cookie.expect("a cookie");
    assert_eq!(
        (status, stations_by(&world, &cookie)),
        (200, 403),
        "a made password is changed first"
    );
    assert!(added.err.contains("has to set another one"), "{added:?}");
    let list = world.server.command(&["user", "list"]).success();
    assert!(list.contains("has to change the password"), "{list}");

    let passwd = |text: &str| {
        let arguments = ["user", "passwd", "zhang", "--password-stdin"];
        let mut command = world.server.command_line(&arguments);
        let file = world.folder().join("typed");
        fs::write(&file, text).unwrap();
        let input = fs::File::open(&file).unwrap();
        let output = command.stdin(input).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap(), output.stdout)
    };
    for weak in ["", "short", "all-lower-case", "Zhang-2026\n", "Admin@123\n"] {
        let (code, said, _) = passwd(weak);
        assert_eq!(code, Some(1), "{weak}");
        assert!(said.contains("password"), "{weak}: {said}");
    }
    assert_eq!(passwd("Kj7-mqzwp\nwhatever follows"), (Some(0), String::new(), Vec::new()));
    assert_eq!(stations_by(&world, &cookie), 401, "a session ends with its password");
    assert_eq!(log_in(&world, "zhang", &made).0, 401);
    let (status, cookie) = log_in(&world, "ZHANG", "Kj7-mqzwp");
    assert_eq!((status, stations_by(&world, cookie.as_deref().expect("a cookie"))), (200, 200));

    let list = world.server.command(&["user", "list"]).success();
    assert!(list.starts_with("zhang\tduty\t") && !list.contains("argon2"), "{list}");
    world.server.command(&["user", "disable", "zhang"]).success();
    assert_eq!(stations_by(&world, &cookie.expect("a cookie")), 401);
    assert_eq!(log_in(&world, "zhang", "Kj7-mqzwp").0, 401);
    assert_eq!(world.server.command(&["user", "disable", "zhang"]).code, 1);
    let log = fs::read_to_string(world.folder().join("baseflow.server.log")).unwrap();
    assert!(!log.contains("Kj7-mqzwp") && !log.contains(&made), "a password is logged");
    world.server.command(&["verify"]).success();
}

#[test]
fn a_registry_goes_out_and_in_again_unchanged() {
    let mut world = World::new("round");
    let (_meter, site) = one_gauge(&world, "round");
    let rivers =
        fs::read_to_string(world::repository().join("tests/fixtures/registry/three_rivers.toml"))
            .expect("three rivers");
    world.open_with(&[&site], &[], &rivers);
    let exported = world.server.command(&["registry", "export"]).success();
    let file = world.folder().join("exported.toml");
    fs::write(&file, &exported).expect("a file");
    let path = file.to_str().unwrap();
    world.server.command(&["registry", "import", path]).success();
    assert_eq!(world.server.command(&["registry", "export"]).success(), exported);

    let changed = exported.replace("鹿鸣滩(示例)", "鹿鸣滩");
    assert_ne!(changed, exported);
    fs::write(&file, &changed).expect("a file");
    let diff = world.server.command(&["registry", "diff", path]).success();
    assert!(diff.contains("BF-620721-04") && diff.contains("鹿鸣滩"), "{diff}");
    let dry = world.server.command(&["registry", "import", path, "--dry-run"]).success();
    assert!(dry.contains("BF-620721-04"), "{dry}");
    assert_eq!(world.server.command(&["registry", "export"]).success(), exported);
    world.server.command(&["registry", "import", path]).success();
    let api = world.server.api();
    wait::until("the running server knows it", PATIENCE, || {
        let name = api.get("/stations/BF-620721-04")["name"].clone();
        if name == "鹿鸣滩" { Ok(()) } else { Err(name) }
    });
    world.server.command(&["verify"]).success();
}

#[test]
fn a_station_that_has_data_may_not_vanish_from_the_registry() {
    let mut world = World::new("vanish");
    let (_meter, site) = one_gauge(&world, "vanish");
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let api = world.server.api();
    wait::until("a sample", PATIENCE, || {
        if api.samples(&site.full("g0"))?.is_empty() { Err("none".to_owned()) } else { Ok(()) }
    });
    let file = world.folder().join("empty.toml");
    fs::write(&file, "[[station]]\nid = \"other\"\n").expect("a file");
    let said = world.server.command(&["registry", "import", file.to_str().unwrap()]);
    assert_eq!(said.code, 78, "{said:?}");
    assert!((said.out + &said.err).contains(&site.station), "the station is not named");
}

/// Imports `text`, which must be refused, and gives what was said of it.
fn refused_import(world: &World, text: &str) -> String {
    let file = world.folder().join("bad.toml");
    fs::write(&file, text).expect("a file");
    let said = world.server.command(&["registry", "import", file.to_str().unwrap()]);
    assert_eq!(said.code, 78, "{said:?}");
    said.out + &said.err
}

#[test]
fn a_registry_by_which_nobody_would_be_told_or_judged_is_refused_with_every_key() {
    let mut world = World::new("refused");
    let (_meter, site) = one_gauge(&world, "refused");
    world.open(&[&site]);
    let in_force = world.server.command(&["registry", "export"]).success();
    let sound = fs::read_to_string(world.server.registry_file()).expect("the registry");
    let mandate = |from: &str, seasons: &str| {
        format!("{{ document = '1', from = '{from}', rule = 'hour', seasons = [{seasons}] }}")
    };
    let station = format!(
        "[[station]]
        id = 'S'
        gauge = [{{ id = 'm', quantity = 'flow', unit = 'm3/s', decimals = 3, interval = '5s' }}]
        outlet = [{{ id = 'o', section = 'dam', flow = {{ gauge = 'm' }} }}]
        mandate = [{}, {}, {}, {}]\n",
        mandate("2024-01-01", "{ from = '04-01', flow = 1 }"),
        mandate("2024-01-01", "{ from = '04-01', flow = 2 }"),
        mandate("2025-01-01", "{ from = '04-01', flow = 1 }, { from = '04-01', flow = 2 }"),
        mandate("2026-01-01", ""),
    );
    let people = "[[contact]]\nid = 'li'\nreach = [{ channel = 'pigeon', to = '1' }]\n";
    let faulty = "[[rule]]\nid = 'hour'\nstatistic = 'hourly_mean'
        [[alarm_rule]]\nid = 'a'\nkind = 'threshold'\nseverity = 'red'\ngauge = 'no-such'\nabove = 1
        [[ladder]]\nid = 'none'\nsteps = []
        [[rota]]\nid = 'days'\nshift = [{ contacts = ['li'], from = '08:00', to = '20:00' }]\n";
    let said = refused_import(&world, &format!("{sound}\n{station}{people}{faulty}"));
    let number = sound.matches("[[station]]").count();
    for key in [
        format!("station[{number}].mandate[1].from: overlaps"),
        format!("station[{number}].mandate[2].seasons: two seasons begin"),
        format!("station[{number}].mandate[3].seasons: no season"),
        "alarm_rule[0].gauge: the rule can never fire".to_owned(),
        "ladder[0].steps: names nobody".to_owned(),
        "rota[0]: has a hole".to_owned(),
    ] {
        assert!(said.contains(&key), "{key} is not told: {said}");
    }

    let said = refused_import(&world, &format!("{sound}\n{people}"));
    assert!(said.contains("contact[li].reach[0].channel: `pigeon` is no channel"), "{said}");
    fs::write(world.server.registry_file(), format!("{sound}\n{people}")).expect("the registry");
    let said = world.server.command(&["check"]);
    assert_eq!(said.code, 78, "{said:?}");
    assert!(said.err.contains("contact[li].reach[0].channel"), "{said:?}");
    assert_eq!(world.server.command(&["registry", "export"]).success(), in_force);
}

#[test]
fn history_comes_in_by_file_once_and_every_refused_line_is_told() {
    let mut world = World::new("import");
    let (mut meter, site) = one_gauge(&world, "import");
    world.open(&[&site]);
    let mut agent = world.agent(&site);
    agent.start();
    let (station, api) = (&site.station, world.server.api());
    let mut text = "station,gauge,at,value,unit,quality,reason\n".to_owned();
    for minute in 0..1_000 {
        let (hour, minute) = (minute / 60, minute % 60);
        text += &format!(
            "{station},g0,2024-10-0{}T{:02}:{minute:02}:00+08:00,{},V,good,\n",
            1 + hour / 24,
            hour % 24,
            7_000_000 + hour * 60 + minute
        );
    }
    let bad = [
        format!("{station},nope,2024-10-01T00:00:30Z,1,V,good,"),
        format!("{station},g0,yesterday,1,V,good,"),
        format!("{station},g0,2024-10-01T00:00:30Z,many,V,good,"),
        format!("{station},g0,2024-10-01T00:00:31Z,1,kg,good,"),
        format!("{station},g0,2024-10-01T00:00:32Z,1,V,lovely,"),
        format!("{station},g0,1999-10-01T00:00:32Z,1,V,good,"),
    ];
    let file = world.folder().join("history.csv");
    fs::write(&file, format!("{text}{}\n", bad.join("\n"))).expect("a file");
    let path = file.to_str().unwrap();
    let dry = world.server.command(&["import", "samples", path, "--dry-run"]);
    assert_eq!(dry.code, 1, "{dry:?}");
    let imported = || -> Vec<i128> {
        let samples = api.samples(&site.full("g0")).unwrap();
        // what the agent reads meanwhile is of this year
        let year_2025: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
        let old = samples.into_iter().filter(|sample| sample.at_ms < year_2025.as_ms());
        old.map(|sample| sample.value.unwrap().0 / 1_000_000_000).collect()
    };
    assert_eq!(imported(), Vec::<i128>::new(), "a dry run stores nothing");
    for _ in 0..2 {
        let said = world.server.command(&["import", "samples", path]);
        assert_eq!(said.code, 1, "lines were refused: {said:?}");
        for line in 1_002..=1_007 {
            assert!(said.err.contains(&line.to_string()), "line {line} is not told: {}", said.err);
        }
        assert_eq!(imported(), (7_000_000..7_001_000).collect::<Vec<_>>());
    }
    fs::write(&file, text).expect("a file");
    world.server.command(&["import", "samples", path]).success();
    assert_eq!(imported(), (7_000_000..7_001_000).collect::<Vec<_>>());

    // What goes out comes in again elsewhere as it was.
    meter.silence([1]);
    let csv = world
        .server
        .command(&["export", "samples", "--station", station, "--format", "csv"])
        .success();
    let copy = world.folder().join("copy.csv");
    fs::write(&copy, &csv).expect("a file");
    let registry = fs::read_to_string(world.server.registry_file()).expect("the registry");
    let mut other = World::new("import-copy");
    other.open_with(&[], &[], &registry);
    other.server.command(&["import", "samples", copy.to_str().unwrap()]).success();
    let again = other
        .server
        .command(&["export", "samples", "--station", station, "--format", "csv"])
        .success();
    assert_eq!(again.lines().count(), csv.lines().count());
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split(',').take(4).collect::<Vec<_>>().join(",")).collect()
    };
    assert_eq!(values(&again), values(&csv));
    world.server.command(&["verify"]).success();
}

#[test]
fn parts_start_alone_say_what_is_missing_and_stop_in_time() {
    let mut world = World::new("alone");
    let (mut meter, site) = one_gauge(&world, "alone");
    world.open(&[&site]);
    world.broker.kill9();
    world.server.stop();
    // neither broker nor server nor a meter that answers
    meter.silence([1]);
    let mut agent = world.agent(&site);
    agent.start();
    world.server.start();
    wait::until("the server says that it lacks the broker", PATIENCE, || {
        let stations = world.server.api().get("/stations");
        if stations["stations"].is_array() { Ok(()) } else { Err(stations) }
    });
    let took = world.server.stop().max(agent.stop());
    assert!(took < Duration::from_secs(10), "stopping took {took:?}");
    agent.start();
    world.server.start();
    world.broker.start();
    meter.command(&json!({"fault": {"unit": 1, "kind": null}}));
    let api = world.server.api();
    wait::until("all of it works after all", PATIENCE, || {
        let samples = api.samples(&site.full("g0"))?;
        if samples.iter().any(|sample| sample.value.is_some()) {
            Ok(())
        } else {
            Err(format!("{samples:?}"))
        }
    });
    meter.silence([1]);
    Oracle::read(&[&site]).reconcile(&world.server, PATIENCE);
}

#[test]
fn check_has_the_rules_judge_the_cases_of_the_registry() {
    let world = World::new("rule-tests");
    let case = |verdict: &str| {
        format!(
            r#"
            [[rule]]
            id = "hourly"
            statistic = "hourly_mean"

            [[rule_test]]
            id = "45 of 60 minutes"
            rule = "hourly"
            required = 1.2
            interval = "1m"
            from = "2026-04-01T00:00:00+08:00"
            series = "45x1.2 15x-"
            expect = [ {{ by = "hour", from = "2026-04-01T00:00:00+08:00", verdict = "{verdict}" }} ]
            "#
        )
    };
    let check = |verdict: &str| {
        fs::write(world.server.registry_file(), case(verdict)).expect("a registry file");
        world.server.command(&["check"])
    };
    let said = check("met").success();
    assert!(said.contains("ok       rule_test «45 of 60 minutes»: 1 verdict"), "{said}");
    let refused = check("short");
    assert_eq!(refused.code, 1, "{refused:?}");
    let line = "FAULT    rule_test «45 of 60 minutes»: rule `hourly` judges the hour from 2026-04-01 00:00:00 (Asia/Shanghai) as met, the test expects short";
    assert!(refused.out.contains(line), "{refused:?}");
}
