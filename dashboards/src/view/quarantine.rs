//! What was refused, and what was decided about it, as the API shows it.

use model::{
    ids::{AgentId, BootId},
    port::Replayed,
    time::Timestamp,
    wire::refused_v1::Kept,
};
use serde::Serialize;
use store::{QuarantinePage, QuarantineRow};
use utoipa::ToSchema;

use crate::problem::Problem;

/// An item of the quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Quarantined)]
pub struct QuarantineView {
    /// Its number, by which it is replayed or discarded.
    pub id: i64,
    /// Who sent it.
    #[schema(value_type = String, example = "gw-luming")]
    pub agent: AgentId,
    /// On which topic.
    #[schema(example = "baseflow/v1/gw-luming/batch")]
    pub topic: String,
    /// When it came; of several batches when the first did.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// When the last of its batches came.
    #[schema(value_type = String, format = DateTime)]
    pub last_received_at: Timestamp,
    /// How many batches it ever held: what is parked for the same reasons is one item.
    pub batches: u64,
    /// How many of them wait for a decision.
    pub waiting: u64,
    /// How large the payloads are.
    pub bytes: u64,
    /// `parked`: only the registry, a missing anchor or the clock keeps it out, and `replay` may
    /// admit it; `garbage`: it is kept for looking at, the oldest going first.
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// `held`, `replayed` or `discarded`.
    #[schema(value_type = String)]
    pub state: &'static str,
    /// The position of the journal's entry under which something of it was last replayed, or it was
    /// discarded; null where nobody has.
    #[schema(required = true, example = 812)]
    pub entry: Option<i64>,
    /// The word of the reason.
    #[schema(example = "unknown_station")]
    pub reason: String,
    /// The reason in words, with what to do.
    pub detail: String,
    /// The gauges that are set aside, at most 32 of them; empty where a payload is refused whole,
    /// where too many different ones are, and once it is decided: the journal then names them.
    pub gauges: Vec<String>,
    /// How many gauges are, or were, set aside.
    pub gauge_count: u64,
    /// The first moment of what is set aside; null where it is not known.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// The last moment of what is set aside, which belongs to it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// The start of the gateway for whose clock anchor it waits.
    #[schema(value_type = Option<String>)]
    pub boot_id: Option<BootId>,
    /// What the server's clock will say when the first of it is judged again by itself; null where
    /// nothing of it waits for the clock.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    /// SHA-256 of the first payload as received.
    pub sha256: String,
}

/// A page of the quarantine, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Quarantine)]
pub struct QuarantinePageView {
    /// The items.
    pub quarantine: Vec<QuarantineView>,
    /// `cursor` of the next page; null at the end.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// What was decided about an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Decision)]
pub struct DecisionView {
    /// Its number.
    pub id: i64,
    /// `replayed` or `discarded`.
    #[schema(value_type = String)]
    pub decision: &'static str,
    /// The gauges whose samples were admitted.
    pub admitted: Vec<String>,
    /// How many batches something was admitted of.
    pub batches: u64,
    /// What is still refused, in words, and stays in quarantine.
    pub still_refused: Vec<String>,
}

impl QuarantineView {
    /// An item as it is shown.
    pub fn of(row: &QuarantineRow) -> Self {
        Self {
            id: row.id,
            agent: row.agent.clone(),
            topic: row.topic.clone(),
            received_at: row.received_at,
            last_received_at: row.last_at,
            batches: row.batches,
            waiting: row.waiting,
            bytes: row.bytes,
            kind: match row.kind {
                Kept::Parked => "parked",
                Kept::Garbage => "garbage",
                Kept::None => "none",
            },
            state: row.state.word(),
            entry: row.entry,
            reason: row.reason.clone(),
            detail: row.detail.clone(),
            gauges: row.gauges.clone(),
            gauge_count: row.gauge_count,
            from: row.moments.map(|(from, _)| from),
            to: row.moments.map(|(_, to)| to),
            boot_id: row.boot,
            due_at: row.due,
            sha256: hex::encode(row.digest),
        }
    }
}

impl QuarantinePageView {
    /// A page as it is shown.
    pub fn of(page: &QuarantinePage) -> Self {
        Self {
            quarantine: page.rows.iter().map(QuarantineView::of).collect(),
            next: page.next.map(|next| next.to_string()),
        }
    }
}

impl DecisionView {
    /// The item is discarded.
    pub fn discarded(id: i64) -> Self {
        let (admitted, still_refused) = (Vec::new(), Vec::new());
        Self { id, decision: "discarded", admitted, batches: 0, still_refused }
    }

    /// What came of judging the item again; a problem where nothing was admitted.
    pub fn replayed(id: i64, replayed: Replayed) -> Result<Self, Problem> {
        match replayed {
            Replayed::Admitted { gauges, batches, still_refused } => {
                Ok(Self { id, decision: "replayed", admitted: gauges, batches, still_refused })
            }
            Replayed::StillRefused(reasons) => {
                Err(Problem::conflict(format!("it is refused as before: {}", reasons.join("; "))))
            }
            Replayed::NotHeld => Err(not_held(id)),
            Replayed::Unknown => Err(unknown(id)),
        }
    }
}

/// 409: somebody decided before, or the original has gone.
pub fn not_held(id: i64) -> Problem {
    Problem::conflict(format!(
        "item {id} of the quarantine is not held: it was replayed or discarded before, or its original has gone"
    ))
}

/// 404.
pub fn unknown(id: i64) -> Problem {
    Problem::not_found(format!("the quarantine has no item {id}"))
}
