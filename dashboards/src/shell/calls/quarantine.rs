//! `GET /quarantine`, and the decisions about its items.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Query, State},
};
use model::{fault::Chain, port::Asker};
use store::GivenUp;
use tokio::sync::oneshot;
use tracing::error;

use crate::{
    access::{Caller, LetInBy},
    problem::Problem,
    query::quarantine::{QuarantineParameters, quarantine_id},
    shell::{
        answer::{Json, store_problem},
        nothing::Nothing,
        parts::Parts,
    },
    view::quarantine::{DecisionView, QuarantinePageView, not_held, unknown},
};

/// What was refused, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/quarantine",
    operation_id = "list_quarantine",
    tag = "quarantine",
    params(QuarantineParameters),
    responses((status = 200, description = "A page of the quarantine.", body = QuarantinePageView)),
)]
pub(crate) async fn list(
    State(parts): State<Arc<Parts>>,
    Query(parameters): Query<QuarantineParameters>,
) -> Result<Json<QuarantinePageView>, Problem> {
    let query = parameters.page()?;
    let page = parts.samples.read(move |reader| reader.quarantine(&query)).await;
    let page = page.map_err(|failure| store_problem(&failure))?;
    Ok(Json(QuarantinePageView::of(&page)))
}

/// Judges an item again by the registry in force, and admits what that now allows.
#[utoipa::path(
    post,
    path = "/api/v1/quarantine/{id}/replay",
    operation_id = "replay_quarantined",
    tag = "quarantine",
    params(("id" = i64, Path, description = "The item's number.", example = 7)),
    responses(
        (status = 200, description = "At least a part of it is admitted.", body = DecisionView),
        (status = 404, description = "There is no such item."),
        (status = 409, description = "It is refused as before, or not held any more."),
        (status = 503, description = "The store is busy, or this server runs without ingest."),
    ),
)]
pub(crate) async fn replay(
    State(parts): State<Arc<Parts>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    _nothing: Nothing,
) -> Result<Json<DecisionView>, Problem> {
    let id = quarantine_id(&id)?;
    let Some(replay) = &parts.replay else {
        return Err(Problem::unavailable(
            "this server runs without ingest, which alone can judge; ask one whose [roles] ingest is true",
        ));
    };
    let by = match caller.let_in_by {
        LetInBy::Token | LetInBy::Screen => Asker::Token(caller.name),
        LetInBy::Session => Asker::User(caller.name),
    };
    let replayed = replay.replay(id, by).await.map_err(|failure| {
        error!(error = %Chain(&failure), "cannot judge a quarantined item again");
        Problem::unavailable("the item could not be judged again; the server's log has the cause")
    })?;
    DecisionView::replayed(id, replayed).map(Json)
}

/// Sets an item aside for good; its readings are never admitted.
#[utoipa::path(
    post,
    path = "/api/v1/quarantine/{id}/discard",
    operation_id = "discard_quarantined",
    tag = "quarantine",
    params(("id" = i64, Path, description = "The item's number.", example = 7)),
    responses(
        (status = 200, description = "It is discarded.", body = DecisionView),
        (status = 404, description = "There is no such item."),
        (status = 409, description = "It is not held any more."),
    ),
)]
pub(crate) async fn discard(
    State(parts): State<Arc<Parts>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    _nothing: Nothing,
) -> Result<Json<DecisionView>, Problem> {
    let id = quarantine_id(&id)?;
    let by = caller.by();
    let (tell, told) = oneshot::channel();
    let at = parts.clock.now();
    let (task, stage) = (Arc::clone(&parts), &parts.stage);
    stage.spawn("discard", async move {
        let stores = (&task.samples, &task.journal);
        // Who asked may have gone; what the journal has said comes about all the same.
        drop(tell.send(store::give_up(stores, &task.decided, id, by, at).await));
    });
    let given_up = told.await.map_err(|_gone| Problem::unavailable("the server is stopping"))?;
    match given_up.map_err(|failure| store_problem(&failure))? {
        GivenUp::Done => Ok(Json(DecisionView::discarded(id))),
        GivenUp::NotHeld => Err(not_held(id)),
        GivenUp::Unknown => Err(unknown(id)),
    }
}
