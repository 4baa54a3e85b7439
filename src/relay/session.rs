//! One Engine.IO session: who its client is, what was heard of it and when, and how it ends. A client that does not
//! take in time what waits for it, or for which too much waits, is cut off.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::message::{Budget, Message};
use super::meters::Meters;
use super::options::Rates;
use super::outgoing::{Flushed, Outgoing, Route, Sent, Slow};
use super::places::Place;
use crate::http::ClientAddress;
use crate::socketio::Decoder;

/// The public name of a session: the `socketId` that others see, and nothing that opens anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Sid(u128);

impl Sid {
    /// One that nobody else has.
    pub fn new() -> Self {
        Self(rand::random())
    }

    /// The one that is written so; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_one { u128::from_str_radix(text, 16).ok().map(Self) } else { None }
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The right to be the one request of its kind.
pub(super) struct Claim<'a>(&'a AtomicBool);

impl<'a> Claim<'a> {
    fn on(taken: &'a AtomicBool) -> Option<Self> {
        (!taken.swap(true, Ordering::AcqRel)).then_some(Self(taken))
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Places of the relay that a session takes.
pub(super) struct Permits {
    /// One of so many sessions.
    pub session: Place,
    /// One of so many that poll, and the connection that opened it.
    pub polling: Option<(Place, u64)>,
}

/// See the module's documentation.
pub(super) struct Session {
    /// What others know it by.
    pub id: Sid,
    /// The secret by which its client names it in requests.
    pub engine_id: String,
    /// Where its client is; `None` for one of this machine.
    pub client: Option<ClientAddress>,
    pub budget: Arc<Budget>,
    out: Mutex<Outgoing>,
    permits: Mutex<Permits>,
    /// Something waits, or the session ends.
    pub wake: Notify,
    /// Ends the session at once.
    pub cut: CancellationToken,
    /// Whether a request of long-polling waits for something to be sent.
    polled: AtomicBool,
    /// Whether a request of long-polling brings messages.
    posted: AtomicBool,
    may_publish: AtomicBool,
    times: Mutex<Times>,
    /// What its client may still send.
    pub meters: Mutex<Meters>,
    /// Puts together what has come.
    pub decoder: Mutex<Decoder>,
}

/// What every session of a relay has from it.
#[derive(Clone)]
pub(super) struct Terms {
    pub budget: Arc<Budget>,
    /// Bytes that may wait for one client.
    pub max_waiting: usize,
    /// Bytes of one message from a client, text and attachment together.
    pub max_message: usize,
    pub rates: Rates,
}

/// When what happened.
#[derive(Debug, Clone, Copy)]
struct Times {
    opened: Instant,
    heard: Instant,
    pinged: Instant,
    /// Since when a message has been arriving.
    arriving_since: Option<Instant>,
    connected: bool,
}

/// How long clients may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From opening a session to its CONNECT.
    pub connect: Duration,
    /// Between two pings.
    pub ping_interval: Duration,
    /// From a ping to its answer.
    pub ping_timeout: Duration,
    /// Without taking a byte.
    pub stall: Duration,
    /// For one message to arrive.
    pub arrival: Duration,
    /// For what is on its way when a session has ended.
    pub farewell: Duration,
}

impl Session {
    /// A session of a client that polls.
    pub fn polling(terms: &Terms, permits: Permits) -> Arc<Self> {
        Self::new(Route::Polling, terms, permits)
    }

    /// A session on a WebSocket.
    pub fn on_socket(tcp: Arc<TcpStream>, terms: &Terms, permits: Permits) -> Arc<Self> {
        Self::new(Route::Socket(tcp), terms, permits)
    }

    fn new(route: Route, terms: &Terms, permits: Permits) -> Arc<Self> {
        let now = Instant::now();
        let times = Times { opened: now, heard: now, pinged: now, arriving_since: None, connected: false };
        Arc::new(Self {
            id: Sid::new(),
            engine_id: Sid::new().to_string(),
            client: permits.session.client(),
            budget: terms.budget.clone(),
            out: Mutex::new(Outgoing::new(route, terms.max_waiting)),
            permits: Mutex::new(permits),
            wake: Notify::new(),
            cut: CancellationToken::new(),
            polled: AtomicBool::new(false),
            posted: AtomicBool::new(false),
            may_publish: AtomicBool::new(false),
            times: Mutex::new(times),
            meters: Mutex::new(Meters::new(&terms.rates, now)),
            decoder: Mutex::new(Decoder::new(terms.max_message)),
        })
    }

    /// Sends, or queues, or drops it if the session has ended.
    pub fn send(&self, message: &Arc<Message>) -> Result<(), Slow> {
        let mut out = self.out();
        if out.finishing.is_some() || self.cut.is_cancelled() {
            return Ok(());
        }
        match out.send(message)? {
            Sent::Written => {}
            Sent::Queued => {
                drop(out);
                self.wake.notify_one();
            }
            Sent::Broken => self.cut.cancel(),
        }
        Ok(())
    }

    /// Writes what waits, as far as the kernel takes it.
    pub fn flush(&self) -> io::Result<Flushed> {
        self.out().flush()
    }

    /// What waits for a client that polls, at most `max` bytes unless the first message is larger; `None` if
    /// nothing does.
    pub fn poll(&self, max: usize) -> Option<String> {
        self.out().poll(max)
    }

    /// Continues on a WebSocket what began with long-polling.
    pub fn upgrade(&self, tcp: Arc<TcpStream>) {
        self.out().upgrade(tcp);
        self.permits().polling = None;
        self.wake.notify_one();
    }

    /// Ends the session in order: what waits is sent, then `last`, then nothing.
    pub fn finish(&self, last: &[Arc<Message>]) {
        for message in last {
            // For whom too much waits does not hear why.
            if self.send(message).is_err() {
                self.cut_off();
            }
        }
        self.out().finishing.get_or_insert_with(Instant::now);
        self.wake.notify_one();
    }

    /// Ends the session at once, and throws away what waits.
    pub fn cut_off(&self) {
        self.cut.cancel();
        self.out().clear();
        self.wake.notify_one();
    }

    /// Whether the session has ended in order, and all has been sent.
    pub fn is_finished(&self) -> bool {
        self.out().is_finished()
    }

    /// Whether it is to end.
    pub fn is_ending(&self) -> bool {
        self.cut.is_cancelled() || self.out().finishing.is_some()
    }

    /// Bytes that wait.
    pub fn waiting_bytes(&self) -> usize {
        self.out().bytes()
    }

    /// The connection that opened it, while it polls.
    pub fn polls_since_connection(&self) -> Option<u64> {
        self.permits().polling.as_ref().map(|(_, connection)| *connection)
    }

    /// Something has come from the client.
    pub fn hears(&self) {
        self.times().heard = Instant::now();
    }

    /// When something last came from the client.
    pub fn heard_at(&self) -> Instant {
        self.times().heard
    }

    /// The client has said who it is.
    pub fn connected(&self, may_publish: bool) {
        self.times().connected = true;
        self.may_publish.store(may_publish, Ordering::Relaxed);
    }

    /// Whether its client is known to be one who may publish.
    pub fn may_publish(&self) -> bool {
        self.may_publish.load(Ordering::Relaxed)
    }

    /// Whether the client has said who it is.
    pub fn is_connected(&self) -> bool {
        self.times().connected
    }

    /// A message is arriving, or has arrived.
    pub fn arriving(&self, arriving: bool) {
        let mut times = self.times();
        times.arriving_since = arriving.then(|| times.arriving_since.unwrap_or_else(Instant::now));
    }

    /// Asks the client whether it is still there.
    pub fn ping(&self, now: Instant) {
        self.times().pinged = now;
        if self.send(&Message::text("2", &self.budget)).is_err() {
            self.cut_off();
        }
    }

    /// Looks after the session, each second: pings its client, and cuts it off if it takes too long for something.
    pub fn tend(&self, now: Instant, patience: &Patience) {
        let times = *self.times();
        let (blocked, finishing) = {
            let out = self.out();
            (out.blocked_since, out.finishing)
        };
        let longer =
            |since: Option<Instant>, limit| since.is_some_and(|since| now.duration_since(since) > limit);
        let overdue = [
            (!times.connected && longer(Some(times.opened), patience.connect), "did not say who it is"),
            (
                times.heard < times.pinged && longer(Some(times.pinged), patience.ping_timeout),
                "does not answer",
            ),
            (longer(blocked, patience.stall), "takes no data"),
            (longer(times.arriving_since, patience.arrival), "sends too slowly"),
            (longer(finishing, patience.farewell), "does not hear that it is to go"),
        ];
        if let Some((_, why)) = overdue.iter().find(|(overdue, _)| *overdue) {
            tracing::debug!(sid = %self.id, "cut off a session whose client {why}");
            self.cut_off();
        } else if finishing.is_none() && longer(Some(times.pinged), patience.ping_interval) {
            self.ping(now);
        }
    }

    /// Claims the one request that may wait for messages at a time; `None` if there is one.
    pub fn claim_poll(&self) -> Option<Claim<'_>> {
        Claim::on(&self.polled)
    }

    /// Claims the one request that may bring messages at a time; `None` if there is one.
    pub fn claim_post(&self) -> Option<Claim<'_>> {
        Claim::on(&self.posted)
    }

    fn out(&self) -> MutexGuard<'_, Outgoing> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn permits(&self) -> MutexGuard<'_, Permits> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
