//! All sessions of a relay, by the secret that their clients name them by, and how many there may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::options::RelayOptions;
use super::places::{NoPlace, Place, Places};
use super::rate::{Allowance, Rate};
use super::refusal::HttpRefusal;
use super::session::{Permits, Session};
use crate::http::ClientAddress;

/// Sessions of long-polling that one connection may have opened and that are still open. One is usual; a proxy may
/// use a connection for several clients.
const POLLING_PER_CONNECTION: usize = 4;

/// See the module's documentation.
pub(super) struct Sessions {
    by_engine_id: Mutex<HashMap<String, Arc<Session>>>,
    opened: Mutex<Rate>,
    places: Arc<Places>,
    polling_places: Arc<Places>,
    removed: Notify,
}

impl Sessions {
    pub fn new(options: &RelayOptions) -> Arc<Self> {
        let rate = Allowance::new(options.max_joins_per_second, options.max_joins_per_second);
        Arc::new(Self {
            by_engine_id: Mutex::default(),
            opened: Mutex::new(Rate::new(rate, Instant::now())),
            places: Places::new(options.max_sessions),
            polling_places: Places::new(options.max_polling_sessions),
            removed: Notify::new(),
        })
    }

    /// The right to open a session on a WebSocket.
    pub fn permit(&self, client: Option<ClientAddress>) -> Result<Permits, HttpRefusal> {
        if !self.opened.lock().unwrap_or_else(PoisonError::into_inner).admits(Instant::now()) {
            tracing::warn!("refused a session: too many per second");
            return Err(HttpRefusal::busy("new sessions per second"));
        }
        Ok(Permits { _session: take(&self.places, client, SESSIONS)?, polling: None })
    }

    /// The right to open a session of long-polling, from this connection.
    pub fn polling_permit(
        &self,
        connection: u64,
        client: Option<ClientAddress>,
    ) -> Result<Permits, HttpRefusal> {
        let of_connection = |session: &Arc<Session>| session.polls_since_connection() == Some(connection);
        if self.all().values().filter(|session| of_connection(session)).count() >= POLLING_PER_CONNECTION {
            return Err(HttpRefusal::busy("sessions from one connection"));
        }
        let place = take(&self.polling_places, client, POLLING)?;
        Ok(Permits { polling: Some((place, connection)), ..self.permit(client)? })
    }

    pub fn insert(&self, session: &Arc<Session>) {
        self.all().insert(session.engine_id.clone(), session.clone());
    }

    pub fn get(&self, engine_id: &str) -> Option<Arc<Session>> {
        self.all().get(engine_id).cloned()
    }

    /// Whether it was there.
    pub fn remove(&self, session: &Session) -> bool {
        let was_there = self.all().remove(&session.engine_id).is_some();
        self.removed.notify_waiters();
        was_there
    }

    pub fn list(&self) -> Vec<Arc<Session>> {
        self.all().values().cloned().collect()
    }

    /// Waits until there is none.
    pub async fn all_gone(&self) {
        loop {
            let gone = self.removed.notified();
            if self.all().is_empty() {
                return;
            }
            gone.await;
        }
    }

    /// The session for which most waits; `None` if nothing waits for any.
    pub fn fullest(&self) -> Option<Arc<Session>> {
        let all = self.all();
        let (bytes, fullest) =
            all.values().map(|session| (session.waiting_bytes(), session)).max_by_key(|(bytes, _)| *bytes)?;
        (bytes > 0).then(|| fullest.clone())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.by_engine_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there are places for, and what to do where a client's address has its share.
struct Kind {
    what: &'static str,
    remedy: &'static str,
}

const SESSIONS: Kind = Kind { what: "sessions", remedy: "whoever runs the relay can raise --max-sessions" };
const POLLING: Kind = Kind { what: "sessions of long-polling", remedy: "use a WebSocket" };

/// A place for a client, or why there is none.
fn take(
    places: &Arc<Places>,
    client: Option<ClientAddress>,
    Kind { what, remedy }: Kind,
) -> Result<Place, HttpRefusal> {
    places.take(client).map_err(|no_place| match (no_place, client) {
        (NoPlace::ShareUsed, Some(client)) => {
            let share = places.share();
            tracing::warn!(%client, "refused a session: this address has {share} {what}, its share");
            HttpRefusal::share_used(&format!("{share} {what}"), remedy)
        }
        _ => HttpRefusal::busy(what),
    })
}
