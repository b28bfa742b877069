//! What the sender of a message is told: the notice owed to it, and what was refused and why.

use std::collections::BTreeMap;

use model::{
    ids::{AgentId, BatchId},
    wire::refused_v1::{Kept, Reason, Refused},
};
use sha2::{Digest as _, Sha256};
use store::{Key, SetAside};

/// What the sender of one message is told, once the store has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The batch that a commit notice is to name.
    pub notice: Option<BatchId>,
    /// What was refused, one for each reason.
    pub refused: Vec<Refused>,
}

/// The most gauges that one refusal names.
const MAX_GAUGES: usize = 100;

/// The identity that a notice names; JSON has none.
pub fn batch_id(agent: &AgentId, key: &Key) -> Option<BatchId> {
    match key {
        Key::Batch { epoch, sequence, .. } => {
            Some(BatchId { agent: agent.clone(), epoch: *epoch, sequence: *sequence })
        }
        Key::Payload { .. } => None,
    }
}

/// What to tell of a whole payload that was refused.
pub fn refused(
    payload: &[u8],
    key: Option<&Key>,
    reason: Reason,
    detail: String,
    kept: Kept,
) -> Refused {
    let (epoch, sequence, digest) = match key {
        Some(Key::Batch { epoch, sequence, digest }) => {
            (Some(*epoch), Some(*sequence), Some(hex::encode(digest)))
        }
        Some(Key::Payload { .. }) | None => (None, None, None),
    };
    Refused {
        format: 1,
        sha256: hex::encode(Sha256::digest(payload)),
        digest,
        epoch,
        sequence,
        reason,
        detail,
        gauges: Vec::new(),
        kept,
    }
}

/// What to tell of parts that were set aside, one for each reason.
pub fn set_aside(payload: &[u8], key: &Key, parts: &[SetAside]) -> Vec<Refused> {
    let mut by_reason: BTreeMap<Reason, Vec<&SetAside>> = BTreeMap::new();
    for part in parts {
        by_reason.entry(part.reason).or_default().push(part);
    }
    let told = by_reason.into_iter().map(|(reason, parts)| {
        let first = parts.first().map_or(String::new(), |part| part.detail.clone());
        let detail = match parts.len() {
            1 => first,
            count if parts.iter().all(|part| part.gauge.is_empty()) => {
                format!("{first}; {count} such in all")
            }
            count => format!("{first}; {count} gauges in all"),
        };
        let gauges = parts.iter().map(|part| part.gauge.clone()).filter(|gauge| !gauge.is_empty());
        Refused {
            gauges: gauges.take(MAX_GAUGES).collect(),
            ..refused(payload, Some(key), reason, detail, reason.kept())
        }
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use model::ids::Epoch;

    use super::*;

    fn aside(gauge: &str, reason: Reason) -> SetAside {
        SetAside::new(gauge.to_owned(), reason, format!("{gauge} {}", reason.word()))
    }

    #[test]
    fn one_answer_for_each_reason_names_its_gauges() {
        let key = Key::Batch { epoch: Epoch(1), sequence: 2, digest: [3; 32] };
        let parts = [
            aside("S/a", Reason::Unit),
            aside("S/b", Reason::UnknownGauge),
            aside("S/c", Reason::Unit),
            aside("", Reason::Gap),
            aside("", Reason::Gap),
        ];
        let told = set_aside(b"payload", &key, &parts);
        let told: Vec<_> = told
            .iter()
            .map(|r| (r.reason, r.gauges.join(" "), r.detail.as_str(), r.kept))
            .collect();
        assert_eq!(
            told,
            [
                (Reason::UnknownGauge, "S/b".to_owned(), "S/b unknown_gauge", Kept::Parked),
                (Reason::Unit, "S/a S/c".to_owned(), "S/a unit; 2 gauges in all", Kept::Parked),
                (Reason::Gap, String::new(), " gap; 2 such in all", Kept::None),
            ]
        );
    }

    #[test]
    fn what_does_not_decode_is_named_by_its_digest_alone() {
        let told =
            refused(b"junk", None, Reason::Undecodable, "not a batch".to_owned(), Kept::Garbage);
        assert_eq!(told.sha256, hex::encode(Sha256::digest(b"junk")));
        assert_eq!((told.epoch, told.sequence, told.digest), (None, None, None));
    }
}
