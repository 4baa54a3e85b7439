//! All sessions of a relay, by the secret that their clients name them by, and how many there may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tracing::field;

use super::client_log::{ClientLog, Topic};
use super::options::RelayOptions;
use super::places::{NoPlace, Place, Places};
use super::refusal::HttpRefusal;
use super::session::{Permits, Session};
use super::shared_rate::{SharedRate, TooMany};
use crate::http::ClientAddress;

/// Sessions of long-polling that one connection may have opened and that are still open. One is usual; a proxy may
/// use a connection for several clients.
const POLLING_PER_CONNECTION: usize = 4;

/// See the module's documentation.
pub(super) struct Sessions {
    by_engine_id: Mutex<HashMap<String, Arc<Session>>>,
    opened: Mutex<SharedRate>,
    places: Arc<Places>,
    polling_places: Arc<Places>,
    removed: Notify,
    log: Arc<ClientLog>,
}

impl Sessions {
    pub fn new(options: &RelayOptions, log: Arc<ClientLog>) -> Arc<Self> {
        Arc::new(Self {
            by_engine_id: Mutex::default(),
            opened: Mutex::new(SharedRate::new(options.max_joins_per_second, Instant::now())),
            places: Places::new(options.max_sessions),
            polling_places: Places::new(options.max_polling_sessions),
            removed: Notify::new(),
            log,
        })
    }

    /// The right to open a session on a WebSocket.
    pub fn permit(&self, client: Option<ClientAddress>) -> Result<Permits, HttpRefusal> {
        self.count(client, Instant::now())?;
        Ok(Permits { session: self.take(&self.places, client, SESSIONS)?, polling: None })
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
        let place = self.take(&self.polling_places, client, POLLING)?;
        Ok(Permits { polling: Some((place, connection)), ..self.permit(client)? })
    }

    /// Counts a new session, unless there are too many at a time.
    fn count(&self, client: Option<ClientAddress>, now: Instant) -> Result<(), HttpRefusal> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.admit(client, now).map_err(|too_many| {
            self.warn(client, "too many per second");
            match too_many {
                TooMany::OfAll => HttpRefusal::busy("new sessions per second"),
                TooMany::OfClient => {
                    let share = format!("{} new sessions per second", opened.share());
                    HttpRefusal::rate_share_used(&share)
                }
            }
        })
    }

    /// A place for a client, or why there is none.
    fn take(
        &self,
        places: &Arc<Places>,
        client: Option<ClientAddress>,
        Kind { what, remedy }: Kind,
    ) -> Result<Place, HttpRefusal> {
        places.take(client).map_err(|no_place| match no_place {
            NoPlace::Full => {
                self.warn(client, &format!("there are as many {what} as the relay takes"));
                HttpRefusal::full(what)
            }
            NoPlace::ShareUsed => {
                let share = format!("{} {what}", places.share());
                self.warn(client, &format!("this address has {share}, its share"));
                HttpRefusal::share_used(&share, remedy)
            }
        })
    }

    fn warn(&self, client: Option<ClientAddress>, why: &str) {
        if let Some(more) = self.log.admit(Topic::Session) {
            tracing::warn!(client = client.map(field::display), "refused a session: {why}{more}");
        }
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

    pub fn len(&self) -> usize {
        self.all().len()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Option<ClientAddress> {
        ClientAddress::remote([192, 0, 2, last].into())
    }

    #[test]
    fn one_address_does_not_use_up_the_new_sessions_of_a_second() {
        let options = RelayOptions { max_joins_per_second: 4, ..RelayOptions::default() };
        let sessions = Sessions::new(&options, Arc::default());
        let now = Instant::now();
        let mut greedy = (0..100).map(|_| sessions.count(client(1), now));

        assert_eq!(greedy.by_ref().take(2).filter(Result::is_ok).count(), 2);
        let refusal = greedy.find_map(Result::err).unwrap();
        assert_eq!(
            refusal.message,
            "your address has 2 new sessions per second, as many as one address may have; try again in a second"
        );
        assert!(sessions.count(client(2), now).is_ok());
    }
}
