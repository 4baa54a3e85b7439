//! One attempt to be in a meeting: connect, join, publish, listen, until it ends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::announcer::{Announcer, join_room};
use super::error::SessionError;
use super::event::{ClientEvent, EncodeError, Presence, ServerEvent};
use super::identity::Identity;
use super::outbox::{OutboxReceiver, Outgoing, QueuedChunk};
use super::roster::{Participant, RoomState};
use super::session_config::SessionConfig;
use super::spacing::gap_after;
use crate::media::Chunk;
use crate::socketio::{Body, Connection, ConnectionError, Event, Fault, Progress, quote};

/// How long leaving may take in all (docs/protocol.md §2.1).
const LEAVE_TIMEOUT: Duration = Duration::from_millis(500);

/// What an event around a chunk takes at most of the relay's `maxPayload`.
pub(crate) const EVENT_OVERHEAD_BYTES: usize = 1_000;

/// The ack id of `leave-room`, the only event that asks for one.
const LEAVE_ACK: u64 = 0;

/// Session events that may wait for the agent. When they do, the session stops reading the socket, and with
/// it answering pings: an agent that does not listen for 20 s loses its seat.
const EVENTS: usize = 64;

/// How long before the end of a connection the relay's last words still explain it.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Malformed events that are logged in one session; the rest is ignored in silence.
const MALFORMED_LOGGED: u32 = 5;

/// What the agent hears from its session, in the order it happened.
#[derive(Debug)]
pub enum SessionEvent {
    /// The join worked; from now on the outbox is emptied. Always the first event, unless the session ends
    /// without it.
    Joined(Joined),
    /// The relay knows the agent by another user id from here on; comes before the event that says so.
    Adopted(Identity),
    /// The relay said something that concerns the agent. Never [`ServerEvent::Ignored`] or
    /// [`ServerEvent::Malformed`], nor what the relay says of the agent itself: its own `user-joined`,
    /// `camera-state-changed` or `mic-state-changed`.
    Event(ServerEvent),
    /// A chunk has gone to the kernel.
    ChunkSent {
        /// The chunk.
        chunk: Chunk,
        /// How long after it was put into the outbox.
        queued: Duration,
    },
    /// A chunk was larger than the relay accepts and was not sent: the timeline has a hole now, which only a
    /// new epoch can close.
    ChunkTooLarge {
        /// The chunk.
        chunk: Chunk,
        /// The largest message the relay accepts, in bytes.
        max: usize,
    },
    /// The session is over; always the last event.
    Ended(SessionError),
}

/// What the relay said when the join worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The room as the relay describes it.
    pub room: RoomState,
    /// Who we are in it.
    pub identity: Identity,
    /// The largest message the relay accepts, in bytes.
    pub max_payload: usize,
}

/// How a session was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The relay acknowledged `leave-room`.
    Acknowledged,
    /// We were not joined, or the relay did not answer in time; it will notice the closed connection.
    Unconfirmed,
}

/// The agent's end of a running session. Dropping it ends the session at once, without a word to the relay.
#[derive(Debug)]
pub struct SessionHandle {
    /// What the session has to say. Ends after [`SessionEvent::Ended`].
    pub events: mpsc::Receiver<SessionEvent>,
    stop: CancellationToken,
    task: AbortOnDropHandle<Left>,
}

impl SessionHandle {
    /// Leaves the room (`leave-room`, at most 500 ms) and closes the connection. Media that still waits in
    /// the outbox is dropped.
    pub async fn shutdown(self) -> Left {
        self.stop.cancel();
        self.task.await.unwrap_or(Left::Unconfirmed)
    }
}

/// Starts one attempt on a task of its own. `presence` is the agent's state now; a change goes into the
/// outbox and follows the join.
pub fn spawn(config: SessionConfig, presence: Presence, outbox: OutboxReceiver) -> SessionHandle {
    let (sender, events) = mpsc::channel(EVENTS);
    let stop = CancellationToken::new();
    let session = Session { config, presence, outbox, events: sender, stop: stop.clone() };
    let task = AbortOnDropHandle::new(tokio::spawn(session.run()));
    SessionHandle { events, stop, task }
}

struct Session {
    config: SessionConfig,
    presence: Presence,
    outbox: OutboxReceiver,
    events: mpsc::Sender<SessionEvent>,
    stop: CancellationToken,
}

impl Session {
    async fn run(mut self) -> Left {
        let stop = self.stop.clone();
        let (mut connection, joined) = tokio::select! {
            () = stop.cancelled() => return Left::Unconfirmed,
            entered = self.enter() => match entered {
                Ok(entered) => entered,
                Err(error) => return self.end(error).await,
            },
        };
        match self.attend(&mut connection, joined).await {
            Ok(()) => leave(connection).await,
            Err(error) => self.end(error).await,
        }
    }

    async fn end(&self, error: SessionError) -> Left {
        self.tell(SessionEvent::Ended(error)).await;
        Left::Unconfirmed
    }

    /// Hands an event to the agent, unless it has stopped listening.
    async fn tell(&self, event: SessionEvent) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            sent = self.events.send(event) => if sent.is_err() { self.stop.cancel() },
        }
    }

    /// Connects and joins.
    async fn enter(&mut self) -> Result<(Connection, Joined), SessionError> {
        let Self { config, .. } = self;
        let mut connection =
            Connection::connect(&config.endpoint, &config.limits).await.map_err(SessionError::connecting)?;
        let room = match timeout(config.join_timeout, self.join(&mut connection)).await {
            Ok(joined) => joined?,
            Err(_) => return Err(SessionError::join_timeout(&self.config)),
        };
        let mut identity = Identity::new(connection.sid(), self.config.user_id.as_deref());
        identity.adopt(&room.participants);
        self.outbox.watch(connection.send_queue());
        let joined = Joined { identity, max_payload: connection.max_payload(), room };
        Ok((connection, joined))
    }

    async fn join(&self, connection: &mut Connection) -> Result<RoomState, SessionError> {
        let Self { config, .. } = self;
        let broken = |error| SessionError::ClosedWhileJoining { room: config.room.clone(), error };
        connection.send(Body::Event(join_room(config, self.presence)?)).map_err(broken)?;
        loop {
            let Progress::Event(event) = connection.next().await.map_err(broken)? else { continue };
            match ServerEvent::read(&event) {
                ServerEvent::RoomState(state) => {
                    self.check_room(&state)?;
                    return Ok(state);
                }
                ServerEvent::Error { message, kind } => {
                    return Err(SessionError::refused(config.endpoint.url(), &config.room, kind, message));
                }
                ServerEvent::RoomEnded => return Err(self.room_ended()),
                ServerEvent::Malformed { event, why } if event == "room-state" => {
                    return Err(SessionError::BadRoomState { url: config.endpoint.url(), why });
                }
                _ => {}
            }
        }
    }

    fn check_room(&self, state: &RoomState) -> Result<(), SessionError> {
        match &state.room_id {
            Some(room) if *room != self.config.room => Err(SessionError::WrongRoom {
                url: self.config.endpoint.url(),
                asked: self.config.room.clone(),
                got: quote(room),
            }),
            _ => Ok(()),
        }
    }

    fn room_ended(&self) -> SessionError {
        SessionError::RoomEnded { url: self.config.endpoint.url(), room: self.config.room.clone() }
    }

    /// Publishes and listens until the agent wants to leave (`Ok`) or the session breaks.
    async fn attend(&mut self, connection: &mut Connection, joined: Joined) -> Result<(), SessionError> {
        let max_bytes = joined.max_payload.saturating_sub(EVENT_OVERHEAD_BYTES);
        let mut announcer = Announcer::new(self.config.clone(), joined.identity.clone());
        self.tell(SessionEvent::Joined(joined)).await;
        let stop = self.stop.clone();
        let mut in_flight = None;
        let mut chunk_from = Instant::now();
        let mut last_words = None;
        let mut malformed = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                progress = connection.next() => match progress {
                    Ok(Progress::Sent) => {
                        if let Some(QueuedChunk { chunk, since, .. }) = in_flight.take() {
                            self.outbox.chunk_gone();
                            chunk_from = Instant::now() + gap_after(chunk.has_init());
                            self.tell(SessionEvent::ChunkSent { chunk, queued: since.elapsed() }).await;
                        }
                    }
                    Ok(Progress::Ack(_)) => {}
                    Ok(Progress::Event(event)) => match ServerEvent::read(&event) {
                        ServerEvent::Ignored { .. } => {}
                        ServerEvent::Malformed { event, why } => {
                            malformed += 1;
                            if malformed <= MALFORMED_LOGGED {
                                tracing::warn!(event, why, "the relay sent an event that makes no sense; ignored");
                            }
                        }
                        heard => {
                            if let ServerEvent::RoomState(state) = &heard {
                                self.check_room(state)?;
                            }
                            if announcer.adopt(participants(&heard)) {
                                self.tell(SessionEvent::Adopted(announcer.identity().clone())).await;
                            }
                            if is_about(announcer.identity(), &heard) {
                                continue;
                            }
                            if let ServerEvent::Error { .. } | ServerEvent::RoomEnded = heard {
                                last_words = Some((Instant::now(), heard.clone()));
                            }
                            self.tell(SessionEvent::Event(heard)).await;
                        }
                    },
                    Err(error) => return Err(self.explain(error, last_words)),
                },
                item = next_outgoing(&mut announcer, &mut self.outbox, chunk_from, max_bytes), if connection.is_idle() => match item {
                    Outgoing::State(change) => {
                        let event = announcer.event(change)?;
                        connection.send(Body::Event(event)).map_err(SessionError::Lost)?;
                    }
                    Outgoing::Chunk(queued) => match connection.send(Body::Event(media_event(&queued)?)) {
                        Ok(()) => in_flight = Some(queued),
                        Err(ConnectionError { fault: Fault::AboveMaxPayload { max, .. }, .. }) => {
                            self.outbox.chunk_gone();
                            self.tell(SessionEvent::ChunkTooLarge { chunk: queued.chunk, max }).await;
                        }
                        Err(error) => return Err(SessionError::Lost(error)),
                    },
                },
            }
        }
    }

    /// Why the connection ended: what the relay said just before, or else what the connection says.
    fn explain(&self, error: ConnectionError, last_words: Option<(Instant, ServerEvent)>) -> SessionError {
        let url = self.config.endpoint.url();
        match last_words {
            Some((when, ServerEvent::Error { message, kind })) if when.elapsed() <= LAST_WORDS => {
                SessionError::dismissed(url, &self.config.room, kind, message)
                    .unwrap_or_else(|| SessionError::lost(error))
            }
            Some((when, ServerEvent::RoomEnded)) if when.elapsed() <= LAST_WORDS => self.room_ended(),
            _ => SessionError::lost(error),
        }
    }
}

/// What goes out next: what is due again before what is new. Can be dropped while it waits.
async fn next_outgoing(
    announcer: &mut Announcer,
    outbox: &mut OutboxReceiver,
    chunk_from: Instant,
    max_bytes: usize,
) -> Outgoing {
    match announcer.next_due() {
        Some(change) => Outgoing::State(change),
        None => outbox.next(chunk_from, max_bytes).await,
    }
}

/// Those of whom an event tells both user id and socket.
fn participants(heard: &ServerEvent) -> &[Participant] {
    match heard {
        ServerEvent::RoomState(state) => &state.participants,
        ServerEvent::PresenterChange(change) => &change.participants,
        ServerEvent::UserJoined(who) => std::slice::from_ref(who),
        _ => &[],
    }
}

/// Whether an event only tells the agent of itself.
fn is_about(agent: &Identity, heard: &ServerEvent) -> bool {
    match heard {
        ServerEvent::UserJoined(who) => agent.is(who),
        ServerEvent::CameraStateChanged { user_id, .. } | ServerEvent::MicStateChanged { user_id, .. } => {
            user_id == agent.user_id()
        }
        _ => false,
    }
}

fn media_event(queued: &QueuedChunk) -> Result<Event, EncodeError> {
    // A clock before 1970 is a device without a clock: receivers then show no latency worth reading.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    ClientEvent::MediaChunk { chunk: queued.chunk.bytes.clone(), mime: queued.mime, timestamp }.to_event()
}

/// Says goodbye. Whatever goes wrong here no longer matters: the relay notices the closed connection.
async fn leave(mut connection: Connection) -> Left {
    let mut left = Left::Unconfirmed;
    let goodbye = async {
        let Ok(event) = (ClientEvent::LeaveRoom { ack: LEAVE_ACK }).to_event() else { return };
        if connection.send(Body::Event(event)).is_err() {
            return;
        }
        loop {
            match connection.next().await {
                Ok(Progress::Ack(ack)) if ack.id() == LEAVE_ACK => break,
                Ok(_) => {}
                Err(_) => return,
            }
        }
        left = Left::Acknowledged;
        connection.close().await;
    };
    // An Err is the end of the time allowed, which is no error.
    let _ = timeout(LEAVE_TIMEOUT, goodbye).await;
    left
}
