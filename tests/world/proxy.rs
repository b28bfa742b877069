//! A TCP proxy between agents and meters that keeps what was asked, and refuses to let a write pass.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

/// What agents asked of meters: how often each function, and everything that was no reading.
#[derive(Debug, Default)]
pub struct Watch {
    functions: Mutex<BTreeMap<u8, u64>>,
    faults: Mutex<Vec<String>>,
}

impl Watch {
    /// How often each Modbus function was asked for.
    pub fn functions(&self) -> BTreeMap<u8, u64> {
        self.functions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests that were no reading, and bytes that were no request.
    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fault(&self, what: String) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// Takes the whole requests out of `pending` (MBAP header, function, at most 253 bytes).
    fn note(&self, pending: &mut Vec<u8>) {
        while let Some(header) = pending.first_chunk::<8>() {
            let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
            let (protocol, function) = (u16::from_be_bytes([header[2], header[3]]), header[7]);
            if protocol != 0 || !(2..=254).contains(&length) {
                self.fault(format!("an agent sent what is no Modbus TCP: {pending:02x?}"));
                pending.clear();
                return;
            }
            if pending.len() < 6 + length {
                return;
            }
            if !(1..=4).contains(&function) {
                self.fault(format!(
                    "an agent asked for function {function}: {:02x?}",
                    &pending[..6 + length]
                ));
            }
            if length != 6 {
                self.fault(format!("a reading of {length} bytes: {:02x?}", &pending[..6 + length]));
            }
            let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
            *functions.entry(function).or_default() += 1;
            drop(functions);
            pending.drain(..6 + length);
        }
    }
}

/// A port that leads to a meter.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    is_over: Arc<AtomicBool>,
    connections: Arc<AtomicU64>,
}

impl Proxy {
    pub(crate) fn start(target: u16, watch: &Arc<Watch>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
        let port = listener.local_addr().expect("an address").port();
        let is_over = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(AtomicU64::new(0));
        let (over, count, watch) =
            (Arc::clone(&is_over), Arc::clone(&connections), Arc::clone(watch));
        thread::spawn(move || {
            for agent in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(agent) = agent else { continue };
                count.fetch_add(1, Ordering::SeqCst);
                // Without a meter behind it the connection ends at once.
                if let Ok(meter) = TcpStream::connect(("127.0.0.1", target)) {
                    join(agent, meter, &watch);
                }
            }
        });
        Self { port, is_over, connections }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections agents made.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection; where that fails there is none to wake.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// Carries bytes both ways until either side ends.
fn join(agent: TcpStream, meter: TcpStream, watch: &Arc<Watch>) {
    for stream in [&agent, &meter] {
        stream.set_nodelay(true).expect("a socket of our own");
    }
    let copies = (agent.try_clone().expect("a handle"), meter.try_clone().expect("a handle"));
    let watch = Arc::clone(watch);
    thread::spawn(move || {
        let mut pending = Vec::new();
        carry(agent, meter, |bytes| {
            pending.extend_from_slice(bytes);
            watch.note(&mut pending);
        });
    });
    thread::spawn(move || carry(copies.1, copies.0, |_| {}));
}

fn carry(mut from: TcpStream, mut to: TcpStream, mut note: impl FnMut(&[u8])) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        note(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The other direction then ends too; a socket that is gone already needs no ending.
    for stream in [from, to] {
        drop(stream.shutdown(Shutdown::Both));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::{Bus, Exact, Oracle, Register, Site, World};

    fn ask(port: u16, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the proxy listens");
        stream.write_all(request).expect("it reads");
        let mut reply = [0; 260];
        let count = stream.read(&mut reply).expect("it answers");
        reply[..count].to_vec()
    }

    #[test]
    fn what_is_asked_through_a_proxy_is_given_out_and_a_write_does_not_go_unnoticed() {
        let world = World::new("proxy");
        let mut meter = world.meter("one");
        let register = Register::new("g", 1, "input", 4, "u32");
        meter.command(&register.count(70_000));
        let site = Site::new("proxy", vec![Bus::new(&meter, "1s", vec![register])]);
        let read = [0, 1, 0, 0, 0, 6, 1, 4, 0, 4, 0, 2];
        for last in [112, 113] {
            let reply = ask(meter.proxy().port(), &read);
            assert_eq!(reply, [0, 1, 0, 0, 0, 7, 1, 4, 4, 0, 1, 17, last]);
        }
        let oracle = Oracle::read(&[&site]);
        let values: Vec<Exact> = oracle.of("BF-proxy/g").iter().map(|given| given.value).collect();
        assert_eq!(values, [Exact::whole(70_000), Exact::whole(70_001)]);
        assert_eq!(world.watch().functions(), BTreeMap::from([(4, 2)]));
        assert_eq!(world.watch().faults(), Vec::<String>::new());

        let watch = Watch::default();
        watch.note(&mut vec![0, 2, 0, 0, 0, 6, 1, 6, 0, 4, 0, 1, 0, 3]);
        assert!(watch.faults()[0].contains("function 6"), "{:?}", watch.faults());
    }
}
