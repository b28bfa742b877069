//! What becomes of a message whose sender has used up its share of what refusing costs.

use std::sync::PoisonError;

use model::wire::refused_v1::{Kept, Reason};
use store::Quarantined;

use super::{Failed, Settler, Taken, TopicKind, of, quarantine};
use crate::{
    answer::{self, Answer},
    intake::Garbage,
    metrics::Outcome,
};

const DETAIL: &str = "so much of this sender was refused of late that its messages are not looked \
    at for some seconds; correct what it sends, or import the registry";

/// What a message has counted in its sender's share: once, however often the store makes it wait,
/// else its own weight would put it beyond.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Whether it came when the share was used up.
    pub(super) came_beyond: Option<bool>,
    /// Whether what is refused of it was charged.
    pub(super) is_charged: bool,
    /// Whether the ring takes it unread.
    ring_takes: Option<bool>,
}

impl Settler {
    /// A message that is not looked at. An agent keeps its batch, since no notice names it, and is
    /// told the first time and then once a minute. Nobody keeps a document: the ring does, as long
    /// as it takes some of this sender; each is told, since what is not kept is gone.
    pub(super) async fn beyond_share(
        &self,
        message: &Taken,
        counted: &mut Counted,
    ) -> Result<Answer, Failed> {
        if counted.ring_takes.is_none() {
            self.metrics.count(message.kind.word(), Outcome::BeyondShare);
        }
        let now = self.clock.now();
        let told =
            |kept| answer::refused(&message.payload, None, Reason::Share, DETAIL.to_owned(), kept);
        if message.kind == TopicKind::Batch {
            let mut told_before = self.beyond.lock().unwrap_or_else(PoisonError::into_inner);
            let is_told = told_before.note(message.agent.clone(), now);
            let refused = is_told.map(|_| ()).map(|()| told(Kept::None)).into_iter().collect();
            return Ok(Answer { notice: None, refused });
        }
        let bytes = u64::try_from(message.payload.len()).unwrap_or(u64::MAX);
        let may_keep = || self.shares().may_keep(&message.agent, bytes, now);
        if !*counted.ring_takes.get_or_insert_with(may_keep) {
            return Ok(Answer { notice: None, refused: vec![told(Kept::None)] });
        }
        // Without its identity: when it comes again it is looked at.
        let garbage = Garbage { reason: Reason::Share, detail: DETAIL.to_owned(), key: None };
        let written = self.samples.write(quarantine(message, garbage)).await;
        match written.map_err(of(None))? {
            Quarantined::Held { .. } | Quarantined::Duplicate | Quarantined::Fork { .. } => {
                Ok(Answer { notice: None, refused: vec![told(Kept::Garbage)] })
            }
        }
    }
}
