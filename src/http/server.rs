//! Accepts connections, so many at a time. When there are too many, one whose client asks nothing makes room: of the
//! clients with most of such connections, the one that has waited longest. So neither who keeps connections idle nor
//! who opens many at a time keeps others out.

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

use super::client::ClientAddress;
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
    open: Mutex<HashMap<u64, Open>>,
}

/// One of them.
struct Open {
    client: Option<ClientAddress>,
    activity: Arc<Activity>,
}

/// A place among them, given back when it is dropped.
struct Place {
    id: u64,
    activity: Arc<Activity>,
    connections: Arc<Connections>,
}

impl Connections {
    /// A place for a new connection, from one that waits if there is no other.
    fn admit(self: &Arc<Self>, id: u64, client: Option<ClientAddress>) -> Option<Place> {
        let mut open = self.open();
        if open.len() >= self.max {
            let dispensable = dispensable(&open)?;
            if let Some(Open { activity, .. }) = open.remove(&dispensable) {
                activity.evicted.cancel();
            }
        }
        let activity = Arc::new(Activity::new());
        open.insert(id, Open { client, activity: activity.clone() });
        Some(Place { id, activity, connections: self.clone() })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection that makes room for another; `None` if all are busy.
fn dispensable(open: &HashMap<u64, Open>) -> Option<u64> {
    let waiting: Vec<_> = open
        .iter()
        .filter_map(|(id, Open { client, activity })| Some((*client, activity.waiting_since()?, *id)))
        .collect();
    let mut by_client = HashMap::<_, usize>::new();
    for (client, ..) in &waiting {
        *by_client.entry(*client).or_default() += 1;
    }
    let most = by_client.values().max()?;
    let of_the_greediest = waiting.iter().filter(|(client, ..)| by_client[client] == *most);
    of_the_greediest.min_by_key(|(_, since, _)| *since).map(|(.., id)| *id)
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
        if let Some(place) = connections.admit(id, socket.client()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Option<ClientAddress> {
        ClientAddress::remote([192, 0, 2, last].into())
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_most_connections_makes_room_with_the_oldest() {
        let connections = Arc::new(Connections { max: 5, open: Mutex::default() });
        let mut places = Vec::new();
        for (id, last) in [(1, 1), (2, 2), (3, 2), (4, 2), (5, 3)] {
            places.push(connections.admit(id, client(last)).unwrap());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        places.push(connections.admit(6, client(4)).unwrap());
        let evicted: Vec<_> = places
            .iter()
            .filter(|place| place.activity.evicted.is_cancelled())
            .map(|place| place.id)
            .collect();
        assert_eq!(evicted, [2]);
    }

    #[tokio::test]
    async fn nobody_makes_room_who_is_being_answered() {
        let connections = Arc::new(Connections { max: 1, open: Mutex::default() });
        let place = connections.admit(1, client(1)).unwrap();
        place.activity.answers();
        assert!(connections.admit(2, client(2)).is_none());
        assert!(!place.activity.evicted.is_cancelled());
    }
}
