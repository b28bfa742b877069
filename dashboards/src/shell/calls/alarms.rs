//! `GET /alarms`, `/alarms/{id}`, `POST /alarms/{id}/acknowledge` and `GET /notifications`.

use std::sync::Arc;

use axum::{
    Extension,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use model::{fault::Chain, ids::AlarmId};
use store::{Acknowledge, AlarmFacts, Asked, ConditionRow};
use tracing::warn;

use crate::{
    access::Caller,
    problem::Problem,
    query::alarms::{Acknowledgement, AlarmsParameters, NotificationsParameters, alarm_id},
    shell::{
        answer::{Json, store_problem},
        parts::Parts,
    },
    view::alarm::{AlarmTimelineView, AlarmsView, NotificationsView, UnreadableAlarm},
};

/// Alarms, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/alarms",
    operation_id = "list_alarms",
    tag = "alarms",
    params(AlarmsParameters),
    responses((status = 200, description = "A page of alarms.", body = AlarmsView)),
)]
pub(crate) async fn list(
    State(parts): State<Arc<Parts>>,
    Query(parameters): Query<AlarmsParameters>,
) -> Result<Json<AlarmsView>, Problem> {
    let query = parameters.page()?;
    let page = parts.journal.read(move |reader| reader.alarms(&query)).await;
    let page = page.map_err(|failure| store_problem(&failure))?;
    AlarmsView::of(&page, parts.clock.now()).map(Json).map_err(|failure| unreadable(&failure))
}

/// One alarm, with all that happened to it.
#[utoipa::path(
    get,
    path = "/api/v1/alarms/{id}",
    operation_id = "get_alarm",
    tag = "alarms",
    params(("id" = String, Path, description = "The alarm's id.", example = "1fdd2eb4eab75feabebb49300c04ad90")),
    responses(
        (status = 200, description = "The alarm.", body = AlarmTimelineView),
        (status = 404, description = "There is no such alarm; one that ended before it was raised is not kept."),
    ),
)]
pub(crate) async fn one(
    State(parts): State<Arc<Parts>>,
    Path(id): Path<String>,
) -> Result<Json<AlarmTimelineView>, Problem> {
    let id = alarm_id(&id)?;
    shown(&parts, id).await
}

/// Takes an alarm on, so that nobody else is told of it. The first one who does so counts; the
/// same caller may say it again.
#[utoipa::path(
    post,
    path = "/api/v1/alarms/{id}/acknowledge",
    operation_id = "acknowledge_alarm",
    tag = "alarms",
    params(("id" = String, Path, description = "The alarm's id.", example = "1fdd2eb4eab75feabebb49300c04ad90")),
    request_body(content = Acknowledgement, description = "May be left out."),
    responses(
        (status = 200, description = "The caller has it.", body = AlarmTimelineView),
        (status = 202, description = "It is journalled, and alerting, which applies it, has not come to it yet.", body = AlarmTimelineView),
        (status = 404, description = "There is no such alarm."),
        (status = 409, description = "Another was first, or it is no longer what was seen."),
    ),
)]
pub(crate) async fn acknowledge(
    State(parts): State<Arc<Parts>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let id = alarm_id(&id)?;
    let asked = Acknowledgement::read(&body)?;
    let seen = match asked.version {
        Some(version) => version,
        None => known(&parts, id).await?.0.row.version,
    };
    let ask = Acknowledge { at: parts.clock.now(), by: caller.by(), alarm: id, seen };
    match store::take_on(&parts.journal, ask).await.map_err(|failure| store_problem(&failure))? {
        Asked::Done => Ok(shown(&parts, id).await?.into_response()),
        Asked::Entry(_) => Ok((StatusCode::ACCEPTED, shown(&parts, id).await?).into_response()),
        Asked::Unknown => Err(unknown(id)),
        Asked::NotRaised => Err(Problem::conflict("the alarm is not raised yet")),
        Asked::Over => Err(Problem::conflict("the alarm is over")),
        Asked::Changed { version } => Err(changed(version)),
        Asked::Elsewhere { by, at } => Err(Problem::conflict(format!("{by} took it on at {at}"))),
    }
}

/// Messages about alarms, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/notifications",
    operation_id = "list_notifications",
    tag = "alarms",
    params(NotificationsParameters),
    responses((status = 200, description = "A page of messages.", body = NotificationsView)),
)]
pub(crate) async fn notifications(
    State(parts): State<Arc<Parts>>,
    Query(parameters): Query<NotificationsParameters>,
) -> Result<Json<NotificationsView>, Problem> {
    let query = parameters.page()?;
    let page = parts.journal.read(move |reader| reader.notifications(&query)).await;
    let page = page.map_err(|failure| store_problem(&failure))?;
    Ok(Json(NotificationsView::of(&page, &parts.registry())))
}

/// An alarm, and the condition that it stands on while that is watched.
async fn known(parts: &Parts, id: AlarmId) -> Result<(AlarmFacts, Option<ConditionRow>), Problem> {
    let found = parts.journal.read(move |reader| {
        let Some(facts) = reader.alarm(id)? else { return Ok(None) };
        let condition = reader.condition(&facts.row.rule, &facts.row.subject)?;
        Ok(Some((facts, condition)))
    });
    found.await.map_err(|failure| store_problem(&failure))?.ok_or_else(|| unknown(id))
}

async fn shown(parts: &Parts, id: AlarmId) -> Result<Json<AlarmTimelineView>, Problem> {
    let (facts, condition) = known(parts, id).await?;
    AlarmTimelineView::of(&facts, condition.as_ref(), parts.clock.now())
        .map(Json)
        .map_err(|failure| unreadable(&failure))
}

fn unknown(id: AlarmId) -> Problem {
    Problem::not_found(format!("there is no alarm `{id}`"))
}

fn changed(version: u32) -> Problem {
    Problem::conflict(format!("the alarm has version {version} by now; look at it again"))
}

fn unreadable(failure: &UnreadableAlarm) -> Problem {
    warn!(error = %Chain(failure), "cannot read an alarm");
    Problem::of_status(500, "a stored alarm cannot be read; run baseflow verify")
}
