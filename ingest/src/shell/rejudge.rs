//! Quarantined input judged again under the registry in force, a slice of it at a time.

use std::{collections::BTreeSet, sync::Arc};

use model::{port::Replayed, time::Timestamp, wire::topic::Topic};
use runtime::clock::Clock;
use store::{
    By, Decided, Decision, Journal, Kind, Original, ParkedBatch, QuarantineRow, QuarantineState,
    Rejudged, Replay, ReplayVerdict, Samples, StoreError,
};
use tokio_util::sync::CancellationToken;

use crate::{
    intake::{Arrival, Judgement, Known},
    placing::Anchors,
    replay::{self, Asked, judge_as},
};

/// Judges again, and has the store admit what is now allowed.
#[derive(Debug, Clone)]
pub struct Rejudge {
    /// Where the items are.
    pub samples: Samples,
    /// Where the registry is, and who decided what.
    pub journal: Journal,
    /// The time.
    pub clock: Arc<dyn Clock>,
    decided: Decided,
}

/// The most reasons that are told of what is still refused.
const MAX_TOLD: usize = 100;

/// Of batches that wait on whatever the registry says.
const HELD_BACK: &str = "the agent's gateway has started too often of late; what waits with the anchors of its starts is tried again by itself";

/// The most gauges that are told; the samples show the rest.
const MAX_GAUGES: usize = 4_096;

/// What a replay has come to so far.
#[derive(Debug, Default)]
struct Course {
    /// The journal's entry of it, once there is one.
    entry: Option<i64>,
    /// Whether somebody else decided meanwhile.
    is_over: bool,
    /// Under which entry, if there is one.
    stands: Option<i64>,
    /// Whether something waits for room.
    is_held_back: bool,
    gauges: BTreeSet<String>,
    still: BTreeSet<String>,
    batches: u64,
}

impl Rejudge {
    /// Reads and writes these.
    pub const fn new(
        samples: Samples,
        journal: Journal,
        clock: Arc<dyn Clock>,
        decided: Decided,
    ) -> Self {
        Self { samples, journal, clock, decided }
    }

    /// Judges an item until its end, or until `stop`; what is done by then stays done, and the
    /// rest is held as before.
    ///
    /// The journal hears of it before the first effect: nothing is admitted without an entry. If
    /// the effect fails, whoever asks again goes on with the same decision; if the server dies in
    /// between, asking again makes a second entry.
    pub async fn item(
        &self,
        id: i64,
        by: &By,
        stop: &CancellationToken,
    ) -> Result<Replayed, StoreError> {
        let Some(item) = self.samples.read(move |reader| reader.quarantine_item(id)).await? else {
            return Ok(Replayed::Unknown);
        };
        if item.row.state != QuarantineState::Held {
            return Ok(Replayed::NotHeld);
        }
        match item.original {
            Original::Gone => Ok(Replayed::NotHeld),
            Original::Batch(_) => Ok(Replayed::StillRefused(vec![item.row.detail])),
            Original::Payload(payload) => self.garbage(&item.row, &payload, by).await,
            Original::Batches => self.parked(&item.row, by, stop).await,
        }
    }

    async fn parked(
        &self,
        row: &QuarantineRow,
        by: &By,
        stop: &CancellationToken,
    ) -> Result<Replayed, StoreError> {
        let (id, agent) = (row.id, row.agent.clone());
        let anchors = self.samples.read(move |reader| reader.anchors_of(&agent)).await?;
        let registry = self.journal.registry();
        let known = Known { registry: &registry, anchors: &anchors };
        let (mut course, mut after) = (Course::default(), Some(0));
        while let Some(last) = after.filter(|_| !stop.is_cancelled() && !course.is_over) {
            let slice = self.samples.read(move |reader| reader.parked_slice(id, last)).await?;
            after = slice.next;
            let at = self.clock.now();
            self.slice(row, &slice.batches, known, (Some(by), at, &mut course)).await?;
        }
        let Course { gauges, still, batches, entry, is_over, stands, is_held_back } = course;
        match entry {
            // What waits for room is tried again, under this entry.
            Some(entry) if batches == 0 && !is_held_back => {
                self.void((id, entry, stands), by).await?;
            }
            Some(_) if batches > 0 => self.decided.done(id),
            Some(_) | None => {}
        }
        if is_over && batches == 0 {
            return Ok(Replayed::NotHeld);
        }
        let still_refused: Vec<String> = still.into_iter().collect();
        Ok(if batches == 0 {
            Replayed::StillRefused(still_refused)
        } else {
            Replayed::Admitted { gauges: gauges.into_iter().collect(), batches, still_refused }
        })
    }

    /// Judges those batches of an item that are due as the clock says `at`, and says of how many
    /// something was admitted. The journal has no entry of it: nobody decides that time passes.
    pub async fn due(
        &self,
        id: i64,
        at: Timestamp,
        stop: &CancellationToken,
    ) -> Result<u64, StoreError> {
        let Some(row) = self.samples.read(move |reader| reader.quarantine_row(id)).await? else {
            return Ok(0);
        };
        let agent = row.agent.clone();
        let anchors = self.samples.read(move |reader| reader.anchors_of(&agent)).await?;
        let registry = self.journal.registry();
        let known = Known { registry: &registry, anchors: &anchors };
        let (mut course, mut last) = (Course::default(), None);
        while !stop.is_cancelled() && !course.is_over {
            let slice = self.samples.read(move |reader| reader.due_slice(id, at)).await?;
            // What is judged is due no more, so the next slice begins with another one.
            let first = slice.batches.first().map(|batch| batch.stored.position);
            if first == last {
                break;
            }
            last = first;
            self.slice(&row, &slice.batches, known, (None, at, &mut course)).await?;
        }
        Ok(course.batches)
    }

    /// Judges some batches of an item as the clock says `at`; where somebody decided it, the
    /// journal hears of it.
    async fn slice(
        &self,
        row: &QuarantineRow,
        batches: &[ParkedBatch],
        known: Known<'_>,
        (by, at, course): (Option<&By>, Timestamp, &mut Course),
    ) -> Result<(), StoreError> {
        let asked = if by.is_some() { Asked::Decision } else { Asked::Clock };
        let mut rejudged = Vec::with_capacity(batches.len());
        for batch in batches {
            let outcome = replay::parked(batch, row, known, (asked, at));
            for detail in outcome.still {
                if course.still.len() < MAX_TOLD {
                    course.still.insert(detail);
                }
            }
            rejudged.extend(outcome.rejudged);
        }
        let admitted = rejudged.iter().flat_map(|batch| &batch.columns);
        let gauges: BTreeSet<String> = admitted.map(|column| column.gauge.to_string()).collect();
        let is_effective = rejudged.iter().any(Rejudged::is_admitted);
        if let Some(by) = by.filter(|_| is_effective && course.entry.is_none()) {
            let named = gauges.iter().cloned().collect();
            course.entry = Some(self.enter(row.id, by, at, named).await?);
        }
        if rejudged.is_empty() {
            return Ok(());
        }
        let verdict = ReplayVerdict::Parked(rejudged);
        match self.samples.write(Replay { id: row.id, at, entry: course.entry, verdict }).await? {
            store::Replayed::Done(done) => {
                course.batches += done.batches;
                course.is_held_back |= done.held_back > 0;
                if done.held_back > 0 && course.still.len() < MAX_TOLD {
                    course.still.insert(HELD_BACK.to_owned());
                }
                let room = MAX_GAUGES.saturating_sub(course.gauges.len());
                course.gauges.extend(gauges.into_iter().take(room));
            }
            store::Replayed::Unchanged | store::Replayed::ParkFull => {}
            store::Replayed::NotHeld { stands } => {
                (course.is_over, course.stands) = (true, stands);
            }
        }
        Ok(())
    }

    async fn garbage(
        &self,
        row: &QuarantineRow,
        payload: &[u8],
        by: &By,
    ) -> Result<Replayed, StoreError> {
        let kind = match Topic::parse(&row.topic) {
            Some(Topic::Json(_)) => Kind::Json,
            Some(_) | None => Kind::Batch,
        };
        let agent = row.agent.clone();
        let anchors: Anchors = self.samples.read(move |reader| reader.anchors_of(&agent)).await?;
        let (registry, at) = (self.journal.registry(), self.clock.now());
        let known = Known { registry: &registry, anchors: &anchors };
        let arrival = Arrival {
            agent: &row.agent,
            topic: &row.topic,
            payload,
            received_at: at,
            remainder: None,
        };
        let admit = match judge_as(kind, arrival, known) {
            Judgement::Admit(admit) => store::Admit { received_at: row.received_at, ..*admit },
            Judgement::Garbage(garbage) => {
                return Ok(Replayed::StillRefused(vec![garbage.detail]));
            }
        };
        let gauges: Vec<String> =
            admit.columns.iter().map(|column| column.gauge.to_string()).collect();
        let still: Vec<String> = admit.set_aside.iter().map(|part| part.detail.clone()).collect();
        let entry = self.enter(row.id, by, at, gauges.clone()).await?;
        let verdict = ReplayVerdict::Garbage(Box::new(admit));
        let replay = Replay { id: row.id, at, entry: Some(entry), verdict };
        Ok(match self.samples.write(replay).await? {
            store::Replayed::Done(done) => {
                self.decided.done(row.id);
                Replayed::Admitted { gauges, batches: done.batches, still_refused: still }
            }
            store::Replayed::Unchanged => {
                self.void((row.id, entry, None), by).await?;
                Replayed::StillRefused(still)
            }
            store::Replayed::NotHeld { stands } => {
                self.void((row.id, entry, stands), by).await?;
                Replayed::NotHeld
            }
            // It may be asked again, under the same entry.
            store::Replayed::ParkFull => {
                Replayed::StillRefused(vec!["the park is full".to_owned()])
            }
        })
    }

    async fn enter(
        &self,
        id: i64,
        by: &By,
        at: Timestamp,
        gauges: Vec<String>,
    ) -> Result<i64, StoreError> {
        self.decided.enter(&self.journal, at, by, (id, Decision::Replayed, gauges)).await
    }

    async fn void(&self, voided: (i64, i64, Option<i64>), by: &By) -> Result<(), StoreError> {
        self.decided.void(&self.journal, self.clock.now(), by, voided).await
    }
}
