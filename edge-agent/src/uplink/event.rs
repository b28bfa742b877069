//! What the uplink hears, and what it wants done.

use model::{
    batch::CommitNotice,
    ids::{Epoch, StoreId},
    wire::batch_v1::Digest,
};

use crate::ledger::{BatchKey, Range};

/// What happened outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// All that the spool has queued, oldest epoch first: at the start, and after a new store.
    Held(Vec<(Epoch, Vec<Range>)>),
    /// A batch was closed and is queued.
    Closed(BatchKey),
    /// Batches left the spool.
    Gone(Epoch, Range),
    /// A connection stands, and its subscriptions.
    Connected,
    /// It is over.
    Disconnected,
    /// The broker has a batch.
    Acknowledged(BatchKey),
    /// The broker would not have it, or it could not be handed to the connection.
    NotSent(BatchKey),
    /// The broker takes no packet so large.
    TooLarge(BatchKey),
    /// The server's word that batches are durable.
    Notice(CommitNotice),
    /// The server holds another batch of this identity; the digest is of the one it refused.
    Fork(BatchKey, Digest),
    /// What the server says of itself.
    Server {
        /// Whether it is there.
        is_online: bool,
        /// Where it stores.
        store_id: Option<StoreId>,
    },
    /// Time has passed.
    Tick,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Publish this batch as the spool has it.
    Send(BatchKey),
    /// A notice of this store names these batches, among them such as have left the spool.
    Commit(StoreId, Epoch, Vec<Range>),
    /// From here on this store counts: what another one committed is queued again, and the
    /// spool says what that is ([`Event::Held`]).
    Adopt(StoreId),
    /// If the batch has this digest, give it another identity.
    Renew(BatchKey, Digest),
}

/// Notices that committed nothing, by why; each is one notice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Strays {
    /// Of a store that the server does not name as its own.
    pub foreign_store: u64,
    /// Of nothing that was sent since the start, or of what was committed before.
    pub unsent: u64,
}
