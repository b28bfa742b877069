//! What of an agent may still be on its way, by its ledger and its own word.

use model::{
    time::Timestamp,
    wire::status_v1::{SpoolStatus, Status},
};

use crate::facts::{EpochRow, Since};

/// How long a hole is waited for.
const LIMIT_MS: i64 = 24 * 60 * 60 * 1000;
/// What an agent takes at most from a reading to the status that counts it, beside the age of a
/// batch.
const SLACK_MS: i64 = 300_000;

/// What is known of the batches of an epoch that never came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holes {
    /// There are none.
    None,
    /// All of them may still come.
    Queued,
    /// None of them will.
    Lost,
    /// Some of them are lost, the others may still come.
    PartlyLost,
    /// Nobody can tell.
    Unknown,
}

impl Holes {
    /// The word for it in answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Queued => "queued",
            Self::Lost => "lost",
            Self::PartlyLost => "partly_lost",
            Self::Unknown => "unknown",
        }
    }
}

impl EpochRow {
    /// What is known of its holes by the agent's last status.
    ///
    /// The agent drops its oldest first: below its oldest queued sequence a hole is lost, from
    /// there on it may be queued. Of what it had not made by then its word says nothing.
    pub fn holes_are(&self, heard: Option<(&Status, Timestamp)>) -> Holes {
        let holes = self.holes();
        if holes == 0 {
            return Holes::None;
        }
        let Some((status, spool, at)) = with_spool(heard) else { return Holes::Unknown };
        if status.epoch != Some(self.epoch) {
            return if self.is_over(spool, at) { Holes::Lost } else { Holes::Unknown };
        }
        let Some(spoken_of) = self.spoken_of(holes) else { return Holes::Unknown };
        if spoken_of < holes {
            return Holes::Unknown;
        }
        match spool.oldest_queued {
            None => Holes::Lost,
            Some(oldest) if oldest > self.last_sequence => Holes::Lost,
            Some(oldest) if oldest <= self.first_sequence => Holes::Queued,
            // From `oldest` on there is room for so many holes; if there are more, some are lost.
            Some(oldest) if holes > self.last_sequence - oldest + 1 => Holes::PartlyLost,
            Some(_) => Holes::Unknown,
        }
    }

    /// How many of its holes the status speaks of.
    fn spoken_of(&self, holes: u64) -> Option<u64> {
        let Since { next_sequence, batches } = self.since?;
        if next_sequence > self.last_sequence {
            return Some(holes);
        }
        let later = self.last_sequence - next_sequence.max(self.first_sequence) + 1;
        Some(holes.saturating_sub(later.saturating_sub(batches?)))
    }

    /// Whether a status that speaks of another epoch, a later one, has nothing left to send.
    fn is_over(&self, spool: &SpoolStatus, told_at: Timestamp) -> bool {
        spool.queued == 0 && told_at >= self.last_at
    }

    /// From where on readings of it may still come.
    fn queued_from(&self, heard: Option<(&Status, Timestamp)>) -> Timestamp {
        let holes = self.holes();
        if holes == 0 {
            return Timestamp::MAX;
        }
        let Some((status, spool, at)) = with_spool(heard) else { return Timestamp::MIN };
        if status.epoch != Some(self.epoch) {
            return if self.is_over(spool, at) { Timestamp::MAX } else { Timestamp::MIN };
        }
        let of_queue = match spool.oldest_queued {
            Some(oldest) if oldest > self.last_sequence => Timestamp::MAX,
            Some(_) => spool.queued_from.unwrap_or(Timestamp::MIN),
            None => Timestamp::MAX,
        };
        // What the status does not speak of holds readings of a batch that was open at that time.
        let (is_all, told_at) = (self.spoken_of(holes) == Some(holes), status.at);
        let later = told_at.map_or(Timestamp::MIN, |at| at.plus_ms(-SLACK_MS));
        if is_all { of_queue } else { of_queue.min(later) }
    }
}

fn with_spool(heard: Option<(&Status, Timestamp)>) -> Option<(&Status, &SpoolStatus, Timestamp)> {
    heard.and_then(|(status, at)| Some((status, status.spool.as_ref()?, at)))
}

/// From where on readings of an agent may be on their way: the end of time where there is no hole,
/// the beginning of time where nobody knows. Of what has been waited for a day nothing more is
/// expected.
pub(crate) fn queued_from(epochs: &[EpochRow], heard: Option<(&Status, Timestamp)>) -> Timestamp {
    let newest = epochs.iter().map(|epoch| epoch.last_at).max();
    let is_recent =
        |epoch: &&EpochRow| newest.is_some_and(|newest| newest.ms_since(epoch.last_at) < LIMIT_MS);
    let recent = epochs.iter().filter(is_recent);
    recent.map(|epoch| epoch.queued_from(heard)).min().unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use model::ids::{Epoch, Sequence};

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::clamped(ms)
    }

    /// Batches 5 to 14 of an epoch, so many of which came, so many of them from `next` on.
    fn row(batches: u64, since: Option<(Sequence, u64)>) -> EpochRow {
        EpochRow {
            epoch: Epoch(1),
            first_at: at(0),
            last_at: at(1_000_000),
            first_sequence: 5,
            last_sequence: 14,
            batches,
            previous: None,
            since: since
                .map(|(next_sequence, batches)| Since { next_sequence, batches: Some(batches) }),
        }
    }

    fn status(epoch: u64, queued: u64, oldest_queued: Option<Sequence>) -> Status {
        let queued_from = oldest_queued.map(|_| at(300_000));
        let spool = SpoolStatus { queued, oldest_queued, queued_from, ..SpoolStatus::default() };
        Status {
            at: Some(at(900_000)),
            epoch: Some(Epoch(epoch)),
            spool: Some(spool),
            ..Status::offline("0")
        }
    }

    fn check(row: EpochRow, status: &Status, holes: Holes, queued_from: Timestamp) {
        let heard = Some((status, at(1_000_001)));
        assert_eq!(row.holes_are(heard), holes, "{row:?} {status:?}");
        assert_eq!(super::queued_from(&[row], heard), queued_from);
    }

    #[test]
    fn a_hole_is_queued_or_lost_and_never_guessed() {
        let all = Some((15, 0));
        check(row(10, None), &status(1, 0, None), Holes::None, Timestamp::MAX);
        check(row(7, all), &status(1, 0, None), Holes::Lost, Timestamp::MAX);
        check(row(7, all), &status(1, 3, Some(5)), Holes::Queued, at(300_000));
        check(row(7, all), &status(1, 3, Some(15)), Holes::Lost, Timestamp::MAX);
        check(row(2, all), &status(1, 3, Some(12)), Holes::PartlyLost, at(300_000));
        check(row(7, all), &status(1, 3, Some(12)), Holes::Unknown, at(300_000));
        check(row(7, None), &status(2, 3, Some(1)), Holes::Unknown, Timestamp::MIN);
        check(row(7, None), &status(2, 0, None), Holes::Lost, Timestamp::MAX);
        // a word from before the epoch began
        let early = status(2, 0, None);
        assert_eq!(row(7, None).holes_are(Some((&early, at(999_999)))), Holes::Unknown);
    }

    #[test]
    fn what_a_status_does_not_speak_of_may_be_on_its_way_since_then() {
        // 12 to 14 were made later, and all of them came: the holes are older
        check(row(7, Some((12, 3))), &status(1, 0, None), Holes::Lost, Timestamp::MAX);
        // two of them did not
        let later = at(600_000);
        check(row(8, Some((12, 1))), &status(1, 0, None), Holes::Unknown, later);
        check(row(7, Some((12, 1))), &status(1, 2, Some(9)), Holes::Unknown, at(300_000));
        // an epoch of which the status knows nothing yet
        check(row(8, Some((1, 8))), &status(1, 0, None), Holes::Unknown, later);
    }

    #[test]
    fn whoever_says_nothing_is_waited_for() {
        let silent = row(7, None);
        assert_eq!(silent.holes_are(None), Holes::Unknown);
        assert_eq!(queued_from(&[silent], None), Timestamp::MIN);
        let will = Status::offline("0");
        assert_eq!(queued_from(&[row(7, Some((15, 0)))], Some((&will, at(0)))), Timestamp::MIN);
        assert_eq!(queued_from(&[], None), Timestamp::MAX);
    }

    #[test]
    fn an_epoch_of_long_ago_is_waited_for_no_more() {
        let old = EpochRow { last_at: at(0), ..row(7, None) };
        let new = EpochRow { epoch: Epoch(2), last_at: at(LIMIT_MS), ..row(10, None) };
        assert_eq!(queued_from(&[old.clone(), new.clone()], None), Timestamp::MAX);
        let recent = EpochRow { last_at: at(1), ..old };
        assert_eq!(queued_from(&[recent, new], None), Timestamp::MIN);
    }
}
