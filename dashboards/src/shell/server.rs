//! The server: takes connections within its bounds and ends them when it is told to stop.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | open connections | 512, and one for each viewer of `/live` | another one ends the oldest that has no call in hand |
//! | beyond that, while those end | 64 | more wait in the kernel's backlog |
//! | of one address, of IPv6 networks of 56 and of 48 bits, this machine's own address excepted | 128, 192, 256 | another one is closed |
//! | seconds until a request's head has come | 10 | the connection ends |
//! | bytes of a head | 32 KiB, or twice that if they come at once; 64 headers | 431 |
//! | seconds in which a caller takes nothing of its answer, of which 512 bytes that it does take buy one back | 90 | the connection ends |
//! | bytes of an answer that the kernel holds for a caller, so that we see what it takes | 32 KiB | |
//! | seconds of a connection's life | 300 | it ends after the call in hand, at the latest 40 s later |
//!
//! A proxy on this machine brings everybody from one address, so there no bound per address tells who
//! sends half a head and waits. Whoever has a whole request needs milliseconds between connecting and
//! being heard: so it is the oldest that goes where there is no room, and never the one that has come.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use model::fault::Chain;
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    pin,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{
    in_hand::{Calls, SeenCalls},
    pages::Peer,
    parts::Parts,
    patient::Patient,
    places::{Place, Places},
    routes,
};
use crate::visitor::{Network, around, of_its_own};

const ROOM: Room = Room { connections: 512, beyond: 64 };
/// Of one address, viewers of `/live` among them; a proxy on this machine brings those of many.
/// The same of the IPv6 networks around it.
const CONNECTIONS_OF: [usize; 3] = [128, 192, 256];
/// Between two looks for a place, where there is none.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// A kernel says so only when some 20 KiB have been taken, and the caller's own, where it is his program
/// that is slow, when 60 have.
pub(super) const WRITE_LIMIT: Duration = Duration::from_secs(90);
/// What whoever reads slowly takes a second at least: half of what an old telephone does.
pub(super) const LEAST_BYTES: u32 = 512;
/// More of an answer that nobody reads would be in the kernel, and look as if it were taken; less would
/// make an answer slow to whoever is far away.
const KERNEL_BYTES: usize = 32 << 10;
const MAX_HEAD_BYTES: usize = 32 << 10;
const MAX_HEADERS: usize = 64;
const CONNECTION_LIMIT: Duration = Duration::from_mins(5);
/// What a call in hand may still take once its connection is to end: a call's limit and a bit.
const LAST_CALL_LIMIT: Duration = Duration::from_secs(40);
/// The same when the process stops.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// How many connections are open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) connections: usize,
    /// While others are ending.
    pub(super) beyond: usize,
}

/// Open connections, the oldest first. Each token is cancelled where its connection is to end, and
/// where it has ended.
#[derive(Debug, Default)]
struct ByAge(VecDeque<(CancellationToken, SeenCalls)>);

impl ByAge {
    fn add(&mut self, ending: CancellationToken, calls: SeenCalls, open: usize) {
        // those that have ended are taken out now and then, so that this costs little each time
        if self.0.len() > open.saturating_mul(2) {
            self.0.retain(|(ending, _)| !ending.is_cancelled());
        }
        self.0.push_back((ending, calls));
    }

    /// Tells the oldest without a call in hand to end.
    fn end_oldest(&mut self) {
        let is_idle = |(ending, calls): &(CancellationToken, SeenCalls)| {
            !ending.is_cancelled() && !calls.is_any()
        };
        if let Some(oldest) = self.0.iter().position(is_idle)
            && let Some((ending, _)) = self.0.remove(oldest)
        {
            ending.cancel();
        }
    }
}

/// Serves the API on `listener` until `stop`; calls in hand then have 3 s to end.
pub async fn serve(listener: TcpListener, parts: Arc<Parts>, stop: CancellationToken) {
    serve_within(ROOM, listener, parts, stop).await;
}

pub(super) async fn serve_within(
    room: Room,
    listener: TcpListener,
    parts: Arc<Parts>,
    stop: CancellationToken,
) {
    let router = routes::router(&parts);
    let mut connections = JoinSet::new();
    let mut by_age = ByAge::default();
    let addresses = Places::of(usize::MAX);
    loop {
        parts.metrics.connections.set(i64::try_from(connections.len()).unwrap_or(i64::MAX));
        let meant = room.connections.saturating_add(parts.picture.viewers());
        let places = meant.saturating_add(room.beyond);
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_ended) = connections.join_next() => continue,
            // a connection that has become a viewer's takes no place any more, and says nothing
            () = sleep(LOOK_AGAIN), if connections.len() >= places => {
                by_age.end_oldest();
                continue;
            }
            accepted = listener.accept(), if connections.len() < places => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let peer = peer.ip();
                let is_here = peer.to_canonical().is_loopback();
                let at_most = if is_here { [places; 3] } else { CONNECTIONS_OF };
                let Ok(place) = addresses.take(around(of_its_own(peer), at_most), false) else {
                    debug!("address has too many connections");
                    continue;
                };
                if connections.len() >= meant {
                    by_age.end_oldest(); // the one that has come is not among them yet
                }
                let (ending, calls) = (CancellationToken::new(), Calls::none());
                by_age.add(ending.clone(), calls.seen(), connections.len());
                let stops = (ending, stop.clone());
                let taken = connection(stream, Peer(peer), (router.clone(), calls), stops);
                connections.spawn(holding(place, taken));
            }
            Err(failure) => {
                warn!(error = %Chain(&failure), "cannot accept a connection");
                sleep(Duration::from_secs(1)).await; // out of files, most likely: it lasts
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    parts.metrics.connections.set(0);
}

async fn holding(place: Place<Network>, connection: impl Future<Output = ()>) {
    connection.await;
    drop(place);
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    (router, calls): (Router, Calls),
    (ending, stop): (CancellationToken, CancellationToken),
) {
    let _ended = ending.clone().drop_guard();
    prepare(&stream);
    let stream = TokioIo::new(Patient::new(stream, WRITE_LIMIT, LEAST_BYTES));
    let router = TowerToHyperService::new(router);
    let is_heard = Arc::new(AtomicBool::new(false));
    let hears = Arc::clone(&is_heard);
    let service = service_fn(move |mut request: Request<Incoming>| {
        hears.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(peer);
        let call = calls.begin();
        let answer = router.call(request);
        async move { answer.await.map(|answer| call.answered(answer)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(stream, service);
    pin!(connection);
    let limit = tokio::select! {
        biased;
        ended = connection.as_mut() => return log(ended),
        () = stop.cancelled() => STOP_LIMIT,
        () = ending.cancelled() => {
            if !is_heard.load(Ordering::Relaxed) {
                return debug!("connection made room before it asked for anything");
            }
            LAST_CALL_LIMIT
        }
        () = sleep(CONNECTION_LIMIT) => LAST_CALL_LIMIT,
    };
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        biased;
        ended = timeout(limit, connection.as_mut()) => match ended {
            Ok(ended) => log(ended),
            Err(_elapsed) => debug!("connection took too long to end"),
        },
        () = async { stop.cancelled().await; sleep(STOP_LIMIT).await } => {
            debug!("connection did not end in time");
        }
    }
}

fn prepare(stream: &TcpStream) {
    if let Err(failure) = stream.set_nodelay(true) {
        debug!(error = %Chain(&failure), "cannot switch off delay");
    }
    if let Err(failure) = SockRef::from(stream).set_send_buffer_size(KERNEL_BYTES) {
        debug!(error = %Chain(&failure), "cannot bound what the kernel holds");
    }
}

fn log(ended: Result<(), hyper::Error>) {
    if let Err(failure) = ended {
        debug!(error = %Chain(&failure), "connection broke");
    }
}
