//! One connection: what it may take, and what it is doing at the moment.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::Request;
use axum::response::Response;
use axum::{Extension, Router};
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::client::ClientAddress;
use super::server::Bounds;
use super::stream::{Line, Stream};

/// Header fields of a request at most.
const MAX_HEADERS: usize = 64;

/// What a request handler may know about the connection that its request came on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionInfo {
    /// Tells connections of one server apart.
    pub id: u64,
    /// The address that the client reached, if it came over TCP.
    pub local: Option<SocketAddr>,
    /// Who the client is, if it came over the network.
    pub client: Option<ClientAddress>,
}

/// What a connection is doing, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing has come since it was accepted, or a part of a request's head.
    Head,
    /// A request is being answered.
    Busy,
    /// Between two requests.
    Idle,
}

/// What one connection is doing, as the server sees it.
pub(super) struct Activity {
    phase: Mutex<(Phase, Instant)>,
    /// Ends the connection at once.
    pub evicted: CancellationToken,
}

impl Activity {
    pub fn new() -> Self {
        Self { phase: Mutex::new((Phase::Head, Instant::now())), evicted: CancellationToken::new() }
    }

    /// Bytes have come.
    pub fn hears(&self) {
        let mut phase = self.phase();
        if phase.0 == Phase::Idle {
            *phase = (Phase::Head, Instant::now());
        }
    }

    /// A request has come, and is being answered.
    pub fn answers(&self) {
        self.enter(Phase::Busy);
    }

    /// Since when it waits for its client to ask something; `None` while a request is being answered.
    pub fn waiting_since(&self) -> Option<Instant> {
        let (phase, since) = *self.phase();
        (phase != Phase::Busy).then_some(since)
    }

    /// When it is to be given up, unless it gets on.
    fn deadline(&self, bounds: &Bounds) -> Option<Instant> {
        let (phase, since) = *self.phase();
        match phase {
            Phase::Head => Some(since + bounds.head),
            Phase::Idle => Some(since + bounds.idle),
            Phase::Busy => None,
        }
    }

    fn enter(&self, phase: Phase) {
        *self.phase() = (phase, Instant::now());
    }

    fn phase(&self) -> MutexGuard<'_, (Phase, Instant)> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of an answer. While it exists its connection is busy.
struct Answer {
    body: Body,
    _busy: Busy,
}

/// A request that is being answered.
struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How many requests a connection may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    /// As many as its client likes.
    Open,
    /// One.
    OneRequest,
}

/// Serves a connection until its client goes or takes too long, it is evicted, or it is time to stop.
pub(super) async fn serve_connection<S: Line>(
    socket: S,
    id: u64,
    router: Router,
    stay: Stay,
    (activity, bounds): (Arc<Activity>, Bounds),
    stop: CancellationToken,
) {
    let info = ConnectionInfo { id, local: socket.local(), client: socket.client() };
    let router = router.layer(Extension(info));
    let answer = {
        let activity = activity.clone();
        service_fn(move |request: Request<Incoming>| {
            activity.answers();
            let busy = Busy(activity.clone());
            let answered = router.clone().call(request.map(Body::new));
            async move {
                let response: Response = answered.await?;
                Ok::<_, std::convert::Infallible>(response.map(|body| Answer { body, _busy: busy }))
            }
        })
    };
    let stream = Stream::new(socket, activity.clone(), bounds.stall);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The deadlines below tell a slow head from a connection that is kept alive; hyper's does not.
        .header_read_timeout(None::<Duration>)
        .max_buf_size(bounds.head_bytes)
        .max_headers(MAX_HEADERS)
        .keep_alive(stay == Stay::Open)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut overdue = pin!(sleep_until(Instant::now() + bounds.head));
    let mut stopping = pin!(stop.cancelled());
    let mut evicted = pin!(activity.evicted.cancelled());
    let mut stopped = false;
    let ended = poll_fn(|cx| {
        if evicted.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        if !stopped && stopping.as_mut().poll(cx).is_ready() {
            stopped = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(ended);
        }
        // After the connection, which may have changed its phase.
        let Some(deadline) = activity.deadline(&bounds) else { return Poll::Pending };
        if overdue.deadline() != deadline {
            overdue.as_mut().reset(deadline);
        }
        overdue.as_mut().poll(cx).map(Ok)
    });
    if let Err(error) = ended.await {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}
