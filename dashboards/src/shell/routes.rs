//! Every route with its rule: there is no way to add one without the other.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::{
    OpenApi,
    openapi::{
        Content, Info, License, OpenApi as Description, OpenApiBuilder, Ref, RefOr, Required,
        ResponseBuilder,
        path::Operation,
        security::{
            ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
        },
    },
};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter},
    routes,
};

use super::{
    auth,
    bodies::{self, Bodies},
    calls, hooks, limits, pages,
    parts::Parts,
    site,
};
use crate::{
    access::{Role, Rule},
    asset::PAGES,
    problem::{Fault, MEDIA_TYPE, Problem, in_words},
};

/// Where the description of the API stands.
pub const OPENAPI_PATH: &str = "/api/v1/openapi.json";

/// One route of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRow {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// With parameters in braces.
    pub path: String,
    /// What it asks for.
    pub rule: Rule,
}

/// The routes while they are gathered.
struct Table {
    router: OpenApiRouter<Arc<Parts>>,
    rows: Vec<RouteRow>,
    parts: Arc<Parts>,
    slots: limits::Slots,
}

impl Table {
    fn add(
        mut self,
        rule: Rule,
        (schemas, mut paths, method): UtoipaMethodRouter<Arc<Parts>>,
    ) -> Self {
        for (path, item) in &mut paths.paths {
            for (method, operation) in
                [("GET", &mut item.get), ("POST", &mut item.post), ("DELETE", &mut item.delete)]
            {
                let Some(operation) = operation else { continue };
                describe(operation, rule);
                self.rows.push(RouteRow { method, path: path.clone(), rule });
            }
        }
        let guarded = match rule {
            // whoever asks is bounded by the call itself
            Rule::Public => method,
            Rule::AtLeast(_) | Rule::Unchanged(_) => {
                let guard = auth::Guard { rule, parts: Arc::clone(&self.parts) };
                let slots = || self.slots.clone();
                method
                    .route_layer(middleware::from_fn_with_state(slots(), limits::few_at_once))
                    .route_layer(middleware::from_fn_with_state(slots(), limits::in_turn))
                    .route_layer(middleware::from_fn_with_state(guard, auth::guard))
            }
        };
        Self { router: self.router.routes((schemas, paths, guarded)), ..self }
    }
}

fn table(parts: &Arc<Parts>) -> Table {
    let empty = OpenApiRouter::with_openapi(description());
    let slots = limits::Slots::of_api(parts.metrics.clone());
    let table = Table { router: empty, rows: Vec::new(), parts: Arc::clone(parts), slots };
    of_alarms(of_water(of_people(table)))
}

/// Who comes, is there, and goes.
fn of_people(table: Table) -> Table {
    table
        .add(Rule::Public, routes!(calls::session::begin))
        .add(Rule::Public, routes!(calls::session::open_screen))
        .add(Rule::Unchanged(Role::Wall), routes!(calls::session::one))
        .add(Rule::Unchanged(Role::Viewer), routes!(calls::session::end))
        .add(Rule::Unchanged(Role::Viewer), routes!(calls::session::change_password))
}

/// What is known of stations, and of what came of them.
fn of_water(table: Table) -> Table {
    let viewer = Rule::AtLeast(Role::Viewer);
    table
        .add(Rule::AtLeast(Role::Wall), routes!(calls::registry::one))
        .add(Rule::AtLeast(Role::Wall), routes!(calls::stations::list))
        .add(viewer, routes!(calls::stations::one))
        .add(viewer, routes!(calls::series::one))
        .add(viewer, routes!(calls::verdicts::list))
        .add(viewer, routes!(calls::compliance::count))
        .add(viewer, routes!(calls::samples::list))
        .add(calls::live::RULE, routes!(calls::live::watch))
}

/// What needs a hand.
fn of_alarms(table: Table) -> Table {
    let viewer = Rule::AtLeast(Role::Viewer);
    let duty = Rule::AtLeast(Role::Duty);
    let admin = Rule::AtLeast(Role::Admin);
    table
        .add(viewer, routes!(calls::alarms::list))
        .add(viewer, routes!(calls::alarms::one))
        .add(duty, routes!(calls::alarms::acknowledge))
        .add(duty, routes!(calls::alarms::notifications))
        .add(viewer, routes!(calls::agents::list))
        .add(viewer, routes!(calls::quarantine::list))
        .add(admin, routes!(calls::quarantine::replay))
        .add(admin, routes!(calls::quarantine::discard))
}

/// Every route with its rule, the description of the API too.
pub fn rows(parts: &Arc<Parts>) -> Vec<RouteRow> {
    let mut rows = table(parts).rows;
    rows.push(RouteRow { method: "GET", path: OPENAPI_PATH.to_owned(), rule: Rule::Public });
    rows
}

/// The description of the API, made from the calls themselves.
pub fn openapi(parts: &Arc<Parts>) -> Description {
    table(parts).router.into_openapi()
}

/// The whole API within its bounds: every answer of it, errors too, is JSON; and what is reached by
/// address alone.
pub fn router(parts: &Arc<Parts>) -> Router {
    let (calls, openapi) = table(parts).router.split_for_parts();
    let files = limits::Slots::of_files(parts.metrics.clone());
    calls
        .layer(middleware::from_fn_with_state(Bodies::default(), bodies::read_first))
        .merge(hooks_of_gateways(parts))
        .merge(pages_behind_links(parts))
        .merge(pages_that_browsers_draw(files.clone()))
        .merge(what_is_described(&openapi, files))
        .fallback(site::nothing)
        .method_not_allowed_fallback(no_method)
        .with_state(Arc::clone(parts))
        .layer(middleware::from_fn(limits::in_time))
        .layer(CatchPanicLayer::custom(limits::after_panic))
        .layer(middleware::from_fn_with_state(parts.metrics.clone(), limits::in_our_words))
}

/// What asks for no token, since whoever knows the address may do what stands behind it. It is no
/// part of the API, and neither waits for it nor keeps it waiting.
fn hooks_of_gateways(parts: &Arc<Parts>) -> Router<Arc<Parts>> {
    let slots = limits::Slots::of_hooks(parts.metrics.clone());
    Router::new()
        .route(hooks::PATH, get(hooks::kannel))
        .layer(middleware::from_fn_with_state(slots, limits::in_turn))
}

/// The same for people, who hold no place: what they ask for is charged once it is looked up.
fn pages_behind_links(parts: &Arc<Parts>) -> Router<Arc<Parts>> {
    let page = get(pages::show).post(pages::acknowledge).fallback(pages::no_method);
    let mut router = Router::new().route(pages::PATH, page.clone()).route(pages::CAPITAL, page);
    for path in pages::BELOW {
        router = router.route(path, any(pages::nothing));
    }
    router.layer(middleware::from_fn_with_state(Arc::clone(parts), pages::read_first))
}

/// What everybody may load, for it tells nothing of the water: what a page shows it asks the API
/// for.
fn pages_that_browsers_draw(slots: limits::Slots) -> Router<Arc<Parts>> {
    let mut router = Router::new().route(site::FILES, get(site::file));
    for path in PAGES {
        router = router.route(path, get(site::page));
    }
    router
        .layer(middleware::from_fn_with_state(slots, limits::in_turn))
        .layer(middleware::from_fn(site::guard))
}

/// The description of the API, which everybody may load, too: so it stands among the files, where it
/// keeps nobody from the API, and in memory once.
fn what_is_described(openapi: &Description, slots: limits::Slots) -> Router<Arc<Parts>> {
    // of strings, numbers and lists alone, so it is never nothing
    let bytes = Bytes::from(serde_json::to_vec(openapi).unwrap_or_default());
    let json = HeaderValue::from_static("application/json");
    let answer = move || std::future::ready(([(header::CONTENT_TYPE, json)], bytes));
    Router::new()
        .route(OPENAPI_PATH, get(answer))
        .layer(middleware::from_fn_with_state(slots, limits::in_turn))
}

async fn no_method() -> Response {
    StatusCode::METHOD_NOT_ALLOWED.into_response()
}

/// What every description begins with.
fn description() -> Description {
    let mut info = Info::new("Baseflow", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Values are exact: read them as decimal numbers, not as binary fractions. \
         Times are RFC 3339, taken with any offset and given in UTC. \
         A list has at most `limit` items, fewer where they are long, and `next`, which is the \
         `cursor` of the page after it and null at the end. \
         Every error is `application/problem+json`; 400, 408, 413, 429 and 503 may answer any call."
            .to_owned(),
    );
    info.license = Some(License::new("MIT OR Apache-2.0"));
    let mut components = Shared::openapi().components.unwrap_or_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("token", bearer);
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description(
        "baseflow",
        "What POST /session sets; `__Host-baseflow` where the server is reached over TLS.",
    ));
    components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// Says in the description of a call what its rule asks for, and how it refuses.
fn describe(operation: &mut Operation, rule: Rule) {
    // A body may be left out wherever there is one; what a call describes cannot say so.
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        body.required = Some(Required::False);
    }
    let words = in_words(rule);
    let said = operation.description.take().unwrap_or_default();
    operation.description = Some(format!("{said}\n\n{words}").trim().to_owned());
    if rule == Rule::Public {
        return;
    }
    let by = |scheme| SecurityRequirement::new(scheme, Vec::<String>::new());
    operation.security = Some(vec![by("token"), by("session")]);
    for (status, words) in [
        ("400", "A parameter or the body cannot be read."),
        ("401", "No token and no session, or one that is unknown, revoked or over."),
        (
            "403",
            "The role is too low, x-csrf-token is missing beside a session, or the password has to be changed first.",
        ),
        (
            "429",
            "As many calls of this user, token or screen are at work as one may have; Retry-After says when to try again.",
        ),
        ("503", "The store is busy, or as many calls are at work as may be; try again later."),
    ] {
        let response = ResponseBuilder::new().description(words);
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(response.build()));
    }
    for (status, response) in &mut operation.responses.responses {
        if let (RefOr::T(response), true) = (response, status.as_str() >= "4") {
            let content = Content::new(Some(Ref::from_schema_name("Problem")));
            response.content.insert(MEDIA_TYPE.to_owned(), RefOr::T(content));
        }
    }
}

/// What answers of every call refer to.
#[derive(OpenApi)]
#[openapi(components(schemas(Problem, Fault)))]
struct Shared;
