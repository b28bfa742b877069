//! The park: what only the registry or a missing anchor keeps out, in groups of one likeness.
//!
//! An item is what one agent's batches have set aside for the same reasons, and new batches join
//! the held one. A batch that is stored only because it is parked counts its bytes against the
//! park; one that is stored anyway is never kept out, and what it adds is counted beside the park,
//! so that it keeps out nobody else.

use std::collections::BTreeSet;

use model::{
    ids::{AgentId, BootId},
    time::Timestamp,
    wire::refused_v1::{Kept, Reason},
};
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use super::{
    aside_text::{detail, gauges, why},
    book::SamplesBook,
    first_row, members, own_gauges,
    parked::Parked,
    ring::{self, ROW_BYTES},
    run,
};
use crate::{
    admission::{Admit, Kind, ParkBound, SetAside},
    shell::error::StoreError,
};

/// What a batch counts that is stored only because it is parked, beside its bytes.
const ALONE_BYTES: u64 = 256;
/// What a batch counts that is stored anyway.
const MEMBER_BYTES: u64 = 32;
/// The share of the park that one agent may fill: so that one alone cannot keep out the others.
const AGENT_SHARE: u64 = 8;
/// Held items of one agent; batches of yet other likenesses share one item, each with its gauges.
const MAX_ITEMS: i64 = 256;

/// A stored batch of which something is set aside.
pub(super) struct Joining<'a> {
    pub(super) agent: i64,
    pub(super) name: &'a AgentId,
    pub(super) kind: Kind,
    pub(super) topic: &'a str,
    pub(super) received_at: Timestamp,
    pub(super) batch: i64,
    pub(super) bytes: &'a [u8],
    /// Whether nothing else of it is admitted.
    pub(super) is_alone: bool,
    pub(super) boot: Option<BootId>,
    pub(super) judged_at: Timestamp,
    /// The item that it has just left.
    pub(super) from: Option<i64>,
    pub(super) aside: Vec<&'a SetAside>,
}

/// An item to be made.
struct Item<'a> {
    likeness: [u8; 32],
    names: &'a str,
    detail: String,
    reason: Reason,
    boot: Option<BootId>,
}

/// Whether a payload would be stored only to be parked.
pub(super) fn is_alone(admit: &Admit) -> bool {
    admit.columns.is_empty() && admit.set_aside.iter().any(is_parked)
}

pub(super) fn is_parked(aside: &SetAside) -> bool {
    aside.reason.kept() == Kept::Parked
}

/// The bound that this payload would break, were it parked alone.
pub(super) fn bound(
    book: &mut SamplesBook,
    connection: &Connection,
    admit: &Admit,
    agent: i64,
) -> Result<Option<ParkBound>, StoreError> {
    let joining = Joining::of(admit, (agent, 0), admit.received_at);
    let is_first = held(connection, &joining.likeness())?.is_none();
    let item =
        if is_first { item_cost(&gauges(&joining.aside), &detail(&joining.aside)) } else { 0 };
    let (cost, limit) = (alone_cost(&admit.bytes).saturating_add(item), book.limits.parked);
    if book.parked(connection)?.alone.saturating_add(cost) > limit {
        return Ok(Some(ParkBound::Park));
    }
    let sql = "SELECT coalesce(sum(cost), 0) FROM parking WHERE agent = ?1 AND waiting > 0";
    let of_agent = first_row(connection, sql, [agent], |row| row.get::<_, i64>(0))
        .map_err(StoreError::sql("measure an agent's share of the park"))?;
    let of_agent = u64::try_from(of_agent.unwrap_or(0)).unwrap_or(0);
    Ok((of_agent.saturating_add(cost) > share(limit)).then_some(ParkBound::Agent))
}

/// How much of a park of `limit` bytes one agent may fill.
pub(in crate::shell) const fn share(limit: u64) -> u64 {
    limit / AGENT_SHARE
}

fn alone_cost(payload: &[u8]) -> u64 {
    u64::try_from(payload.len()).unwrap_or(u64::MAX).saturating_add(ALONE_BYTES)
}

/// What an item counts beside its batches.
fn item_cost(names: &str, detail: &str) -> u64 {
    u64::try_from(names.len() + detail.len()).unwrap_or(u64::MAX).saturating_add(ROW_BYTES)
}

/// Lets what is set aside of a payload that has just been stored join what is like it.
pub(super) fn set_aside(
    book: &mut SamplesBook,
    connection: &Connection,
    admit: &Admit,
    (agent, batch): (i64, i64),
    judged_at: Timestamp,
) -> Result<(), StoreError> {
    let joining = Joining::of(admit, (agent, batch), judged_at);
    if !joining.aside.is_empty() {
        joining.join(book, connection)?;
    }
    let garbage: Vec<&SetAside> =
        admit.set_aside.iter().filter(|part| part.reason.kept() == Kept::Garbage).collect();
    let Some(first) = garbage.first() else { return Ok(()) };
    let row = ring::Row {
        kind: Kept::Garbage,
        agent: admit.agent.as_str(),
        topic: &admit.topic,
        received_at: admit.received_at,
        payload: &admit.bytes,
        reason: first.reason,
        detail: detail(&garbage),
        batch: Some(batch),
        gauges: Some(&gauges(&garbage)),
    };
    row.insert(connection)?;
    ring::go_round(book, connection)?;
    Ok(())
}

impl<'a> Joining<'a> {
    fn of(admit: &'a Admit, (agent, batch): (i64, i64), judged_at: Timestamp) -> Self {
        Self {
            agent,
            name: &admit.agent,
            kind: admit.kind,
            topic: &admit.topic,
            received_at: admit.received_at,
            batch,
            bytes: &admit.bytes,
            is_alone: is_alone(admit),
            boot: admit.boot,
            judged_at,
            from: None,
            aside: admit.set_aside.iter().filter(|part| is_parked(part)).collect(),
        }
    }

    /// Joins the held item of its likeness, which is made where there is none.
    pub(super) fn join(
        &self,
        book: &mut SamplesBook,
        connection: &Connection,
    ) -> Result<(), StoreError> {
        let (likeness, names) = (self.likeness(), gauges(&self.aside));
        let own = || own_gauges::flags((self.batch, self.kind), self.bytes, &self.aside);
        // What is set aside of some gauge in part no other batch has alike.
        let is_partly = self.aside.iter().any(|part| part.after.is_some());
        let partly = || is_partly.then(own).transpose();
        let (item, own) = match held(connection, &likeness)? {
            Some(item) => (item, partly()?),
            None if self.has_place(connection)? => {
                let item = Item {
                    likeness,
                    names: &names,
                    detail: detail(&self.aside),
                    reason: self.reason()?,
                    boot: self.boot,
                };
                (self.found(book, connection, item)?, partly()?)
            }
            None => (self.others(book, connection)?, Some(own()?)),
        };
        let own_bytes = own.as_ref().map_or(0, |own| u64::try_from(own.len()).unwrap_or(u64::MAX));
        let cost = if self.is_alone { alone_cost(self.bytes) } else { MEMBER_BYTES };
        let cost = cost.saturating_add(own_bytes);
        let attempt = StoreError::sql("park a batch");
        let signed = i64::try_from(cost).unwrap_or(i64::MAX);
        let sql = "INSERT INTO parked (item, batch, is_alone, cost, own, judged_at, due)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (judged_at, due) = (self.judged_at.as_ms(), self.due().map(Timestamp::as_ms));
        let row = params![item, self.batch, self.is_alone, signed, own, judged_at, due];
        run(connection, sql, row).map_err(&attempt)?;
        let moments = self.aside.iter().filter_map(|part| part.moments);
        let from = moments.clone().map(|(from, _)| from.as_ms()).min();
        let to = moments.map(|(_, to)| to.as_ms()).max();
        let sql = "UPDATE parking SET batches = batches + ?8, waiting = waiting + 1,
              bytes = bytes + ?2, cost = cost + ?3, beside = beside + ?4,
              due = min(coalesce(due, ?9), coalesce(?9, due)),
              last_at = max(last_at, ?5),
              from_ms = min(coalesce(from_ms, ?6), coalesce(?6, from_ms)),
              to_ms = max(coalesce(to_ms, ?7), coalesce(?7, to_ms))
            WHERE item = ?1";
        // One that comes back to the item that it left is no further one.
        let is_further = self.from != Some(item);
        let bytes = if is_further { self.bytes.len() } else { 0 };
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let last_at = self.received_at.as_ms();
        let more = Parked::of(self.is_alone, cost);
        let (cost, beside) = more.to_row();
        let row = params![item, bytes, cost, beside, last_at, from, to, is_further, due];
        run(connection, sql, row).map_err(&attempt)?;
        book.park_more(connection, more)
    }

    /// When it is to be judged again. What is judged a second time waits a sixteenth of its age at
    /// least, so that a payload of thousands of moments is not judged at each of them.
    fn due(&self) -> Option<Timestamp> {
        let due = self.aside.iter().filter_map(|part| part.due).min()?;
        let age = self.judged_at.ms_since(self.received_at);
        Some(if age > 0 { due.max(self.judged_at.plus_ms(age / members::PATIENCE)) } else { due })
    }

    /// What makes two batches alike: who, what, why, of which gauges and, where they wait for an
    /// anchor, of which start.
    pub(super) fn likeness(&self) -> [u8; 32] {
        let mut hash = self.begin_likeness();
        if let Some(boot) = self.boot {
            hash.update(boot.0.to_be_bytes());
            hash.update(b"\n");
        }
        let parts: BTreeSet<(&str, &str)> =
            self.aside.iter().map(|part| (part.gauge.as_str(), why(part))).collect();
        for (gauge, why) in parts {
            hash.update(gauge.as_bytes());
            hash.update(b"\n");
            hash.update(why.as_bytes());
            hash.update(b"\n");
        }
        hash.finalize().into()
    }

    fn begin_likeness(&self) -> Sha256 {
        let mut hash = Sha256::new();
        hash.update(self.name.as_str().as_bytes());
        hash.update(b"\n");
        hash.update(self.kind.word().as_bytes());
        hash.update(b"\n");
        hash
    }

    fn has_place(&self, connection: &Connection) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) FROM parking WHERE agent = ?1 AND waiting > 0";
        let held = first_row(connection, sql, [self.agent], |row| row.get::<_, i64>(0))
            .map_err(StoreError::sql("count an agent's parked items"))?;
        Ok(held.unwrap_or(0) < MAX_ITEMS)
    }

    /// The word for what is wrong first.
    fn reason(&self) -> Result<Reason, StoreError> {
        let first = self.aside.first().map(|part| part.reason);
        first.ok_or_else(|| StoreError::Damaged("nothing to be parked".to_owned()))
    }

    /// The item of all that find no place of their own. No anchor is its anchor: starts are as
    /// many as an agent cares to name, and a person replays it.
    fn others(&self, book: &mut SamplesBook, connection: &Connection) -> Result<i64, StoreError> {
        let reason = if self.boot.is_some() { Reason::Clock } else { self.reason()? };
        let mut hash = self.begin_likeness();
        hash.update(b"others\n");
        hash.update(reason.word().as_bytes());
        let likeness: [u8; 32] = hash.finalize().into();
        if let Some(item) = held(connection, &likeness)? {
            return Ok(item);
        }
        let detail =
            format!("more than {MAX_ITEMS} different sets of gauges; each batch names its own");
        self.found(book, connection, Item { likeness, names: "", detail, reason, boot: None })
    }

    fn found(
        &self,
        book: &mut SamplesBook,
        connection: &Connection,
        item: Item<'_>,
    ) -> Result<i64, StoreError> {
        let Item { likeness, names, detail, reason, boot } = item;
        // The item counts as the batch does for which it is made.
        let more = Parked::of(self.is_alone, item_cost(names, &detail));
        let row = ring::Row {
            kind: Kept::Parked,
            agent: self.name.as_str(),
            topic: self.topic,
            received_at: self.received_at,
            payload: self.bytes,
            reason,
            detail,
            batch: None,
            gauges: Some(names),
        };
        let item = row.insert(connection)?;
        let sql = "INSERT INTO parking (item, agent, boot, likeness, batches, waiting, bytes, cost,
            beside, last_at) VALUES (?1, ?2, ?3, ?4, 0, 0, 0, ?5, ?6, ?7)";
        let boot = boot.map(|boot| boot.0.to_be_bytes());
        let (cost, beside) = more.to_row();
        let at = self.received_at.as_ms();
        run(connection, sql, params![item, self.agent, boot, likeness, cost, beside, at])
            .map_err(StoreError::sql("park a batch"))?;
        book.park_more(connection, more)?;
        Ok(item)
    }
}

fn held(connection: &Connection, likeness: &[u8; 32]) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT item FROM parking WHERE likeness = ?1";
    first_row(connection, sql, params![likeness], |row| row.get(0))
        .map_err(StoreError::sql("look for a parked item"))
}
