//! One attempt to be in a WebRTC meeting: connect, join, carry what is said and heard, leave. One task.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::dialect::{Dialect, Place};
use super::signal::{Heard, Participant, ParticipantId, Said};
use crate::meeting::session_config::SessionConfig;
use crate::meeting::{ErrorKind, SessionError};
use crate::socketio::{Body, Connection, Event, Progress};

/// Things said that may wait for the socket. Each participant causes a dozen when it comes.
const SAID: usize = 1024;
/// Things heard that may wait for the agent; then the session stops reading.
const HEARD: usize = 256;
/// A server that does not confirm a join says within this time that it refuses it.
const REFUSAL_TIME: Duration = Duration::from_millis(500);
/// How long leaving may take in all.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(500);
/// Lines of chat that servers have not sent back yet, at most.
const MAX_ECHOES: usize = 16;
/// Malformed events that are logged in one session; the rest is ignored in silence.
const MALFORMED_LOGGED: u32 = 5;

/// What the agent hears from its session, in the order it happened.
#[derive(Debug)]
pub enum SessionEvent {
    /// The join worked. Always the first event, unless the session ends without it.
    Joined {
        /// Our socket id.
        sid: String,
        /// Those who were there already.
        others: Vec<Participant>,
    },
    /// The server said something: somebody came, left, or sent something. Never that a join worked or was refused, nor what
    /// is ignored or malformed, nor what the agent did or wrote itself.
    Heard(Heard),
    /// The session is over; always the last event.
    Ended(SessionError),
}

/// The agent's end of a running session. Dropping it ends the session at once.
#[derive(Debug)]
pub struct SessionHandle {
    /// What the session has to say. Ends after [`SessionEvent::Ended`].
    pub events: mpsc::Receiver<SessionEvent>,
    said: mpsc::Sender<Said>,
    stop: CancellationToken,
    task: AbortOnDropHandle<()>,
}

impl SessionHandle {
    /// Says something, after what was said before. Says whether it is on its way: a server that takes nothing any more is
    /// noticed by its silence.
    pub fn say(&self, said: Said) -> bool {
        self.said.try_send(said).is_ok()
    }

    /// Says what was said before, and closes the connection, which is how one leaves; at most 500 ms.
    pub async fn shutdown(self) {
        self.stop.cancel();
        // A task that was aborted has left.
        let _ = self.task.await;
    }
}

/// Starts one attempt on a task of its own.
pub fn spawn(config: SessionConfig, dialect: Dialect) -> SessionHandle {
    let (heard, events) = mpsc::channel(HEARD);
    let (said, to_say) = mpsc::channel(SAID);
    let stop = CancellationToken::new();
    let place = Place {
        room: config.room.clone(),
        username: config.username.clone(),
        user_id: config.user_id.clone(),
    };
    let session = Session {
        config,
        dialect,
        place,
        heard,
        to_say,
        stop: stop.clone(),
        sid: ParticipantId::other(),
        echoes: VecDeque::new(),
    };
    SessionHandle { events, said, stop, task: AbortOnDropHandle::new(tokio::spawn(session.run())) }
}

struct Session {
    config: SessionConfig,
    dialect: Dialect,
    place: Place,
    heard: mpsc::Sender<SessionEvent>,
    to_say: mpsc::Receiver<Said>,
    stop: CancellationToken,
    /// Who we are to the others, once we are connected.
    sid: ParticipantId,
    /// Lines of chat that we wrote.
    echoes: VecDeque<String>,
}

impl Session {
    async fn run(mut self) {
        let stop = self.stop.clone();
        let mut connection = tokio::select! {
            () = stop.cancelled() => return,
            entered = self.enter() => match entered {
                Ok(connection) => connection,
                Err(error) => return self.tell(SessionEvent::Ended(error)).await,
            },
        };
        match self.attend(&mut connection).await {
            Ok(()) => self.leave(connection).await,
            Err(error) => self.tell(SessionEvent::Ended(error)).await,
        }
    }

    /// Hands an event to the agent, unless it has stopped listening.
    async fn tell(&self, event: SessionEvent) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            sent = self.heard.send(event) => if sent.is_err() { self.stop.cancel() },
        }
    }

    /// Connects and joins.
    async fn enter(&mut self) -> Result<Connection, SessionError> {
        let Self { config, .. } = self;
        let mut connection =
            Connection::connect(&config.endpoint, &config.limits).await.map_err(SessionError::connecting)?;
        let (others, early) = match timeout(config.join_timeout, self.join(&mut connection)).await {
            Ok(joined) => joined?,
            Err(_) => return Err(SessionError::join_timeout(&self.config)),
        };
        self.sid = ParticipantId::new(connection.sid());
        let others = others.into_iter().filter(|other| other.id != self.sid).collect();
        self.tell(SessionEvent::Joined { sid: connection.sid().to_owned(), others }).await;
        for heard in early {
            self.pass_on(heard).await;
        }
        Ok(connection)
    }

    /// Joins. Returns who was there, and what was heard before that was known.
    async fn join(
        &self,
        connection: &mut Connection,
    ) -> Result<(Vec<Participant>, Vec<Heard>), SessionError> {
        let broken = |error| SessionError::ClosedWhileJoining { room: self.config.room.clone(), error };
        if let Some(event) = self.event(&Said::Join)? {
            connection.send(Body::Event(event)).map_err(broken)?;
        }
        let mut early = Vec::new();
        let mut joined_at = None;
        loop {
            let progress = tokio::select! {
                progress = connection.next() => progress.map_err(broken)?,
                () = at(joined_at) => return Ok((Vec::new(), early)),
            };
            match progress {
                Progress::Event(event) => match self.dialect.read(&event) {
                    Heard::Joined(others) => return Ok((others, early)),
                    Heard::Refused(message) => return Err(self.refused(message)),
                    Heard::Error(message) => {
                        let Self { config, .. } = self;
                        let kind = ErrorKind::of(&message);
                        return Err(SessionError::refused(
                            config.endpoint.url(),
                            &config.room,
                            kind,
                            message,
                        ));
                    }
                    Heard::Ignored | Heard::Malformed { .. } => {}
                    heard => {
                        early.push(heard);
                        // Whoever hears of others is in the room.
                        if !self.dialect.confirms_join() {
                            return Ok((Vec::new(), early));
                        }
                    }
                },
                Progress::Sent if !self.dialect.confirms_join() => {
                    joined_at = Some(Instant::now() + REFUSAL_TIME);
                }
                Progress::Ack(_) if !self.dialect.confirms_join() => return Ok((Vec::new(), early)),
                Progress::Sent | Progress::Ack(_) => {}
            }
        }
    }

    fn refused(&self, message: String) -> SessionError {
        SessionError::JoinRefused { url: self.config.endpoint.url(), room: self.config.room.clone(), message }
    }

    /// Tells the agent what was heard, unless it is what the agent did itself.
    async fn pass_on(&mut self, heard: Heard) {
        match &heard {
            Heard::Came(who) if who.id == self.sid => return,
            Heard::Chat { from, text } if from.as_ref().is_none_or(|from| *from == self.place.username) => {
                if let Some(index) = self.echoes.iter().position(|said| said == text) {
                    self.echoes.remove(index);
                    return;
                }
            }
            _ => {}
        }
        self.tell(SessionEvent::Heard(heard)).await;
    }

    fn event(&self, said: &Said) -> Result<Option<Event>, SessionError> {
        Ok(self.dialect.write(said, &self.place)?)
    }

    /// Carries what is said and heard until the agent wants to leave (`Ok`) or the session breaks.
    async fn attend(&mut self, connection: &mut Connection) -> Result<(), SessionError> {
        let stop = self.stop.clone();
        let mut malformed = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                progress = connection.next() => match progress.map_err(SessionError::lost)? {
                    Progress::Event(event) => match self.dialect.read(&event) {
                        Heard::Ignored => {}
                        Heard::Malformed { event, why } => {
                            malformed += 1;
                            if malformed <= MALFORMED_LOGGED {
                                tracing::warn!(event, why, "the server sent an event that makes no sense; ignored");
                            }
                        }
                        Heard::Refused(message) => return Err(self.refused(message)),
                        Heard::Joined(_) => {}
                        heard => self.pass_on(heard).await,
                    },
                    Progress::Sent | Progress::Ack(_) => {}
                },
                said = self.to_say.recv(), if connection.is_idle() => match said {
                    Some(said) => {
                        if let Some(event) = self.event(&said)? {
                            connection.send(Body::Event(event)).map_err(SessionError::Lost)?;
                            self.expect_echo(said);
                        }
                    }
                    None => return Ok(()),
                },
            }
        }
    }

    /// Some servers send a line of chat to its writer too.
    fn expect_echo(&mut self, said: Said) {
        if let Said::Chat(text) = said {
            if self.echoes.len() == MAX_ECHOES {
                self.echoes.pop_front();
            }
            self.echoes.push_back(text);
        }
    }

    /// Says what is left to say, and closes the connection. Whatever goes wrong here no longer matters: the server notices
    /// the closed connection.
    async fn leave(mut self, mut connection: Connection) {
        let until = Instant::now() + LEAVE_TIMEOUT;
        let goodbye = async {
            while let Ok(said) = self.to_say.try_recv() {
                while !connection.is_idle() {
                    if connection.next().await.is_err() {
                        return;
                    }
                }
                if let Ok(Some(event)) = self.event(&said)
                    && connection.send(Body::Event(event)).is_err()
                {
                    return;
                }
            }
            connection.close().await;
        };
        // An Err is the end of the time allowed, which is no error.
        let _ = tokio::time::timeout_at(until, goodbye).await;
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => pending().await,
    }
}
