//! One connection, and what it may take: time, bytes, and one of so many seats.

use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use super::problem::Problem;

/// What clients may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time, on the Unix socket and on TCP each.
    pub connections: usize,
    /// Event streams at the same time. Fewer than connections, so that there is room for who asks something.
    pub listeners: usize,
    /// How long a request's head may take, and a connection may idle before the next.
    pub head: Duration,
    /// How long a client may take no byte of what is sent to it.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 64, listeners: 32, head: Duration::from_secs(5), stall: Duration::from_secs(20) }
    }
}

/// Bytes of a request's head at most.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Header fields in it at most.
const MAX_HEADERS: usize = 64;
/// What the kernel may hold unsent for a client, so that who reads slowly gets few old states.
const SEND_BUFFER_BYTES: usize = 16 * 1024;
/// How many clients without a seat are told so at the same time; the others are cut off without a word.
const DOORSTEP: usize = 16;

/// The stream of a connection.
pub(super) trait Line: AsyncRead + AsyncWrite + AsFd + Send + 'static {}

impl Line for UnixStream {}
impl Line for TcpStream {}

/// The seats of one listener.
pub(super) struct Seats {
    inside: Arc<Semaphore>,
    doorstep: Arc<Semaphore>,
}

/// A seat, and what is served there.
pub(super) struct Seat {
    router: Router,
    /// Whether more than one request is heard.
    stay: bool,
    _permit: OwnedSemaphorePermit,
}

impl Seats {
    pub fn new(limits: &Limits) -> Self {
        Self {
            inside: Arc::new(Semaphore::new(limits.connections)),
            doorstep: Arc::new(Semaphore::new(DOORSTEP)),
        }
    }

    /// A seat with `router`, or else one where a client hears that there is none; `None` if there is not even
    /// that.
    pub fn take(&self, router: &Router) -> Option<Seat> {
        if let Ok(permit) = self.inside.clone().try_acquire_owned() {
            return Some(Seat { router: router.clone(), stay: true, _permit: permit });
        }
        let permit = self.doorstep.clone().try_acquire_owned().ok()?;
        let busy = Router::new().fallback(async || Problem::busy("connections"));
        Some(Seat { router: busy, stay: false, _permit: permit })
    }
}

/// Serves a connection until its client goes, takes too much, or it is time to stop.
pub(super) async fn serve(stream: impl Line, seat: Seat, limits: Limits, stop: CancellationToken) {
    if let Err(error) = set_socket_send_buffer_size(&stream, SEND_BUFFER_BYTES) {
        tracing::debug!(%error, "cannot keep the send buffer of a control connection small");
    }
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.stall));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .keep_alive(seat.stay)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(seat.router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a control connection ended early");
    }
}
