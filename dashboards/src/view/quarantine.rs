//! What was refused, and what was decided about it, as the API shows it.

use model::{ids::AgentId, port::Replayed, time::Timestamp, wire::refused_v1::Kept};
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
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// How large the payload is.
    pub bytes: u64,
    /// `parked`: only the registry refuses it, and `replay` may admit it; `garbage`: it is kept for
    /// looking at, the oldest going first.
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// `held`, `replayed` or `discarded`.
    #[schema(value_type = String)]
    pub state: &'static str,
    /// The word of the reason.
    #[schema(example = "unknown_station")]
    pub reason: String,
    /// The reason in words, with what to do.
    pub detail: String,
    /// The gauges that are set aside, where the rest of the batch was admitted.
    pub gauges: Vec<String>,
    /// SHA-256 of the payload as received.
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
            bytes: row.bytes,
            kind: match row.kind {
                Kept::Parked => "parked",
                Kept::Garbage => "garbage",
                Kept::None => "none",
            },
            state: row.state.word(),
            reason: row.reason.clone(),
            detail: row.detail.clone(),
            gauges: row.gauges.clone(),
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
    pub const fn discarded(id: i64) -> Self {
        Self { id, decision: "discarded", admitted: Vec::new(), still_refused: Vec::new() }
    }

    /// What came of judging the item again; a problem where nothing was admitted.
    pub fn replayed(id: i64, replayed: Replayed) -> Result<Self, Problem> {
        match replayed {
            Replayed::Admitted { gauges, still_refused } => {
                Ok(Self { id, decision: "replayed", admitted: gauges, still_refused })
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
