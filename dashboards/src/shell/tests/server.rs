//! Connections as the server takes them, over sockets of this machine.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::shell::server::{Room, serve_within};

const PATIENCE: Duration = Duration::from_secs(5);

async fn served(world: &World, connections: usize) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (room, parts) = (Room { connections, beyond: 2 }, Arc::clone(&world.parts));
    let stop = CancellationToken::new();
    let until = stop.clone();
    world.parts.stage.spawn("http", async move {
        serve_within(room, listener, parts, until).await;
    });
    (address, stop)
}

/// A connection on which this was written.
async fn said(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// The status of the answer.
async fn status(stream: &mut TcpStream) -> String {
    let mut first = [0; 12];
    let read = timeout(PATIENCE, stream.read_exact(&mut first)).await;
    read.expect("an answer in time").unwrap();
    String::from_utf8_lossy(&first[9..]).into_owned()
}

#[test]
fn who_sends_half_a_head_or_nothing_more_makes_room_for_who_asks() {
    in_world(|world| async move {
        let (address, stop) = served(&world, 8).await;
        let get = |path: &str, role| {
            let token = world.token(role);
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n")
        };
        let ask = get("/api/v1/stations", Role::Viewer);
        // more of them than connections that may be open while others end
        let mut viewers = Vec::new();
        for role in [Role::Viewer, Role::Duty].repeat(2) {
            let mut viewer = said(address, &get("/api/v1/live", role)).await;
            assert_eq!(status(&mut viewer).await, "200");
            viewers.push(viewer);
        }
        for begun in ["", "GET /i/7 HTTP/1.1\r\nHost: x\r\n", &ask] {
            let mut held = Vec::new();
            for _ in 0..40 {
                held.push(said(address, begun).await);
                if begun == ask {
                    assert_eq!(status(held.last_mut().unwrap()).await, "200");
                }
            }
            let mut asks = said(address, &ask).await;
            assert_eq!(status(&mut asks).await, "200", "beside {begun:?}");
        }
        // a call in hand goes on, and one that has no end, too
        let limit = tokio::time::Instant::now() + Duration::from_secs(20);
        for viewer in &mut viewers {
            let mut told = String::new();
            while !told.contains("event: beat") {
                let mut piece = [0; 4_096];
                let read = tokio::time::timeout_at(limit, viewer.read(&mut piece)).await;
                let read = read.unwrap_or_else(|_| panic!("no beat: {told}")).unwrap();
                assert!(read > 0, "the stream ended: {told}");
                told += &String::from_utf8_lossy(&piece[..read]);
            }
        }
        stop.cancel();
    });
}

#[test]
fn a_head_has_a_bound() {
    in_world(|world| async move {
        let (address, stop) = served(&world, 8).await;
        for (kilobytes, expected) in [(31, "401"), (65, "431")] {
            let long = "x".repeat(kilobytes << 10);
            let head = format!("GET /api/v1/stations HTTP/1.1\r\nHost: x\r\nX-A: {long}\r\n\r\n");
            let mut stream = TcpStream::connect(address).await.unwrap();
            let (mut reads, mut writes) = stream.split();
            let asked = async { writes.write_all(head.as_bytes()).await };
            let answered = async {
                let mut first = [0; 12];
                reads.read_exact(&mut first).await.map(|_all| first)
            };
            let (_sent, first) =
                timeout(PATIENCE, async { tokio::join!(asked, answered) }).await.unwrap();
            let first = first.unwrap();
            assert_eq!(String::from_utf8_lossy(&first[9..]), expected, "{kilobytes} KiB");
        }
        stop.cancel();
    });
}
