//! The routes, and what answers them. `/v1/openapi.json` is made from what stands here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router, middleware};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder, ResponsesBuilder, response};
use utoipa::{IntoResponses, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{Body, CameraWish, MicWish, SayWish};
use super::problem::{ErrorBody, Problem};
use super::{Command, Control, State, Status, metrics};

/// How long the agent may take to tell its state, before it counts as stuck.
const ANSWER: Duration = Duration::from_secs(2);
/// How long it may take to do what it was told: a camera that opens slowly takes several seconds.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// How often clients of the event stream hear that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What the handlers share.
#[derive(Clone)]
pub(super) struct Api {
    pub control: Control,
    /// A permit for each event stream.
    pub listeners: Arc<Semaphore>,
    /// Ends the event streams.
    pub stop: CancellationToken,
}

/// The document, as text.
#[derive(Clone)]
struct Document(Bytes);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "roomcam control",
        description = "Ask a running roomcam for its state, and tell it what to do. On the Unix socket whoever may \
                       write to it is let in; on TCP a token may be asked for."
    ),
    components(schemas(ErrorBody))
)]
struct Description;

/// All routes.
pub(super) fn router(api: Api) -> Router {
    let (router, mut document) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(status))
        .routes(routes!(camera))
        .routes(routes!(mic))
        .routes(routes!(keyframe))
        .routes(routes!(leave))
        .routes(routes!(join))
        .routes(routes!(say))
        .routes(routes!(reload))
        .routes(routes!(snapshot))
        .routes(routes!(events))
        .routes(routes!(scrape))
        .routes(routes!(healthz))
        .routes(routes!(openapi))
        .split_for_parts();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let text = document.to_json().unwrap_or_default();
    router
        .with_state(api)
        .layer(Extension(Document(text.into())))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::map_response(harden))
}

/// Describes answers that are errors, by their status.
fn errors<const N: usize>(described: [(&str, &str); N]) -> BTreeMap<String, RefOr<response::Response>> {
    let mut responses = ResponsesBuilder::new();
    for (status, description) in described {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
        let response = ResponseBuilder::new().description(description).content("application/json", content);
        responses = responses.response(status, response);
    }
    responses.build().into()
}

/// What can go wrong with every request.
struct CommonErrors;

impl IntoResponses for CommonErrors {
    fn responses() -> BTreeMap<String, RefOr<response::Response>> {
        errors([
            ("401", "TCP only: the token is missing or wrong"),
            ("403", "TCP only: a web page of another site may not ask"),
            ("503", "The agent is ending or does not answer, or too many clients are connected"),
        ])
    }
}

/// What can go wrong with a command.
struct CommandErrors;

impl IntoResponses for CommandErrors {
    fn responses() -> BTreeMap<String, RefOr<response::Response>> {
        errors([
            ("409", "It does not go with the present state or the configuration"),
            ("500", "It was tried and failed"),
        ])
    }
}

/// What can go wrong with a body.
struct BodyErrors;

impl IntoResponses for BodyErrors {
    fn responses() -> BTreeMap<String, RefOr<response::Response>> {
        errors([
            ("400", "The body is no JSON, or not the expected one"),
            ("408", "The body did not arrive in time"),
            ("413", "The body is too long"),
            ("415", "The body is not said to be JSON"),
        ])
    }
}

/// Everything: what is wanted and what is, the meeting, the lamps, the media, the last faults
#[utoipa::path(get, path = "/v1/status", responses((status = 200, body = Status), CommonErrors))]
async fn status(Shared(api): Shared<Api>) -> Result<Json<Status>, Problem> {
    api.status().await.map(Json)
}

/// Turn the camera on or off; answers when the lamps have followed
#[utoipa::path(
    put, path = "/v1/camera", request_body = CameraWish,
    responses((status = 200, body = Status), BodyErrors, CommandErrors, CommonErrors)
)]
async fn camera(
    Shared(api): Shared<Api>,
    Body(CameraWish { on }): Body<CameraWish>,
) -> Result<Json<Status>, Problem> {
    api.command(Command::Camera { on }).await
}

/// Mute the microphone or make it live; answers when the lamps have followed
#[utoipa::path(
    put, path = "/v1/mic", request_body = MicWish,
    responses((status = 200, body = Status), BodyErrors, CommandErrors, CommonErrors)
)]
async fn mic(
    Shared(api): Shared<Api>,
    Body(MicWish { muted }): Body<MicWish>,
) -> Result<Json<Status>, Problem> {
    api.command(Command::Mic { muted }).await
}

/// Make the camera's next picture a key frame
#[utoipa::path(
    post, path = "/v1/keyframe",
    responses(
        (status = 200, body = Status),
        (status = 409, description = "There is no camera, or it is off", body = ErrorBody),
        (status = 500, description = "It was tried and failed", body = ErrorBody),
        CommonErrors
    )
)]
async fn keyframe(Shared(api): Shared<Api>) -> Result<Json<Status>, Problem> {
    api.command(Command::KeyFrame).await
}

/// Leave the meeting, and stay out of it
#[utoipa::path(
    post, path = "/v1/leave",
    responses((status = 200, body = Status), CommandErrors, CommonErrors)
)]
async fn leave(Shared(api): Shared<Api>) -> Result<Json<Status>, Problem> {
    api.command(Command::Leave).await
}

/// Come back into the meeting
#[utoipa::path(
    post, path = "/v1/join",
    responses((status = 200, body = Status), CommandErrors, CommonErrors)
)]
async fn join(Shared(api): Shared<Api>) -> Result<Json<Status>, Problem> {
    api.command(Command::Join).await
}

/// Write a line for everybody in a meeting over WebRTC to read
#[utoipa::path(
    post, path = "/v1/say", request_body = SayWish,
    responses((status = 200, body = Status), BodyErrors, CommandErrors, CommonErrors)
)]
async fn say(
    Shared(api): Shared<Api>,
    Body(SayWish { text }): Body<SayWish>,
) -> Result<Json<Status>, Problem> {
    api.command(Command::Say { text: text.0 }).await
}

/// Read the configuration again, and restart what changed
#[utoipa::path(
    post, path = "/v1/reload",
    responses(
        (status = 200, body = Status),
        (status = 422, description = "The configuration is refused; the old one holds", body = ErrorBody),
        CommandErrors,
        CommonErrors
    )
)]
async fn reload(Shared(api): Shared<Api>) -> Result<Json<Status>, Problem> {
    api.command(Command::Reload).await
}

/// What the camera sees, while it is on
#[utoipa::path(
    get, path = "/v1/snapshot.jpg",
    responses(
        (status = 200, content_type = "image/jpeg", body = Vec<u8>),
        (status = 409, description = "There is no camera, or it is off", body = ErrorBody),
        (status = 500, description = "It was tried and failed", body = ErrorBody),
        CommonErrors
    )
)]
async fn snapshot(Shared(api): Shared<Api>) -> Result<Response, Problem> {
    let picture =
        timeout(COMMAND_TIMEOUT, api.control.snapshot()).await.map_err(|_| Problem::silent())???;
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], picture).into_response())
}

/// Server-sent events: one `state` event with the state as it is, then one for each change
///
/// Who reads slowly gets the latest state and misses some in between.
#[utoipa::path(
    get, path = "/v1/events",
    responses((status = 200, content_type = "text/event-stream", body = State), CommonErrors)
)]
async fn events(
    Shared(api): Shared<Api>,
) -> Result<Sse<impl Stream<Item = Result<Event, axum::Error>>>, Problem> {
    let seat = api.listeners.try_acquire_owned().map_err(|_| Problem::busy("event streams"))?;
    let mut state = api.control.watch()?;
    state.mark_changed();
    let changes = stream::unfold((state, seat), async |(mut state, seat)| {
        state.changed().await.ok()?;
        let event = Event::default().event("state").json_data(&*state.borrow_and_update());
        Some((event, (state, seat)))
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("still here");
    Ok(Sse::new(changes.take_until(api.stop.cancelled_owned())).keep_alive(keep_alive))
}

/// For Prometheus, in its text format
#[utoipa::path(
    get, path = "/metrics",
    responses((status = 200, content_type = "text/plain", body = String), CommonErrors)
)]
async fn scrape(Shared(api): Shared<Api>) -> Result<Response, Problem> {
    let text = metrics::render(&api.status().await?)
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("no metrics: {error}")))?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

/// Whether the agent answers
#[utoipa::path(
    get, path = "/healthz",
    responses((status = 200, content_type = "text/plain", body = String), CommonErrors)
)]
async fn healthz(Shared(api): Shared<Api>) -> Result<&'static str, Problem> {
    api.status().await.map(|_| "ok\n")
}

/// This document
#[utoipa::path(
    get, path = "/v1/openapi.json",
    responses((status = 200, content_type = "application/json", body = serde_json::Value), CommonErrors)
)]
async fn openapi(Extension(Document(text)): Extension<Document>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

impl Api {
    async fn status(&self) -> Result<Status, Problem> {
        Ok(timeout(ANSWER, self.control.status()).await.map_err(|_| Problem::silent())??)
    }

    async fn command(&self, command: Command) -> Result<Json<Status>, Problem> {
        Ok(Json(
            timeout(COMMAND_TIMEOUT, self.control.command(command))
                .await
                .map_err(|_| Problem::silent())???,
        ))
    }
}

async fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "there is nothing at this path; GET /v1/openapi.json lists what there is",
    )
}

async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not know this method; the Allow header names those that it knows",
    )
}

/// States are never cached, and never taken for anything else than they are.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
