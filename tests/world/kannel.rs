//! A real Kannel, the SMS gateway, behind a fence: bearerbox, smsbox and its fake SMSC.
//!
//! Kannel's boxes listen on every address, so they run in a network namespace of their own
//! ([`crate::fence`]): `sendsms` is reached through a door in it, and delivery receipts reach what
//! listens outside through another. The fake SMSC stands for the operator's; what it prints is what
//! telephones would have got.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    fence::Fence,
    folder::PATIENCE,
    ports,
    process::{Finished, Process, open_log},
    tool::{not_proven, program, tool},
    wait,
};

/// A connection that stands, in the kernel's table.
const ESTABLISHED: &str = "01";
/// What the world has to prove with it.
const PROOF: &str = "that short messages pass a real Kannel";

/// A gateway on loopback.
#[derive(Debug)]
pub struct Kannel {
    folder: PathBuf,
    programs: PathBuf,
    ports: Ports,
    fence: Fence,
    /// Open while smsbox runs: who connects to one that is dead is refused.
    door: Option<Process>,
    bearerbox: Option<Process>,
    smsbox: Option<Process>,
    smsc: Option<Process>,
    tls: Option<Process>,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    admin: u16,
    boxes: u16,
    smsc: u16,
    sendsms: u16,
}

/// A message as a telephone would have got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Who it is from.
    pub sender: String,
    /// Whose telephone it is.
    pub receiver: String,
    /// The text, joined of its parts.
    pub text: String,
    /// How many short messages that took.
    pub parts: usize,
    /// When the last of them came, as the SMSC's log has it.
    pub at: String,
}

impl Kannel {
    /// The account for sending.
    pub const USERNAME: &'static str = "baseflow";
    /// Its password.
    pub const PASSWORD: &'static str = "secret of baseflow";

    /// Starts one whose receipts may go to `receipts`, a port of loopback; `None` where this machine
    /// cannot, which is then said.
    pub fn start(folder: &Path, receipts: u16) -> Option<Self> {
        let Some(programs) = std::env::var_os("BASEFLOW_KANNEL").map(PathBuf::from) else {
            let why = std::env::var_os("BASEFLOW_KANNEL_WHY").unwrap_or_default();
            not_proven(&format!("{PROOF} ({})", why.to_string_lossy()));
            return None;
        };
        let folder = folder.join("kannel");
        fs::create_dir(&folder).expect("a folder");
        let mut fence = match Fence::new(&folder) {
            Ok(fence) => fence,
            Err(why) => {
                not_proven(&format!("{PROOF} ({why})"));
                return None;
            }
        };
        let ports = Ports {
            admin: ports::free(),
            boxes: ports::free(),
            smsc: ports::free(),
            sendsms: ports::free(),
        };
        fence.door_in(ports.sendsms);
        fence.door_out(receipts);
        fs::create_dir(folder.join("spool")).expect("a folder");
        let settings = settings(ports);
        fs::write(folder.join("kannel.conf"), settings).expect("a settings file");
        let (door, bearerbox, smsbox, smsc, tls) = (None, None, None, None, None);
        let mut kannel =
            Self { folder, programs, ports, fence, door, bearerbox, smsbox, smsc, tls };
        kannel.start_bearerbox();
        kannel.start_smsc();
        kannel.start_smsbox();
        Some(kannel)
    }

    /// Where messages are handed to it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/cgi-bin/sendsms", self.ports.sendsms)
    }

    /// Puts TLS before it; gives the address, and the certificate of the authority that vouches for it.
    pub fn start_tls(&mut self) -> (String, PathBuf) {
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let made =
            ["-x509", "-subj", "/CN=ca", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem"];
        self.openssl(&[&["req"], &key[..], &made[..]].concat());
        let asked = ["-subj", "/CN=gateway", "-keyout", "server.key", "-out", "server.csr"];
        self.openssl(&[&["req"], &key[..], &asked[..]].concat());
        let names = self.folder.join("names.conf");
        fs::write(names, "subjectAltName=IP:127.0.0.1\n").expect("a file");
        let by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
        let of = ["-in", "server.csr", "-extfile", "names.conf", "-out", "server.pem"];
        self.openssl(&[&["x509", "-req"], &by[..], &of[..]].concat());

        let port = ports::free();
        let listen = format!(
            "OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,verify=0,cert=server.pem,key=server.key"
        );
        let connect = format!("TCP:127.0.0.1:{}", self.ports.sendsms);
        let mut command = Command::new(tool("BASEFLOW_SOCAT"));
        command.args([&listen, &connect]).current_dir(&self.folder);
        let mut process = Process::start("TLS", &mut command, &self.folder.join("tls.log"));
        wait::until("TLS listens", PATIENCE, || {
            process.expect_running();
            TcpStream::connect(("127.0.0.1", port))
        });
        self.tls = Some(process);
        (format!("https://127.0.0.1:{port}/cgi-bin/sendsms"), self.folder.join("ca.pem"))
    }

    fn openssl(&self, arguments: &[&str]) {
        let program = program("openssl").expect("openssl comes with ./run test");
        Finished::of(Command::new(program).args(arguments).current_dir(&self.folder)).success();
    }

    /// Starts the router between smsbox and SMSC.
    pub fn start_bearerbox(&mut self) {
        assert!(self.bearerbox.is_none(), "bearerbox runs already");
        self.bearerbox = Some(self.run("bearerbox", &["kannel.conf"], "Start-up done"));
    }

    /// Starts what takes messages over HTTP.
    pub fn start_smsbox(&mut self) {
        assert!(self.smsbox.is_none(), "smsbox runs already");
        self.smsbox = Some(self.run("smsbox", &["kannel.conf"], "Connected to bearerbox"));
        self.door = Some(self.fence.opened(self.ports.sendsms));
    }

    /// Brings the operator's line back.
    pub fn start_smsc(&mut self) {
        assert!(self.smsc.is_none(), "the fake SMSC runs already");
        let port = self.ports.smsc.to_string();
        let arguments = ["-H", "127.0.0.1", "-r", &port, "-i", "0"];
        self.smsc = Some(self.run("fakesmsc", &arguments, "fakesmsc starting"));
    }

    /// Kills what takes messages over HTTP: nobody is there.
    pub fn kill_smsbox(&mut self) {
        self.smsbox.take().expect("smsbox runs").kill9();
        self.door.take().expect("a door to it").kill9();
    }

    /// Kills the router; smsbox then takes nothing, either.
    pub fn kill_bearerbox(&mut self) {
        self.bearerbox.take().expect("bearerbox runs").kill9();
    }

    /// Cuts the operator's line: messages are taken and queued.
    pub fn kill_smsc(&mut self) {
        self.smsc.take().expect("the fake SMSC runs").kill9();
    }

    /// Stops what takes messages over HTTP in its tracks: connections are taken and nothing is said.
    pub fn stall(&mut self) {
        self.smsbox.as_ref().expect("smsbox runs").signal(rustix::process::Signal::STOP);
    }

    /// Waits until it has been given a message that it has not read, since it stands still. The
    /// channel writes head and text at once, so what is there is whole.
    pub fn expect_unread(&self) {
        let smsbox = self.smsbox.as_ref().expect("smsbox runs");
        let path = format!("/proc/{}/net/tcp", smsbox.id());
        wait::until("a message waits to be read", PATIENCE, || {
            let table = fs::read_to_string(&path).expect("the connections of its namespace");
            if unread(&table, self.ports.sendsms) > 0 { Ok(()) } else { Err(table) }
        });
    }

    /// Lets it go on.
    pub fn go_on(&mut self) {
        self.smsbox.as_ref().expect("smsbox runs").signal(rustix::process::Signal::CONT);
    }

    /// What telephones have got so far, in the order of the last part of each.
    pub fn received(&self) -> Vec<Received> {
        let log = fs::read(self.folder.join("fakesmsc.log")).unwrap_or_default();
        received(&String::from_utf8_lossy(&log))
    }

    /// Waits until so many messages have come.
    pub fn expect_received(&self, count: usize) -> Vec<Received> {
        wait::until(&format!("{count} messages have come"), PATIENCE, || {
            let received = self.received();
            if received.len() >= count { Ok(received) } else { Err(format!("{received:?}")) }
        })
    }

    fn run(&self, name: &str, arguments: &[&str], ready: &str) -> Process {
        let log = self.folder.join(format!("{name}.log"));
        let before = said(&log, ready);
        let mut command = self.fence.command(&self.programs.join(name));
        command.args(arguments).current_dir(&self.folder);
        let file = open_log(&log);
        command.stdout(file.try_clone().expect("a second handle")).stderr(file);
        // The fake SMSC ends with its input.
        let mut process = Process::start_with(name, command.stdin(Stdio::piped()), &log);
        wait::until(&format!("{name} is ready"), PATIENCE, || {
            process.expect_running();
            let now = said(&log, ready);
            if now > before { Ok(()) } else { Err(process.log_tail()) }
        });
        process
    }
}

/// Bytes that wait to be read on connections to a port, by the kernel's table of connections.
fn unread(table: &str, port: u16) -> u64 {
    let of_line = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (local, _remote, state) = (words.next()?, words.next()?, words.next()?);
        let (_unsent, unread) = words.next()?.split_once(':')?;
        let is_its = local.ends_with(&format!(":{port:04X}")) && state == ESTABLISHED;
        is_its.then(|| u64::from_str_radix(unread, 16).ok()).flatten()
    };
    table.lines().filter_map(of_line).sum()
}

/// How often a log says so.
fn said(log: &Path, words: &str) -> usize {
    let text = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text).matches(words).count()
}

fn settings(ports: Ports) -> String {
    let Ports { admin, boxes, smsc, sendsms } = ports;
    let (username, password) = (Kannel::USERNAME, Kannel::PASSWORD);
    format!(
        "group = core\nadmin-port = {admin}\nadmin-password = \"none of ours\"\n\
         smsbox-port = {boxes}\nbox-allow-ip = 127.0.0.1\nlog-level = 0\ndlr-storage = internal\n\
         store-type = spool\nstore-location = spool\n\n\
         group = smsc\nsmsc = fake\nsmsc-id = fake\nport = {smsc}\nconnect-allow-ip = 127.0.0.1\n\n\
         group = smsbox\nbearerbox-host = 127.0.0.1\nsendsms-port = {sendsms}\n\
         global-sender = 10690000\nlog-level = 0\n\n\
         group = sendsms-user\nusername = {username}\npassword = \"{password}\"\n\
         max-messages = 2\nconcatenation = true\n\n\
         group = sms-service\nkeyword = default\ntext = \"nobody reads this\"\n"
    )
}

/// Messages out of the lines `… Got message 7: <sender receiver [udh HEADER] kind text>`.
fn received(log: &str) -> Vec<Received> {
    let mut whole = Vec::new();
    let mut parts: BTreeMap<(String, u8), BTreeMap<u8, Vec<u8>>> = BTreeMap::new();
    for line in log.lines() {
        let Some((head, message)) = line.split_once("Got message ") else { continue };
        let message = message.split_once('<').map_or("", |(_, rest)| rest);
        let message = message.strip_suffix('>').unwrap_or(message);
        let mut words = message.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (sender, receiver, kind, rest) = (word(), word(), word(), word());
        let at = head.get(..19).unwrap_or_default().to_owned();
        if kind != "udh" {
            let text = if kind == "text" { rest } else { utf16(&unescaped(&rest)) };
            whole.push(Received { sender, receiver, text, parts: 1, at });
            continue;
        }
        let (header, data) = rest.split_once(" data ").unwrap_or_default();
        let header = unescaped(header);
        let &[5, 0, 3, reference, total, number] = header.as_slice() else {
            panic!("not the header of a part: {header:?} in {line}")
        };
        let key = (receiver.clone(), reference);
        let known = parts.entry(key.clone()).or_default();
        known.insert(number, unescaped(data));
        if known.len() == usize::from(total) {
            let bytes: Vec<u8> =
                parts.remove(&key).into_iter().flatten().flat_map(|p| p.1).collect();
            whole.push(Received {
                sender,
                receiver,
                text: either(&bytes),
                parts: total.into(),
                at,
            });
        }
    }
    whole
}

/// Parts do not say in which alphabet they are: what is plain ASCII is no UTF-16 of ours.
fn either(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) => text.to_owned(),
        Ok(_) | Err(_) => utf16(bytes),
    }
}

fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> =
        bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    assert_eq!(units.len() * 2, bytes.len(), "half a unit of UTF-16");
    String::from_utf16(&units).expect("whole characters")
}

/// `+` for a space, `%41` for a byte.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|digit| digit.expect("two digits"));
                let digits = std::str::from_utf8(&digits).expect("ASCII");
                u8::from_str_radix(digits, 16).expect("hexadecimal digits")
            }
            plain => plain,
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted_of_the_connections_to_one_port_alone() {
        let line = |number: u8, local: &str, state: &str, queues: &str| {
            format!("   {number}: 0100007F:{local} 0100007F:D431 {state} {queues} 00:00000000 0\n")
        };
        let table = [
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n".to_owned(),
            line(0, "32D5", "0A", "00000000:00000001"),
            line(1, "32D5", "01", "00000003:0000018A"),
            line(2, "D431", "01", "00000000:00000007"),
        ]
        .concat();
        assert_eq!(unread(&table, 13_013), 0x18a);
        assert_eq!(unread(&table, 13_014), 0);
    }

    #[test]
    fn parts_are_joined_whatever_comes_between() {
        let log = "2026-11-26 11:18:05 [1] [0] DEBUG: Got message 1: <106 138 udh %05%00%03%01%02%02 data l4%00%21>\n\
                   2026-11-26 11:18:06 [1] [0] DEBUG: Got message 2: <106 139 text flow [m3/s] <x>>\n\
                   2026-11-26 11:18:07 [1] [0] DEBUG: Got message 3: <106 138 udh %05%00%03%01%02%01 data %96%00>\n\
                   2026-11-26 11:18:08 [1] [0] DEBUG: Got message 4: <106 138 ucs-2 Y4%00+l4>\n";
        let got = received(log);
        let shown: Vec<_> =
            got.iter().map(|got| format!("{} {} {}", got.at, got.parts, got.text)).collect();
        assert_eq!(
            shown,
            [
                "2026-11-26 11:18:06 1 flow [m3/s] <x>",
                "2026-11-26 11:18:07 2 阀水!",
                "2026-11-26 11:18:08 1 头 水",
            ]
        );
    }
}
