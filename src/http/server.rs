//! Accepts connections, so many at a time. When there are too many, the one that has waited longest for its client
//! to ask something makes room: who keeps connections idle keeps nobody out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::connection::{Activity, Stay, serve_connection};
use super::stream::Line;

/// What the clients of one server may take.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// Connections at the same time.
    pub connections: usize,
    /// How long the head of a request may take, from its first byte or from the connection's beginning.
    pub head: Duration,
    /// How long a connection may idle between two requests.
    pub idle: Duration,
    /// How long a client may take no byte of what is sent to it.
    pub stall: Duration,
    /// Bytes of a request's head at most; hyper wants 8192 at least.
    pub head_bytes: usize,
    /// What the kernel may hold unsent for a client; its own default if there is no number.
    pub send_buffer: Option<usize>,
    /// How long clients get to take what is on its way to them when the server stops.
    pub farewell: Duration,
}

/// How many clients are told at the same time that there are too many; the others are hung up on.
const OVERFLOW: usize = 16;

/// The connections of one server.
struct Connections {
    max: usize,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
}

/// A place among them, given back when it is dropped.
struct Place {
    id: u64,
    activity: Arc<Activity>,
    connections: Arc<Connections>,
}

impl Connections {
    /// A place for a new connection, from one that waits if there is no other.
    fn admit(self: &Arc<Self>, id: u64) -> Option<Place> {
        let mut open = self.open();
        if open.len() >= self.max {
            let waiting = open.iter().filter_map(|(id, activity)| Some((activity.waiting_since()?, *id)));
            let (_, longest) = waiting.min()?;
            if let Some(activity) = open.remove(&longest) {
                activity.evicted.cancel();
            }
        }
        let activity = Arc::new(Activity::new());
        open.insert(id, activity.clone());
        Some(Place { id, activity, connections: self.clone() })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Activity>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open().remove(&self.id);
    }
}

/// Serves the clients of `listener` until it is time to stop. Clients too many are answered by `busy`.
pub(crate) async fn serve<L>(
    mut listener: L,
    router: Router,
    busy: Router,
    bounds: Bounds,
    stop: CancellationToken,
) where
    L: Listener<Io: Line>,
{
    let connections = Arc::new(Connections { max: bounds.connections, open: Mutex::default() });
    let overflow = Arc::new(Semaphore::new(OVERFLOW));
    let mut tasks = JoinSet::new();
    let mut next_id = 0;
    loop {
        let (socket, _) = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        if let Some(bytes) = bounds.send_buffer
            && let Err(error) = set_socket_send_buffer_size(&socket, bytes)
        {
            tracing::debug!(%error, "cannot keep the send buffer of a connection small");
        }
        next_id += 1;
        let (id, bounds, stop) = (next_id, bounds.clone(), stop.clone());
        if let Some(place) = connections.admit(id) {
            let router = router.clone();
            tasks.spawn(async move {
                let activity = place.activity.clone();
                serve_connection(socket, id, router, Stay::Open, (activity, bounds), stop).await;
                drop(place);
            });
        } else if let Ok(permit) = overflow.clone().try_acquire_owned() {
            let (busy, activity) = (busy.clone(), Arc::new(Activity::new()));
            tasks.spawn(async move {
                serve_connection(socket, id, busy, Stay::OneRequest, (activity, bounds), stop).await;
                drop(permit);
            });
        } else {
            tracing::debug!("hung up on a client: too many connections");
        }
    }
    drop(listener);
    let leave = async { while tasks.join_next().await.is_some() {} };
    if timeout(bounds.farewell, leave).await.is_err() {
        tracing::debug!("hung up on clients that wait for an answer or take none");
    }
}
