//! What the relay answers over HTTP, and to whom.

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Json, Router};
use serde::Deserialize;

use super::client_log::Topic;
use super::health::Status;
use super::hub::Hub;
use super::polling;
use super::refusal::{Code, HttpRefusal};
use super::site;
use super::websocket::{self, Purpose};
use crate::http::{ConnectionInfo, origin};

/// Where Socket.IO lives.
const SOCKET_IO_PATH: &str = "/socket.io/";
/// Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All routes.
pub(super) fn all(hub: Arc<Hub>) -> Router {
    let socket_io = Router::new()
        .route(SOCKET_IO_PATH, any(socket_io))
        .route(SOCKET_IO_PATH.trim_end_matches('/'), any(self::socket_io))
        .with_state(hub.clone())
        .layer(middleware::from_fn_with_state(hub.clone(), check_origin));
    site::routes()
        .route("/healthz", get(health).with_state(hub.clone()))
        .route("/metrics", get(metrics).with_state(hub.clone()))
        .route("/livez", get(async || "ok\n"))
        .merge(socket_io)
        .fallback(async || (StatusCode::NOT_FOUND, "there is nothing here; the page to watch is at /\n"))
        .layer(middleware::from_fn_with_state(hub, check_host))
}

/// For load balancers: whether to send participants here, and how it is.
async fn health(State(hub): State<Arc<Hub>>) -> impl IntoResponse {
    let health = hub.health();
    let status = match health.status {
        Status::Ok => StatusCode::OK,
        Status::Draining => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(health))
}

/// For Prometheus: the same in numbers.
async fn metrics(State(hub): State<Arc<Hub>>) -> Response {
    match hub.health().metrics() {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// The query of a request to Socket.IO.
#[derive(Deserialize)]
struct EngineQuery {
    #[serde(rename = "EIO")]
    version: Option<String>,
    transport: Option<String>,
    sid: Option<String>,
}

async fn socket_io(
    State(hub): State<Arc<Hub>>,
    Extension(connection): Extension<ConnectionInfo>,
    Query(EngineQuery { version, transport, sid }): Query<EngineQuery>,
    request: Request,
) -> Result<Response, HttpRefusal> {
    if version.as_deref() != Some("4") {
        return Err(HttpRefusal::bad(
            "this relay speaks version 4 of Engine.IO: EIO=4, as socket.io 3 and 4 do",
        ));
    }
    let session = match &sid {
        Some(sid) => Some(hub.sessions.get(sid).ok_or_else(polling::unknown)?),
        None if hub.is_draining() => return Err(HttpRefusal::draining()),
        None => None,
    };
    match (transport.as_deref(), request.method(), session) {
        (Some("websocket"), &Method::GET, None) => {
            let permits = hub.sessions.permit(connection.client)?;
            websocket::accept(&hub, request, Purpose::Open(permits))
        }
        (Some("websocket"), &Method::GET, Some(session)) if session.polls_since_connection().is_some() => {
            websocket::accept(&hub, request, Purpose::Upgrade(session))
        }
        (Some("polling"), &Method::GET, None) => {
            Ok(polling::open(&hub, hub.sessions.polling_permit(connection.id, connection.client)?))
        }
        (Some("polling"), &Method::GET, Some(session)) => polling::poll(&hub, &session).await,
        (Some("polling"), &Method::POST, Some(session)) => polling::post(&hub, &session, request).await,
        (Some("websocket" | "polling"), ..) => Err(HttpRefusal::bad("there is no such request in Engine.IO")),
        _ => Err(HttpRefusal::bad("the transports are websocket and polling")),
    }
}

/// Keeps out pages whose name leads to this machine though it is another's (DNS rebinding). Who comes over the
/// network does not come from a browser on this machine, and may have another name for it.
async fn check_host(
    State(hub): State<Arc<Hub>>,
    Extension(connection): Extension<ConnectionInfo>,
    request: Request,
    next: Next,
) -> Response {
    let loopback = connection.local.is_some_and(|local| local.ip().to_canonical().is_loopback());
    let host = origin::host(request.uri(), request.headers()).unwrap_or_default();
    let expected = origin::names_this_device(host)
        || hub.options.allowed_origins.iter().any(|allowed| allowed.is_host(host));
    if loopback && !expected {
        let message = "on this machine the relay is called localhost or 127.0.0.1; if a proxy before it passes on \
                       its own name, say --allow-origin https://THAT.NAME";
        return HttpRefusal::new(StatusCode::FORBIDDEN, Code::Origin, message).into_response();
    }
    next.run(request).await
}

/// Lets in pages of the relay's own and of the allowed origins, and programs, which have none.
async fn check_origin(State(hub): State<Arc<Hub>>, request: Request, next: Next) -> Response {
    let refused = || {
        let message = "pages of another origin may not connect; to allow it, start the relay with --allow-origin and \
                       the origin of the page";
        HttpRefusal::new(StatusCode::FORBIDDEN, Code::Origin, message).into_response()
    };
    let headers = request.headers();
    let Some(from) = headers.get(header::ORIGIN) else {
        return if origin::is_fetched_by_another_site(headers) { refused() } else { next.run(request).await };
    };
    let text = from.to_str().unwrap_or_default();
    let host = origin::host(request.uri(), headers).unwrap_or_default();
    if origin::is_same(text, host) {
        return next.run(request).await;
    }
    if !hub.options.allowed_origins.iter().any(|allowed| allowed.is(text)) {
        if let Some(more) = hub.log.admit(Topic::Origin) {
            tracing::warn!(origin = text, "refused a page of another origin{more}");
        }
        return refused();
    }
    let from = from.clone();
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, from);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    if let Some(asked) = asked {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    response
}
