//! `GET /hooks/kannel/{channel}/{secret}`: where gateways deliver receipts.
//!
//! The secret in the address stands for a token, which a gateway cannot send. An answer is quick
//! and its body empty: Kannel takes a text in it for one to send to the telephone. What it would not
//! repeat is answered with 200 only once it is kept.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{
    fault::Chain,
    hook::HookSecret,
    ids::{ChannelId, NotificationId},
    port::{AlertingError, Receipt, ReceiptTaken, Receipts},
};
use tracing::warn;

use super::{parts::Parts, stopwatch::Stopwatch};
use crate::{
    problem::Problem,
    receipt::{self, Said},
    visitor::{Budget, LOOKUPS, RECEIPTS, STRAYS},
};

/// Where the receipts of a channel are delivered.
pub(crate) const PATH: &str = "/hooks/kannel/{channel}/{secret}";

/// The hooks of this server.
#[derive(Debug)]
pub struct Hooks {
    secrets: BTreeMap<ChannelId, HookSecret>,
    receipts: Option<Arc<dyn Receipts>>,
    /// Each channel's: a gateway that floods us costs the others nothing.
    budgets: Mutex<BTreeMap<ChannelId, Budgets>>,
    since: Stopwatch,
}

/// What one channel may ask for.
#[derive(Debug, Clone, Copy)]
struct Budgets {
    lookups: Budget,
    receipts: Budget,
    /// Of their own: what a gateway says of another system's messages keeps out nothing of ours.
    strays: Budget,
}

const WHOLE: Budgets = Budgets { lookups: LOOKUPS, receipts: RECEIPTS, strays: STRAYS };

impl Hooks {
    /// One for each channel that gets receipts; `receipts` takes them, `None` in a server without
    /// alerting.
    pub fn new(
        secrets: BTreeMap<ChannelId, HookSecret>,
        receipts: Option<Arc<dyn Receipts>>,
    ) -> Self {
        let budgets = secrets.keys().map(|name| (name.clone(), WHOLE)).collect();
        Self { secrets, receipts, budgets: Mutex::new(budgets), since: Stopwatch::start() }
    }

    /// The channel whose hook this is.
    fn channel(&self, named: &str, said: &str) -> Option<&ChannelId> {
        let (channel, secret) = self.secrets.get_key_value(named)?;
        secret.is(said).then_some(channel)
    }

    fn has_room(&self, channel: &ChannelId, of: fn(&mut Budgets) -> &mut Budget) -> bool {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.get_mut(channel).is_some_and(|budgets| of(budgets).take(self.since.ms()))
    }
}

/// What became of a receipt, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Noted,
    /// Of a message that nobody knows.
    Unknown,
    /// It says that a message is on its way.
    Underway,
    /// Unreadable, or beyond what is taken.
    Refused,
    /// It could not be kept.
    Failed,
}

impl Outcome {
    /// Every outcome.
    pub(crate) const ALL: [Self; 5] =
        [Self::Noted, Self::Unknown, Self::Underway, Self::Refused, Self::Failed];

    /// Its word in metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Noted => "noted",
            Self::Unknown => "unknown",
            Self::Underway => "underway",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Takes one receipt. HEAD is refused: a GET is no question here.
pub(crate) async fn kannel(
    State(parts): State<Arc<Parts>>,
    method: Method,
    Path((named, secret)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    if method != Method::GET {
        let allow = HeaderValue::from_static("GET");
        return ([(header::ALLOW, allow)], Problem::of_status(405, "")).into_response();
    }
    let hooks = &parts.hooks;
    let Some(channel) = hooks.channel(&named, &secret) else {
        return Problem::of_status(404, "").into_response();
    };
    let (outcome, response) = take(hooks, channel, query.as_deref()).await;
    parts.metrics.note_receipt(outcome);
    response
}

async fn take(hooks: &Hooks, channel: &ChannelId, query: Option<&str>) -> (Outcome, Response) {
    if !hooks.has_room(channel, |budgets| &mut budgets.lookups) {
        return too_many();
    }
    let Said { id, is_delivered } = match receipt::kannel(query) {
        Ok(said) => said,
        Err(problem) => {
            let problem = Problem::of_status(400, &problem.to_string());
            return (Outcome::Refused, problem.into_response());
        }
    };
    let Some(is_delivered) = is_delivered else {
        return (Outcome::Underway, StatusCode::OK.into_response());
    };
    let Some(receipts) = &hooks.receipts else {
        let problem = Problem::unavailable("this server runs without alerting");
        return (Outcome::Failed, problem.into_response());
    };
    let receipt = Receipt { channel: channel.clone(), id, is_delivered };
    let is_known = match receipts.knows(&receipt).await {
        Ok(is_known) => is_known,
        Err(failure) => return failed(channel, id, &failure),
    };
    if !is_known {
        let has_room = hooks.has_room(channel, |budgets| &mut budgets.strays);
        return if has_room {
            (Outcome::Unknown, StatusCode::OK.into_response())
        } else {
            too_many()
        };
    }
    if !hooks.has_room(channel, |budgets| &mut budgets.receipts) {
        return too_many();
    }
    match receipts.take(receipt).await {
        Ok(ReceiptTaken::Noted) => (Outcome::Noted, StatusCode::OK.into_response()),
        Ok(ReceiptTaken::Unknown) => (Outcome::Unknown, StatusCode::OK.into_response()),
        Err(failure) => failed(channel, id, &failure),
    }
}

fn too_many() -> (Outcome, Response) {
    let problem = Problem::of_status(429, "more receipts than are taken; try again");
    (Outcome::Refused, problem.into_response())
}

fn failed(channel: &ChannelId, id: NotificationId, failure: &AlertingError) -> (Outcome, Response) {
    warn!(channel = %channel, notification = %id, error = %Chain(failure), "receipt cannot be kept");
    let problem = Problem::unavailable("the receipt cannot be kept now; send it again");
    (Outcome::Failed, problem.into_response())
}
