//! What the API asks of alerting: what stands behind a link, that its recipient takes the alarm
//! on, and what gateways say of messages. All of it goes through the journal.

use std::sync::Arc;

use model::{
    alarm::LinkToken,
    ids::{ChannelId, NotificationId},
    port::{Acknowledged, AlertingError, Answer, LinkView, Links, Receipt, ReceiptTaken, Receipts},
};
use runtime::clock::Clock;
use store::{Acknowledge, Asked, By, ByKind, Journal, StoreError, TakeReceipt};

use crate::{link, snapshot::RestoreError};

/// Answers over the journal.
#[derive(Debug, Clone)]
pub struct Answers {
    journal: Journal,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the journal cannot do it")]
    Store(#[from] StoreError),
    #[error("a stored alarm cannot be read; run `baseflow verify`")]
    Alarm(#[from] RestoreError),
}

impl From<Failure> for AlertingError {
    fn from(failure: Failure) -> Self {
        Self { source: Box::new(failure) }
    }
}

impl Answers {
    /// Over this journal.
    pub const fn new(journal: Journal, clock: Arc<dyn Clock>) -> Self {
        Self { journal, clock }
    }

    async fn look(&self, token: LinkToken) -> Result<Option<LinkView>, Failure> {
        let found = self.journal.read(move |reader| {
            let Some(row) = reader.link(token)? else { return Ok(None) };
            let Some(alarm) = reader.alarm(row.alarm)? else { return Ok(None) };
            let condition = reader.condition(&alarm.row.rule, &alarm.row.subject)?;
            Ok(Some((alarm, condition, row)))
        });
        let Some((alarm, condition, row)) = found.await? else { return Ok(None) };
        let alarm = (&alarm, condition.as_ref());
        Ok(link::view(alarm, &row, &self.journal.registry(), self.clock.now())?)
    }

    async fn take_on(&self, token: LinkToken, seen: u32) -> Result<Acknowledged, Failure> {
        let at = self.clock.now();
        let row = self.journal.read(move |reader| reader.link(token)).await?;
        let Some(row) = row else { return Ok(Acknowledged::Unknown) };
        if link::is_too_late(&row, at) {
            return Ok(Acknowledged::TooLate);
        }
        let by = By { kind: ByKind::Contact, name: row.contact.as_str().to_owned() };
        let ask = Acknowledge { at, by, alarm: row.alarm, seen };
        Ok(match store::take_on(&self.journal, ask).await? {
            Asked::Entry(_) => Acknowledged::Kept,
            Asked::Done => Acknowledged::Done,
            Asked::Unknown => Acknowledged::Unknown,
            Asked::Over => Acknowledged::Over,
            Asked::NotRaised | Asked::Changed { .. } => Acknowledged::Changed,
            Asked::Elsewhere { .. } => Acknowledged::Elsewhere,
        })
    }

    async fn is_known(&self, channel: ChannelId, id: NotificationId) -> Result<bool, Failure> {
        let found = self.journal.read(move |reader| reader.notification(id)).await?;
        Ok(found.is_some_and(|found| found.row.channel == channel && found.row.attempts > 0))
    }

    async fn note(&self, receipt: Receipt) -> Result<ReceiptTaken, Failure> {
        let Receipt { channel, id, is_delivered } = receipt;
        let by = By { kind: ByKind::Server, name: format!("channel {channel}") };
        let at = self.clock.now();
        let take = TakeReceipt { at, by, message: id, channel: channel.clone(), is_delivered };
        if self.journal.write(take).await?.is_some() {
            return Ok(ReceiptTaken::Noted);
        }
        // it says nothing new, or of no message that this channel took
        let is_known = self.is_known(channel, id).await?;
        Ok(if is_known { ReceiptTaken::Noted } else { ReceiptTaken::Unknown })
    }
}

impl Links for Answers {
    fn view(&self, token: LinkToken) -> Answer<'_, Result<Option<LinkView>, AlertingError>> {
        Box::pin(async move { Ok(self.look(token).await?) })
    }

    fn acknowledge(
        &self,
        token: LinkToken,
        seen: u32,
    ) -> Answer<'_, Result<Acknowledged, AlertingError>> {
        Box::pin(async move { Ok(self.take_on(token, seen).await?) })
    }
}

impl Receipts for Answers {
    fn knows(&self, receipt: &Receipt) -> Answer<'_, Result<bool, AlertingError>> {
        let (channel, id) = (receipt.channel.clone(), receipt.id);
        Box::pin(async move { Ok(self.is_known(channel, id).await?) })
    }

    fn take(&self, receipt: Receipt) -> Answer<'_, Result<ReceiptTaken, AlertingError>> {
        Box::pin(async move { Ok(self.note(receipt).await?) })
    }
}
