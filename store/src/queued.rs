//! What of an agent may still be on its way, by its ledger and its own word.

use model::{
    batch::Previous,
    ids::{Epoch, Sequence},
    time::{Span, Timestamp},
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
        let Some(oldest) = spool.oldest_queued.filter(|oldest| *oldest <= self.made_to) else {
            return Holes::Lost;
        };
        if self.last_sequence < oldest {
            // all that came lies before it, and none of what is queued
            let lost = (oldest - 1).saturating_sub(self.batches);
            return if lost == 0 { Holes::Queued } else { Holes::PartlyLost };
        }
        // what came first tells of the holes before it, one by one
        let leading = self.first_sequence.saturating_sub(1);
        let lost = leading.min(oldest.saturating_sub(1));
        // from `oldest` on there is room for so many holes; if there are more, some are lost
        let room = self.made_to - oldest + 1;
        if holes == lost {
            Holes::Lost
        } else if lost > 0 || holes > room {
            Holes::PartlyLost
        } else if oldest <= self.first_sequence {
            Holes::Queued
        } else {
            Holes::Unknown
        }
    }

    /// How many of its holes the status speaks of.
    fn spoken_of(&self, holes: u64) -> Option<u64> {
        let Since { next_sequence, batches } = self.since?;
        if next_sequence > self.made_to {
            return Some(holes);
        }
        let later = self.made_to - next_sequence.max(1) + 1;
        Some(holes.saturating_sub(later.saturating_sub(batches?)))
    }

    /// Whether a status that speaks of another epoch, a later one, has nothing left to send.
    fn is_over(&self, spool: &SpoolStatus, told_at: Timestamp) -> bool {
        spool.queued == 0 && told_at >= self.last_at
    }

    /// From where on readings of it may still come.
    fn queued_from(&self, heard: Option<(&Status, Timestamp)>) -> Timestamp {
        let holes = self.holes();
        let of_ledger = if holes == 0 { Timestamp::MAX } else { Timestamp::MIN };
        let Some((status, spool, at)) = with_spool(heard) else { return of_ledger };
        if status.epoch != Some(self.epoch) {
            return if self.is_over(spool, at) { Timestamp::MAX } else { of_ledger };
        }
        let spoken_of = if holes == 0 { Some(0) } else { self.spoken_of(holes) };
        // what was made by then and is later than everything that came
        let is_tail = spool.next_sequence.is_some_and(|next| next > self.last_sequence + 1)
            || spool.oldest_queued.is_some_and(|oldest| oldest > self.last_sequence);
        let of_queue = match spool.oldest_queued {
            Some(_) if is_tail || spoken_of != Some(0) => {
                spool.queued_from.unwrap_or(Timestamp::MIN)
            }
            Some(_) | None => Timestamp::MAX,
        };
        // What the status does not speak of holds readings of a batch that was open at that time.
        let (is_all, told_at) = (spoken_of == Some(holes), status.at);
        let later = told_at.map_or(Timestamp::MIN, |at| at.plus_ms(-SLACK_MS));
        if is_all { of_queue } else { of_queue.min(later) }
    }
}

fn with_spool(heard: Option<(&Status, Timestamp)>) -> Option<(&Status, &SpoolStatus, Timestamp)> {
    heard.and_then(|(status, at)| Some((status, status.spool.as_ref()?, at)))
}

/// From where on readings of an agent may be on their way: the end of time where everything that
/// its ledger and its own word tell of is here, the beginning of time where nobody knows. Of what
/// has been waited for a day nothing more is expected.
pub(crate) fn queued_from(epochs: &[EpochRow], heard: Option<(&Status, Timestamp)>) -> Timestamp {
    let mut told = told(epochs, heard);
    let newest = told.iter().map(|epoch| epoch.last_at).max().unwrap_or(Timestamp::MIN);
    let begins: Vec<Timestamp> = told.iter().map(|epoch| epoch.first_at).collect();
    // It is waited for since the next one began: an agent may have been away for long before.
    told.retain(|epoch| {
        let next = begins.iter().copied().filter(|begin| *begin > epoch.last_at).min();
        newest.ms_since(next.unwrap_or(epoch.last_at)) < LIMIT_MS
    });
    let of_epochs = told.iter().map(|epoch| epoch.queued_from(heard)).min();
    of_epochs.unwrap_or(Timestamp::MAX).min(earlier_from(epochs, &told, heard))
}

/// Stretches of time, by when batches came, through which everything that an agent made has come: of
/// epochs without a hole, and from one to the next one that says where it ended. What lies `aside`
/// was not admitted, and is left out.
pub(crate) fn whole(
    epochs: &[EpochRow],
    heard: Option<(&Status, Timestamp)>,
    aside: &[Span],
) -> Vec<Span> {
    let mut known = told(epochs, heard);
    known.retain(|epoch| epoch.batches > 0 && epoch.holes() == 0);
    known.sort_by_key(|epoch| (epoch.first_at, epoch.epoch.0));
    let mut spans: Vec<(Epoch, Span)> = Vec::new();
    for EpochRow { epoch, first_at, last_at, previous, .. } in known {
        let before = previous.map(|previous| previous.epoch);
        match spans.last_mut().filter(|(last, _)| Some(*last) == before) {
            Some((last, span)) => (*last, span.to) = (epoch, last_at.max(span.to)),
            None => spans.push((epoch, Span { from: first_at, to: last_at })),
        }
    }
    let mut left: Vec<Span> = spans.into_iter().map(|(_, span)| span).collect();
    for hole in aside {
        left = left.into_iter().flat_map(|span| without(span, *hole)).collect();
    }
    left
}

/// What of a span is not in another one.
fn without(span: Span, hole: Span) -> impl Iterator<Item = Span> {
    let before = Span { from: span.from, to: span.to.min(hole.from) };
    let after = Span { from: span.from.max(hole.to), to: span.to };
    [before, after].into_iter().filter(|part| part.from < part.to)
}

/// The epochs that anything tells of, each to its last sequence that is told: by what came of it,
/// by the one that followed, or by the agent's status.
fn told(epochs: &[EpochRow], heard: Option<(&Status, Timestamp)>) -> Vec<EpochRow> {
    let mut told = epochs.to_vec();
    let mut note = |epoch: Epoch, last_sequence: Sequence, at: Timestamp| {
        if let Some(known) = told.iter_mut().find(|known| known.epoch == epoch) {
            known.made_to = known.made_to.max(last_sequence);
        } else {
            told.push(EpochRow {
                epoch,
                first_at: at,
                last_at: at,
                first_sequence: 0,
                last_sequence: 0,
                made_to: last_sequence,
                batches: 0,
                previous: None,
                since: None,
            });
        }
    };
    for epoch in epochs {
        if let Some(Previous { epoch: before, last_sequence }) = epoch.previous {
            note(before, last_sequence, epoch.first_at);
        }
    }
    if let Some((status, _, at)) = with_spool(heard)
        && let Some(epoch) = status.epoch
    {
        // how many there are of it the status itself says
        note(epoch, 0, at);
    }
    told
}

/// The epochs of an agent as they are shown, each to the last sequence that is told: by what came
/// of it, by the one that followed, or by the status. So what was made last and never came is a
/// hole like any other, be it a whole epoch: one of which nothing came has no batches, and was
/// first heard of when something told of it.
///
/// `count` is how many epochs there are: where these are not all, one that is only told of may be
/// one of the others, and is left out.
pub fn shown(
    epochs: &[EpochRow],
    count: u64,
    heard: Option<(&Status, Timestamp)>,
) -> Vec<EpochRow> {
    let mut shown = told(epochs, heard);
    if let Some((status, spool, _)) = with_spool(heard)
        && let Some(next) = spool.next_sequence
        && let Some(own) = shown.iter_mut().find(|own| Some(own.epoch) == status.epoch)
    {
        own.made_to = own.made_to.max(next.saturating_sub(1));
        if own.batches == 0 {
            own.since = Some(Since { next_sequence: next, batches: Some(0) });
        }
    }
    let is_all = u64::try_from(epochs.len()).is_ok_and(|known| known == count);
    shown.retain(|epoch| epoch.batches > 0 || (is_all && epoch.made_to > 0));
    shown.sort_by_key(|epoch| (epoch.first_at, epoch.epoch.0));
    shown
}

/// Of its queue an agent counts the batches of earlier epochs, and says no more of them: nobody
/// knows from where on they are, unless all of those epochs has come.
fn earlier_from(
    epochs: &[EpochRow],
    recent: &[EpochRow],
    heard: Option<(&Status, Timestamp)>,
) -> Timestamp {
    let Some((status, spool, _)) = with_spool(heard) else { return Timestamp::MAX };
    let (least, most) = spool.oldest_queued.map_or((0, 0), |oldest| {
        let Some(next) = spool.next_sequence else { return (1, u64::MAX) };
        // What is not here was not here by then: what came lies between the first and the last.
        let current = epochs.iter().find(|epoch| status.epoch == Some(epoch.epoch));
        let (first, last) = current.map_or((next, 0), |c| (c.first_sequence, c.last_sequence));
        let before = first.min(next).saturating_sub(oldest);
        let after = next.saturating_sub(first.max(last + 1).max(oldest));
        ((before + after).max(1), next.saturating_sub(oldest).max(1))
    });
    let is_whole = |earlier: &EpochRow| {
        let ends = epochs.iter().filter_map(|epoch| epoch.previous);
        let is_ended = ends.into_iter().any(|end| end.epoch == earlier.epoch);
        is_ended && earlier.holes() == 0
    };
    let others = || recent.iter().filter(|epoch| status.epoch != Some(epoch.epoch));
    let is_some = spool.queued > most || (spool.queued > least && !others().all(is_whole));
    if is_some { Timestamp::MIN } else { Timestamp::MAX }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use model::ids::{Epoch, Sequence};

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::clamped(ms)
    }

    /// Batches 1 to 10 of an epoch, so many of which came, so many of them from `next` on.
    fn row(batches: u64, since: Option<(Sequence, u64)>) -> EpochRow {
        EpochRow {
            epoch: Epoch(1),
            first_at: at(0),
            last_at: at(1_000_000),
            first_sequence: 1,
            last_sequence: 10,
            made_to: 10,
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

    /// The same of an agent whose next batch is this one.
    fn status_at(next: Sequence, epoch: u64, queued: u64, oldest: Option<Sequence>) -> Status {
        let mut status = status(epoch, queued, oldest);
        status.spool.as_mut().unwrap().next_sequence = Some(next);
        status
    }

    fn check(row: EpochRow, status: &Status, holes: Holes, queued_from: Timestamp) {
        let heard = Some((status, at(1_000_001)));
        assert_eq!(row.holes_are(heard), holes, "{row:?} {status:?}");
        let rows = [row];
        assert_eq!(super::queued_from(&rows, heard), queued_from, "{rows:?} {status:?}");
    }

    #[test]
    fn a_hole_is_queued_or_lost_and_never_guessed() {
        let all = Some((11, 0));
        check(row(10, None), &status(1, 0, None), Holes::None, Timestamp::MAX);
        check(row(7, all), &status(1, 0, None), Holes::Lost, Timestamp::MAX);
        check(row(7, all), &status(1, 3, Some(1)), Holes::Queued, at(300_000));
        check(row(2, all), &status(1, 3, Some(8)), Holes::PartlyLost, at(300_000));
        check(row(7, all), &status(1, 3, Some(8)), Holes::Unknown, at(300_000));
        check(row(7, None), &status(2, 3, Some(1)), Holes::Unknown, Timestamp::MIN);
        check(row(7, None), &status(2, 0, None), Holes::Lost, Timestamp::MAX);
        // a word from before the epoch began
        let early = status(2, 0, None);
        assert_eq!(row(7, None).holes_are(Some((&early, at(999_999)))), Holes::Unknown);
    }

    #[test]
    fn an_epoch_begins_with_one_and_what_never_came_before_is_a_hole() {
        // 4 to 10 came
        let late = EpochRow { first_sequence: 4, ..row(7, Some((11, 0))) };
        assert_eq!(late.holes(), 3);
        check(late.clone(), &status_at(11, 1, 3, Some(1)), Holes::Queued, at(300_000));
        check(late.clone(), &status_at(11, 1, 1, Some(3)), Holes::PartlyLost, at(300_000));
        check(late.clone(), &status_at(11, 1, 0, None), Holes::Lost, Timestamp::MAX);
        check(late.clone(), &status_at(11, 1, 7, Some(4)), Holes::Lost, at(300_000));
        assert_eq!(queued_from(&[late], None), Timestamp::MIN);
    }

    #[test]
    fn what_an_agent_has_made_and_nothing_has_shown_is_on_its_way() {
        let whole = row(10, None);
        let waits =
            |status: &Status| queued_from(slice::from_ref(&whole), Some((status, at(1_000_001))));
        // 11 to 13 were made by then
        assert_eq!(waits(&status_at(14, 1, 3, Some(11))), at(300_000));
        assert_eq!(waits(&status(1, 3, Some(11))), at(300_000), "that says no more");
        assert_eq!(waits(&status_at(14, 1, 0, None)), Timestamp::MAX, "they are lost");
        // all that was queued by then has come
        assert_eq!(waits(&status_at(11, 1, 3, Some(8))), Timestamp::MAX);
        // an epoch of which nothing came yet
        assert_eq!(waits(&status_at(4, 2, 3, Some(1))), at(300_000));
        assert_eq!(waits(&status_at(1, 2, 0, None)), Timestamp::MAX);
    }

    #[test]
    fn what_was_made_last_and_never_came_is_a_hole() {
        let tail = |status: &Status| {
            let heard = Some((status, at(1_000_001)));
            let shown = shown(&[row(10, Some((14, 0)))], 1, heard);
            shown.iter().map(|row| (row.holes(), row.holes_are(heard))).collect::<Vec<_>>()
        };
        assert_eq!(tail(&status_at(11, 1, 0, None)), [(0, Holes::None)]);
        assert_eq!(tail(&status_at(14, 1, 3, Some(11))), [(3, Holes::Queued)]);
        assert_eq!(tail(&status_at(14, 1, 0, None)), [(3, Holes::Lost)]);
        assert_eq!(tail(&status_at(14, 1, 1, Some(13))), [(3, Holes::PartlyLost)]);
        // an epoch of which nothing came
        let (lost, none) = ((3, Holes::Lost), (0, Holes::None));
        assert_eq!(tail(&status_at(4, 2, 0, None)), [none, lost]);
        assert_eq!(tail(&status_at(1, 2, 0, None)), [none]);
        // what the next epoch tells
        let next = |epoch, last_sequence| EpochRow {
            epoch: Epoch(2),
            first_at: at(1_000_001),
            previous: Some(Previous { epoch: Epoch(epoch), last_sequence }),
            ..row(10, None)
        };
        let holes = |rows: &[EpochRow], count| {
            let shown = shown(rows, count, None);
            shown.iter().map(|row| (row.epoch.0, row.batches, row.holes())).collect::<Vec<_>>()
        };
        assert_eq!(holes(&[row(10, None), next(1, 12)], 2), [(1, 10, 2), (2, 10, 0)]);
        assert_eq!(holes(&[row(10, None), next(9, 12)], 2), [(1, 10, 0), (2, 10, 0), (9, 0, 12)]);
        assert_eq!(holes(&[row(10, None), next(9, 12)], 3), [(1, 10, 0), (2, 10, 0)]);
    }

    #[test]
    fn of_earlier_epochs_that_are_queued_nobody_knows_from_when_they_are() {
        let old = row(10, None);
        let new = EpochRow { epoch: Epoch(2), first_at: at(1_000_001), ..row(10, None) };
        let ended = |last_sequence| {
            let previous = Some(Previous { epoch: Epoch(1), last_sequence });
            EpochRow { previous, ..new.clone() }
        };
        let waits = |epochs: &[EpochRow], status: &Status| {
            queued_from(epochs, Some((status, at(1_000_001))))
        };
        // more than the current epoch has
        let none = status_at(11, 2, 3, None);
        assert_eq!(waits(&[old.clone(), ended(10)], &none), Timestamp::MIN);
        assert_eq!(waits(&[old.clone(), ended(10)], &status_at(11, 2, 3, Some(9))), Timestamp::MIN);
        // perhaps more; but all of the earlier one is here
        let some = status_at(11, 2, 2, Some(9));
        assert_eq!(waits(&[old.clone(), ended(10)], &some), Timestamp::MAX);
        assert_eq!(waits(&[old.clone(), new.clone()], &some), Timestamp::MIN);
        // one at most, which is the oldest of the current one
        let one = status_at(11, 2, 1, Some(10));
        assert_eq!(waits(&[old.clone(), new.clone()], &one), Timestamp::MAX);
        // the later one says that there was more of it
        assert_eq!(waits(&[old.clone(), ended(12)], &one), Timestamp::MIN);
        assert_eq!(queued_from(&[old.clone(), ended(12)], None), Timestamp::MIN);
        assert_eq!(waits(&[old, ended(12)], &status_at(11, 2, 0, None)), Timestamp::MAX);
        assert_eq!(queued_from(&[ended(10)], None), Timestamp::MIN, "nothing of it came");
    }

    #[test]
    fn what_a_status_does_not_speak_of_may_be_on_its_way_since_then() {
        // 8 to 10 were made later, and all of them came: the holes are older
        check(row(7, Some((8, 3))), &status(1, 0, None), Holes::Lost, Timestamp::MAX);
        // two of them did not
        let later = at(600_000);
        check(row(8, Some((8, 1))), &status(1, 0, None), Holes::Unknown, later);
        check(row(7, Some((8, 1))), &status(1, 2, Some(5)), Holes::Unknown, at(300_000));
        // an epoch of which the status knows nothing yet
        check(row(8, Some((1, 8))), &status(1, 0, None), Holes::Unknown, later);
    }

    #[test]
    fn whoever_says_nothing_is_waited_for() {
        let silent = row(7, None);
        assert_eq!(silent.holes_are(None), Holes::Unknown);
        assert_eq!(queued_from(&[silent], None), Timestamp::MIN);
        let will = Status::offline("0");
        assert_eq!(queued_from(&[row(7, Some((11, 0)))], Some((&will, at(0)))), Timestamp::MIN);
        assert_eq!(queued_from(&[], None), Timestamp::MAX);
    }

    #[test]
    fn what_came_without_a_hole_is_whole_and_goes_on_where_the_next_epoch_says_so() {
        let span = |from, to| Span { from: at(from), to: at(to) };
        let of = |epoch, first, last| EpochRow {
            epoch: Epoch(epoch),
            first_at: at(first),
            last_at: at(last),
            ..row(10, None)
        };
        let holey = EpochRow { batches: 9, ..of(1, 0, 100) };
        let after = |last_sequence| EpochRow {
            previous: Some(Previous { epoch: Epoch(1), last_sequence }),
            ..of(2, 200, 300)
        };
        assert_eq!(whole(&[of(1, 0, 100)], None, &[]), [span(0, 100)]);
        assert_eq!(whole(slice::from_ref(&holey), None, &[]), []);
        assert_eq!(whole(&[of(1, 0, 100), of(2, 200, 300)], None, &[]).len(), 2);
        assert_eq!(whole(&[of(1, 0, 100), after(10)], None, &[]), [span(0, 300)]);
        // more was made of the first one than came
        assert_eq!(whole(&[of(1, 0, 100), after(11)], None, &[]), [span(200, 300)]);
        assert_eq!(whole(&[holey, after(10)], None, &[]), [span(200, 300)]);
        // what waits in quarantine was made, and is not there
        let aside = [span(20, 40), span(90, 500)];
        assert_eq!(whole(&[of(1, 0, 100)], None, &aside), [span(0, 20), span(40, 90)]);
    }

    #[test]
    fn an_epoch_is_waited_for_a_day_from_the_next_one_on() {
        let old = EpochRow { first_at: at(0), last_at: at(0), ..row(7, None) };
        let next = |first_at, last_at| EpochRow {
            epoch: Epoch(2),
            first_at: at(first_at),
            last_at: at(last_at),
            ..row(10, None)
        };
        let day = LIMIT_MS;
        assert_eq!(queued_from(&[old.clone(), next(1, day + 1)], None), Timestamp::MAX);
        assert_eq!(queued_from(&[old.clone(), next(1, day)], None), Timestamp::MIN);
        // it was away for long, and what it has to tell of that time is on its way
        assert_eq!(queued_from(&[old, next(3 * day, 3 * day + 5)], None), Timestamp::MIN);
    }
}
