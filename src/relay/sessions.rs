//! All sessions of a relay, by the secret that their clients name them by, and how many there may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, Semaphore};

use super::options::RelayOptions;
use super::rate::{Allowance, Rate};
use super::refusal::HttpRefusal;
use super::session::{Permits, Session};

/// Sessions of long-polling that one connection may have opened and that are still open. One is usual; a proxy may
/// use a connection for several clients.
const POLLING_PER_CONNECTION: usize = 4;

/// See the module's documentation.
pub(super) struct Sessions {
    by_engine_id: Mutex<HashMap<String, Arc<Session>>>,
    opened: Mutex<Rate>,
    permits: Arc<Semaphore>,
    polling_permits: Arc<Semaphore>,
    removed: Notify,
}

impl Sessions {
    pub fn new(options: &RelayOptions) -> Arc<Self> {
        let rate = Allowance::new(options.max_joins_per_second, options.max_joins_per_second);
        Arc::new(Self {
            by_engine_id: Mutex::default(),
            opened: Mutex::new(Rate::new(rate, Instant::now())),
            permits: Arc::new(Semaphore::new(options.max_sessions)),
            polling_permits: Arc::new(Semaphore::new(options.max_polling_sessions)),
            removed: Notify::new(),
        })
    }

    /// The right to open a session on a WebSocket.
    pub fn permit(&self) -> Result<Permits, HttpRefusal> {
        if !self.opened.lock().unwrap_or_else(PoisonError::into_inner).admits(Instant::now()) {
            tracing::warn!("refused a session: too many per second");
            return Err(HttpRefusal::busy("new sessions per second"));
        }
        let permit = self.permits.clone().try_acquire_owned().map_err(|_| HttpRefusal::busy("sessions"))?;
        Ok(Permits { _session: permit, polling: None })
    }

    /// The right to open a session of long-polling, from this connection.
    pub fn polling_permit(&self, connection: u64) -> Result<Permits, HttpRefusal> {
        let of_connection = |session: &Arc<Session>| session.polls_since_connection() == Some(connection);
        if self.all().values().filter(|session| of_connection(session)).count() >= POLLING_PER_CONNECTION {
            return Err(HttpRefusal::busy("sessions from one connection"));
        }
        let permit = self.polling_permits.clone().try_acquire_owned();
        let permit = permit.map_err(|_| HttpRefusal::busy("sessions of long-polling; use a WebSocket"))?;
        Ok(Permits { polling: Some((permit, connection)), ..self.permit()? })
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
