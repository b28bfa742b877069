//! What of an agent may be on its way, by its ledger and its own word.

use model::{time::Timestamp, wire::status_v1::Status};

use crate::facts::EpochRow;

/// How long a hole is waited for.
const LIMIT_MS: i64 = 24 * 60 * 60 * 1000;

/// From where on readings may be on their way: the end of time where there is no hole, the
/// beginning of time where nobody knows.
///
/// An agent drops its oldest first, so that below its oldest queued batch nothing more comes. A
/// word is of its moment: what has come since may have left holes that it does not speak of.
pub(crate) fn from(epochs: &[EpochRow], heard: Option<(&Status, Timestamp)>) -> Timestamp {
    let newest = epochs.iter().map(|epoch| epoch.last_at).max();
    let is_recent =
        |epoch: &&EpochRow| newest.is_some_and(|newest| newest.ms_since(epoch.last_at) < LIMIT_MS);
    let holed = epochs.iter().filter(is_recent).filter(|epoch| epoch.holes() > 0);
    holed.map(|epoch| of_epoch(epoch, heard)).min().unwrap_or(Timestamp::MAX)
}

fn of_epoch(epoch: &EpochRow, heard: Option<(&Status, Timestamp)>) -> Timestamp {
    let spool = heard.and_then(|(status, at)| Some((status, status.spool.as_ref()?, at)));
    let Some((status, spool, at)) = spool else { return Timestamp::MIN };
    let is_own = status.epoch == Some(epoch.epoch);
    match spool.oldest_queued.filter(|_| is_own) {
        Some(oldest) if oldest > epoch.last_sequence => Timestamp::MAX,
        Some(_) => spool.queued_from.unwrap_or(Timestamp::MIN),
        None if (is_own || spool.queued == 0) && at >= epoch.last_at => Timestamp::MAX,
        None => Timestamp::MIN,
    }
}
