//! What `check` can tell of this machine alone: the spool's place, the password file, the clock.
//!
//! It looks and creates nothing, so that it may run beside an agent, and by anyone.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use model::fault::Chain;
use runtime::settings::{read_secret_file, readable_by_others};
use rustix::fs::{Access, FlockOperation, access, flock, statvfs};

use super::{
    spool,
    wall_clock::{ask_kernel, wall_clock},
};
use crate::{
    clock_trust::{BUILT_AT, KernelClock, is_possible},
    config::{Config, Line, Trust},
};

/// Less than this on the disk is as good as nothing: the log and the ballast take half of it.
const LEAST_BYTES: u64 = 8 * 1024 * 1024;
/// The server takes a gauge for silent two minutes after its last value, at the earliest; half of
/// that is left for the way there.
const LONGEST_AGE: Duration = Duration::from_mins(1);

/// What was found, a line each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    lines: Vec<String>,
    /// How many of them keep the agent from its work here.
    pub faults: usize,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Findings {
    fn note(&mut self, line: String) {
        self.lines.push(line);
    }

    fn warn(&mut self, line: &str) {
        self.lines.push(format!("warning: {line}"));
    }

    fn fault(&mut self, line: &str) {
        self.faults += 1;
        self.lines.push(format!("fault: {line}"));
    }
}

/// Looks at this machine with these settings.
pub fn check(config: &Config) -> Findings {
    let mut findings = Findings::default();
    spool_place(config, &mut findings);
    if let Some(file) = &config.mqtt.password_file {
        password(file, &mut findings);
    }
    serial_ports(config, &mut findings);
    let age = config.batch.max_age;
    if age > LONGEST_AGE {
        findings.warn(&format!(
            "batch.max_age: for up to {} s nothing is sent, and after 120 s the server takes a gauge with an interval of up to 40 s for silent: its station goes stale, and rules of the kind no_data fire. 60s and less are safe",
            age.as_secs()
        ));
    }
    if config.clock.trust == Trust::Auto {
        findings.note(kernel_says(ask_kernel()));
    } else if !is_possible(wall_clock()) {
        findings.warn(&format!(
            "clock.trust: the wall clock is before {BUILT_AT}, so moments count from boot until it is set"
        ));
    }
    findings
}

fn password(file: &Path, findings: &mut Findings) {
    if let Err(error) = read_secret_file(file) {
        findings.fault(&format!("mqtt.password_file: {}", Chain(&error)));
    } else if let Some(mode) = readable_by_others(file) {
        let shown = file.display();
        findings.warn(&format!(
            "mqtt.password_file: others can read `{shown}` (mode {mode:o}); chmod 600 {shown}"
        ));
    }
}

/// A port that is plugged in later is found then, so this is no fault.
fn serial_ports(config: &Config, findings: &mut Findings) {
    for bus in &config.buses {
        let Line::Serial(serial) = &bus.line else { continue };
        if let Err(error) = access(&serial.path, Access::READ_OK | Access::WRITE_OK) {
            let (bus, port) = (&bus.name, serial.path.display());
            findings.warn(&format!("bus `{bus}`: cannot use the serial port `{port}`: {error}"));
        }
    }
}

fn spool_place(config: &Config, findings: &mut Findings) {
    let path = &config.spool.path;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    match std::fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = folder.display();
            findings.fault(&format!(
                "spool.path: the folder `{folder}` does not exist; make it for the agent's user:\n    sudo install -d -m 0750 -o \"$(id -un)\" {folder}"
            ));
            return;
        }
        Err(error) => {
            findings.fault(&format!("spool.path: cannot look at `{}`: {error}", folder.display()));
            return;
        }
        Ok(found) if !found.is_dir() => {
            findings.fault(&format!("spool.path: `{}` is no folder", folder.display()));
            return;
        }
        Ok(_) => {}
    }
    if let Err(error) = access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        let user = rustix::process::geteuid().as_raw();
        findings.fault(&format!(
            "spool.path: `{}` is not writable for user {user}, who runs this: {error}",
            folder.display()
        ));
        return;
    }
    room(config, folder, findings);
    match holder(path) {
        Ok(None) => {}
        Ok(Some(holder)) => {
            findings.note(format!("spool {} is in use by {holder}", path.display()));
        }
        Err(error) => findings.fault(&format!("spool.path: cannot read its lock: {error}")),
    }
    if path.try_exists().unwrap_or(true) {
        match spool::owner(path) {
            Ok(Some(owner)) if owner != config.agent.as_str() => findings.fault(&format!(
                "spool.path: `{}` belongs to agent `{owner}`; give this agent a path of its own",
                path.display()
            )),
            Ok(_) => {}
            Err(error) => findings.fault(&format!("spool.path: {}", Chain(&error))),
        }
    }
}

fn room(config: &Config, folder: &Path, findings: &mut Findings) {
    let Ok(disk) = statvfs(folder) else { return };
    let held = std::fs::metadata(&config.spool.path).map_or(0, |file| file.len());
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let (free_mib, max_mib) = (free >> 20, config.spool.max_bytes >> 20);
    findings.note(format!(
        "spool {}: the disk has {free_mib} MiB left, the spool takes {max_mib} MiB at most",
        config.spool.path.display()
    ));
    if free.saturating_add(held) < LEAST_BYTES {
        findings.fault("spool.path: the disk is full");
    } else if free.saturating_add(held) < config.spool.max_bytes {
        findings.warn(
            "spool.max_size: the disk is full before the spool is; the oldest readings go then",
        );
    }
}

/// Who has the spool, by its lock.
fn holder(path: &Path) -> io::Result<Option<String>> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let mut lock = match File::open(PathBuf::from(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    // shared, and let go of with the file: an agent that starts in this moment would be refused,
    // and is started again by whoever keeps it running
    if flock(&lock, FlockOperation::NonBlockingLockShared).is_ok() {
        return Ok(None);
    }
    let mut holder = String::new();
    lock.read_to_string(&mut holder)?;
    let holder = holder.trim();
    Ok(Some(if holder.is_empty() { "another process" } else { holder }.to_owned()))
}

fn kernel_says(kernel: Option<KernelClock>) -> String {
    match kernel {
        Some(KernelClock { is_synchronised: true, max_error_us, .. }) => {
            format!("clock: the kernel says synchronised, to within {} ms", max_error_us / 1_000)
        }
        Some(KernelClock { is_synchronised: false, .. }) => {
            "warning: clock.trust: the kernel does not say that the clock is synchronised; until it does, moments count from boot and the server places them later. Nothing on this machine may tell it (is chrony, ntpd or systemd-timesyncd running?); a container sees what its host's kernel says".to_owned()
        }
        None => {
            "warning: clock.trust: the kernel may not be asked here, as in some containers, so the clock will never be trusted; allow adjtimex, or use trust = \"system\"".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use runtime::settings;

    use super::*;
    use crate::config::DEFAULTS;

    fn check_at(path: &Path, more: &str, folder: &Path, expected: &Expect) {
        let file = folder.join("edge.toml");
        let text = format!(
            "agent = \"gw\"\n[spool]\npath = \"{}\"\n{more}
             [[bus]]\nname = \"b\"\nurl = \"tcp://h\"\n[[bus.device]]\nname = \"d\"\nunit = 1\nperiod = \"1s\"
             [[bus.device.register]]\ngauge = \"S/a\"\ntable = \"input\"\naddress = 1\ntype = \"u16\"\nunit = \"m\"",
            path.display()
        );
        std::fs::write(&file, text).unwrap();
        let tree = settings::load(DEFAULTS, Some(&file), Vec::new()).unwrap();
        let findings = check(&Config::read(&tree).unwrap());
        let shown = findings.to_string().replace(&folder.display().to_string(), "/F");
        let is_fixed = |line: &&str| !line.contains("MiB") && !line.contains("spool.max_size");
        let shown: Vec<&str> = shown.lines().filter(is_fixed).collect();
        expected.assert_eq(&format!("{} faults\n{}", findings.faults, shown.join("\n")));
    }

    #[test]
    fn a_place_that_is_none_is_told_with_what_helps() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        check_at(
            &at.join("missing/spool.db"),
            "",
            at,
            &expect![[r#"
            1 faults
            fault: spool.path: the folder `/F/missing` does not exist; make it for the agent's user:
                sudo install -d -m 0750 -o "$(id -un)" /F/missing"#]],
        );
        std::fs::write(at.join("file"), "x").unwrap();
        check_at(
            &at.join("file/spool.db"),
            "",
            at,
            &expect![[r#"
            1 faults
            fault: spool.path: `/F/file` is no folder"#]],
        );
        std::fs::write(at.join("other.db"), "no database at all").unwrap();
        check_at(
            &at.join("other.db"),
            "",
            at,
            &expect![[r#"
            1 faults
            fault: spool.path: cannot open spool `/F/other.db`: file is not a database: Error code 26: file is not a database"#]],
        );
        let password = format!("[mqtt]\npassword_file = \"{}\"", at.join("none").display());
        check_at(
            &at.join("spool.db"),
            &password,
            at,
            &expect![[r#"
            1 faults
            fault: mqtt.password_file: cannot read secret file `/F/none`: No such file or directory (os error 2)"#]],
        );
        std::fs::write(at.join("open"), "x").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(at.join("open"), mode).unwrap();
        let password = format!("[mqtt]\npassword_file = \"{}\"", at.join("open").display());
        check_at(
            &at.join("spool.db"),
            &password,
            at,
            &expect![[r#"
            0 faults
            warning: mqtt.password_file: others can read `/F/open` (mode 644); chmod 600 /F/open"#]],
        );
        check_at(&at.join("spool.db"), "[batch]\nmax_age = \"60s\"", at, &expect!["0 faults\n"]);
        check_at(
            &at.join("spool.db"),
            "[batch]\nmax_age = \"5m\"",
            at,
            &expect![[r#"
            0 faults
            warning: batch.max_age: for up to 300 s nothing is sent, and after 120 s the server takes a gauge with an interval of up to 40 s for silent: its station goes stale, and rules of the kind no_data fire. 60s and less are safe"#]],
        );
        assert!(!at.join("spool.db").try_exists().unwrap(), "nothing is made");
        assert!(!at.join("spool.db.lock").try_exists().unwrap(), "nothing is made");
    }

    #[test]
    fn what_the_kernel_says_is_said_in_words() {
        let kernel =
            |is_synchronised| KernelClock { is_synchronised, offset_us: 0, max_error_us: 41_000 };
        assert_eq!(
            kernel_says(Some(kernel(true))),
            "clock: the kernel says synchronised, to within 41 ms"
        );
        assert!(kernel_says(Some(kernel(false))).contains("does not say"));
        assert!(kernel_says(None).contains("may not be asked"));
    }
}
