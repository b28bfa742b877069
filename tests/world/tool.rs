//! What `./run test` provides: peers and tools by environment, our binaries beside the tests.

use std::{
    env,
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

/// The tool that `./run test` names in this variable.
pub fn tool(variable: &str) -> PathBuf {
    let path = env::var_os(variable).map(PathBuf::from);
    path.unwrap_or_else(|| panic!("{variable} is not set; start the tests with ./run test"))
}

/// One of our binaries, as `./run test` and `./run bench` build them.
pub fn binary(name: &str) -> PathBuf {
    let own = env::current_exe().expect("a program knows where it is");
    let folder = own.parent().expect("it stands in a folder");
    // A test stands in target/PROFILE/deps, a binary in target/PROFILE.
    let is_test = folder.ends_with("deps");
    let folder = if is_test { folder.parent().expect("target/PROFILE") } else { folder };
    let path = folder.join(name);
    let is_there = path.try_exists().expect("the target folder can be read");
    assert!(is_there, "{} is missing; start the tests with ./run test", path.display());
    path
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent")
}

/// A program of the system, also where PATH lacks its folder.
pub fn program(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&folders);
    let more = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"].map(PathBuf::from);
    folders.chain(more).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Notes what this machine cannot prove: `./run test` prints it, and with CI=true fails.
pub fn not_proven(what: &str) {
    println!("not proven on this machine: {what}");
    let Some(file) = env::var_os("BASEFLOW_NOT_PROVEN") else {
        panic!(
            "not proven: {what} (BASEFLOW_NOT_PROVEN is not set; start the tests with ./run test)"
        )
    };
    let mut file = OpenOptions::new().append(true).open(&file).expect("the file of ./run");
    writeln!(file, "{what}").expect("a line more");
}
