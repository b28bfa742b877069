//! An alarm taken on: asked in the journal, and waited for until alerting has come to it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    error::StoreError,
    journal::{Acknowledge, Asked, Journal},
};

/// How long an acknowledgement waits for alerting to come to it.
const APPLIED_LIMIT: Duration = Duration::from_secs(2);
/// Between two looks whether it has.
const LOOK_PERIOD: Duration = Duration::from_millis(25);

/// Takes an alarm on, whoever does. The answer is [`Asked::Entry`] only where it is journalled and
/// alerting, which applies it, has not come to it within two seconds.
pub async fn take_on(journal: &Journal, ask: Acknowledge) -> Result<Asked, StoreError> {
    let (alarm, by) = (ask.alarm, ask.by.clone());
    let asked = journal.write(ask).await?;
    let Asked::Entry(entry) = asked else { return Ok(asked) };
    let end = Instant::now() + APPLIED_LIMIT;
    loop {
        let facts = journal.read(move |reader| reader.alarm(alarm)).await?;
        let Some(facts) = facts else { return Ok(Asked::Unknown) };
        if facts.asked != Some(entry) {
            // it may have changed before alerting came to the entry
            let is_taken = facts.row.acknowledged_by.as_ref() == Some(&by);
            let version = facts.row.version;
            return Ok(if is_taken { Asked::Done } else { Asked::Changed { version } });
        }
        if Instant::now() >= end {
            return Ok(Asked::Entry(entry));
        }
        sleep(LOOK_PERIOD).await;
    }
}
