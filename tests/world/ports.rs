//! Free ports of loopback, from below the range in which outgoing connections take theirs.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU32, Ordering},
};

const FIRST: u32 = 12_000;
const COUNT: u32 = 18_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens at, and that no other call gives.
pub(crate) fn free() -> u16 {
    // Another test process begins elsewhere.
    let offset = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let at = offset.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + at).expect("below 65536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1 from {FIRST} to {}", FIRST + COUNT);
}
