//! `demo`: the whole system on one machine, with nothing else installed.
//!
//! Twenty-nine simulated stations answer as Modbus TCP servers, an agent polls each of them and
//! sends over MQTT to the embedded broker, and the server takes it from there, as anywhere else: no
//! value has a way of its own, and nothing here writes a verdict, an alarm or a chart. The history
//! goes in by the door of `import samples`.

mod agents;
mod folder;
mod gateway;
mod greeting;
mod history;
mod link;
mod meter;
mod narrator;
mod registry;
mod river;
mod sites;
mod story;
mod world;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
};

use anyhow::Context as _;
use model::time::{Timestamp, Zone};
use runtime::{
    clock::{Clock, SystemClock},
    signals::{Signal, Signals},
};
use store::{AddUser, SetPassword, Store};

use self::{
    agents::Agents,
    folder::Folder,
    greeting::{Greeting, LogIn},
    world::World,
};
use crate::{
    cli,
    commands::{
        by,
        import::{Judge, take_in},
        user::made_for,
    },
    failure::Ended,
    output::say,
    run::{Addresses, Opened},
    stored,
};

/// The port that is taken where nobody says another, unless it is in use.
const PORT: u16 = 8080;
/// Who may log in, and as what.
const USERS: [(&str, &str); 3] = [("duty", "duty"), ("viewer", "viewer"), ("admin", "admin")];
/// Of history, where nobody says how many.
const DAYS: u16 = 60;
const SETTINGS: &str = "baseflow.toml";
const REGISTRY: &str = "registry.toml";
const HISTORY: &str = "history.csv";
/// Where messages go that would be sent.
const MESSAGES: &str = "messages.jsonl";

/// Runs the demonstration until it is asked to stop, or until a part of it fails.
pub(crate) fn demo(asked: &cli::Demo) -> anyhow::Result<Ended> {
    let http = http_address(asked.listen)?;
    let folder = Folder::open(asked.data.as_deref(), asked.fresh)?;
    if let (Some(days), Some(known)) = (asked.days, folder.days()) {
        anyhow::ensure!(
            days == known,
            "`{}` holds a demonstration with {known} days of history; leave --days out, or begin \
             again with --fresh",
            folder.path().display()
        );
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let metrics = prometheus::Registry::new();
    let world = runtime.block_on(World::start(&folder, Arc::clone(&clock), &metrics))?;
    folder.write(REGISTRY, &registry::text())?;
    let settings = folder.write(SETTINGS, &server_settings(http, world.broker))?;
    let opened = Opened::open(&settings, metrics)?;
    if folder.days().is_some() {
        say(&format!(
            "继续 `{folder}` 中的演示：未运行期间的数据缺测，按缺测评价；--fresh 重新开始\n\
             goes on with the demonstration in `{folder}`: what happened while it did not run is \
             missing, and judged as missing; --fresh begins again",
            folder = folder.path().display()
        ))?;
    } else {
        let days = asked.days.unwrap_or(DAYS);
        say(&format!("正在准备 {days} 天的历史数据 …  preparing {days} days of history …"))?;
        prepare(&folder, opened.store(), days, clock.now())?;
    }
    let log_ins = let_in(opened.store(), clock.now())?;
    let ended = runtime.block_on(serve(&opened, world, &folder, &log_ins));
    opened.close(runtime);
    ended.map(|()| Ended::Done)
}

/// Agents and server, until somebody asks; the agents stop first, then the server, then the broker
/// and what they measured.
async fn serve(
    opened: &Opened,
    world: World,
    folder: &Folder,
    log_ins: &[LogIn],
) -> anyhow::Result<()> {
    let mut signals = Signals::install().context("cannot catch signals")?;
    let agents = Agents::start(folder, &world).await?;
    let zone = Zone::named(Zone::USUAL).context("the stations' zone")?;
    let narrator = world.narrator(folder.file(MESSAGES), zone.clone());
    let announce = |at: Addresses| {
        let http = at.http.context("the pages are not served")?;
        let (pages, messages) = (addresses(http), folder.file(MESSAGES));
        let start = world.begin();
        let (zone, folder) = (&zone, folder.path());
        let (pages, messages) = (&*pages, &*messages);
        say(&Greeting { pages, messages, log_ins, start, zone, folder }.to_string())?;
        narrator.begin(start);
        Ok(())
    };
    let mut ended = Ok(());
    let asked = async {
        let interrupted = async { while signals.next().await == Signal::Reload {} };
        tokio::select! {
            () = interrupted => {}
            failed = world.failed() => ended = Err(failed),
            failed = agents.failed() => ended = Err(failed),
        }
        agents.stop().await;
    };
    let served = Box::pin(opened.serve(announce, asked)).await;
    world.stop().await;
    served?;
    ended.context("a part of the demonstration stopped by itself")
}

/// Writes the history and takes it in.
fn prepare(folder: &Folder, store: &Store, days: u16, now: Timestamp) -> anyhow::Result<()> {
    let file = folder.file(HISTORY);
    history::write(&file, days, now)
        .with_context(|| format!("cannot write `{}`", file.display()))?;
    let in_force = stored::in_force(store.journal())?.context("no registry is in force")?;
    let judge = Judge::new(in_force.registry, now)?;
    let taken = take_in(store, judge, &file, false)?;
    anyhow::ensure!(taken.refused == 0, "of the history lines were refused: {}", taken.words);
    std::fs::remove_file(&file).with_context(|| format!("cannot remove `{}`", file.display()))?;
    folder.prepared(days)
}

/// Gives everybody a password for this run.
fn let_in(store: &Store, at: Timestamp) -> anyhow::Result<Vec<LogIn>> {
    let mut log_ins = Vec::new();
    for (name, role) in USERS {
        let (password, hash) = made_for(name)?;
        let user = AddUser {
            at,
            by: by(),
            name: name.to_owned(),
            role: role.to_owned(),
            password: hash.clone(),
            must_change: false,
        };
        let is_new = store.journal().write_blocking(user).context("cannot store a user")?;
        if !is_new {
            let set = SetPassword {
                at,
                by: by(),
                name: name.to_owned(),
                password: hash,
                must_change: false,
                replaces: None,
            };
            store.journal().write_blocking(set).context("cannot set a password")?;
        }
        log_ins.push(LogIn { name, password });
    }
    Ok(log_ins)
}

/// The address that is asked for, else the usual one, else a free one.
fn http_address(asked: Option<SocketAddr>) -> anyhow::Result<SocketAddr> {
    let is_free = |address: SocketAddr| TcpListener::bind(address).map(|bound| bound.local_addr());
    if let Some(asked) = asked {
        let bound =
            is_free(asked).with_context(|| format!("--listen: cannot listen on {asked}"))?;
        return Ok(bound?);
    }
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let bound = is_free(loopback(PORT)).or_else(|_taken| is_free(loopback(0)));
    Ok(bound.context("no port of 127.0.0.1 is free")??)
}

/// Where somebody can open what listens at an address, on this machine first: whoever listens at all
/// of its addresses is found at loopback, and from elsewhere at the one that leads out.
fn addresses(http: SocketAddr) -> Vec<SocketAddr> {
    if !http.ip().is_unspecified() {
        return vec![http];
    }
    // whoever listens at all addresses of IPv6 does so at those of IPv4 as well
    let mut found = vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), http.port())];
    // nothing is sent: the system only says by which of its addresses it would be
    let out = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    let out = out.ok().map(|out| SocketAddr::new(out.ip(), http.port()));
    found.extend(out.filter(|out| !out.ip().is_unspecified() && !out.ip().is_loopback()));
    found
}

fn server_settings(http: SocketAddr, broker: SocketAddr) -> String {
    // a link in a message is opened on a telephone: not on this machine, if another can reach it
    let public = addresses(http).pop().unwrap_or(http);
    let (server, channel) = (world::SERVER, registry::CHANNEL);
    format!(
        "# The server of a demonstration, written anew at each of its starts.\n\n\
         data_dir = \"store\"\n\n\
         [http]\nlisten = \"{http}\"\npublic_url = \"http://{public}\"\n\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n\n\
         [mqtt]\nurl = \"mqtt://{broker}\"\nclient_id = \"{server}\"\nusername = \"{server}\"\n\
         password_file = \"{folder}/{server}.password\"\n\n\
         [registry]\nfile = \"{REGISTRY}\"\n\n\
         [log]\nlevel = \"error\"\nformat = \"text\"\n\n\
         [[channel]]\nname = \"{channel}\"\nkind = \"file\"\npath = \"{MESSAGES}\"\n",
        folder = world::GATEWAYS
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_taken_is_a_fault_where_it_was_asked_for_and_else_another_is_chosen() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert!(http_address(Some(address)).is_err());
        let chosen = http_address(None).unwrap();
        assert!(chosen.ip().is_loopback() && chosen.port() != 0);
    }

    #[test]
    fn whoever_listens_at_all_addresses_is_found_at_some_that_can_be_opened() {
        for all in ["0.0.0.0:8080", "[::]:8080"] {
            let all: SocketAddr = all.parse().unwrap();
            let found = addresses(all);
            assert!(found[0].ip().is_loopback());
            assert!(found.iter().all(|at| !at.ip().is_unspecified() && at.port() == 8080));
            assert!(!server_settings(all, all).contains("public_url = \"http://0.0.0.0"));
        }
        let one: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        assert_eq!(addresses(one), [one]);
    }

    #[test]
    fn the_servers_settings_have_no_fault() {
        let folder = tempfile::tempdir().unwrap();
        let demo = Folder::open(Some(folder.path()), false).unwrap();
        demo.make(world::GATEWAYS).unwrap();
        demo.write(&format!("{}/{}.password", world::GATEWAYS, world::SERVER), "secret").unwrap();
        let address = "127.0.0.1:8080".parse().unwrap();
        let file = demo.write(SETTINGS, &server_settings(address, address)).unwrap();
        let settings = crate::settings::settings(&file).unwrap();
        assert_eq!(settings.config.http.public_url, "http://127.0.0.1:8080");
    }
}
