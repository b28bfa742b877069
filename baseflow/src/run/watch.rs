//! Watches what is stored while the server runs: whether it can be written, whether a registry is
//! there, how full the park is, and whether agents contradict one another.

use std::{sync::Arc, time::Duration};

use ingest::{contradictions::Contradicting, shell::settle::Settler};
use model::{
    fault::{Chain, Fault},
    ids::AgentId,
};
use runtime::{
    admin::{Condition, Readiness},
    tasks::{Failure, Stage},
};
use store::{JournalState, Limits, ParkFacts, SamplesReader, Store, Trouble};
use tracing::debug;

use crate::output::counted;

/// Between two looks at whether the store can write.
const STORE_PERIOD: Duration = Duration::from_secs(1);
/// A write that is not answered by then stands still.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// Between two looks at whether agents contradict what is stored.
const AGENTS_PERIOD: Duration = Duration::from_secs(5);
/// So many of them are named.
const MOST_NAMED: usize = 4;
/// Between two looks at the park.
const PARK_PERIOD: Duration = Duration::from_secs(5);

/// The store can write no more; only a new start of the process helps.
#[derive(Debug, thiserror::Error)]
#[error("the store can write no more: {0}")]
struct StoreStopped(Arc<str>);

impl Failure for StoreStopped {
    fn fault(&self) -> Fault {
        Fault::Bug
    }
}

/// Starts the watches; they end with `stage`.
pub(super) fn start(stage: &Stage, store: &Store, readiness: &Readiness) {
    let (mut failed, vitals, stop) = (store.failed(), store.vitals(), stage.stopping());
    let condition = readiness.condition("store");
    stage.spawn("store watch", async move {
        let stopped = loop {
            condition.set(writing(vitals.trouble(WRITE_LIMIT).as_ref()));
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                stopped = failed.wait_for(Option::is_some) => {
                    break stopped.ok().and_then(|why| why.clone());
                }
                () = tokio::time::sleep(STORE_PERIOD) => {}
            }
        };
        let Some(why) = stopped else { return Ok(()) };
        condition.set(Err(why.to_string()));
        Err(StoreStopped(why))
    });

    let (mut journal, stop) = (store.journal().watch(), stage.stopping());
    let condition = readiness.condition("registry");
    stage.spawn("registry watch", async move {
        loop {
            condition.set(state_of(&journal.borrow_and_update()));
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = journal.changed() => if changed.is_err() { return },
            }
        }
    });

    let (samples, limits, stop) = (store.samples().clone(), store.limits(), stage.stopping());
    let condition = readiness.condition("park");
    condition.set(Ok(()));
    stage.spawn("park watch", async move {
        loop {
            match samples.read(SamplesReader::park).await {
                Ok(facts) => match fullness(&facts, limits) {
                    Some(warning) => condition.warn(warning),
                    None => condition.set(Ok(())),
                },
                Err(error) => debug!(error = %Chain(&error), "cannot measure the park"),
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PARK_PERIOD) => {}
            }
        }
    });
}

/// Watches whether anybody contradicts what is stored; ends with `stage`.
pub(super) fn agents(stage: &Stage, settler: Arc<Settler>, condition: Condition) {
    let stop = stage.stopping();
    stage.spawn("agents watch", async move {
        loop {
            match contradicting(&settler.contradicted_lately()) {
                Some(warning) => condition.warn(warning),
                None => condition.set(Ok(())),
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGENTS_PERIOD) => {}
            }
        }
    });
}

/// What to say of agents whose values contradict others: which of two gateways is right nobody here
/// knows, so the server is as ready as ever.
fn contradicting(lately: &[(AgentId, Contradicting)]) -> Option<String> {
    let named = lately.iter().take(MOST_NAMED).map(|(agent, known)| {
        let values = counted(known.values, "value");
        format!("`{agent}` ({values} since {}, the last at {})", known.first_at, known.last_at)
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = match lately.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!lately.is_empty()).then(|| format!(
        "values of {named}{more} contradict what is stored of the same moments, which stays: two gateways may use one name, or a meter is read twice. Each gateway needs a name and an account of its own; /api/v1/agents shows the lives of each one's spool"
    ))
}

/// What to say of a park of which nine tenths are full, or nine tenths of an agent's share. It
/// keeps nothing out but what is refused anyway, so the server is as ready as ever.
fn fullness(facts: &ParkFacts, limits: Limits) -> Option<String> {
    const ADVICE: &str = "import the registry and replay, or discard; what is refused meanwhile stays with its agents";
    let is_nearly = |bytes: u64, limit: u64| bytes > limit - limit / 10;
    if is_nearly(facts.bytes, limits.parked) {
        let (bytes, limit) = (facts.bytes, limits.parked);
        return Some(format!("the park is nearly full, {bytes} of {limit} bytes: {ADVICE}"));
    }
    let (agent, bytes) = facts.fullest.as_ref()?;
    let limit = limits.parked_of_agent();
    is_nearly(*bytes, limit).then(|| {
        format!("the share of agent `{agent}` in the park is nearly full, {bytes} of {limit} bytes: {ADVICE}")
    })
}

/// A server that takes no samples is not ready, though it may be again without anybody's help.
fn writing(trouble: Option<&Trouble>) -> Result<(), String> {
    match trouble {
        None => Ok(()),
        Some(Trouble::NoRoom) => Err("the disk is full; samples wait until it has room".to_owned()),
        Some(Trouble::StandsStill { file, lasting }) => Err(format!(
            "the writer of {file} has not answered for {} s; look at the disk",
            lasting.as_secs()
        )),
    }
}

fn state_of(journal: &JournalState) -> Result<(), String> {
    match &journal.registry {
        Some(_) => Ok(()),
        None => Err("no registry was imported yet".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_writes_nothing_is_not_ready() {
        assert_eq!(writing(None), Ok(()));
        assert!(writing(Some(&Trouble::NoRoom)).unwrap_err().starts_with("the disk is full"));
        let lasting = Duration::from_millis(12_700);
        let told = writing(Some(&Trouble::StandsStill { file: "samples", lasting })).unwrap_err();
        assert_eq!(told, "the writer of samples has not answered for 12 s; look at the disk");
    }

    #[test]
    fn who_contradicts_what_is_stored_is_named_with_what_to_do() {
        assert_eq!(contradicting(&[]), None);
        let at = model::time::Timestamp::clamped;
        let known = Contradicting { values: 12, first_at: at(0), last_at: at(60_000) };
        let of = |place: usize| (format!("gw-{place}").parse().unwrap(), known);
        let told = contradicting(&[of(1)]).unwrap();
        assert!(told.starts_with("values of `gw-1` (12 values since 1970-01-01T00:00:00Z, the last at 1970-01-01T00:01:00Z) contradict"), "{told}");
        assert!(told.contains("a name and an account of its own"), "{told}");
        let many: Vec<_> = (0..6).map(of).collect();
        assert!(contradicting(&many).unwrap().contains(" and 2 more contradict"));
    }

    #[test]
    fn a_nearly_full_park_is_told_with_whom_to_ask() {
        let limits = Limits { parked: 1_600, garbage: 0, ballast: 0, ..Limits::default() };
        let facts =
            |bytes, of_agent| ParkFacts { bytes, fullest: Some(("gw".parse().unwrap(), of_agent)) };
        assert_eq!(fullness(&ParkFacts::default(), limits), None);
        assert_eq!(fullness(&facts(1_440, 180), limits), None);
        let told = |facts| fullness(&facts, limits).unwrap();
        assert!(told(facts(1_441, 10)).starts_with("the park is nearly full, 1441 of 1600 bytes"));
        assert!(told(facts(181, 181)).starts_with("the share of agent `gw`"));
    }
}
