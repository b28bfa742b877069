//! `quarantine list`, `show`, `replay` and `discard`: what was refused, and what is decided of it.

mod advice;
mod parts;

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, bail};
use ingest::shell::rejudge::Rejudge;
use model::{port::Replayed, wire::refused_v1::Kept};
use runtime::clock::{Clock, SystemClock};
use store::{Decided, GivenUp, QuarantineQuery, QuarantineRow, QuarantineState, Store};
use tokio_util::sync::CancellationToken;

use super::{by, open_existing};
use crate::{
    cli::{ListQuarantine, QuarantineKind, QuarantineStates},
    failure::Ended,
    output::{counted, say},
    typed::typed,
};

/// Prints a line for each item, the newest first, and how to go on.
pub(super) fn list(asked: &ListQuarantine) -> anyhow::Result<Ended> {
    let opened = open_existing(&asked.settings.config)?;
    let query = QuarantineQuery {
        kind: asked.kind.map(|kind| match kind {
            QuarantineKind::Parked => Kept::Parked,
            QuarantineKind::Garbage => Kept::Garbage,
        }),
        state: match asked.state {
            QuarantineStates::Held => Some(QuarantineState::Held),
            QuarantineStates::Replayed => Some(QuarantineState::Replayed),
            QuarantineStates::Discarded => Some(QuarantineState::Discarded),
            QuarantineStates::All => None,
        },
        before: asked.before,
        limit: usize::from(asked.limit),
    };
    let page = opened.store.samples().read_blocking(|reader| reader.quarantine(&query));
    opened.store.close();
    let page = page.context("cannot list the quarantine")?;
    for row in &page.rows {
        say(&line(row))?;
    }
    match (page.next, page.rows.is_empty()) {
        (Some(next), _) => say(&format!("# older ones: --before {next}")),
        (None, true) => say("# nothing"),
        (None, false) => {
            let show = typed("quarantine show ID", &asked.settings.config);
            say(&format!("# what an item is, and what to do: {show}"))
        }
    }?;
    Ok(Ended::Done)
}

/// Prints all that is known of an item, and what to do.
pub(super) fn show(config: &Path, id: i64) -> anyhow::Result<Ended> {
    let opened = open_existing(config)?;
    let found = parts::of_item(&opened.store, id);
    opened.store.close();
    let (row, parts) = found?.with_context(|| unknown(id, config))?;
    for (name, value) in facts(&row) {
        say(&format!("{name:10}{value}"))?;
    }
    let mut name = "to do";
    for line in advice::advice(&row, &parts, config) {
        say(&format!("{name:10}{}", printable(&line)))?;
        name = "";
    }
    Ok(Ended::Done)
}

/// Judges an item again by the registry in force, as the API does.
pub(super) fn replay(config: &Path, id: i64) -> anyhow::Result<Ended> {
    let opened = open_existing(config)?;
    let replayed = judged_again(&opened.store, id);
    opened.store.close();
    match replayed? {
        Replayed::Admitted { gauges, batches, still_refused } => {
            let batches = counted(batches, "batch");
            say(&format!("item {id}: admitted of {batches}: {}", gauges.join(", ")))?;
            tell(&still_refused)
        }
        Replayed::StillRefused(still_refused) => {
            say(&format!("item {id} is refused as before, and stays as it is"))?;
            tell(&still_refused)?;
            Ok(Ended::Incomplete)
        }
        Replayed::NotHeld => bail!(not_held(id)),
        Replayed::Unknown => bail!(unknown(id, config)),
    }
}

/// Gives an item up for good.
pub(super) fn discard(config: &Path, id: i64) -> anyhow::Result<Ended> {
    let opened = open_existing(config)?;
    let parts = (opened.store.samples(), opened.store.journal());
    let decided = Decided::default(); // a command tries once
    let given_up = asynchronous()?.block_on(store::give_up(parts, &decided, id, by(), opened.now));
    opened.store.close();
    match given_up.context("cannot discard the item; ask again")? {
        GivenUp::Done => say(&format!("item {id} is discarded"))?,
        GivenUp::NotHeld => bail!(not_held(id)),
        GivenUp::Unknown => bail!(unknown(id, config)),
    }
    Ok(Ended::Done)
}

fn judged_again(store: &Store, id: i64) -> anyhow::Result<Replayed> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (samples, journal) = (store.samples().clone(), store.journal().clone());
    let rejudge = Rejudge::new(samples, journal, clock, Decided::default());
    let never = CancellationToken::new();
    asynchronous()?
        .block_on(rejudge.item(id, &by(), &never))
        .context("cannot replay the item; what was admitted by now stays so, and the rest is held: ask again")
}

fn asynchronous() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")
}

/// What is still refused, each reason on a line.
fn tell(still_refused: &[String]) -> anyhow::Result<Ended> {
    for reason in still_refused {
        say(&format!("still refused: {reason}"))?;
    }
    Ok(if still_refused.is_empty() { Ended::Done } else { Ended::Incomplete })
}

fn unknown(id: i64, config: &Path) -> String {
    let list = typed("quarantine list --state all", config);
    format!("the quarantine has no item {id}; `{list}` shows all")
}

fn not_held(id: i64) -> String {
    format!("item {id} is not held: it was replayed or discarded before, or its original has gone")
}

fn kind(row: &QuarantineRow) -> &'static str {
    match row.kind {
        Kept::Parked => "parked",
        Kept::Garbage => "garbage",
        Kept::None => "none",
    }
}

/// An item in one line, its fields apart by tabs.
fn line(row: &QuarantineRow) -> String {
    let fields = [
        row.id.to_string(),
        kind(row).to_owned(),
        row.state.word().to_owned(),
        row.agent.to_string(),
        row.reason.clone(),
        format!("{} of {} waiting", row.waiting, row.batches),
        format!("last {}", row.last_at),
        printable(&row.detail),
    ];
    fields.join("\t")
}

fn facts(row: &QuarantineRow) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("item", format!("{}, {}, {}", row.id, kind(row), row.state.word())),
        ("sender", format!("{} on {}", row.agent, printable(&row.topic))),
        ("reason", format!("{}: {}", row.reason, printable(&row.detail))),
        ("payloads", format!("{}, {} of them wait; {} bytes", row.batches, row.waiting, row.bytes)),
        ("came", format!("{} to {}", row.received_at, row.last_at)),
    ];
    if let Some((from, to)) = row.moments {
        facts.push(("of", format!("{from} to {to}")));
    }
    if let Some(boot) = row.boot {
        facts.push(("start", boot.to_string()));
    }
    if let Some(due) = row.due {
        facts.push(("due", due.to_string()));
    }
    if let Some(entry) = row.entry {
        facts.push(("entry", format!("{entry} of the journal says who decided")));
    }
    if row.gauge_count > 0 {
        let shown = row.gauges.iter().map(|gauge| printable(gauge)).collect::<Vec<_>>().join(", ");
        facts.push(("gauges", format!("{}: {shown}", row.gauge_count)));
    }
    facts.push(("sha256", hex::encode(row.digest)));
    facts
}

/// What a stranger sent, as a terminal may show it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_sent_cannot_command_the_terminal() {
        assert_eq!(printable("gauge `\u{1b}[2J\t水`"), "gauge `\u{fffd}[2J\u{fffd}水`");
    }
}
