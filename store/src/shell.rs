//! Everything of the store that touches a disk, waits or runs in a thread.

mod backup;
mod ballast;
mod copying;
mod database;
mod decided;
mod error;
mod file;
mod give_up;
mod journal;
mod lock;
mod open;
mod pool;
mod restore;
mod samples;
mod schema;
mod take_on;
mod trial;
mod verify;
mod vitals;
#[cfg(test)]
mod walks;
mod writer;

pub use backup::{BackupError, back_up};
pub use copying::NoRoom;
pub use decided::Decided;
pub use error::{OpenError, StoreError};
pub use give_up::{GivenUp, give_up};
pub use journal::{
    Acknowledge, AddToken, AddUser, AlarmsSet, Append, AppendOnce, Asked, BeginSession,
    DisableUser, EndSession, Import, ImportRegistry, Journal, JournalReader, JournalState,
    NoteAttempts, OpenScreen, Over, RegistryInForce, RevokeToken, SeeSession, SetAlarms,
    SetConsumer, SetPassword, SetVerdicts, TakeReceipt, TokenAdded, VerdictsSet,
};
pub use lock::holder;
pub use open::{ANCHOR_WINDOW_MS, Limits, Options, Role, Store, exists};
pub use restore::{Restore, RestoreError, Restored, restore};
pub use samples::{Samples, SamplesReader};
pub use take_on::take_on;
pub use trial::try_folder;
pub use verify::verify;
pub use vitals::{Trouble, Vitals};
