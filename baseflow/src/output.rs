//! Words for whoever started a command: results on standard output, complaints on standard error.

use std::io::{self, Write as _};

use anyhow::Context as _;

/// One line of a result.
pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{line}").context("cannot write to standard output")
}

/// A result that is whole lines already.
pub(crate) fn say_text(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write to standard output")
}

/// One line of complaint. Where nobody reads standard error, there is nobody to tell.
pub(crate) fn complain(line: &str) {
    if writeln!(io::stderr().lock(), "{line}").is_err() {}
}

/// So many things: `1 gauge`, `2 gauges`.
pub(crate) fn counted(number: impl TryInto<u64>, thing: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let ending = if number == 1 {
        ""
    } else if thing.ends_with("ch") {
        "es"
    } else {
        "s"
    };
    format!("{number} {thing}{ending}")
}
