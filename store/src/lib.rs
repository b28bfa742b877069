//! Samples and journal on one machine: two SQLite files, the feed between the services, and the
//! registry.
//!
//! A typed write is answered once it is synced to disk; the writes that wait together are
//! committed together. A read is a function of one snapshot. What the files hold is decided in
//! `docs/formats.md` §8 to §11.

mod admission;
mod alarms;
mod attempt;
mod audit;
mod backup;
mod chain;
mod comparison;
mod facts;
mod feed_digest;
mod metrics;
mod page;
pub mod points;
mod queued;
mod refusals;
pub mod registry;
mod shell;
mod token;
mod user;
mod verdicts;

pub use admission::{
    Admission, Admit, Admitted, AdmittedColumn, AdmittedGap, AsideGauges, Discard, Discarded, Key,
    Kind, ParkBound, Quarantine, Quarantined, Readmitted, Rejudged, Replay, ReplayVerdict,
    Replayed, SetAside, SetStatus, Sweep, Waits,
};
pub use alarms::{
    AlarmFacts, AlarmPage, AlarmRow, Alarming, AlarmsQuery, ConditionRow, EscalationRow, LinkRow,
    NotificationFacts, NotificationPage, NotificationRow, NotificationsQuery, OpenAlarms,
    UNHEARD_MS, Unheard,
};
pub use attempt::{ATTEMPTS, AttemptRow, FAMILIAR_PLACES};
pub use audit::{Finding, Report};
pub use backup::{CopiedFile, Manifest, ManifestError};
pub use chain::{
    ACKNOWLEDGEMENT_ASKED, AlarmChanged, Body, By, ByKind, Decision, Document, Entry,
    EscalationNote, Hash, MessageChanged, RECEIPT_TAKEN, VerdictGiven,
};
pub use facts::{
    Absence, AgentPage, AgentRow, AnchorRow, Counters, EpochRow, FeedRow, GapRow, GaugeFacts,
    Original, PAGE_BYTES, ParkFacts, ParkedBatch, ParkedSlice, QuarantineItem, QuarantinePage,
    QuarantineQuery, QuarantineRow, QuarantineState, SHOWN_EPOCHS, SHOWN_GAUGES, SamplesWeight,
    Since, StoredBatch,
};
pub use page::{Cursor, CursorError, Page, SamplesQuery, StoredSample};
pub use queued::{Holes, shown as shown_epochs};
pub use refusals::Refusals;
pub use shell::{
    ANCHOR_WINDOW_MS, Acknowledge, AddToken, AddUser, AlarmsSet, Append, AppendOnce, Asked,
    BackupError, BeginSession, Decided, DisableUser, EndSession, GivenUp, Import, ImportRegistry,
    Journal, JournalReader, JournalState, Limits, NoRoom, NoteAttempts, OpenError, OpenScreen,
    Options, Over, RegistryInForce, Restore, RestoreError, Restored, RevokeToken, Role, Samples,
    SamplesReader, SeeSession, SetAlarms, SetConsumer, SetPassword, SetVerdicts, Store, StoreError,
    TakeReceipt, TokenAdded, Trouble, VerdictsSet, Vitals, back_up, exists, give_up, holder,
    restore, take_on, try_folder, verify,
};
pub use token::{ScreenKey, TokenRow, TokenText, WALL};
pub use user::{SessionRow, SessionText, UserRow};
pub use verdicts::{
    AgainRow, GivenPeriod, NewVerdict, SectionRow, StandingRow, VerdictCounts, VerdictKind,
    VerdictRow, VerdictsQuery,
};
