//! What gateways say later of messages that they took.

use std::fmt;

use super::{AlertingError, Answer};
use crate::ids::{ChannelId, NotificationId};

/// Takes receipts; alerting implements it, the hooks of gateways ask for it.
pub trait Receipts: fmt::Debug + Send + Sync {
    /// Whether this is the id of a message that went through the channel; asked before anything is
    /// written for it.
    fn knows(&self, receipt: &Receipt) -> Answer<'_, Result<bool, AlertingError>>;

    /// Notes one so that it is not lost, within a second or so: the gateway waits, and may not say
    /// it again.
    fn take(&self, receipt: Receipt) -> Answer<'_, Result<ReceiptTaken, AlertingError>>;
}

/// A gateway's last word of one message. It may come twice, late, or before the gateway's answer to
/// the message itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Through which channel.
    pub channel: ChannelId,
    /// Of which message.
    pub id: NotificationId,
    /// Whether it arrived, or never will.
    pub is_delivered: bool,
}

/// What became of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptTaken {
    /// It is noted, now or before.
    Noted,
    /// No message has this id, or none that went through this channel.
    Unknown,
}
