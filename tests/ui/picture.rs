//! The picture of the READMEs: the demonstration, as one of its stations falls below its mandate.

use std::{fs, process::Command, time::Duration};

use rustix::process::Signal;
use world::{Process, binary, repository, wait};

use super::Programs;

const PATIENCE: Duration = Duration::from_secs(180);

pub(super) fn run(programs: &Programs) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, log) = (folder.path().join("demo"), folder.path().join("demo.log"));
    let mut command = Command::new(binary("baseflow"));
    command.args(["demo", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    let mut demo = Process::start("the demonstration", &mut command, &log);
    let said = wait::until("the demonstration", PATIENCE, || {
        demo.expect_running();
        let said = fs::read_to_string(&log).unwrap_or_default();
        if said.contains("Ctrl-C") { Ok(said) } else { Err(said) }
    });
    let after = |label: &str| {
        let rest = said.split(label).nth(1).unwrap_or_default();
        rest.split_whitespace().next().expect("a word").trim_end_matches('/')
    };
    let mut script =
        programs.script((after("pages "), demo.id()), after(" duty "), &["timed/picture.mjs"]);
    script.env("BASEFLOW_PICTURES", repository().join("docs/pictures"));
    let is_good = script.status().expect("node").success();
    demo.signal(Signal::INT);
    assert!(demo.wait(PATIENCE).success(), "{}", demo.log_tail());
    is_good
}
