//! What all connections of a relay share; what comes from a client, whatever way it came, ends here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::client_log::ClientLog;
use super::dialect::{Auth, ConnectError, ConnectErrorData, Connected};
use super::fleet::{Fleet, Link};
use super::gateway::Gateway;
use super::health::{Health, Status};
use super::message::{Budget, Message};
use super::options::{RelayOptions, Role};
use super::refusal::{Code, Ends, Refusal};
use super::registry::Audience;
use super::session::{Patience, Session, Terms};
use super::sessions::Sessions;
use crate::socketio::{Body, EnginePacket, Handshake, Json, Packet};

/// Longest text of a message. The largest events are WebRTC descriptions: those of browsers have some 7000 bytes, and
/// 4000 more for each further camera or screen.
pub(super) const MAX_TEXT_BYTES: usize = 16 * 1024;
/// As `socket.io` has them.
const PING_INTERVAL: Duration = Duration::from_secs(25);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// From opening a session to its CONNECT.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one message may take to arrive.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a client gets to hear that its session has ended.
const FAREWELL: Duration = Duration::from_secs(2);

/// A part of what a client sends.
pub(super) enum Received<'a> {
    Text(&'a str),
    Binary(Bytes),
}

/// See the module's documentation.
pub(super) struct Hub {
    pub options: RelayOptions,
    pub sessions: Arc<Sessions>,
    pub terms: Terms,
    /// Bytes of messages that have not arrived completely.
    pub arriving: Arc<Budget>,
    pub log: Arc<ClientLog>,
    pub gateway: Gateway,
    patience: Patience,
    draining: AtomicBool,
}

impl Hub {
    /// With what carries its messages to other relays, if it shares its rooms.
    pub fn new(options: RelayOptions) -> (Arc<Self>, Option<Link>) {
        let log = Arc::new(ClientLog::default());
        let sessions = Sessions::new(&options, log.clone());
        let budget = Budget::new(options.max_waiting_bytes);
        let terms = Terms {
            budget: budget.clone(),
            max_waiting: options.outgoing_bytes.max(2 * options.max_message_bytes),
            max_message: options.max_message_bytes.saturating_add(MAX_TEXT_BYTES),
            rates: options.rates.clone(),
        };
        let patience = Patience {
            connect: CONNECT_TIMEOUT,
            ping_interval: PING_INTERVAL,
            ping_timeout: PING_TIMEOUT,
            stall: options.stall_timeout,
            arrival: ARRIVAL_TIMEOUT,
            farewell: FAREWELL,
        };
        let (fleet, link) = options.redis.as_ref().map(|_| Fleet::new()).unzip();
        let gateway = Gateway::new(&options, budget, sessions.clone(), log.clone(), fleet);
        let arriving = Budget::new(options.max_waiting_bytes);
        let draining = AtomicBool::new(false);
        let hub = Self { options, sessions, terms, arriving, log, gateway, patience, draining };
        (Arc::new(hub), link)
    }

    /// The first packet of a session.
    pub fn open_packet(&self, session: &Session, upgrades: &[&str]) -> String {
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let mut handshake = Handshake::new(
            &session.engine_id,
            milliseconds(PING_INTERVAL),
            milliseconds(PING_TIMEOUT),
            self.options.max_message_bytes,
        );
        handshake.upgrades = upgrades.iter().map(|&upgrade| upgrade.to_owned()).collect();
        EnginePacket::Open(handshake).encode().text
    }

    /// Takes what has come from a client. Afterwards the session may be one that ends.
    pub async fn receive(&self, session: &Arc<Session>, received: Received<'_>) {
        if session.is_ending() {
            return;
        }
        session.hears();
        session.arriving(false);
        let Err(refusal) = self.take(session, received).await else { return };
        let patience = session.meters.lock().unwrap_or_else(PoisonError::into_inner).refusal(Instant::now());
        tracing::debug!(sid = %session.id, "refused: {}", refusal.message);
        if refusal.ends == Ends::Yes || !patience {
            self.gateway.dismiss(session, &refusal);
        } else {
            self.gateway.refuse(session, &refusal);
        }
    }

    /// The session's client has sent more than it may: in one message, or altogether with all others.
    pub fn dismiss(&self, session: &Session, refusal: &Refusal) {
        self.gateway.dismiss(session, refusal);
    }

    async fn take(&self, session: &Arc<Session>, received: Received<'_>) -> Result<(), Refusal> {
        session.meters.lock().unwrap_or_else(PoisonError::into_inner).message(Instant::now())?;
        let decoded = {
            let mut decoder = session.decoder.lock().unwrap_or_else(PoisonError::into_inner);
            match received {
                Received::Text(text) if text.len() > MAX_TEXT_BYTES => return Err(text_too_large()),
                Received::Text(text) => decoder.text(text),
                Received::Binary(bytes) => decoder.binary(bytes),
            }
        };
        let packet = decoded.map_err(|error| {
            Refusal::last(Code::BadRequest, format!("The relay does not understand what came: {error}"))
        })?;
        match packet {
            Some(EnginePacket::Message(packet)) => self.packet(session, packet).await,
            Some(EnginePacket::Close) => {
                session.finish(&[Message::close(CloseCode::Normal, &self.terms.budget)]);
                Ok(())
            }
            // An answer to a ping, or the beginning of something.
            _ => Ok(()),
        }
    }

    async fn packet(
        &self,
        session: &Arc<Session>,
        Packet { namespace, body }: Packet,
    ) -> Result<(), Refusal> {
        match body {
            Body::Connect(_) if namespace != "/" => {
                let error = json!({ "message": "Invalid namespace" });
                self.say(session, &format!("44{namespace},{error}"));
                Ok(())
            }
            _ if namespace != "/" => Ok(()),
            Body::Connect(_) if session.is_connected() => {
                Err(Refusal::new(Code::BadRequest, "This session is connected already"))
            }
            Body::Connect(auth) => {
                self.connect(session, auth).await;
                Ok(())
            }
            Body::Disconnect => {
                session.finish(&[Message::close(CloseCode::Normal, &self.terms.budget)]);
                Ok(())
            }
            Body::Event(event) if session.is_connected() => self.gateway.event(session, &event),
            Body::Event(_) => Err(Refusal::new(Code::BadRequest, "Connect first, with a CONNECT packet")),
            Body::Ack(_) | Body::ConnectError(_) => Ok(()),
        }
    }

    async fn connect(&self, session: &Arc<Session>, auth: Option<Json>) {
        // A CONNECT without auth, or with one of another shape, is one that says nothing.
        let auth: Auth = auth.and_then(|auth| auth.read().ok()).unwrap_or_default();
        match self.gateway.connect(session, auth).await {
            Ok(role) => {
                session.connected(role == Role::Publisher);
                let connected = serde_json::to_string(&Connected { sid: session.id.to_string() });
                self.say(session, &format!("40{}", connected.unwrap_or_default()));
            }
            Err(refusal) => {
                let data = ConnectErrorData { code: refusal.code };
                let error = serde_json::to_string(&ConnectError { message: &refusal.message, data });
                let error = format!("44{}", error.unwrap_or_default());
                let budget = &self.terms.budget;
                session.finish(&[Message::text(&error, budget), Message::close(CloseCode::Normal, budget)]);
            }
        }
    }

    /// Sends a packet to one client.
    pub fn say(&self, session: &Session, packet: &str) {
        if session.send(&Message::text(packet, &self.terms.budget)).is_err() {
            session.cut_off();
        }
    }

    /// Forgets a session, whose client is gone.
    pub fn close(&self, session: &Session) {
        session.cut_off();
        if self.sessions.remove(session) {
            self.gateway.gone(session.id);
        }
    }

    /// Looks after all sessions; to be called each second.
    pub fn tend(&self) {
        let now = Instant::now();
        for session in self.sessions.list() {
            session.tend(now, &self.patience);
            if session.cut.is_cancelled() {
                self.close(&session);
            }
        }
    }

    /// From now on nobody new is taken.
    pub fn stop_admitting(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// How the relay is.
    pub fn health(&self) -> Health {
        let status = if self.is_draining() { Status::Draining } else { Status::Ok };
        let rooms = self.gateway.registry().rooms().count();
        let redis = self.gateway.fleet.as_ref().map(Fleet::health);
        Health { status, rooms, sessions: self.sessions.len(), redis }
    }

    /// The members of each room.
    pub fn rooms(&self) -> Vec<Vec<Arc<Session>>> {
        let members = |audience: &Audience<Arc<Session>>| audience.iter().map(|(_, to)| to.clone()).collect();
        self.gateway.registry().rooms().map(members).collect()
    }

    /// Ends sessions so that their clients connect anew. Without a DISCONNECT, after which `socket.io` does not.
    pub fn send_away(&self, sessions: Vec<Arc<Session>>) {
        let end = [Message::close(CloseCode::Restart, &self.terms.budget)];
        sessions.iter().for_each(|session| session.finish(&end));
    }
}

/// A text that no event needs.
pub(super) fn text_too_large() -> Refusal {
    Refusal::last(
        Code::TooLarge,
        format!("An event has {MAX_TEXT_BYTES} bytes at most, besides its attachment"),
    )
}
