//! Short messages through a real Kannel: what leaves here is what telephones get.

use std::{
    io::{Read, Write},
    net::TcpListener,
    time::Duration,
};

use world::{Kannel, wait};

const PATIENCE: Duration = Duration::from_secs(20);

/// Takes one receipt and gives the path that it asked for.
fn receipt(listener: &TcpListener) -> String {
    listener.set_nonblocking(true).expect("a socket of our own");
    let (mut stream, _) = wait::until("a receipt comes", PATIENCE, || listener.accept());
    stream.set_nonblocking(false).expect("a socket of our own");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket of our own");
    let mut head = [0; 1024];
    let count = stream.read(&mut head).expect("a request");
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let head = String::from_utf8_lossy(&head[..count]).into_owned();
    head.split(' ').nth(1).expect("a path").to_owned()
}

#[test]
fn the_gateway_of_the_tests_is_one_and_its_receipts_find_their_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let hooks = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = hooks.local_addr().expect("an address").port();
    let Some(kannel) = Kannel::start(folder.path(), port) else { return };
    let sent = ureq::post(kannel.url())
        .header("X-Kannel-Username", Kannel::USERNAME)
        .header("X-Kannel-Password", Kannel::PASSWORD)
        .header("X-Kannel-To", "13800000001")
        .header("X-Kannel-Coding", "2")
        .header("X-Kannel-DLR-Mask", "19")
        .header("X-Kannel-DLR-Url", format!("http://127.0.0.1:{port}/took?type=%d"))
        .content_type("text/plain; charset=UTF-8")
        .send("鹿鸣滩下泄0.612");
    assert_eq!(sent.expect("taken").status(), 202);
    let received = kannel.expect_received(1);
    assert_eq!(
        (received[0].text.as_str(), received[0].receiver.as_str()),
        ("鹿鸣滩下泄0.612", "13800000001")
    );
    assert_eq!(receipt(&hooks), "/took?type=1");
}
