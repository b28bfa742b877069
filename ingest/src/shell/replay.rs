//! What was quarantined, judged again under the registry in force.

use std::sync::Arc;

use model::{
    fault::Chain,
    port::{Answer, Replay, ReplayError, Replayed},
    registry::Registry,
    wire::{batch_v1, topic::Topic},
};
use runtime::clock::Clock;
use store::{
    Admit, Append, Body, By, ByKind, Decision, Journal, Kind, Original, QuarantineItem,
    ReplayVerdict, Samples, StoreError,
};
use tracing::warn;

use crate::intake::{self, Arrival, Judgement};

/// Judges again, and has the store admit what is now allowed.
#[derive(Debug)]
pub struct Replayer {
    /// Where the items are.
    pub samples: Samples,
    /// Where the registry is, and who decided what.
    pub journal: Journal,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Replay for Replayer {
    fn replay(&self, id: i64, by: String) -> Answer<'_, Result<Replayed, ReplayError>> {
        Box::pin(async move {
            let replayed = self.attempt(id, by).await;
            replayed.map_err(|error| ReplayError { id, source: Box::new(error) })
        })
    }
}

/// What judging again says, before the store has heard of it.
enum Verdict {
    Allowed { verdict: ReplayVerdict, gauges: Vec<String>, still: Vec<String> },
    Refused(Vec<String>),
    Gone,
}

impl Replayer {
    async fn attempt(&self, id: i64, by: String) -> Result<Replayed, StoreError> {
        let Some(item) = self.samples.read(move |reader| reader.quarantine_item(id)).await? else {
            return Ok(Replayed::Unknown);
        };
        let registry = {
            let state = self.journal.watch();
            let state = state.borrow();
            state.registry.as_ref().map_or_else(Arc::default, |known| Arc::clone(&known.registry))
        };
        let at = self.clock.now();
        let (verdict, gauges, still_refused) = match judge(&item, &registry, at) {
            Verdict::Allowed { verdict, gauges, still } => (verdict, gauges, still),
            Verdict::Refused(reasons) => return Ok(Replayed::StillRefused(reasons)),
            Verdict::Gone => return Ok(Replayed::NotHeld),
        };
        match self.samples.write(store::Replay { id, at, verdict }).await? {
            store::Replayed::Done(_) => {}
            store::Replayed::Unchanged => return Ok(Replayed::StillRefused(still_refused)),
            store::Replayed::NotHeld => return Ok(Replayed::NotHeld),
            store::Replayed::ParkFull => {
                return Ok(Replayed::StillRefused(vec!["the park is full".to_owned()]));
            }
        }
        let by = By { kind: ByKind::Token, name: by };
        let body =
            Body::QuarantineDecided { id, decision: Decision::Replayed, gauges: gauges.clone() };
        if let Err(failure) = self.journal.write(Append { at, by, body }).await {
            warn!(id, error = %Chain(&failure), "replay is not in the journal");
        }
        Ok(Replayed::Admitted { gauges, still_refused })
    }
}

fn judge(item: &QuarantineItem, registry: &Registry, now: model::time::Timestamp) -> Verdict {
    let arrival = |payload| Arrival {
        agent: &item.row.agent,
        topic: &item.row.topic,
        payload,
        received_at: now,
    };
    match &item.original {
        Original::Gone => Verdict::Gone,
        Original::Batch(stored) => match judge_as(stored.kind, arrival(&stored.bytes), registry) {
            Judgement::Admit(admit) => of_parked(*admit, &item.row.gauges),
            Judgement::Garbage(garbage) => Verdict::Refused(vec![garbage.detail]),
        },
        Original::Payload(payload) => {
            let kind = match Topic::parse(&item.row.topic) {
                Some(Topic::Json(_)) => Kind::Json,
                Some(_) | None => Kind::Batch,
            };
            match judge_as(kind, arrival(payload), registry) {
                Judgement::Admit(admit) => {
                    let gauges =
                        admit.columns.iter().map(|column| column.gauge.to_string()).collect();
                    let still = admit.set_aside.iter().map(|part| part.detail.clone()).collect();
                    let admit = Admit { received_at: item.row.received_at, ..*admit };
                    Verdict::Allowed {
                        verdict: ReplayVerdict::Garbage(Box::new(admit)),
                        gauges,
                        still,
                    }
                }
                Judgement::Garbage(garbage) => Verdict::Refused(vec![garbage.detail]),
            }
        }
    }
}

fn judge_as(kind: Kind, arrival: Arrival<'_>, registry: &Registry) -> Judgement {
    match kind {
        Kind::Json => intake::json(arrival, registry),
        Kind::Batch => intake::batch(arrival, registry),
        Kind::Import => match batch_v1::decode(arrival.payload) {
            Ok((batch, digest)) => intake::decoded(&batch, digest, kind, arrival, registry),
            Err(_) => intake::batch(arrival, registry),
        },
    }
}

/// Of a batch that is stored already, only what was set aside counts.
fn of_parked(mut admit: Admit, parked: &[String]) -> Verdict {
    admit.columns.retain(|column| parked.contains(&column.gauge.to_string()));
    admit.set_aside.retain(|part| parked.contains(&part.gauge));
    let still: Vec<String> = admit.set_aside.iter().map(|part| part.detail.clone()).collect();
    if admit.columns.is_empty() {
        return Verdict::Refused(still);
    }
    let gauges = admit.columns.iter().map(|column| column.gauge.to_string()).collect();
    let verdict = ReplayVerdict::Parked { columns: admit.columns, still: admit.set_aside };
    Verdict::Allowed { verdict, gauges, still }
}
