//! The relay as a server: bound, run, shut down.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, Query, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use axum::{Extension, Router};
use serde::Deserialize;
use socketioxide::socket::Sid;
use socketioxide::{ParserConfig, SocketIo};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::gateway::{Gateway, WebSocketLine};
use super::lines::{LineInfo, LineListener, Lines};
use super::options::RelayOptions;
use super::rate::Rate;
use super::site;

/// Where Socket.IO lives.
const SOCKET_IO_PATH: &str = "/socket.io/";
/// How long a client may take from opening a session to its CONNECT.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Attachments in one message; the dialect knows one.
const MAX_ATTACHMENTS: usize = 4;
/// How long clients get to hear that the relay goes away, before their connections are cut.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long the server may take to let go of cut connections.
const WIND_UP: Duration = Duration::from_secs(1);

/// Why a relay does not run.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Another program listens there.
    #[error(
        "the relay cannot listen on {addr}: the port is in use; stop the program that holds it \
         (`ss -ltnp 'sport = :{port}'` names it), or choose another port with --listen (0 picks a free one)",
        port = addr.port()
    )]
    AddressInUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// A port below 1024, most likely.
    #[error(
        "the relay may not listen on {addr}: ports below 1024 need CAP_NET_BIND_SERVICE; choose a port \
         above 1023 with --listen"
    )]
    NotPermitted {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// No interface of this machine has the address.
    #[error(
        "the relay cannot listen on {addr}: this machine does not have that address (`ip address` shows \
         what it has); 0.0.0.0 means all of them"
    )]
    NoSuchAddress {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// Anything else the system says about listening.
    #[error("the relay cannot listen on {addr}: {source}")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The server ended though nobody had asked it to.
    #[error("the relay on {addr} has stopped serving: {source}; start it again")]
    Serve {
        /// The address it listened on.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl RelayError {
    fn listen(addr: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { addr },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { addr },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { addr },
            _ => Self::Listen { addr, source },
        }
    }
}

/// The Socket.IO server around an empty router, whose 404 answers what is not Socket.IO.
type SocketIoService = socketioxide::service::SocketIoService<Router>;

/// A relay that listens; [`Relay::run`] makes it serve.
pub struct Relay {
    addr: SocketAddr,
    listener: LineListener,
    lines: Arc<Lines>,
    io: SocketIo,
    service: SocketIoService,
    to_close: mpsc::UnboundedReceiver<Sid>,
    sessions: Arc<Mutex<Rate>>,
}

impl Relay {
    /// Binds a relay to `addr` (port 0 picks a free one, see [`Relay::local_addr`]). From then on connections
    /// queue, and are served once it runs. Must be called within a tokio runtime, hence async.
    ///
    /// # Errors
    /// If the address cannot be listened on; the error says which and what to try.
    pub async fn bind(addr: SocketAddr, options: RelayOptions) -> Result<Self, RelayError> {
        let listener = LineListener::bind(addr, options.max_connections, options.stall_timeout)
            .map_err(|source| RelayError::listen(addr, source))?;
        let local = listener.local_addr().map_err(|source| RelayError::listen(addr, source))?;
        let lines = listener.lines();
        let parser = ParserConfig::common()
            .max_incoming_binaries(MAX_ATTACHMENTS)
            .max_incoming_binary_buf_size(options.max_message_bytes);
        let (service, io) = SocketIo::builder()
            .max_payload(options.max_message_bytes as u64)
            .ws_max_message_size(options.max_message_bytes)
            .ws_max_frame_size(options.max_message_bytes)
            .max_buffer_size(options.outgoing_queue.max(1))
            .connect_timeout(CONNECT_TIMEOUT)
            .with_parser(parser)
            .build_with_inner_svc(Router::new());
        let to_close = Gateway::serve(&io, &options, lines.clone());
        let sessions = Arc::new(Mutex::new(Rate::new(options.max_joins_per_second, Instant::now())));
        Ok(Self { addr: local, listener, lines, io, service, to_close, sessions })
    }

    /// The address the relay listens on, with the port the system chose if it was asked for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `shutdown` completes, then takes leave of the clients, cuts those that do not hear, and
    /// returns after 3 s at most.
    ///
    /// # Errors
    /// If serving ends without having been asked to.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RelayError> {
        let Self { addr, listener, lines, io, mut service, mut to_close, sessions } = self;
        let app = routes(service.clone(), lines.clone(), sessions);
        let stop = CancellationToken::new();
        let serve = axum::serve(listener, app.into_make_service_with_connect_info::<LineInfo>())
            .with_graceful_shutdown(stop.clone().cancelled_owned())
            .into_future();
        tokio::pin!(serve, shutdown);

        loop {
            tokio::select! {
                ended = &mut serve => {
                    return ended.map_err(|source| RelayError::Serve { addr, source });
                }
                () = &mut shutdown => break,
                Some(session) = to_close.recv() => close_polling(&mut service, session).await,
            }
        }

        stop.cancel();
        if tokio::time::timeout(FAREWELL, io.close()).await.is_err() {
            tracing::info!("some clients did not hear that the relay goes away; cutting them off");
        }
        lines.cut_all();
        match tokio::time::timeout(WIND_UP, serve).await {
            Ok(ended) => ended.map_err(|source| RelayError::Serve { addr, source }),
            // What is left are tasks of connections already cut; they end with the runtime.
            Err(_) => Ok(()),
        }
    }
}

fn routes(service: SocketIoService, lines: Arc<Lines>, sessions: Arc<Mutex<Rate>>) -> Router {
    let socket_io = Router::new()
        .route_service(SOCKET_IO_PATH, service.clone())
        .route_service(SOCKET_IO_PATH.trim_end_matches('/'), service)
        .layer(middleware::from_fn(guard_session))
        .layer(Extension(lines))
        .layer(Extension(sessions))
        .layer(middleware::from_fn(allow_origin));
    site::routes().route("/healthz", get(async || "ok\n")).merge(socket_io)
}

#[derive(Deserialize)]
struct SessionQuery {
    sid: Option<String>,
    transport: Option<String>,
}

/// Bounds the rate of new sessions, and notes which connection a WebSocket runs on.
async fn guard_session(
    Query(query): Query<SessionQuery>,
    ConnectInfo(LineInfo(line)): ConnectInfo<LineInfo>,
    Extension(lines): Extension<Arc<Lines>>,
    Extension(sessions): Extension<Arc<Mutex<Rate>>>,
    mut request: Request,
    next: Next,
) -> Response {
    let websocket = query.transport.as_deref() == Some("websocket");
    match query.sid {
        Some(session) if websocket => lines.assign(&session, &line),
        Some(_) => {}
        None => {
            if !sessions.lock().unwrap_or_else(PoisonError::into_inner).admits(Instant::now()) {
                tracing::warn!("refused a session: too many per second");
                let retry = [(header::RETRY_AFTER, "1")];
                return (StatusCode::SERVICE_UNAVAILABLE, retry, "too many connections at this moment\n")
                    .into_response();
            }
            if websocket {
                request.extensions_mut().insert(WebSocketLine(line));
            }
        }
    }
    next.run(request).await
}

/// Lets web clients from other origins in, as the deployed relays do: those clients are served from
/// elsewhere. Who may connect is the token's business.
async fn allow_origin(request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        return next.run(request).await;
    };
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    if let Some(asked) = asked {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    response
}

/// Closes a session that polls, and does so too rarely, by telling its engine what the client would say to
/// go (`1`, close). For a session on a WebSocket, whose connection has been cut, nothing comes of it.
async fn close_polling(service: &mut SocketIoService, session: Sid) {
    let request = Request::post(format!("{SOCKET_IO_PATH}?EIO=4&transport=polling&sid={session}"))
        .header(header::CONTENT_TYPE, "text/plain;charset=UTF-8")
        .body(Body::from("1"));
    let Ok(request) = request else { return };
    let Ok(response): Result<_, Infallible> = service.call(request).await;
    tracing::debug!(%session, status = %response.status(), "closed a session that fell behind");
}
